"""Equal arrays of several snapshots are one array."""

import gc
from dataclasses import dataclass
from typing import Any

import numpy as np

from lsf_blender_addon.jobs import shared_arrays
from lsf_blender_addon.jobs.shared_arrays import shared


@dataclass(frozen=True)
class Keys:
    names: tuple[str, ...]
    shapes: np.ndarray


@dataclass(frozen=True)
class Snapshot:
    vertices: np.ndarray
    members: tuple[Keys, ...]
    rig: Keys | None
    name: str
    landmarks: Any = None


def snapshot(name: str, size: float = 1.0) -> Snapshot:
    vertices = size * np.arange(12.0).reshape(4, 3)
    keys = Keys(("smile",), vertices[::2] + 1)  # not contiguous
    return Snapshot(vertices, (keys, Keys(("frown",), vertices.astype(np.float32))), Keys(("jaw",), vertices[:0]), name)


def test_snapshots_of_the_same_head_have_the_same_arrays_and_stay_equal():
    one, two, other = (shared(snapshot(*what)) for what in (("one",), ("two",), ("other", 2.0)))
    assert two.name == "two" and two.members[0].names == ("smile",) and two.landmarks is None
    assert two.vertices is one.vertices and two.rig.shapes is one.rig.shapes
    assert all(a.shapes is b.shapes for a, b in zip(one.members, two.members, strict=True))
    assert other.vertices is not one.vertices
    for made, given in ((two, snapshot("two")), (other, snapshot("other", 2.0))):
        np.testing.assert_array_equal(made.vertices, given.vertices)
        np.testing.assert_array_equal(made.members[0].shapes, given.members[0].shapes)
        assert made.members[1].shapes.dtype == np.float32


def test_type_and_shape_count_not_the_bytes_alone():
    zeros = np.zeros(12)
    kinds = [zeros, zeros.reshape(3, 4), zeros.view(np.int64), np.zeros(0), np.zeros((0, 3))]
    for kind, same in zip(kinds, [shared(kind) for kind in kinds], strict=True):
        assert same.shape == kind.shape and same.dtype == kind.dtype


def test_nothing_is_kept_when_the_snapshots_are_gone():
    made = shared(snapshot("head", 7.0))
    count = len(shared_arrays._known)
    del made
    gc.collect()
    assert len(shared_arrays._known) <= count - 3


def test_other_values_are_left_alone():
    assert shared(None) is None and shared(()) == () and shared((1, 2)) == (1, 2)
