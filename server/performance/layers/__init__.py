"""Layers: what a talking person does besides speaking, each as a curve of its own that can be thrown away."""

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

    The same sound and seed give the same curves. Other lines get others, so that a scene does not repeat itself.

    Args:
        names: Keys of LAYERS.
        audio: (N,) speech at 16 kHz.
        times: (F,) evenly spaced seconds of the audio.
        seed: Which take.

    Returns:
        For each name its curve (F, …), see the layer's module.
    """
    line_seed = zlib.crc32(np.ascontiguousarray(audio).data) ^ seed
    return {name: LAYERS[name](audio, times, line_seed) for name in names}
