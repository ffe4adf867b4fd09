import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import soundfile
import torch

from server.errors import LSFError
from server.model import LSF, LSFConfig
from server.training.paper import features
from server.training.paper.features import FeatureCache
from tests.server.training.paper.tiny import tiny

CONFIGS = {"paper": LSFConfig.paper, "released": LSFConfig.released}


@dataclass
class Clip:
    audio: Path


def write_sound(path: Path, seconds: float = 0.7, seed: int = 0) -> Clip:
    rng = np.random.default_rng(seed)
    soundfile.write(path, 0.1 * rng.standard_normal(round(16000 * seconds)), 16000)
    return Clip(path)


@pytest.fixture(params=list(CONFIGS))
def model(request) -> LSF:
    torch.manual_seed(0)
    return LSF(tiny(CONFIGS[request.param]())).eval()


@pytest.fixture
def paper() -> LSF:
    torch.manual_seed(0)
    return LSF(tiny(LSFConfig.paper())).eval()


def counted(model, monkeypatch) -> list[str]:
    """The kinds of the encoders whose features were computed since."""
    runs: list[str] = []
    for backbone in (model.motion_backbone, model.emotion_backbone):
        compute, kind = backbone.frozen_features, backbone.config.kind
        monkeypatch.setattr(
            backbone, "frozen_features", lambda *given, compute=compute, kind=kind: runs.append(kind) or compute(*given)
        )
    return runs


