"""The lines of a head in its generated Action: makes and removes them, and writes their curves from what is kept.

What belongs to a line is kept under its id: the record (`Action.lsf.lines`: its strip, its sliders), the prediction and
the takes (prediction/store.py, prediction/takes.py). So its curves can be made again at any time, without the model.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import bpy
import numpy as np

from .. import compat
from ..prediction import store, takes
from ..prediction.eyes import Eyes
from ..prediction.store import Prediction
from ..prediction.tweaks import Tweaks
from ..scene import bones, drivers, shape_keys, stored, strip_identity
from ..scene.own_properties import lines_of, number
from ..scene.snapshots import Source
from ..scene.strip_identity import State
from . import (
    action_cache,
    actions,
    bone_actions,
    composition,
    curve_edits,
    curve_record,
    fcurves,
    journal,
    line_curves,
    line_sounds,
    renames,
)
from .bone_actions import BoneDrive
from .composition import Composition
from .fcurves import value_path
from .generated_curves import GeneratedCurves
from .key_plan import VISIBLE_VALUE
from .line_curves import LineCurves, Rank, Sliders, Window
from .user_edits import Range

if TYPE_CHECKING:
    from ..ui.properties.lines import LSF_PG_line

NEVER = (0, 0)  # window of a line that was not written yet


class Edits(NamedTuple):
    """What the artist has changed by hand on the generated curves of a line.

    Attributes:
        ranges: Ranges of scene frames by data path.
        deleted: Data paths of the curves that were deleted.
    """

    ranges: dict[str, list[Range]]
    deleted: frozenset[str]


def find(action: bpy.types.Action | None, uid: str) -> "LSF_PG_line | None":
    """The line with this id on a head's Action; None if there is none."""
    return next((record for record in lines_of(action) if record.uid == uid), None) if action and uid else None


def source_of(record: "LSF_PG_line", near: Iterable[str] = ()) -> Source:
    """What the line remembers of its strip.

    Args:
        record: A line.
        near: Names of the scenes that the head is in.
    """
    return Source(
        record.uid,
        record.name,
        record.scene,
        record.sound,
        record.fps,
        record.first_frame,
        record.frames,
        record.start,
        record.content,
        near=tuple(near),
    )


def sources_of(action: bpy.types.Action, *heads: bpy.types.Object) -> list[Source]:
    """What the lines of a head's Action remember of their strips; recordings have none.

    Args:
        action: The Action.
        heads: The objects that play it, if they are known.
    """
    near = sorted({scene.name for head in heads for scene in head.users_scene})
    return [source_of(record, near) for record in lines_of(action) if record.kind == "SPEECH"]


def all_sources() -> list[Source]:
    """What the lines of all heads in the file remember of their strips."""
    heads: dict[bpy.types.Action, list[bpy.types.Object]] = {
        action: [] for action in bpy.data.actions if actions.is_generated(action)
    }
    for obj in bpy.data.objects:
        action = actions.existing(obj.data) if isinstance(obj.data, bpy.types.Mesh) else None
        if action is not None:
            heads[action].append(obj)
    return [source for action, players in heads.items() for source in sources_of(action, *players)]


def sliders(record: "LSF_PG_line | None", start: float | None = None) -> Sliders:
    """What the artist has set for the curves of a line; the defaults without one.

    Args:
        record: The line.
        start: Seconds of the sound file at its first frame; None: as it was generated.
    """
    if record is None:
        return Sliders()
    values = record.tweaks
    muted = frozenset(channel.name for channel in values.channels if channel.muted)
    tweaks = Tweaks(
        number(values, "jaw"),
        number(values, "lips"),
        number(values, "cheeks"),
        number(values, "brows"),
        number(values, "lids"),
        number(values, "smile"),
        number(values, "emotion"),
        number(values, "smoothing"),
        number(values, "closure"),
        muted,
    )
    eyes = Eyes(number(values, "blinks"), number(values, "gaze"), int(number(values, "variant")))
    offset = min(max(values.offset, -stored.LATEST), stored.LATEST)
    return Sliders(tweaks, eyes, number(values, "density"), offset, line_sounds.edits(record, start))


