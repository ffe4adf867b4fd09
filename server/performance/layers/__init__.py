"""Layers: movements of a talking person besides speech. Each is a separate curve that the artist can remove."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ...numerics import FloatArray
from ..prosody import Voice
from . import blinks, gaze, head_motion

LAYERS: dict[str, Callable[[Voice, FloatArray, int], NDArray[np.float32]]] = {
    "blinks": blinks.curve,
    "gaze": gaze.curve,
    "head": head_motion.curve,
}
SEED_STEP = 0x9E3779B9  # 2³² divided by the golden ratio: its multiples are spread evenly
EYES = ("blinks", "gaze")  # layers of which a line may have several variants, to choose from


def make_layers(
    names: tuple[str, ...], voice: Voice, times: FloatArray, seed: int, variants: int = 1, blink_rate: float = 1.0
) -> dict[str, NDArray[np.float32]]:
    """Make the curves of some layers.

    The same sound and seed give the same curves. Lines differ, so that a scene does not repeat itself.

    Args:
        names: Keys of LAYERS.
        voice: What is measured of the line.
        times: (F,) evenly spaced seconds of the audio.
        seed: Selects the curves.
        variants: Number V of different curves for each of EYES.
        blink_rate: How many blinks there are, relative to the default.

    Returns:
        For each name its curve (F, …), see the layer's module; (V, F, …) for those of EYES.
    """
    makers = LAYERS | {"blinks": partial(blinks.curve, rate=blink_rate)}
    line_seed = voice.checksum ^ seed
    # Variant v takes the seed of a take that is v wide steps away, so that it is not the first of a neighbouring take.
    seeds = [(line_seed + v * SEED_STEP) % 2**32 for v in range(variants)]
    return {
        name: np.stack([makers[name](voice, times, one) for one in seeds])
        if name in EYES
        else makers[name](voice, times, line_seed)
        for name in names
    }
