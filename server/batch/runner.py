"""Runs a batch: goes through the lines of a manifest, and says what became of each."""

import contextlib
import hashlib
import os
import posixpath
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from ..engine import DEFAULT_CHECKPOINT, Engine
from ..errors import LSFError, explain
from ..performance.emotion.bank import Bank
from . import manifest
from .maker import Maker
from .manifest import Line, Manifest
from .report import Report, Row, finished
from .results import Results, file_digest

DONE, SOME_FAILED, UNUSABLE, INTERRUPTED = 0, 1, 2, 130  # exit codes
MAX_FAULTS_SHOWN = 50
PROGRESS_SECONDS = 10.0  # between two lines of progress


@dataclass(frozen=True, slots=True)
class Job:
    """A batch: all that another process needs to make lines of it.

    Attributes:
        manifest: The manifest, an absolute path.
        out: Folder of the results, an absolute path.
        checkpoint: As of `Engine`.
        device: As of `Engine`.
        cache_folder: As of `Engine`.
        bank: File of expressions that lines without a bank of their own may show.
    """

    manifest: Path
    out: Path
    checkpoint: str | None
    device: str
    cache_folder: Path | None
    bank: Path | None = None

    @property
    def model_folder(self) -> Path:
        """Folder of the model."""
        return Path(self.checkpoint or DEFAULT_CHECKPOINT)

    def read(self) -> Manifest:
        """Read the manifest. Raises LSFError or OSError if the bank cannot be used."""
        read = manifest.read(self.manifest, None if self.bank is None else Bank.load(self.bank))
        if self.bank is not None:
            read.inputs.add(self.bank)
            read.digests[self.bank] = file_digest(self.bank)
        return read

    def maker(self, read: Manifest, lines: Sequence[Line]) -> Maker:
        """Return what makes lines of the batch.

        Args:
            read: What its manifest says.
            lines: Those that it may be asked for.

        Raises:
            OSError: The folder of the results cannot be written.
        """

        def load() -> Engine:
            engine = Engine(self.checkpoint, self.device, self.cache_folder)
            if engine.device_note:
                print(engine.device_note, file=sys.stderr)
            return engine

        made_before = finished(self.out, {line.output for line in lines})
        return Maker(self.manifest.parent, read.lines, Results(self.out), made_before, self.model_folder, load)


Drive = Callable[[Job, Manifest, Sequence[Line], threading.Event], Generator[Row | None, None, None]]
"""Makes lines of a batch, until all are done or the event is set.

It yields for each line its row of the report, or None if it was there.
"""


def serially(
    job: Job, read: Manifest, lines: Sequence[Line], ending: threading.Event
) -> Generator[Row | None, None, None]:
    """Make one line after the other, in this process; see `Drive`. Raises what `Maker.load` raises."""
    maker = job.maker(read, lines)
    for line in lines:
        if ending.is_set():
            return
        yield make_line(maker, line)


def run(
    path: Path,
    out: Path,
    shard: tuple[int, int],
    checkpoint: str | None,
    device: str,
    cache_folder: Path | None,
    bank: Path | None = None,
    drive: Drive = serially,
) -> int:
    """Make the lines of a manifest that are not made yet. Every failure is a sentence on stderr.

    Args:
        path: The manifest.
        out: Folder of the results.
        shard: Which part of the lines, from 1 on, and of how many.
        checkpoint: As of `Engine`.
        device: As of `Engine`.
        cache_folder: As of `Engine`.
        bank: File of expressions that lines without a bank of their own may show.
        drive: Makes the lines: in this process, or on a farm.

    Returns:
        One of the exit codes.

    Raises:
        LSFError: The model, the bank or the farm cannot be used.
        OSError: The folder of the results cannot be written, or the bank cannot be read.
    """
    folders = os.path.realpath(checkpoint) if checkpoint else None, cache_folder and cache_folder.resolve()
    job = Job(path.resolve(), out.resolve(), folders[0], device, folders[1], bank and bank.resolve())
    read = job.read()
    if job.out == job.manifest.parent:
        read.faults.append("The results need another folder than that of the manifest.")
    read.faults += _overwritten(read, out)
    if read.faults:
        return _refuse(read.faults)
    part, parts = shard
    lines = [line for line in read.lines if shard_of(line, parts) == part]
    Results(out)  # that it can be written is known before anything begins
    with contextlib.closing(Report(out, part, parts)) as report, _ends_after_a_line() as ending:
        counts = {"made": 0, "there": 0, "failed": 0}

        def note(row: Row | None) -> None:
            if row is not None:
                report.add(row)
                if "code" in row:
                    print(f"Line {row['number']}, {row['line']}: {row['sentence']}", file=sys.stderr, flush=True)
            counts["there" if row is None else "failed" if "code" in row else "made"] += 1

        there = []
        for line in lines:  # what is missing is told before the model is loaded
            if missing := _missing(line, job.manifest.parent):
                note(failure(line, missing, time.perf_counter()))
            else:
                there.append(line)
        progress = _Progress(len(there))
        # One character after the other, as only a few faces are kept in memory. The order changes no result.
        there.sort(key=lambda line: line.character)
        done = 0
        with contextlib.closing(drive(job, read, there, ending)) as rows:
            for done, row in enumerate(rows, 1):
                note(row)
                progress.show(done)
        if done < len(there):
            print(f"Interrupted: {len(there) - done} lines are left.", file=sys.stderr)
            return INTERRUPTED
    print(f"{len(lines)} lines: {counts['made']} made, {counts['there']} were there, {counts['failed']} failed.")
    return SOME_FAILED if counts["failed"] else DONE


