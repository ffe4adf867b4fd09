"""Prepares the sound of a line for the server. No bpy: this runs in a thread."""

import math
import time
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from ..client.wire import Header
from ..errors import UserError
from .snapshots import Line

# What libsndfile reads. It seeks to the exact sample, and it runs in the server's process and so never blocks Blender.
# Audaspace holds Python's global lock while it decodes, and lands 1024 samples late after a seek in Ogg.
SERVER_FORMATS = {".wav", ".flac", ".ogg", ".oga", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64", ".rf64"}
CHUNK, OVERLAP = 6, 1  # seconds, whole ones so that seeks need no rounding; a chunk takes about 10 ms to decode
SILENCE = 1e-4  # amplitude; below it, sound is not compared


def request(line: Line, folder: str) -> tuple[Header, dict[str, NDArray[np.float32]]]:
    """The part of a request that holds the sound of a line, see docs/protocol.md.

    Args:
        line: The line.
        folder: An existing folder for a packed sound, which must live as long as the job.

    Returns:
        Header fields and arrays: the path of the file, or the samples if the server cannot read the format.

    Raises:
        UserError: Blender cannot read the file either, or it ends before the line starts.
    """
    path = line.path if line.packed is None else _unpack(line.path, line.packed, folder)
    aud = _audaspace()
    if aud is None or Path(path).suffix.lower() in SERVER_FORMATS:
        return {"audio_file": path, "start": line.start, "duration": line.duration}, {}
    samples, rate = decode(aud, path, line.start, line.duration)
    return {"rate": rate}, {"audio": samples}


def decode(aud: ModuleType, path: str, start: float, duration: float) -> tuple[NDArray[np.float32], float]:
    """Decode a part of a sound file with Audaspace.

    The file is read from its beginning and in chunks, because Blender's window freezes while Audaspace decodes one.

    Args:
        aud: The module of Audaspace.
        path: The sound file.
        start: Seconds into the file.
        duration: Seconds.

    Returns:
        (N,) samples, the mean of all channels, fewer than asked for where the file ends; and their rate in Hz.

    Raises:
        UserError: The file has no sound, or ends before `start`.
    """
    try:
        sound = aud.Sound(path)
        rate = int(sound.specs[0])
    except aud.error as error:
        raise UserError(f'Blender finds no sound in "{path}": convert it to .wav or .flac') from error
    first, last = round(start * rate), round((start + duration) * rate)
    pieces: list[NDArray[np.float32]] = []
    position, tail = 0, np.zeros(0, np.float32)  # position: samples of the file so far
    for second in range(0, math.ceil(start + duration), CHUNK):
        piece = sound.limit(max(0, second - OVERLAP), second + CHUNK).data().mean(1, dtype=np.float32)
        piece = piece[len(tail) - _shift(tail, piece[: OVERLAP * rate]) :]
        if not len(piece):
            break
        pieces.append(piece[max(0, first - position) : max(0, last - position)])
        position += len(piece)
        tail = piece[-OVERLAP * rate :]
        time.sleep(0.002)  # lets Blender's main thread have the lock
    samples = np.concatenate(pieces) if pieces else tail
    if not len(samples):
        raise UserError(f'The sound file "{Path(path).name}" ends before the strip begins: pick another strip')
    return samples, float(rate)


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


def _audaspace() -> ModuleType | None:
    """Blender's sound library; None in the bpy module of 4.2, which is built without it."""
    try:
        import aud
    except ImportError:
        return None
    module: ModuleType = aud
    return module


def _unpack(name: str, contents: bytes, folder: str) -> str:
    """Write a packed sound into a folder; returns its path there."""
    path = Path(folder) / f"packed{Path(name).suffix}"
    path.write_bytes(contents)
    return str(path)
