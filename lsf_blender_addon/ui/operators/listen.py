"""Listen: the server says which sounds a line has, and when; its curves stay."""

import bpy

from ...animation.chosen_line import chosen_line
from ...errors import UserError
from ...jobs import hear_sounds, line_list
from ...jobs.batch import Item
from ...jobs.environment import NOT_INSTALLED, server_python
from ...jobs.hear_sounds import Hearing
from ..sound_timeline import timeline
from .batch_modal import BatchModal
from .poll import disabled_reason_busy, enabled_unless


class LSF_OT_listen(BatchModal, bpy.types.Operator):
    """Find out which sounds the line has, and when.

    Its animation stays, and so does what you have changed in its sounds. With a transcript, the sounds of its words
    are put to their times.
    """

    bl_idname = "lsf.listen"
    bl_label = "Listen"
    bl_options = {"UNDO"}

    _uid: str  # of the line

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def batch_items(self, context: bpy.types.Context) -> list[Item]:
        head, line = line_list.require_line(context)
        self._uid = line.uid
        return [Item(line.record.name, lambda: hear_sounds.start(head, line))]

    def write(self, item: Item) -> str:
        assert isinstance(item.work, Hearing)
        text = hear_sounds.apply(item.work, self._uid)
        timeline.show()
        return text


def disabled_reason(context: bpy.types.Context) -> str:
    """Return why Listen is disabled, as a sentence; empty if it is not."""
    if reason := disabled_reason_busy():
        return reason
    if server_python() is None:
        return f"{NOT_INSTALLED}."
    try:
        chosen_line(context)
    except UserError as error:
        return f"{error}."
    return ""
