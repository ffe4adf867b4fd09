"""Takes over the lines that add-on 0.1.0 has made: it kept each line in an Action of its own, on NLA tracks.

Its blinks and gaze played on tracks beside the speech, the blinks with a shape key of their own. They become blinks and
gaze of the line. Keys that the artist has set on the speech's curves stay; what they have changed on the tracks of
blinks and gaze is lost with these.
"""

import contextlib
import uuid
from dataclasses import replace

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import compat
from ..prediction import eyes, store
from ..prediction.store import Prediction
from ..scene import stored, strip_identity
from ..scene.access import ensure_key_animation, find_item, key_animation, mesh_of, shape_keys_of
from ..scene.character import listed_parts
from ..scene.landmarks import store as landmarks
from ..scene.meshes import base_vertices, coordinates, to_world
from ..scene.shape_keys import generated_keys, renamed
from ..scene.snapshots import Source
from . import actions, curve_edits, curve_record, fcurves, keyframes, lines, nla, part_drivers, shape_keys
from .curve_record import Record
from .fcurves import value_path
from .key_plan import KeyPlan, PartPlan

SPEECH, LAYER, PREDICTION, DRIVE = "lsf_generated", "lsf_layer", "lsf_prediction", "lsf_drive"
TRACKS = ("LSF", "LSF rest", "LSF blinks", "LSF gaze")
BLINK = "LSF blink"  # the shape key that closed both lids
EYE_CORNERS = (36, 45)  # landmarks: outer corners of the right and the left eye
LEAST_ROOM = 0.1  # of the lids: where speech closes them further, a blink cannot be seen in the curve

Floats = NDArray[np.float32]


def are_there(mesh: bpy.types.Mesh) -> bool:
    """Whether these shape keys play lines of add-on 0.1.0. Fast enough for a panel."""
    data = key_animation(mesh)
    return data is not None and any(_is_speech(action) for action in nla.actions(data))


def take_over(head: bpy.types.Object) -> int:
    """Make lines of the head's one Action of the Actions that add-on 0.1.0 has made.

    A line whose prediction cannot be read keeps its curves, but has no sliders and is in no list.

    Args:
        head: The head's object.

    Returns:
        Number of lines.
    """
    mesh, name = mesh_of(head), head.name
    data = ensure_key_animation(mesh)
    speech = [action for action in nla.actions(data) if _is_speech(action)]
    layers = [action for action in nla.actions(data) if stored.group(action, LAYER) is not None]
    rests = [action for action in nla.actions(data) if _is_rest(action)]
    found = [(old, _prediction(old, [layer for layer in layers if _mark(layer) == _mark(old)])) for old in speech]
    _clear_tracks(data)
    if data.action in speech:
        data.action = None
    action = actions.ensure(mesh, name)
    actions.place(mesh, action, [])
    for old, _predicted in found:
        _merge_curves(action, old)
    uids = [_add_line(mesh, name, old, predicted) for old, predicted in found if predicted is not None]
    _replace_blink_keys(head)
    for uid in uids:
        if (record := lines.find(action, uid)) is not None:
            lines.write(mesh, action, record)
    for unused in {*speech, *layers, *rests}:
        if not unused.users - unused.use_fake_user:
            bpy.data.actions.remove(unused)
    return len(uids)


def _is_speech(action: bpy.types.Action) -> bool:
    """Whether this is an Action of one line, as add-on 0.1.0 has made it, which the artist has not renamed."""
    mark = stored.group(action, SPEECH)
    return (
        mark is not None
        and action.library is None
        and mark.get("name") == action.name
        and bool(stored.text(mark, "strip"))
        and stored.text(mark, "scene") is not None
    )


def _is_rest(action: bpy.types.Action) -> bool:
    """Whether this Action of add-on 0.1.0 held the keys at rest between the lines."""
    mark = stored.group(action, SPEECH)
    return mark is not None and not mark.get("strip") and mark.get("paths") is not None


