"""build.py: Pythons, system packages, requirements, environments that survive interruption, version, zip."""

import hashlib
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import build
import server
from lsf_blender_addon.client import requirements
from lsf_blender_addon.client.requirements import REQUIREMENTS

ROOT = Path(build.__file__).parent
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
posix = pytest.mark.skipif(os.name == "nt", reason="shell scripts stand in for programs")


def test_all_parts_are_of_one_version():
    project, manifest = toml("pyproject.toml"), toml("lsf_blender_addon/blender_manifest.toml")
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "server.__version__"}
    assert manifest["version"] == build.manifest_version() == build.version() == server.__version__
    assert f"## [{server.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_a_new_version_is_written_everywhere(tmp_path, monkeypatch):
    for name in ("VERSION_FILE", "MANIFEST"):
        copy = tmp_path / name
        copy.write_bytes(getattr(build, name).read_bytes())
        monkeypatch.setattr(build, name, copy)
    schema = toml("lsf_blender_addon/blender_manifest.toml")["schema_version"]
    build.set_version("12.3.4")
    assert build.version() == build.manifest_version() == "12.3.4"
    manifest = tomllib.loads(build.MANIFEST.read_text())
    assert manifest["schema_version"] == schema and manifest["blender_version_min"] == "4.2.0"
    with pytest.raises(SystemExit, match="no version"):
        build.set_version("next")


def script(path: Path, text: str) -> Path:
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def toml(path: str) -> dict:
    return tomllib.loads((ROOT / path).read_text(encoding="utf-8"))


def test_requirements_are_those_of_pyproject():
    groups = toml("pyproject.toml")["dependency-groups"]
    assert set(toml("pyproject.toml")["project"]["dependencies"]) == set(REQUIREMENTS)
    assert build.requirements("bpy-4.2") == [["bpy==4.2.*", *groups["tests"]]]
    assert build.requirements(build.CHECKS)[-1] == [*groups["checks"], *groups["tests"]]


def test_tests_run_on_what_the_add_on_installs():
    assert (build.LOCK, build.TORCH) == (requirements.LOCK, requirements.TORCH)
    locked, torch, transformers, transcripts, tests = build.requirements(build.MAIN)
    assert locked == ["--require-hashes", "-r", str(build.LOCK)] and torch == ["-r", str(build.TORCH)]
    assert transformers == ["--require-hashes", "-r", str(build.TRANSFORMERS_LOCK)]
    assert transcripts == ["--no-deps", "--require-hashes", "-r", str(requirements.TRANSCRIPTS)]
    groups = toml("pyproject.toml")["dependency-groups"]
    assert tests == ["bpy==5.0.*", *groups["tests"], *groups["farm-tests"]]


