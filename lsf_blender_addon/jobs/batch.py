"""What the server does for one press of a button: lines one after the other, or a single one, or the search for a face.

Touches no Blender data.
"""

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..client.jobs import State
from ..errors import UserError
from .generate import Generation
from .server_job import ServerWork

UNEXPECTED = "Something went wrong: the details are in Blender's console (Window > Toggle System Console)"


@dataclass(eq=False)
class Item:
    """One line on one head, the head alone, or a direction in words. It is read from the scene when its turn comes."""

    name: str
    begin: Callable[[], Generation | ServerWork]  # may raise UserError
    state: State = State.WAITING
    error: str = ""  # one sentence
    work: Generation | ServerWork | None = None  # of the server for it
    blocked: str = ""  # what its result waits for: the artist is at work on the head

    def fail(self, sentence: str) -> None:
        self.state, self.error = State.FAILED, sentence.rstrip(".") + "."


class Batch:
    """Call `poll` from Blender's main thread until `ended`; then the `results` wait to be written.

    A line that fails does not stop the others, nor does one that is cancelled take those with it that are done.

    Results are written together at the end. Written one by one, they could not be one undo step: Blender's undo takes
    back all that came since a step, whoever did it, so that the artist's Ctrl+Z meanwhile would lose lines that are
    done, and that of the batch what the artist did meanwhile.
    """

    def __init__(self, items: list[Item]):
        self.items = items
        self.waits = ""  # why the results are not written yet, or that they are
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the button was pressed."""
        return time.monotonic() - self._started

    @property
    def ended(self) -> bool:
        return all(item.state.ended for item in self.items)

    @property
    def results(self) -> list[Item]:
        return [item for item in self.items if item.state is State.DONE]

    @property
    def failed(self) -> list[Item]:
        return [item for item in self.items if item.state is State.FAILED]

    @property
    def active(self) -> Item | None:
        """The line that is its turn; None at the end."""
        return next((item for item in self.items if not item.state.ended), None)

    @property
    def fraction(self) -> float:
        item = self.active
        begun = item.work.fraction if item and item.work else 0.0
        return (sum(item.state.ended for item in self.items) + begun) / max(1, len(self.items))

    @property
    def text(self) -> str:
        item = self.active
        if item is None:
            return self.waits
        doing = item.work.text if item.work else "Reading the head"
        return doing if len(self.items) == 1 else f"{self.items.index(item) + 1} of {len(self.items)}: {item.name}"

    def poll(self) -> None:
        """Take what has happened since, and begin the next line."""
        item = self.active
        if item is None:
            return
        if item.work is None:
            try:
                item.work = item.begin()
            except UserError as error:
                item.fail(str(error))
            except Exception:  # a bug on one line must not cost the others
                traceback.print_exc()
                item.fail(UNEXPECTED)
            return
        item.state = item.work.poll()
        if item.state is State.DONE:
            self._share_basis(item)
        elif item.state is State.FAILED:
            item.fail(item.work.error)

    def cancel(self, item: Item | None = None) -> None:
        """Give up one line, or all that are not done; where none is at work any more, those that cannot be written."""
        if item is not None:
            lines = [item]
        else:
            lines = [item for item in self.results if item.blocked] or [
                item for item in self.items if not item.state.ended
            ]
        for line in lines:
            if line.work is not None:
                line.work.cancel()
            line.state = State.CANCELLED

    def _share_basis(self, item: Item) -> None:
        """Keep the basis of a head in memory once, however many lines it speaks."""
        arrays = item.work.job.arrays
        for other in self.results:
            basis = other.work.job.arrays.get("basis")
            if other is not item and basis is not None and np.array_equal(basis, arrays.get("basis")):
                arrays["basis"] = basis
                return
