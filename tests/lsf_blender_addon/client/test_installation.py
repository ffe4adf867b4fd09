"""The environment maker up to its first subprocess; tests/e2e/test_environment.py makes real ones."""

import json
import re
import sys
import time
import tomllib
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from lsf_blender_addon.client import environments, installation, pip_install, requirements
from lsf_blender_addon.client.environments import InstallationError, State
from lsf_blender_addon.client.installation import Installation
from lsf_blender_addon.client.requirements import Size

ROOT = Path(__file__).resolve().parents[3]


def test_the_requirements_are_those_of_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert list(requirements.REQUIREMENTS) == project["dependencies"]
    assert project["requires-python"] == ">={}.{}".format(*requirements.MIN_PYTHON)


def test_what_is_installed_fits_the_requirements():
    """On every Python: the lock file may name several versions of a package, each with a marker."""
    pins = re.findall(r"^(\S+)==([^ \n]+)", requirements.LOCK.read_text("utf-8"), re.MULTILINE)
    assert not [name for name, _ in pins if name == "torch"]
    pins += re.findall(r"^(torch)==(\S+)$", requirements.TORCH.read_text("utf-8"), re.MULTILINE)
    for requirement in requirements.REQUIREMENTS:
        versions = [version for name, version in pins if name == requirements.name(requirement)]
        assert versions and all(requirements.satisfies(version, requirement) for version in versions)


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
    assert not installation.running and installation.python is None
    assert str(installation.failure).startswith("Cancelled.") and installation.cancelled
    last = child_lives.read_text()
    time.sleep(0.2)
    assert child_lives.read_text() == last


def test_an_installation_that_fails_has_a_sentence(tmp_path):
    installation = Installation(tmp_path / "env", tmp_path / "log", python=tmp_path / "no-python")
    installation.join()
    assert "cannot be started" in str(installation.failure) and installation.python is None


def test_an_installation_without_room_is_not_begun(tmp_path, monkeypatch):
    monkeypatch.setattr(installation.shutil, "disk_usage", lambda folder: SimpleNamespace(free=500e6))
    with pytest.raises(InstallationError, match="has 500 MB of room, and the installation needs"):
        installation.make(tmp_path / "env", tmp_path / "log", print, lambda: False)
    assert not list((tmp_path / "env").iterdir())


@pytest.mark.parametrize("platform", ["linux", "win32", "darwin", "freebsd"])
def test_every_system_has_a_build_for_the_cpu_that_is_small(platform):
    builds = requirements.torch_builds(platform)
    assert next(iter(builds)) == "CPU" and builds["CPU"].size.stored < 1000
    assert all(build.size.download < build.size.stored for build in builds.values())


def test_the_version_of_torch_is_pinned():
    assert re.fullmatch(r"torch==\d+\.\d+\.\d+", requirements.torch_pin())


@pytest.mark.parametrize("python", ["/nowhere/python", "/bin/true"])
def test_what_is_wrong_with_a_python_is_said(python):
    with pytest.raises(InstallationError, match="not a Python"):
        environments.probe(python)


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
    assert requirements.satisfies(version, "package>=4.56,<6") is fits


@pytest.mark.parametrize(
    ("output", "advice"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("The virtual environment was not created successfully because ensurepip is not available", "python3-venv"),
        ("ERROR: No matching distribution found for torch>=2.2", "No package torch>=2.2 fits"),
        ("NewConnectionError\nERROR: No matching distribution found for torch==2.13.0+cpu", "download.pytorch.org"),
        ("NewConnectionError\nERROR: No matching distribution found for scipy==1.17.1", "server cannot be reached"),
        ("urllib3.exceptions.NewConnectionError: failed", "network"),
        ("ProtocolError('Connection broken: IncompleteRead(7 bytes read)')", "What was downloaded is kept"),
        ("ERROR: Download failed because not enough bytes were received: IncompleteDownloadError", "broke off"),
        ("Caused by SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", "PIP_CERT"),
        ("Caused by ProxyError('Unable to connect to proxy', OSError('Tunnel connection failed: 407", "HTTPS_PROXY"),
        ("WARNING: 401 Error, Credentials not correct for https://packages.studio/simple/numpy/", "user name"),
        ("OSError: [WinError 32] The process cannot access the file", "close all other Blenders"),
        ("HINT: This error might have occurred since this system does not have Windows Long Path support", "too long"),
        ("zipfile.BadZipFile: Bad CRC-32 for file 'torch/weights.bin'", "A package is damaged"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "client/requirements.lock"),
        ("gibberish", "try again"),
    ],
)
def test_advice(output, advice):
    assert advice in str(pip_install.failure(output, "install.log"))


