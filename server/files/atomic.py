"""Files that appear complete or not at all, whatever ends the process or the machine meanwhile."""

import contextlib
import os
import stat
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

UNFINISHED = ".part"  # suffix of files while they are written
ABANDONED_SECONDS = 3600  # an older unfinished file belongs to a process that was killed


@contextlib.contextmanager
def replacing(path: Path, folder: Path | None = None) -> Iterator[Path]:
    """Give an empty file to write; at the end of the context, it takes the place of `path` in one step.

    After an error it is deleted, and `path` is as it was. Several processes may write the same file.

    Args:
        path: The file to write.
        folder: Where the unfinished file is, on the same disk; None is beside `path`.

    Raises:
        OSError: It cannot be written.
    """
    unfinished = (path.parent if folder is None else folder) / f"{uuid.uuid4().hex}{UNFINISHED}"
    unfinished.touch(exist_ok=False)
    permissions = stat.S_IMODE(unfinished.stat().st_mode)
    try:
        yield unfinished
        unfinished.chmod(permissions)  # safetensors writes files that nobody else may read
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def write_bytes(path: Path, data: bytes, folder: Path | None = None) -> None:
    """Write a file of these bytes; for `folder` and the error see `replacing`."""
    with replacing(path, folder) as unfinished:
        unfinished.write_bytes(data)


def remove_abandoned(folder: Path, seconds: float = ABANDONED_SECONDS) -> None:
    """Delete the unfinished files of a folder that are older than `seconds`."""
    for path in folder.glob(f"*{UNFINISHED}"):
        with contextlib.suppress(OSError):  # another process does the same
            if path.stat().st_mtime <= time.time() - seconds:
                path.unlink()


def _flush_folder(folder: Path) -> None:
    """Write the names in a folder to the disk; Windows does so by itself."""
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):  # some file systems of networks cannot
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
