"""Base class of the server's jobs that need nothing but a request. Touches no Blender data."""

from ..client.causes import DAMAGED
from ..client.jobs import Client, State
from ..client.wire import Arrays, Header
from ..scene.snapshots import Character


class ServerWork:
    """A job that sends its request at once. Call `poll` from Blender's main thread.

    Attributes:
        character: The character whose face is searched; None for jobs without a face.
        state: What the job is doing.
        error: Why it failed, a sentence.
        job: The job, which has the result when `state` is DONE.
    """

    character: Character | None = None

    def __init__(self, client: Client, type: str, request: Header, arrays: Arrays) -> None:
        self.state, self.error = State.WAITING, ""
        self._client = client
        self.job = client.submit(type, request, arrays)

    @property
    def fraction(self) -> float:
        """Progress, 0 to 1."""
        return self.job.fraction

    @property
    def text(self) -> str:
        """What the server is doing."""
        return self.job.text

    def cancel(self) -> None:
        """End the job: at once for Blender, within a second on the server."""
        self.state = State.CANCELLED
        self._client.cancel(self.job)

    def poll(self) -> State:
        """Update the state from the server's messages since the last call. Returns at once."""
        self._client.drain()  # the job's own fields say all of it
        if not self.state.ended:
            self.state, self.error = self.job.state, self.job.error
            if self.state is State.DONE and not self.is_valid():
                self.state, self.error = State.FAILED, DAMAGED
        return self.state

    def is_valid(self) -> bool:
        """Whether the result is complete and has the shapes that docs/protocol.md promises."""
        raise NotImplementedError
