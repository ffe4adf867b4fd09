"""Reads what `python -m server batch` writes: a file a line, and one a face. See docs/pipeline.md. No bpy."""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError, printable

Floats = NDArray[np.float32]

FACES = "faces"  # folder of the faces, beside those of the lines
VERSION = 2  # of the layout of a line
MAX_LINE_BYTES = 1 << 26  # of the file of a line: four hours have less
MAX_FACE_BYTES = 1 << 30
MAX_FILES = 200_000
MAX_UNPACKED = 1 << 30  # bytes of the arrays of a file
MAX_SECONDS = 4 * 3600.0  # as long as a sound may be
SHARE_HEARD = 0.9  # of a strip's frames that a result must have
NO_NAME = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f~]')  # what no name of a file may have, and what divides name and tag
TAG = re.compile(r"(.*)~([0-9a-f]{8})", re.DOTALL)
MAX_NAME = 100  # letters of a name of a result, without its tag


@dataclass(frozen=True)
class LineResult:
    """The curves of a line.

    Attributes:
        fps: Frames per second.
        start: Seconds of the sound file at the first frame.
        channels: Names of the K channels.
        motion: (F, K).
        expression: (F, K) the part of the motion that emotion adds.
        emotions: Names of the E emotions.
        emotion: (F, E) their weights.
        face: Name of the face.
        model: SHA-256 of the model's weights.
        sound: Name of the sound file.
        heard: The sounds that were heard, as fields and arrays of a reply of the server (docs/protocol.md); empty if
            they were not asked for.
        transcript: The words to which they are pinned.
    """

    fps: float
    start: float
    channels: tuple[str, ...]
    motion: Floats
    expression: Floats
    emotions: tuple[str, ...]
    emotion: Floats
    face: str
    model: str
    sound: str
    heard: tuple[dict[str, Any], dict[str, NDArray[Any]]]
    transcript: str

    def at(self, start: float, fps: float, frames: int) -> tuple[Floats, Floats, Floats]:
        """Motion, expression and emotion at other frames, linear between those that are there.

        Args:
            start: Seconds of the sound file at the first frame that is wanted.
            fps: Frames per second that are wanted.
            frames: How many are wanted.

        Raises:
            UserError: The line has not enough of them.
        """
        times = start + np.arange(frames) / fps
        places, silent = (times - self.start) * self.fps, times < -0.5 / fps  # before the file, a strip is silent
        there = silent | ((places > -1) & (places < len(self.motion)))
        if there.mean() < SHARE_HEARD:
            raise UserError(
                f"it has only {round(100 * there.mean())} % of what the strip plays: the strip was trimmed, retimed or "
                "got another sound since"
            )
        first = np.clip(np.floor(places), 0, len(self.motion) - 1).astype(np.intp)
        second, share = np.minimum(first + 1, len(self.motion) - 1), np.clip(places - first, 0, 1)[:, None]
        motion, expression, emotion = (
            (((1 - share) * curves[first] + share * curves[second]) * ~silent[:, None]).astype(np.float32)
            for curves in (self.motion, self.expression, self.emotion)
        )
        return motion, expression, emotion


@dataclass(frozen=True)
class Face:
    """The face of lines.

    Attributes:
        channels: Names of the K channels.
        basis: (K, V, 3) offsets.
        vertices: (V, 3) of the mesh at rest.
        landmarks68: (68,) vertices.
    """

    channels: tuple[str, ...]
    basis: Floats
    vertices: Floats
    landmarks68: NDArray[np.int32]


def name_of(strip: str, strip_id: str) -> str:
    """Return the name of the result of a strip: its own name, and a tag by which it is found if it is renamed.

    Args:
        strip: Name of the strip.
        strip_id: Its identity.
    """
    tag = hashlib.sha256(strip_id.encode()).hexdigest()[:8]
    return f"{plain(strip)}~{tag}"


def files(folder: Path) -> list[Path]:
    """The files of lines in a folder and those below it, in the order of their names.

    Raises:
        UserError: There are none, or too many.
    """
    found: list[Path] = []
    for path in _walk(folder):
        found.append(path)
        if len(found) > MAX_FILES:
            raise UserError(f'"{folder.name}" has more than {MAX_FILES} files: choose the folder of one sequence')
    if not found:
        raise UserError(f'"{printable(folder.name)}" has no results of a batch (.npz): choose the folder after --out')
    return sorted(found)


def matches(
    names: Sequence[str], strips: Sequence[tuple[str, str, str]]
) -> tuple[dict[int, int], dict[int, str], list[int]]:
    """Find the result of each strip.

    A result belongs to the strip of its tag; without one, to the strip of its name; else to the only one that plays a
    sound of its name.

    Args:
        names: Names of the results, without folder and ending.
        strips: (name, identity, name of the sound's file without ending) of each strip.

    Returns:
        The result of each strip that has one, as indices; why others have none, a sentence each, for those of which
        several results could be; and the results that fit no strip.
    """
    by_tag: dict[str, list[int]] = {}
    by_name: dict[str, list[int]] = {}
    by_sound: dict[str, list[int]] = {}
    for place, (name, identity, sound) in enumerate(strips):
        by_tag.setdefault(name_of("", identity)[-8:], []).append(place)
        by_name.setdefault(plain(name), []).append(place)
        by_sound.setdefault(plain(sound), []).append(place)
    claims: dict[int, list[tuple[int, int]]] = {}  # strip: (how good, result)
    unused = []
    for number, name in enumerate(names):
        match = TAG.fullmatch(name)
        own = plain(match[1] if match else name)
        tries = [by_tag.get(match[2], []) if match else [], by_name.get(own, []), by_sound.get(own, [])]
        rank = next((rank for rank, places in enumerate(tries) if len(places) == 1), None)
        if rank is None:
            unused.append(number)
        else:
            claims.setdefault(tries[rank][0], []).append((rank, number))
    found, doubtful = {}, {}
    for place, results in claims.items():
        best = min(results)[0]
        first = [number for rank, number in results if rank == best]
        unused += [number for rank, number in results if rank != best]
        if len(first) == 1:
            found[place] = first[0]
        else:
            doubtful[place] = f"{len(first)} results have its name: choose the folder of one of them"
    return found, doubtful, sorted(unused)


