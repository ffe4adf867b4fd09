"""Runs jobs on the server without blocking Blender: threads exchange data by queues, the main thread drains events.

    client = Client(python, log_path)
    job = client.submit("generate", {"rate": 48000, "settings": {"fps": 24}}, {"audio": …, "vertices": …, …})
    …  in a timer:  for event in client.drain(): …        client.cancel(job)        client.stop()

One thread, the pump, owns the server process and the queue of jobs. It sends one job at a time, so that a crash of the
server fails one job only and the others run in the next process. Two more threads per process read its messages and
notice when it hangs.
"""

import contextlib
import itertools
import queue
import threading
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Literal
from weakref import WeakSet

from . import causes
from .process import ServerError, ServerProcess, StrPath
from .wire import Arrays, Header, WireError

LOADING_SHARE = 0.5  # of the progress of a job that waits for a server which is not ready yet
GREETED = 0.1  # how far such a server is when it answers; then it loads the model
MAX_SENT = 2  # times that a job is sent: a second server that ends without a word about it ends because of it
CANCEL_SECONDS = 0.8  # a server that still works on a cancelled job after this time is killed

# "loading": it answers, but the model is not loaded yet; "failed": it has ended, and the next job starts another one.
ServerState = Literal["stopped", "starting", "loading", "ready", "failed"]
EventKind = Literal["progress", "done", "failed", "cancelled", "server"]


class State(StrEnum):
    """What a job is doing."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether the state is final."""
        return self in (State.DONE, State.FAILED, State.CANCELLED)


@dataclass(eq=False)
class Job:
    """A request and its result. Any thread may read it.

    The pump writes to it; the main thread writes only to jobs that were cancelled.

    Attributes:
        id: Number of the job, unique in its client.
        type: Type of the request, for example "generate" or "prepare_face".
        request: Fields of the request.
        request_arrays: Arrays of the request by name; empty once the job has ended.
        state: State of the job.
        fraction: Progress, 0 to 1.
        text: What the server is doing, for the artist.
        header: Fields of the result: fps, t0, channels, seconds, report.
        arrays: Arrays of the result by name: motion, basis, landmarks68, …
        code: Code of the error if the job failed, see docs/protocol.md.
        error: A sentence about the error for the artist.
        cancelling: Whether the job was cancelled but may not have ended yet.
        sent: How often it was sent to a server.
        answered: Whether a server has said anything about it.
    """

    id: str
    type: str
    request: Header
    request_arrays: Arrays = field(repr=False)
    state: State = State.WAITING
    fraction: float = 0.0
    text: str = "Waiting"
    header: Header = field(default_factory=dict, repr=False)
    arrays: Arrays = field(default_factory=dict, repr=False)
    code: str = ""
    error: str = ""
    cancelling: bool = False
    sent: int = 0
    answered: bool = False


@dataclass(frozen=True)
class Event:
    """A change of a job or of the server.

    Attributes:
        kind: What has changed: "server", or the progress or end of a job.
        job: The job that has changed; None for "server".
        text: A sentence about the change, for the artist.
    """

    kind: EventKind
    job: Job | None = None
    text: str = ""


