"""Step Through Takes: plays the next or previous take of a line."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...animation import lines
from ...animation.chosen_line import chosen_line
from ...errors import UserError
from ...jobs import session
from ...prediction import takes
from ..blender_types import OperatorResult
from .all_or_nothing import all_or_nothing
from .poll import disabled_reason_busy, enabled_unless


class LSF_OT_step_take(bpy.types.Operator):
    """Play another take of the line, also during playback.

    Your own keys and the sliders are kept.
    """

    bl_idname = "lsf.step_take"
    bl_label = "Step Through Takes"
    bl_options = {"REGISTER", "UNDO"}

    step: bpy.props.IntProperty(
        name="Step", description="Number of takes to go forward. Values below 0 go back", default=1
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    @all_or_nothing
    def execute(self, context: bpy.types.Context) -> OperatorResult:
        action, record = chosen_line(context)
        now = takes.playing(action, record.uid)
        if now is None:  # the line plays a result that is not one of its takes
            now = -1 if self.step > 0 else 0
        index = (now + self.step) % takes.count(action, record.uid)
        try:
            takes.play(action, record.uid, index)
        except UserError as error:
            self.report({"ERROR"}, f"{iface(str(error))}.")
            return {"CANCELLED"}
        lines.refresh(action, record)
        text = iface("{name}: take {take}").format(name=record.name, take=takes.seed(action, record.uid, index))
        self.report({"INFO"}, text)
        session.redraw()
        return {"FINISHED"}


def disabled_reason(context: bpy.types.Context) -> str:
    """Return why the buttons for takes are disabled, as a sentence; empty if they are not."""
    if reason := disabled_reason_busy():
        return reason
    try:
        line = chosen_line(context)
    except UserError as error:
        return f"{error}."
    return "" if takes.count(line.action, line.uid) else "This line has no takes: press Generate Takes."
