"""Results of Generate All on disk, from the moment they come: after a crash, it takes them from there. No bpy."""

import contextlib
import hashlib
import io
import json
import os
import time
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..client.wire import SERVER_PARENT, Arrays, Header
from ..scene.snapshots import Line

MAX_BYTES = 1 << 30  # of all results together: a few thousand lines; the oldest are deleted
MAX_DAYS = 14.0  # after which nobody comes back for them
MAX_FILE = 1 << 29  # bytes: an hour on a head of a million vertices
HEADER = "header"  # array with the fields of a result, as JSON
BASIS = "basis"  # array that all lines of a head share; it is most of a result


class KeptResults:
    """A folder of results. Any thread may use it, and several Blenders may share it.

    Args:
        folder: The folder; it is made when the first result comes.
        model: What tells one model, and one version of the speech engine, from another.
    """

    def __init__(self, folder: Path, model: str) -> None:
        self._folder, self._model = folder, model

    def key(self, fields: Header, arrays: Arrays, lines: Iterable[Line]) -> str:
        """The name of the result of a request.

        Args:
            fields: All that the request has beside its sound, without paths.
            arrays: Its arrays without the sound.
            lines: Where its sound comes from: the line itself, then the other lines of the voice.
        """
        sounds = [
            [
                line.path if line.packed is None else hashlib.sha256(line.packed).hexdigest(),
                line.file,
                line.start,
                line.duration,
                line.t0,
                line.fps,
                line.frames,
            ]
            for line in lines
        ]
        digest = hashlib.sha256(json.dumps([self._model, fields, sounds], sort_keys=True).encode())
        for name, array in sorted(arrays.items()):
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def get(self, key: str) -> tuple[Header, Arrays] | None:
        """Fields and arrays of a result; None if it is not there, or cannot be read.

        Args:
            key: Its name.
        """
        arrays = _read(self._folder / f"{key}.npz")
        if arrays is None or HEADER not in arrays:
            return None
        try:
            header = json.loads(arrays.pop(HEADER).tobytes())
        except (ValueError, RecursionError):
            return None
        if not isinstance(header, dict):
            return None
        face = header.pop(BASIS, None)
        if isinstance(face, str):
            shared = _read(self._folder / f"{Path(face).name}.npz")
            if shared is None or BASIS not in shared:
                return None
            arrays |= shared
        return header, arrays

    def put(self, key: str, header: Header, arrays: Arrays) -> None:
        """Keep a result. If the disk is full, it is not kept.

        Args:
            key: Its name.
            header: Its fields.
            arrays: Its arrays.
        """
        arrays, header = dict(arrays), dict(header)
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            if (basis := arrays.pop(BASIS, None)) is not None:
                face = f"face-{hashlib.sha256(np.ascontiguousarray(basis).data).hexdigest()}"
                header[BASIS] = face
                if not _touched(self._folder / f"{face}.npz"):
                    self._write(face, {BASIS: basis})
            self._write(key, {**arrays, HEADER: np.frombuffer(json.dumps(header).encode(), np.uint8)})

    def prune(self) -> None:
        """Delete what is old, and the oldest of what is too much."""
        with contextlib.suppress(OSError):
            found = sorted(((path.stat(), path) for path in self._folder.iterdir()), key=lambda file: -file[0].st_mtime)
            oldest, room = time.time() - MAX_DAYS * 86400, MAX_BYTES
            for about, path in found:
                room -= about.st_size
                if room < 0 or about.st_mtime < oldest:
                    path.unlink(missing_ok=True)

    def _write(self, name: str, arrays: Arrays) -> None:
        """Write a file; it appears complete or not at all."""
        data = io.BytesIO()
        values: dict[str, Any] = dict(arrays)  # whatever np.savez converts to arrays
        np.savez(data, **values)
        part = self._folder / f"{name}.{os.getpid()}.part"
        part.write_bytes(data.getbuffer())
        part.replace(self._folder / f"{name}.npz")


def clear(folder: Path) -> None:
    """Delete all results.

    Args:
        folder: Their folder.
    """
    for path in folder.glob("*.npz"):
        with contextlib.suppress(OSError):
            path.unlink()


def engine_stamp() -> str:
    """What changes with the files of the speech engine: how many there are, and when the newest was written."""
    times = [path.stat().st_mtime_ns for path in (SERVER_PARENT / "server").rglob("*.py")]
    return f"{len(times)} {max(times, default=0)}"


def _read(path: Path) -> Arrays | None:
    """The arrays of a file; None if there is none, or if it is not what was written."""
    try:
        if path.stat().st_size > MAX_FILE:
            return None
        with zipfile.ZipFile(path) as archive:  # nothing in it is packed, so it cannot be larger than its file
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                return None
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, MemoryError, NotImplementedError):
        return None


def _touched(path: Path) -> bool:
    """Whether a file is there; it is then as good as new, so that what needs it is deleted before it."""
    try:
        os.utime(path)
    except OSError:
        return False
    return True
