#!/usr/bin/env python3
"""One entry point to the project. It needs Python 3.10 or newer and nothing else.

    python3 build.py demo            a talking head from a line of speech, in out/demo/
    python3 build.py gallery         docs/gallery.md: the demo's line on characters of all kinds, with pictures
    python3 build.py test            every test, on every Blender version whose Python is found or can be fetched
    python3 build.py test --unit     the quick tests alone; further arguments go to pytest
    python3 build.py soak            an hour of random jobs, faults and edits; --minutes, --seed
    python3 build.py check [NAME]    lint, format, types, imports, or one of them; --fix repairs what it can
    python3 build.py server ...      the server's command line: generate, fit
    python3 build.py bench           speed and memory, as a table
    python3 build.py package         dist/lsf_animation-VERSION.zip, the whole product
    python3 build.py release         dist/VERSION: that zip, its SHA-256, its changes, and an extensions repository
    python3 build.py wheels FOLDER   the speech engine's packages, to install from without network; see --help
    python3 build.py setup           the private environments alone
    python3 build.py apt             the Debian packages that Blender needs and this machine lacks
    python3 build.py lock            new versions of the server's packages, in their lock file
    python3 build.py version [NEW]   the project's version; with NEW, writes it to every file that states it

Environments are kept in build/envs. They are made on first use and are safe to interrupt: a finished environment
carries a stamp. Missing system libraries are installed with apt-get (as root, or through sudo after a question). A
missing Python is fetched with uv into build/python. Pip reads its usual settings, so PIP_EXTRA_INDEX_URL may name
PyTorch's index of CPU wheels, which saves gigabytes of CUDA.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

if sys.version_info < (3, 10):  # noqa: UP036  # for those this sentence is
    sys.exit("build.py needs Python 3.10 or newer, and this is {}.{}.".format(*sys.version_info))

ROOT = Path(__file__).resolve().parent
BUILD = ROOT / "build"
ENVS = BUILD / "envs"
ADDON = ROOT / "lsf_blender_addon"
PYPROJECT = ROOT / "pyproject.toml"
MANIFEST = ADDON / "blender_manifest.toml"
VERSION_FILE = ROOT / "server" / "__init__.py"  # the one source of the version
CHANGELOG = ROOT / "CHANGELOG.md"
LOCK = ADDON / "client" / "requirements.lock"
TRANSFORMERS_LOCK = ADDON / "client" / "requirements-transformers.lock"
TORCH = ADDON / "client" / "requirements-torch.txt"
TRANSCRIPTS = ADDON / "client" / "requirements-transcripts.txt"

MAIN = "bpy-5.0"  # runs the server, the demo and most tests
CHECKS = "checks"  # runs the linters and the type checker
BLENDERS = {"bpy-5.0": "3.11", "bpy-4.2": "3.11", "bpy-4.5": "3.11", "bpy-5.2": "3.13"}  # environment: its Python
PYTHONS = {**BLENDERS, CHECKS: "3.11"}

# Left out by `test --unit`: whole runs of the product, whole fits of faces, speech of ten minutes.
LONG_TESTS = (
    "tests/e2e", "tests/lsf_blender_addon/test_real_server.py",
    "tests/server/face/test_landmark_detection.py", "tests/server/face/test_space.py",
    "tests/server/model/test_inference.py::test_ten_minutes_take_the_memory_of_one_and_ten_times_the_work",
)  # fmt: skip

# What the wheels of bpy and torch load from the system, and what Workbench needs to render without a screen:
# library -> Debian package.
LIBRARIES = {
    "libEGL.so.1": "libegl1", "libEGL_mesa.so.0": "libegl-mesa0", "libGL.so.1": "libgl1", "libSM.so.6": "libsm6",
    "libXi.so.6": "libxi6", "libXrender.so.1": "libxrender1", "libXfixes.so.3": "libxfixes3",
    "libXxf86vm.so.1": "libxxf86vm1", "libxkbcommon.so.0": "libxkbcommon0", "libgomp.so.1": "libgomp1",
}  # fmt: skip

StrPath = str | Path


def say(text: str) -> None:
    """Print a line at once, also into a pipe."""
    print(text, flush=True)


# ---- The system: libraries and Pythons ------------------------------------------------------------------------------


def run_logged(
    command: Sequence[StrPath],
    log: Path,
    shown: str = r"(Collecting|Downloading|Installing) ",
    cwd: StrPath | None = None,
) -> None:
    """Run a command with its output in a log. Exits with the log's end if the command fails.

    Args:
        command: The program and its arguments.
        log: The file that the output is appended to.
        shown: A pattern; lines that begin with it are printed too, as progress.
        cwd: The folder that it runs in; None for the present one.
    """
    with log.open("a", encoding="utf-8") as file:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        for line in process.stdout or ():
            file.write(line)
            if re.match(rf"\s*{shown}", line):
                say("  " + " ".join(line.split())[:110])
    if process.wait():
        tail = "\n".join(log.read_text(encoding="utf-8").splitlines()[-15:])
        sys.exit(
            f"{tail}\nThat did not work; the whole log is {log}. Mend what it names (often no network, or a full "
            "disk) and run the same command again: it goes on where it stopped."
        )


def install_system_packages(packages: list[str], purpose: str) -> None:
    """Install Debian packages: as root at once, otherwise through sudo after a question on a terminal.

    Args:
        packages: Names of Debian packages.
        purpose: Why they are needed, a sentence without its full stop.

    Raises:
        SystemExit: The packages cannot be installed from here. The message is a sentence that names them.
    """
    command = f"apt-get install --no-install-recommends {' '.join(packages)}"
    by_hand = f"{purpose}. Install what is missing and run this command again:\n  {command}"
    if not shutil.which("apt-get"):
        sys.exit(f"{by_hand}\n(The names are Debian's; this system has no apt-get.)")
    sudo = []
    if os.geteuid():  # type: ignore[attr-defined,unused-ignore]  # absent on Windows, which has no apt-get
        if not shutil.which("sudo") or not sys.stdin.isatty():
            sys.exit(by_hand)
        if input(f"{purpose}. Run `sudo {command}`? [Y/n] ").strip().lower() not in ("", "y"):
            sys.exit(by_hand)
        sudo = ["sudo"]
    BUILD.mkdir(exist_ok=True)
    say(f"{purpose}: installing {' '.join(packages)}")
    quiet = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y"]
    run_logged([*quiet, "update"], BUILD / "apt.log")
    run_logged([*quiet, "install", "--no-install-recommends", *packages], BUILD / "apt.log", "Setting up ")


def missing_apt_packages() -> list[str]:
    """Debian packages whose libraries bpy or torch load and this Linux lacks."""

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


def ensure_libraries() -> None:
    """Install the system libraries that Blender needs, or exit with a sentence that names them."""
    if missing := missing_apt_packages():
        install_system_packages(missing, "Blender needs libraries that this system lacks")


def output_of(command: Sequence[StrPath], code: str) -> str | None:
    """What the Python `command` prints for `code`, or None if it fails.

    A name on the PATH may be a shim with no Python behind it, so a path that exists proves nothing.
    """
    try:
        done = subprocess.run([*command, "-c", code], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def python_candidates(version: str) -> Iterator[list[str]]:
    """Commands that may run Python `version` ("3.11"), the likeliest first."""
    yield [sys.executable]
    for folder in os.get_exec_path():
        yield [str(Path(folder) / f"python{version}")]
        yield [str(Path(folder) / "python3")]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for home in [*sorted((BUILD / "python").glob(f"cpython-{version}.*")), *sorted(pyenv.glob(f"{version}*"))]:
        yield [str(home / ("python.exe" if os.name == "nt" else "bin/python"))]
    if os.name == "nt":
        yield ["py", f"-{version}"]
    if shutil.which("uv"):
        found = subprocess.run(["uv", "python", "find", version], capture_output=True, text=True)
        yield [found.stdout.strip() or "uv-found-none"]


def find_python(version: str, module: str = "ensurepip") -> list[str] | None:
    """The command of a Python `version` that has `module`; by default, of one that can make virtual environments.

    Args:
        version: Two numbers, "3.11".
        module: A module of the standard library. Debian's Pythons lack ensurepip until their venv package is there.
    """
    for command in python_candidates(version):
        if not shutil.which(command[0]):
            continue
        if output_of(command, f"import sys, {module}; print('%d.%d' % sys.version_info[:2])") == version:
            return command
    return None


def complete_python(version: str) -> list[str] | None:
    """Find a Python `version` that can make virtual environments; complete Debian's own with its venv package."""
    if command := find_python(version):
        return command
    if find_python(version, "sys") and shutil.which("apt-get"):
        install_system_packages([f"python{version}-venv"], f"Python {version} lacks its venv package")
        return find_python(version)
    return None


