"""The device of the preferences: how it reaches the server, and what is shown of the device in use."""

import json
import os
import sys
import time
from types import SimpleNamespace

import bpy
import pytest

from lsf_blender_addon.client import wire
from lsf_blender_addon.errors import UserError
from lsf_blender_addon.jobs import environment, session
from lsf_blender_addon.scene import extension

NOTE = "The GPU does not work: the CPU is used."
SERVER = """
import json, sys
sys.path.insert(0, {root!r})
from server.protocol import wire
arguments = sys.argv[1:]
with open({log!r}, "a") as log:
    log.write(json.dumps(arguments) + "\\n")
device = "cuda" if arguments[arguments.index("--device") + 1] == "gpu" else "cpu"
reader, sink = wire.Reader(sys.stdin.buffer), sys.stdout.buffer
reader.read()
wire.write_message(sink, {{"type": "hello", "protocol": wire.PROTOCOL, "models": []}}, None)
note = {{}} if device == "cuda" else {{"device_note": {note!r}}}
wire.write_message(sink, {{"type": "ready", "device": device, **note}}, None)
while True:
    reader.read()
"""


@pytest.fixture
def preferences(addon, monkeypatch):
    chosen = SimpleNamespace(python="", wheels="", device="auto", build="CPU", model_folder="")
    monkeypatch.setattr(extension, "preferences", lambda: chosen)
    return chosen


@pytest.fixture
def started(addon, tmp_path, monkeypatch):
    """Makes a stand-in for the server's Python; returns a function that gives the arguments of all starts so far."""
    script, launcher, log = tmp_path / "server.py", tmp_path / "python", tmp_path / "arguments"
    script.write_text(SERVER.format(root=str(wire.SERVER_PARENT), log=str(log), note=NOTE))
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
    launcher.chmod(0o755)
    monkeypatch.setenv("LSF_SERVER_PYTHON", str(launcher))
    # Without "-m server --parent PID"
    return lambda: [json.loads(line)[4:] for line in log.read_text().splitlines()]


def start() -> None:
    client = session.client()
    client.start()
    end = time.monotonic() + 30
    while client.server != "ready":
        assert time.monotonic() < end, (client.server, client.notice)
        time.sleep(0.01)


def test_the_device_is_an_argument_of_the_server(preferences):
    assert environment.server_arguments() == ["--device", "auto"]
    preferences.device = "gpu"
    assert environment.server_arguments() == ["--device", "gpu"]


def test_without_preferences_the_device_is_automatic(addon):
    assert environment.server_arguments() == ["--device", "auto"]


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_another_device_starts_another_server(preferences, started):
    assert session.device_in_use() == ("", "")
    start()
    first = session.client()
    assert session.device_in_use() == ("cpu", NOTE) and started() == [["--device", "auto"]]
    preferences.device = "gpu"
    assert session.client() is not first and first.server == "stopped"
    assert session.device_in_use() == ("", ""), "the new server is not running yet"
    start()
    assert session.device_in_use() == ("cuda", "") and started() == [["--device", "auto"], ["--device", "gpu"]]
    assert session.client() is session.client()


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_the_preferences_show_the_device_in_use(preferences, started):
    from lsf_blender_addon.ui.preferences import _device_in_use

    assert _device_in_use() == []
    start()
    assert _device_in_use() == ["The speech engine runs on: CPU", NOTE]


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_the_server_is_started_before_the_first_job_and_once(preferences, started, monkeypatch):
    session._preload()  # what the timer calls
    first = session.client()
    session._preload()
    end = time.monotonic() + 30
    shown = set()
    while session._show_loading() is not None:
        shown.add(session.loading()[1])
        assert time.monotonic() < end, first.notice
        time.sleep(0.01)
    assert session.client() is first and first.server == "ready" and len(started()) == 1
    assert "Starting the speech engine" in shown and session.loading() == (0.0, "")


def test_nothing_is_started_while_the_engine_is_missing_or_being_installed(preferences, monkeypatch):
    monkeypatch.setattr(environment, "installing", lambda: True)
    session._preload()
    assert session._client is None
    monkeypatch.setattr(environment, "installing", lambda: False)
    monkeypatch.delenv("LSF_SERVER_PYTHON")
    session._preload()
    assert session._client is None


def test_panels_ask_for_the_start_in_a_window_only(preferences, monkeypatch):
    session.preload_soon()
    assert not bpy.app.timers.is_registered(session._preload), "this is a Blender without a window"
    registered = []
    timers = SimpleNamespace(
        is_registered=lambda timer: timer in registered,
        register=lambda timer, first_interval: registered.append(timer),
        unregister=registered.remove,
    )
    monkeypatch.setattr(session, "bpy", SimpleNamespace(app=SimpleNamespace(background=False, timers=timers)))
    session.preload_soon()
    session.preload_soon()
    assert registered == [session._preload]
    monkeypatch.undo()


