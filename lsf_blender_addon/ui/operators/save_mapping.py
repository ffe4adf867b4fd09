"""Save the mapping of the head's own shape keys as a file, for other heads."""

import bpy

from ...rigs import families
from ...rigs.mapping import Mapping
from ...scene import rig
from ...scene.own_properties import face_of
from ..blender_types import OperatorResult
from ..head import find_head, require_head
from .poll import enabled_unless


class LSF_OT_save_mapping(bpy.types.Operator):
    """Save the list for other heads with the same shape keys, which are then recognised automatically."""

    bl_idname = "lsf.save_mapping"
    bl_label = "Save"

    name: bpy.props.StringProperty(name="Name", description="Name of the mapping in the Load menu")
    replace: bpy.props.BoolProperty(
        name="Replace", description="Replace a saved mapping of the same name", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        head = find_head(context)
        if head is None or not any(row.key for row in face_of(head).mapping):
            return enabled_unless(cls, "The list is empty.")
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        self.name = face_of(require_head(context)).mapping_name
        return context.window_manager.invoke_props_dialog(self)

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        face, name = face_of(require_head(context)), self.name.strip()
        if not name:
            self.report({"ERROR"}, "Enter a name for the mapping")
            return {"CANCELLED"}
        path = rig.saved_mappings_folder() / f"{bpy.path.clean_name(name)}.json"
        if path.exists() and not self.replace:
            self.report({"ERROR"}, f'A mapping "{name}" already exists: choose another name or turn on Replace')
            return {"CANCELLED"}
        try:
            families.write(path, Mapping(name, rig.mapping_rows(face)))
        except OSError as error:
            self.report({"ERROR"}, f"{path} cannot be written ({error.strerror})")
            return {"CANCELLED"}
        face.mapping_name = name
        self.report({"INFO"}, f"Saved as {path}")
        return {"FINISHED"}
