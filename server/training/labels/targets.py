"""Target curves of every clip: `python -m server.training.labels.targets CORPUS... --data DATA --work WORK`.

WORK/targets/CORPUS.npz holds one (F, 52) float32 array per clip name, at 25 fps: tracked clips are cleaned and moved
onto the mesh, clips with phones (emodb: aligned ones) are labelled by the articulation model. A clip with neither is
left out.
"""

import argparse
from pathlib import Path

import numpy as np
import soundfile
import torch

from ... import arkit
from .. import FPS, corpora
from ..speech import align
from . import articulation, lips
from .effort import scale_opening_by_loudness

NAMES = arkit.CHANNELS
PARTNER = [
    NAMES.index(c.replace("Left", "#").replace("Right", "Left").replace("#", "Right")) for c in NAMES
]  # the mirrored channel
# Poor in the tracker (cheeks, nose, jaw to the side), or about the camera and not about speech (gaze).
UNTRACKED = ("eyeLook", "cheek", "nose", "jawForward", "jawLeft", "jawRight", "mouthLeft", "mouthRight", "tongue")
UPPER = ("brow", "eyeSquint", "eyeWide")


def cleaned(curves: np.ndarray) -> np.ndarray:
    """Tracked (F, 52) weights: symmetric, without what the tracker cannot see and without its resting values."""
    curves = (curves + curves[:, PARTNER]) / 2
    for i, name in enumerate(NAMES):
        if name.startswith(UNTRACKED):
            curves[:, i] = 0
        elif name.startswith(UPPER):  # this face's rest reads as a frown and half a squint
            curves[:, i] = np.clip(curves[:, i] - np.median(curves[:, i]), 0, 1)
        elif name.startswith("eyeBlink"):
            curves[:, i] = np.clip((curves[:, i] - 0.25) / 0.45, 0, 1)
    return curves


def rest_width(clips: list[corpora.Clip]) -> float:
    """Mouth width while the lips are closed, in eye distances."""
    tracked = np.concatenate([c.lips for c in clips])
    return float(np.median(tracked[tracked[:, 0] < 0.01, 1]))


def tracked_targets(clips: list[corpora.Clip], head: lips.Lips) -> dict[str, np.ndarray]:
    """Cleaned curves whose mesh has the tracked aperture and width."""
    curves = torch.from_numpy(np.concatenate([cleaned(c.curves) for c in clips])).float()
    aperture, width = lips.wanted(head, np.concatenate([c.lips for c in clips]), rest_width(clips))
    solved = lips.retarget(head, curves, aperture, width).numpy()
    ends = np.cumsum([len(c.curves) for c in clips])
    return {c.name: part for c, part in zip(clips, np.split(solved, ends[:-1]), strict=True)}


def frame_count(clip: corpora.Clip) -> int:
    info = soundfile.info(str(clip.audio))
    return int(info.frames / info.samplerate * FPS)


def targets_of(corpus: str, clips: list[corpora.Clip], head: lips.Lips, work: Path) -> dict[str, np.ndarray]:
    if corpus == "grid":
        return tracked_targets(clips, head)
    if corpus == "facegood":
        return {c.name: c.curves for c in clips}
    if corpus == "quiet":
        return {c.name: np.zeros((frame_count(c), len(NAMES)), np.float32) for c in clips}
    clips = align.with_phones(clips, work)
    model = articulation.load(work / "articulation.safetensors")
    curves = articulation.articulate(model, head, [(c.phones, frame_count(c)) for c in clips])
    return {
        c.name: scale_opening_by_loudness(part, soundfile.read(str(c.audio), dtype="float32")[0])
        for c, part in zip(clips, curves, strict=True)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="+", choices=[c for c in corpora.READERS if c != "mead3d"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    args = parser.parse_args()
    head = lips.of_head()
    (args.work / "targets").mkdir(parents=True, exist_ok=True)
    for corpus in args.corpora:
        clips = corpora.read(corpus, args.data)
        targets = targets_of(corpus, clips, head, args.work)
        np.savez(args.work / "targets" / f"{corpus}.npz", **targets)
        apertures = np.concatenate([head(torch.from_numpy(t))[:, 0].numpy() for t in targets.values()])
        print(
            f"{corpus}: {len(targets)} clips, aperture in mm at 5, 50, 95 %: "
            f"{1e3 * np.percentile(apertures, [5, 50, 95])}",
            flush=True,
        )


if __name__ == "__main__":
    main()