class Client:
    """Runs jobs on a server that it starts with the first job. All methods return at once, `stop` within 1 s.

    Attributes:
        server: State of the server.
        notice: A sentence about that state, for the artist.
        loaded: How far a server that is not ready yet is, 0 to 1.
        hello: The server's `hello` message; empty before it has come.
        pong: The last `pong` of the running server, with its memory and state; empty without one.
        device: The device that the model runs on; empty until the server is ready.
        device_note: A sentence that says why this is not the requested device; empty if it is.

    Args:
        python: The Python that runs the server.
        log_path: File for the server's log.
        arguments: Arguments of the server's command line.
    """

    def __init__(self, python: StrPath, log_path: StrPath, arguments: list[str] | None = None) -> None:
        self.python, self.log_path, self.arguments = python, Path(log_path), arguments
        self.server: ServerState = "stopped"
        self.notice = ""
        self.loaded = 0.0
        self.device, self.device_note = "", ""
        self.hello: Header = {}
        self.pong: Header = {}
        self._ids = itertools.count(1)
        self._submitted: WeakSet[Job] = WeakSet()
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = (
            queue.SimpleQueue()
        )  # calls for the pump; None ends it
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._process: ServerProcess | None = None
        self._active: Job | None = None
        self._offset = 0.0  # progress of the active job when the server was ready for it
        self._waiting: deque[Job] = deque()
        self._crashed = False
        self._pump = threading.Thread(target=self._run, name="lsf-client", daemon=True)
        self._pump.start()

    @property
    def pid(self) -> int | None:
        """Id of the server's process; None if none runs."""
        process = self._process
        return process.pid if process else None

    # Main thread

    def start(self) -> None:
        """Start the server before the first job, so that the model is loaded when the artist presses the button."""
        self._inbox.put(self._on_start)

    def submit(self, type: str, request: Header, arrays: Arrays) -> Job:
        """Queue a request of docs/protocol.md.

        Args:
            type: Type of the request.
            request: Other fields of the request, without `job`.
            arrays: Arrays of the request by name. They must not be changed afterwards: another thread sends them.

        Returns:
            The job, which changes as the server works on it.
        """
        job = Job(str(next(self._ids)), type, request, arrays)
        self._submitted.add(job)
        self._inbox.put(partial(self._on_submit, job))
        return job

    @property
    def is_busy(self) -> bool:
        """Whether a job that was submitted has not ended yet."""
        return any(not job.state.ended for job in self._submitted)

    def cancel(self, job: Job) -> None:
        """Cancel a job; its "cancelled" event comes within 1 s. A server that does not stop in time is killed."""
        job.cancelling = True
        self._inbox.put(partial(self._on_cancel, job))
        watchdog = threading.Timer(CANCEL_SECONDS, self._kill_for, (job,))  # the pump may be stuck in a write
        watchdog.daemon = True
        watchdog.start()

    def drain(self, max_events: int = 256) -> list[Event]:
        """Return what happened since the last call.

        A job that was cancelled before this call ends as cancelled, even if the server has finished it since.

        Args:
            max_events: Largest number of events to take from the queue; the others stay for the next call.

        Returns:
            The events in order of time; of the "progress" events of a job, only the last one.
        """
        events: list[Event] = []
        for _ in range(max_events):
            try:
                event = self._events.get_nowait()
            except queue.Empty:
                break
            if event.kind == "progress":
                events = [e for e in events if e.kind != "progress" or e.job is not event.job]
            job = event.job
            if event.kind in ("done", "failed") and job is not None and job.cancelling:
                job.state, job.arrays = State.CANCELLED, {}
                event = Event("cancelled", job)
            events.append(event)
        return events

    def stop(self) -> None:
        """Kill the server and end the threads; unfinished jobs are cancelled. The client cannot be used again."""
        self._inbox.put(None)
        process = self._process
        if process is not None:
            process.kill()
        self._pump.join(1.0)

    def _kill_for(self, job: Job) -> None:
        """Kill the server if it still works on this job."""
        process = self._process
        if job is self._active and process is not None:
            process.kill()

    # Pump thread

    def _run(self) -> None:
        """Make the calls of the inbox until the client is stopped."""
        while (call := self._inbox.get()) is not None:
            try:
                call()
                self._send_next()
            except Exception:  # a bug must not let a job wait for ever
                sentence = causes.unexpected(traceback.format_exc())
                for job in self._unfinished():
                    self._fail(job, causes.INTERNAL, sentence)
        for job in self._unfinished():
            self._end(job, State.CANCELLED, "cancelled")
        if self._process:
            self._process.kill()
        self._process, self.pong = None, {}
        self._set_server("stopped", "")

    def _on_start(self) -> None:
        """Start the server if it does not run."""
        if self._process is None:
            self._start_server()

    def _on_submit(self, job: Job) -> None:
        """Queue a job."""
        self._waiting.append(job)
        if self.server == "starting":
            self._show_loading(self.loaded, self.notice)

    def _on_cancel(self, job: Job) -> None:
        """End a job that waits, or ask the server to end the one that runs."""
        if job in self._waiting:
            self._end(job, State.CANCELLED, "cancelled")
        elif job is self._active:
            self._try_send({"type": "cancel", "job": job.id})

    def _on_message(self, process: ServerProcess, header: Header, arrays: Arrays) -> None:
        """Handle a message of the server."""
        kind, job = header.get("type"), self._active
        if process is not self._process:
            return  # a late message of a server that was killed
        if job is not None and header.get("job") == job.id:
            job.answered = True
            if kind == "progress":
                self._progress(job, self._offset + (1 - self._offset) * _fraction(header), _text(header, "text"))
            elif kind == "result":
                job.header, job.arrays = header, arrays
                self._end(job, State.DONE, "done")
            elif kind == "cancelled":
                self._end(job, State.CANCELLED, "cancelled")
            elif kind == "error":
                self._fail(job, *causes.of_reply(header))
        elif kind == "pong":
            self.pong = header
        elif kind == "loading":
            self._show_loading(GREETED + (1 - GREETED) * _fraction(header), _text(header, "text"))
        elif kind == "ready":
            process.is_loading = False
            self.device, self.device_note = _text(header, "device"), _text(header, "device_note")
            self._set_server("ready", "")
        elif kind == "error" and "job" not in header:
            self._on_error(process, header)

    def _on_error(self, process: ServerProcess, header: Header) -> None:
        """Handle an error that names no job: the model cannot be loaded, or a message of this client was refused."""
        code, sentence = causes.of_reply(header)
        if self.server == "ready":
            if self._active is not None:
                self._fail(self._active, code, sentence)
            return
        # Python does not import again what has failed halfway, so this process is of no use. The next job starts
        # another one; those that wait would fail for the same reason.
        self._process, self.pong = None, {}
        process.kill()
        self._set_server("failed", sentence)
        for job in self._unfinished():
            self._fail(job, code, sentence)

    def _on_ping(self, process: ServerProcess) -> None:
        """Ask a server whether it is alive."""
        if process is self._process:
            with contextlib.suppress(ServerError):  # the reader thread notices it, too
                process.ping()

    def _on_hello(self, process: ServerProcess, hello: Header) -> None:
        """Note that the server has answered."""
        if process is self._process:
            self.hello = hello
            self._set_server("loading", "Loading PyTorch")
            self._show_loading(GREETED, self.notice)
            self._crashed = False

    def _on_gone(self, process: ServerProcess, sentence: str) -> None:
        """End the job of a server process that has ended; the sentence says why it has."""
        if process is not self._process:
            return
        never_greeted, was_ready = self.server == "starting", self.server == "ready"
        self._process, self.pong, job = None, {}, self._active
        if job is not None and job.cancelling:  # _kill_for killed the server: start it for the next job
            self._end(job, State.CANCELLED, "cancelled")
            self._start_server()
            return
        self._crashed = True
        self._set_server("failed", sentence)
        if job is not None and was_ready and not job.answered and job.sent < MAX_SENT:
            self._active = None  # the server had ended or hung before the job came
            self._waiting.appendleft(job)
        elif job is not None:
            self._fail(job, "server_gone", sentence)
        if never_greeted:  # the next process would fail in the same way
            self._fail_waiting()

    def _send_next(self) -> None:
        """Send the next job that waits, if the server is free."""
        if self._waiting and self._process is None:
            self._start_server()
        while self._waiting and self._active is None and self.server in ("loading", "ready"):
            job = self._active = self._waiting.popleft()
            job.sent += 1
            job.state, self._offset = State.RUNNING, LOADING_SHARE if self.server == "loading" else 0.0
            self._progress(job, self._offset * self.loaded, self.notice if self.server == "loading" else "Starting")
            try:
                self._try_send({**job.request, "type": job.type, "job": job.id}, job.request_arrays)
            except WireError as error:
                self._fail(job, error.code, str(error))

    def _show_loading(self, loaded: float, text: str) -> None:
        """Note how far the server is, and show it as the progress of the next job."""
        self.loaded, self.notice = loaded, text
        if job := self._active or (self._waiting[0] if self._waiting else None):
            self._progress(job, LOADING_SHARE * loaded, text)

    def _progress(self, job: Job, fraction: float, text: str) -> None:
        """Set the progress of a job, and queue an event for the main thread."""
        job.fraction, job.text = max(job.fraction, fraction), text
        self._events.put(Event("progress", job, text))

    def _start_server(self) -> None:
        """Start a server process and the thread that reads its messages."""
        self._set_server(
            "starting",
            "The speech engine stopped and is started again" if self._crashed else "Starting the speech engine",
        )
        self._show_loading(0.0, self.notice)
        try:
            process = self._process = ServerProcess(self.python, self.log_path, self.arguments)
        except ServerError as error:
            self._set_server("failed", str(error))
            self._fail_waiting()
            return
        threading.Thread(target=self._read, args=(process,), name="lsf-client-reader", daemon=True).start()

    def _fail_waiting(self) -> None:
        """Fail the waiting jobs, because there is no server."""
        for job in list(self._waiting):
            self._fail(job, "no_server", self.notice)

    def _unfinished(self) -> list[Job]:
        """Return the job that runs and those that wait."""
        return ([self._active] if self._active else []) + list(self._waiting)

    def _try_send(self, header: Header, arrays: Arrays | None = None) -> None:
        """Send a message. An error is ignored, as the reader thread notices and reports it too."""
        assert self._process is not None  # a job is active
        with contextlib.suppress(ServerError):
            self._process.send(header, arrays)

    def _fail(self, job: Job, code: str, sentence: str) -> None:
        """End a job with an error."""
        job.code, job.error = code, sentence
        self._end(job, State.FAILED, "failed")

    def _end(self, job: Job, state: State, kind: EventKind) -> None:
        """End a job, and queue an event of this kind for the main thread."""
        job.request_arrays = {}
        if job is self._active:
            self._active = None
        elif job in self._waiting:
            self._waiting.remove(job)
        job.state = state
        self._events.put(Event(kind, job, job.error))

    def _set_server(self, server: ServerState, notice: str) -> None:
        """Set the state of the server, and queue an event for the main thread."""
        self.server, self.notice = server, notice
        self._events.put(Event("server", None, notice))

    # Reader thread, one per process

    def _read(self, process: ServerProcess) -> None:
        """Put the messages of a process into the inbox until the process ends."""
        try:
            self._inbox.put(partial(self._on_hello, process, process.greet()))
            ping = partial(self._inbox.put, partial(self._on_ping, process))
            threading.Thread(target=process.watch, args=(ping,), name="lsf-client-watch", daemon=True).start()
            while True:
                self._inbox.put(partial(self._on_message, process, *process.receive()))
        except ServerError as error:
            self._inbox.put(partial(self._on_gone, process, str(error)))
        except Exception:  # a bug must not let a job wait for ever
            process.kill()
            self._inbox.put(partial(self._on_gone, process, causes.unexpected(traceback.format_exc())))


def _fraction(header: Header) -> float:
    """Return the progress in a message; 0 if it is not a number from 0 to 1."""
    fraction = header.get("fraction")
    return float(fraction) if isinstance(fraction, (int, float)) and 0 <= fraction <= 1 else 0.0


def _text(header: Header, name: str) -> str:
    """Return a text in a message, on one line; empty if there is none."""
    text = header.get(name)
    return causes.one_line(text) if isinstance(text, str) else ""
