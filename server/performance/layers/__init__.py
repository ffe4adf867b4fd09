"""What a talking person does besides speaking, each as an array of its own, so that each can be thrown away."""

import zlib

import numpy as np

from . import blinks, gaze, head_motion

MAKE = {"blinks": blinks.curve, "gaze": gaze.curve, "head": head_motion.curve}


def make(names: tuple[str, ...], audio: np.ndarray, times: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """For each name of MAKE the curve (F, …) float32 at `times` (F,) seconds of speech (N,) at 16 kHz.

    The same sound and seed give the same curves; other lines get others, so that a scene does not repeat itself.
    """
    own = zlib.crc32(np.ascontiguousarray(audio)) ^ seed
    return {name: MAKE[name](audio, times, own) for name in names}
