"""Reads a manifest: the lines of a batch, as .csv or as .jsonl. All its faults are found before a line runs."""

import csv
import hashlib
import json
import math
import posixpath
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TextIO, TypeVar

from ..engine import Settings
from ..errors import LSFError, shortened
from ..performance import style_choice
from ..performance.emotion import choice
from ..performance.emotion import text as words
from ..performance.emotion.bank import Bank
from ..performance.emotion.choice import Emotion
from ..performance.style import Styles
from ..protocol.style_cards import StyleCard
from ..sounds.formats import read_transcript
from .results import file_digest

COLUMNS = (
    "sound", "id", "start", "end", "character", "emotion", "strength", "mix", "take", "temperature", "fps", "format",
    "voice", "style", "bank", "transcript", "language", "sounds",
)  # fmt: skip
WITHOUT_SOUNDS = "live_link"  # the format that has no place for them
ANSWERS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}  # in cells
SUFFIXES = {"npz": ".npz", "json": ".json", "live_link": ".csv"}  # of the results, by their format
MAX_BYTES = 1 << 30  # of a manifest: a hundred thousand lines have 20 MB
MAX_ID = 150  # characters; names of files have at most 255 bytes
SHOWN = 60  # characters of a value in a sentence
# What no file name has on one system or another, and names that are hidden or that Windows shortens.
NO_NAME = re.compile(r'[<>:"/\\|?*]|^\.|[. ]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)', re.IGNORECASE)
LEADS_ELSEWHERE = re.compile(r"^[A-Za-z]:|^[/\\]|(^|[/\\])\.\.([/\\]|$)")  # a drive, a root, or ".."
NO_LETTER = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters, and halves of surrogate pairs
FACE_FILE = re.compile(r"faces/[0-9a-f]{64}\.npz")  # where faces are written, see results.py

RESULTS = tuple(SUFFIXES.values())  # endings of results

settings = lru_cache(1024)(Settings)  # most lines share them; those that are equal have one spelling
following = lru_cache(256)(Emotion.following)  # thousands of keys take seconds, and may be those of every line


@dataclass(frozen=True, slots=True)
class Line:
    """One line of speech.

    Attributes:
        number: Number of its line in the manifest, from 1 on.
        sound: Its sound file, relative to the manifest's folder; "/" between folders.
        start: Seconds of the sound at which it starts.
        end: Seconds at which it ends; None: with the sound.
        character: Mesh file, relative to the manifest's folder; "" is the project's own head.
        emotion: What emotion it shows.
        settings: The settings of its animation.
        format: A key of SUFFIXES.
        voice: Lines with the same one are of one speaker; "" if it is heard on its own.
        bank: The file of its expressions, relative to the manifest's folder; "" if it has none of its own.
        output: Its result, relative to the folder of the results; "/" between folders. No two lines have the same.
    """

    number: int
    sound: str
    start: float
    end: float | None
    character: str
    emotion: Emotion
    settings: Settings
    format: str
    voice: str
    bank: str
    output: str

    @property
    def duration(self) -> float | None:
        """Seconds of the sound; None: to its end."""
        return None if self.end is None else self.end - self.start


@dataclass
class Manifest:
    """What a manifest says.

    Attributes:
        lines: Its lines.
        faults: Sentences about what is wrong with it; with any of them it is not to be used.
        inputs: Itself and the files that it names, as far as their endings are those of results.
        digests: SHA-256 of each bank, style card, transcript and file of keys that was read.
    """

    lines: list[Line] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    inputs: set[Path] = field(default_factory=set)
    digests: dict[Path, str] = field(default_factory=dict)

    @property
    def meaning(self) -> str:
        """SHA-256 of what the manifest's words depend on beside itself, hexadecimal."""
        encoder = any(line.emotion.words for line in self.lines) and words.is_installed()
        files = sorted((str(path), digest) for path, digest in self.digests.items())
        return hashlib.sha256(json.dumps([encoder, files]).encode()).hexdigest()


