"""Training in several processes, one for each GPU, started by `torchrun`; without it, one process alone.

What a step computes must not depend on the number of processes: sums over all of them replace means of means, and
random draws belong to clips (`draws.ClipDraws`) or to steps (`derived_seed`), not to processes.
"""

import contextlib
import datetime
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.distributed
from torch import Tensor

from ...errors import LSFError

PATIENCE = datetime.timedelta(hours=1)  # with which processes wait for each other: one may compute features or write


@dataclass(frozen=True)
class Group:
    """The processes of one training.

    Attributes:
        rank: Number of this process.
        size: Number of all.
    """

    rank: int = 0
    size: int = 1

    def total(self, x: Tensor) -> Tensor:
        """Add x, which may be changed, to those of all other processes; all must call this equally often."""
        if self.size > 1:
            torch.distributed.all_reduce(x)
        return x

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.size > 1:
            torch.distributed.barrier()

    @property
    def first(self) -> bool:
        """Whether this process is the one that prints and writes."""
        return self.rank == 0


ALONE = Group()
"""One process without others."""


def current_group() -> Group:
    """Return the group that torch.distributed was initialised with; this process alone if it was not."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return ALONE
    return Group(torch.distributed.get_rank(), torch.distributed.get_world_size())


def own_device(requested: str) -> torch.device:
    """Return the device of this process. Under torchrun, "cuda" is the GPU with the local number of the process.

    Args:
        requested: "auto" (CUDA if there is a GPU, else the CPU), "cpu", "cuda", or a torch device such as "cuda:1".

    Raises:
        LSFError: "no_device" if there is no such device, or no GPU for each process.
    """
    available = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if requested == "auto":
        requested = "cuda" if available else "cpu"
    try:
        device = torch.device(requested)
    except RuntimeError as error:
        raise LSFError(
            "no_device", f'There is no device "{requested}": use auto, cpu, cuda, or a torch device such as cuda:1.'
        ) from error
    if device.type not in ("cpu", "cuda"):
        raise LSFError("no_device", f'Training runs on cpu and cuda; "{requested}" was not tried.')
    if device.type == "cpu":
        return device
    if not available:
        raise LSFError("no_device", "Torch finds no CUDA device here: use --device cpu.")
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if processes > 1 and device.index is not None:
        raise LSFError("no_device", f"{processes} processes cannot share {device}: use --device cuda.")
    if processes > available or (device.index or 0) >= available:
        raise LSFError("no_device", f"There are {available} CUDA devices here: start at most one process for each.")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) if device.index is None else device.index)


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[Group]:
    """Join the other processes if torchrun started this one, and leave them in the end.

    Args:
        device: Device of this process: CUDA devices communicate by NCCL, CPUs by gloo.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield ALONE
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield current_group()
    finally:
        torch.distributed.destroy_process_group()


def derived_seed(*parts: int | str) -> int:
    """Return a number of 63 bits that depends on all parts, such as seed, stage, epoch and clip."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
