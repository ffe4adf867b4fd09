"""Face curves, independent of the file format. No bpy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Curves:
    """Values of named shape keys over time.

    Attributes:
        names: Names of the K shape keys.
        seconds: Times (F,) of the samples, increasing.
        values: Values (F, K).
    """

    names: list[str]
    seconds: NDArray[np.float64]
    values: NDArray[np.float32]

    def at(self, seconds: NDArray[np.floating]) -> NDArray[np.float32]:
        """Interpolate the curves linearly; values are constant before the first and after the last sample.

        Args:
            seconds: Times (N,).

        Returns:
            Values (N, K).
        """
        columns = [np.interp(seconds, self.seconds, column) for column in self.values.T]
        return np.stack(columns, 1).astype(np.float32) if columns else np.zeros((len(seconds), 0), np.float32)

    def resampled(self, fps: float) -> NDArray[np.float32]:
        """Resample the curves from the first sample to the last.

        Args:
            fps: Frames a second.

        Returns:
            Values (N, K), one row a frame.
        """
        count = int((self.seconds[-1] - self.seconds[0]) * fps + 1e-3) + 1
        return self.at(self.seconds[0] + np.arange(count) / fps)
