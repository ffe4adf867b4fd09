"""The message loop of `python -m server`: frames on stdin, replies on stdout, logs on stderr. See docs/protocol.md.

The main thread reads messages and answers at once (hello, ping, cancel). One worker thread loads the model after
`hello` and runs the jobs in order. The process ends with its stdin, so it cannot outlive the program that started it.
"""

import logging
import os
import platform
import queue
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NoReturn

from .. import __version__
from ..engine import Engine, available
from ..errors import Cancelled, LSFError
from ..performance.perform import Report
from . import requests, wire
from .requests import job_name, quoted

log = logging.getLogger(__name__)

MAX_JOBS = 256
MAX_QUEUED_BYTES = 2 << 30  # arrays of all jobs in the queue
PROGRESS_INTERVAL = 0.1  # seconds between two progress messages of a job with the same text
MAX_REASON = 120  # characters of an unexpected error in a message


class Job:
    """One request in the queue or running."""

    def __init__(self, header: wire.Header, arrays: wire.Arrays):
        self.id: str = header["job"]
        self.header, self.arrays = header, arrays
        self.bytes = sum(a.nbytes for a in arrays.values())
        self.cancelled = threading.Event()


class Server:
    """Answers messages from a stream until it ends or a `shutdown` comes."""

    def __init__(
        self,
        source: BinaryIO,
        sink: BinaryIO,
        make_engine: Callable[[Report], Engine],
        models: list[dict[str, object]],
        device: str,
    ):
        """Make a server; `run` starts it.

        Args:
            source: Stream of requests.
            sink: Stream of replies.
            make_engine: Builds the engine, and reports its progress to its argument. It is called in the worker thread
                after `hello`, and again at the next job if it raised.
            models: The field "models" of the reply to `hello`.
            device: The requested device, which `hello` names until the engine is loaded.
        """
        self._reader, self._sink = wire.Reader(source), sink
        self._make_engine, self._models, self._device = make_engine, models, device
        self._engine: Engine | None = None
        self._greeted = False
        self._sending, self._lock = threading.Lock(), threading.Lock()
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()  # None: load the model
        self._active: dict[str, Job] = {}  # queued and running; guarded by _lock
        self._running: Job | None = None

    def run(self) -> None:
        """Serve until the stream ends. A job that is still running then is cancelled, and its reply is lost."""
        threading.Thread(target=self._work, name="worker", daemon=True).start()
        try:
            while True:
                try:
                    header, arrays = self._reader.read()
                    if header.get("type") == "shutdown":
                        break
                    self._answer(header, arrays)
                except LSFError as error:
                    self._error(header, error.code, str(error))
                except wire.WireError as error:
                    log.warning("%s: %s", error.code, error)
                    self._error(error.header, error.code, str(error))
                    if error.code == "truncated_frame":
                        break
        except (EOFError, OSError):  # OSError: the client no longer reads the replies
            log.info("The client closed the connection.")
        with self._lock:
            for job in self._active.values():
                job.cancelled.set()

    # Main thread: immediate answers

    def _answer(self, header: wire.Header, arrays: wire.Arrays) -> None:
        """Answer one message, or put it into the queue. Raises LSFError."""
        kind = header.get("type")
        if kind == "hello":
            self._hello(header)
        elif not self._greeted:
            raise LSFError("no_hello", 'The first message must be "hello".')
        elif kind == "ping":
            self._send({"type": "pong"})
        elif kind == "cancel":
            self._cancel(header)
        elif isinstance(kind, str) and kind in requests.RUN:
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
            }
        )
        if not self._greeted:
            self._greeted = True
            self._queue.put(None)

    def _enqueue(self, header: wire.Header, arrays: wire.Arrays) -> None:
        """Put a job into the queue. Raises LSFError if its name is taken or the queue is full."""
        job_name(header)
        job = Job(header, arrays)
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

    # Worker thread

    def _work(self) -> None:
        """Run jobs until the process ends (the thread is a daemon), or until the client no longer reads the replies."""
        try:
            while True:
                self._take(self._queue.get())
        except OSError as error:  # the main thread ends the process as soon as the client closes the other pipe, too
            log.info("The replies cannot be sent: %s", error)

    def _take(self, job: Job | None) -> None:
        """Load the model (None) or run one job, and send its last reply."""
        if job is None:
            try:
                self._load()
            except Exception as error:
                code, sentence = explain(error)
                self._send({"type": "error", "code": code, "message": sentence})
            return
        with self._lock:
            if job.cancelled.is_set():
                return
            self._running = job
        header, arrays = self._run(job)
        with self._lock:  # before the reply, so that the client may use the id again
            del self._active[job.id]
            self._running = None
        try:
            self._send(header, arrays)
        except wire.WireError as error:
            self._error(job.header, error.code, str(error))

    def _load(self) -> Engine:
        """Return the engine; the first call builds it and sends `ready`."""
        if self._engine is None:
            started = time.perf_counter()
            self._engine = self._make_engine(self._report_loading)
            seconds = round(time.perf_counter() - started, 4)
            self._send({"type": "ready", **self._device_fields(), "seconds": seconds})
        return self._engine

    def _report_loading(self, fraction: float, text: str) -> None:
        """Send the progress of loading the model."""
        self._send({"type": "loading", "fraction": fraction, "text": text})

    def _run(self, job: Job) -> requests.Reply:
        """Run a job and return the message that ends it."""
        try:
            run = requests.RUN[job.header["type"]]
            header, arrays = run(self._load(), job.header, job.arrays, self._reporter(job), job.cancelled.is_set)
            return {"type": "result", "job": job.id, **header}, arrays
        except Cancelled:
            return {"type": "cancelled", "job": job.id}, {}
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
        """Write one message; both threads do."""
        with self._sending:
            wire.write_message(self._sink, header, arrays)

    def _error(self, header: wire.Header, code: str, sentence: str) -> None:
        """Send an error about the message with this header."""
        job = header.get("job")
        about = {"job": job} if isinstance(job, str) and len(job) <= requests.MAX_JOB_NAME else {}
        self._send({"type": "error", **about, "code": code, "message": sentence})


