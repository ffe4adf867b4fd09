"""Which take of the line to generate, which part of it, and several takes to step through."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ... import compat
from ...animation.chosen_line import ChosenLine, chosen_line
from ...errors import UserError
from ...prediction import takes
from ...scene import strips
from ...scene.own_properties import settings_of
from .common import Tab


class _TakePanel(Tab):
    bl_label = "Take"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, settings_of(context.scene)
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.prop(settings, "take")
        layout.prop(settings, "variation", slider=True)
        layout.prop(settings, "only_range")
        if settings.only_range:
            first, last = strips.current_range(compat.sequencer_scene(context))
            text = iface("Frames {first} to {last}").format(first=first, last=last)
            layout.label(text=text, translate=False)
        layout.prop(settings.takes, "count")
        layout.operator("lsf.generate_takes", icon="DUPLICATE")
        try:
            line = chosen_line(context)
        except UserError:
            return
        if not (count := takes.count(line.action, line.uid)):
            return
        row = layout.row(align=True)
        row.operator("lsf.step_take", text="", icon="TRIA_LEFT").step = -1
        row.label(text=_which(line, count), translate=False)
        row.operator("lsf.step_take", text="", icon="TRIA_RIGHT").step = 1
        layout.operator("lsf.keep_take", icon="CHECKMARK")


def _which(line: ChosenLine, count: int) -> str:
    """Return a text on which of the line's takes plays."""
    index = takes.playing(line.action, line.uid)
    if index is None:
        return iface("{count} takes").format(count=count)
    return iface("Take {take}: {position} of {count}").format(
        take=takes.seed(line.action, line.uid, index), position=index + 1, count=count
    )


class LSF_PT_view3d_take(_TakePanel, bpy.types.Panel):
    bl_space_type = "VIEW_3D"
    bl_parent_id = "LSF_PT_view3d"


class LSF_PT_sequencer_take(_TakePanel, bpy.types.Panel):
    bl_space_type = "SEQUENCE_EDITOR"
    bl_parent_id = "LSF_PT_sequencer"
