"""Check Character: says what will move and what will not, without blocking Blender and without changing anything."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...client.jobs import State
from ...errors import UserError
from ...jobs import checkup, session
from ...jobs.batch import Batch, Item
from ...jobs.environment import server_python
from ...jobs.prepare_face import FaceFinding
from ...scene import character, meshes, mouth_seam
from ...scene.access import find_item
from ...scene.findings import Finding
from ...scene.lip_seam import from_header
from ..blender_types import OperatorResult
from ..head import find_head, require_head
from .batch_modal import BatchModal
from .poll import disabled_reason_busy, enabled_unless

NO_FIT = ("no_face", "several_faces", "too_coarse")  # codes of errors after which a line may do without a face
EDIT = "lsf.edit_landmarks"
NOT_CHECKED_YET = "Lips, eyes and landmarks are checked once the speech engine is installed"


class LSF_OT_check_character(BatchModal, bpy.types.Operator):
    """Say what will move on this character and what will not, before anything is generated.

    Nothing is changed.
    """

    bl_idname = "lsf.check_character"
    bl_label = "Check Character"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if reason := disabled_reason_busy():
            return enabled_unless(cls, reason)
        return enabled_unless(cls, "" if find_head(context) is not None else "Select the head: a mesh object.")

    def batch_items(self, context: bpy.types.Context) -> list[Item]:
        head = require_head(context)
        others = character.find_parts(context, head)
        return [Item(head.name, lambda: FaceFinding(session.client(), character.read(head, others)))]

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        return super().invoke(context, event) if self._needs_server(context) else {"FINISHED"}

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        return super().execute(context) if self._needs_server(context) else {"FINISHED"}

    def write(self, item: Item) -> str:
        finding = item.work
        assert isinstance(finding, FaceFinding)
        assert finding.character is not None
        (head, *_parts), face = character.find_objects(finding.character, self.bl_label)
        mouth_seam.write(head, from_header(finding.job.header, len(face.head.vertices)))
        checkup.keep(head, checkup.found_face(face, finding.job.header, finding.job.arrays))
        return ""

    def finish(self, batch: Batch, texts: list[str]) -> OperatorResult:
        (item,) = batch.items
        head = find_item(bpy.data.objects, item.name)
        if item.state is State.FAILED and head is not None:
            checkup.keep(head, None, _without_face(item))
        session.redraw()
        return {"FINISHED"}

    def _needs_server(self, context: bpy.types.Context) -> bool:
        """Show what is known without the face, and return whether the server can find the face."""
        head = require_head(context)
        checkup.keep(head, None, None if server_python() else Finding("NOTE", iface(NOT_CHECKED_YET)))
        session.redraw()
        try:
            for obj in (head, *character.find_parts(context, head)):
                meshes.check(obj)
        except UserError:  # one of the findings says it
            return False
        return server_python() is not None


def _without_face(item: Item) -> Finding:
    """Return what is said where no face was found; known keys of the head speak without one."""
    finding = item.work
    text = item.error.rstrip(".")
    if not isinstance(finding, FaceFinding) or finding.character is None or finding.job.code not in NO_FIT:
        return Finding("FAULT", text)
    if not finding.character.header().get("face_optional"):
        return Finding("FAULT", text, EDIT, cure_label="Set Four Points")
    if finding.job.code == "no_face":
        text = iface("The face was not found: only the head's own shape keys move")
    return Finding("NOTE", text, EDIT, cure_label="Set Four Points")
