"""A bank of expressions: faces that an artist has made, which stand beside the eight emotions."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...arkit import CHANNELS
from ...numerics import FloatArray
from ...protocol import expressions as fields_and_files
from ...protocol.emotions import EMOTIONS
from ...protocol.expressions import Expression, ExpressionError

__all__ = ["SPEECH_CHANNELS", "SPEECH_SHARE", "Bank", "Expression"]

# What belongs to speech: a pose may move it by this share of its full scale, or the words could not be seen any more.
SPEECH_CHANNELS = ("jawForward", "jawLeft", "jawRight", "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker")
SPEECH_SHARE = 0.3
SPEECH = [CHANNELS.index(name) for name in SPEECH_CHANNELS]


@dataclass(frozen=True)
class Bank:
    """The expressions that a line may show, in the order of the columns of `Direction.chosen` after EMOTIONS.

    Raises:
        ExpressionError: If there are too many, or two of one name.
    """

    expressions: tuple[Expression, ...] = ()

    def __post_init__(self) -> None:
        if len(self.expressions) > fields_and_files.MAX_ENTRIES:
            raise ExpressionError(f"A bank has at most {fields_and_files.MAX_ENTRIES} expressions.")
        fields_and_files.check_names(entry.name for entry in self.expressions)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the expressions."""
        return tuple(entry.name for entry in self.expressions)

    @classmethod
    def from_fields(cls, fields: object) -> "Bank":
        """Read the bank of a request: a list of objects. Raises ExpressionError."""
        return cls(fields_and_files.read_fields(fields))

    @classmethod
    def load(cls, path: Path) -> "Bank":
        """Read a file of expressions. Raises ExpressionError, OSError."""
        return cls(fields_and_files.read_file(path))

    def to_fields(self) -> list[dict[str, object]]:
        """Return the bank as a list of objects, for a request or a file."""
        return [entry.to_fields() for entry in self.expressions]

    def only(self, names: "set[str] | frozenset[str]") -> "Bank":
        """Return the bank of these expressions alone, in their order here; names that it lacks are left out."""
        return Bank(tuple(entry for entry in self.expressions if entry.name in names))

    def find(self, name: str) -> Expression | None:
        """Return the expression of a name, capital letters or not; None if there is none."""
        return next((entry for entry in self.expressions if entry.name.casefold() == name.casefold()), None)

    @cached_property
    def emotion_weights(self) -> NDArray[np.float64]:
        """(B, 8) how much of each of EMOTIONS every expression shows."""
        rows = [[entry.emotions.get(name, 0.0) for name in EMOTIONS] for entry in self.expressions]
        return np.array(rows, float).reshape(-1, len(EMOTIONS))

    @cached_property
    def poses(self) -> NDArray[np.float64]:
        """(B, 52) of CHANNELS that every expression adds to the face; those of speech within ±SPEECH_SHARE."""
        rows = [[entry.weights.get(name, 0.0) for name in CHANNELS] for entry in self.expressions]
        return limited(np.array(rows, float).reshape(-1, len(CHANNELS)))


def limited(poses: FloatArray) -> NDArray[np.float64]:
    """Return poses (n, 52) of CHANNELS with those of speech within ±SPEECH_SHARE."""
    result = np.array(poses, float)
    result[:, SPEECH] = result[:, SPEECH].clip(-SPEECH_SHARE, SPEECH_SHARE)
    return result
