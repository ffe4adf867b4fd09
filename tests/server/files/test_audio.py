"""Sound files and arrays of all kinds to mono 16 kHz, without a shift in time."""

import contextlib
import io
import os
import struct
import subprocess
import sys
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import soundfile

from server.errors import Cancelled, LSFError
from server.files import audio

ROOT = Path(__file__).resolve().parents[3]


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


def wav(riff_bytes, data_bytes, channels=1, rate=16000, body=b""):
    """The bytes of a .wav of float32 samples, whose header says what it is told to say."""
    size = struct.pack("<HHIIHH", 3, channels, rate, (4 * channels * rate) % 2**32, (4 * channels) % 2**16, 32)
    head = b"WAVEfmt " + struct.pack("<I", len(size)) + size + b"data" + struct.pack("<I", data_bytes)
    return b"RIFF" + struct.pack("<I", riff_bytes) + head + body


def flac(seconds, rate=8000, channels=1, said=None):
    """The bytes of a .flac of silence; `said` is the number of samples that its header tells."""
    file, second = io.BytesIO(), np.zeros((rate, channels), np.int16)
    with soundfile.SoundFile(file, "w", rate, channels, format="FLAC") as sound:
        for _ in range(seconds):
            sound.write(second)
    data = bytearray(file.getvalue())
    if said is not None:
        data[21:26] = (data[21] & 0xF0 | said >> 32).to_bytes(1, "big") + struct.pack(">I", said % 2**32)
    return bytes(data)


READ_IN_LITTLE_MEMORY = """
import resource, sys
from pathlib import Path
from scipy.signal import resample_poly
from server.errors import LSFError
from server.files import audio
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        print(path.name, "ok", len(audio.to_mono_16k(*audio.load(path))))
    except LSFError as error:
        print(path.name, error.code, error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="no limit of memory on other systems")
def test_headers_that_promise_too_much_fill_no_memory(tmp_path):
    second = tone(16000).tobytes()
    files = {
        "1_hour_of_64_channels.wav": (wav(0, 0xFFFFFFFF, 64, 48000, bytes(64 * 4 * 6000)), "silent_audio"),
        "1024_channels.wav": (wav(0, 0xFFFFFFFF, 1024, 48000, bytes(1024 * 4 * 6000)), "bad_audio"),
        "4_gb.wav": (wav(0xFFFFFFF0, 0xFFFFFFF0, body=second), "ok"),
        "65535_channels.wav": (wav(0, 0xFFFFFFFF, 65535, 48000, bytes(65535 * 4)), "bad_audio"),
        "any_length.wav": (wav(0xFFFFFFFF, 0xFFFFFFFF, body=second), "ok"),
        "high_rate.flac": (flac(6, 600_000, 8), "silent_audio"),
        "many_samples.flac": (flac(1, 192_000, 8, said=192_000 * 14000), "long_audio"),
        "no_length.flac": (flac(1, said=0), "bad_audio"),
        "raw.raw": (second, "bad_audio"),
        "short_of_1_hour.flac": (flac(1, said=8000 * 3600), "bad_audio"),
        "ten_hours.flac": (flac(36000, 1000), "long_audio"),
        "years.flac": (flac(1, said=2**36 - 1), "long_audio"),
    }
    for name, (data, _code) in files.items():
        (tmp_path / name).write_bytes(data)
    assert (tmp_path / "ten_hours.flac").stat().st_size < 1 << 20
    done = subprocess.run(
        [sys.executable, "-c", READ_IN_LITTLE_MEMORY, tmp_path], cwd=ROOT, text=True, capture_output=True, timeout=120
    )
    assert not done.stderr
    told = [line.split(" ", 2) for line in done.stdout.splitlines()]
    assert [(name, code) for name, code, _sentence in told] == [
        (name, code) for name, (_, code) in sorted(files.items())
    ]
    assert all(sentence.endswith(".") for _, code, sentence in told if code != "ok")
    assert not any(str(tmp_path) in sentence for *_, sentence in told)


def test_the_blocks_of_many_channels_are_small(tmp_path, monkeypatch):
    """Resampled without seams, as longer ones are."""
    monkeypatch.setattr(audio, "LONG_SECONDS", 1)
    monkeypatch.setattr(audio, "BLOCK_VALUES", 30_000)
    noise = np.random.default_rng(0).normal(0, 0.1, (100_000, 6)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", noise, 22050, subtype="FLOAT")
    samples, rate = audio.load(tmp_path / "a.wav")
    assert rate == 16000
    np.testing.assert_allclose(samples, audio.to_mono_16k(noise, 22050), atol=1e-6)


@pytest.mark.parametrize("value", [1e30, -1e30, 3e38, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("long", [False, True])
def test_samples_that_are_no_sound(tmp_path, monkeypatch, value, channels, long):
    """In a file that is read at once and in one that is resampled in blocks; without a word on stderr."""
    monkeypatch.setattr(audio, "LONG_SECONDS", 1 if long else 600)
    samples = tone(48000, 2, channels=channels)
    samples[50000] = value
    soundfile.write(tmp_path / "a.wav", samples, 48000, subtype="FLOAT")
    refused("bad_audio", *audio.load(tmp_path / "a.wav"))


def test_reading_ends_when_the_job_is_cancelled(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(8000 * 95), 8000)
    asked = []
    with pytest.raises(Cancelled):
        audio.load(tmp_path / "a.wav", cancelled=lambda: asked.append(0) or len(asked) == 2)
    assert len(asked) == 2


SAMPLES = {"WAV": "PCM_16", "WAVEX": "FLOAT", "FLAC": "PCM_16", "OGG": "VORBIS", "AIFF": "PCM_24", "W64": "DOUBLE"}


@pytest.mark.parametrize("kind", SAMPLES)
@hypothesis.given(data=st.data())
@hypothesis.settings(max_examples=60)
def test_damage_of_any_kind_is_an_error_or_a_sound(tmp_path_factory, kind, data):
    clean = io.BytesIO()
    soundfile.write(clean, tone(8000, 0.2, channels=2), 8000, SAMPLES[kind], format=kind)
    content, path = clean.getvalue(), tmp_path_factory.getbasetemp() / "a.wav"
    cut = data.draw(st.one_of(st.integers(0, 100), st.integers(0, len(content))))
    end = cut + data.draw(st.integers(0, 20))
    path.write_bytes(content[:cut] + data.draw(st.binary(max_size=20)) + content[end:])
    with contextlib.suppress(LSFError):
        assert np.isfinite(audio.to_mono_16k(*audio.load(path))).all()
