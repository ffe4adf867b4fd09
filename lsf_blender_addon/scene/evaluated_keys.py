"""What the shape keys of a head really do: Actions, NLA, drivers and all."""

import bpy
import numpy as np


def animated_range(mesh: bpy.types.Mesh, scene: bpy.types.Scene) -> tuple[int, int]:
    """First and last frame of what animates the shape keys; without animation those of the scene."""
    data = mesh.shape_keys.animation_data if mesh.shape_keys else None
    ranges = [tuple(data.action.curve_frame_range)] if data and data.action else []
    if data and data.use_nla:
        ranges += [
            (strip.frame_start, strip.frame_end)
            for track in data.nla_tracks
            if not track.mute
            for strip in track.strips
            if strip.extrapolation == "NOTHING" and not strip.mute
        ]
    if not ranges:
        return scene.frame_start, scene.frame_end
    return int(np.floor(min(start for start, _ in ranges))), int(np.ceil(max(end for _, end in ranges)))


def sample(obj: bpy.types.Object, frames: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Names of the object's shape keys but the Basis (K), and their values (len(frames), K) float32 at scene frames.

    Evaluated in a scene of its own, so that only this head and what drives it is computed, and the frame stays.
    """
    keys = obj.data.shape_keys
    names = [key.name for key in keys.key_blocks if key != keys.reference_key]
    table = np.empty((len(frames), len(names)), np.float32)
    scene = bpy.data.scenes.new("LSF played")
    try:
        scene.collection.objects.link(obj)
        layer = scene.view_layers[0]
        layer.update()  # makes its depsgraph
        for row, frame in zip(table, frames.tolist(), strict=True):
            whole = int(np.floor(frame))
            scene.frame_set(whole, subframe=frame - whole)
            blocks = obj.evaluated_get(layer.depsgraph).data.shape_keys.key_blocks
            row[:] = [blocks[name].value for name in names]
    finally:
        shown = bpy.context.scene
        scene.frame_set(shown.frame_current, subframe=shown.frame_subframe)  # the values that the sliders show
        bpy.data.scenes.remove(scene)
    return names, table
