"""Forced alignment: the times of known phones in speech.

A small network classifies the phone of every frame of projected features. A Viterbi search then finds the most likely
times of the phones of a text. Clips may be cut off in the middle of their text. evaluation/people_phones.py trains and
uses it.
"""

import numpy as np
import torch
from torch import Tensor, nn

from ...numerics import FloatArray, IntArray
from .. import FPS, features
from .phonetics import Phone, phone_features

FEATURE_RATE = FPS * features.CONFIG.frame_stack  # Hz
SIZE = features.CONFIG.motion_components
BATCH, FRAMES, LEARNING_RATE, SEED = 24, 100, 2e-3, 1
FEATURE_NOISE = 0.3  # standard deviation of the noise added to the scaled features while training
MIN_PHONE_FRAMES = 2
PAUSE_PENALTY = 6.0  # log likelihood that a pause inside a sentence must gain
MIN_TRAINING_FRAMES = 200  # a phone with fewer frames in the training set is not a class


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


def symbols_at(phones: list[Phone], times: FloatArray) -> list[str]:
    """Return the symbol of the phone at each time (n,) in seconds, "" where there is none."""
    starts = np.array([start for _, start, _ in phones])
    return [
        phones[i][0] if i >= 0 and t < phones[i][2] else ""
        for i, t in zip(np.searchsorted(starts, times, "right") - 1, times, strict=True)
    ]


def train(clips: list[tuple[FloatArray, list[str]]], steps: int) -> PhoneNet:
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
