"""Style cards: read strictly, mixed by adding, applied without a lip that closes or opens where it should not."""

import json

import numpy as np
import pytest

from server.arkit import CHANNELS
from server.engine import Settings
from server.errors import LSFError
from server.performance import lip_contact, prosody, style
from server.performance.layers import blinks
from server.performance.sides import DIFFERENCES, PAIRS, with_sides
from server.performance.style import Numbers, apply_style, mixed
from server.protocol.style_cards import FAMILIES, NUMBERS, StyleCard, limits

FPS = 25
TIMES = np.arange(150) / FPS


def card(**numbers: float) -> StyleCard:
    """A card with these numbers, named family__name."""
    values = {tuple(key.split("__")): value for key, value in numbers.items()}
    return StyleCard("actor", tuple(values.get(number, 0.0) for number in NUMBERS))


def only(**numbers: float) -> Numbers:
    """The numbers of such a card."""
    return mixed(((card(**numbers), 1.0),))


def random_card(seed: int) -> StyleCard:
    """A card whose numbers are anywhere within their limits."""
    rng = np.random.default_rng(seed)
    return StyleCard("random", tuple(rng.uniform(*limits(*number)) for number in NUMBERS))


def speech() -> np.ndarray:
    """Curves (150, 52) of a mouth that opens, rounds and closes, with the lips apart or together."""
    curves = np.zeros((len(TIMES), 52), np.float32)
    opening = np.clip(np.sin(9 * TIMES), 0, 1)
    curves[:, CHANNELS.index("jawOpen")] = 0.35 * opening
    rounding = np.clip(np.sin(2.5 * TIMES), 0, 1) * opening
    curves[:, CHANNELS.index("mouthFunnel")] = 0.25 * rounding
    for name in ("mouthSmileLeft", "mouthSmileRight", "mouthLowerDownLeft", "mouthLowerDownRight"):
        curves[:, CHANNELS.index(name)] = 0.2 * opening * (1 - rounding)
    return curves


def voice() -> prosody.Voice:
    """A voice (6 s) that is silent until 1 s, and from 3 s to 3.6 s."""
    level = np.full(300, -20.0)
    level[:50], level[150:180] = -90, -90
    return prosody.Voice(level, np.zeros(300), 6.0, 1)


def test_a_card_has_at_most_40_numbers():
    assert len(NUMBERS) <= 40 and set(FAMILIES) == {family for family, _ in NUMBERS}


@pytest.mark.parametrize("value", [10**400, float("nan"), True, "0.1"])
def test_a_number_of_a_card_that_is_none(value):
    with pytest.raises(LSFError, match="is not a number"):
        StyleCard.from_fields({"format": "lsf-style", "version": 1, "numbers": {"rest": {"smile": value}}})


def test_equal_cards_are_written_in_one_spelling():
    cards = [
        StyleCard.from_fields({"format": "lsf-style", "version": 1, "numbers": {"rest": {"smile": value}}})
        for value in (0, -0.0, 0.0)
    ]
    assert len({repr(card) for card in cards}) == 1


def test_a_card_comes_back_from_its_file(tmp_path):
    given = StyleCard("Anna", random_card(1).numbers, (("blinks", "not_moved"),))
    given.save(tmp_path / "card.json")
    assert StyleCard.load(tmp_path / "card.json") == given
    assert json.loads((tmp_path / "card.json").read_text())["format"] == "lsf-style"


@pytest.mark.parametrize(
    "change",
    [
        {"format": "lsf-curves"},
        {"version": 2},
        {"more": 1},
        {"name": "x" * 61},
        {"name": 5},
        {"numbers": []},
        {"numbers": {"rest": {"smile": 0.5}}},
        {"numbers": {"rest": {"smile": True}}},
        {"numbers": {"rest": {"smile": "0.1"}}},
        {"numbers": {"rest": {"smile": float("nan")}}},
        {"numbers": {"rest": {"grin": 0.1}}},
        {"numbers": {"walk": {"smile": 0.1}}},
        {"left_out": {"walk": "no_gain"}},
        {"left_out": {"rest": "because"}},
        {"left_out": {"rest": []}},
    ],
)
def test_what_is_no_card_is_refused(tmp_path, change):
    fields = card(rest__smile=0.1).to_fields()
    assert StyleCard.from_fields(fields) == card(rest__smile=0.1)
    (tmp_path / "card.json").write_text(json.dumps(fields | change))
    with pytest.raises(LSFError) as refusal:
        StyleCard.load(tmp_path / "card.json")
    assert refusal.value.code == "bad_style"


@pytest.mark.parametrize("text", ["", "[1]", "{", "[" * 100_000, " " * 70_000])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(LSFError, match="not a style card"):
        StyleCard.load(tmp_path / "card.json")


