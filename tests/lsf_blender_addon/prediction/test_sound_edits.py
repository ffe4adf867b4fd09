"""Changes of single sounds, on motion whose lips are known in millimetres."""

from dataclasses import replace

import numpy as np
import pytest

from lsf_blender_addon.jobs import line_plan
from lsf_blender_addon.prediction import sound_edits, sound_poses
from lsf_blender_addon.prediction.sound_edits import SoundEdit
from lsf_blender_addon.prediction.sound_poses import Sound, SoundTable

FPS, FRAMES = 25.0, 50
CHANNELS = ("jawOpen", "mouthClose", "mouthPucker", "mouthLowerDownLeft", "browInnerUp")
JAW, CLOSE, PUCKER, LOWER, BROW = range(5)
OPENING = (20.0, -8.0, 0.0, 3.0, 0.0)  # millimetres by which each channel opens the lips
A = SoundEdit(0.8, 1.0, "ɑ", "ɑ")  # frames 20 to 25
TABLE = SoundTable(
    CHANNELS,
    {
        "ɑ": Sound("AA", "aa", np.array([0.6, 0, 0, 0.1, 0.3], np.float32)),
        "u": Sound("UW", "U", np.array([0.2, 0, 0.8, 0, 0.1], np.float32)),
        "m": Sound("M", "PP", np.array([0.1, 0.15, 0, 0, 0], np.float32)),
    },
)


def lips(opening=OPENING) -> np.ndarray:
    offsets = np.zeros((len(CHANNELS), 20, 3), np.float32)
    offsets[:, 14, 2] = opening  # the middle of the upper inner lip
    return offsets


def motion() -> np.ndarray:
    """The mouth open by 6 mm, but closed in frames 10 to 14."""
    found = np.full((FRAMES, len(CHANNELS)), 0.1, np.float32)
    found[:, [JAW, CLOSE, PUCKER]] = 0.285, 0.0, 0.0
    found[10:15, [JAW, CLOSE, LOWER]] = 0.1, 0.25, 0.0
    return found


def applied(*edits: SoundEdit, offsets=None, predicted=None) -> np.ndarray:
    predicted = motion() if predicted is None else predicted
    return sound_edits.apply(edits, TABLE, CHANNELS, FPS, predicted, lips() if offsets is None else offsets)


def aperture(values: np.ndarray) -> np.ndarray:
    return values @ np.array(OPENING)


def test_nothing_changed_is_the_motion_itself():
    predicted = motion()
    assert applied(predicted=predicted) is predicted
    np.testing.assert_allclose(applied(A, predicted=predicted), predicted, atol=1e-6)


def test_weight_is_1_inside_and_0_outside():
    t = np.arange(0, 2, 1e-3)
    weight = sound_edits.window(t, 0.8, 1.0, FPS)
    assert weight[(t > 0.86) & (t < 0.94)].min() == 1
    assert weight[(t < 0.8 - sound_edits.EDGE - 1e-3) | (t > 1.0 + sound_edits.EDGE + 1e-3)].max() == 0
    assert np.abs(np.diff(weight, 2)).max() < 1e-3  # no corner: it is smooth at the edges


@pytest.mark.parametrize("start", np.arange(0.8, 0.84, 0.007))
def test_shortest_sound_has_a_frame_of_its_own(start):
    weight = sound_edits.window(np.arange(FRAMES) / FPS, start, start + 0.01, FPS)
    assert weight.max() == 1


def test_closed_lips_meet_and_the_rest_stays():
    result, predicted = applied(replace(A, close=1.0)), motion()
    assert aperture(predicted)[22] > 5
    assert aperture(result)[21:25].max() <= 0
    assert np.abs(np.diff(aperture(result)[15:30])).max() < 4  # mm a frame: it closes and opens in steps
    np.testing.assert_array_equal(result[:18], predicted[:18])
    np.testing.assert_array_equal(result[28:], predicted[28:])
    assert result.min() >= 0 and result.max() <= 1


def test_half_closed_is_half_open():
    half = aperture(applied(replace(A, close=0.5)))[22]
    assert half == pytest.approx((aperture(motion())[22] + sound_edits.PRESSED) / 2, abs=0.05)


