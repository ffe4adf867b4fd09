"""All metrics of a checkpoint: `python -m server.training.evaluate CHECKPOINT --data DATA [--work WORK] [--json FILE]`.

Everything runs through the complete path, as in the server: audio, backbone, SIE-Encoder, HIFB, codes, decoder,
emotion, lip contact, curves, basis of the project's head. Lips are measured on the moving mesh. Only clips of the test
split are used, which no training step read. --work adds the vertex metrics, which need GRID's curves on the mesh.
--all-of CORPUS scores every clip of grid or facegood, for a checkpoint that was trained --without it.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict, Unpack

import numpy as np
import torch
from numpy.typing import NDArray

from .. import arkit
from ..face.head import HeadPart, HeadRegion, load_head
from ..files.audio import SAMPLE_RATE, load_16k
from ..model import LSF, synthesize
from ..numerics import FloatArray
from ..performance.emotion.direction import Direction
from ..performance.perform import Performance, perform
from ..protocol.emotions import EMOTIONS
from . import FPS, corpora
from .corpora import Clip, required
from .evaluation import metrics
from .labels import lips
from .speech import augment

JAW = arkit.CHANNELS.index("jawOpen")
ROUNDING = [arkit.CHANNELS.index(c) for c in ("mouthPucker", "mouthFunnel")]
EXPRESSION_CHANNELS = [
    i
    for i, c in enumerate(arkit.CHANNELS)
    if c.startswith(("brow", "eyeSquint", "eyeWide", "eyeBlink", "cheek", "nose", "mouthSmile", "mouthFrown"))
]
TAKES, TEMPERATURE = 10, 0.2
REST_SHARE = 0.03  # of the opening in speech (95th percentile): a mouth that opens less is at rest
JAW_WINDOW = 10 * FPS  # frames in which the jaw is correlated
SAMPLES_PER_FRAME = SAMPLE_RATE // FPS
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


class Options(TypedDict, total=False):
    """Options of `perform` that the metrics vary."""

    identity: NDArray[np.float32]
    temperature: float
    seed: int


class Runner:
    """Runs a checkpoint on clips and measures the time that it takes."""

    def __init__(self, checkpoint: Path, all_of: list[str]):
        """Load a checkpoint.

        Args:
            checkpoint: Folder of the checkpoint.
            all_of: Corpora of which `clips` returns every clip, not only the test split.
        """
        self.model, self.head, self.all_of = LSF.from_pretrained(checkpoint), lips.load_lips(), all_of
        self.audio_seconds, self.run_seconds = 0.0, 0.0

    def clips(self, data: Path, corpus: str) -> list[Clip]:
        """Return the clips of a corpus to score."""
        return [c for c in corpora.read(corpus, data) if c.split == "test" or corpus in self.all_of]

    def run(self, clip: Clip, emotion: str | None = None, **options: Unpack[Options]) -> FloatArray:
        """Return the curves (F, K) of a clip.

        Args:
            clip: The clip.
            emotion: Shown at full strength; None shows what the voice implies.
            **options: Options of `perform`.
        """
        return self.perform(load_16k(clip.audio), emotion, **options).motion

    def perform(
        self, audio: NDArray[np.float32], emotion: str | None = None, **options: Unpack[Options]
    ) -> Performance:
        """Return the performance of speech (N,) at 16 kHz; for the other arguments see `run`."""
        start = time.perf_counter()
        direction = None if emotion is None else Direction.constant(emotion)
        performance = perform(self.model, audio, direction=direction, **options)
        self.run_seconds += time.perf_counter() - start
        self.audio_seconds += len(audio) / SAMPLE_RATE
        return performance

    def lips(self, curves: FloatArray) -> FloatArray:
        """Return aperture and width (F, 2) on the mesh in metres."""
        lips_of_curves: FloatArray = self.head(torch.from_numpy(curves)).numpy()
        return lips_of_curves


# Every function below scores one part. `data` is the folder that holds the corpora; `limit` is a number of clips, as
# running all of them takes long.


def grid_scores(runner: Runner, data: Path) -> dict[str, float]:
    """Score the lips on GRID against the tracked ones."""
    return metrics.lip_scores(
        [(required(c.lips), runner.lips(runner.run(c)), required(c.phones)) for c in runner.clips(data, "grid")]
    )


def degraded_scores(runner: Runner, data: Path, limit: int = 30) -> dict[str, float]:
    """Return r of the aperture between first and last phone on GRID's clips, for each of DEGRADATIONS."""
    scores = {}
    for name, degrade in DEGRADATIONS.items():
        rng, results = np.random.default_rng(1), []
        for clip in runner.clips(data, "grid")[:limit]:
            audio = degrade(load_16k(clip.audio), rng).astype(np.float32)
            results.append((required(clip.lips), runner.lips(runner.perform(audio).motion), required(clip.phones)))
        scores[name] = metrics.lip_scores(results)["aperture_r_speech"]
    return scores


