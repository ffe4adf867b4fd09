"""The environment maker up to its first subprocess; tests/e2e/test_environment.py makes real ones."""

import re
import time
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from lsf_blender_addon.client import installation
from lsf_blender_addon.client.installation import Installation, InstallationError

ROOT = Path(__file__).resolve().parents[3]


def test_the_requirements_are_those_of_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert list(installation.REQUIREMENTS) == project["dependencies"]
    assert project["requires-python"] == ">={}.{}".format(*installation.MIN_PYTHON)


def test_what_is_installed_fits_the_requirements():
    """On every Python: the lock file may name several versions of a package, each with a marker."""
    pins = re.findall(r"^(\S+)==([^ \n]+)", installation.LOCK.read_text("utf-8"), re.MULTILINE)
    assert not [name for name, _ in pins if name == "torch"]
    pins += re.findall(r"^(torch)==(\S+)$", installation.TORCH.read_text("utf-8"), re.MULTILINE)
    for requirement in installation.REQUIREMENTS:
        versions = [version for name, version in pins if name == installation._name(requirement)]
        assert versions and all(installation._satisfies(version, requirement) for version in versions)


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path):
    precious = tmp_path / "mine" / "thesis.txt"
    precious.parent.mkdir()
    precious.write_text("years of work")
    (tmp_path / "mine" / "pyvenv.cfg").touch()
    with pytest.raises(InstallationError, match="other files"):
        installation.make(tmp_path / "mine", tmp_path / "log", print, lambda: False)
    assert precious.read_text() == "years of work"


def test_a_wheel_folder_that_does_not_exist(tmp_path):
    with pytest.raises(InstallationError, match="no wheel folder"):
        installation.make(tmp_path / "env", tmp_path / "log", print, lambda: False, wheels=tmp_path / "nowhere")


def test_cancel_kills_the_subprocess_and_what_it_started(tmp_path):
    """A Python that starts a child of its own and never ends stands in for pip."""
    child_lives = tmp_path / "child"
    slow = tmp_path / "slow"
    slow.write_text(f"#!/bin/sh\n(while true; do date +%s%N > '{child_lives}'; sleep 0.02; done) &\nwait\n")
    slow.chmod(0o755)
    installation = Installation(tmp_path / "env", tmp_path / "log", python=slow)
    while not child_lives.exists():
        time.sleep(0.01)
    assert installation.running and installation.progress.step == "Making a Python environment"
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


def test_an_installation_without_room_is_not_begun(tmp_path, monkeypatch):
    monkeypatch.setattr(installation.shutil, "disk_usage", lambda folder: SimpleNamespace(free=500e6))
    with pytest.raises(InstallationError, match="has 500 MB of room, and the installation needs"):
        installation.make(tmp_path / "env", tmp_path / "log", print, lambda: False)
    assert not list((tmp_path / "env").iterdir())


@pytest.mark.parametrize("platform", ["linux", "win32", "darwin", "freebsd"])
def test_every_system_has_a_build_for_the_cpu_that_is_small(platform):
    builds = installation.torch_builds(platform)
    assert next(iter(builds)) == "CPU" and builds["CPU"].stored < 1500
    assert all(build.download < build.stored for build in builds.values())


def test_the_version_of_torch_is_pinned():
    assert re.fullmatch(r"torch==\d+\.\d+\.\d+", installation._torch_pin())


def test_check_says_what_is_wrong_with_a_python(tmp_path):
    assert "not a Python" in installation.check(tmp_path / "nowhere")
    assert "not a Python" in installation.check("/bin/true")


@pytest.mark.parametrize(
    ("version", "fits"),
    [
        ("4.56", True),
        ("5.23.0", True),
        ("4.55.9", False),
        ("6.0", False),
        ("5.0.0rc1", True),
        ("10.1", False),
        ("4.56.0+cpu", True),
    ],
)
def test_version_bounds(version, fits):
    assert installation._satisfies(version, "transformers>=4.56,<6") is fits


@pytest.mark.parametrize(
    ("output", "advice"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("The virtual environment was not created successfully because ensurepip is not available", "python3-venv"),
        ("ERROR: No matching distribution found for torch>=2.2", "No package torch>=2.2 fits"),
        ("NewConnectionError\nERROR: No matching distribution found for torch==2.13.0+cpu", "download.pytorch.org"),
        ("NewConnectionError\nERROR: No matching distribution found for scipy==1.17.1", "server cannot be reached"),
        ("urllib3.exceptions.NewConnectionError: failed", "network"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "client/requirements.lock"),
        ("gibberish", "try again"),
    ],
)
def test_advice(output, advice):
    assert advice in installation._advice(output, "install.log")


def test_the_python_of_the_tests_is_fit_for_the_server(server_python):
    assert installation.check(server_python) is None
