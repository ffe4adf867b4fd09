"""The message loop of `python -m server`: frames on stdin, replies on stdout, logs on stderr. See docs/protocol.md.

The main thread reads messages and answers at once (hello, ping, cancel). One worker thread loads the model after
`hello` and runs the jobs in order. The process ends with its stdin, so it cannot outlive the program that started it.
"""

import contextlib
import faulthandler
import importlib.metadata
import logging
import os
import platform
import queue
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO, NoReturn

from .. import __version__, liveness
from ..engine import Engine, available, warm_up
from ..errors import MAX_SENTENCE, Cancelled, LSFError, explain, shortened
from ..performance.perform import Report
from . import requests, wire
from .requests import is_job_name, job_name
from .wire import quoted

log = logging.getLogger(__name__)

MAX_JOBS = 256
MAX_QUEUED_BYTES = 2 << 30  # arrays of all jobs in the queue
PROGRESS_INTERVAL = 0.1  # seconds between two progress messages of a job with the same text
PACKAGES = ("torch", "numpy", "scipy", "safetensors", "soundfile")  # whose versions `hello` names


class Job:
    """One request in the queue or running.

    Attributes:
        id: The client's name for it.
        run: What runs it.
        bytes: Size of its arrays.
        cancelled: Set when it shall stop.
    """

    def __init__(self, id: str, run: requests.Run, bytes: int):
        self.id, self.run, self.bytes = id, run, bytes
        self.cancelled = threading.Event()


class ClientGone(OSError):
    """The client no longer reads the replies."""


