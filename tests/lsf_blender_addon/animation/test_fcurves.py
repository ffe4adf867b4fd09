"""Generated F-curves as Blender evaluates them, and what stays when a window of them is written again."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import composition, curve_edits, fcurves, line_curves
from lsf_blender_addon.animation.key_reduction import ErrorBound
from lsf_blender_addon.animation.line_curves import LineCurves
from lsf_blender_addon.prediction import lips
from tests.lsf_blender_addon.animation import stage
from tests.lsf_blender_addon.animation.stage import curve, move_keys

NAMES = ("jawOpen", "mouthClose", "browInnerUp")
FRAMES, FIRST = 200, 50
WINDOW = line_curves.window_of(FIRST, FRAMES, 24.0)
JAW = fcurves.value_path("jawOpen")
BOUND = ErrorBound()


@pytest.fixture
def action(blank) -> bpy.types.Action:
    action = bpy.data.actions.new("LSF · head")
    action.use_fake_user = True
    return action


def motion(seed: int = 0, frames: int = FRAMES) -> np.ndarray:
    return stage.motion(frames, len(NAMES), seed)


def line(values: np.ndarray, bound: ErrorBound | None = BOUND, first: int = FIRST, names=NAMES) -> LineCurves:
    """A line whose jaw and closed mouth move the lower lip by 30 mm."""
    offsets = np.zeros((3, 20, 3), np.float32)
    offsets[:2, lips.LOWER, 2] = -30, 30
    return LineCurves(names, values, offsets[-len(names) :], 24.0, first, bound)


def write(action, *lines: LineCurves, window=WINDOW, others=(), **options) -> fcurves.Written:
    return fcurves.write(action, composition.compose(lines, window), others, **options)


def values(action, name: str = "jawOpen") -> np.ndarray:
    fcurve = curve(action, name)
    return np.array([fcurve.evaluate(FIRST + frame) for frame in range(FRAMES)])


def edits(action) -> dict[str, list[tuple[float, float]]]:
    return curve_edits.edited_ranges(action, WINDOW)


def dump_keys(dump, keys) -> list:
    return [dump(key, {"select_control_point", "select_left_handle", "select_right_handle", "type"}) for key in keys]


@pytest.mark.parametrize("factor", [0.1, 1.0, 10.0])
def test_blender_evaluates_them_within_the_bound(action, factor):
    bound = ErrorBound(BOUND.value * factor, BOUND.millimetres * factor)
    made = line(motion(), bound)
    written = write(action, made)
    error = np.stack([values(action, name) for name in NAMES], 1) - motion()
    on_lips = np.linalg.norm(np.tensordot(error, made.lips, 1), axis=2)
    assert np.abs(error).max() <= bound.value and on_lips.max() <= bound.millimetres
    assert np.abs(error).max() - 3e-5 <= written.value <= bound.value, "it knows of the eases, too"
    assert on_lips.max() - 2e-3 <= written.millimetres <= bound.millimetres
    assert edits(action) == {} and not written.gone


def test_keys_are_few_and_aligned(action):
    write(action, line(motion()))
    count = sum(len(c.keyframe_points) for c in compat.fcurves_of(action))
    assert fcurves.count_keys(action, WINDOW) == (count, 3) and count < 3 * FRAMES / 2
    key = curve(action, "jawOpen").keyframe_points[3]
    assert key.interpolation == "BEZIER" and key.handle_left_type == key.handle_right_type == "ALIGNED"
    assert key.type == "GENERATED"


def test_a_key_on_every_frame(action):
    write(action, line(motion(), None))
    first, last = WINDOW
    assert [len(c.keyframe_points) for c in compat.fcurves_of(action)] == [last - first + 1] * 3
    np.testing.assert_allclose(values(action), motion()[:, 0], atol=1e-6)
    assert curve(action, "jawOpen").keyframe_points[30].handle_left_type == "AUTO_CLAMPED" and edits(action) == {}


@pytest.mark.parametrize("bound", [BOUND, None], ids=["reduced", "every frame"])
def test_keys_of_the_artist_stay(action, dump, bound):
    write(action, line(motion(), bound))
    jaw = curve(action, "jawOpen")
    jaw.keyframe_points.insert(100, 0.95).interpolation = "BEZIER"
    moved = min(jaw.keyframe_points, key=lambda key: abs(key.co[0] - 150))
    at = moved.co[0]
    moved.co[1] = 0.05
    moved.handle_left_type = moved.handle_right_type = "FREE"
    moved.handle_left = at - 1.3, 0.2
    moved.handle_right = at + 2, 0.1
    jaw.update()
    before = dump_keys(dump, [key for key in jaw.keyframe_points if key.co[0] == at])
    assert edits(action) == {JAW: [(100, 100), (at, at)]}
    others = values(action, "browInnerUp")
    for seed in (1, 2, 3):
        write(action, line(motion(seed), bound))
        jaw = curve(action, "jawOpen")
        assert dump_keys(dump, [key for key in jaw.keyframe_points if key.co[0] == at]) == before
        assert jaw.evaluate(100) == pytest.approx(0.95) and jaw.evaluate(at) == pytest.approx(0.05)
        assert edits(action) == {JAW: [(100, 100), (at, at)]}
        mine = [key.co[0] for key in jaw.keyframe_points if key.type == "KEYFRAME"]
        assert mine == [100, at], "they look other than the generated ones in the editors"
        far = np.abs(np.arange(FRAMES) + FIRST - 100) > 9
        far &= np.abs(np.arange(FRAMES) + FIRST - at) > 9
        assert np.abs(values(action) - motion(seed)[:, 0])[far].max() < 0.01 + 1e-4
        near = values(action)[100 - FIRST - 3 : 100 - FIRST + 4]
        assert np.abs(np.diff(near)).max() < 0.4, "no jump"
    assert np.abs(others - values(action, "browInnerUp")).max() > 0.1


def test_a_deleted_key_stays_deleted(action):
    write(action, line(motion()))
    jaw = curve(action, "jawOpen")
    first, last = jaw.keyframe_points[4].co[0], jaw.keyframe_points[6].co[0]
    jaw.keyframe_points.remove(jaw.keyframe_points[5])
    shape = [jaw.evaluate(frame) for frame in np.linspace(first, last, 20)]
    for seed in (0, 1):
        write(action, line(motion(seed)))
        assert edits(action) == {JAW: [(first, last)]}
        jaw = curve(action, "jawOpen")
        assert [key.co[0] for key in jaw.keyframe_points if first <= key.co[0] <= last] == [first, last]
        assert [jaw.evaluate(frame) for frame in np.linspace(first, last, 20)] == pytest.approx(shape, abs=1e-5)


def test_interpolation_stays(action):
    write(action, line(motion()))
    key, after = curve(action, "jawOpen").keyframe_points[4:6]
    key.interpolation = "CONSTANT"
    span, value = (key.co[0], after.co[0]), key.co[1]
    write(action, line(motion(1)))
    assert edits(action) == {JAW: [span]}
    assert curve(action, "jawOpen").evaluate(span[1] - 0.1) == pytest.approx(value)


def test_edits_that_are_near_are_one_range(action):
    write(action, line(motion()))
    for frame in (100, 105):
        curve(action, "jawOpen").keyframe_points.insert(frame, 0.9)
    write(action, line(motion(1)))
    assert edits(action) == {JAW: [(100, 105)]}


def test_released_keys_are_gone_exactly(action):
    write(action, line(motion()))
    before = [values(action, name) for name in NAMES]
    curve(action, "jawOpen").keyframe_points.insert(100, 0.95)
    compat.key_fcurves(action).remove(curve(action, "browInnerUp"))
    write(action, line(motion()))
    write(action, line(motion()), keep=False)
    np.testing.assert_array_equal([values(action, name) for name in NAMES], before)
    assert edits(action) == {} and not curve_edits.deleted_paths(action, WINDOW)


def test_a_deleted_curve_comes_back_only_if_asked(action):
    write(action, line(motion()))
    compat.key_fcurves(action).remove(curve(action, "browInnerUp"))
    deleted = {fcurves.value_path("browInnerUp")}
    for _ in range(2):
        assert edits(action) == {} and curve_edits.deleted_paths(action, WINDOW) == deleted
        write(action, line(motion(1)), restore_deleted=False)
        assert len(compat.fcurves_of(action)) == 2
    write(action, line(motion(1)))
    assert len(compat.fcurves_of(action)) == 3 and not curve_edits.deleted_paths(action, WINDOW)


def test_a_channel_that_rests_now_keeps_the_artists_keys(action):
    write(action, line(motion()))
    curve(action, "jawOpen").keyframe_points.insert(100, 0.95)
    write(action, line(motion()[:, 1:], names=NAMES[1:]))
    jaw = curve(action, "jawOpen")
    assert jaw.evaluate(100) == pytest.approx(0.95) and abs(jaw.evaluate(150)) < 1e-6
    assert edits(action) == {JAW: [(100, 100)]}


def test_a_curve_that_rests_goes(action):
    write(action, line(motion()))
    written = write(action, line(motion()[:, 1:], names=NAMES[1:]))
    assert written.gone == {JAW} and JAW not in fcurves.paths(action) and len(compat.fcurves_of(action)) == 2


def test_a_window_without_lines_takes_what_was_generated(action):
    write(action, line(motion()))
    curve(action, "jawOpen").keyframe_points.insert(100, 0.95)
    mine = compat.key_fcurves(action).new(fcurves.value_path("mine"))
    mine.keyframe_points.insert(120, 0.3)
    assert write(action).gone == {fcurves.value_path(name) for name in NAMES[1:]}
    assert {c.data_path for c in compat.fcurves_of(action)} == {JAW, fcurves.value_path("mine")}
    jaw = curve(action, "jawOpen")
    assert jaw.evaluate(100) == pytest.approx(0.95) and jaw.evaluate(60) == jaw.evaluate(150) == 0


def test_a_new_curve_rests_at_the_ends_of_other_lines(action):
    others = [(300, 400), (500, 620)]
    write(action, line(motion()), others=others)
    frames = {key.co[0] for key in curve(action, "jawOpen").keyframe_points if key.co[0] > WINDOW[1]}
    assert frames == {300, 400, 500, 620}
    write(action, line(motion(1)), others=[*others, (700, 800)])
    assert not any(key.co[0] > 620 for key in curve(action, "jawOpen").keyframe_points), "it was there already"


def test_a_curve_of_the_artist_gets_generated_keys_around_theirs(action):
    mine = compat.key_fcurves(action).new(JAW)
    for frame, value in ((10, 0.3), (120, 0.95), (400, 0.6)):
        mine.keyframe_points.insert(frame, value)
    write(action, line(motion()))
    jaw = curve(action, "jawOpen")
    for frame, value in ((10, 0.3), (120, 0.95), (400, 0.6)):
        assert jaw.evaluate(frame) == pytest.approx(value)
    far = np.abs(np.arange(FRAMES) + FIRST - 120) > 6
    assert np.abs(values(action) - motion()[:, 0])[far].max() <= 0.0101
    assert edits(action) == {JAW: [(120, 120)]}


def test_a_locked_curve_stays_as_it_is(action, dump):
    write(action, line(motion()))
    curve(action, "jawOpen").keyframe_points.insert(100, 0.95)
    curve(action, "jawOpen").lock = True
    before = dump(curve(action, "jawOpen"))
    for names in (NAMES, NAMES[1:]):
        write(action, line(motion(1)[:, -len(names) :], names=names), keep=False)
        assert dump(curve(action, "jawOpen")) == before
    fcurves.move(action, WINDOW, 20)
    assert dump(curve(action, "jawOpen")) == before
    fcurves.move(action, (WINDOW[0] + 20, WINDOW[1] + 20), -20)
    curve(action, "jawOpen").lock = False
    assert edits(action) == {JAW: [(100, 100)]}
    write(action, line(motion(1)))
    assert np.abs(values(action) - motion(1)[:, 0])[100:].max() < 0.0101


@pytest.mark.parametrize("frames", [-20, 7, 300])
def test_moving_takes_all_keys_of_a_window_along(action, frames):
    write(action, line(motion()))
    curve(action, "jawOpen").keyframe_points.insert(100, 0.95)
    before = values(action)
    fcurves.move(action, WINDOW, frames)
    window = WINDOW[0] + frames, WINDOW[1] + frames
    assert curve_edits.edited_ranges(action, window) == {JAW: [(100 + frames, 100 + frames)]}
    jaw = curve(action, "jawOpen")
    now = np.array([jaw.evaluate(FIRST + frames + frame) for frame in range(FRAMES)])
    np.testing.assert_allclose(now, before, atol=1e-5)
    assert min(key.co[0] for key in jaw.keyframe_points) == window[0]


def test_a_key_of_the_artist_is_not_lost_where_a_generated_one_comes(action):
    write(action, line(motion()))
    frame = next(key.co[0] for key in curve(action, "jawOpen").keyframe_points if key.co[0] > 120)
    curve(action, "jawOpen").keyframe_points.insert(frame + 300, 0.77)
    fcurves.move(action, WINDOW, 300)
    frames = [key.co[0] for key in curve(action, "jawOpen").keyframe_points]
    assert curve(action, "jawOpen").evaluate(frame + 300) == pytest.approx(0.77) and len(frames) == len(set(frames))


@pytest.mark.parametrize("frames", [1, 30, -40, 500])
def test_a_move_by_the_artist_is_found(action, frames):
    write(action, line(motion()))
    curve(action, "jawOpen").keyframe_points.insert(100, 0.95)
    assert curve_edits.moved_by(action, WINDOW) == 0
    for fcurve in compat.fcurves_of(action):
        move_keys(fcurve, WINDOW, frames)
    assert curve_edits.moved_by(action, WINDOW) == frames
    fcurves.note_moves(action, [(WINDOW, frames)])
    assert curve_edits.edited_ranges(action, (WINDOW[0] + frames, WINDOW[1] + frames)) == {JAW: [(100 + frames,) * 2]}


def test_one_curve_that_was_moved_is_no_move_of_the_line(action):
    write(action, line(motion()))
    move_keys(curve(action, "browInnerUp"), WINDOW, 10)
    assert curve_edits.moved_by(action, WINDOW) == 0 and list(edits(action)) == [fcurves.value_path("browInnerUp")]


def test_far_away_in_time(action):
    """Shots may begin at the hours of a time code: single precision is coarse there."""
    for first in (86400, 500000, 1000000):
        made = line(motion(), first=first)
        write(action, made, window=made.window)
        assert curve_edits.edited_ranges(action, made.window) == {}, first
        curve(action, "jawOpen").keyframe_points.insert(first + 60, 0.95)
        write(action, line(motion(1), first=first), window=made.window)
        assert curve_edits.edited_ranges(action, made.window) == {JAW: [(first + 60, first + 60)]}


def test_names_with_quotes(action):
    name = 'jaw "open" \\'
    write(action, line(motion()[:, :1], names=(name,)))
    (fcurve,) = compat.fcurves_of(action)
    assert fcurves.key_name(fcurve.data_path) == name
