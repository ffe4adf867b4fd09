"""States of the encoder: long clips in pieces, in the time of the motion; what is there is not computed again."""

import numpy as np
import pytest
import soundfile
import torch

from server.model import LSF, LSFConfig
from server.training import corpora, features
from server.training.labels import encoder_states


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return LSF(LSFConfig(motion_layers=(2, 3), motion_components=8)).eval()


def test_states_are_those_of_the_layer_at_the_rate_of_the_motion(model):
    audio = 0.1 * np.random.default_rng(0).standard_normal(32000).astype(np.float32)
    states = encoder_states.encode(model, audio)
    with torch.inference_mode():
        sample = torch.from_numpy(audio)
        layers = model.motion_backbone(sample, model.motion_backbone.clip_statistics(sample), 0, 100)
    np.testing.assert_allclose(states[7], layers[2][14:16].mean(0), atol=2e-2)
    assert states.shape == (50, model.config.motion_backbone.hidden) and states.dtype == np.float16


def test_a_long_clip_is_encoded_in_pieces(model, monkeypatch):
    monkeypatch.setattr(features, "MAX_SEGMENT_FRAMES", 20)
    assert len(encoder_states.encode(model, np.zeros(32000, np.float32))) == 50


def test_what_is_there_is_kept(model, tmp_path, monkeypatch):
    clips = []
    for name in ("a", "b"):
        soundfile.write(tmp_path / f"{name}.wav", np.zeros(16000), 16000)
        clips.append(corpora.Clip("kokoro", name, "v", tmp_path / f"{name}.wav", "train"))
    encoder_states.load(tmp_path, "kokoro", clips[:1], model)
    encoded = []
    monkeypatch.setattr(
        encoder_states, "encode", lambda model, audio: encoded.append(1) or np.zeros((25, 4), np.float16)
    )
    states = encoder_states.load(tmp_path, "kokoro", clips, model)
    assert len(encoded) == 1 and sorted(states) == ["a", "b"]
    assert encoder_states.load(tmp_path, "kokoro", clips, model).keys() == states.keys() and len(encoded) == 1
