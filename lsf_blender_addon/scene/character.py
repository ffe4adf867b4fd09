"""The character as one mesh: the head, and the objects that move with it, like teeth, tongue, eyes and lashes."""

from collections.abc import Iterator
from dataclasses import dataclass

import bpy
import numpy as np

from ..errors import UserError
from . import meshes, parts, rig
from .landmarks import store
from .meshes import RestMesh
from .rig import Rig

SMALL = 1e-4  # of the largest offset of all: a channel with less does not move a mesh


@dataclass(frozen=True)
class Character:
    """Head and parts as one mesh. Holds no reference to Blender data, so that a thread may use it."""

    members: tuple[RestMesh, ...]  # the head first
    vertices: np.ndarray  # (V, 3) float32 of all members, one after the other: world axes, around the head's origin
    triangles: np.ndarray  # (T, 3) int32
    parts: np.ndarray  # (V,) int32 codes of scene/parts.py
    landmarks68: np.ndarray | None  # (68, 3) float32 the artist's points, NaN for all others
    rig: Rig | None  # the head's own shape keys, if they are to be driven

    @property
    def head(self) -> RestMesh:
        return self.members[0]

    @property
    def solved(self) -> tuple[str, ...]:
        """Names of the R keys whose values the server finds."""
        return self.rig.mapping.solved if self.rig else ()

    def header(self) -> dict:
        """What a request says beside its arrays."""
        return {"rig_limits": [self.rig.limits[key] for key in self.solved]} if self.solved else {}

    def arrays(self) -> dict[str, np.ndarray]:
        """What a request says about the mesh, see docs/protocol.md."""
        arrays = {"vertices": self.vertices, "triangles": self.triangles}
        if (self.parts != parts.AUTOMATIC).any():
            arrays["parts"] = self.parts
        if self.landmarks68 is not None:
            arrays["landmarks68"] = self.landmarks68
        if self.solved:
            arrays["rig_shapes"] = self.rig.shapes
        return arrays

    def moving(self, basis: np.ndarray) -> np.ndarray:
        """(K,) which channels of basis (K, V, 3) move anything of the character."""
        reach = np.abs(basis).max((1, 2), initial=0.0)
        return reach > SMALL * reach.max(initial=0.0)

    def pieces(self, array: np.ndarray, axis: int = 0) -> Iterator[tuple[RestMesh, np.ndarray]]:
        """The members, each with its share of an array over all vertices (along `axis`)."""
        ends = np.cumsum([len(member.vertices) for member in self.members])
        yield from zip(self.members, np.split(array, ends[:-1], axis), strict=True)


def objects(context: bpy.types.Context, head: bpy.types.Object) -> dict[bpy.types.Object, str]:
    """The objects that go with the head, and their kinds: those listed for it, else those selected together with it,
    but for other heads.
    """
    parts_of_it = listed(head)
    if parts_of_it or not head.select_get():
        return parts_of_it
    return {
        obj: "AUTOMATIC"
        for obj in context.selected_objects
        if obj.type == "MESH" and obj != head and not (obj.lsf.found_landmarks or obj.lsf.parts)
    }


def listed(head: bpy.types.Object) -> dict[bpy.types.Object, str]:
    """The objects that are listed as parts of the head, and their kinds."""
    return {
        part.object: part.kind
        for part in head.lsf.parts
        if part.object is not None and part.object != head and part.object.users_scene
    }


def read(head: bpy.types.Object, others: dict[bpy.types.Object, str]) -> Character:
    """The rest shape of the head and of what goes with it. Raises UserError."""
    members, vertices, triangles, codes = [], [], [], []
    first, objects = 0, {head: "AUTOMATIC"} | others
    for obj, kind in objects.items():
        rest = meshes.read_rest(obj)
        members.append(rest)
        vertices.append(rest.vertices + (rest.origin - members[0].origin).astype(np.float32))
        triangles.append(rest.triangles + first)
        codes.append(parts.read(obj, kind))
        first += len(rest.vertices)
    return Character(
        tuple(members),
        np.concatenate(vertices),
        np.concatenate(triangles),
        np.concatenate(codes),
        store.binding(head, vertices[0]),
        rig.read(head, list(zip(objects, members, strict=True))),
    )


def find(character: Character) -> list[bpy.types.Object]:
    """The members' objects, which are all still there and can be written to. Raises UserError."""
    found = []
    for rest in character.members:
        obj = bpy.data.objects.get(rest.object)
        if obj is None or not obj.users_scene:
            raise UserError(
                f'"{rest.object}" is gone or was renamed while its animation was made: press Generate again'
            )
        meshes.check(obj)
        found.append(obj)
    return found
