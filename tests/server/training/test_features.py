"""Segments of joined clips, and the curves that belong to them."""

import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from server import arkit
from server.training import FPS, corpora, dataset, features
from server.training.speech import augment

STEP = 16000 // FPS


@pytest.fixture
def clips(tmp_path):
    """Ten clips of 1-2 s whose sound has the loudness of their number."""
    made = []
    for i in range(10):
        path = tmp_path / f"{i}.flac"
        soundfile.write(path, np.full(STEP * (25 + 2 * i), (i + 1) / 20), 16000)
        made.append(corpora.Clip("kokoro", str(i), "voice", path, "train"))
    return made


@pytest.fixture
def another_voice(monkeypatch):
    """The vocoder is a package of its own; here it makes the sound negative."""
    monkeypatch.setattr(augment, "convert_voice", lambda audio, rng: -audio)


def write_intensity(work, corpus, curves):
    """A clip shows an emotion as far as its first channel moves."""
    (work / "intensity").mkdir()
    np.savez(work / "intensity" / f"{corpus}.npz", **{name: values[:, 0] for name, values in curves.items()})


def joined(clips, copy):
    """Every stretch as (mean sound of each frame, its parts, its curves); a clip's jaw is open by its number."""
    targets = {c.name: np.full((60, len(arkit.CHANNELS)), (i + 1) / 20, np.float32) for i, c in enumerate(clips)}
    for audio, parts in features.make_segments(clips, copy, np.random.default_rng(copy)):
        frames = sum(p["frames"] for p in parts)
        assert len(audio) == frames * STEP
        curves = dataset.join(parts, targets)
        intensity = dataset.join(parts, {name: values[:, 0] for name, values in targets.items()})
        assert len(curves) == frames and np.array_equal(curves[:, 0], intensity)
        yield audio.reshape(-1, STEP).mean(1), parts, curves[:, 0]


def test_copy_0_is_every_clip_alone(clips):
    segments = list(joined(clips, 0))
    assert [[p["name"] for p in parts] for _, parts, _ in segments] == [[c.name] for c in clips]
    assert all(np.allclose(sound, curve, atol=1e-3) for sound, _, curve in segments)


def test_copies_join_clips_without_losing_one(clips):
    segments = list(joined(clips, 1))
    assert len(segments) < len(clips)
    assert sorted(p["name"] for _, parts, _ in segments for p in parts) == [c.name for c in clips]
    for sound, _, curve in segments:  # the resampler rings at a clip's ends
        assert np.mean(np.abs(sound - curve) < 0.02) > 0.9


def test_another_voice_speaks_after_a_pause_in_which_the_face_rests(clips, another_voice):
    names = []
    for sound, parts, curve in joined(clips, features.CONVERTED_COPY):
        assert [p.get("pause", False) for p in parts] == [True, False] * (len(parts) // 2)
        names += [p["name"] for p in parts if "pause" not in p]
        at = 0
        for part in parts:
            inside = slice(at + 1, at + part["frames"] - 1)
            at += part["frames"]
            if "pause" in part:
                assert 0.3 * FPS <= part["frames"] <= 1.6 * FPS + 1
                assert np.all(curve[inside] == 0) and np.abs(sound[inside]).max() < 0.03
            else:
                np.testing.assert_allclose(-sound[inside], curve[inside], atol=0.02)
    assert sorted(names) == [c.name for c in clips]


def test_a_tracked_face_is_the_target_of_every_copy(clips, another_voice, tmp_path, monkeypatch):
    """In another voice too its mouth opens when it did, and pauses between the clips are at rest."""
    tracked = [replace(clip, lips=np.zeros((25, 2))) for clip in clips]
    monkeypatch.setitem(corpora.READERS, "grid", ("", lambda folder: iter(tracked)))
    open_jaw = {c.name: np.full((60, len(arkit.CHANNELS)), 0.5, np.float32) for c in clips}
    (tmp_path / "targets").mkdir()
    (tmp_path / "features").mkdir()
    np.savez(tmp_path / "targets" / "grid.npz", **open_jaw)
    write_intensity(tmp_path, "grid", open_jaw)
    pauses = {}
    for copy in (0, features.CONVERTED_COPY):
        index, frames = [], 0
        for _, parts in features.make_segments(tracked, copy, np.random.default_rng(copy)):
            index.append({"start": frames, "parts": parts})
            frames += sum(part["frames"] for part in parts)
        pauses[copy] = sum(p["frames"] for entry in index for p in entry["parts"] if p.get("pause"))
        (tmp_path / "features" / f"grid_{copy}.json").write_text(json.dumps(index))
        np.save(tmp_path / "features" / f"grid_{copy}.npy", np.zeros((frames, 2), np.float16))
    jaw = arkit.CHANNELS.index("jawOpen")
    for copy, at_rest in pauses.items():
        sequences = dataset.load(tmp_path, tmp_path, "grid", [copy], "train")
        opened = np.concatenate([s.curves[:, jaw] for s in sequences])
        assert (opened == 0).sum() == at_rest and (opened[opened != 0] == 0.5).all() and opened.any()
        assert not any(s.curves[:, dataset.UPPER_FACE].any() for s in sequences)
    assert pauses[0] == 0 < pauses[features.CONVERTED_COPY]


def test_a_clip_without_targets_is_not_learned_from(clips, tmp_path, monkeypatch):
    monkeypatch.setitem(corpora.READERS, "kokoro", ("", lambda folder: iter(clips)))
    (tmp_path / "targets").mkdir()
    (tmp_path / "features").mkdir()
    curves = {c.name: np.ones((25, len(arkit.CHANNELS)), np.float32) for c in clips[:4]}
    np.savez(tmp_path / "targets" / "kokoro.npz", **curves)
    write_intensity(tmp_path, "kokoro", curves)
    parts = [{"name": c.name, "first": 0, "frames": 20, "speed": 1.0} for c in (clips[0], clips[7], clips[1])]
    (tmp_path / "features" / "kokoro_1.json").write_text(json.dumps([{"start": 0, "parts": parts}]))
    np.save(tmp_path / "features" / "kokoro_1.npy", np.arange(60, dtype=np.float16)[:, None])
    first, second = dataset.load(tmp_path, tmp_path, "kokoro", [1], "train")
    assert (first.name, second.name) == ("0", "1")
    assert len(first.curves) == len(second.curves) == len(first.intensity) == 20
    np.testing.assert_array_equal(np.concatenate([first.features, second.features])[:, 0], [*range(20), *range(40, 60)])
