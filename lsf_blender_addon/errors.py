"""The add-on's own errors for people."""


class UserError(Exception):
    """Something the artist can mend; the message is one sentence that says what to do."""
