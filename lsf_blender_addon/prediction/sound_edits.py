"""Applies what the artist has set for single sounds of a line to its motion, after the line's sliders. No bpy.

Each change has a weight over time: 1 in the middle of its sound, and 0 a little outside of it. Where lips meet, they
keep meeting, unless the sound that closes them is itself changed so that they part.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..rigs.names import both_sides
from ..scene.smoothing import smoothstep
from . import lips, tweaks
from .sound_poses import SoundTable
from .tweaks import JAW_OPEN, MOUTH_CLOSE

Floats = NDArray[np.float32]

EDGE = 0.06  # seconds that a change reaches outside of its sound: the lips need as long to get there
SHIFT_EDGE = 2.0  # of a shift: seconds of its edge for each second, so that time never runs backwards
SHIFT_SLOPE = 0.75  # frames by which a shift may grow a frame from closed lips that stay: as steep as its own edges
PRESSED = -0.3  # millimetres between lips that are pressed together: what is rounded in the keys does not part them
SLIDE = 0.5  # millimetres by which neighbours may shift closed lips forward or back against each other
SPREAD = 0.1  # millimetres by which neighbours may part closed lips at any point, as what is rounded in the keys
PARTING = 1.0  # millimetres by which a channel at 1 parts the lips somewhere, from which on lips that close undo it
OPENED = 12.0  # millimetres by which a sound opens the lips at full strength
JAW_SHARE = 0.6  # of the jaw's opening that goes where lips are closed; in speech, the jaw stays a little open
# Values of channels at full strength, where the lips are not known, or on top of the motion.
JAW = 0.45
ROUND = {"mouthPucker": 0.55, "mouthFunnel": 0.25}
WIDE = dict.fromkeys(both_sides("mouthStretch"), 0.45) | dict.fromkeys(both_sides("mouthDimple"), 0.25)
# Channels that work against a change, and how much of them it takes away at full strength.
AGAINST_ROUND, ROUND_SHARE = {*both_sides("mouthStretch"), *both_sides("mouthSmile"), *both_sides("mouthDimple")}, 0.7
AGAINST_WIDE, WIDE_SHARE = {"mouthPucker", "mouthFunnel"}, 0.8
AGAINST_OPEN = {MOUTH_CLOSE, "mouthRollLower", "mouthRollUpper", *both_sides("mouthPress")}
POSED = {
    "mouthRollLower",
    "mouthRollUpper",
    *both_sides("mouthPress"),
    *both_sides("mouthLowerDown"),
    *both_sides("mouthUpperUp"),
}  # channels in which the poses of sounds differ, beside those above
CHANNELS = {JAW_OPEN, MOUTH_CLOSE, *ROUND, *WIDE, *POSED}  # that a change may move even if they rest in the prediction
SPEECH_REGIONS = {"jaw", "lips"}  # of tweaks.region: what a sound moves
ALSO_SPEECH = {"cheekPuff"}  # channels that a sound moves besides those regions


@dataclass(frozen=True)
class SoundEdit:
    """What the artist has set for one sound; the defaults change nothing.

    Attributes:
        start: Seconds after the line's first frame at which the sound begins.
        end: The same of its end.
        heard: The symbol that was heard; "" if the artist has added the sound.
        symbol: The symbol that is shown; "" if the artist has taken the sound out.
        close: How far the lips are closed, 0 to 1; at 1 they meet.
        open: How far the mouth is opened beyond what was predicted, 0 to 1.
        round: How far the lips are rounded, 0 to 1.
        wide: How far the lips are drawn apart sideways, 0 to 1.
        later: Seconds by which the face shows the sound later; below 0 earlier.
        strength: Factor for the motion of jaw and lips.
    """

    start: float
    end: float
    heard: str = ""
    symbol: str = ""
    close: float = 0.0
    open: float = 0.0
    round: float = 0.0
    wide: float = 0.0
    later: float = 0.0
    strength: float = 1.0


@dataclass(frozen=True, eq=False)
class _Reach:
    """The frames that a change reaches, and its weight there."""

    rows: slice
    weight: Floats  # (n, 1)


def apply(
    edits: Sequence[SoundEdit],
    table: SoundTable,
    channels: Sequence[str],
    fps: float,
    motion: Floats,
    lip_offsets: Floats,
    to_rest: bool = False,
) -> Floats:
    """Apply the changes of single sounds to the motion of a line.

    Args:
        edits: What is changed.
        table: Names and mean poses of the sounds.
        channels: Names of the K channels.
        fps: Frames a second of the motion.
        motion: Values (F, K), as the line's sliders have left them.
        lip_offsets: Offsets (K, L, 3) of the lips in millimetres, see `lips.measure`.
        to_rest: Whether lips close by going back to rest: keys of the head's own need not show each channel.

    Returns:
        Motion (F, K): each channel within 0 to 1, or within its range in `motion` if that is larger. It is `motion`
        itself if nothing is changed.
    """
    if not edits or not len(motion):
        return motion
    result = motion.astype(np.float32, copy=True)
    speech = speech_columns(channels)
    low, high = np.minimum(motion.min(0), 0), np.maximum(motion.max(0), 1)
    mouth = _Mouth(channels, lip_offsets, speech, to_rest)
    stays = _shift(result, speech, edits, table, fps, mouth.runs(result))
    placed = _placed(edits, fps, len(motion))
    others = [edit for edit in edits if edit.symbol != edit.heard and not _closes(edit, table)]
    meant, contact = result.copy(), mouth.kept_contact(result, stays, others, table, fps)
    for edit, reach in placed:
        _show_symbol(result, speech, edit, reach, table, channels)
        if _closes(edit, table):
            mouth.close(result, reach, 1.0)
    for _edit, reach in placed:
        mouth.keep(result, meant, contact, reach.rows)
    opened = [edit for edit in edits if edit.open > 0]
    meant, contact = result.copy(), mouth.kept_contact(result, stays, opened, table, fps)
    for edit, reach in placed:
        _set_shape(result, speech, edit, reach, channels)
        if edit.open > 0:
            mouth.open(result, contact, reach, edit.open)
    np.clip(result, low, high, out=result)
    for _edit, reach in placed:
        mouth.keep(result, meant, contact, reach.rows)
    for edit, reach in placed:
        if edit.close > 0:
            mouth.close(result, reach, edit.close)
    return result


def closures(edits: Sequence[SoundEdit], table: SoundTable, fps: float, frames: int) -> Floats | None:
    """How far the artist has closed the lips, frame by frame.

    Args:
        edits: What is changed.
        table: Names and mean poses of the sounds.
        fps: Frames a second.
        frames: Number F of frames.

    Returns:
        Weights (F,), 0 to 1; None if no sound is closed.
    """
    found = np.zeros(frames, np.float32)
    for edit, reach in _placed(edits, fps, frames):
        amount = 1.0 if _closes(edit, table) else edit.close
        found[reach.rows] = np.maximum(found[reach.rows], amount * reach.weight[:, 0])
    return found if found.any() else None


def speech_columns(channels: Sequence[str]) -> NDArray[np.integer]:
    """Indices of the channels that a sound moves: jaw, lips, tongue and cheeks."""
    return _columns(channels, ALSO_SPEECH, SPEECH_REGIONS)


def window(times: NDArray[np.floating], start: float, end: float, fps: float, edge: float = EDGE) -> Floats:
    """The weight of a change over time.

    Args:
        times: Seconds (n,).
        start: Seconds at which the sound begins.
        end: Seconds at which it ends.
        fps: Frames a second: the weight is 1 at one frame at least, however short the sound is.
        edge: Seconds that the change reaches outside of the sound.

    Returns:
        Weights (n,), 0 to 1.
    """
    middle, half = (start + end) / 2, max((end - start) / 2, 0.5 / fps)
    full = max(half / 2, 0.5 / fps)
    t = (half + edge - np.abs(times - middle)) / (half + edge - full)
    return smoothstep(np.clip(t, 0, 1)).astype(np.float32)


class _Mouth:
    """Opens and closes the lips, whose offsets (K, L, 3) are in millimetres; L is 0 where they are not known."""

    def __init__(
        self, channels: Sequence[str], lip_offsets: Floats, speech: NDArray[np.integer], to_rest: bool
    ) -> None:
        names, opening = list(channels), lips.opening(lip_offsets)
        self.opening, self.to_rest = opening.astype(np.float32), to_rest
        self.jaw = names.index(JAW_OPEN) if JAW_OPEN in names else None
        self.shut = names.index(MOUTH_CLOSE) if MOUTH_CLOSE in names else None
        self.is_known = (
            self.jaw is not None and self.shut is not None and opening[self.shut] < -1 and opening[self.jaw] > 1
        )
        self.slide = (lip_offsets[:, lips.UPPER] - lip_offsets[:, lips.LOWER])[:, 1] if self.is_known else opening
        self.gaps = lips.gaps(lip_offsets).astype(np.float32)
        self.raising = np.flatnonzero([parts and k != self.jaw for k, parts in enumerate(self.gaps.max(1) > PARTING)])
        self.relaxing = np.union1d(speech, self.raising)
        self.others = np.flatnonzero([moves and k != self.jaw for k, moves in enumerate(opening > 0)])
        self.against = _columns(channels, AGAINST_OPEN)

    def runs(self, motion: Floats) -> list[slice]:
        """Rows of motion (F, K) in which the lips meet, one slice for each time that they do."""
        if not self.is_known:
            return []
        meet = np.concatenate([[False], motion @ self.opening <= lips.CONTACT_APERTURE, [False]])
        ends = np.flatnonzero(meet[1:] != meet[:-1]).reshape(-1, 2)
        return [slice(first, stop) for first, stop in ends.tolist()]

    def kept_contact(
        self, motion: Floats, stays: NDArray[np.bool_], parting: Sequence[SoundEdit], table: SoundTable, fps: float
    ) -> Floats:
        """Where the lips stay together.

        Args:
            motion: Values (F, K) that tell where the lips meet.
            stays: Where they meet in sounds that are not shifted, (F,).
            parting: The changes that may part the lips in the sounds that they change, and nowhere else.
            table: Names and mean poses of the sounds.
            fps: Frames a second.

        Returns:
            Weights (F,): 1 where the lips meet and stay as they are, 0 where they may part.
        """
        if not self.is_known:
            return np.zeros(len(motion), np.float32)
        gap = np.maximum(motion @ self.opening, 0)
        kept = smoothstep(np.clip(2 - gap / lips.CONTACT_APERTURE, 0, 1)).astype(np.float32)
        runs, frames = self.runs(motion), np.arange(len(motion))
        for edit in parting:
            first, last = (edit.start + edit.later) * fps, (edit.end + edit.later) * fps
            free = np.clip(1 - np.maximum(first - frames, frames - last), 0, 1)
            for run in runs:
                if not _owns(edit, table, first, last, run):
                    free[run] = 0
            if edit.later and edit.heard:  # it can be shown over the lips of another sound
                free[stays] = 0
            kept *= (1 - free).astype(np.float32)
        return kept

    def keep(self, result: Floats, meant: Floats, contact: Floats, rows: slice) -> None:
        """Let the lips meet in some rows of result (F, K), in place, as they do in meant (F, K); contact (F,)."""
        if not self.is_known:
            return
        here = result[rows]
        before, aperture = meant[rows] @ self.opening, here @ self.opening
        limited = np.clip(aperture, np.minimum(before, 0), np.maximum(before, 0))
        self._bring_to(here, aperture + contact[rows] * (limited - aperture))
        changed = here - meant[rows]
        share = np.zeros(len(here)) if self.to_rest else self._harmless(meant[rows], changed)
        here -= (contact[rows] * (1 - share))[:, None] * changed

    def _harmless(self, meant: Floats, changed: Floats) -> Floats:
        """Which share (n,) of what is changed (n, K) neither slides nor parts the closed lips of meant (n, K)."""
        slides, room = np.abs(changed @ self.slide), SPREAD + np.maximum(-meant @ self.gaps, 0)
        share: Floats = np.minimum(1, room / np.maximum(changed @ self.gaps, room)).min(1)
        return np.minimum(share, SLIDE / np.maximum(slides, SLIDE))

    def open(self, result: Floats, contact: Floats, reach: _Reach, amount: float) -> None:
        """Open the mouth in result (F, K), in place, but not where the lips stay together; contact (F,)."""
        if self.jaw is None:
            return
        weight = amount * reach.weight * (1 - contact[reach.rows, None])
        here = result[reach.rows]  # a view
        here[:, self.against] *= 1 - weight
        here[:, self.jaw] += (OPENED / self.opening[self.jaw] if self.is_known else JAW) * weight[:, 0]

    def close(self, result: Floats, reach: _Reach, amount: float) -> None:
        """Bring the lips together in result (F, K), changed in place; at an amount of 1 they meet.

        What raises one side of a lip, as an expression may, gives way as far as that side would stay open.
        """
        rows, weight = reach.rows, amount * reach.weight
        here = result[rows]
        if not self.is_known or self.to_rest:
            here[:, self.relaxing] *= 1 - weight
            return
        assert self.jaw is not None
        aperture, gaps = here @ self.opening, here @ self.gaps
        wanted = aperture - weight[:, 0] * np.maximum(aperture - PRESSED, 0)
        most = gaps - weight * np.maximum(gaps - SPREAD, 0)
        here[:, self.jaw] *= 1 - JAW_SHARE * weight[:, 0]
        self._bring_to(here, wanted)
        relaxed = here.copy()
        relaxed[:, self.raising] = np.minimum(here[:, self.raising], 0)
        self._bring_to(relaxed, wanted)
        gaps = here @ self.gaps
        share = (gaps - most) / np.maximum(gaps - relaxed @ self.gaps, 1e-6)
        here += np.clip(share, 0, 1).max(1, keepdims=True) * (relaxed - here)

    def _bring_to(self, here: Floats, wanted: Floats) -> None:
        """Bring the lips of motion (n, K), in place, to an aperture (n,) in millimetres.

        `mouthClose` and the jaw do it. What they cannot close, the other channels that part the lips give up.
        """
        assert self.jaw is not None and self.shut is not None
        for k in (self.shut, self.jaw):
            here[:, k] = np.clip(here[:, k] + (wanted - here @ self.opening) / self.opening[k], 0, 1)
        parted = np.maximum(here[:, self.others], 0) @ self.opening[self.others]
        share = np.clip((here @ self.opening - wanted) / np.maximum(parted, 1e-6), 0, 1)[:, None]
        others = here[:, self.others]
        here[:, self.others] = np.where(others > 0, others * (1 - share), others)


def _columns(channels: Sequence[str], names: Collection[str], regions: Collection[str] = ()) -> NDArray[np.integer]:
    """Indices of the channels with these names, or in these regions of the face."""
    return np.flatnonzero([channel in names or tweaks.region(channel) in regions for channel in channels])


def _placed(edits: Sequence[SoundEdit], fps: float, frames: int) -> list[tuple[SoundEdit, _Reach]]:
    """The changes, each with the frames that it reaches."""
    return [(edit, _reach(edit, fps, frames)) for edit in edits]


def _reach(edit: SoundEdit, fps: float, frames: int) -> _Reach:
    """The frames that a change reaches, where the face shows the sound."""
    start, end = edit.start + edit.later, edit.end + edit.later
    outer = EDGE + 0.5 / fps
    first = min(max(int(np.floor((start - outer) * fps)), 0), frames)
    last = min(max(int(np.ceil((end + outer) * fps)) + 1, first), frames)
    return _Reach(slice(first, last), window(np.arange(first, last) / fps, start, end, fps)[:, None])


def _closes(edit: SoundEdit, table: SoundTable) -> bool:
    """Whether the artist has put a sound there in which the lips meet."""
    sound = table.sounds.get(edit.symbol)
    return sound is not None and sound.is_closed and edit.symbol != edit.heard


def _owns(edit: SoundEdit, table: SoundTable, first: float, last: float, run: slice) -> bool:
    """Whether lips that meet belong to a changed sound.

    What is heard and what is seen can be a frame apart: closed lips at the edge of a vowel are those of its neighbour.

    Args:
        edit: What is changed.
        table: Names and mean poses of the sounds.
        first: Frame at which the face shows the beginning of the sound.
        last: The same of its end.
        run: Frames in which the lips meet.
    """
    heard = table.sounds.get(edit.heard)
    begin: int = run.start
    final: int = run.stop - 1
    if heard is not None and heard.is_closed:
        return begin <= last and final >= first
    is_inside = abs(begin + final - first - last) <= (last - first) / 2  # the middle of the lips' closure
    return is_inside or (begin <= first and final >= last)


def _shift(
    result: Floats,
    speech: NDArray[np.integer],
    edits: Sequence[SoundEdit],
    table: SoundTable,
    fps: float,
    runs: Sequence[slice],
) -> NDArray[np.bool_]:
    """Show sounds earlier or later: time in result (F, K) is bent, in place, in the columns `speech`.

    In `runs` the lips meet. Those of sounds that are not shifted stay where they are: the frames (F,) are returned.
    """
    frames = np.arange(len(result))
    shifted = [edit for edit in edits if edit.later and edit.heard]
    stays = np.zeros(len(result), bool)
    for run in runs:
        stays[run] = not any(_owns(edit, table, edit.start * fps, edit.end * fps, run) for edit in shifted)
    fixed = np.flatnonzero(stays)
    moved = np.zeros(len(result))
    for edit in shifted:
        edge = max(EDGE, SHIFT_EDGE * abs(edit.later))
        start, end = edit.start + edit.later, edit.end + edit.later
        weight = window(frames / fps, start, end, fps, edge)
        before, after = np.split(fixed, [np.searchsorted(fixed, (edit.start + edit.end) / 2 * fps)])
        weight[: before.max(initial=-1) + 1] = 0
        weight[after.min(initial=len(result)) :] = 0
        moved += edit.later * fps * weight
    if not moved.any():
        return stays
    if len(fixed):
        place = np.searchsorted(fixed, frames)
        nearest = np.stack([fixed[np.minimum(place, len(fixed) - 1)], fixed[np.maximum(place - 1, 0)]])
        most = SHIFT_SLOPE * np.abs(frames - nearest).min(0)
        moved = np.clip(moved, -most, most)
    source = np.clip(np.maximum.accumulate(frames - moved), 0, len(result) - 1)
    before = np.floor(source).astype(int)
    after, share = np.minimum(before + 1, len(result) - 1), (source - before)[:, None].astype(np.float32)
    values = result[:, speech]
    result[:, speech] = (1 - share) * values[before] + share * values[after]
    return stays


def _show_symbol(
    result: Floats,
    speech: NDArray[np.integer],
    edit: SoundEdit,
    reach: _Reach,
    table: SoundTable,
    channels: Sequence[str],
) -> None:
    """Show another sound than was heard, one that was not heard, or none, in result (F, K), in place."""
    rows, weight = reach.rows, reach.weight
    if edit.symbol == edit.heard or rows.stop - rows.start < 1:
        return
    here = result[rows]
    pose, heard = table.pose(edit.symbol, channels), table.pose(edit.heard, channels)
    if not edit.symbol:  # taken out: the face goes past it
        ends = here[0][speech], here[-1][speech]
        along = np.linspace(0, 1, len(here), dtype=np.float32)[:, None]
        past = (1 - along) * ends[0] + along * ends[1]
    elif pose is None:
        return
    elif heard is None:
        past = np.broadcast_to(pose[speech], (len(here), len(speech)))
    else:
        past = here[:, speech] + (pose - heard)[speech]
    here[:, speech] += weight * (past - here[:, speech])
    np.clip(here, np.minimum(here.min(0), 0), 1, out=here)


def _set_shape(
    result: Floats, speech: NDArray[np.integer], edit: SoundEdit, reach: _Reach, channels: Sequence[str]
) -> None:
    """Strengthen, round or widen a sound in result (F, K), in place."""
    here, weight = result[reach.rows], reach.weight
    if edit.strength != 1:
        here[:, speech] *= 1 + (edit.strength - 1) * weight
    shapes = (
        (edit.round, ROUND, AGAINST_ROUND, ROUND_SHARE),
        (edit.wide, WIDE, AGAINST_WIDE, WIDE_SHARE),
    )
    for amount, added, against, share in shapes:
        if amount > 0:
            here[:, _columns(channels, against)] *= 1 - share * amount * weight
            for k, channel in enumerate(channels):
                if channel in added:
                    here[:, k] += added[channel] * amount * weight[:, 0]
