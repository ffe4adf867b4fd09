"""Layers: deterministic, at human statistics, beginning and ending at rest."""

import numpy as np
import pytest

from server.performance import layers, prosody
from server.performance.layers import gaze, head_motion
from server.performance.layers.blinks import blink_times

RATE = 16000


def speech(seconds: float, seed: int = 0) -> np.ndarray:
    """Phrases of 2.6 s with syllables of changing loudness, and pauses of 0.6 s; (N,) at 16 kHz."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    loud = rng.uniform(0.05, 1, int(seconds / 0.12) + 2)
    syllables = np.interp(t, 0.12 * np.arange(len(loud)), loud)
    buzz = sum(np.sin(2 * np.pi * 120 * k * t) / k for k in range(1, 8))
    return (0.2 * syllables**2 * buzz * (t % 3.2 < 2.6) + 1e-5 * rng.standard_normal(len(t))).astype(np.float32)


def voice(seconds: float, seed: int = 0) -> prosody.Voice:
    return prosody.measure(speech(seconds, seed))


def only(curve, name):
    """The curve of a layer without variants."""
    return curve[0] if name in layers.EYES else curve


@pytest.mark.parametrize("name", layers.EYES)
def test_variants_differ_and_the_first_is_the_one_without_others(name):
    line, times = voice(12), np.arange(288) / 24
    several = layers.make_layers((name,), line, times, 3, 4)[name]
    assert len(several) == 4
    np.testing.assert_array_equal(several[0], layers.make_layers((name,), line, times, 3)[name][0])
    assert all(np.abs(several[i] - several[j]).max() > 0.02 for i in range(4) for j in range(i))


@pytest.mark.parametrize("name", layers.LAYERS)
def test_the_same_seed_gives_the_same_and_another_seed_or_line_another(name):
    line, times = voice(12), np.arange(288) / 24

    def made(line, seed):
        curve = only(layers.make_layers((name,), line, times, seed)[name], name)
        assert curve.dtype == np.float32 and len(curve) == len(times) and np.isfinite(curve).all()
        return curve

    np.testing.assert_array_equal(made(line, 1), made(line, 1))
    assert np.abs(made(line, 1) - made(line, 2)).max() > 0.02
    assert np.abs(made(line, 1) - made(voice(12, seed=5), 1)).max() > 0.02


@pytest.mark.parametrize("name", layers.LAYERS)
@pytest.mark.parametrize("times", [[0.0], [-0.5], [-0.4, -0.2, 0.0]])
def test_frames_before_the_line_are_at_rest(name, times):
    curve = only(layers.make_layers((name,), voice(3), np.array(times), 0)[name], name)
    assert len(curve) == len(times)
    assert np.abs(curve).max() < 1e-6


@pytest.mark.parametrize("name", layers.LAYERS)
def test_frames_lie_at_their_seconds_whatever_the_rate(name):
    line = voice(20)
    coarse = only(layers.make_layers((name,), line, 0.2 + np.arange(200) / 10, 3)[name], name)
    fine = only(layers.make_layers((name,), line, 0.2 + np.arange(2000) / 100, 3)[name], name)
    if name == "blinks":  # they begin on the raster of frames
        fine = np.array([fine[max(0, 10 * k - 5) : 10 * k + 6].max() for k in range(200)])
        assert (fine[coarse > 0.9] > 0.9).all()
    else:
        np.testing.assert_allclose(fine[::10], coarse, atol=1e-5)


def test_gaze_looks_mostly_at_the_partner_and_away_as_often_as_people_do():
    ends = prosody.phrase_ends(prosody.loudness(speech(600)))
    onsets, targets = gaze.fixations(600.0, ends, seed=0)
    amplitude = np.linalg.norm(targets, axis=1)
    lasting = np.append(np.diff(onsets), gaze.STRAIGHT_GAZE)
    assert (lasting >= gaze.MIN_FIXATION - 1e-9).all() and amplitude.max() <= gaze.MAX_AMPLITUDE + 1
    away = amplitude > 5
    assert 0.08 < lasting[away].sum() / 600 < 0.3
    assert 0.6 < np.median(lasting[~away]) < 0.8
    assert (np.abs(onsets[1:][away[:-1]][:, None] - ends).min(1) < 1e-6).mean() > 0.1  # looks back where phrases end


def test_a_saccade_takes_as_long_as_the_main_sequence_says():
    times = np.arange(0, 60, 0.001)
    curve = gaze.curve(voice(60), times, 4)
    moving = np.abs(np.diff(curve, axis=0)).max(1) > 1e-4
    edges = np.flatnonzero(np.diff(np.concatenate(([False], moving, [False])).astype(int)))
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        way = np.linalg.norm(curve[stop] - curve[start])
        assert abs((stop - start) / 1000 - gaze.SACCADE - gaze.SACCADE_PER_DEGREE * way) < 0.004


def test_the_head_nods_on_accents_and_rests_at_the_ends():
    line, times = voice(120), np.arange(120 * 24) / 24
    pitch = np.degrees(head_motion.curve(line, times, 1))[:, 0]
    assert abs(pitch[0]) < 1e-6 and np.abs(pitch).max() < 12
    accents = prosody.accents(line)
    strong = accents.seconds[accents.strength > np.median(accents.strength)]
    frames = np.round((strong + head_motion.NOD_DELAY) * 24).astype(int)
    frames = frames[(frames > 12) & (frames < len(times) - 12)]
    assert len(frames) > 20
    assert pitch[frames].mean() > np.mean([pitch[frames - 6], pitch[frames + 12]]) + 0.5


def test_the_head_is_calmer_in_pauses():
    audio = np.concatenate([speech(60), 1e-5 * np.ones(60 * RATE, np.float32)])
    times = np.arange(120 * 24) / 24
    speed = np.abs(np.diff(head_motion.curve(prosody.measure(audio), times, 2), axis=0)).sum(1)
    assert speed[61 * 24 :].mean() < 0.5 * speed[: 60 * 24].mean()


def test_blinks_of_the_layer_are_those_of_the_seed():
    line, times = voice(30), np.arange(30 * 24) / 24
    closed = layers.blinks.curve(line, times, 7)
    assert (np.diff((closed == 1).astype(int)) == 1).sum() == len(blink_times(line, 7)) > 5
