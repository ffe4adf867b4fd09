"""Articulation model: phones with their times -> ARKit curves, learned from tracked and captured real speech.

    python -m server.training.labels.articulation --data DATA --work WORK [--faces grid facegood]

It labels speech that has phones but no face (synthetic voices, read speech), with the coarticulation, lag and
amplitude of real speakers: what each of the faces would do, and the mean of that. A face has habits (GRID's speaker
opens his mouth as wide for i as for æ), and one that nobody has seen has others: how wide the mouth opens is therefore
for a large part what the charts of phonetics say. What all of these lack or blur is set by rule afterwards (RULES).
"""

import argparse
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ... import arkit
from .. import corpora
from ..evaluation import metrics
from ..speech import align
from ..speech.phonetics import FEATURES, Phone, charted_opening, phone_frames, presence, speaking
from . import lips

MOUTH = (
    "jawOpen",
    "mouthClose",
    "mouthFunnel",
    "mouthPucker",
    "mouthSmile",
    "mouthDimple",
    "mouthStretch",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthPress",
    "mouthLowerDown",
    "mouthUpperUp",
)  # left = right in speech
SAMPLES = 4  # phone features a frame
EPOCHS, BATCH, RATE, SEED = 60, 25, 3e-3, 1
PIECE = 75  # frames of an example
CHARTED = 0.7  # share of the charts in how wide the mouth opens; faces kept out choose .6-.8 (docs/training.md)
WIDEST = 0.017  # metres of a long a by the charts, so that these vary as much as the faces do


@dataclass
class Rule:
    """While one of `phones` lasts, the aperture in metres lies in `aperture`, channels have at least these weights."""

    phones: str  # IPA, space-separated
    ramp: float  # seconds to reach it
    aperture: tuple[float, float] = (0.0, 1.0)
    least: dict[str, float] = field(default_factory=dict)


RULES = (
    Rule("i ɪ ɨ", 0.06, (0.001, 0.0075)),
    Rule("e eɪ ɤ ə ʌ", 0.06, (0.001, 0.010)),
    Rule("a ɑ æ aɪ aʊ", 0.06, (0.009, 1.0)),
    Rule("ɹ ɝ ɻ", 0.06, (0.0, 0.008), {"mouthPucker": 0.15, "mouthFunnel": 0.1}),
    Rule("ɔ ɔɪ oʊ o əʊ ɒ ø œ", 0.06, (0.003, 0.010), {"mouthPucker": 0.4, "mouthFunnel": 0.2}),
    Rule("s z ts dz ʂ ʈʂ ɕ tɕ dʑ", 0.05, (0.0015, 0.0045)),
    Rule("θ ð", 0.05, (0.002, 0.005), {"mouthLowerDown": 0.05}),
    Rule("ʃ ʒ tʃ dʒ", 0.06, (0.002, 0.0055), {"mouthFunnel": 0.3, "mouthPucker": 0.3}),
    Rule("u ʊ w y ɥ", 0.06, (0.001, 0.006), {"mouthPucker": 0.55, "mouthFunnel": 0.1}),
    Rule("ɸ β", 0.05, (0.0, 0.0015)),
    Rule("f v ʋ", 0.05, (0.0, 0.0016), {"mouthRollLower": 0.3, "mouthUpperUp": 0.08}),
    Rule("p b m", 0.05, (0.0, 0.0), {"mouthPress": 0.1}),
)


