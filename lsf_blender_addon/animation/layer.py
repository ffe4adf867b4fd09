"""The artist's layer above the generated Action: an Action whose values are added.

It has keys with the value 0 at the ends of each line, so that a key of the artist stays in its line. A curve that the
artist has keyed keeps its keys and its values: it only gets such keys where it rests at 0.
"""

from collections.abc import Iterable

import bpy

from .. import compat
from ..scene import stored
from .line_curves import Window

PROPERTY = "lsf_layer_rest"  # custom property on the layer: the frames of its keys with the value 0


def new(name: str) -> bpy.types.Action:
    """Make an empty layer for the generated Action of this name."""
    layer = bpy.data.actions.new(f"By hand · {name}")
    layer[PROPERTY] = ""
    compat.key_fcurves(layer)  # makes its slot
    return layer


def is_layer(action: bpy.types.Action | None) -> bool:
    """Whether this is such a layer."""
    return action is not None and stored.text(action, PROPERTY) is not None


def rest_between(layer: bpy.types.Action, paths: Iterable[str], windows: list[Window]) -> None:
    """Put keys with the value 0 at the ends of the lines, on curves of the artist only where they rest at 0.

    Args:
        layer: The layer; one that is linked is not changed.
        paths: Data paths of the generated curves.
        windows: First and last frames of the lines; without lines, the curves are removed.
    """
    frames = sorted({frame for window in windows for frame in window})
    text, wanted = " ".join(map(str, frames)), set(paths) if frames else set()
    curves = compat.key_fcurves(layer)
    existing = {curve.data_path: curve for curve in curves}
    if layer.library or (layer.get(PROPERTY) == text and wanted <= existing.keys()):
        return
    earlier = {frame for word in layer[PROPERTY].split() if (frame := stored.frame_in(word)) is not None}
    for path in sorted(wanted | existing.keys()):
        curve = existing.get(path) or curves.new(path)
        if not all(point.co[1] == 0 and point.co[0] in earlier for point in curve.keyframe_points):
            _add_rest(curve, frames)  # the artist's
            continue
        if path not in wanted:
            curves.remove(curve)
            continue
        curve.keyframe_points.clear()
        curve.keyframe_points.add(len(frames))
        curve.keyframe_points.foreach_set("co", [number for frame in frames for number in (frame, 0.0)])
        for point in curve.keyframe_points:
            point.handle_left_type = point.handle_right_type = "AUTO_CLAMPED"
        curve.update()
    layer[PROPERTY] = text


def _add_rest(curve: bpy.types.FCurve, frames: list[int]) -> None:
    """Add keys with the value 0 at those of the frames at which a curve of the artist rests at 0 and has no key."""
    if curve.lock:
        return
    keyed = {point.co[0] for point in curve.keyframe_points}
    resting = [f for f in frames if f not in keyed and not any(curve.evaluate(f + step) for step in (-1, 0, 1))]
    for frame in resting:
        point = curve.keyframe_points.insert(frame, 0.0)
        point.handle_left_type = point.handle_right_type = "AUTO_CLAMPED"
    curve.update()
