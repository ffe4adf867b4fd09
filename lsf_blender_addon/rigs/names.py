"""Recognises different spellings of one name: JawOpen, jaw_open and blendShape1.jawOpen, or L_blink and blinkLeft."""

import functools
import re
import unicodedata
from collections import Counter

# A word of a name: capitals (the last one before a small letter starts the next word), small letters, digits, letters
# of other scripts, or a symbol.
WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+|[^\w\s.:|\-]")
SIDES = {"l": "left", "left": "left", "r": "right", "right": "right"}
SEPARATOR = re.compile(r"[._:| ]+")
MIN_SHARED = 5  # names that must start alike, up to a separator, for this start to be a prefix that is ignored


def both_sides(name: str) -> tuple[str, str]:
    """Return the two ARKit channels of a name without its side: for eyeBlink, eyeBlinkLeft and eyeBlinkRight."""
    return f"{name}Left", f"{name}Right"


@functools.cache
def canonical(name: str) -> str:
    """Return the name in lower case without separators, with the side as a word at its end."""
    words = [word.lower() for word in WORDS.findall(unicodedata.normalize("NFKC", name))]
    if len(words) > 1 and words[0] in SIDES and words[-1] not in SIDES:
        words = [*words[1:], words[0]]
    if len(words) > 1 and words[-1] in SIDES:
        words[-1] = SIDES[words[-1]]
    return "".join(words)


@functools.lru_cache(8)  # every family asks, and panels at every redraw
def names_by_canonical_form(names: tuple[str, ...]) -> dict[str, str]:
    """Index names by their canonical forms: that of the whole name, and those without a prefix that many names share.

    Args:
        names: Names of shape keys.

    Returns:
        The name for each canonical form. If two names have the same form, a whole name takes precedence, then the name
        with the shorter prefix.
    """
    starts = Counter(name[: cut.end()] for name in names for cut in SEPARATOR.finditer(name) if cut.end() < len(name))
    shared = [start for start, count in starts.items() if count >= max(MIN_SHARED, len(names) / 3)]
    found: dict[str, str] = {}
    for prefix in ["", *sorted(shared, key=len)]:
        for name in names:
            if name.startswith(prefix):
                found.setdefault(canonical(name[len(prefix) :]), name)
    return found
