"""Layers: movements of a talking person besides speech. Each is a separate curve that the artist can remove."""

import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...numerics import FloatArray
from . import blinks, gaze, head_motion

LAYERS: dict[str, Callable[[FloatArray, FloatArray, int], NDArray[np.float32]]] = {
    "blinks": blinks.curve,
    "gaze": gaze.curve,
    "head": head_motion.curve,
}


def make_layers(
    names: tuple[str, ...], audio: FloatArray, times: FloatArray, seed: int
) -> dict[str, NDArray[np.float32]]:
    """Make the curves of some layers.

    The same sound and seed give the same curves. Lines differ, so that a scene does not repeat itself.

    Args:
        names: Keys of LAYERS.
        audio: (N,) speech at 16 kHz.
        times: (F,) evenly spaced seconds of the audio.
        seed: Selects the curves.

    Returns:
        For each name its curve (F, …), see the layer's module.
    """
    line_seed = zlib.crc32(np.ascontiguousarray(audio).data) ^ seed
    return {name: LAYERS[name](audio, times, line_seed) for name in names}
