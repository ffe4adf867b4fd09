"""Composes the final curves: the network's speech and expression, rest in pauses, brows, takes, lip contact, sides."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import arkit
from ..errors import Cancelled
from ..numerics import FloatArray
from ..protocol.emotions import EMOTION_CLASSES, EMOTIONS
from . import lip_contact, prosody
from .brows import brow_prominence
from .emotion import expression as emotion_expression
from .emotion.bank import limited
from .emotion.direction import Direction
from .emotion.following import Following
from .rest import rest_in_pauses
from .sides import with_sides
from .style import Styles, apply_style, mixed
from .variation import Take

if TYPE_CHECKING:  # it loads torch, which must not delay the server's first answer
    from ..model import LSF
    from ..model.inference import SpeechResult
    from ..sounds.hearing import Sounds

Report = Callable[[float, str], None]
"""Called with the fraction done, 0 to 1, and a sentence for people."""

MIN_VISIBLE_WEIGHT = 0.01  # of an emotion; what is weaker cannot be seen
# Seconds, standard deviation of the Gaussian over what an emotion changes. Poses come and go in tenths of a second
# (expression_targets.py); faster differences between two passes are the rounding to codes, which makes brows flicker.
EXPRESSION_SMOOTHING = 0.12
FILTER_REACH = 4  # standard deviations, of the Gaussian
# For the progress, shares of the time that it takes on a CPU: until the voice is measured, and until the expression is
# made. EMOTION_WORK is the work on one emotion in a window, relative to that on its speech.
MEASURED, EXPRESSED = 0.06, 0.98
EMOTION_WORK = 0.1


@dataclass
class Performance:
    """Curves of F frames at the model's rate for K channels. motion − expression is the speech alone."""

    voice: prosody.Voice  # what was measured of the line
    motion: NDArray[np.float32]  # (F, K)
    expression: NDArray[np.float32]  # (F, K) the part of `motion` that emotion adds
    emotion: NDArray[np.float32]  # (F, 8) detected in the voice, in the order of EMOTIONS; (F, 0): not detected
    sounds: "Sounds | None" = None  # what was heard, if it was asked for


