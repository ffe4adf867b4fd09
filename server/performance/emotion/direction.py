"""What the artist asks for: an emotion with its strength, constant or over time, mixed with that of the voice."""

from dataclasses import dataclass

import numpy as np

from ...errors import LSFError
from ...protocol.emotions import EMOTIONS


@dataclass(frozen=True)
class Direction:
    """What the artist wants, one row a frame: strength · (mix · chosen + (1 − mix) · implied)."""

    strength: np.ndarray  # (F,) 0 to 1
    mix: np.ndarray  # (F,) 0 to 1: how much of it is chosen and not heard
    chosen: np.ndarray  # (F, 8) 0 to 1, in the order of EMOTIONS

    @classmethod
    def constant(cls, emotion: str | None = None, strength: float = 1.0, mix: float | None = None) -> "Direction":
        """One row for the whole line. Raises LSFError("bad_settings", …)."""
        if emotion is not None and emotion not in EMOTIONS:
            raise LSFError("bad_settings", f'There is no emotion "{emotion}": choose of {", ".join(EMOTIONS)}.')
        mix = float(emotion is not None) if mix is None else mix
        row = np.array([[strength, mix, *(float(name == emotion) for name in EMOTIONS)]])
        return cls.of_control(row)

    @classmethod
    def of_control(cls, control: np.ndarray) -> "Direction":
        """Rows (F, 10) of strength, mix and the weights of EMOTIONS. Raises LSFError("bad_settings", …)."""
        if control.ndim != 2 or control.shape[1] != 2 + len(EMOTIONS) or not len(control):
            raise LSFError("bad_settings", f"Emotion over time needs {2 + len(EMOTIONS)} numbers a frame.")
        if not ((control >= 0) & (control <= 1)).all():  # NaN fails, too
            raise LSFError("bad_settings", "Strength, mix and emotions must be between 0 and 1.")
        return cls(control[:, 0], control[:, 1], control[:, 2:])

    def at(self, times: np.ndarray, fps: float, t0: float) -> "Direction":
        """Rows at `times` (n,) seconds of the audio, where row i was at t0 + i / fps. The ends hold."""
        place = np.clip((times - t0) * fps, 0, len(self.strength) - 1)
        low = np.floor(place).astype(int)
        high, part = np.minimum(low + 1, len(self.strength) - 1), place - low

        def between(rows: np.ndarray) -> np.ndarray:
            weight = part.reshape(-1, *[1] * (rows.ndim - 1))
            return (1 - weight) * rows[low] + weight * rows[high]

        return Direction(between(self.strength), between(self.mix), between(self.chosen))

    def mixed(self, implied: np.ndarray) -> np.ndarray:
        """Emotions (F, 8) that the face shows, of those that the voice implies (F, 8)."""
        mix = self.mix[:, None]
        return self.strength[:, None] * (mix * self.chosen + (1 - mix) * implied)
