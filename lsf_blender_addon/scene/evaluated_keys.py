"""What Blender evaluates for a head at some frames: values of its shape keys, and its vertices."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import bpy
import numpy as np
from numpy.typing import NDArray

from .access import active_scene, depsgraph_of, mesh_of
from .meshes import coordinates

# Modifiers that make a mesh finer, or add to it. They show the motion of its own vertices, and cost much time.
ADDING_MODIFIERS = {"ARRAY", "BEVEL", "MULTIRES", "SCREW", "SKIN", "SOLIDIFY", "SUBSURF", "WIREFRAME"}


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

    Only this object and what drives it is computed, and the artist's scene stays on its frame: see `evaluation`.

    Args:
        obj: A mesh object with shape keys.
        frames: (F,) frames of the scene, fractions allowed.

    Returns:
        Names of the K shape keys but the Basis, and (F, K) their values.
    """
    keys = mesh_of(obj).shape_keys
    names = [key.name for key in keys.key_blocks if key != keys.reference_key]
    table = np.empty((len(frames), len(names)), np.float32)
    with evaluation(obj) as evaluated_at:
        for row, frame in zip(table, frames.tolist(), strict=True):
            blocks = mesh_of(evaluated_at(frame)).shape_keys.key_blocks
            row[:] = [blocks[name].value for name in names]
    return names, table


def sample_vertices(obj: bpy.types.Object, frames: Sequence[float]) -> NDArray[np.float32] | None:
    """Evaluate the vertices of an object at some frames, as `sample` does, without modifiers that add vertices.

    Args:
        obj: A mesh object.
        frames: F frames of the scene, fractions allowed.

    Returns:
        (F, V, 3) positions in the object's own space; None if other modifiers change the number of vertices.
    """
    table = np.empty((len(frames), len(mesh_of(obj).vertices), 3), np.float32)
    copy = obj.copy()  # of the object alone: it has the same mesh, and so the same shape keys and curves
    assert copy is not None
    try:
        for modifier in [modifier for modifier in copy.modifiers if modifier.type in ADDING_MODIFIERS]:
            copy.modifiers.remove(modifier)
        with evaluation(copy) as evaluated_at:
            for row, frame in zip(table, frames, strict=True):
                vertices = mesh_of(evaluated_at(frame)).vertices
                if len(vertices) != len(row):
                    return None
                row[:] = coordinates(vertices)
    finally:
        bpy.data.objects.remove(copy)
    return table


@contextmanager
def evaluation(obj: bpy.types.Object) -> Iterator[Callable[[float], bpy.types.Object]]:
    """Evaluate one object in a scene of its own.

    Yields:
        A function that takes a frame, fractions allowed, and returns the evaluated object, valid until the next call.
    """
    scene = bpy.data.scenes.new("LSF evaluation")
    try:
        scene.collection.objects.link(obj)
        layer = scene.view_layers[0]
        layer.update()  # makes its depsgraph

        def evaluated_at(frame: float) -> bpy.types.Object:
            whole = int(np.floor(frame))
            scene.frame_set(whole, subframe=frame - whole)
            evaluated: bpy.types.Object = obj.evaluated_get(depsgraph_of(layer))
            return evaluated

        yield evaluated_at
    finally:
        shown = active_scene(bpy.context)
        scene.frame_set(shown.frame_current, subframe=shown.frame_subframe)  # the values that the sliders show
        bpy.data.scenes.remove(scene)
