"""The chosen emotion, as the server wants it: one for a line, or one for each frame from keys on the timeline."""

import bpy
import numpy as np

from .. import compat

EMOTIONS = ("angry", "disgusted", "fearful", "happy", "sad", "surprised", "neutral", "contempt")  # in protocol order
PATH = "lsf.emotion."  # of the properties, in a scene


def is_keyed(scene: bpy.types.Scene) -> bool:
    """Whether the emotion changes along the timeline of this scene."""
    return bool(_curves(scene))


def read(scene: bpy.types.Scene, first_frame: int, frames: int, fps: float) -> tuple[dict, dict[str, np.ndarray]]:
    """Settings and arrays of a request for a line of this scene, see docs/protocol.md."""
    emotion = scene.lsf.emotion
    curves = _curves(scene)
    if not curves:
        chosen = EMOTIONS[i - 1] if (i := _number(emotion)) else None
        return {
            "emotion": chosen,
            "emotion_strength": emotion.strength,
            "emotion_mix": emotion.mix if chosen else 0.0,
        }, {}
    margin = round(emotion.transition * fps)  # what is keyed around the line reaches into it
    times = first_frame + np.arange(-margin, frames + margin)

    def sampled(name: str, value: float) -> np.ndarray:
        curve = curves.get(name)
        return np.array([curve.evaluate(time) for time in times]) if curve else np.full(len(times), float(value))

    rows = control(
        sampled("chosen", _number(emotion)),
        sampled("strength", emotion.strength),
        sampled("mix", emotion.mix),
        emotion.transition * fps,
    )
    return {}, {"emotion_control": rows[margin : margin + frames]}


def control(chosen: np.ndarray, strength: np.ndarray, mix: np.ndarray, transition: float) -> np.ndarray:
    """(F, 10) float32, see docs/protocol.md: strength, weight of the choice, and the eight emotions' weights.

    `chosen` (F,) is 0 where the voice decides and i + 1 for EMOTIONS[i], `strength` and `mix` (F,) are 0 to 1.
    A change of the choice is spread over `transition` frames around it.
    """
    weights = np.eye(len(EMOTIONS) + 1)[np.clip(np.rint(chosen), 0, len(EMOTIONS)).astype(int)][:, 1:]
    weight = smoothed(weights.sum(1) * mix, transition)
    weights = smoothed(weights, transition)
    weights /= np.maximum(weights.sum(1, keepdims=True), 1e-9)
    return np.clip(np.column_stack((strength, weight, weights)), 0, 1).astype(np.float32)


def _number(emotion) -> int:
    """The choice as its curve holds it."""
    return emotion.bl_rna.properties["chosen"].enum_items[emotion.chosen].value


def _curves(scene: bpy.types.Scene) -> dict[str, bpy.types.FCurve]:
    data = scene.animation_data
    if data is None or data.action is None:
        return {}
    return {
        curve.data_path.removeprefix(PATH): curve
        for curve in compat.active_fcurves(data)
        if curve.data_path.startswith(PATH) and not curve.mute and not curve.is_empty
    }


def smoothed(values: np.ndarray, frames: float) -> np.ndarray:
    """Values (F, …) averaged over so many frames around each, with more weight on the nearer ones."""
    half = round(frames / 2)
    if half < 1:
        return values
    window = np.hanning(2 * half + 3)[1:-1]
    padded = np.pad(values, [(half, half), *[(0, 0)] * (values.ndim - 1)], "edge")
    return np.apply_along_axis(np.convolve, 0, padded, window / window.sum(), "valid")
