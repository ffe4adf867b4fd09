"""Expressions that an artist has made, as requests and files hold them. The add-on shares this module.

An expression is a pose of ARKit's channels beside the eight emotions: any face can be shown, mixed and keyed as they
are.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..arkit import CHANNELS
from ..errors import LSFError
from .emotions import EMOTIONS
from .json_files import Format

FIELDS = ("name", "weights", "emotions", "affect")
MAX_ENTRIES = 64
MAX_NAME = 60  # letters
MAX_SHOWN = 40  # letters of a foreign name in a sentence


class ExpressionError(LSFError):
    """Expressions cannot be used. Its code is "bad_bank"."""

    def __init__(self, message: str):
        super().__init__("bad_bank", message)


FORMAT = Format("lsf-expressions", 1, "a bank of expressions", 1 << 20, ExpressionError)  # a full one has 150 kB


@dataclass(frozen=True)
class Expression:
    """A face that can be shown as an emotion is.

    Attributes:
        name: 1 to MAX_NAME letters; not one of EMOTIONS.
        weights: Values of ARKit's channels, −1 to 1, that it adds to the face; a channel that is missing is 0.
        emotions: How much of each of EMOTIONS it shows besides, 0 to 1.
        affect: Valence and arousal, −1 to 1 each: where it lies on the circle of affect; None: not known.

    Raises:
        ExpressionError: If a value is out of range.
    """

    name: str
    weights: Mapping[str, float] = field(default_factory=dict)
    emotions: Mapping[str, float] = field(default_factory=dict)
    affect: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if fault := name_fault(self.name):
            raise ExpressionError(fault)
        for values, names, low, what in (
            (self.weights, CHANNELS, -1, "channel"),
            (self.emotions, EMOTIONS, 0, "emotion"),
        ):
            for name, value in values.items():
                if name not in names:
                    raise ExpressionError(f'"{self.name}" has an unknown {what}, "{str(name)[:MAX_SHOWN]}".')
                if not _is_number(value, low):
                    raise ExpressionError(f'"{self.name}" must have a number from {low} to 1 as "{name}".')
        if self.affect is not None and not (len(self.affect) == 2 and all(_is_number(v, -1) for v in self.affect)):
            raise ExpressionError(f'"{self.name}" must have two numbers from -1 to 1 as its affect.')
        # 1, 1.0 and -0.0 are equal to others, but are written differently: what is equal has one spelling.
        object.__setattr__(self, "weights", {name: float(value) + 0.0 for name, value in self.weights.items()})
        object.__setattr__(self, "emotions", {name: float(value) + 0.0 for name, value in self.emotions.items()})
        if self.affect is not None:
            object.__setattr__(self, "affect", tuple(float(value) + 0.0 for value in self.affect))

    def __hash__(self) -> int:
        return hash((self.name, *sorted(self.weights.items())))

    @classmethod
    def from_fields(cls, fields: object) -> "Expression":
        """Read an expression from the fields of a request or a file. Raises ExpressionError."""
        if not isinstance(fields, Mapping) or not isinstance(name := fields.get("name"), str):
            raise ExpressionError("Each expression must be an object with a name.")
        if unknown := next((key for key in fields if key not in FIELDS), None):
            raise ExpressionError(f'"{name[:MAX_SHOWN]}" has an unknown field, "{str(unknown)[:MAX_SHOWN]}".')
        weights, emotions, affect = fields.get("weights"), fields.get("emotions"), fields.get("affect")
        if not isinstance(weights, Mapping):
            raise ExpressionError(f'"{name[:MAX_SHOWN]}" must have an object of channels as its weights.')
        if emotions is not None and not isinstance(emotions, Mapping):
            raise ExpressionError(f'"{name[:MAX_SHOWN]}" must have an object of emotions as its emotions.')
        if affect is not None and not isinstance(affect, list | tuple):
            raise ExpressionError(f'"{name[:MAX_SHOWN]}" must have two numbers from -1 to 1 as its affect.')
        return cls(name, dict(weights), dict(emotions or {}), None if affect is None else (*affect,))

    def to_fields(self) -> dict[str, object]:
        """Return the fields, for a request or a file; values of 0 are left out."""
        fields: dict[str, object] = {"name": self.name, "weights": {c: v for c, v in self.weights.items() if v}}
        if any(self.emotions.values()):
            fields["emotions"] = {name: value for name, value in self.emotions.items() if value}
        if self.affect is not None:
            fields["affect"] = list(self.affect)
        return fields


def name_fault(name: str) -> str:
    """Return why an expression cannot have this name, a sentence; empty if it can."""
    if not name or name != name.strip() or not name.isprintable() or len(name) > MAX_NAME:
        return f"The name of an expression must have 1 to {MAX_NAME} letters, without spaces at its ends."
    if name.casefold() in EMOTIONS:
        return f'"{name}" is one of the emotions: give the expression another name.'
    return ""


def read_fields(fields: object) -> tuple[Expression, ...]:
    """Read the expressions of a request or a file.

    Args:
        fields: A list of objects with FIELDS.

    Raises:
        ExpressionError: If they cannot be used: too many, two of one name, or a value that is out of range.
    """
    if not isinstance(fields, Sequence) or isinstance(fields, str) or len(fields) > MAX_ENTRIES:
        raise ExpressionError(f"A bank must be a list of at most {MAX_ENTRIES} expressions.")
    expressions = tuple(Expression.from_fields(entry) for entry in fields)
    check_names(expression.name for expression in expressions)
    return expressions


def check_names(names: Iterator[str]) -> None:
    """Raise ExpressionError if two of these names differ in nothing, or in capital letters alone."""
    known: set[str] = set()
    for name in names:
        if name.casefold() in known:
            raise ExpressionError(f'There are two expressions "{name}": give each a name of its own.')
        known.add(name.casefold())


def read_file(path: Path) -> tuple[Expression, ...]:
    """Read a file of expressions.

    Args:
        path: JSON: {"format": "lsf-expressions", "version": 1, "expressions": [...]}.

    Raises:
        ExpressionError: If it is no such file, or its expressions cannot be used.
        OSError: If it cannot be read.
    """
    return read_fields(FORMAT.read(path).get("expressions"))


def file_text(expressions: Sequence[Expression]) -> str:
    """Return the text of a file of expressions."""
    fields = [entry.to_fields() for entry in expressions]
    content = {"format": FORMAT.name, "version": FORMAT.version, "expressions": fields}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _is_number(value: object, low: float) -> bool:
    """Whether a value is a number from `low` to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return low <= value <= 1  # false for NaN
