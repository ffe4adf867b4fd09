"""The command that trains the paper's system, on the miniature with small models."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from server.model import LSF, LSFConfig, synthesize
from server.training import train_paper
from server.training.paper import checkpoints, mead3d
from server.training.paper.miniature import write_miniature
from server.training.paper.recipe import Recipe
from server.training.paper.trainer import Options

from .paper.tiny import tiny

QUIET = Options(report=lambda line: None)
CONFIGS = {"paper": LSFConfig.paper, "released": LSFConfig.released}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mead")
    write_miniature(folder, clips=3)
    return folder


def short(recipe, epochs=2):
    """The recipe with few epochs and larger steps."""
    stages = {
        name: dataclasses.replace(getattr(recipe, name), epochs=epochs, learning_rate=1e-3)
        for name in ("prior", "predictor")
    }
    return dataclasses.replace(recipe, batch=2, **stages)


def make(config):
    torch.manual_seed(0)
    return LSF(tiny(config()))


@pytest.mark.parametrize("name", CONFIGS)
def test_both_stages_learn_and_leave_a_checkpoint_that_speaks(data, tmp_path, name):
    model, recipe = make(CONFIGS[name]), short(getattr(Recipe, name)(), 3)
    frozen = {n: p.clone() for n, p in model.named_parameters() if not p.requires_grad}
    upper = model.motion_backbone.model.encoder.layers[2].attention.k_proj.weight.clone()
    train_paper.train(model, mead3d.read(data), recipe, tmp_path / "out", options=QUIET)
    records = [json.loads(line) for line in (tmp_path / "out/training/metrics.jsonl").read_text().splitlines()]
    for stage in ("prior", "predictor"):
        losses = [record["loss"] for record in records if record["stage"] == stage]
        assert len(losses) == 3 and losses[-1] < losses[0], stage
    after = dict(model.named_parameters())
    assert all(torch.equal(after[n], p) for n, p in frozen.items()), "frozen weights are as they were"
    assert not torch.equal(upper, model.motion_backbone.model.encoder.layers[2].attention.k_proj.weight)
    prior = checkpoints.read_state(tmp_path / "out/training/prior/best.safetensors").part("model/")
    assert all(torch.equal(x, model.prior.state_dict()[n]) for n, x in prior.items()), "stage two leaves the prior"
    states = [
        checkpoints.read_state(p)
        for p in (tmp_path / "out/training").rglob("*.safetensors")
        if "features" not in str(p)
    ]
    assert len(states) == 4
    assert not any("emotion_backbone" in n or "feature_extractor" in n for state in states for n in state.tensors)
    curves = synthesize(LSF.from_pretrained(tmp_path / "out"), np.zeros(16000, np.float32)).curves
    assert curves.shape == (25, 53) and np.isfinite(curves).all()
