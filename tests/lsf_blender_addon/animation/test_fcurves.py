"""Generated F-curves as Blender evaluates them, and what stays when they are written again."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import fcurves, key_reduction
from lsf_blender_addon.animation.curve_plan import Keying
from lsf_blender_addon.prediction import lips

NAMES = ["jawOpen", "mouthClose", "browInnerUp"]
FRAMES, FIRST = 200, 50


@pytest.fixture
def action(blank) -> bpy.types.Action:
    action = bpy.data.actions.new("LSF · line")
    action.use_fake_user = True
    return action


def motion(seed=0) -> np.ndarray:
    """(200, 3) smooth curves."""
    rng = np.random.default_rng(seed)
    t = np.arange(FRAMES)[:, None] / 24
    waves = [np.sin(2 * np.pi * rate * t + rng.uniform(0, 6, 3)) for rate in (0.4, 0.9, 1.7)]
    return (0.5 + 0.12 * sum(waves)).astype(np.float32)


def reducing(density=1.0) -> Keying:
    offsets = np.zeros((3, 20, 3), np.float32)
    offsets[:2, lips.LOWER, 2] = -30, 30
    return Keying(key_reduction.ErrorBound(0.01 * density, 0.2 * density), offsets, 24.0)


def curve(action, name="jawOpen") -> bpy.types.FCurve:
    return next(c for c in compat.fcurves_of(action) if c.data_path == fcurves.value_path(name))


def values(action, name="jawOpen") -> np.ndarray:
    return np.array([curve(action, name).evaluate(FIRST + frame) for frame in range(FRAMES)])


def dump_keys(dump, keys) -> list:
    return [dump(key, {"select_control_point", "type"}) for key in keys]


@pytest.mark.parametrize("density", [0.1, 1.0, 10.0])
def test_blender_evaluates_them_within_the_bound(action, density):
    keying = reducing(density)
    fcurves.write(action, NAMES, motion(), FIRST, keying)
    error = np.stack([values(action, name) for name in NAMES], 1) - motion()
    on_lips = np.linalg.norm(np.tensordot(error, keying.lips, 1), axis=2)
    assert np.abs(error).max() <= keying.bound.value and on_lips.max() <= keying.bound.millimetres
    record = fcurves.load(action)
    assert record.value == pytest.approx(np.abs(error).max(), abs=3e-5)
    assert record.millimetres == pytest.approx(on_lips.max(), abs=2e-3)
    assert fcurves.edited_ranges(action) == {} and not fcurves.is_edited(action)


def test_keys_are_few_and_aligned(action):
    fcurves.write(action, NAMES, motion(), FIRST, reducing())
    count = sum(len(c.keyframe_points) for c in compat.fcurves_of(action))
    assert count < 3 * FRAMES / 2
    summary = f"{count} keys, {3 * FRAMES / count:.1f}x fewer than frames; largest error 0."
    assert fcurves.load(action).summary().startswith(summary)
    key = curve(action).keyframe_points[3]
    assert key.interpolation == "BEZIER" and key.handle_left_type == key.handle_right_type == "ALIGNED"


def test_a_key_on_every_frame(action):
    fcurves.write(action, NAMES, motion(), FIRST, Keying())
    assert [len(c.keyframe_points) for c in compat.fcurves_of(action)] == [FRAMES] * 3
    np.testing.assert_allclose(values(action), motion()[:, 0], atol=1e-6)
    assert curve(action).keyframe_points[3].handle_left_type == "AUTO_CLAMPED"
    assert fcurves.edited_ranges(action) == {} and "one on every frame" in fcurves.load(action).summary()


@pytest.mark.parametrize("keying", [reducing(), Keying()], ids=["reduced", "every frame"])
def test_keys_of_the_artist_stay(action, dump, keying):
    fcurves.write(action, NAMES, motion(), FIRST, keying)
    jaw = curve(action)
    jaw.keyframe_points.insert(100, 0.95).interpolation = "BEZIER"
    moved = min(jaw.keyframe_points, key=lambda key: abs(key.co[0] - 150))
    at = moved.co[0]
    moved.co[1] = 0.05
    moved.handle_left_type = moved.handle_right_type = "FREE"
    moved.handle_left = at - 1.3, 0.2
    moved.handle_right = at + 2, 0.1
    jaw.update()
    before = dump_keys(dump, [key for key in jaw.keyframe_points if key.co[0] in (100, at)])
    assert fcurves.edited_ranges(action) == {jaw.data_path: [(100, 100), (at, at)]} and fcurves.is_edited(action)
    others = values(action, "browInnerUp")
    for seed in (1, 2, 3):
        fcurves.write(action, NAMES, motion(seed), FIRST, keying)
        jaw = curve(action)
        assert dump_keys(dump, [key for key in jaw.keyframe_points if key.co[0] in (100, at)])[1] == before[1]
        assert jaw.evaluate(100) == pytest.approx(0.95) and jaw.evaluate(at) == pytest.approx(0.05)
        assert fcurves.edited_ranges(action) == {jaw.data_path: [(100, 100), (at, at)]}
        mine = [key.co[0] for key in jaw.keyframe_points if key.type == "KEYFRAME"]
        assert mine == [100, at], "they look other than the generated ones in the editors"
        far = np.abs(np.arange(FRAMES) + FIRST - 100) > 9
        far &= np.abs(np.arange(FRAMES) + FIRST - at) > 9
        assert np.abs(values(action) - motion(seed)[:, 0])[far].max() < 0.01 + 1e-4
        near = values(action)[100 - FIRST - 3 : 100 - FIRST + 4]
        assert np.abs(np.diff(near)).max() < 0.4, "no jump"
    assert np.abs(others - values(action, "browInnerUp")).max() > 0.1


def test_a_deleted_key_stays_deleted(action):
    fcurves.write(action, NAMES, motion(), FIRST, reducing())
    jaw = curve(action)
    first, last = jaw.keyframe_points[4].co[0], jaw.keyframe_points[6].co[0]
    jaw.keyframe_points.remove(jaw.keyframe_points[5])
    shape = [jaw.evaluate(frame) for frame in np.linspace(first, last, 20)]
    for seed in (0, 1):
        fcurves.write(action, NAMES, motion(seed), FIRST, reducing())
        assert fcurves.edited_ranges(action) == {jaw.data_path: [(first, last)]}
        inside = [key.co[0] for key in curve(action).keyframe_points if first <= key.co[0] <= last]
        assert inside == [first, last]
        now = [curve(action).evaluate(frame) for frame in np.linspace(first, last, 20)]
        assert now == pytest.approx(shape, abs=1e-5)


def test_interpolation_stays(action):
    fcurves.write(action, NAMES, motion(), FIRST, reducing())
    key, after = curve(action).keyframe_points[4:6]
    key.interpolation = "CONSTANT"
    span, value = (key.co[0], after.co[0]), key.co[1]
    fcurves.write(action, NAMES, motion(1), FIRST, reducing())
    assert fcurves.edited_ranges(action) == {fcurves.value_path("jawOpen"): [span]}
    assert curve(action).evaluate(span[1] - 0.1) == pytest.approx(value)


def test_edits_that_are_near_are_one_range(action):
    fcurves.write(action, NAMES, motion(), FIRST, reducing())
    for frame in (100, 105):
        curve(action).keyframe_points.insert(frame, 0.9)
    fcurves.write(action, NAMES, motion(1), FIRST, reducing())
    assert fcurves.edited_ranges(action) == {fcurves.value_path("jawOpen"): [(100, 105)]}


def test_they_go_along_when_the_line_moves(action):
    fcurves.write(action, NAMES, motion(), FIRST, reducing())
    key = curve(action).keyframe_points.insert(100, 0.95)
    handle = key.handle_left[1]
    fcurves.write(action, NAMES, motion(), FIRST + 30, reducing(), moved=30)
    (key,) = [key for key in curve(action).keyframe_points if key.co[0] == 130]
    assert key.co[1] == pytest.approx(0.95) and key.handle_left[1] == pytest.approx(handle, abs=0.2)
    assert fcurves.edited_ranges(action) == {fcurves.value_path("jawOpen"): [(130, 130)]}
    assert 100 not in [key.co[0] for key in curve(action).keyframe_points] or curve(action).evaluate(100) < 0.9


def test_released_keys_are_gone_exactly(action):
    fcurves.write(action, NAMES, motion(), FIRST, reducing())
    before = [values(action, name) for name in NAMES]
    curve(action).keyframe_points.insert(100, 0.95)
    compat.key_fcurves(action).remove(curve(action, "browInnerUp"))
    fcurves.write(action, NAMES, motion(), FIRST, reducing())
    fcurves.write(action, NAMES, motion(), FIRST, reducing(), keep=False)
    np.testing.assert_array_equal([values(action, name) for name in NAMES], before)
    assert not fcurves.is_edited(action)


def test_a_deleted_curve_comes_back_only_if_asked(action):
    fcurves.write(action, NAMES, motion(), FIRST, reducing())
    compat.key_fcurves(action).remove(curve(action, "browInnerUp"))
    assert fcurves.is_edited(action) and fcurves.edited_ranges(action) == {}
    for _ in range(2):
        fcurves.write(action, NAMES, motion(1), FIRST, reducing(), restore_deleted=False)
        assert len(compat.fcurves_of(action)) == 2 and fcurves.is_edited(action)
    fcurves.write(action, NAMES, motion(1), FIRST, reducing())
    assert len(compat.fcurves_of(action)) == 3 and not fcurves.is_edited(action)


def test_a_channel_that_rests_now_keeps_the_artists_keys(action):
    fcurves.write(action, NAMES, motion(), FIRST, reducing())
    curve(action).keyframe_points.insert(100, 0.95)
    fcurves.write(action, NAMES[1:], motion()[:, 1:], FIRST, Keying(reducing().bound, reducing().lips[1:], 24.0))
    assert curve(action).evaluate(100) == pytest.approx(0.95) and abs(curve(action).evaluate(150)) < 1e-6
    assert fcurves.edited_ranges(action) == {fcurves.value_path("jawOpen"): [(100, 100)]}


def test_curves_of_the_artist_are_left_alone(action, dump):
    mine = compat.key_fcurves(action).new(fcurves.value_path("browInnerUp"))
    mine.keyframe_points.insert(3, 0.4)
    before = dump(mine)
    for seed in (0, 1):
        fcurves.write(action, NAMES, motion(seed), FIRST, reducing())
        assert dump(curve(action, "browInnerUp")) == before and len(compat.fcurves_of(action)) == 3
    assert fcurves.value_path("browInnerUp") not in fcurves.paths(action)


def test_modifiers_and_colours_on_generated_curves_stay(action):
    fcurves.write(action, NAMES, motion(), FIRST, reducing())
    jaw = curve(action)
    jaw.modifiers.new("NOISE").strength = 0.1
    jaw.mute, jaw.color_mode, jaw.color = True, "CUSTOM", (1, 0, 0)
    fcurves.write(action, NAMES, motion(1), FIRST, reducing())
    jaw = curve(action)
    assert jaw.modifiers[0].type == "NOISE" and jaw.mute and tuple(jaw.color) == (1, 0, 0)
    assert fcurves.edited_ranges(action) == {}


def test_a_locked_curve_stays_as_it_is(action, dump):
    fcurves.write(action, NAMES, motion(), FIRST, reducing())
    curve(action).keyframe_points.insert(100, 0.95)
    curve(action).lock = True
    before = dump(curve(action))
    for names in (NAMES, NAMES[1:]):
        keying = Keying(reducing().bound, reducing().lips[-len(names) :], 24.0)
        fcurves.write(action, names, motion(1)[:, -len(names) :], FIRST, keying, keep=False)
        assert dump(curve(action)) == before and curve(action, "mouthClose").keyframe_points[5].co[1] != 0.5
    curve(action).lock = False
    assert fcurves.edited_ranges(action) == {fcurves.value_path("jawOpen"): [(100, 100)]}
    fcurves.write(action, NAMES, motion(1), FIRST, reducing())
    assert np.abs(values(action) - motion(1)[:, 0])[100:].max() < 0.01


def test_saved_and_reloaded(action, tmp_path):
    fcurves.write(action, NAMES, motion(), FIRST, reducing())
    curve(action).keyframe_points.insert(100, 0.95)
    before, ranges = fcurves.load(action).summary(), fcurves.edited_ranges(action)
    path = str(tmp_path / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    action = bpy.data.actions["LSF · line"]
    assert fcurves.load(action).summary() == before and fcurves.edited_ranges(action) == ranges != {}


@pytest.mark.parametrize(
    ("name", "value"),
    [("paths", 3), ("keys", b"abc"), ("counts", b""), ("ranges", "x"), ("keys", None), ("ranges", b"\xff" * 24)],
)
def test_a_damaged_record_is_an_empty_one(action, name, value):
    fcurves.write(action, NAMES, motion(), FIRST, reducing())
    if value is None:
        del action[fcurves.PROPERTY][name]
    else:
        action[fcurves.PROPERTY][name] = value
    assert fcurves.load(action) == fcurves.Record() and fcurves.edited_ranges(action) == {}


def test_names_with_quotes(action):
    name = 'jaw "open" \\'
    fcurves.write(action, [name], motion()[:, :1], FIRST, Keying())
    (fcurve,) = compat.fcurves_of(action)
    assert fcurves.key_name(fcurve.data_path) == name
