import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from server.errors import Cancelled, LSFError
from server.model import emotion_changes, synthesize
from server.model.inference import plan_windows
from server.model.motion_prior import take_noise
from server.protocol.emotions import EMOTIONS

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("frames", [1, 99, 100, 101, 500, 501, 900, 901, 15000])
def test_windows_cover_every_frame_once_but_for_the_overlap(frames):
    plan = plan_windows(frames, 500, 100)
    assert plan[0][0] == 0 and plan[-1][1] == frames
    for (_, end), (start, next_end) in itertools.pairwise(plan):
        assert end - start == 100 and next_end > end
    assert all(end - start <= 500 for start, end in plan)


def changed(model, spoken, emotions, identity=None, **more) -> np.ndarray:
    """The parts that `emotion_changes` gives, joined: (len(emotions), F, K)."""
    parts, end = [], 0
    for first, part in emotion_changes(model, spoken, emotions, identity, **more):
        assert first == end and part.shape[0] == len(emotions)
        end += part.shape[1]
        parts.append(part)
    assert end == len(spoken.curves)
    return np.concatenate(parts, 1)


@pytest.mark.parametrize(("samples", "frames"), [(0, 1), (1, 1), (800, 1), (961, 2), (16000, 25), (100000, 156)])
def test_length(model, samples, frames):
    heard = synthesize(model, np.zeros(samples, np.float32))
    curves = heard.curves
    assert heard.emotion.shape == (frames, 4) and np.allclose(heard.emotion.sum(1), 1, atol=1e-5)
    assert curves.shape == (frames, 5) and curves.dtype == np.float32 and np.isfinite(curves).all()
    assert heard.emotion_embedding.shape == (128,) and np.isfinite(heard.emotion_embedding).all()


@pytest.mark.parametrize("norm", ["layer", "instance"])
def test_short_speech_at_every_temperature(make_open, speech_like, norm):
    model = make_open(stream_norm=norm, prior_norm=norm)
    for temperature in (0.0, 0.2, 5.0):
        assert np.isfinite(
            synthesize(model, speech_like(0.05), np.ones(6), temperature=temperature, seed=1).curves
        ).all()


@pytest.fixture(scope="module")
def settled(make_open, speech_like):
    """A random model that behaves like a trained one in three ways: it depends little on where in a window a sound
    is, its features are standardised, and its codes lie where speech lands."""
    model = make_open(clamp=False, take_smoothing=1.0, codes=64)
    with torch.no_grad():
        model.residual_gate.fill_(0.1)
        model.motion_backbone.embed_positions.weight.mul_(0.01)
        motion, emotion = model.encode_audio(torch.from_numpy(speech_like(30, seed=3)))
        model.motion_norm.fit(motion, whiten=False)
        model.emotion_norm.fit(emotion)
        z = model.predict(model.stack_motion(motion[None]), emotion[None])
        for _ in range(30):
            model.prior.quantiser(z, learn=True)
    return model


@pytest.mark.parametrize("temperature", [0.0, 0.2])
def test_windowed_equals_unwindowed(settled, speech_like, temperature):
    """30 s in one piece and in windows of 20 s that share 4 s: the same curves, but for what far context changes."""
    speech = speech_like(30)
    whole = synthesize(settled, speech, temperature=temperature, seed=5, window=30).curves
    parts = synthesize(settled, speech, temperature=temperature, seed=5, window=20, overlap=4).curves
    assert not np.array_equal(parts, whole)
    assert np.corrcoef(parts.ravel(), whole.ravel())[0, 1] > 0.95
    assert np.abs(parts - whole).mean() < 0.2 * whole.std()
    # No seam: where windows overlap, the steps from frame to frame are no larger than in one piece.
    steps = np.abs(np.diff(parts, axis=0))[398:502]
    assert steps.max() < 1.2 * np.abs(np.diff(whole, axis=0)).max()


