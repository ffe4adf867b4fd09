"""Landmarks over a viewport: points, lines between them, and the name of the one under the pointer."""

import blf
import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader

from ...scene.landmarks import points
from .editor import Editor, to_pixels

FOUND, OWN, DOUBTFUL = (0.2, 0.75, 1.0, 0.9), (0.3, 1.0, 0.35, 1.0), (1.0, 0.35, 0.2, 1.0)
HOVERED = (1.0, 0.9, 0.2, 1.0)
LINE, OUTLINE = (0.2, 0.75, 1.0, 0.35), (0.0, 0.0, 0.0, 0.7)
RADIUS, CORNERS = 4.0, 12  # of a point: pixels, and corners of its disc


def pixels(editor: Editor, region: bpy.types.Region, view: bpy.types.RegionView3D) -> np.ndarray:
    """(68, 2) where the points are in a region; NaN where there is none."""
    return to_pixels(editor.positions(), np.array(view.perspective_matrix), region.width, region.height)


def draw(editor: Editor, doubtful: set[int]) -> None:
    """A handler for POST_PIXEL, in every 3D viewport."""
    region, view = bpy.context.region, bpy.context.region_data
    if region is None or view is None:
        return
    scale = bpy.context.preferences.system.ui_scale
    where, shown = pixels(editor, region, view), editor.shown
    gpu.state.blend_set("ALPHA")
    if not editor.four:
        _fill("LINES", lines(where, shown), LINE)
    for point in shown:
        colour = (
            HOVERED
            if point == editor.hovered
            else OWN
            if point in editor.own
            else DOUBTFUL
            if point in doubtful
            else FOUND
        )
        _fill("TRIS", disc(where[point], scale * (RADIUS + 1.5)), OUTLINE)
        _fill("TRIS", disc(where[point], scale * (RADIUS + (point == editor.hovered))), colour)
    gpu.state.blend_set("NONE")
    for point in shown if editor.four else [p for p in shown if p == editor.hovered]:
        _label(where[point], points.name(point), scale, leftwards=point in points.RIGHT)


def lines(where: np.ndarray, shown: list[int]) -> np.ndarray:
    """(2 N, 2) ends of the lines between neighbours that are both on the screen; where (68, 2)."""
    ends = [where[[a, b]] for a, b in points.segments() if a in shown and b in shown]
    ends = np.concatenate(ends) if ends else np.zeros((0, 2))
    return ends.reshape(-1, 2, 2)[np.isfinite(ends.reshape(-1, 4)).all(1)].reshape(-1, 2)


def disc(centre: np.ndarray, radius: float) -> np.ndarray:
    """(3 CORNERS, 2) triangles; none for a centre that is not on the screen."""
    if not np.isfinite(centre).all():
        return np.zeros((0, 2))
    angles = np.linspace(0, 2 * np.pi, CORNERS + 1)
    rim = centre + radius * np.column_stack([np.cos(angles), np.sin(angles)])
    return np.stack([np.broadcast_to(centre, (CORNERS, 2)), rim[:-1], rim[1:]], 1).reshape(-1, 2)


def _fill(kind: str, corners: np.ndarray, colour: tuple) -> None:
    if not len(corners):
        return
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    flat = np.column_stack([corners, np.zeros(len(corners))]).astype(np.float32)
    batch = batch_for_shader(shader, kind, {"pos": flat})
    shader.uniform_float("color", colour)
    batch.draw(shader)


def _label(where: np.ndarray, text: str, scale: float, leftwards: bool) -> None:
    """The text beside a point: towards the outside of the face, seen from the front."""
    if not np.isfinite(where).all():
        return
    blf.size(0, 12 * scale)
    x = where[0] + (-10 * scale - blf.dimensions(0, text)[0] if leftwards else 10 * scale)
    blf.enable(0, blf.SHADOW)
    blf.shadow(0, 3, 0, 0, 0, 1)
    blf.color(0, 1, 1, 1, 1)
    blf.position(0, x, where[1] - 4 * scale, 0)
    blf.draw(0, text)
    blf.disable(0, blf.SHADOW)