def _mark(action: bpy.types.Action) -> tuple[str, str]:
    """Names of the strip and the scene of a line."""
    mark = stored.group(action, SPEECH) or stored.group(action, LAYER)
    return (stored.text(mark, "strip") or "", stored.text(mark, "scene") or "") if mark else ("", "")


def _prediction(old: bpy.types.Action, layers: list[bpy.types.Action]) -> Prediction | None:
    """The prediction of a line, with the blinks and the gaze of its layers; None if it cannot be read."""
    kept = stored.group(old, PREDICTION)
    if kept is None:
        return None
    eyes_arrays = {"blinks": store.packed(store.NO_BLINKS), "gaze": store.packed(store.NO_GAZE)}
    record = {"heard_lines": 0, **kept.to_dict(), **eyes_arrays, "version": store.VERSION}
    if stored.group(old, DRIVE) is not None:  # the first version kept the drive beside the prediction
        record["drive"] = old[DRIVE].to_dict()
    store.set_record(old, store.PROPERTY, PREDICTION, record)
    predicted = store.load(old, PREDICTION)
    if predicted is None:
        return None
    frames = _first_frame(old) + np.arange(len(predicted.motion))
    curves = {
        fcurves.key_name(curve.data_path): np.array([curve.evaluate(frame) for frame in frames.tolist()], np.float32)
        for layer in layers
        for curve in compat.fcurves_of(layer)
    }
    return replace(predicted, blinks=_blinks(curves, predicted), gaze=_gaze(curves, len(frames)))


def _blinks(curves: dict[str, Floats], predicted: Prediction) -> Floats:
    """Closure (V, F) of the lids by the blinks of a line: its curve is what speech has left open."""
    if BLINK not in curves:
        return store.NO_BLINKS
    lids = [predicted.motion[:, k] for k, name in enumerate(predicted.channels) if name in eyes.LIDS]
    room = np.maximum(1 - np.max(lids, axis=0, initial=0.0), LEAST_ROOM)
    return np.clip(curves[BLINK] / room, 0, 1)[None].astype(np.float32)


def _gaze(curves: dict[str, Floats], frames: int) -> Floats:
    """Degrees (V, F, 2) by which the eyes turn in a line: the left eye tells."""
    if not eyes.CHANNELS & curves.keys():
        return store.NO_GAZE
    rest = np.zeros(frames, np.float32)
    turn = {way: degrees * curves.get(f"eyeLook{way}Left", rest) for way, degrees in eyes.FULL_TURN.items()}
    return np.stack((turn["Out"] - turn["In"], turn["Up"] - turn["Down"]), 1)[None].astype(np.float32)


def _first_frame(old: bpy.types.Action) -> int:
    """First frame of a line: that of its keys, if the artist has moved them."""
    mark, kept = old[SPEECH], old[PREDICTION]  # both are groups: see `take_over`
    first = stored.frame(mark.get("first_frame", kept.get("first_frame"))) or 1
    keys = curve_record.load(old).keys.values()
    written = (
        min((known.frames[0] for known in keys), default=0),
        max((known.frames[-1] for known in keys), default=0),
    )
    return first + curve_edits.moved_by(old, (int(written[0]), int(written[1])))


def _add_line(mesh: bpy.types.Mesh, name: str, old: bpy.types.Action, predicted: Prediction) -> str:
    """Add a line to the head's Action, with its prediction and sliders; returns its id."""
    source = _source(old, predicted)
    _action, record = lines.put(mesh, name, source, predicted)
    record.window = source.first_frame, source.first_frame + source.frames - 1
    sliders = stored.names(compat.system_properties(old).get("lsf"))
    for slider in (*record.tweaks.SLIDERS, "density"):
        with contextlib.suppress(TypeError, ValueError):  # a value of another type
            setattr(record.tweaks, slider, sliders.get(slider, getattr(record.tweaks, slider)))
    channels = sliders.get("channels")
    listed = [channel for channel in channels if stored.is_group(channel)] if isinstance(channels, list) else []
    muted = [channel.get("name") for channel in listed if channel.get("muted")]
    for channel in record.tweaks.channels:
        channel.muted = channel.name in muted
    return str(record.uid)


