"""The sounds of a line, which are kept with it in its head's Action, and what the artist has set for them.

Times are seconds of the sound file. So they stay right when the strip is moved or trimmed, and a change is found again
in whatever part of the file the line plays after that.

A file may come from anybody: times that are no numbers, and more sounds than a line can have, count as none.
"""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..prediction.sound_edits import SoundEdit
from ..prediction.sounds import MAX_SOUNDS, Sounds, matched
from ..prediction.store import MAX_FPS, MIN_FPS
from ..scene import stored
from ..scene.own_properties import number

if TYPE_CHECKING:
    from ..ui.properties.lines import LSF_PG_line
    from ..ui.properties.sounds import LSF_PG_sound

ADDED_SECONDS = 0.1  # length of a sound that the artist adds
NEUTRAL = {"close": 0.0, "open": 0.0, "round": 0.0, "wide": 0.0, "later": 0.0, "strength": 1.0}  # of the sliders

Times = NDArray[np.float64]

_writing = False  # whether sounds are being written, and not by the artist


class Item(NamedTuple):
    """A sound or a word of a line.

    Attributes:
        start: Seconds of the sound file at which it begins.
        end: The same of its end.
        heard: The symbol that was heard, or the word; "" for a sound that the artist has added.
        symbol: The symbol that is shown, or the word; "" for a sound that the artist has taken out.
        confidence: How sure the recogniser is, 0 to 1.
        values: The sliders that are not neutral, by their names.
    """

    start: float
    end: float
    heard: str
    symbol: str
    confidence: float
    values: dict[str, float]

    @property
    def is_changed(self) -> bool:
        """Whether the artist has changed anything of it."""
        return bool(self.values) or self.symbol != self.heard


def times(group: Any) -> Times:
    """When the sounds or words in a collection begin and end, (N, 2) seconds of the file.

    Args:
        group: A collection of a line. If the file holds what cannot be right, there are none.
    """
    count = len(group)
    found = np.zeros((2, count))
    if not 0 < count <= MAX_SOUNDS:
        return np.zeros((0, 2))
    for row, name in zip(found, ("start", "end"), strict=True):
        group.foreach_get(name, row)
    return found.T if np.isfinite(found).all() and (np.abs(found) < stored.LATEST).all() else np.zeros((0, 2))


def items(record: "LSF_PG_line") -> list[Item]:
    """The sounds of a line in the order in which they are kept, which is that of their times."""
    return [item_of(sound) for sound, _times in zip(record.sounds, times(record.sounds), strict=False)]


def item_of(sound: "LSF_PG_sound") -> Item:
    """A sound of a line as values."""
    values = {name: value for name, rest in NEUTRAL.items() if (value := number(sound, name)) != rest}
    return Item(sound.start, sound.end, sound.heard, sound.symbol, sound.confidence, values)


def edits(record: "LSF_PG_line", start: float | None = None) -> tuple[SoundEdit, ...]:
    """What the artist has changed in the sounds of a line, for its curves. Quick if that is nothing.

    Args:
        record: The line.
        start: Seconds of the sound file at the first row of the motion; None: as the line was generated.
    """
    found, begin_of_line = [], origin(record) if start is None else start
    when = times(record.sounds)
    for i in np.flatnonzero(changed(record)).tolist():
        sound, (begin, end) = record.sounds[i], (when[i] - begin_of_line).tolist()
        values = {name: number(sound, name) for name in NEUTRAL}
        values["later"] /= rate(record)
        found.append(SoundEdit(begin, end, sound.heard, sound.symbol, **values))
    return tuple(found)


def changed(record: "LSF_PG_line") -> NDArray[np.bool_]:
    """Which sounds of a line the artist has changed, (N,). Fast enough for a panel."""
    count = len(times(record.sounds))
    found, values = np.zeros(count, bool), np.empty(count)
    if count:
        for name, rest in NEUTRAL.items():
            record.sounds.foreach_get(name, values)
            found |= values != rest
        found |= [sound.symbol != sound.heard for sound in record.sounds]
    return found


def rate(record: "LSF_PG_line") -> float:
    """Frames a second of a line."""
    return min(max(number(record, "fps"), MIN_FPS), MAX_FPS)


def origin(record: "LSF_PG_line") -> float:
    """Seconds of the sound file at a line's first frame."""
    return min(max(number(record, "start"), -stored.LATEST), stored.LATEST)