def test_where_windows_overlap_a_take_makes_the_same_choices(settled, speech_like):
    speech = torch.from_numpy(speech_like(30))
    chosen = []
    for first in (0, 200):
        motion, emotion = settled.encode_audio(speech, first, 500)
        noise = take_noise(settled.config, 5, first, 500)
        with torch.no_grad():
            found = settled(motion[None], emotion[None], first=first, temperature=5.0, noise=noise)
        chosen.append(found.quantised.codes[0, 250 - first : 450 - first])
    assert (chosen[0] == chosen[1]).float().mean() > 0.9


def test_takes(model, speech_like):
    speech = speech_like(2)
    assert np.array_equal(synthesize(model, speech).curves, synthesize(model, speech, seed=9).curves)
    first, again, other = (synthesize(model, speech, temperature=0.2, seed=seed).curves for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_what_an_emotion_changes_is_the_difference_to_the_neutral_voice(make_open, speech_like):
    model = make_open(emotion_bank=True, clamp=False)
    model.emotion_reader.bank.normal_(generator=torch.Generator().manual_seed(0))
    speech, identity = speech_like(13), np.ones(6)
    spoken = synthesize(model, speech, identity)
    happy, neutral = EMOTIONS.index("happy"), EMOTIONS.index("neutral")
    changes = changed(model, spoken, [happy, neutral], identity)
    assert changes.shape == (2, len(spoken.curves), 5)
    np.testing.assert_allclose(changes[1], 0, atol=1e-5)
    assert np.abs(changes[0]).mean() > 1e-3
    assert changed(model, spoken, []).shape == (0, *spoken.curves.shape)
    # In the first 8 s no windows overlap: the curves are those of the latent with this place.
    window = spoken.windows[0]
    place = model.emotion_places(torch.eye(len(EMOTIONS))[[happy]])
    with torch.inference_mode():
        z = model.predict(torch.from_numpy(window.motion)[None].float(), place, torch.ones(1, 6))
        shown = model.decode(z).motion[0, :200].numpy()
    np.testing.assert_allclose((spoken.curves + changes[0])[:200], shown, atol=1e-4)
    model.expression_gain[happy] = 2.0
    np.testing.assert_allclose(changed(model, spoken, [happy], identity), 2 * changes[:1], atol=1e-5)


def test_changes_are_computed_where_they_are_needed(make_open, speech_like):
    model = make_open(emotion_bank=True, clamp=False)
    model.emotion_reader.bank.normal_(generator=torch.Generator().manual_seed(0))
    spoken, emotions = synthesize(model, speech_like(40)), [EMOTIONS.index("happy"), EMOTIONS.index("sad")]
    whole, seen = changed(model, spoken, emotions), []
    needed = np.zeros((1000, 2), bool)
    needed[700:710, 1] = True
    part = changed(model, spoken, emotions, shown=needed, report=lambda fraction, text: seen.append(fraction))
    np.testing.assert_allclose(part[1, 700:710], whole[1, 700:710], atol=1e-5)
    for unneeded in (part[0], part[1, :600], part[1, 850:]):
        np.testing.assert_allclose(unneeded, 0, atol=1e-5)
    assert seen[0] == 0 and seen == sorted(seen) and 0.8 < seen[-1] < 1 and len(seen) == len(spoken.windows)


def test_a_take_with_an_emotion_is_the_same_take(make_open, speech_like):
    model = make_open(emotion_bank=True)
    spoken = synthesize(model, speech_like(2), temperature=0.2, seed=3)
    places = [EMOTIONS.index("neutral")]
    seen: list[tuple[float, str]] = []
    changed(model, spoken, places, report=lambda *told: seen.append(told))
    assert seen == [(0.0, "Adding the expression")]  # one window
    np.testing.assert_allclose(changed(model, spoken, places, temperature=0.2, seed=3), 0, atol=1e-5)
    assert np.abs(changed(model, spoken, places, temperature=0.2, seed=4)).max() > 1e-3


def test_report_and_cancel_between_windows(make, speech_like):
    model, seen = make(), []
    synthesize(model, speech_like(40), window=20, overlap=4, report=lambda *told: seen.append(told))
    assert [fraction for fraction, _ in seen] == pytest.approx([0, 1 / 3, 2 / 3, 1]) and all(text for _, text in seen)
    seen.clear()
    with pytest.raises(Cancelled):
        synthesize(model, speech_like(40), report=lambda *a: seen.append(a), cancelled=lambda: len(seen) == 2)
    assert len(seen) == 2


def test_a_face_of_another_model_is_refused(model, speech_like):
    for identity in (np.zeros(7), np.zeros((1, 6)), np.full(6, np.nan)):
        with pytest.raises(LSFError) as raised:
            synthesize(model, speech_like(0.2), identity)
        assert raised.value.code == "bad_identity"
    with pytest.raises(LSFError):
        synthesize(model, np.zeros((100, 2), np.float32))


def test_the_mouth_moves_with_the_sound(settled, speech_like):
    """A pause of two seconds moves what follows it by exactly its own length."""
    speech = speech_like(3)
    early, later = (
        settled(*(features[None] for features in settled.encode_audio(torch.from_numpy(audio)))).z[0].detach()
        for audio in (speech, np.concatenate((np.zeros(32000, np.float32), speech)))
    )

    def moving(z):  # random attention adds a constant that depends on all of the clip
        return (z - z.mean(0)).flatten()

    r = [np.corrcoef(moving(early[10:65]), moving(later[60 + lag : 115 + lag]))[0, 1] for lag in range(-6, 7)]
    assert np.argmax(r) == 6 and r[6] > 0.1 + max(r[:5] + r[8:])


def test_the_windows_of_a_long_clip_are_in_a_file_and_give_the_same(make_open, speech_like, monkeypatch):
    model, speech = make_open(emotion_bank=True), speech_like(40)
    model.emotion_reader.bank.normal_(generator=torch.Generator().manual_seed(0))
    short = synthesize(model, speech)
    monkeypatch.setattr("server.model.inference.LONG_SECONDS", 30)
    long = synthesize(model, speech)
    assert not isinstance(short.windows[0].motion, np.memmap) and isinstance(long.windows[0].motion, np.memmap)
    for one, other in zip(short.windows, long.windows, strict=True):
        assert one.first == other.first and np.array_equal(one.motion, other.motion)
    happy = [EMOTIONS.index("happy")]
    np.testing.assert_array_equal(changed(model, long, happy), changed(model, short, happy))


MEASURE = """
import json, resource, sys
import numpy as np
from server.model import LSF, synthesize
model = LSF.from_pretrained(sys.argv[1])
minutes, windows = int(sys.argv[2]), []
encode_audio = model.encode_audio
def counted(audio, first, frames, statistics):
    windows.append(frames)
    return encode_audio(audio, first, frames, statistics)
model.encode_audio = counted
speech = 0.1 * np.random.default_rng(0).standard_normal(minutes * 60 * 16000, dtype=np.float32)
curves = synthesize(model, speech).curves
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"frames": len(curves), "heard": sum(windows), "longest": max(windows), "peak": peak}))
"""


def test_ten_minutes_take_the_memory_of_one_and_ten_times_the_work(make, tmp_path):
    make().save_pretrained(tmp_path)
    one, ten = (
        json.loads(
            subprocess.run(
                [sys.executable, "-c", MEASURE, str(tmp_path), minutes],
                cwd=ROOT,
                check=True,
                capture_output=True,
                text=True,
                env={"OMP_NUM_THREADS": "1"},
            ).stdout
        )
        for minutes in ("1", "10")
    )
    assert (one["frames"], ten["frames"]) == (1500, 15000)
    assert ten["heard"] <= 11 * one["heard"] and ten["longest"] == one["longest"] == 250
    assert ten["peak"] < 1.3 * one["peak"]
