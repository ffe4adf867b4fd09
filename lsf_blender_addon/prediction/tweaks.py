"""Applies the sliders of the Tweak panel to a prediction, without the model. No bpy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..rigs.names import both_sides
from ..scene.smoothing import smoothstep
from . import lips

Floats = NDArray[np.float32]

# The first matching prefix counts. mouthClose closes the lips that jawOpen opens, so it belongs to the jaw.
REGION_OF_PREFIX = {
    "mouthClose": "jaw",
    "jaw": "jaw",
    "mouth": "lips",
    "tongue": "lips",
    "cheek": "cheeks",
    "nose": "cheeks",
    "brow": "brows",
    "eyeBlink": "lids",
    "eyeSquint": "lids",
    "eyeWide": "lids",
}
SMILE, FROWN = both_sides("mouthSmile"), both_sides("mouthFrown")
JAW_OPEN, MOUTH_CLOSE = "jawOpen", "mouthClose"
ADDED_CHANNELS = {*SMILE, *FROWN, MOUTH_CLOSE}  # channels that a tweak may move even if the prediction does not

CLOSURE_REACH = 4.0  # millimetres: full lip closure hardly changes apertures that are much wider
FADE = 0.25  # seconds over which a smile fades in and out at the ends of the line


@dataclass(frozen=True)
class Tweaks:
    """Values of the sliders; the defaults leave the prediction as it is.

    Attributes:
        jaw: Factor for the channels of the jaw.
        lips: Factor for the channels of lips and tongue.
        cheeks: Factor for the channels of cheeks and nose.
        brows: Factor for the channels of the brows.
        lids: Factor for the channels of the eyelids.
        smile: Added to the smile channels; if negative, its amount is added to the frown channels.
        emotion: Factor for the part of the motion that emotion adds.
        smoothing: Standard deviation of a Gaussian filter over time, in frames.
        closure: How much lips that nearly touch are pressed together, 0 to 1.
        muted: Names of the channels that are set to 0.
    """

    jaw: float = 1.0
    lips: float = 1.0
    cheeks: float = 1.0
    brows: float = 1.0
    lids: float = 1.0
    smile: float = 0.0
    emotion: float = 1.0
    smoothing: float = 0.0
    closure: float = 0.0
    muted: frozenset[str] = frozenset()


def region(channel: str) -> str:
    """Return the face region of a channel, or "" if no factor applies to it."""
    return next((region for prefix, region in REGION_OF_PREFIX.items() if channel.startswith(prefix)), "")


def apply(
    tweaks: Tweaks,
    channels: Sequence[str],
    fps: float,
    motion: Floats,
    expression: Floats,
    lip_offsets: Floats,
) -> Floats:
    """Apply the sliders to a prediction. Lips that meet in the prediction still meet.

    Args:
        tweaks: Values of the sliders.
        channels: Names of the K channels.
        fps: Frames a second of the prediction.
        motion: Values (F, K) of the prediction.
        expression: The part (F, K) of `motion` that emotion adds.
        lip_offsets: Offsets (K, L, 3) of the lips in millimetres, see `lips.measure`.

    Returns:
        Motion (F, K): each channel within 0 to 1, or within its range in the prediction if that is larger. It is
        `motion` itself if all sliders have their defaults.
    """
    if tweaks == Tweaks():
        return motion
    result = motion.astype(np.float32, copy=True)
    if tweaks.emotion != 1:
        result += (tweaks.emotion - 1) * expression
    if tweaks.smoothing > 0:
        result = _gaussian_smoothed(result, tweaks.smoothing)
    gains = np.array([getattr(tweaks, name) if (name := region(channel)) else 1.0 for channel in channels])
    result *= gains.astype(np.float32)
    if tweaks.smile:
        columns = [k for k, channel in enumerate(channels) if channel in (SMILE if tweaks.smile > 0 else FROWN)]
        result[:, columns] += abs(tweaks.smile) * _fade(len(motion), FADE * fps)[:, None]
    low, high = np.minimum(motion.min(0), 0), np.maximum(motion.max(0), 1)
    result = np.clip(result, low, high)
    if {JAW_OPEN, MOUTH_CLOSE} <= set(channels):
        jaw, close = list(channels).index(JAW_OPEN), list(channels).index(MOUTH_CLOSE)
        close_lips(result, motion, lips.opening(lip_offsets), jaw, close, tweaks.closure)
    result[:, [channel in tweaks.muted for channel in channels]] = 0
    return result


def close_lips(result: Floats, motion: Floats, opening: Floats, jaw: int, close: int, strength: float) -> None:
    """Change a motion in place so that the lips touch where they do in another one; with strength, press them together.

    Column `close` changes, and column `jaw` where `close` has reached its limit.

    Args:
        result: Motion (F, K) that is changed.
        motion: Motion (F, K) that tells where the lips touch.
        opening: (K,) millimetres by which each channel opens the lips, see `lips.opening`.
        jaw: Column of `jawOpen`.
        close: Column of `mouthClose`.
        strength: How much lips that nearly touch are pressed together, 0 to 1.
    """
    if opening[close] > -1 or opening[jaw] < 1:  # the lips are not known, or these channels do not move them
        return
    predicted, aperture = motion @ opening, result @ opening  # below 0 where the lips are pressed together
    low, high = np.minimum(predicted, 0), np.maximum(predicted, 0)
    contact = np.exp(-np.square(high / lips.CONTACT_APERTURE))  # 1 where the lips touch in the prediction
    wanted = aperture + contact * (np.clip(aperture, low, high) - aperture)
    if strength > 0:
        gap = np.maximum(wanted, 0)
        wanted -= gap * np.exp(-np.square(gap / (CLOSURE_REACH * strength)))
    for k in (close, jaw):
        result[:, k] = np.clip(result[:, k] + (wanted - result @ opening) / opening[k], 0, 1)


def _gaussian_smoothed(motion: Floats, deviation: float) -> Floats:
    """Return motion (F, K) filtered with a Gaussian of `deviation` frames; values at the ends are repeated."""
    reach = int(np.ceil(3 * deviation))
    weights = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / deviation)).astype(np.float32)
    weights /= weights.sum()
    padded = np.pad(motion, ((reach, reach), (0, 0)), mode="edge")
    smoothed = np.zeros_like(motion)
    for i, weight in enumerate(weights):
        smoothed += weight * padded[i : i + len(motion)]
    return smoothed


def _fade(count: int, frames: float) -> Floats:
    """Return weights (count,) that rise from 0 to 1 within `frames` at the start and fall to 0 at the end."""
    frame = np.arange(count)
    t = np.clip(np.minimum(frame, count - 1 - frame) / max(frames, 1e-6), 0, 1)
    return smoothstep(t).astype(np.float32)
