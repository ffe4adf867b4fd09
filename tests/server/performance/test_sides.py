"""The two sides of a face differ as people's do, and only as far as the lips allow."""

import numpy as np
import pytest

from server.arkit import CHANNELS
from server.face.head import load_head
from server.numerics import smoothstep
from server.performance.sides import DIFFERENCES, PAIRS, side_gains, with_sides

FPS = 25
TIMES = np.arange(200) / FPS
JAW_OPEN, JAW_LEFT, JAW_RIGHT = (CHANNELS.index(name) for name in ("jawOpen", "jawLeft", "jawRight"))


def line(seed: int = 0) -> np.ndarray:
    """Symmetric curves (200, 52) in which the jaw, the lips and the brows move; the lips meet now and then."""
    rng = np.random.default_rng(seed)
    curves = np.zeros((len(TIMES), 52), np.float32)
    opening = np.clip(np.sin(9 * TIMES + seed), 0, 1)
    curves[:, JAW_OPEN] = 0.4 * opening
    for pair in PAIRS:
        curves[:, pair] = (rng.uniform(0.05, 0.3) * np.clip(np.sin(rng.uniform(2, 8) * TIMES), 0, 1))[:, None]
    lips = [CHANNELS.index(f"mouth{name}{side}") for name in ("LowerDown", "UpperUp") for side in ("Left", "Right")]
    curves[:, lips] *= smoothstep(opening, 0, 0.2)[:, None]
    return curves


def face(seed: int) -> np.ndarray:
    """Identity coefficients (50,) of a random face."""
    return np.random.default_rng(seed).standard_normal(50)


def lip_gaps(curves: np.ndarray) -> np.ndarray:
    """(F, 3) millimetres between the inner lips on the left, in the middle and on the right, on the moving head."""
    head = load_head()
    points = head.landmark_vertices[[63, 65, 62, 66, 61, 67]]
    moved = head.vertices[points] + np.tensordot(curves.astype(np.float64), head.basis[:, points], 1)
    heights: np.ndarray = 1000 * (moved[:, ::2, 2] - moved[:, 1::2, 2])
    return heights


def width(curves: np.ndarray) -> np.ndarray:
    """(F,) millimetres between the corners of the mouth, on the moving head."""
    head = load_head()
    corners = head.landmark_vertices[[48, 54]]
    moved = head.vertices[corners] + np.tensordot(curves.astype(np.float64), head.basis[:, corners], 1)
    return 1000 * np.linalg.norm(moved[:, 0] - moved[:, 1], axis=1)


def test_both_sides_share_a_mean_and_nothing_but_the_sides_and_the_drift_of_the_jaw_changes():
    given = line()
    speech, motion = with_sides(given, given, FPS, face(1))
    np.testing.assert_array_equal(speech, motion)
    np.testing.assert_allclose(motion[:, PAIRS].mean(2), given[:, PAIRS].mean(2), atol=1e-6)
    untouched = np.setdiff1d(np.arange(52), [*PAIRS.ravel(), JAW_LEFT, JAW_RIGHT])
    np.testing.assert_array_equal(motion[:, untouched], given[:, untouched])
    assert motion.min() >= 0 and motion.max() <= 1 and motion.dtype == np.float32
    drift = motion[:, JAW_LEFT] + motion[:, JAW_RIGHT]
    assert 0 < drift.max() < 0.05 and not drift[given[:, JAW_OPEN] == 0].any()


def test_aperture_and_width_of_the_head_do_not_change():
    given = line()
    for seed in range(5):
        _, motion = with_sides(given, given, FPS, face(seed))
        np.testing.assert_allclose(lip_gaps(motion)[:, 1], lip_gaps(given)[:, 1], atol=0.02)
        np.testing.assert_allclose(width(motion), width(given), atol=0.1)
        assert np.abs(lip_gaps(motion)[:, 0] - lip_gaps(motion)[:, 2]).max() > 0.1  # while the sides do differ


