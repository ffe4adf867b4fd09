"""The device of the preferences: how it reaches the server, and what is shown of the device in use."""

import json
import sys
import time
from types import SimpleNamespace

import pytest

from lsf_blender_addon.client import wire
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
reader.read()
"""


@pytest.fixture
def preferences(addon, monkeypatch):
    chosen = SimpleNamespace(python="", wheels="", device="auto")
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
    return lambda: [json.loads(line)[2:] for line in log.read_text().splitlines()]  # without "-m server"


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
