"""Phones of speech without time labels: forced alignment where the phones are known, recognition elsewhere.

    python -m server.training.speech.align --data DATA --work WORK

A small network classifies the phones in the cached features (features.py). It is trained on synthetic voices of all
languages, whose phones have known times. A Viterbi search then finds the most likely times of the phones of a text
(evaluation/people_phones.py). Clips may be cut off in the middle of their text. FACEGOOD has no text, so the search
finds the phones as well. It writes WORK/alignments/facegood.json, {name: [[IPA symbol, start, end], ...]}, and prints
its error on real speech with known times, on which it was not trained.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...numerics import FloatArray, IntArray
from .. import FPS, corpora, dataset, features
from ..corpora import required
from .phonetics import Phone, phone_features

TRAINING_CORPORA = ("kokoro", "kokoro_more")
TEST_CORPORA = ("grid", "ljspeech")  # real speech with known times
FEATURE_RATE = FPS * features.CONFIG.frame_stack  # Hz
SIZE = features.CONFIG.motion_components
STEPS, BATCH, FRAMES, LEARNING_RATE, SEED = 1500, 24, 100, 2e-3, 1
FEATURE_NOISE = 0.3  # standard deviation of the noise added to the scaled features while training
MIN_PHONE_FRAMES = 2
PAUSE_PENALTY = 6.0  # log likelihood that a pause inside a sentence must gain
MIN_TRAINING_FRAMES = 200  # a phone with fewer frames in the training set is not a class
PHONE_PENALTY = 4.0  # log likelihood that one more phone must gain in recognition
PRIOR_WEIGHT = 0.7  # weight of a phone's log prior in recognition


class PhoneNet(nn.Module):
    """Classifies the phone of every frame of projected features at 50 Hz."""

    scale: Tensor
    log_prior: Tensor

    def __init__(self, symbols: list[str], width: int = 192):
        """Build an untrained network.

        Args:
            symbols: The classes, IPA symbols; "" is silence.
            width: Channels of the convolutions.
        """
        super().__init__()
        self.symbols = symbols
        self.layers = nn.Sequential(
            nn.Conv1d(SIZE, width, 5, padding=2),
            nn.GELU(),
            nn.Dropout(0.2),
            nn.Conv1d(width, width, 5, padding=2),
            nn.GELU(),
            nn.Dropout(0.2),
            nn.Conv1d(width, len(symbols), 1),
        )
        self.register_buffer("scale", torch.ones(SIZE))
        self.register_buffer("log_prior", torch.zeros(len(symbols)))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, F, len(symbols)) of features (B, F, SIZE)."""
        x = x / self.scale
        if self.training:
            x = x + FEATURE_NOISE * torch.randn_like(x)
        logits: Tensor = self.layers(x.mT).mT
        return logits

    @torch.no_grad()
    def log_likelihoods(self, x: FloatArray) -> FloatArray:
        """Return log likelihoods (F, len(symbols)) of features (F, SIZE), up to a constant of each frame."""
        posterior: Tensor = self.eval()(torch.from_numpy(x)[None])[0].log_softmax(-1)
        return (posterior - self.log_prior).numpy()


def motion_segments(work: Path, corpus: str, copies: list[int]) -> Iterator[tuple[FloatArray, list[features.Part]]]:
    """Yield the motion features (F, SIZE) float32 at 50 Hz of every cached segment, and its parts."""
    for stacked, parts in dataset.read_segments(work, corpus, copies):
        yield np.asarray(stacked[:, : features.CONFIG.frame_stack * SIZE], np.float32).reshape(-1, SIZE), parts


def motion_clips(work: Path, corpus: str) -> Iterator[tuple[str, FloatArray]]:
    """Yield name and motion features (F, SIZE) float32 at 50 Hz of every clip without augmentation."""
    pieces = ((parts[0]["name"], rows) for rows, parts in motion_segments(work, corpus, [0]))
    for name, several in groupby(pieces, lambda piece: piece[0]):
        yield name, np.concatenate([rows for _, rows in several])


def symbols_at(phones: list[Phone], times: FloatArray) -> list[str]:
    """Return the symbol of the phone at each time (n,) in seconds, "" where there is none."""
    starts = np.array([start for _, start, _ in phones])
    return [
        phones[i][0] if i >= 0 and t < phones[i][2] else ""
        for i, t in zip(np.searchsorted(starts, times, "right") - 1, times, strict=True)
    ]


def training_clips(work: Path, data: Path) -> list[tuple[FloatArray, list[str]]]:
    """Return features (F, SIZE) and the phone of every frame (F) of each training clip and copy without pauses."""
    found = []
    for corpus in TRAINING_CORPORA:
        phones = {c.name: required(c.phones) for c in corpora.read(corpus, data) if c.split == "train"}
        # Copies from CONVERTED_COPY on have pauses, for which there are no labels.
        copies = [k for k in dataset.available_copies(work, corpus) if k < features.CONVERTED_COPY]
        for rows, parts in motion_segments(work, corpus, copies):
            at = 0
            for part in parts:
                count = features.CONFIG.frame_stack * part["frames"]
                if part["name"] in phones:
                    times = (
                        (features.CONFIG.frame_stack * part["first"] + np.arange(count)) / FEATURE_RATE * part["speed"]
                    )
                    found.append((rows[at : at + count], symbols_at(phones[part["name"]], times)))
                at += count
    return found


