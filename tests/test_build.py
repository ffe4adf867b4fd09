"""build.py: finding Pythons, reading requirements, environments that survive interruption, the zip."""

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import build
import server
from lsf_blender_addon.client.installation import REQUIREMENTS

ROOT = Path(build.__file__).parent
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
posix = pytest.mark.skipif(os.name == "nt", reason="shell scripts stand in for programs")


def test_all_parts_are_of_one_version():
    versions = toml("pyproject.toml")["project"]["version"], toml("lsf_blender_addon/blender_manifest.toml")["version"]
    assert versions == (server.__version__, server.__version__)


def script(path: Path, text: str) -> Path:
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def toml(path: str) -> dict:
    return tomllib.loads((ROOT / path).read_text(encoding="utf-8"))


def test_requirements_are_those_of_pyproject():
    declared = toml("pyproject.toml")["project"]["dependencies"]
    assert set(declared) <= set(build.requirements(build.MAIN))
    assert set(declared) == set(REQUIREMENTS)  # what the button in the preferences installs
    assert build.requirements("bpy-4.2") == ["bpy==4.2.*", "pytest"]


@posix
def test_a_shim_without_a_python_is_passed_over(tmp_path, monkeypatch):
    script(tmp_path / f"python{HERE}", "echo no such version >&2\nexit 127\n")
    monkeypatch.setattr(build.sys, "executable", str(tmp_path / "nothing"))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{Path(sys.base_prefix) / 'bin'}{os.pathsep}{os.defpath}")
    found = build.find_python(HERE)
    assert found and Path(found[0]).parent != tmp_path
    assert build.find_python("3.1") is None


@pytest.fixture
def sandbox(tmp_path, monkeypatch):
    """An empty build folder, and a stand-in for pip's part that leaves a record of each call."""
    calls = []

    def run_logged(command, log):
        calls.append(command[1:3])
        if command[1:3] == ["-m", "venv"]:
            subprocess.run([*command, "--without-pip"], check=True)

    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build, "ENVS", tmp_path / "envs")
    monkeypatch.setattr(build, "PYTHONS", {"bpy-9.9": HERE})
    monkeypatch.setattr(build, "run_logged", run_logged)
    return calls


def test_an_environment_is_made_once(sandbox):
    python = build.environment("bpy-9.9")
    assert python.exists() and sandbox == [["-m", "venv"], ["-m", "pip"]]
    assert build.environment("bpy-9.9") == python and len(sandbox) == 2


def test_an_interrupted_environment_is_completed(sandbox, monkeypatch):
    whole = build.run_logged

    def interrupted(command, log):
        whole(command, log)
        if command[1:3] == ["-m", "pip"]:
            raise KeyboardInterrupt

    monkeypatch.setattr(build, "run_logged", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build.environment("bpy-9.9")
    monkeypatch.setattr(build, "run_logged", whole)
    sandbox.clear()
    assert build.environment("bpy-9.9").exists() and ["-m", "pip"] in sandbox


def test_changed_requirements_reach_pip(sandbox, monkeypatch):
    build.environment("bpy-9.9")
    sandbox.clear()
    monkeypatch.setattr(build, "requirements", lambda name: ["something-else"])
    build.environment("bpy-9.9")
    assert ["-m", "pip"] in sandbox


def test_a_missing_python_is_asked_for(sandbox, monkeypatch):
    monkeypatch.setattr(build, "find_python", lambda version: None)
    with pytest.raises(SystemExit, match="needs Python .* Install one"):
        build.environment("bpy-9.9")


def test_pip_that_fails_shows_the_end_of_its_log(tmp_path):
    log = tmp_path / "pip.log"
    with pytest.raises(SystemExit, match="disk on fire(.|\n)*run the same command again"):
        build.run_logged([sys.executable, "-c", "print('disk on fire'); raise SystemExit(1)"], log)
    assert "disk on fire" in log.read_text()


def test_the_lock_is_held_by_one_process_at_a_time(tmp_path):
    code = (
        "import build, sys, time\n"
        "with build.locked(sys.argv[1]):\n"
        "    print('in', flush=True); time.sleep(.3); print('out', flush=True)"
    )
    with open(tmp_path / "said", "a") as said:
        command = [sys.executable, "-c", code, tmp_path / "lock"]
        processes = [subprocess.Popen(command, cwd=ROOT, stdout=said) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert tmp_path.joinpath("said").read_text().split() == ["in", "out"] * 3


def test_every_test_counts(tmp_path):
    tests = tmp_path / "test_some.py"
    tests.write_text(
        "import pytest\ndef test_a(): pass\ndef test_b(): assert 0\n"
        "@pytest.mark.skip\ndef test_c(): pass\ndef test_d(missing_fixture): pass\n"
    )
    assert build.run_pytest(build.MAIN, [str(tests)]) == (1, 2, 1)


def test_the_zip_is_the_whole_product_and_always_the_same(tmp_path):
    first, second = build.package(tmp_path / "a"), build.package(tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()
    names = set(zipfile.ZipFile(first).namelist())
    assert {
        "blender_manifest.toml", "__init__.py", "LICENSE", "NOTICE", "server/__main__.py", "server/protocol/wire.py",
        "server/face/assets/head.npz", "server/checkpoints/default/model.safetensors", "assets/demo_line.flac",
    } <= names  # fmt: skip
    assert not [name for name in names if "__pycache__" in name or "test" in name or name.startswith("server/training")]
