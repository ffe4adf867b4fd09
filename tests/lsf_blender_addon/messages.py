"""Every string that the add-on's interface shows and Blender can translate: run this file to list those missing."""

import ast
from pathlib import Path

import bpy

import lsf_blender_addon

ROOT = Path(lsf_blender_addon.__file__).parent
DRAWN = ("text", "placeholder")  # keywords of layout calls
SENTENCES = {"wrapped": 2, "iface": 0, "poll_message_set": 0, "Refusal": 0, "say": 0}  # calls: where the sentence is


def of_classes() -> set[str]:
    """Labels and tooltips of the registered classes and their properties."""
    found = set()
    for cls in lsf_blender_addon.CLASSES:
        rna = cls.bl_rna
        if issubclass(cls, (bpy.types.Operator, bpy.types.Panel)):
            found.add(cls.bl_label)
        if issubclass(cls, bpy.types.Operator):
            found.add(_operator(cls).get_rna_type().description)
        for name in _own_properties(cls):
            prop = rna.properties[name]
            if prop.is_hidden or _is_group(prop):
                continue
            found |= {prop.name, prop.description}
            if prop.type == "ENUM":
                found |= {text for item in prop.enum_items for text in (item.name, item.description)}
    return {message for message in found if _is_text(message)}


def of_code() -> set[str]:
    """Constant texts in calls that draw or explain."""
    found = set()
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                drawn = [keyword.value for keyword in node.keywords if keyword.arg in DRAWN]
                at = SENTENCES.get(name, len(node.args))
                for value in drawn + node.args[at: at + 1]:
                    found |= set(_constants(value))
    return {message for message in found if _is_text(message)}


def _own_properties(cls) -> list[str]:
    annotations = {}
    for base in reversed(cls.__mro__):
        annotations |= getattr(base, "__annotations__", {})
    return [name for name in annotations if name in cls.bl_rna.properties]


def _operator(cls):
    return getattr(bpy.ops.lsf, cls.bl_idname.removeprefix("lsf."))


def _is_group(prop) -> bool:
    """Whether this property only points to others and is never drawn."""
    return prop.type == "POINTER" and bpy.types.PropertyGroup.bl_rna in _bases(prop.fixed_type)


def _bases(rna):
    while rna is not None:
        yield rna
        rna = rna.base


def _constants(node: ast.expr):
    """Strings that this expression may be: one, or those of its branches."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _constants(node.body)
        yield from _constants(node.orelse)


def _is_text(message: str) -> bool:
    return any(letter.isalpha() for letter in message)


if __name__ == "__main__":
    lsf_blender_addon.register()
    messages = of_classes() | of_code()
    lsf_blender_addon.unregister()
    for message in sorted(messages):
        print(repr(message))
