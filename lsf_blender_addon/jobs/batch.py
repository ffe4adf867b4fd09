"""The jobs that one button has started, which run one after the other. Touches no Blender data."""

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..client import causes
from ..client.jobs import State
from ..client.wire import Arrays, Header
from ..errors import UserError, printable
from .import_results import ImportedLine
from .server_job import ServerWork
from .sound_work import SoundWork


@dataclass(eq=False)
class Item:
    """One line on one head, the search for a face, or a direction in words.

    Attributes:
        name: What the artist sees.
        start: Reads what is needed from the file and starts the work, when the item's turn comes. May raise UserError.
        state: What the work is doing.
        error: Why it failed, a sentence.
        work: What `start` has returned; None before the item's turn.
        blocked: What the result waits for before it can be written; empty for nothing.
    """

    name: str
    start: Callable[[], SoundWork | ServerWork | ImportedLine]
    state: State = State.WAITING
    error: str = ""
    work: SoundWork | ServerWork | ImportedLine | None = None
    blocked: str = ""

    def fail(self, reason: str) -> None:
        """Mark the item as failed.

        Args:
            reason: A sentence for the artist, with or without its full stop.
        """
        self.state, self.error = State.FAILED, printable(reason.rstrip(".") + ".")


class Batch:
    """Runs items one after the other. Call `poll` from Blender's main thread until `ended`, then write the `results`.

    An item that fails or is cancelled leaves the others alone.

    Results are written together at the end, as one undo step. If each was written when it is done, other steps of the
    artist would lie between them: undoing the batch would undo these, and the artist's own undo would lose results.

    Attributes:
        items: In the order in which they run.
        waits: What is shown when all items have ended: what writing waits for, or that it is running.

    Args:
        items: In the order in which they run.
    """

    def __init__(self, items: list[Item]) -> None:
        self.items = items
        self.waits = ""
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the button was pressed."""
        return time.monotonic() - self._started

    @property
    def ended(self) -> bool:
        """Whether no item runs or waits any more."""
        return all(item.state.ended for item in self.items)

    @property
    def results(self) -> list[Item]:
        """The items with a result that can be written."""
        return [item for item in self.items if item.state is State.DONE]

    @property
    def headers(self) -> list[Header]:
        """Fields of these results, see docs/protocol.md."""
        jobs = [item.work.job for item in self.results if item.work is not None]
        return [job.header for job in jobs if job is not None]

    @property
    def failed(self) -> list[Item]:
        """The items that failed."""
        return [item for item in self.items if item.state is State.FAILED]

    @property
    def active(self) -> Item | None:
        """The item whose turn it is; None when all have ended."""
        return next((item for item in self.items if not item.state.ended), None)

    @property
    def fraction(self) -> float:
        """Progress of the whole batch, 0 to 1."""
        item = self.active
        started = item.work.fraction if item and item.work else 0.0
        return (sum(item.state.ended for item in self.items) + started) / max(1, len(self.items))

    @property
    def text(self) -> str:
        """What is being done."""
        item = self.active
        if item is None:
            return self.waits
        doing = item.work.text if item.work else "Reading the head"
        return doing if len(self.items) == 1 else f"{self.items.index(item) + 1} of {len(self.items)}: {item.name}"

    def poll(self) -> None:
        """Update the running item, or start the next one. Returns at once."""
        item = self.active
        if item is None:
            return
        if item.work is None:
            try:
                item.work = item.start()
            except UserError as error:
                item.fail(str(error))
            except Exception:  # an error in one item must not stop the others
                traceback.print_exc()
                item.fail(causes.unexpected(traceback.format_exc()))
            return
        item.state = item.work.poll()
        if item.state is State.DONE:
            self._share_basis(item)
        elif item.state is State.FAILED:
            item.fail(item.work.error)

    def cancel(self, item: Item | None = None) -> None:
        """Cancel items.

        Args:
            item: The item to cancel. None: all that have not ended; if all have, those that cannot be written.
        """
        if item is not None:
            chosen = [item]
        else:
            blocked = [item for item in self.results if item.blocked]
            chosen = blocked or [item for item in self.items if not item.state.ended]
        for cancelled in chosen:
            if cancelled.work is not None:
                cancelled.work.cancel()
            cancelled.state = State.CANCELLED

    def _share_basis(self, item: Item) -> None:
        """Keep the basis of a head in memory once, however many lines it speaks."""
        arrays = _result_arrays(item)
        basis = arrays.get("basis")
        for other in self.results:
            known = _result_arrays(other).get("basis")
            if other is item or known is None or basis is None or known.shape != basis.shape:
                continue
            if np.array_equal(known[:1], basis[:1]) and np.array_equal(known, basis):  # other heads differ in the first
                arrays["basis"] = known
                return


def _result_arrays(item: Item) -> Arrays:
    """The arrays of an item's result; empty if it has none."""
    job = item.work.job if item.work else None
    return job.arrays if job else {}
