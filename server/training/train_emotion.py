"""The emotion reader: `python -m server.training.train_emotion --data DATA --work WORK`, after `features`.

Multinomial logistic regression on EmoDB's labels, over the reader's embedding: principal components of the pooled
statistics (server/model/emotion.py) after the nuisance directions are removed. Those are the directions in which the
mean statistics of neutral voices differ: every synthetic voice, GRID, LJSpeech, FACEGOOD, and the neutral clips of
every EmoDB speaker, all corpora alike. Without that, the recording gives the labelled corpus away, and an unknown
neutral voice reads as angry. Labels are used here alone, never at inference. Writes WORK/emotion.safetensors; takes a
minute.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from ..model.emotion import EMBEDDING
from ..protocol.emotions import EMOTION_CLASSES
from . import corpora

NUISANCES = 12  # directions removed
BACKGROUND = ("kokoro", "kokoro_more", "grid", "ljspeech", "facegood")
DECAY = 3e-2
UNHEARD = -20.0  # bias of classes that no corpus has


def load(data: Path, work: Path, corpus: str, splits: tuple[str, ...]) -> tuple[np.ndarray, list[corpora.Clip]]:
    """Pooled statistics (M, 2 · C) of all copies of a corpus, and the clip of each row."""
    clips = {c.name: c for c in corpora.read(corpus, data) if c.split in splits}
    rows, whose = [], []
    for path in sorted((work / "features").glob(f"{corpus}_[0-9]_statistics.npz")):
        found = np.load(path)
        kept = [i for i, name in enumerate(found["names"]) if str(name) in clips]
        rows.append(found["statistics"][kept].astype(np.float32))
        whose += [clips[str(found["names"][i])] for i in kept]
    return (np.concatenate(rows) if rows else np.zeros((0, 0), np.float32)), whose


def group_means(rows: np.ndarray, names: list[str]) -> np.ndarray:
    return np.stack([rows[[n == name for n in names]].mean(0) for name in sorted(set(names))])


def fit(labelled: np.ndarray, labels: list[str], speakers: list[str], background: list[tuple[np.ndarray, list[str]]]):
    """Statistics (M, S) of labelled clips, and of neutral ones with their voices -> the reader's buffers and head."""
    everything = np.concatenate([labelled, *[rows for rows, _ in background]])
    mean, scale = everything.mean(0), everything.std(0) + 1e-5
    neutral = [i for i, label in enumerate(labels) if label == "neutral"]
    voices = [group_means((labelled[neutral] - mean) / scale, [speakers[i] for i in neutral])]
    voices += [group_means((rows - mean) / scale, names) for rows, names in background]
    middle = np.mean([corpus.mean(0) for corpus in voices], 0)
    # However many voices a corpus has, it counts as much as another.
    centred = np.concatenate([(corpus - middle) / len(corpus) ** 0.5 for corpus in voices])
    nuisance = np.linalg.svd(centred, full_matrices=False)[2][:NUISANCES]  # (N, S)

    def cleaned(rows: np.ndarray) -> np.ndarray:
        standard = (rows - mean) / scale
        return standard - standard @ nuisance.T @ nuisance

    x = cleaned(labelled)
    components = np.linalg.svd(x - x.mean(0), full_matrices=False)[2][:EMBEDDING].T  # (S, EMBEDDING)
    spread = (x @ components).std()
    # (rows - mean) / scale, cleaned, projected: all linear, so one matrix
    projection = (components - nuisance.T @ (nuisance @ components)) / scale[:, None] / spread
    embedding = torch.from_numpy((labelled - mean) @ projection).float()
    wanted = torch.tensor([EMOTION_CLASSES.index(label) for label in labels])
    head = torch.nn.Linear(EMBEDDING, len(EMOTION_CLASSES))
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.zeros_(head.bias)
    optimizer = torch.optim.LBFGS(head.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def step():
        optimizer.zero_grad()
        loss = F.cross_entropy(head(embedding), wanted) + DECAY * head.weight.square().sum() / 2 / spread**2
        loss.backward()
        return loss

    optimizer.step(step)
    with torch.no_grad():
        for k, name in enumerate(EMOTION_CLASSES):
            if name not in labels:
                head.bias[k], head.weight[k] = UNHEARD, 0
    return {
        "mean": torch.from_numpy(mean).float(),
        "projection": torch.from_numpy(projection).float(),
        "head.weight": head.weight.detach(),
        "head.bias": head.bias.detach(),
    }


def probabilities(reader: dict[str, torch.Tensor], rows: np.ndarray) -> np.ndarray:
    embedding = (torch.from_numpy(rows) - reader["mean"]) @ reader["projection"]
    return (embedding @ reader["head.weight"].T + reader["head.bias"]).softmax(1).numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    args = parser.parse_args()
    torch.manual_seed(0)
    labelled, clips = load(args.data, args.work, "emodb", ("train",))
    background = []
    for corpus in BACKGROUND:
        if any((args.work / "features").glob(f"{corpus}_[0-9]_statistics.npz")):
            rows, whose = load(args.data, args.work, corpus, ("train",))
            background.append((rows, [c.speaker for c in whose]))
    reader = fit(labelled, [c.emotion for c in clips], [c.speaker for c in clips], background)
    held, held_clips = load(args.data, args.work, "emodb", ("valid",))
    guessed = [EMOTION_CLASSES[i] for i in probabilities(reader, held).argmax(1)]
    right = np.mean([guess == c.emotion for guess, c in zip(guessed, held_clips, strict=True)])
    print(f"speakers kept out for early stopping, with their augmented copies: {right:.3f} of the clips right")
    for corpus, (rows, _) in zip(BACKGROUND, background, strict=False):
        print(f"{corpus}: neutral {probabilities(reader, rows)[:, EMOTION_CLASSES.index('neutral')].mean():.2f}")
    save_file(
        {f"emotion_reader.{name}": value.contiguous() for name, value in reader.items()},
        args.work / "emotion.safetensors",
    )


if __name__ == "__main__":
    main()
