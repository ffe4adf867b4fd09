"""Draws how far the mouth opens over the waveforms of the sequencer, to compare the motion with the voice.

It is off until its button is pressed. The graph of a line is computed once, from the prediction stored with its Action;
the draw handler adds a few triangles per frame of the line to the waveforms that Blender draws.
"""

from typing import Literal

import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader
from numpy.typing import NDArray

from .. import compat
from ..scene import strip_identity, strips
from . import mouth_openings

BOTTOM, HEIGHT = 0.12, 0.55  # of a channel's height: keeps clear of the strip below and of the strip's name above
FILL, LINE = (1.0, 0.55, 0.1, 0.35), (1.0, 0.65, 0.2, 1.0)  # RGBA
_handle: object | None = None  # of the draw handler, while the graph is shown


def is_shown() -> bool:
    """Whether the graph is drawn."""
    return _handle is not None


def show() -> None:
    """Draw the graph from now on."""
    global _handle
    if _handle is None:
        _handle = bpy.types.SpaceSequenceEditor.draw_handler_add(_draw, (), "WINDOW", "POST_VIEW")
    _redraw()


def hide() -> None:
    """Stop drawing the graph."""
    global _handle
    if _handle is not None:
        bpy.types.SpaceSequenceEditor.draw_handler_remove(_handle, "WINDOW")
        _handle = None
    mouth_openings.clear_cache()
    _redraw()


def _redraw() -> None:
    """Redraw the sequencers, and the sidebars with the button."""
    for window in bpy.context.window_manager.windows if bpy.context.window_manager else ():
        for area in window.screen.areas:
            if area.type in {"VIEW_3D", "SEQUENCE_EDITOR"}:
                area.tag_redraw()


def _draw() -> None:
    """Draw the graphs of all lines in the sequencer's units: frames to the right, channels upwards."""
    context = bpy.context
    if context.space_data.view_type == "PREVIEW":
        return
    scene = compat.sequencer_scene(context)
    lines = mouth_openings.openings_by_strip()
    if not lines:
        return
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    shader.bind()
    gpu.state.blend_set("ALPHA")
    for strip in strips.sound_strips(scene):
        line = lines.get(strip_identity.strip_id(strip))
        if line is not None:
            _draw_line(shader, line.first_frame + np.arange(len(line.opening)), strip.channel, line.opening)
    gpu.state.blend_set("NONE")


def _draw_line(
    shader: gpu.types.GPUShader, frames: NDArray[np.integer], channel: int, opening: NDArray[np.float32]
) -> None:
    """Draw one line's opening (F,), 0 to 1, at its frames (F,) in the lower part of its strip."""
    top = np.stack([frames, channel + BOTTOM + HEIGHT * opening], 1).astype(np.float32)
    bottom = top.copy()
    bottom[:, 1] = channel + BOTTOM
    both = np.stack([bottom, top], 1).reshape(-1, 2)
    _draw_batch(shader, "TRI_STRIP", both, FILL)
    _draw_batch(shader, "LINE_STRIP", top, LINE)


def _draw_batch(
    shader: gpu.types.GPUShader,
    kind: Literal["TRI_STRIP", "LINE_STRIP"],
    points: NDArray[np.float32],
    colour: tuple[float, float, float, float],
) -> None:
    """Draw points (N, 2) as a strip of triangles or lines."""
    shader.uniform_float("color", colour)
    positions = {"pos": points}
    # The stubs want a buffer: an array is one, but its type says so only since Python 3.12.
    batch_for_shader(shader, kind, positions).draw(shader)  # type: ignore[arg-type]
