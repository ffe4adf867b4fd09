"""Drives the lines of a batch over the workers of a Dask cluster: one on this machine, or one that is there."""

import contextlib
import logging
import os
import queue
import secrets
import signal
import tempfile
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from itertools import groupby
from multiprocessing import resource_tracker
from typing import Any

import dask
import distributed
from dask.system import CPU_COUNT
from distributed.security import Security

from ... import __version__
from ...errors import LSFError, explain
from ..maker import model_digests
from ..manifest import Line, Manifest
from ..report import Row
from ..results import file_digest
from ..runner import Drive, Job, failure
from .worker import Batch, Outcome, Task, perform

LINES_A_TASK = 16  # of 60 ms each; what a task costs beside them, a few milliseconds, is then not seen
LOOK_SECONDS = 1.0  # between two looks at the workers, and for an interrupt
CONNECT_SECONDS = 15  # until a scheduler that does not answer is given up
LOOPBACK = "127.0.0.1"
LOCAL_SETTINGS = {
    "distributed.scheduler.worker-saturation": 1.0,  # no task waits on a worker behind another one
    # Dask has a web server in each process, which cannot be left out. With no pages, it answers 404 to everything.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}


def on_this_machine(workers: int) -> Drive:
    """Drive a batch on processes of this machine. They end with this process, whatever ends it.

    Nobody else can reach them: they listen on the loopback alone, and take what has a key that is made for this run.

    Args:
        workers: Number of processes.
    """

    def drive(
        job: Job, read: Manifest, lines: Sequence[Line], ending: threading.Event
    ) -> Generator[Row | None, None, None]:
        count = min(workers, len(lines))
        if not count:
            return
        # More threads than cores slow each other down; python -m server has set the variable, if nobody else has.
        threads = min(int(os.environ.get("OMP_NUM_THREADS") or CPU_COUNT), max(1, CPU_COUNT // count))
        with (
            tempfile.TemporaryDirectory(prefix="lsf-farm-") as scratch,
            _variable("OMP_NUM_THREADS", str(threads)),
            dask.config.set(LOCAL_SETTINGS),
            _cluster(count, scratch) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield from _drive(client, job, read, lines, ending)

    return drive


def _cluster(workers: int, scratch: str) -> Any:
    """Start a cluster on this machine. The processes end with this one, but not by a Ctrl-C in its terminal.

    Args:
        workers: Number of processes.
        scratch: Folder for their temporary files.
    """
    # A signal that is blocked here stays so in the threads that are started meanwhile, and in all their processes.
    mask = getattr(signal, "pthread_sigmask", None)  # not on Windows
    if mask:
        resource_tracker.ensure_running()  # it lets signals through again where it starts
    before = mask(signal.SIG_BLOCK, {signal.SIGINT}) if mask else None
    try:
        return distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host=LOOPBACK,
            security=Security.temporary(),
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": f"{LOOPBACK}:0"},  # else it wants a certain port
            memory_limit=0,  # a worker takes 0.5 GB, whatever it makes; Dask would end one above its share
            silence_logs=logging.CRITICAL,
            local_directory=scratch,
        )
    finally:
        if mask:
            mask(signal.SIG_SETMASK, before)


def on_scheduler(address: str) -> Drive:
    """Drive a batch on the workers of a scheduler. Encryption and names of files of keys are those of Dask's settings.

    Args:
        address: Where it listens, "tls://host:8786" for example.
    """

    def drive(
        job: Job, read: Manifest, lines: Sequence[Line], ending: threading.Event
    ) -> Generator[Row | None, None, None]:
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # its errors are told in sentences below
        try:
            client = distributed.Client(address, timeout=CONNECT_SECONDS)
        except (OSError, ValueError, TypeError) as error:
            raise LSFError(
                "no_scheduler",
                f'No scheduler answers at "{address}" ({" ".join(str(error).split())[:80] or type(error).__name__}): '
                "start one, or look at the address and at the keys of TLS.",
            ) from error
        with client:
            yield from _drive(client, job, read, lines, ending)

    return drive


def _drive(
    client: Any, job: Job, read: Manifest, lines: Sequence[Line], ending: threading.Event
) -> Generator[Row | None, None, None]:
    """Make lines on the workers of a client; arguments and rows as of `Drive`."""
    model = tuple(model_digests(job.model_folder).items())
    batch = Batch(secrets.token_hex(), job, file_digest(job.manifest), read.meaning, model, __version__)
    waiting = deque(
        part
        for _character, of_one in groupby(lines, lambda line: line.character)
        for part in _parts(list(of_one), LINES_A_TASK)
    )
    flying: dict[Any, list[Line]] = {}
    ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
    workers, looked = 0, -LOOK_SECONDS
    while flying or (waiting and not ending.is_set()):
        if time.monotonic() - looked >= LOOK_SECONDS:
            before, workers, looked = workers, _workers(client), time.monotonic()
            if not workers and (before or not flying):
                print("No worker is there: waiting for one.", flush=True)
        # No task waits behind another one on a worker: if it kills the worker, it alone is to blame.
        while waiting and len(flying) < max(1, workers) and not ending.is_set():
            part = waiting.popleft()
            task = Task(batch, tuple(line.number for line in part))
            future = client.submit(perform, task, pure=False)
            flying[future] = part
            future.add_done_callback(ended.put)
        try:
            future = ended.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            if ending.is_set() and not _workers(client):
                return
            continue
        part = flying.pop(future)
        outcome = _outcome(future)
        if outcome is None and len(part) > 1:  # each for itself, so that the others are made
            waiting.extendleft([line] for line in reversed(part))
        elif outcome is None:
            sentence = "Its worker ended several times while it made this line: look at its sound and its character."
            yield failure(part[0], LSFError("worker_lost", sentence), time.perf_counter())
        else:
            yield from outcome.rows
            if outcome.refusal:
                code, sentence = outcome.refusal
                raise LSFError(code, f"A worker cannot go on: {sentence}")
            if rest := part[len(outcome.rows) :]:
                waiting.appendleft(rest)


def _outcome(future: Any) -> Outcome | None:
    """What became of a task; None if it has ended its workers. Raises LSFError if the farm cannot be used."""
    try:
        outcome: Outcome = future.result()
    except distributed.KilledWorker:
        return None
    except Exception as error:
        if isinstance(_root(error), ImportError):
            raise LSFError(
                "version_mismatch",
                "The scheduler or a worker has no such version of this project: start them with its folder in "
                "PYTHONPATH.",
            ) from error
        if future.cancelled():
            raise LSFError(
                "no_scheduler", "The scheduler has ended: start it, then run the same command again."
            ) from error
        raise LSFError("internal", f"A worker failed: {explain(error)[1]}") from error
    return outcome


def _root(error: BaseException) -> BaseException:
    """The first of a chain of errors."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _workers(client: Any) -> int:
    """Number of workers now; 0 if the scheduler has ended."""
    try:
        return len(client.nthreads())
    except Exception:  # Dask raises several kinds, and its tasks tell what has happened
        return 0


def _parts(lines: list[Line], size: int) -> Iterator[list[Line]]:
    """Divide lines into parts of this size."""
    for start in range(0, len(lines), size):
        yield lines[start : start + size]


@contextlib.contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    """Set a variable of the environment, for the processes that are started meanwhile."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
