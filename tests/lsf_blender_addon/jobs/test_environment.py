"""Which Python the server gets, and the buttons of the preferences."""

from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest

from lsf_blender_addon.client import environments
from lsf_blender_addon.client.environments import State
from lsf_blender_addon.client.requirements import python_tag
from lsf_blender_addon.errors import UserError
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


def other_model(folder: Path) -> Path:
    """A folder that looks like a model as far as that is found out without loading it."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"motion_space": "arkit", "emotion_bank": false}')
    (folder / "model.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    return folder


def test_a_relative_model_folder_is_the_same_for_the_check_and_the_server(preferences, monkeypatch, tmp_path):
    """The server has another working folder than Blender."""
    folder = other_model(tmp_path / "runs" / "run 3")
    monkeypatch.chdir(tmp_path)
    preferences.model_folder = "runs/run 3"
    assert environment.chosen_model().name == "run 3"
    assert environment.server_arguments() == ["--device", "auto", "--checkpoint", str(folder)]


def test_a_model_folder_becomes_absolute_when_it_is_chosen(preferences, monkeypatch, tmp_path):
    from lsf_blender_addon.ui.preferences import _absolute

    def chosen(text: str) -> str:
        preferences.model_folder = text
        _absolute(preferences, bpy.context)
        return preferences.model_folder

    folder = other_model(tmp_path / "run 3")
    monkeypatch.chdir(tmp_path)
    assert chosen("run 3") == chosen(f" {folder}/ ") == chosen(str(folder)) == str(folder) and chosen(" ") == ""
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "one.blend"), check_existing=False)
    assert chosen("//run 3") == str(folder)


def test_a_model_folder_relative_to_no_file_is_said(preferences, monkeypatch, tmp_path):
    from lsf_blender_addon.ui.preferences import _absolute

    other_model(tmp_path / "run 3")
    monkeypatch.chdir(tmp_path)  # where bpy.path.abspath looks for it as long as the file is not saved
    preferences.model_folder = "//run 3"
    _absolute(preferences, bpy.context)
    with pytest.raises(UserError, match=r'"//run 3" is relative to a \.blend file, but the preferences belong to none'):
        environment.check_model()


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
