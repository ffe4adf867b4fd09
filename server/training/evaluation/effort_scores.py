"""How the speed of the lips follows vocal effort, over acted lines.

Effort shows in the spectral tilt: an effortful voice has more energy at high frequencies, at any level of the
recording. The tilt is measured as the alpha ratio (Sundberg and Nordenberg 2006; part of GeMAPS, Eyben et al. 2016).
"""

from pathlib import Path

import numpy as np
from scipy.signal import welch

from ...files.audio import SAMPLE_RATE, load_16k
from ...numerics import FloatArray
from .. import FPS, corpora
from . import metrics
from .people import loud_span
from .runner import Runner
from .spread import Report, Spread

LOW_BAND, HIGH_BAND = (50, 1000), (1000, 5000)  # Hz
WINDOW = 512  # samples of a spectrum, 32 ms
HELD_OUT = ("valid", "test")


def spectral_tilt(audio: FloatArray) -> float:
    """Return the alpha ratio of speech (N,) at 16 kHz: the energy of the high band over that of the low one, in dB."""
    frequencies, power = welch(audio, SAMPLE_RATE, nperseg=min(WINDOW, len(audio)))
    low, high = (power[(frequencies >= a) & (frequencies < b)].sum() for a, b in (LOW_BAND, HIGH_BAND))
    return float(10 * np.log10((high + 1e-20) / (low + 1e-20)))


def lip_speed(aperture: FloatArray, audio: FloatArray) -> float:
    """Return the mean speed of the lips while there is speech, in units of the aperture a second.

    Args:
        aperture: (F,) inner-lip aperture at 25 fps.
        audio: (N,) its speech at 16 kHz.
    """
    frames = min(len(aperture), len(audio) * FPS // SAMPLE_RATE)
    moving = loud_span(audio, frames)[1:]
    return float(np.abs(np.diff(aperture[:frames]))[moving].mean() * FPS)


def effort_scores(runner: Runner, data: Path, limit: int = 25) -> Report:
    """Correlate lip speed with spectral tilt over the lines of each EmoDB actor.

    Args:
        runner: The checkpoint.
        data: Folder that holds the corpora.
        limit: Lines of each actor, evenly chosen.

    Returns:
        Median and range over the actors, the same for those that training did not read, and r over all lines.
    """
    by_actor: dict[str, list[corpora.Clip]] = {}
    for clip in corpora.read("emodb", data):
        by_actor.setdefault(clip.speaker, []).append(clip)
    tilts, speeds = [], []
    correlations: dict[str, float] = {}
    for actor, clips in by_actor.items():
        chosen = [clips[i] for i in np.unique(np.linspace(0, len(clips) - 1, limit).astype(int))]
        audios = [load_16k(clip.audio) for clip in chosen]
        tilts.append(np.array([spectral_tilt(audio) for audio in audios]))
        apertures = [runner.lips(runner.perform(audio).motion)[:, 0] for audio in audios]
        speeds.append(np.array([lip_speed(a, audio) for a, audio in zip(apertures, audios, strict=True)]))
        correlations[actor] = metrics.pearson(tilts[-1], speeds[-1])
    held_out = [r for actor, r in correlations.items() if by_actor[actor][0].split in HELD_OUT]
    return {
        "within_actor_r": Spread.over_people(correlations.values()),
        "held_out_actor_r": Spread.over_people(held_out),
        "all_lines_r": metrics.pearson(np.concatenate(tilts), np.concatenate(speeds)),
    }
