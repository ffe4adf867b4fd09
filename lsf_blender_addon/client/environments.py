"""What is in a folder for the server's private environment: nothing, an unfinished one, one of an older version."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import IO

from . import requirements
from .process import StrPath, clean_environment, popen_options
from .requirements import MIN_PYTHON, REQUIREMENTS, name, satisfies

FINISHED = "lsf_environment.json"  # written last: an environment without this file is incomplete
STARTED = "lsf_environment.started"  # written first: a folder with this file may be removed
LOCK_FILE = "lsf_install.lock"  # beside the environments: locked while one of them is made
CHECK_SECONDS = 120  # limit for a Python to answer: the first start of a new one is slow

# Runs in the Python under test. Prints its version, and for every package the installed version or null.
_PROBE = """
import json, sys
from importlib.metadata import PackageNotFoundError, version
def found(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None
print(json.dumps({"python": sys.version_info[:2], "versions": {name: found(name) for name in sys.argv[1:]}}))
"""


class InstallationError(Exception):
    """An environment cannot be made or used.

    Attributes:
        sentence: What is wrong and what to do, for the artist; may have {placeholders}. The interface translates it.
        values: Values of the placeholders.
    """

    def __init__(self, sentence: str, **values: object) -> None:
        super().__init__(sentence.format(**values))
        self.sentence, self.values = sentence, values


class State(StrEnum):
    """What a folder holds."""

    MISSING = "missing"  # nothing that can be used or completed
    UNFIT = "unfit"  # a finished environment whose packages are too old for this add-on
    OUTDATED = "outdated"  # one that works, but other versions of the packages are tested now
    READY = "ready"

    @property
    def usable(self) -> bool:
        """Whether the server can run in it."""
        return self in (State.OUTDATED, State.READY)


def python_of(folder: StrPath) -> Path:
    """Return the path of the Python in an environment's folder. It may not exist."""
    return Path(folder) / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def state_of(folder: StrPath) -> State:
    """Return what a folder holds. Starts no process, so that panels can call it at each redraw."""
    folder = Path(folder)
    made_for, versions = _finished(folder)
    if not made_for or not python_of(folder).exists() or not _base_exists(folder):
        return State.MISSING
    if made_for == requirements.digest():
        return State.READY
    fits = all(satisfies(versions.get(name(requirement), ""), requirement) for requirement in REQUIREMENTS)
    return State.OUTDATED if fits else State.UNFIT


def versions_of(folder: StrPath) -> dict[str, str]:
    """Return the versions of REQUIREMENTS in a finished environment; nothing if it is not finished."""
    return _finished(Path(folder))[1]


def _finished(folder: Path) -> tuple[str, dict[str, str]]:
    """Return the digest that an environment was made for, and its packages' versions; nothing if it is not finished."""
    try:
        finished = json.loads((folder / FINISHED).read_text("utf-8"))
        return str(finished["digest"]), {str(key): str(value) for key, value in dict(finished["versions"]).items()}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "", {}


def _base_exists(folder: Path) -> bool:
    """Return whether the Python that has made an environment, that of some Blender, still exists.

    On Windows the environment's own python.exe only starts that one.
    """
    try:
        lines = (folder / "pyvenv.cfg").read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    home = next((line.partition("=")[2].strip() for line in lines if line.partition("=")[0].strip() == "home"), "")
    return bool(home) and Path(home).is_dir()


def set_finished(folder: Path, versions: dict[str, str]) -> None:
    """Mark an environment as finished.

    Args:
        folder: Its folder.
        versions: Version of each package of REQUIREMENTS.
    """
    unfinished = folder / f"{FINISHED}.part"
    with unfinished.open("w", encoding="utf-8") as file:
        json.dump({"digest": requirements.digest(), "versions": versions}, file)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(folder / FINISHED)


@contextlib.contextmanager
def lock(parent: Path) -> Iterator[IO[str] | None]:
    """Hold the lock of all environments in a folder, of which there is one for each Python.

    Processes that inherit the open file hold it too. So an installation whose Blender was killed keeps it until its
    last command has ended, except on Windows.

    Args:
        parent: The folder.

    Yields:
        The open file; None if this file system has no locks.

    Raises:
        BlockingIOError: Another process holds it.
    """
    with (parent / LOCK_FILE).open("w") as file:
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:  # the second on Windows
            raise BlockingIOError from error
        except OSError:
            yield None
            return
        yield file


def probe(python: StrPath) -> dict[str, str]:
    """Check that a Python can run the server. Starts it, which takes seconds: call it in a thread.

    Args:
        python: Path of the Python.

    Returns:
        Version of each package of REQUIREMENTS.

    Raises:
        InstallationError: It cannot run the server.
    """
    names = [name(requirement) for requirement in REQUIREMENTS]
    try:
        done = subprocess.run(
            [os.fspath(python), "-c", _PROBE, *names],
            env=clean_environment(),
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=CHECK_SECONDS,
            **popen_options(),
        )
        found = json.loads(done.stdout)
        version, versions = tuple(found["python"]), found["versions"]
    except subprocess.TimeoutExpired:
        raise InstallationError('"{python}" does not answer: choose another Python.', python=python) from None
    except (OSError, ValueError, KeyError, TypeError):
        raise InstallationError(
            '"{python}" is not a Python that runs: choose another, or press Install.', python=python
        ) from None
    if version < MIN_PYTHON:
        raise InstallationError(
            "The speech engine needs Python {needed} or newer, this one is {found}.",
            needed="{}.{}".format(*MIN_PYTHON),
            found="{}.{}".format(*version),
        )
    if missing := [name for name in names if versions.get(name) is None]:
        raise InstallationError(
            "This Python lacks {packages}: press Install, or install them there with pip.", packages=", ".join(missing)
        )
    if unfit := [r for r in REQUIREMENTS if not satisfies(versions[name(r)], r)]:
        raise InstallationError(
            "This Python needs {packages}: press Install, or update them there with pip.", packages=", ".join(unfit)
        )
    return dict(versions)
