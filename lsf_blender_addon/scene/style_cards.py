"""The style cards of a head: how an actor moves, which its generated lines follow.

They are stored in the head object, and go where it goes. Each has an amount; the cards with one above 0 are mixed.
"""

import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import bpy

from ..client.wire import MAX_STYLES, StyleCard, StyleError
from . import entry_names, stored
from .own_properties import face_of, number

if TYPE_CHECKING:
    from ..ui.properties.style import LSF_PG_style

DIGEST = 16  # hexadecimal digits: enough to notice a change


class Style(NamedTuple):
    """A card of a head, and how much of it is applied."""

    card: StyleCard
    amount: float


def styles(head: bpy.types.Object) -> tuple[Style, ...]:
    """The cards of a head that are applied, as far as they are not damaged; at most as many as can be mixed."""
    applied = [(row, number(row, "amount")) for row in face_of(head).styles]
    found = [(card(row), amount) for row, amount in applied if amount > 0]
    return tuple(Style(one, amount) for one, amount in found if one is not None)[:MAX_STYLES]


def card(row: "LSF_PG_style") -> StyleCard | None:
    """What a row of the list holds; None if that is damaged."""
    try:
        return StyleCard.from_fields(stored.document(row.fields) | {"name": entry_names.printable(row.name)})
    except StyleError:
        return None


def request(head: bpy.types.Object) -> dict[str, Any]:
    """The settings of a request that ask for the styles of a head; none if it has no style."""
    found = [{"card": style.card.to_fields(), "amount": style.amount} for style in styles(head)]
    return {"styles": found} if found else {}


def digest(head: bpy.types.Object) -> str:
    """What `digest_of` returns for the styles that a head has now."""
    return digest_of(request(head).get("styles", []))


def digest_of(styles: list[dict[str, Any]]) -> str:
    """A text that changes with what the styles of a request do, and not with their names; empty for none."""
    found = [[style["card"]["numbers"], round(style["amount"], 4)] for style in styles]
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:DIGEST] if found else ""
