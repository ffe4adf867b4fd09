"""Runs pip in the server's environment: with progress and cancel, and without downloading anything twice."""

import contextlib
import hashlib
import html
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TextIO
from urllib.parse import urlsplit

from .causes import reason
from .environments import InstallationError
from .process import StrPath, clean_environment, popen_options
from .requirements import PIP, Size

POLL_SECONDS = 0.1  # between two checks whether the artist has cancelled
SCAN_SECONDS = 2.0  # between two measurements of what is unpacked: 25 000 files take a tenth of a second
DOWNLOAD_SHARE = 0.7  # of the progress bar; the rest is for unpacking
OUTPUT_KEPT = 8000  # last characters of a command's output, which are searched for its error
RESUMES = 40  # how often pip goes on with one file; it waits longer each time that there is no connection at all
# Settings of pip for other installations: here they would put the packages elsewhere, or forbid the environment.
FOREIGN_SETTINGS = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_REQUIRE_VIRTUALENV", "PIP_PYTHON")


class Cancelled(Exception):
    """The artist pressed Cancel."""


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


@dataclass(frozen=True)
class Advice:
    """What the output of a failed command means.

    Attributes:
        pattern: Regular expression that is searched for in the output.
        sentence: What is wrong and what to do, for the artist. Placeholders: {package}, the pattern's group, and {log}.
    """

    pattern: str
    sentence: str


DAMAGED = Advice(
    r"DO NOT MATCH THE HASHES|BadZipFile|has an invalid wheel|is invalid|Bad CRC",
    "A package is damaged, or not the one that was tested: press Install again. A wheel folder or a package index "
    "needs the versions that client/requirements.lock names.",
)
# The first that matches counts.
ADVICE = (
    Advice(
        r"No space left|not enough space|Errno 28",
        "The disk is full: make room, then press Install again. What was downloaded is kept.",
    ),
    Advice(
        r"ensurepip|No module named '?venv",
        "This Python cannot make environments: install its venv package (on Debian and Ubuntu: apt install "
        "python3-venv), or choose another Python.",
    ),
    Advice(
        r"Long Path",
        "A path is too long for this Windows: allow long paths there, or move Blender's user folder to a shorter path.",
    ),
    Advice(
        r"WinError (?:5|32)\b|being used by another process",
        "Files of the old speech engine are in use: close all other Blenders, then press Install again.",
    ),
    Advice(
        r"CERTIFICATE_VERIFY_FAILED|SSLError",
        "The package server's certificate is not trusted, as behind some proxies: ask for your studio's certificate "
        "file and set PIP_CERT to its path, or use a folder of wheels.",
    ),
    Advice(
        r"ProxyError|Proxy Authentication",
        "The proxy refuses the connection: check the variables HTTP_PROXY and HTTPS_PROXY or pip's configuration, or "
        "use a folder of wheels.",
    ),
    Advice(
        r"40[13] (?:Client )?Error|HTTP error 40[13]",
        "The package index asks for a user name and password: write them into the address of the Package Index, or "
        "into pip's configuration.",
    ),
    Advice(
        r"No matching distribution found for torch\S*\+cpu",
        "PyTorch's package server (download.pytorch.org) cannot be reached or has no build for this Python: check the "
        "network, choose the GPU build in the preferences, or use a folder of wheels.",
    ),
    Advice(
        r"NewConnectionError|Temporary failure in name resolution|Connection\w*Error|ReadTimeout|IncompleteRead|"
        r"[Ii]ncomplete.?[Dd]ownload|ProtocolError|Connection broken",
        "The package server cannot be reached, or the connection broke off: check the network, then press Install "
        "again. What was downloaded is kept.",
    ),
    DAMAGED,
    Advice(
        r"No matching distribution found for (?P<package>\S+)",
        "No package {package} fits this Python: choose another Python, or add the wheels for it to the wheel folder.",
    ),
    Advice(r"DLL load failed", "A Windows library is missing: install Microsoft's Visual C++ Redistributable first."),
)
UNKNOWN = Advice("", "The installation failed: its log {log} says why; press Install to try again.")


