"""The values that Blender evaluates for the shape keys of a head: with Actions, NLA and drivers."""

import bpy
import numpy as np
from numpy.typing import NDArray

from .access import active_scene, depsgraph_of, mesh_of


def animated_range(mesh: bpy.types.Mesh, scene: bpy.types.Scene) -> tuple[int, int]:
    """First and last frame of the animation of the shape keys; without animation those of the scene."""
    data = mesh.shape_keys.animation_data if mesh.shape_keys else None
    ranges: list[tuple[float, float]] = []
    if data and data.action:
        span = data.action.curve_frame_range
        ranges.append((span[0], span[1]))
    if data and data.use_nla:
        ranges += [
            (strip.frame_start, strip.frame_end)
            for track in data.nla_tracks
            if not track.mute
            for strip in track.strips
            if not strip.mute
        ]
    # An Action without curves, or with one key of each that holds, is at one frame and says nothing.
    ranges = [(first, last) for first, last in ranges if last > first + 1]
    if not ranges:
        return scene.frame_start, scene.frame_end
    return int(np.floor(min(start for start, _ in ranges))), int(np.ceil(max(end for _, end in ranges)))


def sample(obj: bpy.types.Object, frames: NDArray[np.floating]) -> tuple[list[str], NDArray[np.float32]]:
    """Evaluate the shape keys of an object at some frames.

    This happens in a scene of its own, so that only this object and what drives it is computed, and the artist's scene
    stays on its frame.

    Args:
        obj: A mesh object with shape keys.
        frames: (F,) frames of the scene, fractions allowed.

    Returns:
        Names of the K shape keys but the Basis, and (F, K) their values.
    """
    keys = mesh_of(obj).shape_keys
    names = [key.name for key in keys.key_blocks if key != keys.reference_key]
    table = np.empty((len(frames), len(names)), np.float32)
    scene = bpy.data.scenes.new("LSF evaluated keys")
    try:
        scene.collection.objects.link(obj)
        layer = scene.view_layers[0]
        layer.update()  # makes its depsgraph
        for row, frame in zip(table, frames.tolist(), strict=True):
            whole = int(np.floor(frame))
            scene.frame_set(whole, subframe=frame - whole)
            blocks = mesh_of(obj.evaluated_get(depsgraph_of(layer))).shape_keys.key_blocks
            row[:] = [blocks[name].value for name in names]
    finally:
        shown = active_scene(bpy.context)
        scene.frame_set(shown.frame_current, subframe=shown.frame_subframe)  # the values that the sliders show
        bpy.data.scenes.remove(scene)
    return names, table
