"""A `read_emotion` job: the server reads an emotion from a direction in words. Touches no Blender data."""

import numpy as np

from ..client.jobs import Client
from .server_job import ServerWork


class DirectionReading(ServerWork):
    """The emotion of a text, such as "angry, but holding back", see docs/protocol.md."""

    def __init__(self, client: Client, direction: str) -> None:
        super().__init__(client, "read_emotion", {"text": direction}, {})

    @property
    def weights(self) -> dict[str, float]:
        """Weights of the emotions, the largest first; their sum is 1."""
        pairs = zip(self.job.header["emotions"], self.job.arrays["weights"].tolist(), strict=True)
        return dict(sorted(pairs, key=lambda pair: -pair[1]))

    @property
    def strength(self) -> float:
        """Strength of the emotion, 0 to 1."""
        return float(self.job.header["strength"])

    def is_valid(self) -> bool:
        """Whether the result has a weight for each emotion, and a strength."""
        header, weights = self.job.header, self.job.arrays.get("weights")
        names, strength = header.get("emotions"), header.get("strength")
        return (
            isinstance(names, list)
            and len(names) > 0
            and weights is not None
            and weights.shape == (len(names),)
            and bool(np.isfinite(weights).all())
            and isinstance(strength, (int, float))
            and 0 <= strength <= 1
        )
