"""The report of a file that someone else made, and the state of the speech engine, which is not started for it."""

import platform
import time
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.client import last_fault
from lsf_blender_addon.client.environments import InstallationError
from lsf_blender_addon.client.process import previous_log
from lsf_blender_addon.jobs import environment, health, session
from server import __version__

LINE = Path(compat.__file__).parent / "assets" / "demo_line.flac"
SECRETS = ["Zora", "Hauptrolle", "geheim", "Drehbuch", "Mundwinkel"]


@pytest.fixture
def film(addon, add_strip, tmp_path, tmp_path_factory, monkeypatch):
    """A saved scene with names, and a log, an error and a message that have these names in them."""
    monkeypatch.setenv("LOGNAME", "zora.k")
    monkeypatch.setattr(platform, "node", lambda: "workstation-7.studio")
    monkeypatch.setattr(environment, "server_log", lambda: tmp_path / "server.log")
    folder = tmp_path_factory.mktemp("geheim Ω")  # not in tmp_path, which is the add-on's own folder
    bpy.ops.mesh.primitive_cube_add()
    head = bpy.context.object
    head.name = "Hauptrolle"
    head.shape_key_add(name="Basis")
    head.shape_key_add(name="Mundwinkel L")
    strip = add_strip(LINE, "Zora sagt nein")
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "Drehbuch 3.blend"), check_existing=False)
    (tmp_path / "server.log").write_text(
        f"INFO torch 2.13\nERROR {folder}/x y.wav: gone\nhost workstation-7.studio, user zora.k\n", "utf-8"
    )
    session.say(f'The strip "{strip.name}" on Hauptrolle: Mundwinkel L is missing.', is_error=True)
    last_fault.note("Something went wrong", f'File "{health.ADDON}/jobs/lines.py", line 1\nKeyError: "{folder}/a b"')
    yield head
    last_fault.forget()
    session.say("")


def test_the_report_tells_what_is_needed_and_no_names(film):
    start = time.process_time()
    text = health.report_text(bpy.context)
    assert time.process_time() - start < 0.5, "it is composed in Blender's main thread"
    found = [secret for secret in [*SECRETS, "zora.k", "workstation-7", str(Path.home())] if secret in text]
    assert not found, text
    assert f"LSF Speech Animation: {__version__}\n" in text and bpy.app.version_string in text
    assert platform.python_version() in text and f"{platform.system()} {platform.release()}" in text
    assert '    File "<add-on>/jobs/lines.py", line 1\n' in text and "INFO torch 2.13" in text
    assert 'The strip "<name>" on <name>: <name> is missing.' in text
    assert "take 0" in text and "variation 0.2" in text and "Sound strips: 1" in text
    if bpy.context.object is not None:  # in 4.2, the strip has a scene of its own
        assert "8 vertices, 2 shape keys, modifiers: none, local" in text


def test_it_is_made_without_a_file_an_engine_or_a_log(addon, monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "server_python", lambda: None)
    monkeypatch.setattr(environment, "server_log", lambda: tmp_path / "none.log")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    addon.registration.register() if not hasattr(bpy.types.Scene, "lsf") else None
    last_fault.forget()
    text = health.report_text(bpy.context)
    assert "Speech engine: not installed\n" in text and "Log" not in text


def test_versions_of_the_packages_are_found_without_an_engine(addon, server_python, monkeypatch):
    monkeypatch.setenv("LSF_SERVER_PYTHON", server_python)
    text = health.report_text(bpy.context)
    assert "Speech engine: not started\n" in text and "Its packages: torch 2." in text


def test_a_failed_installation_and_the_log_before_are_told(addon, monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "server_log", lambda: tmp_path / "server.log")
    monkeypatch.setattr(environment, "install_log", lambda: tmp_path / "install.log")
    (tmp_path / "server.log").write_text("begins\n")
    previous_log(tmp_path / "server.log").write_text("x\n" * 100 + "the line before\n")
    (tmp_path / "install.log").write_text("ERROR: no network\n")
    failure = InstallationError("The disk {disk} is full", disk="/mnt/Hauptrolle")
    monkeypatch.setattr(environment, "installation", SimpleNamespace(failure=failure, running=False))
    text = health.report_text(bpy.context)
    assert "    the line before\n    begins\n" in text and text.count("    x\n") == health.LOG_LINES - 2
    assert "Installation:\n    The disk <path>" in text and "    ERROR: no network\n" in text and "Haupt" not in text


@pytest.mark.parametrize(
    ("client", "sentence"),
    [
        (None, ""),
        (SimpleNamespace(server="stopped", pong={}), ""),
        (SimpleNamespace(server="loading", pong={}), "The speech engine is loading"),
        (SimpleNamespace(server="ready", pong={}), "The speech engine is running"),
        (SimpleNamespace(server="ready", pong={"memory": "much"}), "The speech engine is running"),
        (SimpleNamespace(server="ready", pong={"memory": 812_400_000}),
         "The speech engine is running and uses 812 MB of memory"),
    ],
)  # fmt: skip
def test_the_state_of_the_engine(addon, monkeypatch, client, sentence):
    monkeypatch.setattr(session, "running_client", lambda: client)
    assert health.engine_state() == sentence


def test_what_the_server_says_is_not_believed(addon, monkeypatch):
    """Its fields are words and numbers, however they were forged."""
    client = SimpleNamespace(
        server="ready", device="cpu\nForged: yes", pong={"memory": 1e300, "jobs": [1]},
        hello={"python": {"a": "b" * 10_000}, "packages": {"torch\n": "2.13"}},
    )  # fmt: skip
    monkeypatch.setattr(session, "running_client", lambda: client)
    text = health.report_text(bpy.context)
    assert "Its device: cpuForged yes\n" in text and "torch 2.13" in text and "Its memory" not in text
    assert max(map(len, text.splitlines())) < 1000


def test_the_button_copies_it(film):
    assert bpy.ops.lsf.copy_report() == {"FINISHED"}
    if not bpy.app.background:  # without a window, there is no clipboard
        assert bpy.context.window_manager.clipboard.startswith("LSF Speech Animation")
