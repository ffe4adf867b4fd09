"""Keys as arrays: read, written, moved and joined without a loss."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import keyframes
from lsf_blender_addon.animation.key_reduction import Keys

COUNT = 40


@pytest.fixture
def fcurve(blank) -> bpy.types.FCurve:
    """A curve of the artist, whose keys differ in every property."""
    curve = compat.key_fcurves(bpy.data.actions.new("by hand")).new('key_blocks["jawOpen"].value')
    kinds = ("KEYFRAME", "BREAKDOWN", "MOVING_HOLD", "EXTREME", "JITTER")
    for k in range(COUNT):
        key = curve.keyframe_points.insert(3 * k + 0.25, np.sin(k))
        key.interpolation = ("BEZIER", "CONSTANT", "LINEAR", "ELASTIC", "BACK")[k % 5]
        key.easing = ("AUTO", "EASE_IN", "EASE_OUT")[k % 3]
        key.type = kinds[k % 5]
        key.handle_left_type = ("FREE", "ALIGNED", "VECTOR", "AUTO", "AUTO_CLAMPED")[k % 5]
        key.handle_right_type = ("FREE", "ALIGNED", "AUTO_CLAMPED")[k % 3]
        key.amplitude, key.period, key.back = 0.1 * k, 1 + k, 2 + k
        key.select_control_point, key.select_left_handle = bool(k % 2), bool(k % 3)
    curve.update()
    return curve


def dump_all(dump, curve) -> list:
    return [dump(key) for key in curve.keyframe_points]


def test_read_and_written_without_a_loss(fcurve, dump):
    before = dump_all(dump, fcurve)
    keyframes.write(fcurve, keyframes.read(fcurve))
    assert dump_all(dump, fcurve) == before


def test_some_of_them(fcurve, dump):
    before, chosen = dump_all(dump, fcurve), np.arange(COUNT) % 4 == 1
    table = keyframes.read(fcurve)
    keyframes.write(fcurve, table.only(chosen))
    frames = [key["co"][0] for key, is_chosen in zip(before, chosen, strict=True) if is_chosen]
    assert [key.co[0] for key in fcurve.keyframe_points] == frames and len(table.only(chosen)) == len(frames)
    rest, order = table.only(~chosen).joined(table.only(chosen))
    keyframes.write(fcurve, rest)
    assert [key["interpolation"] for key in dump_all(dump, fcurve)] == [key["interpolation"] for key in before]
    assert sorted(order.tolist()) == list(range(COUNT)) and (order[chosen] >= (~chosen).sum()).all()


def test_moved_with_their_handles(fcurve):
    before = [(*key.co, *key.handle_left, *key.handle_right) for key in fcurve.keyframe_points]
    keyframes.write(fcurve, keyframes.read(fcurve).later(17))
    now = [(*key.co, *key.handle_left, *key.handle_right) for key in fcurve.keyframe_points]
    np.testing.assert_allclose(np.array(now) - before, np.tile([17, 0], (COUNT, 3)), atol=1e-4)


def test_no_curve_and_no_keys(blank):
    empty = compat.key_fcurves(bpy.data.actions.new("by hand")).new('key_blocks["jawOpen"].value')
    for table in (keyframes.read(None), keyframes.read(empty)):
        assert len(table) == len(table.frames) == 0
    keyframes.write(empty, keyframes.read(None))
    assert keyframes.find(empty, 0, 10) == (0, 0)
    assert {name: len(column) for name, column in keyframes.read_shape(empty, 0, 10).items()} == dict.fromkeys(
        keyframes.SHAPE, 0
    )


@pytest.mark.parametrize("span", [(0, 1), (30, 36.25), (30.26, 35), (-5, 500), (200, 300), (36.25, 36.25)])
def test_the_keys_of_a_part_are_the_same_as_of_all(fcurve, span):
    """Few keys are read one by one, many at once."""
    table, (first, last) = keyframes.read(fcurve), span
    inside = (table.frames >= first) & (table.frames <= last)
    start, end = keyframes.find(fcurve, first, last)
    assert np.flatnonzero(inside).tolist() == list(range(start, end))
    part = keyframes.read_shape(fcurve, first, last)
    assert part.keys() == set(keyframes.SHAPE)
    for name, column in part.items():
        np.testing.assert_array_equal(column, table.columns[name][inside], err_msg=name)
    np.testing.assert_array_equal(keyframes.read_points(fcurve), table.columns["co"])


def test_generated_keys(fcurve):
    keys = Keys(np.array([10.0, 16, 20]), np.array([0.0, 0.6, 0.2]), np.array([0.0, 0.05, np.nan]))
    keyframes.write(fcurve, keyframes.generated(keys))
    first, second, third = fcurve.keyframe_points
    assert {key.type for key in (first, second, third)} == {"GENERATED"}
    assert not any(key.select_control_point for key in (first, second, third))
    assert (second.handle_left_type, second.handle_right_type) == ("ALIGNED", "ALIGNED")
    assert (third.handle_left_type, third.handle_right_type) == ("AUTO_CLAMPED", "AUTO_CLAMPED")
    assert tuple(second.handle_left) == pytest.approx((14, 0.5)) and second.interpolation == "BEZIER"
    frames = np.linspace(10, 15.9, 20)
    made = [fcurve.evaluate(frame) for frame in frames]
    assert made == pytest.approx(keys.evaluate(frames).tolist(), abs=1e-5)
