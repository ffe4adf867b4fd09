import subprocess
import sys
from pathlib import Path

import pytest
import torch

from server.errors import LSFError
from server.model.backbones import make_backbone
from server.model.config import BackboneConfig

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("kind", ["whisper", "hubert", "emotion2vec"])
def test_a_sound_is_heard_in_the_frame_of_its_time(kind):
    torch.manual_seed(0)
    backbone = make_backbone(BackboneConfig(kind=kind, hidden=32, heads=4, mlp=48, conv=16), (2,)).eval()
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
        make_backbone(BackboneConfig(kind=kind), (1,))
    assert raised.value.code == "missing_package"
    assert kind in str(raised.value) and '"transformers"' in str(raised.value)


def test_emotion2vec_needs_no_package_that_artists_do_not_have(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert len(make_backbone(BackboneConfig(kind="emotion2vec", hidden=32, heads=4, mlp=48, conv=16), (3,)).layers) == 3


ARTISTS_PYTHON = """
import re, sys
from importlib.metadata import packages_distributions
from pathlib import Path

def names(lock):
    text = Path("lsf_blender_addon/client", lock).read_text("utf-8")
    return set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))

absent = names("requirements-transformers.lock") - names("requirements.lock")
for module, packages in packages_distributions().items():
    if absent & {package.lower().replace("_", "-") for package in packages}:
        sys.modules[module] = None  # an import of it fails, as where artists do not have it
assert sys.modules["transformers"] is None is sys.modules["packaging"]

import numpy as np
import torch
before = set(sys.modules)
from server.engine import Engine, warm_up
from server.face.head import load_head
from server.files.meshes import Mesh
engine = Engine()
print(sorted({"sympy", "torch._dynamo", "torch._inductor", "scipy", "soundfile"} & (set(sys.modules) - before)))
head = load_head()
warm_up()
warm = set(sys.modules)
result = engine.generate(
    0.1 * np.random.default_rng(0).standard_normal(24000), 24000, Mesh(1.1 * head.vertices, head.triangles)
)
print(result.motion.shape, result.face is not None, sorted(set(sys.modules) - warm))
"""


def test_the_model_that_ships_needs_no_more_than_artists_install_and_loads_nothing_slow():
    done = subprocess.run([sys.executable, "-c", ARTISTS_PYTHON], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["[]", "(26, 52) True []"]
