"""Speech backbones from `transformers`: 16 kHz audio to hidden states of chosen layers at 50 Hz.

Any part of a clip can be encoded separately, so that a long clip is processed in windows. `clip_statistics` measures
once what depends on the whole clip (its loudness), in pieces, with constant memory. Frame i of the output is centred
within 10 ms of i / 50 s. A clip that is shorter than the requested frames is padded with silence. Nothing is
downloaded: weights are random until a checkpoint or a `load_` method sets them.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import transformers
from torch import Tensor, nn
from transformers.audio_utils import mel_filter_bank
from transformers.models.whisper.modeling_whisper import WhisperEncoderLayer

from ..errors import LSFError
from ..files.audio import SAMPLE_RATE
from .config import FEATURE_RATE, BackboneConfig
from .layers import double, sinusoids

HOP_LENGTH = SAMPLE_RATE // FEATURE_RATE  # samples of one feature frame
STATISTICS_PIECE = 60 * SAMPLE_RATE  # samples that `clip_statistics` processes at a time


def padded_slice(audio: Tensor, first: int, last: int) -> Tensor:
    """Return audio[first:last] of a clip (N,), with zeros where the clip has no samples; `first` may be negative."""
    inside = audio[max(first, 0) : max(last, 0)]
    before = min(max(-first, 0), last - first)
    return F.pad(inside, (before, last - first - before - len(inside)))


class LogMel(nn.Module):
    """Whisper's log10 mel spectrogram before its normalisation (Radford et al. 2022): Hann windows of 25 ms."""

    WINDOW_LENGTH = SAMPLE_RATE // 40  # samples
    HOP_LENGTH = HOP_LENGTH // 2  # samples; the second convolution of Whisper halves the rate
    MAX_FREQUENCY = SAMPLE_RATE / 2  # Hz
    MIN_POWER = 1e-10

    filters: Tensor
    window: Tensor

    def __init__(self, mels: int):
        super().__init__()
        filters = mel_filter_bank(
            1 + self.WINDOW_LENGTH // 2,
            mels,
            0.0,
            self.MAX_FREQUENCY,
            SAMPLE_RATE,
            norm="slaney",
            mel_scale="slaney",
        )
        self.register_buffer("filters", torch.from_numpy(filters.T.astype(np.float32)), persistent=False)
        self.register_buffer("window", torch.hann_window(self.WINDOW_LENGTH), persistent=False)

    def forward(self, audio: Tensor, first: int, count: int) -> Tensor:
        """Compute mel frames of a clip.

        Args:
            audio: (N,) the whole clip at 16 kHz.
            first: First mel frame; frame m is centred on sample m · HOP_LENGTH.
            count: Number of mel frames.

        Returns:
            (mels, count) log10 power.
        """
        half = self.WINDOW_LENGTH // 2
        start = first * self.HOP_LENGTH - half
        samples = padded_slice(audio, start, (first + count - 1) * self.HOP_LENGTH + half)
        if start < 0:  # the clip is reflected at its start, as in Whisper
            samples = torch.cat((padded_slice(audio, 1, 1 - start).flip(0), samples[-start:]))
        spectrum = torch.stft(
            samples, self.WINDOW_LENGTH, self.HOP_LENGTH, window=self.window, center=False, return_complex=True
        )
        return (self.filters @ spectrum.abs().square()).clamp_min(self.MIN_POWER).log10()


