"""The line that the panel shows: one that was picked in the head's list, else that of the chosen strip."""

from typing import TYPE_CHECKING, NamedTuple

import bpy

from .. import compat
from ..errors import UserError
from ..prediction import store
from ..scene import strip_identity, strips
from ..scene.access import mesh_of
from ..scene.own_properties import settings_of
from ..scene.selection import head_of
from ..scene.snapshots import Source
from . import actions, lines

if TYPE_CHECKING:
    from ..ui.properties.lines import LSF_PG_line


class ChosenLine(NamedTuple):
    """A line of a head.

    Attributes:
        action: The head's generated Action.
        record: The line.
    """

    action: bpy.types.Action
    record: "LSF_PG_line"

    @property
    def uid(self) -> str:
        """The line's id."""
        return self.record.uid


def picked_line(context: bpy.types.Context) -> ChosenLine | None:
    """The line that the panels show, in whatever state it is; None if nothing leads to one."""
    head = head_of(context)
    if head is None or not isinstance(head.data, bpy.types.Mesh):
        return None
    action = actions.existing(head.data)
    if action is None:
        return None
    scene, settings = compat.sequencer_scene(context), settings_of(context.scene)
    # A line that was picked without its strip is shown until another strip becomes active.
    picked = settings.line if settings.line_beside == active_strip_name(scene) else ""
    record = lines.find(action, picked)
    if record is None:
        sources = lines.sources_of(action, head)
        record = lines.find(action, _line_of_strip(scene, settings.strip, settings.strip_id, sources))
    return None if record is None else ChosenLine(action, record)


def chosen_line(context: bpy.types.Context) -> ChosenLine:
    """The line that the artist has picked in the head's list, else that of the chosen strip.

    Raises:
        UserError: There is none, it has no prediction, or it is linked from another file.
    """
    head = head_of(context)
    mesh_of(head)  # raises
    line = picked_line(context)
    if line is None:
        raise UserError(f'Nothing was generated for this strip on "{head.name if head else ""}" yet: press Generate')
    if not store.is_stored(line.action, line.uid):
        raise UserError(f'"{line.record.name}" keeps no prediction: press Generate to make one')
    if not store.is_readable(store.record_of(line.action, store.PROPERTY, line.uid)):
        raise UserError(f'"{line.record.name}" keeps a prediction that cannot be read: press Generate to make it again')
    actions.check_local(line.action)
    return line


def active_strip_name(scene: bpy.types.Scene) -> str:
    """The name of a scene's active strip; empty if there is none."""
    editor = scene.sequence_editor
    return editor.active_strip.name if editor and editor.active_strip else ""


def _line_of_strip(scene: bpy.types.Scene, name: str, known: str, sources: list[Source]) -> str:
    """The id of the line of the chosen strip; empty if nothing was generated for it, as for a copy of a strip.

    If the strip is gone, its line is still shown.
    """
    try:
        return strip_identity.line_id(scene, strips.find_strip(scene, name, known), sources)
    except UserError:
        return known
