"""Teachers: small models from the frozen encoder to the mouth, trained on tracked people and averaged.

    python -m server.training.labels.teachers --data DATA --work WORK --whisper WHISPER [--corpora grid facegood]

They label voices without a face (heard_targets.py). A model that fits one face well follows other people badly; the
mean of models of different kinds and seeds follows them better. There are two kinds: a ridge regression on principal
components, and convolutional networks that are trained with much noise on their inputs.

A person's mouth is standardised by the person's own mean and deviation, because people and trackers differ in how far
a mouth opens. The mean of all people gives the scale of the labels.

WORK/teachers/CORPORA/KIND_SEED.safetensors is one teacher each; those that exist are not trained again.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ...model import LSF
from ...numerics import FloatArray
from .. import corpora, features
from . import encoder_states, lips, targets
from .mouth import MOUTH_CHANNELS, curves_to_mouth

COMPONENTS = 256  # principal components of the states
CONTEXT = 5  # frames that the regression takes, and that each convolution takes
RIDGE = 3e3  # λ; the sum of squares of a component over 25 minutes is 9e3 to 2e6
WIDTH, DROPOUT = 128, 0.2  # of the networks
FEATURE_NOISE = 1.0  # standard deviation, on half-whitened components (0.7 to 2.6)
STEPS, BATCH, CROP_FRAMES, LEARNING_RATE, WEIGHT_DECAY = 600, 16, 50, 2e-3, 1e-2
SEEDS = (1, 2)  # of the networks
OUTPUTS = len(MOUTH_CHANNELS) + 2  # mouth channels, aperture and width
LIP_WEIGHT = 4.0  # weight of aperture and width in the networks' loss, that of a channel being 1
# A person with n times the speech counts n ** BALANCE times as much: one person must not decide everything, but three
# seconds of another must not count as much as half an hour.
BALANCE = 0.5
MIN_DEVIATION = 1e-2  # of a person's weights and millimetres, so that channels at rest are not amplified
GAIN_LIMIT = 1.5  # by which predictions, which shrink towards the mean, are stretched at most
TRACKED_CORPORA = ("grid", "people", "facegood")


@dataclass
class Person:
    """The tracked speech of one person.

    Attributes:
        name: Name of the person.
        states: States (F, hidden) of each clip.
        mouths: Mouth (F, OUTPUTS) of each clip: channels as weights, aperture and width on the project's head in mm.
    """

    name: str
    states: list[FloatArray]
    mouths: list[FloatArray]

    @property
    def frames(self) -> int:
        """Number of frames of all clips."""
        return sum(map(len, self.mouths))

    @property
    def scale(self) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation (OUTPUTS,) of the mouth."""
        rows = np.concatenate(self.mouths)
        return rows.mean(0), rows.std(0).clip(MIN_DEVIATION)


def make_person(name: str, clips: list[tuple[FloatArray, FloatArray]], head: lips.Lips) -> Person:
    """Return a person of whom states (F, hidden) and target curves (F', 52) of clips are known.

    Args:
        name: Name of the person.
        clips: States and curves of each clip; the longer of the two is cut off at its end.
        head: Lips of the project's head.

    Raises:
        ValueError: A target is not a finite number.
    """
    states, mouths = [], []
    for rows, curves in clips:
        frames = min(len(rows), len(curves))
        states.append(rows[:frames])
        curves = curves[:frames].astype(np.float32)
        lip: FloatArray = head(torch.from_numpy(curves)).numpy()
        mouths.append(curves_to_mouth(curves, lip).astype(np.float32))
    if not all(np.isfinite(mouth).all() for mouth in mouths):
        raise ValueError(f"The targets of {name} are not finite.")
    return Person(name, states, mouths)


def people_weights(people: Sequence[Person]) -> FloatArray:
    """Return the share (len(people),) that each person has in training; they sum to 1."""
    weights = np.array([person.frames for person in people], float) ** BALANCE
    shares: FloatArray = weights / weights.sum()
    return shares


