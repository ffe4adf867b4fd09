"""Runs the networks that find a face and its landmarks, in PyTorch.

They are MediaPipe's BlazeFace (Bazarevsky et al. 2019) and Attention Mesh (Grishchenko et al. 2020), Apache License
2.0. `build.convert` has turned their files into one of weights and a list of operations. Images are NCHW here; flat
tensors have the order NHWC, as the files have.
"""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor
from torch.nn import functional

ASSET = Path(__file__).parent / "assets" / "face.safetensors"
Operation = dict[str, Any]


class Network:
    """One of the networks.

    Args:
        name: "detector" or "landmarks".
        path: The file of the networks.
    """

    def __init__(self, name: str, path: Path = ASSET) -> None:
        with safe_open(path, framework="pt") as file:
            graph = json.loads(file.metadata()[name])
            names = [key for key in file.keys() if key.startswith(f"{name}.")]  # noqa: SIM118  # it is no dict
            self._weights = {key: file.get_tensor(key).float() for key in names}
        self._input: str = graph["input"]
        self._outputs: list[str] = graph["outputs"]
        self._operations: list[Operation] = graph["operations"]
        self._last_use = {key: number for number, step in enumerate(self._operations) for key in step["inputs"]}

    def steps(self, kind: str) -> list[Operation]:
        """Return the operations of a kind, in order."""
        return [step for step in self._operations if step["kind"] == kind]

    @torch.inference_mode()
    def __call__(self, image: Tensor) -> list[Tensor]:
        """Run the network.

        Args:
            image: Image (1, 3, H, W), in the range that the network expects.

        Returns:
            The outputs, in the order of the network's file.
        """
        values = {self._input: image}
        for number, step in enumerate(self._operations):
            inputs = [values[key] for key in step["inputs"]]
            values[step["output"]] = OPERATIONS[step["kind"]](inputs, step, self._weights)
            for key in step["inputs"]:
                if self._last_use[key] == number and key not in self._outputs:
                    values.pop(key, None)
        return [values[key] for key in self._outputs]


@cache
def load(name: str) -> Network:
    """Return a network. It is loaded once and shared."""
    return Network(name)


def _convolution(inputs: list[Tensor], step: Operation, weights: dict[str, Tensor]) -> Tensor:
    """Convolve. With "same" padding, an odd row or column is added at the end, as TensorFlow does."""
    image, weight, stride = inputs[0], weights[step["weight"]], step["stride"]
    if step["same"]:
        pads = []
        for size, extent in ((image.shape[3], weight.shape[3]), (image.shape[2], weight.shape[2])):
            total = max((-(-size // stride) - 1) * stride + extent - size, 0)
            pads += [total // 2, total - total // 2]
        image = functional.pad(image, pads)
    groups = image.shape[1] if step["depthwise"] else 1
    result = functional.conv2d(image, weight, weights[step["bias"]], stride, groups=groups)
    return result.relu() if step["relu"] else result


def _prelu(inputs: list[Tensor], step: Operation, weights: dict[str, Tensor]) -> Tensor:
    """Multiply negative values by one number for each channel."""
    return functional.prelu(inputs[0], weights[step["weight"]])


def _max_pool(inputs: list[Tensor], step: Operation, _: dict[str, Tensor]) -> Tensor:
    """Take the maximum of squares that do not overlap."""
    return functional.max_pool2d(inputs[0], step["size"])


def _pad(inputs: list[Tensor], step: Operation, _: dict[str, Tensor]) -> Tensor:
    """Add zeros around."""
    _, rows, columns, channels = step["pads"]
    return functional.pad(inputs[0], [*columns, *rows, *channels])


def _add(inputs: list[Tensor], step: Operation, _: dict[str, Tensor]) -> Tensor:
    """Add two tensors."""
    result = inputs[0] + inputs[1]
    return result.relu() if step["relu"] else result


def _relu(inputs: list[Tensor], step: Operation, _: dict[str, Tensor]) -> Tensor:
    """Set negative values to 0."""
    return inputs[0].relu()


def _same(inputs: list[Tensor], step: Operation, _: dict[str, Tensor]) -> Tensor:
    """Return the tensor as it is."""
    return inputs[0]


def _concatenate(inputs: list[Tensor], step: Operation, _: dict[str, Tensor]) -> Tensor:
    """Join flat tensors (1, N, C) along N."""
    return torch.cat(inputs, 1)


def _reshape(inputs: list[Tensor], step: Operation, _: dict[str, Tensor]) -> Tensor:
    """Give a tensor another shape, in the order NHWC."""
    value = inputs[0].permute(0, 2, 3, 1) if inputs[0].ndim == 4 else inputs[0]
    return value.reshape(step["shape"])


def _multiply(inputs: list[Tensor], step: Operation, _: dict[str, Tensor]) -> Tensor:
    """Multiply by a constant."""
    return inputs[0] * torch.tensor(step["by"])


def _crop_matrix(inputs: list[Tensor], step: Operation, _: dict[str, Tensor]) -> Tensor:
    """Return the matrix (1, 4, 4) from the pixels of a crop to those of the image.

    The crop holds the given landmarks, is `scale` times as large as their bounding box, and turned so that the line
    between two corners is horizontal.
    """
    points = inputs[0][0, :, :2]
    left, right = points[step["corners"]]
    angle = torch.atan2(right[1] - left[1], right[0] - left[0])
    cos, sin = angle.cos(), angle.sin()
    turn = torch.stack([torch.stack([cos, -sin]), torch.stack([sin, cos])])  # from the crop's axes to the image's
    turned = points[step["points"]] @ turn
    low, high = turned.amin(0), turned.amax(0)
    size = torch.tensor(step["size"], dtype=turned.dtype)
    linear = turn * (torch.tensor(step["scale"]) * (high - low) / size)
    matrix = torch.eye(4)
    matrix[:2, :2] = linear
    matrix[:2, 3] = turn @ ((low + high) / 2) - linear @ (size / 2)
    return matrix[None]


def _crop(inputs: list[Tensor], step: Operation, _: dict[str, Tensor]) -> Tensor:
    """Sample an image (1, C, H, W) at the places that a matrix (1, 4, 4) gives for the pixels of a crop."""
    image, matrix = inputs[0], inputs[1][0]
    width, height = step["size"]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    places = torch.stack([columns, rows], -1).float() @ matrix[:2, :2].T + matrix[:2, 3]
    extent = torch.tensor([image.shape[3] - 1, image.shape[2] - 1])
    return functional.grid_sample(image, (2 * places / extent - 1)[None], align_corners=True)


def _transform(inputs: list[Tensor], step: Operation, _: dict[str, Tensor]) -> Tensor:
    """Apply a matrix (1, 4, 4) to points (1, N, 2)."""
    matrix = inputs[1][0]
    return inputs[0] @ matrix[:2, :2].T + matrix[:2, 3]


OPERATIONS: dict[str, Callable[[list[Tensor], Operation, dict[str, Tensor]], Tensor]] = {
    "convolution": _convolution,
    "prelu": _prelu,
    "max_pool": _max_pool,
    "pad": _pad,
    "add": _add,
    "relu": _relu,
    "same": _same,
    "concatenate": _concatenate,
    "reshape": _reshape,
    "multiply": _multiply,
    "crop_matrix": _crop_matrix,
    "crop": _crop,
    "transform": _transform,
}