def non_speech_scores(runner: Runner, data: Path) -> dict[str, float]:
    """Score sound without speech: the share of frames with the mouth at rest, and the largest weight of any channel."""
    speech = np.concatenate([runner.lips(runner.run(c))[:, 0] for c in runner.clips(data, "kokoro")[:10]])
    curves = np.concatenate([runner.run(clip) for clip in runner.clips(data, "non_speech")])
    at_rest = runner.lips(curves)[:, 0] <= REST_SHARE * np.percentile(speech, 95)
    return {"rest": float(at_rest.mean()), "frames": len(at_rest), "largest": float(curves.max())}


def detected_emotion_scores(runner: Runner, data: Path) -> dict[str, float]:
    """Return the strongest emotion that each line of emotional_english implies, and its mean intensity over the line.

    The corpus is no part of training.
    """
    scores = {}
    for path in sorted((data / "emotional_english").glob("*.flac")):
        mean = runner.perform(load_16k(path)).emotion.mean(0)
        intensity = {name: float(mean[k]) for k, name in enumerate(EMOTIONS) if name != "neutral"}
        strongest = max(intensity, key=lambda name: intensity[name])
        scores[f"{path.stem}:{strongest}"] = intensity[strongest]
    return scores


def voice_scores(runner: Runner, data: Path, limit: int = 60) -> dict[str, float]:
    """Score held-out synthetic voices: contact on p/b/m and nowhere else, rest before speech, rounding."""
    outcomes: dict[str, list[bool]] = {"contact": [], "no_false_contact": [], "rest": [], "rounding": []}
    for clip in runner.clips(data, "kokoro")[:limit]:
        curves, phones = runner.run(clip), required(clip.phones)
        aperture = runner.lips(curves)[:, 0]
        tests = metrics.phone_tests(aperture, phones)
        for name in ("contact", "no_false_contact"):
            outcomes[name] += tests[name]
        times = np.arange(len(aperture)) / FPS
        silent = times < metrics.speech_span(phones)[0] - 0.2
        outcomes["rest"] += list(aperture[silent] <= REST_SHARE * np.percentile(aperture, 95))
        outcomes["rounding"] += metrics.rounding_tests(curves[:, ROUNDING].sum(1), phones)
    return {k: float(np.mean(v)) for k, v in outcomes.items()}