@pytest.mark.parametrize("name", ["mouthUpperUp", "mouthLowerDown", "mouthPress", "mouthDimple", "noseSneer"])
def test_lips_that_meet_meet_on_both_sides(name):
    """Even where a strong channel is compensated by mouthClose, as under an expression."""
    given = line()
    pair = [CHANNELS.index(f"{name}{side}") for side in ("Left", "Right")]
    given[:, pair] = 0.8
    given[:, CHANNELS.index("mouthClose")] = 0
    heights = lip_gaps(given)
    head = load_head()
    upper, lower = head.landmark_vertices[[62, 66]]
    closing = 1000 * (head.basis[:, lower, 2] - head.basis[:, upper, 2])[CHANNELS.index("mouthClose")]
    given[:, CHANNELS.index("mouthClose")] = np.clip((heights[:, 1] - 0.08) / closing, 0, 1)
    for seed in range(5):
        _, motion = with_sides(given, given, FPS, face(seed))
        assert np.abs(lip_gaps(motion) - lip_gaps(given)).max() < 0.12  # millimetres; without a limit .45 to .93


def test_the_same_line_of_the_same_face_is_the_same_and_a_seed_changes_it():
    given = line()
    first, again, other = (with_sides(given, given, FPS, face(1), seed)[1] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.02


def test_a_face_keeps_its_habit_over_lines_and_other_faces_have_others():
    def habits(seed: int) -> np.ndarray:
        return np.stack([side_gains(line(k), FPS, face(seed), k).mean(0) for k in range(20)])

    own = np.stack([habits(seed) for seed in range(8)])  # faces, lines, gains
    kept = own.mean(1).std(0) > own.std(1).mean(0)
    strong = [i for i, difference in enumerate(DIFFERENCES.values()) if difference.habit >= 0.4]
    assert kept[strong].all()


def test_a_small_edit_of_the_mesh_or_the_line_keeps_the_sides():
    given, identity = line(), face(1)
    before = side_gains(given, FPS, identity, 0)
    edited = side_gains(given, FPS, identity + 0.03 * face(2), 0)
    trimmed = side_gains(given[:-2], FPS, identity, 0)
    other = side_gains(given, FPS, face(3), 0)
    assert np.abs(edited - before).mean() < 0.25 * np.abs(other - before).mean()
    assert np.abs(trimmed - before[:-2]).mean() < 0.05


def test_no_identity_is_the_average_face():
    given = line()
    np.testing.assert_array_equal(side_gains(given, FPS, None, 0), side_gains(given, FPS, np.zeros(50), 0))


# Medians of the tracked people who move the pair; side_difference in evaluation/channel_scores.py.
PEOPLE = {
    "mouthSmile": 0.10,
    "mouthDimple": 0.48,
    "mouthPress": 0.27,
    "mouthUpperUp": 0.34,
    "mouthLowerDown": 0.12,
    "mouthStretch": 0.33,
    "browDown": 0.20,
    "eyeSquint": 0.29,
}


@pytest.mark.parametrize("name", list(PEOPLE))
def test_the_sides_of_random_faces_differ_as_far_as_those_of_people(name):
    gains = [side_gains(line(k), FPS, face(k), k)[:, list(DIFFERENCES).index(name)] for k in range(60)]
    typical = float(np.median([np.sqrt(np.square(g).mean()) for g in gains]))
    assert 0.7 < typical / PEOPLE[name] < 1.3


def test_the_tight_side_lowers_its_lip_less():
    gains = np.stack([side_gains(line(k), FPS, face(k), k).mean(0) for k in range(100)])
    names = list(DIFFERENCES)
    press, dimple, lower = (gains[:, names.index(name)] for name in ("mouthPress", "mouthDimple", "mouthLowerDown"))
    assert np.corrcoef(press, dimple)[0, 1] > 0.3 and np.corrcoef(press, lower)[0, 1] < -0.3


def test_chance_in_the_speech_goes_and_an_expression_of_one_side_stays_there():
    speech = line()
    left, right = (CHANNELS.index(f"mouthDimple{side}") for side in ("Left", "Right"))
    speech[:, left] += 0.01
    contempt = np.zeros_like(speech)
    contempt[:, left] = 0.4
    shown, motion = with_sides(speech, speech + contempt, FPS)
    mean = speech[:, [left, right]].mean(1)
    np.testing.assert_allclose(shown[:, [left, right]].mean(1), mean, atol=1e-6)
    added = motion - shown
    np.testing.assert_allclose(added[:, [left, right]].sum(1), 0.4, atol=1e-5)
    assert (motion[:, left] > motion[:, right] + 0.1).all()


def test_full_weights_stay_weights_on_both_sides():
    given = np.ones((50, 52), np.float32)
    _, motion = with_sides(given, given, FPS, face(1))
    np.testing.assert_array_equal(motion[:, PAIRS], given[:, PAIRS])
