"""Readers of the training corpora, and the fixed split of every corpus into train, valid and test.

    python -m server.training.corpora --data DATA [--write-split FOLDER]

Every reader yields `Clip`s: the path of the audio, and the supervision that the corpus has, at the motion rate of
25 fps, frame i at i / 25 s. Curves are in the order of `server.arkit.CHANNELS`, weights in 0..1. 3DMEAD, on which only
the paper's system is trained, has a reader of its own, `paper.mead3d`.
"""

import argparse
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import soundfile

from .. import arkit
from ..numerics import BoolArray, FloatArray
from . import FPS
from .speech.emodb_phones import to_phones
from .speech.phonetics import ARPABET, KOKORO, Phone, to_ipa

T = TypeVar("T")

CHANNEL_INDEX = {name: i for i, name in enumerate(arkit.CHANNELS)}
# Letter in the name of an EmoDB file (German word for the emotion) -> emotion.
EMODB_EMOTIONS = {
    "N": "neutral",
    "W": "angry",
    "L": "bored",
    "E": "disgusted",
    "A": "fearful",
    "F": "happy",
    "T": "sad",
}
# Category in the name of an EmoGator file -> emotion. Distress (11) is left without one: it sounds like fear, pain or
# grief, and the face shows these differently. The surprises (27 bad, 28 good) are one emotion.
EMOGATOR_EMOTIONS = {
    "02": "happy",  # amusement
    "03": "angry",
    "06": "contempt",
    "10": "disgusted",
    "13": "happy",  # elation
    "15": "fearful",
    "18": "neutral",
    "24": "sad",
    "27": "surprised",
    "28": "surprised",
}
EMOGATOR_HELD_OUT = 24, 12  # people for testing, and for early stopping
FACEGOOD_FPS = 30
# The last clip of each of FACEGOOD's two sessions is for testing.
FACEGOOD_SPLIT = {"1114_2_05": "test", "1114_3_16": "test", "1114_2_04": "valid"}
# Two speakers each, a man and a woman.
EMODB_SPLIT = {"15": "test", "16": "test", "10": "valid", "08": "valid"}
KOKORO_HELD_OUT = 4, 2  # voices of kokoro_en for testing, and for early stopping
# Kokoro adds the beginning of a pause to the phone before it. Where that phone is longer than the first number, it is
# shortened to the second.
KOKORO_LONG_PHONE, KOKORO_CUT_PHONE = 0.3, 0.2  # seconds


@dataclass
class Clip:
    """One recording with its supervision. F is the number of 25 fps frames that the corpus gives for it.

    Attributes:
        corpus: Key of READERS.
        name: Name of the clip, unique in its corpus.
        speaker: Name of the speaker or of the synthetic voice.
        audio: Path of the sound file.
        split: "train", "valid" or "test".
        phones: Phones with their times, in IPA.
        curves: (F, 52) ARKit weights.
        lips: (F, 2) inner-lip aperture and mouth width in eye distances.
        emotion: Name of the emotion.
        text: The spoken text, if the times of its phones are not known (align.py).
        valid: (F,) frames in which the face was tracked; None: all.
    """

    corpus: str
    name: str
    speaker: str
    audio: Path
    split: str
    phones: list[Phone] | None = None
    curves: FloatArray | None = None
    lips: FloatArray | None = None
    emotion: str | None = None
    text: str | None = None
    valid: BoolArray | None = None


def required(supervision: T | None) -> T:
    """Return a supervision of a clip that its corpus always has; raise ValueError if it is None."""
    if supervision is None:
        raise ValueError("The clip lacks the supervision that this step needs.")
    return supervision


def name_hash(name: str) -> str:
    """Return the hexadecimal hash of a clip's or speaker's name, by which the splits are drawn."""
    return hashlib.sha256(f"lsf-1/{name}".encode()).hexdigest()


def held_out(names: list[str], test_count: int, valid_count: int) -> Callable[[str], str]:
    """Return a split that depends on the names alone.

    Args:
        names: All names of the corpus.
        test_count: Number of names for testing: the first in the order of their hashes.
        valid_count: Number of names for early stopping: the next ones.

    Returns:
        A function from a name to "train", "valid" or "test".
    """
    order = sorted(names, key=name_hash)
    splits = dict.fromkeys(order[:test_count], "test")
    splits |= dict.fromkeys(order[test_count : test_count + valid_count], "valid")
    return lambda name: splits.get(name, "train")


def read_grid(folder: Path) -> Iterator[Clip]:
    """Yield GRID: one tracked speaker. All sentences differ; 60 are for testing, 40 for early stopping."""
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    tracks = np.load(folder / "tracks.npz")
    split = held_out(sorted(index), 60, 40)
    for name in sorted(index):
        curves, lips = tracked_face(tracks, name)
        yield Clip(
            "grid",
            name,
            "grid_s1",
            folder / f"{name}.flac",
            split(name),
            to_ipa(index[name]["phones"], ARPABET),
            curves,
            lips,
            "neutral",
        )