@functools.cache  # one try a run: what failed fails again
def obtain_python(version: str) -> tuple[list[str] | None, str]:
    """Find a Python `version` that can make virtual environments, or fetch one with uv.

    Returns:
        Its command and "", or None and a sentence that says why there is none.
    """
    try:
        command = complete_python(version)
        if command is None:
            fetch_python(version)
            command = find_python(version)
    except SystemExit as error:
        return None, str(error)
    if command:
        return command, ""
    return None, (
        f"Python {version} with venv is needed; none is found here, and uv could not fetch one (the log is "
        f"{BUILD / 'python.log'}). Install one, for example from python.org or with your system's packages, and run "
        "this command again."
    )


def fetch_python(version: str) -> None:
    """Try to download Python `version` with uv into build/python, without a trace elsewhere.

    Raises:
        SystemExit: There is no uv and it cannot be installed. The message is a sentence. That the download failed is
            told by the log alone.
    """
    log = BUILD / "python.log"
    BUILD.mkdir(exist_ok=True)
    uv = shutil.which("uv")
    if uv is None:
        base = complete_python("{}.{}".format(*sys.version_info))
        if base is None:
            sys.exit(
                f"Python {version} with venv is needed. It cannot be fetched, because the Python here cannot make "
                "virtual environments and there is no uv. Install one of the two and run this command again."
            )
        python = make_venv(BUILD / "envs" / "uv", base, log)
        run_logged([python, "-m", "pip", "install", "--progress-bar", "off", "uv"], log)
        uv = str(python.parent / "uv")
    say(f"Fetching Python {version} into build/python")
    folders = ["--install-dir", str(BUILD / "python"), "--cache-dir", str(BUILD / "uv-cache")]
    with contextlib.suppress(SystemExit):
        run_logged([uv, "python", "install", version, "--no-bin", *folders], log, "Installed ")


