"""The reader of visemes, on made-up faces."""

import numpy as np
import pytest

from server.training import FPS
from server.training.corpora import Clip
from server.training.evaluation import readability
from server.training.evaluation.readability import (
    VISEME_OF,
    VISEMES,
    Shown,
    conditions,
    pooled,
    read,
    read_phones,
    train_reader,
    visible,
)
from server.training.speech.phonetics import ARPABET

SHAPES = {"b": (0.0, 0.5), "ɑ": (1.0, 0.6), "u": (0.3, 0.0), "i": (0.4, 1.0)}  # aperture, width


def line(seed, count=24):
    """A made-up line and its face: phones of 0.2 s, each with its shape of the lips."""
    rng = np.random.default_rng(seed)
    symbols = rng.choice(list(SHAPES), count)
    phones = [(str(s), 0.2 * i, 0.2 * (i + 1)) for i, s in enumerate(symbols)]
    lips = np.repeat([SHAPES[s] for s in symbols], 5, 0) + 0.05 * rng.standard_normal((5 * count, 2))
    return phones, lips, np.zeros((5 * count, 52))


def face(seed, gain=1.0):
    phones, lips, curves = line(seed)
    return Shown(phones, visible(gain * lips, curves))


def accuracy(reader, shown):
    said, seen = read(reader, shown)
    return np.mean([a == b for a, b in zip(said, seen, strict=True)])


def test_every_phone_of_english_has_one_viseme():
    assert set(ARPABET.values()) <= set(VISEME_OF)
    assert len(VISEME_OF) == sum(len(symbols.split()) for symbols in VISEMES.values())


def test_the_reader_reads_a_new_face_of_another_size_and_not_another_line():
    reader = train_reader([face(seed) for seed in range(6)])
    new = face(99, gain=0.01)
    assert accuracy(reader, new) > 0.9
    assert accuracy(reader, Shown(face(50).phones, new.curves)) < 0.6


def test_a_mouth_that_does_not_move_tells_nothing():
    reader = train_reader([face(seed) for seed in range(6)])
    still = visible(np.full((120, 2), 0.3), np.zeros((120, 52)))
    assert np.abs(still).max() < 1e-6
    assert len(set(read(reader, Shown(face(1).phones, still))[1])) == 1


def test_phones_are_looked_up_at_their_middle_and_silence_is_no_viseme():
    curves = np.zeros((2 * FPS, 1))
    curves[25] = 1
    rows, labels = read_phones(Shown([("", 0, 0.9), ("b", 0.9, 1.1), ("ɑ", 1.1, 1.14)], curves))
    assert labels == ["bilabial", "open"]
    assert rows[0].argmax() == len(readability.OFFSETS) // 2 and rows[0].max() == 1
    assert rows[1].max() == pytest.approx(1) and rows[1].argmax() == 0  # 3 frames before


def test_the_other_line_is_never_the_same_clip():
    clips = []
    for seed in range(3):
        phones, lips, curves = line(seed)
        clips.append(Clip("grid", str(seed), "a", None, "test", phones, curves, lips))
    predicted = [np.full((4, 1), i) for i in range(3)]
    shown = conditions(clips, predicted)
    assert [face.curves[0, 0] for face in shown["predicted"]] == [0, 1, 2]
    assert [face.curves[0, 0] for face in shown["other_line"]] == [1, 2, 0]
    assert [face.phones for face in shown["other_line"]] == [clip.phones for clip in clips]
    np.testing.assert_allclose(shown["truth"][0].curves, visible(clips[0].lips, clips[0].curves))


def test_accuracy_is_pooled_over_lines_and_its_range_is_that_of_people():
    spread = pooled([(["a", "b"], ["a", "b"]), (["a", "a"], ["b", "b"])], people=True)
    assert spread.value == pytest.approx((1 / 3 + 1) / 2) and (spread.low, spread.high) == (0, 1)
