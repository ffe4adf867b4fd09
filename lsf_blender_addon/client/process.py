"""One server process: starts it in a clean environment, exchanges messages with it, and always kills it in the end."""

import atexit
import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, BinaryIO, TypedDict, cast

from .wire import PROTOCOL, SERVER_PARENT, Arrays, Header, Reader, WireError, write_message

HANDSHAKE_SECONDS = 60  # a virus scanner may delay the first start after an installation
MAX_LOG_BYTES = 5 << 20  # a larger log is emptied at the next start

StrPath = str | os.PathLike[str]

# Text in the last lines of the log, and advice for the artist. The first that is found counts.
ADVICE = (
    ("No module named 'server", "The add-on's files are incomplete: reinstall the add-on."),
    (
        "No module named '",
        "This Python lacks packages of the speech engine: press Install in the add-on's preferences.",
    ),
    (
        "ImportError: numpy.core.multiarray failed",
        "The packages do not fit each other: press Install again in the add-on's preferences.",
    ),
    ("DLL load failed", "A Windows library is missing: install Microsoft's Visual C++ Redistributable first."),
    ("MemoryError", "The computer ran out of memory: close other programs, or use shorter audio."),
    ("DefaultCPUAllocator", "The computer ran out of memory: close other programs, or use shorter audio."),
    ("No space left on device", "The disk is full: make room, then try again."),
)


DAMAGED = "The server's answer is damaged: try again, or reinstall the add-on."


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


def popen_options() -> PopenOptions:
    """Return options for a process in the background.

    On Windows it has no console window. Elsewhere it has a process group of its own, so that Ctrl-C in a terminal ends
    Blender alone.
    """
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


class ServerProcess:
    """A running `python -m server`. Call `greet` before anything else.

    Args:
        python: The Python that runs the server.
        log_path: File that its stderr is appended to.
        arguments: Arguments of its command line, for example ["--device", "cuda"].

    Raises:
        ServerError: The process cannot be started.
        OSError: The log cannot be written.
    """

    def __init__(self, python: StrPath, log_path: StrPath, arguments: list[str] | None = None) -> None:
        self.log_path = Path(log_path)
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        keep = self.log_path.is_file() and self.log_path.stat().st_size < MAX_LOG_BYTES
        self._log_start = self.log_path.stat().st_size if keep else 0
        try:
            with self.log_path.open("ab" if keep else "wb") as log:
                self._process = subprocess.Popen(
                    [os.fspath(python), "-m", "server", *(arguments or [])],
                    cwd=SERVER_PARENT,
                    env=clean_environment(),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    **popen_options(),
                )
        except OSError as error:
            raise ServerError(
                f'The server\'s Python "{python}" cannot be started ({error.strerror or error}): choose '
                "another one, or press Install in the add-on's preferences."
            ) from error
        atexit.register(self.kill)
        self._stdin, self._stdout = _opened(self._process.stdin), _opened(self._process.stdout)
        self._reader = Reader(self._stdout)
        self._timed_out = False

    def greet(self, seconds: float = HANDSHAKE_SECONDS) -> Header:
        """Exchange `hello` messages.

        Args:
            seconds: How long to wait for the answer.

        Returns:
            The server's `hello`.

        Raises:
            ServerError: The server has another version, has ended, or does not answer.
        """

        def give_up() -> None:
            self._timed_out = True
            self._process.kill()

        watchdog = threading.Timer(seconds, give_up)
        watchdog.daemon = True
        watchdog.start()
        try:
            self.send({"type": "hello", "protocol": PROTOCOL})
            header, _ = self.receive()
        finally:
            watchdog.cancel()
        if header.get("type") == "hello" and header.get("protocol") == PROTOCOL:
            return header
        self.kill()
        raise ServerError(str(header.get("message", "The server is of another version: reinstall the add-on.")))

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
            write_message(self._stdin, header, arrays)
        except (OSError, ValueError) as error:  # ValueError: kill() closed the pipe
            raise ServerError(self.exit_reason()) from error

    def receive(self) -> tuple[Header, Arrays]:
        """Wait for the next message, and return its header and arrays.

        Raises:
            ServerError: The server has ended, or has sent something that is not a message.
        """
        try:
            return self._reader.read()
        except (EOFError, WireError, OSError, ValueError) as error:  # ValueError: kill() closed the pipe
            is_damaged = isinstance(error, WireError) and error.code != "truncated_frame"
            # exit_reason() comes first: after kill() the exit code is always that of a killed process.
            reason = DAMAGED if is_damaged else self.exit_reason()
            self.kill()
            raise ServerError(reason) from error

    def kill(self) -> None:
        """End the process at once; a second call does nothing. The server keeps no half-written files."""
        atexit.unregister(self.kill)
        self._process.kill()
        self._process.wait()
        for pipe in (self._stdin, self._stdout):
            with contextlib.suppress(OSError):  # what was not flushed yet is lost
                pipe.close()

    def exit_reason(self) -> str:
        """Return a sentence that says why the server has ended, from its exit code and the last lines of its log."""
        code: int | None = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(1)
        if self._timed_out:
            return "The server did not answer: try again, or press Install again in the add-on's preferences."
        tail = self._log_tail()
        for pattern, sentence in ADVICE:
            if pattern in tail:
                return sentence
        if code == -9:  # SIGKILL by the system; after kill() this method is not called
            return "The system ended the server, usually because memory ran out: close other programs, then try again."
        if not tail.strip():
            return (
                f"The server stopped without an error message (exit code {code}): try again, or press Install in "
                "Preferences."
            )
        return f"The server stopped unexpectedly (exit code {code}): try again; its log is {self.log_path}."

    def _log_tail(self) -> str:
        """Return the last 8 KB of what this process has logged."""
        try:
            with self.log_path.open("rb") as log:
                log.seek(max(self._log_start, self.log_path.stat().st_size - 8192))
                return log.read().decode("utf-8", "replace")
        except OSError:
            return ""


def _opened(pipe: IO[bytes] | None) -> BinaryIO:
    """Return a pipe that Popen was told to open, which its type calls optional."""
    assert pipe is not None
    return cast(BinaryIO, pipe)  # the stubs of Popen say IO[bytes]
