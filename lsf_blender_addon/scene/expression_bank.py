"""The expressions that an artist has made for a head, which can be chosen as the emotions are.

They are stored in the head object, and go where it goes. Each has a number, by which F-curves of the choice know it.
The number follows from the name that the expression is made with, so that equal names mean the same on all heads and in
all files. It stays when the expression is renamed, and when others are added or removed.
"""

import hashlib
import json
import zlib
from collections.abc import Iterable
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
PATH = "lsf.emotion.chosen"  # of the choice, in a scene
DIGEST = 16  # hexadecimal digits: enough to notice a change


class Entry(NamedTuple):
    """An expression of a head.

    Attributes:
        number: That of the choice; F-curves hold it.
        expression: The pose.
    """

    number: int
    expression: Expression

    @property
    def digest(self) -> str:
        """What changes with what it shows, and not with its name."""
        fields = self.expression.to_fields() | {"name": ""}
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:DIGEST]


def entries(head: bpy.types.Object) -> tuple[Entry, ...]:
    """The expressions of a head, as the list shows them, without those that are damaged."""
    found = (_entry(row) for row in face_of(head).bank)
    return tuple(entry for entry in found if entry is not None)


def find(head: bpy.types.Object, number: int) -> Entry | None:
    """The expression of a head with this number; None if there is none that can be used."""
    row = next((row for row in face_of(head).bank if row.number == number), None)
    return None if row is None else _entry(row)


def names(head: bpy.types.Object) -> dict[int, str]:
    """Names of the expressions of a head by their numbers; quick."""
    return {row.number: row.name for row in face_of(head).bank}


def removed(head: bpy.types.Object) -> dict[int, str]:
    """The last names of the expressions that were removed from a head, by their numbers."""
    found = stored.document(face_of(head).removed_expressions)
    return {int(number): name for number, name in found.items() if number.isdecimal() and isinstance(name, str)}


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
    """The number of a new expression of this name on a head: one that means nothing else in the file.

    An expression of the same name on another head has the same number, and so had one of this name that was removed.
    """
    others = [pair for obj in bpy.data.objects if obj.type == "MESH" and obj != head for pair in names(obj).items()]
    others += removed(head).items()
    used = names(head).keys() | {number for number, other in others if other.casefold() != name.casefold()}
    number = zlib.crc32(name.casefold().encode()) % (LAST_NUMBER + 1 - FIRST_NUMBER) + FIRST_NUMBER
    while number in used:  # of an expression that was made with this name, and renamed
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


class Use(NamedTuple):
    """Where an expression is chosen.

    Attributes:
        scene: Name of the scene, or of an Action that no scene plays.
        frames: Frames of its keys; empty if it is chosen without a key.
    """

    scene: str
    frames: tuple[int, ...]


def uses(number: int) -> list[Use]:
    """Where an expression is keyed in the file, or chosen without a key."""
    keyed: dict[bpy.types.Action, tuple[int, ...]] = {}
    for action in bpy.data.actions:
        curves = [curve for curve in compat.fcurves_of(action) if curve.data_path == PATH]
        frames = [round(key.co[0]) for curve in curves for key in curve.keyframe_points if round(key.co[1]) == number]
        if frames:
            keyed[action] = tuple(frames)
    found = []
    for scene in bpy.data.scenes:
        data = scene.animation_data
        places = keyed.pop(data.action, ()) if data is not None and data.action is not None else ()
        emotion: LSF_PG_emotion = scene.lsf.emotion  # type: ignore[attr-defined]  # registered at run time
        if places or chosen_number(emotion) == number:
            found.append(Use(scene.name, places))
    return [*found, *(Use(action.name, frames) for action, frames in keyed.items())]


def changed(head: bpy.types.Object, text: str) -> list[str]:
    """Names of the expressions that were changed, or removed, since a line was generated.

    Args:
        head: The head that speaks the line.
        text: What `digests` has made of the expressions with which the line was generated.
    """
    now = {str(entry.number): entry.digest for entry in entries(head)} if text else {}
    known = names(head) if text else {}
    return [
        known.get(int(number)) or name_in_file(int(number)) or number
        for number, digest in stored.document(text).items()
        if number.isdecimal() and now.get(number, "") != digest
    ]


def missing(text: str) -> list[str]:
    """Names of the expressions that a line was to show and its head did not have; see `digests`."""
    numbers = [int(number) for number, digest in stored.document(text).items() if number.isdecimal() and not digest]
    return [name_in_file(number) or str(number) for number in numbers]


def digests(head_entries: Iterable[Entry], numbers: Iterable[int]) -> str:
    """A text that tells which expressions a line was generated with; empty for none.

    Args:
        head_entries: The expressions of the head.
        numbers: Those that the line asks for, whether the head has them or not.
    """
    known = {entry.number: entry.digest for entry in head_entries}
    found = {str(number): known.get(number, "") for number in sorted(set(numbers))}
    return json.dumps(found) if found else ""


def _entry(row: "LSF_PG_expression") -> Entry | None:
    """What a row of the list holds; None if that is damaged."""
    fields = stored.document(row.fields)
    try:
        return Entry(row.number, Expression.from_fields(fields | {"name": row.name}))
    except ExpressionError:
        return None
