"""Scores of speech: GRID, degraded recordings, synthetic voices, sound without speech, FACEGOOD's jaw, vertices.

Every function scores one part. `data` is the folder that holds the corpora; `limit` is a number of clips, as running
all of them takes long.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ... import arkit
from ...face.head import HeadPart, HeadRegion, load_head
from ...files.audio import load_16k
from ...numerics import FloatArray
from .. import FPS
from ..corpora import required
from ..speech import augment
from . import metrics
from .baselines import frame_log_energy
from .runner import Runner
from .spread import Report, Spread

JAW = arkit.CHANNELS.index("jawOpen")
ROUNDING = [arkit.CHANNELS.index(c) for c in ("mouthPucker", "mouthFunnel")]
TAKES, TEMPERATURE = 10, 0.2
REST_SHARE = 0.03  # of the opening in speech (95th percentile): a mouth that opens less is at rest
JAW_WINDOW = 10 * FPS  # frames in which the jaw is correlated
# What may happen to a recording; levels in dB are below the speech.
DEGRADATIONS: dict[str, Callable[[FloatArray, np.random.Generator], FloatArray]] = {
    "plain": lambda audio, rng: audio,
    "noise_10_dB": lambda audio, rng: audio + augment.scale_below(audio, augment.noise(len(audio), rng), 10),
    "music_15_dB": lambda audio, rng: audio + augment.scale_below(audio, augment.music(len(audio), rng), 15),
    "room": augment.reverberate,
    "phone": lambda audio, rng: augment.telephone_band(audio),
    "codec": augment.codec,
    "gain_30_dB": lambda audio, rng: audio * 10 ** (-30 / 20),
}


def grid_scores(runner: Runner, data: Path) -> Report:
    """Score the lips on GRID against the tracked ones."""
    return metrics.lip_scores(
        [(required(c.lips), runner.lips(runner.run(c)), required(c.phones)) for c in runner.clips(data, "grid")]
    )


def degraded_scores(runner: Runner, data: Path, limit: int = 30) -> Report:
    """Return r of the aperture between first and last phone on GRID's clips, for each of DEGRADATIONS."""
    scores: Report = {}
    for name, degrade in DEGRADATIONS.items():
        rng, results = np.random.default_rng(1), []
        for clip in runner.clips(data, "grid")[:limit]:
            audio = degrade(load_16k(clip.audio), rng).astype(np.float32)
            results.append((required(clip.lips), runner.lips(runner.perform(audio).motion), required(clip.phones)))
        scores[name] = metrics.lip_scores(results)["aperture_r_speech"]
    return scores


def non_speech_scores(runner: Runner, data: Path) -> Report:
    """Score sound without speech: the share of frames with the mouth at rest, and the largest weight of any channel."""
    speech = np.concatenate([runner.lips(runner.run(c))[:, 0] for c in runner.clips(data, "kokoro")[:10]])
    curves = {clip.name: runner.run(clip) for clip in runner.clips(data, "non_speech")}
    limit = REST_SHARE * np.percentile(speech, 95)
    at_rest = {name: list(runner.lips(c)[:, 0] <= limit) for name, c in curves.items()}
    frames = sum(len(clip) for clip in at_rest.values())
    largest = Spread.over_clips(float(c.max()) for c in curves.values())
    return {"rest": Spread.of_outcomes(at_rest), "frames": frames, "largest": largest}


def voice_scores(runner: Runner, data: Path, limit: int = 60) -> Report:
    """Score held-out synthetic voices, with the spread over voices.

    Contact on p/b/m and nowhere else, rest before speech, rounding.
    """
    outcomes: dict[str, dict[str, list[bool]]] = {k: {} for k in ("contact", "no_false_contact", "rest", "rounding")}
    for clip in runner.clips(data, "kokoro")[:limit]:
        curves, phones = runner.run(clip), required(clip.phones)
        aperture = runner.lips(curves)[:, 0]
        times = np.arange(len(aperture)) / FPS
        silent = times < metrics.speech_span(phones)[0] - 0.2
        tests = metrics.phone_tests(aperture, phones)
        tests["rest"] = list(aperture[silent] <= REST_SHARE * np.percentile(aperture, 95))
        tests["rounding"] = metrics.rounding_tests(curves[:, ROUNDING].sum(1), phones)
        for name, by_voice in outcomes.items():
            by_voice.setdefault(clip.speaker, []).extend(tests[name])
    return {name: Spread.of_outcomes(by_voice) for name, by_voice in outcomes.items()}


def jaw_scores(runner: Runner, data: Path) -> Report:
    """Correlate FACEGOOD's captured jaw with the predicted aperture, and with log energy, in windows of 10 s."""
    predicted, energy = [], []
    for clip in runner.clips(data, "facegood"):
        audio, captured = load_16k(clip.audio), required(clip.curves)[:, JAW]
        aperture = runner.lips(runner.run(clip))[:, 0]
        log_energy = frame_log_energy(audio)
        frames = min(len(aperture), len(captured), len(log_energy))
        for first in range(0, frames - JAW_WINDOW + 1, JAW_WINDOW):
            part = slice(first, first + JAW_WINDOW)
            if captured[part].std() > 1e-3:
                predicted.append(metrics.pearson(aperture[part], captured[part]))
                energy.append(metrics.pearson(log_energy[part], captured[part]))
    return {"jaw_r": Spread.over_clips(predicted), "log_energy_r": Spread.over_clips(energy)}


def vertex_scores(runner: Runner, data: Path, work: Path, limit: int = 20) -> Report:
    """Return the paper's metrics on GRID's test clips, against their target curves on the mesh."""
    head, targets = load_head(), np.load(work / "targets" / "grid.npz")
    skin = head.part == HeadPart.SKIN
    lip = np.flatnonzero(skin & np.isin(head.region, (HeadRegion.LIP_UPPER, HeadRegion.LIP_LOWER)))
    eye_height = head.vertices[head.landmark_vertices[36], 2]
    upper = np.flatnonzero(skin & (head.vertices[:, 2] > eye_height) & (head.vertices[:, 1] < -0.03))
    rows = []
    for clip in runner.clips(data, "grid")[:limit]:
        truth = targets[clip.name]
        takes = [runner.run(clip)] + [runner.run(clip, temperature=TEMPERATURE, seed=s) for s in range(TAKES)]
        frames = min(len(truth), len(takes[0]))
        rows.append(
            metrics.vertex_scores(truth[:frames], np.stack([t[:frames] for t in takes]), head.basis, lip, upper)
        )
    return {k: Spread.mean_over_clips(r[k] for r in rows) for k in rows[0]}
