"""Reader of 3DMEAD in its official layout, and its splits by subject.

A clip is a motion `SUBJECT_SENTENCE_EMOTION_INTENSITY….npy` and a sound of the same stem. The motion is a float array
(1, T, 403) at 25 fps: 300 coefficients of FLAME's shape, 100 of its expression, of which the first 50 are used, and the
jaw's rotation vector in radians. The sound is `.wav` at 16 kHz. Motions and sounds may be in one folder, in two, or in
subfolders of any depth; the stem alone tells which belong together.
"""

import hashlib
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import LSFError
from ...files.audio import MIN_SECONDS, SAMPLE_RATE
from .. import FPS

NAME_FORM = "SUBJECT_SENTENCE_EMOTION_INTENSITY, such as M003_012_5_2"
COLUMNS = 403
SHAPE, EXPRESSION, JAW = slice(0, 300), slice(300, 350), slice(400, 403)  # columns; 350:400 are not used
MAX_VALUE = 100.0  # of a coefficient; FLAME's are standardised, and those of faces stay below 10
MAX_JAW = np.pi  # radians; more is no rotation vector, but probably degrees
LENGTH_TOLERANCE = 0.5  # seconds by which the sound and the motion of a clip may differ

# The fixed, ordered lists of the released code.
SUBJECTS = {
    "train": (
        "W019 W021 W023 W024 W025 W026 W028 W029 M003 M005 M007 M009 M011 M012 M013 M019 M022 M023 M024 M025 M026 M027"
    ).split(),
    "valid": "M028 M029 M030 M031 W009".split(),
    "test": "W011 W014 W015 W016 W018".split(),
}
SPLIT_OF = {subject: part for part, subjects in SUBJECTS.items() for subject in subjects}
PARTS = tuple(SUBJECTS)
# Shares of a subject's clips for training and for validation under the protocol "released"; the rest is for testing.
RELEASED_SHARES = 0.7, 0.15

_SUBJECT = re.compile(r"[MW]\d{3}")
_INTENSITIES, _EMOTIONS = frozenset("0123"), 8  # MEAD has up to three levels and eight emotions


@dataclass(frozen=True)
class Mead3DClip:
    """One sentence of one subject. F = `frames`, at 25 fps; frame i is at i / 25 s.

    Attributes:
        name: Stem of both files.
        subject: "M003" or the like.
        sentence: Number of the sentence, as written in the name.
        emotion: As written in the name: a number or a word.
        intensity: As written in the name: a number from 0 to 3.
        audio: Path of the sound.
        motion: Path of the motion.
        frames: Frames of the motion.
    """

    name: str
    subject: str
    sentence: str
    emotion: str
    intensity: str
    audio: Path
    motion: Path
    frames: int

    def curves(self) -> NDArray[np.float32]:
        """Return the motion (F, 53): 50 expression coefficients, then the jaw's rotation vector in radians.

        Raises:
            LSFError: "bad_data" if the file is damaged or has values that cannot be.
        """
        values = self.values()
        return np.concatenate([values[:, EXPRESSION], values[:, JAW]], 1)

    def shape(self) -> NDArray[np.float32]:
        """Return FLAME's shape coefficients (300,), the mean over the frames.

        Raises:
            LSFError: As `curves`.
        """
        mean: NDArray[np.float32] = self.values()[:, SHAPE].mean(0, dtype=np.float64).astype(np.float32)
        return mean

    def values(self) -> NDArray[np.float32]:
        """Return all columns (F, 403) of the motion, checked.

        Raises:
            LSFError: As `curves`.
        """
        values = np.array(_open_motion(self.motion)[0], np.float32)
        if len(values) != self.frames:
            raise _fault(f'"{self.motion.name}" has changed since the folder was read: start again.')
        used = np.concatenate([values[:, : EXPRESSION.stop], values[:, JAW]], 1)
        if not np.isfinite(used).all():
            frame = int(np.flatnonzero(~np.isfinite(used).all(1))[0])
            raise _fault(f'"{self.motion.name}" has a value that is no number in frame {frame}: convert it again.')
        if np.abs(used).max() > MAX_VALUE:
            raise _fault(
                f'"{self.motion.name}" has the value {np.abs(used).max():.3g}, too large for a FLAME coefficient: '
                "columns must be shape 0:300, expression 300:400, jaw 400:403."
            )
        jaw = np.linalg.norm(values[:, JAW], axis=1).max()
        if jaw > MAX_JAW:
            raise _fault(
                f'"{self.motion.name}" turns the jaw by {jaw:.3g} rad: columns 400:403 must be a rotation vector in '
                "radians."
            )
        return values


