"""Mixes blinks and gaze into the ARKit channels of the eyes. No bpy.

The server makes both beside the speech. They stay apart in the stored prediction, so that each line can have other
ones, less of them, or none, without the model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..rigs.names import both_sides

Floats = NDArray[np.float32]

LIDS = both_sides("eyeBlink")
LOOKS = tuple(name for way in ("In", "Out", "Up", "Down") for name in both_sides(f"eyeLook{way}"))
CHANNELS = frozenset((*LIDS, *LOOKS))
FULL_TURN = {"In": 28.0, "Out": 28.0, "Up": 22.0, "Down": 26.0}  # degrees of an eye at value 1, on the project's head


@dataclass(frozen=True)
class Eyes:
    """What the artist has set for the eyes of a line.

    Attributes:
        blinks: Factor for the blinks, 0 to 1.
        gaze: Factor for the gaze.
        variant: Which of the stored movements is used.
    """

    blinks: float = 1.0
    gaze: float = 1.0
    variant: int = 0


def mixed(channels: Sequence[str], motion: Floats, blinks: Floats, gaze: Floats, eyes: Eyes) -> Floats:
    """Add blinks and gaze to a motion.

    A blink closes what speech has left open, so both together close the lids fully and no further. The gaze is added
    to the looks of speech, which the model that ships leaves at 0.

    Args:
        channels: Names of the K channels.
        motion: Values (F, K) of the channels.
        blinks: Closure (V, F) of the lids in each of V variants, 0 to 1; V may be 0.
        gaze: Degrees (V, F, 2) to the head's left and up; V may be 0.
        eyes: What of them is wanted.

    Returns:
        Values (F, K); `motion` itself if nothing is added.
    """
    curves: dict[str, Floats] = {}
    if len(blinks) and eyes.blinks:
        curves |= dict.fromkeys(LIDS, eyes.blinks * blinks[eyes.variant % len(blinks)])
    if len(gaze) and eyes.gaze:
        curves |= look_curves(eyes.gaze * gaze[eyes.variant % len(gaze)])
    columns = [k for k, name in enumerate(channels) if name in curves]
    if not columns:
        return motion
    result = motion.astype(np.float32, copy=True)
    for k in columns:
        room = np.maximum(1 - motion[:, k], 0)
        added = curves[channels[k]][: len(motion)]
        result[:, k] += np.minimum(added, 1) * room if channels[k] in LIDS else np.minimum(added, room)
    return result


def look_curves(gaze: NDArray[np.floating]) -> dict[str, Floats]:
    """Convert a gaze to the eight eyeLook channels of ARKit.

    Args:
        gaze: Angles (F, 2) to the head's left and up, in degrees.

    Returns:
        Values (F,) of each channel, by its name; 0 or more.
    """
    left, right = np.maximum(gaze[:, 0], 0), np.maximum(-gaze[:, 0], 0)
    up, down = np.maximum(gaze[:, 1], 0), np.maximum(-gaze[:, 1], 0)
    # Directions in which the left and the right eye turn, and the angle; "Out" is away from the nose.
    turns = (("Out", "In", left), ("In", "Out", right), ("Up", "Up", up), ("Down", "Down", down))
    curves: dict[str, Floats] = {}
    for of_left, of_right, degrees in turns:
        curves[both_sides(f"eyeLook{of_left}")[0]] = (degrees / FULL_TURN[of_left]).astype(np.float32)
        curves[both_sides(f"eyeLook{of_right}")[1]] = (degrees / FULL_TURN[of_right]).astype(np.float32)
    return curves
