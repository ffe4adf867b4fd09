"""The button Self-Test: what it sends, what it accepts, and what it says."""

import os
import time
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest

from lsf_blender_addon.client.jobs import Job, State
from lsf_blender_addon.jobs import environment, self_test
from lsf_blender_addon.ui.operators import self_test as operator
from lsf_blender_addon.ui.operators.poll import disabled_reason_engine
from tests.lsf_blender_addon.fake_client import use


class Engine:
    """Answers at once with curves in which the jaw opens, or with an error."""

    server = "ready"

    def __init__(self, state=State.DONE, jaw=0.3, frames=26, error=""):
        self.jaw, self.frames, self.error = jaw, frames, error
        self.state, self.requests = state, []

    def submit(self, kind, request, arrays):
        self.requests.append((kind, request, arrays))
        job = Job("1", kind, request, arrays, self.state)
        job.error = self.error
        job.header = {"channels": ["jawOpen", "mouthClose"]}
        job.arrays = {"motion": np.full((self.frames, 2), self.jaw, np.float32)}
        return job

    def drain(self):
        return []

    def cancel(self, job):
        job.state = State.CANCELLED


@pytest.fixture(autouse=True)
def forgotten():
    yield
    self_test.forget()


def test_it_says_ready_and_changes_nothing_in_the_file(addon, monkeypatch):
    engine = use(addon, monkeypatch, Engine())
    before = len(bpy.data.objects), len(bpy.data.meshes), len(bpy.data.actions)
    assert bpy.ops.lsf.self_test() == {"FINISHED"}
    ((kind, request, arrays),) = engine.requests
    assert kind == "generate" and not arrays, "without a mesh, the server takes the project's own head"
    assert Path(request["audio_file"]).is_file() and request["duration"] == 1.0
    assert operator.result_text(self_test.test) == f"Ready: one second of speech took {self_test.test.seconds:.1f} s"
    assert (len(bpy.data.objects), len(bpy.data.meshes), len(bpy.data.actions)) == before


def test_the_start_of_the_engine_is_counted_and_said(addon, monkeypatch):
    engine = use(addon, monkeypatch, Engine())
    engine.server = "stopped"
    bpy.ops.lsf.self_test()
    assert "the start of the speech engine and one second" in operator.result_text(self_test.test)


@pytest.mark.parametrize("wrong", [{"jaw": 0.0}, {"jaw": np.nan}, {"frames": 1}, {"frames": 0}])
def test_a_face_that_does_not_speak_is_no_success(addon, monkeypatch, wrong):
    use(addon, monkeypatch, Engine(**wrong))
    with pytest.raises(RuntimeError, match="damaged"):
        bpy.ops.lsf.self_test()


def test_what_is_wrong_is_said(addon, monkeypatch):
    use(addon, monkeypatch, Engine(State.FAILED, error="The disk is full: make room, then try again."))
    with pytest.raises(RuntimeError, match="The disk is full"):
        bpy.ops.lsf.self_test()


def test_it_does_not_block_blenders_window(addon, monkeypatch):
    engine = use(addon, monkeypatch, Engine(State.RUNNING))
    monkeypatch.setattr(operator, "bpy", SimpleNamespace(app=SimpleNamespace(background=False, timers=bpy.app.timers)))
    start = time.monotonic()
    assert bpy.ops.lsf.self_test() == {"FINISHED"}
    assert time.monotonic() - start < 0.25 and bpy.app.timers.is_registered(operator.watch)
    assert disabled_reason_engine() == "The self-test is running." and not bpy.ops.lsf.self_test.poll()
    assert operator.watch() == operator.TICK
    self_test.test.job.state = State.DONE
    assert operator.watch() is None and operator.result_text(self_test.test).startswith("Ready")
    bpy.app.timers.unregister(operator.watch)
    assert len(engine.requests) == 1


def test_without_an_engine_the_button_says_so(addon, monkeypatch):
    monkeypatch.setattr(environment, "server_python", lambda: None)
    assert disabled_reason_engine() == "Install the speech engine first."


def test_the_real_engine_on_the_projects_own_head(addon, monkeypatch, server_python, tmp_path):
    monkeypatch.setenv("LSF_SERVER_PYTHON", server_python)
    monkeypatch.setenv("LSF_CACHE_DIR", os.environ.get("LSF_CACHE_DIR") or str(tmp_path))
    assert bpy.ops.lsf.self_test() == {"FINISHED"}
    motion = self_test.test.job.arrays["motion"]
    assert motion.shape == (26, 52) and 0.1 < motion.max() < 1.5
