"""What other tools score beside the checkpoint: log energy, and OpenFaceFX where it is installed.

OpenFaceFX (PyPI: openfacefx) makes viseme curves from phones with known times, by dominance functions (Cohen and
Massaro 1993) and a table. It gets the phones of the forced alignment, which are the best that it can have, and its
curves move the project's head through its own table for ARKit.
"""

import importlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np

from ... import arkit
from ...files.audio import SAMPLE_RATE, load_16k
from ...numerics import FloatArray
from .. import FPS
from ..corpora import Clip, required
from ..speech.phonetics import ARPABET, Phone
from .people import match_lips
from .people import summary as lip_summary
from .people_phones import aligned_people
from .runner import Runner
from .spread import Report
from .temporal_misalignment import match_extrema
from .temporal_misalignment import summary as misalignment_summary

OPENFACEFX = "openfacefx"
MISSING = f"{OPENFACEFX} is not installed, so it is not compared; `pip install {OPENFACEFX}` adds it."
TO_ARPABET = {ipa: name for name, ipa in ARPABET.items()} | {"": "sil"}
SAMPLES_PER_FRAME = SAMPLE_RATE // FPS


def frame_log_energy(audio: FloatArray) -> FloatArray:
    """Return the natural logarithm (F,) of the power of each whole frame at 25 fps of speech (N,) at 16 kHz."""
    frames = len(audio) // SAMPLES_PER_FRAME
    power = np.square(audio[: frames * SAMPLES_PER_FRAME]).reshape(frames, SAMPLES_PER_FRAME).mean(1)
    energy: FloatArray = np.log(power + 1e-7)
    return energy


def load_openfacefx() -> ModuleType | None:
    """Return the package, or None if it is not installed."""
    try:
        return importlib.import_module(OPENFACEFX)
    except ModuleNotFoundError:
        return None


def openfacefx_curves(package: ModuleType, phones: list[Phone], frames: int) -> FloatArray:
    """Return the ARKit curves (frames, 52) at 25 fps that OpenFaceFX makes of phones.

    Args:
        package: Result of `load_openfacefx`.
        phones: Phones of GRID with their times.
        frames: Number of frames.
    """
    alignment, retarget = (importlib.import_module(f"{package.__name__}.{name}") for name in ("alignment", "retarget"))
    segments = [alignment.PhonemeSegment(TO_ARPABET[symbol], start, end) for symbol, start, end in phones]
    track = retarget.retarget(package.generate_from_alignment(segments), retarget.PRESETS["arkit"])
    curves = np.zeros((frames, len(arkit.CHANNELS)), np.float32)
    for channel in track.channels:
        if channel.name in arkit.CHANNELS:
            times, values = ([getattr(key, field) for key in channel.keys] for field in ("time", "value"))
            curves[:, arkit.CHANNELS.index(channel.name)] = np.interp(np.arange(frames) / FPS, times, values)
    return curves


def compare(clips: list[Clip], people: bool, tool: Callable[[Clip, FloatArray], FloatArray]) -> Report:
    """Score lips that a tool makes.

    Args:
        clips: Clips with tracked lips.
        people: Whether every clip is another person.
        tool: From a clip and its speech (N,) at 16 kHz to aperture and width (F, 2) at 25 fps.
    """
    lips = [(clip, audio, tool(clip, audio)) for clip, audio in ((c, load_16k(c.audio)) for c in clips)]
    results = [match_extrema(required(clip.lips)[:, 0], shown[:, 0]) for clip, _, shown in lips]
    # The people are scored as in `people_scores`, where their phones are unknown.
    matches = [match_lips(replace(clip, phones=None) if people else clip, audio, shown) for clip, audio, shown in lips]
    return lip_summary(matches, people) | misalignment_summary(results, people)


def comparison_scores(runner: Runner, data: Path) -> Report:
    """Score the checkpoint, log energy and OpenFaceFX side by side on GRID's held-out lines and on the people."""

    def energy(clip: Clip, audio: FloatArray) -> FloatArray:
        return np.repeat(frame_log_energy(audio)[:, None], 2, 1)

    tools: dict[str, Callable[[Clip, FloatArray], FloatArray]] = {
        "checkpoint": lambda clip, audio: runner.lips(runner.run(clip)),
        "log_energy": energy,
    }
    package = load_openfacefx()
    if package is None:
        print(MISSING, flush=True)
    else:
        tools[OPENFACEFX] = lambda clip, audio: runner.lips(
            openfacefx_curves(package, required(clip.phones), len(required(clip.lips)))
        )
    report: Report = {}
    for corpus, clips in (("grid", runner.clips(data, "grid")), ("people", aligned_people(runner.model, data))):
        for name, tool in tools.items():
            scores = compare(clips, corpus == "people", tool)
            report |= {f"{corpus}_{name}_{figure}": value for figure, value in scores.items()}
    return report
