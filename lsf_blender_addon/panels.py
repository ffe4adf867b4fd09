"""The LSF tab, in the sidebars of the 3D viewport and of the sequencer."""

import textwrap

import bpy

from . import compat, environment, properties, session
from .errors import Refusal
from .operators import generate
from .scene import strips

PIXELS_PER_LETTER = 7  # of the interface's font, about


class _Panel:
    bl_region_type = "UI"
    bl_category = "LSF"


class _MainPanel(_Panel):
    bl_label = "LSF Speech Animation"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        settings = context.scene.lsf
        if environment.server_python() is None:
            layout.operator("preferences.addon_show", text="Open Preferences", icon="PREFERENCES").module = __package__
        column = layout.column()
        column.use_property_split, column.use_property_decorate = True, False
        active = properties.head_of(context)
        column.prop(settings, "head", text="Head", placeholder=active.name if active and active.type == "MESH" else "")
        column.prop(settings, "strip", text="Strip", icon="SOUND", placeholder=_default_strip(context))
        generation = session.generation
        row = layout.row(align=True)
        row.scale_y = 1.4
        if generation is None:
            row.operator("lsf.generate", icon="PLAY")
        else:
            row.progress(factor=generation.fraction, text=generation.text)
            row.operator("lsf.cancel", text="", icon="X")
        reason = generate.why_not(context) if generation is None else ""
        if reason:
            _wrapped(layout, context, reason, "INFO")
        elif session.message:
            _wrapped(layout, context, session.message, "ERROR" if session.failed else "CHECKMARK")


class _TakePanel(_Panel):
    bl_label = "Take"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.prop(context.scene.lsf, "temperature", slider=True)
        layout.prop(context.scene.lsf, "seed")
        layout.prop(context.scene.lsf, "blinks")


class LSF_PT_view3d(_MainPanel, bpy.types.Panel):
    bl_idname = "LSF_PT_view3d"
    bl_space_type = "VIEW_3D"


class LSF_PT_view3d_take(_TakePanel, bpy.types.Panel):
    bl_space_type = "VIEW_3D"
    bl_parent_id = "LSF_PT_view3d"


class LSF_PT_sequencer(_MainPanel, bpy.types.Panel):
    bl_idname = "LSF_PT_sequencer"
    bl_space_type = "SEQUENCE_EDITOR"


class LSF_PT_sequencer_take(_TakePanel, bpy.types.Panel):
    bl_space_type = "SEQUENCE_EDITOR"
    bl_parent_id = "LSF_PT_sequencer"


def _default_strip(context: bpy.types.Context) -> str:
    """What an empty strip field means now."""
    try:
        return strips.find_strip(compat.sequencer_scene(context), "").name
    except Refusal:
        return ""


def _wrapped(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str) -> None:
    """A sentence on as many lines as the sidebar's width needs."""
    scale = context.preferences.system.ui_scale
    letters = max(16, int((context.region.width / scale - 60) / PIXELS_PER_LETTER))
    column = layout.column(align=True)
    column.scale_y = 0.8
    for i, part in enumerate(textwrap.wrap(text, letters)):
        column.label(text=part, icon=icon if i == 0 else "BLANK1")
