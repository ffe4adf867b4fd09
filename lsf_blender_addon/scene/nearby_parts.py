"""Finds objects that seem to belong to a head, but are not listed for it: eyes, teeth, tongue, brows beside it.

Nothing is taken without asking: the panel offers them. Bounding boxes and names decide, so this is quick enough for
`draw`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

from ..rigs import families
from . import character, part_names, rig
from .access import active_scene, mesh_of
from .own_properties import face_of

USED = (36, 45, 8, 27)  # landmarks: outer corners of the right and the left eye, chin, bridge of the nose
# The part of a face where other objects belong to it, from the middle between the outer corners of the eyes, in
# distances of these corners (about 9 cm): to either side, below, above, before and behind. Ears lie 0.8 aside.
ASIDE, BELOW, ABOVE, BEFORE, BEHIND = 0.6, 1.3, 0.5, 0.4, 1.0
LARGEST = 1.35  # of these distances: teeth 0.7, two eyes 1.1, two brows 1.25; glasses and hair are larger
# Without landmarks, of the width of the head's bounding box.
MIDDLE, LARGEST_OF_WIDTH = 0.3, 0.75
WELL_INSIDE = 0.8  # of the box: a nose ring and a cigarette lie farther out than eyes and teeth
TALLEST_HEAD = 2.2  # its height over its width: what is taller has a body, and tells less about where the face is
MARGIN = (
    0.15  # of the size of a head's box: an object of the same character whose centre is farther out is no part of it
)
HEAD_SIZE = 0.7  # of a head's largest extent: an object with the same keys, or beside it, as large is another head

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Box:
    """A bounding box in the world.

    Attributes:
        corners: Its corners (8, 3).
    """

    corners: Floats

    @classmethod
    def of(cls, obj: bpy.types.Object) -> "_Box":
        """Return the box of an object."""
        matrix = np.array(obj.matrix_world, np.float64)
        return cls(np.array([corner[:] for corner in obj.bound_box]) @ matrix[:3, :3].T + matrix[:3, 3])

    @property
    def centre(self) -> Floats:
        """Its centre (3,)."""
        centre: Floats = self.corners.mean(0)
        return centre

    @property
    def extent(self) -> Floats:
        """Its size along the axes of the world (3,)."""
        extent: Floats = np.ptp(self.corners, axis=0)
        return extent

    def within(self, share: float) -> "_Limits":
        """The limits of a box around the same centre, `share` times as large."""
        reach = share / 2 * self.extent
        return _Limits(tuple((self.centre - reach).tolist()), tuple((self.centre + reach).tolist()))


@dataclass(frozen=True)
class _Limits:
    """The lowest and the highest corner of a box in the world. Plain numbers: numpy is slow for single points."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    def contains(self, point: Vector) -> bool:
        """Whether a point lies within."""
        return all(low < value < high for low, value, high in zip(self.low, point.to_tuple(), self.high, strict=True))


def find(
    context: bpy.types.Context, head: bpy.types.Object, landmarks: Sequence[int] = ()
) -> tuple[list[bpy.types.Object], bool]:
    """The visible mesh objects that seem to be parts of a head, and that would not move with it.

    They have some of its keys of the face, or lie in it, and belong to the same armature or parent, or to none as it
    does. What belongs to another head is left out. As long as keys or names tell that some are parts, only these count:
    what only lies in the face may be a nose ring.

    Args:
        context: The context.
        head: The head's object.
        landmarks: The head's vertices at its landmarks (68,), where they were found, but are not stored yet.

    Returns:
        The objects; and whether it is certain that they belong to the head: its face is known, and their keys or names
        tell it.
    """
    heads = _other_heads(context, head)
    taken = {head, *character.find_parts(context, head), *heads}
    taken.update(obj for other in heads for obj in character.listed_parts(other))
    layer = context.view_layer
    assert layer is not None
    box, face, family = _Box.of(head), _face_frame(head, landmarks), _relatives(head)
    keys, rivals = _face_keys(head), [_Box.of(other) for other in heads]
    told: list[tuple[bpy.types.Object, _Box]] = []  # by keys or names
    placed: list[tuple[bpy.types.Object, _Box]] = []  # only by where they are
    inside, well_inside = box.within(1 + 2 * MARGIN), box.within(WELL_INSIDE)
    for obj in layer.objects:
        if obj.type != "MESH" or obj in taken or obj.library:
            continue
        is_inside = inside.contains(_centre(obj))  # the quick tests come first: a scene may have thousands of objects
        same_keys = bool(keys) and mesh_of(obj).shape_keys is not None and not keys.isdisjoint(_key_names(obj))
        if face is None and not well_inside.contains(_centre(obj)) and _is_head_sized(obj, box):
            rivals.append(_Box.of(obj))
            continue
        if not (is_inside or same_keys) or not mesh_of(obj).polygons or not obj.visible_get(view_layer=layer):
            continue
        own, relatives = _Box.of(obj), _relatives(obj)
        if same_keys and own.extent.max() > HEAD_SIZE * box.extent.max():
            rivals.append(own)
            continue
        related = bool(family & relatives) or head in relatives or not (family or relatives)
        named = part_names.kind_of(obj.name) or part_names.kind_of(mesh_of(obj).name)
        if related and is_inside and (same_keys or _lies_in_face(own, box, face, named)):
            (told if same_keys or named else placed).append((obj, own))
    certain, others = (
        [obj for obj, own in found if not any(_is_nearer(own, rival, box) for rival in rivals)]
        for found in (told, placed)
    )
    return certain or others, bool(certain) and face is not None


