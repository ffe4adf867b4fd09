"""Which sounds were spoken, and when: Viterbi searches over the recogniser's frames.

`Decoder` is free: any sound may follow any other, by the probabilities of the language. Every sound lasts by its own
distribution of durations, so this is a hidden semi-Markov model (Yu 2010, "Hidden semi-Markov models", section 4). It
takes frames in pieces and gives sounds as soon as nothing can change them, so an hour needs little memory.
`align` finds the times of given sounds.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..numerics import FloatArray, IntArray

RATE = 100  # Hz, of the frames
LONGEST = 40  # frames that a sound lasts at most in one piece; silence and longer sounds are several pieces
SHORTEST = 2  # frames
FIXED_AFTER = 1000  # frames after which a decision is final: 10 s, far longer than any two paths differ
PIECE = 3000  # frames between two such decisions
PRIOR_WEIGHT = 0.6  # of the share of each sound in training, by which posteriors are divided
BIGRAM_WEIGHT = 0.9
DURATION_WEIGHT = 1.0
INSERTION = -1.0  # log probability added for each sound


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
    mean, deviation = durations.T
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
