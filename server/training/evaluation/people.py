"""Lips of people whom no training saw: GRID's other tracked speakers, one sentence each.

No phone times are known, so speech is what is loud: from the first to the last frame above a share of the loud parts.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...files.audio import SAMPLE_RATE, load_16k
from ...numerics import BoolArray, FloatArray
from .. import FPS
from ..corpora import Clip, required
from . import metrics
from .runner import Runner
from .spread import Report, Spread

LOUD_PERCENTILE, LOUD_SHARE = 95, 0.05  # a frame is speech if its amplitude is above this share of the percentile


@dataclass(frozen=True)
class LipMatch:
    """How predicted lips follow tracked ones in one clip: Pearson r, and the lag with the highest one.

    Attributes:
        whole: r of the aperture over all tracked frames.
        speech: r of the aperture over the tracked frames of speech.
        width: r of the mouth width over all tracked frames.
        lag_ms: Lag of LAGS at which the aperture over all tracked frames agrees best; positive: the prediction is late.
    """

    whole: float
    speech: float
    width: float
    lag_ms: int


def loud_span(audio: FloatArray, frames: int) -> BoolArray:
    """Return which frames (frames,) at 25 fps lie between the first and the last loud one, with one more on each side.

    Args:
        audio: (N,) speech at 16 kHz, at least `frames` frames long.
        frames: Number of frames.
    """
    hop = SAMPLE_RATE // FPS
    level = np.sqrt(np.square(audio[: frames * hop].reshape(frames, hop)).mean(1) + 1e-12)
    loud = np.flatnonzero(level > LOUD_SHARE * np.percentile(level, LOUD_PERCENTILE))
    span = np.zeros(frames, bool)
    span[max(loud[0] - 1, 0) : loud[-1] + 2] = True
    return span


def match_lips(clip: Clip, audio: FloatArray, predicted: FloatArray) -> LipMatch:
    """Compare lips with the tracked ones of a clip.

    Speech is from the first to the last phone, or by `loud_span` if the times of the phones are unknown.

    Args:
        clip: A clip with tracked lips.
        audio: (N,) its speech at 16 kHz.
        predicted: (F, 2) aperture and width at 25 fps; the last frame holds.
    """
    truth = required(clip.lips).astype(np.float64)
    frames = min(len(truth), len(audio) * FPS // SAMPLE_RATE)
    truth, times = truth[:frames], np.arange(frames) / FPS
    tracked = np.ones(frames, bool) if clip.valid is None else clip.valid[:frames]
    if clip.phones is None:
        speech = loud_span(audio, frames)
    else:
        start, end = metrics.speech_span(clip.phones)
        speech = (times >= start - 1 / FPS) & (times <= end + 1 / FPS)
    speech &= tracked

    def r(column: int, inside: BoolArray, lag_ms: float = 0.0) -> float:
        curve = np.interp(times + lag_ms / 1000, np.arange(len(predicted)) / FPS, predicted[:, column])
        return metrics.pearson(truth[inside, column], curve[inside])

    lag = max(map(int, metrics.LAGS), key=lambda ms: r(0, tracked, ms))
    return LipMatch(r(0, tracked), r(0, speech), r(1, tracked), lag)


def summary(matches: list[LipMatch], people: bool = True) -> Report:
    """Return the spread of every field of LipMatch over people, or over clips of one person."""
    return {
        "aperture_r": Spread.of((m.whole for m in matches), people),
        "aperture_r_speech": Spread.of((m.speech for m in matches), people),
        "width_r": Spread.of((m.width for m in matches), people),
        "lag_ms": Spread.of((m.lag_ms for m in matches), people),
    }


def people_scores(runner: Runner, data: Path) -> Report:
    """Score the lips of every person, and their median and range."""
    matches: list[LipMatch] = []
    report: Report = {}
    for clip in runner.clips(data, "people"):
        audio = load_16k(clip.audio)
        match = match_lips(clip, audio, runner.lips(runner.perform(audio).motion))
        matches.append(match)
        figures = {"whole": match.whole, "speech": match.speech, "width": match.width, "lag_ms": match.lag_ms}
        report |= {f"{clip.speaker}_{name}": figure for name, figure in figures.items()}
    return summary(matches) | report
