"""One search for the face of a character by the server. Touches no Blender data."""

import numpy as np

from .client.jobs import Client, State
from .scene.character import Character


class FaceFinding:
    """A `prepare_face` job and what became of it.

    `state` is a State; `fraction` (0 to 1) and `text` tell how far it is, `error` why it failed, `job` has the result.
    """

    def __init__(self, client: Client, character: Character):
        self.character = character
        self.state, self.error = State.WAITING, ""
        self._client = client
        self.job = client.submit("prepare_face", {}, character.arrays())

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
            if self.state is State.DONE and not self._is_whole():
                self.state, self.error = State.FAILED, ("The server's answer is damaged: try again, or reinstall the "
                                                        "add-on")
        return self.state

    def _is_whole(self) -> bool:
        landmarks, vertices = self.job.arrays.get("landmarks68"), self.job.arrays.get("landmark_vertices")
        return (landmarks is not None and landmarks.shape == (68, 3) and bool(np.isfinite(landmarks).all())
                and vertices is not None and vertices.shape == (68,)
                and 0 <= vertices.min() and vertices.max() < len(self.character.vertices))
