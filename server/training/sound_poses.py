"""The pose of each sound: lsf_blender_addon/assets/sounds.json, made from the model on training speech.

    python -m server.training.sound_poses --data DATA [--out FILE.json]

For each sound of server/sounds/inventory.py: its ARPAbet, its viseme, how many were measured, and the mean of the
curves of a neutral voice at its peak. The peak is where the mouth is most closed within p, b, m, f and v, most open
within open vowels, and otherwise the middle of the sound. Only the longer sounds count (LONG), since short ones do not
reach their pose. Two things are corrected: the lips of p, b and m meet, and the lower lip of f and v is at the upper
teeth (TEETH): the tracker behind the training curves sees no difference between f and p.
"""

import argparse
import json
import re
from collections import defaultdict
from pathlib import Path

import numpy as np

from ..arkit import CHANNELS
from ..engine import DEFAULT_CHECKPOINT
from ..files.audio import load_16k
from ..model import LSF, synthesize
from ..numerics import FloatArray
from ..performance.lip_contact import close_near_contacts, opening
from ..sounds.inventory import ARPABET, SAME, VISEME
from . import FPS, corpora
from .speech.sound_labels import sounds

OUT = Path(__file__).parents[2] / "lsf_blender_addon" / "assets" / "sounds.json"
CLIPS = {"ljspeech": 41, "kokoro": 160, "emodb": 120, "kokoro_more": 160}  # the first of each corpus
CLOSED = ("p", "b", "m")
TEETH = ("f", "v")
LIP_AT_TEETH = {"mouthRollLower": 0.55, "mouthUpperUpLeft": 0.25, "mouthUpperUpRight": 0.25, "jawOpen": 0.06}
LIPS_APART = ("mouthClose", "mouthPressLeft", "mouthPressRight", "mouthRollUpper", "mouthShrugUpper")  # then 0
LONG = 0.6  # quantile of a sound's durations from which on it counts
OPEN = ("a", "ɑ", "æ", "ɒ", "aɪ", "aʊ", "ɛ", "ʌ", "ɐ")
DECIMALS, LEAST = 3, 0.005  # of weights that are written; smaller ones are left out
MOUTH = [i for i, name in enumerate(CHANNELS) if name.startswith(("jaw", "mouth", "tongue", "cheekPuff"))]


def poses(model: LSF, clips: list[corpora.Clip]) -> dict[str, tuple[FloatArray, int]]:
    """Return the mean pose (52,) of each sound and the number of occurrences that were measured."""
    found: dict[str, list[tuple[float, FloatArray]]] = defaultdict(list)
    for clip in clips:
        curves = close_near_contacts(synthesize(model, load_16k(clip.audio)).curves)
        gap = opening(curves)
        for symbol, start, end in sounds(clip):
            first, last = round(start * FPS), max(round(start * FPS) + 1, round(end * FPS))
            if not symbol or last > len(curves):
                continue
            if symbol in CLOSED or symbol in TEETH:
                frame = first + int(gap[first:last].argmin())
            elif symbol in OPEN:
                frame = first + int(gap[first:last].argmax())
            else:
                frame = min(round((start + end) / 2 * FPS), len(curves) - 1)
            found[symbol].append((end - start, curves[frame]))
    means = {}
    for symbol, several in found.items():
        least = np.quantile([seconds for seconds, _ in several], LONG)
        clear = [curve for seconds, curve in several if seconds >= least]
        means[symbol] = (np.mean(clear, 0), len(clear))
    return means


def closed(pose: FloatArray) -> FloatArray:
    """Return a pose (52,) whose lips meet: mouthClose takes away what is left between them."""
    result = pose.copy()
    close = CHANNELS.index("mouthClose")
    for _ in range(200):
        if opening(result[None].astype(np.float32))[0] <= 0 or result[close] >= 1:
            break
        result[close] = min(1.0, result[close] + 0.01)
    return result


def at_teeth(pose: FloatArray) -> FloatArray:
    """Return a pose (52,) whose lower lip is at the upper teeth."""
    result = pose.copy()
    result[[CHANNELS.index(name) for name in LIPS_APART]] = 0
    for name, weight in LIP_AT_TEETH.items():
        result[CHANNELS.index(name)] = weight
    return result


def table(model: LSF, data: Path) -> dict[str, object]:
    """Return what sounds.json holds."""
    clips = []
    for corpus, count in CLIPS.items():
        if (data / corpora.READERS[corpus][0]).is_dir():
            several = [clip for clip in corpora.read(corpus, data) if clip.phones is not None]
            clips += [several[i] for i in np.linspace(0, len(several) - 1, min(count, len(several))).astype(int)]
    measured = poses(model, clips)
    entries = {}
    for symbol, arpabet in ARPABET.items():
        pose, count = measured.get(symbol, (np.zeros(len(CHANNELS)), 0))
        if symbol in CLOSED:
            pose = closed(pose)
        elif symbol in TEETH:
            pose = at_teeth(pose)
        weights = [round(float(w), DECIMALS) if i in MOUTH and w >= LEAST else 0 for i, w in enumerate(pose)]
        entries[symbol] = {"arpabet": arpabet, "viseme": VISEME[symbol], "count": count, "pose": weights}
    same = {other: list(parts) for other, parts in SAME.items()}
    return {"format": "lsf-sounds", "version": 1, "channels": CHANNELS, "sounds": entries, "same": same}


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the corpora")
    parser.add_argument("--checkpoint", type=Path, default=DEFAULT_CHECKPOINT, help="default: the one that ships")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    result = table(LSF.from_pretrained(args.checkpoint), args.data)
    text = json.dumps(result, ensure_ascii=False, indent=1)
    text = re.sub(r"\[[^\[\]{}]*\]", lambda found: re.sub(r"\s+", " ", found[0]), text)  # a list is one line
    args.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
