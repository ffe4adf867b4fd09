"""Keep one take of a line."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...animation.chosen_line import chosen_line
from ...jobs import session
from ...prediction import takes
from ...scene.access import active_scene
from ...scene.own_properties import settings_of
from ..blender_types import OperatorResult
from .all_or_nothing import all_or_nothing
from .poll import enabled_unless
from .step_take import disabled_reason


class LSF_OT_keep_take(bpy.types.Operator):
    """Keep the take that plays and delete the others.

    Take and Variation are set to those of the kept take.
    """

    bl_idname = "lsf.keep_take"
    bl_label = "Keep This Take"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    @all_or_nothing
    def execute(self, context: bpy.types.Context) -> OperatorResult:
        line = chosen_line(context)
        kept = takes.setting(line.action, line.uid)
        takes.forget(line.action, line.uid)
        if kept is not None:
            settings_of(active_scene(context)).show_take(*kept)
            self.report({"INFO"}, iface("{name}: take {take} is kept").format(name=line.record.name, take=kept[0]))
        session.redraw()
        return {"FINISHED"}
