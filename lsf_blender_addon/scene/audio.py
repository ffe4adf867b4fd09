"""Sound of a Line for the server. No bpy here: this runs in a thread."""

import math
import os
import time

import numpy as np

from ..errors import UserError
from .snapshots import Line

# What libsndfile reads. It seeks to the exact sample, runs in the server's process, and so never holds up Blender;
# Audaspace holds Python's global lock while it decodes, and lands 1024 samples late after a seek in Ogg.
SERVER_FORMATS = {".wav", ".flac", ".ogg", ".oga", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64", ".rf64"}
CHUNK, OVERLAP = 6, 1  # whole seconds, so that seeks need no rounding; a chunk takes about 10 ms


def request(line: Line, folder: str) -> tuple[dict, dict[str, np.ndarray]]:
    """Header fields and arrays that tell the server this line's sound: a path, or the samples where it cannot read it.

    A packed sound is written into `folder`, which must live as long as the job. Raises UserError.
    """
    path = line.path if line.packed is None else _unpack(line, folder)
    aud = _audaspace()
    if aud is None or os.path.splitext(path)[1].lower() in SERVER_FORMATS:
        return {"audio_file": path, "start": line.start, "duration": line.duration}, {}
    samples, rate = decode(aud, path, line.start, line.duration)
    return {"rate": rate}, {"audio": samples}


def decode(aud, path: str, start: float, duration: float) -> tuple[np.ndarray, float]:
    """Mono (N,) float32 and its rate in Hz: `duration` seconds from `start` on, or less where the file ends.

    From the file's beginning and in chunks, because Blender's window stands still while Audaspace decodes one.
    """
    try:
        sound = aud.Sound(path)
        rate = int(sound.specs[0])
    except aud.error as error:
        raise UserError(f'Blender finds no sound in "{path}": convert it to .wav or .flac') from error
    first, last = round(start * rate), round((start + duration) * rate)
    pieces, position, tail = [], 0, np.zeros(0, np.float32)  # position: samples of the file so far
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
        raise UserError(f'The sound file "{os.path.basename(path)}" ends before the strip begins: pick another strip')
    return samples, float(rate)


def _shift(tail: np.ndarray, piece: np.ndarray) -> int:
    """Samples by which `piece` (N,) lies later in the file than `tail` (N,), found by comparing the two.

    Seeks are exact in MP4, but up to 70 ms off in Matroska. The first half of the piece is left out of the comparison:
    decoders need a moment to settle.
    """
    if len(tail) != len(piece) or not np.abs(tail).max(initial=0.0) > 1e-4:
        return 0
    half, most = len(piece) // 2, len(piece) // 4
    padded = 2 * len(piece)
    settled = np.fft.rfft(piece[half : len(piece) - most], padded)
    match = np.fft.irfft(np.fft.rfft(tail, padded) * settled.conj())  # match[half + s]: agreement at a shift of s
    return int(np.argmax(match[half - most : half + most + 1])) - most


def _audaspace():
    try:
        import aud
    except ImportError:  # the bpy module of 4.2
        return None
    return aud


def _unpack(line: Line, folder: str) -> str:
    path = os.path.join(folder, "packed" + os.path.splitext(line.path)[1])
    with open(path, "wb") as file:
        file.write(line.packed)
    return path