def read_people(folder: Path) -> Iterator[Clip]:
    """Yield GRID's other tracked people, one sentence each, without times of phones; all are for testing."""
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    tracks = np.load(folder / "tracks.npz")
    for name in sorted(index):
        curves, lips = tracked_face(tracks, name)
        yield Clip(
            "people",
            name,
            name,
            folder / f"{name}.flac",
            "test",
            curves=curves,
            lips=lips,
            text=" ".join(index[name]["words"]),
            valid=tracks[f"{name}/valid"].astype(bool),
        )


def tracked_face(tracks: Mapping[str, FloatArray], name: str) -> tuple[FloatArray, FloatArray]:
    """Return a clip's tracked face.

    Args:
        tracks: Arrays of a tracks.npz.
        name: Name of the clip.

    Returns:
        ARKit weights (F, 52), and aperture and width (F, 2) in eye distances.
    """
    tracked = tracks[f"{name}/blendshapes"].astype(np.float32)
    curves = np.zeros((len(tracked), len(CHANNEL_INDEX)), np.float32)
    for column, channel in enumerate(map(str, tracks["channels"])):  # MediaPipe's order, whose first is `_neutral`
        if channel in CHANNEL_INDEX:
            curves[:, CHANNEL_INDEX[channel]] = tracked[:, column]
    return curves, np.stack([tracks[f"{name}/aperture"], tracks[f"{name}/width"]], 1).astype(np.float32)


# ARKit channel -> captured channels of FACEGOOD and their gains. `mouth_stretch_c` lowers the jaw. Channels for the two
# sides (_l, _r) or four quarters (_dl, _dr, _ul, _ur) of one motion are averaged where ARKit has one channel for them.
FACEGOOD_GAINS = {
    "jawOpen": {"mouth_stretch_c": 1.0},
    "mouthFunnel": {
        "mouth_funnel_dl": 0.15,
        "mouth_funnel_dr": 0.15,
        "mouth_funnel_ul": 0.15,
        "mouth_funnel_ur": 0.15,
        "mouth_oh_c": 0.4,
    },
    "mouthPucker": {"mouth_pucker_l": 0.5, "mouth_pucker_r": 0.5, "mouth_oo_c": 0.7},
    "mouthSmileLeft": {"mouth_lipCornerPull_l": 1.0},
    "mouthSmileRight": {"mouth_lipCornerPull_r": 1.0},
    "mouthStretchLeft": {"mouth_lipStretch_l": 1.0},
    "mouthStretchRight": {"mouth_lipStretch_r": 1.0},
    "mouthLowerDownLeft": {"mouth_lowerLipDepress_l": 1.0},
    "mouthLowerDownRight": {"mouth_lowerLipDepress_r": 1.0},
    "mouthUpperUpLeft": {"mouth_upperLipRaise_l": 1.0},
    "mouthUpperUpRight": {"mouth_upperLipRaise_r": 1.0},
    "mouthPressLeft": {"mouth_press_l": 1.0},
    "mouthPressRight": {"mouth_press_r": 1.0},
    "mouthRollLower": {"mouth_suck_dl": 0.5, "mouth_suck_dr": 0.5},
    "mouthRollUpper": {"mouth_suck_ul": 0.5, "mouth_suck_ur": 0.5},
    "mouthShrugUpper": {"mouth_chinRaise_u": 1.0},
}


def read_facegood(folder: Path) -> Iterator[Clip]:
    """Yield FACEGOOD: the captured performance of one actor, resampled from 30 to 25 fps."""
    columns = {name: i for i, name in enumerate(json.loads((folder / "channels.json").read_text(encoding="utf-8")))}
    for path in sorted(folder.glob("*.npz")):
        weights = np.load(path)["weights"]
        times = np.arange(int(len(weights) * FPS / FACEGOOD_FPS)) / FPS
        curves = np.zeros((len(times), len(CHANNEL_INDEX)), np.float32)
        for channel, gains in FACEGOOD_GAINS.items():
            mixed = sum(gain * weights[:, columns[source]] for source, gain in gains.items())
            curves[:, CHANNEL_INDEX[channel]] = np.interp(
                times, np.arange(len(weights)) / FACEGOOD_FPS, np.clip(mixed, 0, 1)
            )
        split = FACEGOOD_SPLIT.get(path.stem, "train")
        yield Clip("facegood", path.stem, "facegood", path.with_suffix(".flac"), split, curves=curves)


def read_kokoro(folder: Path) -> Iterator[Clip]:
    """Yield synthetic English speech with phones; four voices are for testing, two for early stopping."""
    entries = [json.loads(line) for line in (folder / "index.jsonl").read_text(encoding="utf-8").splitlines()]
    split = held_out(sorted({e["voice"] for e in entries}), *KOKORO_HELD_OUT)
    for e in entries:
        phones = to_ipa(e["phones"], KOKORO)
        for i, (symbol, start, end) in enumerate(phones[:-1]):
            if not phones[i + 1][0] and end - start > KOKORO_LONG_PHONE:
                phones[i] = (symbol, start, start + KOKORO_CUT_PHONE)
                phones[i + 1] = ("", start + KOKORO_CUT_PHONE, phones[i + 1][2])
        yield Clip("kokoro", Path(e["file"]).stem, e["voice"], folder / e["file"], split(e["voice"]), phones)