def explain(error: Exception) -> tuple[str, str]:
    """Describe an error to the artist, and log an unexpected one for developers.

    Args:
        error: What a job or a command raised.

    Returns:
        The code and the sentence of an `error` message.
    """
    if isinstance(error, LSFError):
        return error.code, str(error)
    log.error("Unexpected error", exc_info=error)
    if isinstance(error, ModuleNotFoundError):
        return "missing_package", (
            f'The Python package "{error.name}" is missing: press Install in the add-on\'s '
            "preferences, or choose a Python that has the packages."
        )
    if isinstance(error, MemoryError):
        return "out_of_memory", "The computer ran out of memory: close other programs, or use shorter audio."
    if type(error).__name__ == "OutOfMemoryError":  # of torch, which is not imported here
        return "out_of_memory", "The GPU ran out of memory: close other programs, or set the device to CPU."
    reason = (str(error).splitlines() or [""])[0][:MAX_REASON]
    return "internal", f"Something unexpected went wrong ({type(error).__name__}: {reason}): report it with the log."


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


def main(checkpoint: str | None, device: str, cache_folder: Path | None) -> NoReturn:
    """Run the server on this process's stdin and stdout, then end the process.

    Args:
        checkpoint: The model's folder; None is the one that ships.
        device: "auto", "cpu", "gpu" or the name of a torch device.
        cache_folder: Where fitted faces are kept; None keeps them in memory only.
    """
    source, sink = claim_stdio()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")

    def make_engine(report: Report) -> Engine:
        return Engine(checkpoint, device, cache_folder, report)

    log.info("LSF server %s, protocol %d, Python %s", __version__, wire.PROTOCOL, platform.python_version())
    try:
        Server(source, sink, make_engine, available(checkpoint), device).run()
        code = 0
    except BaseException:
        log.exception("The server stops")
        code = 1
    logging.shutdown()
    os._exit(code)  # a worker deep in native code must not delay the exit
