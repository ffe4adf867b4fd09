"""The loop: exact batches and passes, resuming anywhere, early stopping, stopping by hand, faults."""

import dataclasses
import json
import random
import signal

import numpy as np
import pytest
import torch

from server.errors import LSFError
from server.training.paper import checkpoints
from server.training.paper.trainer import Interrupt, Stopped, check_identity, duration

from .toy import ToyClips, ToyTask, toy_trainer, weights


class Recording(ToyTask):
    """A toy whose losses also depend on the generators of torch, numpy and Python."""

    def losses(self, batch):
        terms = super().losses(batch)
        noise = (
            float(torch.empty(1).exponential_(generator=torch.default_generator)) + np.random.rand() + random.random()
        )
        return terms | {"loss": terms["loss"] * (1 + noise)} if self.training else terms


def test_passes_do_not_change_a_step(tmp_path):
    results = []
    for accumulate in (1, 2, 3, 9):
        trainer = toy_trainer(tmp_path / str(accumulate), accumulate=accumulate)
        trainer.run()
        results.append(weights(trainer.task))
    for result in results[1:]:
        assert (result - results[0]).abs().max() < 1e-12


def test_the_gradient_of_a_step_is_that_of_the_mean_over_all_valid_frames(tmp_path):
    trainer = toy_trainer(tmp_path, train=ToyClips(3), batch=3, accumulate=3, epochs=1, learning_rate=1e-3)
    task, clips = trainer.task, trainer.train
    task.eval()  # no dropout
    errors = torch.cat([(task.out(task.into(x).relu()) + (len(x) > 20) * task.long(x) - x) for x in clips.motion])
    expected = torch.autograd.grad(errors.abs().mean(), list(task.into.parameters()))
    trainer.step([0, 1, 2])
    for parameter, gradient in zip(task.into.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, atol=1e-14, rtol=0)
    means = [e.abs().mean() for e in errors.split(clips.lengths)]
    wrong = torch.stack(means).mean() / errors.abs().mean() - 1
    assert abs(wrong) > 1e-3, "a mean of means is something else here"


@pytest.mark.parametrize("at", [1, 3, 4, 5])
def test_a_training_stopped_at_any_step_ends_with_the_same_weights(tmp_path, at):
    def make(folder, **more):
        return toy_trainer(folder, task=Recording(), **more)

    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    whole = make(tmp_path / "whole")
    whole.run()
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    interrupt = Interrupt()
    part = make(tmp_path / "part", interrupt=interrupt)
    original = part.step

    def step(clips):
        interrupt.asked = part.progress.steps + 1 == at
        original(clips)

    part.step = step
    with pytest.raises(
        Stopped, match=rf"Stopped after step {(at - 1) % 3 + 1} of epoch {(at - 1) // 3 + 1} of the toy"
    ):
        part.run()
    random.seed(7), np.random.seed(7), torch.manual_seed(7)
    again = make(tmp_path / "part")
    again.run()
    assert torch.equal(weights(again.task), weights(whole.task))
    assert again.progress == whole.progress
    records = [json.loads(line) for line in (tmp_path / "part/metrics.jsonl").read_text().splitlines()]
    expected = [json.loads(line) for line in (tmp_path / "whole/metrics.jsonl").read_text().splitlines()]
    for one, other in zip(records, expected, strict=True):
        assert (one["loss"], one["validation"], one["epoch"]) == (other["loss"], other["validation"], other["epoch"])


def test_a_state_has_no_frozen_weights_and_the_best_no_optimiser(tmp_path):
    trainer = toy_trainer(tmp_path)
    trainer.run()
    last, best = (checkpoints.read_state(path) for path in (trainer.last, trainer.best))
    trained = {name for name, _ in ToyTask().named_parameters() if not name.startswith("frozen")}
    assert set(last.part("model/")) == set(best.part("model/")) == trained
    assert set(best.tensors) == {f"model/{name}" for name in trained}
    assert {name.rpartition("/")[2] for name in last.part("optimiser/")} == {"step", "exp_avg", "exp_avg_sq"}
    assert sorted(path.name for path in (tmp_path / "toy").iterdir()) == ["best.safetensors", "last.safetensors"]


def test_what_a_killed_process_was_writing_is_removed(tmp_path):
    (tmp_path / "toy").mkdir()
    for name in (".tmp1a2b3c", "0123.part", "notes.txt"):
        (tmp_path / "toy" / name).write_text("half")
    toy_trainer(tmp_path, epochs=1).run()
    names = sorted(path.name for path in (tmp_path / "toy").iterdir())
    assert names == ["best.safetensors", "last.safetensors", "notes.txt"]


def test_training_ends_early_and_leaves_the_best_weights(tmp_path, monkeypatch):
    lines, seen = [], []
    trainer = toy_trainer(tmp_path, epochs=50, patience=3, report=lines.append)
    losses = iter([0.5, 0.3, 0.4, 0.31, 0.9])

    def validate():
        seen.append(weights(trainer.task).clone())
        return {"loss": next(losses)}

    monkeypatch.setattr(trainer, "validate", validate)
    trainer.run()
    assert trainer.progress.epoch == 5 and trainer.progress.best_epoch == 2 and trainer.progress.best == 0.3
    assert torch.equal(weights(trainer.task), seen[1])
    last = checkpoints.read_state(trainer.last)
    ordered = [last.tensors[f"model/{name}"].flatten() for name in trainer.task.changing()]
    assert torch.equal(torch.cat(ordered), seen[4])
    assert lines[1].startswith("toy epoch 2 of 50: loss 0.") and "validation 0.3000, best 0.3000 (epoch 2)" in lines[1]
    assert lines[-1].endswith("no better for 3 epochs: finished")


