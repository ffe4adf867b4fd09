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
class Task:
    """Lines for one worker.

    Attributes:
        job: The batch.
        manifest: SHA-256 of its manifest, hexadecimal.
        model: (name, SHA-256) of each file of the driver's model.
        version: The driver's version of this software.
        numbers: The lines, by their numbers in the manifest.
    """

    job: "Job"
    manifest: str
    model: tuple[tuple[str, str], ...]
    version: str
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

            maker, lines = _open(task.job, task.manifest, task.model, task.version)
            for number in task.numbers:
                rows.append(make_line(maker, lines[number]))
                if time.monotonic() - started > TASK_SECONDS:
                    break
        except Exception as error:
            return Outcome(rows, explain(error))
    return Outcome(rows)


@lru_cache(1)  # the model and the manifest are loaded once
def _open(
    job: "Job", digest: str, model: tuple[tuple[str, str], ...], version: str
) -> "tuple[Maker, Mapping[int, Line]]":
    """Prepare a batch; arguments as of `Task`.

    Returns:
        What makes its lines, and the lines by their numbers.

    Raises:
        LSFError: This worker has another version, model or manifest than the driver.
        OSError: The manifest or the folder of the results cannot be used.
    """
    if version != __version__:
        raise LSFError("version_mismatch", f"it has version {__version__}, and the batch was begun with {version}.")
    from ..maker import model_digests
    from ..results import file_digest

    if not job.manifest.is_file():
        raise LSFError("no_file", f'it has no file "{job.manifest}": all machines of a farm need the same drive.')
    if file_digest(job.manifest) != digest:
        raise LSFError("version_mismatch", f'its "{job.manifest}" is another one than that of the batch.')
    if tuple(model_digests(job.model_folder).items()) != model:
        raise LSFError("version_mismatch", f'its model in "{job.model_folder}" is another one than that of the batch.')
    read = job.read()
    if read.faults:
        raise LSFError("bad_request", read.faults[0])
    return job.maker(read, read.lines), {line.number: line for line in read.lines}