@pytest.fixture
def other_model(tmp_path_factory):
    """A folder that looks like a model as far as that is found out without loading it."""
    folder = tmp_path_factory.mktemp("run 3")
    (folder / "config.json").write_text('{"motion_space": "arkit", "emotion_bank": false}')
    (folder / "model.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_another_model_starts_another_server_and_back(preferences, started, other_model):
    start()
    first = session.client()
    preferences.model_folder = f" {other_model} "
    start()
    assert session.client() is not first and first.server == "stopped"
    preferences.model_folder = ""
    start()
    device = ["--device", "auto"]
    assert started() == [device, [*device, "--checkpoint", str(other_model)], device]


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_a_folder_that_is_gone_is_said_and_a_server_that_has_loaded_it_goes_on(preferences, started, other_model):
    preferences.model_folder = str(other_model)
    start()
    (other_model / "config.json").unlink()
    running = session.client()
    assert running.server == "ready", "it has the model in memory"
    session.stop()
    with pytest.raises(UserError, match="holds no model, as it has no config"):
        session.client()
    assert len(started()) == 1 and session.model_in_use() is None
    preferences.model_folder = ""
    start()
    assert len(started()) == 2


def write_again(path, content: bytes) -> None:
    """Give a file another content and a later time, however coarse the clock of the file system is."""
    later = (path.stat().st_mtime_ns if path.exists() else time.time_ns()) + 10**9
    path.write_bytes(content)
    os.utime(path, ns=(later, later))


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "face.safetensors"])
def test_a_model_that_was_trained_again_is_loaded_again(preferences, started, other_model, name):
    (other_model / "face.safetensors").write_bytes(b"1")
    preferences.model_folder = str(other_model)
    start()
    first = session.client()
    content = (other_model / name).read_bytes()
    write_again(other_model / name, content.replace(b"false", b"true"))
    start()
    again = session.client()
    assert again is not first and first.server == "stopped" and len(started()) == 2
    assert session.client() is again, "it has changed once"


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_a_running_job_goes_on_while_its_model_is_trained_again(preferences, started, other_model):
    preferences.model_folder = str(other_model)
    start()
    first = session.client()
    job = first.submit("generate", {}, {})  # the stand-in never answers
    write_again(other_model / "config.json", b'{"motion_space": "arkit", "emotion_bank": true}')
    assert session.client() is first and not job.state.ended
    first.cancel(job)
    end = time.monotonic() + 30
    while not job.state.ended:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert session.client() is not first


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_a_model_that_is_damaged_while_it_runs_is_said_and_the_server_has_the_old_one(
    preferences, started, other_model
):
    preferences.model_folder = str(other_model)
    start()
    first, content = session.client(), (other_model / "model.safetensors").read_bytes()
    write_again(other_model / "model.safetensors", content[:-1])
    with pytest.raises(UserError, match=r"is damaged \(model\.safetensors\)"):
        session.client()
    assert first.server == "ready"
    write_again(other_model / "model.safetensors", content)
    assert session.client() is not first, "its time is another one"


def test_a_folder_that_cannot_be_used_is_not_looked_at_again_while_panels_are_drawn(preferences, monkeypatch, tmp_path):
    monkeypatch.setenv("LSF_SERVER_PYTHON", str(tmp_path / "python"))
    preferences.model_folder = str(tmp_path / "unmounted")
    registered = []
    timers = SimpleNamespace(
        is_registered=lambda timer: timer in registered,
        register=lambda timer, first_interval: registered.append(timer),
        unregister=registered.remove,
    )
    app = SimpleNamespace(background=False, timers=timers)
    monkeypatch.setattr(session, "bpy", SimpleNamespace(app=app))
    session.preload_soon()
    registered.remove(session._preload)
    session._preload()
    session.preload_soon()
    assert not registered, "a drive that does not answer takes seconds"
    preferences.model_folder = str(tmp_path / "another")
    session.preload_soon()
    assert registered == [session._preload]
    registered.clear()
    monkeypatch.undo()


def test_the_preferences_are_drawn_again_when_the_folder_was_looked_at(preferences, monkeypatch):
    check, drawn = SimpleNamespace(running=True), []
    monkeypatch.setattr(environment, "model_check", lambda: check)
    monkeypatch.setattr(session, "redraw", lambda: drawn.append(True))
    assert session._show_model() == session.TICK and not drawn
    check.running = False
    assert session._show_model() is None and drawn


@pytest.mark.parametrize(
    "models",
    [None, 3, [], [None], ["x"], {"name": "x"}, [{}], [{"name": ["x" * 1000], "emotions": 3, "shipped": None}]],
)
def test_what_a_server_says_of_its_model_is_not_trusted(addon, monkeypatch, models):
    monkeypatch.setattr(
        session, "_client", SimpleNamespace(server="ready", hello={"models": models}, pong={"model": [1]}, stop=int)
    )
    model = session.model_in_use()
    assert model is None or (model.is_shipped and model.has_emotions and len(model.name) <= 60)
