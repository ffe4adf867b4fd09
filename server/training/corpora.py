"""Readers of the training corpora, and the fixed split of every corpus into train, valid and test.

    python -m server.training.corpora --data DATA [--write-split FOLDER]

Every reader yields `Clip`s: where the sound is, and whatever supervision the corpus has, at the motion rate of 25 fps,
frame i at i / 25 s. Curves are in the order of `server.arkit.CHANNELS`, weights in 0..1.
"""

import argparse
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import arkit
from . import FPS
from .speech.phonetics import ARPABET, KOKORO, Phone, to_ipa

INDEX = {name: i for i, name in enumerate(arkit.CHANNELS)}
EMODB_TEXTS = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}
EMOTIONS = {"N": "neutral", "W": "angry", "L": "bored", "E": "disgusted", "A": "fearful", "F": "happy", "T": "sad"}


@dataclass
class Clip:
    """One recording. Every supervision is optional; F is the number of 25 fps frames the corpus gives for it."""

    corpus: str
    name: str
    speaker: str
    audio: Path
    split: str  # train, valid or test
    phones: list[Phone] | None = None  # in IPA
    curves: np.ndarray | None = None  # (F, 52) ARKit weights, or (F, 53) FLAME expression and jaw
    lips: np.ndarray | None = None  # (F, 2) inner-lip aperture and mouth width in eye distances
    emotion: str | None = None
    text: str | None = None  # what is said, where the times of its phones are not known (align.py)


def rank(name: str) -> str:
    """A hash by which clips or speakers are kept out, in hexadecimal digits."""
    return hashlib.sha256(f"lsf-1/{name}".encode()).hexdigest()


def held_out(names: list[str], tests: int, valids: int) -> Callable[[str], str]:
    """A split that depends on the names alone: the first ones in the order of their hashes are kept out."""
    order = sorted(names, key=rank)
    kept = dict.fromkeys(order[:tests], "test") | dict.fromkeys(order[tests : tests + valids], "valid")
    return lambda name: kept.get(name, "train")


def grid(folder: Path) -> Iterator[Clip]:
    """One tracked speaker; 60 sentences for testing, 40 for early stopping (every clip is a different sentence)."""
    index = json.loads((folder / "index.json").read_text())
    tracks = np.load(folder / "tracks.npz")
    columns = [str(c) for c in tracks["channels"]]  # MediaPipe's order, whose first column is `_neutral`
    split = held_out(sorted(index), 60, 40)
    for name in sorted(index):
        tracked = tracks[f"{name}/blendshapes"].astype(np.float32)
        curves = np.zeros((len(tracked), len(INDEX)), np.float32)
        for column, channel in enumerate(columns):
            if channel in INDEX:
                curves[:, INDEX[channel]] = tracked[:, column]
        lips = np.stack([tracks[f"{name}/aperture"], tracks[f"{name}/width"]], 1).astype(np.float32)
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