def read(path: Path, bank: Bank | None = None) -> Manifest:
    """Read a manifest.

    Args:
        path: A .csv file in UTF-8 with commas, semicolons or tabs, whose first line has the names of the columns; or a
            .jsonl file with one object a line. Files that it names are relative to its folder.
        bank: The expressions that lines without a bank of their own may show; None: there are none.

    Returns:
        What it says. Whether the sounds and characters exist is not looked at.
    """
    manifest = Manifest(inputs={path})
    rows = {".csv": _csv_rows, ".jsonl": _json_rows, ".ndjson": _json_rows}.get(path.suffix.lower())
    try:
        if rows is None:
            manifest.faults.append(f'"{path.name}" must be a .csv or a .jsonl file.')
        elif path.stat().st_size > MAX_BYTES:
            manifest.faults.append(f'"{path.name}" has more than {MAX_BYTES >> 20} MB: divide it.')
        else:
            with path.open(encoding="utf-8-sig", newline="") as file:
                _read_rows(rows(file, manifest.faults), path.parent, bank or Bank(), manifest)
        manifest.inputs |= {named for named in manifest.digests if named.name.lower().endswith(RESULTS)}
    except UnicodeDecodeError:
        manifest.faults.append(f'"{path.name}" is not text in UTF-8: save it as "CSV UTF-8".')
    except OSError as error:
        manifest.faults.append(f'"{path}" cannot be read ({error.strerror}).')
    if not manifest.lines and not manifest.faults:
        manifest.faults.append(f'"{path.name}" has no lines.')
    return manifest


def _read_rows(rows: "Iterator[tuple[int, Cells]]", folder: Path, bank: Bank, manifest: Manifest) -> None:
    """Add a line, or what is wrong with it, for each row."""
    outputs: dict[str, int] = {}
    files = _Files(manifest.digests)
    for number, cells in rows:
        row = _Row(cells, folder, bank, files)
        line = row.line(number)
        # Two names that differ in case or in the way of writing accents alone are one file on some systems.
        first = outputs.setdefault(unicodedata.normalize("NFC", line.output).casefold(), number)
        if first != number and not row.faults:
            row.faults.append(f'has the same result as line {first}, "{line.output}": give each line its own id.')
        manifest.faults += [f"Line {number} {fault}" for fault in row.faults]
        if not row.faults:
            manifest.lines.append(line)
            named = (line.sound, line.character)
            manifest.inputs |= {folder / name for name in named if name.lower().endswith(RESULTS)}


More = ParamSpec("More")
Content = TypeVar("Content")


class _Files:
    """Reads the files that say how lines are animated, each once for a manifest, and notes their digests."""

    def __init__(self, digests: dict[Path, str]):
        self._digests = digests
        self.bank, self.keys = self._once(Bank.load), self._once(choice.read_keys)
        self.card, self.transcript = self._once(StyleCard.load), self._once(read_transcript)

    def _once(self, load: Callable[Concatenate[Path, More], Content]) -> Callable[Concatenate[Path, More], Content]:
        """What reads a file if it was not read before."""
        found: dict[object, Content] = {}

        def read(path: Path, /, *more: More.args, **named: More.kwargs) -> Content:
            if (path, more) not in found:
                found[path, more] = load(path, *more, **named)
                self._digests[path] = file_digest(path)
            return found[path, more]

        return read


Cells = dict[str, object]
"""The values of a row by column: texts, or any JSON."""


def _csv_rows(file: TextIO, faults: list[str]) -> Iterator[tuple[int, Cells]]:
    """Yield (number of the line, cells) of a .csv; what is wrong with the columns is added to `faults`."""
    first = file.readline()
    delimiter = max(",;\t", key=first.count)  # a spreadsheet writes semicolons where the comma is in numbers
    reader = csv.reader(_after(first, file), delimiter=delimiter, strict=True)
    end = 0
    try:
        titles = [title.strip().casefold() for title in next(reader, [])]
        faults += _column_faults(titles)
        if faults:
            return
        for row in reader:
            number, end = max(end, 1) + 1, reader.line_num
            if len(row) > len(titles) and any(cell.strip() for cell in row[len(titles) :]):
                faults.append(f"Line {number} has more cells than there are columns: put quotes around commas.")
            elif any(cell.strip() for cell in row):
                yield number, dict(zip(titles, row, strict=False))
    except csv.Error as error:
        faults.append(f"Line {reader.line_num} is not .csv ({error}): look at its quotes.")


