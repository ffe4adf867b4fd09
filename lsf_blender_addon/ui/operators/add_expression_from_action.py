"""Add to Bank from Action: a frame of an Action, or a pose asset, becomes an expression."""

import bpy

from ...errors import UserError
from ...jobs import expression_capture
from ...jobs.expression_capture import Face
from ...scene.access import find_item
from ..blender_types import OperatorResult
from ..head import require_head
from .add_expression import AddsExpression


class LSF_OT_add_expression_from_action(AddsExpression, bpy.types.Operator):
    """Add the face that an Action makes at a frame to the head's bank. A pose asset is such an Action.

    What the Action does not animate is at rest.
    """

    bl_idname = "lsf.add_expression_from_action"
    bl_label = "Add to Bank from Action"
    bl_options = {"REGISTER", "UNDO"}

    action: bpy.props.StringProperty(
        name="Action", description="Action or pose asset of shape keys or bones", options={"SKIP_SAVE"}
    )
    frame: bpy.props.FloatProperty(
        name="Frame", description="Frame of the Action. A pose asset has one only", options={"SKIP_SAVE"}
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        """Ask for the Action; the asset that is active in the Asset Browser is proposed."""
        asset = getattr(context, "asset", None)
        local = getattr(asset, "local_id", None)
        if isinstance(local, bpy.types.Action):
            self.action = self.name = local.name
            self.frame = local.frame_range[0]
        elif context.scene is not None:
            self.frame = float(context.scene.frame_current)
        return context.window_manager.invoke_props_dialog(self)

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "name")
        layout.prop_search(self, "action", bpy.data, "actions")
        layout.prop(self, "frame")
        layout.prop(self, "replace")

    def face(self, context: bpy.types.Context) -> Face:
        action = find_item(bpy.data.actions, self.action)
        if action is None:
            raise UserError("Choose an Action: append a pose asset of another file first")
        self.name = self.name or action.name
        return expression_capture.of_action(require_head(context), action, self.frame)