def perform(
    model: "LSF",
    audio: NDArray[np.float32],
    identity: NDArray[np.float32] | None = None,
    *,
    temperature: float = 0.0,
    seed: int = 0,
    direction: Direction | None = None,
    follow: Following | None = None,
    own_mean: NDArray[np.float32] | None = None,
    styles: Styles = (),
    window: float | None = None,
    overlap: float | None = None,
    hear: "Callable[[SpeechResult], Sounds] | None" = None,
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
        follow: How the direction follows phrases and words; None: not at all.
        own_mean: (2 · Ce,) mean statistics of the speaker's lines, against which emotion is heard; None if unknown.
        styles: Style cards, and how much of each is applied; curves of other channels than ARKit's do without them.
        window: Seconds of speech that the network is given at once; None: those of `model.inference`; math.inf: all, as
            far as its encoders can take it.
        overlap: Seconds that neighbouring windows share; None: those of `model.inference`.
        hear: Finds the sounds of the line in what the network has encoded; None: they are not asked for.
        report: Called with the fraction done, 0 to 1, and a sentence.
        cancelled: Returns true when the job shall stop.

    Returns:
        The curves.

    Raises:
        LSFError: "bad_identity" if the coefficients do not fit the model.
        Cancelled: If `cancelled` returned true.
    """
    from ..model import emotion_changes, synthesize

    fps, spoken = model.config.fps, MEASURED

    def check(fraction: float) -> None:
        """Report the progress. Raises Cancelled."""
        if cancelled is not None and cancelled():
            raise Cancelled
        report(fraction, "Analysing the speech" if fraction <= MEASURED else "Adding the expression")

    def speaking(fraction: float, text: str) -> None:
        """Report the progress of the network, and remember it."""
        nonlocal spoken
        spoken = MEASURED + (EXPRESSED - MEASURED) * fraction
        report(spoken, text)

    voice = prosody.measure(audio, lambda fraction: check(MEASURED * fraction))
    if follow is not None:
        direction = follow.applied(direction or Direction.constant(), voice, fps, model.frame_count(len(audio)))
    output = synthesize(
        model,
        audio,
        identity,
        temperature=temperature,
        seed=seed,
        own_mean=own_mean,
        report=speaking,
        cancelled=cancelled,
        following=partial(_expression_work, model, direction),
        **_windows(window, overlap),
    )
    speech, detected = output.curves, np.zeros((len(output.curves), len(EMOTIONS)), np.float32)
    if tuple(model.config.channels) != arkit.CHANNELS:
        return Performance(voice, speech, np.zeros_like(speech), detected[:, :0])
    speech = rest_in_pauses(speech, voice.level, fps)
    activity = emotion_expression.speech_activity(voice.level, lip_contact.opening(speech), fps)
    if output.emotion.shape[1] == len(EMOTION_CLASSES):  # otherwise there is no emotion reader, or it has other classes
        probabilities = emotion_expression.smooth_probabilities(output.emotion, activity, fps)
        detected = emotion_expression.detected_emotion(probabilities)
    if direction is not None:
        direction = direction.passing(detected)
    expression = np.zeros_like(speech)
    if model.config.emotion_bank:
        shown = _shown(direction, detected)
        changes = partial(
            emotion_changes,
            model,
            output,
            identity=identity,
            temperature=temperature,
            seed=seed,
            report=stage(report, spoken, EXPRESSED),
            cancelled=cancelled,
        )
        expression = _expression(shown, EXPRESSION_SMOOTHING * fps, changes, speech.shape[1])
    sounds = None if hear is None else hear(output)
    del output
    check(EXPRESSED)
    speech = np.maximum(speech, brow_prominence(voice, activity, fps))
    if temperature > 0:
        variation = Take.draw(len(speech), fps, temperature, seed)
        speech, expression = variation.apply(speech), expression * variation.emotion[:, None]
    style = mixed(styles) if styles else None
    if style is not None:
        speech = apply_style(speech, style, voice, fps)
    closed = lip_contact.close_near_contacts(speech)
    check(EXPRESSED)
    motion = lip_contact.add_expression(closed, expression)
    check(EXPRESSED)
    closed, motion = with_sides(
        closed, motion, fps, identity, seed if temperature > 0 else 0, None if style is None else style.lean
    )
    if direction is not None and direction.bank.expressions:  # after the sides: what an artist has posed stays so
        pose = np.broadcast_to(direction.pose(), motion.shape)
        if temperature > 0:
            pose = limited(pose * variation.emotion[:, None])
        motion = lip_contact.add_pose(closed, motion, pose, lip_contact.held_closures(closed, activity, fps))
        check(EXPRESSED)
    return Performance(voice, motion, motion - closed, detected, sounds)


def _windows(window: float | None, overlap: float | None) -> dict[str, Any]:
    """Arguments of `synthesize` for the windows; those that are not given have its defaults."""
    if window is None:
        return {}
    if math.isinf(window):
        return {"window": None}
    return {"window": window} | ({} if overlap is None else {"overlap": overlap})


def _shown(direction: Direction | None, detected: NDArray[np.float32], first: int = 0) -> FloatArray:
    """Emotions to show (n, 8) in the frames from `first` on, in which these (n, 8) are detected."""
    if direction is None:
        return detected
    return np.broadcast_to(direction.rows(first, len(detected)).applied_to(detected), detected.shape)


def _expression_work(
    model: "LSF", direction: Direction | None, first: int, probabilities: NDArray[np.float32]
) -> float:
    """Estimate the work on the expression of a window, relative to that on its speech.

    Args:
        model: The network.
        direction: As of `perform`.
        first: First frame of the window.
        probabilities: (n, E) of the emotion classes in it, by the reader.
    """
    detected = np.zeros((len(probabilities), len(EMOTIONS)), np.float32)
    if probabilities.shape[1] == len(EMOTION_CLASSES):
        smooth = emotion_expression.smooth_probabilities(probabilities, np.ones(len(detected)), model.config.fps)
        detected = emotion_expression.detected_emotion(smooth)
    shown = _shown(direction, detected, first).max(0) > MIN_VISIBLE_WEIGHT
    count = sum(visible for visible, name in zip(shown, EMOTIONS, strict=True) if name != "neutral")
    return EMOTION_WORK * (count + 1) if count and model.config.emotion_bank else 0.0  # 1: the neutral voice


def _expression(
    shown: FloatArray, sigma: float, changes: Callable[..., Iterator[tuple[int, NDArray[np.float32]]]], channels: int
) -> NDArray[np.float32]:
    """Mix what emotions change by how much they are shown.

    Args:
        shown: (F, 8) of EMOTIONS.
        sigma: Frames, standard deviation of the Gaussian over the changes.
        changes: `emotion_changes` but for its arguments `emotions` and `shown`.
        channels: Number K of curves.

    Returns:
        (F, K), made part by part: the changes of all emotions in an hour take 130 MB.
    """
    from scipy.ndimage import gaussian_filter1d, maximum_filter1d

    frames, reach = len(shown), int(FILTER_REACH * sigma + 0.5)
    visible = [k for k, name in enumerate(EMOTIONS) if name != "neutral" and shown[:, k].max() > MIN_VISIBLE_WEIGHT]
    expression = np.zeros((frames, channels), np.float32)
    if not visible:
        return expression
    weights = shown[:, visible]
    needed = maximum_filter1d(weights > 0, 2 * reach + 1, axis=0)
    done, start, kept = 0, 0, np.zeros((len(visible), 0, channels), np.float32)  # `kept` are changes from `start` on
    for first, part in changes(visible, shown=needed):
        kept = np.concatenate([kept, part], 1)
        end = first + part.shape[1]
        ready = end if end == frames else max(done, end - reach)  # what comes later reaches back this far
        smooth = gaussian_filter1d(kept, sigma, 1, mode="nearest", truncate=FILTER_REACH)
        rows = slice(done, ready)
        expression[rows] = np.einsum("fe,efk->fk", weights[rows], smooth[:, done - start : ready - start])
        done, keep = ready, max(start, ready - reach)
        kept, start = kept[:, keep - start :], keep
    return expression


def stage(report: Report, low: float, high: float) -> Report:
    """Return a report for one stage, which maps its progress to the range from `low` to `high` of the whole job."""
    return lambda fraction, text: report(low + (high - low) * fraction, text)
