"""Reading the files in which speech encoders are published: names and shapes first, numbers later, and never code.

A `.safetensors` file has a header with names and shapes. A `.bin` or `.pt` file is a pickle, which torch reads with
`weights_only`: it makes tensors and plain containers and calls nothing else. Files of fairseq hold their training
settings as well, in classes of packages that are not here. Each such class is replaced by one that keeps nothing and
does nothing (`_Ignored`), so that the rest of the file can be read.

The product reads no pickle of any kind, so this is a part of training, and what training exports is safetensors.
"""

import json
import pickle
import re
import zipfile
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ...errors import LSFError
from ...model.backbones import make_backbone
from ...model.config import BackboneConfig
from ...model.meta import shapes_only
from ...model.waveform import PublishedFile, WaveformBackbone

WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin", "emotion2vec_base.pt", "model.pt")
"""Files that hold the weights in the folder of a published model; the first that is there is read."""
SETTINGS_FILE = "config.json"
MAX_SETTINGS_BYTES = 1 << 20  # of a config.json; those of encoders have some kilobytes
NAMED = 4  # classes that a sentence names at most
CONTAINERS = ("model", "state_dict", "model_state_dict")  # keys under which training programs keep the weights


class _Ignored:
    """Stands for an object of a class that is not known here: takes whatever it is given and keeps nothing."""

    def __init__(self, *arguments: object, **named: object):
        pass

    def __setstate__(self, state: object) -> None:
        """Ignore the state."""


def check_backbone(config: BackboneConfig, layers: Sequence[int], path: str | Path) -> None:
    """Check that a published model fits, by its settings, names and shapes alone, before a model is built.

    Args:
        config: The configuration.
        layers: The layers that are wanted.
        path: Folder or file of the published model.

    Raises:
        LSFError: "bad_backbone" if there is none, it is damaged, or of another kind or size; or if the configuration's
            kind is whisper, which is never read from a published file here.
    """
    if config.kind == "whisper":
        raise _bad(f"This configuration hears with whisper, whose weights are part of a checkpoint, not {path}.")
    with shapes_only():
        backbone = make_backbone(config, layers)
    assert isinstance(backbone, WaveformBackbone)
    backbone.published_names(open_published(path))


def load_backbone(backbone: WaveformBackbone, path: str | Path) -> None:
    """Take the weights of an encoder from a published model.

    Args:
        backbone: The encoder.
        path: A folder as it is published, or its file of weights (.safetensors, .bin, .pt).

    Raises:
        LSFError: "bad_backbone" if there is none, it is damaged, or of another kind or size.
    """
    backbone.load(open_published(path))


def open_published(path: str | Path) -> PublishedFile:
    """Open a published model.

    Args:
        path: Its folder, or its file of weights.

    Returns:
        The file, of which no tensor was read.

    Raises:
        LSFError: "bad_backbone" if there is none, or it is damaged.
    """
    file = _weight_file(Path(path))
    return open_weights(file, _settings(file.with_name(SETTINGS_FILE)))


def open_weights(file: Path, settings: dict[str, Any]) -> PublishedFile:
    """Open a file of weights, `.safetensors` or one of `torch.save`.

    Args:
        file: The file.
        settings: Those of the model, which `PublishedFile` keeps.

    Returns:
        The file, of which no tensor was read.

    Raises:
        LSFError: "bad_backbone" if it is damaged, or holds objects that torch does not read.
    """
    try:
        if file.suffix == ".safetensors":
            return _open_safetensors(file, settings)
        return _open_pickle(file, settings)
    except LSFError:
        raise
    except Exception as error:  # a damaged pickle can fail in any way
        if classes := _unread_classes(file, error):
            names = ", ".join(classes[:NAMED])
            raise _bad(
                f"{file} holds objects that torch does not read, since they could run programs ({names}): save its "
                "state_dict alone in the environment that wrote it."
            ) from error
        raise _bad(f"{file} cannot be read: it is damaged, or no file of weights. Download it again.") from error


def _bad(sentence: str) -> LSFError:
    """Return an error about a published model."""
    return LSFError("bad_backbone", sentence)


