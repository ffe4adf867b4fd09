"""Prepares the sound of a line for the server. No bpy: this runs in a thread."""

import math
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..client.wire import LINE_SECONDS, VOICE_SECONDS, Arrays, Header
from ..errors import UserError, printable
from .snapshots import Line

# What libsndfile reads. It seeks to the exact sample, and it runs in the server's process and so never blocks Blender.
# Audaspace holds Python's global lock while it decodes, and lands 1024 samples late after a seek in Ogg.
SERVER_FORMATS = {".wav", ".flac", ".ogg", ".oga", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64", ".rf64"}
CHUNK, OVERLAP = 6, 1  # seconds, whole ones so that seeks need no rounding; a chunk takes about 10 ms to decode
LONG = 60.0  # seconds; a longer part goes to the server in a file: in memory, an hour takes a gigabyte
AU_HEADER = struct.Struct(">4s5I")  # magic, bytes of the header, bytes of the samples, encoding, rate, channels
AU_UNKNOWN_LENGTH, AU_FLOAT32 = 0xFFFFFFFF, 6
SILENCE = 1e-4  # amplitude; below it, sound is not compared
FAR = 600.0  # seconds into a file up to which other lines are decoded: the way there is decoded, too, in a second


def request(line: Line, folder: str) -> tuple[Header, dict[str, NDArray[np.float32]]]:
    """The part of a request that holds the sound of a line, see docs/protocol.md.

    Args:
        line: The line.
        folder: An existing folder for a packed sound, which must live as long as the job.

    Returns:
        Header fields and arrays: the path of the file. If the server cannot read the format: the samples, or the path
        of a file with them.

    Raises:
        UserError: Blender cannot read the file either, or it ends before the line starts.
    """
    path = line.path if line.packed is None else _unpack(line.path, line.packed, folder, "packed")
    aud = audaspace()
    if aud is None or _is_for_server(path):
        return {"audio_file": path, "start": line.start, "duration": line.duration}, {}
    readable, part = _linked(path, folder, "line"), (line.start, line.duration)
    if line.duration > LONG:
        decoded = Path(folder) / "decoded.au"
        is_empty = not _decode_to_file(aud, readable, part, decoded)
        fields, arrays = {"audio_file": str(decoded), "start": 0.0, "duration": line.duration}, {}
    else:
        (samples,), rate = decode(aud, readable, [part])
        is_empty, fields, arrays = not len(samples), {"rate": rate}, {"audio": samples}
    if is_empty:
        raise UserError(f'The sound file "{Path(path).name}" ends before the strip begins: pick another strip')
    return fields, arrays


def request_others(lines: list[Line], folder: str) -> tuple[Header, Arrays]:
    """The part of a request that holds the other lines of a voice, see docs/protocol.md.

    A line that cannot be read is left out, and so are lines that would take long to decode.

    Args:
        lines: The other lines, in the order in which they are wanted.
        folder: As in `request`.

    Returns:
        Header fields and arrays; both empty without lines.
    """
    entries: dict[int, Header] = {}
    arrays: Arrays = {}
    decoded: dict[str, list[int]] = {}  # lines of each file that Audaspace is to decode
    aud, seconds = audaspace(), 0.0
    for i, (line, path) in enumerate(zip(lines, _paths(lines, folder), strict=True)):
        if aud is None or _is_for_server(path):
            entries[i] = {"audio_file": path, "start": line.start, "duration": line.duration}
        elif seconds < VOICE_SECONDS and line.start < FAR:
            decoded.setdefault(path, []).append(i)
            seconds += min(line.duration, LINE_SECONDS)
    for path, chosen in decoded.items():
        assert aud is not None  # else the server tries all of them
        parts = [(lines[i].start, min(lines[i].duration, LINE_SECONDS)) for i in chosen]
        try:
            pieces, rate = decode(aud, _linked(path, folder, f"voice{chosen[0]}"), parts)
        except Exception as error:  # whatever a decoder raises, the line itself must not fail because of another one
            print(printable(f'LSF: the voice is heard without "{path}": {error}'))
            continue
        for i, samples in zip(chosen, pieces, strict=True):
            if len(samples):
                entries[i], arrays[f"other_line_{i}"] = {"array": f"other_line_{i}", "rate": rate}, samples
    return ({"other_lines": [entries[i] for i in sorted(entries)]} if entries else {}), arrays


def decode(aud: ModuleType, path: str, parts: list[tuple[float, float]]) -> tuple[list[NDArray[np.float32]], float]:
    """Decode parts of a sound file with Audaspace.

    The file is read from its beginning and in chunks, because Blender's window freezes while Audaspace decodes one.

    Args:
        aud: The module of Audaspace.
        path: The sound file.
        parts: Start of each part, seconds into the file, and its duration in seconds.

    Returns:
        For each part (N,) samples, the mean of all channels, fewer than asked for where the file ends; and their rate
        in Hz.

    Raises:
        UserError: The file has no sound.
    """
    rate, found = _pieces(aud, path, parts)
    pieces: list[list[NDArray[np.float32]]] = [[] for _ in parts]
    for i, samples in found:
        pieces[i].append(samples)
    return [np.concatenate(kept) if kept else np.zeros(0, np.float32) for kept in pieces], float(rate)


def readable(line: Line, folder: str) -> str:
    """Return the path of a file with the sound of a line that Audaspace can open, which may lie in this folder."""
    if line.packed is not None:
        return _unpack(line.path, line.packed, folder, "packed")
    return _linked(line.path, folder, "line")


def _decode_to_file(aud: ModuleType, path: str, part: tuple[float, float], target: Path) -> bool:
    """Decode a part of a sound file into a mono .au file, in little memory; see `decode`.

    Returns:
        Whether there is sound in this part of the file.
    """
    rate, found = _pieces(aud, path, [part])
    with target.open("wb") as file:
        file.write(AU_HEADER.pack(b".snd", AU_HEADER.size, AU_UNKNOWN_LENGTH, AU_FLOAT32, rate, 1))
        for _part, samples in found:
            file.write(samples.astype(">f4").tobytes())
        return file.tell() > AU_HEADER.size


def _pieces(
    aud: ModuleType, path: str, parts: list[tuple[float, float]]
) -> tuple[int, Iterator[tuple[int, NDArray[np.float32]]]]:
    """The rate of a sound file in Hz, and what decodes it: yields the next (N,) samples of a part, and which it is."""
    try:
        sound = aud.Sound(path)
        rate = int(sound.specs[0])
    except aud.error as error:
        raise UserError(f'Blender finds no sound in "{path}": convert it to .wav or .flac') from error
    return rate, _decoded(sound, rate, parts)


def _decoded(sound: Any, rate: int, parts: list[tuple[float, float]]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield the next (N,) samples of a part, and which it is; see `_pieces`. `sound` is a sound of Audaspace."""
    ranges = [(round(start * rate), round((start + duration) * rate)) for start, duration in parts]
    position, tail = 0, np.zeros(0, np.float32)  # position: samples of the file so far
    for second in range(0, math.ceil(max(start + duration for start, duration in parts)), CHUNK):
        piece = sound.limit(max(0, second - OVERLAP), second + CHUNK).data().mean(1, dtype=np.float32)
        piece = piece[len(tail) - _shift(tail, piece[: OVERLAP * rate]) :]
        if not len(piece):
            break
        for i, (first, last) in enumerate(ranges):
            if position < last and first < position + len(piece):
                yield i, piece[max(0, first - position) : last - position]
        position += len(piece)
        tail = piece[-OVERLAP * rate :]
        time.sleep(0.002)  # lets Blender's main thread have the lock


def _shift(tail: NDArray[np.float32], piece: NDArray[np.float32]) -> int:
    """How many samples later in the file `piece` (N,) lies than `tail` (N,), found by cross-correlation.

    Seeks are exact in MP4, but up to 70 ms off in Matroska. The first half of the piece is left out of the comparison:
    decoders need a moment to settle.
    """
    if len(tail) != len(piece) or not np.abs(tail).max(initial=0.0) > SILENCE:
        return 0
    half, most = len(piece) // 2, len(piece) // 4
    padded = 2 * len(piece)
    settled = np.fft.rfft(piece[half : len(piece) - most], padded)
    match = np.fft.irfft(np.fft.rfft(tail, padded) * settled.conj())  # match[half + s]: agreement at a shift of s
    return int(np.argmax(match[half - most : half + most + 1])) - most


def audaspace() -> ModuleType | None:
    """Blender's sound library; None in the bpy module of 4.2, which is built without it."""
    try:
        import aud
    except ImportError:
        return None
    module: ModuleType = aud
    return module


def _paths(lines: list[Line], folder: str) -> list[str]:
    """Paths of the lines' files. A packed sound is written into the folder once, however many lines it has."""
    unpacked: dict[int, str] = {}  # by the identity of the contents
    for i, line in enumerate(lines):
        if line.packed is not None and id(line.packed) not in unpacked:
            unpacked[id(line.packed)] = _unpack(line.path, line.packed, folder, f"other{i}")
    return [line.path if line.packed is None else unpacked[id(line.packed)] for line in lines]


def _is_for_server(path: str) -> bool:
    """Whether the server reads files of this name itself."""
    return Path(path).suffix.lower() in SERVER_FORMATS


def _linked(path: str, folder: str, stem: str) -> str:
    """A path of a file that Audaspace can open: a link in a folder, if the file's own path is not valid Unicode."""
    if printable(path) == path:
        return path
    link = Path(folder) / f"{stem}{printable(Path(path).suffix)}"
    link.symlink_to(path)
    return str(link)


def _unpack(name: str, contents: bytes, folder: str, stem: str) -> str:
    """Write a packed sound into a folder, under the suffix of its name; returns its path there."""
    path = Path(folder) / f"{stem}{Path(name).suffix}"
    path.write_bytes(contents)
    return str(path)
