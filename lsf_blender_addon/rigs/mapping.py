"""Which of a head's own shape keys follow which channels."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SOLVED = ""  # instead of a channel: the weight is found from the key's shape


@dataclass(frozen=True)
class Row:
    """One entry of a mapping: a key follows a channel (or SOLVED) with a gain."""

    key: str
    channel: str
    gain: float = 1.0


@dataclass(frozen=True)
class Mapping:
    """Which keys follow which channels. Keys and channels may have several rows; a key with a SOLVED row is solved.

    Attributes:
        name: Name of the rig family.
        rows: Entries of the mapping.
    """

    name: str
    rows: tuple[Row, ...]

    @property
    def solved(self) -> tuple[str, ...]:
        """Keys whose weights are found from their shapes."""
        return tuple(dict.fromkeys(row.key for row in self.rows if row.channel == SOLVED))

    @property
    def direct(self) -> tuple[str, ...]:
        """Keys that follow channels."""
        solved = set(self.solved)
        return tuple(dict.fromkeys(row.key for row in self.rows if row.key not in solved))

    def gains(self, channels: Sequence[str]) -> NDArray[np.float64]:
        """Return how far each of the N direct keys follows each of the K channels, (K, N)."""
        gains = np.zeros((len(channels), len(self.direct)))
        for row in self.rows:
            if row.key in self.direct and row.channel in channels:
                gains[channels.index(row.channel), self.direct.index(row.key)] += row.gain
        return gains

    def restricted_to(self, keys: Collection[str]) -> "Mapping":
        """Return the mapping with the rows of these keys alone."""
        return Mapping(self.name, tuple(row for row in self.rows if row.key in keys))