class WhisperBackbone(nn.Module):
    """The lower layers of Whisper's encoder, frozen. Unlike `WhisperEncoder` it takes windows of any length.

    Attributes:
        max_frames: Longest window in frames at 50 Hz.
    """

    DYNAMIC_RANGE = 8  # log10 units (80 dB) below the clip's peak; Whisper clips quieter values

    def __init__(self, config: BackboneConfig, layers: int):
        """Make the encoder.

        Args:
            config: The configuration.
            layers: Number of transformer layers.
        """
        super().__init__()
        settings = transformers.WhisperConfig(
            d_model=config.hidden,
            encoder_attention_heads=config.heads,
            encoder_ffn_dim=config.mlp,
            encoder_layers=layers,
            num_mel_bins=config.mels,
            max_source_positions=config.positions,
            dropout=0.0,
            attention_dropout=0.0,
            activation_dropout=0.0,
            attn_implementation="sdpa",
        )
        self.mel = LogMel(config.mels)
        self.conv1 = nn.Conv1d(config.mels, config.hidden, 3, padding=1)
        self.conv2 = nn.Conv1d(config.hidden, config.hidden, 3, stride=2, padding=1)
        self.embed_positions = nn.Embedding(config.positions, config.hidden)
        self.layers = nn.ModuleList(WhisperEncoderLayer(settings) for _ in range(layers))
        self.requires_grad_(False)
        self.embed_positions.weight.copy_(sinusoids(torch.arange(config.positions), config.hidden))
        self.max_frames = config.positions

    def train(self, mode: bool = True) -> "WhisperBackbone":
        """Stay in inference mode: the backbone is always frozen."""
        return super().train(False)

    def load_encoder(self, state: dict[str, Tensor]) -> None:
        """Take the weights from the state of a `transformers` WhisperEncoder with as many layers or more."""
        state = {**state, "embed_positions.weight": state["embed_positions.weight"][: self.max_frames]}
        self.load_state_dict({name: state[name].float() for name in self.state_dict()})

    def clip_statistics(self, audio: Tensor) -> Tensor:
        """Return the largest log10 mel value, a tensor (), of a clip (N,)."""
        step = STATISTICS_PIECE // LogMel.HOP_LENGTH
        count = max(1, len(audio) // LogMel.HOP_LENGTH)
        return torch.stack([self.mel(audio, at, min(step, count - at)).max() for at in range(0, count, step)]).max()

    def forward(self, audio: Tensor, peak: Tensor, first: int, count: int) -> list[Tensor]:
        """Encode a window of a clip.

        Args:
            audio: (N,) the whole clip at 16 kHz.
            peak: Result of `clip_statistics`.
            first: First frame of the window at 50 Hz.
            count: Frames of the window.

        Returns:
            Hidden states (count, hidden) of layers 1, 2, …
        """
        mel = self.mel(audio, 2 * first, 2 * count)
        mel = (torch.maximum(mel, peak - self.DYNAMIC_RANGE) + 4) / 4  # Whisper's normalisation
        x = F.gelu(self.conv1(mel[None]))
        x = F.gelu(self.conv2(x)).transpose(1, 2) + self.embed_positions.weight[:count]
        states = []
        for layer in self.layers:
            # transformers 4 requires a head mask and may return a tuple; 5 ignores the mask and returns a tensor.
            x = layer(x, attention_mask=None, layer_head_mask=None)
            x = x[0] if isinstance(x, tuple) else x
            states.append(x[0])
        return states


class Wav2Vec2ClassBackbone(nn.Module):
    """HuBERT, wav2vec 2.0 and the like: transformer layers over convolutions on the normalised waveform.

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

    def clip_statistics(self, audio: Tensor) -> Tensor:
        """Return mean and standard deviation (2,) of the samples of a clip (N,)."""
        pieces = audio.split(STATISTICS_PIECE)
        mean = torch.stack([double(piece).sum() for piece in pieces]).sum() / len(audio)
        variance = torch.stack([(double(piece) - mean).square().sum() for piece in pieces]).sum() / len(audio)
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


def make_backbone(config: BackboneConfig, layers: int) -> WhisperBackbone | Wav2Vec2ClassBackbone:
    """Make a backbone of the kind of its configuration, with the lowest `layers` layers."""
    return (WhisperBackbone if config.kind == "whisper" else Wav2Vec2ClassBackbone)(config, layers)
