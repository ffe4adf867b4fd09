"""Spellings of one name: JawOpen, jaw_open and blendShape1.jawOpen are one, and so are L_blink and blinkLeft."""

import functools
import re
import unicodedata
from collections import Counter

WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+|[^\w\s.:|\-]")
SIDES = {"l": "left", "left": "left", "r": "right", "right": "right"}

SEPARATOR = re.compile(r"[._:| ]+")
SHARED = 5  # a prefix counts as one if at least so many names have it


def both_sides(name: str) -> tuple[str, str]:
    """Return the ARKit channels of a name without a side: eyeBlink gives eyeBlinkLeft and eyeBlinkRight."""
    return f"{name}Left", f"{name}Right"


@functools.cache
def canonical(name: str) -> str:
    """Return the name without case and separators, with the side as a word at its end."""
    words = [word.lower() for word in WORDS.findall(unicodedata.normalize("NFKC", name))]
    if len(words) > 1 and words[0] in SIDES and words[-1] not in SIDES:
        words = [*words[1:], words[0]]
    if len(words) > 1 and words[-1] in SIDES:
        words[-1] = SIDES[words[-1]]
    return "".join(words)


@functools.lru_cache(8)  # every family asks, and panels at every redraw
def spellings(names: tuple[str, ...]) -> dict[str, str]:
    """Find what each of the names may mean.

    Args:
        names: Names of shape keys.

    Returns:
        For every canonical form of a name, whole or without a prefix that many names share, the name. Where two names
        have the same form, whole names go first, then those with a short prefix.
    """
    starts = Counter(name[: cut.end()] for name in names for cut in SEPARATOR.finditer(name) if cut.end() < len(name))
    shared = [start for start, count in starts.items() if count >= max(SHARED, len(names) / 3)]
    found: dict[str, str] = {}
    for prefix in ["", *sorted(shared, key=len)]:
        for name in names:
            if name.startswith(prefix):
                found.setdefault(canonical(name[len(prefix) :]), name)
    return found
