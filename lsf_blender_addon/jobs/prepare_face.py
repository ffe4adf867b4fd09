"""One search for the face of a character by the server. Touches no Blender data."""

import numpy as np

from ..client.jobs import Client
from ..scene.snapshots import Character
from .server_job import ServerWork


class FaceFinding(ServerWork):
    """A `prepare_face` job."""

    def __init__(self, client: Client, character: Character):
        self.character = character
        arrays = character.arrays()
        arrays.pop("rig_shapes", None)  # only the motion of a line needs them
        super().__init__(client, "prepare_face", {}, arrays)

    def is_whole(self) -> bool:
        landmarks, vertices = self.job.arrays.get("landmarks68"), self.job.arrays.get("landmark_vertices")
        return (
            landmarks is not None
            and landmarks.shape == (68, 3)
            and bool(np.isfinite(landmarks).all())
            and vertices is not None
            and vertices.shape == (68,)
            and vertices.min() >= 0
            and vertices.max() < len(self.character.vertices)
        )
