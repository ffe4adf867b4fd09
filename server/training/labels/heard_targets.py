"""Target curves of voices without a face, as the teachers hear them, with rules where rules are certain.

    python -m server.training.labels.heard_targets CORPUS... --data DATA --work WORK --whisper WHISPER --teachers FOLDER

WORK/heard_targets/CORPUS.npz has the format of targets.py, which writes what the articulation model gives. Here the
curves, the aperture and the width are those of the teachers (teachers.py), mixed with those of the articulation model
and the phonetic charts if --phonetic-share is above 0. Then CERTAIN_RULES apply: lips that meet on p, b and m, the
lower lip at the teeth on f and v, the direction of rounding. In silence the mouth rests.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...files.audio import load_16k
from ...numerics import FloatArray
from .. import corpora, features
from ..speech import align
from ..speech.phonetics import Phone
from . import articulation, encoder_states, lips, teachers
from .vocal_effort import scale_opening_by_loudness

CONTACTS = {"p", "b", "m", "f", "v"}  # a rule for one of them says how close the lips come; others only round
CERTAIN_RULES = tuple(
    rule if CONTACTS & set(rule.phones.split()) else replace(rule, aperture=(0.0, 1.0))
    for rule in articulation.RULES
    if CONTACTS & set(rule.phones.split()) or "mouthPucker" in rule.minimum
)
# People open the mouth before they speak, by very different times (docs/training.md); it is heard in part.
REST_MARGIN = 0.4  # seconds
TOLERANCE = 0.0003, 0.002  # metres, of aperture and width in `retarget`, as in articulation.articulate


@dataclass
class Labeller:
    """How voices without a face are labelled.

    Attributes:
        ensemble: The teachers.
        head: Lips of the project's head.
        phone_model: The articulation model; needed if `phonetic_share` is above 0.
        phonetic_share: Share of the articulation model and the charts in the curves and the lips, 0 to 1.
        rules: Rules that apply after the mixture.
        rest_margin: Seconds before and after speech in which the mouth does as heard. Beyond it rests.
        loudness: Whether loud syllables open the mouth wider than the teachers do.
    """

    ensemble: teachers.Ensemble
    head: lips.Lips
    phone_model: articulation.Articulation | None = None
    phonetic_share: float = 0.0
    rules: Sequence[articulation.Rule] = CERTAIN_RULES
    rest_margin: float = REST_MARGIN
    loudness: bool = False

    def goals(self, states: FloatArray, phones: list[Phone] | None) -> tuple[Tensor, Tensor, Tensor]:
        """Predict a clip's curves and lips before retargeting.

        Args:
            states: (F, hidden) states of the encoder at 25 fps.
            phones: Phones with their times. None: the teachers alone decide, and no rule applies.

        Returns:
            Curves (F, 52), and the aperture (F,) and width (F,) in metres that they are to have on the mesh.

        Raises:
            ValueError: The share of the phones is above 0, and there is no articulation model or there are no phones.
        """
        mouth = self.ensemble.predict(states)
        closed = float(lips.CLOSED_APERTURE_SHARE * self.head.neutral[0])
        heard = (articulation.mouth_to_curves(mouth), (mouth[:, -2] / 1e3).clamp(min=closed), mouth[:, -1] / 1e3)
        if self.phonetic_share > 0:
            if self.phone_model is None or phones is None:
                raise ValueError("A share of the phones needs the articulation model and the clip's phones.")
            said = articulation.predict_lips(self.phone_model, phones, len(states))
            curves, aperture, width = (a + self.phonetic_share * (b - a) for a, b in zip(heard, said, strict=True))
            heard = curves, aperture, width
        return (
            heard if phones is None else articulation.constrain(self.rules, self.head, phones, heard, self.rest_margin)
        )

    def label(self, clips: Sequence[tuple[FloatArray, list[Phone] | None, FloatArray]]) -> list[FloatArray]:
        """Label clips.

        Args:
            clips: States (F, hidden), phones, and sound (N,) at 16 kHz of each clip. The sound is used with `loudness`.

        Returns:
            Curves (F, 52) of each clip, 0 to 1.
        """
        goals = [self.goals(states, phones) for states, phones, _ in clips]
        curves, aperture, width = (torch.cat(part) for part in zip(*goals, strict=True))
        solved = lips.retarget(self.head, curves, aperture, width, tolerance=TOLERANCE).numpy()
        labelled = np.split(solved, np.cumsum([len(states) for states, _, _ in clips])[:-1])
        if not self.loudness:
            return labelled
        return [scale_opening_by_loudness(c, audio) for c, (_, _, audio) in zip(labelled, clips, strict=True)]


def main() -> None:
    """Label the given corpora."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="+", choices=["kokoro", "kokoro_more", "ljspeech", "emodb"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--whisper", type=Path, required=True, help="folder that convert_whisper wrote")
    parser.add_argument("--teachers", type=Path, required=True, help="folder that teachers.py wrote")
    parser.add_argument("--phonetic-share", type=float, default=0.0, help="of the articulation model and the charts")
    parser.add_argument("--loudness", action="store_true", help="loud syllables open the mouth wider")
    args = parser.parse_args()
    model, head = features.load_extractor(args.whisper), lips.load_lips()
    phone_model = articulation.load(args.work / "articulation.safetensors") if args.phonetic_share else None
    labeller = Labeller(
        teachers.load_ensemble(args.teachers), head, phone_model, args.phonetic_share, loudness=args.loudness
    )
    folder = args.work / "heard_targets"
    folder.mkdir(parents=True, exist_ok=True)
    for corpus in args.corpora:
        clips = align.with_phones(corpora.read(corpus, args.data), args.work)
        states = encoder_states.load(args.work, corpus, clips, model)
        curves = labeller.label([(states[c.name], c.phones, load_16k(c.audio)) for c in clips])
        arrays: dict[str, Any] = {c.name: part for c, part in zip(clips, curves, strict=True)}  # Any: as in targets
        np.savez(folder / f"{corpus}.npz", **arrays)
        apertures = 1e3 * np.concatenate([head(torch.from_numpy(part))[:, 0].numpy() for part in curves])
        percentiles = np.percentile(apertures, [5, 50, 95])
        print(f"{corpus}: {len(clips)} clips, aperture in mm at 5, 50, 95 %: {percentiles}", flush=True)


if __name__ == "__main__":
    main()