def _after(first: str, file: TextIO) -> Iterator[str]:
    """Yield a line that was read, then those after it."""
    yield first
    yield from file


def _json_rows(file: TextIO, faults: list[str]) -> Iterator[tuple[int, Cells]]:
    """Yield (number of the line, cells) of a .jsonl; what cannot be read is added to `faults`."""
    for number, text in enumerate(file, 1):
        if not text.strip():
            continue
        try:
            cells = json.loads(text)
        except (ValueError, RecursionError):
            faults.append(f"Line {number} is not JSON.")
            continue
        if not isinstance(cells, dict):
            faults.append(f'Line {number} must be an object such as {{"sound": "a.wav"}}.')
            continue
        wrong = _column_faults(list(cells))
        faults += [f"Line {number}: {fault}" for fault in wrong]
        if not wrong:
            yield number, cells


def _column_faults(titles: list[str]) -> list[str]:
    """Sentences about columns that cannot be used."""
    known = ", ".join(COLUMNS)
    faults = [
        f'There is no column "{shortened(title, SHOWN)}": the columns are {known}.'
        for title in titles
        if title not in COLUMNS
    ]
    faults += [f'The column "{title}" is there twice.' for title in COLUMNS if titles.count(title) > 1]
    return faults or ([] if "sound" in titles else ['There is no column "sound".'])


