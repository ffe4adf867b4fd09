"""The phones of speech that nobody transcribed in time: forced alignment where the words are known, else recognition.

    python -m server.training.speech.align --data DATA --work WORK

A small network tells phones apart in the cached features (features.py), trained on synthetic voices of all languages,
whose phones have times; a Viterbi search then finds the most likely times of the phones that a text has. Clips may be
cut off in the middle of their text. Of FACEGOOD there is no text: there it finds the most likely phones as well.
It writes WORK/alignments/emodb.json and facegood.json, {name: [[IPA symbol, start, end], ...]}, and prints how far it
is off where the times are known: on read and commanded real speech that it never heard.

Needs the program `espeak-ng`, for the pronunciation of the texts.
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

from .. import FPS, corpora, dataset, features
from .kokoro import timed
from .phonetics import KOKORO, Phone, to_ipa, vector
from .pronounce import pronounce

HEARD = ("kokoro", "kokoro_more")  # what the network learns from
CHECKED = ("grid", "ljspeech")  # real speech with known times, which it does not hear
RATE = FPS * features.CONFIG.fold  # frames a second
SIZE = features.CONFIG.motion_components
STEPS, BATCH, FRAMES, LEARNING, SEED = 1500, 24, 100, 2e-3, 1
SHORTEST = 2  # frames of a phone
PAUSE = 6.0  # log likelihood that a pause inside a sentence must gain
DOUBTFUL = 0.3  # a clip with no more agreement than this is left unaligned
RARE = 200  # frames that a phone must have been heard to be told apart
NEXT = 4.0  # log likelihood that one more phone must gain where no text says which phones there are
COMMON = 0.7  # how much it counts there that a phone is common


class PhoneNet(nn.Module):
    """Projected features at 50 Hz (B, F, SIZE) -> logits of the phones (B, F, len(symbols)); symbol "" is silence."""

    def __init__(self, symbols: list[str], width: int = 192):
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
        self.register_buffer("chances", torch.zeros(len(symbols)))  # log share of each phone

    def forward(self, x: Tensor) -> Tensor:
        x = x / self.scale
        if self.training:
            x = x + 0.3 * torch.randn_like(x)
        return self.layers(x.mT).mT

    @torch.no_grad()
    def likelihoods(self, x: np.ndarray) -> np.ndarray:
        """(F, SIZE) -> (F, symbols) log likelihoods, up to a constant of each frame"""
        return (self.eval()(torch.from_numpy(x)[None])[0].log_softmax(-1) - self.chances).numpy()


def stretches(work: Path, corpus: str, copies: list[int]) -> Iterator[tuple[np.ndarray, list[dict]]]:
    """What was heard in one go: motion features (F, SIZE) float32 at 50 Hz, and the parts."""
    for folded, parts in dataset.heard(work, corpus, copies):
        yield np.asarray(folded[:, : features.CONFIG.fold * SIZE], np.float32).reshape(-1, SIZE), parts


def whole(work: Path, corpus: str) -> Iterator[tuple[str, np.ndarray]]:
    """The clips as they are: name and motion features (F, SIZE) float32 at 50 Hz."""
    pieces = ((parts[0]["name"], heard) for heard, parts in stretches(work, corpus, [0]))
    for name, several in groupby(pieces, lambda piece: piece[0]):
        yield name, np.concatenate([heard for _, heard in several])


def symbols_at(phones: list[Phone], times: np.ndarray) -> list[str]:
    """The phone at each time in seconds."""
    starts = np.array([start for _, start, _ in phones])
    return [
        phones[i][0] if i >= 0 and t < phones[i][2] else ""
        for i, t in zip(np.searchsorted(starts, times, "right") - 1, times, strict=True)
    ]


def spoken(work: Path, data: Path) -> list[tuple[np.ndarray, list[str]]]:
    """Features (F, SIZE) and the phone of every frame, of the voices to learn from."""
    found = []
    for corpus in HEARD:
        phones = {c.name: c.phones for c in corpora.read(corpus, data) if c.split == "train"}
        copies = [k for k in dataset.copies(work, corpus) if k < features.OTHERS]  # those without pauses
        for heard, parts in stretches(work, corpus, copies):
            at = 0
            for part in parts:
                count = features.CONFIG.fold * part["frames"]
                if part["name"] in phones:
                    times = (features.CONFIG.fold * part["first"] + np.arange(count)) / RATE * part["speed"]
                    found.append((heard[at : at + count], symbols_at(phones[part["name"]], times)))
                at += count
    return found


def train(clips: list[tuple[np.ndarray, list[str]]]) -> PhoneNet:
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    names, counts = np.unique(np.concatenate([labels for _, labels in clips]), return_counts=True)
    symbols = [str(name) for name in names[counts >= RARE]]
    index = {symbol: i for i, symbol in enumerate(symbols)}
    model = PhoneNet(symbols)
    model.scale.copy_(torch.from_numpy(np.concatenate([heard[::9] for heard, _ in clips]).std(0)).sqrt())
    model.chances.copy_(torch.from_numpy(counts[counts >= RARE] / counts.sum()).log())
    labels = [np.array([index.get(symbol, -1) for symbol in said]) for _, said in clips]
    lengths = np.array([len(said) for said in labels], float)
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING, STEPS)
    for step in range(STEPS):
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
            right = (logits.argmax(-1) == y)[y >= 0].float().mean().item()
            print(f"step {step + 1}: loss {loss.item():.2f}, frames right {right:.2f}", flush=True)
    return model


def nearest(symbol: str, symbols: list[str]) -> int:
    """The phone among `symbols` whose articulation is most like that of `symbol`."""
    return int(np.argmin([np.abs(vector(symbol) - vector(other)).sum() for other in symbols]))


def align(model: PhoneNet, heard: np.ndarray, said: list[str]) -> list[Phone]:
    """Most likely times of the phones `said` in order, in (F, SIZE) features at 50 Hz -> phones and pauses.

    A "" in `said` is a pause that may be left out; the sound may begin with one and end anywhere in the text.
    """
    likely = model.likelihoods(heard)
    said = said if said[0] == "" else ["", *said]
    states = [(symbol, i) for i, symbol in enumerate(said) for _ in range(1 if symbol == "" else SHORTEST)]
    frames = likely[:, [nearest(symbol, model.symbols) for symbol, _ in states]]
    pause = np.array([symbol == "" for symbol, _ in states])
    entering = np.where(pause & (np.arange(len(states)) > 0), -PAUSE, 0.0)
    last = np.array([i + 1 == len(states) or states[i + 1][1] != n for i, (_, n) in enumerate(states)])
    skips = np.zeros(len(states), bool)  # reached from two states before, over a pause
    skips[2:] = pause[1:-1]
    score = np.full(len(states), -np.inf)
    score[:2] = frames[0, :2]
    came = np.zeros(frames.shape, int)
    for f in range(1, len(frames)):
        stay = np.where(last, score, -np.inf)
        step = np.concatenate([[-np.inf], score[:-1]]) + entering
        skip = np.where(skips, np.concatenate([[-np.inf] * 2, score[:-2]]), -np.inf)
        came[f] = np.argmax([stay, step, skip], 0)
        score = np.maximum(np.maximum(stay, step), skip) + frames[f]
    path = [int(np.argmax(score))]
    for f in range(len(frames) - 1, 0, -1):
        path.append(path[-1] - int(came[f, path[-1]]))
    return in_seconds(np.array([states[i][1] for i in reversed(path)]), said)


def in_seconds(numbers: np.ndarray, symbols: list[str]) -> list[Phone]:
    """The number of a symbol for each frame at 50 Hz -> phones with their times."""
    edges = np.flatnonzero(np.diff(numbers)) + 1
    starts, ends = np.r_[0, edges], np.r_[edges, len(numbers)]
    # A frame of features is about its time, so a phone reaches half a frame to either side.
    return [
        (symbols[numbers[a]], round(max(0, a - 0.5) / RATE, 3), round((b - 0.5) / RATE, 3))
        for a, b in zip(starts, ends, strict=True)
    ]


def recognise(model: PhoneNet, heard: np.ndarray) -> list[Phone]:
    """Most likely phones and pauses, in any order, in (F, SIZE) features at 50 Hz; each lasts SHORTEST or more."""
    likely = model.likelihoods(heard)
    entering = COMMON * model.chances.numpy() - NEXT
    score = np.full((SHORTEST, likely.shape[1]), -np.inf)  # by how long the phone has lasted, SHORTEST being for ever
    score[0] = likely[0] + entering
    before, grown = np.zeros(len(likely), int), np.zeros(likely.shape, bool)
    for f in range(1, len(likely)):
        before[f] = score[-1].argmax()
        grown[f] = score[-2] > score[-1]
        score = np.stack([score[-1].max() + entering, *score[:-2], score[-2:].max(0)]) + likely[f]
    phone, lasted, path = int(score[-1].argmax()), SHORTEST, []
    for f in range(len(likely) - 1, -1, -1):
        path.append(phone)
        if lasted < SHORTEST or grown[f, phone]:
            lasted -= 1
        if not lasted:
            phone, lasted = int(before[f]), SHORTEST
    return in_seconds(np.array(path[::-1]), model.symbols)


def agreement(model: PhoneNet, heard: np.ndarray, aligned: list[Phone]) -> float:
    """Share of the frames with speech in which the aligned phone is also the likeliest."""
    said = symbols_at(aligned, np.arange(len(heard)) / RATE)
    best = model.likelihoods(heard).argmax(1)
    return float(np.mean([best[f] == nearest(symbol, model.symbols) for f, symbol in enumerate(said) if symbol]))


def errors(model: PhoneNet, work: Path, data: Path, corpus: str, limit: int = 60) -> np.ndarray:
    """Distances in seconds between found and known middles of phones."""
    phones = {c.name: c.phones for c in corpora.read(corpus, data)}
    found = []
    for heard, parts in list(stretches(work, corpus, [0]))[:limit]:
        known = phones[parts[0]["name"]]
        if len(parts) == 1 and not parts[0]["first"] and known[-1][2] <= len(heard) / RATE + 0.1:
            aligned = align(model, heard, [symbol for symbol, _, _ in known])
            a, b = ([(start + end) / 2 for symbol, start, end in several if symbol] for several in (aligned, known))
            found += [abs(x - y) for x, y in zip(a, b, strict=False)]
    return np.array(found)


def pronounced(text: str, language: str) -> list[str]:
    """IPA phones of a text, with a "" wherever there may be a pause."""
    written = pronounce(text, language).replace(" ", ",")
    return [symbol for symbol, _, _ in to_ipa(timed(written, np.ones(len(written) + 2, int), len(written)), KOKORO)]


def write(work: Path, corpus: str, found: dict[str, list[Phone]]) -> None:
    (work / "alignments").mkdir(exist_ok=True)
    (work / "alignments" / f"{corpus}.json").write_text(json.dumps(found, ensure_ascii=False, indent=0))


def with_phones(clips: list[corpora.Clip], work: Path) -> list[corpora.Clip]:
    """The clips of one corpus as they are if they have phones, else those whose phones were found, with them."""
    if clips[0].phones is not None:
        return clips
    found = json.loads((work / "alignments" / f"{clips[0].corpus}.json").read_text())
    return [replace(clip, phones=found[clip.name]) for clip in clips if clip.name in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    args = parser.parse_args()
    model = train(spoken(args.work, args.data))
    for corpus in CHECKED:
        off = 1e3 * errors(model, args.work, args.data, corpus)
        print(
            f"{corpus}: middles of {len(off)} phones are off by {np.median(off):.0f} ms, "
            f"{np.percentile(off, 90):.0f} ms at the 90th percentile",
            flush=True,
        )
    texts = {c.name: c.text for c in corpora.read("emodb", args.data)}
    said = {text: pronounced(text, "de") for text in set(texts.values())}
    found = {}
    for name, heard in whole(args.work, "emodb"):
        aligned = align(model, heard, said[texts[name]])
        if agreement(model, heard, aligned) > DOUBTFUL:
            found[name] = aligned
    print(f"emodb: {len(found)} of {len(texts)} clips aligned")
    write(args.work, "emodb", found)
    write(args.work, "facegood", {name: recognise(model, heard) for name, heard in whole(args.work, "facegood")})


if __name__ == "__main__":
    main()
