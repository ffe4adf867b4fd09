"""Looks at what a line moves on the evaluated head, once it is written."""

from dataclasses import replace

import bpy
import numpy as np
from bpy.app.translations import pgettext_iface as iface
from numpy.typing import NDArray

from ..animation import actions, line_curves, lines
from ..prediction import lips
from ..prediction.store import Prediction
from ..scene import bones, evaluated_keys, shape_key_faults
from ..scene.access import mesh_of
from ..scene.meshes import read_triangles
from ..scene.shape_keys import renamed
from . import result_check
from .line_plan import LinePlan
from .name_list import listed
from .result_check import Expectation


def look(head: bpy.types.Object, plan: LinePlan) -> str:
    """Measure what a line moves, and say it as the continuation of a sentence.

    Args:
        head: The head, on which the line is written.
        plan: What was written.

    Returns:
        An empty text where there is nothing to measure: the face is not known, the head is disabled in viewports,
        modifiers take vertices away, or other lines are heard at the same frames.
    """
    action, expected = actions.existing(mesh_of(head)), plan.expected
    record = lines.find(action, plan.line.id)
    if expected is None:  # no face was found: what holds keys back can be told all the same
        return _held_back(head)
    if action is None or record is None or head.hide_viewport or lines.overlapping(action, record):
        return ""
    sliders = lines.sliders(record)
    first = record.first_frame + sliders.offset
    at_rest = lines.windows(action)[-1][1]  # the frame in which the last line has come to rest
    vertices = evaluated_keys.sample_vertices(head, [at_rest, *(first + row for row in expected.frames)])
    if vertices is None:
        return ""
    scaled = vertices @ np.array(head.matrix_world.to_3x3(), np.float32).T
    found = result_check.measure(expected, scaled[0], scaled[1:], read_triangles(mesh_of(head)))
    too_little = result_check.too_little(expected, found)
    cause = _cause(head, plan.prediction, sliders, expected, scaled[0], vertices[0]) if too_little else ""
    return result_check.describe(expected, found, first, cause, iface)


def _held_back(head: bpy.types.Object) -> str:
    """What keeps keys from showing, whatever they show, as the continuation of a sentence."""
    pinned, muted = shape_key_faults.pinned(head), shape_key_faults.muted(head)
    short = shape_key_faults.short_sliders(head)
    text = iface("; the shape key {name} is pinned, so that no other one shows").format(name=pinned) if pinned else ""
    if muted:
        text += iface("; these are muted: {names}").format(names=listed(muted))
    if short:
        text += iface("; the sliders of these end too early: {names}").format(names=listed([*short]))
    return text


def _cause(
    head: bpy.types.Object,
    prediction: Prediction,
    sliders: line_curves.Sliders,
    expected: Expectation,
    in_world: NDArray[np.float32],
    local: NDArray[np.float32],
) -> str:
    """Why the lips part too little; empty if that is not known. Takes the vertices (V, 3) in both spaces."""
    if "jawOpen" in bones.channels(head):
        return ""  # no key is to open the mouth
    if prediction.drive is not None:  # what is wanted does not end where a slider ends
        free = np.full_like(prediction.drive.low, np.inf)
        prediction = replace(prediction, drive=replace(prediction.drive, low=-free, high=free))
    on_keys = line_curves.retarget(prediction, sliders)
    values = on_keys.motion[expected.frames[0]]
    opening = values * lips.opening(on_keys.lips)
    k = int(opening.argmax())
    ends = expected.vertices[result_check.LIPS]
    face = local[[*expected.face]], in_world[[*expected.face]]
    size, world_size = (float(np.linalg.norm(points[1] - points[0])) for points in face)
    wanted = float(opening[k]) / expected.millimetres * size / world_size
    name = on_keys.channels[k]
    name = renamed(mesh_of(head)).get(name, name)
    return shape_key_faults.find(head, name, float(values[k]), ends, wanted)
