"""The environment maker: real venvs and real pip, from a folder of tiny wheels made here, so without network."""

import sys
import time
import tomllib
import zipfile
from pathlib import Path

import pytest

from lsf_blender_addon.client import environment
from lsf_blender_addon.client.environment import EnvironmentFailed, Installation

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = {"torch": "2.13.0", "transformers": "5.0.0", "safetensors": "0.8.0", "numpy": "2.0.0", "scipy": "1.17.0",
            "soundfile": "0.14.0"}


def wheel(folder: Path, name: str, version: str, setup: str = "") -> None:
    """An empty but installable package."""
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as file:
        file.writestr(f"{name}/__init__.py", setup)
        file.writestr(f"{name}/signal.py", "")
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")


@pytest.fixture
def wheels(tmp_path):
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name, version in PACKAGES.items():
        wheel(folder, name, version)
    return folder


def test_the_requirements_are_those_of_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert list(environment.REQUIREMENTS) == project["dependencies"]


def test_a_failed_attempt_says_why_and_the_next_one_succeeds(tmp_path, wheels):
    steps, folder, log = [], tmp_path / "env", tmp_path / "install.log"

    def make():
        steps.clear()
        return environment.make(folder, log, lambda *step: steps.append(step), lambda: False, wheels=wheels)
    wheel(wheels, "torch", "2.13.0", "raise ImportError('DLL load failed while importing _C')")
    with pytest.raises(EnvironmentFailed, match="Visual C"):
        make()
    assert not environment.is_complete(folder)

    wheel(wheels, "torch", "2.13.0")
    python = make()
    assert python == environment.python_of(folder) and environment.is_complete(folder)
    fractions = [fraction for fraction, _ in steps]
    assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] == 1
    assert any(text.startswith("Processing transformers") for _, text in steps)
    assert "Successfully installed" in log.read_text()

    assert environment.check(python) is None
    info = next(folder.rglob("transformers-*.dist-info"))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: transformers\nVersion: 4.1.0\n")
    assert "transformers>=4.56,<6" in environment.check(python)
    info.rename(info.with_name("gone"))
    assert "lacks transformers" in environment.check(python)


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path, wheels):
    precious = tmp_path / "mine" / "thesis.txt"
    precious.parent.mkdir()
    precious.write_text("years of work")
    (tmp_path / "mine" / "pyvenv.cfg").touch()
    with pytest.raises(EnvironmentFailed, match="other files"):
        environment.make(tmp_path / "mine", tmp_path / "log", print, lambda: False, wheels=wheels)
    assert precious.read_text() == "years of work"


def test_a_wheel_folder_that_does_not_exist(tmp_path):
    with pytest.raises(EnvironmentFailed, match="no wheel folder"):
        environment.make(tmp_path / "env", tmp_path / "log", print, lambda: False, wheels=tmp_path / "nowhere")


def test_cancel_kills_the_subprocess_and_what_it_started(tmp_path):
    """A Python that starts a child of its own and never ends stands in for pip."""
    child_lives = tmp_path / "child"
    slow = tmp_path / "slow"
    slow.write_text(f"#!/bin/sh\n(while true; do date +%s%N > '{child_lives}'; sleep 0.02; done) &\nwait\n")
    slow.chmod(0o755)
    installation = Installation(tmp_path / "env", tmp_path / "log", python=slow)
    while not child_lives.exists():
        time.sleep(0.01)
    assert installation.running and installation.text == "Making a Python environment"
    installation.cancel()
    installation.join(30)
    assert not installation.running and installation.error == "Cancelled." and installation.python is None
    last = child_lives.read_text()
    time.sleep(0.2)
    assert child_lives.read_text() == last


def test_an_installation_that_fails_has_a_sentence(tmp_path):
    installation = Installation(tmp_path / "env", tmp_path / "log", python=tmp_path / "no-python")
    installation.join()
    assert "cannot be started" in installation.error and installation.python is None


def test_check_says_what_is_wrong_with_a_python(tmp_path):
    assert "not a Python" in environment.check(tmp_path / "nowhere")
    assert "not a Python" in environment.check("/bin/true")


@pytest.mark.parametrize("version, fits", [("4.56", True), ("5.23.0", True), ("4.55.9", False), ("6.0", False),
                                           ("5.0.0rc1", True), ("10.1", False), ("4.56.0+cpu", True)])
def test_version_bounds(version, fits):
    assert environment._satisfies(version, "transformers>=4.56,<6") is fits


@pytest.mark.parametrize("output, advice", [
    ("OSError: [Errno 28] No space left on device", "disk is full"),
    ("The virtual environment was not created successfully because ensurepip is not available", "python3-venv"),
    ("ERROR: No matching distribution found for torch>=2.2", "No package torch>=2.2 fits"),
    ("urllib3.exceptions.NewConnectionError: failed", "network"),
    ("gibberish", "try again"),
])
def test_advice(output, advice):
    assert advice in environment._advice(output, "install.log")


def test_this_python_is_fit_for_the_server():
    assert environment.check(sys.executable) is None
