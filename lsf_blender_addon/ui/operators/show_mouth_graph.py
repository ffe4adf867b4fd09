"""Show or hide the mouth's opening over the waveforms."""

import bpy

from ...preview import mouth_graph


class LSF_OT_show_mouth_graph(bpy.types.Operator):
    """Draw in the sequencer, over the waveform of each generated strip, how far the mouth opens"""

    bl_idname = "lsf.show_mouth_graph"
    bl_label = "Mouth Opening over Waveform"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        if mouth_graph.is_shown():
            mouth_graph.hide()
        else:
            mouth_graph.show()
        return {"FINISHED"}
