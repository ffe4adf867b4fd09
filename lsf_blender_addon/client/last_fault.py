"""The last error that nobody has foreseen, with its details: for *Copy Report*. Any thread may note one."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """An unexpected error.

    Attributes:
        sentence: What the artist was told.
        details: What a maintainer needs, such as a traceback.
    """

    sentence: str
    details: str


_last: Fault | None = None


def note(sentence: str, details: str) -> None:
    """Remember an unexpected error in place of the one before.

    Args:
        sentence: What the artist is told.
        details: A traceback, or an internal message of the server.
    """
    global _last
    _last = Fault(sentence.rstrip("."), details)


def last() -> Fault | None:
    """Return the last one; None if there was none since the add-on was enabled."""
    return _last


def is_in(message: str) -> bool:
    """Return whether a message tells the artist about the last unexpected error."""
    return _last is not None and bool(_last.sentence) and _last.sentence in message


def forget() -> None:
    """Forget it."""
    global _last
    _last = None
