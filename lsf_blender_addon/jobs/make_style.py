"""A `make_style` job: the server measures how a recorded face moves to a sound. Touches no Blender data."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ..client.jobs import Client, Job
from ..client.wire import STYLE_FAMILIES, Arrays, Header, StyleCard, StyleError
from ..errors import UserError
from ..formats import live_link
from ..formats.curves import Curves
from ..scene.snapshots import Line
from .sound_work import SoundWork

FILE_FPS = 60.0  # of a recording that is read from a file


def of_file(path: str, rate: float) -> Callable[[], tuple[Curves, float]]:
    """What reads a recording of Live Link Face, whose first row belongs to the start of the strip.

    Args:
        path: The .csv file.
        rate: Frames a second of its timecode; 0 finds it.
    """

    def read() -> tuple[Curves, float]:
        return live_link.read(path, rate).shapes, FILE_FPS

    return read


class StyleMaking(SoundWork):
    """A `make_style` job.

    Args:
        client: The connection to the server.
        line: The sound of the performance, and its frames.
        read: Gives the recorded channels, and the frames a second at which they are sent; runs in the thread. Its time
            0 is where the strip begins.
        name: Name of the card.
    """

    def __init__(self, client: Client, line: Line, read: Callable[[], tuple[Curves, float]], name: str) -> None:
        self._read, self._name = read, name
        super().__init__(client, line)

    def send(self, header: Header, arrays: Arrays, folder: str) -> Job | None:
        """Send the request with the recording; see `SoundWork.send`."""
        try:
            curves, fps = self._read()
        except UserError as error:
            self._sound_error = str(error)
            return None
        # From where the sound begins on, which may be before or after the strip does. Nothing is known outside.
        start = -self.line.t0
        count = max(2, int((min(curves.seconds[-1], start + self.line.duration) - start) * fps) + 1)
        values = curves.at(start + np.arange(count) / fps)
        if self.state.ended:
            return None
        request = {**header, "fps": fps, "channels": list(curves.names), "name": self._name}
        return self._client.submit("make_style", request, arrays | {"recording": values})

    def is_valid(self, job: Job) -> bool:
        """Whether the result has a card, and what is told of it."""
        gains = job.header.get("gains")
        try:
            StyleCard.from_fields(job.header.get("card"))
        except StyleError:
            return False
        return (
            isinstance(gains, dict)
            and all(family in STYLE_FAMILIES and _is_number(gain) for family, gain in gains.items())
            and all(_is_number(job.header.get(name)) for name in ("lag", "error", "default_error", "seconds"))
        )

    @property
    def card(self) -> StyleCard:
        """The card, when `state` is DONE."""
        return StyleCard.from_fields(self._header["card"])

    @property
    def lag(self) -> float:
        """Seconds by which the recording is later than the sound, when `state` is DONE."""
        return float(self._header["lag"])

    @property
    def _header(self) -> Header:
        """The server's answer."""
        assert self.job is not None
        return self.job.header


def _is_number(value: Any) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
