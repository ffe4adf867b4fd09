"""Clears the cache of fitted faces, which the server keeps in the user's cache folder."""

import subprocess
import threading
from pathlib import Path

from ..client import last_fault
from ..client.process import clean_environment, popen_options

# The server's Python knows where its cache is; this takes a second, most of it for importing numpy.
CLEAR = "from server.face.cache import FaceCache, default_folder; print(FaceCache(default_folder()).clear())"
MAX_SECONDS = 120.0  # of a slow network folder with a full cache

clearing: "Clearing | None" = None  # the one that runs, or the last one


class Clearing:
    """Deletes the files in a thread, with the server's Python.

    Attributes:
        freed: Size of the deleted files in bytes; None until it is known.
        failed: Whether they could not be deleted.
    """

    def __init__(self, python: Path) -> None:
        self.freed: int | None = None
        self.failed = False
        self._thread = threading.Thread(target=self._run, args=(python,), name="clear-cache", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._thread.is_alive()

    def wait(self) -> None:
        """Wait for its end."""
        self._thread.join()

    def _run(self, python: Path) -> None:
        """Run the server's Python; a function for a thread."""
        try:
            run = subprocess.run(
                [python, "-c", CLEAR],
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=MAX_SECONDS,
                check=True,
                **popen_options(),
            )
            self.freed = int(run.stdout)
        except subprocess.CalledProcessError as error:
            self._fail(error.stderr.decode("utf-8", "replace"))
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            self._fail(str(error))

    def _fail(self, details: str) -> None:
        """Remember why it failed, for Copy Report."""
        self.failed = True
        last_fault.note("The cache could not be cleared", details)


def start(python: Path) -> Clearing:
    """Clear the cache with the server's Python. The caller has stopped the server, which keeps faces in memory."""
    global clearing
    clearing = Clearing(python)
    return clearing


def running() -> bool:
    """Return whether the cache is being cleared."""
    return clearing is not None and clearing.running


def forget() -> None:
    """Forget the result of the last time."""
    global clearing
    clearing = None
