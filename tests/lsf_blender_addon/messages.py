"""Every string that the add-on's interface shows and Blender can translate: run this file to list those missing."""

import ast
from pathlib import Path

import bpy

import lsf_blender_addon
from lsf_blender_addon.client import causes
from lsf_blender_addon.client.wire import SERVER_PARENT
from lsf_blender_addon.ui import registration
from lsf_blender_addon.ui.properties import emotion

ROOT = Path(lsf_blender_addon.__file__).parent
SERVER = SERVER_PARENT / "server"
DRAWN = ("text", "placeholder", "cure_label")  # keywords of layout calls, and of a Finding
SENTENCES = {  # calls, and which of their arguments is the sentence
    "wrapped": 2,
    "iface": 0,
    "enabled_unless": 1,
    "UserError": 0,
    "InstallationError": 0,
    "ModelError": 0,
    "Advice": 1,  # on what the installation of the speech engine has met
    "say": 0,
    "drop": 0,
    "report": 1,  # of an operator; progress of the server and of the installation
    "Progress": 1,  # of the installation
    "_say": 0,
    "_set_server": 1,  # of the start of the server
    "_show_loading": 1,
    "_progress": 2,
    "progress": 1,  # of the fit of a face
}
PROGRESS = ("text", "waits")  # attributes that hold the current step


def of_classes() -> set[str]:
    """Labels and tooltips of the registered classes and their properties."""
    found = set()
    for cls in registration.CLASSES:
        if issubclass(cls, (bpy.types.Operator, bpy.types.Panel)):
            found.add(cls.bl_label)
        if issubclass(cls, bpy.types.Operator):
            found.add(_operator(cls).get_rna_type().description)
        for prop in _own_properties(cls):
            if prop.is_hidden or _is_group(prop):
                continue
            found |= {prop.name, prop.description}
            if prop.type == "ENUM":
                found |= {text for item in prop.enum_items for text in (item.name, item.description)}
    found |= _own_names()
    found |= {text for _identifier, *texts, _number in emotion.CHOICES for text in texts}  # of a menu that grows
    return {message for message in found if _is_text(message)}


def of_code() -> set[str]:
    """Constant texts in calls that draw or explain."""
    found = set()
    server = [path for path in SERVER.rglob("*.py") if "training" not in path.parts]
    trees = [ast.parse(path.read_text("utf-8")) for path in [*ROOT.rglob("*.py"), *server]]
    named = dict(pair for tree in trees for pair in _named_constants(tree))
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                drawn = [keyword.value for keyword in node.keywords if keyword.arg in DRAWN]
                at = SENTENCES.get(name, len(node.args))
                for value in drawn + node.args[at : at + 1]:
                    found |= set(_constants(value))
                    if isinstance(value, ast.Name) and value.id in named:
                        found.add(named[value.id])
            elif isinstance(node, ast.FunctionDef) and node.name.startswith(("disabled_reason", "_waiting_reason")):
                for inner in ast.walk(node):
                    if isinstance(inner, ast.Return) and inner.value is not None:
                        found |= set(_constants(inner.value))
            elif isinstance(node, ast.Assign):
                for target, value in _assigned(node.targets[0], node.value):
                    if getattr(target, "attr", "") in PROGRESS:
                        found |= set(_constants(value))
    found |= {text for name, text in vars(causes).items() if name.isupper() and isinstance(text, str) and " " in text}
    return {message for message in found if _is_text(message)}


def _own_properties(cls) -> list[bpy.types.Property]:
    """The properties that the add-on gives a class. Those of an operator are in another type than its methods."""
    rna = _operator(cls).get_rna_type() if issubclass(cls, bpy.types.Operator) else cls.bl_rna
    annotations = {}
    for base in reversed(cls.__mro__):
        if base.__module__.startswith(lsf_blender_addon.__name__):
            annotations |= getattr(base, "__annotations__", {})
    inherited = bpy.types.PropertyGroup.bl_rna.properties["name"]  # found in place of a group's own, see _own_names
    found = [rna.properties[name] for name in annotations if name in rna.properties]
    return [prop for prop in found if prop != inherited]


def _own_names() -> set[str]:
    """Labels and tooltips of the properties `name` that groups declare instead of the one that all groups have."""
    groups = [cls for cls in registration.CLASSES if issubclass(cls, bpy.types.PropertyGroup)]
    declared = [cls.__annotations__["name"] for cls in groups if "name" in cls.__annotations__]
    return {deferred.keywords.get(text, "") for deferred in declared for text in ("name", "description")}


def _operator(cls):
    return getattr(bpy.ops.lsf, cls.bl_idname.removeprefix("lsf."))


def _is_group(prop) -> bool:
    """Whether this property only points to others and is never drawn."""
    return prop.type == "POINTER" and bpy.types.PropertyGroup.bl_rna in _bases(prop.fixed_type)


def _bases(rna):
    while rna is not None:
        yield rna
        rna = rna.base


def _named_constants(tree: ast.Module):
    """Pairs of name and text of the module's constants."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield from ((target.id, node.value.value) for target in node.targets if isinstance(target, ast.Name))


def _assigned(target: ast.expr, value: ast.expr):
    """Each target with its value, of tuples too."""
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        yield from zip(target.elts, value.elts, strict=True)
    else:
        yield target, value


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
