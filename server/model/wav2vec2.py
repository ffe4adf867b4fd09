"""HuBERT, wav2vec 2.0 and the like, the backbones of the paper. They come from `transformers`, which only they need."""

from collections.abc import Callable
from pathlib import Path

import torch
import transformers
from torch import Tensor, nn

from ..errors import LSFError
from .config import BackboneConfig
from .layers import double
from .speech import HOP_LENGTH, STATISTICS_PIECE, padded_slice


class Wav2Vec2ClassBackbone(nn.Module):
    """Transformer layers over convolutions on the normalised waveform.

    In a trainable backbone, the convolutions, the feature projection and the lowest layers are frozen, as in the paper.
    Other backbones are frozen entirely.

    Attributes:
        max_frames: Longest window in frames at 50 Hz.
        trainable: Whether the upper layers are trained.
    """

    FAMILIES = {"hubert": "Hubert", "wav2vec2": "Wav2Vec2"}
    RECEPTIVE_FIELD = 400  # samples of the waveform that one frame depends on
    MIN_VARIANCE = 1e-7  # added to the variance of a clip, as in transformers' feature extractor

    def __init__(self, config: BackboneConfig, layers: int):
        """Make the encoder.

        Args:
            config: The configuration.
            layers: Number of transformer layers.
        """
        super().__init__()
        family = self.FAMILIES[config.kind]
        settings = getattr(transformers, f"{family}Config")(
            hidden_size=config.hidden,
            num_attention_heads=config.heads,
            intermediate_size=config.mlp,
            num_hidden_layers=layers,
            conv_dim=(config.conv,) * 7,
            mask_time_prob=0.0,
            mask_feature_prob=0.0,
            layerdrop=0.0,
        )
        self.model = getattr(transformers, f"{family}Model")(settings)
        self.max_frames = config.positions
        self.trainable = config.trainable
        frozen: list[nn.Module] = [self.model]
        if config.trainable:
            frozen = [self.model.feature_extractor, self.model.feature_projection]
            frozen += self.model.encoder.layers[: config.frozen_layers]
        for module in frozen:
            module.requires_grad_(False)

    def train(self, mode: bool = True) -> "Wav2Vec2ClassBackbone":
        """Set the mode; a frozen backbone stays in inference mode."""
        return super().train(mode and self.trainable)

    def load_folder(self, folder: str | Path) -> None:
        """Take the weights from a folder in the format of `transformers` (config.json and model.safetensors).

        Raises:
            LSFError: "bad_backbone" if the folder has no model, or a model of another kind or size.
        """
        folder = Path(folder)
        if not (folder / "model.safetensors").is_file():
            raise LSFError("bad_backbone", f"{folder} has no model.safetensors; give the folder of a downloaded model.")
        other = LSFError("bad_backbone", f"The model in {folder} is not of this configuration's kind and sizes.")
        try:
            loaded, report = type(self.model).from_pretrained(
                folder, config=self.model.config, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise other from error
        if report["missing_keys"]:
            raise other
        self.model.load_state_dict(loaded.state_dict())

    def clip_statistics(self, audio: Tensor, between: Callable[[], object] = lambda: None) -> Tensor:
        """Return mean and deviation (2,) of the samples of a clip (N,); `between` is called before each piece."""

        def mean_of(function: Callable[[Tensor], Tensor]) -> Tensor:
            sums = []
            for piece in audio.split(STATISTICS_PIECE):
                between()
                sums.append(function(double(piece)).sum())
            return torch.stack(sums).sum() / len(audio)

        mean = mean_of(lambda piece: piece)
        variance = mean_of(lambda piece: (piece - mean).square())
        return torch.stack((mean, (variance + self.MIN_VARIANCE).sqrt())).float().to(audio.device)

    def forward(self, audio: Tensor, level: Tensor, first: int, count: int) -> list[Tensor]:
        """Encode a window of a clip.

        Args:
            audio: (N,) the whole clip at 16 kHz.
            level: Result of `clip_statistics`.
            first: First frame of the window at 50 Hz.
            count: Frames of the window.

        Returns:
            Hidden states (count, hidden) of layers 1, 2, …
        """
        # The receptive field is centred on its frame; the samples give exactly `count` frames.
        overlap = self.RECEPTIVE_FIELD - HOP_LENGTH
        start = first * HOP_LENGTH - overlap // 2
        end = start + count * HOP_LENGTH + overlap
        samples = padded_slice(
            (audio[max(start, 0) : max(end, 0)] - level[0]) / level[1], min(start, 0), end - max(start, 0)
        )
        states = self.model(samples[None], output_hidden_states=True).hidden_states
        return [state[0] for state in states[1:]]
