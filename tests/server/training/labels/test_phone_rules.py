"""Rules and rest on a mouth that is open throughout."""

import pytest
import torch

from server import arkit
from server.training import FPS
from server.training.labels import lips, mouth, phone_rules

FRAMES = 55
PHONES = [
    ("", 0, 0.6),
    ("ɑ", 0.6, 0.8),
    ("b", 0.8, 0.86),
    ("ɑ", 0.86, 1.1),
    ("ʃ", 1.1, 1.25),
    ("ɑ", 1.25, 1.5),
    ("", 1.5, 2.2),
]
HEAD = lips.load_lips()
JAW = arkit.CHANNELS.index("jawOpen")
CLOSED = lips.CLOSED_APERTURE_SHARE * float(HEAD.neutral[0])


def at(seconds: float) -> int:
    return round(seconds * FPS)


def constrain(phones, opening=0.008, weight=0.1, **rest):
    """What the rules make of a mouth whose aperture is `opening` and whose channels are `weight` throughout."""
    curves = mouth.mouth_to_curves(torch.full((FRAMES, len(mouth.MOUTH_CHANNELS)), weight))
    goals = curves, torch.full((FRAMES,), opening), torch.full((FRAMES,), 0.05)
    return phone_rules.constrain(phone_rules.RULES, HEAD, phones, goals, **rest)


def test_rules_close_labials_round_sh_and_rest_in_silence():
    """On the mesh, from curves that are open throughout."""
    curves, aperture, width = constrain(PHONES)
    solved = lips.retarget(HEAD, curves, aperture, width, tolerance=(0.0003, 0.002))
    got = 1e3 * HEAD(solved)[:, 0]
    assert got[at(0.83)] < 0.5 < 4 < got[at(0.7)]
    assert solved[at(1.18), arkit.CHANNELS.index("mouthFunnel")] > 0.25
    assert got[at(0.2)] < 0.5 and got[at(2.0)] < 0.5


@pytest.mark.parametrize("phone", list("pbmfv"))
def test_a_contact_includes_a_frame_however_short_it_is(phone):
    bound = 0.0016 if phone in "fv" else CLOSED
    for start in (1.0, 1.01, 1.02, 1.03):
        phones = [("", 0, 0.6), ("ɑ", 0.6, start), (phone, start, start + 0.005), ("ɑ", start + 0.005, 1.8)]
        aperture = constrain(phones)[1]
        assert aperture[at(0.8)] == pytest.approx(0.008) and aperture.min() <= CLOSED + 1e-6  # at rest
        assert aperture[at(0.8) : at(1.6)].min() == pytest.approx(bound, abs=1e-6)


@pytest.mark.parametrize(("phone", "channel"), [("u", "mouthPucker"), ("ʃ", "mouthFunnel"), ("ɔ", "mouthPucker")])
def test_round_sounds_are_round_and_as_open_as_they_were(phone, channel):
    curves, aperture, width = constrain([("", 0, 0.4), ("ɑ", 0.4, 0.8), (phone, 0.8, 1.2), ("ɑ", 1.2, 1.6)])
    column = arkit.channel_indices(channel)[0]
    assert curves[at(1.0), column] >= 0.3 > 0.11 > curves[at(0.6), column]
    assert aperture[at(1.0)] == pytest.approx(0.008) and width[at(1.0)] < width[at(0.6)] - 0.0005


def test_other_vowels_and_sibilants_have_no_rule():
    ruled = {phone for rule in phone_rules.RULES for phone in rule.phones.split()}
    assert {"p", "b", "m", "f", "v", "u", "w", "ʃ"} <= ruled and not {"i", "a", "ɑ", "s", "θ"} & ruled


def test_rest_begins_and_ends_each_on_its_own_side():
    phones = [("", 0, 0.9), ("ɑ", 0.9, 1.3), ("", 1.3, 2.2)]
    for rest, open_at, closed_at in (
        ({}, (1.1,), (0.8, 0.5, 1.5, 1.8)),
        ({"rest_before": 0.4}, (0.7, 1.1), (0.3, 1.5, 1.8)),
        ({"rest_after": 0.4}, (1.1, 1.5), (0.7, 0.3, 1.9)),
    ):
        curves, aperture, _ = constrain(phones, **rest)
        for seconds in open_at:
            assert aperture[at(seconds)] == pytest.approx(0.008) and curves[at(seconds), JAW] == pytest.approx(0.1)
        for seconds in closed_at:
            assert aperture[at(seconds)] == pytest.approx(CLOSED)
            assert curves[at(seconds), JAW] == pytest.approx(0.1 * phone_rules.REST_SHARE)
    always = constrain(phones, rest_before=float("inf"), rest_after=float("inf"))[1]
    torch.testing.assert_close(always, torch.full((FRAMES,), 0.008))


def test_lengthened_phones_keep_their_middle_and_long_ones_their_times():
    (first, start, end), long = phone_rules.lengthen([("b", 1.0, 1.02), ("ɑ", 1.02, 1.5)], 0.06)
    assert first == "b" and (start, end) == pytest.approx((0.98, 1.04)) and long == ("ɑ", 1.02, 1.5)


def test_lips_do_not_touch_on_sounds_without_contact():
    phones = [("", 0, 0.4), ("n", 0.4, 0.8), ("m", 0.8, 1.2), ("w", 1.2, 1.6), ("", 1.6, 2.2)]
    aperture = constrain(phones, opening=0.0004)[1]
    assert aperture[at(0.6)] == pytest.approx(phone_rules.PARTED_APERTURE)
    assert aperture[at(1.0)] == pytest.approx(CLOSED) and aperture[at(0.2)] == pytest.approx(CLOSED)
    assert aperture[at(1.4)] == pytest.approx(0.0004)  # w may close them; what is heard decides