def put(record: "LSF_PG_line", sounds: Sounds, start: float, transcript: str) -> None:
    """Keep the sounds that were heard in a line instead of those that it has.

    What the artist has changed is found again by its time. A changed sound that is not heard any more stays as it is,
    and so do those outside of the part that was heard.

    Args:
        record: The line.
        sounds: What was heard.
        start: Seconds of the file at which the sound begins that was sent.
        transcript: The words to which the sounds were pinned; empty for none.
    """
    kept = [item for item in items(record) if item.is_changed]
    now = [
        Item(float(begin + start), float(end + start), symbol, symbol, float(confidence), {})
        for symbol, (begin, end), confidence in zip(sounds.symbols, sounds.times, sounds.confidence, strict=True)
    ]
    shown = active(record)
    middle = (shown.start + shown.end) / 2 if shown else None
    places = matched(np.array([item[:2] for item in kept]).reshape(-1, 2), sounds.times + start)
    for item, place in zip(kept, places, strict=True):
        if place is None:
            now.append(item)
        else:
            new = now[place]
            own = item.symbol if item.symbol != item.heard else new.symbol
            now[place] = new._replace(symbol=own, values=item.values)
    _write(record, now)
    _activate_at(record, middle)
    record.words.clear()
    for text, (begin, end) in zip(sounds.words, sounds.word_times, strict=True):
        word = record.words.add()
        word.name, word.start, word.end = text, float(begin + start), float(end + start)
    record.pinned = transcript


def forget_unchanged(record: "LSF_PG_line") -> None:
    """Drop the sounds and words of a line that plays another sound file now; what the artist has changed stays."""
    if len(record.sounds):
        _write(record, [item for item in items(record) if item.is_changed])
    record.words.clear()


def add(record: "LSF_PG_line", frame: float, symbol: str) -> None:
    """Add a sound that was missed, with its middle at a frame of the line's Action; it becomes the active one."""
    middle = origin(record) + (frame - record.first_frame) / rate(record)
    start, end = middle - ADDED_SECONDS / 2, middle + ADDED_SECONDS / 2
    new = Item(start, end, "", symbol, 1.0, {})
    found = sorted([*items(record), new], key=lambda item: item.start)
    _write(record, found)
    activate(record, found.index(new))


def remove(record: "LSF_PG_line", index: int) -> None:
    """Take a sound out of the face; one that the artist has added is deleted."""
    found = items(record)
    if found[index].heard:
        record.sounds[index].symbol = ""
        stamp(record)
    else:
        _write(record, found[:index] + found[index + 1 :])
        activate(record, min(index, len(record.sounds) - 1))


def reset(record: "LSF_PG_line", indices: Iterable[int]) -> None:
    """Give sounds back what was heard, with neutral sliders; those that the artist has added are deleted."""
    found, chosen, shown = items(record), set(indices), record.active_sound
    kept = [
        item._replace(symbol=item.heard, values={}) if i in chosen else item
        for i, item in enumerate(found)
        if i not in chosen or item.heard
    ]
    _write(record, kept)
    activate(record, min(shown, len(kept) - 1))


def frames(record: "LSF_PG_line", when: Times) -> Times:
    """Frames of the line's Action at which times of the file are, any shape, without Time Offset."""
    return np.clip(record.first_frame + (when - origin(record)) * rate(record), -stored.LATEST, stored.LATEST)


def frames_of(record: "LSF_PG_line", index: int) -> tuple[int, int] | None:
    """First and last frame of a sound in the line's Action, as `frames_between`; None if there is no such sound."""
    when = times(record.sounds)
    return frames_between(record, *when[index].tolist()) if 0 <= index < len(when) else None


def frames_between(record: "LSF_PG_line", start: float, end: float) -> tuple[int, int]:
    """First and last frame of the line's Action, with Time Offset, between two times of the file: one at least."""
    offset = min(max(record.tweaks.offset, -stored.LATEST), stored.LATEST)
    first, last = (round(value) + offset for value in frames(record, np.array([start, end])).tolist())
    return first, max(first, last - 1)


def active(record: "LSF_PG_line") -> "LSF_PG_sound | None":
    """The active sound of a line; None without one."""
    index = record.active_sound
    return record.sounds[index] if 0 <= index < len(times(record.sounds)) else None


def activate(record: "LSF_PG_line", index: int) -> None:
    """Make a sound the active one, if it is not."""
    if record.active_sound != index:
        record.active_sound = index


def is_writing() -> bool:
    """Whether a slider of a sound is being set by the add-on itself: the curves are written after that."""
    return _writing


def _activate_at(record: "LSF_PG_line", second: float | None) -> None:
    """Make the sound at a second of the file the active one, without selecting its keys; None: no sound."""
    global _writing
    when = times(record.sounds)
    inside = [] if second is None else np.flatnonzero((when[:, 0] <= second) & (second < when[:, 1])).tolist()
    _writing = True
    try:
        activate(record, inside[0] if inside else -1)
    finally:
        _writing = False


def stamp(record: "LSF_PG_line") -> None:
    """Note that the sounds have changed, so that they are drawn anew. Undo brings an earlier mark back."""
    record.sounds_stamp = time.time_ns() % 2**31


def _write(record: "LSF_PG_line", found: list[Item]) -> None:
    """Keep these sounds, in the order of their times, instead of those that the line has."""
    global _writing
    earlier, _writing = _writing, True
    try:
        record.sounds.clear()
        for item in sorted(found[:MAX_SOUNDS], key=lambda item: item.start):
            sound = record.sounds.add()
            sound.heard, sound.symbol = item.heard, item.symbol
            sound.start, sound.end, sound.confidence = item.start, item.end, item.confidence
            for name, value in item.values.items():
                setattr(sound, name, value)
    finally:
        _writing = earlier
    stamp(record)
