"""The emotion of a line as people write it, on the command line or in a manifest: a name, keys over time, or words."""

import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from ...errors import LSFError, shortened
from ...files.audio import MAX_SECONDS
from ...numerics import FloatArray
from ...protocol import affect
from ...protocol.affect import Change, Place
from ...protocol.emotions import EMOTIONS
from . import text
from .bank import Bank
from .direction import Direction
from .following import Following

MAX_BYTES = 1 << 20  # of a file of keys: MAX_KEYS have 400 KB
MAX_KEYS = 10_000  # a curve of strength may need one for each frame: of six minutes
KEYS = (
    f'keys are [[seconds, "name", strength], …], at most {MAX_KEYS}, each later than the one before and within '
    f"{MAX_SECONDS / 3600:g} hours, with names of emotions or entries of the bank, and 0 to 1."
)
OPTIONS = (
    'keys with options are {"keys": [[seconds, "name" or [valence, arousal], strength], …], "passing": "circle" or '
    '"direct", "transition": seconds, "follow_sentence": true or false, "follow_words": 0 to 1}, with at most '
    f"{MAX_KEYS} keys within {MAX_SECONDS / 3600:g} hours."
)
MAX_TRANSITION = 60.0  # seconds
CHANGE_RATE = 100.0  # frames per second at which the times of changes are found: they depend on no line

Keys = tuple[tuple[float, str | Place, float], ...]


@dataclass(frozen=True, slots=True)
class Transition:
    """How the emotion of one key becomes that of the next.

    Attributes:
        circle: Whether it passes through the circle of affect; else both are mixed.
        seconds: Of a change, which lies around its key; None: it lasts from key to key.
        sentence: Whether changes and expressions follow the phrases of the sentence.
        words: How much the strength follows the weight of words, 0 to 1.
    """

    circle: bool = False
    seconds: float | None = None
    sentence: bool = False
    words: float = 0.0


DIRECT = Transition()


@dataclass(frozen=True, slots=True)
class Emotion:
    """What a line shows; without a name, keys and words, the emotion that is detected in the voice.

    Attributes:
        name: One of EMOTIONS or the name of an entry of the bank, for the whole line.
        keys: (seconds of the line, such a name or a place on the circle of affect, strength), ascending.
        words: A direction in words.
        transition: How the emotion of one key becomes that of the next; the strength is linear between them.
        file: The file that has the keys, as the manifest names it; "" if none.
    """

    name: str | None = None
    keys: Keys = ()
    words: str = ""
    file: str = field(default="", compare=False)
    transition: Transition = DIRECT

    def used(self, bank: Bank) -> Bank:
        """Return the entries of a bank that this shows: no other one can change the result."""
        if self.words:
            return bank
        return bank.only({self.name or "", *(key[1] for key in self.keys if isinstance(key[1], str))})

    def following(self, bank: Bank) -> Following:
        """Return how the line follows its sentence, with the entries of a bank that this may show."""
        how = self.transition
        if not how.sentence or how.seconds is None:
            return Following(how.sentence, how.words)
        frames = math.ceil((self.keys[-1][0] + affect.LONGEST * how.seconds) * CHANGE_RATE) + 1
        changes = self._rows(bank, CHANGE_RATE, frames, how.seconds).changes
        return Following(True, how.words, tuple(Change(*(edge / CHANGE_RATE for edge in c)) for c in changes))

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
        at, seconds = np.array([key[0] for key in self.keys]), self.transition.seconds
        count = min(frames, math.ceil((at[-1] + affect.LONGEST * (seconds or 0)) * fps) + 1)  # the last row holds
        times = np.arange(count) / fps

        def curve(values: list[float]) -> FloatArray:
            between: FloatArray = np.interp(times, at, values)
            return between

        own_strength = strength * curve([key[2] for key in self.keys])
        chosen: FloatArray
        if seconds is not None:
            chosen = self._rows(bank, fps, count, seconds).weights
        elif self.transition.circle:
            chosen = self._from_key_to_key(bank, times)
        else:
            ends = [self._end(key[1], bank).weights for key in self.keys]
            chosen = np.stack([curve([float(end[i]) for end in ends]) for i in range(len(ends[0]))], 1)
        control = np.column_stack([own_strength, np.full(count, mix), chosen])
        return Direction.from_control(np.clip(control, 0, 1), bank)

    def _rows(self, bank: Bank, fps: float, frames: int, seconds: float) -> affect.Rows:
        """What is shown where each choice holds until the change to the next one."""
        names, times = (*EMOTIONS, *bank.names), np.arange(frames) / fps
        chosen = [names.index(key[1]) if isinstance(key[1], str) else len(names) for key in self.keys]
        current = np.clip(np.searchsorted([key[0] for key in self.keys], times + _ROUNDING, "right") - 1, 0, None)
        points = [(key[0], *key[1]) for key in self.keys if not isinstance(key[1], str)] or [(0.0, 0.0, 0.0)]
        at, *free = np.array(points).T
        places = [affect.place_of_expression(entry) for entry in bank.expressions]
        return affect.rows_of_choices(
            np.array(chosen)[current],
            np.column_stack([np.interp(times, at, axis) for axis in free]),
            places,
            seconds * fps,
            self.transition.circle,
        )

    def _from_key_to_key(self, bank: Bank, times: FloatArray) -> FloatArray:
        """Weights (F, 8 + B) on ways that last from one key to the next."""
        ends = [self._end(key[1], bank) for key in self.keys]
        rows = np.tile(ends[0].weights, (len(times), 1))
        limits = [*np.searchsorted(times, [key[0] for key in self.keys]), len(times)]
        for i, (key, following) in enumerate(pairwise(self.keys)):
            between = slice(limits[i], limits[i + 1])
            if between.start == between.stop:  # it lies after the line
                continue
            if key[1] == following[1]:  # a change of strength alone
                rows[between] = ends[i].weights
                continue
            progress = (times[between] - key[0]) / (following[0] - key[0])
            rows[between] = affect.passed_evenly(ends[i], ends[i + 1], progress)
        rows[limits[-2] :] = ends[-1].weights
        return rows

    @staticmethod
    def _end(choice: str | Place, bank: Bank) -> affect.End:
        """What the choice of a key shows, and where it lies on the circle."""
        names, place = (*EMOTIONS, *bank.names), choice
        if isinstance(choice, str):
            weights = np.eye(len(names))[names.index(choice)]
            entry = bank.find(choice) if choice not in EMOTIONS else None
            found = affect.PLACES[choice] if entry is None else affect.place_of_expression(entry)
            return affect.End(weights, None if found is None else np.array(found))
        weights = np.append(affect.weights(np.array(place)), np.zeros(len(bank.names)))
        return affect.End(weights, np.array(place))


