"""The curves of one line: what its prediction, the artist's sliders and its place in the scene make of it. No bpy."""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from ..prediction import eyes, rig_drive, sound_edits, sound_poses, tweaks
from ..prediction.eyes import Eyes
from ..prediction.sound_edits import SoundEdit
from ..prediction.store import Prediction
from ..prediction.tweaks import Tweaks
from ..scene.smoothing import smoothstep
from .key_reduction import ErrorBound

DENSITY = 0.5  # of keys: at this density the error of the curves cannot be seen
DECADES = 2.0  # powers of ten that the error bound goes through as the density goes from 0 to 1
EASE = 0.2  # seconds in which a line comes from rest before its first frame, and goes back to rest after its last one

Floats = NDArray[np.float32]
Window = tuple[int, int]  # first and last scene frame, both included


@dataclass(frozen=True)
class Sliders:
    """What the artist has set for the curves of a line."""

    tweaks: Tweaks = field(default_factory=Tweaks)
    eyes: Eyes = field(default_factory=Eyes)
    density: float = DENSITY  # of keys, 0 to 1; 1 is a key on every frame
    offset: int = 0  # frames by which the curves are later than the line
    sounds: tuple[SoundEdit, ...] = ()  # changes of single sounds


class Rank(IntEnum):
    """Which line decides where several are heard at the same frames: those of the highest rank share the face."""

    STRIP_GONE = 0  # generated for a strip that is gone
    STRIP = 1  # generated for a strip
    RECORDING = 2


@dataclass(frozen=True)
class LineCurves:
    """The motion of n shape keys in one line."""

    names: tuple[str, ...]  # n shape keys
    motion: Floats  # (F, n) values, one row a frame
    lips: Floats  # (n, L, 3) millimetres, see lips.measure
    fps: float
    first_frame: int  # of the motion
    bound: ErrorBound | None = None  # the error that is allowed; None: a key on every frame
    rank: Rank = Rank.STRIP
    bones: "LineCurves | None" = None  # the channels that bones show instead of shape keys

    @property
    def window(self) -> Window:
        """First and last frame that the line changes: it is at rest there, and eases in between."""
        return window_of(self.first_frame, len(self.motion), self.fps)


def window_of(first_frame: int, frames: int, fps: float) -> Window:
    """First and last frame that a line of so many frames changes."""
    ease = ease_frames(fps)
    return first_frame - ease, first_frame + frames - 1 + ease


def ease_frames(fps: float) -> int:
    """Frames in which a line comes from rest, or goes back to it."""
    return max(1, round(EASE * fps))


def ease_weight(frames: NDArray[np.integer], first_frame: int, count: int, ease: int) -> NDArray[np.floating]:
    """The weight of a line that comes from rest and goes back to it.

    Args:
        frames: Scene frames (F,).
        first_frame: The line's first frame.
        count: Number of its frames.
        ease: Frames in which it comes from rest, and goes back to it.

    Returns:
        Weights (F,): 1 on the line's own frames, 0 from `ease` frames outside of them on.
    """
    outside = np.maximum(np.maximum(first_frame - frames, frames - (first_frame + count - 1)), 0)
    return smoothstep(np.clip(1 - outside / ease, 0, 1))


def make(
    predicted: Prediction,
    sliders: Sliders,
    first_frame: int,
    rank: Rank = Rank.STRIP,
    on_bones: Collection[str] = (),
) -> LineCurves:
    """Make the curves of a line.

    Args:
        predicted: Its prediction.
        sliders: What the artist has set for it.
        first_frame: Scene frame of the prediction's first row, without the sliders' offset.
        rank: Which line decides where several are heard at the same frames.
        on_bones: Channels that bones show: no shape key does.
    """
    motion, shown = tweaked(predicted, sliders), [name in on_bones for name in predicted.channels]
    shapes = on_keys(predicted, sliders, np.where(shown, np.float32(0), motion) if any(shown) else motion)
    start, bound = first_frame + sliders.offset, error_bound(sliders.density)
    bones = None
    if any(shown):
        names = tuple(name for name in predicted.channels if name in on_bones)
        bones = LineCurves(names, motion[:, shown], predicted.lips[shown], predicted.fps, start, bound, rank)
    return LineCurves(shapes.channels, shapes.motion, shapes.lips, predicted.fps, start, bound, rank, bones)


def tweaked(predicted: Prediction, sliders: Sliders) -> Floats:
    """Motion (F, K) of the prediction's channels as the sliders change it, with blinks and gaze.

    A muted channel stays at 0, whatever would move it.
    """
    changed, channels = sliders.tweaks, predicted.channels
    motion = tweaks.apply(changed, channels, predicted.fps, predicted.motion, predicted.expression, predicted.lips)
    if sliders.sounds:
        table = sound_poses.table()
        has_own_keys = predicted.drive is not None
        motion = sound_edits.apply(
            sliders.sounds, table, channels, predicted.fps, motion, predicted.lips, to_rest=has_own_keys
        )
    motion = eyes.mixed(channels, motion, predicted.blinks, predicted.gaze, sliders.eyes)
    muted = [channel in changed.muted for channel in channels]
    return np.where(muted, np.float32(0), motion) if any(muted) else motion


def retarget(predicted: Prediction, sliders: Sliders) -> Prediction:
    """The prediction as the sliders change it, in the channels of the head's keys."""
    return on_keys(predicted, sliders, tweaked(predicted, sliders))


def on_keys(predicted: Prediction, sliders: Sliders, motion: Floats) -> Prediction:
    """Convert a prediction to the head's keys.

    Args:
        predicted: The prediction.
        sliders: What the artist has set for the line.
        motion: Values (F, K) of its channels, from `tweaked`.
    """
    if not sliders.sounds:
        return rig_drive.on_keys(predicted, motion)
    closed = sound_edits.closures(sliders.sounds, sound_poses.table(), predicted.fps, len(motion))
    return rig_drive.on_keys(predicted, motion, closed)


def error_bound(density: float) -> ErrorBound | None:
    """The error that a density of keys (0 to 1) allows; None where every frame has its key."""
    if density >= 1:
        return None
    factor = 10 ** (DECADES * (DENSITY - density))
    return ErrorBound(ErrorBound.value * factor, ErrorBound.millimetres * factor)
