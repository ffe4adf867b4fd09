"""Find Landmarks: let the server look for the face, without blocking Blender."""

import bpy

from ...errors import UserError
from ...jobs import face_result, session
from ...jobs.batch import Item
from ...jobs.environment import NO_PYTHON, server_python
from ...jobs.prepare_face import FaceFinding
from ...scene import character, meshes
from ...scene.selection import head_of
from .batch_modal import BatchModal
from .poll import enabled_unless


class LSF_OT_find_landmarks(BatchModal, bpy.types.Operator):
    """Find the face on the mesh, its landmarks and its parts. Generate does this by itself; here you see the result
    before, and can correct it
    """

    bl_idname = "lsf.find_landmarks"
    bl_label = "Find Landmarks"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def items(self, context: bpy.types.Context) -> list[Item]:
        head = head_of(context)
        others = character.find_parts(context, head)
        return [Item(head.name, lambda: FaceFinding(session.client(), character.read(head, others)))]

    def write(self, item: Item) -> str:
        finding = item.work
        objects = character.find_objects(finding.character)
        return face_result.remember(objects, finding.character, finding.job.header, finding.job.arrays)


def disabled_reason(context: bpy.types.Context) -> str:
    """A sentence that says why the face cannot be looked for now; empty if it can."""
    if session.batch is not None:
        return "The server is at work: wait for it, or cancel it."
    if server_python() is None:
        return f"{NO_PYTHON}."
    head = head_of(context)
    try:
        meshes.check(head)
        for obj in character.find_parts(context, head):
            meshes.check(obj)
    except UserError as error:
        return f"{error}."
    return ""
