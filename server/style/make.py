"""Makes a style card of the sound and the recording of a performance."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arkit import CHANNELS
from ..engine import Engine, IsCancelled
from ..errors import Cancelled, LSFError
from ..files import audio
from ..numerics import FloatArray
from ..performance.perform import Report, perform, stage
from ..performance.style import mixed
from ..protocol.style_cards import FAMILIES, NUMBERS, StyleCard
from . import fit as fitting
from .match import match
from .recording import Recording

MIN_SECONDS, MAX_SECONDS = 10.0, 600.0  # of a reference; of a longer one, the first minutes are used
PREDICTED = 0.4  # share of the progress until the sound is animated
DECIMALS = 3  # of a card's numbers


@dataclass(frozen=True)
class Made:
    """A style card, and what was found on the way.

    Attributes:
        card: The card.
        lag: Seconds by which the recording is later than the sound.
        correlation: How well its mouth follows the prediction at this lag, −1 to 1.
        seconds: How much of the performance there was.
        gains: By family that was kept, the share of the squared error on parts kept out that it takes away.
        error, default_error: Root mean square error of the moved channels over the whole recording, with the card and
            without.
    """

    card: StyleCard
    lag: float
    correlation: float
    seconds: float
    gains: dict[str, float]
    error: float
    default_error: float


def make_card(
    engine: Engine,
    samples: FloatArray,
    rate: float,
    recording: Recording,
    name: str = "",
    report: Report = lambda fraction, text: None,
    cancelled: IsCancelled = lambda: False,
) -> Made:
    """Make a style card.

    Args:
        engine: The engine; its model must move ARKit's channels.
        samples: (N,) or (N, C) sound of the performance.
        rate: Its sample rate in Hz.
        recording: The recording of the face, from the same start; it may be off by match.MAX_LAG.
        name: Name of the card.
        report: Called with the progress.
        cancelled: Returns true when the job shall stop.

    Returns:
        The card. The same arguments give the same card.

    Raises:
        LSFError: "short_recording", "wrong_recording", or "bad_settings" if the model moves other channels.
        Cancelled: If `cancelled` returned true.
    """
    if tuple(engine.model.config.channels) != CHANNELS:
        raise LSFError("bad_settings", "Style cards are made with the model that ships: choose it in the preferences.")
    fps = engine.model.config.fps
    speech = audio.to_mono_16k(samples, rate, cancelled)[: int(MAX_SECONDS * audio.SAMPLE_RATE)]
    seconds = min(len(speech) / audio.SAMPLE_RATE, len(recording.curves) / recording.fps)
    if seconds < MIN_SECONDS:
        raise LSFError(
            "short_recording",
            f"A style needs {MIN_SECONDS:g} s of sound and recording at least, and a minute or more is better: there "
            f"are {seconds:.1f} s.",
        )
    performance = perform(engine.model, speech, report=stage(report, 0.0, PREDICTED), cancelled=cancelled)
    predicted = performance.motion - performance.expression
    recorded, valid = recording.at_rate(fps, len(predicted))
    found = match(predicted, recorded, valid, fps)
    found.check()
    recorded, valid = recording.at_rate(fps, len(predicted), found.lag)
    reference = fitting.Reference.of(
        predicted, performance.expression, performance.voice, recorded, valid, recording.moved(), fps
    )

    def step(fraction: float) -> None:
        if cancelled():
            raise Cancelled
        report(PREDICTED + (1 - PREDICTED) * fraction, "Measuring the style")

    fitted = fitting.fit(reference, step)
    numbers = tuple(round(float(value), DECIMALS) for value in fitted.numbers)
    card = StyleCard(name, numbers, tuple(sorted(fitted.left_out.items())))
    return Made(
        card,
        found.lag,
        found.correlation,
        seconds,
        fitted.gains,
        _error(reference, mixed(((card, 1.0),)).values),
        _error(reference, np.zeros(len(NUMBERS))),
    )


def _error(reference: fitting.Reference, numbers: NDArray[np.float64]) -> float:
    """Root mean square error of the channels that the recording moves."""
    errors = (reference.current(numbers) - reference.even)[reference.valid][:, reference.moved]
    return float(np.sqrt(np.square(errors, dtype=np.float64).mean())) if errors.size else 0.0


def summary(made: Made) -> list[str]:
    """Return sentences about a card: what was found, and for each family what became of it."""
    lines = [
        f"{made.seconds:.1f} s; recording later than the sound by {1000 * made.lag:.0f} ms, r {made.correlation:.2f}",
        f"error {made.default_error:.4f} by default, {made.error:.4f} with the card",
    ]
    reasons = {
        "no_gain": "no better than the default on parts kept out",
        "not_moved": "the recording does not move it",
        "too_short": "too little was recorded",
    }
    left_out = dict(made.card.left_out)
    for family in FAMILIES:
        if family in left_out:
            lines.append(f"{family}: default, {reasons[left_out[family]]}")
        else:
            lines.append(f"{family}: kept, takes away {100 * made.gains.get(family, 0):.0f} % of its squared error")
    return lines
