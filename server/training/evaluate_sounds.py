"""Measure the recogniser of server/sounds on people that it was not trained on.

    python -m server.training.evaluate_sounds --data DATA --work WORK --folds A.safetensors B.safetensors C.safetensors

The networks are those of `train_sounds --fold 0`, 1 and 2: each is measured on the people whom it never heard. The last
rows are of the network of --shipped: six people of GRID of whom the words alone are known, and sounds without speech.

Prints tables in Markdown. "sound errors": insertions, deletions and replacements by the sounds that are there, found
freely, without and with the language; "viseme errors": the same for visemes. "starts": how far the start of a sound is
from its label, for sounds that were recognised, and for all sounds when the transcript pins them.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..engine import DEFAULT_CHECKPOINT
from ..files.audio import load_16k
from ..model import LSF
from ..numerics import FloatArray
from ..sounds.decoding import RATE, Aligner, Decoder, Spoken, Weights, merged
from ..sounds.hearing import WEIGHTS, encoded, hear
from ..sounds.inventory import INDEX, SYMBOLS, VISEME
from ..sounds.network import SUBFRAMES, SoundNet
from . import corpora
from .corpora import Clip
from .evaluation.people_phones import pronunciations
from .speech.phonetics import Phone
from .speech.sound_labels import sounds
from .train_sounds import FOLDS, LANGUAGE, fold_of, read_clips

MOST = 60  # clips of a corpus in a fold
SAME = {"ʌ": "ə"}  # one sign in ARPAbet
HEAD = (
    "| corpus | people | sounds | sound errors | with the language | viseme errors "
    "| starts | within 20 / 50 ms | starts, pinned | within 20 / 50 ms |"
)
NEAR = (0.02, 0.05)  # seconds
BINS = (0.0, 0.4, 0.6, 0.8, 0.9, 1.01)  # of the confidence


@dataclass
class Score:
    """What was measured of a corpus."""

    people: set[str] = field(default_factory=set)
    sounds: int = 0
    errors: dict[str, int] = field(default_factory=lambda: {"free": 0, "language": 0, "viseme": 0})
    free: list[float] = field(default_factory=list)  # seconds from the label to the start of recognised sounds
    pinned: list[float] = field(default_factory=list)  # of all sounds, with the transcript
    confidence: list[tuple[float, bool]] = field(default_factory=list)  # of each sound, and whether it is right

    def row(self, name: str) -> str:
        """One row of the table."""
        rates = " | ".join(f"{100 * count / max(1, self.sounds):.1f} %" for count in self.errors.values())
        return (
            f"| {name} | {len(self.people)} | {self.sounds} | {rates} | {errors(self.free)} | {errors(self.pinned)} |"
        )


def errors(seconds: Sequence[float]) -> str:
    """Median of the magnitudes in ms, and the shares within NEAR."""
    if not len(seconds):
        return "– | –"
    size = np.abs(seconds)
    shares = " / ".join(f"{100 * (size <= near + 1e-6).mean():.0f} %" for near in NEAR)
    return f"{1000 * np.median(size):.0f} ms | {shares}"


def matched(found: Sequence[str], labels: Sequence[str]) -> tuple[int, list[tuple[int, int]]]:
    """Return the fewest errors between two sequences (Levenshtein 1966), and the places that are equal in both."""
    cost = np.zeros((len(found) + 1, len(labels) + 1), int)
    cost[:, 0], cost[0] = np.arange(len(found) + 1), np.arange(len(labels) + 1)
    for i, symbol in enumerate(found, 1):
        for j, label in enumerate(labels, 1):
            cost[i, j] = min(cost[i - 1, j - 1] + (symbol != label), cost[i - 1, j] + 1, cost[i, j - 1] + 1)
    i, j = len(found), len(labels)
    equal = []
    while i and j:
        if cost[i, j] == cost[i - 1, j - 1] + (found[i - 1] != labels[j - 1]):
            i, j = i - 1, j - 1
            if found[i] == labels[j]:
                equal.append((i, j))
        elif cost[i, j] == cost[i - 1, j] + 1:
            i -= 1
        else:
            j -= 1
    return int(cost[-1, -1]), equal[::-1]


def free(network: SoundNet, rows: FloatArray, language: str, weights: Weights) -> list[tuple[str, float, float]]:
    """Return sound, start in seconds and confidence of what is heard in log probabilities (F, S)."""
    bigrams = network.bigrams[network.language_row(language)].numpy()
    decoder = Decoder(network.log_prior.numpy(), bigrams, network.durations.numpy(), weights)
    found = merged([*decoder.add(rows), *decoder.finish()])
    return [(SYMBOLS[s.symbol], (s.start - 0.5) / RATE, s.confidence) for s in found if s.symbol]


def pinned(network: SoundNet, rows: FloatArray, labels: Sequence[Phone]) -> list[float]:
    """Return the start in seconds of each of the sounds that are known, without their times.

    A pause may be wherever the labels have one.
    """
    said, word = [], 0
    for symbol, _, _ in labels:
        if symbol:
            said.append(Spoken((INDEX[symbol],), word))
        else:
            word += 1
    aligner = Aligner(said, network.log_prior.numpy())
    found = [*aligner.add(rows), *aligner.finish()[0]]
    return [(a.segment.start - 0.5) / RATE for a in found] if len(found) == len(said) else []


def measure(network: SoundNet, clip: Clip, rows: FloatArray, score: Score, language: str, weights: Weights) -> None:
    """Add what is measured of a clip with these log probabilities (F, S) to a score."""
    labels = sounds(clip)
    spoken = [label for label in labels if label[0]]
    symbols = [SAME.get(label[0], label[0]) for label in spoken]
    if not spoken:
        return
    score.people.add(clip.speaker)
    score.sounds += len(symbols)
    for kind, code in (("free", ""), ("language", language)):
        found = free(network, rows, code, weights)
        names = [SAME.get(name, name) for name, _, _ in found]
        count, equal = matched(names, symbols)
        score.errors[kind] += count
        if kind == "language":
            score.free += [found[i][1] - spoken[j][1] for i, j in equal]
            right = {i for i, _ in equal}
            score.confidence += [(sound[2], i in right) for i, sound in enumerate(found)]
            score.errors["viseme"] += matched([VISEME[n] for n in names], [VISEME[s] for s in symbols])[0]
    starts = pinned(network, rows, labels)
    score.pinned += [start - label[1] for start, label in zip(starts, spoken, strict=False)]


def held_out(
    network: SoundNet, fold: int, clips: dict[str, list[Clip]], folder: Path, scores: dict[str, Score], weights: Weights
) -> None:
    """Measure a network on the people of its fold, with the features that train_sounds has computed."""
    for corpus, several in clips.items():
        by_name = {clip.name: clip for clip in several if fold_of(clip) == fold}
        if not by_name:
            continue
        stored = np.load(folder / f"{corpus}_0.npy", mmap_mode="r")
        segments = json.loads((folder / f"{corpus}_0.json").read_text())
        alone = [
            s
            for s in segments
            if len(s["parts"]) == 1 and not s["parts"][0]["first"] and s["parts"][0]["name"] in by_name
        ]
        step = max(1, len(alone) // MOST)
        for segment in alone[::step][:MOST]:
            (part,) = segment["parts"]
            clip = by_name[part["name"]]
            seconds = part["frames"] * SUBFRAMES * 2 / RATE
            if sounds(clip)[-1][1] > seconds:  # a clip in several segments
                continue
            rows = stored[segment["start"] : segment["start"] + part["frames"]]
            posteriors = network.log_posteriors(rows.reshape(len(rows) * 2, -1))
            measure(network, clip, posteriors, scores.setdefault(corpus, Score()), LANGUAGE[corpus], weights)


def others(network: SoundNet, data: Path) -> None:
    """Print the errors on people of whom the words alone are known, and what is heard where nobody speaks."""
    model = LSF.from_pretrained(DEFAULT_CHECKPOINT)
    said = pronunciations(data / corpora.READERS["grid"][0])
    count = total = 0
    for clip in corpora.read("people", data):
        audio = load_16k(clip.audio)
        heard = hear(network, encoded(model, audio), model.config.fps, len(audio) / 16000, "", "en")
        labels = [SAME.get(symbol, symbol) for word in (clip.text or "").split() for symbol in said[word]]
        total += len(labels)
        count += matched([SAME.get(name, name) for name in heard.symbols], labels)[0]
    print(
        f"\nSix people of GRID, of whom the words are known: {100 * count / total:.1f} % of {total} sounds are wrong."
    )
    if (data / corpora.READERS["non_speech"][0]).is_dir():
        number, seconds = 0, 0.0
        for clip in [c for c in corpora.read("non_speech", data) if c.split == "test"]:
            audio = load_16k(clip.audio)
            number += len(hear(network, encoded(model, audio), model.config.fps, len(audio) / 16000).symbols)
            seconds += len(audio) / 16000
        print(f"Without speech (noise, music, breath): {60 * number / seconds:.1f} sounds a minute.")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the corpora")
    parser.add_argument("--work", type=Path, required=True, help="folder of train_sounds")
    parser.add_argument("--folds", type=Path, nargs="+", default=[], help="networks of the folds, in order")
    parser.add_argument("--shipped", type=Path, default=WEIGHTS)
    args = parser.parse_args()
    clips = read_clips(args.data)
    scores: dict[str, Score] = {}
    for fold, path in enumerate(args.folds[:FOLDS]):
        held_out(SoundNet.load(path), fold, clips, args.work / "sounds", scores, Weights())
    print(f"{HEAD}\n|{'---|' * (HEAD.count('|') - 1)}")
    for name, score in scores.items():
        print(score.row(name))
    pairs = [pair for score in scores.values() for pair in score.confidence]
    print("\n| confidence | sounds | right |\n|---|---|---|")
    for low, high in pairwise(BINS):
        right = [ok for value, ok in pairs if low <= value < high]
        if right:
            print(f"| {low:.1f} to {min(high, 1):.1f} | {len(right)} | {100 * np.mean(right):.0f} % |")
    others(SoundNet.load(args.shipped), args.data)


if __name__ == "__main__":
    main()
