"""Style cards: how one actor moves, in at most 40 numbers, applied to the curves of speech.

A card holds families of numbers. Each of them is 0 where the actor does what the model does by default, so a card is
scaled and cards are mixed by adding their numbers. `server/style` fits a card to a reference performance.

| family | numbers |
|---|---|
| rest | weights that are added at rest: a smile, a frown, pressed or pushed-out lips, brows, lids |
| amplitude | logarithm of the gain of a region of the face, for its small and for its large movements |
| visemes | weights that are added where the mouth is wide, round or narrow: jaw, and corners of the mouth |
| timing | seconds by which the mouth opens earlier before a phrase, and of a Gaussian that smooths its movements |
| poses | weights that are added on accents and in pauses: brows, lids, corners of the mouth |
| sides | gain by which the left side moves more than the right one, see sides.py |
| blinks | logarithm of their rate, relative to the default |

Lips that meet still meet, and lips that are apart stay apart: see `lip_contact.keep_contacts`.
"""

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arkit import CHANNELS, channel_indices
from ..errors import LSFError, shortened
from ..numerics import FloatArray, smoothstep
from . import lip_contact, prosody
from .sides import DIFFERENCES

FORMAT, VERSION = "lsf-style", 1
MAX_NAME = 60  # letters of a card's name
MAX_BYTES = 1 << 16  # of a card's file: it has 2 KB
MAX_STYLES = 8  # cards in one mix
MAX_AMOUNT = 1.5

# What is added at rest. Pressed and pushed-out lips are a matter of a closed mouth, and go as the mouth opens.
REST = {
    "smile": ("mouthSmile",),
    "frown": ("mouthFrown",),
    "press": ("mouthPress",),
    "pucker": ("mouthPucker",),
    "brow_raise": ("browInnerUp", "browOuterUp"),
    "brow_lower": ("browDown",),
    "squint": ("eyeSquint",),
}
CLOSED_MOUTH = ("press", "pucker")
# Regions of the face with a gain of their own, and the sum of their channels at which a movement is large: about the
# 95th percentile of the shipped model on speech without emotion.
REGIONS = {
    "jaw": (("jawOpen",), 0.30),
    "lips": (("mouthLowerDown", "mouthUpperUp"), 1.0),
    "rounding": (("mouthFunnel", "mouthPucker"), 0.6),
    "corners": (("mouthSmile", "mouthDimple", "mouthStretch", "mouthFrown"), 0.5),
    "press": (("mouthRoll", "mouthPress", "mouthShrug"), 0.6),
    "brows": (("browInnerUp", "browOuterUp", "browDown"), 0.6),
}
MOUTHS = ("wide", "round", "narrow")
POSES = ("accent", "pause")
POSE_PARTS = ("brows", "squint", "corners")
# Pairs of sides.DIFFERENCES that share a number.
SIDES = {
    "smile": ("mouthSmile", "cheekSquint"),
    "dimple": ("mouthDimple",),
    "press": ("mouthPress",),
    "upper_lip": ("mouthUpperUp", "noseSneer"),
    "lower_lip": ("mouthLowerDown", "mouthFrown", "mouthStretch"),
    "brow": ("browDown", "browOuterUp"),
}
# Families and the names of their numbers, and the limits of these.
FAMILIES: dict[str, tuple[str, ...]] = {
    "rest": tuple(REST),
    "amplitude": tuple(f"{region}_{size}" for region in REGIONS for size in ("small", "large")),
    "visemes": tuple(f"{mouth}_{part}" for mouth in MOUTHS for part in ("jaw", "corners")),
    "timing": ("onset", "smoothing"),
    "poses": tuple(f"{pose}_{part}" for pose in POSES for part in POSE_PARTS),
    "sides": tuple(SIDES),
    "blinks": ("rate",),
}
LIMITS = {
    "rest": (-0.3, 0.3),
    "amplitude": (-0.7, 0.7),  # half to twice
    "visemes": (-0.25, 0.25),
    "onset": (-0.15, 0.15),  # beyond .2 s, the time before a phrase would run backwards
    "smoothing": (0.0, 0.1),
    "poses": (-0.3, 0.3),
    "sides": (-0.6, 0.6),
    "blinks": (-1.1, 1.1),  # a third to three times
}
NUMBERS = tuple((family, name) for family, names in FAMILIES.items() for name in names)
MAX_NUMBERS = 40
assert len(NUMBERS) <= MAX_NUMBERS
REASONS = ("no_gain", "not_moved", "too_short")
"""Why a family was left out by the fit: no better than the default on parts kept out of it; the recording does not move
its channels; or too little was recorded to tell."""

