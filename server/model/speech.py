"""Speech backbones from `transformers`: 16 kHz audio becomes hidden states of chosen layers at 50 Hz.

Any part of a clip can be encoded by itself, so that a long clip is processed in windows. What a backbone needs to know
of the whole clip (its loudness) is measured once by `clip_statistics`, in pieces, with flat memory. Frame i of the
output is centred within 10 ms of i / 50 s. The clip may be shorter than the frames asked for: silence follows it.
Nothing is downloaded: weights are random until a checkpoint or `load_...` brings them.
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
from .config import BackboneConfig
from .layers import sinusoids

RATE = 16000
STEP = 320  # samples of one 50 Hz frame
PIECE = 60 * RATE  # samples that `clip_statistics` looks at in one go


def stretch(audio: Tensor, first: int, last: int) -> Tensor:
    """audio[first:last] (last - first,) with zeros wherever the clip has no samples."""
    inside = audio[max(first, 0) : max(last, 0)]
    before = min(max(-first, 0), last - first)
    return F.pad(inside, (before, last - first - before - len(inside)))


class LogMel(nn.Module):
    """Whisper's log10 mel spectrogram before its normalisation: 25 ms Hann windows every 10 ms."""

    WINDOW, HOP = 400, 160

    def __init__(self, mels: int):
        super().__init__()
        filters = mel_filter_bank(1 + self.WINDOW // 2, mels, 0.0, 8000.0, RATE, norm="slaney", mel_scale="slaney")
        self.register_buffer("filters", torch.from_numpy(filters.T.astype(np.float32)), persistent=False)
        self.register_buffer("window", torch.hann_window(self.WINDOW), persistent=False)

    def forward(self, audio: Tensor, first: int, count: int) -> Tensor:
        """Mel frames first … first + count - 1 of a clip (N,) -> (mels, count). Frame m is centred on sample 160 m."""
        half = self.WINDOW // 2
        start = first * self.HOP - half
        samples = stretch(audio, start, (first + count - 1) * self.HOP + half)
        if start < 0:  # the clip begins with its mirror image, as in Whisper
            samples = torch.cat((stretch(audio, 1, 1 - start).flip(0), samples[-start:]))
        spectrum = torch.stft(samples, self.WINDOW, self.HOP, window=self.window, center=False, return_complex=True)
        return (self.filters @ spectrum.abs().square()).clamp_min(1e-10).log10()


class WhisperBackbone(nn.Module):
    """The lower layers of Whisper's encoder, frozen. Unlike `WhisperEncoder` it takes windows of any length."""

    def __init__(self, config: BackboneConfig, layers: int):
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
        self.longest = config.positions

    def train(self, mode: bool = True):
        return super().train(False)  # always frozen

    def load_encoder(self, state: dict[str, Tensor]) -> None:
        """Take what is needed from the state of a `transformers` WhisperEncoder with as many layers or more."""
        state = {**state, "embed_positions.weight": state["embed_positions.weight"][: self.longest]}
        self.load_state_dict({name: state[name].float() for name in self.state_dict()})

    def clip_statistics(self, audio: Tensor) -> Tensor:
        """The clip's loudest mel value (): Whisper looks at the 80 dB below it."""
        step = PIECE // LogMel.HOP
        count = max(1, len(audio) // LogMel.HOP)
        return torch.stack([self.mel(audio, at, min(step, count - at)).max() for at in range(0, count, step)]).max()

    def forward(self, audio: Tensor, peak: Tensor, first: int, count: int) -> list[Tensor]:
        """Frames first … first + count - 1 of clip (N,) -> hidden states (count, hidden) of layers 1, 2, …"""
        mel = self.mel(audio, 2 * first, 2 * count)
        mel = (torch.maximum(mel, peak - 8) + 4) / 4
        x = F.gelu(self.conv1(mel[None]))
        x = F.gelu(self.conv2(x)).transpose(1, 2) + self.embed_positions.weight[:count]
        states = []
        for layer in self.layers:
            # transformers 4 asks for a head mask and may answer with a tuple; 5 ignores the one and drops the other.
            x = layer(x, attention_mask=None, layer_head_mask=None)
            x = x[0] if isinstance(x, tuple) else x
            states.append(x[0])
        return states


class Wav2Vec2ClassBackbone(nn.Module):
    """HuBERT, wav2vec 2.0 and their kin: transformers over convolutions on the layer-normalised waveform.

    A trainable one keeps its convolutions, feature projection and lowest layers, as the paper says; others are frozen.
    """

    FAMILIES = {"hubert": "Hubert", "wav2vec2": "Wav2Vec2"}

    def __init__(self, config: BackboneConfig, layers: int):
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
        self.longest = config.positions
        self.trainable = config.trainable
        frozen = [self.model]
        if config.trainable:
            frozen = [self.model.feature_extractor, self.model.feature_projection]
            frozen += self.model.encoder.layers[: config.frozen_layers]
        for module in frozen:
            module.requires_grad_(False)

    def train(self, mode: bool = True):
        return super().train(mode and self.trainable)

    def load_folder(self, folder: str | Path) -> None:
        """Weights from the user's own folder in `transformers`' form (config.json and model.safetensors)."""
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
        """The clip's mean and standard deviation (2,)."""
        pieces = audio.split(PIECE)
        mean = sum(piece.double().sum() for piece in pieces) / len(audio)
        variance = sum((piece.double() - mean).square().sum() for piece in pieces) / len(audio)
        return torch.stack((mean, (variance + 1e-7).sqrt())).float()

    def forward(self, audio: Tensor, level: Tensor, first: int, count: int) -> list[Tensor]:
        """Frames first … first + count - 1 of clip (N,) -> hidden states (count, hidden) of layers 1, 2, …"""
        # A frame looks at 400 samples and the next begins 320 later, so 80 more make exactly `count` of them.
        start = first * STEP - 40
        end = start + count * STEP + 80
        samples = stretch(
            (audio[max(start, 0) : max(end, 0)] - level[0]) / level[1], min(start, 0), end - max(start, 0)
        )
        states = self.model(samples[None], output_hidden_states=True).hidden_states
        return [state[0] for state in states[1:]]


def make_backbone(config: BackboneConfig, layers: int) -> WhisperBackbone | Wav2Vec2ClassBackbone:
    """A backbone with as many of its layers as are used."""
    return (WhisperBackbone if config.kind == "whisper" else Wav2Vec2ClassBackbone)(config, layers)
