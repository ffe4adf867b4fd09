"""What *Check Character* says of a head, and what it is found from. No bpy."""

from dataclasses import dataclass
from typing import Literal

from ..client.wire import Arrays, Header
from .snapshots import Character

Level = Literal["OK", "NOTE", "FAULT"]


@dataclass(frozen=True)
class Finding:
    """One line of the list.

    Attributes:
        level: "FAULT": something will not move, or moves wrongly. "NOTE": the artist should know it. "OK": it is well.
        text: A sentence in the artist's language, without its full stop.
        cure: bl_idname of an operator that mends it on the chosen head; empty if there is none.
        cure_label: English text of the button; empty for the operator's own.
    """

    level: Level
    text: str
    cure: str = ""
    cure_label: str = ""


@dataclass(frozen=True)
class FoundFace:
    """The face that the server has found.

    Attributes:
        character: Head and parts, as they were sent.
        header: The result of `prepare_face`, see docs/protocol.md.
        arrays: Its arrays.
        wrong: Names of the head's own keys that move something else than their names say.
    """

    character: Character
    header: Header
    arrays: Arrays
    wrong: tuple[str, ...] = ()
