"""One server process: started in a clean environment, greeted, spoken to, killed without fail."""

import atexit
import os
import subprocess
import threading
from pathlib import Path

from .wire import PROTOCOL, SERVER_PARENT, Reader, WireError, write_message

HANDSHAKE_SECONDS = 60  # the first start after an install may sit behind a virus scanner
MAX_LOG_BYTES = 5 << 20

# What the log's end says, and what that means for an artist.
ADVICE = (
    ("No module named 'server", "The add-on's files are incomplete: reinstall the add-on."),
    ("No module named '", "This Python lacks packages of the speech engine: press Install in the add-on's preferences."),
    (
        "ImportError: numpy.core.multiarray failed",
        "The packages do not fit each other: press Install again in the add-on's preferences.",
    ),
    ("DLL load failed", "A Windows library is missing: install Microsoft's Visual C++ Redistributable first."),
    ("MemoryError", "The computer ran out of memory: close other programs, or use shorter audio."),
    ("DefaultCPUAllocator", "The computer ran out of memory: close other programs, or use shorter audio."),
    ("No space left on device", "The disk is full: make room, then try again."),
)


class ServerError(Exception):
    """The server cannot be started or has gone; the message is a sentence for the artist."""


def clean_environment(python_path: Path = SERVER_PARENT) -> dict[str, str]:
    """This process's environment without what would mislead another Python, and with `server` on its path."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTHON") and name not in ("VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
    }
    return environment | {"PYTHONPATH": str(python_path), "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}


def popen_options() -> dict:
    """No console window on Windows; a process group of its own elsewhere, so that Ctrl-C in a terminal spares it."""
    if os.name == "nt":
        return {"creationflags": subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


class ServerProcess:
    """`python -m server`, started when made (ServerError if it cannot be); call `greet` before anything else.

    `arguments` go to its command line, for example ["--device", "cuda"].
    """

    def __init__(self, python: str | os.PathLike, log_path: str | os.PathLike, arguments: list[str] | None = None):
        self.log_path = Path(log_path)
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        keep = self.log_path.is_file() and self.log_path.stat().st_size < MAX_LOG_BYTES
        self._log_start = self.log_path.stat().st_size if keep else 0
        try:
            with open(self.log_path, "ab" if keep else "wb") as log:
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
        self._reader = Reader(self._process.stdout)
        self._timed_out = False

    def greet(self, seconds: float = HANDSHAKE_SECONDS) -> dict:
        """Exchange `hello`s and return the server's; ServerError if it is of another version or says nothing."""

        def give_up():
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

    def send(self, header: dict, arrays: dict | None = None) -> None:
        """Write one message; ServerError if the server has gone, WireError if the message breaks a limit."""
        try:
            write_message(self._process.stdin, header, arrays)
        except (OSError, ValueError) as error:  # ValueError: kill() closed the pipe
            raise ServerError(self.exit_reason()) from error

    def receive(self) -> tuple[dict, dict]:
        """Wait for the next message; ServerError if the server has gone or talks nonsense."""
        try:
            return self._reader.read()
        except (EOFError, WireError, OSError, ValueError) as error:
            self.kill()
            raise ServerError(self.exit_reason()) from error

    def kill(self) -> None:
        """End the process at once; harmless twice. Nothing is lost: the server keeps nothing half-written."""
        atexit.unregister(self.kill)
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                pipe.close()
            except OSError:  # what could not be flushed any more
                pass

    def exit_reason(self) -> str:
        """One sentence on why the server is gone, from what its log says at the end."""
        try:
            code = self._process.wait(1)
        except subprocess.TimeoutExpired:
            code = None
        if self._timed_out:
            return "The server did not answer: try again, or press Install again in the add-on's preferences."
        tail = self._log_tail()
        for pattern, sentence in ADVICE:
            if pattern in tail:
                return sentence
        if code == -9:  # SIGKILL, and nobody here sent it (kill() leaves nobody who would ask)
            return "The system ended the server, as a rule for want of memory: close other programs, then try again."
        if not tail.strip():
            return f"The server stopped without a word (exit code {code}): try again, or press Install in Preferences."
        return f"The server stopped unexpectedly (exit code {code}): try again; its log is {self.log_path}."

    def _log_tail(self) -> str:
        try:
            with open(self.log_path, "rb") as log:
                log.seek(max(self._log_start, os.path.getsize(self.log_path) - 8192))
                return log.read().decode("utf-8", "replace")
        except OSError:
            return ""
