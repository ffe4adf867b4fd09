"""Changes the expressions that an artist has made for a head. Each function changes all that it changes, or nothing."""

import json
from collections.abc import Sequence

import bpy

from ..client.wire import MAX_ENTRIES, Expression
from ..errors import UserError
from ..scene import entry_names, expression_bank, meshes
from ..scene.own_properties import face_of
from . import override_settings

FULL = f"A bank has at most {MAX_ENTRIES} expressions: remove some first"


def check(head: bpy.types.Object) -> None:
    """Make sure that Blender saves what is changed of a head's expressions.

    Raises:
        UserError: The head is linked from another file.
    """
    meshes.check_local(head)


def add(head: bpy.types.Object, expression: Expression, replace: bool = False) -> str:
    """Add an expression to a head.

    Args:
        head: The head.
        expression: The expression. If its name is taken, the new one gets another one.
        replace: Whether it takes the place of one of the same name instead, with its number.

    Returns:
        The name that it has got.

    Raises:
        UserError: The head is linked from another file, or the bank is full.
    """
    return add_all(head, [expression], replace)[0]


def add_all(head: bpy.types.Object, expressions: Sequence[Expression], replace: bool = False) -> list[str]:
    """Add several expressions to a head, as `add` does with one. All or none is added."""
    check(head)
    override_settings.own(head)
    bank = face_of(head).bank
    taken = {row.name.casefold() for row in bank}
    new = [e for e in expressions if not (replace and e.name.casefold() in taken)]
    if len(bank) + len(new) > MAX_ENTRIES:
        raise UserError(FULL)
    added = []
    for expression in expressions:
        row = next((row for row in bank if row.name.casefold() == expression.name.casefold()), None)
        if row is None or not replace:
            name = expression_bank.free_name(expression.name, [other.name for other in bank])
            number = expression_bank.new_number(head, name)
            row = bank.add()
            row.number, row.name = number, name
        row.fields = entry_names.without_name(expression.to_fields())
        face_of(head).active_expression = list(bank).index(row)
        added.append(row.name)
    return added


def remove(head: bpy.types.Object, number: int) -> str:
    """Remove an expression of a head. Where it is keyed, the emotion of the audio is shown from then on.

    Returns:
        Its name.

    Raises:
        UserError: The head is linked from another file, or has no such expression.
    """
    check(head)
    override_settings.own(head)
    face = face_of(head)
    index = next((i for i, row in enumerate(face.bank) if row.number == number), None)
    if index is None:
        raise UserError("Choose an expression in the list first")
    name: str = face.bank[index].name
    face.removed_expressions = json.dumps(expression_bank.removed(head) | {number: name})
    face.bank.remove(index)
    face.active_expression = max(0, min(index, len(face.bank) - 1))
    return name


def copy(source: bpy.types.Object, head: bpy.types.Object) -> list[str]:
    """Give a head the expressions of another one, in place of those of the same names; returns these as `add_all`."""
    return add_all(head, [entry.expression for entry in expression_bank.entries(source)], replace=True)