class Server:
    """Answers messages from a stream until it ends or a `shutdown` comes."""

    def __init__(
        self,
        source: BinaryIO,
        sink: BinaryIO,
        make_engine: Callable[[Report], Engine],
        models: list[dict[str, object]],
        device: str,
        end: Callable[[int], None],
    ):
        """Make a server; `run` starts it.

        Args:
            source: Stream of requests.
            sink: Stream of replies.
            make_engine: Builds the engine, and reports its progress to its argument. It is called once, in the worker
                thread after `hello`.
            models: The field "models" of the reply to `hello`.
            device: The requested device, which `hello` names until the engine is loaded.
            end: Ends the process with an exit code. It is called in the worker thread if the model cannot be loaded,
                and in another one if the work hangs.
        """
        self._reader, self._sink = wire.Reader(source), sink
        self._make_engine, self._models, self._device = make_engine, models, device
        self._engine: Engine | None = None
        self._greeted = threading.Event()
        self._sending, self._lock = threading.Lock(), threading.Lock()
        self._queue: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._active: dict[str, Job] = {}  # queued and running; guarded by _lock
        self._running: Job | None = None
        self._end = end
        self._hang_watch = liveness.HangWatch(partial(end, wire.HUNG))
        self._started, self._jobs_done = time.monotonic(), 0
        self._digest = ""  # of the model's weights, once they are read

    def run(self) -> None:
        """Serve until the stream ends. A job that is still running then is cancelled, and its reply is lost."""
        threading.Thread(target=self._work, name="worker", daemon=True).start()
        try:
            while self._serve_one():
                pass
        except (EOFError, OSError):  # OSError: the client no longer reads the replies
            log.info("The client closed the connection.")
        with self._lock:
            for job in self._active.values():
                job.cancelled.set()

    def _serve_one(self) -> bool:
        """Read and answer one message. Returns false after the last one. Raises EOFError or OSError at the end."""
        try:
            header, arrays = self._reader.read()
        except wire.WireError as error:
            log.warning("%s: %s", error.code, error)
            self._error(error.header, error.code, str(error))
            return error.code != "truncated_frame"
        if header.get("type") == "shutdown":
            return False
        try:
            self._answer(header, arrays)
        except ClientGone:
            raise
        except Exception as error:  # LSFError, and bugs: one message must not end the server
            self._error(header, *explain(error))
        return True

    # Main thread: immediate answers

    def _answer(self, header: wire.Header, arrays: wire.Arrays) -> None:
        """Answer one message, or put it into the queue. Raises LSFError."""
        kind = header.get("type")
        if kind == "hello":
            self._hello(header)
        elif not self._greeted.is_set():
            raise LSFError("no_hello", 'The first message must be "hello".')
        elif kind == "ping":
            self._send({"type": "pong", **self._health()})
        elif kind == "cancel":
            self._cancel(header)
        elif isinstance(kind, str) and kind in requests.JOBS:
            self._enqueue(header, arrays)
        else:
            raise LSFError("unknown_message", f"There is no message of type {quoted(kind)}.")

    def _hello(self, header: wire.Header) -> None:
        """Check the protocol version, describe the server, and let the worker load the model."""
        if header.get("protocol") != wire.PROTOCOL:
            raise LSFError(
                "version_mismatch",
                f"The client speaks protocol {quoted(header.get('protocol'))}, this "
                f"server {wire.PROTOCOL}: install add-on and server from the same release.",
            )
        self._send(
            {
                "type": "hello",
                "protocol": wire.PROTOCOL,
                "version": __version__,
                **self._device_fields(),
                "models": self._models,
                "python": platform.python_version(),
                "packages": _versions(),
            }
        )
        self._greeted.set()

    def _enqueue(self, header: wire.Header, arrays: wire.Arrays) -> None:
        """Check a job and put it into the queue. Raises LSFError if a field cannot be used or the queue is full."""
        run = requests.JOBS[header["type"]](header, arrays)
        job = Job(job_name(header), run, sum(array.nbytes for array in arrays.values()))
        with self._lock:
            if job.id in self._active:
                raise LSFError("duplicate_job", f"A job {quoted(job.id)} is already queued or running.")
            if (
                len(self._active) >= MAX_JOBS
                or sum(j.bytes for j in self._active.values()) + job.bytes > MAX_QUEUED_BYTES
            ):
                raise LSFError("busy", "Too many jobs are waiting: send this one again when some are done.")
            self._active[job.id] = job
        self._queue.put(job)

    def _cancel(self, header: wire.Header) -> None:
        """Cancel a job: a waiting one at once, the running one at its next check."""
        with self._lock:
            job = self._active.get(job_name(header))
            if job is None:
                raise LSFError("unknown_job", f"There is no job {quoted(header['job'])} to cancel: it may have ended.")
            job.cancelled.set()
            waiting = job is not self._running
            if waiting:
                del self._active[job.id]
        if waiting:  # the worker skips it; the running job sends its own reply
            self._send({"type": "cancelled", "job": job.id})

    def _health(self) -> wire.Header:
        """Fields of `pong`."""
        memory, peak = liveness.memory()
        state = "loading" if self._engine is None else "ready" if self._running is None else "working"
        uptime = round(time.monotonic() - self._started)
        known = {"model": self._digest} if self._digest else {}
        return {
            "state": state,
            "memory": memory,
            "peak_memory": peak,
            "uptime": uptime,
            "jobs": self._jobs_done,
            **known,
        }

    # Worker thread

    def _work(self) -> None:
        """Run jobs until the process ends (the thread is a daemon), or until the client no longer reads the replies.

        The main thread answers pings as long as the process lives, so this thread must not end without the process.
        """
        try:
            self._greeted.wait()
            if self._load():
                while True:
                    self._take(self._queue.get())
        except ClientGone as error:  # the main thread ends the process as soon as the client closes the other pipe, too
            log.info("The replies cannot be sent: %s", error)
        except BaseException:
            log.exception("The worker stops")
            self._end(wire.WORKER_FAILED)

    def _take(self, job: Job) -> None:
        """Run one job, and send its last reply."""
        with self._lock:
            if job.cancelled.is_set():
                return
            self._running = job
        header, arrays = self._run(job)
        with self._lock:  # before the reply, so that the client may use the id again
            del self._active[job.id]
            self._running = None
            self._jobs_done += 1
        try:
            self._send(header, arrays)
        except ClientGone:
            raise
        except wire.WireError as error:  # the result is too large, for example
            self._error({"job": job.id}, error.code, str(error))
        except Exception as error:  # no memory to copy the result, for example
            self._error({"job": job.id}, *explain(error))

    def _load(self) -> bool:
        """Build the engine and send `ready`. If that fails, say why, end the process, and return false.

        Python keeps modules whose import failed halfway, so that later attempts in this process fail for other reasons.
        """
        started = time.perf_counter()
        try:
            with self._hang_watch.work():
                self._engine = self._make_engine(self._report_loading)
                seconds = round(time.perf_counter() - started, 4)
                self._send({"type": "ready", **self._device_fields(), "seconds": seconds})
                warm_up()
                self._digest = self._engine.digest
            return True
        except ClientGone:
            raise
        except Exception as error:
            code, sentence = explain(error)
            log.error("The model cannot be loaded: %s", sentence)
            self._error({}, code, sentence)
            with self._lock:
                waiting = list(self._active)
            for job in waiting:
                self._error({"job": job}, code, sentence)
            self._end(wire.LOAD_FAILED)
            return False

    def _report_loading(self, fraction: float, text: str) -> None:
        """Send the progress of loading the model."""
        self._send({"type": "loading", "fraction": fraction, "text": text})

    def _run(self, job: Job) -> requests.Reply:
        """Run a job and return the message that ends it."""
        assert self._engine is not None  # _work has loaded it
        try:
            with self._hang_watch.work():
                header, arrays = job.run(self._engine, self._reporter(job), job.cancelled.is_set)
            return {"type": "result", "job": job.id, **header}, arrays
        except Cancelled:
            return {"type": "cancelled", "job": job.id}, {}
        except ClientGone:
            raise
        except Exception as error:
            code, sentence = explain(error)
            return {"type": "error", "job": job.id, "code": code, "message": sentence}, {}

    def _reporter(self, job: Job) -> Callable[[float, str], None]:
        """Return a callback that sends progress: at a limited rate, and never a smaller fraction."""
        last_time, last_text, last_fraction = 0.0, "", 0.0

        def report(fraction: float, text: str) -> None:
            nonlocal last_time, last_text, last_fraction
            now = time.monotonic()
            if (now - last_time < PROGRESS_INTERVAL and text == last_text) or job.cancelled.is_set():
                return
            last_time, last_text, last_fraction = now, text, min(1.0, max(last_fraction, float(fraction)))
            self._send({"type": "progress", "job": job.id, "fraction": last_fraction, "text": text})

        return report

    # Both threads

    def _device_fields(self) -> dict[str, str]:
        """Fields of `hello` and `ready`: the device that is used, or the requested one until the engine is loaded."""
        if self._engine is None:
            return {"device": self._device}
        note = {"device_note": self._engine.device_note} if self._engine.device_note else {}
        return {"device": self._engine.device, **note}

    def _send(self, header: wire.Header, arrays: wire.Arrays | None = None) -> None:
        """Write one message; both threads do. Raises ClientGone or WireError."""
        with self._hang_watch.pause(), self._sending:  # the client may be slow to read
            try:
                wire.write_message(self._sink, header, arrays)
            except OSError as error:
                raise ClientGone(*error.args) from error

    def _error(self, header: wire.Header, code: str, sentence: str) -> None:
        """Send an error about the message with this header. Whatever the header has, this can be written."""
        job = header.get("job")
        about = {"job": job} if is_job_name(job) else {}
        self._send({"type": "error", **about, "code": code, "message": shortened(sentence, MAX_SENTENCE)})


