"""The emotion reader: `python -m server.training.train_emotion --data DATA --work WORK`, after `features`.

Multinomial logistic regression on EmoDB's labels, over the reader's embedding: principal components of the pooled
statistics (server/model/emotion.py) after nuisance directions are removed (nuisance attribute projection, Solomonoff et
al. 2005). Those are the directions in which the mean statistics of neutral voices differ: every synthetic voice, GRID,
LJSpeech, FACEGOOD, and the neutral clips of every EmoDB speaker, all corpora with equal weight. Otherwise the
regression recognises the recording conditions of the labelled corpus, and classifies unknown neutral voices as angry.
Labels are used in this training only. It writes WORK/emotion.safetensors and takes a few seconds.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from ..model.emotion import EMBEDDING
from ..numerics import FloatArray
from ..protocol.emotions import EMOTION_CLASSES
from . import corpora
from .corpora import required

NUISANCE_DIRECTIONS = 12  # that are removed from the statistics
BACKGROUND_CORPORA = ("kokoro", "kokoro_more", "grid", "ljspeech", "facegood")
WEIGHT_DECAY = 3e-2  # of the regression's weights for components of unscaled statistics
ABSENT_CLASS_BIAS = -20.0  # of classes without training data: their probability is nearly 0


def load(data: Path, work: Path, corpus: str, splits: tuple[str, ...]) -> tuple[FloatArray, list[corpora.Clip]]:
    """Read the statistics of a corpus.

    Args:
        data: Folder that holds the corpora.
        work: Folder of the features.
        corpus: Name of the corpus.
        splits: Splits whose clips are read.

    Returns:
        Pooled statistics (M, 2 · C) of all copies, and the clip of each row.
    """
    clips = {c.name: c for c in corpora.read(corpus, data) if c.split in splits}
    rows, row_clips = [], []
    for path in sorted((work / "features").glob(f"{corpus}_[0-9]_statistics.npz")):
        found = np.load(path)
        kept = [i for i, name in enumerate(found["names"]) if str(name) in clips]
        rows.append(found["statistics"][kept].astype(np.float32))
        row_clips += [clips[str(found["names"][i])] for i in kept]
    return (np.concatenate(rows) if rows else np.zeros((0, 0), np.float32)), row_clips


def group_means(rows: FloatArray, names: list[str]) -> FloatArray:
    """Return the mean (n, C) of the rows (M, C) with each of the n different names (M), in alphabetical order."""
    return np.stack([rows[[n == name for n in names]].mean(0) for name in sorted(set(names))])


def fit(
    labelled: FloatArray, labels: list[str], speakers: list[str], background: list[tuple[FloatArray, list[str]]]
) -> dict[str, Tensor]:
    """Fit the emotion reader.

    Args:
        labelled: (M, S) statistics of the labelled clips.
        labels: Emotion of each row.
        speakers: Speaker of each row.
        background: For each further corpus, statistics (N, S) of neutral speech and the voice of each row.

    Returns:
        The reader's state by name: `mean` (S,), `projection` (S, EMBEDDING), `head.weight`, `head.bias`.
    """
    everything = np.concatenate([labelled, *[rows for rows, _ in background]])
    mean, scale = everything.mean(0), everything.std(0) + 1e-5
    neutral = [i for i, label in enumerate(labels) if label == "neutral"]
    voices = [group_means((labelled[neutral] - mean) / scale, [speakers[i] for i in neutral])]
    voices += [group_means((rows - mean) / scale, names) for rows, names in background]
    centre = np.mean([corpus.mean(0) for corpus in voices], 0)
    # Every corpus has the same weight, however many voices it has.
    centred = np.concatenate([(corpus - centre) / len(corpus) ** 0.5 for corpus in voices])
    nuisance = np.linalg.svd(centred, full_matrices=False)[2][:NUISANCE_DIRECTIONS]  # (NUISANCE_DIRECTIONS, S)

    def without_nuisance(rows: FloatArray) -> FloatArray:
        standard: FloatArray = (rows - mean) / scale
        cleaned: FloatArray = standard - standard @ nuisance.T @ nuisance
        return cleaned

    x = without_nuisance(labelled)
    components = np.linalg.svd(x - x.mean(0), full_matrices=False)[2][:EMBEDDING].T  # (S, EMBEDDING)
    spread = (x @ components).std()
    # Scaling, removal of nuisance and projection are linear, so they are one matrix.
    projection = (components - nuisance.T @ (nuisance @ components)) / scale[:, None] / spread
    embedding = torch.from_numpy((labelled - mean) @ projection).float()
    wanted = torch.tensor([EMOTION_CLASSES.index(label) for label in labels])
    head = torch.nn.Linear(EMBEDDING, len(EMOTION_CLASSES))
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.zeros_(head.bias)
    optimizer = torch.optim.LBFGS(head.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss: Tensor = (
            F.cross_entropy(head(embedding), wanted) + WEIGHT_DECAY * head.weight.square().sum() / 2 / spread**2
        )
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        for k, name in enumerate(EMOTION_CLASSES):
            if name not in labels:
                head.bias[k], head.weight[k] = ABSENT_CLASS_BIAS, 0
    return {
        "mean": torch.from_numpy(mean).float(),
        "projection": torch.from_numpy(projection).float(),
        "head.weight": head.weight.detach(),
        "head.bias": head.bias.detach(),
    }


def probabilities(reader: dict[str, Tensor], rows: FloatArray) -> FloatArray:
    """Return the probabilities (M, len(EMOTION_CLASSES)) for statistics (M, S), by the state that `fit` returned."""
    embedding = (torch.from_numpy(rows) - reader["mean"]) @ reader["projection"]
    return (embedding @ reader["head.weight"].T + reader["head.bias"]).softmax(1).numpy()


def main() -> None:
    """Fit the reader, print its accuracy on held-out speakers, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    args = parser.parse_args()
    torch.manual_seed(0)
    labelled, clips = load(args.data, args.work, "emodb", ("train",))
    background: dict[str, tuple[FloatArray, list[str]]] = {}
    for corpus in BACKGROUND_CORPORA:
        if any((args.work / "features").glob(f"{corpus}_[0-9]_statistics.npz")):
            rows, row_clips = load(args.data, args.work, corpus, ("train",))
            background[corpus] = rows, [c.speaker for c in row_clips]
    reader = fit(labelled, [required(c.emotion) for c in clips], [c.speaker for c in clips], list(background.values()))
    valid, valid_clips = load(args.data, args.work, "emodb", ("valid",))
    guesses = [EMOTION_CLASSES[i] for i in probabilities(reader, valid).argmax(1)]
    accuracy = np.mean([guess == c.emotion for guess, c in zip(guesses, valid_clips, strict=True)])
    print(f"accuracy on the speakers held out for early stopping, with their augmented copies: {accuracy:.3f}")
    for corpus, (rows, _) in background.items():
        print(f"{corpus}: neutral {probabilities(reader, rows)[:, EMOTION_CLASSES.index('neutral')].mean():.2f}")
    save_file(
        {f"emotion_reader.{name}": value.contiguous() for name, value in reader.items()},
        args.work / "emotion.safetensors",
    )


if __name__ == "__main__":
    main()
