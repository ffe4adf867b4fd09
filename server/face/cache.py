"""Fitted faces kept in memory and on disk, keyed by what went into the fit; the second press of Generate is instant."""

import hashlib
import json
import logging
import os
import sys
import tempfile
import time
from collections import OrderedDict
from functools import cache
from pathlib import Path

import numpy as np

from ..files.meshes import Mesh

log = logging.getLogger(__name__)

IN_MEMORY = 4  # faces; a basis of 52 channels on 26 000 vertices is 16 MB
MAX_DISK_BYTES = 1 << 30
_SHAPES = {"basis": 3, "landmarks68": 2, "landmark_vertices": 1, "identity": 1, "parts": 1}  # dimensions of each array


def default_folder() -> Path:
    """The user's cache folder of this platform; LSF_CACHE_DIR overrides it."""
    if "LSF_CACHE_DIR" in os.environ:
        return Path(os.environ["LSF_CACHE_DIR"])
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "lsf-blender" / "faces"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "lsf-blender" / "faces"
    return Path(os.environ.get("XDG_CACHE_HOME", home / ".cache")) / "lsf-blender" / "faces"


@cache
def _fit_digest() -> bytes:
    """Digest of the code and assets of server/face: a face fitted by other ones is not this server's."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.digest()


def key(mesh: Mesh, landmarks: np.ndarray | None = None, parts: np.ndarray | None = None) -> str:
    """SHA-256 in hex of the mesh's content, what the artist said of it, and the fit itself."""
    digest = hashlib.sha256(_fit_digest())
    for array in (mesh.vertices, mesh.triangles, landmarks, parts):
        digest.update(repr(None if array is None else array.shape).encode())
        if array is not None:
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


class FaceCache:
    """Least recently used faces: the last few in memory, the rest in `folder` (None: memory only)."""

    def __init__(self, folder: Path | None, max_bytes: int = MAX_DISK_BYTES):
        self._folder, self._max_bytes = folder, max_bytes
        self._faces = OrderedDict()

    def get(self, key: str, vertices: int):
        """Return the FaceSpace of this key on `vertices` vertices, or None."""
        face = self._faces.get(key)
        if face is None:
            face = self._load(key, vertices)
        if face is not None:
            self._remember(key, face)
        return face

    def put(self, key: str, face) -> None:
        """Keep a FaceSpace; a disk that is full or cannot be written costs only the copy there."""
        self._remember(key, face)
        if self._folder is None:
            return
        try:
            self._save(key, face)
            self._evict()
        except OSError as error:
            log.warning("The face cannot be kept on disk: %s", error)

    def _remember(self, key: str, face) -> None:
        self._faces[key] = face
        self._faces.move_to_end(key)
        while len(self._faces) > IN_MEMORY:
            self._faces.popitem(last=False)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.safetensors"

    def _save(self, key: str, face) -> None:
        from safetensors.numpy import save

        arrays = {name: np.ascontiguousarray(getattr(face, name)) for name in _SHAPES}
        data = save(arrays, {"channels": json.dumps(list(face.channels)), "report": json.dumps(face.report)})
        self._folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self._folder, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.replace(temporary, self._path(key))
        except BaseException:
            os.unlink(temporary)
            raise

    def _load(self, key: str, vertices: int):
        if self._folder is None or not self._path(key).is_file():
            return None
        from safetensors import SafetensorError, safe_open

        from .space import FaceSpace

        path = self._path(key)
        try:
            with safe_open(path, "np") as file:
                arrays = {name: file.get_tensor(name) for name in _SHAPES}
                channels, report = (json.loads(file.metadata()[name]) for name in ("channels", "report"))
            usable = (
                all(arrays[name].ndim == n and np.isfinite(arrays[name]).all() for name, n in _SHAPES.items())
                and arrays["basis"].shape == (len(channels), vertices, 3)
                and arrays["landmarks68"].shape == (68, 3)
                and arrays["parts"].shape == (vertices,)
                and arrays["landmark_vertices"].shape == (68,)
                and 0 <= arrays["landmark_vertices"].min() <= arrays["landmark_vertices"].max() < vertices
            )
            if not usable:
                raise ValueError("its arrays do not fit the mesh")
            os.utime(path)
            return FaceSpace(channels=tuple(channels), report=report, **arrays)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            log.warning("The cached face %s is damaged and will be made anew: %s", path.name, error)
            return None

    def _evict(self) -> None:
        for path in self._folder.glob("*.part"):  # of a process that was killed while it wrote
            if path.stat().st_mtime < time.time() - 3600:
                path.unlink(missing_ok=True)
        files = sorted(
            ((p.stat().st_mtime, p.stat().st_size, p) for p in self._folder.glob("*.safetensors")), reverse=True
        )
        total = 0
        for _, size, path in files:
            total += size
            if total > self._max_bytes:
                path.unlink(missing_ok=True)
