"""The main panel: head, strip, Generate and the result of the last run."""

import bpy

from ... import compat
from ...errors import UserError
from ...jobs import environment, session
from ...scene import strips
from ...scene.extension import PACKAGE
from ...scene.own_properties import settings_of
from ..head import find_head
from ..operators import generate
from ..text import wrapped
from .common import Tab


class _MainPanel(Tab):
    bl_label = "LSF Speech Animation"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        settings = settings_of(context.scene)
        if environment.server_python() is None:
            layout.operator("preferences.addon_show", text="Open Preferences", icon="PREFERENCES").module = PACKAGE
        column = layout.column()
        column.use_property_split, column.use_property_decorate = True, False
        active = find_head(context)
        column.prop(settings, "head", placeholder=active.name if active else "")
        column.prop(settings, "strip", icon="SOUND", placeholder=_default_strip(context))
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
        _device, note = session.device_in_use()
        if note:  # the GPU could not be used
            wrapped(layout, context, note, "INFO")


class LSF_PT_view3d(_MainPanel, bpy.types.Panel):
    bl_idname = "LSF_PT_view3d"
    bl_space_type = "VIEW_3D"


class LSF_PT_sequencer(_MainPanel, bpy.types.Panel):
    bl_idname = "LSF_PT_sequencer"
    bl_space_type = "SEQUENCE_EDITOR"


def _default_strip(context: bpy.types.Context) -> str:
    """Return the name of the strip that is used if the field is empty."""
    try:
        return strips.find_strip(compat.sequencer_scene(context), "").name
    except UserError:
        return ""