def test_lips_close_although_other_channels_part_them():
    predicted = motion()
    predicted[:, LOWER] = 1.0
    offsets = lips((20.0, -4.0, 0.0, 9.0, 0.0))  # 9 mm, of which mouthClose takes 4
    result = applied(replace(A, close=1.0), offsets=offsets, predicted=predicted)
    assert (result @ np.array((20.0, -4.0, 0.0, 9.0, 0.0)))[22] <= 0


def test_lips_that_are_not_known_close_by_the_channels():
    result = applied(replace(A, close=1.0), offsets=np.zeros((len(CHANNELS), 0, 3), np.float32))
    assert result[22, [JAW, LOWER]].max() == 0


def test_opened_sound_is_wider_and_closed_neighbour_stays_closed():
    neighbour = replace(A, start=0.6, end=0.8, open=1.0)  # from frame 15 on, where the closed sound ends
    result = applied(neighbour)
    assert aperture(result)[17] == pytest.approx(aperture(motion())[17] + sound_edits.OPENED, abs=0.1)
    assert aperture(result)[10:15].max() < 0.7
    assert aperture(applied(replace(A, start=0.4, end=0.6, open=1.0)))[12] > 5  # the closed sound itself opens


@pytest.mark.parametrize(("slider", "column"), [("round", PUCKER), ("open", JAW)])
def test_slider_moves_its_channel(slider, column):
    result = applied(replace(A, **{slider: 0.5}))
    assert result[22, column] > motion()[22, column] + 0.2
    np.testing.assert_array_equal(result[:, BROW], motion()[:, BROW])


def test_strength_and_rounding_keep_closed_lips():
    closed = replace(A, start=0.4, end=0.6, strength=3.0, round=1.0)
    assert aperture(applied(closed))[10:15].max() < 0.1


LEFT = (17.0, -8.0, 0.0, 8.0, 2.0)  # millimetres by which each channel opens the left of the lips


def left_side_raised() -> tuple[np.ndarray, np.ndarray]:
    """Offsets of lips whose left side opens by itself, and a motion in which it does, as in a crooked expression."""
    offsets, predicted = lips(), motion()
    offsets[:, 15, 2] = LEFT
    predicted[:, LOWER] = 0.3
    predicted[10:15, LOWER] = 0.1
    return offsets, predicted


@pytest.mark.parametrize("change", [{"strength": 3.0}, {"round": 1.0, "wide": 1.0, "strength": 2.0}])
def test_no_side_of_closed_lips_parts(change):
    offsets, predicted = left_side_raised()
    result = applied(replace(A, start=0.3, end=0.6, **change), offsets=offsets, predicted=predicted)
    before, after = (values[10:15] @ LEFT for values in (predicted, result))
    assert before.max() > 0.6 and (after - np.maximum(before, 0)).max() < sound_edits.SPREAD + 0.01


def test_both_sides_of_the_lips_close():
    offsets, predicted = left_side_raised()
    result = applied(replace(A, close=1.0), offsets=offsets, predicted=predicted)
    assert predicted[22] @ LEFT > 6 and abs(result[22] @ LEFT) < sound_edits.SPREAD + 0.01


def test_closed_lips_of_a_heads_own_keys_stay_as_they_are():
    """What cancels out in the channels need not cancel out in such keys."""
    edits = [replace(A, start=start, end=end, strength=3.0, round=1.0) for start, end in ((0.2, 0.4), (0.6, 0.8))]
    result = sound_edits.apply(edits, TABLE, CHANNELS, FPS, motion(), lips(), to_rest=True)
    np.testing.assert_allclose(result[10:15], motion()[10:15], atol=1e-6)
    assert (result[[8, 17], JAW] > motion()[[8, 17], JAW] + 0.2).all()


def test_own_keys_that_part_the_lips_relax_where_they_close():
    offsets, predicted = left_side_raised()
    predicted[:, BROW] = 1.0
    edit = replace(A, close=1.0)
    result = sound_edits.apply([edit], TABLE, CHANNELS, FPS, predicted, offsets, to_rest=True)
    assert result[22].max() == 0 and result[30, BROW] == 1


