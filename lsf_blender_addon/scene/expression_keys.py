"""What the numbers mean by which a scene's keys of the emotion choose expressions.

F-curves hold numbers. The same keys serve all heads of a scene, and each head has expressions of its own, by name. So a
scene keeps a table of the names that its numbers mean. A number gets its name when an expression is chosen. Each head
is asked by name: number -> name -> the head's expression of this name. Equal names mean the same on all heads and in
all files, and a head without the name shows the emotion of the audio.

Numbers in F-curves never change. When a head's expression is renamed, its numbers get the new name. Where another head
has an expression of the old name, that name stays, too, and each head shows the first of the names that it has.

A number that no table of the file has is the one that the expression has in the list of its head (`Entry.number`).
"""

import json
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import bpy

from .. import compat
from . import entry_names, expression_bank, stored
from .expression_bank import Entry, chosen_number, is_number, number_in
from .own_properties import settings_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..ui.properties.emotion import LSF_PG_emotion

    Names = Mapping[int, tuple[str, ...]]  # by the numbers of the choice

PATH = "lsf.emotion.chosen"  # of the choice, in a scene


def table(scene: bpy.types.Scene | None) -> dict[int, tuple[str, ...]]:
    """The names that numbers of the choice mean: what this scene says, then what other scenes of the file say."""
    found = dict(_own(scene)) if scene is not None else {}
    for other in bpy.data.scenes:
        for number, names in _own(other).items():
            found.setdefault(number, names)
    return found


def meanings(scene: bpy.types.Scene | None, head: bpy.types.Object) -> dict[int, int]:
    """The numbers of a head's expressions in its list, by the numbers of the choice that mean them."""
    known = table(scene)
    rows = {name.casefold(): number for number, name in expression_bank.names(head).items()}
    found = {number: number for number in rows.values() if number not in known}
    for number, names in known.items():
        row = next((rows[name.casefold()] for name in names if name.casefold() in rows), None)
        if row is not None:
            found[number] = row
    return found


def entries(scene: bpy.types.Scene, head: bpy.types.Object) -> tuple[Entry, ...]:
    """The expressions of a head with the numbers by which keys of this scene choose them."""
    meant = meanings(scene, head).items()
    return tuple(
        entry._replace(choices=tuple(number for number, row in meant if row == entry.number))
        for entry in expression_bank.entries(head)
    )


def offered(scene: bpy.types.Scene, head: bpy.types.Object) -> dict[int, str]:
    """The names of a head's expressions by the numbers with which they are chosen from now on."""
    known, rows = table(scene), expression_bank.names(head)
    numbers: dict[str, int] = {}
    for number, names in known.items():
        numbers.setdefault(names[0].casefold(), number)
    found: dict[int, str] = {}
    for row, name in rows.items():
        number = numbers.get(name.casefold(), row)
        if number == row and name.casefold() not in numbers and row in known:  # the number means another name here
            number = expression_bank.free_number(name, known.keys() | rows.keys() | found.keys())
        found[number] = name
    return found


def name_of(scene: bpy.types.Scene, number: int) -> str:
    """The name that a number of the choice means; empty if nothing in the file tells it."""
    names = table(scene).get(number)
    return names[0] if names else expression_bank.name_in_file(number)


def remember(scene: bpy.types.Scene, head: bpy.types.Object | None) -> None:
    """Let the scene keep the name of what is chosen now, if it is an expression of this head."""
    number = chosen_number(settings_of(scene).emotion)
    if head is None or head.type != "MESH" or not is_number(number):
        return
    known, name = table(scene).get(number), offered(scene, head).get(number)
    if known or name is not None:
        _write(scene, {number: known or (name or "",)})


def choose(scene: bpy.types.Scene, head: bpy.types.Object, name: str) -> None:
    """Choose an expression of a head as the emotion of a scene, whichever head the panel shows."""
    number = next(number for number, other in offered(scene, head).items() if other == name)
    _write(scene, {number: table(scene).get(number, (name,))})
    emotion = settings_of(scene).emotion
    compat.set_enum_number(emotion, "chosen", number)
    emotion.chosen = emotion.chosen  # as from the menu, which offers what is chosen in any case


def renamed(head: bpy.types.Object, old: str, new: str) -> None:
    """Let keys keep their expression after one of a head was renamed."""
    before = {name.casefold() for name in expression_bank.names(head).values()} - {new.casefold()} | {old.casefold()}
    others = [
        {name.casefold() for name in expression_bank.names(obj).values()}
        for obj in bpy.data.objects
        if obj.type == "MESH" and obj != head
    ]
    for scene in bpy.data.scenes:
        changes: dict[int, tuple[str, ...]] = {}
        for number, names in _own(scene).items():
            meant = next((name.casefold() for name in names if name.casefold() in before), "")
            if meant != old.casefold():
                continue
            sharing = [other for other in others if other.intersection(name.casefold() for name in names)]
            kept = [name for name in names if name != new and any(name.casefold() in other for other in sharing)]
            both = any(new.casefold() in other for other in sharing)  # a head that has both shows the old one still
            changes[number] = (*kept, new) if both else (new, *kept)
        if changes:
            _write(scene, changes)


