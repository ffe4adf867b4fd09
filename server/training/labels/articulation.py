"""Articulation model: from phones with their times to ARKit curves, learned from tracked and captured real speech.

    python -m server.training.labels.articulation --data DATA --work WORK [--faces grid facegood]

It labels speech that has phones but no face (synthetic voices, read speech) with the coarticulation, lag and amplitude
of real speakers: the mean of the predictions for each face. Habits differ between faces (GRID's speaker opens his mouth
as wide for i as for æ), so the predicted opening is mixed with the opening of each phonetic class
(`phonetics.phonetic_opening`). Rules (RULES) then correct phones that the mixture blurs or lacks.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ... import arkit
from ...numerics import FloatArray
from .. import corpora
from ..corpora import required
from ..evaluation import metrics
from ..speech import align
from ..speech.phonetics import FEATURES, Phone, frame_features, phone_activation, phonetic_opening, speech_activity
from . import lips

# Channels of the mouth that speech moves, without their side: left and right are equal.
MOUTH_CHANNELS = (
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
)
SAMPLES = 4  # samples of phone features per frame
EPOCHS, BATCH, LEARNING_RATE, SEED = 60, 25, 3e-3, 1  # BATCH examples of each face
EXAMPLE_FRAMES = 75  # length of a training example: 3 s
LIP_WEIGHT = 4.0  # weight of aperture and width in the loss, that of a channel being 1
PHONETIC_SHARE = 0.7  # of phonetic_opening in the mouth's opening; held-out faces favour .6-.8 (docs/training.md)
OPEN_VOWEL_APERTURE = 0.017  # metres at phonetic_opening 1; gives it the variance of the faces' apertures
MIN_PHONE_SECONDS = 0.06  # shorter phones are lengthened for the rules: every closure must include a frame
REST_SHARE = 0.25  # share of the learned curves that remains while the mouth rests


@dataclass
class Rule:
    """Bounds on the lips while certain phones last.

    Attributes:
        phones: IPA symbols, separated by spaces.
        ramp: Seconds before and after the phone in which the bounds come and go.
        aperture: Lower and upper bound of the inner-lip aperture in metres.
        minimum: Lower bounds of channels, by their names without a side.
    """

    phones: str
    ramp: float
    aperture: tuple[float, float] = (0.0, 1.0)
    minimum: dict[str, float] = field(default_factory=dict)


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
    """Bidirectional GRU from phone features to the standardised mouth channels, aperture and width of a face."""

    mean: Tensor
    scale: Tensor

    def __init__(self, faces: int, hidden: int = 96, layers: int = 2):
        """Build an untrained model.

        Args:
            faces: Number of faces to learn from; each has an embedding.
            hidden: Units of the GRU in each direction.
            layers: Layers of the GRU.
        """
        super().__init__()
        size = len(MOUTH_CHANNELS) + 2
        self.faces = nn.Embedding(faces, hidden)
        self.inputs = nn.Linear(SAMPLES * len(FEATURES), hidden)
        self.gru = nn.GRU(hidden, hidden, layers, batch_first=True, bidirectional=True, dropout=0.2)
        self.outputs = nn.Linear(2 * hidden, size)
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))

    def forward(self, features: Tensor, face: Tensor) -> Tensor:
        """Predict the motion of a face.

        Args:
            features: (B, F, SAMPLES, len(FEATURES)) phone features at 25 fps.
            face: (B,) index of the face.

        Returns:
            (B, F, 16) mouth channels, aperture and width, standardised.
        """
        if self.training:  # feature dropout: the model learns to infer a feature from the others
            features = features * (torch.rand(len(features), 1, 1, features.shape[-1]) > 0.1)
        hidden = self.inputs(features.flatten(2)) + self.faces(face)[:, None]
        outputs: Tensor = self.outputs(self.gru(hidden.tanh())[0])
        return outputs

    @torch.no_grad()
    def mean_face(self, features: Tensor) -> Tensor:
        """Predict the mean of all faces.

        Args:
            features: (F, SAMPLES, len(FEATURES)) phone features at 25 fps.

        Returns:
            (F, 16) mouth channels as weights, aperture and width in millimetres.
        """
        features = features.expand(self.faces.num_embeddings, -1, -1, -1)
        mean: Tensor = self.eval()(features, torch.arange(len(features))).mean(0)
        return mean * self.scale + self.mean


def curves_to_mouth(curves: FloatArray, lip: FloatArray) -> FloatArray:
    """Return the model's outputs (F, 16) for curves (F, 52) and the lips (F, 2) that they give the mesh, in metres."""
    columns = [arkit.channel_indices(name) for name in MOUTH_CHANNELS]
    return np.concatenate([np.stack([curves[:, c].mean(1) for c in columns], 1), 1e3 * lip], 1)


