"""Speech features of all corpora, computed once.

    python -m server.training.features CORPUS... --data DATA --work WORK --whisper WHISPER [--copies 0 1 2 3]

The backbone is frozen, so its features are computed once. They are standardised and projected as in the model
(`FeatureNorm`, fitted here) and stored in float16 at 25 fps. Copy 0 has the unchanged clips. Further copies are
augmented: speed (pitch, formants, tempo), reverberation, noise, filters (augment.py). Their clips are joined to
segments of up to 18 s, because the backbone's features of a clip depend on the speech before it. From copy 3 on, every
clip is also converted to another voice and follows a pause in which the face rests.

WORK/frontend.safetensors      the fitted FeatureNorm
WORK/features/CORPUS_COPY.npy  (N, frame_stack · motion components) float16
WORK/features/CORPUS_COPY.json the segments: a list of `Segment`
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NotRequired, TypedDict

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from ..files.audio import SAMPLE_RATE, load_16k
from ..model import LSF, LSFConfig
from ..model.whisper import WhisperBackbone
from ..numerics import FloatArray
from . import FPS, corpora
from .speech import augment

SAMPLES_PER_FRAME = SAMPLE_RATE // FPS
MAX_SEGMENT_SECONDS = 18  # within the backbone's window of 20 s
MAX_SEGMENT_FRAMES = MAX_SEGMENT_SECONDS * FPS
MIN_SEGMENT_SECONDS = 2  # lower limit of the lengths drawn for augmented segments
CONVERTED_COPY = 3  # first copy in which every clip is converted to another voice, after a pause
PAUSE_SECONDS = 0.3, 1.6  # limits of the pause before a converted clip
SPEED_MEAN, SPEED_STD, SPEED_LIMITS = 1.03, 0.12, (0.8, 1.3)  # factor, normally distributed and clipped
FIT_SECONDS = 900  # of every corpus, to fit the feature norms
CONFIG = LSFConfig(motion_layers=(2, 3, 4), motion_components=384)


class Part(TypedDict):
    """A clip, a piece of it, or the pause before it, in a segment.

    Attributes:
        name: Name of the clip.
        first: First frame in the clip, at the augmented speed.
        frames: Number of frames.
        speed: How many times as fast the clip is played.
        emotion: Emotion of the clip.
        pause: Whether this is the pause before the clip.
    """

    name: str
    first: int
    frames: int
    speed: float
    emotion: str | None
    pause: NotRequired[bool]


class Segment(TypedDict):
    """Clips whose features were computed together, as one sound.

    Attributes:
        start: First row in the file of features.
        parts: The clips in order.
    """

    start: int
    parts: list[Part]


def load_extractor(whisper: Path, frontend: Path | None = None) -> LSF:
    """Return a model with the backbone's weights.

    Args:
        whisper: Folder that convert_whisper wrote.
        frontend: File of the fitted feature norm; it is loaded if it exists.
    """
    model = LSF(CONFIG).eval()
    load_backbone(model, whisper)
    if frontend is not None and frontend.exists():
        load_frontend(model, frontend)
    return model


def load_backbone(model: LSF, whisper: Path) -> None:
    """Load the weights of the folder that convert_whisper wrote into a model's backbone."""
    assert isinstance(model.motion_backbone, WhisperBackbone)
    model.motion_backbone.load_encoder(load_file(whisper / "model.safetensors"))


def load_frontend(model: LSF, path: Path) -> None:
    """Load the feature norm that `main` fitted into a model."""
    for name, value in load_file(path).items():
        model.get_buffer(name).copy_(value)


