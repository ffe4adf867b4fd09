"""Measures style cards: the tables of docs/style.md.

    python -m server.training.evaluation.style_scores --data DATA [--parts match known sessions real speech]

`match`: how often a recording is refused that belongs to its sound, and how often one is taken that does not. `known`:
numbers of simulated styles against the numbers that were found, and the nearest card among 20. `sessions`: the error on
another take, with another calibration, of a simulated style. `real`: FACEGOOD, whose mouth no step has learned from his
sound, and GRID's speaker, whom the model knows: the error on what a card has not seen. `speech`: closures and timing of
GRID's test sentences in random styles.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...engine import Engine
from ...files.audio import load_16k
from ...numerics import BoolArray, FloatArray
from ...performance import lip_contact, prosody, style
from ...performance.perform import perform
from ...performance.sides import DIFFERENCES, PAIRS
from ...performance.style import Cues, Numbers, mixed
from ...protocol.style_cards import FAMILIES, NUMBERS, StyleCard, limits
from ...style.fit import Reference, fit, units
from ...style.match import match
from ...style.recording import STILL
from .. import FPS, corpora
from ..corpora import Clip, required
from . import metrics

LENGTHS = (10, 20, 30, 60)  # seconds of the pairs of `match`
WRONG_PAIRS = 25  # of each sound
KNOWN_LENGTHS = (10, 30, 60, 180)  # seconds of the references of `known`
CARDS, PERFORMED, LONG = 20, 10, 100  # styles; how many are performed, half of them if it takes so many seconds
SHARES = (0.5, 1.0)  # of a card: the default amount, and all of it
SPREAD = 0.5  # of the limits of a card's numbers: random ones are uniform within this share
NOISE = 0.02  # standard deviation of what is added to a simulated recording, and of what drifts over a second
GRID_CLIPS = 160
SPEECH_CARDS = 8
CALIBRATIONS = ((0.0, 0.0), (0.1, 0.02), (0.2, 0.04), (0.3, 0.06))  # deviations of the logarithm of gains, of weights
ACTORS = 10  # of `sessions`


@dataclass
class Performed:
    """A clip with what the model makes of it.

    Attributes:
        clip: The clip, with recorded curves.
        speech, expression: (F, 52) of the model.
        voice: What is measured of the sound.
    """

    clip: Clip
    speech: NDArray[np.float32]
    expression: NDArray[np.float32]
    voice: prosody.Voice

    @property
    def frames(self) -> int:
        """Frames that both have."""
        return min(len(self.speech), len(required(self.clip.curves)))

    def reference(self) -> Reference:
        """The clip as a reference performance."""
        n, recorded = self.frames, required(self.clip.curves)
        speech, expression, moved = self.speech[:n], self.expression[:n], recorded.std(0) > STILL
        return Reference.of(speech, expression, self.voice, recorded[:n], np.ones(n, bool), moved, FPS)


def performed(engine: Engine, clips: list[Clip]) -> list[Performed]:
    """Animate clips with the defaults of the engine."""
    found = []
    for clip in clips:
        p = perform(engine.model, load_16k(clip.audio))
        found.append(Performed(clip, p.motion - p.expression, p.expression, p.voice))
    return found


def part(reference: Reference, first: int, end: int) -> Reference:
    """A reference whose recording covers some frames alone."""
    valid: BoolArray = np.zeros_like(reference.valid)
    valid[first:end] = reference.valid[first:end]
    return replace(reference, valid=valid, _known={})


def error(reference: Reference, numbers: FloatArray) -> float:
    """Root mean square error of the channels that move."""
    errors = (reference.current(numbers) - reference.even)[reference.valid][:, reference.moved]
    return float(np.sqrt(np.square(errors, dtype=np.float64).mean()))


def match_scores(sets: dict[str, list[Performed]]) -> None:
    """Print both error rates."""
    print("| recordings | seconds | true pairs refused | wrong pairs taken | largest lag of a true pair, ms |")
    print("|---|---|---|---|---|")
    rng = np.random.default_rng(1)
    for name, clips in sets.items():
        for seconds in LENGTHS:
            pieces = list(_pieces(clips, round(seconds * FPS)))
            valid = np.ones(round(seconds * FPS), bool)
            true = [match(speech, recorded, valid, FPS) for speech, recorded in pieces]
            wrong = [
                match(pieces[i][0], pieces[j][1], valid, FPS).belongs
                for i in range(len(pieces))
                for j in rng.permutation(len(pieces))[:WRONG_PAIRS]
                if i != j
            ]
            refused = sum(not found.belongs for found in true)
            lag = max(abs(found.lag) for found in true if found.belongs)
            print(
                f"| {name} | {seconds} | {refused} of {len(true)} | {sum(wrong)} of {len(wrong)} | {1000 * lag:.0f} |",
                flush=True,
            )


def _pieces(clips: list[Performed], frames: int) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Predicted and recorded curves of this length: parts of long clips, or short ones joined."""
    speech = np.zeros((0, 52), np.float32)
    recorded = speech
    for clip in clips:
        n = clip.frames
        speech = np.concatenate([speech, clip.speech[:n]])
        recorded = np.concatenate([recorded, required(clip.clip.curves)[:n]])
        while len(speech) >= frames:
            yield speech[:frames], recorded[:frames]
            speech, recorded = (a[frames:] if n > frames else a[:0] for a in (speech, recorded))


