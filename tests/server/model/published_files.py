"""Small encoders with random weights in the layouts in which the real ones are published."""

import json
from pathlib import Path

import numpy as np
import torch
import transformers
from torch import Tensor

TINY = {"hidden": 32, "heads": 4, "mlp": 48, "conv": 16}  # of a BackboneConfig
AUDIO = "modality_encoders.AUDIO."


def sound(seconds: float = 0.8, seed: int = 0) -> np.ndarray:
    """A sweep with noise (N,) at 16 kHz, with an offset and a pause."""
    time = np.arange(round(seconds * 16000)) / 16000
    sweep = np.sin(2 * np.pi * (150 * time + 400 * time**2)) * (time % 0.4 < 0.3)
    return (0.1 * sweep + 0.02 * np.random.default_rng(seed).standard_normal(len(time)) + 0.01).astype(np.float32)


def emotion2vec_state(
    hidden: int = 32, heads: int = 4, mlp: int = 128, conv: int = 16, prenet: int = 4, main: int = 2, seed: int = 0
) -> dict[str, Tensor]:
    """The state dict of an emotion2vec with the names and shapes of the published file."""
    rng = np.random.default_rng(seed)
    state: dict[str, Tensor] = {}

    def draw(name: str, *shape: int, scale: float = 1.0, shift: float = 0.0) -> None:
        state[name] = torch.from_numpy((shift + scale * rng.standard_normal(shape)).astype(np.float32))

    def linear(name: str, out: int, size: int) -> None:
        draw(f"{name}.weight", out, size, scale=size**-0.5)
        draw(f"{name}.bias", out, scale=0.1)

    def norm(name: str, size: int) -> None:
        draw(f"{name}.weight", size, scale=0.3, shift=1.0)
        draw(f"{name}.bias", size, scale=0.1)

    def block(name: str) -> None:
        norm(f"{name}.norm1", hidden)
        linear(f"{name}.attn.qkv", 3 * hidden, hidden)
        linear(f"{name}.attn.proj", hidden, hidden)
        norm(f"{name}.norm2", hidden)
        linear(f"{name}.mlp.fc1", mlp, hidden)
        linear(f"{name}.mlp.fc2", hidden, mlp)

    draw(f"{AUDIO}extra_tokens", 1, 10, hidden)
    draw(f"{AUDIO}alibi_scale", 1, 1, heads, 1, 1, scale=0.3, shift=1.0)
    state[f"{AUDIO}alibi_scale"][0, 0, 1] = -0.2  # below zero counts as zero
    for number, (size, kernel) in enumerate(zip([1, *[conv] * 6], (10, 3, 3, 3, 3, 2, 2), strict=True)):
        draw(f"{AUDIO}local_encoder.conv_layers.{number}.0.weight", conv, size, kernel, scale=(size * kernel) ** -0.5)
        norm(f"{AUDIO}local_encoder.conv_layers.{number}.2.1", conv)
    norm(f"{AUDIO}project_features.1", conv)
    linear(f"{AUDIO}project_features.2", hidden, conv)
    for number in range(1, 6):
        size = hidden // 16
        name = f"{AUDIO}relative_positional_encoder.{number}.0"
        draw(f"{name}.weight", hidden, size, 19, scale=(19 * size) ** -0.5)
        draw(f"{name}.bias", hidden, scale=0.1)
    norm(f"{AUDIO}context_encoder.norm", hidden)
    for number in range(prenet):
        block(f"{AUDIO}context_encoder.blocks.{number}")
    for number in range(main):
        block(f"blocks.{number}")
    return state


def hubert(kind: str = "hubert", layers: int = 5, **changes: object) -> transformers.PreTrainedModel:
    """A tiny HuBERT or wav2vec 2.0 with random weights, in inference mode."""
    family = {"hubert": "Hubert", "wav2vec2": "Wav2Vec2"}[kind]
    sizes: dict[str, object] = {
        "hidden_size": TINY["hidden"],
        "num_attention_heads": TINY["heads"],
        "intermediate_size": TINY["mlp"],
        "conv_dim": (TINY["conv"],) * 7,
        "num_hidden_layers": layers,
    }
    torch.manual_seed(layers)
    config = getattr(transformers, f"{family}Config")(**{**sizes, **changes})
    model: transformers.PreTrainedModel = getattr(transformers, f"{family}Model")(config).eval()
    with torch.no_grad():  # norms and biases that are not ones and zeros
        for value in model.parameters():
            if value.dim() == 1:
                value.add_(0.2 * torch.randn_like(value))
    return model


def old_names(state: dict[str, Tensor], prefix: str = "") -> dict[str, Tensor]:
    """The names that torch 1 gave to the parts of a weight norm, behind a prefix."""
    parts = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    renamed = {}
    for name, value in state.items():
        for new, old in parts.items():
            name = name.replace(new, old)
        renamed[prefix + name] = value.clone()
    return renamed


def write_bin(
    folder: Path, settings: dict[str, object], state: dict[str, Tensor], name: str = "pytorch_model.bin"
) -> Path:
    """Write config.json and a file of torch.save; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(settings))
    torch.save(state, folder / name)
    return folder