class _Row:
    """Makes a line of the cells of a row. What cannot be used is a sentence in `faults`, without its beginning."""

    def __init__(self, cells: Cells, folder: Path, bank: Bank, files: _Files):
        self._cells, self._folder, self._bank, self._files = cells, folder, bank, files
        self.faults: list[str] = []

    def line(self, number: int) -> Line:
        """The line, whose values count only if there are no faults."""
        sound, start, end = self._sound(), self._number("start", 0.0), self._number("end", None)
        assert start is not None
        if start < 0 or (end is not None and end <= start):
            self.faults.append(f"starts at {start:g} s and ends at {end} s: 0 ≤ start < end is needed.")
        own_bank = self._text("bank").replace("\\", "/")
        bank = self._own_bank(own_bank) if own_bank else self._bank
        shown = self._emotion(bank)
        kind = self._text("format") or "npz"
        if kind not in SUFFIXES:
            self.faults.append(f'has the format "{shortened(kind, SHOWN)}": choose one of {", ".join(SUFFIXES)}.')
        name = self._text("id")
        if name and (NO_NAME.search(name) or len(name) > MAX_ID):
            self.faults.append(f'has the id "{shortened(name, SHOWN)}", which cannot be the name of a file.')
        if not name:
            name = posixpath.splitext(posixpath.basename(sound))[0]
            if start or end is not None:
                name += f"_{start:.3f}-{'end' if end is None else f'{end:.3f}'}"
        output = posixpath.join(posixpath.dirname(sound), f"{name}{SUFFIXES.get(kind, '')}")
        if FACE_FILE.fullmatch(output.casefold()):
            self.faults.append(f'would be "{output}", where a face is: rename its sound.')
        return Line(
            number,
            sys.intern(sound),
            start,
            end,
            sys.intern(self._text("character").replace("\\", "/")),
            shown,
            self._settings(shown, bank),
            sys.intern(kind),
            sys.intern(self._text("voice")),
            sys.intern(own_bank),
            output,
        )

    def _sound(self) -> str:
        """The sound: a path that stays below the manifest's folder, as its result stays below that of the results."""
        text = self._text("sound")
        if not text:
            self.faults = self.faults or ["has no sound."]
        elif LEADS_ELSEWHERE.search(text):
            self.faults.append(
                f'has the sound "{shortened(text, SHOWN)}": sounds must lie in the folder of the manifest or below, '
                'named without ".." and without a drive.'
            )
        return posixpath.normpath(text.replace("\\", "/"))

    def _own_bank(self, name: str) -> Bank:
        """The expressions of a file."""
        try:
            return self._files.bank(self._folder / name)
        except LSFError as error:
            self.faults.append(f"has a bank that cannot be used: {error}")
        except (OSError, ValueError):  # ValueError: a NUL character
            self.faults.append(f'has a bank that cannot be read: there is no file "{shortened(name, SHOWN)}".')
        return Bank()

    def _emotion(self, bank: Bank) -> Emotion:
        """The emotion that is shown."""
        cell = self._cells.get("emotion")
        value = cell if isinstance(cell, list | dict) else self._text("emotion")
        try:
            return choice.parse(value, self._folder, bank, self._files.keys)
        except LSFError as error:
            self.faults.append(f"has an emotion that cannot be used: {error}")
            return choice.DETECTED

    def _settings(self, shown: Emotion, bank: Bank) -> Settings:
        """The settings."""
        fps, temperature, mix = self._number("fps", None), self._number("temperature", 0.0), self._number("mix", None)
        strength, take = self._number("strength", 1.0), self._number("take", 0.0)
        assert temperature is not None and strength is not None and take is not None
        if take % 1:
            self.faults.append(f"has the take {take:g}: takes are whole numbers.")
        try:
            return settings(
                fps=fps,
                temperature=temperature,
                seed=int(take),
                emotion=shown.name,
                emotion_strength=strength,
                emotion_mix=mix,
                styles=self._styles(),
                bank=shown.used(bank),
                following=following(shown, shown.used(bank)),
                **self._speech(),
            )
        except LSFError as error:
            self.faults.append(f"has a setting that cannot be used: {error}")
            return settings()

    def _speech(self) -> dict[str, Any]:
        """The settings of what is said. A transcript changes no curve, so it counts only where sounds are written."""
        transcript, fits = self._transcript(), self._text("format") != WITHOUT_SOUNDS
        asked = self._answer("sounds")
        if asked and not fits:
            self.faults.append(f"asks for sounds in a {WITHOUT_SOUNDS} file, which has no place for them.")
        if not fits or not (bool(transcript) if asked is None else asked):
            return {}
        return {"sounds": True, "transcript": transcript, "language": self._text("language")}

    def _transcript(self) -> str:
        """What is said: the text of the cell, or of the file that it names."""
        value = self._cells.get("transcript")
        cell = " ".join(value.split()) if isinstance(value, str) else self._text("transcript")
        if not cell.lower().endswith(".txt"):
            return cell
        try:
            return self._files.transcript(self._folder / cell)
        except LSFError as error:
            self.faults.append(f"has a transcript that cannot be used: {error}")
        except ValueError:  # a NUL character
            self.faults.append("has a transcript that cannot be used: there is no such file.")
        return ""

    def _answer(self, column: str) -> bool | None:
        """Yes or no; None if the cell is empty."""
        value = self._cells.get(column)
        text = str(value).casefold() if isinstance(value, bool) else self._text(column).casefold()
        if text and text not in ANSWERS:
            self.faults.append(f'has "{shortened(text, SHOWN)}" as {column}: write yes or no.')
        return ANSWERS.get(text)

    def _styles(self) -> Styles:
        """The style cards."""
        try:
            return style_choice.parse(self._text("style"), self._folder, self._files.card)
        except LSFError as error:
            self.faults.append(f"has a style that cannot be used: {error}")
            return ()

    def _text(self, column: str) -> str:
        """A text without spaces around it; "" if there is none."""
        value = self._cells.get(column)
        if value is None:
            return ""
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)[: MAX_ID + 1]  # an id may be a number
        if not isinstance(value, str):
            self.faults.append(f'has no text as "{column}".')
            return ""
        if NO_LETTER.search(value.strip()):
            self.faults.append(f'has letters as "{column}" that no name has.')
            return ""
        return value.strip()

    def _number(self, column: str, default: float | None) -> float | None:
        """A number, or the default if the cell is empty."""
        value = self._cells.get(column)
        if value is None or (isinstance(value, str) and not value.strip()):
            return default
        try:
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise ValueError
            number = float(value.strip().replace(",", ".") if isinstance(value, str) else value)
            if math.isfinite(number):
                return number + 0.0  # -0.0 is 0.0
        except (ValueError, OverflowError):
            pass
        self.faults.append(f'has "{shortened(str(value), SHOWN)}" as {column}, which is not a number.')
        return default