def jaw_scores(runner: Runner, data: Path) -> dict[str, float]:
    """Correlate FACEGOOD's captured jaw with the predicted aperture, and with log energy, in windows of 10 s."""
    predicted, energy = [], []
    for clip in runner.clips(data, "facegood"):
        audio, captured = load_16k(clip.audio), required(clip.curves)[:, JAW]
        aperture = runner.lips(runner.run(clip))[:, 0]
        frames = min(len(aperture), len(captured), len(audio) // SAMPLES_PER_FRAME)
        power = np.square(audio[: frames * SAMPLES_PER_FRAME]).reshape(frames, SAMPLES_PER_FRAME).mean(1)
        log_energy = np.log(power + 1e-7)
        for first in range(0, frames - JAW_WINDOW + 1, JAW_WINDOW):
            part = slice(first, first + JAW_WINDOW)
            if captured[part].std() > 1e-3:
                predicted.append(metrics.pearson(aperture[part], captured[part]))
                energy.append(metrics.pearson(log_energy[part], captured[part]))
    return {"jaw_r": float(np.median(predicted)), "log_energy_r": float(np.median(energy))}


def emotion_scores(runner: Runner, data: Path) -> dict[str, float]:
    """Return the accuracy of linear probes for emotion, trained on EmoDB's training speakers, on held-out ones."""
    embeddings: dict[str, list[FloatArray]] = {"train": [], "test": []}
    generated: dict[str, list[FloatArray]] = {"train": [], "test": []}
    labels: dict[str, list[str]] = {"train": [], "test": []}
    for clip in corpora.read("emodb", data):
        if clip.split != "valid":
            curves = runner.run(clip)[:, EXPRESSION_CHANNELS]
            embeddings[clip.split].append(synthesize(runner.model, load_16k(clip.audio)).emotion_embedding.mean(0))
            generated[clip.split].append(np.concatenate([curves.mean(0), curves.std(0)]))
            labels[clip.split].append(required(clip.emotion))

    def accuracy(rows: dict[str, list[FloatArray]]) -> float:
        return metrics.probe(np.array(rows["train"]), labels["train"], np.array(rows["test"]), labels["test"])

    return {
        "embedding": accuracy(embeddings),
        "curves": accuracy(generated),
        "most_frequent": max(labels["test"].count(c) for c in set(labels["test"])) / len(labels["test"]),
    }


def chosen_emotion_scores(runner: Runner, data: Path, limit: int = 20) -> dict[str, float]:
    """Return the share of p/b/m with lip contact, under every emotion at full strength and in the worst of 3 takes."""
    clips = runner.clips(data, "kokoro")[:limit]

    def contact(emotion: str | None = None, **options: Unpack[Options]) -> float:
        outcomes: list[bool] = []
        for clip in clips:
            aperture = runner.lips(runner.run(clip, emotion, **options))[:, 0]
            outcomes += metrics.phone_tests(aperture, required(clip.phones))["contact"]
        return float(np.mean(outcomes))

    takes = [contact(temperature=TEMPERATURE, seed=seed) for seed in range(3)]
    return {emotion: contact(emotion) for emotion in EMOTIONS} | {"worst_take": min(takes)}


def take_scores(runner: Runner, data: Path, limit: int = 5) -> dict[str, float]:
    """Return the standard deviation over ten takes of one line, mean over frames.

    In weights for brows and lids, in per cent of its 95th percentile for the opening.
    """
    spread: dict[str, list[float]] = {"brows": [], "lids": [], "opening_percent": []}
    for clip in runner.clips(data, "kokoro")[:limit]:
        takes = np.stack([runner.run(clip, temperature=TEMPERATURE, seed=seed) for seed in range(TAKES)])
        for name, channels in (("brows", ("browInnerUp",)), ("lids", ("eyeSquint", "eyeWide"))):
            columns = [i for i, c in enumerate(arkit.CHANNELS) if c.startswith(channels)]
            spread[name].append(takes[:, :, columns].std(0).mean())
        opening = np.stack([runner.lips(take)[:, 0] for take in takes])
        spread["opening_percent"].append(100 * opening.std(0).mean() / np.percentile(opening, 95))
    return {name: float(np.mean(values)) for name, values in spread.items()}


def identity_scores(runner: Runner, data: Path, heads: int = 20, limit: int = 5) -> dict[str, float]:
    """Score the same lines on random faces: spread of the opening, its r with `Lips.identity_gain`, lip contact."""
    identities = np.random.default_rng(5).standard_normal((heads, runner.model.config.identity_size), np.float32)
    clips = runner.clips(data, "kokoro")[:limit]
    gain = runner.head.identity_gain(torch.from_numpy(identities)).numpy()
    opening = np.zeros(heads)
    contact: list[bool] = []
    for i, identity in enumerate(identities):
        for clip in clips:
            aperture = runner.lips(runner.run(clip, identity=identity))[:, 0]
            opening[i] += np.percentile(aperture, 90) / len(clips)
            contact += metrics.phone_tests(aperture, required(clip.phones))["contact"]
    return {
        "opening_spread": float(opening.std() / opening.mean()),
        "gain_spread": float(gain.std()),
        "follows_gain_r": metrics.pearson(opening, gain),
        "contact": float(np.mean(contact)),
    }


def vertex_scores(runner: Runner, data: Path, work: Path, limit: int = 20) -> dict[str, float]:
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
    return {k: float(np.mean([r[k] for r in rows])) for k in rows[0]}


SCORES: dict[str, Callable[[Runner, Path], dict[str, float]]] = {
    "grid": grid_scores,
    "degraded": degraded_scores,
    "voices": voice_scores,
    "non_speech": non_speech_scores,
    "jaw": jaw_scores,
    "emotion": emotion_scores,
    "detected_emotion": detected_emotion_scores,
    "chosen_emotion": chosen_emotion_scores,
    "takes": take_scores,
    "identity": identity_scores,
}


def main() -> None:
    """Print the metrics of a checkpoint; write them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path)
    everything = [*SCORES, "vertices"]
    parser.add_argument("--only", nargs="*", default=everything, choices=everything)
    parser.add_argument("--all-of", nargs="*", default=[], choices=["grid", "facegood"])
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    runner = Runner(args.checkpoint, args.all_of)
    report = {name: SCORES[name](runner, args.data) for name in args.only if name in SCORES}
    if args.work and "vertices" in args.only:
        report["vertices"] = vertex_scores(runner, args.data, args.work)
    real_time_factor = runner.run_seconds / max(runner.audio_seconds, 1e-9)
    report["speed"] = {"real_time_factor": real_time_factor, "threads": torch.get_num_threads()}
    size = sum(p.stat().st_size for p in args.checkpoint.iterdir() if p.is_file())
    report["size"] = {"megabytes": size / 1e6, "parameters_m": sum(p.numel() for p in runner.model.parameters()) / 1e6}
    for part, figures in report.items():
        print(f"{part:17}" + "  ".join(f"{k} {v:.4g}" for k, v in figures.items()), flush=True)
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