class CommandError(InstallationError):
    """A command has failed.

    Attributes:
        advice: What its output means.
    """

    def __init__(self, advice: Advice, **values: object) -> None:
        super().__init__(advice.sentence, **values)
        self.advice = advice


class Downloads:
    """The folder of what is downloaded: it outlives attempts that fail, so that the next one goes on from there.

    pip downloads to a folder for temporary files, which it removes when it fails. Every wheel in there gets a second
    name in `kept` (a hard link, which needs no room), and the next pip is told to look there first.

    Attributes:
        temporary: Folder for temporary files of all commands, so that they need no room on another disk.

    Args:
        folder: The folder; it is made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.temporary, self.kept, self._page = folder / "temp", folder / "wheels", folder / "index.html"
        self.kept.mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        """Make an empty folder for temporary files, and list the complete wheels that an earlier attempt has left."""
        shutil.rmtree(self.temporary, ignore_errors=True)
        self.temporary.mkdir(parents=True, exist_ok=True)
        links = []
        for path in sorted(self.kept.iterdir()):
            if _is_whole(path):
                # Without its hash, pip prefers the same file on the index, of which it knows the hash.
                address = f"{path.resolve().as_uri()}#sha256={_sha256(path)}"
                links.append(f'<a href="{html.escape(address)}">{html.escape(path.name)}</a>')
            else:
                path.unlink()
        self._page.write_text("<!DOCTYPE html><html><body>{}</body></html>".format("\n".join(links)), "utf-8")

    def keep(self) -> None:
        """Give each wheel that pip downloads a second name. It may not be complete yet."""
        for folder, _, names in os.walk(self.temporary):
            for wheel in names:
                if wheel.endswith(".whl"):
                    with contextlib.suppress(OSError):  # it has one; or this file system has no links: nothing is kept
                        os.link(Path(folder, wheel), self.kept / wheel)

    def options(self) -> list[StrPath]:
        """Return the options with which pip looks among the wheels that are kept first."""
        return ["--find-links", self._page]

    def variables(self) -> dict[str, str]:
        """Return the environment variables that name the folder for temporary files."""
        return dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self.temporary))

    def remove_damaged(self) -> None:
        """Remove the wheels whose contents are damaged. All are read, which takes seconds."""
        for path in self.kept.iterdir():
            if not _is_whole(path, contents=True):
                path.unlink()

    def end_command(self) -> None:
        """Remove what a command has left."""
        shutil.rmtree(self.temporary, ignore_errors=True)

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _is_whole(path: Path, contents: bool = False) -> bool:
    """Return whether a wheel is complete: the list of its contents is at its end.

    Args:
        path: The wheel.
        contents: Whether to compare its contents with their checksums, too.
    """
    try:
        with zipfile.ZipFile(path) as wheel:
            return not contents or wheel.testzip() is None
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError):
        return False


def _sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Pip:
    """Runs `pip install` in an environment, and reports how many megabytes it has downloaded and unpacked.

    Only pip 24.1 and later can print its progress for programs, and Blender 4.2 brings an older one. So the sizes are
    measured: pip downloads all packages of one command to the folder for temporary files, then it unpacks them.

    Args:
        python: The environment's Python.
        folder: The environment's folder.
        downloads: Where the downloads are kept.
        wheels: Folder of wheels to install from without network; None for the network.
        index: URLs of package indexes, separated by spaces, instead of pip's own; "" for pip's own.
        report: Called with the progress.
        size: Of all packages that all commands together will install, about.
        command: Runs the commands.
        on_change: Called when packages of the server are about to be installed or replaced.
    """

    def __init__(
        self,
        python: Path,
        folder: Path,
        downloads: Downloads,
        wheels: StrPath | None,
        index: str,
        report: Report,
        size: Size,
        command: "Command",
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._folder, self._downloads, self._report, self._command = folder, downloads, report, command
        self._on_change = on_change
        self._download, self._unpack = 0 if wheels else size.download, size.stored
        self._pip: list[StrPath] = [python, "-m", "pip", "--disable-pip-version-check", "--no-input"]
        # Wheels alone: nothing is compiled, and no package's own code runs while it is installed.
        self._options: list[StrPath] = ["--progress-bar", "off", "--no-cache-dir", "--only-binary", ":all:"]
        self._options += ["--no-index", "--find-links", wheels] if wheels else []
        self._offline = bool(wheels)
        self._variables = index_variables(index)
        self._before = megabytes(folder)  # of the environment without packages
        self._earlier = megabytes(downloads.kept)  # downloaded by earlier attempts and commands
        self._here = self._unpacked = 0.0  # megabytes downloaded by this command; unpacked
        self._package, self._unpacking, self._next_scan = "", False, 0.0
        self._is_change = False

    def prepare(self) -> None:
        """Have a pip that can go on with a download that broke off; a newer one is installed if this one cannot.

        Raises:
            Cancelled: The artist has cancelled it.
        """
        if self._offline:
            return
        resume: list[StrPath] = ["--resume-retries", str(RESUMES)]
        if not self._has(resume):
            with contextlib.suppress(InstallationError):  # then it is done with the old one
                self.install(["--require-hashes", "--no-deps", "-r", PIP], is_change=False)
        if self._has(resume):
            self._options += resume

    def _has(self, option: Sequence[StrPath]) -> bool:
        """Return whether this pip knows an option of `install`."""
        try:
            self._command.run([*self._pip, "install", *option, "--help"], variables=self._downloads.variables())
        except CommandError:
            return False
        return True

    def install(self, arguments: Sequence[StrPath], is_change: bool = True) -> None:
        """Install packages; see `Command.run` for what it raises.

        Args:
            arguments: What follows on `pip install`.
            is_change: Whether they are packages of the server.
        """
        self._is_change = is_change
        self._package, self._unpacking, self._here = "", False, 0.0
        self._downloads.start()
        local = [] if self._offline else self._downloads.options()
        try:
            self._command.run(
                [*self._pip, "install", *self._options, *local, *arguments],
                self._on_line,
                self._on_tick,
                self._downloads.variables() | self._variables,
            )
        except CommandError as error:
            if error.advice is DAMAGED:
                self._downloads.remove_damaged()
            raise
        finally:
            self._earlier += self._here
            self._downloads.end_command()

    def _on_line(self, line: str) -> None:
        """Keep what was downloaded; note the package, and whether the downloads have ended."""
        if not self._offline:
            self._downloads.keep()  # small wheels come and go between two ticks
        if line.startswith("Installing collected packages"):
            if self._is_change:
                self._on_change()
            self._unpacking, self._next_scan, self._package = True, 0.0, ""
        elif found := re.match(r"\s*(?:Collecting|Processing|Downloading|Using cached) (\S+)", line):
            name = re.split(r"[/\\]", found[1])[-1]
            self._package = re.split("-" if name.endswith(".whl") else r"[<>=!~;\[(]", name, maxsplit=1)[0]

    def _on_tick(self) -> None:
        """Measure and report."""
        if not self._offline:
            self._downloads.keep()
        if self._unpacking:
            if time.monotonic() >= self._next_scan:
                self._unpacked = max(self._unpacked, megabytes(self._folder) - self._before)
                self._next_scan = time.monotonic() + SCAN_SECONDS
            self._say("Unpacking", self._unpacked, self._unpack)
        elif self._download:
            self._here = max(self._here, megabytes(self._downloads.temporary, suffix=".whl"))
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


def index_variables(index: str) -> dict[str, str]:
    """Return the environment variables with which pip asks these indexes; they come before its configuration.

    They are no arguments, since an address may hold a password, and every user can read those. pip leaves out addresses
    without encryption, unless their host is named as trusted: whoever writes http:// trusts it.

    Args:
        index: URLs, separated by spaces; "" for pip's own settings.

    Raises:
        InstallationError: One of them is no URL.
    """
    addresses = index.split()
    for address in addresses:
        if not re.match(r"(https?://[^/\s]|file:///)", address):
            raise InstallationError(
                'The Package Index "{address}" is no address: it begins with https:// or http://.', address=address
            )
    if not addresses:
        return {}
    variables = {"PIP_INDEX_URL": addresses[0], "PIP_EXTRA_INDEX_URL": " ".join(addresses[1:])}
    if plain := [urlsplit(address).hostname or "" for address in addresses if address.startswith("http:")]:
        variables["PIP_TRUSTED_HOST"] = " ".join([*plain, os.environ.get("PIP_TRUSTED_HOST", "")])
    return variables


def megabytes(folder: StrPath, suffix: str = "") -> float:
    """Return the size of files in a folder and below it.

    Args:
        folder: The folder. Files may come and go meanwhile.
        suffix: End of the names of the files that count.
    """
    size, folders = 0.0, [os.fspath(folder)]
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:  # pip may have removed it
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif entry.name.endswith(suffix):
                    size += entry.stat(follow_symlinks=False).st_size
    return size / 1e6


class Command:
    """Runs programs to their end.

    Args:
        log: File for their output.
        cancelled: Called several times a second; returns whether to stop.
        inherited: A file that they keep open as long as they run; None for none.
    """

    def __init__(self, log: TextIO, cancelled: Callable[[], bool], inherited: IO[str] | None = None) -> None:
        self._log, self._cancelled, self._inherited = log, cancelled, inherited

    def run(
        self,
        command: Sequence[StrPath],
        on_line: Callable[[str], None] = lambda line: None,
        on_tick: Callable[[], None] = lambda: None,
        variables: dict[str, str] | None = None,
    ) -> None:
        """Run a command to its end.

        Args:
            command: The program and its arguments.
            on_line: Called with each line of its output.
            on_tick: Called a few times a second.
            variables: Variables of its environment.

        Raises:
            CommandError: It fails.
            InstallationError: It cannot be started.
            Cancelled: `cancelled` returned True.
        """
        command = [os.fspath(part) for part in command]
        self._log.write(f"$ {subprocess.list2cmdline(command)}\n")
        environment = {name: value for name, value in clean_environment().items() if name not in FOREIGN_SETTINGS}
        del environment["PYTHONPATH"]
        inherited = [self._inherited.fileno()] if self._inherited is not None and sys.platform != "win32" else []
        try:
            process = subprocess.Popen(
                command,
                env=environment | (variables or {}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                pass_fds=inherited,
                **popen_options(),
            )
        except OSError as error:
            raise InstallationError(
                '"{program}" cannot be started ({error}).', program=command[0], error=reason(error)
            ) from error
        lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=_read_lines, args=(process.stdout, lines), daemon=True).start()
        output, next_tick = "", 0.0
        while True:
            if self._cancelled():
                _kill_tree(process)
                with contextlib.suppress(queue.Empty):  # all of the output counts, see Pip's on_change
                    while (line := lines.get(timeout=1.0)) is not None:
                        on_line(line)
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
            self._log.write(line)
            self._log.flush()
            on_line(line)
            output = (output + line)[-OUTPUT_KEPT:]
        if process.wait() != 0:
            raise failure(output, self._log.name)


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


def failure(output: str, log_path: str) -> CommandError:
    """Return the error of a failed command, whose sentence follows from its output."""
    for advice in ADVICE:
        if match := re.search(advice.pattern, output):
            return CommandError(advice, log=log_path, **match.groupdict())
    return CommandError(UNKNOWN, log=log_path)
