"""States of a training: small, written in one piece, and read without trust.

A state is one `.safetensors` file. Its tensors are what the stage trains (`model/…`) and, to continue, the moments of
the optimiser (`optimiser/…`) and the states of the random generators (`random/…`); frozen weights are not in it. What
is no tensor is JSON in its metadata. It is written beside its place, flushed to the disk and renamed: whoever reads it
sees the old state or the new one, also after a power failure.
"""

import contextlib
import json
import os
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ...errors import LSFError
from ...files.atomic import remove_abandoned, replacing

LOCK_FILE = "lock"
MODEL, OPTIMISER, RANDOM = "model/", "optimiser/", "random/"


@dataclass(frozen=True)
class State:
    """The contents of a state.

    Attributes:
        tensors: By name, on the CPU.
        progress: JSON values.
    """

    tensors: dict[str, Tensor]
    progress: dict[str, Any]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors whose names begin with a prefix, without it."""
        return {name.removeprefix(prefix): x for name, x in self.tensors.items() if name.startswith(prefix)}


def write_state(path: Path, tensors: dict[str, Tensor], progress: dict[str, Any]) -> None:
    """Write a state in one piece.

    Raises:
        LSFError: "disk_full" or "file_error"; the state that was there stays.
    """
    with writing(path.parent), replacing(path) as unfinished:
        held = {name: x.detach().cpu().contiguous() for name, x in tensors.items()}
        save_tensors(unfinished, held, {"progress": json.dumps(progress)})


def clear_unfinished(folder: Path) -> None:
    """Remove what a killed process was writing into a folder, under names of safetensors' and our own."""
    remove_abandoned(folder, seconds=0)
    for path in folder.glob(".tmp*"):
        path.unlink(missing_ok=True)


def save_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a file of tensors. Raises OSError, also where safetensors tells the system's error in words alone."""
    try:
        save_file(tensors, path, metadata)
    except SafetensorError as error:
        raise OSError(*_system_cause(error)) from error


def read_state(path: Path) -> State | None:
    """Read a state; None if there is none.

    Raises:
        LSFError: "bad_state" if the file is damaged.
    """
    progress = read_progress(path)
    if progress is None:
        return None
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as error:
        raise _damaged(path) from error
    return State(tensors, progress)


def read_progress(path: Path) -> dict[str, Any] | None:
    """Read what is no tensor in a state, which is quick; None if there is no state. Raises LSFError as `read_state`."""
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            progress = json.loads(file.metadata()["progress"])
        if not isinstance(progress, dict):
            raise ValueError("progress is no JSON object")
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(path) from error
    return progress


def _damaged(path: Path) -> LSFError:
    """Return an error about a state."""
    return LSFError("bad_state", f'The state "{path}" is damaged: delete it to begin this stage again, or use a copy.')


def optimiser_tensors(optimiser: torch.optim.Optimizer, names: dict[str, torch.nn.Parameter]) -> dict[str, Tensor]:
    """Return the moments and counts of an optimiser: PARAMETER/QUANTITY -> tensor."""
    return {
        f"{name}/{quantity}": value
        for name, parameter in names.items()
        for quantity, value in optimiser.state.get(parameter, {}).items()
    }


def load_optimiser(
    optimiser: torch.optim.Optimizer, names: dict[str, torch.nn.Parameter], tensors: dict[str, Tensor]
) -> None:
    """Give an optimiser what `optimiser_tensors` returned."""
    numbers = {name: number for number, name in enumerate(names)}
    states: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        name, _, quantity = key.rpartition("/")
        states.setdefault(numbers[name], {})[quantity] = value
    # Its own loader puts each tensor on the device of its parameter.
    optimiser.load_state_dict({"state": states, "param_groups": optimiser.state_dict()["param_groups"]})


def random_tensors() -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the states of the generators of torch, CUDA, numpy and Python: tensors, and JSON values."""
    tensors = {"torch": torch.get_rng_state()}
    if torch.cuda.is_initialized():
        tensors["cuda"] = torch.cuda.get_rng_state()
    kind, words, *rest = np.random.get_state(legacy=True)
    tensors["numpy"] = torch.from_numpy(np.asarray(words, np.uint32).astype(np.int64))
    version, internal, gauss = random.getstate()
    return tensors, {"numpy": [kind, *rest], "python": [version, list(internal), gauss]}


def restore_random(tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
    """Set the generators to what `random_tensors` returned."""
    torch.set_rng_state(tensors["torch"])
    if "cuda" in tensors and torch.cuda.is_initialized():
        torch.cuda.set_rng_state(tensors["cuda"])
    kind, *rest = values["numpy"]
    np.random.set_state((kind, tensors["numpy"].numpy().astype(np.uint32), *rest))
    version, internal, gauss = values["python"]
    random.setstate((version, tuple(internal), gauss))


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep all other trainings out of a folder. The system gives the lock back when this process ends, however it does.

    Raises:
        LSFError: "busy" if another process trains there; "file_error" or "disk_full" if it cannot be written.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:  # the second on Windows
            raise LSFError(
                "busy", f'Another training writes into "{folder}": wait for its end, or choose another --out.'
            ) from error
        except OSError:
            pass  # a file system without locks
        yield
    finally:
        os.close(file)


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn errors of writing into a folder into sentences.

    Raises:
        LSFError: "disk_full" or "file_error".
    """
    try:
        yield
    except OSError as error:
        import errno

        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise LSFError(
                "disk_full", f'The disk of "{folder}" is full: make room and start again; the last state is kept.'
            ) from error
        reason = error.strerror or str(error)
        raise LSFError(
            "file_error", f'"{folder}" cannot be written ({reason}): change its permissions, or choose another --out.'
        ) from error


def _system_cause(error: SafetensorError) -> tuple[int, str]:
    """Return number and text of the system's error that safetensors tells in words ("… (os error 28)")."""
    number = str(error).rpartition("os error ")[2].rstrip(")}\"' ")
    code = int(number) if number.isdecimal() else 0
    return code, os.strerror(code) if code else str(error)
