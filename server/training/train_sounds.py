"""Train the recogniser of server/sounds, which tells sound by sound what was heard.

    python -m server.training.train_sounds --data DATA --work WORK [--fold N] [--out FILE.safetensors]

Its input are the projected features of the checkpoint that ships, which the model computes anyway. They are computed
once, with augmented copies, into WORK/sounds (features.py says how). The corpora are those with the times of phones
that may ship. With --fold, the people of one fold of FOLDS are left out, for evaluate_sounds; without it, nobody is.
The training writes its state every CHECKPOINT_SECONDS to OUT.state and goes on from there.
"""

import argparse
import json
import time
import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..engine import DEFAULT_CHECKPOINT
from ..errors import LSFError
from ..model import LSF
from ..numerics import FloatArray, IntArray
from ..sounds.hearing import WEIGHTS
from ..sounds.inventory import INDEX, SYMBOLS
from ..sounds.network import SUBFRAMES, SoundNet, features_digest
from . import FPS, corpora, features
from .corpora import Clip, name_hash
from .speech.sound_labels import ARPABET_CORPORA, SCHWA, STRUT, UNKNOWN, labels_at, sounds

CORPORA = ("ljspeech", "grid", "emodb", "kokoro", "kokoro_more", "non_speech")
# Share of the frames of a batch. GRID has few words, so it is less than its length.
MIX = {"ljspeech": 0.1, "grid": 0.12, "emodb": 0.28, "kokoro": 0.34, "kokoro_more": 0.1, "non_speech": 0.06}
# Copies of each corpus: the clips as they are, and augmented ones of those with few voices.
COPIES = {"ljspeech": (0, 1), "grid": (0,), "emodb": (0, 1), "kokoro": (0,), "kokoro_more": (0,), "non_speech": (0,)}
FOLDS = 3  # people of the corpora with several are in fold hash mod FOLDS
ONE_PERSON = {"ljspeech": 0, "grid": 1}  # fold that leaves out the only person of a corpus
BATCH, FRAMES, STEPS, LEARNING_RATE, SEED = 16, 250, 400, 3e-3, 1  # frames at 50 Hz
CHECKPOINT_SECONDS = 60
LANGUAGE = {"ljspeech": "en", "grid": "en", "kokoro": "en", "emodb": "de"}  # kokoro_more says its own
SMOOTHING = 3.0  # counts that are added to each pair of sounds, spread as the second sound is
GRID_WEIGHT = 0.05  # of GRID's pairs: command sentences are no English
MIN_DEVIATION = 0.25  # of the logarithm of a duration


@dataclass
class Example:
    """A segment of features with its classes.

    Attributes:
        rows: (F, C) features at 50 Hz, float16.
        labels: (SUBFRAMES · F,) classes at 100 Hz.
        either: Whether schwa and strut have one sign in this corpus.
    """

    rows: FloatArray
    labels: IntArray
    either: bool


def fold_of(clip: Clip) -> int:
    """Return the fold whose evaluation the clip's person belongs to; −1: none, the clip is for training alone."""
    if clip.corpus in ONE_PERSON:
        return ONE_PERSON[clip.corpus]
    if clip.corpus in ("emodb", "kokoro"):
        people = PEOPLE[clip.corpus]
        return people.index(clip.speaker) % FOLDS if clip.speaker in people else -1
    return -1


PEOPLE: dict[str, list[str]] = {}


def read_clips(data: Path) -> dict[str, list[Clip]]:
    """Return the clips with phones by corpus, and learn who their people are. kokoro_more may be missing."""
    clips = {name: corpora.read(name, data) for name in CORPORA if (data / corpora.READERS[name][0]).is_dir()}
    for missing in {"ljspeech", "grid", "emodb", "kokoro"} - clips.keys():
        raise LSFError("bad_request", f"There is no {corpora.READERS[missing][0]} in {data}: see docs/training.md.")
    for name, several in clips.items():
        clips[name] = [clip for clip in several if clip.phones is not None]
        PEOPLE[name] = sorted({clip.speaker for clip in clips[name]}, key=name_hash)
    return clips


def languages_of(clips: dict[str, list[Clip]], data: Path) -> dict[str, str]:
    """Return the language of each clip by CORPUS/NAME."""
    found = {
        f"{c.corpus}/{c.name}": LANGUAGE[c.corpus]
        for several in clips.values()
        for c in several
        if c.corpus in LANGUAGE
    }
    if "kokoro_more" in clips:
        index = data / corpora.READERS["kokoro_more"][0] / "index.jsonl"
        for line in index.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            language = entry["language"].split("-")[0]
            found[f"kokoro_more/{Path(entry['file']).stem}"] = {"cmn": "zh"}.get(language, language)
    return found


