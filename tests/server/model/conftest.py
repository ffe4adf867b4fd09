import dataclasses

import numpy as np
import pytest
import torch

from server.model import LSF, BackboneConfig, LSFConfig

TINY = LSFConfig(
    channels=("jawOpen", "mouthClose", "browInnerUp", "mouthPucker", "eyeBlinkLeft"),
    motion_backbone=BackboneConfig(hidden=32, heads=4, mlp=64, mels=20, positions=1500),
    motion_layers=(1, 2),
    emotion_layers=(2,),
    motion_components=24,
    emotion_components=0,
    emotion_bank=False,
    identity_size=6,
    identity_styles=5,
    width=32,
    mlp=48,
    heads=4,
    fusion_blocks=3,
    direct_width=16,
    emotions=4,
    codes=16,
    code_size=8,
    codes_per_frame=2,
    prior_width=24,
    prior_mlp=32,
    prior_heads=2,
    prior_span=6,
)


@pytest.fixture(autouse=True)
def one_thread():
    """Models this small are many times slower on several threads that share a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def make():
    """make(seed, **changes of the tiny config) -> a fresh model in eval mode; its gate is closed."""
    return make_model


@pytest.fixture(scope="session")
def make_open():
    """make_open(seed, **changes): the same with an open gate, as after training, so that the fused stream counts."""
    return make_open_model


@pytest.fixture
def model() -> LSF:
    """A model with an open gate."""
    return make_open_model()


@pytest.fixture(scope="session")
def speech_like():
    """speech_like(seconds, seed) -> (N,) float32 at 16 kHz"""
    return make_speech


def make_model(seed: int = 0, **changes) -> LSF:
    torch.manual_seed(seed)
    return LSF(dataclasses.replace(TINY, **changes)).eval()


def make_open_model(seed: int = 0, **changes) -> LSF:
    model = make_model(seed, **changes)
    if model.config.direct_path:
        model.residual_gate.data.fill_(1.0)
    return model


def make_speech(seconds: float, seed: int = 0) -> np.ndarray:
    """A buzz with vibrato through moving syllables, breaths of noise, pauses."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * 16000)) / 16000
    pitch = 2 * np.pi * np.cumsum(120 + 20 * np.sin(2 * np.pi * 0.7 * time)) / 16000
    voice = sum(np.sin(k * pitch) / k * (1 + np.sin(2 * np.pi * (0.9 + 0.13 * k) * time)) for k in range(1, 25))
    syllables = np.clip(np.sin(2 * np.pi * 3.1 * time) + 0.3 * np.sin(2 * np.pi * 0.4 * time), 0, 1)
    hiss = 0.2 * rng.standard_normal(len(time)) * np.clip(np.sin(2 * np.pi * 1.7 * time + 1), 0, 1)
    return (0.1 * (voice * syllables + hiss)).astype(np.float32)
