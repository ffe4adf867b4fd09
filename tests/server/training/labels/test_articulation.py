"""Two faces that open differently for the same sound, and labels from the mean of them."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from server import arkit
from server.training import FPS, corpora
from server.training.labels import articulation, lips
from server.training.speech.phonetics import (
    ONSET_SECONDS,
    RELEASE_SECONDS,
    frame_features,
    phone_activation,
    phonetic_opening,
    speech_activity,
)

JAW = arkit.CHANNELS.index("jawOpen")
FRAMES = 4 * articulation.EXAMPLE_FRAMES + 10


def face(name: str, opening: float):
    """Clips of random phones and curves whose jaw opens by `opening` on ɑ alone."""
    rng = np.random.default_rng(7)
    clips, targets = [], {}
    for i in range(8):
        ends = np.cumsum(rng.uniform(0.1, 0.3, 80))
        phones = [(str(rng.choice(["ɑ", "s", "u", ""])), float(a), float(b)) for a, b in pairwise(ends)]
        clips.append(corpora.Clip(name, f"{name}{i}", name, None, "valid" if i == 7 else "train", phones))
        curves = np.zeros((FRAMES, len(arkit.CHANNELS)), np.float32)
        curves[:, JAW] = opening * phone_activation(phones, FRAMES, {"ɑ"}, 0.06)
        targets[f"{name}{i}"] = curves
    return clips, targets


@pytest.fixture(scope="module")
def model():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(articulation, "EPOCHS", 25)
        patch.setattr(articulation, "BATCH", 14)
        return articulation.train([face("small", 0.1), face("large", 0.3)], lips.load_lips())


PHONES = [("", 0, 0.8), ("s", 0.8, 1.2), ("ɑ", 1.2, 1.6), ("s", 1.6, 2), ("", 2, 3)]
FEATURES = torch.from_numpy(frame_features(PHONES, 75, articulation.SAMPLES))
ON_A = int(1.4 * FPS)


def test_each_face_opens_as_it_did_and_voices_are_given_the_mean(model):
    with torch.no_grad():
        small, large = model(FEATURES.expand(2, -1, -1, -1), torch.tensor([0, 1])) * model.scale + model.mean
    jaw = articulation.MOUTH_CHANNELS.index("jawOpen")
    assert abs(small[ON_A, jaw] - 0.1) < 0.04 and abs(large[ON_A, jaw] - 0.3) < 0.06
    torch.testing.assert_close(model.mean_face(FEATURES), (small + large) / 2)


def test_a_model_comes_back_from_its_file_with_all_its_faces(model, tmp_path):
    save_file(model.state_dict(), tmp_path / "articulation.safetensors")
    again = articulation.load(tmp_path / "articulation.safetensors")
    torch.testing.assert_close(again.mean_face(FEATURES), model.mean_face(FEATURES))


def test_vowels_open_by_their_height():
    head = lips.load_lips()
    apertures = {}
    for opening in (4.0, 14.0):  # a face that opens alike for all of them
        flat = articulation.Articulation(1).eval()
        flat.mean[:], flat.scale[:] = 0, 1e-6
        flat.mean[-2], flat.mean[-1] = opening, 50.0
        for vowel in "iea":
            phones = [("", 0, 0.8), (vowel, 0.8, 1.2), ("", 1.2, 2)]
            apertures[vowel, opening] = float(articulation.lip_goals(flat, head, phones, 50)[1][FPS])
    for opening in (4.0, 14.0):
        assert apertures["i", opening] < apertures["e", opening] < apertures["a", opening]
    for vowel in "iea":
        assert apertures[vowel, 4.0] < apertures[vowel, 14.0]  # the face counts as well


def test_the_charts_open_vowels_by_height_and_consonants_by_place():
    def middle(symbol: str) -> float:
        return phonetic_opening(frame_features([("", 0, 0.8), (symbol, 0.8, 1.2), ("", 1.2, 2)], 50))[FPS]

    order = [middle(symbol) for symbol in ("a", "ɛ", "e", "l", "t", "s", "f", "p")]
    assert order == sorted(order, reverse=True) and len(set(order)) == len(order)
    assert abs(order[0] - 1) < 0.01 and order[-1] == 0 == middle("")
    assert middle("u") < middle("ɯ")  # as high, but round
    assert middle("ts") == middle("s") and middle("tɕ") == middle("ɕ") < middle("c")
    gliding = phonetic_opening(frame_features([("aɪ", 0, 1)], FPS))
    assert (np.diff(gliding)[3:-3] <= 1e-6).all() and gliding[3] > 2 * gliding[-3]


def test_a_mouth_opens_about_the_first_sound_and_rests_in_pauses():
    phones = [("", 0, 1), ("ɑ", 1, 1.5), ("", 1.5, 1.56), ("ɑ", 1.56, 2), ("", 2, 3), ("s", 3, 3.4), ("", 3.4, 4)]
    weight = speech_activity(phones, 100)
    assert (weight[: int((1 - ONSET_SECONDS) * FPS)] == 0).all() and (
        weight[int((1 + ONSET_SECONDS) * FPS) + 1 : 2 * FPS] == 1
    ).all()
    assert 0.4 < weight[FPS] < 0.6
    assert (weight[int((2 + RELEASE_SECONDS) * FPS) + 1 : int((3 - ONSET_SECONDS) * FPS)] == 0).all() and weight[
        int(3.2 * FPS)
    ] == 1
