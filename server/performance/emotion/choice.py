"""The emotion of a line as people write it, on the command line or in a manifest: a name, keys over time, or words."""

import json
import math
import os
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from ...errors import LSFError, shortened
from ...numerics import FloatArray
from ...protocol.emotions import EMOTIONS
from . import text
from .bank import Bank
from .direction import Direction

MAX_BYTES = 1 << 20  # of a file of keys: thousands of them
KEYS = (
    'keys are [[seconds, "name", strength], …], each later than the one before, with names of emotions or entries of '
    "the bank, and 0 to 1."
)

Keys = tuple[tuple[float, str, float], ...]


@dataclass(frozen=True, slots=True)
class Emotion:
    """What a line shows; without a name, keys and words, the emotion that is detected in the voice.

    Attributes:
        name: One of EMOTIONS or the name of an entry of the bank, for the whole line.
        keys: (seconds of the line, such a name, strength), ascending; linear between them.
        words: A direction in words.
        file: The file that has the keys, as the manifest names it; "" if none.
    """

    name: str | None = None
    keys: Keys = ()
    words: str = ""
    file: str = field(default="", compare=False)

    def used(self, bank: Bank) -> Bank:
        """Return the entries of a bank that this shows: no other one can change the result."""
        if self.words:
            return bank
        return bank.only({self.name or "", *(key[1] for key in self.keys)})

    def direction(self, strength: float, mix: float | None, bank: Bank, fps: float, frames: int) -> Direction | None:
        """Return the direction of keys or words; None if the settings say it all.

        Args:
            strength: 0 to 1; it applies to keys and words, too.
            mix: 0 (detected) to 1 (chosen); None is 1.
            bank: The expressions that may be shown.
            fps: Frames per second of the result.
            frames: Number of its frames.

        Raises:
            LSFError: "not_understood" if the words are not clear, "missing_package" if they need the encoder of words
                and it is not there.
        """
        mix = 1.0 if mix is None else mix
        if self.words:
            return text.read(self.words, bank).direction(strength, mix, bank)
        if not self.keys:
            return None
        at = np.array([key[0] for key in self.keys])
        count = min(frames, math.ceil(at[-1] * fps) + 1)  # the last row holds
        times = np.arange(count) / fps

        def curve(values: list[float]) -> FloatArray:
            between: FloatArray = np.interp(times, at, values)
            return between

        own_strength = strength * curve([key[2] for key in self.keys])
        chosen = [curve([float(key[1] == name) for key in self.keys]) for name in (*EMOTIONS, *bank.names)]
        return Direction.from_control(np.stack([own_strength, np.full(count, mix), *chosen], 1), bank)


DETECTED = Emotion()


def parse(value: object, folder: Path, bank: Bank) -> Emotion:
    """Read a cell or an option.

    Args:
        value: A name, keys as JSON or as a list, the name of a .json file of keys, or words; "" is what is detected.
        folder: Where a file of keys lies.
        bank: The expressions that it may name.

    Raises:
        LSFError: "bad_settings" if it is none of these.
    """
    if isinstance(value, list):
        return Emotion(keys=_keys(value, bank))
    assert isinstance(value, str)
    if not value:
        return DETECTED
    if value.casefold() in EMOTIONS:
        return Emotion(value.casefold())
    if entry := bank.find(value):
        return Emotion(entry.name)
    if value.startswith("["):
        return Emotion(keys=_keys(_json(value), bank))
    if value.lower().endswith(".json"):
        return Emotion(keys=_file(folder / value, bank), file=value)
    if len(value) > text.MAX_CHARACTERS:
        raise LSFError("bad_settings", f"a direction in words has at most {text.MAX_CHARACTERS} letters.")
    if not text.can_read(value, bank):
        raise LSFError(
            "bad_settings",
            f'"{shortened(value, 60)}" is none of {", ".join((*EMOTIONS, *bank.names))}, and these words need the text '
            "encoder, which is not installed.",
        )
    return Emotion(words=value)


@lru_cache(256)
def _file(path: Path, bank: Bank) -> Keys:
    """Keys of a file."""
    if not os.path.isfile(path):  # noqa: PTH113 (Path.is_file raises for a path that is too long)
        raise LSFError("bad_settings", f'there is no file "{path.name}".')
    if path.stat().st_size > MAX_BYTES:
        raise LSFError("bad_settings", f'"{path.name}" has more than {MAX_BYTES >> 20} MB.')
    try:
        return _keys(_json(path.read_text("utf-8-sig")), bank)
    except (OSError, UnicodeDecodeError) as error:
        raise LSFError("bad_settings", f'"{path.name}" cannot be read.') from error


def _json(content: str) -> object:
    """Parse JSON."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise LSFError("bad_settings", KEYS) from None


def _keys(value: object, bank: Bank) -> Keys:
    """Check keys."""
    names = (*EMOTIONS, *bank.names)
    keys: list[tuple[float, str, float]] = []
    if not isinstance(value, list) or not value:
        raise LSFError("bad_settings", KEYS)
    for key in value:
        match key:
            case [int() | float() as seconds, str() as name, int() | float() as strength]:
                if not (0 <= seconds < math.inf and 0 <= strength <= 1 and name in names):  # false for NaN, too
                    raise LSFError("bad_settings", KEYS)
                if keys and seconds <= keys[-1][0]:
                    raise LSFError("bad_settings", KEYS)
                keys.append((float(seconds), name, float(strength)))
            case _:
                raise LSFError("bad_settings", KEYS)
    return tuple(keys)
