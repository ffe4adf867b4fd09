"""A figure of the evaluation with its spread over people or clips."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np


@dataclass(frozen=True)
class Spread:
    """A figure and its spread.

    Attributes:
        value: Median, mean or pooled share.
        low: Smallest value of a person, or lower quartile of the clips.
        high: Largest value of a person, or upper quartile of the clips.
        count: Number of people or clips.
    """

    value: float
    low: float
    high: float
    count: int

    @classmethod
    def over_people(cls, values: Iterable[float]) -> "Spread":
        """Return median, least and greatest of the values of people; raise ValueError if there are none."""
        found = _finite(values)
        return cls(float(np.median(found)), float(found.min()), float(found.max()), len(found))

    @classmethod
    def over_clips(cls, values: Iterable[float]) -> "Spread":
        """Return median and quartiles of the values of clips; raise ValueError if there are none."""
        found = _finite(values)
        low, value, high = np.percentile(found, [25, 50, 75])
        return cls(float(value), float(low), float(high), len(found))

    @classmethod
    def of(cls, values: Iterable[float], people: bool) -> "Spread":
        """Return `over_people` if every value is that of another person, else `over_clips`."""
        return cls.over_people(values) if people else cls.over_clips(values)

    @classmethod
    def mean_over_clips(cls, values: Iterable[float]) -> "Spread":
        """Return mean and quartiles of the values of clips; raise ValueError if there are none."""
        found = _finite(values)
        low, high = np.percentile(found, [25, 75])
        return cls(float(found.mean()), float(low), float(high), len(found))

    @classmethod
    def of_outcomes(cls, outcomes: Mapping[str, Sequence[bool]]) -> "Spread":
        """Return the share of tests that passed, pooled, and the least and greatest share of a group.

        Args:
            outcomes: Outcomes by the name of a person or clip; groups without any are left out.

        Raises:
            ValueError: There is no outcome at all.
        """
        groups = [group for group in outcomes.values() if len(group)]
        shares = _finite(float(np.mean(group)) for group in groups)
        return cls(float(np.mean(np.concatenate(groups))), float(shares.min()), float(shares.max()), len(groups))

    def __str__(self) -> str:
        return f"{self.value:.3g} ({self.low:.3g} to {self.high:.3g}, n {self.count})"


Figure: TypeAlias = float | Spread
Report: TypeAlias = dict[str, Figure]
"""Figures of one part of the evaluation, by name."""


def _finite(values: Iterable[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The values (n,) that are finite. Raises ValueError if there are none."""
    found = np.array([value for value in values if np.isfinite(value)], np.float64)
    if not len(found):
        raise ValueError("There is nothing to summarise.")
    return found


def formatted(figure: Figure) -> str:
    """Return a figure as text."""
    return str(figure) if isinstance(figure, Spread) else f"{figure:.4g}"
