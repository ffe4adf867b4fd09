"""The lower layers of Whisper's encoder (Radford et al. 2022), from the waveform to hidden states.

The modules have the names of those in `transformers`, so that weights of either fit the other, and tests compare the
two. They are written here because importing `transformers` takes several times as long as importing torch.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..files.audio import SAMPLE_RATE
from .config import BackboneConfig
from .layers import sinusoids, split_heads
from .speech import HOP_LENGTH, STATISTICS_PIECE, padded_slice

# The mel scale of Slaney (Auditory Toolbox 1998): linear up to LINEAR_HZ, logarithmic above.
MEL_HZ = 200 / 3  # Hz of one mel in the linear part
LINEAR_HZ = 1000.0
LOG_STEP = math.log(6.4) / 27  # natural logarithm of the ratio of two frequencies that are one mel apart above that


def mel_filters(mels: int, bins: int, top: float) -> Tensor:
    """Make triangular filters whose edges are evenly spaced in mel, each with the area of 1 Hz.

    Args:
        mels: Number of filters.
        bins: Number of frequencies of the spectrum, evenly spaced from 0 to `top`.
        top: Highest frequency in Hz.

    Returns:
        (mels, bins) weights of the frequencies.
    """
    linear_mels = LINEAR_HZ / MEL_HZ
    top_mels = linear_mels + math.log(top / LINEAR_HZ) / LOG_STEP if top > LINEAR_HZ else top / MEL_HZ
    marks = torch.arange(mels + 2, dtype=torch.float64, device="cpu") * (top_mels / (mels + 1))
    above = LINEAR_HZ * torch.exp(LOG_STEP * (marks - linear_mels).clamp_min(0))
    edges = torch.where(marks < linear_mels, MEL_HZ * marks, above)[:, None]  # Hz
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    hertz = torch.arange(bins, dtype=torch.float64, device="cpu") * (top / (bins - 1))
    rise, fall = (hertz - low) / (centre - low), (high - hertz) / (high - centre)
    return (torch.minimum(rise, fall).clamp_min(0) * 2 / (high - low)).float()


class LogMel(nn.Module):
    """Whisper's log10 mel spectrogram before its normalisation: Hann windows of 25 ms."""

    WINDOW_LENGTH = SAMPLE_RATE // 40  # samples
    HOP_LENGTH = HOP_LENGTH // 2  # samples; the second convolution of Whisper halves the rate
    MAX_FREQUENCY = SAMPLE_RATE / 2  # Hz
    MIN_POWER = 1e-10

    filters: Tensor

    def __init__(self, mels: int):
        super().__init__()
        self.register_buffer("filters", mel_filters(mels, 1 + self.WINDOW_LENGTH // 2, self.MAX_FREQUENCY))

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
        window = torch.hann_window(self.WINDOW_LENGTH, dtype=audio.dtype, device=audio.device)
        spectrum = torch.stft(
            samples, self.WINDOW_LENGTH, self.HOP_LENGTH, window=window, center=False, return_complex=True
        )
        return (self.filters @ spectrum.abs().square()).clamp_min(self.MIN_POWER).log10()


class SelfAttention(nn.Module):
    """Attention of all frames to all frames. Keys have no bias: it would not change the softmax."""

    def __init__(self, size: int, heads: int):
        super().__init__()
        self.heads = heads
        self.k_proj = nn.Linear(size, size, bias=False)
        self.v_proj = nn.Linear(size, size)
        self.q_proj = nn.Linear(size, size)
        self.out_proj = nn.Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        """Transform x (B, F, C)."""
        queries = self.q_proj(x) * (x.shape[-1] // self.heads) ** -0.5
        q, k, v = (split_heads(part, self.heads) for part in (queries, self.k_proj(x), self.v_proj(x)))
        attended = F.scaled_dot_product_attention(q, k, v, scale=1.0)
        transformed: Tensor = self.out_proj(attended.transpose(1, 2).flatten(2))
        return transformed


class EncoderLayer(nn.Module):
    """Pre-norm self-attention and feed-forward layer: (B, F, C) -> same."""

    def __init__(self, config: BackboneConfig):
        super().__init__()
        self.self_attn = SelfAttention(config.hidden, config.heads)
        self.self_attn_layer_norm = nn.LayerNorm(config.hidden)
        self.fc1 = nn.Linear(config.hidden, config.mlp)
        self.fc2 = nn.Linear(config.mlp, config.hidden)
        self.final_layer_norm = nn.LayerNorm(config.hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Transform x (B, F, C)."""
        x = x + self.self_attn(self.self_attn_layer_norm(x))
        transformed: Tensor = x + self.fc2(F.gelu(self.fc1(self.final_layer_norm(x))))
        return transformed


class WhisperBackbone(nn.Module):
    """The lower layers of Whisper's encoder, frozen. It takes windows of any length up to `max_frames`.

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
        self.mel = LogMel(config.mels)
        self.conv1 = nn.Conv1d(config.mels, config.hidden, 3, padding=1)
        self.conv2 = nn.Conv1d(config.hidden, config.hidden, 3, stride=2, padding=1)
        self.embed_positions = nn.Embedding(config.positions, config.hidden)
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(layers))
        self.requires_grad_(False)
        self.embed_positions.weight.copy_(sinusoids(torch.arange(config.positions, device="cpu"), config.hidden))
        self.max_frames = config.positions

    def train(self, mode: bool = True) -> "WhisperBackbone":
        """Stay in inference mode: the backbone is always frozen."""
        return super().train(False)

    def load_encoder(self, state: dict[str, Tensor]) -> None:
        """Take the weights from the state of a `transformers` WhisperEncoder with as many layers or more."""
        positions = state["embed_positions.weight"][: self.max_frames]
        state = {**state, "embed_positions.weight": positions, "mel.filters": self.mel.filters}
        self.load_state_dict({name: state[name].float() for name in self.state_dict()})

    def clip_statistics(self, audio: Tensor, between: Callable[[], object] = lambda: None) -> Tensor:
        """Return the largest log10 mel value, a tensor (), of a clip (N,); `between` is called before each piece."""
        step = STATISTICS_PIECE // LogMel.HOP_LENGTH
        count = max(1, len(audio) // LogMel.HOP_LENGTH)
        peaks = []
        for at in range(0, count, step):
            between()
            peaks.append(self.mel(audio, at, min(step, count - at)).max())
        return torch.stack(peaks).max()

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
            x = layer(x)
            states.append(x[0])
        return states