# FACEGOOD's captured channels that move -> ARKit channels and gains. `mouth_stretch_c` lowers the jaw. Channels with
# _l/_r or the quarters _dl/_dr/_ul/_ur of one motion are averaged where ARKit has one channel for them.
FACEGOOD = {
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


def facegood(folder: Path) -> Iterator[Clip]:
    """Captured performance, 30 fps resampled to 25; the last clip of each of its two sessions is kept out."""
    columns = {name: i for i, name in enumerate(json.loads((folder / "channels.json").read_text()))}
    split = {"1114_2_05": "test", "1114_3_16": "test", "1114_2_04": "valid"}
    for path in sorted(folder.glob("*.npz")):
        weights = np.load(path)["weights"]
        times = np.arange(int(len(weights) * FPS / 30)) / FPS
        curves = np.zeros((len(times), len(INDEX)), np.float32)
        for channel, gains in FACEGOOD.items():
            mixed = sum(gain * weights[:, columns[source]] for source, gain in gains.items())
            curves[:, INDEX[channel]] = np.interp(times, np.arange(len(weights)) / 30, np.clip(mixed, 0, 1))
        yield Clip(
            "facegood", path.stem, "facegood", path.with_suffix(".flac"), split.get(path.stem, "train"), curves=curves
        )


def kokoro(folder: Path) -> Iterator[Clip]:
    """Synthetic speech with phones; four voices for testing, two for early stopping."""
    entries = [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]
    split = held_out(sorted({e["voice"] for e in entries}), 4, 2)
    for e in entries:
        phones = to_ipa(e["phones"], KOKORO)
        for i, (symbol, start, end) in enumerate(phones[:-1]):
            if not phones[i + 1][0] and end - start > 0.3:  # the synthesiser counts the pause to the last phone
                phones[i] = (symbol, start, start + 0.2)
                phones[i + 1] = ("", start + 0.2, phones[i + 1][2])
        yield Clip("kokoro", Path(e["file"]).stem, e["voice"], folder / e["file"], split(e["voice"]), phones)


def kokoro_more(folder: Path) -> Iterator[Clip]:
    """Synthetic speech in many languages (synthetic_speech.py); 6 % of the voices for early stopping.

    A blend with one of these counts as one. The split of a clip does not change while the corpus grows.
    """
    for line in (folder / "index.jsonl").read_text(encoding="utf-8").splitlines():
        e = json.loads(line)
        split = "valid" if any(rank(name) < "0f" for name in e["voice"].split("+")) else "train"
        yield Clip(
            "kokoro_more", Path(e["file"]).stem, e["voice"], folder / e["file"], split, to_ipa(e["phones"], KOKORO)
        )


def ljspeech(folder: Path) -> Iterator[Clip]:
    """Real read speech with forced alignments (ARPAbet)."""
    for path in sorted(folder.glob("*.TextGrid")):
        tier = path.read_text().split('name = "phones"')[1]
        intervals = re.findall(r'xmin = ([\d.]+)\s+xmax = ([\d.]+)\s+text = "([^"]*)"', tier)
        phones = to_ipa([(text, a, b) for a, b, text in intervals], ARPABET)
        yield Clip("ljspeech", path.stem, "ljspeech", path.with_suffix(".flac"), "train", phones)


def emodb(folder: Path) -> Iterator[Clip]:
    """Acted emotional German; a man and a woman for testing, another two for early stopping."""
    split = {"15": "test", "16": "test", "10": "valid", "08": "valid"}
    for path in sorted(folder.glob("*.flac")):
        speaker = path.stem[:2]
        yield Clip(
            "emodb",
            path.stem,
            speaker,
            path,
            split.get(speaker, "train"),
            emotion=EMOTIONS[path.stem[5]],
            text=EMODB_TEXTS[path.stem[2:5]],
        )


def quiet(folder: Path) -> Iterator[Clip]:
    """Sound without speech (quiet.py); the face rests. Every eighth clip for testing, the next for early stopping."""
    for i, path in enumerate(sorted(folder.glob("*.flac"))):
        yield Clip("quiet", path.stem, "quiet", path, {0: "test", 1: "valid"}.get(i % 8, "train"), phones=[])


def mead3d(folder: Path) -> Iterator[Clip]:
    """The paper's 3DMEAD layout: SUBJECT_EMOTION_LEVEL_NUMBER.wav and .npz, FLAME `exp` (F, 50), `jaw` (F, 3), 25 fps.

    A `.npy` holding (F, 53) or wider rows, expression first and jaw last, is read as well. Subjects are split
    70/15/15, so that no face of the tests is known from training.
    """
    paths = sorted(p for p in folder.rglob("*.np[yz]") if p.with_suffix(".wav").exists())
    subjects = sorted({p.stem.split("_")[0] for p in paths})
    kept = max(1, round(0.15 * len(subjects)))
    split = held_out(subjects, kept, kept)
    for path in paths:
        loaded = np.load(path, allow_pickle=False)
        if path.suffix == ".npz":
            curves = np.concatenate([loaded["exp"][:, :50], loaded["jaw"][:, :3]], 1)
        else:
            curves = np.concatenate([loaded[:, :50], loaded[:, -3:]], 1)
        subject, emotion = ([*path.stem.split("_"), "neutral"])[:2]
        yield Clip(
            "mead3d",
            path.stem,
            subject,
            path.with_suffix(".wav"),
            split(subject),
            curves=curves.astype(np.float32),
            emotion=emotion,
        )


READERS = {
    "grid": ("grid_s1", grid),
    "facegood": ("facegood", facegood),
    "kokoro": ("kokoro_en", kokoro),
    "kokoro_more": ("kokoro_more", kokoro_more),
    "ljspeech": ("ljspeech_mfa", ljspeech),
    "emodb": ("emodb", emodb),
    "quiet": ("quiet", quiet),
    "mead3d": ("3DMEAD", mead3d),
}


def read(corpus: str, data: Path) -> list[Clip]:
    """All clips of one corpus below the data root."""
    folder, reader = READERS[corpus]
    return list(reader(data / folder))


def main() -> None:
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
            print(f"{corpus:9} {split:5} {len(names):5} clips  speakers: {' '.join(speakers)}")
            if args.write_split:
                args.write_split.mkdir(parents=True, exist_ok=True)
                (args.write_split / f"{corpus}_{split}.txt").write_text("".join(n + "\n" for n in names))


if __name__ == "__main__":
    main()