def _other_heads(context: bpy.types.Context, head: bpy.types.Object) -> list[bpy.types.Object]:
    """The other heads of the scene whose faces or parts are known."""
    return [
        obj
        for obj in active_scene(context).objects
        if obj != head and obj.type == "MESH" and (face_of(obj).parts or face_of(obj).found_landmarks)
    ]


def _centre(obj: bpy.types.Object) -> Vector:
    """The middle of an object's bounding box in the world."""
    corners = obj.bound_box
    return obj.matrix_world @ ((Vector(corners[0]) + Vector(corners[6])) / 2)


def _relatives(obj: bpy.types.Object) -> set[bpy.types.Object]:
    """The armatures that deform an object, and its parents; empty if it stands alone."""
    found = {m.object for m in obj.modifiers if isinstance(m, bpy.types.ArmatureModifier) and m.object is not None}
    parent = obj.parent
    while parent is not None:
        found.add(parent)
        parent = parent.parent
    return found


def _key_names(obj: bpy.types.Object) -> set[str]:
    """Names of an object's shape keys, without the Basis."""
    keys = mesh_of(obj).shape_keys
    return {key.name for key in keys.key_blocks if key != keys.reference_key} if keys else set()


def _face_keys(head: bpy.types.Object) -> set[str]:
    """Names of the head's keys that show something of the face: clothes share others with a body, as its weight."""
    names = _key_names(head)
    mapping = rig.mapping_of(head) if names else None
    shown = {row.key for row in mapping.rows} if mapping else set()
    return names & {*families.channels(), *shown}


def _is_head_sized(obj: bpy.types.Object, head: _Box) -> bool:
    """Whether an object beside a head is as large as that, and seems to be another one."""
    size = max(obj.dimensions.to_tuple()) / max(float(head.extent.max()), 1e-12)
    return HEAD_SIZE < size < 1 / HEAD_SIZE


def _face_frame(head: bpy.types.Object, landmarks: Sequence[int]) -> tuple[Floats, Floats, float] | None:
    """Where the face is: middle between the eyes (3,), axes to its left, its front and up (3, 3), distance of the eyes.

    None if its landmarks are not known.
    """
    face, vertices = face_of(head), mesh_of(head).vertices
    marks = {i: vertices[landmarks[i]].co for i in USED if i < len(landmarks) and landmarks[i] < len(vertices)}
    marks |= {item.index: item.position for group in (face.found_landmarks, face.own_landmarks) for item in group}
    if not marks.keys() >= {*USED}:
        return None
    matrix = np.array(head.matrix_world, np.float64)
    right, left, chin, bridge = (np.array(marks[index][:]) @ matrix[:3, :3].T + matrix[:3, 3] for index in USED)
    distance = float(np.linalg.norm(left - right))
    if distance <= 0:
        return None
    aside = (left - right) / distance
    up = (bridge - chin) - aside * ((bridge - chin) @ aside)
    length = float(np.linalg.norm(up))
    if length <= 0:
        return None
    up = up / length
    return (left + right) / 2, np.stack([aside, np.cross(aside, up), up]), distance


def _lies_in_face(own: _Box, head: _Box, face: tuple[Floats, Floats, float] | None, named: str) -> bool:
    """Whether an object lies where eyes, teeth and brows are, and has their size."""
    if face is not None:
        middle, axes, distance = face
        x, y, z = (own.centre - middle) @ axes.T / distance
        size = float(np.ptp((own.corners - middle) @ axes.T, axis=0).max() / distance)
        return bool(abs(x) < ASIDE and -BEHIND < y < BEFORE and -BELOW < z < ABOVE and size < LARGEST)
    width, height = float(head.extent[:2].max()), float(head.extent[2])
    is_small = float(own.extent.max()) < LARGEST_OF_WIDTH * width
    if named:
        return is_small
    is_head = height < TALLEST_HEAD * width
    is_central = np.abs(own.centre - head.centre)[:2].min() < MIDDLE * width
    return is_small and is_head and bool(is_central) and head.within(WELL_INSIDE).contains(Vector(own.centre.tolist()))


def _is_nearer(own: _Box, other: _Box, head: _Box) -> bool:
    """Whether an object is nearer to another head than to this one."""
    to_other, to_head = (float(np.linalg.norm(own.centre - box.centre)) for box in (other, head))
    return to_other < 0.9 * to_head
