"""Array types and small formulas that performance, face and training share."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.floating]
IntArray: TypeAlias = NDArray[np.integer]
BoolArray: TypeAlias = NDArray[np.bool_]


def smoothstep(x: FloatArray, low: float = 0.0, high: float = 1.0) -> FloatArray:
    """Return the cubic Hermite step 3t² − 2t³ of t = (x − low) / (high − low), clipped to 0 … 1.

    Args:
        x: Values of any shape.
        low: Value at which the step is 0.
        high: Value at which the step is 1. It may be below `low`: the step then falls.

    Returns:
        Values of the shape of `x`, 0 to 1, with slope 0 at both ends.
    """
    t: FloatArray = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def lengths(vectors: FloatArray) -> FloatArray:
    """Return the lengths (N,) of vectors (N, 3), sooner than numpy.linalg.norm along so short an axis."""
    x, y, z = vectors.T
    squared: FloatArray = x * x + y * y + z * z
    return np.sqrt(squared)
