"""Recognises different spellings of one name: JawOpen, jaw_open and blendShape1.jawOpen, or L_blink and blinkLeft."""

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Collection
from itertools import pairwise

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
    """Return the name in lower case without separators, with the side as a word at its end.

    A side is at the start (L_blink), before another word (Eye_L_Look_Up), or at the end. Of two words in a row that
    both could be a side (eyeLookLeftL), the first one says a direction.
    """
    words = [word.lower() for word in WORDS.findall(unicodedata.normalize("NFKC", name))]
    if len(words) > 1:
        words = [SIDES.get(word, word) for word in words]
    for index, (word, following) in enumerate(pairwise(words)):
        if word in SIDES and following not in SIDES:
            words = [*words[:index], *words[index + 1 :], word]
            break
    return "".join(words)


@functools.lru_cache(8)  # panels ask at every redraw
def names_by_canonical_form(names: tuple[str, ...], left_out: Collection[str] = frozenset()) -> dict[str, str]:
    """Index names by their canonical forms: that of the whole name, and those without a prefix that many names share.

    Args:
        names: Names of shape keys.
        left_out: Those of them that are not indexed. They count where prefixes are looked for.

    Returns:
        The name for each canonical form. If two names have the same form, a whole name takes precedence, then the name
        with the shorter prefix.
    """
    starts = Counter(name[: cut.end()] for name in names for cut in SEPARATOR.finditer(name) if cut.end() < len(name))
    shared = [
        start
        for start, count in starts.items()
        if count >= max(MIN_SHARED, len(names) / 3) and not _ends_with_side(start)
    ]
    found: dict[str, str] = {}
    for prefix in ["", *sorted(shared, key=len)]:
        for name in names:
            if name.startswith(prefix) and name not in left_out:
                found.setdefault(canonical(name[len(prefix) :]), name)
    return found


def _ends_with_side(prefix: str) -> bool:
    """Tell whether the last word of a prefix is a side, so that the name without the prefix would say less."""
    words = WORDS.findall(prefix)
    return bool(words) and words[-1].lower() in SIDES
