"""Names of the expressions and style cards of a head: printable, short enough, and each one once. No bpy."""

import json
from collections.abc import Callable
from typing import Any

from ..client.wire import MAX_NAME


def printable(wanted: str) -> str:
    """The wanted name, as far as an entry can have it; empty if nothing of it is left."""
    return "".join(letter if letter.isprintable() else " " for letter in wanted).strip()[:MAX_NAME].strip()


def free(wanted: str, nameless: str, is_taken: Callable[[str], bool]) -> str:
    """A name that an entry can have: the wanted one, as far as possible, or with a number.

    Args:
        wanted: Any text.
        nameless: The name instead of an empty one.
        is_taken: Whether a name cannot be used.
    """
    base = printable(wanted) or nameless
    name, count = base, 2
    while is_taken(name):
        suffix = f" {count}"
        name, count = base[: MAX_NAME - len(suffix)].rstrip() + suffix, count + 1
    return name


def without_name(fields: dict[str, Any]) -> str:
    """Fields of an entry as JSON, without its name: the row of the list has that."""
    return json.dumps({key: value for key, value in fields.items() if key != "name"})
