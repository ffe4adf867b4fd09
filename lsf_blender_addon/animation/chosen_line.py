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


def chosen_line(context: bpy.types.Context) -> ChosenLine:
    """The line that the artist has picked in the head's list, else that of the chosen strip.

    Raises:
        UserError: There is none, it has no prediction, or it is linked from another file.
    """
    head = head_of(context)
    action = actions.existing(mesh_of(head))
    scene, settings = compat.sequencer_scene(context), settings_of(context.scene)
    record = lines.find(action, settings.line)
    if record is None and action is not None:
        sources = lines.sources_of(action, head)
        record = lines.find(action, _line_of_strip(scene, settings.strip, settings.strip_id, sources))
    if action is None or record is None:
        raise UserError(f'Nothing was generated for this strip on "{head.name if head else ""}" yet: press Generate')
    if not store.is_stored(action, record.uid):
        raise UserError(f'"{record.name}" keeps no prediction: press Generate to make one')
    actions.check_local(action)
    return ChosenLine(action, record)


def _line_of_strip(scene: bpy.types.Scene, name: str, known: str, sources: list[Source]) -> str:
    """The id of the line of the chosen strip; empty if nothing was generated for it, as for a copy of a strip.

    If the strip is gone, its line is still shown.
    """
    try:
        return strip_identity.line_id(scene, strips.find_strip(scene, name, known), sources)
    except UserError:
        return known
