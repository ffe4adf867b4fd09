"""Target curves of voices without a face, as the teachers hear them, with rules where rules are certain.

    python -m server.training.labels.heard_targets CORPUS... --data DATA --work WORK --whisper WHISPER --teachers FOLDER

WORK/targets/CORPUS.npz has the format of targets.py, which writes the other corpora. Curves, aperture and width are
those of the teachers (teachers.py). Then the rules of phone_rules.py apply: lips that meet on p, b and m, the lower lip
at the teeth on f and v, the direction of rounding, lips apart on sounds without contact. In silence the mouth rests. A
clip without phones is left out.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...numerics import FloatArray
from .. import corpora, features
from ..speech.phonetics import Phone
from . import encoder_states, lips, teachers
from .mouth import mouth_to_curves
from .phone_rules import RULES, Rule, constrain

# Seconds before the first and after the last sound of a run of speech in which the mouth does as heard. Outside of
# these it rests. People open the mouth before they speak, by very different times; after the last sound all close alike
# (docs/training.md).
REST_BEFORE, REST_AFTER = 0.4, 0.0
TOLERANCE = 0.0003, 0.002  # metres, of aperture and width in `retarget`: closed lips count more than an exact width


@dataclass
class Labeller:
    """How voices without a face are labelled.

    Attributes:
        ensemble: The teachers.
        head: Lips of the project's head.
        rules: Rules that apply to what the teachers hear.
        rest_before: Seconds before the first sound of a run of speech from which the mouth does as heard.
        rest_after: Seconds after its last sound for which the mouth does as heard.
    """

    ensemble: teachers.Ensemble
    head: lips.Lips
    rules: Sequence[Rule] = RULES
    rest_before: float = REST_BEFORE
    rest_after: float = REST_AFTER

    def goals(self, states: FloatArray, phones: list[Phone] | None) -> tuple[Tensor, Tensor, Tensor]:
        """Predict a clip's curves and lips before retargeting.

        Args:
            states: (F, hidden) states of the encoder at 25 fps.
            phones: Phones with their times. None: the teachers alone decide, and no rule applies.

        Returns:
            Curves (F, 52), and the aperture (F,) and width (F,) in metres that they are to have on the mesh.
        """
        mouth = self.ensemble.predict(states)
        closed = float(lips.CLOSED_APERTURE_SHARE * self.head.neutral[0])
        heard = mouth_to_curves(mouth), (mouth[:, -2] / 1e3).clamp(min=closed), mouth[:, -1] / 1e3
        if phones is None:
            return heard
        return constrain(self.rules, self.head, phones, heard, self.rest_before, self.rest_after)

    def label(self, clips: Sequence[tuple[FloatArray, list[Phone] | None]]) -> list[FloatArray]:
        """Label clips.

        Args:
            clips: States (F, hidden) and phones of each clip, as of `goals`.

        Returns:
            Curves (F, 52) of each clip, 0 to 1.
        """
        goals = [self.goals(states, phones) for states, phones in clips]
        curves, aperture, width = (torch.cat(part) for part in zip(*goals, strict=True))
        solved = lips.retarget(self.head, curves, aperture, width, tolerance=TOLERANCE).numpy()
        return np.split(solved, np.cumsum([len(states) for states, _ in clips])[:-1])


def main() -> None:
    """Label the given corpora."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="+", choices=["kokoro", "kokoro_more", "ljspeech", "emodb"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--whisper", type=Path, required=True, help="folder that convert_whisper wrote")
    parser.add_argument("--teachers", type=Path, required=True, help="folder that teachers.py wrote")
    args = parser.parse_args()
    model, head = features.load_extractor(args.whisper), lips.load_lips()
    labeller = Labeller(teachers.load_ensemble(args.teachers), head)
    folder = args.work / "targets"
    folder.mkdir(parents=True, exist_ok=True)
    for corpus in args.corpora:
        clips = [clip for clip in corpora.read(corpus, args.data) if clip.phones is not None]
        states = encoder_states.load(args.work, corpus, clips, model)
        curves = labeller.label([(states[c.name], c.phones) for c in clips])
        arrays: dict[str, Any] = {c.name: part for c, part in zip(clips, curves, strict=True)}  # Any: as in targets
        np.savez(folder / f"{corpus}.npz", **arrays)
        apertures = 1e3 * np.concatenate([head(torch.from_numpy(part))[:, 0].numpy() for part in curves])
        percentiles = np.percentile(apertures, [5, 50, 95])
        print(f"{corpus}: {len(clips)} clips, aperture in mm at 5, 50, 95 %: {percentiles}", flush=True)


if __name__ == "__main__":
    main()
