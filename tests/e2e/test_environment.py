"""The environment maker: a real venv and a real pip, from small wheels made here, so without another computer."""

import hashlib
import os

import pytest

from lsf_blender_addon.client import installation, requirements
from lsf_blender_addon.client.environments import InstallationError, State, probe, state_of
from lsf_blender_addon.client.requirements import Size
from tests.e2e.package_index import index, wheel

PACKAGES = dict.fromkeys(map(requirements.name, requirements.REQUIREMENTS), "99.0") | {"torch": "2.13.0"}


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """A folder of wheels, and a lock file of their hashes in place of the one that ships."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    lock = tmp_path / "requirements.lock"
    with lock.open("w") as file:
        for name, version in PACKAGES.items():
            digest = hashlib.sha256(wheel(folder, name, version).read_bytes()).hexdigest()
            if name != "torch":
                file.write(f"{name}=={version} --hash=sha256:{digest}\n")
    monkeypatch.setattr(requirements, "LOCK", lock)
    requirements.digest.cache_clear()
    yield folder
    requirements.digest.cache_clear()


def test_a_wheel_that_is_not_the_locked_one_is_refused(tmp_path, wheels):
    wheel(wheels, "scipy", PACKAGES["scipy"], "print('not what was tested')")
    with pytest.raises(InstallationError, match="not the one that was tested"):
        installation.make(tmp_path / "env", tmp_path / "log", lambda step: None, lambda: False, wheels=wheels)
    assert state_of(tmp_path / "env") is State.MISSING


def test_a_failed_attempt_says_why_and_the_next_one_succeeds(tmp_path, wheels):
    steps, folder, log = [], tmp_path / "env", tmp_path / "install.log"

    def make():
        steps.clear()
        return installation.make(folder, log, steps.append, lambda: False, wheels=wheels)

    wheel(wheels, "torch", "2.13.0", "raise ImportError('DLL load failed while importing _C')")
    with pytest.raises(InstallationError, match="Visual C"):
        make()
    assert state_of(folder) is State.MISSING

    wheel(wheels, "torch", "2.13.0")
    python = make()
    assert python == installation.python_of(folder) and state_of(folder) is State.READY
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] == 1
    assert {"Reading the wheel folder", "Unpacking"} <= {step.step for step in steps}
    assert not (tmp_path / installation.DOWNLOADS).exists()
    assert "Successfully installed" in log.read_text()

    assert probe(python)["scipy"] == PACKAGES["scipy"]
    info = next(folder.rglob("scipy-*.dist-info"))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: scipy\nVersion: 1.9.0\n")
    with pytest.raises(InstallationError, match=r"scipy>=1\.11"):
        probe(python)
    info.rename(info.with_name("gone"))
    with pytest.raises(InstallationError, match="lacks scipy"):
        probe(python)


LARGE = 6  # megabytes of the wheel that is downloaded slowly
PAUSE = 0.05  # seconds after each block of it


@pytest.fixture
def slow_index(wheels, monkeypatch):
    """An index on this computer with the wheels of `wheels`, of which torch is large, as the only one that pip asks."""
    (wheels / f"torch-{PACKAGES['torch']}-py3-none-any.whl").unlink()
    wheel(wheels, "torch", f"{PACKAGES['torch']}+cpu", megabytes=LARGE)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with index(wheels, PAUSE) as server:
        monkeypatch.setenv("PIP_INDEX_URL", server.url)
        build = requirements.TorchBuild(server.url, "+cpu", Size(LARGE, LARGE))
        monkeypatch.setattr(installation, "torch_builds", lambda: {"CPU": build})
        monkeypatch.setattr(installation, "LOCKED_SIZE", Size(0, 0))
        yield server


def test_downloads_are_counted_in_megabytes_while_they_run(tmp_path, slow_index):
    steps = []
    installation.make(tmp_path / "env", tmp_path / "log", steps.append, lambda: False)
    loading = [step.megabytes for step in steps if step.step == "Downloading" and step.package == "torch"]
    assert loading == sorted(loading) and len(set(loading)) > 3, "it moves within one package"
    assert max(loading) in (LARGE, LARGE - 1) and {step.expected for step in steps if step.megabytes} == {LARGE}
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    assert "torch-2.13.0+cpu" in (tmp_path / "log").read_text() and not (tmp_path / "env" / "downloads").exists()


def test_a_build_that_the_index_does_not_have_is_said(tmp_path, slow_index, wheels):
    (wheels / f"torch-{PACKAGES['torch']}+cpu-py3-none-any.whl").unlink()
    wheel(wheels, "torch", PACKAGES["torch"])  # the build with CUDA, which is ten times as large
    with pytest.raises(InstallationError, match="has no build for this Python"):
        installation.make(tmp_path / "env", tmp_path / "log", lambda step: None, lambda: False)


def test_a_cancelled_download_ends_at_once_and_leaves_nothing_behind(tmp_path, slow_index):
    steps = []
    with pytest.raises(installation.Cancelled):
        installation.make(
            tmp_path / "env", tmp_path / "log", steps.append, lambda: bool(steps) and steps[-1].megabytes >= 2
        )
    assert state_of(tmp_path / "env") is State.MISSING and not (tmp_path / "env" / "downloads").exists()