def make_features(model: LSF, clips: dict[str, list[Clip]], folder: Path) -> None:
    """Compute the features that do not exist yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for corpus, several in clips.items():
        for copy in COPIES[corpus]:
            path = folder / f"{corpus}_{copy}"
            if not path.with_suffix(".json").exists():
                features.extract(model, several, copy, path, SEED)
                print(path.name, flush=True)


def examples_of(corpus: str, clips: list[Clip], folder: Path, fold: int | None) -> list[Example]:
    """Return the segments of a corpus without the people of a fold."""
    by_name = {clip.name: clip for clip in clips}
    found = []
    for copy in COPIES[corpus]:
        path = folder / f"{corpus}_{copy}"
        stored = np.load(path.with_suffix(".npy"), mmap_mode="r")
        for segment in json.loads(path.with_suffix(".json").read_text()):
            parts = segment["parts"]
            named = [by_name.get(part["name"]) for part in parts]
            if any(clip is None or (fold is not None and fold_of(clip) == fold) for clip in named):
                continue
            count = sum(part["frames"] for part in parts)
            labels = [_part_labels(part, by_name[part["name"]]) for part in parts]
            rows = stored[segment["start"] : segment["start"] + count]
            rows = rows.reshape(len(rows) * 2, -1)
            found.append(Example(rows, np.concatenate(labels), corpus in ARPABET_CORPORA))
    return found


def _part_labels(part: features.Part, clip: Clip) -> IntArray:
    """Classes at 100 Hz of a part of a segment."""
    count = part["frames"] * 2 * SUBFRAMES
    if part.get("pause"):
        return np.zeros(count, np.int64)
    rate = FPS * 2 * SUBFRAMES
    return labels_at(clip, (part["first"] / FPS + np.arange(count) / rate) * part["speed"])


def statistics(
    clips: dict[str, list[Clip]], languages: dict[str, str], fold: int | None
) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """Return bigrams (L, S, S), durations (S, 2) and the languages, without the people of a fold."""
    size = len(SYMBOLS)
    pairs: dict[str, FloatArray] = defaultdict(lambda: np.zeros((size, size)))
    lengths: dict[int, list[float]] = defaultdict(list)
    for corpus, several in clips.items():
        for clip in several:
            said = sounds(clip)
            if not said or fold_of(clip) == fold:
                continue
            classes = [INDEX[symbol] for symbol, _, _ in said]
            if corpus in ARPABET_CORPORA:
                classes = [SCHWA if c == STRUT else c for c in classes]
            weight = GRID_WEIGHT if corpus == "grid" else 1.0
            np.add.at(pairs[languages[f"{corpus}/{clip.name}"]], (classes[:-1], classes[1:]), weight)
            if corpus in ("ljspeech", "emodb", "kokoro"):
                for symbol, start, end in said:
                    lengths[INDEX[symbol]].append(end - start)
            elif corpus == "kokoro_more":
                for symbol, start, end in said:
                    if len(lengths[INDEX[symbol]]) < 100:
                        lengths[INDEX[symbol]].append(end - start)
    names = ("", *sorted(pairs))
    total = sum(p / p.sum() for p in pairs.values()) * min(p.sum() for p in pairs.values())
    rows = [_smoothed(total), *(_smoothed(pairs[name]) for name in names[1:])]
    durations = np.tile([-2.5, 0.5], (size, 1))
    for c, seconds in lengths.items():
        logs = np.log(np.maximum(seconds, 0.01))
        if len(logs) >= 10:
            durations[c] = logs.mean(), max(logs.std(), MIN_DEVIATION)
    return torch.tensor(np.stack(rows)), torch.tensor(durations), names


def _smoothed(counts: FloatArray) -> FloatArray:
    """Log probability of the second sound after the first, from counts (S, S)."""
    share = (counts.sum(0) + 0.5) / (counts.sum() + 0.5 * len(counts))
    probability: FloatArray = (counts + SMOOTHING * share) / (counts.sum(1, keepdims=True) + SMOOTHING)
    return np.log(probability)


def batch_of(examples: dict[str, list[Example]], rng: np.random.Generator, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Draw features (B, FRAMES, C), classes (B, SUBFRAMES · FRAMES) and whether schwa and strut are the same (B,)."""
    x, y, either = (
        torch.zeros(BATCH, FRAMES, size),
        torch.full((BATCH, FRAMES * SUBFRAMES), UNKNOWN),
        torch.zeros(BATCH),
    )
    names = list(examples)
    shares = np.array([MIX[name] for name in names])
    for row, pick in enumerate(rng.choice(len(names), BATCH, p=shares / shares.sum())):
        at = 0
        while at < FRAMES:  # short clips follow each other
            example = examples[names[pick]][int(rng.integers(len(examples[names[pick]])))]
            count = min(FRAMES - at, len(example.rows))
            first = int(rng.integers(0, len(example.rows) - count + 1))
            x[row, at : at + count] = torch.from_numpy(example.rows[first : first + count].astype(np.float32))
            labels = example.labels[first * SUBFRAMES : (first + count) * SUBFRAMES]
            y[row, at * SUBFRAMES : (at + count) * SUBFRAMES] = torch.from_numpy(labels)
            at += count
        either[row] = example.either
    return x, y, either


