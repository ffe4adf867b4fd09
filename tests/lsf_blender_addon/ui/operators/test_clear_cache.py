"""The button Clear Cache: what it deletes, and what it says."""

import time
from pathlib import Path

import bpy
import pytest

from lsf_blender_addon.client import last_fault
from lsf_blender_addon.jobs import environment, face_cache, session
from lsf_blender_addon.ui.operators import clear_cache as operator
from lsf_blender_addon.ui.operators.poll import disabled_reason_engine


@pytest.fixture(autouse=True)
def forgotten():
    yield
    face_cache.forget()
    last_fault.forget()


@pytest.fixture
def engine(addon, monkeypatch, server_python):
    monkeypatch.setattr(environment, "server_python", lambda: Path(server_python))
    stops: list[int] = []
    monkeypatch.setattr(session, "stop", lambda: stops.append(1))
    return stops


def test_it_deletes_the_faces_and_nothing_else(engine, tmp_path, monkeypatch):
    folder = tmp_path / "Gesichter mit Ümlaut"
    monkeypatch.setenv("LSF_CACHE_DIR", str(folder))
    folder.mkdir()
    for name, size in (("a.safetensors", 2_000_000), ("b.safetensors", 500_000), ("c.part", 100_000), ("mine.txt", 9)):
        (folder / name).write_bytes(b"x" * size)
    assert bpy.ops.lsf.clear_cache() == {"FINISHED"}
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
    assert operator.result_text(face_cache.clearing) == "The cache is cleared: 2.6 MB"
    assert engine, "the server, which keeps faces in memory, was stopped"


def test_a_folder_that_does_not_exist_is_empty(engine, tmp_path, monkeypatch):
    monkeypatch.setenv("LSF_CACHE_DIR", str(tmp_path / "none"))
    assert bpy.ops.lsf.clear_cache() == {"FINISHED"}
    assert operator.result_text(face_cache.clearing) == "The cache is cleared: 0.0 MB"


def test_a_python_that_cannot_do_it_is_said_and_kept_for_the_report(engine, tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "server_python", lambda: tmp_path / "python")
    with pytest.raises(RuntimeError, match="The cache could not be cleared"):
        bpy.ops.lsf.clear_cache()
    assert last_fault.last().sentence == "The cache could not be cleared"


def test_the_button_returns_at_once_and_says_why_it_is_disabled(engine, monkeypatch):
    running = face_cache.Clearing.__new__(face_cache.Clearing)
    running.freed, running.failed = None, False
    monkeypatch.setattr(face_cache.Clearing, "running", True)
    monkeypatch.setattr(face_cache, "clearing", running)
    assert disabled_reason_engine() == "The cache is being cleared."
    assert operator.result_text(running) == "The cache is being cleared."
    monkeypatch.setattr(face_cache, "clearing", None)
    monkeypatch.setattr(session, "batch", object())
    assert disabled_reason_engine() == "A generation is running: wait for it or cancel it."


def test_the_work_is_done_in_a_thread(engine, tmp_path, monkeypatch):
    monkeypatch.setenv("LSF_CACHE_DIR", str(tmp_path))
    began = time.perf_counter()
    clearing = face_cache.start(environment.server_python())
    assert time.perf_counter() - began < 0.2
    clearing.wait()
    assert clearing.freed == 0 and not clearing.failed
