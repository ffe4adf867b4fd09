"""Sound files and arrays of all kinds to mono 16 kHz, without a shift in time."""

import os
import sys

import numpy as np
import pytest
import soundfile

from server.errors import LSFError
from server.files import audio


def tone(rate, seconds=1.0, hertz=440.0, channels=1):
    samples = 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)
    return np.repeat(samples[:, None], channels, 1).astype(np.float32)


def refused(code, *arguments, function=audio.to_mono_16k):
    with pytest.raises(LSFError) as error:
        function(*arguments)
    assert error.value.code == code and str(error.value).endswith(".")


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000, 44100.5])
def test_any_rate_becomes_the_same_tone_at_16_khz(rate):
    result = audio.to_mono_16k(tone(rate), rate)
    assert result.dtype == np.float32 and abs(len(result) - 16000) <= 2
    middle = slice(1000, 15000)  # away from the filter's edges
    np.testing.assert_allclose(result[middle], tone(16000)[middle, 0], atol=5e-3)


def test_channels_are_averaged():
    stereo = np.concatenate([tone(16000), -0.5 * tone(16000)], 1)
    np.testing.assert_allclose(audio.to_mono_16k(stereo, 16000), 0.25 * tone(16000)[:, 0], atol=1e-6)


def test_resampling_neither_delays_nor_aliases():
    click = np.zeros(48000, np.float32)
    click[24000] = 1
    assert np.argmax(audio.to_mono_16k(click, 48000)) == 8000
    assert np.abs(audio.to_mono_16k(tone(48000, hertz=12000), 48000)[100:-100]).max() < 0.01


@pytest.mark.parametrize(
    ("samples", "rate", "code"),
    [
        (np.zeros(0, np.float32), 16000, "empty_audio"),
        (np.zeros((0, 2), np.float32), 16000, "empty_audio"),
        (tone(16000, 0.05), 16000, "short_audio"),
        (np.zeros(16000, np.float32), 16000, "silent_audio"),
        (tone(16000) * np.nan, 16000, "bad_audio"),
        (np.full(16000, np.inf, np.float32), 16000, "bad_audio"),
        (tone(16000) * 1e18, 16000, "bad_audio"),
        (np.zeros((2, 2, 2), np.float32), 16000, "bad_audio"),
        (np.zeros((16000, 65), np.float32), 16000, "bad_audio"),
        (np.float32(1), 16000, "bad_audio"),
        (tone(16000), 0, "bad_audio"),
        (tone(16000), float("nan"), "bad_audio"),
        (tone(16000), -16000, "bad_audio"),
        (np.broadcast_to(np.float32(0.1), 4 * 3600 * 1000 + 1001), 1000, "long_audio"),
    ],
)
def test_what_is_no_speech_is_refused_with_a_sentence(samples, rate, code):
    refused(code, samples, rate)


@pytest.mark.parametrize(("name", "channels"), [("a.wav", 1), ("a.wav", 6), ("a.flac", 2), ("a.ogg", 1), ("a.mp3", 2)])
def test_files_of_many_kinds(tmp_path, name, channels):
    soundfile.write(tmp_path / name, tone(44100, 1.5, channels=channels), 44100)
    samples, rate = audio.load(tmp_path / name)
    assert rate == 44100 and abs(len(samples) - 1.5 * 44100) < 2400
    assert 0.3 < np.abs(samples[2000:60000]).max() < 0.7


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow valid Unicode only")
def test_a_file_name_that_is_not_valid_unicode(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.wav")
    with path.open("wb") as file:
        soundfile.write(file, tone(16000), 16000, format="WAV")
    assert len(audio.load(path)[0]) == 16000


def test_a_part_of_a_file(tmp_path):
    ramp = np.linspace(-1, 1, 16000 * 100, dtype=np.float32)
    soundfile.write(tmp_path / "ramp.wav", ramp, 16000, subtype="FLOAT")
    for start, duration in ((0, None), (3.5, 2), (29.99, 40), (99, 50), (0, 100)):
        first = round(start * 16000)
        last = None if duration is None else first + round(duration * 16000)
        np.testing.assert_array_equal(audio.load(tmp_path / "ramp.wav", start, duration)[0], ramp[first:last])


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_long_files_are_resampled_in_blocks_without_seams(tmp_path, monkeypatch, rate):
    monkeypatch.setattr(audio, "LONG_SECONDS", 60)
    for seconds in (60.5, 89.99, 90, 90.0003, 95):
        noise = np.random.default_rng(0).normal(0, 0.1, (round(rate * seconds), 2)).astype(np.float32)
        soundfile.write(tmp_path / "long.wav", noise, rate, subtype="FLOAT")
        samples, given_rate = audio.load(tmp_path / "long.wav")
        assert given_rate == 16000
        np.testing.assert_allclose(samples, audio.to_mono_16k(noise, rate), atol=1e-6)


def test_files_that_cannot_be_used(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(16000), 16000)
    (tmp_path / "text.wav").write_text("no sound at all")
    (tmp_path / "empty.wav").touch()
    refused("no_file", tmp_path / "nowhere.wav", function=audio.load)
    refused("no_file", tmp_path, function=audio.load)
    refused("bad_audio", tmp_path / "text.wav", function=audio.load)
    refused("bad_audio", tmp_path / "empty.wav", function=audio.load)
    refused("empty_audio", tmp_path / "a.wav", 5, function=audio.load)
    refused("short_audio", tmp_path / "a.wav", 0, 0.01, function=audio.load)
    for start, duration in ((-1, None), (0, 0), (0, -1), (float("nan"), None), (0, float("inf"))):
        refused("bad_request", tmp_path / "a.wav", start, duration, function=audio.load)


@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (16000, 2), (44100, 1), (48000, 6)])
def test_a_whole_file_at_16_khz_whatever_its_rate_and_channels(tmp_path, rate, channels):
    soundfile.write(tmp_path / "a.wav", tone(rate, channels=channels), rate, subtype="FLOAT")
    samples = audio.load_16k(tmp_path / "a.wav")
    assert samples.shape == (16000,) and samples.dtype == np.float32
    np.testing.assert_allclose(samples[1000:15000], tone(16000)[1000:15000, 0], atol=5e-3)


def test_a_silent_file_can_be_read_for_training(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(16000), 16000)
    assert not audio.load_16k(tmp_path / "a.wav").any()
