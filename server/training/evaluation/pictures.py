"""Pictures to judge a checkpoint by.

    python -m server.training.evaluation.pictures CHECKPOINT --data DATA --line FILE --out DIR

emotions.png    the project's head at three moments of a line (rows): with the emotion that the voice implies, and
                with each emotion at full strength (columns)
apertures.png   tracked and predicted inner-lip aperture of three held-out GRID clips

Needs matplotlib besides the server's packages (pip install matplotlib).
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

from ...face.build.contact_sheet import YAW, shade, write_png
from ...face.build.synthetic import rotation
from ...face.head import load_head
from ...files.audio import load_16k
from ...protocol.emotions import EMOTIONS
from .. import FPS
from ..corpora import required
from ..labels.lips import EYE_DISTANCE
from .runner import Runner

MOMENTS = (0.3, 0.55, 0.8)  # as shares of the line
ROTATION_CENTRE = np.array([0.0, 0.06, 0.0])  # metres from the face to the axis about which the head is turned


def draw_emotions(runner: Runner, speech: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the picture of emotions (H, W, 3) for speech (N,) at 16 kHz."""
    head = load_head()
    marks = head.landmarks68
    middle = 0.35 * marks[8] + 0.65 * marks[27] + ROTATION_CENTRE  # between the chin and the bridge of the nose
    size = 2.0 * float(np.linalg.norm(marks[27] - marks[8]))
    columns = []
    for emotion in (None, *EMOTIONS):
        motion = runner.perform(speech, emotion).motion
        column = []
        for moment in MOMENTS:
            posed = head.vertices + np.tensordot(motion[int(moment * len(motion))], head.basis, 1)
            column.append(shade((posed - middle) @ rotation(0, 0, YAW).T, head.triangles, size))
        columns.append(np.concatenate(column))
    return np.concatenate(columns, axis=1)


def plot_apertures(runner: Runner, data: Path, path: Path, clips: int = 3) -> None:
    """Write the plot of tracked and predicted aperture in mm.

    Args:
        runner: The checkpoint.
        data: Folder that holds the corpora.
        path: File of the plot.
        clips: Number of GRID clips, one below the other.
    """
    chosen = runner.clips(data, "grid")[:clips]
    figure, axes = plt.subplots(clips, 1, figsize=(9, 2.1 * clips), sharex=True, layout="constrained")
    for axis, clip in zip(axes, chosen, strict=True):
        predicted = 1e3 * runner.lips(runner.run(clip))[:, 0]
        tracked = 1e3 * EYE_DISTANCE * required(clip.lips)[:, 0]
        axis.plot(np.arange(len(tracked)) / FPS, tracked, label="tracked")
        axis.plot(np.arange(len(predicted)) / FPS, predicted, label="predicted")
        for symbol, start, end in required(clip.phones):
            if symbol:
                axis.text((start + end) / 2, -2.2, symbol, ha="center", size=8)
        axis.set(ylabel="mm", ylim=(-3, None))
    axes[0].legend(loc="upper right", ncols=2, frameon=False)
    axes[-1].set_xlabel("seconds")
    figure.savefig(path, dpi=90)


def main() -> None:
    """Write both pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--line", type=Path, required=True, help="a sound file with a line of speech")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    runner = Runner(args.checkpoint, [])
    write_png(args.out / "emotions.png", draw_emotions(runner, load_16k(args.line)))
    plot_apertures(runner, args.data, args.out / "apertures.png")


if __name__ == "__main__":
    main()
