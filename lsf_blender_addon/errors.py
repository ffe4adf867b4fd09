"""The add-on's own errors for people."""


class UserError(Exception):
    """Something that the artist can fix; the message is one sentence that says what to do."""