def _versions() -> dict[str, str]:
    """Versions of the server's packages, without importing them; those that are not installed are left out."""
    versions = {}
    for name in PACKAGES:
        with contextlib.suppress(Exception):  # PackageNotFoundError, or damaged metadata
            versions[name] = str(importlib.metadata.version(name))
    return versions


def claim_stdio() -> tuple[BinaryIO, BinaryIO]:
    """Take stdin and stdout for the protocol.

    Returns:
        Streams of requests and replies. From now on stdin is empty, and anything else that prints goes to stderr.
    """
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(source, os.O_BINARY)
        msvcrt.setmode(sink, os.O_BINARY)
    return os.fdopen(source, "rb"), os.fdopen(sink, "wb")


def main(checkpoint: str | None, device: str, cache_folder: Path | None, parent: int | None) -> NoReturn:
    """Run the server on this process's stdin and stdout, then end the process.

    Args:
        checkpoint: The model's folder; None is the one that ships.
        device: "auto", "cpu", "gpu" or the name of a torch device.
        cache_folder: Where fitted faces are kept; None keeps them in memory only.
        parent: Id of a process with which this one shall end; None: it ends with its stdin.
    """
    source, sink = claim_stdio()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    faulthandler.enable()  # a crash in native code leaves the stacks in the log
    if parent is not None:
        liveness.follow(parent)

    def make_engine(report: Report) -> Engine:
        return Engine(checkpoint, device, cache_folder, report)

    log.info("LSF server %s, protocol %d, Python %s", __version__, wire.PROTOCOL, platform.python_version())
    try:
        Server(source, sink, make_engine, available(checkpoint), device, _end_process).run()
        code = 0
    except BaseException:
        log.exception("The server stops")
        code = 1
    _end_process(code)


def _end_process(code: int) -> NoReturn:
    """End the process at once: a thread deep in native code must not delay the exit."""
    logging.shutdown()
    os._exit(code)
