"""The parts of a face that move in their own way, as the artist names them: whole objects, or vertices of one mesh.

The codes are the server's, see `parts` in docs/protocol.md.
"""

import bpy
import numpy as np

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


def read(obj: bpy.types.Object, kind: str = "AUTOMATIC") -> np.ndarray:
    """(V,) int32 codes: what was set for single vertices, else that of the whole object."""
    codes = np.full(len(obj.data.vertices), CODES[kind], np.int32)
    stored = _stored(obj.data)
    if stored is not None:
        codes[stored > 0] = stored[stored > 0] - 1
    return codes


def assigned_counts(mesh: bpy.types.Mesh) -> dict[str, int]:
    """Names of the parts that were set for single vertices, with the number of these. Not for Edit Mode."""
    stored = _stored(mesh)
    if stored is None:
        return {}
    codes, counts = np.unique(stored[stored > 0] - 1, return_counts=True)
    return {NAMES[code]: int(count) for code, count in zip(codes.tolist(), counts, strict=True) if code in NAMES}


def describe(codes: np.ndarray) -> str:
    """The parts that occur in (V,) codes, in words; skin and what stays still go without saying if there is more."""
    found = [NAMES[code] for code in np.unique(codes).tolist() if code in NAMES and code != AUTOMATIC]
    return ", ".join([name for name in found if name not in ("Skin", "Still")] or found)


def _stored(mesh: bpy.types.Mesh) -> np.ndarray | None:
    attribute = mesh.attributes.get(ATTRIBUTE)
    if attribute is None or (attribute.domain, attribute.data_type) != ("POINT", "INT"):
        return None
    stored = np.zeros(len(attribute.data), np.int32)
    attribute.data.foreach_get("value", stored)
    return stored if len(stored) == len(mesh.vertices) else None
