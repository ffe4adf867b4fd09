"""The phrases of a sound strip, as the server finds them."""

from tempfile import TemporaryDirectory

import bpy
import numpy as np
from numpy.typing import NDArray

from ..client.wire import phrases
from . import audio, strips


def phrase_frames(scene: bpy.types.Scene, strip: "bpy.types.SoundStrip") -> NDArray[np.float64] | None:
    """Return the first and last scene frame (m, 2) of each phrase of a strip; None without a sound library in Blender.

    Raises:
        UserError: The strip cannot be read, or its file has no sound.
    """
    aud = audio.audaspace()
    if aud is None:
        return None
    line = strips.read_line(scene, strip)
    with TemporaryDirectory(prefix="lsf_") as folder:
        path = audio.readable(line, folder)
        (samples,), rate = audio.decode(aud, path, [(line.start, line.duration)])
    window = round(rate / phrases.WINDOWS)
    power = np.square(samples[: len(samples) // window * window].reshape(-1, window)).mean(1)
    level = 10 * np.log10(power + 1e-10)
    return line.first_frame + (phrases.phrases(level) - line.t0) * line.fps
