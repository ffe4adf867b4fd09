"""Fixtures that several packages' tests share."""

import os
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest

# The same cases in every run: no database of earlier ones, and no deadline, as machines differ.
hypothesis.settings.register_profile("tests", derandomize=True, database=None, deadline=None)
hypothesis.settings.load_profile("tests")

ROOT = Path(__file__).resolve().parents[1]

SMALL_CHECKPOINT = """
import sys, torch
from server.model import LSF, BackboneConfig, LSFConfig
torch.manual_seed(0)
config = LSFConfig(motion_backbone=BackboneConfig(hidden=32, heads=2, mlp=64), motion_layers=(1,), emotion_layers=(1,),
                   motion_components=0, emotion_components=0, width=32, mlp=32, heads=2, direct_width=16, codes=16,
                   code_size=16, prior_width=32, prior_mlp=32, prior_heads=2)
LSF(config).save_pretrained(sys.argv[1])
"""

# The paper's system at small sizes on the toy FLAME. Random weights; the decoder's last layer is set so that the jaw
# and a few expressions move with the sound as far as in speech.
FLAME_CHECKPOINT = """
import sys, torch
from pathlib import Path
from server.flame import load_flame
from server.flame.face import flame_head
from server.model import LSF, LSFConfig
from server.training.paper.toy_flame import write_toy_flame
from tests.server.training.paper.tiny import tiny
folder = Path(sys.argv[1])
torch.manual_seed(2)
model = LSF(tiny(LSFConfig.paper())).eval()
layer = [module for module in model.prior.modules() if isinstance(module, torch.nn.Linear)][-1]
assert layer.out_features == 53
with torch.no_grad():
    layer.weight *= 0.05
    layer.weight[:10] *= 2
    layer.weight[50] *= 5
    layer.bias[:] = torch.tensor([0.5] * 50 + [0.3, 1 / 6, 1 / 6])
model.save_pretrained(folder, half=False)
write_toy_flame(folder / "toy_flame.npz")
flame_head(load_flame(folder / "toy_flame.npz")).save(folder / "face.safetensors")
"""


@pytest.fixture(scope="session")
def server_python() -> str:
    """A Python that has the server's packages: this one, where the environment names no other."""
    return os.environ.get("LSF_SERVER_PYTHON") or sys.executable


@pytest.fixture(scope="session")
def small_checkpoint(tmp_path_factory, server_python) -> Path:
    """A folder with a tiny, randomly initialised LSF: the real classes, loaded and run in no time.

    Made in a process of its own, because torch must not share one with bpy.
    """
    folder = tmp_path_factory.mktemp("checkpoint")
    subprocess.run([server_python, "-c", SMALL_CHECKPOINT, folder], cwd=ROOT, check=True)
    return folder


@pytest.fixture(scope="session")
def flame_checkpoint(tmp_path_factory, server_python) -> Path:
    """A folder with a tiny model of the kind "flame", the toy FLAME (toy_flame.npz) and what carries it to heads."""
    folder = tmp_path_factory.mktemp("flame") / "paper run"
    folder.mkdir()
    subprocess.run([server_python, "-c", FLAME_CHECKPOINT, folder], cwd=ROOT, check=True)
    return folder
