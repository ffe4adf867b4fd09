"""Load a mapping of shape keys: one of the families that come with the add-on, or a saved one."""

import bpy

from ...rigs import families
from ...scene import rig
from ...scene.selection import head_of
from .poll import enabled_with_own_keys

_items: list[tuple[str, str, str]] = []  # Blender keeps no reference to the texts of a dynamic enum


def _known(_operator, _context: bpy.types.Context | None) -> list[tuple[str, str, str]]:
    groups = ("saved", "Saved by you", _saved()), ("built-in", "Comes with the add-on", families.built_in())
    _items[:] = [(f"{kind}:{family.name}", family.name, tooltip) for kind, tooltip, group in groups for family in group]
    return _items


def _saved() -> list[families.Family]:
    return families.saved(rig.saved_mappings_folder())[0]


class LSF_OT_load_mapping(bpy.types.Operator):
    """Fill the list from a known family of shape keys or a mapping that you saved, for those of its keys that this head
    has
    """

    bl_idname = "lsf.load_mapping"
    bl_label = "Load"
    bl_options = {"REGISTER", "UNDO"}

    name: bpy.props.EnumProperty(name="Mapping", description="Which one", items=_known)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_with_own_keys(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        head = head_of(context)
        kind, _, name = self.name.partition(":")
        family = next(
            family for family in (_saved() if kind == "saved" else families.built_in()) if family.name == name
        )
        mapping = family.match(rig.own_keys(head.data))
        if not mapping.rows:
            self.report({"ERROR"}, f'"{head.name}" has none of the shape keys of {name}')
            return {"CANCELLED"}
        head.lsf.set_mapping(mapping)
        self.report({"INFO"}, f"{len({row.key for row in mapping.rows})} of {len(family.keys)} keys are there")
        return {"FINISHED"}