def put(
    mesh: bpy.types.Mesh, name: str, source: Source, prediction: Prediction, kind: str = "SPEECH"
) -> "tuple[bpy.types.Action, LSF_PG_line]":
    """Keep a prediction as a line of a head, instead of the line's earlier one. `write` then makes its curves.

    If the line has moved, its keys move with it, also those that the artist has set.

    Args:
        mesh: The head's mesh, with its shape keys.
        name: The head's name.
        source: What the line was made from; its id tells the line from others.
        prediction: What to keep.
        kind: "SPEECH", or "RECORDING".

    Returns:
        The head's Action, and the line.
    """
    action = actions.ensure(mesh, name)
    adopt_moves(action)
    record = find(action, source.id)
    if record is None:
        record = lines_of(action).add()
        record.uid, record.kind, record.window, record.first_frame = source.id, kind, NEVER, source.first_frame
    move(action, record, source.first_frame)
    if record.sound not in ("", source.sound):
        line_sounds.forget_unchanged(record)
    record.name, record.scene, record.sound = source.strip, source.scene, source.sound
    record.fps, record.frames, record.start, record.content = source.fps, source.frames, source.start, source.content
    store.store(action, record.uid, prediction)
    list_channels(record, prediction)
    return action, record


def write(mesh: bpy.types.Mesh, action: bpy.types.Action, record: "LSF_PG_line") -> None:
    """Write the curves of a line, and make its head's Action play. Generated curves that were deleted come back."""
    rewrite(action, [record], restore_deleted=True)
    actions.place(mesh, action, windows(action))
    for head in bone_actions.heads_of(action):
        bone_actions.place(head)


def refresh(action: bpy.types.Action, record: "LSF_PG_line", keep: bool = True) -> None:
    """Write the curves of a line again with the present values of its sliders; quick.

    An Action that is linked, and a line that has lost its prediction, are not changed. If the artist has moved all
    keys of the line in time, they stay at their new frames. If anything raises, the curves are as they were before.

    Args:
        action: The head's Action.
        record: The line.
        keep: Whether the keys stay that the artist has set by hand.
    """
    if action.library is None and store.is_stored(action, record.uid):
        with journal.on_error((action, *_bone_actions(action))):
            adopt_moves(action)
            rewrite(action, [record], keep=keep, restore_deleted=not keep)
        _place_everywhere(action)


def refresh_all(mesh: bpy.types.Mesh) -> None:
    """Write the curves of all lines of a head again, as `refresh` does with one; nothing if it has none."""
    action = actions.existing(mesh)
    if action is None or action.library is not None:
        return
    adopt_moves(action)
    rewrite(action, [record for record in lines_of(action) if store.is_stored(action, record.uid)])
    _place_everywhere(action)


def remove(mesh: bpy.types.Mesh, action: bpy.types.Action, record: "LSF_PG_line") -> None:
    """Remove a line with all that was generated for it. Keys that the artist has set stay.

    A generated Action without lines and without keys of the artist is removed, too.
    """
    adopt_moves(action)
    window, uid = window_of(record), record.uid
    store.remove(action, uid)
    takes.forget(action, uid)
    records = lines_of(action)
    records.remove(next(i for i, other in enumerate(records) if other.uid == uid))
    if window != NEVER:
        _write_windows(action, [window])
    _remove_if_empty(mesh, action)


def remove_all(mesh: bpy.types.Mesh, action: bpy.types.Action) -> None:
    """Remove all lines, as `remove` does with one; quicker than one after the other."""
    adopt_moves(action)
    written = windows(action)
    for record in lines_of(action):
        store.remove(action, record.uid)
        takes.forget(action, record.uid)
    lines_of(action).clear()
    if written:
        _write_windows(action, [(written[0][0], written[-1][1])])  # nothing plays in between
    _remove_if_empty(mesh, action)


def move(action: bpy.types.Action, record: "LSF_PG_line", first_frame: int) -> None:
    """Let a line begin at another frame: its keys move, also those that the artist has set. `write` must follow.

    Where lines overlap, a key of the artist belongs to the line whose middle is nearer.
    """
    frames = first_frame - record.first_frame
    record.first_frame = first_frame
    old = window_of(record)
    if frames and old != NEVER:
        others = [window_of(other) for other in lines_of(action) if other.uid != record.uid]
        fcurves.move(action, old, frames, others)
        _move_bones(action, old, frames, others)
        record.window = old[0] + frames, old[1] + frames
        _write_shared(action, record, [old, window_of(record)])


