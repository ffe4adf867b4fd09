"""Draws landmarks over a viewport: discs, lines between them, and the name of the hovered one."""

from typing import Literal

import blf
import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader
from numpy.typing import NDArray

from ...scene.landmarks import points
from .editor import Editor, to_pixels

Colour = tuple[float, float, float, float]  # RGBA
Floats = NDArray[np.floating]

# Colours of a landmark that was found automatically, set by hand, doubtful, or under the pointer.
FOUND: Colour = (0.2, 0.75, 1.0, 0.9)
OWN: Colour = (0.3, 1.0, 0.35, 1.0)
DOUBTFUL: Colour = (1.0, 0.35, 0.2, 1.0)
HOVERED: Colour = (1.0, 0.9, 0.2, 1.0)
LINE: Colour = (0.2, 0.75, 1.0, 0.35)
OUTLINE: Colour = (0.0, 0.0, 0.0, 0.7)
RADIUS = 4.0  # pixels, of a landmark's disc at an interface scale of 1; so are the other lengths
OUTLINE_WIDTH = 1.5  # pixels
CORNERS = 12  # of the polygon that is drawn as a disc
FONT_SIZE = 12  # pixels
LABEL_GAP = 10  # pixels between landmark and label


def pixels(editor: Editor, region: bpy.types.Region, view: bpy.types.RegionView3D) -> Floats:
    """Project the landmarks into a region.

    Args:
        editor: Holds the landmarks.
        region: The viewport.
        view: The view of this viewport.

    Returns:
        Positions (68, 2) in pixels from the region's lower left corner; NaN for landmarks that are not set or behind
        the viewer.
    """
    return to_pixels(editor.positions(), np.array(view.perspective_matrix), region.width, region.height)


def draw(editor: Editor, doubtful: set[int]) -> None:
    """Draw the landmarks in the context's viewport: a POST_PIXEL draw handler.

    Args:
        editor: Holds the landmarks.
        doubtful: Numbers of the landmarks that the artist should check.
    """
    region, view = bpy.context.region, bpy.context.region_data
    if region is None or view is None:
        return
    scale = bpy.context.preferences.system.ui_scale
    where, shown = pixels(editor, region, view), editor.shown
    gpu.state.blend_set("ALPHA")
    if not editor.anchors_only:
        _fill("LINES", lines(where, shown), LINE)
    for point in shown:
        is_hovered = point == editor.hovered
        _fill("TRIS", disc(where[point], scale * (RADIUS + OUTLINE_WIDTH)), OUTLINE)
        _fill("TRIS", disc(where[point], scale * (RADIUS + is_hovered)), _colour(editor, doubtful, point))
    gpu.state.blend_set("NONE")
    for point in shown if editor.anchors_only else [p for p in shown if p == editor.hovered]:
        _label(where[point], points.name(point), scale, leftwards=point in points.RIGHT)


def lines(where: Floats, shown: list[int]) -> Floats:
    """Return the lines between neighbouring landmarks that are both visible.

    Args:
        where: Positions (68, 2) of the landmarks in pixels; NaN for those that are not visible.
        shown: Numbers of the landmarks that are drawn.

    Returns:
        Ends (2 N, 2) of N lines in pixels.
    """
    pairs = [where[[a, b]] for a, b in points.segments() if a in shown and b in shown]
    ends = np.concatenate(pairs) if pairs else np.zeros((0, 2))
    return np.asarray(ends.reshape(-1, 2, 2)[np.isfinite(ends.reshape(-1, 4)).all(1)].reshape(-1, 2))


def disc(centre: Floats, radius: float) -> Floats:
    """Return the triangles of a disc.

    Args:
        centre: Position (2,) in pixels; NaN if it is not visible.
        radius: Radius in pixels.

    Returns:
        Corners (3 * CORNERS, 2) of the triangles in pixels; (0, 2) if the centre is not visible.
    """
    if not np.isfinite(centre).all():
        return np.zeros((0, 2))
    angles = np.linspace(0, 2 * np.pi, CORNERS + 1)
    rim = centre + radius * np.column_stack([np.cos(angles), np.sin(angles)])
    return np.stack([np.broadcast_to(centre, (CORNERS, 2)), rim[:-1], rim[1:]], 1).reshape(-1, 2)


def _colour(editor: Editor, doubtful: set[int], point: int) -> Colour:
    """Return the colour of a landmark, which shows its state."""
    if point == editor.hovered:
        return HOVERED
    if point in editor.own:
        return OWN
    return DOUBTFUL if point in doubtful else FOUND


def _fill(kind: Literal["LINES", "TRIS"], corners: Floats, colour: Colour) -> None:
    """Draw lines or triangles with corners (N, 2) in pixels."""
    if not len(corners):
        return
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    flat = np.column_stack([corners, np.zeros(len(corners))]).astype(np.float32)
    batch = batch_for_shader(shader, kind, {"pos": flat})  # type: ignore[dict-item]  # an array is a buffer
    shader.uniform_float("color", colour)
    batch.draw(shader)


def _label(where: Floats, text: str, scale: float, leftwards: bool) -> None:
    """Draw a text beside a landmark at (2,) pixels, on the outer side of the face as seen from the front."""
    if not np.isfinite(where).all():
        return
    blf.size(0, FONT_SIZE * scale)
    gap = LABEL_GAP * scale
    x = where[0] + (-gap - blf.dimensions(0, text)[0] if leftwards else gap)
    blf.enable(0, blf.SHADOW)
    blf.shadow(0, 3, 0, 0, 0, 1)
    blf.color(0, 1, 1, 1, 1)
    blf.position(0, x, where[1] - FONT_SIZE / 3 * scale, 0)
    blf.draw(0, text)
    blf.disable(0, blf.SHADOW)
