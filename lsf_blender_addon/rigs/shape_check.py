"""Measures the shapes of a rig's own keys before they are trusted. No bpy.

A key may have the name of a channel and no shape, as in exports that only reserve the names, or another shape. What a
channel should move on this mesh is known from the fitted face.
"""

from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Artists' ARKit keys of two makers against the channels of the fitted faces: cosines .40 to 1.00, sizes .38 to 2.3. Of
# their keys against all other channels, 88 % have cosines below .1.
LEAST_COSINE = 0.1
LEAST_SIZE = 0.1
MAX_WRONG_SHARE = 0.5  # of the keys that move something: if more are wrong, the fitted face is in doubt, not the keys
LEAST_WANTED = 1e-2  # of the largest channel: a channel that moves less says nothing about a shape

Floats = NDArray[np.floating[Any]]


class Fault(Enum):
    """Why a key is left out."""

    EMPTY = "has no shape, or hardly one"
    WRONG = "moves another place, or another way"
    DRIVEN = "has a driver"


def find_faults(shapes: Floats, wanted: Floats, skin: NDArray[np.bool_]) -> list[Fault | None]:
    """Judge the shapes of keys.

    Args:
        shapes: Offsets (N, V, 3) of the vertices for each key at value 1.
        wanted: Offsets (N, V, 3) that the channels of each key ask for.
        skin: Vertices (V,) by which the direction of a shape is judged. Eyes and teeth are no part of it: bones may
            turn them, and then a key moves the lids alone.

    Returns:
        A fault, or None, for each key.
    """
    sizes, wanted_sizes = np.sqrt(_products(shapes, shapes)), np.sqrt(_products(wanted, wanted))
    known = wanted_sizes > LEAST_WANTED * wanted_sizes.max(initial=0.0)
    on_skin, wanted_on_skin = shapes[:, skin], wanted[:, skin]
    skin_sizes = np.sqrt(_products(on_skin, on_skin))
    wanted_skin_sizes = np.sqrt(_products(wanted_on_skin, wanted_on_skin))
    moves_skin = known & (wanted_skin_sizes > LEAST_SIZE * wanted_sizes)
    is_small = (sizes <= LEAST_SIZE * wanted_sizes) & (skin_sizes <= LEAST_SIZE * wanted_skin_sizes)
    empty = (moves_skin & is_small) | (sizes == 0)
    products = _products(on_skin, wanted_on_skin)
    judged = moves_skin & (skin_sizes > 0)
    wrong = judged & (products < LEAST_COSINE * skin_sizes * wanted_skin_sizes)
    if wrong.sum() > MAX_WRONG_SHARE * judged.sum():
        wrong[:] = False
    return [
        Fault.WRONG if is_wrong else Fault.EMPTY if is_empty else None
        for is_empty, is_wrong in zip(empty, wrong, strict=True)
    ]


def _products(a: Floats, b: Floats) -> Floats:
    """Scalar products (N,) of offsets (N, V, 3) of the same keys."""
    count = a.shape[1] * a.shape[2]
    products: Floats = (a.reshape(-1, 1, count) @ b.reshape(-1, count, 1))[:, 0, 0]
    return products