def read_kokoro_more(folder: Path) -> Iterator[Clip]:
    """Yield synthetic speech in many languages (synthetic_speech.py); 6 % of the voices are for early stopping.

    A blend that contains one of these voices is for early stopping as well. The split of a clip does not change while
    the corpus grows.
    """
    for line in (folder / "index.jsonl").read_text(encoding="utf-8").splitlines():
        e = json.loads(line)
        split = "valid" if any(name_hash(name) < "0f" for name in e["voice"].split("+")) else "train"
        yield Clip(
            "kokoro_more", Path(e["file"]).stem, e["voice"], folder / e["file"], split, to_ipa(e["phones"], KOKORO)
        )


def read_ljspeech(folder: Path) -> Iterator[Clip]:
    """Yield LJSpeech: real read speech with forced alignments (ARPAbet)."""
    for path in sorted(folder.glob("*.TextGrid")):
        tier = path.read_text(encoding="utf-8").split('name = "phones"')[1]
        intervals = re.findall(r'xmin = ([\d.]+)\s+xmax = ([\d.]+)\s+text = "([^"]*)"', tier)
        phones = to_ipa([(text, a, b) for a, b, text in intervals], ARPABET)
        yield Clip("ljspeech", path.stem, "ljspeech", path.with_suffix(".flac"), "train", phones)


def read_emodb(folder: Path) -> Iterator[Clip]:
    """Yield EmoDB: acted emotional German; two speakers are for testing, another two for early stopping.

    Phones are the hand-made labels. Two clips have none.
    """
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    for path in sorted(folder.glob("*.flac")):
        speaker, rows = path.stem[:2], labels[path.stem]
        yield Clip(
            "emodb",
            path.stem,
            speaker,
            path,
            EMODB_SPLIT.get(speaker, "train"),
            to_phones(rows, soundfile.info(str(path)).duration) if rows else None,
            emotion=EMODB_EMOTIONS[path.stem[5]],
        )


def read_emogator(folder: Path) -> Iterator[Clip]:
    """Yield EmoGator: vocal bursts without words, by people of whom 24 are for testing and 12 for early stopping."""
    paths = sorted(folder.glob("*.ogg"))
    split = held_out(sorted({path.stem.split("-")[0] for path in paths}), *EMOGATOR_HELD_OUT)
    for path in paths:
        person, category, _ = path.stem.split("-")
        yield Clip("emogator", path.stem, person, path, split(person), emotion=EMOGATOR_EMOTIONS.get(category))


def read_non_speech(folder: Path) -> Iterator[Clip]:
    """Yield sound without speech (non_speech.py), during which the face rests.

    Of every eight clips the first is for testing and the second for early stopping.
    """
    for i, path in enumerate(sorted(folder.glob("*.flac"))):
        split = {0: "test", 1: "valid"}.get(i % 8, "train")
        yield Clip("non_speech", path.stem, "non_speech", path, split, phones=[])


# Name of a corpus -> its folder below the data root, and its reader.
READERS = {
    "grid": ("grid_s1", read_grid),
    "people": ("grid_others", read_people),
    "facegood": ("facegood", read_facegood),
    "kokoro": ("kokoro_en", read_kokoro),
    "kokoro_more": ("kokoro_more", read_kokoro_more),
    "ljspeech": ("ljspeech_mfa", read_ljspeech),
    "emodb": ("emodb", read_emodb),
    "emogator": ("emogator", read_emogator),
    "non_speech": ("non_speech", read_non_speech),
}


def read(corpus: str, data: Path) -> list[Clip]:
    """Return all clips of one corpus.

    Args:
        corpus: Key of READERS.
        data: Folder that holds the corpora.
    """
    folder, reader = READERS[corpus]
    return list(reader(data / folder))


def main() -> None:
    """Print the splits of all corpora that are in the data folder; write them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the corpora")
    parser.add_argument("--write-split", type=Path, help="write CORPUS_SPLIT.txt lists of clip names here")
    args = parser.parse_args()
    for corpus, (folder, _) in READERS.items():
        if not (args.data / folder).is_dir():
            continue
        clips = read(corpus, args.data)
        for split in ("train", "valid", "test"):
            names = [c.name for c in clips if c.split == split]
            speakers = sorted({c.speaker for c in clips if c.split == split})
            print(f"{corpus:11} {split:5} {len(names):5} clips  speakers: {' '.join(speakers)}")
            if args.write_split:
                args.write_split.mkdir(parents=True, exist_ok=True)
                (args.write_split / f"{corpus}_{split}.txt").write_text(
                    "".join(n + "\n" for n in names), encoding="utf-8"
                )


if __name__ == "__main__":
    main()
