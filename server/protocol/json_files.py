"""JSON files that people exchange: banks of expressions and style cards. The add-on shares this module."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import LSFError


@dataclass(frozen=True, slots=True)
class Format:
    """A format of files: an object whose fields "format" and "version" say what it is.

    Attributes:
        name: What its field "format" says.
        version: What its field "version" says.
        what: What such a file is, with its article, such as "a style card".
        max_bytes: Of a file.
        error: Makes the error of a sentence.
    """

    name: str
    version: int
    what: str
    max_bytes: int
    error: Callable[[str], LSFError]

    def read(self, path: Path) -> dict[str, Any]:
        """Read the object of a file, with or without a byte order mark.

        Raises:
            LSFError: That of `error`, if it is no such file.
            OSError: If it cannot be read.
        """
        if path.exists() and not path.is_file():  # a pipe or a device may have no end
            raise self._other(f'"{path.name}"', "it is no file")
        with path.open("rb") as file:
            data = file.read(self.max_bytes + 1)
        if len(data) > self.max_bytes:
            raise self._other(f'"{path.name}"', f"it has more than {self.max_bytes >> 10} KB")
        try:
            content = json.loads(data.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            raise self._other(f'"{path.name}"', "it is not JSON") from None
        return self.checked(content, f'"{path.name}"')

    def checked(self, content: object, source: str = "This") -> dict[str, Any]:
        """Return the object if it is of this format.

        Args:
            content: What was read of JSON.
            source: What a sentence calls it.

        Raises:
            LSFError: That of `error`, if it is of another format or a newer version.
        """
        if not isinstance(content, dict) or content.get("format") != self.name:
            raise self._other(source, f'it has no format "{self.name}"')
        if content.get("version") != self.version:
            raise self.error(f"{source} was written by a newer version of LSF for Blender: update this one.")
        return content

    def _other(self, source: str, reason: str) -> LSFError:
        """The error of what is something else."""
        return self.error(f"{source} is not {self.what}, because {reason}: choose another file.")
