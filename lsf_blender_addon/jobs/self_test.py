"""The self-test: one second of speech through the whole speech engine, on the project's own head."""

import time

import numpy as np

from ..client.jobs import Client, State
from ..scene import new_strip
from .server_job import ServerWork

START, SECONDS = 1.625, 1.0  # the part of the demo line that is animated: "maybe you"
FPS = 25.0
OPEN = 0.05  # the jaw opens at least so far in it; measured: 0.33
LEAST_FRAMES = 20

test: "SelfTest | None" = None  # the one that runs, or the last one


class SelfTest(ServerWork):
    """A `generate` job without a mesh, for which the server takes the project's own head, see docs/protocol.md.

    Attributes:
        seconds: Seconds from the press of the button to the end, with the start of the server.
        starts_server: Whether the server had to be started.
    """

    def __init__(self, client: Client) -> None:
        self.starts_server = client.server != "ready"
        self.seconds = 0.0
        self._started = time.monotonic()
        request = {
            "audio_file": str(new_strip.DEMO_LINE),
            "start": START,
            "duration": SECONDS,
            "settings": {"fps": FPS, "t0": 0.0},
        }
        super().__init__(client, "generate", request, {})

    def poll(self) -> State:
        """Update the state from the server's messages. Returns at once."""
        if not self.state.ended:
            self.seconds = time.monotonic() - self._started
        return super().poll()

    def is_valid(self) -> bool:
        """Whether a mouth that speaks came back: finite curves in which the jaw opens."""
        channels, motion = self.job.header.get("channels"), self.job.arrays.get("motion")
        return (
            isinstance(channels, list)
            and "jawOpen" in channels
            and motion is not None
            and motion.ndim == 2
            and motion.shape[0] >= LEAST_FRAMES
            and motion.shape[1] == len(channels)
            and all(bool(np.isfinite(array).all()) for array in self.job.arrays.values())
            and float(motion[:, channels.index("jawOpen")].max()) > OPEN
        )


def start(client: Client) -> SelfTest:
    """Start the self-test; returns at once."""
    global test
    test = SelfTest(client)
    return test


def running() -> bool:
    """Whether a self-test runs."""
    return test is not None and not test.state.ended


def forget() -> None:
    """Forget the last self-test: the speech engine is another one now, or the add-on is disabled."""
    global test
    test = None
