"""The emotion reader: `python -m server.training.train_emotion --data DATA --work WORK --whisper WHISPER`.

Multinomial logistic regression on acted speech (EmoDB) and vocal bursts (EmoGator), with neutral speech of all corpora
as further neutral examples. Inputs are statistics of the sound in three copies (emotion_statistics.py; computed here
and kept in WORK/emotion). The steps before the regression are linear:

- principal components of the standardised statistics;
- the directions in which neutral voices, and the same line in another recording, differ are scaled down (within-class
  covariance normalisation, Hatch et al. 2006; here the class is a neutral voice or a line). Otherwise the regression
  recognises the recording conditions of the labelled corpora, and classifies unknown neutral voices as angry;
- again principal components: the embedding.

A line counts by the share of listeners who named its emotion (`recognition.json`), and every emotion of a corpus as
much as any other. Each line is an example twice: against the mean of all voices, and against the mean of its speaker's
lines (`EmotionReader.own_mean`). Neutral voices against their own mean are neutral examples as well, so that a
character who never changes the tone of voice stays neutral.

Before the reader is fitted on everybody, it is fitted five times without a fifth of the people and of the neutral
corpora, and what would be shown on those left out is printed, for each copy. WORK/emotion.safetensors has the reader
and its bank, a place in the embedding space for each of EMOTIONS.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..model.emotion import EMBEDDING, EmotionReader
from ..numerics import FloatArray, IntArray
from ..performance.emotion.expression import detected_emotion
from ..protocol.emotions import EMOTION_CLASSES, EMOTIONS
from . import corpora, emotion_statistics, features
from .corpora import Clip, name_hash
from .emotion_statistics import Rows
from .evaluation.emotion_scores import shown_emotion_scores

LABELLED_CORPORA = ("emodb", "emogator")
NEUTRAL_CORPORA = ("grid", "ljspeech", "kokoro", "kokoro_more", "facegood")
COMPONENTS = 256  # principal components of the statistics, before nuisance is scaled down
COMPONENT_ROWS = 8000  # to find them
NUISANCE_FLOOR = 3.0  # variance added in every direction, relative to the mean variance of nuisance
WEIGHT_DECAY = 3e-2  # of the regression's weights, for an embedding of unit variance
CORPUS_WEIGHTS = {"emodb": 1.0, "emogator": 0.5}  # of all lines of a labelled corpus
# Of all lines of a neutral corpus. With ten times more, the language becomes the cue: only German speech is acted here,
# and an angry English line reads as neutral. With none, .92 to 1.00 of the lines of these corpora stay neutral.
NEUTRAL_WEIGHT = 0.03
ABSENT_CLASS_BIAS = -20.0  # of classes without training data: their probability is nearly 0
TEMPERATURE = 1.5  # by which logits are divided: unknown voices are further from the training data than people left out
FOLDS = 5
NEUTRAL = EMOTION_CLASSES.index("neutral")
BANK_DISTANCE = EMBEDDING**0.5  # of every emotion's place from neutral: one for each channel, root mean square


@dataclass
class Space:
    """A linear map from statistics to embeddings: (statistics - mean) @ projection."""

    mean: FloatArray  # (S,) of an average character
    projection: FloatArray  # (S, EMBEDDING)

    def embed(self, rows: Rows) -> FloatArray:
        """Return the embeddings (M, EMBEDDING) of statistics."""
        embedding: FloatArray = ((rows.statistics - self.mean) @ self.projection).astype(np.float32)
        return embedding


def fold_of(speaker: str) -> int:
    """Return the fold in which a speaker is left out."""
    return int(name_hash(speaker), 16) % FOLDS


def voice_means(rows: Rows, values: FloatArray) -> FloatArray:
    """Return the mean (n, D) of values (M, D) for each voice: of its neutral lines, or of all if none is neutral."""
    means, speakers = rows.line_means(values), np.array(rows.speakers)
    neutral = np.array([e == "neutral" for e in rows.emotions])
    found = []
    for speaker in sorted(set(rows.speakers)):
        own = speakers == speaker
        found.append(means[own & neutral if (own & neutral).any() else own].mean(0))
    return np.stack(found)


def nuisance(several: Sequence[Rows], values: Sequence[FloatArray]) -> FloatArray:
    """Return the covariance (D, D) of what is no emotion: voice, recording and corpus.

    Args:
        several: Copies of corpora.
        values: (M, D) of each.
    """
    voices = [voice_means(rows, x) for rows, x in zip(several, values, strict=True)]
    size = voices[0].shape[1]
    total: FloatArray = np.mean([np.cov(v.T) if len(v) > 1 else np.zeros((size, size)) for v in voices], 0)
    centres = [v.mean(0) for rows, v in zip(several, voices, strict=True) if not rows.copy]
    total += np.cov(np.stack(centres).T) if len(centres) > 1 else 0
    clean = {rows.corpus: rows.line_means(x) for rows, x in zip(several, values, strict=True) if not rows.copy}
    changes = [
        rows.line_means(x) - clean[rows.corpus]
        for rows, x in zip(several, values, strict=True)
        if rows.copy and rows.corpus in clean
    ]
    for change in changes:
        total += change.T @ change / len(change) / len(changes)
    return total


def fit_space(several: Sequence[Rows]) -> Space:
    """Fit the embedding on statistics of all corpora; it needs no emotions but "neutral"."""
    everything = np.concatenate([rows.statistics for rows in several])
    drawn = everything[:: max(1, len(everything) // COMPONENT_ROWS)]
    mean, scale = everything.mean(0), everything.std(0) + 1e-5
    x = torch.from_numpy((drawn - mean) / scale)
    torch.manual_seed(0)
    components = torch.svd_lowrank(x, min(COMPONENTS, *x.shape), niter=4)[2].double().numpy()
    components /= scale[:, None]
    values = [(rows.statistics - mean) @ components for rows in several]
    covariance = nuisance(several, values)
    size = len(covariance)
    variances, directions = np.linalg.eigh(covariance / np.trace(covariance) * size)
    whitening = directions * (variances.clip(0) + NUISANCE_FLOOR) ** -0.5
    whitened = np.concatenate(values) @ whitening
    basis = np.linalg.eigh(np.cov(whitened.T))[1][:, ::-1][:, :EMBEDDING]
    spread = (whitened @ basis).std()
    projection = components @ whitening @ basis / spread
    if projection.shape[1] < EMBEDDING:  # less data than that is for tests
        projection = np.pad(projection, ((0, 0), (0, EMBEDDING - projection.shape[1])))
    return Space(average_character(several), projection)


def average_character(several: Sequence[Rows]) -> FloatArray:
    """Return the mean statistics (S,) of people who speak with all emotions.

    Every person of a labelled corpus counts alike, and so does every labelled corpus.
    """
    means = [
        np.mean([rows.line_means(rows.statistics)[np.array(rows.speakers) == s].mean(0) for s in set(rows.speakers)], 0)
        for rows in several
        if rows.corpus in CORPUS_WEIGHTS and not rows.copy
    ]
    average: FloatArray = np.mean(means, 0).astype(np.float32)
    return average


def against_own_mean(rows: Rows, embeddings: FloatArray) -> FloatArray:
    """Return embeddings (M, EMBEDDING) less the mean of each speaker's lines; NaN for speakers with too few lines."""
    reader = EmotionReader(EMBEDDING // 2, 1)  # its mean is 0: that of embeddings
    means, speakers = torch.from_numpy(rows.line_means(embeddings)).float(), np.array(rows.speakers)
    result = np.full((len(rows.names), EMBEDDING), np.nan, np.float32)
    for speaker in set(rows.speakers):
        own = speakers == speaker
        mean = reader.own_mean(means[own], torch.from_numpy(rows.seconds[own]).float())
        if mean is not None:
            result[own] = mean.numpy()
    return embeddings - result[rows.line]


@dataclass
class Examples:
    """Labelled embeddings."""

    embeddings: FloatArray  # (M, EMBEDDING)
    classes: IntArray  # (M,)
    weights: FloatArray  # (M,)


def examples(rows: Rows, embeddings: FloatArray, recognised: dict[str, float]) -> Examples:
    """Return the examples of one copy of a corpus.

    Args:
        rows: The rows. Lines without an emotion are left out.
        embeddings: (M, EMBEDDING) of the rows. Rows that are NaN are left out.
        recognised: Share of the listeners who named the emotion, by clip; 1 for others.
    """
    counts = {e: rows.emotions.count(e) for e in set(rows.emotions)}
    weight = np.array(
        [
            0.0 if e is None else recognised.get(name, 1.0) / counts[e]
            for name, e in zip(rows.names, rows.emotions, strict=True)
        ]
    ) * CORPUS_WEIGHTS.get(rows.corpus, NEUTRAL_WEIGHT)
    weight = weight / np.bincount(rows.line, minlength=len(rows.names)).clip(1)
    row_weights = weight[rows.line] * rows.active
    kept = (row_weights > 0) & np.isfinite(embeddings[:, 0])
    classes = np.array([NEUTRAL if e is None else EMOTION_CLASSES.index(e) for e in rows.emotions])[rows.line]
    return Examples(embeddings[kept], classes[kept], row_weights[kept])


def all_examples(several: Sequence[Rows], values: Sequence[FloatArray], recognised: dict[str, float]) -> list[Examples]:
    """Return the examples of copies of corpora, and those of unspoiled copies against each speaker's own mean."""
    found = [examples(rows, x, recognised) for rows, x in zip(several, values, strict=True)]
    # In other copies every line has another room, and the mean of the lines says nothing about a room.
    return found + [
        examples(rows, against_own_mean(rows, x), recognised)
        for rows, x in zip(several, values, strict=True)
        if not rows.copy
    ]


def fit_head(several: Sequence[Examples]) -> tuple[Tensor, Tensor]:
    """Fit the regression; return weights (E, EMBEDDING) and bias (E,) of the logits, divided by TEMPERATURE."""
    x = torch.from_numpy(np.concatenate([e.embeddings for e in several]))
    wanted = torch.from_numpy(np.concatenate([e.classes for e in several]))
    weights = torch.from_numpy(np.concatenate([e.weights for e in several])).float()
    weights /= weights.sum()
    head = torch.nn.Linear(x.shape[1], len(EMOTION_CLASSES))
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.zeros_(head.bias)
    optimizer = torch.optim.LBFGS(head.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss: Tensor = (weights * F.cross_entropy(head(x), wanted, reduction="none")).sum()
        loss = loss + WEIGHT_DECAY / 2 * head.weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        absent = [k for k in range(len(EMOTION_CLASSES)) if not (wanted == k).any()]
        head.weight[absent], head.bias[absent] = 0, ABSENT_CLASS_BIAS
    return head.weight.detach() / TEMPERATURE, head.bias.detach() / TEMPERATURE


def line_probabilities(rows: Rows, embeddings: FloatArray, head: tuple[Tensor, Tensor]) -> FloatArray:
    """Return the probabilities (N, E) of each line: the mean over its rows, those with more speech counting more."""
    found = (torch.from_numpy(embeddings.astype(np.float32)) @ head[0].T + head[1]).softmax(1).numpy()
    weights = np.square(rows.active) + 1e-4
    sums = np.zeros((len(rows.names), found.shape[1]))
    np.add.at(sums, rows.line, found * weights[:, None])
    result: FloatArray = sums / np.bincount(rows.line, weights, len(rows.names))[:, None]
    return result


def shown_scores(emotions: Sequence[str | None], shown: FloatArray) -> dict[str, float]:
    """Return the shares of `shown_emotion_scores`; "wrong" is the mean over the emotions, so that each counts alike.

    Args:
        emotions: (N,) the emotion of each line.
        shown: (N, 8) intensities in the order of EMOTIONS.
    """
    outcomes = shown_emotion_scores(emotions, shown)
    scores = {name: float(np.mean(several)) for name, several in sorted(outcomes.items())}
    names = ["neutral" if e == "bored" else e for e in emotions]
    by_emotion = [
        np.mean(shown_emotion_scores([e] * names.count(e), shown[[n == e for n in names]])["wrong"])
        for e in sorted({n for n in names if n is not None})
    ]
    return scores | {"wrong": float(np.mean(by_emotion))}


def people_out(
    several: Sequence[Rows], values: Sequence[FloatArray], recognised: dict[str, float], fitted_copies: Sequence[int]
) -> None:
    """Print what would be shown on people, and on neutral corpora, that the fit of the head does not see.

    Args:
        several: Copies of corpora.
        values: (M, EMBEDDING) embeddings of each. Of labels they know no more than which lines are neutral.
        recognised: Share of the listeners who named the emotion, by clip.
        fitted_copies: Copies that are fitted; all are scored.
    """
    neutral_corpora = sorted({rows.corpus for rows in several if rows.corpus in NEUTRAL_CORPORA})
    left_out = [
        np.full(len(rows.names), neutral_corpora.index(rows.corpus) % FOLDS)
        if rows.corpus in NEUTRAL_CORPORA
        else np.array([fold_of(s) for s in rows.speakers])
        for rows in several
    ]
    found: dict[tuple[str, int, str], FloatArray] = {}
    for fold in range(FOLDS):
        parts, part_values = [], []
        for rows, x, folds in zip(several, values, left_out, strict=True):
            if rows.copy in fitted_copies and (folds != fold).any():
                parts.append(rows.of_lines(folds != fold))
                part_values.append(x[folds[rows.line] != fold])
        head = fit_head(all_examples(parts, part_values, recognised))
        for rows, x, folds in zip(several, values, left_out, strict=True):
            for name, embeddings in (("", x), (" own mean", against_own_mean(rows, x))):
                p = found.setdefault((rows.corpus, rows.copy, name), np.zeros((len(rows.names), len(EMOTION_CLASSES))))
                p[folds == fold] = line_probabilities(rows, embeddings, head)[folds == fold]
    for rows in several:
        for name in ("", " own mean"):
            p = found[rows.corpus, rows.copy, name]
            known = np.isfinite(p[:, 0])
            if known.any():
                emotions = [e for e, k in zip(rows.emotions, known, strict=True) if k]
                scores = shown_scores(emotions, detected_emotion(p[known]))
                print(
                    f"{rows.corpus} copy {rows.copy}{name}: "
                    + ", ".join(f"{key} {value:.2f}" for key, value in scores.items()),
                    flush=True,
                )


def emotion_bank(several: Sequence[Rows], values: Sequence[FloatArray]) -> Tensor:
    """Return a place (8, EMBEDDING) for each of EMOTIONS, relative to neutral, which is 0.

    The direction of an emotion is that from the neutral lines of a corpus to its lines with that emotion, the mean over
    the corpora. The places are the set of orthogonal directions that is nearest to these (Löwdin 1950), all at the same
    distance, so that emotions are told apart and equally strong.
    """
    directions: dict[str, list[FloatArray]] = {}
    for rows, x in zip(several, values, strict=True):
        if rows.corpus in CORPUS_WEIGHTS and not rows.copy:
            means = rows.line_means(x)
            groups = {e: means[[e == other for other in rows.emotions]].mean(0) for e in set(rows.emotions) - {None}}
            for emotion, mean in groups.items():
                if emotion in EMOTIONS and emotion != "neutral":
                    change = mean - groups["neutral"]
                    directions.setdefault(emotion, []).append(change / np.linalg.norm(change))
    names = [e for e in EMOTIONS if e in directions]
    stacked = np.stack([np.mean(directions[e], 0) for e in names])
    left, _, right = np.linalg.svd(stacked, full_matrices=False)  # U @ V is the nearest orthonormal matrix
    bank = torch.zeros(len(EMOTIONS), EMBEDDING)
    bank[[EMOTIONS.index(e) for e in names]] = torch.from_numpy(BANK_DISTANCE * left @ right).float()
    return bank


def fit(
    several: Sequence[Rows], space: Space, values: Sequence[FloatArray], speech: Tensor, recognised: dict[str, float]
) -> dict[str, Tensor]:
    """Fit the reader on all people.

    Args:
        several: Copies of corpora.
        space: Result of `fit_space`.
        values: (M, EMBEDDING) embeddings of each copy.
        speech: (C + 1,) detector of speech.
        recognised: Share of the listeners who named the emotion, by clip.

    Returns:
        The state of an `EmotionReader`.
    """
    weight, bias = fit_head(all_examples(several, values, recognised))
    return {
        "mean": torch.from_numpy(space.mean).float(),
        "projection": torch.from_numpy(space.projection).float(),
        "speech": speech,
        "bank": emotion_bank(several, values),
        "head.weight": weight,
        "head.bias": bias,
    }


def listeners(data: Path) -> dict[str, float]:
    """Return the share of EmoDB's listeners who named the emotion, by clip."""
    found = json.loads((data / corpora.READERS["emodb"][0] / "recognition.json").read_text(encoding="utf-8"))
    return {name: recognised / 100 for name, (recognised, _) in found.items()}


def read_statistics(data: Path, work: Path, whisper: Path, seed: int) -> tuple[Tensor, list[Rows]]:
    """Return the detector of speech and the statistics of all corpora and copies; compute what WORK/emotion lacks.

    Args:
        data: Folder that holds the corpora.
        work: Folder of the computed files.
        whisper: Folder that convert_whisper wrote.
        seed: Seed of the augmentation.

    Returns:
        Weights and bias (C + 1,) of the detector, and the rows of every corpus and copy, but for test clips.

    Raises:
        ValueError: The copies of a corpus have different lines.
    """
    clips: dict[str, list[Clip]] = {
        corpus: [
            replace(c, emotion="neutral") if corpus in NEUTRAL_CORPORA else c
            for c in corpora.read(corpus, data)
            if c.split != "test"
        ]
        for corpus in (*LABELLED_CORPORA, *NEUTRAL_CORPORA)
        if (data / corpora.READERS[corpus][0]).is_dir()
    }
    folder = work / "emotion"
    folder.mkdir(parents=True, exist_ok=True)
    model = features.load_extractor(whisper)
    if not (folder / "speech.safetensors").exists():
        speech = emotion_statistics.fit_speech(model, clips, np.random.default_rng(seed))
        save_file({"speech": speech}, folder / "speech.safetensors")
    speech = load_file(folder / "speech.safetensors")["speech"]
    several = []
    for corpus, read in clips.items():
        for copy in emotion_statistics.COPIES:
            path = folder / f"{corpus}_{copy}.npz"
            if not path.exists():
                emotion_statistics.save(emotion_statistics.compute(model, speech, read, copy, seed), path)
                print(f"{path.stem} computed", flush=True)
            several.append(emotion_statistics.load(path, read))
            if several[-1].names != next(rows.names for rows in several if rows.corpus == corpus):
                raise ValueError(f"{path} has other lines than the first copy: the corpus changed. Delete {folder}.")
    return speech, several


def main() -> None:
    """Compute statistics, print what would be shown on people left out, fit the reader and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--whisper", type=Path, required=True, help="folder that convert_whisper wrote")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    speech, several = read_statistics(args.data, args.work, args.whisper, args.seed)
    recognised, space = listeners(args.data), fit_space(several)
    values = [space.embed(rows) for rows in several]
    for copies in ((0,), emotion_statistics.COPIES):
        print(f"people left out, fitted on copies {', '.join(map(str, copies))}:")
        people_out(several, values, recognised, copies)
    reader = fit(several, space, values, speech, recognised)
    save_file(
        {f"emotion_reader.{name}": value.contiguous() for name, value in reader.items()},
        args.work / "emotion.safetensors",
    )


if __name__ == "__main__":
    main()
