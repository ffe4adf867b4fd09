"""Changes the style cards of a head. Each function changes all that it changes, or nothing."""

import bpy

from ..client.wire import STYLE_AMOUNT, StyleCard
from ..scene import entry_names, meshes
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
    name = entry_names.free(card.name, NAMELESS, taken.__contains__)
    row = face.styles.add()
    row.name, row.amount = name, 0.0 if others else STYLE_AMOUNT
    row.fields = entry_names.without_name(card.to_fields())
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
