"""Runs a batch: goes through the lines of a manifest, and says what became of each."""

import contextlib
import hashlib
import os
import posixpath
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from ..engine import DEFAULT_CHECKPOINT, Engine
from ..errors import LSFError, explain
from . import manifest
from .maker import Maker
from .manifest import Line
from .report import Report, Row, finished
from .results import Results

DONE, SOME_FAILED, UNUSABLE, INTERRUPTED = 0, 1, 2, 130  # exit codes
MAX_FAULTS_SHOWN = 50
PROGRESS_SECONDS = 10.0  # between two lines of progress


def run(
    path: Path, out: Path, shard: tuple[int, int], checkpoint: str | None, device: str, cache_folder: Path | None
) -> int:
    """Make the lines of a manifest that are not made yet. Every failure is a sentence on stderr.

    Args:
        path: The manifest.
        out: Folder of the results.
        shard: Which part of the lines, from 1 on, and of how many.
        checkpoint: As of `Engine`.
        device: As of `Engine`.
        cache_folder: As of `Engine`.

    Returns:
        One of the exit codes.

    Raises:
        LSFError: The model cannot be used.
        OSError: The folder of the results cannot be written.
    """
    read = manifest.read(path)
    if out.resolve() == path.parent.resolve():
        read.faults.append("The results need another folder than that of the manifest.")
    read.faults += _overwritten(read, out)
    if read.faults:
        return _refuse(read.faults)

    def load() -> Engine:
        engine = Engine(checkpoint, device, cache_folder)
        if engine.device_note:
            print(engine.device_note, file=sys.stderr)
        return engine

    part, parts = shard
    lines = [line for line in read.lines if shard_of(line, parts) == part]
    results = Results(out)
    made_before = finished(out, {line.output for line in lines})
    maker = Maker(path.parent, read.lines, results, made_before, Path(checkpoint or DEFAULT_CHECKPOINT), load)
    with contextlib.closing(Report(out, part, parts)) as report, _ends_after_a_line() as ending:
        there = []
        for line in lines:  # what is missing is told before the model is loaded
            if missing := _missing(line, path.parent):
                report.add(_failure(line, missing, time.perf_counter(), ""))
            else:
                there.append(line)
        counts = {"made": 0, "there": 0, "failed": len(lines) - len(there)}
        progress = _Progress(len(there))
        # One character after the other, as only a few faces are kept in memory. The order changes no result.
        for count, line in enumerate(sorted(there, key=lambda line: line.character)):
            if ending.is_set():
                print(f"Interrupted: {len(there) - count} lines are left.", file=sys.stderr)
                return INTERRUPTED
            progress.show(count)
            row = _line(maker, line)
            if row is not None:
                report.add(row)
            counts["there" if row is None else "failed" if "code" in row else "made"] += 1
    print(f"{len(lines)} lines: {counts['made']} made, {counts['there']} were there, {counts['failed']} failed.")
    return SOME_FAILED if counts["failed"] else DONE


def _overwritten(read: manifest.Manifest, out: Path) -> list[str]:
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


def _line(maker: Maker, line: Line) -> Row | None:
    """Make a line. Returns its row of the report; None if it is there. Raises what loading the model raises."""
    started, inputs = time.perf_counter(), ""
    try:
        inputs = maker.inputs(line)
        if maker.is_there(line, inputs):
            return None
    except Exception as error:
        return _failure(line, error, started, inputs)
    maker.load()  # without a model no line can be made: its error ends the batch
    try:
        made = maker.make(line, inputs)
    except Exception as error:
        return _failure(line, error, started, inputs)
    return _row(line, started, inputs) | made


def _failure(line: Line, error: Exception, started: float, inputs: str) -> Row:
    """Say on stderr why a line failed. Returns its row of the report."""
    code, sentence = explain(error)
    print(f"Line {line.number}, {line.output}: {sentence}", file=sys.stderr, flush=True)
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
        self._total, self._shown, self._count = total, time.perf_counter(), 0

    def show(self, count: int) -> None:
        """Print the progress if it is time, after `count` lines."""
        now = time.perf_counter()
        if now - self._shown < PROGRESS_SECONDS:
            return
        rate = max(count - self._count, 1) / max(now - self._shown, 1e-9)
        self._shown, self._count = now, count
        left = (self._total - count) / rate
        print(f"{count} of {self._total} lines, {rate:.1f} a second, {left:.0f} s left", flush=True)


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
