"""The queue of lines: order, failures, cancelling, progress; with generations that do as they are told."""

from types import SimpleNamespace

import numpy as np
import pytest

from lsf_blender_addon.client import causes, last_fault
from lsf_blender_addon.client.jobs import State
from lsf_blender_addon.errors import UserError
from lsf_blender_addon.jobs.batch import Batch, Item


class Generation:
    """Runs for two polls, then ends as told."""

    def __init__(self, end=State.DONE, basis=None):
        self.end, self.polls, self.cancelled = end, 0, False
        self.fraction, self.text, self.error = 0.0, "Predicting", "The server has a headache"
        self.job = SimpleNamespace(arrays={"basis": basis})

    def poll(self) -> State:
        self.polls += 1
        self.fraction = self.polls / 4
        return State.RUNNING if self.polls < 3 else self.end

    def cancel(self) -> None:
        self.cancelled = True


def batch_of(*ends, bases=None) -> tuple[Batch, list[Generation], list[int]]:
    bases = bases or [np.zeros((1, 4, 3), np.float32) for _ in ends]
    generations = [Generation(end, basis) for end, basis in zip(ends, bases, strict=True)]
    begun = []

    def begin(i):
        begun.append(i)
        return generations[i]

    return Batch([Item(f"line {i}", lambda i=i: begin(i)) for i in range(len(ends))]), generations, begun


def run(batch) -> None:
    for _ in range(1000):
        if batch.ended:
            return
        batch.poll()
    pytest.fail("it does not end")


def test_one_line_after_the_other():
    batch, _generations, begun = batch_of(State.DONE, State.DONE)
    batch.poll()
    assert begun == [0] and not batch.ended
    run(batch)
    assert begun == [0, 1] and [item.name for item in batch.results] == ["line 0", "line 1"]


def test_a_line_that_fails_does_not_stop_the_others():
    batch, _generations, begun = batch_of(State.DONE, State.FAILED, State.DONE)
    batch.items[0].start = lambda: (_ for _ in ()).throw(UserError("Its sound is missing: find it"))
    run(batch)
    assert begun == [1, 2] and [item.name for item in batch.results] == ["line 2"]
    assert [item.error for item in batch.failed] == ["Its sound is missing: find it.", "The server has a headache."]


def test_nor_does_a_bug(capsys):
    batch, _generations, begun = batch_of(State.DONE, State.DONE)
    batch.items[0].start = lambda: 1 / 0
    run(batch)
    assert begun == [1] and "ZeroDivisionError" in capsys.readouterr().err
    assert [item.error for item in batch.failed] == [causes.UNEXPECTED]
    assert last_fault.is_in(causes.UNEXPECTED) and "Traceback" in last_fault.last().details


def test_progress_over_all():
    batch, _generations, _begun = batch_of(*[State.DONE] * 4)
    seen = []
    while not batch.ended:
        batch.poll()
        seen.append((batch.fraction, batch.text))
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions) and fractions[-1] == 1
    assert (0.25 + 0.25 / 4, "2 of 4: line 1") in seen


def test_a_single_line_tells_what_the_server_does():
    batch, _generations, _begun = batch_of(State.DONE)
    batch.poll()
    assert batch.text == "Predicting"


def test_cancel_one():
    batch, generations, begun = batch_of(*[State.DONE] * 3)
    batch.poll()
    batch.cancel(batch.items[0])
    batch.cancel(batch.items[2])
    run(batch)
    assert generations[0].cancelled and begun == [0, 1]
    assert [item.name for item in batch.results] == ["line 1"] and not batch.failed


def test_cancel_all_keeps_what_is_done():
    batch, generations, begun = batch_of(*[State.DONE] * 3)
    while not batch.results:
        batch.poll()
    batch.poll()
    batch.cancel()
    assert batch.ended and generations[1].cancelled and not generations[0].cancelled and begun == [0, 1]
    assert [item.name for item in batch.results] == ["line 0"]
    batch.cancel()  # Esc once more: what is done stays
    assert [item.name for item in batch.results] == ["line 0"]


def test_cancel_gives_up_what_cannot_be_written():
    batch, generations, _begun = batch_of(*[State.DONE] * 3)
    run(batch)
    batch.items[1].blocked = "Waiting for Object Mode"
    batch.cancel()
    assert generations[1].cancelled and [item.name for item in batch.results] == ["line 0", "line 2"]


def test_a_basis_is_kept_once():
    one, other = np.ones((2, 4, 3), np.float32), np.zeros((2, 4, 3), np.float32)
    batch, generations, _begun = batch_of(*[State.DONE] * 3, bases=[one, other, one.copy()])
    run(batch)
    assert generations[2].job.arrays["basis"] is one and generations[1].job.arrays["basis"] is other
