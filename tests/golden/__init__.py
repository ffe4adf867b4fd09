"""Golden files: what the shipped model and the add-on made of the demo line when it was last looked at.

LSF_GOLDEN=write python3 build.py test tests/server/test_golden.py     writes them anew after a wanted change
LSF_GOLDEN=write python3 build.py test tests/lsf_blender_addon/test_golden.py
"""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).parent
STEP = 1e-5  # files hold whole numbers of it
TOLERANCE = 1e-4


def difference(name: str, values: NDArray[np.floating]) -> float:
    """Return the largest difference of an array to its golden file, which LSF_GOLDEN=write makes of it first.

    Args:
        name: Name of the file, without its suffix.
        values: Array of any shape.
    """
    path = FOLDER / f"{name}.npz"
    if os.environ.get("LSF_GOLDEN") == "write":
        np.savez_compressed(path, counts=np.round(np.asarray(values, float) / STEP).astype(np.int32))
    wanted = golden(name)
    assert values.shape == wanted.shape, f"{name}: {values.shape} is not {wanted.shape}"
    return float(np.abs(values - wanted).max())


def golden(name: str) -> NDArray[np.float64]:
    """Return the array of a golden file."""
    with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as stored:
        return stored["counts"] * STEP
