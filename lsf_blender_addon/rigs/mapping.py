"""Which of a head's own shape keys follow which channels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SOLVED = ""  # instead of a channel: the weight is found from the key's shape


@dataclass(frozen=True)
class Row:
    key: str
    channel: str  # or SOLVED
    gain: float = 1.0


@dataclass(frozen=True)
class Mapping:
    """A key may have several rows, a channel too; a key with a solved one is solved."""

    name: str  # of the family
    rows: tuple[Row, ...]

    @property
    def solved(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.key for row in self.rows if row.channel == SOLVED))

    @property
    def direct(self) -> tuple[str, ...]:
        """Keys that follow channels."""
        solved = set(self.solved)
        return tuple(dict.fromkeys(row.key for row in self.rows if row.key not in solved))

    def gains(self, channels: Sequence[str]) -> np.ndarray:
        """(K, N): how far each of the N direct keys follows each channel."""
        gains = np.zeros((len(channels), len(self.direct)))
        for row in self.rows:
            if row.key in self.direct and row.channel in channels:
                gains[channels.index(row.channel), self.direct.index(row.key)] += row.gain
        return gains

    def of(self, keys: set[str]) -> "Mapping":
        """The rows whose keys there are."""
        return Mapping(self.name, tuple(row for row in self.rows if row.key in keys))
