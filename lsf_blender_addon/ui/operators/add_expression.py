"""Add to Bank: the face that the artist has made becomes an expression, which can be chosen as an emotion."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...animation import expression_bank_edits
from ...client.wire import Expression, ExpressionError
from ...errors import UserError
from ...jobs import expression_capture, session
from ...jobs.expression_capture import Face
from ...scene import expression_bank
from ..blender_types import OperatorMixin, OperatorResult
from ..head import require_head
from .poll import enabled_with_head


class AddsExpression(OperatorMixin):
    """Mixin for an operator that adds a face to the bank of the chosen head. It defines `face`."""

    name: bpy.props.StringProperty(
        name="Name", description="Name of the expression, in the menus of emotions too", options={"SKIP_SAVE"}
    )
    replace: bpy.props.BoolProperty(
        name="Replace",
        description="Replace the expression of the same name. Keys of the emotion mean the new one then",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_with_head(cls, context)

    def face(self, context: bpy.types.Context) -> Face:
        """Return the face. Raises UserError."""
        raise NotImplementedError

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        head = require_head(context)
        try:
            face = self.face(context)
            name = self.name.strip() or "Expression"
            if not self.replace:
                name = expression_bank.free_name(name, expression_bank.names(head).values())
            added = expression_bank_edits.add(head, Expression(name, face.weights), self.replace)
        except (UserError, ExpressionError) as error:  # ExpressionError: the name is that of an emotion
            self.report({"ERROR"}, f"{str(error).removesuffix('.')}.")
            return {"CANCELLED"}
        text = iface("{name}: {count} channels").format(name=added, count=len(face.weights)) + face.note
        session.say(text)
        self.report({"INFO"}, text)
        return {"FINISHED"}


class LSF_OT_add_expression(AddsExpression, bpy.types.Operator):
    """Add the face as it is posed now to the head's bank, to choose it as an emotion.

    What belongs to speech (jaw, closure, funnel, pucker) is shown at 30 % at most.
    """

    bl_idname = "lsf.add_expression"
    bl_label = "Add to Bank"
    bl_options = {"REGISTER", "UNDO"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        """Ask for the name."""
        return context.window_manager.invoke_props_dialog(self)

    def face(self, context: bpy.types.Context) -> Face:
        return expression_capture.of_pose(require_head(context))
