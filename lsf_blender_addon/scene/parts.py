"""The parts of a face that move in their own way, such as teeth and eyes: whole objects, or vertices of one mesh.

The codes are the server's, see `parts` in docs/protocol.md.
"""

import bpy
import numpy as np
from numpy.typing import NDArray

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


def read(obj: bpy.types.Object, kind: str = "AUTOMATIC") -> NDArray[np.int32]:
    """Part codes of an object's vertices.

    Args:
        obj: A mesh object.
        kind: Identifier (see `KINDS`) for vertices whose part is not set individually.

    Returns:
        (V,) codes.
    """
    mesh = mesh_of(obj)
    codes = np.full(len(mesh.vertices), CODES[kind], np.int32)
    stored = _stored(mesh)
    if stored is not None:
        codes[stored > 0] = stored[stored > 0] - 1
    return codes


def assigned_counts(mesh: bpy.types.Mesh) -> dict[str, int]:
    """Names of the parts that are set for individual vertices, with the number of these. Not for Edit Mode."""
    stored = _stored(mesh)
    if stored is None:
        return {}
    codes, counts = np.unique(stored[stored > 0] - 1, return_counts=True)
    return {NAMES[code]: int(count) for code, count in zip(codes.tolist(), counts, strict=True) if code in NAMES}


def describe(codes: NDArray[np.integer]) -> str:
    """Names of the parts in (V,) codes, as a list in one string; Skin and Still are left out if there are others."""
    found = [NAMES[code] for code in np.unique(codes).tolist() if code in NAMES and code != AUTOMATIC]
    return ", ".join([name for name in found if name not in ("Skin", "Still")] or found)


def _stored(mesh: bpy.types.Mesh) -> NDArray[np.int32] | None:
    """(V,) values of the attribute; None if the mesh has none of the right kind, or is in Edit Mode."""
    attribute = find_item(mesh.attributes, ATTRIBUTE)
    if not isinstance(attribute, bpy.types.IntAttribute) or attribute.domain != "POINT":
        return None
    stored = np.zeros(len(attribute.data), np.int32)
    attribute.data.foreach_get("value", stored)
    return stored if len(stored) == len(mesh.vertices) else None
