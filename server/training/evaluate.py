"""One table for a checkpoint: `python -m server.training.evaluate CHECKPOINT --data DATA [--work WORK] [--json FILE]`.

Everything goes through the complete path, as the server goes it: audio, backbone, SIE-Encoder, HIFB, codes, decoder,
emotion, contact, curves, basis of the project's head; lips are measured on the moving mesh. Only clips of the test
split, which no training step saw. --work adds the vertex figures, which need GRID's curves on the mesh (targets).
--all-of CORPUS scores every clip of grid or facegood: for a checkpoint that was trained --without it.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import torch

from .. import arkit
from ..face.head import LIP_LOWER, LIP_UPPER, SKIN, load_head
from ..model import LSF, synthesize
from ..performance.emotion.direction import Direction
from ..performance.perform import Performance, perform
from ..protocol.emotions import EMOTIONS
from . import FPS, corpora
from .evaluation import metrics
from .labels import lips
from .speech import augment

JAW = arkit.CHANNELS.index("jawOpen")
FACE = [
    i
    for i, c in enumerate(arkit.CHANNELS)
    if c.startswith(("brow", "eyeSquint", "eyeWide", "eyeBlink", "cheek", "nose", "mouthSmile", "mouthFrown"))
]
TAKES, TEMPERATURE = 10, 0.2
# What may happen to a recording; levels in dB are below the speech.
SPOILED: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "plain": lambda audio, rng: audio,
    "noise_10_dB": lambda audio, rng: audio + augment.below(audio, augment.noise(len(audio), rng), 10),
    "music_15_dB": lambda audio, rng: audio + augment.below(audio, augment.music(len(audio), rng), 15),
    "room": augment.room,
    "phone": lambda audio, rng: augment.phone_band(audio),
    "codec": augment.codec,
    "gain_30_dB": lambda audio, rng: audio * 10 ** (-30 / 20),
}


class Speaker:
    """A checkpoint that speaks, with the seconds it took."""

    def __init__(self, checkpoint: Path, whole: list[str]):
        self.model, self.head, self.whole = LSF.from_pretrained(checkpoint), lips.of_head(), whole
        self.heard, self.spent = 0.0, 0.0

    def clips(self, data: Path, corpus: str) -> list[corpora.Clip]:
        return [c for c in corpora.read(corpus, data) if c.split == "test" or corpus in self.whole]

    def say(self, clip: corpora.Clip, emotion: str | None = None, **options) -> np.ndarray:
        """(F, K) curves; `emotion` is played at full strength, None is what the voice implies"""
        chosen = Direction.constant(emotion)
        direct = None if emotion is None else lambda times: chosen.at(times, FPS, 0)
        return self.perform(soundfile.read(str(clip.audio), dtype="float32")[0], direct=direct, **options).motion

    def perform(self, audio: np.ndarray, **options) -> Performance:
        began = time.perf_counter()
        performance = perform(self.model, audio, **options)
        self.spent += time.perf_counter() - began
        self.heard += len(audio) / 16000
        return performance

    def lips(self, curves: np.ndarray) -> np.ndarray:
        """(F, 2) aperture and width on the mesh, in metres"""
        return self.head(torch.from_numpy(curves)).numpy()


def grid_scores(speaker: Speaker, data: Path) -> dict[str, float]:
    clips = speaker.clips(data, "grid")
    return metrics.lip_scores([(c.lips, speaker.lips(speaker.say(c)), c.phones) for c in clips])


def spoiled_scores(speaker: Speaker, data: Path, limit: int = 30) -> dict[str, float]:
    """R of the aperture between first and last phone on GRID's test clips, after what may happen to a recording."""
    scores = {}
    for name, spoil in SPOILED.items():
        rng, several = np.random.default_rng(1), []
        for clip in speaker.clips(data, "grid")[:limit]:
            audio = spoil(soundfile.read(str(clip.audio), dtype="float32")[0], rng)
            several.append((clip.lips, speaker.lips(speaker.perform(audio.astype(np.float32)).motion), clip.phones))
        scores[name] = metrics.lip_scores(several)["aperture_r_speech"]
    return scores


def quiet_scores(speaker: Speaker, data: Path) -> dict[str, float]:
    """Sound without speech: share of frames whose aperture is within 3 % of how far the lips part in speech, and the
    largest weight of any channel.
    """
    spoken = np.concatenate([speaker.lips(speaker.say(c))[:, 0] for c in speaker.clips(data, "kokoro")[:10]])
    curves = np.concatenate([speaker.say(clip) for clip in speaker.clips(data, "quiet")])
    rested = speaker.lips(curves)[:, 0] <= 0.03 * np.percentile(spoken, 95)
    return {"rested": float(rested.mean()), "frames": len(rested), "largest": float(curves.max())}


