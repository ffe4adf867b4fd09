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

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arkit import CHANNELS, channel_indices
from ..errors import LSFError
from ..numerics import FloatArray, smoothstep
from ..protocol.phrases import pauses
from ..protocol.style_cards import FAMILIES, MAX_AMOUNT, MAX_STYLES, NUMBERS, StyleCard, limits
from . import lip_contact, prosody
from .sides import DIFFERENCES

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
# 95th percentile of the shipped model on the sound of FACEGOOD and GRID, without emotion.
REGIONS = {
    "jaw": (("jawOpen",), 0.30),
    "lips": (("mouthLowerDown", "mouthUpperUp"), 0.06),
    "rounding": (("mouthFunnel", "mouthPucker"), 0.35),
    "corners": (("mouthSmile", "mouthDimple", "mouthStretch", "mouthFrown"), 0.15),
    "press": (("mouthRoll", "mouthPress", "mouthShrug"), 0.25),
    "brows": (("browInnerUp", "browOuterUp", "browDown"), 0.25),
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
WIDE_MOUTH, NARROW_MOUTH = (0.004, 0.010), (0.001, 0.003, 0.006)  # metres of the opening of the head's lips
ONSET_BEFORE = (0.9, 0.6, 0.3, 0.0)  # seconds before a phrase: where its shift begins, is whole, ends to be, is over
ACCENT_WIDTH = 0.15  # seconds, standard deviation of the movement on an accent
PAUSE_EDGE = 0.15  # seconds in which a pose of pauses comes and goes
TIMED = [i for i, c in enumerate(CHANNELS) if c.startswith(("jaw", "mouth"))]
JAW_OPEN = CHANNELS.index("jawOpen")


Styles = tuple[tuple[StyleCard, float], ...]
"""Cards, and how much of each is applied: 0 to MAX_AMOUNT."""


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
        for start, end in zip(*pauses(voice.level), strict=True):
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
            share = numbers["rest", name] * (closed if name in CLOSED_MOUTH else np.ones(len(speech)))
            _add(styled, channels, share)
    if numbers.any("poses"):
        for pose, cue in (("accent", cues.accent), ("pause", cues.pause)):
            _add_brows(styled, numbers["poses", f"{pose}_brows"] * cue)
            _add(styled, ("eyeSquint",), numbers["poses", f"{pose}_squint"] * cue)
            _add_corners(styled, numbers["poses", f"{pose}_corners"] * cue)
    return styled.clip(0, 1).astype(np.float32)


def region_channels(region: str) -> list[int]:
    """Return the indices of a region's channels."""
    return [i for name in REGIONS[region][0] for i in _indices(name)]


def size(curves: FloatArray, region: str) -> NDArray[np.float64]:
    """Return how large the movement (F,) of a region is: 0, small, to 1, large."""
    movement: NDArray[np.float64] = curves[:, region_channels(region)].sum(1).astype(float) / REGIONS[region][1]
    return movement.clip(0, 1)


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
