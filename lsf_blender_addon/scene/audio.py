"""Sound of a Line for the server. No bpy here: this runs in a thread."""

import os
import time

import numpy as np

from ..errors import Refusal
from .strips import Line

# What libsndfile reads. It seeks to the exact sample, runs in the server's process, and so never holds up Blender;
# Audaspace holds Python's global lock while it decodes, and lands 1024 samples late after a seek in Ogg.
SERVER_FORMATS = {".wav", ".flac", ".ogg", ".oga", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64", ".rf64"}
CHUNK, PREROLL = 2, 1  # seconds; decoders need the preroll to settle after a seek


def request(line: Line, folder: str) -> tuple[dict, dict[str, np.ndarray]]:
    """Header fields and arrays that tell the server this line's sound: a path, or the samples where it cannot read it.

    A packed sound is written into `folder`, which must live as long as the job. Raises Refusal.
    """
    path = line.path if line.packed is None else _unpack(line, folder)
    aud = _audaspace()
    if aud is None or os.path.splitext(path)[1].lower() in SERVER_FORMATS:
        return {"audio_file": path, "start": line.start, "duration": line.duration}, {}
    samples, rate = decode(aud, path, line.start, line.duration)
    return {"rate": rate}, {"audio": samples}


def decode(aud, path: str, start: float, duration: float) -> tuple[np.ndarray, float]:
    """Mono (N,) float32 and its rate in Hz: `duration` seconds from `start` on, or less where the file ends.

    In chunks, because Blender's window stands still while Audaspace decodes one.
    """
    try:
        sound = aud.Sound(path)
        rate = float(sound.specs[0])
    except aud.error as error:
        raise Refusal(f'Blender finds no sound in "{path}": convert it to .wav or .flac') from error
    first, count = round(start * rate), round(duration * rate)
    pieces = []
    for second in range(int(start), int(start + duration) + 1, CHUNK):  # whole seconds: seeks that need no rounding
        begin = max(0, second - PREROLL)
        piece = sound.limit(begin, second + CHUNK).rechannel(1).data()[:, 0][round((second - begin) * rate):]
        if not len(piece):
            break
        pieces.append(np.array(piece, np.float32))
        time.sleep(0.002)  # lets Blender's main thread have the lock
    if not pieces:
        raise Refusal(f'The sound file "{os.path.basename(path)}" ends before the strip begins: pick another strip')
    samples = np.concatenate(pieces)
    skip = first - round(int(start) * rate)
    return np.ascontiguousarray(samples[skip: skip + count]), rate


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