def learn() -> None:
    """Let scenes keep the names of what they choose and do not name, as far as the heads of the file tell them."""
    for scene in bpy.data.scenes:
        settings, known = settings_of(scene), table(scene)
        unknown = {number for number in _asked(scene) if is_number(number) and number not in known}
        if not unknown:
            continue
        heads = [obj for obj in bpy.data.objects if obj.type == "MESH"]
        first = [settings.head] if settings.head in heads else []
        found: dict[int, tuple[str, ...]] = {}
        for number in unknown:
            own, all_names = (
                {expression_bank.names(obj).get(number, "") for obj in objects} - {""} for objects in (first, heads)
            )
            names = own or all_names
            if len(names) == 1:
                found[number] = (names.pop(),)
        if found:
            _write(scene, found)


class Use(NamedTuple):
    """Where an expression is chosen.

    Attributes:
        scene: Name of the scene, or of an Action that no scene plays.
        frames: Frames of its keys; empty if it is chosen without a key.
    """

    scene: str
    frames: tuple[int, ...]


def uses(head: bpy.types.Object, row: int) -> list[Use]:
    """Where an expression, which has this number in the list of its head, is keyed or chosen without a key."""
    found, played = [], set()
    for scene in bpy.data.scenes:
        numbers = _numbers(scene, head, row)
        data = scene.animation_data
        action = data.action if data is not None else None
        frames = _frames(action, numbers) if action is not None else ()
        played.add(action)
        if frames or chosen_number(settings_of(scene).emotion) in numbers:
            found.append(Use(scene.name, frames))
    numbers = _numbers(None, head, row)
    others = [Use(action.name, _frames(action, numbers)) for action in bpy.data.actions if action not in played]
    return [*found, *(use for use in others if use.frames)]


def digests(scene: bpy.types.Scene, head_entries: "Iterable[Entry]", numbers: "Iterable[int]") -> str:
    """A text that tells which expressions a line was generated with; empty for none. `expression_bank` reads it.

    Args:
        scene: The scene with the keys.
        head_entries: The expressions of the head, as `entries` returns them.
        numbers: The choices that the line asks for, whether the head has them or not.
    """
    asked = set(numbers)
    shown = [entry for entry in head_entries if asked.intersection(entry.choices)]
    lacking = sorted(asked.difference(*(entry.choices for entry in shown)))
    found: dict[str, object] = {str(entry.number): entry.digest for entry in shown}
    if lacking:
        names = [name_of(scene, number) or str(number) for number in lacking]
        found[expression_bank.MISSING] = list(dict.fromkeys(names))
    return json.dumps(found) if found else ""


def _numbers(scene: bpy.types.Scene | None, head: bpy.types.Object, row: int) -> set[int]:
    """The choices that mean an expression of a head."""
    return {number for number, meant in meanings(scene, head).items() if meant == row}


def _frames(action: bpy.types.Action, numbers: set[int]) -> tuple[int, ...]:
    """The frames at which an Action keys one of these choices."""
    curves = [curve for curve in compat.fcurves_of(action) if curve.data_path == PATH]
    return tuple(round(key.co[0]) for curve in curves for key in curve.keyframe_points if round(key.co[1]) in numbers)


def _asked(scene: bpy.types.Scene) -> set[int]:
    """The choices of a scene: the one of now, and those of the keys."""
    data = scene.animation_data
    curves = compat.fcurves_of(data.action) if data is not None and data.action is not None else []
    keyed = {round(key.co[1]) for curve in curves if curve.data_path == PATH for key in curve.keyframe_points}
    return keyed | {chosen_number(settings_of(scene).emotion)}


def _own(scene: bpy.types.Scene) -> "Names":
    """What a scene itself says."""
    emotion: LSF_PG_emotion = settings_of(scene).emotion
    return _read(emotion.names)


@lru_cache(64)
def _read(text: str) -> "Names":
    """The names in a text, by number, without what is damaged."""
    found = {}
    for word, names in stored.document(text).items():
        number = number_in(word)
        if number is None or not isinstance(names, list):
            continue
        kept = tuple(name for name in names if isinstance(name, str) and name and name == entry_names.printable(name))
        if kept:
            found[number] = kept
    return found


def _write(scene: bpy.types.Scene, names: "Names") -> None:
    """Keep names in a scene, if that is none of another file."""
    content = {str(number): list(names_) for number, names_ in {**_own(scene), **names}.items()}
    if scene.library is None:
        settings_of(scene).emotion.names = json.dumps(content)
