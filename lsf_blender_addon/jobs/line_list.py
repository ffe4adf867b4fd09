"""What the list of a head's lines does: it goes to a line, removes lines, and lets a line follow its strip."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from .. import compat
from ..animation import actions, bone_actions, head_motion, lines, rollback
from ..animation.chosen_line import ChosenLine, active_strip_name, picked_line
from ..errors import UserError
from ..prediction import takes
from ..preview import frame_range
from ..preview.frame_range import FrameRange
from ..scene import meshes, strip_identity
from ..scene.access import active_scene, find_item, mesh_of
from ..scene.own_properties import face_of, lines_of, settings_of
from ..scene.selection import head_of
from ..scene.strip_identity import State, Status
from .name_list import listed

_shown: tuple[tuple[object, ...], int] | None = None  # what the artist had chosen, and the line that followed from it


def require_line(context: bpy.types.Context) -> tuple[bpy.types.Object, ChosenLine]:
    """The chosen head, and the line that is marked in its list. Fast enough for `poll`.

    Raises:
        UserError: There is no head or no line, or they are linked from another file.
    """
    head = head_of(context)
    mesh_of(head)  # raises
    assert head is not None
    line = picked_line(context)
    if line is None:
        raise UserError("Click a line in the list first")
    meshes.check_local(head)
    actions.check_local(line.action)
    return head, line


def check_changeable(head: bpy.types.Object) -> None:
    """Check that the lines of a head can be changed, and that Blender saves what is changed.

    Raises:
        UserError: The head, its Action or bones are linked from another file, or an NLA is in tweak mode or off.
    """
    meshes.check_local(head)
    actions.check(mesh_of(head))
    bone_actions.check(head)


def status_of(head: bpy.types.Object, line: ChosenLine) -> Status | None:
    """What became of the strip of a line; None for a recording, which has none."""
    if line.record.kind != "SPEECH":
        return None
    (status,) = strip_identity.states([lines.source_of(line.record, (scene.name for scene in head.users_scene))])
    return status


def present_name(head: bpy.types.Object | None, line: ChosenLine) -> str:
    """The name that the line's strip has now; that of the line if the strip is gone, or there is none."""
    status = status_of(head, line) if head else None
    return status.strip.name if status and status.strip else line.record.name


def go_to(context: bpy.types.Context, line: ChosenLine) -> None:
    """Show a line in the panels, go to its first frame, and make its strip the active one.

    The window keeps its scene. If the field Strip is in use, it changes to the strip. Take and Variation become those
    of the line, so that Generate makes the same take.
    """
    head = head_of(context)
    status = status_of(head, line) if head else None
    scene = (status.scene if status else None) or find_item(bpy.data.scenes, line.record.scene)
    for shown in {active_scene(context), compat.sequencer_scene(context), scene or active_scene(context)}:
        if shown.library is None:
            shown.frame_current = line.record.first_frame
    if status is not None and status.strip is not None and status.scene is not None and not status.scene.library:
        _select(status.scene, status.strip)
    show(context, line, status, bool(settings_of(context.scene).strip))


def show(context: bpy.types.Context, line: ChosenLine, status: Status | None, fill_field: bool) -> None:
    """Show a line in the panels, and its take in the fields.

    Args:
        context: Tells the scenes.
        line: A line of the chosen head.
        status: Its strip.
        fill_field: Whether to choose its strip in the field Strip. The panels then stay with it.
    """
    settings, sequencer = settings_of(context.scene), compat.sequencer_scene(context)
    settings.line = ""
    if fill_field and status is not None and status.strip is not None and status.scene == sequencer:
        settings.strip = status.strip.name
    picked = picked_line(context)
    if picked is None or picked.uid != line.uid:  # no strip of this sequencer leads to the line
        settings.line, settings.line_beside = line.uid, active_strip_name(sequencer)
    show_take(context)


def show_take(context: bpy.types.Context) -> None:
    """Set Take and Variation to those of the line that the panels show, so that Generate makes the same take."""
    line = picked_line(context)
    setting = takes.setting(line.action, line.uid) if line and line.record.kind == "SPEECH" else None
    if setting is not None:
        settings_of(context.scene).show_take(*setting)


def frames_to_watch(context: bpy.types.Context, head: bpy.types.Object) -> FrameRange:
    """The frames that Preview plays and Playblast renders: of the line that the panels show, else see FrameRange.

    Where the line's strip can be heard in the sequencer's scene, they are those of the strip.
    """
    line = picked_line(context)
    status = status_of(head, line) if line else None
    if line is None or (status and status.strip and status.scene == compat.sequencer_scene(context)):
        return frame_range.find_frame_range(context, head)
    first, name = line.record.first_frame, line.record.name
    scene = (status.scene if status else None) or active_scene(context)
    return FrameRange(scene, first, first + line.record.frames - 1, name)


