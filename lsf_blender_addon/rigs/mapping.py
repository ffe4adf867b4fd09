"""Which of a head's own shape keys follow which channels."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SOLVED = ""  # in place of a channel: the server finds the key's value from the key's shape


@dataclass(frozen=True)
class Row:
    """One entry of a mapping: the value of a key is a channel times a gain, or SOLVED."""

    key: str
    channel: str
    gain: float = 1.0


@dataclass(frozen=True)
class Mapping:
    """Which keys follow which channels.

    A key or a channel may have several rows, whose values add up. A key with a SOLVED row is solved.

    Attributes:
        name: Name of the rig family.
        rows: Entries of the mapping.
    """

    name: str
    rows: tuple[Row, ...]

    @property
    def solved(self) -> tuple[str, ...]:
        """Keys whose values the server finds from their shapes."""
        return tuple(dict.fromkeys(row.key for row in self.rows if row.channel == SOLVED))

    @property
    def direct(self) -> tuple[str, ...]:
        """Keys that follow channels."""
        solved = set(self.solved)
        return tuple(dict.fromkeys(row.key for row in self.rows if row.key not in solved))

    def gains(self, channels: Sequence[str]) -> NDArray[np.float64]:
        """Return the gains (K, N) from K channels to the N direct keys."""
        gains = np.zeros((len(channels), len(self.direct)))
        for row in self.rows:
            if row.key in self.direct and row.channel in channels:
                gains[channels.index(row.channel), self.direct.index(row.key)] += row.gain
        return gains

    def restricted_to(self, keys: Collection[str]) -> "Mapping":
        """Return the mapping with only the rows of these keys."""
        return Mapping(self.name, tuple(row for row in self.rows if row.key in keys))
