"""One job for the server and what became of it. Touches no Blender data."""

from ..client.jobs import Client, State
from ..scene.snapshots import Character


class ServerWork:
    """`state` is a State; `fraction` (0 to 1) and `text` tell how far it is, `error` why it failed.

    `job` has the result, `character` is whom it is for, if anybody.
    """

    character: Character | None = None

    def __init__(self, client: Client, type: str, request: dict, arrays: dict):
        self.state, self.error = State.WAITING, ""
        self._client = client
        self.job = client.submit(type, request, arrays)

    @property
    def fraction(self) -> float:
        return self.job.fraction

    @property
    def text(self) -> str:
        return self.job.text

    def cancel(self) -> None:
        """End it, at once for Blender."""
        self.state = State.CANCELLED
        self._client.cancel(self.job)

    def poll(self) -> State:
        """Take what has happened since; returns at once."""
        self._client.drain()  # the job's own fields say all of it
        if not self.state.ended:
            self.state, self.error = self.job.state, self.job.error
            if self.state is State.DONE and not self.is_whole():
                self.state, self.error = (
                    State.FAILED,
                    ("The server's answer is damaged: try again, or reinstall the add-on"),
                )
        return self.state

    def is_whole(self) -> bool:
        """Whether the result is what the protocol promises."""
        raise NotImplementedError
