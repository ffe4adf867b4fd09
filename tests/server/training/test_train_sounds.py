"""Training of the recogniser: its loss, its statistics, its state; and the measures and poses made with it."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from server.arkit import CHANNELS
from server.performance.lip_contact import opening
from server.sounds.hearing import WEIGHTS
from server.sounds.inventory import ARPABET, INDEX, SYMBOLS, VISEME
from server.sounds.network import SoundNet
from server.training import evaluate_sounds, sound_poses, train_sounds
from server.training.corpora import Clip
from server.training.train_sounds import SCHWA, STRUT, UNKNOWN, Example, loss_of

ROOT = Path(__file__).parents[3]
SIZE = 6


def test_schwa_and_strut_count_together_where_they_have_one_sign():
    logits = torch.log(torch.full((2, 1, len(SYMBOLS)), 0.2 / (len(SYMBOLS) - 2)))
    logits[:, :, SCHWA], logits[:, :, STRUT] = math.log(0.5), math.log(0.3)
    labels = torch.tensor([[STRUT], [STRUT]])
    assert loss_of(logits[:1], labels[:1], torch.tensor([1.0])).item() == pytest.approx(-math.log(0.8), abs=1e-5)
    assert loss_of(logits[:1], labels[:1], torch.tensor([0.0])).item() == pytest.approx(-math.log(0.3), abs=1e-5)
    both = loss_of(logits, torch.tensor([[STRUT], [UNKNOWN]]), torch.zeros(2))
    assert both.item() == pytest.approx(-math.log(0.3), abs=1e-5)  # what is unknown does not count


def test_statistics_leave_out_the_people_of_a_fold(monkeypatch):
    clips = {
        "emodb": [
            Clip("emodb", name, speaker, Path(), "train", [("m", 0.0, 0.1), ("a", 0.1, 0.3)] * times)
            for name, speaker, times in (("x", "03", 6), ("y", "08", 6))
        ]
    }
    monkeypatch.setitem(train_sounds.PEOPLE, "emodb", ["03", "08"])
    bigrams, durations, languages = train_sounds.statistics(clips, {"emodb/x": "de", "emodb/y": "en"}, None)
    assert languages == ("", "de", "en") and bigrams.shape == (3, len(SYMBOLS), len(SYMBOLS))
    np.testing.assert_allclose(bigrams.exp().sum(-1), 1, rtol=1e-5)
    assert bigrams[0, INDEX["m"], INDEX["a"]] > math.log(0.5)
    assert durations[INDEX["a"], 0] == pytest.approx(math.log(0.2)) and durations[INDEX["m"], 1] == 0.25
    assert train_sounds.statistics(clips, {"emodb/x": "de", "emodb/y": "en"}, 0)[2] == ("", "en")


def examples():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 120).repeat(4)
    rows = np.eye(SIZE)[labels[::2]] + 0.1 * rng.normal(size=(240, SIZE))
    return {"emodb": [Example(rows.astype(np.float16), labels, False)]}


def trained(steps, state, monkeypatch, stop=None):
    monkeypatch.setattr(train_sounds, "BATCH", 2)
    monkeypatch.setattr(train_sounds, "FRAMES", 40)
    monkeypatch.setattr(train_sounds, "CHECKPOINT_SECONDS", -1 if stop else 60)
    torch.manual_seed(0)
    model = SoundNet(SIZE, ("",), "x", 12, 1)
    for block in model.blocks:
        block.dropout.p = 0.0
    monkeypatch.setattr("server.sounds.network.FEATURE_NOISE", 0.0)
    if stop is not None:
        save = train_sounds._save_state

        def saved(model, optimizer, step, path):
            save(model, optimizer, step, path)
            if step == stop:
                raise KeyboardInterrupt

        monkeypatch.setattr(train_sounds, "_save_state", saved)
        with pytest.raises(KeyboardInterrupt):
            train_sounds.train(model, examples(), steps, state)
        monkeypatch.setattr(train_sounds, "_save_state", save)
        model = SoundNet(SIZE, ("",), "x", 12, 1)
        model.blocks[0].dropout.p = 0.0
    train_sounds.train(model, examples(), steps, state)
    return model


def test_a_training_that_was_cut_off_goes_on_to_the_same_end(tmp_path, monkeypatch):
    whole = trained(6, tmp_path / "a.state", monkeypatch)
    again = trained(6, tmp_path / "b.state", monkeypatch, stop=4)
    assert not list(tmp_path.iterdir())
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value)


def test_it_learns(tmp_path, monkeypatch):
    model = trained(80, tmp_path / "a.state", monkeypatch)
    (example,) = examples()["emodb"]
    found = model.log_posteriors(example.rows).argmax(1)
    assert (found == example.labels).mean() > 0.7  # a third by chance


def test_errors_between_sequences():
    assert evaluate_sounds.matched("abcd", "abcd") == (0, [(0, 0), (1, 1), (2, 2), (3, 3)])
    assert evaluate_sounds.matched("abd", "abcd") == (1, [(0, 0), (1, 1), (2, 3)])
    assert evaluate_sounds.matched("", "ab")[0] == 2 and evaluate_sounds.matched("xy", "ab") == (2, [])
    assert evaluate_sounds.errors([0.01, -0.03, 0.02, 0.2]) == "25 ms | 50 % / 75 %"


def test_what_ships_is_for_the_model_that_ships():
    from server.engine import DEFAULT_CHECKPOINT
    from server.model import LSF
    from server.sounds.network import features_digest

    network = SoundNet.load(WEIGHTS)
    assert WEIGHTS.stat().st_size < 1_000_000
    assert network.features == features_digest(LSF.from_pretrained(DEFAULT_CHECKPOINT))
    assert {"", "en", "de"} <= set(network.languages)


def test_poses_of_sounds_that_ship():
    data = json.loads((ROOT / "lsf_blender_addon" / "assets" / "sounds.json").read_text("utf-8"))
    assert data["channels"] == list(CHANNELS) and list(data["sounds"]) == list(ARPABET)
    poses = {symbol: np.array(entry["pose"], np.float32) for symbol, entry in data["sounds"].items()}
    assert all(entry["viseme"] == VISEME[symbol] for symbol, entry in data["sounds"].items())
    assert all(pose.shape == (52,) and pose.min() >= 0 and pose.max() <= 1 for pose in poses.values())
    gaps = {symbol: float(opening(pose[None])[0]) for symbol, pose in poses.items()}
    assert max(gaps[s] for s in "pbm") < 0.0003 < min(gaps[s] for s in ("f", "v", "s", "ə", "a", "ɑ", "i"))
    jaw, pucker = CHANNELS.index("jawOpen"), CHANNELS.index("mouthPucker")
    assert poses["æ"][jaw] > poses["s"][jaw] > poses["p"][jaw] and poses["u"][pucker] > 3 * poses["i"][pucker]
    assert poses["f"][CHANNELS.index("mouthRollLower")] > 0.3


def test_corrected_poses():
    pose = np.zeros(52, np.float32)
    pose[CHANNELS.index("jawOpen")] = 0.1
    assert opening(sound_poses.closed(pose)[None].astype(np.float32))[0] < 0.0003 < opening(pose[None])[0]
    assert sound_poses.at_teeth(pose)[CHANNELS.index("mouthRollLower")] == np.float32(0.55)
