"""Pictures to judge a checkpoint by.

    python -m server.training.evaluation.pictures CHECKPOINT --data DATA --line FILE --out DIR

emotions.png    the project's head at three moments of a line (rows): as the voice implies, and each emotion at full
                strength (columns)
apertures.png   tracked and predicted inner-lip aperture of three GRID clips kept out of training

Needs matplotlib besides the server's packages (pip install matplotlib).
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import soundfile

from ...face.build.contact_sheet import YAW, shade, write_png
from ...face.build.synthetic import rotation
from ...face.head import load_head
from ...files import audio
from ...model import LSF
from ...performance.emotion.direction import Direction
from ...performance.perform import perform
from ...protocol.emotions import EMOTIONS
from .. import FPS
from ..evaluate import Speaker

MOMENTS = (0.3, 0.55, 0.8)  # of the line
BACK = np.array([0.0, 0.06, 0.0])  # metres from the face to the axis about which the head is turned
EYE_DISTANCE = 89.2  # mm, outer corners, of the project's head


def emotions(model: LSF, speech: np.ndarray) -> np.ndarray:
    """(rows, columns) of heads as one (H, W, 3) uint8 picture; speech (N,) at 16 kHz."""
    head = load_head()
    marks = head.landmarks68
    middle, size = 0.35 * marks[8] + 0.65 * marks[27] + BACK, 2.0 * np.linalg.norm(marks[27] - marks[8])
    columns = []
    for emotion in (None, *EMOTIONS):
        chosen = Direction.constant(emotion)
        motion = perform(model, speech, direct=lambda times, d=chosen: d.at(times, FPS, 0)).motion
        column = []
        for moment in MOMENTS:
            posed = head.vertices + np.tensordot(motion[int(moment * len(motion))], head.basis, 1)
            column.append(shade((posed - middle) @ rotation(0, 0, YAW).T, head.triangles, size))
        columns.append(np.concatenate(column))
    return np.concatenate(columns, axis=1)


def apertures(checkpoint: Path, data: Path, path: Path, clips: int = 3) -> None:
    """Write the plot of tracked against predicted aperture in mm."""
    speaker = Speaker(checkpoint, [])
    chosen = speaker.clips(data, "grid")[:clips]
    figure, axes = plt.subplots(clips, 1, figsize=(9, 2.1 * clips), sharex=True, layout="constrained")
    for axis, clip in zip(axes, chosen, strict=True):
        predicted = 1e3 * speaker.lips(speaker.say(clip))[:, 0]
        axis.plot(np.arange(len(clip.lips)) / FPS, EYE_DISTANCE * clip.lips[:, 0], label="tracked")
        axis.plot(np.arange(len(predicted)) / FPS, predicted, label="predicted")
        for symbol, start, end in clip.phones:
            if symbol:
                axis.text((start + end) / 2, -2.2, symbol, ha="center", size=8)
        axis.set(ylabel="mm", ylim=(-3, None))
    axes[0].legend(loc="upper right", ncols=2, frameon=False)
    axes[-1].set_xlabel("seconds")
    figure.savefig(path, dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--line", type=Path, required=True, help="a sound file with a line of speech")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    samples, rate = soundfile.read(str(args.line), dtype="float32")
    speech = audio.to_mono_16k(samples, rate)
    write_png(args.out / "emotions.png", emotions(LSF.from_pretrained(args.checkpoint), speech))
    apertures(args.checkpoint, args.data, args.out / "apertures.png")


if __name__ == "__main__":
    main()
