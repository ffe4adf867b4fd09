"""Target curves: `python -m server.training.labels.targets CORPUS... --data DATA --work WORK`.

WORK/targets/CORPUS.npz holds one (F, 52) float32 array per clip name, at 25 fps. Tracked clips are cleaned and
retargeted to the mesh, captured ones are kept, sound without speech is a face at rest, and in vocal bursts the mouth
opens with the voice (bursts.py). Speech without a face is labelled by heard_targets.py.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from ... import arkit
from ...files.audio import load_16k
from ...numerics import FloatArray
from .. import FPS, corpora
from ..corpora import required
from . import bursts, lips

CORPORA = ("grid", "facegood", "non_speech", "emogator")
CHANNELS = arkit.CHANNELS
MIRRORED = [CHANNELS.index(arkit.mirrored(c)) for c in CHANNELS]  # index of the channel of the other side
# Channels that the tracker measures poorly (cheeks, nose, jaw to the side), or that depend on the camera (gaze).
UNTRACKED = ("eyeLook", "cheek", "nose", "jawForward", "jawLeft", "jawRight", "mouthLeft", "mouthRight", "tongue")
BROWS_AND_LIDS = ("brow", "eyeSquint", "eyeWide")
BLINK_REST, BLINK_RANGE = 0.25, 0.45  # tracked eyeBlink of open eyes, and its increase until they are closed
# Eye distances: tracked lips that are closer count as closed when the rest width is measured. The tracker measures the
# lips' rims, so this is no threshold of contact on the mesh (server/performance/lip_contact.py has those).
CLOSED_LIPS = 0.01


def clean_tracked_curves(curves: FloatArray) -> FloatArray:
    """Make tracked weights (F, 52) symmetric; remove untracked channels and the resting values of brows and lids."""
    curves = (curves + curves[:, MIRRORED]) / 2
    for i, name in enumerate(CHANNELS):
        if name.startswith(UNTRACKED):
            curves[:, i] = 0
        elif name.startswith(BROWS_AND_LIDS):  # the tracker takes this face at rest for a frown and a slight squint
            curves[:, i] = np.clip(curves[:, i] - np.median(curves[:, i]), 0, 1)
        elif name.startswith("eyeBlink"):
            curves[:, i] = np.clip((curves[:, i] - BLINK_REST) / BLINK_RANGE, 0, 1)
    return curves


def rest_width(clips: list[corpora.Clip]) -> float:
    """Return the median mouth width of tracked clips while the lips are closed, in eye distances.

    Lips that are hardly ever as close as CLOSED_LIPS count as closed in the tenth of the frames of least aperture.
    """
    tracked = np.concatenate([required(c.lips) for c in clips])
    closed = max(CLOSED_LIPS, float(np.percentile(tracked[:, 0], 10)))
    return float(np.median(tracked[tracked[:, 0] <= closed, 1]))


def tracked_targets(clips: list[corpora.Clip], head: lips.Lips) -> dict[str, FloatArray]:
    """Return the curves (F, 52) of each tracked clip, cleaned and retargeted to the tracked aperture and width."""
    curves = torch.from_numpy(np.concatenate([clean_tracked_curves(required(c.curves)) for c in clips])).float()
    tracked = np.concatenate([required(c.lips) for c in clips])
    aperture, width = lips.scale_to_head(head, tracked, rest_width(clips))
    solved = lips.retarget(head, curves, aperture, width).numpy()
    ends = np.cumsum([len(required(c.curves)) for c in clips])
    return {c.name: part for c, part in zip(clips, np.split(solved, ends[:-1]), strict=True)}


def frame_count(clip: corpora.Clip) -> int:
    """Return the number of whole frames at 25 fps in the sound of a clip."""
    info = soundfile.info(str(clip.audio))
    return int(info.frames / info.samplerate * FPS)


def corpus_targets(corpus: str, clips: list[corpora.Clip], head: lips.Lips) -> dict[str, FloatArray]:
    """Return the target curves of a corpus.

    Args:
        corpus: One of CORPORA.
        clips: Its clips.
        head: Lips of the project's head.

    Returns:
        Curves (F, 52) at 25 fps by the name of the clip.
    """
    if corpus == "grid":
        return tracked_targets(clips, head)
    if corpus == "facegood":
        return {c.name: required(c.curves) for c in clips}
    if corpus == "non_speech":
        return {c.name: np.zeros((frame_count(c), len(CHANNELS)), np.float32) for c in clips}
    return {c.name: bursts.burst_curves(load_16k(c.audio), head) for c in clips}


def main() -> None:
    """Write the targets of the given corpora."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="+", choices=CORPORA)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    args = parser.parse_args()
    head = lips.load_lips()
    (args.work / "targets").mkdir(parents=True, exist_ok=True)
    for corpus in args.corpora:
        clips = corpora.read(corpus, args.data)
        targets = corpus_targets(corpus, clips, head)
        arrays: dict[str, Any] = dict(targets)  # Any: savez has keyword arguments of other types
        np.savez(args.work / "targets" / f"{corpus}.npz", **arrays)
        apertures = np.concatenate([head(torch.from_numpy(t))[:, 0].numpy() for t in targets.values()])
        print(
            f"{corpus}: {len(targets)} clips, aperture in mm at 5, 50, 95 %: "
            f"{1e3 * np.percentile(apertures, [5, 50, 95])}",
            flush=True,
        )


if __name__ == "__main__":
    main()
