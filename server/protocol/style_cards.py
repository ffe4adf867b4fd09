"""Style cards as requests and files hold them: how one actor moves, in 40 numbers. The add-on shares this module.

A card holds families of numbers, which `server/performance/style.py` explains and applies. Each number is 0 where the
actor does what the model does by default, so a card is scaled and cards are mixed by adding their numbers.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import LSFError, shortened
from .json_files import Format

MAX_NAME = 60  # letters of a card's name
MAX_STYLES = 8  # cards in one mix
# How much of a card is applied: 1 is what was measured. An actor differs from take to take, so half of it is the
# default: it was never worse than no style on the rest of a recording or on another take (docs/style.md).
DEFAULT_AMOUNT, MAX_AMOUNT = 0.5, 1.5
MAX_NUMBERS = 40

# Families and the names of their numbers, and the limits of these.
FAMILIES: dict[str, tuple[str, ...]] = {
    "rest": ("smile", "frown", "press", "pucker", "brow_raise", "brow_lower", "squint"),
    "amplitude": tuple(
        f"{region}_{size}"
        for region in ("jaw", "lips", "rounding", "corners", "press", "brows")
        for size in ("small", "large")
    ),
    "visemes": tuple(f"{mouth}_{part}" for mouth in ("wide", "round", "narrow") for part in ("jaw", "corners")),
    "timing": ("onset", "smoothing"),
    "poses": tuple(f"{pose}_{part}" for pose in ("accent", "pause") for part in ("brows", "squint", "corners")),
    "sides": ("smile", "dimple", "press", "upper_lip", "lower_lip", "brow"),
    "blinks": ("rate",),
}
LIMITS = {
    "rest": (-0.3, 0.3),
    "amplitude": (-0.7, 0.7),  # half to twice
    # Rounded lips tell vowels apart, and how far one actor rounds them differs more from take to take (docs/style.md).
    "rounding_small": (-0.3, 0.3),
    "rounding_large": (-0.3, 0.3),
    "visemes": (-0.25, 0.25),
    "onset": (-0.15, 0.15),  # beyond .2 s, the time before a phrase would run backwards
    "smoothing": (0.0, 0.1),
    "poses": (-0.3, 0.3),
    "sides": (-0.6, 0.6),
    "blinks": (-1.1, 1.1),  # a third to three times
}
NUMBERS = tuple((family, name) for family, names in FAMILIES.items() for name in names)
assert len(NUMBERS) <= MAX_NUMBERS
REASONS = ("no_gain", "not_moved", "too_short")
"""Why a family was left out by the fit: no better than the default on parts kept out of it; the recording does not move
its channels; or too little was recorded to tell."""


class StyleError(LSFError):
    """A style card cannot be used. Its code is "bad_style"."""

    def __init__(self, message: str):
        super().__init__("bad_style", message)


FORMAT = Format("lsf-style", 1, "a style card", 1 << 16, StyleError)  # a card has 2 KB


@dataclass(frozen=True)
class StyleCard:
    """A style card.

    Attributes:
        name: Its name, for people.
        numbers: One for each of NUMBERS; 0 is the default.
        left_out: (family, one of REASONS) of the families that the fit has left at 0.

    Raises:
        StyleError: If a value cannot be used.
    """

    name: str = ""
    numbers: tuple[float, ...] = (0.0,) * len(NUMBERS)
    left_out: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or len(self.name) > MAX_NAME or not self.name.isprintable():
            raise StyleError(f"The name of a style card must have at most {MAX_NAME} letters.")
        for (family, name), value in zip(NUMBERS, self.numbers, strict=True):
            low, high = limits(family, name)
            if not low <= value <= high:
                raise StyleError(
                    f"The number {family}/{name} of a style card must be {low:g} to {high:g}, not {value}."
                )

    @classmethod
    def from_fields(cls, fields: object) -> "StyleCard":
        """Read a card from the object of its JSON.

        Raises:
            StyleError: If it is not a style card, or has anything that a card does not have.
        """
        card = FORMAT.checked(fields)
        if unknown := sorted(str(key) for key in set(card) - {"format", "version", "name", "numbers", "left_out"}):
            raise StyleError(f'A style card has no field "{shortened(unknown[0], MAX_NAME)}".')
        given, left_out = card.get("numbers", {}), card.get("left_out", {})
        if not isinstance(given, dict) or not isinstance(left_out, dict):
            raise StyleError("The numbers of a style card must be an object for each family.")
        values = dict.fromkeys(NUMBERS, 0.0)
        for family, group in given.items():
            if family not in FAMILIES or not isinstance(group, dict):
                raise StyleError(f'A style card has no family "{shortened(str(family), MAX_NAME)}".')
            for name, value in group.items():
                if (family, name) not in values:
                    raise StyleError(f'A style card has no number "{shortened(str(name), MAX_NAME)}".')
                values[family, name] = number_of(value)
        for family, reason in left_out.items():
            if family not in FAMILIES or reason not in REASONS:
                raise StyleError("The field left_out of a style card cannot be read: make the card again.")
        return cls(card.get("name", ""), tuple(values.values()), tuple(sorted(left_out.items())))

    @classmethod
    def load(cls, path: str | Path) -> "StyleCard":
        """Read a card's file. Raises StyleError, or OSError if it cannot be read."""
        return cls.from_fields(FORMAT.read(Path(path)))

    def to_fields(self) -> dict[str, Any]:
        """Return the object of the card's JSON. A family that is at its default is not in it."""
        numbers: dict[str, dict[str, float]] = {}
        for (family, name), value in zip(NUMBERS, self.numbers, strict=True):
            if value:
                numbers.setdefault(family, {})[name] = value
        return {
            "format": FORMAT.name,
            "version": FORMAT.version,
            "name": self.name,
            "numbers": numbers,
            "left_out": dict(self.left_out),
        }

    def text(self) -> str:
        """Return what the card's file holds."""
        return json.dumps(self.to_fields(), indent=1, ensure_ascii=False) + "\n"

    def save(self, path: str | Path) -> None:
        """Write the card's file."""
        Path(path).write_text(self.text(), encoding="utf-8")


def limits(family: str, name: str) -> tuple[float, float]:
    """Return the least and the greatest value of a number of a card."""
    return LIMITS.get(name, LIMITS.get(family, (0.0, 0.0)))


def number_of(value: object) -> float:
    """Return a finite number of a card. Raises StyleError."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(number := float(value)):
            return number + 0.0  # -0.0 is 0.0: equal numbers have one spelling
    except OverflowError:  # an integer of hundreds of digits
        pass
    raise StyleError(f"{shortened(str(value), MAX_NAME)} is not a number of a style card.")