def loss_of(logits: Tensor, labels: Tensor, either: Tensor) -> Tensor:
    """Mean negative log probability of the classes; of schwa or strut together where a corpus has one sign for both."""
    logs = logits.log_softmax(-1)
    known = labels != UNKNOWN
    own = logs.gather(-1, labels.clamp_min(0)[..., None])[..., 0]
    both = torch.logaddexp(logs[..., SCHWA], logs[..., STRUT])
    vowel = ((labels == SCHWA) | (labels == STRUT)) & (either[:, None] > 0)
    return -torch.where(vowel, both, own)[known].mean()


def train(model: SoundNet, examples: dict[str, list[Example]], steps: int, state_file: Path) -> None:
    """Train a network; goes on from `state_file` if it exists, and removes it at the end."""
    torch.manual_seed(SEED)
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps, pct_start=0.15)
    begin = _resume(model, optimizer, schedule, state_file)
    saved = time.monotonic()
    size = model.scale.numel()
    running = 0.0
    for step in range(begin, steps):
        rng = np.random.default_rng([SEED, step])
        x, y, either = batch_of(examples, rng, size)
        model.train()
        loss = loss_of(model(x), y, either)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        running = loss.item() if step == begin else 0.98 * running + 0.02 * loss.item()
        if step % 100 == 99:
            print(f"step {step + 1}: loss {running:.3f}", flush=True)
        if time.monotonic() - saved > CHECKPOINT_SECONDS:
            _save_state(model, optimizer, step + 1, state_file)
            saved = time.monotonic()
    state_file.unlink(missing_ok=True)


def _save_state(model: SoundNet, optimizer: torch.optim.Optimizer, step: int, path: Path) -> None:
    """Write what a later run goes on from."""
    state = {f"model.{name}": value for name, value in model.state_dict().items()}
    for index, parameter in enumerate(model.parameters()):
        moments = optimizer.state[parameter]
        state |= {f"optimizer.{index}.{name}": moments[name].clone() for name in ("exp_avg", "exp_avg_sq", "step")}
    state["step"] = torch.tensor(step)
    temporary = path.with_suffix(".new")
    save_file(state, temporary)
    temporary.replace(path)


def _resume(
    model: SoundNet, optimizer: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.OneCycleLR, path: Path
) -> int:
    """Take over the state of a training that was cut off; return its next step, 0 without one."""
    if not path.exists():
        return 0
    state = load_file(path)
    step = int(state["step"])
    model.load_state_dict({name[6:]: value for name, value in state.items() if name.startswith("model.")})
    for index, parameter in enumerate(model.parameters()):
        optimizer.state[parameter] = {
            name: state[f"optimizer.{index}.{name}"].clone() for name in ("exp_avg", "exp_avg_sq", "step")
        }
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # the steps of the optimizer are in its state
        for _ in range(step):
            schedule.step()
    return step


def prepare(model: SoundNet, examples: dict[str, list[Example]]) -> None:
    """Set the scale of the features and the shares of the sounds."""
    rows = np.concatenate([e.rows[::37] for several in examples.values() for e in several]).astype(np.float32)
    model.scale.copy_(torch.from_numpy(rows.std(0)).sqrt())
    counts = np.full(len(SYMBOLS), 1.0)
    for name, several in examples.items():
        found: Counter[int] = Counter()
        for e in several:
            found.update(e.labels.tolist())
        total = sum(found.values())
        for c, n in found.items():
            if c != UNKNOWN:
                counts[c] += 1e5 * MIX[name] * n / total
    model.log_prior.copy_(torch.from_numpy(np.log(counts / counts.sum())))


def main() -> None:
    """Train one network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the corpora")
    parser.add_argument("--work", type=Path, required=True, help="where features are kept")
    parser.add_argument("--checkpoint", type=Path, default=DEFAULT_CHECKPOINT, help="default: the one that ships")
    parser.add_argument("--fold", type=int, choices=range(FOLDS), help="leave out the people of this fold")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    args = parser.parse_args()
    try:
        clips = read_clips(args.data)
        model = LSF.from_pretrained(args.checkpoint)
    except LSFError as error:
        raise SystemExit(str(error)) from None
    folder = args.work / "sounds"
    make_features(model, clips, folder)
    examples = {
        name: found for name, several in clips.items() if (found := examples_of(name, several, folder, args.fold))
    }
    bigrams, durations, languages = statistics(clips, languages_of(clips, args.data), args.fold)
    network = SoundNet(model.motion_norm.size, languages, features_digest(model))
    network.bigrams.copy_(bigrams)
    network.durations.copy_(durations)
    prepare(network, examples)
    train(network, examples, args.steps, args.out.with_suffix(".state"))
    network.save(args.out)


if __name__ == "__main__":
    main()