def _overwritten(read: Manifest, out: Path) -> list[str]:
    """Return a sentence for each line whose result would take the place of a file that the manifest names."""
    folder = lru_cache(None)(os.path.realpath)
    inputs = {os.path.realpath(path) for path in read.inputs}
    return [
        f'Line {line.number} would write "{line.output}" over a file that the manifest names: choose another --out.'
        for line in read.lines
        if os.path.join(folder(out / posixpath.dirname(line.output)), posixpath.basename(line.output)) in inputs  # noqa: PTH118
    ]


def shard_of(line: Line, parts: int) -> int:
    """Return the part of a line, 1 to `parts`. It depends on its result's name alone: new lines move no others."""
    return int.from_bytes(hashlib.sha256(line.output.encode()).digest()[:8], "big") % parts + 1


def _refuse(faults: Sequence[str]) -> int:
    """Say what is wrong with the manifest. Returns the exit code."""
    for fault in faults[:MAX_FAULTS_SHOWN]:
        print(fault, file=sys.stderr)
    if (more := len(faults) - MAX_FAULTS_SHOWN) > 0:
        print(f"{more} further faults are not shown.", file=sys.stderr)
    return UNUSABLE


def make_line(maker: Maker, line: Line) -> Row | None:
    """Make a line.

    Args:
        maker: What makes it.
        line: The line.

    Returns:
        Its row of the report; None if it is there.

    Raises:
        LSFError: The model cannot be used.
    """
    started, inputs = time.perf_counter(), ""
    try:
        inputs = maker.inputs(line)
        if maker.is_there(line, inputs):
            return None
    except Exception as error:
        return failure(line, error, started, inputs)
    maker.load()  # without a model no line can be made: its error ends the batch
    try:
        made = maker.make(line, inputs)
    except Exception as error:
        return failure(line, error, started, inputs)
    return _row(line, started, inputs) | made


def failure(line: Line, error: Exception, started: float, inputs: str = "") -> Row:
    """Return the row of a line that failed.

    Args:
        line: The line.
        error: Why.
        started: Seconds of `time.perf_counter` at which it began.
        inputs: Digest of what decides its result, if it is known.
    """
    code, sentence = explain(error)
    return _row(line, started, inputs) | {"code": code, "sentence": sentence}


def _row(line: Line, started: float, inputs: str) -> Row:
    """What every row of the report has."""
    return {
        "line": line.output,
        "number": line.number,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.perf_counter() - started, 4),
        "inputs": inputs,
    }


def _missing(line: Line, folder: Path) -> LSFError | None:
    """What is wrong if the sound or the character of a line is not there."""
    for name in filter(None, (line.sound, line.character)):
        if not os.path.isfile(folder / name):  # noqa: PTH113 (Path.is_file raises for a path that is too long)
            return LSFError("no_file", f'There is no file "{name}" in the folder of the manifest.')
    return None


class _Progress:
    """Prints how far a batch is, now and then, by what was done since the last time."""

    def __init__(self, total: int):
        self._total, self._count = total, 0
        self._shown: float | None = None  # no time is counted before the first line: the model is loaded then

    def show(self, count: int) -> None:
        """Print the progress if it is time, after `count` lines."""
        now = time.perf_counter()
        if self._shown is None:
            self._shown, self._count = now, count
        elif now - self._shown >= PROGRESS_SECONDS:
            rate = max(count - self._count, 1) / max(now - self._shown, 1e-9)
            self._shown, self._count = now, count
            left = (self._total - count) / rate
            pace = f"{rate:.1f} a second" if rate >= 1 else f"{1 / rate:.1f} s a line"
            print(f"{count} of {self._total} lines, {pace}, {left:.0f} s left", flush=True)


@contextlib.contextmanager
def _ends_after_a_line() -> Iterator[threading.Event]:
    """Yield what the first Ctrl-C or SIGTERM sets. The next one raises KeyboardInterrupt."""
    ending = threading.Event()

    def note(number: int, frame: object) -> None:
        if ending.is_set():
            raise KeyboardInterrupt
        ending.set()

    if threading.current_thread() is not threading.main_thread():  # no other thread may choose what signals do
        yield ending
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