CLOSED = slice(10, 15)
M = SoundEdit(0.4, 0.6, "m", "m")  # the sound of these frames
# The sounds beside it: what is heard in them begins at the frame at which the lips part, or a frame too early.
BESIDE = [SoundEdit(start, end, "ɑ", "ɑ") for start, end in ((0.2, 0.4), (0.2, 0.43), (0.6, 0.8), (0.55, 0.68))]
CHANGES = [
    {"open": 1.0},
    {"strength": 3.0},
    {"round": 1.0, "wide": 1.0},
    {"later": 0.12},
    {"later": -0.12},
    {"later": 0.4},
    {"symbol": "u"},
    {"symbol": ""},
    {"open": 1.0, "strength": 3.0, "wide": 1.0},
    {"open": 1.0, "strength": 3.0, "round": 1.0, "later": 0.12, "symbol": "ɑ", "heard": "u"},
]


def shown(expression: float) -> np.ndarray:
    """The motion with an expression on top: it parts the lips, and they still meet in the closed sound, almost."""
    predicted = motion()
    predicted[:, LOWER] += expression
    predicted[CLOSED, CLOSE] += expression * OPENING[LOWER] / -OPENING[CLOSE]
    predicted[CLOSED.start, JAW] += 0.33 / OPENING[JAW]  # millimetres
    return predicted


@pytest.mark.parametrize("expression", [0.0, 0.8])
@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_changed_neighbours_leave_closed_lips(change, expression):
    predicted = shown(expression)
    for neighbours in (*([each] for each in BESIDE), BESIDE[::2], BESIDE[1::2]):
        result = applied(*(replace(each, **change) for each in neighbours), predicted=predicted)
        assert (aperture(result) - np.maximum(aperture(predicted), 0))[CLOSED].max() < 0.1
        assert result.min() >= 0 and result.max() <= 1


def test_neighbour_whose_other_channels_part_the_lips():
    opening = (20.0, -2.0, 0.0, 9.0, 0.0)  # mouthClose and the jaw alone cannot close them
    predicted = np.zeros((FRAMES, len(CHANNELS)), np.float32)
    predicted[:, [JAW, LOWER]] = 0.1, 0.4
    predicted[CLOSED, [JAW, CLOSE, LOWER]] = 0.0, 0.9, 0.2
    result = applied(replace(BESIDE[2], strength=3.0), offsets=lips(opening), predicted=predicted)
    assert (result @ np.array(opening))[CLOSED].max() < 0.1
    assert (result @ np.array(opening))[17] > 10


def test_closed_lips_do_not_slide_apart():
    offsets, predicted = lips(), motion()
    offsets[[JAW, CLOSE, PUCKER], 14, 1] = -24.0, 24.0, 9.0  # millimetres to the back
    result = applied(*(replace(each, open=1.0, round=1.0, strength=3.0) for each in BESIDE), offsets=offsets)
    slid = np.abs((result - predicted) @ offsets[:, 14, 1])
    assert slid[CLOSED].max() <= sound_edits.SLIDE + 1e-3 and slid[17] > 4
    assert aperture(result)[CLOSED].max() < 0.1


def test_closed_sound_itself_opens_moves_and_goes():
    opened = aperture(applied(replace(M, open=1.0), *(replace(each, open=1.0) for each in BESIDE[::2])))
    assert opened[CLOSED].min() > 2 and opened[12] > 10
    moved = aperture(applied(replace(M, later=0.12)))
    assert moved[10:12].min() > 2 and moved[14:17].max() < 0.1
    assert aperture(applied(replace(M, symbol="")))[12] > 4
    two = applied(replace(M, later=0.12), replace(BESIDE[2], later=0.12, open=1.0, strength=3.0))
    assert aperture(two)[14:17].max() < 0.1  # where it is now


def test_closed_sound_shown_over_another_one_leaves_it_closed():
    predicted = motion()
    predicted[20:22, [JAW, CLOSE, LOWER]] = 0.1, 0.25, 0.0
    result = applied(replace(M, later=0.36, open=1.0, strength=3.0), predicted=predicted)
    assert aperture(result)[20:22].max() < 0.1