def test_the_python_of_the_tests_is_fit_for_the_server(server_python):
    assert environments.probe(server_python).keys() == FITTING.keys()


FITTING = dict.fromkeys(map(requirements.name, requirements.REQUIREMENTS), "99") | {"torch": "2.13.0+cpu"}


@pytest.fixture
def finished(tmp_path):
    """A folder that looks like a finished environment of this version."""
    folder = tmp_path / "env"
    python = environments.python_of(folder)
    python.parent.mkdir(parents=True)
    python.touch()
    (folder / "pyvenv.cfg").write_text(f"home = {tmp_path}\n")
    environments.set_finished(folder, FITTING)
    return folder


def test_a_finished_environment_is_ready(finished):
    assert environments.state_of(finished) is State.READY
    assert environments.versions_of(finished)["torch"] == "2.13.0+cpu"
    assert not list(finished.glob("*.part"))


OLDER = json.dumps({"digest": "0", "versions": FITTING | {"torch": "2.4"}}).encode()


@pytest.mark.parametrize(
    ("content", "state"),
    [
        (b"", State.MISSING),
        (b"\xff\xfe", State.MISSING),
        (b"[" * 100_000, State.MISSING),
        (b"{}", State.MISSING),
        (b'{"requirements": ["torch>=2.2"]}', State.MISSING),  # what add-on 0.1.0 wrote
        (b'{"digest": "0", "versions": 5}', State.MISSING),
        (b'{"digest": "0", "versions": {}}', State.UNFIT),
        (b'{"digest": "0", "versions": {"torch": "1.13", "numpy": 5, "scipy": null}}', State.UNFIT),
        (OLDER, State.OUTDATED),
    ],
)
def test_what_another_version_or_a_fault_has_left(finished, content, state):
    (finished / environments.FINISHED).write_bytes(content)
    assert environments.state_of(finished) is state
    assert state.usable == (state is State.OUTDATED)


def test_the_digest_changes_with_the_versions_and_not_with_comments(tmp_path, monkeypatch):
    def digest(text):
        lock.write_text(text)
        requirements.digest.cache_clear()
        return requirements.digest()

    lock = tmp_path / "requirements.lock"
    monkeypatch.setattr(requirements, "LOCK", lock)
    first = digest("# new\nnumpy==1\n")
    assert digest("numpy==1\n") == first != digest("numpy==2\n")
    monkeypatch.setattr(requirements, "python_tag", lambda: "py399-x86_64")
    assert digest("numpy==1\n") != first
    requirements.digest.cache_clear()


def test_two_pythons_have_two_environments(monkeypatch):
    here = requirements.python_tag()
    monkeypatch.setattr(requirements.sys, "version_info", SimpleNamespace(major=3, minor=99))
    assert requirements.python_tag() != here and requirements.python_tag().startswith("py399-")


def test_one_installation_at_a_time(tmp_path):
    with environments.lock(tmp_path), pytest.raises(InstallationError, match="by another Blender"):
        installation.make(tmp_path / "env", tmp_path / "log", print, lambda: False)
    with environments.lock(tmp_path):
        pass


def test_the_environment_of_an_older_version_is_removed_and_nothing_else(tmp_path):
    old, foreign = tmp_path / "env", tmp_path / "mine"
    for folder in (old, foreign):
        folder.mkdir()
        (folder / "file").touch()
    (old / environments.STARTED).touch()
    with pytest.raises(InstallationError, match="cannot be started"):
        installation.make(
            tmp_path / "new", tmp_path / "log", print, lambda: False, python="/nowhere", replaced=[old, foreign]
        )
    assert not old.exists() and (foreign / "file").exists()


# ---- pip ------------------------------------------------------------------------------------------------------------


class PlayedCommand:
    """Notes the commands of pip instead of running them; the pip of Blender 4.2 knows no --resume-retries."""

    def __init__(self, can_resume=False, newer_is_found=True):
        self.can_resume, self.newer_is_found, self.installed = can_resume, newer_is_found, []
        self.variables = {}

    def run(self, command, on_line=None, on_tick=None, variables=None):
        command = [str(part) for part in command]
        self.variables = variables
        if "--help" in command:
            if not self.can_resume:
                raise pip_install.failure("no such option: --resume-retries", "log")
        elif str(requirements.PIP) in command:
            self.installed.append("pip")
            if not self.newer_is_found:
                raise pip_install.failure("No matching distribution found for pip==26.3", "log")
            self.can_resume = True
        else:
            self.installed.append("resumes" if "--resume-retries" in command else "once")


