"""How far the mouth opens, drawn over the waveforms of the sequencer: does the mouth move when the voice does?

Off until the button is pressed. The graph of a line is computed once, from the prediction kept with its Action. Blender
draws the waveforms, and the handler only a few triangles a frame of the line.
"""

import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader

from .. import compat
from ..scene import strips
from . import mouth_openings

FILL, LINE = (1.0, 0.55, 0.1, 0.35), (1.0, 0.65, 0.2, 1.0)
_handle = None


def is_shown() -> bool:
    return _handle is not None


def show() -> None:
    global _handle
    if _handle is None:
        _handle = bpy.types.SpaceSequenceEditor.draw_handler_add(_draw, (), "WINDOW", "POST_VIEW")
    _redraw()


def hide() -> None:
    global _handle
    if _handle is not None:
        bpy.types.SpaceSequenceEditor.draw_handler_remove(_handle, "WINDOW")
        _handle = None
    mouth_openings.clear_cache()
    _redraw()


def _redraw() -> None:
    for window in bpy.context.window_manager.windows if bpy.context.window_manager else ():
        for area in window.screen.areas:
            if area.type in {"VIEW_3D", "SEQUENCE_EDITOR"}:
                area.tag_redraw()


def _draw() -> None:
    """In the units of the sequencer: frames across, channels up."""
    context = bpy.context
    if context.space_data.view_type == "PREVIEW":
        return
    scene = compat.sequencer_scene(context)
    lines = mouth_openings.openings_by_strip(scene)
    if not lines:
        return
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    shader.bind()
    gpu.state.blend_set("ALPHA")
    for strip in strips.sound_strips(scene):
        if strip.name in lines:
            first, opening = lines[strip.name]
            _draw_line(shader, first + np.arange(len(opening)), strip.channel, opening)
    gpu.state.blend_set("NONE")


def _draw_line(shader, frames: np.ndarray, channel: int, opening: np.ndarray) -> None:
    """One line's opening, 0 to 1, in the lower part of its strip."""
    top = np.stack([frames, channel + mouth_openings.BOTTOM + mouth_openings.HEIGHT * opening], 1).astype(np.float32)
    bottom = top.copy()
    bottom[:, 1] = channel + mouth_openings.BOTTOM
    both = np.stack([bottom, top], 1).reshape(-1, 2)
    shader.uniform_float("color", FILL)
    batch_for_shader(shader, "TRI_STRIP", {"pos": both}).draw(shader)
    shader.uniform_float("color", LINE)
    batch_for_shader(shader, "LINE_STRIP", {"pos": top}).draw(shader)
