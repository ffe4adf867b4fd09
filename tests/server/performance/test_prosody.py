"""Pauses, pitch and accents of synthetic sound are found at their times."""

import zlib

import numpy as np
import pytest

from server.performance import prosody
from server.protocol.phrases import pauses

RATE = 16000


def voice(seconds: float, hertz: float | np.ndarray, amplitude: float | np.ndarray = 0.2) -> np.ndarray:
    """A buzz (N,) with the harmonics of a voice; pitch and amplitude may change, one value a sample."""
    count = round(seconds * RATE)
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(hertz, count)) / RATE
    return (amplitude * sum(np.sin(k * phase) / k for k in range(1, 8))).astype(np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 1e-5, round(seconds * RATE)).astype(np.float32)


def test_phrases_end_where_the_sound_does_and_short_gaps_do_not_count():
    audio = np.concatenate([voice(2, 120), silence(0.5), voice(1.5, 120), silence(0.1), voice(1, 120)])
    np.testing.assert_allclose(prosody.phrase_ends(prosody.loudness(audio)), [2.0], atol=0.021)
    starts, stops = pauses(prosody.loudness(np.concatenate([silence(0.4), audio, silence(0.3)])))
    np.testing.assert_allclose(starts, [0, 2.4, 5.5], atol=0.021)
    np.testing.assert_allclose(stops, [0.4, 2.9, 5.8], atol=0.021)


@pytest.mark.parametrize("hertz", [90, 180, 330])
def test_pitch_is_in_semitones_above_the_voices_median(hertz):
    audio = np.concatenate([voice(3, hertz), voice(1, hertz * 2 ** (4 / 12)), silence(1)])
    pitch = prosody.pitch(audio)
    assert len(pitch) == 250
    assert abs(np.median(pitch[10:140])) < 0.3
    assert abs(np.median(pitch[155:195]) - 4) < 0.4
    assert (pitch[205:] == 0).all()


def test_accents_are_where_the_voice_is_loud_and_high_and_silence_has_none():
    seconds = np.arange(6 * RATE) / RATE
    stressed = np.array([1.0, 2.3, 4.1])
    bump = sum(np.exp(-(((seconds - s) / 0.08) ** 2)) for s in stressed)
    audio = voice(6, 120 * 2 ** (bump * 5 / 12), 0.05 * (1 + 4 * bump))
    found = prosody.accents(prosody.measure(audio))
    np.testing.assert_allclose(found.seconds, stressed, atol=0.05)
    assert ((found.strength > 0.3) & (found.strength <= 1)).all()
    assert len(prosody.accents(prosody.measure(silence(3))).seconds) < 10
    assert len(prosody.accents(prosody.measure(audio[:100])).seconds) == 0


@pytest.mark.parametrize("more", [0, 1, 319])
def test_blocks_change_nothing_and_are_reported(monkeypatch, more):
    audio = np.append(voice(8, 120 + 20 * np.sin(np.arange(8 * RATE) / RATE)), np.zeros(more, np.float32))
    whole, seen = prosody.measure(audio), []
    monkeypatch.setattr(prosody, "BLOCK", 37)
    parts = prosody.measure(audio, seen.append)
    np.testing.assert_array_equal(parts.level, whole.level)
    np.testing.assert_allclose(parts.pitch, whole.pitch, atol=1e-6)
    assert parts[2:] == whole[2:] == (len(audio) / RATE, zlib.crc32(audio.tobytes()))
    assert seen == [37 * i / 400 for i in range(11)]


def crossing(values: np.ndarray, before: float, after: float, near: float) -> float:
    """Seconds at which values at 1 kHz cross the middle between two levels, nearest to `near`."""
    above = values > (before + after) / 2
    changes = np.flatnonzero(above[1:] != above[:-1]) / 1000
    return changes[np.argmin(np.abs(changes - near))]


def test_steps_of_loudness_are_at_their_times():
    """Up and down, wherever they lie in a window: decibels favour the louder side of a step inside one."""
    seconds, errors = np.arange(2 * RATE) / RATE, []
    for second in (1.0, 1.005, 1.01, 1.015):
        for step in (12, -12):
            audio = voice(2, 200, 0.1 * np.where(seconds < second, 1, 10 ** (step / 20)))
            level = prosody.at_frames(prosody.loudness(audio), 2000, 1000)
            errors.append(crossing(level, level[500], level[1500], second) - second)
    assert abs(np.mean(errors)) < 0.002 and np.abs(errors).max() < 0.01


@pytest.mark.parametrize("step", [5, -5])
@pytest.mark.parametrize("hertz", [110, 200])
@pytest.mark.parametrize("second", [1.0, 1.013])
def test_a_step_of_pitch_is_at_its_time(second, hertz, step):
    seconds = np.arange(2 * RATE) / RATE
    audio = voice(2, hertz * 2 ** (np.where(seconds < second, 0, step) / 12))
    pitch = prosody.at_frames(prosody.pitch(audio), 2000, 1000)
    assert abs(crossing(pitch, pitch[500], pitch[1500], second) - second) < 0.012


def test_loudness_and_pitch_of_a_tone_burst_are_centred_on_it():
    burst = np.concatenate([silence(0.9), voice(0.2, 200), silence(0.9)])
    measured = prosody.measure(burst)
    times = prosody.centres(len(measured.level))
    for weight in (measured.level > -40, np.abs(prosody.pitch(np.concatenate([burst, voice(3, 120)]))[:100]) > 1):
        assert abs(np.average(times, weights=weight) - 1.0) < 0.006
