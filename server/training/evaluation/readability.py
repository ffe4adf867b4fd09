"""Readability of lips: how well a small reader that learned from tracked people tells the visemes of shown lips.

The reader is a multinomial logistic regression on aperture, width and mouth channels in a window about the middle of a
phone. It is trained on the tracked lips of some people and reads those of another: the tracked ones (what can be read
at all), the predicted ones, and those of another line (chance). All inputs are standardised clip by clip, so that
tracked curves and those of the mesh, and faces of different sizes, can be compared.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ... import arkit
from ...numerics import FloatArray
from .. import FPS, corpora
from ..corpora import Clip, required
from ..speech.phonetics import Phone
from .linear_probe import LinearProbe, balanced_accuracy
from .people_phones import aligned_people
from .runner import Runner
from .spread import Report, Spread

# Phones that look alike, by their place of articulation and their rounding.
VISEMES = {
    "bilabial": "p b m",
    "labiodental": "f v",
    "alveolar": "t d n l ɾ θ ð",
    "sibilant": "s z ʃ ʒ tʃ dʒ",
    "velar": "k ɡ ŋ h j",
    "rounded": "w ɹ u ʊ o oʊ ɔ ɔɪ",
    "open": "ɑ æ a aɪ aʊ ʌ",
    "front": "i ɪ e ɛ eɪ ə ɝ",
}
VISEME_OF = {symbol: viseme for viseme, symbols in VISEMES.items() for symbol in symbols.split()}
# Mouth channels that the tracker follows and the rig has; it says little of others (mouthClose, cheeks). Without those
# of the lips the reader reads less of the truth, of the known speaker and of others.
CHANNELS = [
    i
    for i, c in enumerate(arkit.CHANNELS)
    if c.startswith(("jawOpen", "mouthFunnel", "mouthPucker", "mouthRoll", "mouthLowerDown", "mouthUpperUp"))
]
OFFSETS = np.arange(-3, 4) / FPS  # seconds from the middle of a phone at which the curves are read
WEIGHT_DECAY = 0.03


@dataclass(frozen=True)
class Shown:
    """What a face shows for a line.

    Attributes:
        phones: Phones of the line that is heard.
        curves: (F, C) what the reader sees, standardised, see `visible`.
    """

    phones: list[Phone]
    curves: FloatArray


def visible(lips: FloatArray, curves: FloatArray) -> FloatArray:
    """Return what the reader sees of a clip.

    Args:
        lips: (F, 2) aperture and width in any unit.
        curves: (F, 52) ARKit weights of the same face.

    Returns:
        (F, C) aperture, width and CHANNELS, each with mean 0 and deviation 1 over the clip (0 if it is constant).
    """
    rows = np.concatenate([lips, curves[:, CHANNELS]], 1).astype(np.float64)
    centred: FloatArray = (rows - rows.mean(0)) / np.maximum(rows.std(0), 1e-4)
    return centred


def read_phones(shown: Shown) -> tuple[FloatArray, list[str]]:
    """Return the inputs of the reader (n, len(OFFSETS) · C) for the n phones that have a viseme, and their visemes."""
    times = np.arange(len(shown.curves)) / FPS
    known = [(VISEME_OF[symbol], (start + end) / 2) for symbol, start, end in shown.phones if symbol in VISEME_OF]
    moments = np.array([middle for _, middle in known])[:, None] + OFFSETS  # (n, offsets)
    rows = np.stack([np.interp(moments, times, curve) for curve in shown.curves.T], -1)
    return rows.reshape(len(known), -1), [viseme for viseme, _ in known]


def train_reader(faces: list[Shown]) -> LinearProbe:
    """Train a reader on faces."""
    rows, labels = zip(*map(read_phones, faces), strict=True)
    return LinearProbe(np.concatenate(rows), [label for several in labels for label in several], WEIGHT_DECAY, True)


def read(reader: LinearProbe, face: Shown) -> tuple[list[str], list[str]]:
    """Return the visemes that are said, and those that the reader sees."""
    rows, labels = read_phones(face)
    return labels, reader.predict(rows)


def truth_of(clip: Clip) -> Shown:
    """Return the tracked face of a clip."""
    return Shown(required(clip.phones), visible(required(clip.lips), required(clip.curves)))


def pooled(readings: list[tuple[list[str], list[str]]], people: bool) -> Spread:
    """Return the balanced accuracy over all readings, and its spread over the readings.

    Args:
        readings: For each clip the visemes said and those seen.
        people: Whether every clip is another person: the spread is the range, otherwise the quartiles.
    """
    spread = Spread.of((balanced_accuracy(said, seen) for said, seen in readings), people)
    said, seen = ([viseme for reading in readings for viseme in reading[i]] for i in (0, 1))
    return replace(spread, value=balanced_accuracy(said, seen))


def conditions(clips: list[Clip], predicted: list[FloatArray]) -> dict[str, list[Shown]]:
    """Return what is shown in each condition: the truth, the prediction, and the prediction for the next line.

    Args:
        clips: Clips with phones and a tracked face.
        predicted: For each clip (F, C) what the reader sees of the prediction.
    """
    other = predicted[1:] + predicted[:1]
    return {
        "truth": [truth_of(clip) for clip in clips],
        "predicted": [Shown(required(clip.phones), curves) for clip, curves in zip(clips, predicted, strict=True)],
        "other_line": [Shown(required(clip.phones), curves) for clip, curves in zip(clips, other, strict=True)],
    }


def readability_scores(runner: Runner, data: Path) -> Report:
    """Return the balanced accuracy of the reader for the known speaker and for people left out.

    The known speaker's held-out lines are read by a reader of his other lines. Each person is read by a reader of the
    known speaker and of all other people.
    """
    known = [truth_of(clip) for clip in corpora.read("grid", data) if clip.split == "train"]
    lines, people = runner.clips(data, "grid"), aligned_people(runner.model, data)
    readers = [train_reader(known)] * len(lines)
    left_out = [
        train_reader(known + [truth_of(other) for other in people if other.speaker != person.speaker])
        for person in people
    ]
    report: Report = {"classes": len(VISEMES)}
    for corpus, clips, used in (("known", lines, readers), ("people", people, left_out)):
        predicted = [visible(runner.lips(curves), curves) for curves in map(runner.run, clips)]
        for name, faces in conditions(clips, predicted).items():
            readings = [read(reader, face) for reader, face in zip(used, faces, strict=True)]
            report[f"{corpus}_{name}"] = pooled(readings, corpus == "people")
    return report
