#!/usr/bin/env python3
"""One entry point to the project, needing nothing but Python 3.10 or newer:

    python3 build.py demo            a talking head from a line of speech, in out/demo/
    python3 build.py test            every test, on every Blender version whose Python is found
    python3 build.py test --unit     the quick ones alone; further arguments go to pytest
    python3 build.py server ...      the server's command line: generate, fit
    python3 build.py bench           speed and memory, as a table
    python3 build.py package         dist/lsf_animation-VERSION.zip, the whole product
    python3 build.py check           the linters and the type checker; `check --fix` mends what can be mended
    python3 build.py setup           the private environments alone
    python3 build.py apt             the Debian packages that Blender needs and this machine lacks

Everything is kept in build/envs, made on first use and safe to interrupt: a finished environment carries a stamp. Pip
reads its usual settings, so PIP_EXTRA_INDEX_URL may name PyTorch's index of CPU wheels, which spares gigabytes of CUDA.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
ENVS = ROOT / "build" / "envs"
ADDON = ROOT / "lsf_blender_addon"

MAIN = "bpy-5.0"  # runs the server, the demo and most tests
BLENDERS = {"bpy-5.0": "3.11", "bpy-4.2": "3.11", "bpy-4.5": "3.11", "bpy-5.2": "3.13"}  # environment: its Python
CHECKS = "checks"  # runs the linters and the type checker
PYTHONS = {**BLENDERS, CHECKS: "3.11"}
TORCH = "torch==2.13.0"  # the one that is tested

# Left out by `test --unit`: whole runs of the product, whole fits of faces, speech of ten minutes.
LONG_TESTS = (
    "tests/e2e", "tests/lsf_blender_addon/test_real_server.py",
    "tests/server/face/test_landmarks.py", "tests/server/face/test_fit.py",
    "tests/server/model/test_inference.py::test_ten_minutes_take_the_memory_of_one_and_ten_times_the_work",
)  # fmt: skip

# What the wheels of bpy load from the system, and Workbench's rendering without a screen: library -> Debian package.
LIBRARIES = {
    "libEGL.so.1": "libegl1", "libEGL_mesa.so.0": "libegl-mesa0", "libGL.so.1": "libgl1", "libSM.so.6": "libsm6",
    "libXi.so.6": "libxi6", "libXrender.so.1": "libxrender1", "libXfixes.so.3": "libxfixes3",
    "libXxf86vm.so.1": "libxxf86vm1", "libxkbcommon.so.0": "libxkbcommon0", "libgomp.so.1": "libgomp1",
}  # fmt: skip


def say(text: str) -> None:
    print(text, flush=True)


# ---- Python and the private environments ----------------------------------------------------------------------------


def answers(command: list[str], code: str) -> str | None:
    """What `command -c code` prints, or None if it fails: a name on the PATH may be a shim with no Python behind it."""
    try:
        done = subprocess.run([*command, "-c", code], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def python_candidates(version: str):
    """Commands that may run Python `version` ("3.11"), the likeliest first."""
    yield [sys.executable]
    for folder in os.get_exec_path():
        yield [str(Path(folder) / f"python{version}")]
        yield [str(Path(folder) / "python3")]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for folder in sorted(pyenv.glob(f"{version}*")):
        yield [str(folder / "bin" / "python")]
    if os.name == "nt":
        yield ["py", f"-{version}"]
    if shutil.which("uv"):
        found = subprocess.run(["uv", "python", "find", version], capture_output=True, text=True)
        yield [found.stdout.strip() or "uv-found-none"]


def find_python(version: str) -> list[str] | None:
    """The command of a Python `version` that can make virtual environments, or None."""
    for command in python_candidates(version):
        if os.name == "nt" or shutil.which(command[0]):
            if answers(command, "import sys, ensurepip; print('%d.%d' % sys.version_info[:2])") == version:
                return command
    return None


def requirements(name: str) -> list[str]:
    """What pip installs into environment `name`. The server's packages are pyproject's dependencies (read with a
    pattern: Python 3.10 has no tomllib).
    """
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")

    def listed(key: str) -> list[str]:
        return re.findall(r'"(.+?)"', re.search(rf"^{key} = \[(.*?)^\]", project, re.DOTALL | re.MULTILINE)[1])

    packages = [*listed("checks"), "pytest"] if name == CHECKS else [f"bpy=={name.removeprefix('bpy-')}.*", "pytest"]
    if name in (MAIN, CHECKS):
        packages += [*listed("dependencies"), TORCH]
    return packages


@contextlib.contextmanager
def locked(path: Path):
    """Hold `path` locked; a second build.py waits here. The system lets go of it when the process ends."""
    with open(path, "w") as file:
        if os.name == "nt":
            import msvcrt

            while True:
                with contextlib.suppress(OSError):  # it gives up after ten seconds
                    msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
                    break
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run_logged(command: list[str], log: Path) -> None:
    """Run pip with its noise in `log`; one line of progress for each package it fetches."""
    with open(log, "a", encoding="utf-8") as file:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
        process = subprocess.Popen(command, **pipes)
        for line in process.stdout:
            file.write(line)
            if re.match(r"\s*(Collecting|Downloading|Installing) ", line):
                say("  " + " ".join(line.split())[:110])
    if process.wait():
        tail = "\n".join(log.read_text(encoding="utf-8").splitlines()[-15:])
        sys.exit(
            f"{tail}\nThat did not work; the whole log is {log}. Mend what it names (often no network, or a full "
            "disk) and run the same command again: it goes on where it stopped."
        )


def environment(name: str) -> Path:
    """The python of environment `name`, made or completed if need be. Exits with a sentence if it cannot be made."""
    home, version, wanted = ENVS / name, PYTHONS[name], requirements(name)
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = home / "complete"
    digest = hashlib.sha256("\n".join([version, *wanted]).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return python
    ENVS.mkdir(parents=True, exist_ok=True)
    with locked(ENVS / f"{name}.lock"):
        if stamp.exists() and stamp.read_text() == digest:
            return python  # another build.py made it while this one waited
        base = find_python(version)
        if base is None:
            sys.exit(
                f"The environment {name} needs Python {version} with venv, and none is found here. Install one (for "
                f"example `uv python install {version}`, `apt install python{version} python{version}-venv` or "
                "python.org) and run this command again."
            )
        start, log = time.monotonic(), ENVS / f"{name}.log"
        say(f"Making {home.relative_to(ROOT)}: {', '.join(wanted)}")
        stamp.unlink(missing_ok=True)
        if answers([str(python)], "import pip; print('pip')") != "pip":
            shutil.rmtree(home, ignore_errors=True)
            run_logged([*base, "-m", "venv", str(home)], log)
        run_logged([str(python), "-m", "pip", "install", "--progress-bar", "off", *wanted], log)
        stamp.write_text(digest)
        say(f"{home.relative_to(ROOT)} is ready ({time.monotonic() - start:.0f} s).")
    return python


def missing_apt_packages() -> list[str]:
    """Debian packages whose libraries bpy loads and this Linux lacks."""

    def lacks(library: str) -> bool:
        try:
            ctypes.CDLL(library)
        except OSError:
            return True
        return False

    if not sys.platform.startswith("linux"):
        return []
    missing = [package for library, package in LIBRARIES.items() if lacks(library)]
    return [*missing, "libgl1-mesa-dri"] if {"libegl1", "libegl-mesa0", "libgl1"} & set(missing) else missing


def check_libraries() -> None:
    if missing := missing_apt_packages():
        sys.exit(
            "Blender needs libraries that this system lacks. Install them and run this command again:\n"
            f"  apt-get install --no-install-recommends {' '.join(missing)}"
        )


def child_environment(**more: str) -> dict[str, str]:
    """The variables of a child process: the main environment's Python runs the server for it, too."""
    python = str(environment(MAIN))
    return {**os.environ, "LSF_SERVER_PYTHON": python, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **more}


