"""The properties of anything in Blender's data as plain values: reads them, and sets those that have changed."""

from typing import Any

import bpy

Values = dict[str, Any]  # by the property's identifier; a group inside is a dictionary, a collection of groups a list


def read(struct: bpy.types.bpy_struct) -> Values:
    """Read all properties that can be set, and those of property groups inside."""
    values: Values = {}
    for prop in struct.bl_rna.properties:
        name = prop.identifier
        if name == "rna_type":
            continue
        if prop.type == "COLLECTION":
            if isinstance(struct, bpy.types.PropertyGroup):
                values[name] = [read(item) for item in getattr(struct, name)]
        elif prop.type == "POINTER":
            value = getattr(struct, name)
            if isinstance(value, bpy.types.PropertyGroup):
                values[name] = read(value)
            elif isinstance(struct, bpy.types.PropertyGroup) and not prop.is_readonly:
                values[name] = value
        elif not prop.is_readonly:
            value = getattr(struct, name)
            values[name] = tuple(value) if getattr(prop, "is_array", False) else value
    return values


def restore(struct: bpy.types.bpy_struct, values: Values) -> None:
    """Set the properties that differ from values that were read earlier."""
    for name, value in values.items():
        now = getattr(struct, name)
        if isinstance(value, dict):
            restore(now, value)
        elif isinstance(value, list):
            if [read(item) for item in now] != value:
                now.clear()
                for item in value:
                    restore(now.add(), item)
        elif (tuple(now) if isinstance(value, tuple) else now) != value:
            setattr(struct, name, value)
