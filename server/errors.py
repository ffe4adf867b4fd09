"""Errors that reach the artist: a stable code for programs, one sentence that says what to do for people."""


class LSFError(Exception):
    """Raised for anything the user can mend. `code` is a stable snake_case word, the message one sentence."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code


class Cancelled(Exception):
    """Raised inside a job when its `cancelled()` callback turned true."""
