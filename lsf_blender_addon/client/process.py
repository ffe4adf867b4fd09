"""One server process: starts it in a clean environment, exchanges messages with it, and always kills it in the end."""

import atexit
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, BinaryIO, TypedDict, cast

from . import causes
from .wire import PROTOCOL, SERVER_PARENT, Arrays, Header, Reader, WireError, write_message

HANDSHAKE_SECONDS = 60  # a virus scanner may delay the first start after an installation
PING_SECONDS = 2.0  # between two pings
# Pings in a row without a byte from the server, after which it hangs: 30 s. With ten busy processes for each core,
# answers took up to 2 s during a fit, and 5 s during the import of torch. While it loads, virus scanners may look at
# each library: 90 s. Pings are counted, not seconds: a computer may sleep.
STALL_PINGS, LOADING_STALL_PINGS = 15, 45
KILL_SECONDS = 5.0  # until the system has ended a killed process
MAX_LOG_BYTES = 5 << 20  # a larger log is renamed at the next start
CHUNK = 1 << 20  # bytes written at a time
TRUNCATED = "truncated_frame"  # code of a WireError: the server has ended in the middle of a message

StrPath = str | os.PathLike[str]


class ServerError(Exception):
    """The server cannot be started or has ended; the message is a sentence for the artist."""


def clean_environment(python_path: Path = SERVER_PARENT) -> dict[str, str]:
    """Return the environment variables for another Python.

    Args:
        python_path: The folder in which that Python finds `server`.

    Returns:
        This process's variables without those that are meant for Blender's Python or for a virtual environment.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTHON") and name not in ("VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
    }
    return environment | {"PYTHONPATH": str(python_path), "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}


class PopenOptions(TypedDict, total=False):
    """Options of subprocess.Popen that differ between systems."""

    creationflags: int
    start_new_session: bool
    process_group: int


def popen_options() -> PopenOptions:
    """Return options for a process in the background.

    On Windows it has no console window. Elsewhere it has a process group of its own, so that Ctrl-C in a terminal ends
    Blender alone.
    """
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


class Traffic:
    """A stream that counts what goes through it."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        assert stream is not None  # Popen was told to open it
        self._stream = stream
        self.moves = 0

    def read(self, size: int) -> bytes:
        """Read this number of bytes, fewer only at the end of the stream."""
        data = self._stream.read(size)
        self.moves += 1
        return data

    def writelines(self, parts: Iterable[bytes | memoryview]) -> None:
        """Write bytes."""
        for part in parts:
            view = memoryview(part)
            for start in range(0, len(view), CHUNK):
                self._stream.write(view[start : start + CHUNK])
                self.moves += 1

    def flush(self) -> None:
        """Write what is still held."""
        self._stream.flush()

    def close(self) -> None:
        """Close the stream; what was not flushed yet is lost if nobody reads it."""
        with contextlib.suppress(OSError, ValueError):  # ValueError: another thread closes it at this moment
            self._stream.close()