def train(clips: list[tuple[FloatArray, list[str]]], steps: int = STEPS) -> PhoneNet:
    """Train the network.

    Args:
        clips: Features (F, SIZE) and the phone of every frame (F) of each clip.
        steps: Number of optimiser steps.
    """
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    names, counts = np.unique(np.concatenate([labels for _, labels in clips]), return_counts=True)
    symbols = [str(name) for name in names[counts >= MIN_TRAINING_FRAMES]]
    index = {symbol: i for i, symbol in enumerate(symbols)}
    model = PhoneNet(symbols)
    model.scale.copy_(torch.from_numpy(np.concatenate([rows[::9] for rows, _ in clips]).std(0)).sqrt())
    model.log_prior.copy_(torch.from_numpy(counts[counts >= MIN_TRAINING_FRAMES] / counts.sum()).log())
    labels = [np.array([index.get(symbol, -1) for symbol in frame_symbols]) for _, frame_symbols in clips]
    lengths = np.array([len(row) for row in labels], float)
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps)
    for step in range(steps):
        model.train()
        x, y = torch.zeros(BATCH, FRAMES, SIZE), torch.full((BATCH, FRAMES), -1)
        for row, i in enumerate(rng.choice(len(clips), BATCH, p=lengths / lengths.sum())):
            first = int(rng.integers(0, max(1, len(labels[i]) - FRAMES + 1)))
            part = slice(first, first + FRAMES)
            x[row, : len(labels[i][part])] = torch.from_numpy(clips[i][0][part])
            y[row, : len(labels[i][part])] = torch.from_numpy(labels[i][part])
        logits = model(x)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten(), ignore_index=-1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 250 == 249:
            accuracy = (logits.argmax(-1) == y)[y >= 0].float().mean().item()
            print(f"step {step + 1}: loss {loss.item():.2f}, frame accuracy {accuracy:.2f}", flush=True)
    return model


def nearest_symbol(symbol: str, symbols: list[str]) -> int:
    """Return the index of the phone among `symbols` whose articulation is most similar to that of `symbol`."""
    return int(np.argmin([np.abs(phone_features(symbol) - phone_features(other)).sum() for other in symbols]))


def align(model: PhoneNet, rows: FloatArray, symbols: list[str]) -> list[Phone]:
    """Find the most likely times of known phones with a Viterbi search.

    Args:
        model: The trained network.
        rows: (F, SIZE) features at 50 Hz.
        symbols: IPA symbols in order. "" is an optional pause. The sound may begin with one and end anywhere in
            the text.

    Returns:
        The phones and pauses up to the end of the sound.
    """
    log_likelihoods = model.log_likelihoods(rows)
    symbols = symbols if symbols[0] == "" else ["", *symbols]
    # A phone is a chain of states, one for each frame that it lasts at least; a pause is one state.
    states = [(symbol, i) for i, symbol in enumerate(symbols) for _ in range(1 if symbol == "" else MIN_PHONE_FRAMES)]
    frames = log_likelihoods[:, [nearest_symbol(symbol, model.symbols) for symbol, _ in states]]
    pause = np.array([symbol == "" for symbol, _ in states])
    entering = np.where(pause & (np.arange(len(states)) > 0), -PAUSE_PENALTY, 0.0)
    last = np.array([i + 1 == len(states) or states[i + 1][1] != n for i, (_, n) in enumerate(states)])
    skips = np.zeros(len(states), bool)  # states that can be reached from two states before, past a pause
    skips[2:] = pause[1:-1]
    score = np.full(len(states), -np.inf)
    score[:2] = frames[0, :2]
    transitions = np.zeros(frames.shape, int)  # by how many states the best path advanced
    for f in range(1, len(frames)):
        stay = np.where(last, score, -np.inf)
        step = np.concatenate([[-np.inf], score[:-1]]) + entering
        skip = np.where(skips, np.concatenate([[-np.inf] * 2, score[:-2]]), -np.inf)
        transitions[f] = np.argmax([stay, step, skip], 0)
        score = np.maximum(np.maximum(stay, step), skip) + frames[f]
    path = [int(np.argmax(score))]
    for f in range(len(frames) - 1, 0, -1):
        path.append(path[-1] - int(transitions[f, path[-1]]))
    return frames_to_phones(np.array([states[i][1] for i in reversed(path)]), symbols)


