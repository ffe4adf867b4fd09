"""The command that trains the paper's system, on the miniature with small models."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from server.errors import LSFError
from server.model import LSF, LSFConfig, synthesize
from server.training import train_paper
from server.training.paper import checkpoints, mead3d
from server.training.paper.miniature import write_miniature
from server.training.paper.recipe import Recipe, StageRecipe
from server.training.paper.trainer import Interrupt, Options, Stopped

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
    longest = max(clip.frames for clip in mead3d.read(data) if clip.subject in mead3d.SUBJECTS["train"])
    assert 0 < LSFConfig.from_json((tmp_path / "out/config.json").read_text()).trained_frames <= longest
    curves = synthesize(LSF.from_pretrained(tmp_path / "out"), np.zeros(16000, np.float32)).curves
    assert curves.shape == (25, 53) and np.isfinite(curves).all()


def test_a_predictor_is_not_continued_on_another_prior(data, tmp_path):
    clips, recipe = mead3d.read(data), short(Recipe.paper(), 1)
    train_paper.train(make(LSFConfig.paper), clips, recipe, tmp_path / "out", options=QUIET)
    longer = dataclasses.replace(recipe, prior=dataclasses.replace(recipe.prior, epochs=2))
    with pytest.raises(LSFError, match="another trained prior"):
        train_paper.train(make(LSFConfig.paper), clips, longer, tmp_path / "out", options=QUIET)
    shutil.rmtree(tmp_path / "out/training/predictor")
    train_paper.train(make(LSFConfig.paper), clips, longer, tmp_path / "out", options=QUIET)


def test_other_data_of_the_same_names_is_noticed(data, tmp_path):
    config, recipe, folder = LSFConfig.paper(), Recipe.paper(), tmp_path / "data"
    shutil.copytree(data, folder)
    own = train_paper.identities(config, recipe, mead3d.read(data))
    assert train_paper.identities(config, recipe, mead3d.read(folder)) == own, "data may move"
    motion = min(folder.rglob("*.npy"))
    np.save(motion, np.load(motion) / 2)
    assert train_paper.identities(config, recipe, mead3d.read(folder)) != own


def test_a_trained_model_is_validated_as_training_does(data, tmp_path):
    model, clips, recipe = make(LSFConfig.paper), mead3d.read(data), short(Recipe.paper(), 1)
    train_paper.train(model, clips, recipe, tmp_path / "out", options=QUIET)
    records = [json.loads(line) for line in (tmp_path / "out/training/metrics.jsonl").read_text().splitlines()]
    found = train_paper.validate(model, clips, recipe, features=tmp_path / "out/training/features")
    for record in records:
        assert found[record["stage"]]["loss"] == pytest.approx(record["validation"], rel=1e-5)
    exported = LSF.from_pretrained(tmp_path / "out")
    again = train_paper.validate(exported, clips, recipe, features=tmp_path / "features")
    assert again == found, "everything is exported in full precision"


class StopAfter(Interrupt):
    """Asks to stop at one of the steps: each asks once."""

    def __init__(self, steps):
        self.steps = steps

    @property
    def asked(self):
        self.steps -= 1
        return self.steps == 0


@pytest.mark.parametrize("name", CONFIGS)
def test_both_stages_stopped_again_and_again_leave_the_same_checkpoint(data, tmp_path, name):
    clips, recipe = mead3d.read(data), short(getattr(Recipe, name)())
    whole = make(CONFIGS[name])
    train_paper.train(whole, clips, recipe, tmp_path / "whole", options=QUIET)
    stops = 0
    for steps in (2, 3, 2, 3, 100):  # within and at the ends of epochs of either stage
        part = make(CONFIGS[name])
        try:
            train_paper.train(part, clips, recipe, tmp_path / "part", options=QUIET, interrupt=StopAfter(steps))
        except Stopped:
            stops += 1
    assert stops == 4
    first, second = (load_file(tmp_path / folder / "model.safetensors") for folder in ("whole", "part"))
    assert all(torch.equal(x, second[key]) for key, x in first.items())


def test_bfloat16_trains_both_stages_and_leaves_the_codebook_in_use(data, tmp_path):
    counts = {}
    for bf16 in (False, True):
        model = make(LSFConfig.paper)
        options = dataclasses.replace(QUIET, bf16=bf16)
        out = tmp_path / str(bf16)
        train_paper.train(model, mead3d.read(data), short(Recipe.paper(), 6), out, options=options)
        quantiser = model.prior.quantiser
        assert quantiser.codebook.dtype == quantiser.sums.dtype == torch.float32
        torch.testing.assert_close(quantiser.codebook, quantiser.sums / quantiser.counts[..., None])
        counts[bf16] = quantiser.counts
        losses = [json.loads(line) for line in (out / "training/metrics.jsonl").read_text().splitlines()]
        assert losses[5]["validation"] < losses[0]["validation"] and losses[11]["validation"] < losses[6]["validation"]
    assert (counts[True] > 0.05).sum() >= 0.7 * (counts[False] > 0.05).sum()


# The command

COMMAND = [sys.executable, "-m", "server.training.train_paper"]
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "config.json"
    path.write_text(tiny(LSFConfig.paper()).to_json())
    return path


def call(monkeypatch, capsys, *arguments):
    """Call the command in this process; return its exit code and what it printed."""
    monkeypatch.setattr(sys, "argv", ["train_paper", *map(str, arguments)])
    code = train_paper.main()
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_the_command_trains_resumes_and_refuses_another_training(data, config, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    base = ["--data", data, "--out", out, "--config", config, "--prior-epochs", 1, "--learning-rate", 1e-3]
    code, printed, _ = call(monkeypatch, capsys, *base, "--epochs", 1, "--batch", 2)
    assert code == 0 and "predictor epoch 1 of 1: loss 0." in printed and "finished" in printed
    assert 'that have clips: 2 of 22 in "train", 1 of 5 in "valid".' in printed
    assert (out / "model.safetensors").exists() and Recipe.from_json((out / "training/recipe.json").read_text())
    code, printed, _ = call(monkeypatch, capsys, *base, "--epochs", 2, "--batch", 2)
    lines = [line for line in printed.splitlines() if line.startswith(("prior", "predictor"))]
    assert code == 0 and len(lines) == 1 and lines[0].startswith("predictor epoch 2 of 2"), "only what is left"
    content = (out / "model.safetensors").read_bytes()
    monkeypatch.setattr(train_paper, "LSF", None)  # nothing may be built
    for changes, what in ((["--batch", 3], "recipe"), (["--batch", 2, "--seed", 2], "recipe")):
        code, _, error = call(monkeypatch, capsys, *base, *changes)
        assert code == 1 and f"a training with another {what}" in error and error.count("\n") == 1
    code, _, error = call(monkeypatch, capsys, *base, "--batch", 2, "--learning-rate", 2e-3)
    assert code == 1 and f'"{out}/training/predictor" holds a training with another recipe' in error, "not the prior"
    code, _, error = call(monkeypatch, capsys, *base[:4], "--config", "released", "--batch", 2)
    assert code == 1 and "another configuration" in error
    assert (out / "model.safetensors").read_bytes() == content


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--data", "{empty}"], "has no motions"),
        (["--data", "{none}"], "There is no folder"),
        (["--hubert", "{none}"], "no folder or file"),
        (["--config", "{none}"], "--config is paper, released or a config.json"),
        (["--recipe", "{none}"], "--recipe is a recipe.json"),
        (["--batch", "0"], "batch must be between 1"),
        (["--learning-rate", "-1"], "learning_rate"),
        (["--accumulate", "0"], "--accumulate must be at least 1"),
        (["--device", "toaster"], 'no device "toaster"'),
        (["--out", "{file}"], "cannot be written"),
    ],
)
def test_what_is_missing_or_wrong_is_one_sentence_before_a_model_is_built(
    data, config, tmp_path, monkeypatch, capsys, arguments, sentence
):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    names = {"{empty}": tmp_path / "empty", "{none}": tmp_path / "none", "{file}": tmp_path / "file/out"}
    given = {"--data": data, "--out": tmp_path / "out", "--config": config}
    given |= {arguments[0]: names.get(arguments[1], arguments[1])}
    monkeypatch.setattr(train_paper, "LSF", None)
    code, _, error = call(monkeypatch, capsys, *(x for pair in given.items() for x in pair))
    assert code == 1 and sentence in error and error.count("\n") == 1, error


def test_a_full_disk_is_told_and_the_last_state_stays(data, config, tmp_path, monkeypatch, capsys):
    base = ["--data", data, "--out", tmp_path / "out", "--config", config, "--batch", 2, "--epochs", 1]
    assert call(monkeypatch, capsys, *base, "--prior-epochs", 1)[0] == 0
    content = (tmp_path / "out/training/prior/last.safetensors").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "save_file", full)
    code, _, error = call(monkeypatch, capsys, *base, "--prior-epochs", 2)
    assert code == 1 and "is full: make room and start again; the last state is kept" in error
    assert (tmp_path / "out/training/prior/last.safetensors").read_bytes() == content


def test_two_commands_do_not_write_into_one_folder(tmp_path):
    with checkpoints.locked(tmp_path / "training"):
        program = (
            "import sys, pathlib; from server.training.paper.checkpoints import locked\n"
            "with locked(pathlib.Path(sys.argv[1])): pass"
        )
        command = [sys.executable, "-c", program, str(tmp_path / "training")]
        other = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
        assert other.returncode == 1 and "Another training writes into" in other.stderr
    with checkpoints.locked(tmp_path / "training"):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_ends_after_the_step_with_the_command_that_goes_on(data, config, tmp_path):
    arguments = [
        "--data",
        str(data),
        "--out",
        str(tmp_path / "out o"),
        "--config",
        str(config),
        "--prior-epochs",
        "100000",
    ]
    process = subprocess.Popen(
        [*COMMAND, *arguments], cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, text=True
    )
    watchdog = threading.Timer(300, process.kill)
    watchdog.start()
    try:
        lines = iter(process.stdout.readline, "")
        assert any(line.startswith("prior epoch 1 of 100000: ") for line in lines)
        process.send_signal(2)
        last = list(lines)[-1]
        assert process.wait() == 130
    finally:
        watchdog.cancel()
        process.kill()
    assert last.startswith("Stopped after step ") and f"--out '{tmp_path}/out o'" in last, last
    assert "to continue: python -m server.training.train_paper --data" in last
    assert checkpoints.read_state(tmp_path / "out o/training/prior/last.safetensors").progress["progress"]["steps"] > 0


BAD_RECIPES = """
nothing
[]
{"batch": "4"}
{"rate": 1}
{"seed": -1}
{"prior": 3}
{"prior": {"betas": [1]}}
{"prior": {"betas": ["a", "b"]}}
{"prior": {"optimiser": "sgd"}}
{"predictor": {"learning_rate": 0}}
"""


def test_a_recipe_is_read_as_it_was_written_and_checked():
    for recipe in (Recipe.paper(), Recipe.released()):
        assert Recipe.from_json(recipe.to_json()) == recipe
    assert Recipe.from_json('{"batch": 4, "prior": {"epochs": 3}}') == Recipe(StageRecipe(epochs=3), batch=4)
    for text in BAD_RECIPES.strip().splitlines():
        with pytest.raises(LSFError, match=r"This recipe cannot be used: .*\.") as caught:
            Recipe.from_json(text)
        assert caught.value.code == "bad_recipe"


def test_the_recipes_are_those_of_the_paper_and_of_its_code():
    for recipe in (Recipe.paper(), Recipe.released()):
        assert recipe.batch == 1 and recipe.prior.epochs == recipe.predictor.epochs == 201
        assert (recipe.prior.optimiser, recipe.prior.learning_rate, recipe.prior.betas) == ("adamw", 1e-4, (0.9, 0.98))
        assert (recipe.predictor.optimiser, recipe.predictor.learning_rate) == ("adam", 1e-5)
        assert recipe.predictor.patience == 10 and recipe.predictor.protocol == "subjects"
    released = Recipe.released()
    assert (released.predictor.betas, released.predictor.epsilon) == ((0.9, 0.98), 1e-9)
    assert released.prior.protocol == "released"
