"""Articulation model: phones with their times -> ARKit curves, learned from tracked real speech.

    python -m server.training.articulation --data DATA --work WORK

It labels speech that has phones but no face (synthetic voices, read speech), with the coarticulation, lag and
amplitude of a real speaker. What GRID's 51 words lack or blur is set by rule afterwards (RULES): what the lips must do
for a sound is textbook knowledge, when and how they get there is learned.
"""

import argparse
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .. import arkit
from . import corpora, lips
from .phonetics import FEATURES, Phone, phone_frames, presence

MOUTH = ("jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthSmile", "mouthDimple", "mouthStretch",
         "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthPress", "mouthLowerDown",
         "mouthUpperUp")  # left = right in speech
SAMPLES = 4  # phone features a frame
EPOCHS, BATCH, RATE, SEED = 60, 25, 3e-3, 1


@dataclass
class Rule:
    """While one of `phones` lasts, the aperture in metres lies in `aperture`, channels have at least these weights."""

    phones: str  # IPA, space-separated
    ramp: float  # seconds to reach it
    aperture: tuple[float, float] = (0.0, 1.0)
    least: dict[str, float] = field(default_factory=dict)


RULES = (
    Rule("ɹ ɝ ɻ", 0.06, (0.0, 0.008), {"mouthPucker": 0.15, "mouthFunnel": 0.1}),
    Rule("ɔ ɔɪ oʊ o əʊ ɒ ø œ", 0.06, (0.003, 1.0), {"mouthPucker": 0.3, "mouthFunnel": 0.15}),
    Rule("s z ts dz ʂ ʈʂ ɕ tɕ dʑ", 0.05, (0.0015, 0.0045)),
    Rule("θ ð", 0.05, (0.002, 0.005), {"mouthLowerDown": 0.05}),
    Rule("ʃ ʒ tʃ dʒ", 0.06, (0.002, 0.0055), {"mouthFunnel": 0.3, "mouthPucker": 0.3}),
    Rule("u ʊ w y ɥ", 0.06, (0.001, 0.006), {"mouthPucker": 0.55, "mouthFunnel": 0.1}),
    Rule("ɸ β", 0.05, (0.0, 0.0015)),
    Rule("f v ʋ", 0.05, (0.0, 0.0016), {"mouthRollLower": 0.3, "mouthUpperUp": 0.08}),
    Rule("p b m", 0.05, (0.0, 0.0), {"mouthPress": 0.1}),
)
BREATH = 0.12  # seconds around speech in which the mouth of a silence opens or closes


class Articulation(nn.Module):
    """Bidirectional GRU over phone features at 25 fps -> standardised mouth channels, aperture and width."""

    def __init__(self, hidden: int = 96, layers: int = 2):
        super().__init__()
        size = len(MOUTH) + 2
        self.inputs = nn.Linear(SAMPLES * len(FEATURES), hidden)
        self.gru = nn.GRU(hidden, hidden, layers, batch_first=True, bidirectional=True, dropout=0.2)
        self.outputs = nn.Linear(2 * hidden, size)
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))

    def forward(self, features: Tensor) -> Tensor:
        """(B, F, SAMPLES, features) -> (B, F, mouth channels + aperture + width), standardised"""
        if self.training:  # a feature that is missing for a whole clip must be made up from the others
            features = features * (torch.rand(len(features), 1, 1, features.shape[-1]) > 0.1)
        return self.outputs(self.gru(self.inputs(features.flatten(2)).tanh())[0])


def mouth_of(curves: np.ndarray, lip: np.ndarray) -> np.ndarray:
    """(F, 52) curves and (F, 2) lips on the mesh -> (F, 16) the model's outputs."""
    columns = [[i for i, c in enumerate(arkit.CHANNELS) if c in (name, f"{name}Left", f"{name}Right")]
               for name in MOUTH]
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
    with torch.no_grad():
        planned = [plan(model, head, phones, frames) for phones, frames in clips]
    curves, aperture, width = (torch.cat(part) for part in zip(*planned, strict=True))
    solved = lips.retarget(head, curves, aperture, width, tolerance=(0.0003, 0.002)).numpy()
    return np.split(solved, np.cumsum([frames for _, frames in clips])[:-1])


def plan(model: Articulation, head: lips.Lips, phones: list[Phone], frames: int) -> tuple[Tensor, Tensor, Tensor]:
    """Curves (F, 52), and the aperture (F,) and width (F,) in metres that they should have on the mesh."""
    features = torch.from_numpy(phone_frames(phones, frames, SAMPLES))
    mouth = model.eval()(features[None])[0] * model.scale + model.mean
    curves, aperture = curves_of(mouth), mouth[:, -2] / 1e3
    width_change = mouth[:, -1] / 1e3 - head(curves)[:, 1]
    closed = float(0.3 * head.neutral[0])
    speech = torch.from_numpy(presence(phones, frames, {symbol for symbol, _, _ in phones if symbol}, BREATH))
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


def train(clips: list[corpora.Clip], targets: dict[str, np.ndarray], head: lips.Lips) -> Articulation:
    """Fit to tracked clips; `targets` are their curves on the mesh. Keeps the epoch best on the valid split."""
    torch.manual_seed(SEED)
    features = {c.name: torch.from_numpy(phone_frames(c.phones, len(targets[c.name]), SAMPLES)) for c in clips}
    wanted = {c.name: torch.from_numpy(mouth_of(targets[c.name], head(torch.from_numpy(targets[c.name])).numpy()))
              .float() for c in clips}
    names = {split: [c.name for c in clips if c.split == split] for split in ("train", "valid")}
    model = Articulation()
    everything = torch.cat([wanted[n] for n in names["train"]])
    model.mean.copy_(everything.mean(0))
    model.scale.copy_(everything.std(0).clamp_min(1e-2))
    weights = torch.ones(len(MOUTH) + 2)
    weights[-2:] = 4
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, EPOCHS * (len(names["train"]) // BATCH))
    frames = min(len(w) for w in wanted.values())
    best, kept = -1.0, None
    for epoch in range(EPOCHS):
        model.train()
        order = torch.randperm(len(names["train"])).tolist()
        for i in range(len(order) // BATCH):
            batch = [names["train"][j] for j in order[i * BATCH:(i + 1) * BATCH]]
            x = torch.stack([features[n][:frames] for n in batch])
            y = (torch.stack([wanted[n][:frames] for n in batch]) - model.mean) / model.scale
            loss = ((model(x) - y).square() * weights).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        model.eval()
        with torch.no_grad():
            scores = []
            for n in names["valid"]:
                got = model(features[n][None])[0, :, -2]
                scores.append(float(torch.corrcoef(torch.stack([got, wanted[n][:, -2]]))[0, 1]))
        if np.median(scores) > best:
            best, kept = float(np.median(scores)), {k: v.clone() for k, v in model.state_dict().items()}
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1}: loss {loss.item():.3f}, aperture r on valid clips {np.median(scores):.3f}")
    model.load_state_dict(kept)
    return model.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="targets are read from and written to here")
    args = parser.parse_args()
    head = lips.of_head()
    clips = corpora.read("grid", args.data)
    targets = dict(np.load(args.work / "targets" / "grid.npz"))
    model = train(clips, targets, head)
    save_file(model.state_dict(), args.work / "articulation.safetensors")


def load(path: Path) -> Articulation:
    model = Articulation()
    model.load_state_dict(load_file(path))
    return model.eval()


if __name__ == "__main__":
    main()
