"""Save the list of the head's own shape keys as a file, for other heads of its kind."""

import bpy

from ...rigs import families
from ...rigs.mapping import Mapping
from ...scene import rig
from ...scene.selection import head_of
from .poll import enabled_unless


class LSF_OT_save_mapping(bpy.types.Operator):
    """Save the list for other heads with the same keys. They will be recognised by it from now on"""

    bl_idname = "lsf.save_mapping"
    bl_label = "Save"

    name: bpy.props.StringProperty(name="Name", description="What the mapping is called in the menu")
    replace: bpy.props.BoolProperty(
        name="Replace", description="Replace a saved mapping of this name", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        head = head_of(context)
        if head is None or not any(row.key for row in head.lsf.mapping):
            return enabled_unless(cls, "The list is empty.")
        return True

    def invoke(self, context: bpy.types.Context, _event) -> set[str]:
        self.name = head_of(context).lsf.mapping_name
        return context.window_manager.invoke_props_dialog(self)

    def execute(self, context: bpy.types.Context) -> set[str]:
        face, name = head_of(context).lsf, self.name.strip()
        if not name:
            self.report({"ERROR"}, "Give the mapping a name")
            return {"CANCELLED"}
        path = rig.saved_mappings_folder() / f"{bpy.path.clean_name(name)}.json"
        if path.exists() and not self.replace:
            self.report({"ERROR"}, f'There is a mapping "{name}" already: choose another name, or turn on Replace')
            return {"CANCELLED"}
        try:
            families.write(path, Mapping(name, rig.mapping_rows(face)))
        except OSError as error:
            self.report({"ERROR"}, f"{path} cannot be written ({error.strerror})")
            return {"CANCELLED"}
        face.mapping_name = name
        self.report({"INFO"}, f"Saved as {path}")
        return {"FINISHED"}
