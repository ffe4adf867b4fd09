"""The parts of a face that move in their own way, such as teeth and eyes: whole objects, or vertices of one mesh.

The codes are the server's, see `parts` in docs/protocol.md.
"""

import bpy
import numpy as np
from numpy.typing import NDArray

from . import part_names
from .access import find_item, mesh_of
from .snapshots import AUTOMATIC

ATTRIBUTE = "lsf_part"  # on a mesh's vertices: 0 where the part is found automatically, else its code + 1

# identifier, name, tooltip, code
KINDS = (
    ("AUTOMATIC", "Automatic", "Recognised from shape and place", AUTOMATIC),
    ("SKIN", "Skin", "Carries the expressions", 0),
    ("UPPER_TEETH", "Upper Teeth", "Upper teeth and gums: they stay with the skull", 1),
    ("LOWER_TEETH", "Lower Teeth", "Lower teeth and gums: they move with the jaw", 2),
    ("TONGUE", "Tongue", "Moves with the jaw and comes out", 3),
    ("LEFT_EYE", "Left Eye", "The eyeball on the character's left: it turns about its centre", 4),
    ("RIGHT_EYE", "Right Eye", "The eyeball on the character's right: it turns about its centre", 5),
    ("LASHES", "Lashes", "Lashes, brow cards and beards: they follow the skin under them", 6),
    ("STILL", "Still", "Does not move", 7),
)
CODES = {identifier: code for identifier, _name, _tooltip, code in KINDS}
NAMES = {code: name for _identifier, name, _tooltip, code in KINDS}
ENUM_ITEMS = [(identifier, name, tooltip, code + 1) for identifier, name, tooltip, code in KINDS]


# Codes of the parts that a name of each kind allows, see part_names.kind_of.
ALLOWED = {
    part_names.EYE: (4, 5),
    part_names.TEETH: (1, 2),
    **{kind: (CODES[kind],) for kind in ("UPPER_TEETH", "LOWER_TEETH", "TONGUE", "LASHES")},
}
NAMED = 256  # plus 2**code for each of them: what the server takes as a part that a name suggests


def read(obj: bpy.types.Object, kind: str = "AUTOMATIC", is_head: bool = False) -> NDArray[np.int32]:
    """Part codes of an object's vertices.

    Where the part is to be recognised, the names of the object, its mesh and its materials help: the materials first.

    Args:
        obj: A mesh object.
        kind: Identifier (see `KINDS`) for vertices whose part is not set individually.
        is_head: Whether it is the head, whose own name tells nothing of its vertices.

    Returns:
        (V,) codes, or NAMED + Σ 2**code of those that a name allows.
    """
    mesh = mesh_of(obj)
    codes = np.full(len(mesh.vertices), CODES[kind], np.int32)
    if codes.size and CODES[kind] == AUTOMATIC:
        name = "" if is_head else part_names.kind_of(obj.name) or part_names.kind_of(mesh.name)
        codes[:] = _suggestion(name)
        _suggest_by_material(mesh, codes)
    kept = stored(mesh)
    if kept is not None:
        codes[kept > 0] = kept[kept > 0] - 1
    return codes


def assigned_counts(mesh: bpy.types.Mesh) -> dict[str, int]:
    """Names of the parts that are set for individual vertices, with the number of these. Not for Edit Mode."""
    kept = stored(mesh)
    if kept is None:
        return {}
    codes, counts = np.unique(kept[kept > 0] - 1, return_counts=True)
    return {NAMES[code]: int(count) for code, count in zip(codes.tolist(), counts, strict=True) if code in NAMES}


def describe(codes: NDArray[np.integer]) -> str:
    """Names of the parts in (V,) codes, as a list in one string; Skin and Still are left out if there are others."""
    found = [NAMES[code] for code in np.unique(codes).tolist() if code in NAMES and code != AUTOMATIC]
    return ", ".join([name for name in found if name not in ("Skin", "Still")] or found)


def _suggestion(kind: str) -> int:
    """What is sent for vertices whose name is of this kind (see part_names.kind_of)."""
    return NAMED + sum(1 << code for code in ALLOWED[kind]) if kind else AUTOMATIC


def _suggest_by_material(mesh: bpy.types.Mesh, codes: NDArray[np.int32]) -> None:
    """Set the codes (V,) of vertices whose material's name tells the part."""
    kinds = [part_names.kind_of(material.name) if material is not None else "" for material in mesh.materials]
    if not any(kinds):
        return
    slots = np.zeros(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("material_index", slots)
    starts, vertices = np.zeros(len(mesh.polygons), np.int32), np.zeros(len(mesh.loops), np.int32)
    mesh.polygons.foreach_get("loop_start", starts)
    mesh.loops.foreach_get("vertex_index", vertices)
    slot_of_loop = np.repeat(slots.clip(0, len(kinds) - 1), np.diff(starts, append=len(vertices)))
    for slot, kind in enumerate(kinds):
        if kind:
            codes[vertices[slot_of_loop == slot]] = _suggestion(kind)


def stored(mesh: bpy.types.Mesh) -> NDArray[np.int32] | None:
    """(V,) values of the attribute; None if the mesh has none of the right kind, or is in Edit Mode."""
    attribute = find_item(mesh.attributes, ATTRIBUTE)
    if not isinstance(attribute, bpy.types.IntAttribute) or attribute.domain != "POINT":
        return None
    values = np.zeros(len(attribute.data), np.int32)
    attribute.data.foreach_get("value", values)
    return values if len(values) == len(mesh.vertices) else None