def random_card(seed: int, share: float = SPREAD) -> StyleCard:
    """A card whose numbers are uniform within a share of their limits; blinks are not simulated."""
    rng = np.random.default_rng((seed, 19))
    low, high = share * np.array([limits(*number) for number in NUMBERS]).T
    values = rng.uniform(low, high)
    values[NUMBERS.index(("blinks", "rate"))] = 0
    return StyleCard(f"random {seed}", tuple(values))


def simulated(source: Reference, card: StyleCard, seed: int) -> Reference:
    """A recording of an actor with the style of a card: with noise, with drift, and with what the model cannot know."""
    from scipy.ndimage import gaussian_filter1d

    numbers, rng = mixed(((card, 1.0),)), np.random.default_rng((seed, 20))
    face = style.shaped(source.speech, numbers, source.cues, FPS) + source.expression
    lean = np.zeros(len(DIFFERENCES)) if numbers.lean is None else numbers.lean
    gains = lean + [difference.lead for difference in DIFFERENCES.values()]
    for (left, right), gain in zip(PAIRS, gains, strict=True):
        difference = gain * (face[:, left] + face[:, right]) / 2
        face[:, left] += difference
        face[:, right] -= difference
    moved = face.std(0) > STILL
    drift = gaussian_filter1d(rng.standard_normal(face.shape), FPS, 0)
    face[:, moved] += NOISE * (rng.standard_normal(face.shape) + drift / drift.std())[:, moved]
    return replace(source, recorded=face.clip(0, 1).astype(np.float32), moved=moved, _known={})


