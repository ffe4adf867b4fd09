"""What runs on the workers of a farm. The scheduler imports this module, too, so it imports nothing that is slow."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from ... import __version__
from ...errors import LSFError, explain

if TYPE_CHECKING:
    from ..maker import Maker
    from ..manifest import Line
    from ..report import Row
    from ..runner import Job

TASK_SECONDS = 2.0  # after which a task gives back what it has not begun: an interrupt waits for no more

_one_at_a_time = threading.Lock()  # a Maker serves one thread, and a worker may have several


@dataclass(frozen=True, slots=True)
class Batch:
    """One run of a batch, as its driver knows it.

    Attributes:
        run: Tells it from all other runs: what a worker has read for one of them may be old in the next.
        job: What is to be made.
        manifest: SHA-256 of its manifest, hexadecimal.
        meaning: `Manifest.meaning` of it.
        model: (name, SHA-256) of each file of the driver's model.
        version: The driver's version of this software.
    """

    run: str
    job: "Job"
    manifest: str
    meaning: str
    model: tuple[tuple[str, str], ...]
    version: str


@dataclass(frozen=True, slots=True)
class Task:
    """Lines for one worker.

    Attributes:
        batch: Of what.
        numbers: The lines, by their numbers in the manifest.
    """

    batch: Batch
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a task.

    Attributes:
        rows: For each line that was begun its row of the report; None if it was there.
        refusal: Code and sentence if this worker can make no line of the batch.
    """

    rows: "list[Row | None]"
    refusal: tuple[str, str] | None = None


def perform(task: Task) -> Outcome:
    """Make the lines of a task, as many as fit into TASK_SECONDS, and at least one. It raises nothing.

    Args:
        task: The task.
    """
    rows: list[Row | None] = []
    with _one_at_a_time:
        started = time.monotonic()
        try:
            from ..runner import make_line

            maker, lines = _open(task.batch)
            for number in task.numbers:
                rows.append(make_line(maker, lines[number]))
                if time.monotonic() - started > TASK_SECONDS:
                    break
        except Exception as error:
            return Outcome(rows, explain(error))
    return Outcome(rows)


@lru_cache(1)  # the model and the manifest are loaded once in a run
def _open(batch: Batch) -> "tuple[Maker, Mapping[int, Line]]":
    """Prepare a batch.

    Returns:
        What makes its lines, and the lines by their numbers.

    Raises:
        LSFError: This worker has another version, model, manifest or text encoder than the driver, or other files that
            the manifest names.
        OSError: The manifest or the folder of the results cannot be used.
    """
    job, version = batch.job, batch.version
    if version != __version__:
        raise LSFError("version_mismatch", f"it has version {__version__}, and the batch was begun with {version}.")
    from ..maker import model_digests
    from ..results import file_digest

    if not job.manifest.is_file():
        raise LSFError("no_file", f'it has no file "{job.manifest}": all machines of a farm need the same drive.')
    if file_digest(job.manifest) != batch.manifest:
        raise LSFError("version_mismatch", f'its "{job.manifest}" is another one than that of the batch.')
    if tuple(model_digests(job.model_folder).items()) != batch.model:
        raise LSFError("version_mismatch", f'its model in "{job.model_folder}" is another one than that of the batch.')
    read = job.read()
    if read.faults:
        raise LSFError("bad_request", read.faults[0])
    if read.meaning != batch.meaning:
        raise LSFError(
            "version_mismatch",
            "its banks, style cards, transcripts or keys are others than those of the batch, or it alone has or lacks "
            "the text encoder: run the batch again when its drive and its packages are those of the other machines.",
        )
    return job.maker(read, read.lines), {line.number: line for line in read.lines}