def test_cards_mix_by_their_amounts():
    both = mixed(((card(rest__smile=0.1), 0.5), (card(rest__smile=0.2, blinks__rate=-1.0), 1.0)))
    assert both["rest", "smile"] == pytest.approx(0.25) and both.blink_rate == pytest.approx(np.exp(-1))
    assert mixed(((card(rest__smile=0.3), 1.5),))["rest", "smile"] == 0.3
    assert mixed(()).blink_rate == 1 and mixed(()).lean is None


def test_amounts_and_numbers_of_cards_have_limits():
    for styles in (((StyleCard(), 1.6),), ((StyleCard(), -0.1),), ((StyleCard(), 1.0),) * 9):
        with pytest.raises(LSFError):
            Settings(styles=styles)


def test_gains_by_hand():
    given = np.zeros((2, 52), np.float32)
    jaw = CHANNELS.index("jawOpen")
    given[:, jaw] = 0.15, 0.3  # half of a large movement, and a large one
    gains = style.region_gains(given, only(amplitude__jaw_small=0.2, amplitude__jaw_large=0.4))
    np.testing.assert_allclose(gains[:, jaw], np.exp([0.3, 0.4]), rtol=1e-6)
    assert (np.delete(gains, jaw, 1) == 1).all()


def test_a_resting_smile_is_added_everywhere():
    styled = apply_style(speech(), only(rest__smile=0.1), voice(), FPS)
    smile = CHANNELS.index("mouthSmileLeft")
    np.testing.assert_allclose(styled[:, smile] - speech()[:, smile], 0.1, atol=1e-6)


def test_the_mouth_opens_earlier_before_a_phrase_and_in_time_inside_of_it():
    given = np.zeros((150, 52), np.float32)
    jaw = CHANNELS.index("jawOpen")
    given[:, jaw] = 0.3 * np.clip(1 - np.abs(TIMES - 0.9) / 0.3, 0, 1)  # opens at 0.6 s, before sound at 1 s
    styled = apply_style(given, only(timing__onset=0.1), voice(), FPS)
    assert np.flatnonzero(styled[:, jaw] > 0.01)[0] < np.flatnonzero(given[:, jaw] > 0.01)[0]
    np.testing.assert_array_equal(styled[26:], given[26:])


@pytest.mark.parametrize("seed", range(4))
def test_lips_meet_on_the_same_frames_in_any_style(seed):
    given = speech()
    styled = apply_style(given, mixed(((random_card(seed), 1.5),)), voice(), FPS)
    assert np.abs(styled - given).max() > 0.05 and styled.min() >= 0 and styled.max() <= 1
    before, after = lip_contact.opening(given), lip_contact.opening(styled)
    np.testing.assert_array_equal(after < lip_contact.CONTACT_APERTURE, before < lip_contact.CONTACT_APERTURE)
    assert styled.tobytes() == apply_style(given, mixed(((random_card(seed), 1.5),)), voice(), FPS).tobytes()


def test_a_side_that_leads_by_hand():
    lean = only(sides__smile=0.2).lean
    assert lean is not None and len(lean) == len(DIFFERENCES)
    given = speech()
    pair = PAIRS[list(DIFFERENCES).index("mouthSmile")]
    plain, _ = with_sides(given, given, FPS)
    leaning, _ = with_sides(given, given, FPS, lean=lean)
    np.testing.assert_allclose(leaning[:, pair].mean(1), given[:, pair].mean(1), atol=1e-6)
    more = (leaning - plain)[:, pair[0]] / np.maximum(given[:, pair[0]], 1e-9)
    np.testing.assert_allclose(more[given[:, pair[0]] > 0.01], 0.2, atol=1e-3)


def test_blinks_come_as_often_as_the_style_says():
    long = prosody.Voice(np.full(30_000, -20.0), np.zeros(30_000), 600.0, 1)
    often, usual = (len(blinks.blink_times(long, 3, rate)) for rate in (2.0, 1.0))
    assert 1.8 < often / usual < 2.2


def test_every_number_of_a_card_is_applied():
    assert FAMILIES["rest"] == tuple(style.REST) and FAMILIES["sides"] == tuple(style.SIDES)
    assert FAMILIES["amplitude"] == tuple(f"{region}_{size}" for region in style.REGIONS for size in ("small", "large"))
    assert FAMILIES["visemes"] == tuple(f"{mouth}_{part}" for mouth in style.MOUTHS for part in ("jaw", "corners"))
    assert FAMILIES["poses"] == tuple(f"{pose}_{part}" for pose in style.POSES for part in style.POSE_PARTS)
    silent = style.Cues.of(voice(), len(TIMES), FPS)
    for family, name in NUMBERS:
        if family not in ("sides", "blinks"):
            numbers = mixed(((card(**{f"{family}__{name}": limits(family, name)[1]}), 1.0),))
            given = speech() + np.float32(0.005)
            cues = style.Cues(np.ones(len(TIMES)), silent.pause, silent.onset)
            assert np.abs(style.shaped(given, numbers, cues, FPS) - given).max() > 1e-4, (family, name)
