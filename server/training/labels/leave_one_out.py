"""How teachers, and labels by hearing, follow people whom they never saw: a table with the spread over people.

    python -m server.training.labels.leave_one_out --data DATA --work WORK --whisper WHISPER --corpora grid facegood

The teachers learn from the people of --corpora. Every tracked person is scored by teachers that were trained without
this person. (If nobody else is left, the person is scored as a known one, on clips kept out of training.) Then the
share of the articulation model and the phonetic charts in the labels is varied, and rest, rules and loudness. The
articulation model has not seen the person's face either. Teachers and articulation models are kept in WORK.

Scores are those of evaluation/people.py: Pearson r of the aperture over whole clips and over speech, r of the width,
and the lag. Clips longer than 10 s are scored in windows of 10 s. FACEGOOD has no tracked lips: its captured jaw stands
for the aperture, and there is no width.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from ... import arkit
from ...files.audio import SAMPLE_RATE, load_16k
from ...model import LSF
from ...numerics import FloatArray
from .. import FPS, corpora, features
from ..corpora import required
from ..evaluation.people import LipMatch, match_lips
from ..evaluation.people_phones import aligned_people
from ..evaluation.spread import Spread
from ..speech import align
from . import articulation, encoder_states, lips, teachers
from .heard_targets import CERTAIN_RULES, Labeller

WINDOW = 10 * FPS  # frames
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
REST_MARGINS = (0.0, 0.2, 0.4, np.inf)  # seconds
JAW = arkit.CHANNELS.index("jawOpen")
FACES = ("grid", "facegood")  # that the articulation model learns from
Predictor = Callable[["ScoredClip"], FloatArray]
"""From a clip to aperture and width (F, 2)."""


@dataclass
class ScoredClip:
    """A clip on which people are scored.

    Attributes:
        clip: The clip, with phones, and with the lips that are the truth.
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
    path = work / "alignments" / f"{corpus}.json"
    if corpus == "people" and not path.exists():
        aligned = {clip.name: clip.phones for clip in aligned_people(model, data)}
        align.write(work, corpus, {name: phones for name, phones in aligned.items() if phones is not None})
    phones = {clip.name: clip.phones for clip in clips}
    if path.exists():
        phones = {clip.name: clip.phones for clip in align.with_phones(clips, work)}
    chosen = []
    for clip in clips:
        clip = replace(clip, phones=phones.get(clip.name))
        if corpus == "facegood":
            jaw = required(clip.curves)[:, JAW]
            clip = replace(clip, lips=np.stack([jaw, np.zeros_like(jaw)], 1))
        if corpus == "people" or clip.split != "train":
            chosen.append(ScoredClip(clip, states[clip.name], load_16k(clip.audio)))
    return chosen


def phone_model(corpus: str, data: Path, work: Path, head: lips.Lips) -> articulation.Articulation:
    """Return an articulation model that never saw the faces of a corpus; train and save it if WORK lacks it."""
    faces = [face for face in FACES if face != corpus]
    path = work / f"articulation_of_{'_'.join(faces)}.safetensors"
    if not path.exists():
        examples = []
        for face in faces:
            clips = align.with_phones(corpora.read(face, data), work)
            examples.append((clips, teachers.tracked_curves(face, clips, head)))
        save_file(articulation.train(examples, head).state_dict(), path)
    return articulation.load(path)


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
    curves = labeller.label([(test.states, test.clip.phones, test.audio) for test in tests])
    return [labeller.head(torch.from_numpy(part)).numpy() for part in curves]


def scores(
    tests: Sequence[ScoredClip],
    ensemble: teachers.Ensemble,
    head: lips.Lips,
    phones: articulation.Articulation | None,
    shares: Sequence[float],
) -> dict[str, LipMatch]:
    """Score all methods on the clips of one person.

    Args:
        tests: The person's clips. Labels are scored if their phones are known.
        ensemble: Teachers.
        head: Lips of the project's head.
        phones: The articulation model; needed for shares above 0.
        shares: Shares of the articulation model to try.

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
        predicted["labels, no rule, no rest"] = labelled_lips(replace(hearing, rules=(), rest_margin=np.inf), tests)
        for margin in REST_MARGINS:
            labels = labelled_lips(replace(hearing, rest_margin=margin), tests)
            predicted[f"labels, rest {margin:g} s from speech"] = labels
        predicted["labels, all rules"] = labelled_lips(replace(hearing, rules=articulation.RULES), tests)
        for share in shares:
            labeller = replace(hearing, phone_model=phones, phonetic_share=share, rules=CERTAIN_RULES)
            predicted[f"labels, share {share:g}"] = labelled_lips(labeller, tests)
        predicted["labels, share 0, loudness"] = labelled_lips(replace(hearing, loudness=True), tests)
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
    parser.add_argument("--shares", type=float, nargs="*", default=list(SHARES), help="of the articulation model")
    args = parser.parse_args()
    model = features.load_extractor(args.whisper, args.work / "frontend.safetensors")
    head = lips.load_lips()
    people = [p for c in args.corpora for p in teachers.load_people(c, args.data, args.work, model, head)]
    found: dict[str, tuple[str, dict[str, LipMatch]]] = {}
    for corpus in args.test:
        tests = scored_clips(corpus, args.data, args.work, model)
        phones = phone_model(corpus, args.data, args.work, head) if any(args.shares) else None
        for person in sorted({test.clip.speaker for test in tests}):
            others, known = without(people, person)
            folder = "+".join(args.corpora) + (f"_without_{person}" if len(others) < len(people) else "")
            ensemble = teachers.train_ensemble(others, args.work / "teachers" / folder, args.seeds)
            own = [test for test in tests if test.clip.speaker == person]
            label = f"{corpus}, known" if known else f"{corpus}, left out"
            found[person] = label, scores(own, ensemble, head, phones, args.shares)
            for method, match in found[person][1].items():
                print(f"{person} {method}: {match.whole:.3f} / {match.speech:.3f} / {match.width:.3f}", flush=True)
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()
