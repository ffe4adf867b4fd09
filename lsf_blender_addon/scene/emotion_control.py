"""The chosen emotion as the server takes it: one for a line, or one for each frame from keys on the timeline."""

from typing import TYPE_CHECKING

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import compat
from ..client.wire import EMOTIONS, Header
from .own_properties import choice, number, settings_of
from .smoothing import hann_average

if TYPE_CHECKING:
    from ..ui.properties.emotion import LSF_PG_emotion

PATH = "lsf.emotion."  # of the properties, in a scene


def is_keyed(scene: bpy.types.Scene) -> bool:
    """Whether the chosen emotion has F-curves in this scene."""
    return bool(_curves(scene))


def read(
    scene: bpy.types.Scene, first_frame: int, frames: int, fps: float
) -> tuple[Header, dict[str, NDArray[np.float32]]]:
    """The part of a request that sets the emotion of a line, see docs/protocol.md.

    Args:
        scene: The scene with the settings and their F-curves.
        first_frame: First frame of the line.
        frames: Number of frames F of the line.
        fps: Frames per second of the scene.

    Returns:
        Settings and arrays: settings alone if the emotion is not keyed, else the array `emotion_control` (F, 10).
    """
    emotion = settings_of(scene).emotion
    curves = _curves(scene)
    if not curves:
        chosen = EMOTIONS[i - 1] if (i := _enum_value(emotion)) else None
        return {
            "emotion": chosen,
            "emotion_strength": number(emotion, "strength"),
            "emotion_mix": number(emotion, "mix") if chosen else 0.0,
        }, {}
    transition = number(emotion, "transition") * fps
    margin = round(transition)  # transitions to keys outside the line reach into it
    times = first_frame + np.arange(-margin, frames + margin)

    def sampled(name: str, value: float) -> NDArray[np.float64]:
        """Return a property at `times`: its curve, or its value (given here) if it is not keyed."""
        curve = curves.get(name)
        return np.array([curve.evaluate(float(time)) for time in times]) if curve else np.full(len(times), float(value))

    rows = control_rows(
        sampled("chosen", _enum_value(emotion)),
        sampled("strength", number(emotion, "strength")),
        sampled("mix", number(emotion, "mix")),
        transition,
    )
    return {}, {"emotion_control": rows[margin : margin + frames]}


def control_rows(
    chosen: NDArray[np.floating], strength: NDArray[np.floating], mix: NDArray[np.floating], transition: float
) -> NDArray[np.float32]:
    """Emotion for each frame, as the protocol has it.

    Args:
        chosen: (F,) 0 where the audio decides, and i + 1 for EMOTIONS[i].
        strength: (F,) intensity of the expression, 0 to 1.
        mix: (F,) weight of the chosen emotion against the one of the audio, 0 to 1.
        transition: Frames over which a change of the choice is spread.

    Returns:
        (F, 10) strength, weight of the choice, and weights of the eight emotions, all 0 to 1.
    """
    weights = np.eye(len(EMOTIONS) + 1)[np.clip(np.rint(chosen), 0, len(EMOTIONS)).astype(int)][:, 1:]
    weight = hann_average(weights.sum(1) * mix, transition)
    weights = hann_average(weights, transition)
    weights /= np.maximum(weights.sum(1, keepdims=True), 1e-9)
    return np.clip(np.column_stack((strength, weight, weights)), 0, 1).astype(np.float32)


def _enum_value(emotion: "LSF_PG_emotion") -> int:
    """The choice as a number, as its F-curve holds it."""
    prop = emotion.bl_rna.properties["chosen"]
    assert isinstance(prop, bpy.types.EnumProperty)
    return prop.enum_items[choice(emotion, "chosen")].value


def _curves(scene: bpy.types.Scene) -> dict[str, bpy.types.FCurve]:
    """F-curves of the emotion's properties that are in use, by the names of the properties."""
    data = scene.animation_data
    if data is None:
        return {}
    return {
        curve.data_path.removeprefix(PATH): curve
        for curve in compat.played_fcurves(data)
        if curve.data_path.startswith(PATH) and not curve.mute and not curve.is_empty
    }
