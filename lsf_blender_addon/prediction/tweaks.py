"""What an artist changes about a prediction without the model, in milliseconds. No bpy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..rigs.names import both_sides
from ..scene.smoothing import smoothstep
from . import lips

Floats = NDArray[np.float32]

# The first prefix that a channel's name has decides. mouthClose takes back what jawOpen parts, so it goes with the jaw.
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

CLOSURE_REACH = 4.0  # millimetres: much wider apertures are left alone by full lip closure
FADE = 0.25  # seconds in which a constant expression comes and goes at the ends of the line


@dataclass(frozen=True)
class Tweaks:
    """Values of the sliders; the defaults leave the prediction as it is.

    Attributes:
        jaw: Factor for the channels of this region; so are lips, cheeks, brows and lids.
        lips: See jaw.
        cheeks: See jaw.
        brows: See jaw.
        lids: See jaw.
        smile: Added to the smile; if it is negative, its amount is added to the frown.
        emotion: Factor for what emotion adds.
        smoothing: Standard deviation of a Gaussian over time, in frames.
        closure: How much lips that come near to each other are pressed together, 0 to 1.
        muted: Channels that are set to 0.
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
        motion: The prediction (F, K).
        expression: The part (F, K) of it that emotion adds.
        lip_offsets: How far channels move the lips (K, L, 3), see `lips.measure`.

    Returns:
        Motion (F, K), 0 to 1, or within the range of the prediction's channel if that is larger.
    """
    if tweaks == Tweaks():
        return motion
    result = motion.astype(np.float32, copy=True)
    if tweaks.emotion != 1:
        result += (tweaks.emotion - 1) * expression
    if tweaks.smoothing > 0:
        result = _gaussian_smoothed(result, tweaks.smoothing)
    gains = np.array([getattr(tweaks, region(channel), 1.0) if region(channel) else 1.0 for channel in channels])
    result *= gains.astype(np.float32)
    if tweaks.smile:
        columns = [k for k, channel in enumerate(channels) if channel in (SMILE if tweaks.smile > 0 else FROWN)]
        result[:, columns] += abs(tweaks.smile) * _fade(len(motion), FADE * fps)[:, None]
    low, high = np.minimum(motion.min(0), 0), np.maximum(motion.max(0), 1)
    result = np.clip(result, low, high)
    if {JAW_OPEN, MOUTH_CLOSE} <= set(channels):
        jaw, close = list(channels).index(JAW_OPEN), list(channels).index(MOUTH_CLOSE)
        _close_lips(result, motion, lips.opening(lip_offsets), jaw, close, tweaks.closure)
    result[:, [channel in tweaks.muted for channel in channels]] = 0
    return result


def _close_lips(result: Floats, motion: Floats, opening: Floats, jaw: int, close: int, strength: float) -> None:
    """Change result (F, K) so that the lips meet where they do in motion (F, K), and, with strength, come nearer.

    opening (K,) is in millimetres. Column `close` is changed, and where that is at its end, column `jaw`.
    """
    if opening[close] > -1 or opening[jaw] < 1:  # the lips are not known
        return
    predicted, aperture = np.maximum(motion @ opening, 0), result @ opening
    contact = np.exp(-np.square(predicted / lips.CONTACT_APERTURE))  # 1 where they meet in the prediction
    wanted = aperture + contact * (np.clip(aperture, 0, predicted) - aperture)
    if strength > 0:
        gap = np.maximum(wanted, 0)
        wanted -= gap * np.exp(-np.square(gap / (CLOSURE_REACH * strength)))
    for k in (close, jaw):
        result[:, k] = np.clip(result[:, k] + (wanted - result @ opening) / opening[k], 0, 1)


def _gaussian_smoothed(motion: Floats, deviation: float) -> Floats:
    """Filter motion (F, K) with a Gaussian, in frames; the ends are held."""
    reach = int(np.ceil(3 * deviation))
    weights = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / deviation)).astype(np.float32)
    weights /= weights.sum()
    padded = np.pad(motion, ((reach, reach), (0, 0)), mode="edge")
    smoothed = np.zeros_like(motion)
    for i, weight in enumerate(weights):
        smoothed += weight * padded[i : i + len(motion)]
    return smoothed


def _fade(count: int, frames: float) -> Floats:
    """Return weights (count,) that rise from 0 to 1 within `frames` at the start and fall so at the end."""
    frame = np.arange(count)
    t = np.clip(np.minimum(frame, count - 1 - frame) / max(frames, 1e-6), 0, 1)
    return smoothstep(t).astype(np.float32)
