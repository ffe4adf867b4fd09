"""Find Landmarks: the server finds the face on the mesh, without blocking Blender."""

import bpy

from ...animation import rollback
from ...errors import UserError
from ...jobs import face_plan, face_result, session
from ...jobs.batch import Item
from ...jobs.environment import NOT_INSTALLED, server_python
from ...jobs.prepare_face import FaceFinding
from ...scene import character, meshes
from ..head import require_head, usable_head
from .batch_modal import BatchModal
from .poll import disabled_reason_busy, enabled_unless


class LSF_OT_find_landmarks(BatchModal, bpy.types.Operator):
    """Find the face on the mesh, its landmarks and its parts.

    Generate does this automatically; use this to check and correct the result first.
    """

    bl_idname = "lsf.find_landmarks"
    bl_label = "Find Landmarks"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def batch_items(self, context: bpy.types.Context) -> list[Item]:
        head = require_head(context)
        others = character.find_parts(context, head)
        return [Item(head.name, lambda: FaceFinding(session.client(), character.read(head, others)))]

    def write(self, item: Item) -> str:
        finding = item.work
        assert isinstance(finding, FaceFinding)
        assert finding.character is not None
        objects, face = character.find_objects(finding.character, self.bl_label)
        plan = face_plan.plan(face, finding.job.header, finding.job.arrays)
        assert plan is not None  # every valid result of `prepare_face` has landmarks
        with rollback.of_head(objects[0]):
            return face_result.write(objects, plan)


def disabled_reason(context: bpy.types.Context) -> str:
    """Return why Find Landmarks is disabled, as a sentence; empty if it is not."""
    if reason := disabled_reason_busy():
        return reason
    if server_python() is None:
        return f"{NOT_INSTALLED}."
    try:
        head = usable_head(context)
        for obj in character.find_parts(context, head):
            meshes.check(obj)
    except UserError as error:
        return f"{error}."
    return ""
