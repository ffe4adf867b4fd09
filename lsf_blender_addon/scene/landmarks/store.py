"""Stores the landmarks with the head object: those that were found, and those that the artist has set.

Each is stored as a point on a triangle, so it moves with the mesh when that is sculpted, moved or scaled. If the mesh
gets other vertices, the point moves to the closest point on the new surface.
"""

from typing import TYPE_CHECKING

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import meshes, stored
from ..access import mesh_of
from ..own_properties import face_of
from . import points
from .surface import Surface, SurfacePoint

if TYPE_CHECKING:
    from ...ui.properties.face import LSF_PG_landmark

SurfacePoints = dict[int, SurfacePoint]  # by landmark number


def read(head: bpy.types.Object) -> tuple[SurfacePoints, SurfacePoints]:
    """The landmarks as they were found, and those that the artist has set."""
    face, mesh = face_of(head), mesh_of(head)
    count = len(mesh.vertices)
    surface = Surface(meshes.base_vertices(mesh), meshes.read_triangles(mesh)) if _is_outdated(head) else None
    found, own = (
        {
            item.index: _surface_point(item, surface, count)
            for item in group
            if item.index in range(points.COUNT) and _is_sound(item, count)
        }
        for group in (face.found_landmarks, face.own_landmarks)
    )
    return found, own


def write_own(head: bpy.types.Object, own: SurfacePoints) -> None:
    """Replace the artist's landmarks."""
    _write(face_of(head).own_landmarks, own, mesh_of(head))


def write_found(head: bpy.types.Object, found: SurfacePoints, doubtful: set[int]) -> None:
    """Store the landmarks as they were found.

    A landmark that the artist has set is not found independently: its earlier found point stays. A landmark that the
    artist has accepted, and that is found at the same point again, is not doubtful.

    Args:
        head: The head's object.
        found: The points.
        doubtful: Landmarks that the artist should check.
    """
    face = face_of(head)
    earlier, own = read(head)
    accepted = {item.index: tuple(item.corners) for item in face.found_landmarks if item.accepted}
    found = {point: surface_point for point, surface_point in found.items() if point not in own}
    _write(face.found_landmarks, {point: earlier[point] for point in own if point in earlier} | found, mesh_of(head))
    for item in face.found_landmarks:
        item.accepted = accepted.get(item.index) == tuple(item.corners)
        item.doubtful = item.index in doubtful and not item.accepted


def accept(head: bpy.types.Object) -> None:
    """Mark all doubtful landmarks as checked by the artist."""
    for item in face_of(head).found_landmarks:
        if item.doubtful:
            item.doubtful, item.accepted = False, True


def own_positions(head: bpy.types.Object, vertices: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Positions of the artist's landmarks.

    Args:
        head: The head's object.
        vertices: (V, 3) of its mesh.

    Returns:
        (68, 3), NaN for landmarks that the artist has not set; None if the artist has set none.
    """
    own = read(head)[1]
    if not own:
        return None
    positions = np.full((points.COUNT, 3), np.nan, np.float32)
    for point, surface_point in own.items():
        positions[point] = surface_point.position(vertices)
    return positions


def doubtful(head: bpy.types.Object) -> list[int]:
    """The landmarks that the artist should check, and has not set since."""
    own = {item.index for item in face_of(head).own_landmarks}
    return [item.index for item in face_of(head).found_landmarks if item.doubtful and item.index not in own]


def _is_outdated(head: bpy.types.Object) -> bool:
    """Whether a landmark was stored when the mesh had another number of vertices."""
    face, count = face_of(head), len(mesh_of(head).vertices)
    return any(item.vertex_count != count for group in (face.found_landmarks, face.own_landmarks) for item in group)


def _is_sound(item: "LSF_PG_landmark", vertex_count: int) -> bool:
    """Whether a landmark lies on the mesh: a file may hold anything."""
    if item.vertex_count != vertex_count:
        return stored.numbers(item.position, 3) is not None
    return stored.numbers(item.weights, 3) is not None and all(corner in range(vertex_count) for corner in item.corners)


def _surface_point(item: "LSF_PG_landmark", surface: Surface | None, vertex_count: int) -> SurfacePoint:
    """The point of a stored landmark; on `surface`, if the mesh had another number of vertices when it was stored."""
    if surface is not None and item.vertex_count != vertex_count:
        return surface.closest_point(np.array(item.position))
    return SurfacePoint(tuple(item.corners), tuple(item.weights))


def _write(
    group: "bpy.types.bpy_prop_collection_idprop[LSF_PG_landmark]", surface_points: SurfacePoints, mesh: bpy.types.Mesh
) -> None:
    """Replace the landmarks of a group."""
    base = meshes.base_vertices(mesh)
    # All that may fail comes first.
    placed = [(point, found, found.position(base)) for point, found in sorted(surface_points.items())]
    group.clear()
    for point, found, position in placed:
        item = group.add()
        item.index, item.corners, item.weights = point, found.corners, found.weights
        item.position, item.vertex_count = position, len(base)