def test_mouth_that_is_closed_all_through_a_vowel_opens():
    predicted = motion()
    predicted[5:23, [JAW, CLOSE, LOWER]] = 0.1, 0.25, 0.0
    result = applied(replace(BESIDE[2], open=1.0), predicted=predicted)
    assert aperture(result)[17] > 10 and aperture(result)[CLOSED].max() < 0.1


def test_lips_that_are_not_known_follow_every_change():
    unknown = np.zeros((len(CHANNELS), 0, 3), np.float32)
    assert applied(replace(BESIDE[2], open=1.0), offsets=unknown)[15, JAW] > motion()[15, JAW] + 0.1
    assert applied(replace(A, later=0.08), offsets=unknown).shape == motion().shape


def test_later_moves_the_sound():
    predicted = motion()
    predicted[20:25, PUCKER] = (0.2, 0.7, 1.0, 0.7, 0.2)
    for later in (-0.08, 0.08, 0.2):
        result = applied(replace(A, later=later), predicted=predicted)
        assert abs(int(result[:, PUCKER].argmax()) - (22 + later * FPS)) <= 1
        np.testing.assert_array_equal(result[:5], predicted[:5])
        np.testing.assert_array_equal(result[-5:], predicted[-5:])
        np.testing.assert_array_equal(result[:, BROW], predicted[:, BROW])


def test_other_sound_adds_the_difference_of_the_poses():
    result = applied(replace(A, symbol="u"))
    assert result[22, PUCKER] == pytest.approx(0.8, abs=1e-3)
    assert result[22, BROW] == pytest.approx(0.1)  # the brows are no part of a sound


def test_closed_sound_in_place_of_a_vowel_closes_the_lips():
    assert aperture(applied(replace(A, symbol="m")))[22] <= 0


def test_added_sound_shows_its_pose():
    result = applied(replace(A, heard="", symbol="u"))
    np.testing.assert_allclose(result[22, [JAW, PUCKER]], (0.2, 0.8), atol=1e-3)


def test_removed_sound_is_passed():
    predicted = motion()
    predicted[20:25, PUCKER] = (0.2, 0.7, 1.0, 0.7, 0.2)
    assert applied(replace(A, symbol=""), predicted=predicted)[:, PUCKER].max() < 0.35
    closed = replace(A, start=0.4, end=0.6, symbol="")
    assert aperture(applied(closed))[12] > 4  # lips that met stay apart


def test_sound_that_the_table_lacks_changes_nothing():
    np.testing.assert_allclose(applied(replace(A, symbol="ʘ")), motion(), atol=1e-6)


@pytest.mark.parametrize("frames", [0, 1, 2])
@pytest.mark.parametrize("edit", [replace(A, start=-5.0, end=-4.0), replace(A, start=90.0, end=91.0), A])
def test_short_lines_and_sounds_outside(frames, edit):
    edit = replace(edit, close=1.0, open=1.0, round=1.0, wide=1.0, later=0.4, strength=2.0, symbol="m")
    assert applied(edit, predicted=motion()[:frames]).shape == (frames, len(CHANNELS))


def test_shipped_table_has_every_channel_and_the_closed_sounds():
    table = sound_poses.table()
    assert len(table.channels) == 52
    assert {symbol for symbol, sound in table.sounds.items() if sound.is_closed} == {"p", "b", "m"}
    assert all(np.isfinite(sound.pose).all() for sound in table.sounds.values())
    with pytest.raises(ValueError, match="pose"):
        sound_poses.from_fields({"channels": ["jawOpen"], "sounds": {"a": {"pose": [], "arpabet": "", "viseme": ""}}})


def test_heads_get_a_key_for_every_channel_that_a_changed_sound_may_move():
    """Else a sound that was changed would show all of its pose only after Generate was pressed again."""
    table = sound_poses.table()
    shown = np.max([sound.pose for sound in table.sounds.values()], axis=0) > line_plan.NOISE
    assert {channel for channel, is_shown in zip(table.channels, shown, strict=True) if is_shown} <= line_plan.RESERVED
