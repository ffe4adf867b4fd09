"""Landmarks as they are kept with the head object: where they were found, and which the artist has set.

Each is told by a triangle's corners, so it goes with the mesh when that is sculpted, moved or scaled; should the mesh
get other vertices, it is put on the new surface where it was on the old one.
"""

import bpy
import numpy as np

from .. import meshes
from . import points
from .surface import Surface, SurfacePoint

Places = dict[int, SurfacePoint]


def read(head: bpy.types.Object) -> tuple[Places, Places]:
    """The points as they were found, and those of the artist."""
    face, mesh = head.lsf, head.data
    stored = [item for group in (face.found_landmarks, face.own_landmarks) for item in group]
    surface = None
    if any(item.vertex_count != len(mesh.vertices) for item in stored):
        surface = Surface(meshes.base_vertices(mesh), meshes.read_triangles(mesh))
    found, own = (
        {item.index: _place(item, mesh, surface) for item in group if 0 <= item.index < points.COUNT}
        for group in (face.found_landmarks, face.own_landmarks)
    )
    return found, own


def write_own(head: bpy.types.Object, own: Places) -> None:
    """Keep the artist's points, instead of those before."""
    _write(head.lsf.own_landmarks, own, head.data)


def write_found(head: bpy.types.Object, found: Places, doubtful: set[int]) -> None:
    """Keep the points as they were found, and those of them that the artist should check.

    Where the artist has set a point, no other can be found: there the earlier one stays. A point that is found again
    where the artist has accepted it needs no second look.
    """
    earlier, own = read(head)
    accepted = {item.index: tuple(item.corners) for item in head.lsf.found_landmarks if item.accepted}
    found = {point: place for point, place in found.items() if point not in own}
    _write(head.lsf.found_landmarks, {point: earlier[point] for point in own if point in earlier} | found, head.data)
    for item in head.lsf.found_landmarks:
        item.accepted = accepted.get(item.index) == tuple(item.corners)
        item.doubtful = item.index in doubtful and not item.accepted


def accept(head: bpy.types.Object) -> None:
    """The artist has looked at all points as they were found."""
    for item in head.lsf.found_landmarks:
        if item.doubtful:
            item.doubtful, item.accepted = False, True


def own_positions(head: bpy.types.Object, vertices: np.ndarray) -> np.ndarray | None:
    """(68, 3) float32 the artist's points on the mesh with vertices (V, 3), NaN for all others; None without any."""
    own = read(head)[1]
    if not own:
        return None
    where = np.full((points.COUNT, 3), np.nan, np.float32)
    for point, place in own.items():
        where[point] = place.position(vertices)
    return where


def doubtful(head: bpy.types.Object) -> list[int]:
    """The points that the artist should check, and has not set since."""
    own = {item.index for item in head.lsf.own_landmarks}
    return [item.index for item in head.lsf.found_landmarks if item.doubtful and item.index not in own]


def _place(item, mesh: bpy.types.Mesh, surface: Surface | None) -> SurfacePoint:
    if item.vertex_count != len(mesh.vertices):
        return surface.closest_point(np.array(item.position))
    return SurfacePoint(tuple(item.corners), tuple(item.weights))


def _write(group: bpy.types.bpy_prop_collection, places: Places, mesh: bpy.types.Mesh) -> None:
    base = meshes.base_vertices(mesh)
    group.clear()
    for point, place in sorted(places.items()):
        item = group.add()
        item.index, item.corners, item.weights = point, place.corners, place.weights
        item.position, item.vertex_count = place.position(base), len(base)
