"""The folder of the results: files appear complete or not at all, and never outside of it."""

import hashlib
from pathlib import Path

from ..errors import LSFError
from ..files import atomic

PARTIAL = ".partial"  # where files are while they are written; on the same disk, so that a rename is one step


class Results:
    """The files of a batch. Several processes may write into one folder."""

    def __init__(self, folder: Path):
        """Make the folder, and delete what killed processes have left in it.

        Args:
            folder: The folder.

        Raises:
            OSError: It cannot be written.
        """
        self.folder, self._partial = folder, folder / PARTIAL
        self._partial.mkdir(parents=True, exist_ok=True)
        self._root = folder.resolve()
        self._faces: set[str] = set()  # that are known to be there
        atomic.remove_abandoned(self._partial)

    def write(self, name: str, data: bytes) -> None:
        """Write a file, in place of one of this name.

        Args:
            name: Path relative to the folder, without "..".
            data: Its bytes.

        Raises:
            LSFError: "file_error" if a link leads out of the folder.
            OSError: It cannot be written.
        """
        target = self.folder / name
        if not target.parent.resolve().is_relative_to(self._root):
            raise LSFError("file_error", f'A link leads from "{Path(name).parent}" out of the folder of the results.')
        target.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_bytes(target, data, self._partial)

    def digest(self, name: str) -> str | None:
        """SHA-256 of a file, hexadecimal; None if there is none, or a link instead of one."""
        path = self.folder / name
        try:
            if path.is_symlink() or not path.is_file():
                return None
            return file_digest(path)
        except OSError:
            return None

    def has_face(self, name: str) -> bool:
        """Whether a face is there as it was written. It is read once.

        Args:
            name: Result of `put_face`.
        """
        if name not in self._faces and self.digest(_face(name)) == name:
            self._faces.add(name)
        return name in self._faces

    def put_face(self, data: bytes) -> str:
        """Write a face unless it is there. Returns its name, the SHA-256 of its bytes."""
        name = hashlib.sha256(data).hexdigest()
        if not self.has_face(name):
            self.write(_face(name), data)  # two processes write the same bytes
            self._faces.add(name)
        return name


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _face(name: str) -> str:
    """Path of a face, relative to the folder."""
    return f"faces/{name}.npz"
