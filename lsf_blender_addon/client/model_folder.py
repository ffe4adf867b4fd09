"""A folder with another model for the speech engine: whether it can be used, found out without torch. No bpy.

The server checks every weight when it loads a model. What is found here needs no process and a millisecond, so that
the preferences can say it while the artist chooses the folder.
"""

import contextlib
import json
import math
import struct
import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from .causes import one_line

CONFIG, WEIGHTS, FACE = "config.json", "model.safetensors", "face.safetensors"  # see docs/paper.md
MAX_CONFIG_BYTES = 1 << 16  # the shipped one has 2 kB
MAX_HEADER_BYTES = 1 << 24  # of the weights; HuBERT's has 60 kB
MAX_NAME = 60  # letters of a name that is shown
DIGITS = 12  # of the digest of the weights that tell models of the same name apart
LOOK_AGAIN_SECONDS = 3.0  # after which the preferences look at a folder again
OF_TRANSFORMERS = ("hubert", "wav2vec2")  # kinds of speech encoders that the package `transformers` provides

Stamp = tuple[int, int]
"""When a file was written, in ns, and its size in bytes."""


class ModelError(Exception):
    """A folder cannot be used as a model.

    Attributes:
        sentence: What is wrong and what to do, for the artist, without its full stop; may have {placeholders}. The
            interface translates it.
        values: Values of the placeholders.
    """

    def __init__(self, sentence: str, **values: object) -> None:
        super().__init__(sentence.format(**values))
        self.sentence, self.values = sentence, values


@dataclass(frozen=True)
class Model:
    """What is known about a model before it is loaded.

    Attributes:
        name: Name of its folder.
        has_emotions: Whether it can show an emotion that the artist chooses.
        needs_transformers: Whether the server's Python needs the package `transformers` for it.
    """

    name: str
    has_emotions: bool
    needs_transformers: bool


def model_label(name: str, digest: str) -> str:
    """Return a model's name with the start of the digest of its weights, as it is kept with what the model makes."""
    return f"{name[:MAX_NAME]} {digest[:DIGITS]}".strip()


def read(folder: Path) -> Model:
    """Check a folder with a model.

    Args:
        folder: An absolute path. One that is not stands for a path that starts with "//", as Blender writes those that
            are relative to a .blend file: whoever writes "//" into the preferences means a file that they do not know.

    Raises:
        ModelError: It cannot be used.
    """
    if not folder.is_absolute():
        raise ModelError(
            'The model folder "{folder}" is relative to a .blend file, but the preferences belong to none: choose the '
            "folder again",
            folder=f"//{folder}",
        )
    try:
        if not folder.is_dir():
            raise ModelError('There is no model folder "{folder}": choose another, or clear the field', folder=folder)
        for name in (CONFIG, WEIGHTS):
            if not (folder / name).is_file():
                raise ModelError(
                    '"{folder}" holds no model, as it has no {file}: choose a folder that training has written',
                    folder=folder,
                    file=name,
                )
        model, is_flame = _read_files(folder, tuple(_stamp(folder / name) for name in (CONFIG, WEIGHTS)))
        if is_flame and not (folder / FACE).is_file():
            raise ModelError(
                'The model in "{folder}" moves the FLAME face, and {file}, which carries that to other heads, is '
                "missing: docs/paper.md says how to make it",
                folder=folder,
                file=FACE,
            )
        return model
    except OSError as error:
        raise ModelError(
            'The model folder "{folder}" cannot be read ({error}): check the drive, or choose another folder',
            folder=folder,
            error=one_line(error.strerror or str(error)),
        ) from error


def stamps(folder: Path) -> dict[str, Stamp]:
    """Return what tells whether the files of a model have been written again, for those that are there."""
    found = {}
    for name in (CONFIG, WEIGHTS, FACE):
        with contextlib.suppress(OSError):
            found[name] = _stamp(folder / name)
    return found


def _stamp(path: Path) -> Stamp:
    """The time at which a file was written, in ns, and its size in bytes. Raises OSError."""
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size


class FolderCheck:
    """Looks at a folder in a thread, again every few seconds, so that a drive that does not answer blocks no drawing.

    Attributes:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._found: Model | ModelError | None = None
        self._looked = -math.inf
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> bool:
        """Whether a thread looks at the folder now."""
        return self._thread is not None and self._thread.is_alive()

    def found(self) -> Model | ModelError | None:
        """What the last look has found; None before it. Returns at once; starts another look if that was long ago."""
        found = self._found
        if not self.running and time.monotonic() - self._looked > LOOK_AGAIN_SECONDS:
            self._thread = threading.Thread(target=self._look, name="lsf-model-folder", daemon=True)
            self._thread.start()
        return found

    def _look(self) -> None:
        """Look at the folder once."""
        try:
            self._found = read(self.folder)
        except ModelError as error:
            self._found = error
        finally:
            self._looked = time.monotonic()


@lru_cache(maxsize=8)
def _read_files(folder: Path, _stamps: tuple[Stamp, ...]) -> tuple[Model, bool]:
    """The model in a folder whose files have these times and sizes, and whether it moves the FLAME face."""
    config = _read_config(folder)
    _check_weights(folder)
    kinds = []
    for name in ("motion_backbone", "emotion_backbone"):
        backbone = config.get(name)
        kinds.append(backbone.get("kind") if isinstance(backbone, dict) else None)
    model = Model(
        one_line(folder.name)[:MAX_NAME],
        config.get("emotion_bank") is True,
        any(kind in OF_TRANSFORMERS for kind in kinds),
    )
    return model, config.get("motion_space") == "flame"


def _read_config(folder: Path) -> dict[str, object]:
    """The configuration of a model. Raises ModelError or OSError."""
    try:
        with (folder / CONFIG).open("rb") as file:
            config = json.loads(file.read(MAX_CONFIG_BYTES).decode("utf-8"))
    except (ValueError, RecursionError):
        raise _damaged(folder, CONFIG) from None
    if not isinstance(config, dict) or config.get("motion_space") not in ("arkit", "flame"):
        raise _damaged(folder, CONFIG)
    return config


def _check_weights(folder: Path) -> None:
    """Check that the weights are as long as their header says: a copy that was interrupted is shorter."""
    path = folder / WEIGHTS
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 0 < length <= MAX_HEADER_BYTES:
            raise _damaged(folder, WEIGHTS)
        try:
            header = json.loads(file.read(length).decode("utf-8"))
            ends = [int(entry["data_offsets"][1]) for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError):
            raise _damaged(folder, WEIGHTS) from None
    if path.stat().st_size != 8 + length + max(ends, default=0):
        raise _damaged(folder, WEIGHTS)


def _damaged(folder: Path, file: str) -> ModelError:
    """The error of a damaged file."""
    return ModelError('The model in "{folder}" is damaged ({file}): copy it there again', folder=folder, file=file)
