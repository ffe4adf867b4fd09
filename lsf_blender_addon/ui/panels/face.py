"""The face on the mesh: its landmarks. Subpanels hold its parts and its own shape keys."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...jobs import face_result, session
from ...scene import mouth_seam
from ...scene.landmarks import points
from ...scene.own_properties import face_of
from ..text import wrapped
from ..translations import OWN_CONTEXT
from .common import Tab, chosen_head


class LSF_PT_view3d_face(Tab, bpy.types.Panel):
    bl_idname = "LSF_PT_view3d_face"
    bl_label = "Face"
    bl_translation_context = OWN_CONTEXT  # Blender translates "Face" as a polygon
    bl_space_type = "VIEW_3D"
    bl_parent_id = "LSF_PT_view3d"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        head = chosen_head(layout, context)
        if head is None:
            return
        if session.batch is not None:
            row = layout.row(align=True)
            row.progress(factor=session.batch.fraction, text=session.batch.text)
            row.operator("lsf.cancel", text="", icon="X")
        else:
            layout.operator("lsf.find_landmarks", icon="VIEWZOOM")
        row = layout.row(align=True)
        row.operator("lsf.edit_landmarks", icon="TRACKER")
        row.operator("lsf.reset_landmarks", icon="LOOP_BACK", text="")
        face = face_of(head)
        own = len(face.own_landmarks)
        known = {item.index for group in (face.found_landmarks, face.own_landmarks) for item in group}
        if len(known) == points.COUNT:
            text = iface("Landmarks found; {own} set by hand") if own else iface("Landmarks found")
            layout.label(text=text.format(own=own), icon="CHECKMARK", translate=False)
        elif own:
            layout.label(text=iface("{own} landmarks set by hand").format(own=own), icon="HAND", translate=False)
        if mouth_seam.is_welded(head):
            wrapped(layout, context, iface("The lips are one surface"), "ERROR")
            layout.operator("lsf.cut_mouth")
        if lines := face_result.doubted_lines(head):
            text = iface("Check these with Edit Landmarks: {lines}")
            wrapped(layout, context, text.format(lines=lines), "ERROR")
        if face.recognised:
            names = ", ".join(iface(name) for name in face.recognised.split(", "))
            text = iface("Parts found in this mesh: {parts}").format(parts=names)
            wrapped(layout, context, text, "CHECKMARK")