def entries(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.safetensors"))


def test_features_are_computed_once_and_are_those_of_the_encoders(model, tmp_path, monkeypatch):
    clip = write_sound(tmp_path / "a.wav")
    runs = counted(model, monkeypatch)
    motion, emotion = FeatureCache(tmp_path / "cache", model).of(clip)
    assert runs == ["hubert", "emotion2vec"]
    again = FeatureCache(tmp_path / "cache", model).of(clip)
    assert len(runs) == 2 and torch.equal(again[0], motion) and torch.equal(again[1], emotion)

    audio = torch.from_numpy(soundfile.read(clip.audio, dtype="float32")[0])
    frames = 2 * model.frame_count(len(audio))
    for backbone, features_ in ((model.motion_backbone, motion), (model.emotion_backbone, emotion)):
        exact = backbone.frozen_features(audio, backbone.clip_statistics(audio), 0, frames)
        assert features_.shape == (frames, backbone.feature_size) and features_.dtype == torch.float32
        assert (features_ - exact).norm() < 5e-4 * exact.norm()
    whole = FeatureCache(tmp_path / "whole", model, half=False).of(clip)[0]
    backbone = model.motion_backbone
    assert torch.equal(whole, backbone.frozen_features(audio, backbone.clip_statistics(audio), 0, frames))


def test_what_the_encoder_hears_in_training_is_what_it_hears_in_use(model, tmp_path):
    """Both parts, through the cache, are `LSF.encode_audio`."""
    clip = write_sound(tmp_path / "a.wav")
    frozen = FeatureCache(tmp_path / "cache", model, half=False).of(clip)
    audio = torch.from_numpy(soundfile.read(clip.audio, dtype="float32")[0])
    with torch.no_grad():
        heard = model.encode_audio(audio)
        for given, backbone, layers, wanted in zip(
            frozen,
            (model.motion_backbone, model.emotion_backbone),
            (model.config.motion_layers, model.config.emotion_layers),
            heard,
            strict=True,
        ):
            states = backbone.trained_layers(given[None])
            torch.testing.assert_close(backbone.side_by_side(states, layers)[0], wanted, atol=1e-5, rtol=0)


def test_rounding_changes_the_result_less_than_bfloat16(paper, tmp_path):
    backbone = paper.motion_backbone
    given = torch.randn(1, 60, backbone.feature_size)
    with torch.no_grad():
        exact = backbone.trained_layers(given)[0]
        rounded = backbone.trained_layers(given.half().float())[0]
        coarse = backbone.trained_layers(given.bfloat16().float())[0]
    assert (rounded - exact).norm() < 1e-3 * exact.norm() < (coarse - exact).norm()


def test_other_weights_settings_and_sounds_have_other_entries(paper, tmp_path, monkeypatch):
    clip = write_sound(tmp_path / "a.wav")
    cache = tmp_path / "cache"
    runs = counted(paper, monkeypatch)
    FeatureCache(cache, paper).of(clip)
    runs.clear()

    with torch.no_grad():  # a layer that is trained changes nothing in the cache
        paper.motion_backbone.model.encoder.layers[2].layer_norm.bias += 1
    FeatureCache(cache, paper).of(clip)
    assert runs == []
    with torch.no_grad():
        paper.motion_backbone.model.encoder.layers[1].layer_norm.bias += 1
    FeatureCache(cache, paper).of(clip)
    assert runs == ["hubert"]
    with torch.no_grad():
        paper.emotion_backbone.alibi_scale += 1
    FeatureCache(cache, paper).of(clip)
    assert runs == ["hubert", "emotion2vec"]

    write_sound(tmp_path / "a.wav", seed=1)
    os.utime(tmp_path / "a.wav", (1, 1))
    FeatureCache(cache, paper).of(clip)
    assert runs == ["hubert", "emotion2vec"] * 2
    copy = tmp_path / "copy.wav"
    copy.write_bytes((tmp_path / "a.wav").read_bytes())
    FeatureCache(cache, paper).of(Clip(copy))  # the same sound under another name
    assert len(runs) == 4 and len(entries(cache)) == 6


def test_an_exported_checkpoint_finds_the_entries(paper, tmp_path, monkeypatch):
    """Its frozen weights are in half precision."""
    clip = write_sound(tmp_path / "a.wav")
    FeatureCache(tmp_path / "cache", paper).of(clip)
    paper.save_pretrained(tmp_path / "checkpoint", half=False)
    exported = LSF.from_pretrained(tmp_path / "checkpoint")
    runs = counted(exported, monkeypatch)
    FeatureCache(tmp_path / "cache", exported).of(clip)
    assert runs == []


def damages(content: bytes) -> dict[str, bytes]:
    """An entry, damaged in several ways."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    flipped = bytearray(content)
    flipped[-5] ^= 1
    return {
        "empty": b"",
        "cut": content[:-7],
        "header": content[:40],
        "one bit": bytes(flipped),
        "no safetensors": b"x" * 500,
        "long header": (1 << 62).to_bytes(8, "little") + content[8:],
        "without digest": safetensors.torch.save({"features": torch.ones(34, 16)}),
        "of another": content.replace(header["__metadata__"]["sound"].encode(), b"0" * 32),
        "list": (2).to_bytes(8, "little") + b"[]",
        "deep": (90000).to_bytes(8, "little") + b"[" * 90000,
    }


def test_damaged_and_foreign_entries_are_computed_again(paper, tmp_path, monkeypatch):
    clip, other = write_sound(tmp_path / "a.wav"), write_sound(tmp_path / "b.wav", seed=5)
    cache = FeatureCache(tmp_path / "cache", paper)
    good = cache.of(clip)
    path = next(p for p in entries(tmp_path / "cache") if "hubert" in p.parent.name)
    content = path.read_bytes()
    cache.of(other)
    foreign = next(p for p in entries(tmp_path / "cache") if "hubert" in p.parent.name and p != path).read_bytes()
    runs = counted(paper, monkeypatch)
    for name, damaged in {**damages(content), "of another sound": foreign}.items():
        runs.clear()
        path.write_bytes(damaged)
        again = FeatureCache(tmp_path / "cache", paper).of(clip)
        assert runs == ["hubert"] and torch.equal(again[0], good[0]), name
        FeatureCache(tmp_path / "cache", paper).of(clip)
        assert runs == ["hubert"], name


def test_what_half_precision_cannot_hold_is_kept_whole(paper, tmp_path, monkeypatch):
    clip = write_sound(tmp_path / "a.wav")
    for value, name in ((1e6, "large"), (1e-7, "small")):
        given = value * torch.arange(1.0, 17).repeat(34, 1)
        monkeypatch.setattr(paper.motion_backbone, "frozen_features", lambda *_, given=given: given)
        assert torch.equal(FeatureCache(tmp_path / name, paper).of(clip)[0], given)


def test_an_entry_is_whole_or_not_there(paper, tmp_path, monkeypatch):
    clip = write_sound(tmp_path / "a.wav")

    def stop(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr(features.Path, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        FeatureCache(tmp_path / "cache", paper).of(clip)
    assert [p for p in (tmp_path / "cache").rglob("*") if p.is_file()] == []


def test_the_space_is_told_and_refused_before_anything_is_computed(model, tmp_path, monkeypatch):
    clips = [write_sound(tmp_path / f"{n}.wav", 2.0, n) for n in range(3)]
    cache = FeatureCache(tmp_path / "cache", model)
    runs = counted(model, monkeypatch)
    lines: list[str] = []
    monkeypatch.setattr(features, "free_space", lambda folder: 1000)
    with pytest.raises(LSFError) as raised:
        cache.fill(clips, lines.append)
    assert raised.value.code == "disk_full" and runs == [] and "3 clips" in lines[0]
    monkeypatch.undo()

    runs = counted(model, monkeypatch)
    monkeypatch.setattr(features, "REPORT_SECONDS", 0.0)
    told = cache.size_of(6.0)
    cache.fill(clips[:1], lines.append)
    assert "features: 1 of 1 clips" in lines[-1] and len(runs) == 2
    cache.fill(clips, lines.append)
    assert len(runs) == 6 and "2 clips" in "".join(lines)
    taken = sum(path.stat().st_size for path in entries(tmp_path / "cache"))
    assert told < taken < told + 6 * 500  # the headers
    lines.clear()
    cache.fill(clips, lines.append)
    assert lines == [] and len(runs) == 6


def test_one_encoder_for_both_streams(tmp_path):
    torch.manual_seed(0)
    config = tiny(LSFConfig.paper(emotion_backbone=None))
    motion, emotion = FeatureCache(tmp_path / "cache", LSF(config).eval()).of(write_sound(tmp_path / "a.wav"))
    assert motion is emotion


def test_faults_are_sentences(paper, tmp_path):
    cache = FeatureCache(tmp_path / "cache", paper)
    with pytest.raises(LSFError) as raised:
        cache.of(Clip(tmp_path / "nothing.wav"))
    assert raised.value.code == "no_file"
    (tmp_path / "text.wav").write_text("no sound")
    for call in (cache.of, lambda clip: cache.fill([clip])):
        with pytest.raises(LSFError) as raised:
            call(Clip(tmp_path / "text.wav"))
        assert raised.value.code == "bad_audio"
    (tmp_path / "file").write_text("")
    with pytest.raises(LSFError) as raised:
        FeatureCache(tmp_path / "file" / "cache", paper).of(write_sound(tmp_path / "a.wav"))
    assert raised.value.code == "bad_cache"
    with pytest.raises(ValueError, match="waveform"), torch.device("meta"):
        FeatureCache(tmp_path, LSF(LSFConfig()))
