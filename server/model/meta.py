"""Modules that have shapes but no memory: to look at a model, or to check a file against it, before it is built."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn
from torch.overrides import TorchFunctionMode


class _NoRandomWeights(TorchFunctionMode):
    """Lets modules be made without random weights.

    For weights on the device "meta", which have a shape alone, torch would load its compiler to draw them: seconds.
    """

    def __torch_function__(
        self, function: Callable[..., object], types: object, args: Sequence[object] = (), kwargs: object = None
    ) -> object:
        """Call a function of torch, but for those of `torch.nn.init`, which return the tensor as it is."""
        given: dict[str, object] = kwargs if isinstance(kwargs, dict) else {}
        if getattr(function, "__module__", None) == nn.init.__name__:
            return given["tensor"] if "tensor" in given else args[0]
        return function(*args, **given)


@contextmanager
def shapes_only() -> Iterator[None]:
    """Make modules on the device "meta" in this context, at once and without memory for their weights."""
    with torch.device("meta"), _NoRandomWeights():
        yield
