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
LEAST_SIZE = 0.15
LEAST_PARTING = 0.25  # of the lips' distance where a channel opens the mouth; artists' jawOpen: 1.09 and 1.12
WIDE = 0.1  # of the distance of the eye corners: lips that part less may be an artist's choice, as of a pout
STILL_SHARE = 0.01  # of the largest offset of all channels: vertices that move less stay where they are
MAX_DRIFT = 0.3  # of what a channel moves: a key that moves the still vertices more carries the head; artists': .07
MAX_WRONG_SHARE = 0.5  # of the keys that move something: if more are wrong, the fitted face is in doubt, not the keys
LEAST_WANTED = 1e-2  # of the largest channel: a channel that moves less says nothing about a shape

Floats = NDArray[np.floating[Any]]


NO_LIPS = np.zeros((0, 2), np.intp)


class Fault(Enum):
    """What is wrong with a key. All but DOUBTFUL ones are left out."""

    EMPTY = "has no shape, or hardly one"
    WRONG = "moves another place, or another way"
    DRIVEN = "has a driver"
    DOUBTFUL = "moves another place, or another way, as most keys do: either the names or the fitted face is wrong"


def find_faults(
    shapes: Floats,
    wanted: Floats,
    skin: NDArray[np.bool_],
    lips: NDArray[np.intp] = NO_LIPS,
    eye_distance: float = 0.0,
) -> list[Fault | None]:
    """Judge the shapes of keys.

    Args:
        shapes: Offsets (N, V, 3) of the vertices for each key at value 1.
        wanted: Offsets (N, V, 3) that the channels of each key ask for.
        skin: Vertices (V,) by which the direction of a shape is judged. Eyes and teeth are no part of it: bones may
            turn them, and then a key moves the lids alone.
        lips: Pairs of vertices (P, 2), one on the upper and one on the lower lip each; empty if they are not known.
        eye_distance: Distance of the outer eye corners, in the unit of the shapes.

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
    wrong |= moves_skin & (_drift(on_skin, wanted_on_skin) > MAX_DRIFT)
    if len(lips):
        for pairs in (lips[:1], lips[1:]):  # the middle, and the borders of a cut
            wrong |= known & ~empty & _keeps_lips_together(shapes, wanted, pairs, WIDE * eye_distance)
    fault = Fault.DOUBTFUL if wrong.sum() > MAX_WRONG_SHARE * judged.sum() else Fault.WRONG
    return [
        fault if is_wrong else Fault.EMPTY if is_empty else None
        for is_empty, is_wrong in zip(empty, wrong, strict=True)
    ]


def _drift(shapes: Floats, wanted: Floats) -> Floats:
    """How far keys (N, V, 3) move the vertices that no channel moves, relative to what they should move (N,)."""
    reach = np.abs(wanted).max((0, 2), initial=0.0)
    still = reach < STILL_SHARE * reach.max(initial=0.0)
    if not still.any():
        return np.zeros(len(shapes))
    moved = np.linalg.norm(shapes[:, still].mean(1), axis=1)
    drift: Floats = moved / np.maximum(np.abs(wanted).max((1, 2), initial=0.0), 1e-12)
    return drift


def _keeps_lips_together(shapes: Floats, wanted: Floats, lips: NDArray[np.intp], wide: float) -> NDArray[np.bool_]:
    """Which keys (N,) hardly part the lips, though they should part them by more than a distance."""
    seen, meant = (offsets[:, lips[:, 0]] - offsets[:, lips[:, 1]] for offsets in (shapes, wanted))
    length = np.square(meant).sum((1, 2))
    opens = length > len(lips) * wide**2
    result: NDArray[np.bool_] = opens & ((seen * meant).sum((1, 2)) < LEAST_PARTING * length)
    return result


def _products(a: Floats, b: Floats) -> Floats:
    """Scalar products (N,) of offsets (N, V, 3) of the same keys."""
    count = a.shape[1] * a.shape[2]
    products: Floats = (a.reshape(-1, 1, count) @ b.reshape(-1, count, 1))[:, 0, 0]
    return products
