"""Jobs for the server without ever blocking Blender: threads touch queues only, the main thread drains events.

    client = Client(python, log_path)
    job = client.submit("generate", {"rate": 48000, "settings": {"fps": 24}}, {"audio": …, "vertices": …, …})
    …  in a timer:  for event in client.drain(): …        client.cancel(job)        client.stop()

One thread, the pump, owns the server process and the jobs that wait. It sends one job at a time, so that a crash costs
one job and the others run in the next process. A second thread per process reads its messages.
"""

import itertools
import queue
import threading
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from .process import ServerError, ServerProcess
from .wire import WireError

CANCEL_SECONDS = 0.8  # a server that has not let go of a cancelled job by then is killed


class State(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in (State.DONE, State.FAILED, State.CANCELLED)


@dataclass(eq=False)
class Job:
    """A request and what became of it. Read it anywhere; only the pump writes to it."""

    id: str
    type: str  # "generate" or "prepare_face"
    request: dict
    request_arrays: dict = field(repr=False)
    state: State = State.WAITING
    fraction: float = 0.0  # 0 to 1
    text: str = "Waiting"  # what the server is doing
    header: dict = field(default_factory=dict, repr=False)  # of the result: fps, t0, channels, seconds, report
    arrays: dict = field(default_factory=dict, repr=False)  # of the result: motion, basis, landmarks68, …
    code: str = ""  # of an error, see docs/protocol.md
    error: str = ""  # one sentence
    cancelling: bool = False


@dataclass(frozen=True)
class Event:
    """Something that changed: `kind` is "progress", "done", "failed", "cancelled" (with the job) or "server"."""

    kind: str
    job: Job | None = None
    text: str = ""


class Client:
    """Runs jobs on a server that it starts when needed and keeps. All methods return at once, `stop` within 1 s.

    `server` is "stopped", "starting", "loading" (it answers, the model is not there yet), "ready", "broken" (it
    answers, but the model cannot be loaded) or "failed"; `notice` is a sentence about it; `hello` its greeting.
    """

    def __init__(self, python: str | Path, log_path: str | Path, arguments: list[str] | None = None):
        self.python, self.log_path, self.arguments = python, Path(log_path), arguments
        self.server, self.notice, self.hello = "stopped", "", {}
        self.device = self.device_note = ""  # what `ready` tells: where the model runs, why not on the preferred device
        self._ids = itertools.count(1)
        self._inbox: queue.SimpleQueue[tuple] = queue.SimpleQueue()  # ("submit", job), ("message", process, …), …
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

    def submit(self, type: str, request: dict, arrays: dict) -> Job:
        """Queue a request of docs/protocol.md; `type` and `job` are added here. The arrays must not change any more."""
        job = Job(str(next(self._ids)), type, request, arrays)
        self._inbox.put(("submit", job))
        return job

    def cancel(self, job: Job) -> None:
        """Ask for the end of a job; its "cancelled" event comes within 1 s, if need be by killing the server."""
        job.cancelling = True
        self._inbox.put(("cancel", job))
        watchdog = threading.Timer(CANCEL_SECONDS, self._kill_for, (job,))  # the pump may be stuck in a write
        watchdog.daemon = True
        watchdog.start()

    def drain(self, max_events: int = 256) -> list[Event]:
        """Return what happened since the last call; of several steps of progress of a job only the last.

        A job that was cancelled in time for this call ends as cancelled, whatever the server still made of it.
        """
        events: list[Event] = []
        for _ in range(max_events):
            try:
                event = self._events.get_nowait()
            except queue.Empty:
                break
            if event.kind == "progress":
                events = [e for e in events if e.kind != "progress" or e.job is not event.job]
            if event.kind in ("done", "failed") and event.job.cancelling:
                event.job.state, event.job.arrays = State.CANCELLED, {}
                event = Event("cancelled", event.job)
            events.append(event)
        return events

    def stop(self) -> None:
        """Kill the server and end the threads; jobs still at work are cancelled. The client cannot be used again."""
        self._inbox.put(("stop",))
        process = self._process
        if process is not None:
            process.kill()
        self._pump.join(1.0)

    def _kill_for(self, job: Job) -> None:
        process = self._process
        if job is self._active and process is not None:
            process.kill()

    # Pump thread

    def _run(self) -> None:
        while True:
            word, *rest = self._inbox.get()
            if word == "stop":
                break
            try:
                getattr(self, f"_on_{word}")(*rest)
                self._send_next()
            except Exception as error:  # a bug must not leave a job waiting for ever
                for job in self._unended():
                    self._fail(job, "internal", f"Something unexpected went wrong ({error}): please report it.")
        for job in self._unended():
            self._end(job, State.CANCELLED, "cancelled")
        if self._process:
            self._process.kill()
        self._process = None
        self._say("stopped", "")

    def _on_start(self) -> None:
        if self._process is None:
            self._start_server()

    def _on_submit(self, job: Job) -> None:
        self._waiting.append(job)

    def _on_cancel(self, job: Job) -> None:
        if job in self._waiting:
            self._end(job, State.CANCELLED, "cancelled")
        elif job is self._active:
            self._try_send({"type": "cancel", "job": job.id})

    def _on_message(self, process: ServerProcess, header: dict, arrays: dict) -> None:
        kind, job = header.get("type"), self._active
        if process is not self._process:
            return  # the last words of a server that was killed
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
            self._say("ready", "")
        elif kind == "error" and "job" not in header:
            self._say("broken", str(header.get("message")))

    def _on_hello(self, process: ServerProcess, hello: dict) -> None:
        if process is self._process:
            self.hello = hello
            self._say("loading", "The server was started again." if self._crashed else "Loading the model")
            self._crashed = False

    def _on_gone(self, process: ServerProcess, sentence: str) -> None:
        if process is not self._process:
            return
        never_greeted = self.server == "starting"
        self._process, job = None, self._active
        if job is not None and job.cancelling:  # killed because it would not let go: start again, so as to be warm
            self._end(job, State.CANCELLED, "cancelled")
            self._start_server()
            return
        self._crashed = True
        self._say("failed", sentence)
        if job is not None:
            self._fail(job, "server_gone", sentence)
        if never_greeted:  # the next one would not do better
            self._fail_waiting()

    def _send_next(self) -> None:
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
        self._say("starting", "The server stopped and is started again." if self._crashed else "Starting the server")
        try:
            process = self._process = ServerProcess(self.python, self.log_path, self.arguments)
        except (ServerError, OSError) as error:
            self._say("failed", str(error))
            self._fail_waiting()
            return
        threading.Thread(target=self._read, args=(process,), name="lsf-client-reader", daemon=True).start()

    def _fail_waiting(self) -> None:
        for job in list(self._waiting):
            self._fail(job, "no_server", self.notice)

    def _unended(self) -> list[Job]:
        return ([self._active] if self._active else []) + list(self._waiting)

    def _try_send(self, header: dict, arrays: dict | None = None) -> None:
        try:
            self._process.send(header, arrays)
        except ServerError:
            pass  # the reader finds the end of the stream, too, and tells it in order

    def _fail(self, job: Job, code: str, sentence: str) -> None:
        job.code, job.error = code, sentence
        self._end(job, State.FAILED, "failed")

    def _end(self, job: Job, state: State, kind: str) -> None:
        job.request_arrays = {}
        if job is self._active:
            self._active = None
        elif job in self._waiting:
            self._waiting.remove(job)
        job.state = state
        self._events.put(Event(kind, job, job.error))

    def _say(self, server: str, notice: str) -> None:
        self.server, self.notice = server, notice
        self._events.put(Event("server", None, notice))

    # Reader thread, one per process

    def _read(self, process: ServerProcess) -> None:
        try:
            self._inbox.put(("hello", process, process.greet()))
            while True:
                self._inbox.put(("message", process, *process.receive()))
        except ServerError as error:
            self._inbox.put(("gone", process, str(error)))