def locked_packages(path: Path) -> list[str]:
    """Each package of a lock file with its version and hashes."""
    return re.findall(r"^\w\S*==.*\n(?: +.*\n)*", path.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("path", [build.LOCK, build.TRANSFORMERS_LOCK], ids=lambda path: path.name)
def test_every_locked_package_has_hashes_and_none_names_a_registry(path):
    packages = locked_packages(path)
    assert len(packages) > 10 and all("--hash=sha256:" in package for package in packages)
    assert "://" not in path.read_text(encoding="utf-8")


def test_artists_do_not_install_transformers_and_both_lock_files_agree():
    """pip installs one after the other into the same environment."""
    base, more = (
        {package.split(" \\")[0] for package in locked_packages(path)} for path in (build.LOCK, build.TRANSFORMERS_LOCK)
    )
    names = {pin.split("==")[0] for pin in base}
    assert not names & {"transformers", "tokenizers", "huggingface-hub"}
    assert "transformers" in {pin.split("==")[0] for pin in more}
    assert {pin for pin in more if pin.split("==")[0] in names} <= base


def test_packages_that_exist_in_several_builds_are_not_locked():
    package = "{}=={} \\\n    --hash=sha256:12 \\\n    --hash=sha256:34\n"
    names = ["networkx", "nvidia-cublas", "cuda-toolkit", "torch", "torchless", "triton", "tqdm"]
    compiled = "".join(package.format(name, 1) for name in names)
    assert re.findall(r"^\w+", build.without_unlocked(compiled), re.MULTILINE) == ["networkx", "torchless", "tqdm"]
    assert build.without_unlocked(compiled).count("--hash") == 6


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
    monkeypatch.setattr(build, "BUILD", tmp_path)
    monkeypatch.setattr(build, "ENVS", tmp_path / "envs")
    monkeypatch.setattr(build, "PYTHONS", {"bpy-9.9": HERE})
    monkeypatch.setattr(build, "run_logged", run_logged)
    build.obtain_python.cache_clear()
    yield calls
    build.obtain_python.cache_clear()


def test_an_environment_is_made_once(sandbox):
    python = build.environment("bpy-9.9")
    assert python.exists() and sandbox == [["-m", "venv"], ["-m", "pip"]]
    assert build.environment("bpy-9.9") == python and len(sandbox) == 2


def test_several_environments_are_made_and_one_that_cannot_be_is_told(sandbox, monkeypatch, tmp_path):
    monkeypatch.setattr(build, "PYTHONS", {"bpy-9.8": HERE, "bpy-9.9": HERE})
    build.environments(["bpy-9.8", "bpy-9.9"])
    assert all((tmp_path / "envs" / name / "complete").exists() for name in ("bpy-9.8", "bpy-9.9"))
    monkeypatch.setattr(build, "PYTHONS", {"bpy-9.8": HERE, "bpy-9.7": "9.7"})
    monkeypatch.setattr(build, "find_python", lambda version, module="ensurepip": [sys.executable] * (version == HERE))
    monkeypatch.setattr(build, "fetch_python", lambda version: None)
    build.obtain_python.cache_clear()
    with pytest.raises(SystemExit, match=r"Python 9\.7"):
        build.environments(["bpy-9.8", "bpy-9.7"])


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
    monkeypatch.setattr(build, "requirements", lambda name: [["something-else"]])
    build.environment("bpy-9.9")
    assert ["-m", "pip"] in sandbox


def test_a_changed_lock_reaches_pip(sandbox, monkeypatch, tmp_path):
    lock = tmp_path / "requirements.lock"
    lock.write_text("numpy==1")
    monkeypatch.setattr(build, "requirements", lambda name: [["-r", str(lock)]])
    before = build.digest_of("bpy-9.9")
    assert build.digest_of("bpy-9.9") == before
    lock.write_text("numpy==2")
    assert build.digest_of("bpy-9.9") != before


def test_a_python_that_is_nowhere_is_asked_for(sandbox, monkeypatch):
    monkeypatch.setattr(build, "find_python", lambda version, module="ensurepip": None)
    monkeypatch.setattr(build, "fetch_python", lambda version: None)
    with pytest.raises(SystemExit, match=r"Python .* is needed; .* uv could not fetch one .* Install one"):
        build.environment("bpy-9.9")


def test_a_missing_python_is_fetched_once(sandbox, monkeypatch):
    fetched = []
    monkeypatch.setattr(build, "fetch_python", fetched.append)
    monkeypatch.setattr(build, "find_python", lambda version, module="ensurepip": [sys.executable] if fetched else None)
    assert build.environment("bpy-9.9").exists()
    assert build.obtain_python(HERE) == ([sys.executable], "") and fetched == [HERE]


def test_without_any_venv_there_is_a_sentence(sandbox, monkeypatch):
    """Neither uv nor apt-get, and a Python without ensurepip."""
    monkeypatch.setattr(build, "find_python", lambda version, module="ensurepip": None if module != "sys" else ["x"])
    monkeypatch.setattr(build.shutil, "which", lambda name: None)
    for version in (HERE, "3.99"):
        command, why = build.obtain_python(version)
        assert command is None and "there is no uv" in why and "\n" not in why


def test_uv_fetches_into_the_build_folder(sandbox, monkeypatch, tmp_path):
    commands = []
    monkeypatch.setattr(build, "run_logged", lambda command, log, shown="": commands.append([str(c) for c in command]))
    monkeypatch.setattr(build.shutil, "which", lambda name: f"/bin/{name}" if name == "uv" else None)
    build.fetch_python("3.99")
    (command,) = commands
    assert command[:4] == ["/bin/uv", "python", "install", "3.99"] and "--no-bin" in command
    assert command[command.index("--install-dir") + 1] == str(tmp_path / "python")


def test_a_debian_python_without_venv_is_completed(sandbox, monkeypatch):
    installed = []
    monkeypatch.setattr(
        build,
        "find_python",
        lambda version, module="ensurepip": [sys.executable] if installed or module == "sys" else None,
    )
    monkeypatch.setattr(build.shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(build, "install_system_packages", lambda packages, purpose: installed.extend(packages))
    assert build.environment("bpy-9.9").exists()
    assert installed == [f"python{HERE}-venv"]


@pytest.fixture
def system(sandbox, monkeypatch):
    """A system with apt-get and sudo, a user who is not root, and a record of the commands that are run."""
    commands = []
    monkeypatch.setattr(build, "run_logged", lambda command, log, shown="": commands.append(" ".join(command)))
    monkeypatch.setattr(build.shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(build.os, "geteuid", lambda: 1000, raising=False)
    monkeypatch.setattr(build.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: "y")
    return commands


def test_root_installs_system_packages_without_a_question(system, monkeypatch):
    monkeypatch.setattr(build.os, "geteuid", lambda: 0, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: pytest.fail(question))
    build.install_system_packages(["libegl1", "libgl1"], "Blender needs libraries that this system lacks")
    update, install = system
    assert update.endswith("apt-get -y update") and install.endswith("--no-install-recommends libegl1 libgl1")
    assert "sudo" not in update + install


def test_others_are_asked_before_sudo(system):
    build.install_system_packages(["libegl1"], "Blender needs libraries that this system lacks")
    assert len(system) == 2 and all(command.startswith("sudo env ") for command in system)


@pytest.mark.parametrize("case", ["no", "no terminal", "no sudo", "no apt-get"])
def test_what_cannot_be_installed_is_said(system, monkeypatch, case):
    if case == "no":
        monkeypatch.setattr("builtins.input", lambda question: "n")
    elif case == "no terminal":
        monkeypatch.setattr(build.sys.stdin, "isatty", lambda: False, raising=False)
    else:
        monkeypatch.setattr(build.shutil, "which", lambda name: None if name in case else f"/bin/{name}")
    with pytest.raises(
        SystemExit, match=r"lacks\. Install what is missing and run this command again:\n  apt-get install .* libegl1"
    ):
        build.install_system_packages(["libegl1"], "Blender needs libraries that this system lacks")
    assert not system


def test_pip_that_fails_shows_the_end_of_its_log(tmp_path):
    log = tmp_path / "pip.log"
    with pytest.raises(SystemExit, match=r"disk on fire(.|\n)*run the same command again"):
        build.run_logged([sys.executable, "-c", "print('disk on fire'); raise SystemExit(1)"], log)
    assert "disk on fire" in log.read_text()


def test_the_lock_is_held_by_one_process_at_a_time(tmp_path):
    code = (
        "import build, sys, time\n"
        "with build.locked(sys.argv[1]):\n"
        "    print('in', flush=True); time.sleep(.3); print('out', flush=True)"
    )
    with (tmp_path / "said").open("a") as said:
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
    assert build.run_pytest(build.MAIN, [str(tests)], "some") == (1, 2, 1)


@pytest.mark.skipif(os.name == "nt", reason="processes end by signals on POSIX systems")
@pytest.mark.parametrize(
    ("environment", "crashes", "counts"),
    [(build.CRASHES, 1, (1, 0, 0)), (build.CRASHES, 2, (0, 1, 0)), (build.MAIN, 1, (0, 1, 0))],
)
def test_only_a_first_crash_of_the_blender_known_for_it_is_forgiven(
    tmp_path, monkeypatch, capsys, environment, crashes, counts
):
    monkeypatch.setattr(build, "environment", lambda _name: sys.executable)
    tests = tmp_path / "test_some.py"
    tests.write_text(
        "import os, signal\nfrom pathlib import Path\n"
        "def test_it():\n"
        "    runs = Path(__file__).with_name('runs')\n"
        "    with runs.open('a') as file:\n        file.write('x')\n"
        f"    if runs.stat().st_size <= {crashes}:\n        os.kill(os.getpid(), signal.SIGSEGV)\n"
    )
    assert build.run_pytest(environment, [str(tests)], "some") == counts
    assert ("runs once more" in capsys.readouterr().out) == (environment == build.CRASHES)


def test_the_parts_have_every_test_once():
    given = [what for name, _title, what in build.test_parts() if name == build.MAIN]
    everything = {path.relative_to(build.ROOT) for path in (build.ROOT / "tests").rglob("test_*.py")}
    ignored = {option.split("=")[1] for what in given for option in what if option.startswith("--ignore=")}
    whole = [build.ROOT / path for what in given for path in what if path.startswith("tests/")]
    named = [test for path in whole for test in (path.rglob("test_*.py") if path.is_dir() else [path])]
    rest = [path for path in everything if not any(path.is_relative_to(folder) for folder in ignored)]
    assert sorted([*(path.relative_to(build.ROOT) for path in named), *rest]) == sorted(everything)


def test_each_blender_runs_what_depends_on_it():
    def run_by(name):
        return {
            path: "exhaustive" not in " ".join(what)
            for environment, _title, what in build.test_parts()
            for path in what
            if environment == name and path.startswith(build.ADDON_TESTS)
        }

    main, first, last = (run_by(name) for name in ("bpy-5.0", "bpy-4.2", "bpy-5.2"))
    assert set(main) == set(last) > set(first)  # 5.0 and 4.2 have one Python, 5.2 has another
    without = set(main) - set(first)
    assert without and all(path.split("/")[2] in build.WITHOUT_BLENDER for path in without)
    assert not [path for path in without if "bpy" in (build.ROOT / path).read_text().split()]
    assert all(first.values()) and all(last.values()) and not any(main.values())


def test_the_zip_is_the_whole_product_and_always_the_same(tmp_path):
    first, second = build.package(tmp_path / "a"), build.package(tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()
    names = set(zipfile.ZipFile(first).namelist())
    assert {
        "blender_manifest.toml", "__init__.py", "LICENSE", "NOTICE", "server/__main__.py", "server/protocol/wire.py",
        "client/requirements.lock", "client/requirements-torch.txt", "client/requirements-transformers.lock",
        "server/face/assets/head.npz", "server/checkpoints/default/model.safetensors", "assets/demo_line.flac",
    } <= names  # fmt: skip
    assert not [name for name in names if "__pycache__" in name or name.startswith(("tests/", "server/training"))]


# ---- wheels ---------------------------------------------------------------------------------------------------------

TORCH = build.listed_torch().removeprefix("torch==")
LOCKED = """\
# Some packages, as build.py lock writes them.
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:{colorama}
httpx-jsfetch==1.0 ; python_full_version >= '3.12' and sys_platform == 'emscripten' \\
    --hash=sha256:{colorama}
numpy==1.26.4 ; python_full_version < '3.12' \\
    --hash=sha256:{old} \\
    --hash=sha256:{other}
numpy==2.5.5 ; python_full_version >= '3.12' \\
    --hash=sha256:{new}
"""


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A folder of packages for several systems, which pip knows alone, and the lock of some of them."""
    folder = tmp_path / "shop"
    folder.mkdir()

    def sell(name, version, tag="py3-none-any", content=""):
        info = f"{name}-{version}.dist-info"
        path = folder / f"{name}-{version}-{tag}.whl"
        with zipfile.ZipFile(path, "w") as file:
            file.writestr(f"{name}/__init__.py", content)
            file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
            file.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
            file.writestr(f"{info}/RECORD", "")
        return hashlib.sha256(path.read_bytes()).hexdigest()

    digests = {
        "colorama": sell("colorama", "0.4.6"),
        "old": sell("numpy", "1.26.4", "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64"),
        "other": sell("numpy", "1.26.4", "cp311-cp311-win_amd64"),
        "new": sell("numpy", "2.5.5", "cp313-cp313-win_amd64"),
    }
    for tag in ("cp311-cp311-manylinux_2_28_x86_64", "cp313-cp313-win_amd64", "cp311-none-macosx_14_0_arm64"):
        sell("torch", TORCH, tag)
    sell("torch", f"{TORCH}+cpu", "cp311-cp311-manylinux_2_28_x86_64", content="# the build for the CPU")
    lock = tmp_path / "requirements.lock"
    lock.write_text(LOCKED.format(**digests))
    monkeypatch.setattr(build, "environment", lambda _name: sys.executable)  # with another lock, it would be changed
    monkeypatch.setattr(build, "LOCK", lock)
    monkeypatch.setattr(build, "TORCH_CPU_INDEX", folder.as_uri())
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    for name, value in {"CONFIG_FILE": os.devnull, "NO_INDEX": "1", "FIND_LINKS": folder.as_uri()}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    return folder


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (
            ["--platform=windows", "--python=3.13"],
            {
                "colorama-0.4.6-py3-none-any.whl", "numpy-2.5.5-cp313-cp313-win_amd64.whl",
                f"torch-{TORCH}-cp313-cp313-win_amd64.whl",
            },
        ),
        (
            ["--platform=linux", "--python=3.11"],
            {
                "numpy-1.26.4-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
                f"torch-{TORCH}+cpu-cp311-cp311-manylinux_2_28_x86_64.whl",
            },
        ),
    ],
)  # fmt: skip
def test_a_wheel_folder_has_what_one_system_needs(shop, tmp_path, capsys, arguments, names):
    folder = tmp_path / "Räder für das Studio"
    build.wheels([str(folder), *arguments])
    assert {path.name for path in folder.iterdir()} == names
    assert f"{len(names)} wheels for {arguments[0].partition('=')[2]}" in capsys.readouterr().out


def test_a_wheel_that_is_not_the_locked_one_leaves_the_folder_as_it_was(shop, tmp_path):
    folder = tmp_path / "wheels"
    folder.mkdir()
    (folder / "mine.whl").touch()
    build.LOCK.write_text(re.sub("sha256:.{8}", "sha256:" + 8 * "0", build.LOCK.read_text()))
    with pytest.raises(SystemExit, match="DO NOT MATCH THE HASHES"):
        build.wheels([str(folder), "--platform=windows"])
    assert [path.name for path in folder.iterdir()] == ["mine.whl"]


def test_the_build_with_cuda_is_fetched_on_linux_for_linux(tmp_path):
    with pytest.raises(SystemExit, match="is for Linux"):
        build.wheels([str(tmp_path / "wheels"), "--platform=windows", "--gpu"])
    assert not (tmp_path / "wheels").exists()
