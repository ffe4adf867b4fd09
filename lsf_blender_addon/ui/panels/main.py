"""Head, strip, Generate, and what became of it."""

import bpy

from ... import compat
from ...errors import UserError
from ...jobs import environment, session
from ...scene import strips
from ...scene.extension import PACKAGE
from ...scene.selection import head_of
from ..operators import generate
from .common import Tab, wrapped


class _MainPanel(Tab):
    bl_label = "LSF Speech Animation"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        settings = context.scene.lsf
        if environment.server_python() is None:
            layout.operator("preferences.addon_show", text="Open Preferences", icon="PREFERENCES").module = PACKAGE
        column = layout.column()
        column.use_property_split, column.use_property_decorate = True, False
        active = head_of(context)
        column.prop(settings, "head", text="Head", placeholder=active.name if active and active.type == "MESH" else "")
        column.prop(settings, "strip", text="Strip", icon="SOUND", placeholder=_default_strip(context))
        batch = session.batch
        row = layout.row(align=True)
        row.scale_y = 1.4
        if batch is None:
            row.operator("lsf.generate", icon="PLAY")
        else:
            row.progress(factor=batch.fraction, text=batch.text)
            row.operator("lsf.cancel", text="", icon="X")
        reason = generate.disabled_reason(context) if batch is None else ""
        if reason:
            wrapped(layout, context, reason, "INFO")
        elif session.message:
            wrapped(layout, context, session.message, "ERROR" if session.failed else "CHECKMARK")


class LSF_PT_view3d(_MainPanel, bpy.types.Panel):
    bl_idname = "LSF_PT_view3d"
    bl_space_type = "VIEW_3D"


class LSF_PT_sequencer(_MainPanel, bpy.types.Panel):
    bl_idname = "LSF_PT_sequencer"
    bl_space_type = "SEQUENCE_EDITOR"


def _default_strip(context: bpy.types.Context) -> str:
    """What an empty strip field means now."""
    try:
        return strips.find_strip(compat.sequencer_scene(context), "").name
    except UserError:
        return ""
