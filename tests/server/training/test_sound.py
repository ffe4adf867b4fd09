"""Corpora may have sound of any rate and channel count: training reads it as mono at 16 kHz."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

import server.training
from server import arkit
from server.files.audio import SAMPLE_RATE
from server.training import FPS, corpora, features
from server.training.labels import lips, targets

SECONDS = 2


def tone(rate: int, frequency: int) -> np.ndarray:
    """A tone whose second half is louder."""
    t = np.arange(SECONDS * rate) / rate
    return np.where(t < SECONDS / 2, 0.05, 0.4) * np.sin(2 * np.pi * frequency * t)


def write_twice(folder: Path, frequency: int = 220) -> tuple[Path, Path]:
    """Write the same sound as mono at 16 kHz and as stereo at 48 kHz."""
    plain, studio = folder / "plain.wav", folder / "studio.wav"
    soundfile.write(plain, tone(SAMPLE_RATE, frequency), SAMPLE_RATE)
    soundfile.write(studio, np.stack([tone(48000, frequency)] * 2, 1), 48000)
    return plain, studio


@pytest.fixture
def two_files(tmp_path):
    return write_twice(tmp_path)


def test_features_are_computed_from_the_sound_at_its_own_speed(two_files):
    clips = [corpora.Clip("kokoro", path.stem, "voice", path, "train") for path in two_files]
    (plain, _), (studio, parts) = features.make_segments(clips, 0, np.random.default_rng(0))
    assert parts[0]["frames"] == SECONDS * FPS and studio.dtype == np.float32
    np.testing.assert_allclose(studio, plain, atol=0.02)


def test_the_mouth_of_a_burst_follows_the_sound_at_its_own_speed(tmp_path):
    clips = [corpora.Clip("emogator", path.stem, "voice", path, "train") for path in write_twice(tmp_path, 880)]
    labels = targets.corpus_targets("emogator", clips, lips.load_lips())
    jaw = arkit.CHANNELS.index("jawOpen")
    assert 0 < labels["plain"][5, jaw] < 0.5 * labels["plain"][-5, jaw]
    np.testing.assert_allclose(labels["studio"], labels["plain"], atol=0.01)


def test_sound_without_speech_is_a_face_at_rest_as_long_as_the_sound(two_files):
    clips = [corpora.Clip("non_speech", path.stem, "non_speech", path, "train") for path in two_files]
    for curves in targets.corpus_targets("non_speech", clips, lips.load_lips()).values():
        assert curves.shape == (SECONDS * FPS, len(arkit.CHANNELS)) and not curves.any()


def test_nothing_reads_a_sound_file_but_the_one_reader():
    folder = Path(server.training.__file__).parent
    found = {
        path.name: re.findall(r"soundfile\.(?:read|SoundFile)\((\w+)", path.read_text(encoding="utf-8"))
        for path in folder.rglob("*.py")
    }
    assert {name: used for name, used in found.items() if used} == {"augment.py": ["file"]}, "codec decodes in memory"
