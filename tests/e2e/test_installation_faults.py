"""Installations that break off, are killed or come too late: real venvs and a real pip, from small packages."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from lsf_blender_addon.client import environments, installation, requirements
from lsf_blender_addon.client.environments import InstallationError, State, state_of
from lsf_blender_addon.client.requirements import Size, TorchBuild
from tests.e2e.package_index import Index, index, wheel

PACKAGES = dict.fromkeys(map(requirements.name, requirements.REQUIREMENTS), "99.0")
del PACKAGES["torch"]
TORCH = "torch-2.13.0+cpu-py3-none-any.whl"
STUDIO = "http://packages.studio.invalid/simple"  # only a proxy finds it


class Studio:
    """Packages, their lock file, and a folder for environments whose path has spaces and other letters."""

    def __init__(self, folder: Path) -> None:
        self.packages = folder / "packages"
        self.user_folder = folder / "Zoë's Blender – ユーザー"
        self.environment = self.user_folder / "py311"
        self.lock = folder / "requirements.lock"
        for made in (self.packages, self.user_folder):
            made.mkdir()
        wheel(self.packages, "torch", "2.13.0+cpu", megabytes=1.5)
        for name, version in PACKAGES.items():
            wheel(self.packages, name, version)
        self.write_lock()

    def write_lock(self) -> None:
        """Lock all packages but torch."""
        with self.lock.open("w") as file:
            for path in sorted(self.packages.glob("*.whl")):
                name, version = path.name.split("-")[:2]
                if name != "torch":
                    file.write(f"{name}=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n")
        requirements.digest.cache_clear()

    def make(self, **options) -> list[installation.Progress]:
        """Make the environment, and return its progress."""
        steps: list[installation.Progress] = []
        log = self.user_folder / "install.log"
        installation.make(self.environment, log, steps.append, lambda: False, index=STUDIO, **options)
        return steps


@pytest.fixture(scope="module")
def patch():
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("PIP_") or name.lower().endswith("_proxy")]:
            patch.delenv(name)
        patch.setenv("PIP_CONFIG_FILE", os.devnull)
        patch.setenv("PIP_RETRIES", "0")  # one attempt of pip is one attempt
        yield patch


@pytest.fixture(scope="module")
def studio(patch, tmp_path_factory):
    studio = Studio(tmp_path_factory.mktemp("studio"))
    patch.setattr(requirements, "LOCK", studio.lock)
    build = TorchBuild("http://download.pytorch.invalid", "+cpu", Size(2, 2))
    patch.setattr(installation, "torch_builds", lambda: {"CPU": build})
    patch.setattr(installation, "LOCKED_SIZE", Size(0, 0))
    requirements.digest.cache_clear()
    yield studio
    requirements.digest.cache_clear()


@pytest.fixture(scope="module")
def proxy(studio, patch):
    with index(studio.packages) as server:
        patch.setenv("http_proxy", f"http://127.0.0.1:{server.server_address[1]}")
        yield server


@pytest.fixture(scope="module")
def made(studio, proxy) -> Index:
    """The environment, made by a second attempt after the download of torch broke off in the first one."""
    proxy.breaks["torch"] = 1
    with pytest.raises(InstallationError, match=r"was downloaded is kept|is damaged"):
        studio.make()
    assert state_of(studio.environment) is State.MISSING
    assert not list(studio.user_folder.rglob("temp")), "nothing of pip is left"
    studio.make()
    return proxy


def test_a_download_that_broke_off_does_not_begin_anew(studio, made):
    assert made.sent.pop(TORCH) == 2
    assert set(made.sent.values()) == {1} and len(made.sent) == len(PACKAGES)
    assert state_of(studio.environment) is State.READY
    assert not (studio.user_folder / installation.DOWNLOADS).exists(), "what was kept needs no room any more"


def test_the_studios_own_index_is_asked_through_the_proxy_and_no_other(made):
    assert made.proxied == {"packages.studio.invalid"}


def test_an_update_renews_what_has_changed_and_keeps_the_rest(studio, made):
    mark = studio.environment / "mark"
    mark.touch()
    (studio.packages / "scipy-99.0-py3-none-any.whl").unlink()
    wheel(studio.packages, "scipy", "99.5")
    studio.write_lock()
    assert state_of(studio.environment) is State.OUTDATED and State.OUTDATED.usable
    made.sent.clear()
    made.breaks["scipy"] = 1
    with pytest.raises(InstallationError):
        studio.make()
    assert state_of(studio.environment) is State.OUTDATED, "what works goes on working without network"
    studio.make()
    assert mark.exists() and state_of(studio.environment) is State.READY
    assert set(made.sent) == {"scipy-99.5-py3-none-any.whl"}
    assert environments.probe(environments.python_of(studio.environment))["scipy"] == "99.5"


def test_a_failed_second_installation_leaves_the_first_one(studio, made):
    (studio.environment / "mark").touch()
    with pytest.raises(InstallationError, match="cannot be started"):
        studio.make(python="/nowhere/python")
    assert (studio.environment / "mark").exists() and state_of(studio.environment) is State.READY
    assert environments.probe(environments.python_of(studio.environment))


def test_without_room_nothing_is_removed(studio, made, monkeypatch):
    monkeypatch.setattr(installation.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1e6))
    monkeypatch.setattr(installation, "LOCKED_SIZE", Size(200, 300))
    with pytest.raises(InstallationError, match=r"has \d+ MB of room, and the installation needs 504 MB"):
        studio.make()
    assert state_of(studio.environment) is State.READY


def test_the_python_that_has_made_it_is_gone(studio, made):
    configuration = studio.environment / "pyvenv.cfg"
    text = configuration.read_text("utf-8")
    home = next(line for line in text.splitlines() if line.startswith("home"))
    configuration.write_text(text.replace(home, "home = /opt/an older Blender"), "utf-8")
    assert state_of(studio.environment) is State.MISSING
    configuration.write_text(text, "utf-8")
    assert state_of(studio.environment) is State.READY


KILLED = """
import sys
from lsf_blender_addon.client import installation, requirements
from lsf_blender_addon.client.requirements import Size, TorchBuild
from pathlib import Path
requirements.LOCK = Path(sys.argv[2])
installation.torch_builds = lambda: {"CPU": TorchBuild(None, "+cpu", Size(2, 2))}
installation.LOCKED_SIZE = Size(0, 0)
def report(progress):
    if progress.package == "torch" and progress.megabytes >= 1:
        print("torch", flush=True)
folder = Path(sys.argv[1])
installation.make(folder, folder.parent / "install.log", report, lambda: False, index=sys.argv[3])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there the lock does not outlive the process")
def test_a_killed_installation_leaves_nothing_that_looks_complete(studio, patch, monkeypatch, tmp_path):
    """Its pip still runs: until it has ended, nobody else installs there."""
    monkeypatch.delenv("http_proxy", raising=False)
    folder = tmp_path / "env"
    with index(studio.packages, pause=0.1) as server:
        arguments = [sys.executable, "-c", KILLED, str(folder), str(studio.lock), server.url]
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(Path.cwd())})
        assert process.stdout.readline() == b"torch\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert state_of(folder) is State.MISSING
        with pytest.raises(InstallationError, match="by another Blender, or by one that was closed"):
            installation.make(folder, tmp_path / "log", print, lambda: False)
        assert state_of(folder) is State.MISSING
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with environments.lock(tmp_path):
                break
        except BlockingIOError:
            time.sleep(0.1)
    assert time.monotonic() < deadline and state_of(folder) is State.MISSING
    kept = {path.name for path in (tmp_path / installation.DOWNLOADS / "wheels").iterdir()}
    assert len(kept - {TORCH}) == len(PACKAGES)
