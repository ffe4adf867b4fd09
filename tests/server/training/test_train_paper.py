"""Both published stages on small data in 3DMEAD's layout, with a small FLAME-space model."""

import dataclasses
import json

import numpy as np
import soundfile
import torch

from server.model import LSF, LSFConfig, synthesize
from server.training import corpora, train_paper


def small_config():
    tiny = {"hidden": 16, "heads": 2, "mlp": 16, "conv": 8}
    paper = LSFConfig.paper()
    return dataclasses.replace(
        paper,
        motion_backbone=dataclasses.replace(paper.motion_backbone, **tiny),
        emotion_backbone=dataclasses.replace(paper.emotion_backbone, **tiny),
        motion_layers=(3,),
        emotion_layers=(1,),
        width=32,
        mlp=32,
        heads=4,
        code_size=16,
        codes=8,
        prior_width=32,
        prior_mlp=32,
        prior_heads=4,
        prior_layers=1,
        fusion_blocks=2,
        identity_size=10,
    )


def test_both_stages_learn_are_resumed_and_leave_a_checkpoint_that_speaks(tmp_path, capsys):
    folder = tmp_path / "3DMEAD"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for subject in range(7):
        stem = folder / f"M{subject:03}_happy_1_000"
        soundfile.write(stem.with_suffix(".wav"), 0.1 * rng.standard_normal(16000), 16000)
        wave = np.sin(np.arange(25)[:, None] / 3 + np.arange(53) + subject).astype(np.float32)
        np.savez(stem.with_suffix(".npz"), exp=wave[:, :50], jaw=0.1 * wave[:, 50:], shape=rng.standard_normal(300))
    clips = [c for c in corpora.read("mead3d", tmp_path) if c.split == "train"]
    torch.manual_seed(0)
    model = LSF(small_config())
    before = model.motion_backbone.model.encoder.layers[0].attention.k_proj.weight.clone()
    train_paper.train(model, clips, tmp_path / "out", 6, 2)
    losses = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines() if line.startswith("prior")]
    assert len(losses) == 6 and losses[-1] < losses[0]
    assert torch.equal(before, model.motion_backbone.model.encoder.layers[0].attention.k_proj.weight), "frozen layer"
    codebook = model.prior.quantiser.codebook.clone()
    again = LSF(small_config())
    train_paper.train(again, clips, tmp_path / "out", 6, 3)
    assert json.loads((tmp_path / "out/training/predictor.json").read_text())["epoch"] == 3
    assert torch.equal(again.prior.quantiser.codebook, codebook), "the prior is frozen in stage two"
    assert len([line for line in capsys.readouterr().out.splitlines() if line.startswith("p")]) == 1, "it was resumed"
    curves = synthesize(LSF.from_pretrained(tmp_path / "out"), np.zeros(16000, np.float32)).curves
    assert curves.shape == (25, 53) and np.isfinite(curves).all()
