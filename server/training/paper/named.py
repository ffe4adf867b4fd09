"""Errors of writing the files that a command names."""

import contextlib
import os
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


def check_writable(path: Path) -> None:
    """Check, before long work, that a file can be written at its end.

    Raises:
        LSFError: "file_error".
    """
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise LSFError("file_error", f'"{path}" cannot be written: name a file in a folder that can be written.')
