"""Times the model's speech encoder alone: what no request can be faster than. `bench.py` runs it as a process.

Each line that it reads names a sound file. It answers with two numbers of seconds: for each second of the sound once,
and for the windows of the server, which overlap where a sound is longer than one of them.
"""

import sys
import time
from pathlib import Path

# isort: off
import server.__main__  # noqa: F401 (first of all: it sets the server's number of threads, before torch reads it)

# isort: on
import numpy as np
import torch

from server.engine import Engine
from server.files import audio
from server.model import LSF
from server.model.inference import OVERLAP, WINDOW, plan_windows


@torch.inference_mode()
def encode(model: LSF, speech: torch.Tensor, overlap: float) -> float:
    """Encode speech in windows as the server does.

    Args:
        model: The model.
        speech: (N,) at 16 kHz.
        overlap: Seconds that neighbouring windows share.

    Returns:
        The seconds that it took.
    """
    start, fps = time.perf_counter(), model.config.fps
    statistics = model.clip_statistics(speech)
    for first, end in plan_windows(model.frame_count(len(speech)), round(WINDOW * fps), round(overlap * fps)):
        model.encode_audio(speech, first, end - first, statistics)
    return time.perf_counter() - start


def main() -> None:
    """Answer one sound file after the other, until there are no more."""
    model = Engine().model
    for name in sys.stdin:
        samples = audio.to_mono_16k(*audio.load(Path(name.rstrip("\n"))))
        speech = torch.from_numpy(np.ascontiguousarray(samples, np.float32))
        once = encode(model, speech, 0.0)
        is_long = len(speech) > WINDOW * audio.SAMPLE_RATE
        print(once, encode(model, speech, OVERLAP) if is_long else once, flush=True)


if __name__ == "__main__":
    main()
