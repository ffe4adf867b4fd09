import subprocess
import sys
from pathlib import Path

import pytest
import torch

from server.errors import LSFError
from server.model.backbones import make_backbone
from server.model.config import BackboneConfig

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("kind", ["whisper", "hubert"])
def test_a_sound_is_heard_in_the_frame_of_its_time(kind):
    torch.manual_seed(0)
    backbone = make_backbone(BackboneConfig(kind=kind, hidden=32, heads=4, mlp=48, conv=16), 2).eval()
    audio = 0.1 * torch.randn(32000)
    other = audio.clone()
    other[16000 - 200 : 16000 + 200] = 0.1 * torch.randn(400)
    level = backbone.clip_statistics(audio)
    for first in (0, 31):
        change = (backbone(other, level, first, 60)[0] - backbone(audio, level, first, 60)[0]).abs().sum(-1)
        assert abs(first + int(change.argmax()) - 50) <= 1


@pytest.mark.parametrize("kind", ["hubert", "wav2vec2"])
def test_a_backbone_whose_package_is_missing_says_so(kind, monkeypatch):
    monkeypatch.delitem(sys.modules, "server.model.wav2vec2", raising=False)
    monkeypatch.setitem(sys.modules, "transformers", None)  # as if it were not installed
    with pytest.raises(LSFError) as raised:
        make_backbone(BackboneConfig(kind=kind), 1)
    assert raised.value.code == "missing_package"
    assert kind in str(raised.value) and '"transformers"' in str(raised.value)


WITHOUT_TRANSFORMERS = """
import sys
sys.modules["transformers"] = None
import torch
before = set(sys.modules)
from server.engine import Engine
engine = Engine()
slow = {"transformers", "tokenizers", "sympy", "torch._dynamo", "torch._inductor", "scipy", "soundfile"}
print(sorted(slow & (set(sys.modules) - before)))
import numpy as np
print(engine.generate(0.1 * np.random.default_rng(0).standard_normal(16000), 16000).motion.shape)
"""


def test_the_model_that_ships_loads_without_transformers_and_without_the_compiler_of_torch():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TRANSFORMERS], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == ["[]", "(26, 52)"]
