"""Generate Again: generates a line of the list for its strip as it is now."""

from typing import Any

import bpy

from ...animation.chosen_line import ChosenLine
from ...errors import UserError
from ...jobs import line_list, lines
from ...jobs.batch import Item
from ...prediction import takes
from ...scene import character
from ...scene.access import active_scene
from ...scene.own_properties import settings_of
from . import line_poll
from .batch_modal import BatchModal
from .generate import ready_head
from .poll import enabled_unless


class LSF_OT_generate_line(BatchModal, bpy.types.Operator):
    """Generate this line again for its strip as it is now, as the same take, whatever the fields say.

    Emotion and layers are those that are chosen now. Your own keys and the sliders are kept.
    """

    bl_idname = "lsf.generate_line"
    bl_label = "Generate Again"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def batch_items(self, context: bpy.types.Context) -> list[Item]:
        head, line, scene, strip = _choose(context)
        settings, parts = settings_of(active_scene(context)), character.find_parts(context, head)
        setting = takes.setting(line.action, line.uid)
        take: dict[str, Any] = {"seed": setting[0], "temperature": setting[1]} if setting else {}
        return [
            Item(strip.name, lambda: lines.start_generation(settings, head, parts, scene, strip, whole=True, **take))
        ]


def disabled_reason(context: bpy.types.Context) -> str:
    """Return why Generate Again is disabled, as a sentence; empty if it is not."""
    if reason := line_poll.disabled_reason(context):
        return reason
    try:
        _choose(context)
    except UserError as error:
        return f"{error}."
    return ""


def _choose(
    context: bpy.types.Context,
) -> tuple[bpy.types.Object, ChosenLine, bpy.types.Scene, "bpy.types.SoundStrip"]:
    """The head, the line that is marked in its list, and the line's strip with its scene.

    Raises:
        UserError: One of them is missing or cannot be used, or the speech engine is not installed.
    """
    _head, line = line_list.require_line(context)
    head = ready_head(context)
    status = line_list.status_of(head, line)
    if status is None:
        raise UserError("This line is a recording: import its file again")
    if status.strip is None or status.scene is None:
        raise UserError("The strip of this line is gone: add the sound again and press Generate")
    return head, line, status.scene, status.strip