def mouth_to_curves(mouth: Tensor) -> Tensor:
    """Return curves (F, 52), both sides equal, of mouth channels (F, 14 or more)."""
    curves = mouth.new_zeros(len(mouth), len(arkit.CHANNELS))
    for i, name in enumerate(MOUTH_CHANNELS):
        curves[:, arkit.channel_indices(name)] = mouth[:, i, None]
    return curves.clamp(0, 1)


def articulate(model: Articulation, head: lips.Lips, clips: list[tuple[list[Phone], int]]) -> list[FloatArray]:
    """Label speech: learned curves, corrected by RULES and retargeted to the mesh's lips.

    Args:
        model: The trained model.
        head: Lips of the project's head.
        clips: Phones, and number of frames at 25 fps, of each clip.

    Returns:
        Curves (frames, 52) of each clip, 0 to 1.
    """
    goals = [lip_goals(model, head, phones, frames) for phones, frames in clips]
    curves, aperture, width = (torch.cat(part) for part in zip(*goals, strict=True))
    solved = lips.retarget(head, curves, aperture, width, tolerance=(0.0003, 0.002)).numpy()
    return np.split(solved, np.cumsum([frames for _, frames in clips])[:-1])


def lip_goals(model: Articulation, head: lips.Lips, phones: list[Phone], frames: int) -> tuple[Tensor, Tensor, Tensor]:
    """Predict a clip's curves and lips before retargeting, with RULES applied.

    Args:
        model: The trained model.
        head: Lips of the project's head.
        phones: Phones with their times.
        frames: Number of frames F at 25 fps.

    Returns:
        Curves (F, 52), and the wanted aperture (F,) and width (F,) on the mesh in metres.
    """
    return constrain(RULES, head, phones, predict_lips(model, phones, frames))


def predict_lips(model: Articulation, phones: list[Phone], frames: int) -> tuple[Tensor, Tensor, Tensor]:
    """Predict a clip's curves and lips without any rule.

    Args:
        model: The trained model.
        phones: Phones with their times.
        frames: Number of frames F at 25 fps.

    Returns:
        Curves (F, 52), aperture (F,) and width (F,) in metres, as of `lip_goals`.
    """
    features = frame_features(phones, frames, SAMPLES)
    mouth = model.mean_face(torch.from_numpy(features))
    curves, aperture = mouth_to_curves(mouth), mouth[:, -2] / 1e3
    phonetic = torch.from_numpy(phonetic_opening(features))
    aperture = aperture + PHONETIC_SHARE * (OPEN_VOWEL_APERTURE * phonetic - aperture)
    return curves, aperture, mouth[:, -1] / 1e3