def read(
    folder: Path,
    *,
    tolerance: float = LENGTH_TOLERANCE,
    check_values: bool = True,
    report: Callable[[int, int], None] = lambda done, count: None,
) -> list[Mead3DClip]:
    """Find and check all clips of a folder, before anything is built on them.

    Args:
        folder: Folder with the clips, at any depth; links to folders are followed.
        tolerance: Seconds by which the sound and the motion of a clip may differ.
        check_values: Whether every motion is read and its values checked. Otherwise only the headers of the files are.
        report: Called with the number of clips that are checked, and the number of all.

    Returns:
        The clips, sorted by name.

    Raises:
        LSFError: "no_data" if there is no such folder or no clip in it; "bad_data" if anything in it is missing, wrong
            or doubtful, about the first such thing.
    """
    if not folder.is_dir():
        raise LSFError("no_data", f'There is no folder "{folder}": give the folder of 3DMEAD.')
    motions, sounds = _by_stem(folder, ".npy"), _by_stem(folder, ".wav")
    if not motions:
        raise LSFError("no_data", f'"{folder}" has no motions: 3DMEAD has files named {NAME_FORM}.npy and .wav.')
    parts = {name: _parse(name) for name in sorted({*motions, *sounds})}
    _check_partners("motion", ".wav", motions, sounds)
    _check_partners("sound", ".npy", sounds, motions)
    clips = []
    for done, name in enumerate(motions):
        report(done, len(motions))
        frames = _open_motion(motions[name]).shape[1]
        _check_sound(sounds[name], frames, tolerance)
        clip = Mead3DClip(name, *parts[name], sounds[name], motions[name], frames)
        if check_values:
            clip.values()
        clips.append(clip)
    report(len(motions), len(motions))
    return clips


def split(
    clips: Collection[Mead3DClip], protocol: str = "subjects", needed: Collection[str] = PARTS
) -> dict[str, list[Mead3DClip]]:
    """Divide clips for training, validation and testing.

    Under "subjects", the fixed lists of 22, 5 and 5 subjects hold: no face of one part is in another. Under "released",
    every subject is in all parts, as in the split files on which the released code trains the motion prior: 70, 15 and
    15 % of each subject's clips, in the order of the hashes of their names. (The files themselves belong to another
    project, so these are other clips.) A prior of this protocol has seen the faces of the test set.

    Args:
        clips: Result of `read`.
        protocol: "subjects" or "released".
        needed: The parts that must have clips.

    Returns:
        Clips by "train", "valid" and "test", each sorted by name.

    Raises:
        LSFError: "bad_data" if a needed part has no clips.
    """
    parts: dict[str, list[Mead3DClip]] = {part: [] for part in PARTS}
    if protocol == "subjects":
        for clip in clips:
            parts[SPLIT_OF[clip.subject]].append(clip)
    elif protocol == "released":
        for subject in SPLIT_OF:
            own = sorted((clip for clip in clips if clip.subject == subject), key=_name_hash)
            first, second = (round(sum(RELEASED_SHARES[:n]) * len(own)) for n in (1, 2))
            for part, some in zip(PARTS, (own[:first], own[first:second], own[second:]), strict=True):
                parts[part] += some
    else:
        raise ValueError(f"{protocol!r} is not a protocol: subjects or released.")
    for part in needed:
        if not parts[part]:
            wanted = f"it needs subjects {' '.join(SUBJECTS[part][:3])} …" if protocol == "subjects" else "add clips"
            raise _fault(f'The part "{part}" of the protocol "{protocol}" has no clips: {wanted}')
    return {part: sorted(own, key=lambda clip: clip.name) for part, own in parts.items()}


def lacking(parts: Mapping[str, Collection[Mead3DClip]], protocol: str = "subjects") -> str:
    """Return a sentence on how many of their subjects parts have; empty if all are there.

    Args:
        parts: Some of the parts that `split` returned.
        protocol: With which they were divided.
    """
    counts = []
    for part, own in parts.items():
        wanted = SUBJECTS[part] if protocol == "subjects" else list(SPLIT_OF)
        found = {clip.subject for clip in own}
        if len(found) < len(wanted):
            counts.append(f'{len(found)} of {len(wanted)} in "{part}"')
    return f'Subjects of the protocol "{protocol}" that have clips: {", ".join(counts)}.' if counts else ""


def _fault(sentence: str) -> LSFError:
    """Return an error about the data."""
    return LSFError("bad_data", sentence)


def _name_hash(clip: Mead3DClip) -> str:
    return hashlib.sha256(clip.name.encode()).hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    """Yield all visible files at any depth, in a fixed order; links to folders are followed, each folder once."""
    seen = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        status = Path(place).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        # Archives that were packed on macOS have a hidden file beside every file.
        yield from (Path(place) / name for name in sorted(names) if not name.startswith("."))