def adopt_moves(action: bpy.types.Action) -> None:
    """Find lines whose keys the artist has moved in time, and record where they are now.

    Where they have left another line, or have come onto one, both are written again. Shape keys and bones that were
    renamed are found, too.
    """
    renames.adopt_keys(action)
    for head in bone_actions.heads_of(action):
        renames.adopt_bones(head)
    written, moves = curve_record.load(action), []
    for record in lines_of(action):
        window = window_of(record)
        frames = curve_edits.moved_by(action, window, written) if window != NEVER else 0
        if frames:
            moves.append((record, window, frames))
    if not moves:
        return
    fcurves.note_moves(action, [(window, frames) for _record, window, frames in moves])
    for record, window, frames in moves:
        others = [window_of(other) for other in lines_of(action) if other.uid != record.uid]
        _move_bones(action, window, frames, others, moved=True)
        record.first_frame += frames
        record.window = window[0] + frames, window[1] + frames
    for record, window, _frames in moves:
        _write_shared(action, record, [window, window_of(record)])


def rewrite(
    action: bpy.types.Action, records: "Iterable[LSF_PG_line]", keep: bool = True, restore_deleted: bool = False
) -> None:
    """Write the curves of some lines where they were, and where they are now.

    Args:
        action: The head's Action.
        records: Lines with predictions.
        keep: Whether the artist's keys stay.
        restore_deleted: Whether generated curves come back that the artist has deleted.
    """
    dirty: list[Window] = []
    for record in records:
        curves = curves_of(action, record)
        if curves is None:
            continue
        dirty += [window for window in (window_of(record), curves.window) if window != NEVER]
        record.window = curves.window
    written = _write_windows(action, dirty, keep, restore_deleted)
    for record in records:
        record.value_error, record.lip_error = written.value, written.millimetres


def curves_of(action: bpy.types.Action, record: "LSF_PG_line") -> LineCurves | None:
    """The curves of a line, with its sliders as they are now; None if its prediction cannot be read."""
    predicted = store.load(action, record.uid)
    if predicted is None or abs(record.first_frame) > stored.LATEST:
        return None
    on_bones = _channels_on_bones(action)
    made = line_curves.make(predicted, sliders(record), record.first_frame, _rank(record), on_bones)
    now = _renamed_keys(action)
    return replace(made, names=tuple(now.get(name, name) for name in made.names)) if now else made


def _renamed_keys(action: bpy.types.Action) -> dict[str, str]:
    """{name: present name} of the generated keys that were renamed on the heads that play an Action."""
    meshes = [keys.user for keys in actions.animated_keys(action) if isinstance(keys.user, bpy.types.Mesh)]
    return {name: now for mesh in meshes for name, now in shape_keys.renamed(mesh).items()}


def _channels_on_bones(action: bpy.types.Action) -> set[str]:
    """The channels that bones show on the heads that play an Action."""
    return {channel for head in bone_actions.heads_of(action) for channel in bones.channels(head)}


def _rank(record: "LSF_PG_line") -> Rank:
    """Which line decides where several are heard at the same frames."""
    if record.kind == "RECORDING":
        return Rank.RECORDING
    return Rank.STRIP if strip_identity.state(source_of(record)) is not State.GONE else Rank.STRIP_GONE


def window_of(record: "LSF_PG_line") -> Window:
    """First and last frame in which a line has written keys; NEVER if it has not, or if the record is damaged."""
    first, last = record.window
    return (first, last) if -stored.LATEST < first < last < stored.LATEST else NEVER


def windows(action: bpy.types.Action) -> list[Window]:
    """The frames of an Action in which lines are, as few windows."""
    return composition.merged(window_of(record) for record in lines_of(action) if window_of(record) != NEVER)


def add_layer(mesh: bpy.types.Mesh) -> bpy.types.Action:
    """Add an empty Action for the artist's keys above the generated one; returns it.

    Raises:
        UserError: There is no generated Action, one of the artist is active, or the NLA is turned off or in tweak mode.
    """
    action = actions.existing(mesh)
    return actions.add_layer(mesh, windows(action) if action else [])


