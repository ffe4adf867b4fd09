"""A `prepare_face` job: the server finds the face of a character. Touches no Blender data."""

import numpy as np

from ..client.jobs import Client
from ..scene.snapshots import Character
from .server_job import ServerWork


class FaceFinding(ServerWork):
    """The search for the landmarks and parts of a character, see docs/protocol.md."""

    def __init__(self, client: Client, character: Character) -> None:
        self.character = character
        arrays = character.arrays()
        arrays.pop("rig_shapes", None)  # only the motion of a line needs them
        super().__init__(client, "prepare_face", {}, arrays)

    def is_valid(self) -> bool:
        """Whether the result has 68 landmarks, and a vertex of the character for each."""
        landmarks, vertices = self.job.arrays.get("landmarks68"), self.job.arrays.get("landmark_vertices")
        return (
            self.character is not None
            and landmarks is not None
            and landmarks.shape == (68, 3)
            and bool(np.isfinite(landmarks).all())
            and vertices is not None
            and vertices.shape == (68,)
            and bool(vertices.min() >= 0)
            and bool(vertices.max() < len(self.character.vertices))
        )