def _by_stem(folder: Path, suffix: str) -> dict[str, Path]:
    """Return the files with a suffix, in any case, by their stems, sorted. Raises LSFError if a stem is there twice."""
    found: dict[str, Path] = {}
    for path in _files(folder):
        if path.suffix.lower() == suffix and path.is_file():
            if path.stem in found:
                places = " and ".join(f'"{p.parent.relative_to(folder)}"' for p in (found[path.stem], path))
                raise _fault(f'"{path.name}" is there twice, in {places}: keep one.')
            found[path.stem] = path
    return dict(sorted(found.items()))


def _parse(name: str) -> tuple[str, str, str, str]:
    """Return subject, sentence, emotion and intensity of a clip's name. Raises LSFError if it is not named so."""
    parts = name.split("_")
    if len(parts) < 4 or not any(map(_SUBJECT.fullmatch, parts)):
        raise _fault(f'"{name}" is not named {NAME_FORM}: rename it, or move it out of the folder.')
    subject, sentence, emotion, intensity = parts[:4]
    known_emotion = emotion.isalpha() or (emotion.isdecimal() and int(emotion) < _EMOTIONS)
    # A word or a longer number in the place of another part tells that the order is another.
    ordered = (
        _SUBJECT.fullmatch(subject)
        and sentence.isdecimal()
        and (known_emotion or len(emotion) == 1)
        and not (intensity.isalpha() or (intensity.isdecimal() and len(intensity) > 1))
    )
    if not ordered:
        raise _fault(f'The parts of the name "{name}" are in another order than expected: {NAME_FORM}.')
    if not known_emotion:
        raise _fault(
            f'"{name}" has the emotion {emotion}: it must be a number from 0 to {_EMOTIONS - 1} or a word. Rename it, '
            "or move it out of the folder."
        )
    if intensity not in _INTENSITIES:
        raise _fault(
            f'"{name}" has the intensity {intensity}: it must be a number from {min(_INTENSITIES)} to '
            f"{max(_INTENSITIES)}. Rename it, or move it out of the folder."
        )
    if subject not in SPLIT_OF:
        raise _fault(f'"{name}" is of subject {subject}, who is none of the 32 of 3DMEAD\'s split: move it away.')
    return subject, sentence, emotion, intensity


def _check_partners(kind: str, suffix: str, own: dict[str, Path], other: dict[str, Path]) -> None:
    """Raise LSFError if files of one kind have no partner of the other kind."""
    alone = [name for name in own if name not in other]
    if alone:
        raise _fault(
            f'The {kind} "{alone[0]}" has no {suffix} of the same name, one of {len(alone)} such: add it, or move '
            "these out of the folder."
        )


def _open_motion(path: Path) -> NDArray[np.floating]:
    """Map a motion (1, T, 403) into memory. Raises LSFError if the file is not one."""
    try:
        # Neither pickles nor long headers are read; a file that is shorter than its header says cannot be mapped.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a damaged header raises errors of any kind, out of NumPy's parsers
        raise _fault(f'"{path.name}" is not a NumPy array of numbers, or it is damaged: convert it again.') from error
    if not isinstance(array, np.ndarray):
        raise _fault(f'"{path.name}" is an archive of arrays: save one array (1, T, {COLUMNS}).')
    if array.dtype.kind != "f":
        raise _fault(f'"{path.name}" has values of type {array.dtype}: they must be floats.')
    if array.ndim != 3 or array.shape[0] != 1 or array.shape[1] < 1 or array.shape[2] != COLUMNS:
        raise _fault(f'"{path.name}" has the shape {array.shape}: it must be (1, frames, {COLUMNS}).')
    return array


def _check_sound(path: Path, frames: int, tolerance: float) -> None:
    """Raise LSFError if a sound cannot be read, or has another rate or length than its motion."""
    import soundfile

    try:
        info = soundfile.info(str(path))
    except (soundfile.SoundFileError, OSError) as error:
        raise _fault(f'"{path.name}" cannot be read as sound: convert it to .wav at 16 kHz.') from error
    if info.samplerate != SAMPLE_RATE:
        raise _fault(f'"{path.name}" has {info.samplerate} Hz: 3DMEAD has {SAMPLE_RATE} Hz; resample it.')
    seconds = info.frames / SAMPLE_RATE
    if seconds < MIN_SECONDS:
        raise _fault(f'"{path.name}" lasts {seconds:.2f} s: at least {MIN_SECONDS} s are needed; move the clip away.')
    if abs(seconds - frames / FPS) > tolerance:
        raise _fault(
            f'The sound of "{path.stem}" lasts {seconds:.2f} s and its motion {frames / FPS:.2f} s ({frames} frames at '
            f"{FPS} fps): they may differ by {tolerance:g} s; the motion may have another frame rate."
        )
