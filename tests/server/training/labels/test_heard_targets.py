"""Labels by hearing: what teachers hear counts, but where rules are certain they decide."""

import numpy as np
import pytest
import torch

from server import arkit
from server.files.audio import SAMPLE_RATE
from server.training import FPS
from server.training.labels import articulation, heard_targets, lips, teachers

FRAMES = 60
PHONES = [
    ("", 0, 0.4),
    ("i", 0.4, 0.8),
    ("b", 0.8, 0.9),
    ("ɑ", 0.9, 1.2),
    ("ʃ", 1.2, 1.4),
    ("i", 1.4, 1.8),
    ("", 1.8, 2.4),
]
STATES = np.zeros((FRAMES, 4), np.float32)
FUNNEL = arkit.CHANNELS.index("mouthFunnel")


class WideOpen(teachers.Ensemble):
    """Hears a mouth that is always 12 mm open."""

    def __init__(self):
        super().__init__([])

    def predict(self, states):
        mouth = torch.full((len(states), teachers.OUTPUTS), 0.1)
        mouth[:, -2], mouth[:, -1] = 12.0, 50.0
        return mouth


@pytest.fixture(scope="module")
def labeller():
    return heard_targets.Labeller(WideOpen(), lips.load_lips())


@pytest.fixture(scope="module")
def phone_model():
    torch.manual_seed(1)
    model = articulation.Articulation(2).eval()
    model.mean[:] = 0.1
    model.mean[-2], model.mean[-1] = 4.0, 50.0
    return model


def aperture(labeller, phones=PHONES):
    return 1e3 * labeller.goals(STATES, phones)[1].numpy()


def at(seconds: float) -> int:
    return round(seconds * FPS)


def test_lips_meet_on_b_and_rest_in_silence_and_are_else_as_heard(labeller):
    (curves,) = heard_targets.replace(labeller, rest_margin=0.0).label([(STATES, PHONES, np.zeros(0))])
    got = 1e3 * labeller.head(torch.from_numpy(curves))[:, 0].numpy()
    assert got[at(0.85)] < 0.5 and got[at(0.2)] < 0.5 and got[at(2.2)] < 0.5
    for seconds in (0.6, 1.04, 1.6):
        assert abs(got[at(seconds)] - 12) < 1.5
    assert curves.min() >= 0 and curves.max() <= 1


def test_about_speech_the_mouth_does_as_heard_and_beyond_it_rests(labeller):
    phones = [("", 0, 1), ("ɑ", 1, 1.4), ("", 1.4, 2.4)]
    found = {
        margin: aperture(heard_targets.replace(labeller, rest_margin=margin), phones) for margin in (0.0, 0.4, np.inf)
    }
    assert found[0.0][at(0.8)] < 0.5 < 11 < found[0.4][at(0.8)] and found[0.4][at(0.4)] < 0.5
    assert found[0.0][at(1.6)] < 0.5 < 11 < found[0.4][at(1.6)] and found[0.4][at(2.1)] < 0.5
    np.testing.assert_allclose(found[np.inf], 12.0, rtol=1e-5)


def test_only_certain_rules_apply(labeller):
    """How wide i and ʃ open is heard; that ʃ rounds is certain."""
    curves, opening, _ = labeller.goals(STATES, PHONES)
    assert opening[at(0.6)] > 0.0115 and opening[at(1.3)] > 0.0115 and curves[at(1.3), FUNNEL] >= 0.3 - 1e-6
    strict = heard_targets.replace(labeller, rules=articulation.RULES)
    assert strict.goals(STATES, PHONES)[1][at(0.6)] <= 0.0075 + 1e-6
    ruled = {phone for rule in heard_targets.CERTAIN_RULES for phone in rule.phones.split()}
    assert {"p", "b", "m", "f", "v", "u", "w", "ʃ"} <= ruled and not {"i", "a", "s", "θ"} & ruled


def test_all_phones_and_all_rules_are_the_labels_of_the_articulation_model(labeller, phone_model):
    same = heard_targets.replace(labeller, phone_model=phone_model, phonetic_share=1.0, rules=articulation.RULES)
    same.rest_margin = 0.0
    (curves,) = same.label([(STATES, PHONES, np.zeros(0))])
    np.testing.assert_allclose(
        curves, articulation.articulate(phone_model, labeller.head, [(PHONES, FRAMES)])[0], atol=1e-5
    )


def test_the_share_leads_from_what_is_heard_to_what_the_phones_say(labeller, phone_model):
    with_phones = heard_targets.replace(labeller, phone_model=phone_model)
    found = [aperture(heard_targets.replace(with_phones, phonetic_share=share))[at(0.6)] for share in (0, 0.25, 0.5, 1)]
    assert found == sorted(found, reverse=True)
    assert found[1] == pytest.approx(found[0] + 0.25 * (found[3] - found[0]), abs=1e-3)


def test_without_phones_the_teachers_decide_alone(labeller, phone_model):
    np.testing.assert_allclose(aperture(labeller, None), 12.0, rtol=1e-5)
    with pytest.raises(ValueError, match="phones"):
        aperture(heard_targets.replace(labeller, phone_model=phone_model, phonetic_share=0.5), None)
    with pytest.raises(ValueError, match="articulation"):
        aperture(heard_targets.replace(labeller, phonetic_share=0.5))


def test_loud_syllables_open_wider_if_asked(labeller):
    audio = 0.02 * np.random.default_rng(0).standard_normal(FRAMES * SAMPLE_RATE // FPS).astype(np.float32)
    audio[int(1.3 * SAMPLE_RATE) :] *= 5
    plain, loud = (
        heard_targets.replace(labeller, loudness=loudness).label([(STATES, PHONES, audio)])[0]
        for loudness in (False, True)
    )
    jaw = arkit.CHANNELS.index("jawOpen")
    assert loud[at(0.6), jaw] < plain[at(0.6), jaw] and loud[at(1.6), jaw] > plain[at(1.6), jaw]
