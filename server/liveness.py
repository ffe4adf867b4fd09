"""When a process of the server ends by itself: with the program that started it, and when its work hangs."""

import contextlib
import ctypes
import faulthandler
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

PARENT_SECONDS = 1.0  # between two looks at the parent
HANG_TICK = 2.0  # seconds between two looks at the processor time
HANG_TICKS = 60  # looks in a row at which work stands still, until it hangs: 2 minutes. A slow drive gets on with it
HANG_SHARE = 0.01  # of one processor: work that takes less stands still. Answering pings takes a hundredth of this
PR_SET_PDEATHSIG = 1  # of prctl, in linux/prctl.h
SYNCHRONIZE, INFINITE = 0x00100000, 0xFFFFFFFF  # of the Windows API


def follow(parent: int) -> None:
    """End this process when another one ends, even while the main thread is busy or the process is stopped.

    The other process is the one that started this one, or the one that started its launcher. On Linux the system kills
    this process with the thread that started it, which must therefore live as long as its process.

    Args:
        parent: The other process's id.
    """
    started_by = os.getppid()
    if sys.platform == "linux" and started_by == parent:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # a stopped process ends with SIGKILL only
    wait = partial(_wait_on_windows, parent) if sys.platform == "win32" else partial(_poll, parent, started_by)
    threading.Thread(target=wait, name="parent", daemon=True).start()


def _poll(parent: int, started_by: int) -> None:
    """Wait for the end of a process on POSIX systems, then end this one. Its children go to another parent then."""
    while os.getppid() == started_by and _exists(parent):
        time.sleep(PARENT_SECONDS)
    os._exit(0)


def _exists(process: int) -> bool:
    """Whether there is a process of this id."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it belongs to another user
        return True
    return True


def _wait_on_windows(parent: int) -> None:
    """Wait for the end of a process on Windows, then end this one."""
    kernel = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined]  # on Windows only
    kernel.OpenProcess.restype = ctypes.c_void_p
    handle = kernel.OpenProcess(SYNCHRONIZE, False, parent)
    if handle:  # without it, the end of stdin ends this process
        kernel.WaitForSingleObject(ctypes.c_void_p(handle), INFINITE)
        os._exit(0)


class HangWatch:
    """Notices that work hangs: it takes no processor time for HANG_TICKS looks in a row, as in a deadlock.

    Looks are counted, not seconds: while a computer sleeps or the process is stopped, no look is taken.
    """

    def __init__(self, hung: Callable[[], None]) -> None:
        """Make a watch.

        Args:
            hung: Called once, in a thread, when work hangs. Before that, the stacks of all threads go to stderr.
        """
        self._hung, self._working = hung, False
        self._lock, self._pauses = threading.Lock(), 0  # threads that are in a pause; guarded by _lock
        self._thread = threading.Thread(target=self._watch, name="hang-watch", daemon=True)

    @contextlib.contextmanager
    def work(self) -> Iterator[None]:
        """Watch what is done in this context; one thread at a time."""
        if not self._thread.is_alive():
            self._thread.start()
        self._working = True
        try:
            yield
        finally:
            self._working = False

    @contextlib.contextmanager
    def pause(self) -> Iterator[None]:
        """Do not watch while any thread is in this context: it may wait for another program."""
        with self._lock:
            self._pauses += 1
        try:
            yield
        finally:
            with self._lock:
                self._pauses -= 1

    def _watch(self) -> None:
        """Look at the processor time until work hangs."""
        looks, used = 0, time.process_time()
        while looks < HANG_TICKS:
            time.sleep(HANG_TICK)
            before, used = used, time.process_time()
            if not self._working or used - before >= HANG_SHARE * HANG_TICK:
                looks = 0
            elif not self._pauses:
                looks += 1
        with contextlib.suppress(Exception):  # stderr may be closed, or have no file descriptor
            faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
        self._hung()


def memory() -> tuple[int, int]:
    """Return the bytes of memory that this process takes now, and the most that it has taken; 0 where not known."""
    if sys.platform == "win32":
        return 0, 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    if sys.platform != "linux":
        return 0, peak
    try:
        pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    except OSError:  # a container may have no /proc
        return 0, peak
    now = int(pages) * os.sysconf("SC_PAGE_SIZE")
    return now, max(now, peak)  # the system counts in different ways
