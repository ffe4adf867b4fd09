"""Changes the style cards of a head. Each function changes all that it changes, or nothing."""

import json

import bpy

from ..client.wire import MAX_NAME, STYLE_AMOUNT, StyleCard
from ..scene import meshes, style_cards
from ..scene.own_properties import face_of
from . import override_settings

NAMELESS = "Style"


def add(head: bpy.types.Object, card: StyleCard) -> str:
    """Add a card to a head. It is applied if no other one is: a style that is set stays as it is.

    Args:
        head: The head.
        card: The card. If its name is taken, the new one gets another one.

    Returns:
        The name that it has got.

    Raises:
        UserError: The head is linked from another file.
    """
    meshes.check_local(head)
    override_settings.own(head)
    face = face_of(head)
    taken, others = {row.name for row in face.styles}, any(row.amount > 0 for row in face.styles)
    base = style_cards.usable_name(card.name) or NAMELESS
    name, count = base, 2
    while name in taken:
        suffix = f" {count}"
        name, count = base[: len(base) - max(0, len(base) + len(suffix) - MAX_NAME)] + suffix, count + 1
    row = face.styles.add()
    row.name, row.amount = name, 0.0 if others else STYLE_AMOUNT
    row.fields = json.dumps({key: value for key, value in card.to_fields().items() if key != "name"})
    face.active_style = len(face.styles) - 1
    return name


def remove(head: bpy.types.Object, index: int) -> str:
    """Remove a card of a head; returns its name.

    Raises:
        UserError: The head is linked from another file.
    """
    meshes.check_local(head)
    override_settings.own(head)
    face = face_of(head)
    name: str = face.styles[index].name
    face.styles.remove(index)
    face.active_style = max(0, min(index, len(face.styles) - 1))
    return name