class Articulation(nn.Module):
    """Bidirectional GRU over phone features at 25 fps -> standardised mouth channels, aperture and width of a face."""

    def __init__(self, faces: int, hidden: int = 96, layers: int = 2):
        super().__init__()
        size = len(MOUTH) + 2
        self.faces = nn.Embedding(faces, hidden)
        self.inputs = nn.Linear(SAMPLES * len(FEATURES), hidden)
        self.gru = nn.GRU(hidden, hidden, layers, batch_first=True, bidirectional=True, dropout=0.2)
        self.outputs = nn.Linear(2 * hidden, size)
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))

    def forward(self, features: Tensor, face: Tensor) -> Tensor:
        """(B, F, SAMPLES, features) and the number of a face (B,) -> (B, F, mouth channels + aperture + width)"""
        if self.training:  # a feature that is missing for a whole clip must be made up from the others
            features = features * (torch.rand(len(features), 1, 1, features.shape[-1]) > 0.1)
        entered = self.inputs(features.flatten(2)) + self.faces(face)[:, None]
        return self.outputs(self.gru(entered.tanh())[0])

    @torch.no_grad()
    def mouth(self, features: Tensor) -> Tensor:
        """(frames, SAMPLES, features) -> (frames, mouth channels + aperture + width), weights and millimetres: the mean
        of all faces
        """
        features = features.expand(self.faces.num_embeddings, -1, -1, -1)
        return self.eval()(features, torch.arange(len(features))).mean(0) * self.scale + self.mean


def mouth_of(curves: np.ndarray, lip: np.ndarray) -> np.ndarray:
    """(F, 52) curves and (F, 2) lips on the mesh -> (F, 16) the model's outputs."""
    columns = [
        [i for i, c in enumerate(arkit.CHANNELS) if c in (name, f"{name}Left", f"{name}Right")] for name in MOUTH
    ]
    return np.concatenate([np.stack([curves[:, c].mean(1) for c in columns], 1), 1e3 * lip], 1)


def curves_of(mouth: Tensor) -> Tensor:
    """(F, 14 or more) mouth channels -> (F, 52), both sides alike."""
    curves = mouth.new_zeros(len(mouth), len(arkit.CHANNELS))
    for i, name in enumerate(MOUTH):
        for c, channel in enumerate(arkit.CHANNELS):
            if channel in (name, f"{name}Left", f"{name}Right"):
                curves[:, c] = mouth[:, i]
    return curves.clamp(0, 1)


def articulate(model: Articulation, head: lips.Lips, clips: list[tuple[list[Phone], int]]) -> list[np.ndarray]:
    """(phones, frames) of clips -> (frames, 52) curves: learned, corrected by RULES, solved for the mesh's lips."""
    planned = [plan(model, head, phones, frames) for phones, frames in clips]
    curves, aperture, width = (torch.cat(part) for part in zip(*planned, strict=True))
    solved = lips.retarget(head, curves, aperture, width, tolerance=(0.0003, 0.002)).numpy()
    return np.split(solved, np.cumsum([frames for _, frames in clips])[:-1])


def plan(model: Articulation, head: lips.Lips, phones: list[Phone], frames: int) -> tuple[Tensor, Tensor, Tensor]:
    """Curves (F, 52), and the aperture (F,) and width (F,) in metres that they should have on the mesh."""
    features = phone_frames(phones, frames, SAMPLES)
    mouth = model.mouth(torch.from_numpy(features))
    curves, aperture = curves_of(mouth), mouth[:, -2] / 1e3
    width_change = mouth[:, -1] / 1e3 - head(curves)[:, 1]
    closed = float(0.3 * head.neutral[0])
    charted = torch.from_numpy(charted_opening(features))
    aperture = aperture + CHARTED * (WIDEST * charted - aperture)
    speech = torch.from_numpy(speaking(phones, frames))
    aperture = closed + speech * (aperture - closed).clamp(min=0)
    curves = curves * (0.25 + 0.75 * speech[:, None])
    for rule in RULES:
        weight = torch.from_numpy(presence(at_least(phones, 0.06), frames, set(rule.phones.split()), rule.ramp))
        low, high = (max(limit, closed) for limit in rule.aperture)
        aperture = aperture + weight * (aperture.clamp(low, high) - aperture)
        for name, least in rule.least.items():
            for c, channel in enumerate(arkit.CHANNELS):
                if channel in (name, f"{name}Left", f"{name}Right"):
                    curves[:, c] = torch.maximum(curves[:, c], least * weight)
    return curves, aperture, head(curves)[:, 1] + width_change


