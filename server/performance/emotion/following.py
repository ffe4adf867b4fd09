"""Lets the artist's direction follow the sentence: changes lie in pauses, and intensity follows phrases and words."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...errors import LSFError
from ...protocol import phrases
from ...protocol.affect import Change
from .. import prosody
from .direction import Direction

MAX_CHANGES = 10000  # of a line: one a second and a half over four hours
WORD_PERCENTILE = 95  # of the prominence in phrases: where words have their full weight
WORD_DEPTH = 0.6  # of the strength is taken from what has no prominence
WORD_SMOOTHING = 0.2  # seconds, standard deviation of the Gaussian over the prominence: words count, not sounds


@dataclass(frozen=True)
class Following:
    """How a direction follows what is said.

    Attributes:
        sentence: Whether changes move to where a phrase starts, and expressions ease in pauses.
        words: How much the strength follows the weight of words, 0 (not at all) to 1.
        changes: When changes of the direction begin and end, in seconds of the audio, ascending; these may be moved.

    Raises:
        LSFError: "bad_settings" if a value is out of range.
    """

    sentence: bool = False
    words: float = 0.0
    changes: tuple[Change, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.words <= 1:
            raise LSFError("bad_settings", f"The strength follows words by 0 to 1, not {self.words}.")
        edges = np.array([edge for change in self.changes for edge in change], float)
        if len(self.changes) > MAX_CHANGES or not np.isfinite(edges).all() or (np.diff(edges) < 0).any():
            raise LSFError(
                "bad_settings",
                f"Changes of the emotion are at most {MAX_CHANGES} pairs of seconds, each later than the one before.",
            )

    def applied(self, direction: Direction, voice: prosody.Voice, fps: float, frames: int) -> Direction:
        """Return the direction that follows the voice.

        Args:
            direction: One row per frame of the model, or one row for the whole line.
            voice: What was measured of the line.
            fps: Frames per second of the model.
            frames: Number F of its frames.

        Returns:
            A direction of F rows, or the same one if it is to follow nothing.
        """
        if not (self.sentence or self.words) or not frames:
            return direction
        times = np.arange(frames) / fps
        if len(direction.strength) == 1:
            rows = (np.repeat(part, frames, 0) for part in (direction.strength, direction.mix, direction.chosen))
            strength, mix, chosen = rows
            direction = replace(direction, strength=strength, mix=mix, chosen=chosen, way=None)
        strength = direction.strength
        if self.sentence:
            spoken = phrases.phrases(voice.level)
            moved = phrases.moved(self.changes, spoken)
            if moved != self.changes:
                direction = direction.at(phrases.earlier_times(times, self.changes, moved) * fps)
            strength = strength * phrases.presence(times, spoken)
        if self.words:
            strength = strength * (1 - self.words * WORD_DEPTH * (1 - word_weight(voice, frames, fps)))
        return replace(direction, strength=strength)


def word_weight(voice: prosody.Voice, frames: int, fps: float) -> NDArray[np.float64]:
    """Return the weight of the words in each frame, by loudness and pitch: 0 in pauses, 1 where it is greatest."""
    from scipy.ndimage import gaussian_filter1d

    prominence = prosody.prominence(voice)
    if not prominence.any():
        return np.ones(frames)
    full = np.percentile(prominence[prominence > 0], WORD_PERCENTILE)
    smooth = gaussian_filter1d(np.minimum(prominence / full, 1), WORD_SMOOTHING * phrases.WINDOWS, mode="nearest")
    return prosody.at_frames(smooth / max(smooth.max(), 1e-9), frames, fps)
