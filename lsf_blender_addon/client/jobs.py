"""Runs jobs on the server without ever blocking Blender: threads touch queues only, the main thread drains events.

    client = Client(python, log_path)
    job = client.submit("generate", {"rate": 48000, "settings": {"fps": 24}}, {"audio": …, "vertices": …, …})
    …  in a timer:  for event in client.drain(): …        client.cancel(job)        client.stop()

One thread, the pump, owns the server process and the jobs that wait. It sends one job at a time, so that a crash costs
one job and the others run in the next process. A second thread per process reads its messages.
"""

import contextlib
import itertools
import queue
import threading
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from .process import ServerError, ServerProcess, StrPath
from .wire import Arrays, Header, WireError

CANCEL_SECONDS = 0.8  # a server that still works on a cancelled job after so long is killed


class State(StrEnum):
    """What a job is doing."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self in (State.DONE, State.FAILED, State.CANCELLED)


@dataclass(eq=False)
class Job:
    """A request and what became of it. Any thread may read it; only the pump writes to it.

    Attributes:
        id: Unique in its client.
        type: Of the request, for example "generate" or "prepare_face".
        request: Fields of the request.
        request_arrays: Arrays of the request by name; empty once the job has ended.
        state: What the job is doing.
        fraction: Progress, 0 to 1.
        text: What the server is doing.
        header: Fields of the result: fps, t0, channels, seconds, report.
        arrays: Arrays of the result by name: motion, basis, landmarks68, …
        code: Of an error, see docs/protocol.md.
        error: A sentence about it for the artist.
        cancelling: Whether the job was asked to end.
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


@dataclass(frozen=True)
class Event:
    """Something that changed.

    Attributes:
        kind: "progress", "done", "failed" or "cancelled", all of a job, or "server".
        job: The job that changed.
        text: A sentence about it.
    """

    kind: str
    job: Job | None = None
    text: str = ""