class ServerProcess:
    """A running `python -m server`. Call `greet` before anything else.

    On Linux, the system ends the process with the thread that makes this object.

    Args:
        python: The Python that runs the server.
        log_path: File that its stderr is appended to. If it cannot be written, a temporary file has its place.
        arguments: Arguments of its command line, for example ["--device", "cuda"].

    Attributes:
        pid: Id of the process.
        is_loading: Whether it still loads its model; the client sets it.

    Raises:
        ServerError: The process cannot be started.
    """

    def __init__(self, python: StrPath, log_path: StrPath, arguments: list[str] | None = None) -> None:
        self._log = _open_log(Path(log_path))
        self._log_start = self._log.seek(0, os.SEEK_END)
        options = popen_options()
        if sys.platform != "win32":
            # A process group of its own in this session: when this process dies, the system ends a stopped server.
            options = {"process_group": 0}
        try:
            self._process = subprocess.Popen(
                [os.fspath(python), "-m", "server", "--parent", str(os.getpid()), *(arguments or [])],
                cwd=SERVER_PARENT,
                env=clean_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                **options,
            )
        except OSError as error:
            self._log.close()
            raise ServerError(causes.of_start(error)) from error
        atexit.register(self.kill)
        self.pid = self._process.pid
        self.is_loading = True
        self._stdin, self._stdout = Traffic(self._process.stdin), Traffic(self._process.stdout)
        self._reader = Reader(cast(BinaryIO, self._stdout))
        self._ended, self._ended_for = threading.Event(), ""
        self._ping_is_out = self._has_greeted = False

    def greet(self, seconds: float = HANDSHAKE_SECONDS) -> Header:
        """Exchange `hello` messages.

        Args:
            seconds: How long to wait for the answer.

        Returns:
            The server's `hello`.

        Raises:
            ServerError: The server has another version, has ended, or does not answer.
        """
        watchdog = threading.Timer(seconds, self._give_up, [causes.SILENT])
        watchdog.daemon = True
        watchdog.start()
        try:
            self.send({"type": "hello", "protocol": PROTOCOL})
            header, _ = self.receive()
        finally:
            watchdog.cancel()
        self._has_greeted = True
        if header.get("type") == "hello" and header.get("protocol") == PROTOCOL:
            return header
        self.kill()
        raise ServerError(causes.of_reply(header)[1] if header.get("type") == "error" else causes.OTHER_VERSION)

    def watch(self, ping: Callable[[], None]) -> None:
        """Wait for the end of the process, and end it if it hangs: then `receive` raises. Runs in a thread of its own.

        Args:
            ping: Called every PING_SECONDS; shall let another thread call `ping`, which may block.
        """
        silent, moves = 0, -1
        while not self._ended.wait(PING_SECONDS):
            before, moves = moves, self._stdin.moves + self._stdout.moves
            silent = silent + 1 if moves == before else 0
            if silent >= (LOADING_STALL_PINGS if self.is_loading else STALL_PINGS):
                self._give_up(causes.HUNG)
                return
            ping()

    def ping(self) -> None:
        """Send a `ping`, unless one was not answered yet. Raises ServerError if the server has ended."""
        if not self._ping_is_out:
            self._ping_is_out = True
            self.send({"type": "ping"})

    def send(self, header: Header, arrays: Arrays | None = None) -> None:
        """Write one message.

        Args:
            header: Fields of the message, see docs/protocol.md.
            arrays: Arrays of the message by name.

        Raises:
            ServerError: The server has ended.
            WireError: The message exceeds a limit of the protocol.
        """
        try:
            write_message(cast(BinaryIO, self._stdin), header, arrays)
        except (OSError, ValueError) as error:  # ValueError: kill() closed the pipe
            raise ServerError(self.exit_reason()) from error

    def receive(self) -> tuple[Header, Arrays]:
        """Wait for the next message, and return its header and arrays.

        Raises:
            ServerError: The server has ended, or has sent something that is not a message.
        """
        try:
            header, arrays = self._reader.read()
        except Exception as error:  # EOFError, WireError, OSError; ValueError: kill() closed the pipe; MemoryError
            if isinstance(error, MemoryError) or (isinstance(error, WireError) and error.code == "out_of_memory"):
                self._give_up(causes.NO_MEMORY)
            elif not isinstance(error, EOFError | OSError | ValueError) and getattr(error, "code", "") != TRUNCATED:
                # The server lets nothing else print; what comes before its `hello` is of the Python or its launcher.
                self._give_up(causes.DAMAGED if self._has_greeted else causes.PRINTS)
            reason = self.exit_reason()  # before kill(), after which the exit code is that of a killed process
            self.kill()
            raise ServerError(reason) from error
        if header.get("type") == "pong":
            self._ping_is_out = False
        return header, arrays

    def kill(self) -> None:
        """End the process at once; a second call does nothing. The server keeps no half-written files."""
        atexit.unregister(self.kill)
        self._ended.set()
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # a dead network drive may hold it
            self._process.wait(KILL_SECONDS)
        self._stdin.close()
        self._stdout.close()
        with contextlib.suppress(OSError, ValueError):  # ValueError: another thread closes it at this moment
            self._log.close()

    def exit_reason(self) -> str:
        """Return a sentence that says why the server has ended, from its exit code and the last lines of its log."""
        if self._ended_for:
            return self._ended_for
        code: int | None = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(1)
        self._ended_for = causes.of_end(code, self._log_tail())
        return self._ended_for

    def _give_up(self, reason: str) -> None:
        """End the process for a reason, a sentence."""
        self._ended_for = self._ended_for or reason
        self._process.kill()

    def _log_tail(self) -> str:
        """Return the last 8 KB of what this process has logged."""
        try:
            self._log.seek(max(self._log_start, self._log.seek(0, os.SEEK_END) - 8192))
            return self._log.read().decode("utf-8", "replace")
        except (OSError, ValueError):  # ValueError: kill() has closed it
            return ""


def previous_log(path: Path) -> Path:
    """Return where the log before this one is kept."""
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def _open_log(path: Path) -> IO[bytes]:
    """Open the log to append to it. A large one becomes the previous log. If it cannot be, open a temporary file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file() and path.stat().st_size >= MAX_LOG_BYTES:
            with contextlib.suppress(OSError):  # another program has it open (Windows)
                path.replace(previous_log(path))
        return path.open("a+b")
    except OSError:  # it is a folder, or the disk is full or read-only
        with contextlib.suppress(OSError):
            return tempfile.TemporaryFile()
    return Path(os.devnull).open("r+b")