WIDE_MOUTH, NARROW_MOUTH = (0.004, 0.010), (0.001, 0.003, 0.006)  # metres of the opening of the head's lips
ONSET_BEFORE = (0.9, 0.6, 0.3, 0.0)  # seconds before a phrase: where its shift begins, is whole, ends to be, is over
ACCENT_WIDTH = 0.15  # seconds, standard deviation of the movement on an accent
PAUSE_EDGE = 0.15  # seconds in which a pose of pauses comes and goes
TIMED = [i for i, c in enumerate(CHANNELS) if c.startswith(("jaw", "mouth"))]
JAW_OPEN = CHANNELS.index("jawOpen")


@dataclass(frozen=True)
class StyleCard:
    """A style card.

    Attributes:
        name: Its name, for people.
        numbers: One for each of NUMBERS; 0 is the default.
        left_out: (family, one of REASONS) of the families that the fit has left at 0.

    Raises:
        LSFError: "bad_style" if a value cannot be used.
    """

    name: str = ""
    numbers: tuple[float, ...] = (0.0,) * len(NUMBERS)
    left_out: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or len(self.name) > MAX_NAME or not self.name.isprintable():
            raise LSFError("bad_style", f"The name of a style card must have at most {MAX_NAME} letters.")
        for (family, name), value in zip(NUMBERS, self.numbers, strict=True):
            low, high = limits(family, name)
            if not low <= value <= high:
                raise LSFError(
                    "bad_style", f"The number {family}/{name} of a style card must be {low:g} to {high:g}, not {value}."
                )

    @classmethod
    def from_fields(cls, fields: object) -> "StyleCard":
        """Read a card from the object of its JSON.

        Raises:
            LSFError: "bad_style" if it is not a style card, or has anything that a card does not have.
        """
        if not isinstance(fields, dict) or fields.get("format") != FORMAT:
            raise LSFError("bad_style", "This is not a style card: choose a .json file that Save Card has written.")
        if fields.get("version") != VERSION:
            raise LSFError("bad_style", "The style card was written by a newer version: update the add-on.")
        if unknown := sorted(str(key) for key in set(fields) - {"format", "version", "name", "numbers", "left_out"}):
            raise LSFError("bad_style", f'A style card has no field "{shortened(unknown[0], MAX_NAME)}".')
        given, left_out = fields.get("numbers", {}), fields.get("left_out", {})
        if not isinstance(given, dict) or not isinstance(left_out, dict):
            raise LSFError("bad_style", "The numbers of a style card must be an object for each family.")
        values = dict.fromkeys(NUMBERS, 0.0)
        for family, group in given.items():
            if family not in FAMILIES or not isinstance(group, dict):
                raise LSFError("bad_style", f'A style card has no family "{shortened(str(family), MAX_NAME)}".')
            for name, value in group.items():
                if (family, name) not in values:
                    raise LSFError("bad_style", f'A style card has no number "{shortened(str(name), MAX_NAME)}".')
                values[family, name] = _number(value)
        for family, reason in left_out.items():
            if family not in FAMILIES or reason not in REASONS:
                raise LSFError("bad_style", "The field left_out of a style card cannot be read: make the card again.")
        return cls(fields.get("name", ""), tuple(values.values()), tuple(sorted(left_out.items())))

    @classmethod
    def load(cls, path: str | Path) -> "StyleCard":
        """Read a card's file. Raises LSFError("bad_style"), or OSError if it cannot be read."""
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        try:
            if len(data) > MAX_BYTES:
                raise ValueError
            fields = json.loads(data.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            fields = None
        return cls.from_fields(fields)

    def to_fields(self) -> dict[str, Any]:
        """Return the object of the card's JSON. A family that is at its default is not in it."""
        numbers: dict[str, dict[str, float]] = {}
        for (family, name), value in zip(NUMBERS, self.numbers, strict=True):
            if value:
                numbers.setdefault(family, {})[name] = value
        return {
            "format": FORMAT,
            "version": VERSION,
            "name": self.name,
            "numbers": numbers,
            "left_out": dict(self.left_out),
        }

    def save(self, path: str | Path) -> None:
        """Write the card's file."""
        Path(path).write_text(json.dumps(self.to_fields(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


Styles = tuple[tuple[StyleCard, float], ...]
"""Cards, and how much of each is applied: 0 to MAX_AMOUNT."""


def limits(family: str, name: str) -> tuple[float, float]:
    """Return the least and the greatest value of a number of a card."""
    return LIMITS[name] if family == "timing" else LIMITS[family]


def check(styles: Styles) -> None:
    """Raise LSFError("bad_settings") unless there are at most MAX_STYLES cards with amounts of 0 to MAX_AMOUNT."""
    if len(styles) > MAX_STYLES:
        raise LSFError("bad_settings", f"At most {MAX_STYLES} style cards can be mixed: choose fewer.")
    for _, amount in styles:
        if not 0 <= amount <= MAX_AMOUNT:
            raise LSFError("bad_settings", f"The amount of a style must be 0 to {MAX_AMOUNT:g}, not {amount}.")


def mixed(styles: Styles) -> "Numbers":
    """Return the numbers of several cards together: their sum, by how much of each is applied, within the limits."""
    total = np.zeros(len(NUMBERS))
    for card, amount in styles:
        total += amount * np.array(card.numbers)
    low, high = np.array([limits(*number) for number in NUMBERS]).T
    return Numbers(total.clip(low, high))


class Numbers:
    """The numbers (len(NUMBERS),) of a card or a mix, by family and name."""

    def __init__(self, values: FloatArray):
        self.values = np.asarray(values, float)
        self._places = {number: i for i, number in enumerate(NUMBERS)}

    def __getitem__(self, number: tuple[str, str]) -> float:
        return float(self.values[self._places[number]])

    def any(self, family: str) -> bool:
        """Whether a family differs from the default."""
        return any(self[family, name] for name in FAMILIES[family])

    @property
    def lean(self) -> NDArray[np.float32] | None:
        """What the sides' gains get in addition (len(DIFFERENCES),), see sides.py; None: nothing."""
        if not self.any("sides"):
            return None
        lean = np.zeros(len(DIFFERENCES), np.float32)
        for side, pairs in SIDES.items():
            lean[[list(DIFFERENCES).index(pair) for pair in pairs]] = self["sides", side]
        return lean

    @property
    def blink_rate(self) -> float:
        """Blinks, relative to the default."""
        return math.exp(self["blinks", "rate"])


def apply_style(speech: NDArray[np.float32], numbers: Numbers, voice: prosody.Voice, fps: float) -> NDArray[np.float32]:
    """Return the curves of speech in a style. Its sides and blinks are applied elsewhere: sides.py, layers.

    Args:
        speech: ARKit curves (F, 52), 0 to 1, of the speech alone.
        numbers: Those of the style.
        voice: What is measured of the line.
        fps: Frames per second of the curves.

    Returns:
        (F, 52), 0 to 1; lips that meet still meet.
    """
    styled = shaped(speech, numbers, Cues.of(voice, len(speech), fps), fps)
    return lip_contact.keep_contacts(speech, styled - speech)


@dataclass(frozen=True)
class Cues:
    """What of a line decides when its style shows, (F,) each.

    Attributes:
        accent: 0 to 1 on stressed syllables.
        pause: 0 to 1 in pauses.
        onset: 0 to 1, by how much of its whole an earlier or later opening shifts a frame: before phrases.
    """

    accent: FloatArray
    pause: FloatArray
    onset: FloatArray

    @classmethod
    def of(cls, voice: prosody.Voice, frames: int, fps: float) -> "Cues":
        """Return the cues of a line at its frames."""
        times = np.arange(frames) / fps
        accent, pause, onset = np.zeros((3, frames))
        for second, strength in zip(*prosody.accents(voice), strict=True):
            near = slice(*np.searchsorted(times, (second - 4 * ACCENT_WIDTH, second + 4 * ACCENT_WIDTH)))
            bump = strength * np.exp(-0.5 * ((times[near] - second) / ACCENT_WIDTH) ** 2)
            accent[near] = np.maximum(accent[near], bump)
        for start, end in zip(*prosody.pauses(voice.level), strict=True):
            near = slice(*np.searchsorted(times, (start, end)))
            inside = np.minimum(times[near] - start, end - times[near])
            pause[near] = np.maximum(pause[near], smoothstep(inside, 0, PAUSE_EDGE))
            first, whole, last, over = (end - before for before in ONSET_BEFORE)
            near = slice(*np.searchsorted(times, (max(first, start), over)))
            shift = np.minimum(smoothstep(times[near], first, whole), smoothstep(times[near], over, last))
            onset[near] = np.maximum(onset[near], shift)
        return cls(accent, pause, onset)


def shaped(speech: FloatArray, numbers: Numbers, cues: Cues, fps: float) -> NDArray[np.float32]:
    """Return the curves (F, 52) of speech in a style, 0 to 1, without the guard of the lips; see `apply_style`."""
    styled = _timed(np.asarray(speech, np.float32), numbers, cues, fps)
    if numbers.any("amplitude"):
        styled = styled * region_gains(styled, numbers)
    if numbers.any("visemes"):
        for mouth, weight in mouths(speech).items():
            styled[:, JAW_OPEN] += numbers["visemes", f"{mouth}_jaw"] * weight
            _add_corners(styled, numbers["visemes", f"{mouth}_corners"] * weight)
    if numbers.any("rest"):
        closed = 1 - smoothstep(lip_contact.opening(speech), 0, WIDE_MOUTH[1])
        for name, channels in REST.items():
            weight = numbers["rest", name] * (closed if name in CLOSED_MOUTH else np.ones(len(speech)))
            _add(styled, channels, weight)
    if numbers.any("poses"):
        for pose, weight in (("accent", cues.accent), ("pause", cues.pause)):
            _add_brows(styled, numbers["poses", f"{pose}_brows"] * weight)
            _add(styled, ("eyeSquint",), numbers["poses", f"{pose}_squint"] * weight)
            _add_corners(styled, numbers["poses", f"{pose}_corners"] * weight)
    return styled.clip(0, 1).astype(np.float32)


def region_channels(region: str) -> list[int]:
    """Return the indices of a region's channels."""
    return [i for name in REGIONS[region][0] for i in _indices(name)]


def size(curves: FloatArray, region: str) -> NDArray[np.float64]:
    """Return how large the movement (F,) of a region is: 0, small, to 1, large."""
    return np.clip(curves[:, region_channels(region)].sum(1) / REGIONS[region][1], 0, 1).astype(float)


def region_gains(curves: FloatArray, numbers: Numbers) -> NDArray[np.float32]:
    """Return the gains (F, 52) of the channels by the family "amplitude"."""
    gains = np.ones(curves.shape, np.float32)
    for region in REGIONS:
        small, large = (numbers["amplitude", f"{region}_{how}"] for how in ("small", "large"))
        if small or large:
            movement = size(curves, region)
            gains[:, region_channels(region)] = np.exp(small * (1 - movement) + large * movement)[:, None]
    return gains


def mouths(speech: FloatArray) -> dict[str, NDArray[np.float64]]:
    """Return how wide, round or narrow the mouth is, (F,) each, 0 to 1."""
    opening = lip_contact.opening(speech)
    rounded = np.clip(speech[:, lip_contact.ROUNDING].sum(1) / lip_contact.FULL_ROUNDING, 0, 1).astype(float)
    closed, narrow, open_ = NARROW_MOUTH
    between = smoothstep(opening, closed, narrow) * (1 - smoothstep(opening, narrow, open_))
    return {
        "wide": smoothstep(opening, *WIDE_MOUTH) * (1 - rounded),
        "round": rounded,
        "narrow": between * (1 - rounded),
    }


def _timed(speech: NDArray[np.float32], numbers: Numbers, cues: Cues, fps: float) -> NDArray[np.float32]:
    """Curves (F, 52) with the onsets and the smoothness of a style; always a copy."""
    styled = speech.copy()
    if onset := numbers["timing", "onset"]:
        # Inside a phrase nothing moves in time.
        frames = np.arange(len(speech))
        moving = np.flatnonzero(cues.onset)
        for channel in TIMED:
            styled[moving, channel] = np.interp(moving + onset * fps * cues.onset[moving], frames, speech[:, channel])
    if smoothing := numbers["timing", "smoothing"]:
        from scipy.ndimage import gaussian_filter1d

        styled[:, TIMED] = gaussian_filter1d(styled[:, TIMED], smoothing * fps, 0, mode="nearest")
    return styled


def _indices(name: str) -> list[int]:
    """Indices of a channel, of its sides, or of its upper and lower half."""
    return channel_indices(name) or [i for i, c in enumerate(CHANNELS) if c in (f"{name}Lower", f"{name}Upper")]


def _add(curves: FloatArray, names: tuple[str, ...], weight: FloatArray) -> None:
    """Add a weight (F,) to channels."""
    for name in names:
        curves[:, _indices(name)] += weight[:, None].astype(np.float32)


def _add_corners(curves: FloatArray, weight: FloatArray) -> None:
    """Move the corners of the mouth by a weight (F,): above 0 out, as a smile, below 0 in, as a pucker."""
    _add(curves, ("mouthSmile",), np.maximum(weight, 0))
    _add(curves, ("mouthPucker",), np.maximum(-weight, 0))


def _add_brows(curves: FloatArray, weight: FloatArray) -> None:
    """Raise (above 0) or lower the brows by a weight (F,)."""
    _add(curves, ("browInnerUp", "browOuterUp"), np.maximum(weight, 0))
    _add(curves, ("browDown",), np.maximum(-weight, 0))


def _number(value: object) -> float:
    """A finite number of a card. Raises LSFError("bad_style")."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise LSFError("bad_style", f"{shortened(str(value), MAX_NAME)} is not a number of a style card.")
    return float(value)


def read_fields(entries: object) -> Styles:
    """Read the field `styles` of a request: a list of objects with a `card` and an `amount`.

    Raises:
        LSFError: "bad_request" or "bad_style".
    """
    if entries is None:
        return ()
    if not isinstance(entries, list) or len(entries) > MAX_STYLES:
        raise LSFError("bad_request", f"styles must be a list of at most {MAX_STYLES} cards with their amounts.")
    styles = []
    for entry in entries:
        if not isinstance(entry, Mapping) or not set(entry) <= {"card", "amount"}:
            raise LSFError("bad_request", "Each of styles needs a card, and may have an amount.")
        styles.append((StyleCard.from_fields(entry.get("card")), _number(entry.get("amount", 1.0))))
    return tuple(styles)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a command that animates: --style and --style-amount."""
    parser.add_argument(
        "--style", action="append", default=[], type=Path, metavar="CARD.json", help="a style card; several are mixed"
    )
    parser.add_argument(
        "--style-amount",
        action="append",
        default=[],
        type=float,
        metavar="AMOUNT",
        help=f"how much of the card is applied, 0 to {MAX_AMOUNT:g} (default: 1); once a card, in their order",
    )


def from_options(cards: Sequence[Path], amounts: Sequence[float]) -> Styles:
    """Read the cards of the options.

    Raises:
        LSFError: "bad_style", or "bad_settings" if there are more amounts than cards.
        OSError: A card cannot be read.
    """
    if len(amounts) > len(cards):
        raise LSFError("bad_settings", "--style-amount needs a --style before it.")
    shares = [*amounts, *[1.0] * (len(cards) - len(amounts))]
    return tuple((StyleCard.load(card), amount) for card, amount in zip(cards, shares, strict=True))


def parse(text: str, folder: Path) -> Styles:
    """Read a cell of a manifest.

    Args:
        text: "actor.json", "actor.json 0.7" or "actor.json 0.7 + other.json 0.3"; "" is no style.
        folder: The manifest's folder, to which the files are relative.

    Raises:
        LSFError: "bad_style", or "no_file".
    """
    styles = []
    for part in text.split(" + ") if text.strip() else []:
        name, _, amount = part.strip().rpartition(" ")
        try:
            share = float(amount.replace(",", ".")) if name else 1.0
        except ValueError:  # a name with a space in it
            share, name = 1.0, ""
        file = name or part.strip()
        try:
            styles.append((StyleCard.load(folder / file), share))
        except OSError:
            raise LSFError("no_file", f'there is no style card "{shortened(file, MAX_NAME)}"') from None
    check(tuple(styles))
    return tuple(styles)
