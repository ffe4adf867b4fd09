"""Load a mapping of shape keys: a built-in or a saved one."""

import bpy

from ...rigs import families
from ...scene import rig
from ...scene.access import mesh_of
from ...scene.own_properties import face_of
from ..blender_types import OperatorResult
from ..head import require_head
from .poll import enabled_with_own_keys

_items: list[tuple[str, str, str]] = []  # keeps the strings of the enum alive, to which Blender holds no reference


def _known(_operator: bpy.types.Operator, _context: bpy.types.Context | None) -> list[tuple[str, str, str]]:
    """Return the items of the enum: the saved mappings, then the built-in ones."""
    groups = ("saved", "Saved by you", _saved()), ("built-in", "Included in the add-on", families.built_in())
    _items[:] = [(f"{kind}:{family.name}", family.name, tooltip) for kind, tooltip, group in groups for family in group]
    return _items


def _saved() -> list[families.Family]:
    """Return the mappings that the artist has saved."""
    return families.saved(rig.saved_mappings_folder())[0]


class LSF_OT_load_mapping(bpy.types.Operator):
    """Fill the list from a built-in or saved mapping, with those of its shape keys that this head has."""

    bl_idname = "lsf.load_mapping"
    bl_label = "Load"
    bl_options = {"REGISTER", "UNDO"}

    name: bpy.props.EnumProperty(name="Mapping", description="Mapping to load", items=_known)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_with_own_keys(cls, context)

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        head = require_head(context)
        kind, _, name = self.name.partition(":")
        family = next(
            family for family in (_saved() if kind == "saved" else families.built_in()) if family.name == name
        )
        mapping = family.match(rig.own_keys(mesh_of(head)))
        if not mapping.rows:
            self.report({"ERROR"}, f'"{head.name}" has none of the shape keys of {name}')
            return {"CANCELLED"}
        face_of(head).set_mapping(mapping)
        self.report({"INFO"}, f"{len({row.key for row in mapping.rows})} shape keys of {name} found")
        return {"FINISHED"}