def _source(old: bpy.types.Action, predicted: Prediction) -> Source:
    """What a line was made from: its strip if that is still there under its name, else only the names."""
    (strip_name, scene_name), first, frames = _mark(old), _first_frame(old), len(predicted.motion)
    scene = find_item(bpy.data.scenes, scene_name)
    strip = strip_identity.find_named(scene, strip_name) if scene else None
    if scene is not None and strip is not None:
        strip_identity.ensure_id(scene, strip, lines.all_sources())
        if now := strip_identity.present_source(scene, strip):
            return replace(now, first_frame=first, frames=frames)
    return Source(uuid.uuid4().hex, strip_name, scene_name, "", predicted.fps, first, frames, 0.0, 0.0)


def _merge_curves(action: bpy.types.Action, old: bpy.types.Action) -> None:
    """Add the keys of a line to the head's Action, with the record of what was generated."""
    record, other = curve_record.load(action), curve_record.load(old)
    curves = compat.key_fcurves(action)
    for curve in compat.fcurves_of(old):
        target = curves.find(curve.data_path) or curves.new(curve.data_path)
        keyframes.write(target, keyframes.read(target).joined(keyframes.read(curve))[0])
    # The first versions recorded slopes that nothing uses.
    has_no_slopes = stored.is_on(stored.group(old, curve_record.PROPERTY) or {}, "automatic")
    keys = dict(record.keys)
    for path, known in other.keys.items():
        if has_no_slopes:
            known = replace(known, slopes=np.full(len(known.frames), np.nan))
        keys[path] = keys[path].joined(known) if path in keys else known
    ranges = {path: record.ranges.get(path, []) + other.ranges.get(path, []) for path in keys}
    curve_record.store(action, Record(keys, {path: spans for path, spans in ranges.items() if spans}))


def _replace_blink_keys(head: bpy.types.Object) -> None:
    """Give the head and its parts the keys of both lids that they lack, from the key that closed both.

    The key itself goes, unless the artist has sculpted it.
    """
    found, _own = landmarks.read(head)
    corners = [found[corner].position(base_vertices(mesh_of(head))) for corner in EYE_CORNERS if corner in found]
    if len(corners) < len(EYE_CORNERS):
        return
    right, left = to_world(np.stack(corners).astype(np.float32), head)
    for obj in (head, *(part for part in listed_parts(head) if part != head)):
        mesh = mesh_of(obj)
        if BLINK not in generated_keys(mesh):
            continue
        blink = renamed(mesh).get(BLINK, BLINK)
        base = base_vertices(mesh)
        both = coordinates(shape_keys_of(mesh).key_blocks[blink].points) - base
        is_left = (to_world(base, obj) - (left + right) / 2) @ (left - right) > 0
        shapes = {
            lid: base + np.where((is_left == (lid == eyes.LIDS[0]))[:, None], both, 0)
            for lid in eyes.LIDS
            if lid not in shape_keys_of(mesh).key_blocks
        }
        keys = KeyPlan(shapes, {}, [], [], [], [])
        if obj == head:
            shape_keys.write(obj, keys)
        else:
            part_drivers.write(PartPlan(obj.name, keys), head)
            shape_keys_of(mesh).driver_remove(value_path(blink))
        obj.shape_key_remove(shape_keys_of(mesh).key_blocks[blink])


def _clear_tracks(data: bpy.types.AnimData) -> None:
    """Remove the strips of the old lines, their layers and their rest, and the tracks that are empty then."""
    for track in list(data.nla_tracks):
        for strip in list(track.strips):
            old = strip.action
            if old is not None and (_is_speech(old) or _is_rest(old) or stored.group(old, LAYER) is not None):
                track.strips.remove(strip)
        if not track.strips and any(nla.is_named(track, name) for name in TRACKS):
            data.nla_tracks.remove(track)