# ---- The product ----------------------------------------------------------------------------------------------------


DOES_NOT_SHIP = {"__pycache__", "training", "build"}  # folders: server/training and server/face/build


def product_files() -> list[tuple[str, Path]]:
    """(name in the zip, file) of all that ships: the add-on, the server without its training, licence and notices."""
    files = [(path.name, path) for path in (ROOT / "LICENSE", ROOT / "NOTICE")]
    for top, prefix in ((ADDON, ""), (ROOT / "server", "server/")):
        for path in top.rglob("*"):
            inside = path.relative_to(top)
            if path.is_file() and not DOES_NOT_SHIP & set(inside.parts) and path.suffix != ".pyc":
                files.append((prefix + inside.as_posix(), path))
    return sorted(files)


def package(folder: Path = ROOT / "dist") -> Path:
    """Write the extension zip, the same bytes for the same files, and have Blender's own validator read it."""
    version = re.search(
        r'^version = "(.+)"', (ADDON / "blender_manifest.toml").read_text(encoding="utf-8"), re.MULTILINE
    )[1]
    target = folder / f"lsf_animation-{version}.zip"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in product_files():
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            packed = path.suffix in {".safetensors", ".npz", ".flac"}  # deflate gains nothing on these
            entry.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    python = environment(MAIN)
    validator = next(python.parent.parent.rglob("bl_pkg/cli/blender_ext.py"))
    checked = subprocess.run([python, validator, "validate", target], capture_output=True, text=True)
    if checked.returncode:
        sys.exit(f"Blender refuses {target}:\n{checked.stdout}{checked.stderr}")
    say(
        f"{target.relative_to(ROOT) if ROOT in target.parents else target}: {target.stat().st_size / 1e6:.1f} MB, "
        "valid for Blender."
    )
    return target


# ---- Commands -------------------------------------------------------------------------------------------------------


def run_in_blender(script: str, *arguments: str) -> None:
    """Run demo/`script` in the main environment, with a Blender user folder that is thrown away afterwards."""
    with tempfile.TemporaryDirectory(prefix="lsf-blender-") as user:
        variables = child_environment(BLENDER_USER_RESOURCES=user, LSF_CACHE_DIR=user)
        done = subprocess.run([environment(MAIN), ROOT / "demo" / script, *arguments], env=variables)
    if done.returncode:
        sys.exit(done.returncode)


