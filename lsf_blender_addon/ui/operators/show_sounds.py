"""Show or hide the sounds on the timeline."""

import bpy

from ..blender_types import OperatorResult
from ..sound_timeline import timeline


class LSF_OT_show_sounds(bpy.types.Operator):
    """Show the sounds of the head's lines under their waveforms, and along the keys in Dope Sheet and Graph Editor.

    Click a sound there to select its keys.
    """

    bl_idname = "lsf.show_sounds"
    bl_label = "Show on Timeline"

    def execute(self, _context: bpy.types.Context) -> OperatorResult:
        if timeline.is_shown():
            timeline.hide()
        else:
            timeline.show()
        return {"FINISHED"}
