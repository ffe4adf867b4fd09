"""Show or hide the mouth opening over the waveforms."""

import bpy

from ...preview import mouth_graph
from ..blender_types import OperatorResult


class LSF_OT_show_mouth_graph(bpy.types.Operator):
    """Show how far the mouth opens as a curve over the waveform of each generated strip in the sequencer."""

    bl_idname = "lsf.show_mouth_graph"
    bl_label = "Mouth Opening over Waveform"

    def execute(self, _context: bpy.types.Context) -> OperatorResult:
        if mouth_graph.is_shown():
            mouth_graph.hide()
        else:
            mouth_graph.show()
        return {"FINISHED"}
