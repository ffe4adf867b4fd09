"""How many keys the curves have, and which of them the artist has set by hand."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...animation import fcurves
from .common import Tab, chosen_line, wrapped

SHOWN = 6  # curves with keys by hand


class _KeysPanel(Tab):
    bl_label = "Keys"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        action = chosen_line(layout, context)
        if action is None:
            return
        column = layout.column()
        column.use_property_split, column.use_property_decorate = True, False
        column.prop(action.lsf, "density")
        wrapped(layout, context, fcurves.load(action).summary(), "KEYFRAME")
        ranges = fcurves.kept_ranges(action)
        if ranges:
            column = layout.column(align=True)
            column.label(text="Set by hand, and kept:", icon="LOCKED")
            for path, spans in list(ranges.items())[:SHOWN]:
                column.label(text=f"{fcurves.key_name(path)}: {_spans(spans)}", icon="BLANK1", translate=False)
            if len(ranges) > SHOWN:
                text = iface("and on {count} more curves").format(count=len(ranges) - SHOWN)
                column.label(text=text, icon="BLANK1", translate=False)
        layout.operator("lsf.release_keys", icon="TRASH")
        layout.operator("lsf.add_layer", icon="NLA")


def _spans(spans: list[tuple[float, float]]) -> str:
    """Frames and ranges of frames for people."""
    parts = [f"{first:g}" if first == last else f"{first:g}–{last:g}" for first, last in spans[:3]]
    return ", ".join(parts) + (" …" if len(spans) > 3 else "")


class LSF_PT_view3d_keys(_KeysPanel, bpy.types.Panel):
    bl_space_type = "VIEW_3D"
    bl_parent_id = "LSF_PT_view3d"


class LSF_PT_sequencer_keys(_KeysPanel, bpy.types.Panel):
    bl_space_type = "SEQUENCE_EDITOR"
    bl_parent_id = "LSF_PT_sequencer"
