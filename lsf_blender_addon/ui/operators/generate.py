"""Generate: from the chosen head and strip to shape keys and an Action, without blocking Blender."""

import bpy

from ... import compat
from ...errors import UserError
from ...jobs import lines, session
from ...jobs.batch import Item
from ...jobs.environment import NO_PYTHON, server_python
from ...scene import character, meshes, strips
from ...scene.selection import head_of
from .batch_modal import BatchModal
from .poll import enabled_unless


class LSF_OT_generate(BatchModal, bpy.types.Operator):
    """Animate the head to the speech in the strip, with shape keys and an Action of their own. What you made stays"""

    bl_idname = "lsf.generate"
    bl_label = "Generate"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def items(self, context: bpy.types.Context) -> list[Item]:
        head, scene, strip = choose(context)
        settings, others = context.scene.lsf, character.find_parts(context, head)
        return [Item(strip.name, lambda: lines.begin(settings, head, others, scene, strip))]


def disabled_reason(context: bpy.types.Context) -> str:
    """A sentence that says why Generate is disabled; empty if it is not."""
    if session.batch is not None:
        return "A generation is at work: wait for it, or cancel it."
    try:
        choose(context)
    except UserError as error:
        return f"{error}."
    return ""


def choose(context: bpy.types.Context) -> tuple[bpy.types.Object, bpy.types.Scene, object]:
    """Head, scene of the sequencer, sound strip. Raises UserError where something is missing; quick enough for poll."""
    if server_python() is None:
        raise UserError(NO_PYTHON)
    head = head_of(context)
    meshes.check(head)
    for obj in character.find_parts(context, head):
        meshes.check(obj)
    scene = compat.sequencer_scene(context)
    return head, scene, strips.find_strip(scene, context.scene.lsf.strip)
