"""Composes the final curves: the network's speech and expression, rest in pauses, brows, takes, lip contact, sides."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .. import arkit
from ..protocol.emotions import EMOTION_CLASSES, EMOTIONS
from . import lip_contact, prosody
from .brows import brow_prominence
from .emotion import expression as emotion_expression
from .emotion.direction import Direction
from .rest import rest_in_pauses
from .sides import with_sides
from .variation import Take

if TYPE_CHECKING:  # it loads torch, which must not delay the server's first answer
    from ..model import LSF

Report = Callable[[float, str], None]
"""Called with the fraction done, 0 to 1, and a sentence for people."""

MIN_VISIBLE_WEIGHT = 0.01  # of an emotion; what is weaker cannot be seen
# Seconds, standard deviation of the Gaussian over what an emotion changes. Poses come and go in tenths of a second
# (expression_targets.py); faster differences between two passes are the rounding to codes, which makes brows flicker.
EXPRESSION_SMOOTHING = 0.12
SPEECH_SHARE = 0.7  # of the progress; the rest is the expression


@dataclass
class Performance:
    """Curves of F frames at the model's rate for K channels. motion − expression is the speech alone."""

    motion: NDArray[np.float32]  # (F, K)
    expression: NDArray[np.float32]  # (F, K) the part of `motion` that emotion adds
    emotion: NDArray[np.float32]  # (F, 8) the emotion detected in the voice, in the order of EMOTIONS


def perform(
    model: "LSF",
    audio: NDArray[np.float32],
    identity: NDArray[np.float32] | None = None,
    *,
    temperature: float = 0.0,
    seed: int = 0,
    direction: Direction | None = None,
    own_mean: NDArray[np.float32] | None = None,
    report: Report = lambda fraction, text: None,
    cancelled: Callable[[], bool] | None = None,
) -> Performance:
    """Animate a line of speech.

    For a model with other channels than ARKit's, the curves are the network output alone.

    Args:
        model: The network.
        audio: (N,) speech at 16 kHz.
        identity: (I,) identity coefficients of the face; None is the average face.
        temperature: 0 is deterministic; the variation of takes grows with it.
        seed: Selects the take, at a temperature above 0.
        direction: The artist's direction, one row per frame of the model or one row for the whole line. None shows the
            emotion detected in the voice.
        own_mean: (2 · Ce,) mean statistics of the speaker's lines, against which emotion is heard; None if unknown.
        report: Called with the fraction done, 0 to 1, and a sentence.
        cancelled: Returns true when the job shall stop.

    Returns:
        The curves.

    Raises:
        LSFError: "bad_identity" if the coefficients do not fit the model.
        Cancelled: If `cancelled` returned true.
    """
    from scipy.ndimage import gaussian_filter1d

    from ..model import emotion_changes, synthesize

    fps = model.config.fps
    output = synthesize(
        model,
        audio,
        identity,
        temperature=temperature,
        seed=seed,
        own_mean=own_mean,
        report=stage(report, 0.0, SPEECH_SHARE),
        cancelled=cancelled,
    )
    speech, detected = output.curves, np.zeros((len(output.curves), len(EMOTIONS)), np.float32)
    if tuple(model.config.channels) != arkit.CHANNELS:
        return Performance(speech, np.zeros_like(speech), detected)
    speech = rest_in_pauses(speech, audio, fps)
    voice = prosody.measure(audio)
    activity = emotion_expression.speech_activity(voice.level, lip_contact.opening(speech), fps)
    if output.emotion.shape[1] == len(EMOTION_CLASSES):  # otherwise there is no emotion reader, or it has other classes
        probabilities = emotion_expression.smooth_probabilities(output.emotion, activity, fps)
        detected = emotion_expression.detected_emotion(probabilities)
    expression = np.zeros_like(speech)
    if model.config.emotion_bank:
        shown = np.broadcast_to(detected if direction is None else direction.applied_to(detected), detected.shape)
        visible = [k for k, name in enumerate(EMOTIONS) if name != "neutral" and shown[:, k].max() > MIN_VISIBLE_WEIGHT]
        changes = emotion_changes(
            model,
            output,
            visible,
            identity,
            temperature=temperature,
            seed=seed,
            report=stage(report, SPEECH_SHARE, 1.0),
            cancelled=cancelled,
        )
        changes = gaussian_filter1d(changes, EXPRESSION_SMOOTHING * fps, 1, mode="nearest")
        expression = np.einsum("fe,efk->fk", shown[:, visible], changes).astype(np.float32)
    speech = np.maximum(speech, brow_prominence(voice, activity, fps))
    if temperature > 0:
        variation = Take.draw(len(speech), fps, temperature, seed)
        speech, expression = variation.apply(speech), expression * variation.emotion[:, None]
    closed = lip_contact.close_near_contacts(speech)
    motion = lip_contact.add_expression(closed, expression)
    closed, motion = with_sides(closed, motion, fps, identity, seed if temperature > 0 else 0)
    return Performance(motion, motion - closed, detected)


def stage(report: Report, low: float, high: float) -> Report:
    """Return a report for one stage, which maps its progress to the range from `low` to `high` of the whole job."""
    return lambda fraction, text: report(low + (high - low) * fraction, text)
