"""Face curves, whatever file they come from or go to."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Curves:
    """Values of named shape keys over time."""

    names: list[str]  # K
    seconds: np.ndarray  # (F,) float64, increasing
    values: np.ndarray  # (F, K) float32

    def at(self, seconds: np.ndarray) -> np.ndarray:
        """(len(seconds), K) float32: straight lines between the samples, the ends held."""
        columns = [np.interp(seconds, self.seconds, column) for column in self.values.T]
        return np.stack(columns, 1).astype(np.float32) if columns else np.zeros((len(seconds), 0), np.float32)

    def on_frames(self, fps: float) -> np.ndarray:
        """(N, K) float32 at `fps`, from the first sample to the last."""
        count = int((self.seconds[-1] - self.seconds[0]) * fps + 1e-3) + 1
        return self.at(self.seconds[0] + np.arange(count) / fps)