def at_least(phones: list[Phone], seconds: float) -> list[Phone]:
    """Phones made at least so long about their middle: a closure must fall on a frame."""
    longer = []
    for symbol, start, end in phones:
        extra = max(0.0, seconds - (end - start)) / 2
        longer.append((symbol, start - extra, end + extra))
    return longer


def examples(
    clips: list[corpora.Clip], targets: dict[str, np.ndarray], head: lips.Lips, split: str
) -> list[tuple[Tensor, Tensor]]:
    """Phone features (PIECE, SAMPLES, features) and what the mouth does meanwhile (PIECE, 16), of one face."""
    found = []
    for clip in clips:
        if clip.split == split:
            curves = targets[clip.name]
            x = torch.from_numpy(phone_frames(clip.phones, len(curves), SAMPLES))
            y = torch.from_numpy(mouth_of(curves, head(torch.from_numpy(curves)).numpy())).float()
            found += [pair for pair in zip(x.split(PIECE), y.split(PIECE), strict=True) if len(pair[0]) == PIECE]
    return found


def train(faces: list[tuple[list[corpora.Clip], dict[str, np.ndarray]]], head: lips.Lips) -> Articulation:
    """Fit to the clips and curves of each face, all faces counting alike. Keeps the epoch best on the valid split."""
    torch.manual_seed(SEED)
    learned, kept_out = (
        [examples(clips, targets, head, split) for clips, targets in faces] for split in ("train", "valid")
    )
    model = Articulation(len(faces))
    everything = torch.cat([y for several in learned for _, y in several])
    model.mean.copy_(everything.mean(0))
    model.scale.copy_(everything.std(0).clamp_min(1e-2))
    weights = torch.ones(len(MOUTH) + 2)
    weights[-2:] = 4
    steps = max(map(len, learned)) // BATCH  # of an epoch; the shorter corpora are heard again
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, EPOCHS * steps)
    best, kept = -1.0, None
    for epoch in range(EPOCHS):
        model.train()
        orders = [
            torch.cat([torch.randperm(len(several)) for _ in range(-(-steps * BATCH // len(several)))])
            for several in learned
        ]
        for step in range(steps):
            drawn = [
                (face, learned[face][i])
                for face, order in enumerate(orders)
                for i in order[step * BATCH : (step + 1) * BATCH]
            ]
            x, y = (torch.stack(part) for part in zip(*(pair for _, pair in drawn), strict=True))
            got = model(x, torch.tensor([face for face, _ in drawn]))
            loss = ((got - (y - model.mean) / model.scale).square() * weights).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        scores = [validate(model, several, face) for face, several in enumerate(kept_out)]
        if sum(scores) > best:
            best, kept = sum(scores), {k: v.clone() for k, v in model.state_dict().items()}
        if epoch % 10 == 9:
            print(
                f"epoch {epoch + 1}: loss {loss.item():.3f}, aperture r kept out "
                + " ".join(f"{score:.3f}" for score in scores),
                flush=True,
            )
    model.load_state_dict(kept)
    return model.eval()


@torch.no_grad()
def validate(model: Articulation, kept_out: list[tuple[Tensor, Tensor]], face: int) -> float:
    """Median r of the aperture over examples of a face."""
    x, y = (torch.stack(part) for part in zip(*kept_out, strict=True))
    got = model.eval()(x, torch.full((len(x),), face))[..., -2]
    return float(np.median([metrics.pearson(a, b) for a, b in zip(got.numpy(), y[..., -2].numpy(), strict=True)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="targets and alignments are read from here")
    parser.add_argument("--faces", nargs="+", choices=["grid", "facegood"], default=["grid", "facegood"])
    args = parser.parse_args()
    faces = [
        (
            align.with_phones(corpora.read(face, args.data), args.work),
            dict(np.load(args.work / "targets" / f"{face}.npz")),
        )
        for face in args.faces
    ]
    save_file(train(faces, lips.of_head()).state_dict(), args.work / "articulation.safetensors")


def load(path: Path) -> Articulation:
    weights = load_file(path)
    model = Articulation(len(weights["faces.weight"]))
    model.load_state_dict(weights)
    return model.eval()


if __name__ == "__main__":
    main()