class Client:
    """Runs jobs on a server that it starts when needed and keeps. All methods return at once, `stop` within 1 s.

    Attributes:
        server: "stopped", "starting", "loading" (it answers, the model is not loaded yet), "ready", "broken" (it
            answers, but the model cannot be loaded) or "failed".
        notice: A sentence about that.
        hello: The server's greeting, empty before it.
        device: The device that the model runs on, empty until the server is ready.
        device_note: A sentence that says why that is not the requested device; empty if it is.

    Args:
        python: The Python that runs the server.
        log_path: File for the server's log.
        arguments: For the server's command line.
    """

    def __init__(self, python: StrPath, log_path: StrPath, arguments: list[str] | None = None) -> None:
        self.python, self.log_path, self.arguments = python, Path(log_path), arguments
        self.server, self.notice = "stopped", ""
        self.device, self.device_note = "", ""
        self.hello: Header = {}
        self._ids = itertools.count(1)
        # ("submit", job), ("message", process, header, arrays), …: see the methods _on_…
        self._inbox: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._process: ServerProcess | None = None
        self._active: Job | None = None
        self._waiting: deque[Job] = deque()
        self._crashed = False
        self._pump = threading.Thread(target=self._run, name="lsf-client", daemon=True)
        self._pump.start()

    # Main thread

    def start(self) -> None:
        """Start the server ahead of the first job, so that the model is loaded when the artist presses the button."""
        self._inbox.put(("start",))

    def submit(self, type: str, request: Header, arrays: Arrays) -> Job:
        """Queue a request of docs/protocol.md.

        Args:
            type: Of the request.
            request: Its other fields, without `job`.
            arrays: Its arrays by name; they must not change any more.
        """
        job = Job(str(next(self._ids)), type, request, arrays)
        self._inbox.put(("submit", job))
        return job

    def cancel(self, job: Job) -> None:
        """End a job; its "cancelled" event comes within 1 s. A server that does not stop in time is killed."""
        job.cancelling = True
        self._inbox.put(("cancel", job))
        watchdog = threading.Timer(CANCEL_SECONDS, self._kill_for, (job,))  # the pump may be stuck in a write
        watchdog.daemon = True
        watchdog.start()

    def drain(self, max_events: int = 256) -> list[Event]:
        """Return what happened since the last call.

        Of several steps of a job's progress only the last is returned. A job that was cancelled before this call ends
        as cancelled, even if the server has finished it since.

        Args:
            max_events: So many events are looked at; the others stay for the next call.
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
        self._inbox.put(("stop",))
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
        """Handle what comes into the inbox until the client is stopped."""
        while True:
            kind, *arguments = self._inbox.get()
            if kind == "stop":
                break
            try:
                getattr(self, f"_on_{kind}")(*arguments)
                self._send_next()
            except Exception as error:  # a bug must not let a job wait for ever
                for job in self._unfinished():
                    self._fail(job, "internal", f"Something unexpected went wrong ({error}): please report it.")
        for job in self._unfinished():
            self._end(job, State.CANCELLED, "cancelled")
        if self._process:
            self._process.kill()
        self._process = None
        self._set_server("stopped", "")

    def _on_start(self) -> None:
        """Start the server if it does not run."""
        if self._process is None:
            self._start_server()

    def _on_submit(self, job: Job) -> None:
        """Queue a job."""
        self._waiting.append(job)

    def _on_cancel(self, job: Job) -> None:
        """End a job that waits, or ask the server to end the one that runs."""
        if job in self._waiting:
            self._end(job, State.CANCELLED, "cancelled")
        elif job is self._active:
            self._try_send({"type": "cancel", "job": job.id})

    def _on_message(self, process: ServerProcess, header: Header, arrays: Arrays) -> None:
        """Take a message of the server into account."""
        kind, job = header.get("type"), self._active
        if process is not self._process:
            return  # the last messages of a server that was killed
        if job is not None and header.get("job") == job.id:
            if kind == "progress":
                job.fraction, job.text = header.get("fraction", job.fraction), str(header.get("text", ""))
                self._events.put(Event("progress", job, job.text))
            elif kind == "result":
                job.header, job.arrays = header, arrays
                self._end(job, State.DONE, "done")
            elif kind == "cancelled":
                self._end(job, State.CANCELLED, "cancelled")
            elif kind == "error":
                self._fail(job, str(header.get("code")), str(header.get("message")))
        elif kind == "ready":
            self.device, self.device_note = str(header.get("device", "")), str(header.get("device_note", ""))
            self._set_server("ready", "")
        elif kind == "error" and "job" not in header:
            self._set_server("broken", str(header.get("message")))

    def _on_hello(self, process: ServerProcess, hello: Header) -> None:
        """Note that the server has answered."""
        if process is self._process:
            self.hello = hello
            self._set_server("loading", "The server was started again." if self._crashed else "Loading the model")
            self._crashed = False

    def _on_gone(self, process: ServerProcess, sentence: str) -> None:
        """End the job of a server that has gone; the sentence says why it has."""
        if process is not self._process:
            return
        never_greeted = self.server == "starting"
        self._process, job = None, self._active
        if job is not None and job.cancelling:  # killed, as it did not stop in time: start it again, to be ready
            self._end(job, State.CANCELLED, "cancelled")
            self._start_server()
            return
        self._crashed = True
        self._set_server("failed", sentence)
        if job is not None:
            self._fail(job, "server_gone", sentence)
        if never_greeted:  # the next process would fail in the same way
            self._fail_waiting()

    def _send_next(self) -> None:
        """Send the next job that waits, if the server is free."""
        if self._waiting and self._process is None:
            self._start_server()
        while self._waiting and self._active is None and self.server in ("loading", "ready", "broken"):
            job = self._active = self._waiting.popleft()
            job.state, job.text = State.RUNNING, "Loading the model" if self.server == "loading" else "Starting"
            self._events.put(Event("progress", job, job.text))
            try:
                self._try_send({**job.request, "type": job.type, "job": job.id}, job.request_arrays)
            except WireError as error:
                self._fail(job, error.code, str(error))

    def _start_server(self) -> None:
        """Start a server process and the thread that reads its messages."""
        self._set_server(
            "starting", "The server stopped and is started again." if self._crashed else "Starting the server"
        )
        try:
            process = self._process = ServerProcess(self.python, self.log_path, self.arguments)
        except (ServerError, OSError) as error:
            self._set_server("failed", str(error))
            self._fail_waiting()
            return
        threading.Thread(target=self._read, args=(process,), name="lsf-client-reader", daemon=True).start()

    def _fail_waiting(self) -> None:
        """Fail the jobs that wait, because there is no server."""
        for job in list(self._waiting):
            self._fail(job, "no_server", self.notice)

    def _unfinished(self) -> list[Job]:
        """Return the job that runs and those that wait."""
        return ([self._active] if self._active else []) + list(self._waiting)

    def _try_send(self, header: Header, arrays: Arrays | None = None) -> None:
        """Send a message; if the server has gone, the reader thread finds that too, and reports it in order."""
        assert self._process is not None  # a job is active
        with contextlib.suppress(ServerError):
            self._process.send(header, arrays)

    def _fail(self, job: Job, code: str, sentence: str) -> None:
        """End a job with an error."""
        job.code, job.error = code, sentence
        self._end(job, State.FAILED, "failed")

    def _end(self, job: Job, state: State, kind: str) -> None:
        """End a job, and tell the main thread by an event of this kind."""
        job.request_arrays = {}
        if job is self._active:
            self._active = None
        elif job in self._waiting:
            self._waiting.remove(job)
        job.state = state
        self._events.put(Event(kind, job, job.error))

    def _set_server(self, server: str, notice: str) -> None:
        """Set what the server is doing, and tell the main thread."""
        self.server, self.notice = server, notice
        self._events.put(Event("server", None, notice))

    # Reader thread, one per process

    def _read(self, process: ServerProcess) -> None:
        """Put the messages of a process into the inbox until it has gone."""
        try:
            self._inbox.put(("hello", process, process.greet()))
            while True:
                self._inbox.put(("message", process, *process.receive()))
        except ServerError as error:
            self._inbox.put(("gone", process, str(error)))
