"""The searches: parity with all paths tried, pieces of any size, long sounds, pauses, foreign sounds."""

import itertools

import numpy as np
import pytest

from server.sounds import decoding
from server.sounds.decoding import Aligner, Decoder, Segment, Spoken, Weights, duration_scores, merged

SOUNDS = 3  # silence and two sounds
UNIFORM = np.full((SOUNDS, SOUNDS), -np.log(SOUNDS))
PRIOR = np.full(SOUNDS, -np.log(SOUNDS))
DURATIONS = np.array([[-2.0, 0.5], [-3.2, 0.5], [-2.8, 0.4]])


def frames(*parts, sure=4.0, noise=0.0, seed=0, sounds=SOUNDS):
    """Log probabilities of (class, count) parts, of which each frame gives its class `sure` more than the others."""
    labels = np.concatenate([[symbol] * count for symbol, count in parts])
    rows = sure * np.eye(sounds)[labels] + noise * np.random.default_rng(seed).normal(size=(len(labels), sounds))
    return rows - np.log(np.exp(rows).sum(1, keepdims=True))


def decode(rows, pieces=1, **kinds):
    decoder = Decoder(PRIOR, kinds.pop("bigrams", UNIFORM), DURATIONS, Weights(**kinds))
    found = [segment for part in np.array_split(rows, pieces) for segment in decoder.add(part)]
    return merged([*found, *decoder.finish()])


def best_of_all(rows, bigrams, weights):
    """The best segmentation, by trying all of them: no more than a few frames."""
    scores = weights.duration * duration_scores(DURATIONS)
    best, winner = -np.inf, None
    for cuts in itertools.product([False, True], repeat=len(rows) - 1):
        edges = [0, *(i + 1 for i, cut in enumerate(cuts) if cut), len(rows)]
        parts = list(itertools.pairwise(edges))
        for symbols in itertools.product(range(SOUNDS), repeat=len(parts)):
            if any(a == b for a, b in itertools.pairwise(symbols)):
                continue
            total = weights.bigram * bigrams[0, symbols[0]]
            for symbol, (start, end) in zip(symbols, parts, strict=True):
                total += scores[end - start - 1, symbol] + (rows[start:end] - weights.prior * PRIOR)[:, symbol].sum()
            total += sum(weights.bigram * bigrams[a, b] + weights.insertion for a, b in itertools.pairwise(symbols))
            if total > best:
                best, winner = total, [(s, *part) for s, part in zip(symbols, parts, strict=True)]
    return winner


@pytest.mark.parametrize("seed", range(6))
def test_the_free_search_finds_the_best_of_all_paths(seed):
    rng = np.random.default_rng(seed)
    rows = frames((1, 3), (2, 2), (0, 2), noise=2.0, seed=seed)
    bigrams = np.log(rng.dirichlet(np.ones(SOUNDS), SOUNDS))
    weights = Weights(0.5, 0.7, 0.9, -0.4)
    found = Decoder(PRIOR, bigrams, DURATIONS, weights)
    segments = merged([*found.add(rows), *found.finish()])
    assert [tuple(s[:3]) for s in segments] == best_of_all(rows, bigrams, weights)


def test_sounds_have_their_times_and_their_confidence():
    rows = frames((0, 10), (1, 8), (2, 9), (0, 12))
    found = decode(rows)
    assert [s[:3] for s in found] == [(0, 0, 10), (1, 10, 18), (2, 18, 27), (0, 27, 39)]
    assert found[1].confidence == pytest.approx(np.exp(rows[12, 1]), rel=1e-5)


def test_one_bad_frame_is_no_sound():
    rows = frames((1, 6), (2, 1), (1, 6))
    assert [s[:3] for s in decode(rows)] == [(1, 0, 13)]


def test_a_sound_that_is_longer_than_the_longest_is_one_sound():
    rows = frames((0, 5), (1, 3 * decoding.LONGEST), (0, 5))
    assert [s[:3] for s in decode(rows)] == [(0, 0, 5), (1, 5, 5 + 3 * decoding.LONGEST), (0, 125, 130)]