def felt_scores(speaker: Speaker, data: Path) -> dict[str, float]:
    """Mean intensity, over a line, of the strongest emotion that a voice implies, for each line of emotional_english,
    which is no part of training.
    """
    names = [name for name in EMOTIONS if name != "neutral"]
    scores = {}
    for path in sorted((data / "emotional_english").glob("*.flac")):
        mean = speaker.perform(soundfile.read(str(path), dtype="float32")[0]).emotion.mean(0)
        felt = dict(zip(EMOTIONS, mean, strict=True))
        strongest = max(names, key=felt.get)
        scores[f"{path.stem}:{strongest}"] = float(felt[strongest])
    return scores


def voice_scores(speaker: Speaker, data: Path, limit: int = 60) -> dict[str, float]:
    """Synthetic voices kept out: do the lips meet on p/b/m and nowhere else, do they round, do they rest?"""
    outcomes = {"met": [], "parted": [], "rest": [], "rounding": []}
    pucker = [arkit.CHANNELS.index(c) for c in ("mouthPucker", "mouthFunnel")]
    for clip in speaker.clips(data, "kokoro")[:limit]:
        curves = speaker.say(clip)
        aperture = speaker.lips(curves)[:, 0]
        found = metrics.phone_tests(aperture, clip.phones)
        outcomes["met"] += found["met"]
        outcomes["parted"] += found["parted"]
        opening = np.percentile(aperture, 95)
        times = np.arange(len(aperture)) / speaker.model.config.fps
        silent = times < metrics.speech_span(clip.phones)[0] - 0.2
        outcomes["rest"] += list(aperture[silent] <= 0.03 * opening)
        rounded = [
            curves[int(round((a + b) / 2 * 25)) % len(curves), pucker].sum()
            for s, a, b in clip.phones
            if s in {"u", "oʊ", "w", "ʃ"}
        ]
        outcomes["rounding"] += list(np.array(rounded) > np.median(curves[:, pucker].sum(1)))
    return {k: float(np.mean(v)) for k, v in outcomes.items()}