def demo(arguments: list[str]) -> None:
    check_libraries()
    start = time.monotonic()
    environment(MAIN)
    made = time.monotonic()
    product = package()
    steps = {"environment": made - start, "extension zip": time.monotonic() - made}
    run_in_blender(
        "talking_head.py",
        str(product),
        str(ROOT / "out" / "demo"),
        *arguments,
        *(f"--step={name}={seconds:.2f}" for name, seconds in steps.items()),
    )


def bench(arguments: list[str]) -> None:
    check_libraries()
    run_in_blender("bench.py", *arguments)


def server(arguments: list[str]) -> None:
    python = environment(MAIN)
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(subprocess.run([python, "-m", "server", *arguments], env=child_environment()).returncode)


# Pytest without the end of Python, where bpy 4.2 crashes if a property ever had a callback, even one unregistered.
PYTEST = "import os, sys, pytest; code = pytest.main(sys.argv[1:]); sys.stdout.flush(); os._exit(code)"


def run_pytest(name: str, arguments: list[str]) -> tuple[int, int, int]:
    """(passed, failed, skipped) of pytest in environment `name`, which also streams its output."""
    with tempfile.TemporaryDirectory(prefix="lsf-tests-") as folder:
        report = Path(folder) / "report.xml"
        command = [environment(name), "-c", PYTEST, "-q", f"--junitxml={report}", "-p", "no:cacheprovider"]
        threads = os.environ.get("OMP_NUM_THREADS", "1")  # models this small only lose by sharing their work
        variables = child_environment(LSF_CACHE_DIR=str(Path(folder) / "faces"), OMP_NUM_THREADS=threads)
        code = subprocess.run([*command, *arguments], cwd=ROOT, env=variables).returncode
        suites = list(ElementTree.parse(report).getroot().iter("testsuite")) if report.exists() else []
    count = {key: sum(int(suite.get(key)) for suite in suites) for key in ("tests", "failures", "errors", "skipped")}
    failed = count["failures"] + count["errors"]
    passed = count["tests"] - failed - count["skipped"]
    if code not in (0, 5) and not failed:  # 5: nothing was selected; else it crashed, or was asked for the impossible
        say(f"{name}: pytest ended with exit code {code}")
        failed = 1
    return passed, failed, count["skipped"]


def test(arguments: list[str]) -> None:
    check_libraries()
    unit = [f"--deselect={test}" for test in LONG_TESTS] if "--unit" in arguments else []
    arguments = [argument for argument in arguments if argument != "--unit"]
    if any((ROOT / argument.split("::")[0]).exists() for argument in arguments):  # the user names the tests
        runs = [(MAIN, unit)]
    else:  # the server's apart from Blender's: torch and bpy never share a process
        runs = [(MAIN, ["tests/server", *unit]), (MAIN, ["tests", "--ignore=tests/server", *unit])]
        for name, version in BLENDERS.items() if not unit else ():
            if find_python(version) is None:
                say(f"No Python {version} here: tests on {name} are left out.")
            elif name != MAIN:
                runs.append((name, ["tests/lsf_blender_addon"]))
    rows = []
    for name, what in runs:
        environment(name)
        title = " ".join([name + ":", *what, *arguments])
        say(f"\n== {title}")
        rows.append((*run_pytest(name, [*what, *arguments]), title))
    say("\n" + "\n".join(f"{p:5} passed {f:3} failed {s:3} skipped   {title}" for p, f, s, title in rows))
    passed, failed, skipped = (sum(row[i] for row in rows) for i in range(3))
    say(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    sys.exit(1 if failed or not passed else 0)


def check(arguments: list[str]) -> None:
    """Run every check to its end, then exit with 1 if any of them found something."""
    tools = environment(CHECKS).parent
    fix = "--fix" in arguments
    checks = {
        "ruff check": ["ruff", "check", *(["--fix"] if fix else [])],
        "ruff format": ["ruff", "format", *([] if fix else ["--check"])],
        "mypy": ["mypy", "--cache-dir", ROOT / "build" / "mypy"],
        "import-linter": ["lint-imports", "--cache-dir", ROOT / "build" / "import_linter"],
    }
    failed = []
    for name, (tool, *options) in checks.items():
        say(f"\n== {name}")
        if subprocess.run([tools / tool, *options], cwd=ROOT).returncode:
            failed.append(name)
    if failed:
        sys.exit(f"\nNot clean: {', '.join(failed)}.")
    say("\nAll checks are clean.")


def setup(arguments: list[str]) -> None:
    for name in arguments or [MAIN]:
        environment(name)


def apt(arguments: list[str]) -> None:
    say(" ".join(missing_apt_packages()))


COMMANDS = {
    "demo": demo, "test": test, "server": server, "bench": bench, "check": check, "setup": setup, "apt": apt,
    "package": lambda arguments: package(),
}  # fmt: skip

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    COMMANDS[sys.argv[1]](sys.argv[2:])
