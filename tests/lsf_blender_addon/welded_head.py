"""Objects with welded lips (see tests/welded_heads.py), and the seams of those that are grids."""

import bpy
import numpy as np

from lsf_blender_addon.scene.lip_seam import Seam
from tests import welded_heads

LIP_HEIGHT, MOUTH_HALF_WIDTH = -0.034, 0.022  # metres, on the project's own head


def add(vertices, faces, name="Welded"):
    """An object with these vertices and faces, smooth, active and selected."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices.tolist(), [], faces.tolist())
    mesh.polygons.foreach_set("use_smooth", np.ones(len(faces), bool))
    mesh.update()
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.collection.objects.link(obj)
    for other in bpy.context.selected_objects:
        other.select_set(False)
    obj.select_set(True)
    bpy.context.view_layer.objects.active = obj
    return obj


def add_scanned(name="Welded"):
    """A scanned head: a grid of quads."""
    return add(*welded_heads.scanned(), name)


def seam_along_edges(obj):
    """The row of a scanned head's vertices that lies nearest to where the lips meet."""
    (row,) = _rows(obj, 1)
    return Seam(tuple((vertex, vertex, 0.0) for vertex in row), len(obj.data.vertices), 0.5)


def seam_across_faces(obj):
    """Halfway between the two rows of vertices that lie nearest to where the lips meet."""
    one, two = _rows(obj, 2)
    return Seam(tuple((a, b, 0.5) for a, b in zip(one, two, strict=True)), len(obj.data.vertices), 0.5)


def _rows(obj, count):
    """The rows of vertices nearest to where the lips meet, each from the right to the left corner of the mouth."""
    places = np.array([vertex.co for vertex in obj.data.vertices])
    inside = np.abs(places[:, 0]) < MOUTH_HALF_WIDTH
    heights = np.unique(places[inside, 2].round(5))
    nearest = heights[np.argsort(np.abs(heights - LIP_HEIGHT))[:count]]
    rows = [np.flatnonzero(inside & (np.abs(places[:, 2] - height) < 1e-4)) for height in nearest]
    return [row[np.argsort(places[row, 0])].tolist() for row in rows]