def locked_keys(action: bpy.types.Action) -> list[str]:
    """Names of the shape keys and bones whose generated curves the artist has locked: nothing changes these."""
    names = [
        fcurves.key_name(name)
        for each in (action, *_bone_actions(action))
        for name, curve in GeneratedCurves(each).present.items()
        if curve.lock and name in fcurves.paths(each)
    ]
    return list(dict.fromkeys(names))


def overlapping(action: bpy.types.Action, record: "LSF_PG_line") -> "list[LSF_PG_line]":
    """Other lines that are heard at the same frames as a line."""
    last = record.first_frame + record.frames
    return [
        other
        for other in lines_of(action)
        if other.uid != record.uid
        and other.first_frame < last
        and record.first_frame < other.first_frame + other.frames
    ]


def edits(action: bpy.types.Action, record: "LSF_PG_line") -> Edits:
    """What the artist has changed by hand in a line; quick if nothing has changed since the last call."""
    ranges: dict[str, list[Range]] = {}
    deleted: frozenset[str] = frozenset()
    for each in (action, *_bone_actions(action)):
        found = action_cache.remembered(each, _no_edits_yet)
        if record.uid not in found:
            window = window_of(record)
            found[record.uid] = Edits(curve_edits.edited_ranges(each, window), curve_edits.deleted_paths(each, window))
        ranges |= found[record.uid].ranges
        deleted |= found[record.uid].deleted
    return Edits(ranges, deleted)


def is_edited(action: bpy.types.Action, record: "LSF_PG_line") -> bool:
    """Whether the artist has keyed on generated curves of a line, or deleted some; as quick as `edits`."""
    found = edits(action, record)
    return bool(found.ranges or found.deleted)


def summary(action: bpy.types.Action, record: "LSF_PG_line", iface: Callable[[str], str] = str) -> str:
    """A sentence for the artist: how many keys a line has, and how far they are from the motion.

    Args:
        action: The head's Action.
        record: The line.
        iface: Translates the sentence.
    """
    counts = [fcurves.count_keys(each, window_of(record)) for each in (action, *_bone_actions(action))]
    count, curves = map(sum, zip(*counts, strict=True))
    if record.tweaks.density >= 1 or not count:
        return iface("{count} keys, one on every frame").format(count=count)
    error = f"{record.value_error:.3f}"
    if record.lip_error >= 0.05:
        error = iface("{error} mm on the lips").format(error=f"{record.lip_error:.1f}")
    first, last = window_of(record)
    ratio = f"{(last - first + 1) * curves / count:.1f}"
    return iface("{count} keys, {ratio}x fewer than frames; largest error {error}").format(
        count=count, ratio=ratio, error=error
    )


def list_channels(record: "LSF_PG_line", predicted: Prediction) -> None:
    """Give each channel of the prediction its mute switch."""
    channels = record.tweaks.channels
    if [channel.name for channel in channels] != list(predicted.channels):
        muted = {channel.name for channel in channels if channel.muted}
        channels.clear()
        for name in predicted.channels:
            channel = channels.add()
            channel.name = name
            if name in muted:
                channel.muted = True


def _write_windows(
    action: bpy.types.Action, dirty: list[Window], keep: bool = True, restore_deleted: bool = False
) -> fcurves.Written:
    """Write all that plays in some windows; returns the largest errors."""
    records, errors = list(lines_of(action)), [(0.0, 0.0)]
    made: dict[str, LineCurves | None] = {}
    drives = [bone_actions.drive(head) for head in bone_actions.heads_of(action)]
    for window in composition.merged(dirty):
        near = [record for record in records if composition.overlap(window_of(record), window)]
        for record in near:
            if record.uid not in made:
                made[record.uid] = curves_of(action, record)
        inside = [curves for record in near if (curves := made[record.uid])]
        composed = _on_free_keys(action, composition.compose(inside, window))
        on_bones = composition.compose([curves.bones for curves in inside if curves.bones], window)
        others = [window_of(record) for record in records if record not in near and window_of(record) != NEVER]
        written = fcurves.write(action, _beside_bones(composed, on_bones), others, keep, restore_deleted)
        errors.append((written.value, written.millimetres))
        errors += [_write_bones(drive, on_bones, composed, others, keep, restore_deleted) for drive in drives]
        for keys in actions.animated_keys(action) if written.gone else ():
            for key in keys.key_blocks:
                if value_path(key.name) in written.gone:
                    key.value = 0.0  # it has no curve any more and would keep its last value
    value, millimetres = map(max, zip(*errors, strict=True))
    return fcurves.Written(frozenset(), value, millimetres)


