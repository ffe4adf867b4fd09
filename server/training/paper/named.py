"""Errors of writing the files that a command names."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ...errors import LSFError


@contextlib.contextmanager
def writing_named(path: Path) -> Iterator[None]:
    """Turn errors of writing a file or folder that a command names into one sentence.

    Raises:
        LSFError: "file_error".
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise LSFError("file_error", f'"{path}" cannot be written ({reason}): name another place.') from error
