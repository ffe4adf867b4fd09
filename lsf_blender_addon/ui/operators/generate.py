"""Generate: makes shape keys and an Action for the chosen head and strip, without blocking Blender."""

import bpy

from ... import compat
from ...errors import UserError
from ...jobs import lines
from ...jobs.batch import Item
from ...jobs.environment import NOT_INSTALLED, server_python
from ...scene import character, meshes, strips
from ...scene.access import active_scene
from ...scene.own_properties import settings_of
from ..head import usable_head
from .batch_modal import BatchModal
from .poll import disabled_reason_busy, enabled_unless


class LSF_OT_generate(BatchModal, bpy.types.Operator):
    """Animate the head to the speech in the strip, with its own shape keys and Action.

    Your own work is kept.
    """

    bl_idname = "lsf.generate"
    bl_label = "Generate"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def batch_items(self, context: bpy.types.Context) -> list[Item]:
        head, scene, strip = choose(context)
        settings, others = settings_of(active_scene(context)), character.find_parts(context, head)
        settings.line = ""  # the panels show the line that is generated
        return [Item(strip.name, lambda: lines.start_generation(settings, head, others, scene, strip))]


def disabled_reason(context: bpy.types.Context) -> str:
    """Return why Generate is disabled, as a sentence; empty if it is not."""
    if reason := disabled_reason_busy():
        return reason
    try:
        choose(context)
    except UserError as error:
        return f"{error}."
    return ""


def choose(context: bpy.types.Context) -> tuple[bpy.types.Object, bpy.types.Scene, "bpy.types.SoundStrip"]:
    """Return the chosen head, the scene of the sequencer and the chosen sound strip. Fast enough for `poll`.

    Raises:
        UserError: One of them is missing or cannot be used, or the speech engine is not installed.
    """
    head, scene = ready_head(context), compat.sequencer_scene(context)
    settings = settings_of(active_scene(context))
    return head, scene, strips.find_strip(scene, settings.strip, settings.strip_id)


def ready_head(context: bpy.types.Context) -> bpy.types.Object:
    """Return the chosen head if it can be animated now.

    Raises:
        UserError: There is none, it or one of its parts cannot be used, or the speech engine is not installed.
    """
    if server_python() is None:
        raise UserError(NOT_INSTALLED)
    head = usable_head(context)
    for obj in character.find_parts(context, head):
        meshes.check(obj)
    return head
