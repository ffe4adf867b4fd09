"""Which Python the server gets, and the buttons of the preferences."""

from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest

from lsf_blender_addon.client import environments
from lsf_blender_addon.client.environments import State
from lsf_blender_addon.client.requirements import python_tag
from lsf_blender_addon.jobs import environment
from lsf_blender_addon.scene import extension


@pytest.fixture
def preferences(addon, monkeypatch):
    """The add-on's preferences, which Blender has for enabled add-ons only."""
    chosen = SimpleNamespace(python="", wheels="", index="", device="auto", build="CPU", model_folder="")
    monkeypatch.setattr(extension, "preferences", lambda: chosen)
    return chosen


def test_the_choice_of_the_python(preferences, monkeypatch, tmp_path):
    assert environment.server_python() == Path("/nowhere/python"), "LSF_SERVER_PYTHON comes first"
    monkeypatch.delenv("LSF_SERVER_PYTHON")
    assert environment.server_python() is None
    preferences.python = str(tmp_path / "python")
    assert environment.server_python() == tmp_path / "python"
    preferences.python = ""
    folder = tmp_path / python_tag()
    for state in State:
        monkeypatch.setattr(environment, "state_of", {folder: state}.__getitem__)
        works = state in (State.OUTDATED, State.READY)
        assert environment.server_python() == (environments.python_of(folder) if works else None)


def test_the_preferences_say_what_there_is(addon, tmp_path):
    from lsf_blender_addon.ui.preferences import _state

    assert _state(None)[1] == "INFO"
    text, icon = _state(tmp_path / "python")
    assert text.endswith(f"choose another one: {tmp_path / 'python'}") and icon == "ERROR"
    (tmp_path / "python").touch()
    assert _state(tmp_path / "python") == (f"Ready: {tmp_path / 'python'}", "CHECKMARK")


def test_install_needs_the_network_or_wheels(preferences):
    if bpy.app.online_access:
        pytest.skip("online access is allowed here")
    assert not bpy.ops.lsf.make_environment.poll()
    with pytest.raises(RuntimeError, match="Allow online access first"):
        bpy.ops.lsf.make_environment()
    preferences.wheels = "/wheels"
    assert bpy.ops.lsf.make_environment.poll()


def test_a_failed_installation_says_why(preferences, tmp_path):
    preferences.wheels = str(tmp_path / "no such folder")
    with pytest.raises(RuntimeError, match="There is no wheel folder"):
        bpy.ops.lsf.make_environment()
    assert not environment.installing() and environment.server_log() == tmp_path / "server.log"


def test_cancelling_an_installation(preferences, tmp_path):
    (tmp_path / "wheels").mkdir()
    assert not bpy.ops.lsf.cancel_environment.poll()
    preferences.wheels = str(tmp_path / "wheels")
    installation = environment.install()
    assert environment.installing() and not bpy.ops.lsf.make_environment.poll()
    bpy.ops.lsf.cancel_environment()
    installation.join(30)
    assert str(installation.failure).startswith("Cancelled.") and environment.state() is State.MISSING


def test_a_log_that_is_not_there(addon):
    assert bpy.ops.lsf.open_log(log="INSTALL") == {"CANCELLED"}


def test_the_preferences_reach_the_installation(preferences, monkeypatch, tmp_path):
    given = {}
    monkeypatch.setattr(environment, "Installation", lambda *arguments, **options: given.update(options))
    preferences.wheels, preferences.index = "//wheels", "https://packages.studio/simple"
    environment.install()
    assert given["index"] == preferences.index and given["build"] == "CPU"
    assert given["wheels"] == bpy.path.abspath("//wheels") and given["replaced"] == [tmp_path / "env"]


def test_a_failure_is_said_in_the_users_language(preferences, tmp_path):
    if not bpy.app.translations.locales:
        pytest.skip("this Blender is built without translations")
    bpy.context.preferences.view.language = "de_DE"
    preferences.wheels = str(tmp_path / "no such folder")
    with pytest.raises(RuntimeError, match=r"Es gibt keinen Wheel-Ordner .*no such folder"):
        bpy.ops.lsf.make_environment()
