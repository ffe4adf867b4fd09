"""The expressions that an artist has made for a head, which can be chosen as the emotions are.

They are stored in the head object, and go where it goes. Each has a number in the list of its head, which stays when
the expression is renamed, and when others are added or removed. Keys of the emotion have numbers of their own, which
mean names: see `expression_keys`.
"""

import hashlib
import json
import zlib
from collections.abc import Container, Iterable
from typing import TYPE_CHECKING, NamedTuple

import bpy

from .. import compat
from ..client.wire import Expression, ExpressionError, name_fault
from . import entry_names, stored
from .own_properties import face_of

if TYPE_CHECKING:
    from ..ui.properties.emotion import LSF_PG_emotion
    from ..ui.properties.expression_bank import LSF_PG_expression

# Numbers of expressions. Those below are of choices that are always there. F-curves hold numbers in single precision,
# and Blender rounds them: above 2^23 it can be to a neighbour.
FIRST_NUMBER, LAST_NUMBER = 100, 2**23 - 1
MAX_DIGITS = 8  # of a number in a text
MISSING = "missing"  # what a line was to show and its head did not have: a field of `expression_keys.digests`
DIGEST = 16  # hexadecimal digits: enough to notice a change


class Entry(NamedTuple):
    """An expression of a head.

    Attributes:
        number: In the list of its head.
        expression: The pose.
        choices: The numbers by which keys choose it; none where no scene is asked.
    """

    number: int
    expression: Expression
    choices: tuple[int, ...] = ()

    @property
    def digest(self) -> str:
        """What changes with what it shows, and not with its name."""
        fields = self.expression.to_fields() | {"name": ""}
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:DIGEST]


def entries(head: bpy.types.Object) -> tuple[Entry, ...]:
    """The expressions of a head, as the list shows them, without those that are damaged."""
    found = (_entry(row) for row in face_of(head).bank)
    return tuple(entry for entry in found if entry is not None)


def names(head: bpy.types.Object) -> dict[int, str]:
    """Names of the expressions of a head by their numbers in its list; quick."""
    return {row.number: row.name for row in face_of(head).bank if FIRST_NUMBER <= row.number <= LAST_NUMBER}


def removed(head: bpy.types.Object) -> dict[int, str]:
    """The last names of the expressions that were removed from a head, by their numbers."""
    found = stored.document(face_of(head).removed_expressions)
    numbers = {number_in(word): name for word, name in found.items() if isinstance(name, str)}
    return {number: name for number, name in numbers.items() if number is not None}


def number_in(word: str) -> int | None:
    """The number of an expression that a word names; None if it names none."""
    number = int(word) if word.isdecimal() and len(word) <= MAX_DIGITS else 0
    return number if FIRST_NUMBER <= number <= LAST_NUMBER else None


def name_in_file(number: int) -> str:
    """The name that an expression has on the first head of the file with this number, or had; empty for none."""
    heads = [obj for obj in bpy.data.objects if obj.type == "MESH"]
    found = (known(obj).get(number, "") for known in (names, removed) for obj in heads)
    return next((name for name in found if name), "")


def chosen_number(emotion: "LSF_PG_emotion") -> int:
    """The choice as its F-curve holds it: 0 for the audio, from 1 on for EMOTIONS, from FIRST_NUMBER on expressions."""
    number = compat.system_properties(emotion).get("chosen", 0)
    return number if isinstance(number, int) else 0


def is_number(number: int) -> bool:
    """Whether a choice is an expression, known or not."""
    return number >= FIRST_NUMBER


def new_number(head: bpy.types.Object, name: str) -> int:
    """The number of a new expression of this name on a head.

    An expression of this name that was removed had the same one, unless that means another one by now.
    """
    gone = (number for number, other in removed(head).items() if other.casefold() != name.casefold())
    return free_number(name, {*names(head), *gone})


def free_number(name: str, used: Container[int]) -> int:
    """A number that follows from a name and is not used."""
    number = zlib.crc32(name.casefold().encode()) % (LAST_NUMBER + 1 - FIRST_NUMBER) + FIRST_NUMBER
    while number in used:
        number = number + 1 if number < LAST_NUMBER else FIRST_NUMBER
    return number


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """A name that an expression can have: the wanted one, as far as possible.

    Args:
        wanted: Any text.
        taken: Names of the other expressions of the head.
    """
    used = {name.casefold() for name in taken} | {"voice", "affect"}  # identifiers of choices that are always there
    return entry_names.free(wanted, "Expression", lambda name: bool(name_fault(name)) or name.casefold() in used)


def changed(head: bpy.types.Object, text: str) -> list[str]:
    """Names of the expressions that were changed, added or removed, since a line was generated.

    Args:
        head: The head that speaks the line.
        text: What `expression_keys.digests` has made of the expressions with which the line was generated.
    """
    if not text:
        return []
    now, known = {str(entry.number): entry.digest for entry in entries(head)}, names(head)
    there, labels = {name.casefold() for name in known.values()}, removed(head) | known
    lost = [
        labels.get(number, word)
        for word, digest in stored.document(text).items()
        if (number := number_in(word)) is not None and now.get(word) != digest
    ]
    return lost + [name for name in missing(text) if name.casefold() in there]


def missing(text: str) -> list[str]:
    """Names of the expressions that a line was to show and its head did not have; text as of `changed`."""
    found = stored.document(text).get(MISSING)
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def _entry(row: "LSF_PG_expression") -> Entry | None:
    """What a row of the list holds; None if that is damaged."""
    if not FIRST_NUMBER <= row.number <= LAST_NUMBER:
        return None
    fields = stored.document(row.fields)
    try:
        return Entry(row.number, Expression.from_fields(fields | {"name": row.name}))
    except ExpressionError:
        return None