def _weight_file(path: Path) -> Path:
    """The file of weights at `path`, a folder or the file itself."""
    if path.is_file():
        return path
    if not path.is_dir():
        raise _bad(f"There is no folder or file {path}; give that of a downloaded model.")
    for name in WEIGHT_FILES:
        if (path / name).is_file():
            return path / name
    if any(path.glob("*.index.json")):
        raise _bad(f"The model in {path} is split into several files: none of the encoders of the paper is that large.")
    raise _bad(f"{path} holds no weights ({', '.join(WEIGHT_FILES)}); give the folder of a downloaded model.")


def _settings(path: Path) -> dict[str, Any]:
    """The contents of a config.json; empty if there is none."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_SETTINGS_BYTES + 1)
        settings = json.loads(text)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise _bad(f"{path} cannot be read: download it again.") from error
    if len(text) > MAX_SETTINGS_BYTES or not isinstance(settings, dict):
        raise _bad(f"{path} is not the config.json of a model: download it again.")
    return settings


def _open_safetensors(path: Path, settings: dict[str, Any]) -> PublishedFile:
    """Read the header of a safetensors file."""
    try:
        opened: Any = safe_open(path, "pt")
        shapes = {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise _bad(f"{path} is damaged: download it again.") from error
    return PublishedFile(path, settings, shapes, opened.get_tensor)


def _open_pickle(path: Path, settings: dict[str, Any]) -> PublishedFile:
    """Read the tensors of a file of `torch.save`, without their numbers where the format allows it."""
    mapped = zipfile.is_zipfile(path)
    if mapped:
        with zipfile.ZipFile(path) as archive:
            # torch compresses nothing, so contents larger than the file are an attempt to fill the memory.
            if sum(entry.file_size for entry in archive.infolist()) > path.stat().st_size:
                raise _bad(f"{path} is damaged: its parts are larger than the file. Download it again.")

    def load(**options: Any) -> dict[str, Tensor]:
        with _ignoring_unknown_classes(path):
            return _tensors(torch.load(path, weights_only=True, **options))

    if mapped:  # tensors stay in the file until they are used
        tensors = load(map_location="cpu", mmap=True)
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        return PublishedFile(path, settings, shapes, tensors.__getitem__)
    shapes = {name: tuple(tensor.shape) for name, tensor in load(map_location="meta").items()}
    kept: dict[str, Tensor] = {}

    def read(name: str) -> Tensor:
        if not kept:
            kept.update(load(map_location="cpu"))
        return kept[name]

    return PublishedFile(path, settings, shapes, read)


def _ignoring_unknown_classes(path: Path) -> AbstractContextManager[None]:
    """Let torch read a pickle that names classes which it does not know; none of them is imported or called."""
    unknown = _unknown_classes(path)
    # Without them, torch refuses such a file.
    return torch.serialization.safe_globals([(_Ignored, name) for name in unknown]) if unknown else nullcontext()


def _unknown_classes(path: Path) -> list[str]:
    """The classes that a file names and torch does not know; empty for files of old versions of torch."""
    if not hasattr(torch.serialization, "get_unsafe_globals_in_checkpoint") or not zipfile.is_zipfile(path):
        return []
    return torch.serialization.get_unsafe_globals_in_checkpoint(path)


def _unread_classes(path: Path, error: Exception) -> list[str]:
    """The classes because of which torch may have refused a file with an error: those that hold more than attributes.

    A class that stands for another (`_Ignored`) takes attributes, but not the entries of a list or dict.
    """
    if not isinstance(error, pickle.UnpicklingError):
        return []
    # Files of old versions of torch have no list of their classes; torch names the first in its error.
    return re.findall(r"Unsupported global: GLOBAL (\S+)", str(error)) or sorted(_unknown_classes(path))


def _tensors(loaded: object) -> dict[str, Tensor]:
    """The named tensors of what a file holds: a state dict, or a dict of a training program that contains one."""
    if not isinstance(loaded, dict):
        return {}
    for key in CONTAINERS:
        if isinstance(loaded.get(key), dict) and (inner := _tensors(loaded[key])):
            return inner
    return {
        name: value
        for name, value in loaded.items()
        if isinstance(name, str) and isinstance(value, Tensor) and value.layout == torch.strided
    }
