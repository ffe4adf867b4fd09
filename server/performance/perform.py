"""From speech to the whole performance: what the model says, as this take says it, with what is felt on top."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .. import arkit
from ..protocol.emotions import EMOTION_CLASSES, EMOTIONS
from . import brows, lip_contact, prosody
from .emotion import expression as emotion_expression
from .emotion.direction import Direction
from .variation import Take


@dataclass
class Performance:
    """F frames at the model's rate; motion − expression is the speech alone."""

    motion: np.ndarray  # (F, K) float32
    expression: np.ndarray  # (F, K) float32: the part of `motion` that emotion adds
    emotion: np.ndarray  # (F, 8) float32: what the voice implies, in the order of EMOTIONS


def perform(
    model,
    audio: np.ndarray,
    identity: np.ndarray | None = None,
    temperature: float = 0.0,
    seed: int = 0,
    direct: Callable[[np.ndarray], Direction] | None = None,
    report: Callable[[float, str], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Performance:
    """Speech (N,) at 16 kHz for a face with identity coefficients (I,; None: the average) and an LSF model.

    `direct` gives the artist's direction at (F,) seconds (None: as the voice implies). Models of other channels than
    ARKit's get no expression.
    """
    from ..model import synthesize

    heard, fps = synthesize(model, audio, identity, temperature, seed, report, cancelled), model.config.fps
    speech, felt = heard.curves, np.zeros((len(heard.curves), len(EMOTIONS)), np.float32)
    if tuple(model.config.channels) != arkit.CHANNELS:
        return Performance(speech, np.zeros_like(speech), felt)
    voice = prosody.measure(audio)
    spoken = emotion_expression.speaking(voice.level, lip_contact.opening(speech), fps)
    if heard.emotion.shape[1] == len(EMOTION_CLASSES):  # else it has no reader, or one of other emotions
        felt = emotion_expression.implied(emotion_expression.settled(heard.emotion, spoken, fps))
    speech = np.maximum(speech, brows.brows(voice, spoken, fps))
    shown = felt if direct is None else direct(np.arange(len(speech)) / fps).mixed(felt)
    expression = emotion_expression.express(shown, voice, spoken, fps)
    if temperature > 0:
        take = Take.draw(len(speech), fps, temperature, seed)
        speech, expression = take.apply(speech), expression * take.emotion[:, None]
    closed = lip_contact.close_near_contacts(speech)
    motion = lip_contact.add_expression(closed, expression)
    return Performance(motion, motion - closed, felt)