def is_of_another_strip(name: str, sound: str, strip_id: str, strip_sound: str) -> bool:
    """Return whether a result that has the name of a strip belongs to another one, by its tag and its sound.

    Args:
        name: Name of the result, without its ending.
        sound: Name of the file that it was made of: that of the strip, or the copy beside the manifest.
        strip_id: Identity of the strip. One that was listed after the manifest was written has another.
        strip_sound: The file that it plays.
    """
    tag = TAG.fullmatch(name)
    is_its_sound = plain(Path(sound).stem).startswith(plain(Path(strip_sound).stem))
    return tag is not None and tag[2] != name_of("", strip_id)[-8:] and not is_its_sound


def read_line(path: Path) -> LineResult:
    """Read a line.

    Raises:
        UserError: It is none, or damaged.
    """
    try:
        arrays = _arrays(path.read_bytes() if path.stat().st_size <= MAX_LINE_BYTES else b"")
        if int(arrays["version"]) != VERSION:
            raise UserError("it is of another version of the add-on: run the batch again")
        model = json.loads(str(arrays["model"]))
        line = LineResult(
            float(arrays["fps"]),
            float(arrays["start"]) + float(arrays["t0"]),
            tuple(map(str, arrays["channels"])),
            arrays["motion"].astype(np.float32),
            arrays["expression"].astype(np.float32),
            tuple(map(str, arrays["emotions"])),
            arrays["emotion"].astype(np.float32),
            str(arrays["face"]),
            str(model["digest"]),
            str(arrays["sound"]),
            _heard(arrays),
            str(arrays.get("transcript", "")),
        )
    except (OSError, KeyError, ValueError, TypeError, RecursionError) as error:
        raise UserError("it is damaged, or no result of a batch: run the batch again") from error
    frames, channels = line.motion.shape if line.motion.ndim == 2 else (0, 0)
    fits = (
        0 < frames <= MAX_SECONDS * line.fps
        and line.motion.shape == line.expression.shape == (frames, len(line.channels))
        and channels == len(set(line.channels)) > 0
        and line.emotion.shape == (frames, len(line.emotions))
        and 1 <= line.fps <= 1000
        and abs(line.start) <= MAX_SECONDS
        and all(np.isfinite(curves).all() for curves in (line.motion, line.expression, line.emotion))
        and re.fullmatch(r"[0-9a-f]{64}", line.face)
    )
    if not fits:
        raise UserError("it is damaged: run the batch again")
    return line


def read_face(folder: Path, name: str) -> Face:
    """Read a face.

    Args:
        folder: The folder of the results.
        name: Its name, the SHA-256 of its file.

    Raises:
        UserError: It is missing or damaged.
    """
    path = folder / FACES / f"{name}.npz"
    try:
        data = path.read_bytes() if path.stat().st_size <= MAX_FACE_BYTES else b""
        if hashlib.sha256(data).hexdigest() != name:
            raise ValueError("another file")
        arrays = _arrays(data)
        face = Face(
            tuple(map(str, arrays["channels"])),
            arrays["basis"].astype(np.float32),
            arrays["vertices"].astype(np.float32),
            arrays["landmarks68"].astype(np.int32),
        )
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise UserError(f'its face "{FACES}/{name[:8]}….npz" is missing or damaged: run the batch again') from error
    count = len(face.vertices)
    if (
        face.vertices.shape != (count, 3)
        or face.basis.shape != (len(face.channels), count, 3)
        or face.landmarks68.shape != (68,)
        or not 0 <= face.landmarks68.min() <= face.landmarks68.max() < count
        or not (np.isfinite(face.vertices).all() and np.isfinite(face.basis).all())
    ):
        raise UserError("its face is damaged: run the batch again")
    return face


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the files of lines below a folder."""
    for path in folder.rglob("*.npz"):
        inside = path.relative_to(folder).parts
        if inside[0] != FACES and not any(part.startswith(".") for part in inside):
            yield path


def plain(name: str) -> str:
    """A name as that of a file: without what no file may have, and not longer than MAX_NAME."""
    return NO_NAME.sub("_", name).strip(". ")[:MAX_NAME] or "line"


def _heard(arrays: dict[str, NDArray[np.generic]]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Fields and arrays of the sounds in a file; none if it has none. Raises KeyError if they are not complete."""
    if "sounds" not in arrays:
        return {}, {}
    texts = {name: [str(text) for text in arrays[name].ravel()] for name in ("sounds", "words")}
    times = {name: arrays[name].astype(np.float32) for name in ("sound_times", "sound_confidence", "word_times")}
    return {**texts, "transcript_note": str(arrays["transcript_note"])}, times


def _arrays(data: bytes) -> dict[str, NDArray[np.generic]]:
    """The arrays of an .npz. Raises ValueError if it is none, or unpacks to too much."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_UNPACKED:
                raise ValueError("it unpacks to too much")
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (zipfile.BadZipFile, EOFError, NotImplementedError, MemoryError) as error:
        raise ValueError("no archive") from error
