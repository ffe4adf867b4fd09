"""The number of keys on the generated F-curves, and those that the artist set by hand."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...animation import fcurves, lines
from ...scene.access import key_animation, mesh_of
from ..head import find_head
from ..operators import key_lines
from ..text import wrapped
from .common import Tab, chosen_line, draw_line_name

MAX_CURVES = 6  # F-curves with keys set by hand that are listed


class _KeysPanel(Tab):
    bl_label = "Keys"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        line = chosen_line(layout, context)
        if line is None:
            return
        draw_line_name(layout, context, line)
        column = layout.column()
        column.use_property_split, column.use_property_decorate = True, False
        column.prop(line.record.tweaks, "density")
        wrapped(layout, context, lines.summary(*line, iface), "KEYFRAME")
        ranges = lines.edits(*line).ranges
        if ranges:
            column = layout.column(align=True)
            column.label(text="Keys set by hand (kept):", icon="LOCKED")
            for path, spans in list(ranges.items())[:MAX_CURVES]:
                column.label(text=f"{fcurves.key_name(path)}: {_spans(spans)}", icon="BLANK1", translate=False)
            if len(ranges) > MAX_CURVES:
                text = iface("and {count} more F-curves").format(count=len(ranges) - MAX_CURVES)
                column.label(text=text, icon="BLANK1", translate=False)
        head = find_head(context)
        if head is not None and key_lines.are_on_a_track(head):
            _draw_track(layout, context, head)
        layout.operator("lsf.release_keys", icon="TRASH")
        layout.operator("lsf.add_layer", icon="NLA")


def _draw_track(layout: bpy.types.UILayout, context: bpy.types.Context, head: bpy.types.Object) -> None:
    """Draw where the artist's keys go while the lines play on an NLA track."""
    data = key_animation(mesh_of(head))
    is_keyed = key_lines.are_keyed(head)
    if is_keyed:
        wrapped(layout, context, "New keys go to the generated lines", "INFO")
    elif data is not None and data.action is not None and data.action_blend_type != "REPLACE":
        wrapped(layout, context, "New keys go to the layer above and are added to the lines", "INFO")
    else:
        wrapped(layout, context, "New keys go to your own Action and replace the lines", "ERROR")
    layout.operator("lsf.key_lines", icon="NLA", depress=is_keyed)


def _spans(spans: list[tuple[float, float]]) -> str:
    """Return a text with the first three of the given ranges of frames, each from first to last."""
    parts = [f"{first:g}" if first == last else f"{first:g}–{last:g}" for first, last in spans[:3]]
    return ", ".join(parts) + (" …" if len(spans) > 3 else "")


class LSF_PT_view3d_keys(_KeysPanel, bpy.types.Panel):
    bl_space_type = "VIEW_3D"
    bl_parent_id = "LSF_PT_view3d"


class LSF_PT_sequencer_keys(_KeysPanel, bpy.types.Panel):
    bl_space_type = "SEQUENCE_EDITOR"
    bl_parent_id = "LSF_PT_sequencer"