class Teacher(nn.Module):
    """Convolutions over the principal components of the encoder's states; predicts a standardised mouth.

    Attributes:
        state_mean, state_scale: (hidden,) mean and deviation of the states.
        projection: (hidden, components) to principal components; what it gives has the scale that the kind needs.
        gain: (OUTPUTS,) factor that gives predictions about the deviation of the truth.
        mean, scale: (OUTPUTS,) mean and deviation of the people's mouths.
    """

    state_mean: Tensor
    state_scale: Tensor
    projection: Tensor
    gain: Tensor
    mean: Tensor
    scale: Tensor

    def __init__(self, layers: nn.Module, hidden: int, components: int, noise: float = 0.0):
        """Keep the layers; the buffers are set by `fit_inputs` and `fit_outputs`, or loaded.

        Args:
            layers: From components (B, C, F) to outputs (B, OUTPUTS, F).
            hidden: Size of the states.
            components: Number of principal components.
            noise: Standard deviation of the noise on the components in training.
        """
        super().__init__()
        self.layers, self.noise = layers, noise
        self.register_buffer("state_mean", torch.zeros(hidden))
        self.register_buffer("state_scale", torch.ones(hidden))
        self.register_buffer("projection", torch.zeros(hidden, components))
        for name in ("gain", "scale"):
            self.register_buffer(name, torch.ones(OUTPUTS))
        self.register_buffer("mean", torch.zeros(OUTPUTS))

    def fit_inputs(self, people: Sequence[Person], whitening: float) -> None:
        """Set the projection.

        Args:
            people: People of the training.
            whitening: Power of a component's deviation by which it is divided: 0 keeps its size, 1 whitens it.
        """
        mean, second = torch.zeros(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
        for person, share in zip(people, people_weights(people), strict=True):
            rows = torch.from_numpy(np.concatenate(person.states)).double()
            mean, second = mean + float(share) * rows.mean(0), second + float(share) * (rows.T @ rows) / len(rows)
        covariance = second - torch.outer(mean, mean)
        deviation = covariance.diagonal().clamp_min(1e-10).sqrt()
        values, vectors = torch.linalg.eigh(covariance / torch.outer(deviation, deviation))  # ascending
        components = self.projection.shape[1]
        values, vectors = values.flip(0)[:components].clamp_min(1e-8), vectors.flip(1)[:, :components]
        self.state_mean.copy_(mean)
        self.state_scale.copy_(deviation)
        self.projection.copy_(vectors / values.sqrt() ** whitening)

    @torch.no_grad()
    def fit_outputs(self, people: Sequence[Person]) -> None:
        """Set the scale of the mouth and the gain of the predictions."""
        self.eval()
        mean, scale, square, predicted = (np.zeros(OUTPUTS) for _ in range(4))
        for person, share in zip(people, people_weights(people), strict=True):
            person_mean, person_scale = person.scale
            mean, scale = mean + share * person_mean, scale + share * person_scale
            rows = torch.cat([self(torch.from_numpy(states)[None].float())[0] for states in person.states]).numpy()
            predicted, square = predicted + share * rows.mean(0), square + share * np.square(rows).mean(0)
        deviation = np.sqrt((square - predicted**2).clip(1e-6))
        self.mean.copy_(torch.from_numpy(mean))
        self.scale.copy_(torch.from_numpy(scale))
        self.gain.copy_(torch.from_numpy((1 / deviation).clip(1, GAIN_LIMIT)))

    def components(self, states: Tensor) -> Tensor:
        """Return the principal components (B, F, C) of states (B, F, hidden)."""
        projected: Tensor = ((states - self.state_mean) / self.state_scale) @ self.projection
        return projected

    def forward(self, states: Tensor) -> Tensor:
        """Predict the standardised mouth (B, F, OUTPUTS), without gain, of states (B, F, hidden)."""
        x = self.components(states)
        if self.training and self.noise:
            x = x + self.noise * torch.randn_like(x)
        outputs: Tensor = self.layers(x.mT).mT
        return outputs


def ridge_teacher(hidden: int) -> Teacher:
    """Return an untrained linear teacher for states of `hidden` values."""
    components = min(COMPONENTS, hidden)
    layer = nn.Conv1d(components, OUTPUTS, CONTEXT, padding=CONTEXT // 2, padding_mode="replicate")
    return Teacher(layer, hidden, components)


def convolution_teacher(hidden: int) -> Teacher:
    """Return an untrained convolutional teacher for states of `hidden` values."""
    components = min(COMPONENTS, hidden)

    def block(size: int) -> list[nn.Module]:
        conv = nn.Conv1d(size, WIDTH, CONTEXT, padding=CONTEXT // 2, padding_mode="replicate")
        return [conv, nn.GELU(), nn.Dropout(DROPOUT)]

    layers = nn.Sequential(*block(components), *block(WIDTH), nn.Conv1d(WIDTH, OUTPUTS, 1))
    return Teacher(layers, hidden, components, FEATURE_NOISE)


MAKERS: dict[str, Callable[[int], Teacher]] = {"ridge": ridge_teacher, "convolution": convolution_teacher}


def standardised(person: Person) -> list[FloatArray]:
    """Return the mouths (F, OUTPUTS) of a person's clips in deviations from the person's own mean."""
    mean, scale = person.scale
    return [(mouth - mean) / scale for mouth in person.mouths]


def in_context(teacher: Teacher, states: FloatArray) -> Tensor:
    """Return the components of CONTEXT frames about every frame (F, components · CONTEXT) of states (F, hidden)."""
    x = teacher.components(torch.from_numpy(states)[None].float()).mT
    padded = nn.functional.pad(x, (CONTEXT // 2, CONTEXT // 2), mode="replicate")[0]
    return padded.unfold(1, CONTEXT, 1).permute(1, 0, 2).flatten(1)


@torch.no_grad()
def train_ridge(people: Sequence[Person], ridge: float = RIDGE) -> Teacher:
    """Solve the ridge regression on CONTEXT frames of principal components. It has no seed.

    Args:
        people: People to learn from.
        ridge: λ of the penalty on the weights.
    """
    teacher = ridge_teacher(people[0].states[0].shape[1])
    teacher.fit_inputs(people, whitening=0)
    size = CONTEXT * teacher.projection.shape[1]
    gram, moment = torch.zeros(size, size, dtype=torch.float64), torch.zeros(size, OUTPUTS, dtype=torch.float64)
    total = sum(person.frames for person in people)
    for person, share in zip(people, people_weights(people), strict=True):
        weight = float(share) * total / person.frames  # the weights of all frames sum to their number
        rows = torch.cat([in_context(teacher, states) for states in person.states]).double()
        gram += weight * rows.T @ rows
        moment += weight * rows.T @ torch.from_numpy(np.concatenate(standardised(person))).double()
    solution = torch.linalg.solve(gram + ridge * torch.eye(size, dtype=torch.float64), moment)
    assert isinstance(teacher.layers, nn.Conv1d) and teacher.layers.bias is not None
    teacher.layers.weight.copy_(solution.T.reshape(teacher.layers.weight.shape))
    teacher.layers.bias.zero_()
    teacher.fit_outputs(people)
    return teacher


def train_convolution(people: Sequence[Person], seed: int, steps: int = STEPS) -> Teacher:
    """Train a convolutional network on random crops.

    Args:
        people: People to learn from.
        seed: Seed of the weights, the crops and the noise.
        steps: Number of steps.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    teacher = convolution_teacher(people[0].states[0].shape[1])
    teacher.fit_inputs(people, whitening=0.5)
    mouths = [standardised(person) for person in people]
    shares = people_weights(people)
    weights = torch.ones(OUTPUTS)
    weights[-2:] = LIP_WEIGHT
    optimizer = torch.optim.AdamW(teacher.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps)
    lengths = [np.array([len(clip) for clip in person.states], float) for person in people]
    teacher.train()
    for _ in range(steps):
        x = torch.zeros(BATCH, CROP_FRAMES, people[0].states[0].shape[1])
        y, mask = torch.zeros(BATCH, CROP_FRAMES, OUTPUTS), torch.zeros(BATCH, CROP_FRAMES)
        for row, person in enumerate(rng.choice(len(people), BATCH, p=shares)):
            clip = int(rng.choice(len(lengths[person]), p=lengths[person] / lengths[person].sum()))
            first = int(rng.integers(0, max(1, int(lengths[person][clip]) - CROP_FRAMES + 1)))
            part = slice(first, first + CROP_FRAMES)
            states, mouth = people[person].states[clip][part], mouths[person][clip][part]
            x[row, : len(states)] = torch.from_numpy(states)
            y[row, : len(mouth)] = torch.from_numpy(mouth)
            mask[row, : len(mouth)] = 1
        loss = ((teacher(x) - y).square() @ weights * mask).sum() / (mask.sum() * weights.sum())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    teacher.fit_outputs(people)
    return teacher.eval()


class Ensemble:
    """The mean of several teachers of the same people."""

    def __init__(self, teachers: Sequence[Teacher]):
        """Keep the teachers, in inference mode."""
        self.teachers = [teacher.eval() for teacher in teachers]

    @torch.no_grad()
    def predict(self, states: FloatArray) -> Tensor:
        """Predict the mouth of a clip.

        Args:
            states: (F, hidden) states of the encoder at 25 fps.

        Returns:
            (F, OUTPUTS) channels as weights, aperture and width on the project's head in mm.
        """
        rows = torch.from_numpy(np.asarray(states, np.float32))[None]
        mean = torch.stack([teacher(rows)[0] * teacher.gain for teacher in self.teachers]).mean(0)
        return mean * self.teachers[0].scale + self.teachers[0].mean


def train_ensemble(
    people: Sequence[Person], folder: Path, seeds: Sequence[int] = SEEDS, steps: int = STEPS
) -> Ensemble:
    """Return a regression and a network for each seed; load those that the folder has, train and save the others.

    Args:
        people: People to learn from.
        folder: Folder of the teachers' files.
        seeds: Seeds of the networks.
        steps: Steps of each network.
    """
    folder.mkdir(parents=True, exist_ok=True)
    teachers = []
    for kind, seed in [("ridge", 0), *(("convolution", seed) for seed in seeds)]:
        path = folder / f"{kind}_{seed}.safetensors"
        if not path.exists():
            teacher = train_ridge(people) if kind == "ridge" else train_convolution(people, seed, steps)
            save_file({name: value.contiguous() for name, value in teacher.state_dict().items()}, path)
            print(f"{path}: trained on {', '.join(person.name for person in people)}", flush=True)
        teachers.append(load_teacher(path))
    return Ensemble(teachers)


def load_teacher(path: Path) -> Teacher:
    """Return the teacher of a file KIND_SEED.safetensors."""
    state = load_file(path)
    teacher = MAKERS[path.stem.split("_")[0]](len(state["state_mean"]))
    teacher.load_state_dict(state)
    return teacher.eval()


def load_ensemble(folder: Path) -> Ensemble:
    """Return all teachers of a folder; raise FileNotFoundError if there is none."""
    paths = sorted(folder.glob("*.safetensors"))
    if not paths:
        raise FileNotFoundError(f"{folder} has no teachers.")
    return Ensemble([load_teacher(path) for path in paths])


def tracked_curves(corpus: str, clips: list[corpora.Clip], head: lips.Lips) -> dict[str, FloatArray]:
    """Return the target curves (F, 52) of tracked clips; for each speaker the rest width is the speaker's own."""
    if corpus == "facegood":
        return {clip.name: corpora.required(clip.curves) for clip in clips}
    curves: dict[str, FloatArray] = {}
    for speaker in sorted({clip.speaker for clip in clips}):
        curves |= targets.tracked_targets([clip for clip in clips if clip.speaker == speaker], head)
    return curves


def load_people(
    corpus: str, data: Path, work: Path, model: LSF, head: lips.Lips, splits: Sequence[str] = ("train",)
) -> list[Person]:
    """Return the people of a tracked corpus.

    Args:
        corpus: One of TRACKED_CORPORA.
        data: Folder that holds the corpora.
        work: Folder of the computed files; targets that it has are taken from there.
        model: The encoder.
        head: Lips of the project's head.
        splits: Splits whose clips are used. The corpus "people" has one clip a person, and all are used.
    """
    clips = corpora.read(corpus, data)
    states = encoder_states.load(work, corpus, clips, model)
    path = work / "targets" / f"{corpus}.npz"
    curves = dict(np.load(path)) if path.exists() else tracked_curves(corpus, clips, head)
    used = [clip for clip in clips if corpus == "people" or clip.split in splits]
    return [
        make_person(speaker, [(states[c.name], curves[c.name]) for c in used if c.speaker == speaker], head)
        for speaker in sorted({clip.speaker for clip in used})
    ]


def main() -> None:
    """Train the teachers of the given corpora."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--whisper", type=Path, required=True, help="folder that convert_whisper wrote")
    parser.add_argument("--corpora", nargs="+", choices=TRACKED_CORPORA, default=["grid"], help="tracked people")
    parser.add_argument("--seeds", type=int, nargs="*", default=list(SEEDS), help="of the networks")
    args = parser.parse_args()
    model, head = features.load_extractor(args.whisper), lips.load_lips()
    people = [person for c in args.corpora for person in load_people(c, args.data, args.work, model, head)]
    train_ensemble(people, args.work / "teachers" / "+".join(args.corpora), args.seeds)


if __name__ == "__main__":
    main()