def known_scores(source: Reference) -> None:
    """Print how well the numbers of simulated styles are found, by the seconds of the reference."""
    cards = [random_card(seed) for seed in range(CARDS)]
    values = np.array([card.numbers for card in cards])
    families = [family for family in FAMILIES if family != "blinks"]
    print("| seconds | " + " | ".join(families) + " | effect found | nearest of 20 is the right one |")
    print("|---" * (len(families) + 3) + "|")
    for seconds in KNOWN_LENGTHS:
        errors, right, wanted, effects = [], 0, [], []
        frames = round(seconds * FPS)
        for seed, card in enumerate(cards[: PERFORMED if seconds < LONG else PERFORMED // 2]):
            first = (seed * 997) % max(1, len(source.valid) - frames)
            piece = _cut(source, first, first + frames)
            reference = simulated(piece, card, seed)
            found = fit(reference).numbers
            effects.append(1 - _effect(reference, found, values[seed]) / _effect(reference, 0 * found, values[seed]))
            shown = np.array([_is_shown(reference, *number) for number in NUMBERS])
            errors.append(np.where(shown, np.abs(found - values[seed]), np.nan))
            wanted.append(np.where(shown, np.abs(values[seed]), np.nan))
            scale = np.array([high - low for low, high in (limits(*number) for number in NUMBERS)])
            right += int(np.argmin(np.square((values - found) / scale)[:, shown].sum(1)) == seed)
        cells = []
        for family in families:
            places = [i for i, (of, _) in enumerate(NUMBERS) if of == family]
            missed, given = (np.nanmean(np.array(of)[:, places]) for of in (errors, wanted))
            cells.append(f"{missed:.3f} ({given:.3f})")
        print(
            f"| {seconds} | " + " | ".join(cells) + f" | {np.mean(effects):.2f} | {right} of {len(errors)} |",
            flush=True,
        )


def _effect(reference: Reference, numbers: FloatArray, others: FloatArray) -> float:
    """Root mean square difference that two cards make in the channels that move."""
    difference = (reference.current(numbers) - reference.current(others))[:, reference.moved]
    return float(np.sqrt(np.square(difference, dtype=np.float64).mean()))


def _is_shown(reference: Reference, family: str, name: str) -> bool:
    """Whether a recording moves a channel that a number is for; a fit leaves the others at the default."""
    if family == "sides":
        return any(reference.moved[PAIRS[list(DIFFERENCES).index(pair)]].all() for pair in style.SIDES[name])
    return any(reference.moved[unit.channels].any() for unit in units() if unit.family == family and name in unit.names)


def session_scores(takes: list[Reference]) -> None:
    """Print the error on another take of a simulated style; each take has a calibration of its own."""
    print("| calibration: gains, offsets | card of | mean, half strength | worst | mean, full strength | worst |")
    print("|---|---|---|---|---|---|")
    rng = np.random.default_rng(21)
    for gain, offset in CALIBRATIONS:
        changes: dict[int, list[list[float]]] = {1: [], 3: []}
        for seed in range(ACTORS):
            card, order = random_card(seed), rng.permutation(len(takes))
            *made, tested = [_calibrated(simulated(takes[i], card, int(i)), gain, offset, rng) for i in order[:4]]
            for count, found in changes.items():
                numbers = fit(Reference.joined(made[:count])).numbers
                found.append([_change(tested, share * numbers) for share in SHARES])
        for count, found in changes.items():
            (half, full), (worst_half, worst) = np.mean(found, 0), np.max(found, 0)
            made_of = "1 take" if count == 1 else f"{count} takes"
            print(
                f"| ± {gain:.1f}, ± {offset:.2f} | {made_of} | {half:+.1f} % | {worst_half:+.1f} % "
                f"| {full:+.1f} % | {worst:+.1f} % |",
                flush=True,
            )


def _calibrated(take: Reference, gain: float, offset: float, rng: np.random.Generator) -> Reference:
    """A take whose tracker has gains and offsets of its own; those of both sides are alike."""
    gains, offsets = gain * rng.standard_normal(52), offset * rng.standard_normal(52)
    gains[PAIRS], offsets[PAIRS] = gains[PAIRS].mean(1, keepdims=True), offsets[PAIRS].mean(1, keepdims=True)
    face = take.recorded.copy()
    face[:, take.moved] = (face * np.exp(gains) + offsets)[:, take.moved].clip(0, 1)
    return replace(take, recorded=face, _known={})


def _change(reference: Reference, numbers: FloatArray) -> float:
    """By how many percent the error is larger with the numbers of a card."""
    return 100 * (error(reference, numbers) / error(reference, np.zeros(len(NUMBERS))) - 1)


def _cut(reference: Reference, first: int, end: int) -> Reference:
    """Some frames of a reference."""
    rows = slice(first, end)
    cues = Cues(*(getattr(reference.cues, name)[rows] for name in ("accent", "pause", "onset")))
    return Reference(
        reference.speech[rows],
        reference.expression[rows],
        reference.recorded[rows],
        reference.valid[rows],
        reference.moved,
        cues,
        FPS,
        reference.take[rows],
    )


def real_scores(facegood: list[Performed], grid: list[Performed]) -> None:
    """Print the errors of cards on recordings that they were not made of."""
    references = {clip.clip.name: clip.reference() for clip in facegood}
    nothing = np.zeros(len(NUMBERS))
    print("| card of | tested on | error by default | at half strength | at full strength | kept |")
    print("|---|---|---|---|---|---|")

    def row(name: str, tested: str, card: FloatArray, reference: Reference) -> None:
        before = error(reference, nothing)
        half, full = (f"{_change(reference, share * card):+.1f} %" for share in SHARES)
        kept = ", ".join(family for family in FAMILIES if any(card[[f == family for f, _ in NUMBERS]]))
        print(f"| {name} | {tested} | {before:.4f} | {half} | {full} | {kept} |", flush=True)

    for name, reference in references.items():
        half = len(reference.valid) // 2
        for first, second, label in (((0, half), (half, 2 * half), "first"), ((half, 2 * half), (0, half), "second")):
            card = fit(part(reference, *first)).numbers
            row(f"{name}, {label} half", "its other half", card, part(reference, *second))
    for name, reference in references.items():
        same = [r for other, r in references.items() if other != name and other[:6] == name[:6]]
        row(f"other clips of the session ({len(same)})", name, fit(Reference.joined(same)).numbers, reference)
    for name, reference in references.items():
        others = [r for other, r in references.items() if other[:6] != name[:6]]
        row("the other session", name, fit(Reference.joined(others)).numbers, reference)
    known = [clip.reference() for clip in grid]
    half = len(known) // 2
    row("GRID, first half", "second half", fit(Reference.joined(known[:half])).numbers, Reference.joined(known[half:]))


def take_scores(facegood: list[Performed]) -> None:
    """Print the errors of cards of one take on the other takes of its session, and on those of the other session."""
    references = {clip.clip.name: clip.reference() for clip in facegood}
    cards = {name: fit(reference).numbers for name, reference in references.items()}
    print("\n| card of one take, on | pairs | mean, half strength | worst | mean, full strength | worst |")
    print("|---|---|---|---|---|---|")
    for label, same in (("other takes of the session", True), ("takes of the other session", False)):
        changes = [
            [_change(reference, share * card) for share in SHARES]
            for maker, card in cards.items()
            for name, reference in references.items()
            if maker != name and (maker[:6] == name[:6]) == same
        ]
        (half, full), (worst_half, worst) = np.mean(changes, 0), np.max(changes, 0)
        print(
            f"| {label} | {len(changes)} | {half:+.1f} % | {worst_half:+.1f} % | {full:+.1f} % | {worst:+.1f} % |",
            flush=True,
        )


def speech_scores(grid: list[Performed]) -> None:
    """Print closures and timing of GRID's test sentences without and in random styles, against those without."""
    clips = [clip for clip in grid if clip.clip.split == "test"]
    print("| style | p b m closed | other sounds closed | lag of the lips in speech, ms | r with the default |")
    print("|---|---|---|---|---|")
    for number in range(-1, SPEECH_CARDS):
        numbers = Numbers(np.zeros(len(NUMBERS))) if number < 0 else mixed(((random_card(number), 1.0),))
        closed: dict[bool, list[bool]] = {True: [], False: []}
        lags, similar = [], []
        for clip in clips:
            phones = required(clip.clip.phones)
            plain = lip_contact.close_near_contacts(clip.speech)
            styled = clip.speech if number < 0 else style.apply_style(clip.speech, numbers, clip.voice, FPS)
            before, after = (lip_contact.opening(lip_contact.close_near_contacts(c)) for c in (plain, styled))
            for symbol, start, end in phones:
                rows = slice(int(start * FPS), max(int(start * FPS) + 1, int(np.ceil(end * FPS))))
                if symbol and len(after[rows]):
                    closed[symbol in metrics.LABIALS].append(bool(after[rows].min() < lip_contact.CONTACT_APERTURE))
            start, end = (round(second * FPS) for second in metrics.speech_span(phones))
            lags.append(_lag(before[start:end], after[start:end]))
            similar.append(metrics.pearson(before[start:end], after[start:end]))
        name = "none" if number < 0 else f"random {number}"
        print(
            f"| {name} | {np.mean(closed[True]):.3f} | {np.mean(closed[False]):.3f} | {1000 * np.mean(lags):+.1f} "
            f"| {np.mean(similar):.3f} |",
            flush=True,
        )


def _lag(before: FloatArray, after: FloatArray) -> float:
    """Seconds by which a curve is later than another, between frames: the peak of their correlation, by a parabola."""
    a, b = before - before.mean(), after - after.mean()
    values = np.correlate(b, a, "full")[len(a) - 4 : len(a) + 3]
    i = int(values[1:-1].argmax()) + 1
    bend = values[i - 1] - 2 * values[i] + values[i + 1]
    return float((i - 3 + (0.5 * (values[i - 1] - values[i + 1]) / bend if bend < 0 else 0.0)) / FPS)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Measure style cards.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the corpora, see docs/training.md")
    parser.add_argument("--checkpoint", help="folder of the model (default: the one that ships)")
    parts = ("match", "known", "sessions", "real", "speech")
    parser.add_argument("--parts", nargs="+", choices=parts, default=list(parts))
    arguments = parser.parse_args()
    engine = Engine(arguments.checkpoint)
    facegood = performed(engine, list(corpora.read_facegood(arguments.data / "facegood")))
    every = list(corpora.read_grid(arguments.data / "grid_s1"))
    test = [clip for clip in every if clip.split == "test"]
    others = [clip for clip in every if clip.split != "test"][: GRID_CLIPS - len(test)]
    grid = performed(engine, others + test)
    for name in arguments.parts:
        print(f"\n## {name}\n")
        if name == "match":
            match_scores({"FACEGOOD": facegood, "GRID": grid})
        elif name == "known":
            known_scores(Reference.joined([clip.reference() for clip in facegood]))
        elif name == "sessions":
            session_scores([clip.reference() for clip in facegood])
        elif name == "real":
            real_scores(facegood, grid)
            take_scores(facegood)
        else:
            speech_scores(grid)


if __name__ == "__main__":
    main()
