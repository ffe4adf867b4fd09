"""The mouth as the teachers predict it: channels that speech moves, without a side, and the lips that they give."""

import numpy as np
from torch import Tensor

from ... import arkit
from ...numerics import FloatArray

# Channels of the mouth that speech moves, without their side: left and right are equal.
MOUTH_CHANNELS = (
    "jawOpen",
    "mouthClose",
    "mouthFunnel",
    "mouthPucker",
    "mouthSmile",
    "mouthDimple",
    "mouthStretch",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthPress",
    "mouthLowerDown",
    "mouthUpperUp",
)


def curves_to_mouth(curves: FloatArray, lip: FloatArray) -> FloatArray:
    """Return the mouth of curves.

    Args:
        curves: (F, 52) ARKit weights.
        lip: (F, 2) aperture and width in metres that the curves give the mesh.

    Returns:
        (F, 16) MOUTH_CHANNELS as weights, the mean of both sides, then aperture and width in millimetres.
    """
    columns = [arkit.channel_indices(name) for name in MOUTH_CHANNELS]
    return np.concatenate([np.stack([curves[:, c].mean(1) for c in columns], 1), 1e3 * lip], 1)


def mouth_to_curves(mouth: Tensor) -> Tensor:
    """Return curves (F, 52), both sides equal, of mouth channels (F, 14 or more)."""
    curves = mouth.new_zeros(len(mouth), len(arkit.CHANNELS))
    for i, name in enumerate(MOUTH_CHANNELS):
        curves[:, arkit.channel_indices(name)] = mouth[:, i, None]
    return curves.clamp(0, 1)
