"""The report that *Copy Report* copies: what a maintainer needs to know, and nothing personal.

Names are replaced, not left out, so that what stands around them can still be read:

    File "<add-on>/jobs/lines.py", line 3           a file of ours, Blender's or Python's
    cannot read <path>.wav: it is empty             any other file
    <name> has no vertices                          what the artist named: an object, a strip, a file
    <user>, <url>                                   the user's or the computer's name, an address
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

MAX_TAIL_BYTES = 16 << 10  # of a log that are read
MAX_LINE = 400  # letters of a line in the report; longer ones are data
START = 4  # letters by which names are looked up before they are searched
MIN_NAME = 2  # letters of a name that is replaced: one letter alone tells nothing

ADDRESS = r"\b[a-zA-Z][a-zA-Z+.-]{1,9}://[^\s\"'<>]+"

# Where a path begins: "/home", "~/x", "C:\", "\\server", "//sounds"; not in "and/or", "1 / 2" or after a placeholder.
ROOT = r"(?<![\w<>/\\])(?:~|[A-Za-z]:)?[/\\]+(?=[^\s/\\\"'])"
# Where it ends nobody knows, as names may have spaces: in quotes with them, else with ": " or the line.
PATH = rf'(?<="){ROOT}[^"\n]*|(?<=\'){ROOT}[^\'\n]*|{ROOT}(?:[^":\n]|:(?!\s))*'
PLACE = re.compile(f"(?P<address>{ADDRESS})|{PATH}")
# What a maintainer wants to know of such a file.
KIND = re.compile(
    r"\.(wav|flac|mp3|ogg|m4a|aac|aiff?|mp4|mov|blend|py|pyc|so|dll|log|csv|json|npz|obj|ply|safetensors)\b"
)


@dataclass(frozen=True)
class Personal:
    """What must not be in a report.

    Attributes:
        places: Folders of the add-on, Blender and Python, with what is put in their place. The paths in them are kept.
        paths: The artist's files, as they may be written in a sentence.
        names: What the artist named: objects, strips, Actions, …
        user: Names of the user and of the computer.
    """

    places: Mapping[str, str] = field(default_factory=dict)
    paths: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    user: frozenset[str] = frozenset()

    def removed_from(self, text: str) -> str:
        """Return a text with all of this replaced.

        Args:
            text: An error, or lines of a log.
        """
        for place in sorted(filter(None, self.places), key=len, reverse=True):
            for written in _spellings(place):
                text = re.sub(rf"{re.escape(written)}(?![^/\\\s\"'):,;])", f"<{self.places[place]}>", text)
        for path in sorted(filter(None, self.paths), key=len, reverse=True):
            for written in _spellings(path):
                text = text.replace(written, _placeholder(path)) if len(path) >= MIN_NAME else text
        text = PLACE.sub(lambda match: "<url>" if match["address"] else _placeholder(match[0]), text)
        text = _without_words(text, self.names | {part for path in self.paths for part in _parts(path)}, "<name>")
        return _without_words(text, self.user, "<user>", re.IGNORECASE)


def compose(facts: Iterable[tuple[str, str]], sections: Iterable[tuple[str, str]], personal: Personal) -> str:
    """Return the whole report.

    Args:
        facts: Name and value of what is known, in order. The values are our own words and numbers.
        sections: Heading and text of what others may have written: the last error, the end of a log.
        personal: What is replaced in the sections.
    """
    lines = [f"{name}: {value}" for name, value in facts if value]
    for heading, text in sections:
        if text.strip():
            shown = [line[:MAX_LINE] for line in personal.removed_from(text.strip()).splitlines()]
            lines += ["", f"{heading}:", *(f"    {line}" for line in shown)]
    return "\n".join(lines) + "\n"


def tail(path: Path, lines: int) -> str:
    """Return the last lines of a log; "" if it cannot be read.

    Args:
        path: The log, of any size.
        lines: How many lines.
    """
    try:
        with path.open("rb") as log:
            start = max(0, log.seek(0, 2) - MAX_TAIL_BYTES)
            log.seek(start)
            text = log.read(MAX_TAIL_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    found = text.splitlines()[1 if start else 0 :]  # a line that begins before is not whole
    return "\n".join(found[-lines:])


def package_versions(python: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the versions of packages in the environment of a Python, without starting it.

    Args:
        python: The Python of a virtual environment.
        names: Names of packages; those that are not found are left out.
    """
    found = {}
    home, wanted = python.parent.parent, list(names)
    for folder in [*home.glob("lib/python*/site-packages"), home / "Lib" / "site-packages"]:
        for name in wanted:
            for info in folder.glob(f"{name}-*.dist-info"):
                found[name] = info.name.removesuffix(".dist-info").partition("-")[2]
    return found


def _spellings(path: str) -> set[str]:
    """Return how a path may be written: with either slash, and escaped as in JSON."""
    back = path.replace("/", "\\")
    return {path, path.replace("\\", "/"), back, back.replace("\\", "\\\\")}


def _placeholder(path: str) -> str:
    """Return what is put in the place of a path, with its kind if a maintainer wants to know it."""
    kind = KIND.search(path)
    return f"<path>.{kind[1]}" if kind else "<path>"


def _parts(path: str) -> set[str]:
    """Return the name of a path's file, with and without its extension, and those of its folders."""
    parts = set(re.split(r"[/\\]+", path)) - {"", ".", ".."}
    return parts | {re.sub(r"\.\w{1,12}$", "", part) for part in parts}


def _without_words(text: str, words: Iterable[str], placeholder: str, flags: int = 0) -> str:
    """Return a text without words, however many of them there are; inside of longer words they stay."""
    folded = text.lower() if flags & re.IGNORECASE else text
    starts = {folded[i : i + START] for i in range(len(folded))}  # of the words there may be thousands
    found = [
        word
        for word in words
        if len(word) >= MIN_NAME
        and (lowered := word.lower() if flags & re.IGNORECASE else word)
        and (len(lowered) < START or lowered[:START] in starts)
        and lowered in folded
    ]
    if not found:
        return text
    any_of = "|".join(re.escape(word) for word in sorted(found, key=len, reverse=True))
    return re.sub(rf"(?<![\w<])(?:{any_of})(?![\w>])", placeholder, text, flags=flags)
