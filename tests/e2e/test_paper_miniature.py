"""The paper's path from data to curves, by its commands, on the miniature of 3DMEAD and a toy FLAME."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
SUBJECTS = "W019 W021 W023 M003 M005 M007 M028 W011 W014".split()  # six to train, one to validate, two to test
CLIPS = 6  # of each subject
UPPER_LIP, LOWER_LIP = 62, 66
JAW_OPENING = 50  # of FLAME's 53 values
PATIENCE = 600  # seconds until a test gives up a command
# Of a small network on little data: more steps than the paper's rates would need are not affordable here.
LENGTH = "--prior-epochs 60 --epochs 12 --prior-learning-rate 3e-3 --learning-rate 1e-3 --batch 4".split()

# Encoders with random weights in the layouts of the published ones, at the sizes of `server.training.paper.small`.
ENCODERS = """
import sys
from pathlib import Path
import torch
from tests.server.model.published_files import emotion2vec_state, hubert
folder = Path(sys.argv[1])
hubert().save_pretrained(folder / "hubert")
(folder / "emotion2vec").mkdir()
torch.save({"model": emotion2vec_state(mlp=48)}, folder / "emotion2vec" / "emotion2vec_base.pt")
"""

# The loss of the second stage of a face that keeps the mean of the training curves, and of a model; an untrained model.
LOSSES = """
import json, sys
from pathlib import Path
import torch
from server.model import LSF, LSFConfig
from server.model.losses import predictor_loss
from server.model.lsf import Output
from server.training.paper import mead3d
from server.training.paper.recipe import Recipe
from server.training.train_paper import validate
data, checkpoint, untrained = map(Path, sys.argv[1:])
model, clips = LSF.from_pretrained(checkpoint), mead3d.read(data)
parts = mead3d.split(clips)
mean = torch.cat([torch.from_numpy(clip.curves()) for clip in parts["train"]]).mean(0)
total = frames = 0
with torch.no_grad():
    for clip in parts["valid"]:
        truth = torch.from_numpy(clip.curves())[None]
        still = model.standardise(mean).expand(1, clip.frames, -1)
        quantised = model.prior.quantiser(model.prior.encode(still))
        terms = predictor_loss(model, Output(truth, still, quantised.latent, quantised), truth)
        total = total + clip.frames * torch.stack([terms["loss"], terms["motion"]])
        frames += clip.frames
found = validate(model, clips, Recipe.paper(), features=checkpoint / "training" / "features")
torch.manual_seed(0)
LSF(LSFConfig.from_json((checkpoint / "config.json").read_text())).save_pretrained(untrained)
constant = dict(zip(("loss", "motion"), (total / frames).tolist(), strict=True))
print(json.dumps({"constant": constant, "model": found["predictor"]}))
"""


@pytest.fixture(scope="module")
def call(server_python):
    """Run Python with arguments and return what it prints; a command that fails shows its errors."""

    def run(*arguments: object) -> str:
        done = subprocess.run(
            [server_python, *map(str, arguments)],
            cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{arguments}\n{done.stdout[-1000:]}\n{done.stderr[-2000:]}"
        return done.stdout

    return run


@pytest.fixture(scope="module")
def files(call, tmp_path_factory):
    """A folder with the miniature in `data`, the toy FLAME with its regions, and encoders."""
    folder = tmp_path_factory.mktemp("paper")
    call("-m", "server.training.paper.miniature", folder / "data", "--clips", CLIPS, "--subjects", *SUBJECTS)
    call(
        "-m", "server.training.paper.toy_flame", folder / "toy.npz",
        "--lips", folder / "lips.txt", "--upper", folder / "upper.txt",
    )  # fmt: skip
    call("-c", ENCODERS, folder)
    return folder


def opening(path: Path) -> np.ndarray:
    """The distance (F,) of the inner lips in a result of `generate`, in metres, from vertices and basis alone."""
    with np.load(path, allow_pickle=False) as result:
        lips = result["landmarks68"][[UPPER_LIP, LOWER_LIP]]
        offsets = np.tensordot(result["motion"], result["basis"][:, lips], 1)
        return np.linalg.norm(np.diff(result["vertices"][lips] + offsets, axis=1)[:, 0], axis=-1)


def lip_correlation(folder: Path, motions: Path) -> float:
    """The mean correlation of the lips in results of `generate` with the jaws of the true motions."""
    found = []
    for path in sorted(folder.glob("*.npz")):
        truth = np.load(next(motions.rglob(f"{path.stem}.npy")))[0, :, 400]
        made = opening(path)[: len(truth)]
        found.append(np.corrcoef(made, truth[: len(made)])[0, 1] if made.std() > 1e-9 else 0.0)
    assert len(found) == 2 * CLIPS
    return float(np.mean(found))


@pytest.mark.parametrize("name", ["paper", "released"])
def test_from_data_to_lips_that_follow_people_who_were_not_in_training(name, call, files):
    config, run, data = files / f"{name}.json", files / name, files / "data"
    call("-m", "server.training.paper.small", name, config)
    printed = call(
        "-m", "server.training.train_paper", "--data", data, "--out", run, "--config", config,
        "--hubert", files / "hubert", "--emotion", files / "emotion2vec",
        *LENGTH,
    )  # fmt: skip
    assert "predictor epoch 1 of" in printed
    steps = [json.loads(line) for line in (run / "training" / "metrics.jsonl").read_text().splitlines()]
    for stage in ("prior", "predictor"):
        losses = [step["validation"] for step in steps if step["stage"] == stage]
        assert min(losses) < 0.9 * losses[0], f"the {stage} learned"

    losses = json.loads(call("-c", LOSSES, data, run, files / f"{name}_untrained"))
    assert losses["model"]["motion"] < 0.95 * losses["constant"]["motion"]
    if name == "paper":  # which codes a clip has in the released layout is harder to hear
        assert losses["model"]["loss"] < 0.9 * losses["constant"]["loss"]
    best = min(step["validation"] for step in steps if step["stage"] == "predictor")
    assert losses["model"]["loss"] == pytest.approx(best, rel=1e-3), "the checkpoint is the best epoch"

    table = call(
        "-m", "server.training.evaluate_paper", run, "--data", data, "--flame", files / "toy.npz",
        "--lips", files / "lips.txt", "--upper", files / "upper.txt", "--samples", 2, "--clips", 3,
        "--table", "--json", files / f"{name}_scores.json",
    )  # fmt: skip
    assert "LSF-Animation" in table and "ProbTalk3D" in table
    scores = json.loads((files / f"{name}_scores.json").read_text())
    variants = scores["per_clip"]
    assert variants["deterministic"]["MVE"]["value"] < variants["still"]["MVE"]["value"]

    sounds = [sorted(data.rglob(f"{subject}_*.wav")) for subject in ("W011", "W014")]
    correlations = {}
    call("-m", "server.flame.prepare", run, "--flame", files / "toy.npz")
    shutil.copy(run / "face.safetensors", files / f"{name}_untrained")
    for checkpoint in (run, files / f"{name}_untrained"):
        curves = files / f"{checkpoint.name}_curves"
        call("-m", "server", "--checkpoint", checkpoint, "generate", *sounds[0], *sounds[1], "--out", curves)
        correlations[checkpoint.name] = lip_correlation(curves, data)
    assert correlations[name] > 0.5 > correlations[f"{name}_untrained"] + 0.2, correlations
