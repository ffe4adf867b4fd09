"""Speech features of all corpora, computed once.

    python -m server.training.features CORPUS... --data DATA --work WORK --whisper WHISPER [--copies 0 1 2 3]

The backbone is frozen, so what it says about a clip is kept, standardised and projected as the model will do it
(`FeatureNorm`, fitted here), in float16 at 25 fps. Copy 0 is the clips as they are. Further copies are other speakers
and rooms: speed (pitch, formants, tempo), reverberation, noise, filters (augment.py), and clips joined to stretches of
up to 18 s, because a clip sounds different to the backbone after other speech. From copy 3 on, every clip is said in
another voice and mood besides, after a pause, in which the face rests; nothing is kept of these for train_emotion.

WORK/frontend.safetensors      the two fitted FeatureNorms
WORK/features/CORPUS_COPY.npy  (N, fold · (motion + emotion components)) float16
WORK/features/CORPUS_COPY.json stretches: {"start", "parts": [{"name", "first", "frames", "speed", "emotion"}]}, and
                               "pause": true in the pause before a clip
WORK/features/CORPUS_COPY_statistics.npz  for train_emotion: `statistics` (M, 2 · C) float16, mean and deviation of the
                               unprojected emotion features over pieces of 2-4 s, and the `names` (M,) of their clips
"""

import argparse
import json
from pathlib import Path

import numpy as np
import soundfile
import torch
from safetensors.torch import load_file, save_file

from ..model import LSF, LSFConfig
from ..model.emotion import statistics
from . import FPS, corpora
from .speech import augment

STEP = 16000 // FPS
PIECE = 4 * FPS  # frames, at most, of which the emotion's statistics are taken
LONGEST = 18 * FPS  # frames of a stretch
OTHERS = 3  # from this copy on, another voice says the same, after a pause
PAUSES = 0.3, 1.6  # seconds
FIT_SECONDS = 900  # of every corpus, for the principal components
CONFIG = LSFConfig(motion_layers=(2, 3, 4), motion_components=384)


def listener(whisper: Path, frontend: Path | None = None) -> LSF:
    """The model with its backbone's weights, and the fitted feature norms if they exist already."""
    model = LSF(CONFIG).eval()
    model.motion_backbone.load_encoder(load_file(whisper / "model.safetensors"))
    if frontend is not None and frontend.exists():
        load_frontend(model, frontend)
    return model


def load_frontend(model: LSF, path: Path) -> None:
    for name, value in load_file(path).items():
        model.get_buffer(name).copy_(value)


def stretches(clips: list[corpora.Clip], copy: int, rng: np.random.Generator):
    """Yield (audio, parts). Copy 0: every clip alone, long ones in pieces. Others: degraded and joined at random."""
    waiting, parts, length, limit = [], [], 0, 0
    order = clips if copy == 0 else [clips[i] for i in rng.permutation(len(clips))]
    for clip in order:
        audio = soundfile.read(str(clip.audio), dtype="float32")[0]
        factor = 1.0
        if copy:
            factor = round(float(np.clip(rng.normal(1.03, 0.12), 0.8, 1.3)), 2)
            audio = augment.speed(audio, factor)
            if copy >= OTHERS and clip.corpus != "quiet":
                audio = augment.other_voice(audio, rng)
        frames = len(audio) // STEP
        for first in range(0, frames, LONGEST):
            count = min(LONGEST, frames - first)
            if parts and (copy == 0 or length + count > limit or clip.emotion != parts[-1]["emotion"]):
                yield np.concatenate(waiting), parts
                waiting, parts, length = [], [], 0
            if not parts:
                limit = rng.uniform(2, 18) * FPS
            about = {"name": clip.name, "first": first, "speed": factor, "emotion": clip.emotion}
            if copy >= OTHERS and not first:
                pause = round(rng.uniform(*PAUSES) * FPS)
                waiting.append(augment.quiet(audio, pause * STEP, rng))
                parts.append({**about, "frames": pause, "pause": True})
                length += pause
            waiting.append(audio[first * STEP : (first + count) * STEP])
            parts.append({**about, "frames": count})
            length += count
    yield np.concatenate(waiting), parts


@torch.inference_mode()
def fit(model: LSF, clips: dict[str, list[corpora.Clip]], rng: np.random.Generator) -> None:
    """Fit both FeatureNorms on some clips of every corpus, half of them degraded."""
    motion, emotion = [], []
    for several in clips.values():
        heard = 0.0
        train = [c for c in several if c.split == "train"]
        for i in rng.permutation(len(train)):
            audio = soundfile.read(str(train[i].audio), dtype="float32")[0][: LONGEST * STEP]
            if i % 2:
                audio = augment.degrade(audio, rng)
            m, e = model.encode_audio(torch.from_numpy(audio))
            motion.append(m[::3])
            emotion.append(e[::3])
            heard += len(audio) / 16000
            if heard > FIT_SECONDS:
                break
    model.motion_norm.fit(torch.cat(motion), whiten=False)
    model.emotion_norm.fit(torch.cat(emotion), whiten=False)


@torch.inference_mode()
def extract(model: LSF, clips: list[corpora.Clip], copy: int, path: Path, seed: int) -> None:
    rng = np.random.default_rng([seed, copy])
    rows, index, start, pooled, names = [], [], 0, [], []
    for audio, parts in stretches(clips, copy, rng):
        if copy:
            audio = augment.degrade(audio, rng)
        motion, emotion = model.encode_audio(torch.from_numpy(audio))
        for part, heard in zip(parts, emotion.split([CONFIG.fold * p["frames"] for p in parts]), strict=True):
            for piece in heard.chunk(-(-part["frames"] // PIECE)) if copy < OTHERS else ():
                if len(piece) >= CONFIG.fold * PIECE // 4:
                    pooled.append(statistics(piece).half().numpy())
                    names.append(part["name"])
        motion, emotion = model.motion_norm(motion), model.emotion_norm(emotion)
        folded = torch.cat(
            [motion.unflatten(0, (-1, CONFIG.fold)).flatten(1), emotion.unflatten(0, (-1, CONFIG.fold)).flatten(1)], 1
        )
        rows.append(folded.half().numpy())
        index.append({"start": start, "parts": parts})
        start += len(folded)
    if copy < OTHERS:
        np.savez(path.with_name(f"{path.name}_statistics.npz"), statistics=np.stack(pooled), names=np.array(names))
    np.save(path.with_suffix(".npy"), np.concatenate(rows))
    path.with_suffix(".json").write_text(json.dumps(index))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="+", choices=list(corpora.READERS))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--whisper", type=Path, required=True, help="folder that convert_whisper wrote")
    parser.add_argument("--copies", type=int, nargs="+", default=[0, 1, 2, 3])
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    clips = {corpus: corpora.read(corpus, args.data) for corpus in args.corpora}
    frontend = args.work / "frontend.safetensors"
    model = listener(args.whisper, frontend)
    if not frontend.exists():
        fit(model, clips, np.random.default_rng(args.seed))
        save_file(
            {name: value for name, value in model.state_dict().items() if name.split(".")[0].endswith("_norm")},
            frontend,
        )
    (args.work / "features").mkdir(parents=True, exist_ok=True)
    for copy in args.copies:
        for corpus, several in clips.items():
            path = args.work / "features" / f"{corpus}_{copy}"
            if not path.with_suffix(".json").exists():  # resumable: a corpus and copy at a time
                extract(model, several, copy, path, args.seed)
                print(f"{path.name}: {np.load(path.with_suffix('.npy'), mmap_mode='r').shape}", flush=True)


if __name__ == "__main__":
    main()
