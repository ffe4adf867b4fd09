"""A `read_picture` job: the server reads an expression from a picture of a face. Touches no Blender data."""

import numpy as np
from numpy.typing import NDArray

from ..client.jobs import Client
from .server_job import ServerWork

DIGITS = 4  # of a weight


class PictureReading(ServerWork):
    """The expression of a face in a picture, see docs/protocol.md.

    Args:
        client: The client.
        picture: RGB (H, W, 3).
        neutral: The same person with a neutral face, RGB (H, W, 3); None if there is none.
    """

    def __init__(self, client: Client, picture: NDArray[np.uint8], neutral: NDArray[np.uint8] | None) -> None:
        arrays = {"picture": picture} if neutral is None else {"picture": picture, "neutral": neutral}
        super().__init__(client, "read_picture", {}, arrays)

    @property
    def weights(self) -> dict[str, float]:
        """The weights above 0 by channel, the largest first."""
        pairs = zip(self.job.header["channels"], self.job.arrays["weights"].tolist(), strict=True)
        return {name: round(weight, DIGITS) for name, weight in sorted(pairs, key=lambda pair: -pair[1]) if weight > 0}

    def is_valid(self) -> bool:
        """Whether the result has a weight, 0 to 1, for each channel."""
        names, weights = self.job.header.get("channels"), self.job.arrays.get("weights")
        return (
            isinstance(names, list)
            and all(isinstance(name, str) for name in names)
            and weights is not None
            and weights.shape == (len(names),)
            and bool(((weights >= 0) & (weights <= 1)).all())
        )
