"""The face on the mesh: its landmarks; below it, its parts and its existing shape keys."""

import bpy

from .. import properties, session
from ..landmarks import points
from ..scene import face_result
from .common import Tab, wrapped


class LSF_PT_view3d_face(Tab, bpy.types.Panel):
    bl_idname = "LSF_PT_view3d_face"
    bl_label = "Face"
    bl_space_type = "VIEW_3D"
    bl_parent_id = "LSF_PT_view3d"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        head = properties.head_of(context)
        if head is None or head.type != "MESH":
            layout.label(text="Choose the head first", icon="INFO")
            return
        if session.finding is not None:
            layout.progress(factor=session.finding.fraction, text=session.finding.text)
            layout.label(text="Esc cancels", icon="BLANK1")
        else:
            layout.operator("lsf.find_landmarks", icon="VIEWZOOM")
        row = layout.row(align=True)
        row.operator("lsf.edit_landmarks", icon="TRACKER")
        row.operator("lsf.reset_landmarks", icon="LOOP_BACK", text="")
        own = len(head.lsf.own_landmarks)
        known = {item.index for group in (head.lsf.found_landmarks, head.lsf.own_landmarks) for item in group}
        if len(known) == points.COUNT:
            layout.label(text=f"Landmarks found; {own} set by hand" if own else "Landmarks found", icon="CHECKMARK")
        elif own:
            layout.label(text=f"{own} landmarks set by hand", icon="HAND")
        if lines := face_result.doubted_lines(head):
            wrapped(layout, context, f"Look with Edit Landmarks whether these are right: {lines}", "ERROR")
        if head.lsf.recognised:
            wrapped(layout, context, f"In this mesh: {head.lsf.recognised}", "CHECKMARK")
