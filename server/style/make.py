"""Makes a style card of takes of an actor: each a sound and the recording of the face that belongs to it."""

from collections.abc import Sequence
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
from .match import Match, match
from .recording import Recording

MIN_SECONDS, MAX_SECONDS = 10.0, 600.0  # of a take; of all takes together, of which each has the same share
MAX_TAKES = 16
PREDICTED = 0.4  # share of the progress until the sound is animated
DECIMALS = 3  # of a card's numbers


@dataclass(frozen=True)
class Take:
    """A performance of the actor.

    Attributes:
        samples: (N,) or (N, C) sound.
        rate: Its sample rate in Hz.
        recording: The recording of the face, from the same start; it may be off by match.MAX_LAG.
    """

    samples: FloatArray
    rate: float
    recording: Recording


@dataclass(frozen=True)
class Made:
    """A style card, and what was found on the way.

    Attributes:
        card: The card.
        lags: For each take, seconds by which the recording is later than the sound.
        correlations: For each take, how well its mouth follows the prediction at this lag, −1 to 1.
        seconds: How much was recorded, in all takes.
        gains: By family that was kept, the share of the squared error on parts kept out that it takes away.
        error, default_error: Root mean square error of the moved channels over all recordings, with the card and
            without.
    """

    card: StyleCard
    lags: tuple[float, ...]
    correlations: tuple[float, ...]
    seconds: float
    gains: dict[str, float]
    error: float
    default_error: float


def make_card(
    engine: Engine,
    takes: Sequence[Take],
    name: str = "",
    report: Report = lambda fraction, text: None,
    cancelled: IsCancelled = lambda: False,
) -> Made:
    """Make a style card.

    Args:
        engine: The engine; its model must move ARKit's channels.
        takes: 1 to MAX_TAKES performances of the actor.
        name: Name of the card.
        report: Called with the progress.
        cancelled: Returns true when the job shall stop.

    Returns:
        The card. The same arguments give the same card.

    Raises:
        LSFError: "short_recording", "wrong_recording"; "bad_settings" if the model moves other channels or there are
            too many takes.
        Cancelled: If `cancelled` returned true.
    """
    if tuple(engine.model.config.channels) != CHANNELS:
        raise LSFError("bad_settings", "Style cards are made with the model that ships: choose it in the preferences.")
    if not 1 <= len(takes) <= MAX_TAKES:
        raise LSFError("bad_settings", f"A style card is made of 1 to {MAX_TAKES} takes, not {len(takes)}.")
    references, matches, seconds = [], [], 0.0
    for number, take in enumerate(takes):
        first, end = (PREDICTED * i / len(takes) for i in (number, number + 1))
        try:
            reference, found = _reference(engine, take, MAX_SECONDS / len(takes), stage(report, first, end), cancelled)
        except LSFError as error:
            if len(takes) == 1 or error.code not in ("short_recording", "wrong_recording"):
                raise
            raise LSFError(error.code, f"Take {number + 1}: {error}") from None
        references.append(reference)
        matches.append(found)
        seconds += float(reference.valid.sum()) / reference.fps
    reference = fitting.Reference.joined(references)

    def step(fraction: float) -> None:
        if cancelled():
            raise Cancelled
        report(PREDICTED + (1 - PREDICTED) * fraction, "Measuring the style")

    fitted = fitting.fit(reference, step)
    numbers = tuple(round(float(value), DECIMALS) for value in fitted.numbers)
    card = StyleCard(name, numbers, tuple(sorted(fitted.left_out.items())))
    return Made(
        card,
        tuple(found.lag for found in matches),
        tuple(found.correlation for found in matches),
        seconds,
        fitted.gains,
        _error(reference, mixed(((card, 1.0),)).values),
        _error(reference, np.zeros(len(NUMBERS))),
    )


def _reference(
    engine: Engine, take: Take, most: float, report: Report, cancelled: IsCancelled
) -> tuple[fitting.Reference, Match]:
    """Animate the sound of a take, of which `most` seconds are used, and lay its recording beside it."""
    fps = engine.model.config.fps
    speech = audio.to_mono_16k(take.samples, take.rate, cancelled)[: int(most * audio.SAMPLE_RATE)]
    seconds = min(len(speech) / audio.SAMPLE_RATE, len(take.recording.curves) / take.recording.fps)
    if seconds < MIN_SECONDS:
        raise LSFError(
            "short_recording",
            f"A style needs {MIN_SECONDS:g} s of sound and recording at least, and a minute or more is better: there "
            f"are {seconds:.1f} s.",
        )
    performance = perform(engine.model, speech, report=report, cancelled=cancelled)
    predicted = performance.motion - performance.expression
    recorded, valid = take.recording.at_rate(fps, len(predicted))
    found = match(predicted, recorded, valid, fps)
    found.check()
    recorded, valid = take.recording.at_rate(fps, len(predicted), found.lag)
    moved = take.recording.moved()
    reference = fitting.Reference.of(predicted, performance.expression, performance.voice, recorded, valid, moved, fps)
    return reference, found


def _error(reference: fitting.Reference, numbers: NDArray[np.float64]) -> float:
    """Root mean square error of the channels that the recording moves."""
    errors = (reference.current(numbers) - reference.even)[reference.valid][:, reference.moved]
    return float(np.sqrt(np.square(errors, dtype=np.float64).mean())) if errors.size else 0.0


def summary(made: Made) -> list[str]:
    """Return sentences about a card: what was found, and for each family what became of it."""
    matches = zip(made.lags, made.correlations, strict=True)
    lines = [
        *(
            f"recording later than the sound by {1000 * lag:.0f} ms, r {correlation:.2f}"
            for lag, correlation in matches
        ),
        f"{made.seconds:.1f} s; error {made.default_error:.4f} by default, {made.error:.4f} with the card",
    ]
    reasons = {
        "no_gain": "no better than the default on parts kept out, or no more than what differs from take to take",
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
