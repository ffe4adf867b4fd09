"""Errors that reach the artist: a stable code for programs, and one sentence for people."""


class LSFError(Exception):
    """An error that the user can resolve.

    Attributes:
        code: A stable word in snake_case; docs/protocol.md lists them all.
    """

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code


class Cancelled(Exception):
    """Raised inside a job after its `cancelled()` callback returned true."""