# ---- The private environments ---------------------------------------------------------------------------------------


def listed(key: str) -> list[str]:
    """The strings of the array `key` in pyproject.toml, read with a pattern: Python 3.10 has no tomllib."""
    array = re.search(rf"^{key} = \[(.*?)^\]", PYPROJECT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return re.findall(r'"(.+?)"', array[1]) if array else []


def requirements(name: str) -> list[list[str]]:
    """What pip installs into environment `name`, one list of arguments a call.

    Locked packages come in a call of their own, since pip wants a hash for every package of a call or for none.
    """
    if name == CHECKS:
        return [["-r", str(TORCH)], [*listed("checks"), *listed("tests")]]
    blender = [f"bpy=={name.removeprefix('bpy-')}.*", *listed("tests")]
    if name != MAIN:
        return [blender]
    locked = [["--require-hashes", "-r", str(path)] for path in (LOCK, TRANSFORMERS_LOCK)]
    transcripts = ["--no-deps", "--require-hashes", "-r", str(TRANSCRIPTS)]
    return [locked[0], ["-r", str(TORCH)], locked[1], transcripts, [*blender, *listed("farm-tests")]]


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold `path` locked; a second build.py waits here. The system lets go of it when the process ends."""
    with Path(path).open("w") as file:
        if sys.platform == "win32":
            import msvcrt

            while True:
                with contextlib.suppress(OSError):  # it gives up after ten seconds
                    msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
                    break
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make_venv(home: Path, base: list[str], log: Path) -> Path:
    """Make a virtual environment with pip in `home`, or keep the one that is there, and return its Python."""
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if output_of([python], "import pip; print('pip')") != "pip":
        shutil.rmtree(home, ignore_errors=True)
        run_logged([*base, "-m", "venv", str(home)], log)
    return python


def digest_of(name: str) -> str:
    """Changes whenever environment `name` has to be made or completed again."""
    parts = [PYTHONS[name]]
    for arguments in requirements(name):
        parts += [Path(a).read_text(encoding="utf-8") if Path(a).is_absolute() else a for a in arguments]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def environment(name: str) -> Path:
    """The Python of environment `name`, made or completed if need be. Exits with a sentence if it cannot be made."""
    home = ENVS / name
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = home / "complete"
    digest = digest_of(name)
    if stamp.exists() and stamp.read_text() == digest:
        return python
    ENVS.mkdir(parents=True, exist_ok=True)
    with locked(ENVS / f"{name}.lock"):
        if stamp.exists() and stamp.read_text() == digest:
            return python  # another build.py made it while this one waited
        base, why = obtain_python(PYTHONS[name])
        if base is None:
            sys.exit(why)
        start, log = time.monotonic(), ENVS / f"{name}.log"
        say(f"Making {home.relative_to(ROOT)}")
        stamp.unlink(missing_ok=True)
        make_venv(home, base, log)
        for arguments in requirements(name):  # compiling all modules takes as long as unpacking them; few are imported
            run_logged([str(python), "-m", "pip", "install", "--no-compile", "--progress-bar", "off", *arguments], log)
        stamp.write_text(digest)
        say(f"{home.relative_to(ROOT)} is ready ({time.monotonic() - start:.0f} s).")
    return python


def environments(names: Sequence[str]) -> None:
    """Make or complete several environments, AT_ONCE at a time. Exits with a sentence if one cannot be made."""
    for name in names:
        obtain_python(PYTHONS[name])  # one after the other: it may install or fetch what they share
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(environment, names))


def child_environment(**more: str) -> dict[str, str]:
    """The variables of a child process: the main environment's Python runs the server for it, too."""
    python = str(environment(MAIN))
    return {**os.environ, "LSF_SERVER_PYTHON": python, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **more}


# ---- The product: version, lock, zip --------------------------------------------------------------------------------


DOES_NOT_SHIP = {"__pycache__", "training", "build", "farm"}  # folders: server/training, server/face/build, the farm

# torch and the packages of CUDA that it brings along on Linux are not locked; see LOCK_HEAD.
NOT_LOCKED = re.compile(r"(torch|triton|nvidia-.+|cuda-.+)==")
LOCK_HEAD = """\
# The server's packages, one version each with the hashes of its files: what the add-on installs and what the tests run
# on. Made by `python3 build.py lock` from pyproject.toml; not edited by hand. Valid on Linux, Windows and macOS.
#
# torch is not in here. One version exists as several builds, with CUDA or for the CPU alone, and which of them a
# machine gets depends on its index of packages; on Linux it also brings CUDA packages of its own. Hashes would forbid
# all builds but one. requirements-torch.txt names the version, and it is installed in a step of its own.
"""
TRANSFORMERS_LOCK_HEAD = """\
# The package transformers with all that it needs, one version each with the hashes of its files: for the text encoder,
# the backbones of the paper and training. The model that ships does without. Made by `python3 build.py lock`, with the
# versions of requirements.lock where both name a package.
"""


def version() -> str:
    """The project's version, as server/__init__.py states it."""
    found = re.search(r'^__version__ = "(.+)"', VERSION_FILE.read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"{VERSION_FILE} states no version"
    return found[1]


def manifest_version() -> str:
    """The version in the add-on's manifest: a copy, because Blender reads it there."""
    found = re.search(r'^version = "(.+)"', MANIFEST.read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"{MANIFEST} states no version"
    return found[1]


def set_version(new: str) -> None:
    """Write the version to the server, from which all else takes it, and to the manifest, which Blender reads."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", new):
        sys.exit(f"{new} is no version: it has to be three numbers with dots, like 0.2.0.")
    for path, name in ((VERSION_FILE, "__version__"), (MANIFEST, "version")):
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(rf'^{name} = ".+"', f'{name} = "{new}"', text, flags=re.MULTILINE), encoding="utf-8")


def without_unlocked(compiled: str) -> str:
    """What uv compiled, less the packages that are not locked.

    Args:
        compiled: A requirements file; the lines after a package's own are indented.
    """
    packages = re.findall(r"^\S.*\n(?:[ \t]+.*\n)*", compiled, re.MULTILINE)
    return "".join(package for package in packages if not NOT_LOCKED.match(package))


def product_files() -> list[tuple[str, Path]]:
    """(name in the zip, file) of all that ships: the add-on, the server without its training, licence and notices."""
    files = [(path.name, path) for path in (ROOT / "LICENSE", ROOT / "NOTICE")]
    for top, prefix in ((ADDON, ""), (ROOT / "server", "server/")):
        for path in top.rglob("*"):
            inside = path.relative_to(top)
            if path.is_file() and not DOES_NOT_SHIP & set(inside.parts) and path.suffix != ".pyc":
                files.append((prefix + inside.as_posix(), path))
    return sorted(files)


def extension_command(*arguments: StrPath) -> None:
    """Run `blender --command extension` of the main environment's Blender. Exits with its output if it fails.

    Args:
        arguments: A subcommand that needs no Blender window or preferences, such as "validate", and its arguments.
    """
    python = environment(MAIN)
    script = next(python.parent.parent.rglob("bl_pkg/cli/blender_ext.py"))  # what that command runs
    done = subprocess.run([python, script, *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"Blender refuses `extension {' '.join(map(str, arguments))}`:\n{done.stdout}{done.stderr}")


def package(folder: Path = ROOT / "dist") -> Path:
    """Write the extension zip and have Blender's own validator read it.

    Args:
        folder: Where the zip goes.

    Returns:
        The zip. Its bytes are the same for the same files.
    """
    target = folder / f"lsf_animation-{manifest_version()}.zip"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in product_files():
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            packed = path.suffix in {".safetensors", ".npz", ".flac"}  # deflate gains nothing on these
            entry.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    extension_command("validate", target)
    say(
        f"{target.relative_to(ROOT) if ROOT in target.parents else target}: {target.stat().st_size / 1e6:.1f} MB, "
        "valid for Blender."
    )
    return target


def changes(number: str) -> str:
    """The part of the change log on a version, without its heading; "" if it has none.

    Args:
        number: The version, or "Unreleased".
    """
    log = CHANGELOG.read_text(encoding="utf-8")
    part = re.search(rf"^## \[{re.escape(number)}\].*\n((?:(?!## \[).*\n?)*)", log, re.MULTILINE)
    return part[1].strip() if part else ""


def release(dist: Path = ROOT / "dist") -> Path:
    """Write all that a release publishes. The folder is an extensions repository as it is, on any web server.

    Args:
        dist: Where the folder goes.

    Returns:
        The folder, named after the version: the zip, its SHA-256 as `sha256sum -c` reads it, what has changed in this
        version, and index.json, which Blender's own command makes.
    """
    number = manifest_version()
    text = changes(number)
    if number != version() or not text:
        sys.exit(
            f"The manifest states {number}, the server {version()}, and CHANGELOG.md has {'' if text else 'no '}"
            f"changes of {number}: see CONTRIBUTING.md on releases."
        )
    folder = dist / number
    shutil.rmtree(folder, ignore_errors=True)
    product = package(folder)
    digest = hashlib.sha256(product.read_bytes()).hexdigest()
    (folder / f"{product.name}.sha256").write_text(f"{digest}  {product.name}\n", encoding="utf-8", newline="\n")
    (folder / "CHANGES.md").write_text(f"# {number}\n\n{text}\n", encoding="utf-8", newline="\n")
    extension_command("server-generate", "--repo-dir", folder)
    say(f"{folder} is ready to publish; in Blender, add its index.json as a repository to try it.")
    if changes("Unreleased"):
        say(f"Note: CHANGELOG.md has changes under Unreleased, which {folder / 'CHANGES.md'} does not name.")
    return folder


# ---- Commands -------------------------------------------------------------------------------------------------------


def run_in_blender(script: str, *arguments: str) -> None:
    """Run demo/`script` in the main environment, with a Blender user folder that is thrown away afterwards."""
    with tempfile.TemporaryDirectory(prefix="lsf-blender-") as user:
        variables = child_environment(BLENDER_USER_RESOURCES=user, LSF_CACHE_DIR=user)
        done = subprocess.run([environment(MAIN), ROOT / "demo" / script, *arguments], env=variables)
    if done.returncode:
        sys.exit(done.returncode)


def demo(arguments: list[str]) -> None:
    """Make the zip, and with it a talking head in out/demo/."""
    ensure_libraries()
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


def gallery(arguments: list[str]) -> None:
    """Write the gallery of characters, docs/gallery.md with its pictures."""
    ensure_libraries()
    run_in_blender("gallery.py", str(ROOT / "docs"), *arguments)


def bench(arguments: list[str]) -> None:
    """Measure speed and memory."""
    ensure_libraries()
    run_in_blender("bench.py", *arguments)


def soak(arguments: list[str]) -> None:
    """Run random jobs, faults and edits, and exit with 1 if any of them fails."""
    ensure_libraries()
    script = ROOT / "tests" / "soak" / "run.py"
    sys.exit(subprocess.run([environment(MAIN), script, *arguments], env=child_environment()).returncode)


def server(arguments: list[str]) -> None:
    """Run the server's command line and exit with its code."""
    python = environment(MAIN)
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(subprocess.run([python, "-m", "server", *arguments], env=child_environment()).returncode)


# Pytest without the end of Python, where bpy 4.2 crashes if a property ever had a callback, even one unregistered.
AT_ONCE = min(2, os.cpu_count() or 1)  # runs of the tests; each keeps a processor busy and takes up to 2 GB
ADDON_TESTS = "tests/lsf_blender_addon"
FILES_AT_ONCE = 6  # of the add-on's tests, in one process;
# The module of 4.2 has no sound, so its tests append scenes with strips from a file. Once in some ten thousand tests it
# crashes as the window shows such a scene. Tests of 4.2 that a signal ended run once more.
CRASHES = "bpy-4.2"
FEWER_FILES = {CRASHES: 3}  # so that little runs again
WITHOUT_BLENDER = ("client", "formats", "rigs")  # folders of the add-on's tests that need Python alone
# Tests with the marker `exhaustive` go through each step or each case of a piece of work, for minutes. They run where
# Blender's animation data differ most: before Actions had slots, and in the newest.
EXHAUSTIVE = ("bpy-4.2", "bpy-5.2")
PYTEST = "import os, sys, pytest; code = pytest.main(sys.argv[1:]); sys.stdout.flush(); os._exit(code)"


def run_pytest(name: str, arguments: list[str], title: str, together: bool = False) -> tuple[int, int, int]:
    """Run pytest in environment `name`; its output goes on to ours, at once or, if several run together, at the end.

    A run in the environment CRASHES that a signal ended is repeated once.

    Returns:
        How many tests passed, failed (errors included) and were skipped.
    """
    say(f"\n== {title}{' …' if together else ''}")
    with tempfile.TemporaryDirectory(prefix="lsf-tests-") as folder:
        report = Path(folder) / "report.xml"
        command = [str(environment(name)), "-c", PYTEST, "-q", f"--junitxml={report}", "-p", "no:cacheprovider"]
        threads = os.environ.get("OMP_NUM_THREADS", "1")  # models this small only lose by sharing their work
        variables = child_environment(LSF_CACHE_DIR=str(Path(folder) / "faces"), OMP_NUM_THREADS=threads)
        output = Path(folder) / "output.txt"  # not a pipe: a process that a test left behind would keep it open
        for may_crash in (name == CRASHES, False):
            with output.open("wb") as stream:
                code = subprocess.run(
                    [*command, *arguments],
                    cwd=ROOT,
                    env=variables,
                    stdout=stream if together else None,
                    stderr=subprocess.STDOUT if together else None,
                ).returncode
            if together:
                say(f"\n== {title}\n{output.read_text(encoding='utf-8', errors='replace')}")
            if code >= 0 or not may_crash:
                break
            say(f"{name}: signal {-code} ended {title}; it runs once more")
        suites = list(ElementTree.parse(report).getroot().iter("testsuite")) if report.exists() else []
    count = {key: sum(int(suite.get(key, 0)) for suite in suites) for key in ("tests", "failures", "errors", "skipped")}
    failed = count["failures"] + count["errors"]
    passed = count["tests"] - failed - count["skipped"]
    if code not in (0, 5) and not failed:  # 5: nothing was selected; else it crashed, or was asked for the impossible
        say(f"{name}: pytest ended with exit code {code}")
        failed = 1
    return passed, failed, count["skipped"]


def addon_parts(size: int) -> Iterator[tuple[str, list[str]]]:
    """The files of the add-on's tests in parts of at most `size`, each with the name of its folder."""
    folders = [ROOT / ADDON_TESTS, *sorted(path for path in (ROOT / ADDON_TESTS).iterdir() if path.is_dir())]
    for folder in folders:
        found = folder.glob("test_*.py") if folder == folders[0] else folder.rglob("test_*.py")
        files = [str(path.relative_to(ROOT)) for path in sorted(found)]
        for first in range(0, len(files), size):
            yield folder.name, files[first : first + size]


def test_parts() -> list[tuple[str, str, list[str]]]:
    """All tests in parts that run in a process each: environment, name of the part, what it tells pytest.

    torch and bpy must not share a process. The two longest come first, so that no processor waits for one of them at
    the end. What needs no Blender runs once for each version of Python.
    """
    pythons: set[str] = set()
    others = ["tests", "--ignore=tests/server", f"--ignore={ADDON_TESTS}"]
    parts = [(MAIN, "tests/server", ["tests/server"]), (MAIN, "others", others)]
    for name in BLENDERS:
        if obtain_python(BLENDERS[name])[0] is None:
            say(f"There is no Python {BLENDERS[name]} here: tests on {name} are left out.")
        else:
            fewer = [] if name in EXHAUSTIVE else ["-m", "not exhaustive"]
            left_out = WITHOUT_BLENDER if BLENDERS[name] in pythons else ()
            for inside, part in addon_parts(FEWER_FILES.get(name, FILES_AT_ONCE)):
                if inside not in left_out:
                    parts.append((name, f"{part[0]} to {Path(part[-1]).name}", [*part, *fewer]))
            pythons.add(BLENDERS[name])
    return parts


def test(arguments: list[str]) -> None:
    """Run the tests and exit with 1 if any failed. The last line gives the counts."""
    ensure_libraries()
    unit = "--unit" in arguments
    arguments = [argument for argument in arguments if argument != "--unit"]
    if any((ROOT / argument.split("::")[0]).exists() for argument in arguments):  # the user names the tests
        parts = [(MAIN, " ".join(arguments), arguments)]
    else:
        parts = [(name, title, [*what, *arguments]) for name, title, what in test_parts() if name == MAIN or not unit]
    environments(list(dict.fromkeys(name for name, _title, _what in parts)))
    long_tests = [f"--deselect={test}" for test in LONG_TESTS] if unit else []
    together = len(parts) > 1
    with ThreadPoolExecutor(AT_ONCE if together else 1) as pool:
        runs = [
            (f"{name}: {title}", pool.submit(run_pytest, name, [*what, *long_tests], f"{name}: {title}", together))
            for name, title, what in parts
        ]
        rows = [(*count.result(), title) for title, count in runs]
    say("\n" + "\n".join(f"{p:5} passed {f:3} failed {s:3} skipped   {title}" for p, f, s, title in rows))
    passed, failed, skipped = (sum(numbers) for numbers in zip(*(row[:3] for row in rows), strict=True))
    say(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    sys.exit(1 if failed or not passed else 0)


def check(arguments: list[str]) -> None:
    """Run all checks, or those that are named, to their end, then exit with 1 if any of them found something."""
    fix = "--fix" in arguments
    checks: dict[str, list[StrPath]] = {
        "lint": ["ruff", "check", *(["--fix"] if fix else [])],
        "format": ["ruff", "format", *([] if fix else ["--check"])],
        "types": ["mypy", "--cache-dir", BUILD / "mypy"],
        "imports": ["lint-imports", "--cache-dir", BUILD / "import-linter"],
    }
    wanted = [argument for argument in arguments if argument != "--fix"] or list(checks)
    if unknown := set(wanted) - checks.keys():
        sys.exit(f"There is no check {', '.join(sorted(unknown))}: choose from {', '.join(checks)}.")
    tools = environment(CHECKS).parent
    failed = []
    for name in wanted:
        tool, *options = checks[name]
        say(f"\n== {name}: {tool}")
        if subprocess.run([tools / tool, *options], cwd=ROOT).returncode:
            failed.append(name)
    if failed:
        sys.exit(f"\nNot clean: {', '.join(failed)}.")
    say("\nClean.")


def lock(arguments: list[str]) -> None:
    """Write the lock files anew, with the newest versions that pyproject.toml and torch's pin allow."""
    options = ["--universal", "--python-version=3.11", "--generate-hashes", "--no-header", "--no-annotate", "--quiet"]
    sources = {  # the second one has the versions of the first, since both are installed into one environment
        LOCK: (LOCK_HEAD, ["-c", str(TORCH), str(PYPROJECT)]),
        TRANSFORMERS_LOCK: (TRANSFORMERS_LOCK_HEAD, ["-c", str(LOCK), "--group", f"{PYPROJECT}:transformers"]),
    }
    for path, (head, source) in sources.items():
        with tempfile.TemporaryDirectory(prefix="lsf-lock-") as folder:
            target = Path(folder) / path.name
            uv = str(environment(CHECKS).parent / "uv")
            command = [uv, "pip", "compile", *options, "-o", str(target), *source, *arguments]
            if subprocess.run(command, cwd=ROOT).returncode:
                sys.exit("The packages cannot be locked: uv says why above.")
            path.write_text(head + without_unlocked(target.read_text(encoding="utf-8")), encoding="utf-8")
        say(f"{path.relative_to(ROOT)} is written; run `python3 build.py test` before you commit it.")


# Names of the wheels that run on the oldest system of each kind on which Blender 4.2 runs (torch needs macOS 14), and
# what markers like `sys_platform == 'win32'` are compared with there.
WHEEL_PLATFORMS = {
    "linux": (
        [*(f"manylinux_2_{glibc}_x86_64" for glibc in range(28, 4, -1)), "manylinux2014_x86_64", "manylinux1_x86_64"],
        {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": "x86_64"},
    ),
    "windows": (
        ["win_amd64"],
        {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "platform_machine": "AMD64"},
    ),
    "macos": (
        ["macosx_14_0_arm64"],
        {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix", "platform_machine": "arm64"},
    ),
}
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
HERE = {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")

# Prints the packages of lock files whose markers hold in an environment, without these markers.
MARKED = """
import json, re, sys
from packaging.markers import Marker
there = json.loads(sys.argv[1])
for path in sys.argv[2:]:
    for line in open(path, encoding="utf-8").read().replace("\\\\\\n", " ").splitlines():
        package, *hashes = re.split(r"\\s+--hash=", line)
        name, _, marker = package.partition(";")
        if name[:1].isalnum() and (not marker or Marker(marker).evaluate(there)):
            print(name.strip(), *("--hash=" + digest for digest in hashes))
"""


def wheels(arguments: list[str]) -> None:
    """Fill a folder with the wheels of the speech engine, and say how large they are."""
    parser = argparse.ArgumentParser(prog="build.py wheels", description=wheels.__doc__)
    parser.add_argument("folder", type=Path, help="what is named as Wheel Folder in the add-on's preferences")
    parser.add_argument("--platform", choices=WHEEL_PLATFORMS, default=HERE, help="the system of the artists")
    parser.add_argument(
        "--python", choices=sorted(set(BLENDERS.values())), default=BLENDERS[MAIN], help="Blender's own"
    )
    parser.add_argument("--gpu", action="store_true", help="on Linux: the build of PyTorch with CUDA, which is large")
    parser.add_argument("--text-encoder", action="store_true", help="also what Set Emotion from Text needs")
    parser.add_argument("--transcripts", action="store_true", help="also what transcripts of speech need")
    chosen = parser.parse_args(arguments)
    if chosen.gpu and (chosen.platform, HERE) != ("linux", "linux"):
        sys.exit("The build with CUDA is for Linux, and is fetched there.")
    tags, markers = WHEEL_PLATFORMS[chosen.platform]
    there = {**markers, "python_version": chosen.python, "python_full_version": f"{chosen.python}.0",
             "implementation_name": "cpython", "platform_python_implementation": "CPython"}  # fmt: skip
    python, client = environment(MAIN), LOCK.parent
    locks = [LOCK, TRANSFORMERS_LOCK] if chosen.text_encoder else [LOCK]
    filtered = subprocess.run(
        [python, "-c", MARKED, json.dumps(there), *locks], capture_output=True, text=True, check=True
    ).stdout
    torch = listed_torch()
    is_cpu = chosen.platform == "linux" and not chosen.gpu
    calls = [["--no-deps", "--require-hashes", "-r", "locked.txt"]]
    if chosen.text_encoder:
        calls.append(["--no-deps", "--require-hashes", "-r", str(client / "requirements-text.txt")])
    if chosen.transcripts:
        calls.append(["--no-deps", "--require-hashes", "-r", str(client / "requirements-transcripts.txt")])
    if is_cpu:
        calls.append(["--no-deps", "--extra-index-url", TORCH_CPU_INDEX, f"{torch}+cpu"])
    else:  # with the packages of CUDA; the others are there already
        # "===" is this build alone: "==" would take one with a local version, as "+cpu", where an index has it.
        exact = torch.replace("==", "===")
        calls.append([*([] if chosen.gpu else ["--no-deps"]), "-c", "versions.txt", "--find-links", "new", exact])
    options = ["--only-binary=:all:", "--implementation=cp", f"--python-version={chosen.python}", "--no-cache-dir"]
    options += [f"--platform={tag}" for tag in tags]
    chosen.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=chosen.folder) as folder:  # half a folder is no use
        Path(folder, "locked.txt").write_text(filtered, encoding="utf-8")
        versions = re.sub(r" .*", "", filtered)
        Path(folder, "versions.txt").write_text(versions, encoding="utf-8")
        for call in calls:
            pip = [str(python), "-m", "pip", "download", "--progress-bar", "off", "-d", "new", *options, *call]
            run_logged(pip, BUILD / "wheels.log", cwd=folder)
        files = sorted(Path(folder, "new").glob("*.whl"))
        loaded = sum(path.stat().st_size for path in files)
        stored = sum(map(installed_size, files))
        for path in files:
            path.replace(chosen.folder / path.name)
    say(
        f"{len(files)} wheels for {chosen.platform} and Python {chosen.python} are in {chosen.folder}: "
        f"{loaded / 1e6:.0f} MB, about {stored / 1e6:.0f} MB when they are installed."
    )


def listed_torch() -> str:
    """The requirement of torch, with its one version."""
    found = re.search(r"^torch==\S+", TORCH.read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"{TORCH} names no version"
    return found[0]


def installed_size(wheel: Path) -> int:
    """Bytes of an installed wheel: its files, and the compiled form of its Python files, which is about as large."""
    with zipfile.ZipFile(wheel) as archive:
        return sum(info.file_size * (2 if info.filename.endswith(".py") else 1) for info in archive.infolist())


def setup(arguments: list[str]) -> None:
    """Make the named environments, or the main one."""
    environments(arguments or [MAIN])


def show_or_set_version(arguments: list[str]) -> None:
    """Print the version, or write a new one."""
    if arguments:
        set_version(arguments[0])
    say(version())


COMMANDS: dict[str, Callable[[list[str]], object]] = {
    "demo": demo, "gallery": gallery, "test": test, "check": check, "server": server, "bench": bench, "soak": soak,
    "setup": setup, "lock": lock, "wheels": wheels,
    "version": show_or_set_version, "apt": lambda arguments: say(" ".join(missing_apt_packages())),
    "package": lambda arguments: package(), "release": lambda arguments: release(),
}  # fmt: skip

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    COMMANDS[sys.argv[1]](sys.argv[2:])
