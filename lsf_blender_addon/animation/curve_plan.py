"""Plans the curves of the speech from a prediction, for a new line and after a slider was moved. No bpy."""

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..prediction import rig_drive, tweaks
from ..prediction.store import Prediction
from ..prediction.tweaks import Tweaks
from .key_reduction import ErrorBound

DENSITY = 0.5  # of keys: at this density the error of the curves cannot be seen
DECADES = 2.0  # powers of ten that the error bound goes through as the density goes from 0 to 1


@dataclass(frozen=True)
class Sliders:
    """What the artist has set for the curves of a line."""

    tweaks: Tweaks = field(default_factory=Tweaks)
    density: float = DENSITY  # of keys, 0 to 1; 1 is a key on every frame
    offset: int = 0  # frames by which the curves are later than the line


@dataclass(frozen=True)
class Keying:
    """How motion becomes keys."""

    bound: ErrorBound | None = None  # the error that is allowed; None: a key on every frame
    lips: NDArray[np.float32] | None = None  # (K, L, 3) millimetres, see lips.measure; needed with a bound
    fps: float = 24.0


@dataclass(frozen=True)
class CurvePlan:
    """The curves of n shape keys, for F frames."""

    names: list[str]  # n names of shape keys
    motion: NDArray[np.float32]  # (F, n) values, one row a frame
    first_frame: int  # of the line; the curves begin `offset` frames later
    offset: int
    keying: Keying


def tweaked(predicted: Prediction, sliders: Sliders) -> NDArray[np.float32]:
    """Motion (F, K) of the prediction's channels as the sliders change it."""
    return tweaks.apply(
        sliders.tweaks, predicted.channels, predicted.fps, predicted.motion, predicted.expression, predicted.lips
    )


def plan(on_keys: Prediction, names: Collection[str], sliders: Sliders) -> CurvePlan:
    """Plan the curves of some keys.

    Args:
        on_keys: The tweaked prediction in the channels of the head's keys, see `retarget`.
        names: Keys that get a curve.
        sliders: Their density and offset.
    """
    columns = [k for k, name in enumerate(on_keys.channels) if name in names]
    keying = Keying(error_bound(sliders.density), on_keys.lips[columns], on_keys.fps)
    return CurvePlan(
        [on_keys.channels[k] for k in columns],
        on_keys.motion[:, columns],
        on_keys.first_frame,
        sliders.offset,
        keying,
    )


def retarget(predicted: Prediction, sliders: Sliders) -> Prediction:
    """The prediction as the sliders change it, in the channels of the head's keys."""
    return rig_drive.on_keys(predicted, tweaked(predicted, sliders))


def error_bound(density: float) -> ErrorBound | None:
    """The error that a density of keys (0 to 1) allows; None where every frame has its key."""
    if density >= 1:
        return None
    factor = 10 ** (DECADES * (DENSITY - density))
    return ErrorBound(ErrorBound.value * factor, ErrorBound.millimetres * factor)