def test_without_patience_training_goes_on_and_without_validation_the_last_epoch_counts(tmp_path):
    class NoClips(ToyClips):
        def __init__(self):
            super().__init__(1)
            self.lengths = []

    trainer = toy_trainer(tmp_path, valid=NoClips(), epochs=3)
    trainer.run()
    assert trainer.progress.epoch == trainer.progress.best_epoch == 3
    more = toy_trainer(tmp_path, valid=NoClips(), epochs=4)
    more.run()
    assert more.progress.epoch == 4, "a longer training continues"


def test_validation_is_the_mean_over_all_frames_and_changes_nothing(tmp_path):
    trainer = toy_trainer(tmp_path, valid=ToyClips(5, 1))
    before = weights(trainer.task).clone()
    trainer.task.train()
    found = trainer.validate()
    assert trainer.task.training and torch.equal(weights(trainer.task), before)
    task = trainer.task.eval()
    errors = torch.cat([task(trainer_batch(x))["loss"][None] * len(x) for x in trainer.valid.motion])
    assert found["loss"] == pytest.approx(errors.sum().item() / sum(trainer.valid.lengths), rel=1e-12)


def trainer_batch(motion):
    from server.training.paper.batches import Batch

    return Batch(motion[None], None, torch.zeros(1, 2))


def test_a_loss_that_is_no_number_ends_training_with_a_sentence_before_it_is_saved(tmp_path):
    clips = ToyClips(6)
    clips.motion[4][:] = torch.inf
    trainer = toy_trainer(tmp_path, train=clips, batch=1)
    with pytest.raises(LSFError, match=r"The loss of the toy is no number after \d steps\. The last state") as caught:
        trainer.run()
    assert caught.value.code == "not_finite" and not trainer.last.exists()


def test_weights_that_are_no_numbers_are_not_saved(tmp_path, monkeypatch):
    toy_trainer(tmp_path, epochs=1).run()
    trainer = toy_trainer(tmp_path, epochs=2)
    whole = {path: path.read_bytes() for path in (trainer.last, trainer.best)}
    step = trainer.optimiser.step

    def broken():
        step()
        next(iter(trainer.task.trained().values())).data.flatten()[0] = torch.nan

    monkeypatch.setattr(trainer.optimiser, "step", broken)
    monkeypatch.setattr(trainer, "options", dataclasses.replace(trainer.options, save_seconds=0))
    with pytest.raises(LSFError, match="no number") as caught:
        trainer.run()
    assert caught.value.code == "not_finite"
    assert whole == {path: path.read_bytes() for path in whole}


def test_a_validation_that_is_no_number_ends_training(tmp_path, monkeypatch):
    trainer = toy_trainer(tmp_path, epochs=3)
    monkeypatch.setattr(trainer, "validate", lambda: {"loss": float("nan")})
    with pytest.raises(LSFError, match="validation loss of the toy is no number"):
        trainer.run()
    assert not trainer.best.exists()


def test_a_state_of_another_training_is_not_continued(tmp_path):
    toy_trainer(tmp_path).run()
    other = toy_trainer(tmp_path)
    other.identity = {"configuration": "another"}
    with pytest.raises(LSFError, match="a training with another configuration: choose another --out") as caught:
        other.run()
    assert caught.value.code == "other_training"
    with pytest.raises(LSFError, match="another contents"):
        check_identity(None, {}, tmp_path / "state")


@pytest.mark.parametrize("damage", ["cut", "noise", "no metadata", "other weights", "other values"])
def test_a_damaged_state_is_told_and_not_overwritten(tmp_path, damage):
    trainer = toy_trainer(tmp_path)
    trainer.run()
    content = trainer.last.read_bytes()
    if damage == "cut":
        trainer.last.write_bytes(content[:-9])
    elif damage == "noise":
        trainer.last.write_bytes(b"\xff" * 100)
    else:
        state = checkpoints.read_state(trainer.last)
        if damage == "other values":
            state.progress["random"]["python"] = [3, [1, 2], None]
        else:
            state.tensors["model/into.weight"] = torch.zeros(2)
        checkpoints.write_state(trainer.last, state.tensors, state.progress)
        if damage == "no metadata":
            from safetensors.torch import save_file

            save_file(state.tensors, trainer.last)
    content = trainer.last.read_bytes()
    with pytest.raises(LSFError, match="delete it") as caught:
        toy_trainer(tmp_path).run()
    assert caught.value.code == "bad_state" and trainer.last.read_bytes() == content


def test_states_are_written_while_an_epoch_runs(tmp_path):
    trainer = toy_trainer(tmp_path, save_seconds=0.0)
    written = []
    original = trainer.save
    trainer.save = lambda: (written.append((trainer.progress.epoch, trainer.progress.step)), original())
    trainer.run()
    assert written == [(0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2), (1, 3), (2, 0)]


def test_ctrl_c_is_noted_and_another_one_later_ends_at_once(monkeypatch):
    interrupt = Interrupt()
    before = signal.getsignal(signal.SIGINT)
    with interrupt.listening():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)  # torchrun passes on what the terminal has sent already
        assert interrupt.asked
        monkeypatch.setattr(interrupt, "first", interrupt.first - 10)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGINT) is before


def test_times_in_words():
    assert [duration(s) for s in (5, 600, 12_000, 1e6)] == ["5 s", "10 min", "3 h 20 min", "11.6 days"]
