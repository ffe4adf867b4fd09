"""Which sounds were spoken, and when: Viterbi searches over the recogniser's frames.

`Decoder` is free: any sound may follow any other, by the probabilities of the language. Every sound lasts by its own
distribution of durations, so this is a hidden semi-Markov model (Yu 2010, "Hidden semi-Markov models", section 4). It
takes frames in pieces and gives sounds as soon as nothing can change them, so an hour needs little memory.
`Aligner` finds the times of given sounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..numerics import FloatArray, IntArray

RATE = 100  # Hz, of the frames
LONGEST = 40  # frames that a sound lasts at most in one piece; silence and longer sounds are several pieces
SHORTEST = 2  # frames
FIXED_AFTER = 1000  # frames after which a decision is final: 10 s, far longer than any two paths differ
PIECE = 3000  # frames between two such decisions
MIN_DEVIATION = 0.05  # of the logarithm of a duration
PRIOR_WEIGHT = 0.4  # of the share of each sound in training, by which posteriors are divided
BIGRAM_WEIGHT = 0.9
DURATION_WEIGHT = 1.0
INSERTION = 0.5  # log probability added for each sound
# Of the alignment: log probability that a pause between two words must gain, and by which a sound that is not in the
# transcript must be likelier than those that are; the range of scores that are kept, and how many states at most.
PAUSE_ENTRY, FOREIGN, BEAM, MAX_STATES = 4.0, 2.5, 200.0, 3000
ALIGN_PRIOR = 0.3


class Segment(NamedTuple):
    """A piece of sound: class, first frame, frame after the last, mean posterior of the class in between."""

    symbol: int
    start: int
    end: int
    confidence: float


@dataclass(frozen=True)
class Weights:
    """How much each part of the model counts; chosen on held-out people, see docs/sounds.md."""

    prior: float = PRIOR_WEIGHT
    bigram: float = BIGRAM_WEIGHT
    duration: float = DURATION_WEIGHT
    insertion: float = INSERTION


def duration_scores(durations: FloatArray) -> FloatArray:
    """Log probability density of each duration of each sound.

    Args:
        durations: (S, 2) mean and deviation of the logarithm of the duration in seconds. Class 0, silence, may last
            any time.

    Returns:
        (LONGEST, S); row d is for d + 1 frames. Durations below SHORTEST are impossible.
    """
    log_seconds = np.log(np.arange(1, LONGEST + 1) / RATE)[:, None]
    mean, deviation = durations[:, 0], np.maximum(durations[:, 1], MIN_DEVIATION)
    scores: FloatArray = -0.5 * ((log_seconds - mean) / deviation) ** 2 - np.log(deviation)
    scores[:, 0] = 0.0
    scores[: SHORTEST - 1, 1:] = -np.inf
    return scores


class Decoder:
    """The free search. Frames are given to `add`; `finish` gives what is left."""

    def __init__(self, log_prior: FloatArray, bigrams: FloatArray, durations: FloatArray, weights: Weights = Weights()):
        """Prepare it.

        Args:
            log_prior: (S,) as of SoundNet.
            bigrams: (S, S) log probabilities of a language.
            durations: (S, 2) as of SoundNet.
            weights: How much each part counts.
        """
        count = len(log_prior)
        self._prior = weights.prior * log_prior
        self._steps = (weights.bigram * bigrams + weights.insertion).astype(np.float64)
        # The same sound again is the rest of one that is longer than LONGEST: it costs nothing for silence.
        same = np.full(count, 2 * weights.insertion - 2.0)
        same[0] = 0.0
        np.fill_diagonal(self._steps, same)
        self._durations = weights.duration * duration_scores(durations)
        # entered[k] is the best score of a path whose next sound is of each class and begins k frames before the next
        # frame, less the sum of the class's frames up to there.
        self._entered = np.full((LONGEST, count), -np.inf)
        self._entered[0] = weights.bigram * bigrams[0]
        self._sum = np.zeros(count)
        self._frames = 0
        self._from: list[IntArray] = []  # for each boundary after a frame: the best class that ends there, before each
        self._length: list[IntArray] = []  # the best duration of each class that ends with each frame
        self._rows: list[FloatArray] = []  # the frames from `_first` on
        self._first = 0  # frame of the first entry of both lists
        self._final = np.zeros(count)

    def add(self, log_posteriors: FloatArray) -> list[Segment]:
        """Take frames (F, S); give the segments that are final now, in order."""
        given: list[Segment] = []
        self._rows.append(log_posteriors.astype(np.float32))
        for row in log_posteriors - self._prior:
            self._sum += row
            ends = self._entered + self._durations  # (LONGEST, S): begun so many frames before
            best = ends.argmax(0)
            scores = ends[best, np.arange(len(row))] + self._sum
            top = scores.max()
            scores -= top  # keeps sums small
            self._entered -= top
            entering = scores[:, None] + self._steps
            before = entering.argmax(0)
            self._entered[1:] = self._entered[:-1]
            self._entered[0] = entering[before, np.arange(len(row))] - self._sum
            self._length.append(best.astype(np.uint8))
            self._from.append(before.astype(np.uint8))
            self._final = scores
            self._frames += 1
            if self._frames - self._first >= PIECE + FIXED_AFTER:
                given += self._traced(self._frames - FIXED_AFTER)
        return given

    def finish(self) -> list[Segment]:
        """Give the segments that are left; nothing can be added any more."""
        return self._traced(self._frames) if self._frames > self._first else []

    def _traced(self, until: int) -> list[Segment]:
        """Segments of the best path that end no later than frame `until`; their frames are forgotten."""
        segments: list[Segment] = []
        rows = np.concatenate(self._rows)
        end, symbol = self._frames, int(self._final.argmax())
        while end > self._first:
            start = end - 1 - int(self._length[end - 1 - self._first][symbol])
            start = max(start, self._first)
            confidence = np.exp(rows[start - self._first : end - self._first, symbol]).mean()
            segments.append(Segment(symbol, start, end, float(confidence)))
            if start > self._first:
                symbol = int(self._from[start - 1 - self._first][symbol])
            end = start
        segments = [segment for segment in reversed(segments) if segment.end <= until]
        if segments:
            drop = segments[-1].end - self._first
            self._from, self._length, self._rows = self._from[drop:], self._length[drop:], [rows[drop:]]
            self._first += drop
        return segments


def merged(segments: list[Segment]) -> list[Segment]:
    """Join neighbours of the same class."""
    joined: list[Segment] = []
    for segment in segments:
        if joined and joined[-1].symbol == segment.symbol and joined[-1].end == segment.start:
            first = joined[-1]
            parts = [(part.end - part.start, part.confidence) for part in (first, segment)]
            confidence = sum(length * value for length, value in parts) / sum(length for length, _ in parts)
            joined[-1] = Segment(segment.symbol, first.start, segment.end, confidence)
        else:
            joined.append(segment)
    return joined


class Spoken(NamedTuple):
    """A sound of a transcript.

    Attributes:
        symbols: The classes that it may be; the first is the one in the dictionary.
        word: Number of its word.
    """

    symbols: tuple[int, ...]
    word: int


class Aligned(NamedTuple):
    """A sound of a transcript with its place: its segment, and the number of its word."""

    segment: Segment
    word: int


class Aligner:
    """The search for the times of given sounds: a pause or foreign sounds may be before each word and at the end.

    Each sound is a chain of SHORTEST states, of which the last may last any time. Only states whose score is near the
    best are kept, and decisions become final as in `Decoder`, so that an hour with its transcript needs little memory.
    """

    def __init__(self, sounds: Sequence[Spoken], log_prior: FloatArray, prior_weight: float = ALIGN_PRIOR):
        """Prepare it.

        Args:
            sounds: The sounds of the transcript, at least one.
            log_prior: (S,) as of SoundNet.
            prior_weight: How much of the share of each sound posteriors are divided by.
        """
        self._sounds, self._prior = sounds, prior_weight * log_prior
        widest = max(len(sound.symbols) for sound in sounds)
        rows: list[tuple[int, ...]] = []
        numbers: list[int] = []  # number of the sound of each state; −1: a pause
        for i, sound in enumerate(sounds):
            if i == 0 or sounds[i - 1].word != sound.word:
                rows.append((0,) * widest)
                numbers.append(-1)
            padded = sound.symbols + sound.symbols[:1] * (widest - len(sound.symbols))
            rows += [padded] * SHORTEST
            numbers += [i] * SHORTEST
        rows.append((0,) * widest)
        numbers.append(-1)
        self._symbols, self._numbers = np.array(rows), np.array(numbers)
        self._pause = self._numbers < 0
        # Whether a state may last, as pauses and the last of each sound do.
        self._lasts = self._pause | np.append(self._numbers[1:] != self._numbers[:-1], True)
        self._low, self._score = 0, np.zeros(0)  # first state that is kept, and the scores of those from it on
        self._moves: list[tuple[int, IntArray]] = []  # for each frame from `_first` on: first state, states advanced
        self._rows: list[FloatArray] = []
        self._frames = self._first = 0

    def add(self, log_posteriors: FloatArray) -> list[Aligned]:
        """Take frames (F, S); give the sounds that are final now, in order."""
        given: list[Aligned] = []
        self._rows.append(log_posteriors.astype(np.float32))
        best = (log_posteriors - self._prior).max(1) - FOREIGN
        for row, foreign in zip(log_posteriors - self._prior, best, strict=True):
            self._step(row, foreign)
            if self._frames - self._first >= PIECE + FIXED_AFTER:
                given += self._traced(self._frames - FIXED_AFTER, int(self._score.argmax()) + self._low)
        return given

    def _step(self, row: FloatArray, foreign: float) -> None:
        """Advance by a frame: (S,) scores of the classes, and that of a sound that is not in the transcript."""
        count = len(self._numbers)
        if not self._frames:
            low, old = 0, np.full(2, -np.inf)  # the first sound, or a pause before it
            stay, step, skip = old, np.array([0.0, 0.0]), old
        else:
            low = self._low
            old = np.concatenate([self._score, [-np.inf] * min(2, count - low - len(self._score))])
            stay = np.where(self._lasts[low : low + len(old)], old, -np.inf)
            step = np.concatenate([[-np.inf], old[:-1]])
            step = step - np.where(self._pause[low : low + len(old)], PAUSE_ENTRY, 0.0)
            passed = np.concatenate([[False, False], self._pause[low + 1 : low + len(old) - 1]])[: len(old)]
            skip = np.where(passed, np.concatenate([[-np.inf] * 2, old[:-2]])[: len(old)], -np.inf)
        moves = np.argmax([stay, step, skip], 0)
        states = slice(low, low + len(old))
        heard = row[self._symbols[states]].max(1)
        heard = np.where(self._pause[states], np.maximum(heard, foreign), heard)
        score = np.maximum(np.maximum(stay, step), skip) + heard
        score -= score.max()
        near = np.flatnonzero(score > -BEAM)
        kept = slice(int(near[0]), min(int(near[-1]) + 1, int(near[0]) + MAX_STATES))
        self._low, self._score = low + kept.start, score[kept]
        self._moves.append((self._low, moves[kept].astype(np.int8)))
        self._frames += 1

    def finish(self) -> tuple[list[Aligned], bool]:
        """Give the sounds that are left, and whether the sound has the whole transcript."""
        if self._frames == self._first:
            return [], False
        ends = [len(self._numbers) - 1, len(self._numbers) - 2]  # the pause at the end, or the last sound
        scores = [self._score[end - self._low] if 0 <= end - self._low < len(self._score) else -np.inf for end in ends]
        whole = max(scores) > -np.inf
        last = ends[int(np.argmax(scores))] if whole else int(self._score.argmax()) + self._low
        return self._traced(self._frames, last), whole

    def _traced(self, until: int, state: int) -> list[Aligned]:
        """Sounds of the best path to a state that end no later than frame `until`; their frames are forgotten."""
        rows = np.concatenate(self._rows)
        path = np.empty(self._frames - self._first, int)
        for frame in range(len(path) - 1, -1, -1):
            path[frame] = state
            low, moves = self._moves[frame]
            state -= int(moves[state - low]) if 0 <= state - low < len(moves) else 0
        numbers = self._numbers[path]
        edges = [0, *(np.flatnonzero(np.diff(numbers)) + 1), len(path)]
        found: list[Aligned] = []
        done = 0
        for start, end in pairwise(edges):
            if self._first + end > until:
                break
            done = end
            if numbers[start] >= 0:
                sound = self._sounds[numbers[start]]
                means = np.exp(rows[start:end][:, list(sound.symbols)]).mean(0)
                spoken = sound.symbols[int(means.argmax())]
                segment = Segment(spoken, self._first + start, self._first + end, float(means.max()))
                found.append(Aligned(segment, sound.word))
        self._moves, self._rows, self._first = self._moves[done:], [rows[done:]], self._first + done
        return found
