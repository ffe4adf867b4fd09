"""The sounds that were heard in a line, as the server sends them; and which of two such lists are the same. No bpy."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..client.causes import one_line
from ..client.wire import Arrays, Header

MAX_SOUNDS = 1 << 16  # of a line: an hour of fast speech
MAX_SYMBOL, MAX_WORD = 8, 80  # letters
SAME_SHARE = 0.5  # of the shorter one of two sounds: they are the same if they overlap that much

Times = NDArray[np.floating]


@dataclass(frozen=True)
class Sounds:
    """N sounds and W words of a line. Times are seconds of the sound that was sent.

    Attributes:
        symbols: N symbols of IPA.
        times: (N, 2) when each begins and ends.
        confidence: (N,) from 0 to 1.
        words: W words; none if nothing tells them.
        word_times: (W, 2) when each begins and ends.
        note: What the artist should know of the transcript, a sentence; empty for nothing.
    """

    symbols: tuple[str, ...]
    times: Times
    confidence: Times
    words: tuple[str, ...]
    word_times: Times
    note: str = ""


def is_valid(header: Header, arrays: Arrays) -> bool:
    """Whether the sounds of a reply are what docs/protocol.md promises; a reply without them is."""
    if "sounds" not in header:
        return True
    symbols, words = header["sounds"], header.get("words", [])
    if not _are_texts(symbols, MAX_SYMBOL) or not _are_texts(words, MAX_WORD):
        return False
    shapes = {"sound_times": (len(symbols), 2), "sound_confidence": (len(symbols),), "word_times": (len(words), 2)}
    return all(
        name in arrays and arrays[name].shape == shape and bool(np.isfinite(arrays[name]).all())
        for name, shape in shapes.items()
    )


def from_reply(header: Header, arrays: Arrays) -> Sounds | None:
    """The sounds of a valid reply, in the order of time; None if it has none."""
    if "sounds" not in header:
        return None
    order = np.argsort(arrays["sound_times"][:, 0], kind="stable")
    return Sounds(
        tuple(header["sounds"][i] for i in order),
        np.asarray(arrays["sound_times"], np.float64)[order],
        np.clip(arrays["sound_confidence"], 0, 1)[order],
        tuple(header.get("words", [])),
        np.asarray(arrays["word_times"], np.float64),
        one_line(str(header.get("transcript_note") or "")),
    )


def matched(earlier: Times, now: Times) -> list[int | None]:
    """Find earlier sounds again by their times.

    A pair that overlaps more comes first, and a sound is found once.

    Args:
        earlier: (N, 2) when each earlier sound begins and ends.
        now: (M, 2) the same of the sounds that were heard now, in the order of time.

    Returns:
        For each earlier sound the index of the one that it is now; None if it is not heard any more.
    """
    pairs = []
    for i, (start, end) in enumerate(earlier):
        overlap = np.minimum(end, now[:, 1]) - np.maximum(start, now[:, 0])
        shorter = np.minimum(end - start, now[:, 1] - now[:, 0])
        share = overlap / np.maximum(shorter, 1e-6)
        pairs += [(-float(overlap[j]), i, int(j)) for j in np.flatnonzero(share >= SAME_SHARE)]
    found: list[int | None] = [None] * len(earlier)
    taken: set[int] = set()
    for _overlap, i, j in sorted(pairs):
        if found[i] is None and j not in taken:
            found[i] = j
            taken.add(j)
    return found


def _are_texts(values: Any, longest: int) -> bool:
    """Whether a value is a list of short printable texts."""
    return (
        isinstance(values, list)
        and len(values) <= MAX_SOUNDS
        and all(isinstance(value, str) and 0 < len(value) <= longest and value.isprintable() for value in values)
    )
