"""List Lines: fills the table with a row for each strip and the head that speaks it."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ... import compat
from ...animation import lines
from ...jobs import head_matching
from ...scene import strip_identity, strips
from ...scene.access import active_scene
from ...scene.own_properties import settings_of
from ...scene.selection import head_of
from ..blender_types import OperatorResult
from .poll import disabled_reason_busy, enabled_unless


class LSF_OT_list_lines(bpy.types.Operator):
    """List the sound strips, each with the head that speaks it.

    Heads that you chose are kept.
    """

    bl_idname = "lsf.list_lines"
    bl_label = "List Lines"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if reason := disabled_reason_busy():
            return enabled_unless(cls, reason)
        if not strips.sound_strips(compat.sequencer_scene(context)):
            return enabled_unless(cls, "Add sound strips to the sequencer first.")
        return True

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        count = fill(context)
        if not count:
            self.report({"ERROR"}, "No sound strip is selected in the sequencer: select some or list all.")
            return {"CANCELLED"}
        without = sum(line.head is None for line in settings_of(active_scene(context)).batch.lines)
        text = iface("{count} lines").format(count=count)
        if without:
            text += iface(", {count} of them without a head: choose it in the list").format(count=without)
        self.report({"INFO"}, text)
        return {"FINISHED"}


def fill(context: bpy.types.Context) -> int:
    """List the strips that the settings select.

    Returns:
        Their number. If there are none, the table does not change.
    """
    scene, batch = compat.sequencer_scene(context), settings_of(active_scene(context)).batch
    listed = [strip for strip in strips.sound_strips(scene) if not strip.mute]
    if batch.source == "SELECTED":
        listed = [strip for strip in listed if strip.select]
    if not listed:
        return 0
    rows = [(strip_identity.find_named(scene, line.strip, line.strip_id), line.use, line.head) for line in batch.lines]
    chosen = {strip.name: (use, head) for strip, use, head in rows if strip is not None}
    heads = {obj.name: obj for obj in active_scene(context).objects if obj.type == "MESH"}
    batch.lines.clear()
    sources = lines.all_sources()
    for strip in listed:
        strip_identity.ensure_id(scene, strip, sources)  # two rows never share an id
        line = batch.lines.add()
        line.strip = strip.name
        line.use, line.head = chosen.get(strip.name, (True, None))
        if line.head is None:
            name = strip.name if batch.by == "NAME" else compat.channel_name(scene, strip)
            match = head_matching.match_head_by_name(name, list(heads))
            line.head = heads[match] if match else None
    if not any(line.head for line in batch.lines):  # no name matched: the chosen head speaks all lines
        for line in batch.lines:
            line.head = heads.get(getattr(head_of(context), "name", ""))
    batch.active = 0
    return len(listed)