def played_pip(tmp_path, command, wheels=None, index=""):
    downloads = pip_install.Downloads(tmp_path / "downloads")
    return pip_install.Pip(
        tmp_path / "python", tmp_path, downloads, wheels, index, lambda step: None, Size(1, 1), command
    )


@pytest.mark.parametrize(
    ("command", "installed"),
    [
        (PlayedCommand(can_resume=True), ["resumes"]),
        (PlayedCommand(), ["pip", "resumes"]),
        (PlayedCommand(newer_is_found=False), ["pip", "once"]),
    ],
)
def test_a_pip_that_cannot_resume_is_renewed_first(tmp_path, command, installed):
    pip = played_pip(tmp_path, command)
    pip.prepare()
    pip.install(["numpy"])
    assert command.installed == installed


def test_a_wheel_folder_needs_no_other_pip(tmp_path):
    command = PlayedCommand()
    pip = played_pip(tmp_path, command, wheels=tmp_path)
    pip.prepare()
    pip.install(["numpy"])
    assert command.installed == ["once"]


def test_temporary_files_are_on_the_disk_that_is_checked(tmp_path):
    command = PlayedCommand()
    played_pip(tmp_path, command).install(["numpy"])
    assert {command.variables[name] for name in ("TMPDIR", "TEMP", "TMP")} == {str(tmp_path / "downloads" / "temp")}


def test_half_a_wheel_is_not_kept(tmp_path):
    downloads = pip_install.Downloads(tmp_path / "downloads")
    downloads.start()
    whole, half = downloads.temporary / "a-1-py3-none-any.whl", downloads.temporary / "b-1-py3-none-any.whl"
    with zipfile.ZipFile(whole, "w") as file:
        file.writestr("a/__init__.py", "a = 1\n" * 100)
    half.write_bytes(whole.read_bytes()[:-30])
    downloads.keep()
    downloads.end_command()
    downloads.start()
    assert [path.name for path in downloads.kept.iterdir()] == [whole.name]
    damaged = downloads.kept / whole.name
    damaged.write_bytes(damaged.read_bytes().replace(b"a = 1", b"a = 2", 1))
    downloads.start()
    assert damaged.exists()
    downloads.remove_damaged()
    assert not damaged.exists()


@pytest.mark.parametrize(
    "address", ["packages.studio", "ftp://packages.studio", "--trusted-host=x", "https://", "C:\\w"]
)
def test_an_index_that_is_no_address_is_said(tmp_path, address):
    with pytest.raises(InstallationError, match="is no address"):
        installation.make(tmp_path / "env", tmp_path / "log", print, lambda: False, index=address)
    assert not (tmp_path / "env").exists()


def test_a_studios_index_comes_before_pips_configuration_and_is_no_argument(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_TRUSTED_HOST", "other")
    command = PlayedCommand()
    played_pip(tmp_path, command, index=" https://me:secret@a.studio/simple  http://b.studio:8080/simple").install(
        ["x"]
    )
    assert command.variables["PIP_INDEX_URL"] == "https://me:secret@a.studio/simple"
    assert command.variables["PIP_EXTRA_INDEX_URL"] == "http://b.studio:8080/simple"
    assert command.variables["PIP_TRUSTED_HOST"].split() == ["b.studio", "other"], "not that with encryption"
    assert not pip_install.index_variables("  ")


def test_the_systems_network_settings_reach_pip_and_foreign_targets_do_not(tmp_path, monkeypatch):
    kept = {
        "HTTPS_PROXY": "http://proxy:3128", "http_proxy": "http://proxy:3128", "no_proxy": "a", "SSL_CERT_FILE": "/c",
        "REQUESTS_CA_BUNDLE": "/c", "PIP_CERT": "/c", "PIP_CONFIG_FILE": "/etc/pip.conf", "PIP_INDEX_URL": "https://i",
    }  # fmt: skip
    dropped = {"PIP_TARGET": "/t", "PIP_USER": "1", "PIP_PREFIX": "/p", "PYTHONHOME": "/blender", "PYTHONPATH": "/x"}
    for name, value in (kept | dropped).items():
        monkeypatch.setenv(name, value)
    code = "import json, os, sys; json.dump(dict(os.environ), open(sys.argv[1], 'w'))"
    seen = tmp_path / "seen.json"
    with (tmp_path / "log").open("w") as log:
        pip_install.Command(log, lambda: False).run([sys.executable, "-c", code, seen])
    variables = json.loads(seen.read_text())
    assert kept.items() <= variables.items() and not dropped.keys() & variables.keys()
