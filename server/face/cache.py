"""Cache of fitted faces, in memory and on disk, keyed by everything that goes into the fit."""

import contextlib
import hashlib
import logging
import os
import sys
from collections import OrderedDict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..files import atomic
from ..files.meshes import Mesh
from ..numerics import FloatArray, IntArray
from .cached_face import decode, encode, max_bytes

if TYPE_CHECKING:  # imports scipy, which would delay the server's first answer
    from .space import FaceSpace

log = logging.getLogger(__name__)

MAX_FACES_IN_MEMORY = 4  # a basis of 52 channels on 26 000 vertices is 16 MB
MAX_DISK_BYTES = 1 << 30  # 1 GiB: about 60 faces of that size
SUFFIX = ".safetensors"
NOT_IN_FIT = ("cache.py", "cached_face.py", "rig_solver.py")  # modules of this folder that the fit does not run
FIT_MODULES = ("arkit.py", "numerics.py")  # modules of server/ that the fit runs


def default_folder() -> Path:
    """Return the user's cache folder on this platform. The environment variable LSF_CACHE_DIR overrides it."""
    if "LSF_CACHE_DIR" in os.environ:
        return Path(os.environ["LSF_CACHE_DIR"])
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "lsf-blender" / "faces"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "lsf-blender" / "faces"
    return Path(os.environ.get("XDG_CACHE_HOME", home / ".cache")) / "lsf-blender" / "faces"


def fit_files() -> list[Path]:
    """Return the code and assets that decide the result of a fit, in a fixed order.

    server/face/build is not part of them: it made the assets, but the fit does not run it.
    """
    folder = Path(__file__).parent
    modules = [path for path in folder.glob("*.py") if path.name not in NOT_IN_FIT]
    assets = [path for path in (folder / "assets").rglob("*") if path.is_file()]
    return sorted(modules + assets) + [folder.parent / name for name in FIT_MODULES]


@cache
def _fit_digest() -> bytes:
    """Return a digest of the fit's code and assets, so that a face from another version is not reused."""
    digest = hashlib.sha256()
    for path in fit_files():
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.digest()


def key(mesh: Mesh, landmarks: FloatArray | None = None, parts: IntArray | None = None) -> str:
    """Return the key of a face: a hexadecimal SHA-256 of the mesh, the artist's landmarks and parts, and the fit.

    Args:
        mesh: The neutral mesh.
        landmarks: Placed landmarks (68, 3), if there are any.
        parts: Part that an artist assigned to each vertex (V,), if there are any.
    """
    digest = hashlib.sha256(_fit_digest())
    for array in (mesh.vertices, mesh.triangles, landmarks, parts):
        digest.update(repr(None if array is None else array.shape).encode())
        if array is not None:
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


class FaceCache:
    """Cache of the most recently used faces: a few in memory, more on disk.

    Args:
        folder: Where faces are kept on disk; None: in memory only.
        max_bytes: Greatest size of the folder; beyond it the least recently used files are deleted.
    """

    def __init__(self, folder: Path | None, max_bytes: int = MAX_DISK_BYTES):
        self._folder, self._max_bytes = folder, max_bytes
        self._faces: OrderedDict[str, FaceSpace] = OrderedDict()

    def get(self, key: str, vertex_count: int) -> "FaceSpace | None":
        """Look up a face.

        Args:
            key: From `key`.
            vertex_count: Number of vertices of the mesh.

        Returns:
            The face, or None if it is not cached, or its file is odd in any way: damaged, of another mesh or version.
        """
        face = self._faces.get(key)
        if face is None:
            face = self._load(key, vertex_count)
        if face is not None:
            self._remember(key, face)
        return face

    def put(self, key: str, face: "FaceSpace") -> None:
        """Keep a face. If the disk is full or cannot be written, it is kept in memory only.

        Args:
            key: From `key`.
            face: The fitted face.
        """
        self._remember(key, face)
        if self._folder is None:
            return
        try:
            self._save(key, face)
            self._evict()
        except OSError as error:
            log.warning("The face cannot be kept on disk: %s", error)

    def clear(self) -> int:
        """Delete all faces, and files of processes that were killed. Returns how many bytes they had on disk.

        Raises:
            OSError: A file cannot be deleted.
        """
        self._faces.clear()
        freed = 0
        if self._folder is None:
            return freed
        for suffix in (SUFFIX, atomic.UNFINISHED):
            for path, status in _files(self._folder, suffix):
                path.unlink(missing_ok=True)
                freed += status.st_size
        return freed

    def _remember(self, key: str, face: "FaceSpace") -> None:
        """Make a face the most recent one in memory."""
        self._faces[key] = face
        self._faces.move_to_end(key)
        while len(self._faces) > MAX_FACES_IN_MEMORY:
            self._faces.popitem(last=False)

    def _save(self, key: str, face: "FaceSpace") -> None:
        """Write a face to the folder, if there is one. The file appears complete or not at all."""
        if self._folder is None:
            return
        data = encode(face, key)
        self._folder.mkdir(parents=True, exist_ok=True)
        atomic.write_bytes(_face_file(self._folder, key), data)

    def _load(self, key: str, vertex_count: int) -> "FaceSpace | None":
        """Read a face of a mesh with `vertex_count` vertices; return None if there is none or its file is odd."""
        if self._folder is None or not _face_file(self._folder, key).is_file():
            return None
        path = _face_file(self._folder, key)
        try:
            with path.open("rb") as file:
                data = file.read(max_bytes(vertex_count) + 1)
            face = decode(data, key, vertex_count)
        except Exception as error:  # whatever the file holds, the face can be fitted anew
            log.warning("The cached face %s is not used and will be fitted again: %s", path.name, error)
            return None
        with contextlib.suppress(OSError):  # it is not the most recently used one, then
            os.utime(path)
        return face

    def _evict(self) -> None:
        """Delete unfinished files of processes that were killed, and the least recently used faces beyond the limit."""
        if self._folder is None:
            return
        atomic.remove_abandoned(self._folder)
        total = 0
        for path, status in sorted(_files(self._folder, SUFFIX), key=lambda file: file[1].st_mtime, reverse=True):
            total += status.st_size
            if total > self._max_bytes:
                path.unlink(missing_ok=True)


def _files(folder: Path, suffix: str) -> list[tuple[Path, os.stat_result]]:
    """Return the files of a folder with this suffix, without those that another process deletes meanwhile."""
    found: list[tuple[Path, os.stat_result]] = []
    for path in folder.glob(f"*{suffix}"):
        with contextlib.suppress(FileNotFoundError):
            if not path.is_dir():
                found.append((path, path.stat()))
    return found


def _face_file(folder: Path, key: str) -> Path:
    """Return the file of a key."""
    return folder / f"{key}{SUFFIX}"
