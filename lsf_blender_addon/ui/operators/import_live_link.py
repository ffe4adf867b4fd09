"""Import a Live Link Face recording: the dialog, in which the file is picked."""

from typing import TYPE_CHECKING

import bpy
from bpy_extras.io_utils import ImportHelper

from ...errors import UserError
from ...jobs import environment
from ...scene.access import active_scene, mesh_of
from ...scene.own_properties import face_of
from ..blender_types import OperatorResult
from ..head import require_head, usable_head
from .batch_modal import run_after_dialog
from .import_recording import RecordingOptions
from .poll import disabled_reason_busy, enabled_unless


class LSF_OT_import_live_link(RecordingOptions, bpy.types.Operator, ImportHelper):
    """Animate the head with a Live Link Face recording. Shape keys that it lacks are made.

    Where the recording plays, generated speech, blinks and gaze give way to it.
    """

    bl_idname = "lsf.import_live_link"
    bl_label = "Import Face Curves"

    filename_ext = ".csv"
    filter_glob: bpy.props.StringProperty(default="*.csv", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    if TYPE_CHECKING:
        filepath: str  # a property of ImportHelper

    def invoke(  # type: ignore[override]  # ImportHelper and Operator return different types in the stubs
        self, context: bpy.types.Context, event: bpy.types.Event
    ) -> OperatorResult:
        self.first_frame = active_scene(context).frame_current
        self.head_rotation = face_of(require_head(context)).nod.object is not None
        return super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Start the import: with progress from the dialog; a script waits for its end."""
        return run_after_dialog(
            self,
            "import_recording",
            filepath=self.filepath,
            first_frame=self.first_frame,
            rate=self.rate,
            every_frame=self.every_frame,
            add_missing=self.add_missing,
            head_rotation=self.head_rotation,
        )


def disabled_reason(context: bpy.types.Context) -> str:
    """Return why Import is disabled, as a sentence; empty if it is not."""
    if reason := disabled_reason_busy():
        return reason
    try:
        head = usable_head(context)
    except UserError as error:
        return f"{error}."
    if mesh_of(head).shape_keys is None and environment.server_python() is None:
        return "The head has no shape keys. Install the speech engine first: it makes them."
    return ""


def draw_menu(self: bpy.types.Menu, _context: bpy.types.Context) -> None:
    """Draw an entry in File > Import."""
    self.layout.operator(LSF_OT_import_live_link.bl_idname, text="Face Curves, Live Link Face (.csv)")