def jaw_scores(speaker: Speaker, data: Path) -> dict[str, float]:
    """FACEGOOD's captured jaw against the predicted aperture, 10 s at a time, and the same for log energy."""
    predicted, energy = [], []
    for clip in speaker.clips(data, "facegood"):
        audio = soundfile.read(str(clip.audio), dtype="float32")[0]
        aperture = speaker.lips(speaker.say(clip))[:, 0]
        frames = min(len(aperture), len(clip.curves), len(audio) // 640)
        loud = np.log(np.square(audio[: frames * 640]).reshape(frames, 640).mean(1) + 1e-7)
        for first in range(0, frames - 249, 250):
            part = slice(first, first + 250)
            if clip.curves[part, JAW].std() > 1e-3:
                predicted.append(metrics.pearson(aperture[part], clip.curves[part, JAW]))
                energy.append(metrics.pearson(loud[part], clip.curves[part, JAW]))
    return {"jaw_r": float(np.median(predicted)), "log_energy_r": float(np.median(energy))}


def emotion_scores(speaker: Speaker, data: Path) -> dict[str, float]:
    """Linear probes trained on the training speakers' clips, scored on speakers kept out."""
    rows = {"train": ([], [], []), "test": ([], [], [])}
    for clip in corpora.read("emodb", data):
        if clip.split != "valid":
            curves = speaker.say(clip)[:, FACE]
            audio = soundfile.read(str(clip.audio), dtype="float32")[0]
            embedding, generated, labels = rows[clip.split]
            embedding.append(synthesize(speaker.model, audio).emotion_embedding.mean(0))
            generated.append(np.concatenate([curves.mean(0), curves.std(0)]))
            labels.append(clip.emotion)
    (e, g, y), (e2, g2, y2) = rows["train"], rows["test"]
    return {
        "embedding": metrics.probe(np.array(e), y, np.array(e2), y2),
        "curves": metrics.probe(np.array(g), y, np.array(g2), y2),
        "most_frequent": max(y2.count(c) for c in set(y2)) / len(y2),
    }


def direction_scores(speaker: Speaker, data: Path, limit: int = 20) -> dict[str, float]:
    """Share of p/b/m on which the lips meet, under every emotion at full strength and in takes at 0.2."""
    clips = speaker.clips(data, "kokoro")[:limit]

    def met(**options) -> float:
        outcomes = [metrics.phone_tests(speaker.lips(speaker.say(c, **options))[:, 0], c.phones)["met"] for c in clips]
        return float(np.mean(sum(outcomes, [])))

    takes = [met(temperature=TEMPERATURE, seed=seed) for seed in range(3)]
    return {emotion: met(emotion=emotion) for emotion in EMOTIONS} | {"worst_take": min(takes)}


def take_scores(speaker: Speaker, data: Path, limit: int = 5) -> dict[str, float]:
    """Standard deviation over ten takes at 0.2 of one line, mean over frames: in weights, and of the opening in
    per cent of its 95th percentile.
    """
    spread = {"brows": [], "lids": [], "opening_percent": []}
    for clip in speaker.clips(data, "kokoro")[:limit]:
        takes = np.stack([speaker.say(clip, temperature=TEMPERATURE, seed=seed) for seed in range(TAKES)])
        for name, channels in (("brows", "browInnerUp"), ("lids", ("eyeSquint", "eyeWide"))):
            columns = [i for i, c in enumerate(arkit.CHANNELS) if c.startswith(channels)]
            spread[name].append(takes[:, :, columns].std(0).mean())
        opening = np.stack([speaker.lips(take)[:, 0] for take in takes])
        spread["opening_percent"].append(100 * opening.std(0).mean() / np.percentile(opening, 95))
    return {name: float(np.mean(values)) for name, values in spread.items()}


def identity_scores(speaker: Speaker, data: Path, heads: int = 20, limit: int = 5) -> dict[str, float]:
    """The same lines for 20 random faces: how the opening differs, whether it follows the face, whether lips meet."""
    identities = np.random.default_rng(5).standard_normal((heads, speaker.model.config.identity_size), np.float32)
    clips = speaker.clips(data, "kokoro")[:limit]
    reach = speaker.head.reach(torch.from_numpy(identities)).numpy()
    opening, met = np.zeros(heads), []
    for i, identity in enumerate(identities):
        for clip in clips:
            aperture = speaker.lips(speaker.say(clip, identity=identity))[:, 0]
            opening[i] += np.percentile(aperture, 90) / len(clips)
            met += metrics.phone_tests(aperture, clip.phones)["met"]
    return {
        "opening_spread": float(opening.std() / opening.mean()),
        "reach_spread": float(reach.std()),
        "follows_reach_r": metrics.pearson(opening, reach),
        "met": float(np.mean(met)),
    }


def vertex_scores(speaker: Speaker, data: Path, work: Path, limit: int = 20) -> dict[str, float]:
    """The paper's figures on GRID's test clips against their curves on the mesh."""
    head, targets = load_head(), np.load(work / "targets" / "grid.npz")
    lip = np.flatnonzero((head.part == SKIN) & ((head.region == LIP_UPPER) | (head.region == LIP_LOWER)))
    eyes = head.vertices[head.landmark_vertices[36], 2]
    upper = np.flatnonzero((head.part == SKIN) & (head.vertices[:, 2] > eyes) & (head.vertices[:, 1] < -0.03))
    rows = []
    for clip in speaker.clips(data, "grid")[:limit]:
        truth = targets[clip.name]
        takes = [speaker.say(clip)] + [speaker.say(clip, temperature=TEMPERATURE, seed=s) for s in range(TAKES)]
        frames = min(len(truth), len(takes[0]))
        takes = np.stack([t[:frames] for t in takes])
        rows.append(metrics.vertex_scores(truth[:frames], takes, head.basis, lip, upper))
    return {k: float(np.mean([r[k] for r in rows])) for k in rows[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path)
    everything = [
        "grid",
        "spoiled",
        "voices",
        "quiet",
        "jaw",
        "emotion",
        "felt",
        "direction",
        "takes",
        "identity",
        "vertices",
    ]
    parser.add_argument("--only", nargs="*", default=everything, choices=everything)
    parser.add_argument("--all-of", nargs="*", default=[], choices=["grid", "facegood"])
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    speaker = Speaker(args.checkpoint, args.all_of)
    steps = {
        "grid": grid_scores,
        "spoiled": spoiled_scores,
        "voices": voice_scores,
        "quiet": quiet_scores,
        "jaw": jaw_scores,
        "emotion": emotion_scores,
        "felt": felt_scores,
        "direction": direction_scores,
        "takes": take_scores,
        "identity": identity_scores,
    }
    report = {name: steps[name](speaker, args.data) for name in args.only if name in steps}
    if args.work and "vertices" in args.only:
        report["vertices"] = vertex_scores(speaker, args.data, args.work)
    report["speed"] = {"real_time_factor": speaker.spent / max(speaker.heard, 1e-9), "threads": torch.get_num_threads()}
    size = sum(p.stat().st_size for p in args.checkpoint.iterdir() if p.is_file())
    report["size"] = {"megabytes": size / 1e6, "parameters_m": sum(p.numel() for p in speaker.model.parameters()) / 1e6}
    for part, figures in report.items():
        print(f"{part:9}" + "  ".join(f"{k} {v:.4g}" for k, v in figures.items()), flush=True)
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