DETECTED = Emotion()
_ROUNDING = 1e-9  # seconds


def read_keys(path: Path, bank: Bank) -> Emotion:
    """Read a file of keys.

    Args:
        path: JSON: keys, alone or with options.
        bank: The expressions that they may name.

    Raises:
        LSFError: "bad_settings" if it cannot be used.
    """
    if not os.path.isfile(path):  # noqa: PTH113 (Path.is_file raises for a path that is too long)
        raise LSFError("bad_settings", f'there is no file "{path.name}".')
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise LSFError("bad_settings", f'"{path.name}" has more than {MAX_BYTES >> 20} MB.')
        return _with_keys(_json(data.decode("utf-8-sig")), bank)
    except (OSError, UnicodeDecodeError) as error:
        raise LSFError("bad_settings", f'"{path.name}" cannot be read.') from error


ReadKeys = Callable[[Path, Bank], Emotion]


def parse(value: object, folder: Path, bank: Bank, read: ReadKeys = read_keys) -> Emotion:
    """Read a cell or an option.

    Args:
        value: A name, keys as JSON or as a list, the name of a .json file of keys, or words; "" is what is detected.
        folder: Where a file of keys lies.
        bank: The expressions that it may name.
        read: Reads a file of keys.

    Raises:
        LSFError: "bad_settings" if it is none of these.
    """
    if isinstance(value, list | dict):
        return _with_keys(value, bank)
    assert isinstance(value, str)
    if not value:
        return DETECTED
    if value.casefold() in EMOTIONS:
        return Emotion(value.casefold())
    if entry := bank.find(value):
        return Emotion(entry.name)
    if value.startswith(("[", "{")):
        return _with_keys(_json(value), bank)
    if value.lower().endswith(".json"):
        return replace(read(folder / value, bank), file=value)
    if len(value) > text.MAX_CHARACTERS:
        raise LSFError("bad_settings", f"a direction in words has at most {text.MAX_CHARACTERS} letters.")
    if not text.can_read(value, bank):
        raise LSFError(
            "bad_settings",
            f'"{shortened(value, 60)}" is none of {", ".join((*EMOTIONS, *bank.names))}, and these words need the text '
            "encoder, which is not installed.",
        )
    return Emotion(words=value)


def _json(content: str) -> object:
    """Parse JSON."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise LSFError("bad_settings", KEYS) from None


def _with_keys(value: object, bank: Bank) -> Emotion:
    """Check keys, alone or with options."""
    if not isinstance(value, dict):
        return Emotion(keys=_keys(value, bank))
    match {"passing": "circle", "transition": None, "follow_sentence": False, "follow_words": 0, **value}:
        case {
            "keys": keys,
            "passing": "circle" | "direct" as passing,
            "transition": None | int() | float() as seconds,
            "follow_sentence": bool() as sentence,
            "follow_words": int() | float() as words,
        } if (
            not set(value) - {"keys", "passing", "transition", "follow_sentence", "follow_words"}
            and (seconds is None or _is_number(seconds, MAX_TRANSITION))
            and _is_number(words, 1)
        ):
            how = Transition(passing == "circle", None if seconds is None else float(seconds), sentence, float(words))
            return Emotion(keys=_keys(keys, bank, OPTIONS), transition=how)
    raise LSFError("bad_settings", OPTIONS)


def _keys(value: object, bank: Bank, sentence: str = KEYS) -> Keys:
    """Check keys; the sentence says what they are. Places on the circle are for keys with options."""
    names = (*EMOTIONS, *bank.names)
    keys: list[tuple[float, str | Place, float]] = []
    if not isinstance(value, list) or not 0 < len(value) <= MAX_KEYS:
        raise LSFError("bad_settings", sentence)
    for key in value:
        match key:
            case [seconds, str() as choice, strength] if choice in names:
                shown: str | Place = choice
            case [seconds, [valence, arousal], strength] if (
                sentence is OPTIONS and _is_number(valence, 1, -1) and _is_number(arousal, 1, -1)
            ):
                shown = float(valence), float(arousal)
            case _:
                raise LSFError("bad_settings", sentence)
        if not (_is_number(seconds, MAX_SECONDS) and _is_number(strength, 1)):
            raise LSFError("bad_settings", sentence)
        if keys and seconds <= keys[-1][0]:
            raise LSFError("bad_settings", sentence)
        keys.append((float(seconds), shown, float(strength)))
    return tuple(keys)


def _is_number(value: object, high: float, low: float = 0.0) -> bool:
    """Whether a value is a number from `low` to `high`; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high  # false for NaN