def frames_to_phones(indices: IntArray, symbols: list[str]) -> list[Phone]:
    """Return phones with their times, given the index (F,) of the symbol of each frame at 50 Hz."""
    edges = np.flatnonzero(np.diff(indices)) + 1
    starts, ends = np.r_[0, edges], np.r_[edges, len(indices)]
    # A frame of features is centred on its time, so a phone extends half a frame to either side.
    return [
        (symbols[indices[a]], round(max(0, a - 0.5) / FEATURE_RATE, 3), round((b - 0.5) / FEATURE_RATE, 3))
        for a, b in zip(starts, ends, strict=True)
    ]


def recognise(model: PhoneNet, rows: FloatArray) -> list[Phone]:
    """Find the most likely phones and pauses with a Viterbi search over all sequences.

    Args:
        model: The trained network.
        rows: (F, SIZE) features at 50 Hz.

    Returns:
        Phones of at least MIN_PHONE_FRAMES each.
    """
    log_likelihoods = model.log_likelihoods(rows)
    entering = PRIOR_WEIGHT * model.log_prior.numpy() - PHONE_PENALTY
    # Row d: the phone has lasted d + 1 frames; last row: MIN_PHONE_FRAMES or more.
    score = np.full((MIN_PHONE_FRAMES, log_likelihoods.shape[1]), -np.inf)
    score[0] = log_likelihoods[0] + entering
    previous = np.zeros(len(log_likelihoods), int)  # best phone to come from
    grown = np.zeros(log_likelihoods.shape, bool)  # whether the phone reached its last row in this frame
    for f in range(1, len(log_likelihoods)):
        previous[f] = score[-1].argmax()
        grown[f] = score[-2] > score[-1]
        score = np.stack([score[-1].max() + entering, *score[:-2], score[-2:].max(0)]) + log_likelihoods[f]
    phone, duration, path = int(score[-1].argmax()), MIN_PHONE_FRAMES, []
    for f in range(len(log_likelihoods) - 1, -1, -1):
        path.append(phone)
        if duration < MIN_PHONE_FRAMES or grown[f, phone]:
            duration -= 1
        if not duration:
            phone, duration = int(previous[f]), MIN_PHONE_FRAMES
    return frames_to_phones(np.array(path[::-1]), model.symbols)


def agreement(model: PhoneNet, rows: FloatArray, aligned: list[Phone]) -> float:
    """Return the share of the frames with speech in which the aligned phone is also the most likely one.

    Args:
        model: The trained network.
        rows: (F, SIZE) features at 50 Hz.
        aligned: The phones that `align` found in them.
    """
    symbols = symbols_at(aligned, np.arange(len(rows)) / FEATURE_RATE)
    best = model.log_likelihoods(rows).argmax(1)
    return float(np.mean([best[f] == nearest_symbol(s, model.symbols) for f, s in enumerate(symbols) if s]))


def alignment_errors(model: PhoneNet, work: Path, data: Path, corpus: str, limit: int = 60) -> FloatArray:
    """Return the distances (n,) in seconds between aligned and known middles of phones, over up to `limit` clips."""
    phones = {c.name: required(c.phones) for c in corpora.read(corpus, data)}
    found = []
    for rows, parts in list(motion_segments(work, corpus, [0]))[:limit]:
        known = phones[parts[0]["name"]]
        if len(parts) == 1 and not parts[0]["first"] and known[-1][2] <= len(rows) / FEATURE_RATE + 0.1:
            aligned = align(model, rows, [symbol for symbol, _, _ in known])
            a, b = ([(start + end) / 2 for symbol, start, end in several if symbol] for several in (aligned, known))
            found += [abs(x - y) for x, y in zip(a, b, strict=False)]
    return np.array(found)


def write(work: Path, corpus: str, found: dict[str, list[Phone]]) -> None:
    """Write the phones of a corpus, by clip, to WORK/alignments/CORPUS.json."""
    (work / "alignments").mkdir(exist_ok=True)
    (work / "alignments" / f"{corpus}.json").write_text(
        json.dumps(found, ensure_ascii=False, indent=0), encoding="utf-8"
    )


def with_phones(clips: list[corpora.Clip], work: Path) -> list[corpora.Clip]:
    """Return the clips that have phones: those of the corpus or, where it has none at all, the aligned ones."""
    labelled = [clip for clip in clips if clip.phones is not None]
    if labelled:
        return labelled
    found = json.loads((work / "alignments" / f"{clips[0].corpus}.json").read_text(encoding="utf-8"))
    return [replace(clip, phones=found[clip.name]) for clip in clips if clip.name in found]


def main() -> None:
    """Train the network, print its errors and recognise FACEGOOD."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    args = parser.parse_args()
    model = train(training_clips(args.work, args.data))
    for corpus in TEST_CORPORA:
        errors = 1e3 * alignment_errors(model, args.work, args.data, corpus)
        print(
            f"{corpus}: middles of {len(errors)} phones are off by {np.median(errors):.0f} ms, "
            f"{np.percentile(errors, 90):.0f} ms at the 90th percentile",
            flush=True,
        )
    write(args.work, "facegood", {name: recognise(model, rows) for name, rows in motion_clips(args.work, "facegood")})


if __name__ == "__main__":
    main()