def constrain(
    rules: Sequence[Rule],
    head: lips.Lips,
    phones: list[Phone],
    goals: tuple[Tensor, Tensor, Tensor],
    rest_margin: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Let the mouth rest in silence, and apply rules where their phones are.

    Args:
        rules: The rules, in the order in which they apply.
        head: Lips of the project's head.
        phones: Phones with their times.
        goals: Curves (F, 52), aperture (F,) and width (F,) in metres.
        rest_margin: Seconds before and after speech in which the mouth need not rest yet.

    Returns:
        Curves, aperture and width of the same shapes. The width changes by as much as the curves that the rules change
        alter it on the mesh.
    """
    curves, aperture, width = goals
    frames = len(curves)
    width_change = width - head(curves)[:, 1]
    closed = float(lips.CLOSED_APERTURE_SHARE * head.neutral[0])
    spoken = [(symbol, start - rest_margin, end + rest_margin) for symbol, start, end in phones if symbol]
    speech = torch.from_numpy(speech_activity(spoken, frames))
    aperture = closed + speech * (aperture - closed).clamp(min=0)
    curves = curves * (REST_SHARE + (1 - REST_SHARE) * speech[:, None])
    lengthened = lengthen(phones, MIN_PHONE_SECONDS)
    for rule in rules:
        weight = torch.from_numpy(phone_activation(lengthened, frames, set(rule.phones.split()), rule.ramp))
        low, high = (max(limit, closed) for limit in rule.aperture)
        aperture = aperture + weight * (aperture.clamp(low, high) - aperture)
        for name, minimum in rule.minimum.items():
            columns = arkit.channel_indices(name)
            curves[:, columns] = torch.maximum(curves[:, columns], minimum * weight[:, None])
    return curves, aperture, head(curves)[:, 1] + width_change


def lengthen(phones: list[Phone], seconds: float) -> list[Phone]:
    """Return phones that last at least `seconds`; shorter ones grow about their middle and may overlap others."""
    longer = []
    for symbol, start, end in phones:
        extra = max(0.0, seconds - (end - start)) / 2
        longer.append((symbol, start - extra, end + extra))
    return longer


def examples(
    clips: list[corpora.Clip], targets: dict[str, FloatArray], head: lips.Lips, split: str
) -> list[tuple[Tensor, Tensor]]:
    """Cut the clips of one face into training examples.

    Args:
        clips: Clips with phones.
        targets: Curves (F, 52) of each clip by its name.
        head: Lips of the project's head.
        split: The split whose clips are used.

    Returns:
        Pairs of phone features (EXAMPLE_FRAMES, SAMPLES, len(FEATURES)) and model outputs (EXAMPLE_FRAMES, 16).
    """
    found = []
    for clip in clips:
        if clip.split == split:
            curves = targets[clip.name]
            x = torch.from_numpy(frame_features(required(clip.phones), len(curves), SAMPLES))
            y = torch.from_numpy(curves_to_mouth(curves, head(torch.from_numpy(curves)).numpy())).float()
            pieces = zip(torch.split(x, EXAMPLE_FRAMES), torch.split(y, EXAMPLE_FRAMES), strict=True)
            found += [piece for piece in pieces if len(piece[0]) == EXAMPLE_FRAMES]
    return found


def train(faces: list[tuple[list[corpora.Clip], dict[str, FloatArray]]], head: lips.Lips) -> Articulation:
    """Train a model on all faces with equal weight; keep the epoch that is best on the valid split.

    Args:
        faces: Clips with phones, and their target curves by name, of each face.
        head: Lips of the project's head.
    """
    torch.manual_seed(SEED)
    train_sets, valid_sets = (
        [examples(clips, targets, head, split) for clips, targets in faces] for split in ("train", "valid")
    )
    model = Articulation(len(faces))
    everything = torch.cat([y for several in train_sets for _, y in several])
    model.mean.copy_(everything.mean(0))
    model.scale.copy_(everything.std(0).clamp_min(1e-2))
    weights = torch.ones(len(MOUTH_CHANNELS) + 2)
    weights[-2:] = LIP_WEIGHT
    steps = max(map(len, train_sets)) // BATCH  # per epoch; shorter corpora are repeated within it
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, EPOCHS * steps)
    best = -1.0
    best_state: dict[str, Tensor] = {}
    for epoch in range(EPOCHS):
        model.train()
        orders = [
            torch.cat([torch.randperm(len(several)) for _ in range(-(-steps * BATCH // len(several)))])
            for several in train_sets
        ]
        for step in range(steps):
            batch = [
                (face, train_sets[face][i])
                for face, order in enumerate(orders)
                for i in order[step * BATCH : (step + 1) * BATCH]
            ]
            x, y = (torch.stack(part) for part in zip(*(pair for _, pair in batch), strict=True))
            predicted = model(x, torch.tensor([face for face, _ in batch]))
            loss = ((predicted - (y - model.mean) / model.scale).square() * weights).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        scores = [validate(model, several, face) for face, several in enumerate(valid_sets)]
        if sum(scores) > best:
            best, best_state = sum(scores), {k: v.clone() for k, v in model.state_dict().items()}
        if epoch % 10 == 9:
            print(
                f"epoch {epoch + 1}: loss {loss.item():.3f}, held-out aperture r "
                + " ".join(f"{score:.3f}" for score in scores),
                flush=True,
            )
    model.load_state_dict(best_state)
    return model.eval()


@torch.no_grad()
def validate(model: Articulation, pairs: list[tuple[Tensor, Tensor]], face: int) -> float:
    """Return the median Pearson r of the aperture over the examples of a face."""
    x, y = (torch.stack(part) for part in zip(*pairs, strict=True))
    predicted = model.eval()(x, torch.full((len(x),), face))[..., -2]
    return float(np.median([metrics.pearson(a, b) for a, b in zip(predicted.numpy(), y[..., -2].numpy(), strict=True)]))


def main() -> None:
    """Train the articulation model and write WORK/articulation.safetensors."""
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
    save_file(train(faces, lips.load_lips()).state_dict(), args.work / "articulation.safetensors")


def load(path: Path) -> Articulation:
    """Return the model that `main` wrote, ready for inference."""
    weights = load_file(path)
    model = Articulation(len(weights["faces.weight"]))
    model.load_state_dict(weights)
    return model.eval()


if __name__ == "__main__":
    main()
