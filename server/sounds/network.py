"""The recogniser: which sound is heard at each time, from the features that the model animates with."""

import hashlib
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..errors import LSFError
from ..files.atomic import replacing
from ..model import LSF
from ..numerics import FloatArray
from .inventory import SYMBOLS

SUBFRAMES = 2  # times of the result in a frame of features: 100 Hz, as the edges of sounds are finer than 20 ms
FEATURE_NOISE = 0.3  # standard deviation of the noise added to the scaled features while training
WIDTH, BLOCKS, KERNEL, DROPOUT = 192, 4, 9, 0.2
MAX_BLOCKS = 64  # of a file; more are a damaged one
MAX_VALUE = 1e4  # greatest magnitude of a weight; half precision ends at 65504


class Block(nn.Module):
    """A residual convolution over time, each channel on its own, and one over the channels (Chollet 2017)."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.over_time = nn.Conv1d(width, width, KERNEL, padding=KERNEL // 2, groups=width)
        self.over_channels = nn.Linear(width, width)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        """Transform x (B, F, width)."""
        y = self.over_time(self.norm(x).mT).mT
        transformed: Tensor = x + self.dropout(self.over_channels(nn.functional.gelu(y)))
        return transformed


class SoundNet(nn.Module):
    """Classifies the sound at 100 Hz from projected features at 50 Hz.

    Attributes:
        log_prior: (S,) logarithm of the share of each sound in the training set.
        bigrams: (L, S, S) log probability of the sound of a column after that of the row, of each of `languages`.
        durations: (S, 2) mean and deviation of the logarithm of a sound's duration in seconds.
        languages: Names of the languages, "" for all of them together.
        features: Digest of the model whose features are classified, see `features_digest`.
    """

    scale: Tensor
    log_prior: Tensor
    bigrams: Tensor
    durations: Tensor

    def __init__(self, size: int, languages: tuple[str, ...], features: str, width: int = WIDTH, blocks: int = BLOCKS):
        """Build an untrained network.

        Args:
            size: Number of projected features.
            languages: As the attribute.
            features: As the attribute.
            width: Channels of the convolutions.
            blocks: Number of residual blocks.
        """
        super().__init__()
        self.languages, self.features = languages, features
        self.first = nn.Conv1d(size, width, 3, padding=1)
        self.blocks = nn.ModuleList(Block(width) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, SUBFRAMES * len(SYMBOLS))
        self.register_buffer("scale", torch.ones(size))
        self.register_buffer("log_prior", torch.full((len(SYMBOLS),), -float(np.log(len(SYMBOLS)))))
        uniform = torch.full((len(languages), len(SYMBOLS), len(SYMBOLS)), -float(np.log(len(SYMBOLS))))
        self.register_buffer("bigrams", uniform)
        self.register_buffer("durations", torch.tensor([-2.5, 0.5]).repeat(len(SYMBOLS), 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, SUBFRAMES · F, S) of features (B, F, size); subframe j is centred on j / 100 s."""
        x = x / self.scale
        if self.training:
            x = x + FEATURE_NOISE * torch.randn_like(x)
        x = self.first(x.mT).mT
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.out(self.norm(x)).unflatten(-1, (SUBFRAMES, len(SYMBOLS))).flatten(1, 2)
        return logits

    @torch.inference_mode()
    def log_posteriors(self, x: FloatArray) -> FloatArray:
        """Return log probabilities (SUBFRAMES · F, S) of features (F, size)."""
        logits: Tensor = self.eval()(torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))[None])[0]
        posteriors: FloatArray = logits.log_softmax(-1).numpy()
        return posteriors

    def save(self, path: Path) -> None:
        """Write the network in half precision."""
        state = {name: value.half().contiguous() for name, value in self.state_dict().items()}
        about = {
            "languages": ",".join(self.languages),
            "features": self.features,
            "symbols": ",".join(SYMBOLS),
            "blocks": str(len(self.blocks)),
        }
        with replacing(path) as file:
            save_file(state, file, about)

    @classmethod
    def load(cls, path: Path) -> "SoundNet":
        """Read a network.

        Raises:
            LSFError: "bad_sounds" if the file is missing, damaged, or of another release.
        """
        try:
            with safe_open(path, "pt") as file:
                about = file.metadata() or {}
            state = {name: value.float() for name, value in load_file(path).items()}
            if about["symbols"].split(",") != list(SYMBOLS):
                raise LSFError("bad_sounds", f"{path.name} knows other sounds than this release: reinstall the add-on.")
            width, size = state["first.weight"].shape[:2]
            languages, blocks = tuple(about["languages"].split(",")), int(about["blocks"])
            if "" not in languages or not 0 < blocks <= MAX_BLOCKS:
                raise ValueError("no language or no blocks")
            model = cls(size, languages, about["features"], width, blocks)
            model.load_state_dict(state)
        except LSFError:
            raise
        except (OSError, KeyError, ValueError, RuntimeError, SafetensorError) as error:
            raise LSFError("bad_sounds", f"{path.name} is missing or damaged: reinstall the add-on.") from error
        if not all(bool(value.abs().max() < MAX_VALUE) for value in state.values()):
            raise LSFError("bad_sounds", f"{path.name} is damaged: reinstall the add-on.")
        return model.eval()

    def language_row(self, language: str) -> int:
        """Index of a language in `bigrams`: of its main name (en for en-GB), or of all together if it is unknown."""
        main = language.lower().replace("_", "-").split("-")[0]
        return self.languages.index(main) if main in self.languages else self.languages.index("")


def features_digest(model: LSF) -> str:
    """Return a digest of what makes a model's projected features: the backbone's end and the projection."""
    digest = hashlib.sha256(repr(model.config.motion_layers).encode())
    for name, value in sorted(model.state_dict().items()):
        if name.startswith("motion_norm.") or (name.startswith("motion_backbone.") and name.endswith("norm.weight")):
            digest.update(name.encode() + value.detach().cpu().half().numpy().tobytes())
    return digest.hexdigest()