def make_segments(
    clips: list[corpora.Clip], copy: int, rng: np.random.Generator
) -> Iterator[tuple[FloatArray, list[Part]]]:
    """Yield the sound of every segment and its parts.

    Copy 0 has every clip alone, long ones in pieces. In the other copies, clips are augmented and joined in random
    order; clips of different emotions are not joined.

    Args:
        clips: Clips of one corpus.
        copy: Number of the copy.
        rng: Source of the random draws.

    Yields:
        Sound (frames · SAMPLES_PER_FRAME,) at 16 kHz, and the parts that it consists of.
    """
    waiting: list[FloatArray] = []
    parts: list[Part] = []
    length, limit = 0, 0.0
    order = clips if copy == 0 else [clips[i] for i in rng.permutation(len(clips))]
    for clip in order:
        audio: FloatArray = load_16k(clip.audio)
        speed = 1.0
        if copy:
            speed = round(float(np.clip(rng.normal(SPEED_MEAN, SPEED_STD), *SPEED_LIMITS)), 2)
            audio = augment.change_speed(audio, speed)
            if copy >= CONVERTED_COPY and clip.corpus != "non_speech":
                audio = augment.convert_voice(audio, rng)
        frames = len(audio) // SAMPLES_PER_FRAME
        for first in range(0, frames, MAX_SEGMENT_FRAMES):
            count = min(MAX_SEGMENT_FRAMES, frames - first)
            if parts and (copy == 0 or length + count > limit or clip.emotion != parts[-1]["emotion"]):
                yield np.concatenate(waiting), parts
                waiting, parts, length = [], [], 0
            if not parts:
                limit = rng.uniform(MIN_SEGMENT_SECONDS, MAX_SEGMENT_SECONDS) * FPS
            part: Part = {"name": clip.name, "first": first, "speed": speed, "emotion": clip.emotion, "frames": count}
            if copy >= CONVERTED_COPY and not first:
                pause = round(rng.uniform(*PAUSE_SECONDS) * FPS)
                waiting.append(augment.background_noise(audio, pause * SAMPLES_PER_FRAME, rng))
                parts.append({**part, "frames": pause, "pause": True})
                length += pause
            waiting.append(audio[first * SAMPLES_PER_FRAME : (first + count) * SAMPLES_PER_FRAME])
            parts.append(part)
            length += count
    yield np.concatenate(waiting), parts


@torch.inference_mode()
def fit_norm(model: LSF, clips: dict[str, list[corpora.Clip]], rng: np.random.Generator) -> None:
    """Fit the FeatureNorm of a model.

    Args:
        model: The extractor.
        clips: Clips by corpus. FIT_SECONDS of the training split of each corpus are used; half of the clips are
            degraded.
        rng: Source of the random draws.
    """
    motion = []
    for several in clips.values():
        seconds = 0.0
        train = [c for c in several if c.split == "train"]
        for i in rng.permutation(len(train)):
            audio: FloatArray = load_16k(train[i].audio)[: MAX_SEGMENT_FRAMES * SAMPLES_PER_FRAME]
            if i % 2:
                audio = augment.degrade(audio, rng)
            motion.append(model.encode_audio(torch.from_numpy(audio))[0][::3])
            seconds += len(audio) / SAMPLE_RATE
            if seconds > FIT_SECONDS:
                break
    model.motion_norm.fit(torch.cat(motion), whiten=False)


@torch.inference_mode()
def extract(model: LSF, clips: list[corpora.Clip], copy: int, path: Path, seed: int) -> None:
    """Write the features of one copy of a corpus.

    Args:
        model: The extractor with a fitted norm.
        clips: Clips of the corpus.
        copy: Number of the copy.
        path: WORK/features/CORPUS_COPY, without a suffix.
        seed: Seed of the augmentation.
    """
    rng = np.random.default_rng([seed, copy])
    rows, start = [], 0
    index: list[Segment] = []
    for audio, parts in make_segments(clips, copy, rng):
        if copy:
            audio = augment.degrade(audio, rng)
        motion, _ = model.encode_audio(torch.from_numpy(audio))
        stacked = model.stack_motion(motion[None])[0]
        rows.append(stacked.half().numpy())
        index.append({"start": start, "parts": parts})
        start += len(stacked)
    np.save(path.with_suffix(".npy"), np.concatenate(rows))
    path.with_suffix(".json").write_text(json.dumps(index))


def main() -> None:
    """Compute the features of the given corpora and copies that do not exist yet."""
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
    model = load_extractor(args.whisper, frontend)
    if not frontend.exists():
        fit_norm(model, clips, np.random.default_rng(args.seed))
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
