"""The artist's direction: an emotion with its strength, constant or over time, mixed with the detected emotion."""

from dataclasses import dataclass

import numpy as np

from ...errors import LSFError
from ...numerics import FloatArray
from ...protocol.emotions import EMOTIONS

CONTROL_SIZE = 2 + len(EMOTIONS)  # strength, mix, and a weight for each emotion


@dataclass(frozen=True)
class Direction:
    """The emotion to show, one row per frame: strength · (mix · chosen + (1 − mix) · detected)."""

    strength: FloatArray  # (F,) 0 to 1
    mix: FloatArray  # (F,) 0 to 1: the share of the chosen emotion; the rest is the detected one
    chosen: FloatArray  # (F, 8) 0 to 1, in the order of EMOTIONS

    @classmethod
    def constant(cls, emotion: str | None = None, strength: float = 1.0, mix: float | None = None) -> "Direction":
        """Make a direction of one row, for the whole line.

        Args:
            emotion: One of EMOTIONS, or None for the detected emotion only.
            strength: 0 (no emotion) to 1.
            mix: 0 (detected) to 1 (chosen); None is 1 if an emotion is given, else 0.

        Raises:
            LSFError: "bad_settings" for an unknown emotion or a number out of range.
        """
        if emotion is not None and emotion not in EMOTIONS:
            raise LSFError("bad_settings", f'There is no emotion "{emotion}": choose one of {", ".join(EMOTIONS)}.')
        mix = float(emotion is not None) if mix is None else mix
        row = np.array([[strength, mix, *(float(name == emotion) for name in EMOTIONS)]])
        return cls.from_control(row)

    @classmethod
    def from_control(cls, control: FloatArray) -> "Direction":
        """Make a direction from the rows of a request.

        Args:
            control: (F, 10) strength, mix, and the weights of EMOTIONS, all 0 to 1.

        Raises:
            LSFError: "bad_settings" for another shape or a number out of range.
        """
        if control.ndim != 2 or control.shape[1] != CONTROL_SIZE or not len(control):
            raise LSFError("bad_settings", f"Emotion over time needs {CONTROL_SIZE} numbers per frame.")
        if not ((control >= 0) & (control <= 1)).all():  # NaN fails, too
            raise LSFError("bad_settings", "Strength, mix and emotions must be between 0 and 1.")
        return cls(control[:, 0], control[:, 1], control[:, 2:])

    def asks_for_emotion(self) -> bool:
        """Return whether this shows anything but the emotion that is detected, at its full strength."""
        return bool((self.strength < 1).any() or (self.mix > 0).any())

    def resampled(self, times: FloatArray, fps: float, t0: float) -> "Direction":
        """Interpolate the rows linearly; the first and the last row hold.

        Args:
            times: (n,) seconds of the audio.
            fps: Rate of the rows in frames per second.
            t0: Time of row 0 in seconds of the audio.

        Returns:
            A direction of n rows.
        """
        position = np.clip((times - t0) * fps, 0, len(self.strength) - 1)
        low = np.floor(position).astype(int)
        high, fraction = np.minimum(low + 1, len(self.strength) - 1), position - low

        def interpolate(rows: FloatArray) -> FloatArray:
            weight = fraction.reshape(-1, *[1] * (rows.ndim - 1))
            between: FloatArray = (1 - weight) * rows[low] + weight * rows[high]
            return between

        return Direction(interpolate(self.strength), interpolate(self.mix), interpolate(self.chosen))

    def rows(self, first: int, count: int) -> "Direction":
        """Return the direction of `count` frames from `first` on; a direction of one row is for all frames."""
        if len(self.strength) == 1:
            return self
        some = slice(first, first + count)
        return Direction(self.strength[some], self.mix[some], self.chosen[some])

    def applied_to(self, detected: FloatArray) -> FloatArray:
        """Return the emotions (F, 8) to show, given those detected in the voice (F, 8)."""
        mix = self.mix[:, None]
        return self.strength[:, None] * (mix * self.chosen + (1 - mix) * detected)
