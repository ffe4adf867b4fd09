"""The add-on's own errors for people."""


class UserError(Exception):
    """Something that the artist can fix; the message is one sentence that says what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def printable(text: str) -> str:
    """Return a text as Blender can store and show it, with a question mark for each byte of a path that is no UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")
