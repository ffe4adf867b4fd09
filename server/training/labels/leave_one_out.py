"""How teachers, and labels by hearing, follow people whom they never saw: a table with the spread over people.

    python -m server.training.labels.leave_one_out --data DATA --work WORK --whisper WHISPER --corpora grid facegood

The teachers learn from the people of --corpora. Every tracked person is scored by teachers that were trained without
this person. (If nobody else is left, the person is scored as a known one, on clips kept out of training.) Then the
rules of the labels are left out, and their rest before and after speech is varied. The teachers are kept in WORK, and
so are the phones of people whose words alone are known (evaluation/people_phones.py).

Scores are those of evaluation/people.py: Pearson r of the aperture over whole clips and over speech, r of the width,
and the lag. Clips longer than 10 s are scored in windows of 10 s. FACEGOOD has no tracked lips: its captured jaw stands
for the aperture, and there is no width; its phones are not known, so there are no labels.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ... import arkit
from ...files.audio import SAMPLE_RATE, load_16k
from ...model import LSF
from ...numerics import FloatArray
from .. import FPS, corpora, features
from ..corpora import required
from ..evaluation.people import LipMatch, match_lips
from ..evaluation.people_phones import aligned_people
from ..evaluation.spread import Spread
from ..speech.phonetics import Phone
from . import encoder_states, lips, teachers
from .heard_targets import Labeller

WINDOW = 10 * FPS  # frames
# Seconds before and after speech in which the mouth does as heard.
RESTS = ((0.0, 0.0), (0.12, 0.0), (0.2, 0.0), (0.4, 0.0), (0.2, 0.2), (0.4, 0.4), (np.inf, np.inf))
JAW = arkit.CHANNELS.index("jawOpen")
Predictor = Callable[["ScoredClip"], FloatArray]
"""From a clip to aperture and width (F, 2)."""


@dataclass
class ScoredClip:
    """A clip on which people are scored.

    Attributes:
        clip: The clip with the lips that are the truth, and with phones if they are known.
        states: (F, hidden) states of the encoder.
        audio: (N,) its speech at 16 kHz.
    """

    clip: corpora.Clip
    states: FloatArray
    audio: FloatArray


def windows(clip: corpora.Clip, audio: FloatArray, predicted: FloatArray) -> list[LipMatch]:
    """Score a clip in windows of WINDOW frames; what is left at the end of a long clip is dropped.

    Args:
        clip: The clip with its true lips (F, 2).
        audio: (N,) its speech at 16 kHz.
        predicted: (F', 2) aperture and width.
    """
    truth, hop = required(clip.lips), SAMPLE_RATE // FPS
    frames = min(len(truth), len(predicted), len(audio) // hop)
    found = []
    for first in range(0, max(1, frames - WINDOW + 1), WINDOW):
        part = slice(first, first + WINDOW)
        valid = None if clip.valid is None else clip.valid[part]
        window = replace(clip, lips=truth[part], valid=valid, phones=None)  # speech is what is loud
        found.append(match_lips(window, audio[first * hop : (first + WINDOW) * hop], predicted[part]))
    return found


def median_match(matches: Sequence[LipMatch]) -> LipMatch:
    """Return the medians of the scores of several clips."""

    def median(name: str) -> float:
        return float(np.median([getattr(match, name) for match in matches]))

    return LipMatch(median("whole"), median("speech"), median("width"), int(median("lag_ms")))


def without(people: Sequence[teachers.Person], name: str) -> tuple[list[teachers.Person], bool]:
    """Return the people other than a person, and whether the person had to stay because nobody else is there."""
    others = [person for person in people if person.name != name]
    return (others, False) if others else (list(people), True)


def people_phones(data: Path, work: Path, model: LSF) -> dict[str, list[Phone]]:
    """Return the aligned phones of the clips of "people", by name; clips whose phones are uncertain are left out.

    They are found once and kept in WORK/alignments/people.json, {name: [[IPA symbol, start, end], ...]}.

    Args:
        data: Folder that holds the corpora.
        work: Folder of the computed files.
        model: The encoder, with fitted feature norms.
    """
    path = work / "alignments" / "people.json"
    if not path.exists():
        found = {clip.name: clip.phones for clip in aligned_people(model, data)}
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(found, ensure_ascii=False, indent=0), encoding="utf-8")
    phones: dict[str, list[Phone]] = json.loads(path.read_text(encoding="utf-8"))
    return phones


def scored_clips(corpus: str, data: Path, work: Path, model: LSF) -> list[ScoredClip]:
    """Return the clips of a tracked corpus that no teacher learns from; of "people" every clip.

    Args:
        corpus: One of teachers.TRACKED_CORPORA.
        data: Folder that holds the corpora.
        work: Folder of the computed files.
        model: The encoder, with fitted feature norms.
    """
    clips = corpora.read(corpus, data)
    states = encoder_states.load(work, corpus, clips, model)
    if corpus == "people":
        phones = people_phones(data, work, model)
        clips = [replace(clip, phones=phones.get(clip.name)) for clip in clips]
    chosen = []
    for clip in clips:
        if corpus == "facegood":
            jaw = required(clip.curves)[:, JAW]
            clip = replace(clip, lips=np.stack([jaw, np.zeros_like(jaw)], 1))
        if corpus == "people" or clip.split != "train":
            chosen.append(ScoredClip(clip, states[clip.name], load_16k(clip.audio)))
    return chosen


def log_energy(test: ScoredClip) -> FloatArray:
    """Return the log energy of every frame, for aperture and for width (F, 2)."""
    hop = SAMPLE_RATE // FPS
    frames = len(test.audio) // hop
    energy = np.log(np.square(test.audio[: frames * hop]).reshape(frames, hop).mean(1) + 1e-7)
    return np.stack([energy, energy], 1)


def lips_of(ensemble: teachers.Ensemble) -> Predictor:
    """Return what an ensemble predicts before it is mapped to curves."""
    return lambda test: ensemble.predict(test.states)[:, -2:].numpy()


def labelled_lips(labeller: Labeller, tests: Sequence[ScoredClip]) -> list[FloatArray]:
    """Return the lips (F, 2) that the labels of clips give the mesh."""
    curves = labeller.label([(test.states, test.clip.phones) for test in tests])
    return [labeller.head(torch.from_numpy(part)).numpy() for part in curves]


def scores(tests: Sequence[ScoredClip], ensemble: teachers.Ensemble, head: lips.Lips) -> dict[str, LipMatch]:
    """Score all methods on the clips of one person.

    Args:
        tests: The person's clips. Labels are scored if their phones are known.
        ensemble: Teachers.
        head: Lips of the project's head.

    Returns:
        Medians over the clips, by the name of the method.
    """
    kinds = [
        f"network {i}" if isinstance(t.layers, torch.nn.Sequential) else "linear"
        for i, t in enumerate(ensemble.teachers)
    ]
    predictors: dict[str, Predictor] = {"log energy": log_energy}
    predictors |= {
        name: lips_of(teachers.Ensemble([teacher])) for name, teacher in zip(kinds, ensemble.teachers, strict=True)
    }
    predictors["mean of the teachers"] = lips_of(ensemble)
    predicted = {name: [predict(test) for test in tests] for name, predict in predictors.items()}
    if all(test.clip.phones is not None for test in tests):
        hearing = Labeller(ensemble, head)
        unruled = replace(hearing, rules=(), rest_before=np.inf, rest_after=np.inf)
        predicted["labels, no rule, no rest"] = labelled_lips(unruled, tests)
        for before, after in RESTS:
            labeller = replace(hearing, rest_before=before, rest_after=after)
            predicted[f"labels, rest {before:g} s before, {after:g} s after speech"] = labelled_lips(labeller, tests)
    return {
        name: median_match(
            [m for test, p in zip(tests, several, strict=True) for m in windows(test.clip, test.audio, p)]
        )
        for name, several in predicted.items()
    }


def table(found: Mapping[str, tuple[str, Mapping[str, LipMatch]]]) -> list[str]:
    """Return the lines of a table in Markdown.

    Args:
        found: For each person the corpus, and the scores by method.

    Returns:
        A line for each method. A corpus with several people has their median and, in brackets, the least and the
        greatest; each cell is whole clip / within speech / width, and the lag in ms.
    """
    groups: dict[str, list[str]] = {}
    for person, (corpus, _) in found.items():
        groups.setdefault(corpus, []).append(person)
    lines = ["| | " + " | ".join(f"{c} ({len(people)})" for c, people in groups.items()) + " |"]
    lines.append("|---" * (len(groups) + 1) + "|")

    def cell(matches: Sequence[LipMatch]) -> str:
        text = []
        for name in ("whole", "speech", "width"):
            spread = Spread.over_people(getattr(m, name) for m in matches)
            several = f" [{spread.low:.2f}-{spread.high:.2f}]" if len(matches) > 1 else ""
            text.append(f"{spread.value:.3f}{several}")
        return f"{' / '.join(text)}, {np.median([m.lag_ms for m in matches]):+.0f}"

    methods = dict.fromkeys(method for _, matches in found.values() for method in matches)
    for method in methods:
        cells = []
        for people in groups.values():
            matches = [found[person][1][method] for person in people if method in found[person][1]]
            cells.append(cell(matches) if matches else "–")
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    """Train what is missing, score every person and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="has the features' norms")
    parser.add_argument("--whisper", type=Path, required=True, help="folder that convert_whisper wrote")
    parser.add_argument(
        "--corpora", nargs="+", choices=teachers.TRACKED_CORPORA, default=["grid"], help="to learn from"
    )
    parser.add_argument("--test", nargs="+", choices=teachers.TRACKED_CORPORA, default=list(teachers.TRACKED_CORPORA))
    parser.add_argument("--seeds", type=int, nargs="*", default=list(teachers.SEEDS), help="of the networks")
    args = parser.parse_args()
    model = features.load_extractor(args.whisper, args.work / "frontend.safetensors")
    head = lips.load_lips()
    people = [p for c in args.corpora for p in teachers.load_people(c, args.data, args.work, model, head)]
    found: dict[str, tuple[str, dict[str, LipMatch]]] = {}
    for corpus in args.test:
        tests = scored_clips(corpus, args.data, args.work, model)
        for person in sorted({test.clip.speaker for test in tests}):
            others, known = without(people, person)
            folder = "+".join(args.corpora) + (f"_without_{person}" if len(others) < len(people) else "")
            ensemble = teachers.train_ensemble(others, args.work / "teachers" / folder, args.seeds)
            own = [test for test in tests if test.clip.speaker == person]
            label = f"{corpus}, known" if known else f"{corpus}, left out"
            found[person] = label, scores(own, ensemble, head)
            for method, match in found[person][1].items():
                print(f"{person} {method}: {match.whole:.3f} / {match.speech:.3f} / {match.width:.3f}", flush=True)
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()