def follow_strip(head: bpy.types.Object, line: ChosenLine) -> int:
    """Move a line to where its strip is now, with all its keys; returns by how many frames.

    Raises:
        UserError: The strip was not moved, or not only moved.
    """
    with rollback.of_head(head):
        return _follow(head, _own(head, line))


def _follow(head: bpy.types.Object, line: ChosenLine) -> int:
    """Move a line to where its strip is now; see `follow_strip`."""
    action, record = line
    lines.adopt_moves(action)
    status = status_of(head, line)
    if status is None or status.state is State.UNCHANGED:
        raise UserError("The line is where its strip is")
    if status.strip is None or status.scene is None:
        raise UserError("The strip of this line is gone")
    if status.state is State.CHANGED:
        raise UserError("The strip plays something else now: press Generate Again")
    lines.move(action, record, record.first_frame + status.moved)
    record.name, record.scene = status.strip.name, status.scene.name
    lines.refresh(action, record)
    nod = face_of(head).nod
    head_motion.move_line(nod.object, nod.bone, record.uid, status.moved)
    return status.moved


def locked_note(action: bpy.types.Action) -> str:
    """Which generated curves the artist has locked, as the continuation of a result; empty if none is locked."""
    locked = lines.locked_keys(action)
    return iface("; locked, so left as they are: {names}").format(names=listed(locked)) if locked else ""


def remove(head: bpy.types.Object, line: ChosenLine) -> None:
    """Remove a line with all that was generated for it. What the artist has keyed stays.

    If nothing is left in the generated Action, it goes, too.
    """
    nod, uid = face_of(head).nod, line.uid
    with rollback.of_head(head):
        lines.remove(mesh_of(head), *_own(head, line))
        head_motion.remove_line(nod.object, nod.bone, uid)


def remove_all(head: bpy.types.Object) -> int:
    """Remove all lines of a head that has some, as `remove` does with one; returns how many there were."""
    with rollback.of_head(head):
        action, nod = actions.ensure(mesh_of(head), head.name), face_of(head).nod
        uids = [record.uid for record in lines_of(action)]
        lines.remove_all(mesh_of(head), action)
        for uid in uids:
            head_motion.remove_line(nod.object, nod.bone, uid)
    return len(uids)


def _own(head: bpy.types.Object, line: ChosenLine) -> ChosenLine:
    """The same line in an Action that no other head plays: a linked copy of a head shares it until one is changed."""
    action = actions.ensure(mesh_of(head), head.name)
    record = lines.find(action, line.uid)
    assert record is not None  # a copy has the same lines
    return ChosenLine(action, record)


def shown_index(context: bpy.types.Context, anew: bool = False) -> int:
    """Which of the lines in a head's Action the panels show; -1 for none.

    Blender asks about ten times for each drawing of the list: nothing is looked up while the choice is the same.

    Args:
        context: Tells the head and the strip.
        anew: Whether it is looked up in any case.
    """
    global _shown
    choice = _choice(context)
    if anew or _shown is None or _shown[0] != choice:
        line = picked_line(context)
        uids = [record.uid for record in lines_of(line.action)] if line else []
        _shown = choice, uids.index(line.uid) if line else -1
    return _shown[1]


def _choice(context: bpy.types.Context) -> tuple[object, ...]:
    """What the choice of a line follows from, as far as the artist changes it between two drawings."""
    head, settings, scene = head_of(context), settings_of(context.scene), compat.sequencer_scene(context)
    action = actions.existing(head.data) if head and isinstance(head.data, bpy.types.Mesh) else None
    if head is None or action is None:
        return ()
    chosen = settings.line, settings.line_beside, settings.strip_id, settings.strip
    strip = scene.session_uid, active_strip_name(scene)
    return head.session_uid, action.session_uid, len(lines_of(action)), *chosen, *strip


def go_to_index(context: bpy.types.Context, index: int) -> None:
    """Go to the line with this index in the Action of the chosen head."""
    action = actions.existing(mesh_of(head_of(context)))
    if action is not None and 0 <= index < len(lines_of(action)):
        go_to(context, ChosenLine(action, lines_of(action)[index]))


def _select(scene: bpy.types.Scene, strip: "bpy.types.SoundStrip") -> None:
    """Make a strip the active one of its scene, and the only one that is selected."""
    editor = scene.sequence_editor
    assert editor is not None  # it holds the strip
    for other in compat.all_strips(editor):
        other.select = other == strip
    editor.active_strip = strip
