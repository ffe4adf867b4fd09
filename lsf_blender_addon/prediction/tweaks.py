"""What an artist changes about a prediction without the model, in milliseconds. No bpy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import lips

# The first prefix of a channel's name decides. mouthClose takes back what jawOpen parts, so it goes along with it.
REGION_OF = {
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
SMILE, FROWN = ("mouthSmileLeft", "mouthSmileRight"), ("mouthFrownLeft", "mouthFrownRight")
OPEN, CLOSE = "jawOpen", "mouthClose"
REACHED = {*SMILE, *FROWN, CLOSE}  # channels that a tweak moves even where the prediction does not

CLOSED = 1.4  # millimetres: how far apart lips are that nearly meet; as in server/performance/lip_contact.py
PRESSED = 4.0  # millimetres: the apertures that the full lip closure still narrows
FADE = 0.25  # seconds in which a constant expression comes and goes at the ends of the line


@dataclass(frozen=True)
class Tweaks:
    """The defaults leave the prediction as it is."""

    jaw: float = 1.0  # factors
    lips: float = 1.0
    cheeks: float = 1.0
    brows: float = 1.0
    lids: float = 1.0
    smile: float = 0.0  # added to the smile; below zero, to the frown
    emotion: float = 1.0  # factor of what emotion adds
    smoothing: float = 0.0  # frames: standard deviation of a Gaussian
    closure: float = 0.0  # 0 to 1: how much lips that come near to each other are pressed together
    muted: frozenset[str] = frozenset()  # channels


def region(channel: str) -> str:
    """The face region of a channel, or "" where no factor reaches it."""
    return next((region for prefix, region in REGION_OF.items() if channel.startswith(prefix)), "")


def apply(
    tweaks: Tweaks,
    channels: Sequence[str],
    fps: float,
    motion: np.ndarray,
    expression: np.ndarray,
    lip_offsets: np.ndarray,
) -> np.ndarray:
    """Motion (F, K) float32 of K channels as tweaked; expression (F, K) is the part of it that emotion adds, and
    lip_offsets (K, L, 3) how far channels move the lips, see lips.measure.

    Values stay between 0 and 1 where the prediction's do. Lips that met in the prediction still meet.
    """
    if tweaks == Tweaks():
        return motion
    result = motion.astype(np.float32, copy=True)
    if tweaks.emotion != 1:
        result += (tweaks.emotion - 1) * expression
    if tweaks.smoothing > 0:
        result = _smoothed(result, tweaks.smoothing)
    gains = np.array([getattr(tweaks, region(channel), 1.0) if region(channel) else 1.0 for channel in channels])
    result *= gains.astype(np.float32)
    if tweaks.smile:
        columns = [k for k, channel in enumerate(channels) if channel in (SMILE if tweaks.smile > 0 else FROWN)]
        result[:, columns] += abs(tweaks.smile) * _fade(len(motion), FADE * fps)[:, None]
    low, high = np.minimum(motion.min(0), 0), np.maximum(motion.max(0), 1)
    result = np.clip(result, low, high)
    if {OPEN, CLOSE} <= set(channels):
        _close(result, motion, lips.opening(lip_offsets), *map(list(channels).index, (OPEN, CLOSE)), tweaks.closure)
    result[:, [channel in tweaks.muted for channel in channels]] = 0
    return result


def _close(result: np.ndarray, motion: np.ndarray, opening: np.ndarray, jaw: int, close: int, strength: float) -> None:
    """Change result (F, K) so that the lips meet where they do in motion, and, with strength, where they come near.

    opening (K,) is in millimetres. Column `close` does it, and where that is at its end, column `jaw`.
    """
    if opening[close] > -1 or opening[jaw] < 1:  # the lips are not known
        return
    meant, aperture = np.maximum(motion @ opening, 0), result @ opening
    met = np.exp(-np.square(meant / CLOSED))  # 1 where they meet
    wanted = aperture + met * (np.clip(aperture, 0, meant) - aperture)
    if strength > 0:
        near = np.maximum(wanted, 0)
        wanted -= near * np.exp(-np.square(near / (PRESSED * strength)))
    for k in (close, jaw):
        result[:, k] = np.clip(result[:, k] + (wanted - result @ opening) / opening[k], 0, 1)


def _smoothed(motion: np.ndarray, frames: float) -> np.ndarray:
    """Motion (F, K) after a Gaussian in time; what is before and after the line counts as its first and last frame."""
    reach = int(np.ceil(3 * frames))
    weights = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / frames)).astype(np.float32)
    weights /= weights.sum()
    padded = np.pad(motion, ((reach, reach), (0, 0)), mode="edge")
    return sum(weight * padded[i : i + len(motion)] for i, weight in enumerate(weights))


def _fade(count: int, frames: float) -> np.ndarray:
    """(count,) float32 that rises from 0 to 1 within `frames` at the start, and falls so at the end."""
    frame = np.arange(count)
    t = np.clip(np.minimum(frame, count - 1 - frame) / max(frames, 1e-6), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)
