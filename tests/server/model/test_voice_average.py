"""The average of a voice: which lines it is taken from, and that each is encoded once."""

import numpy as np
import pytest
import torch

from server.errors import Cancelled, LSFError
from server.model.voice_average import MIN_SPOKEN_SECONDS, VoiceAverages, emotion_features, measure
from server.protocol.wire import LINE_SECONDS, VOICE_SECONDS

RATE = 16000


@pytest.fixture
def model(model):
    """A model whose reader hears speech in all frames."""
    model.emotion_reader.speech[-1] = 20
    return model


@pytest.fixture
def encoded(model, monkeypatch):
    """Seconds of every window that is encoded."""
    real, windows = model.encode_audio, []

    def encode(samples, first=0, frames=None, statistics=None):
        windows.append(frames / model.config.fps)
        return real(samples, first, frames, statistics)

    monkeypatch.setattr(model, "encode_audio", encode)
    return windows


@pytest.fixture
def sounds(speech_like):
    """sounds(seconds, …) -> a sound for each, and what reads it"""

    def make(*seconds, seed=0):
        lines = [(speech_like(length, seed + i), RATE) for i, length in enumerate(seconds)]
        return lines, [lambda line=line: line for line in lines]

    return make


def test_the_mean_is_the_readers_over_all_lines(model, sounds):
    lines, read = sounds(2.5, 3.0, 1.0, 4.0)
    mean, count = VoiceAverages(model).own_mean(lines[0], read[1:])
    with torch.inference_mode():
        features = [model.encode_audio(torch.from_numpy(samples))[1] for samples, _ in lines]
        rows = torch.stack([model.emotion_reader.voice_statistics(x) for x in features])
        expected = model.emotion_reader.own_mean(rows, torch.tensor([2.5, 3.0, 1.0, 4.0]))
    assert count == 4 and mean.dtype == np.float32
    np.testing.assert_allclose(mean, expected.numpy(), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("lengths", [(3.0,), (3.0, 3.0), (3.0, 0.5, 0.5, 0.5)])
def test_too_few_lines_are_no_average(model, sounds, lengths):
    lines, read = sounds(*lengths)
    assert VoiceAverages(model).own_mean(lines[0], read[1:]) == (None, 1)


def test_a_line_alone_is_not_even_encoded(model, sounds, encoded):
    lines, _read = sounds(3.0)
    assert VoiceAverages(model).own_mean(lines[0], []) == (None, 1) and not encoded


def test_each_line_of_a_batch_is_encoded_once(model, sounds, encoded):
    lines, read = sounds(2.2, 2.5, 3.0, 3.5)
    voices = VoiceAverages(model)
    means = [voices.own_mean(lines[i], read[:i] + read[i + 1 :]) for i in range(4)]
    assert len(encoded) == 4 and {count for _mean, count in means} == {4}
    for mean, _count in means[1:]:
        np.testing.assert_allclose(mean, means[0][0], rtol=1e-5)


def test_voices_are_not_mixed(model, sounds):
    (anna, anna_reads), (ben, ben_reads) = sounds(2.2, 2.5, 3.0), sounds(2.2, 2.5, 3.0, seed=10)
    voices = VoiceAverages(model)
    first = voices.own_mean(anna[0], anna_reads[1:])
    other = voices.own_mean(ben[0], ben_reads[1:])
    again = voices.own_mean(anna[0], anna_reads[1:])
    np.testing.assert_array_equal(first[0], again[0])
    assert np.abs(first[0] - other[0]).max() > 1e-5
    np.testing.assert_array_equal(other[0], VoiceAverages(model).own_mean(ben[0], ben_reads[1:])[0])


def test_what_cannot_be_used_is_left_out(model, sounds):
    """Missing, silent and unexpected sounds, copies of the line and of another one."""
    lines, read = sounds(2.2, 2.5, 3.0)

    def missing():
        raise LSFError("no_file", "There is no sound file.")

    def broken():
        raise RuntimeError("a decoder's own error")

    def silent():
        return np.zeros(32000, np.float32), RATE

    def empty():
        return np.zeros((0, 2), np.float32), RATE

    others = [missing, read[0], broken, read[1], silent, read[1], empty, read[2]]
    mean, count = VoiceAverages(model).own_mean(lines[0], others)
    clean, _count = VoiceAverages(model).own_mean(lines[0], read[1:])
    assert count == 3
    np.testing.assert_array_equal(mean, clean)


def test_a_sound_without_speech_is_no_line(model, sounds):
    lines, read = sounds(3.0, 3.0, 3.0, 3.0)
    model.emotion_reader.speech[-1] = -10
    assert measure(model, lines[0][0], lambda: False).spoken < MIN_SPOKEN_SECONDS
    assert VoiceAverages(model).own_mean(lines[0], read[1:]) == (None, 1)


def test_a_line_that_cannot_be_heard_has_no_average(model, sounds):
    """It is silent for so long that only its beginning would count; the average would be one of other lines."""
    _lines, read = sounds(2.2, 2.5, 3.0)
    assert VoiceAverages(model).own_mean((np.zeros(40 * RATE, np.float32), RATE), read) == (None, 1)


def test_what_is_heard_has_an_end(model, sounds, encoded, monkeypatch):
    assert VOICE_SECONDS / LINE_SECONDS == 4
    monkeypatch.setattr("server.model.voice_average.LINE_SECONDS", 12.0)
    monkeypatch.setattr("server.model.voice_average.VOICE_SECONDS", 48.0)
    lines, read = sounds(*[15.0] * 6)
    _mean, count = VoiceAverages(model).own_mean(lines[0], read[1:])
    assert count == 4 and sum(encoded) == pytest.approx(4 * (12 + 2)), "each in two windows that share 2 s"


@pytest.mark.parametrize("seconds", [0.1, 9.99, 10.0, 10.04, 17.9, 18.0, 25.3])
def test_windows_are_joined_without_gap_or_overlap(model, speech_like, monkeypatch, seconds):
    """Features that count the frames of the clip."""
    stack = model.config.frame_stack

    def encode(samples, first, frames, statistics):
        return None, torch.arange(first * stack, (first + frames) * stack)[:, None]

    monkeypatch.setattr(model, "encode_audio", encode)
    speech = speech_like(seconds)
    features = emotion_features(model, speech, lambda: False)
    assert features[:, 0].tolist() == list(range(stack * model.frame_count(len(speech))))


def test_cancelled_between_windows(model, sounds, encoded):
    lines, read = sounds(25.0, 3.0, 3.0)
    with pytest.raises(Cancelled):
        VoiceAverages(model).own_mean(lines[0], read[1:], lambda: len(encoded) == 2)
    assert len(encoded) == 2


def test_few_lines_are_remembered(model, sounds, encoded, monkeypatch):
    monkeypatch.setattr("server.model.voice_average.MAX_REMEMBERED", 2)
    lines, read = sounds(2.2, 2.5, 3.0)
    voices = VoiceAverages(model)
    voices.own_mean(lines[0], read[1:])
    voices.own_mean(lines[2], read[1:2])  # the last two are known
    assert len(encoded) == 3
    voices.own_mean(lines[0], read[1:2])
    assert len(encoded) == 4


def test_without_a_reader_there_is_no_average(make_open, sounds):
    lines, read = sounds(2.2, 2.5, 3.0)
    assert VoiceAverages(make_open(emotions=0)).own_mean(lines[0], read[1:]) == (None, 1)