def _write_bones(
    drive: BoneDrive,
    channels: Composition,
    keys: Composition,
    others: list[Window],
    keep: bool,
    restore_deleted: bool,
) -> tuple[float, float]:
    """Write what bones do in a window; returns the largest errors, of their values and on the lips in millimetres."""
    composed = bone_actions.composed(drive, channels, keys)
    action = bone_actions.existing(drive.head)
    if action is None or action.library is not None:
        return 0.0, 0.0
    written = fcurves.write(action, composed, others, keep, restore_deleted)
    bone_actions.put_back(drive, action, written.gone)
    return written.value, written.millimetres


def _beside_bones(keys: Composition, channels: Composition) -> Composition:
    """The motion of shape keys with that of the channels that bones show beside it: both move the lips."""
    if channels.lips.shape[1] != keys.lips.shape[1] or not channels.names:
        return keys
    count = len(keys.names)
    return replace(
        keys,
        names=[*keys.names, *channels.names],
        motion=np.concatenate([keys.motion, channels.motion], 1),
        lips=np.concatenate([keys.lips, channels.lips]),
        beside=tuple(range(count, count + len(channels.names))),
    )


def _on_free_keys(action: bpy.types.Action, composed: Composition) -> Composition:
    """The curves of shape keys that are there, that no driver moves, and that move visibly or have moved before."""
    names: set[str] = set()
    driven: set[str] = set()
    for keys in actions.animated_keys(action):
        names |= {key.name for key in keys.key_blocks}
        if isinstance(keys.user, bpy.types.Mesh):
            driven |= drivers.driven_keys(keys.user)
    written, moves = fcurves.paths(action), np.abs(composed.motion).max(0, initial=0.0) > VISIBLE_VALUE
    chosen = [
        k
        for k, name in enumerate(composed.names)
        if name in names - driven and (moves[k] or value_path(name) in written)
    ]
    return replace(
        composed,
        names=[composed.names[k] for k in chosen],
        motion=composed.motion[:, chosen],
        lips=composed.lips[chosen],
    )


def _remove_if_empty(mesh: bpy.types.Mesh, action: bpy.types.Action) -> None:
    """Remove a generated Action in which nothing is left; else bring what plays it up to date."""
    if not len(lines_of(action)) and not compat.fcurves_of_keys(action):
        heads = bone_actions.heads_of(action)
        actions.remove(mesh, action)
        for head in heads:
            bone_actions.remove_if_empty(head)
    else:
        _place_everywhere(action)


def _place_everywhere(action: bpy.types.Action) -> None:
    """Bring what plays the Action up to date, after its curves were written again."""
    for keys in actions.animated_keys(action):
        if isinstance(keys.user, bpy.types.Mesh):
            actions.place(keys.user, action, windows(action))
    for head in bone_actions.heads_of(action):
        bone_actions.remove_if_empty(head)


def _no_edits_yet(_action: bpy.types.Action) -> dict[str, Edits]:
    """What is remembered of the edits of an Action, by line; `edits` fills it."""
    return {}


def _move_bones(
    action: bpy.types.Action, window: Window, frames: int, others: list[Window], moved: bool = False
) -> None:
    """Move the keys of the heads' bones; `moved`: unless the artist has."""
    for own in _bone_actions(action):
        bone_actions.move(own, window, frames, others, moved)


def _bone_actions(action: bpy.types.Action) -> list[bpy.types.Action]:
    """The Actions of the bones of the heads that play an Action."""
    found = (bone_actions.existing(head) for head in bone_actions.heads_of(action))
    return [own for own in found if own is not None]


def _write_shared(action: bpy.types.Action, record: "LSF_PG_line", places: list[Window]) -> None:
    """Write the other lines again that a line has left or come onto: keys of both have moved, or lie among each other.

    Args:
        action: The head's Action.
        record: The line.
        places: Where it was, and where it is.
    """
    others = [window_of(other) for other in lines_of(action) if other.uid != record.uid]
    shared = [(place, other) for place in places for other in others if composition.overlap(place, other)]
    _write_windows(action, [window for pair in shared for window in pair])
