"""Chooses the device that runs the network, and falls back to the CPU where a GPU does not work."""

import logging
from pathlib import Path

import numpy as np
import torch

from ..errors import LSFError
from .inference import synthesize
from .lsf import LSF

log = logging.getLogger(__name__)

TRIAL_SAMPLES = 8000  # samples of silence for a trial run: enough to run every kind of layer
MAX_REASON = 120  # characters of a driver's error in a message


def load_on_device(folder: Path, requested: str) -> tuple[LSF, str, str]:
    """Read a checkpoint and move it to a device on which it runs.

    Args:
        folder: The checkpoint.
        requested: "auto" (a GPU if there is one and it works, else the CPU), "cpu", "gpu" (CUDA, else MPS), or the name
            of a torch device, such as "cuda:1".

    Returns:
        The model in inference mode, the name of its device, and one sentence that says why "auto" did not use the GPU
        ("" if it did, or if there is none).

    Raises:
        LSFError: "bad_checkpoint"; "no_device" if the requested device does not exist or does not work.
    """
    name = _resolve(requested)
    model = LSF.from_pretrained(folder)
    if name == "cpu":
        return model, name, ""
    try:
        _move_and_try(model, name)
    except Exception as error:  # drivers and backends raise errors of many types
        log.warning("The device %s does not work", name, exc_info=error)
        reason = (str(error).splitlines() or [""])[0][:MAX_REASON] or type(error).__name__
        if requested != "auto":
            raise LSFError("no_device", f'The device "{name}" does not work ({reason}): use the CPU.') from error
        # Read again: a part of the model may be on a device from which nothing can be moved back.
        return LSF.from_pretrained(folder), "cpu", f'The GPU "{name}" does not work ({reason}): the CPU is used.'
    return model, name, ""


def find_gpu() -> str | None:
    """Return the torch device of the GPU, "cuda" or "mps", or None if torch finds none."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else None


def _resolve(requested: str) -> str:
    """Return the torch device of a request. Raise LSFError("no_device") if it does not exist."""
    if requested in ("auto", "gpu"):
        gpu = find_gpu()
        if gpu is None and requested == "gpu":
            raise LSFError("no_device", "Torch finds no GPU here that it can use: set the device to CPU or Automatic.")
        return gpu or "cpu"
    try:
        kind = torch.device(requested).type
    except RuntimeError as error:
        raise LSFError(
            "no_device", f'There is no device "{requested}": use auto, cpu, gpu, or the name of a torch device.'
        ) from error
    if kind == "cuda" and not torch.cuda.is_available():
        raise LSFError("no_device", 'Torch finds no CUDA device here: use the device "cpu".')
    if kind == "mps" and not torch.backends.mps.is_available():
        raise LSFError("no_device", 'Torch finds no MPS device here: use the device "cpu".')
    return requested


def _move_and_try(model: LSF, name: str) -> None:
    """Move the model to a device and run it once: some GPUs hold a model but lack a kernel that it needs."""
    model.to(name)
    synthesize(model, np.zeros(TRIAL_SAMPLES, np.float32))