def test_the_language_decides_where_the_sound_does_not():
    rows = frames((0, 5), (1, 8), (0, 5))
    rows[5:13, 2] = rows[5:13, 1]
    never = np.log(np.array([[0.1, 0.8, 0.1], [0.8, 0.1, 0.1], [0.8, 0.1, 0.1]]))
    assert decode(rows, bigrams=never)[1].symbol == 1
    assert decode(rows, bigrams=never[:, [0, 2, 1]])[1].symbol == 2


def test_pieces_give_the_same_as_the_whole_and_are_given_early(monkeypatch):
    monkeypatch.setattr(decoding, "PIECE", 60)
    monkeypatch.setattr(decoding, "FIXED_AFTER", 60)
    parts = [(int(c), 7 + i % 5) for i, c in enumerate(np.resize([0, 1, 2], 60))]
    rows = frames(*parts, noise=0.7)
    whole = decode(rows)
    for pieces in (1, 7, len(rows)):
        assert [s[:3] for s in decode(rows, pieces)] == [s[:3] for s in whole]
    decoder = Decoder(PRIOR, UNIFORM, DURATIONS)
    early = decoder.add(rows)
    assert early and early[-1].end > len(rows) - 3 * 60 and sum(map(len, decoder._rows)) < 3 * 60


def test_nothing_gives_nothing():
    assert decode(np.zeros((0, SOUNDS))) == [] and decode(frames((0, 1)))[0].symbol == 0


def align(rows, said, pieces=1):
    aligner = Aligner(said, PRIOR[0] * np.ones(rows.shape[1]))
    found = [sound for part in np.array_split(rows, pieces) for sound in aligner.add(part)]
    left, whole = aligner.finish()
    return [*found, *left], whole


def test_known_sounds_get_their_times():
    rows = frames((0, 6), (1, 5), (2, 7), (0, 8), (1, 6), (0, 4))
    found, whole = align(rows, [Spoken((1,), 0), Spoken((2,), 0), Spoken((1,), 1)])
    assert whole and [(a.word, *a.segment[:3]) for a in found] == [(0, 1, 6, 11), (0, 2, 11, 18), (1, 1, 26, 32)]


def test_words_without_a_pause_and_a_sound_that_is_twice_in_a_row():
    rows = frames((1, 6), (2, 6), (2, 6))
    found, _ = align(rows, [Spoken((1,), 0), Spoken((2,), 0), Spoken((2,), 1)])
    assert [a.word for a in found] == [0, 0, 1] and found[-1].segment.end == 18 and found[1].segment.start == 6


def test_the_sound_chooses_among_the_ways_to_say_a_word():
    found, _ = align(frames((0, 4), (2, 6), (0, 4)), [Spoken((1, 2), 0)])
    assert found[0].segment[:3] == (2, 4, 10)


def test_speech_that_the_transcript_lacks_is_left_out():
    rows = frames((1, 6), (2, 30), (1, 7), sounds=3)
    found, _ = align(rows, [Spoken((1,), 0), Spoken((1,), 1)])
    assert [a.segment[1:3] for a in found] == [(0, 6), (36, 43)]


def test_a_transcript_that_goes_on_after_the_sound_is_noticed():
    said = [Spoken((1 + i % 2,), i) for i in range(40)]
    found, whole = align(frames((1, 6), (2, 6)), said)
    assert not whole and found[0].segment.start == 0


def test_alignment_in_pieces_is_the_same(monkeypatch):
    monkeypatch.setattr(decoding, "PIECE", 50)
    monkeypatch.setattr(decoding, "FIXED_AFTER", 50)
    said = [Spoken((1 + i % 2,), i // 3) for i in range(60)]
    rows = frames(
        *[part for i, s in enumerate(said) for part in [(s.symbols[0], 6), *([(0, 4)] if i % 3 == 2 else [])]]
    )
    whole, _ = align(rows, said)
    assert len(whole) == 60 and [a.segment[:3] for a in align(rows, said, 9)[0]] == [a.segment[:3] for a in whole]
    assert [a.segment.start for a in whole][:4] == [0, 6, 12, 22]


def test_neighbours_of_one_class_are_joined():
    parts = [Segment(1, 0, 2, 1.0), Segment(1, 2, 8, 0.5), Segment(2, 8, 9, 0.3)]
    assert merged(parts) == [Segment(1, 0, 8, 0.625), Segment(2, 8, 9, 0.3)]
