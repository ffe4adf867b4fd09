"""The record of generated keys on an Action: kept exactly, and empty if it was damaged."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon.animation import curve_record
from lsf_blender_addon.animation.curve_record import Record
from lsf_blender_addon.animation.key_reduction import Keys

RECORD = Record(
    {
        'key_blocks["jawOpen"].value': Keys(np.array([1.0, 7.5, 1e6]), np.array([0.0, 0.5, 1]), np.array([0, 0.25, 0])),
        'key_blocks["a \\"b\\" é"].value': Keys(np.array([3.0]), np.array([0.125]), np.array([np.nan])),
        'key_blocks["none"].value': Keys(*np.zeros((3, 0))),
    },
    {'key_blocks["jawOpen"].value': [(2.0, 2.0), (5.5, 7.0)]},
)


@pytest.fixture
def action(blank) -> bpy.types.Action:
    action = bpy.data.actions.new("LSF · head")
    action.use_fake_user = True
    return action


def check(action, expected: Record = RECORD) -> None:
    found = curve_record.load(action)
    assert list(found.keys) == list(expected.keys) and found.ranges == expected.ranges
    for path, keys in expected.keys.items():
        for name in ("frames", "values", "slopes"):
            np.testing.assert_array_equal(getattr(found.keys[path], name), getattr(keys, name))
    assert curve_record.paths(action) == set(expected.keys)


def test_kept_exactly(action):
    for _ in range(2):
        curve_record.store(action, RECORD)
        check(action)


def test_nothing_yet(action):
    check(action, Record())


def test_an_empty_record(action):
    curve_record.store(action, Record())
    check(action, Record())


def test_it_goes_with_the_action(action, tmp_path):
    curve_record.store(action, RECORD)
    check(action.copy())
    path = str(tmp_path / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    check(bpy.data.actions["LSF · head"])


def test_ranges_of_a_curve_without_keys_are_left_out(action):
    curve_record.store(action, Record({}, {"gone": [(1, 2)]}))
    check(action, Record())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("paths", 3),
        ("paths", b"\xff"),
        ("paths", "one"),
        ("keys", b"abc"),
        ("keys", None),
        ("keys", 1.5),
        ("counts", b""),
        ("counts", np.array([-1, 5, 0], np.int32).tobytes()),
        ("counts", np.array([2**31 - 1, 2**31 - 1, 6], np.int32).tobytes()),
        ("ranges", "x"),
        ("ranges", b"\xff" * 24),
        ("ranges", np.array([99.0, 1, 2]).tobytes()),
        ("ranges", np.array([np.inf, 1, 2]).tobytes()),
        ("ranges", None),
    ],
)
def test_a_damaged_record_is_an_empty_one(action, name, value):
    curve_record.store(action, RECORD)
    del action[curve_record.PROPERTY][name]
    if value is not None:
        action[curve_record.PROPERTY][name] = value
    found = curve_record.load(action)
    assert not found.keys and not found.ranges
    assert isinstance(curve_record.paths(action), set)


@pytest.mark.parametrize("value", [3, "x", [1, 2], {}, 1e30])
def test_something_else_there_is_an_empty_record(action, value):
    action[curve_record.PROPERTY] = value
    check(action, Record())
