"""The artist's direction: emotions and expressions with their strength, mixed with the emotion that is detected."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ...errors import LSFError
from ...numerics import FloatArray
from ...protocol import affect
from ...protocol.emotions import EMOTIONS
from .bank import Bank, limited

CONTROL_SIZE = 2 + len(EMOTIONS)  # strength, mix, and a weight for each emotion; then one for each entry of the bank


@dataclass(frozen=True)
class Direction:
    """The emotion to show, one row per frame: strength · (mix · chosen + (1 − mix) · detected).

    Attributes:
        strength: (F,) 0 to 1.
        mix: (F,) 0 to 1: the share of the chosen emotion; the rest is the detected one.
        chosen: (F, 8 + B) 0 to 1, in the order of EMOTIONS, then of the entries of the bank.
        bank: The B expressions that an artist has made.
        way: (F,) 0 where the detected emotion alone is shown, 1 where the change from it to the choice is over; None if
            there is no such change, or if it is a cross-fade. The mix grows along with it. Between 0 and 1, it takes
            `affect.LONGEST` times as long as a change between neighbours.
    """

    strength: FloatArray
    mix: FloatArray
    chosen: FloatArray
    bank: Bank = field(default_factory=Bank)
    way: FloatArray | None = None

    @classmethod
    def constant(
        cls, emotion: str | None = None, strength: float = 1.0, mix: float | None = None, bank: Bank | None = None
    ) -> "Direction":
        """Make a direction of one row, for the whole line.

        Args:
            emotion: One of EMOTIONS, or the name of an entry of the bank, or None for the detected emotion only.
            strength: 0 (no emotion) to 1.
            mix: 0 (detected) to 1 (chosen); None is 1 if an emotion is given, else 0.
            bank: The expressions that an artist has made; None: there are none.

        Raises:
            LSFError: "bad_settings" for an unknown emotion or a number out of range.
        """
        bank = bank or Bank()
        names = (*EMOTIONS, *bank.names)
        if emotion is not None and emotion not in names:
            raise LSFError("bad_settings", f'There is no emotion "{emotion}": choose one of {", ".join(names)}.')
        mix = float(emotion is not None) if mix is None else mix
        row = np.array([[strength, mix, *(float(name == emotion) for name in names)]])
        return cls.from_control(row, bank)

    @classmethod
    def from_control(cls, control: FloatArray, bank: Bank | None = None, way: FloatArray | None = None) -> "Direction":
        """Make a direction from the rows of a request.

        Args:
            control: (F, 10 + B) strength, mix, the weights of EMOTIONS, and those of the bank's entries, all 0 to 1.
            bank: The B expressions that an artist has made; None: there are none.
            way: (F,) as the attribute.

        Raises:
            LSFError: "bad_settings" for another shape or a number out of range.
        """
        bank = bank or Bank()
        size = CONTROL_SIZE + len(bank.expressions)
        if control.ndim != 2 or control.shape[1] != size or not len(control):
            raise LSFError("bad_settings", f"Emotion over time needs {size} numbers per frame.")
        if not ((control >= 0) & (control <= 1)).all():  # NaN fails, too
            raise LSFError("bad_settings", "Strength, mix and emotions must be between 0 and 1.")
        if way is not None and not (way.shape == control.shape[:1] and ((way >= 0) & (way <= 1)).all()):
            raise LSFError("bad_settings", "The way from the detected emotion needs a number from 0 to 1 per frame.")
        return cls(control[:, 0], control[:, 1], control[:, 2:], bank, way)

    def asks_for_emotion(self) -> bool:
        """Return whether this shows anything but the emotion that is detected, at its full strength."""
        return bool((self.strength < 1).any() or (self.mix > 0).any())

    def shows_poses_alone(self) -> bool:
        """Return whether no emotion of the model is asked for: a model without emotions can show such a direction."""
        named, entries = self.chosen[:, : len(EMOTIONS)], self.chosen[:, len(EMOTIONS) :]
        return bool(self.bank.expressions) and not named.any() and not (entries @ self.bank.emotion_weights).any()

    def resampled(self, times: FloatArray, fps: float, t0: float) -> "Direction":
        """Interpolate the rows linearly; the first and the last row hold.

        Args:
            times: (n,) seconds of the audio.
            fps: Rate of the rows in frames per second.
            t0: Time of row 0 in seconds of the audio.

        Returns:
            A direction of n rows.
        """
        return self.at((times - t0) * fps)

    def at(self, positions: FloatArray) -> "Direction":
        """Return the rows at positions (n,) between them, by linear interpolation; the first and the last row hold."""
        position = np.clip(positions, 0, len(self.strength) - 1)
        low = np.floor(position).astype(int)
        high, fraction = np.minimum(low + 1, len(self.strength) - 1), position - low

        def interpolate(rows: FloatArray) -> FloatArray:
            weight = fraction.reshape(-1, *[1] * (rows.ndim - 1))
            between: FloatArray = (1 - weight) * rows[low] + weight * rows[high]
            return between

        way = None if self.way is None else interpolate(self.way)
        return Direction(interpolate(self.strength), interpolate(self.mix), interpolate(self.chosen), self.bank, way)

    def rows(self, first: int, count: int) -> "Direction":
        """Return the direction of `count` frames from `first` on; a direction of one row is for all frames."""
        if len(self.strength) == 1:
            return self
        some = slice(first, first + count)
        way = None if self.way is None else self.way[some]
        return Direction(self.strength[some], self.mix[some], self.chosen[some], self.bank, way)

    def passing(self, detected: FloatArray) -> "Direction":
        """Return the direction whose changes from the detected emotion and back lead through the circle of affect.

        Args:
            detected: (F, 8) detected in the voice.
        """
        if self.way is None:
            return self
        mix, chosen, heard = self.mix.copy(), self.chosen.copy(), np.zeros(self.chosen.shape)
        heard[:, : len(EMOTIONS)] = detected
        share = np.clip(mix / np.maximum(self.way, 1e-9), 0, 1)[:, None]
        meant = share * chosen + (1 - share) * heard
        edges = np.flatnonzero(np.diff(np.concatenate([[False], (self.way > 0) & (self.way < 1), [False]])))
        for change in (slice(*pair) for pair in edges.reshape(-1, 2).tolist()):
            mix[change] = 1
            chosen[change] = affect.passed_in_time(self._end(heard[change]), self._end(meant[change]), self.way[change])
        return replace(self, mix=mix, chosen=chosen, way=None)

    def _end(self, weights: FloatArray) -> affect.End:
        """Return an end of a change, with its place, for weights (n, 8 + B) of emotions and entries."""
        entries = [affect.place_of_expression(entry) or (np.nan, np.nan) for entry in self.bank.expressions]
        places = np.array([*affect.PLACES.values(), *entries])
        used = (weights > 0).any(0)
        place = weights[:, used] @ places[used]
        return affect.End(weights, None if np.isnan(place).any() else place)

    def applied_to(self, detected: FloatArray) -> FloatArray:
        """Return the emotions (F, 8) to show, given those detected in the voice (F, 8)."""
        mix, chosen = self.mix[:, None], self.chosen[:, : len(EMOTIONS)]
        if self.bank.expressions:
            chosen = np.minimum(chosen + self.chosen[:, len(EMOTIONS) :] @ self.bank.emotion_weights, 1)
        return self.strength[:, None] * (mix * chosen + (1 - mix) * detected)

    def pose(self) -> NDArray[np.float64]:
        """Return what the entries of the bank add to ARKit's channels (F, 52), without the emotions that they show."""
        shown = (self.strength * self.mix)[:, None] * self.chosen[:, len(EMOTIONS) :]
        return limited(shown @ self.bank.poses)
