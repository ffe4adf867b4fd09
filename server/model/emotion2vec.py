"""emotion2vec base (Ma et al. 2023, arXiv 2312.15185): the audio encoder of data2vec 2.0 (Baevski et al. 2022).

    normalised waveform -> 7 convolutions with layer norm -> projection -> + 5 convolutions as relative positions
    -> 10 extra tokens before the frames -> layer norm -> 4 + 8 transformer layers, post-norm, attention with ALiBi

data2vec 2.0 keeps the first four layers ("prenet") and the other eight apart because other inputs may share the latter.
They are of one kind, so here they are layers 1 to 12. Written from the two papers and the published file's names and
shapes; compared with an independent implementation (docs/paper.md).
"""

import math
import re
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import LSFError
from .config import BackboneConfig
from .waveform import KERNELS, STRIDES, PublishedFile, WaveformBackbone, check_kind, match_shapes

PRENET_LAYERS = 4
EXTRA_TOKENS = 10
POSITION_CONVS, POSITION_WIDTH, POSITION_GROUPS = 5, 95, 16  # the width in frames is shared by the convolutions
ATTENTION_ROWS = 512  # queries whose biases are in memory at once; those of all would take 11 GB for 5 minutes
AUDIO = r"modality_encoders\.AUDIO\."  # begins the names of all that data2vec 2.0 has for sound alone
NAMES = {
    rf"{AUDIO}local_encoder\.conv_layers\.(\d+)\.0\.weight": r"convolutions.\1.conv.weight",
    rf"{AUDIO}local_encoder\.conv_layers\.(\d+)\.2\.1\.(weight|bias)": r"convolutions.\1.norm.\2",
    rf"{AUDIO}project_features\.1\.(weight|bias)": r"projection.0.\1",
    rf"{AUDIO}project_features\.2\.(weight|bias)": r"projection.1.\1",
    rf"{AUDIO}(extra_tokens|alibi_scale)": r"\1",
    rf"{AUDIO}context_encoder\.norm\.(weight|bias)": r"norm.\1",
}
"""Our names of the published ones, as regular expressions; those with a number to be shifted are in `our_name`."""
POSITION_NAME = re.compile(rf"{AUDIO}relative_positional_encoder\.(\d+)\.0\.(weight|bias)")
LAYER_NAME = re.compile(rf"({AUDIO}context_encoder\.)?blocks\.(\d+)\.(attn\.\w+|mlp\.\w+|norm\d)\.(weight|bias)")
LAYER_PARTS = {
    "attn.qkv": "qkv",
    "attn.proj": "out",
    "norm1": "attention_norm",
    "mlp.fc1": "up",
    "mlp.fc2": "down",
    "norm2": "mlp_norm",
}
ENCODER_NAME = re.compile(rf"{AUDIO}(?!decoder\.)|blocks\.|norm\.")
"""Names of what the encoder computes with; others belong to the pretraining or to a task."""


class FrameConvolution(nn.Module):
    """Convolution, layer norm of each frame, GELU: (B, T, C) -> (B, T', out)."""

    def __init__(self, conv: nn.Conv1d, scaled: bool):
        """Make the layer.

        Args:
            conv: The convolution.
            scaled: Whether the norm has learned scales.
        """
        super().__init__()
        self.conv = conv
        self.norm = nn.LayerNorm(conv.out_channels, elementwise_affine=scaled)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve x (B, T, C)."""
        return F.gelu(self.norm(self.conv(x.transpose(1, 2)).transpose(1, 2)))


class Alibi:
    """Attention with linear biases: minus the distance of two frames, by the slope of the head; 0 for extra tokens.

    The tokens come before the frames.
    """

    def __init__(self, slopes: Tensor, frames: int):
        """Prepare the biases.

        Args:
            slopes: (heads,).
            frames: T.
        """
        self.slopes, self.frames = slopes, frames
        self.first = self._rows(0)  # all of them for up to 10 s, used by every layer

    def rows(self, first: int) -> Tensor:
        """Return the biases (1, heads, n, EXTRA_TOKENS + T) of up to ATTENTION_ROWS queries from `first` on."""
        return self._rows(first) if first else self.first

    def _rows(self, first: int) -> Tensor:
        tokens = torch.arange(EXTRA_TOKENS + self.frames, device=self.slopes.device, dtype=self.slopes.dtype)
        queries = tokens[first : first + ATTENTION_ROWS, None]
        nearness = (queries - tokens).abs_().neg_()
        nearness[:, :EXTRA_TOKENS] = 0
        nearness[: max(EXTRA_TOKENS - first, 0)] = 0
        return (self.slopes[:, None, None] * nearness)[None]


class Block(nn.Module):
    """Transformer layer with the norms after the sums."""

    def __init__(self, hidden: int, heads: int, mlp: int):
        """Make the layer; arguments as in `BackboneConfig`."""
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(hidden, 3 * hidden)
        self.out = nn.Linear(hidden, hidden)
        self.attention_norm = nn.LayerNorm(hidden)
        self.up = nn.Linear(hidden, mlp)
        self.down = nn.Linear(mlp, hidden)
        self.mlp_norm = nn.LayerNorm(hidden)

    def forward(self, x: Tensor, bias: "Alibi") -> Tensor:
        """Compute the layer.

        Args:
            x: (B, T, hidden).
            bias: Of the logits of the attention.

        Returns:
            (B, T, hidden).
        """
        queries, keys, values = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        pieces = [
            F.scaled_dot_product_attention(piece, keys, values, attn_mask=bias.rows(ATTENTION_ROWS * number))
            for number, piece in enumerate(queries.split(ATTENTION_ROWS, 2))
        ]
        heard = torch.cat(pieces, 2)
        x = self.attention_norm(x + self.out(heard.transpose(1, 2).flatten(2)))
        normed: Tensor = self.mlp_norm(x + self.down(F.gelu(self.up(x))))
        return normed


class Emotion2VecBackbone(WaveformBackbone):
    """The encoder, always frozen."""

    MIN_VARIANCE = 1e-5  # of torch's layer norm, with which emotion2vec normalises the waveform

    def __init__(self, config: BackboneConfig, layers: Sequence[int]):
        """Make the encoder with random weights.

        Args:
            config: The configuration.
            layers: The layers that are wanted; 1 to 4 are the prenet.
        """
        super().__init__(config, layers)
        hidden, sizes = config.hidden, [1, *[config.conv] * len(KERNELS)]
        self.convolutions = nn.ModuleList(
            FrameConvolution(nn.Conv1d(size, config.conv, kernel, stride, bias=False), scaled=True)
            for size, kernel, stride in zip(sizes, KERNELS, STRIDES, strict=False)
        )
        self.projection = nn.Sequential(nn.LayerNorm(config.conv), nn.Linear(config.conv, hidden))
        kernel = POSITION_WIDTH // POSITION_CONVS
        self.positions = nn.Sequential(
            *(
                FrameConvolution(
                    nn.Conv1d(hidden, hidden, kernel, padding=kernel // 2, groups=POSITION_GROUPS), scaled=False
                )
                for _ in range(POSITION_CONVS)
            )
        )
        self.extra_tokens = nn.Parameter(nn.init.normal_(torch.empty(1, EXTRA_TOKENS, hidden)))
        self.alibi_scale = nn.Parameter(torch.ones(1, 1, config.heads, 1, 1))
        self.norm = nn.LayerNorm(hidden)
        self.layers = nn.ModuleList(Block(hidden, config.heads, config.mlp) for _ in range(self.depth))
        self.feature_size = hidden * len(self.wanted)
        self.cached = [self]
        self.layout = f"layers {self.wanted}"
        self.requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> "Emotion2VecBackbone":
        """Stay in inference mode, whatever the mode."""
        return super().train(False)

    def convolve(self, samples: Tensor) -> Tensor:
        """Return the convolutions' output (1, T, conv) for normalised samples (S,)."""
        x = samples[None, :, None]
        for convolution in self.convolutions:
            x = convolution(x)
        return x

    def states(self, features: Tensor) -> list[Tensor]:
        """Return the hidden states (1, T, hidden) of layers 0, 1, … for the convolutions' output (1, T, conv)."""
        x = self.projection(features)
        x = x + self.positions(x)
        x = self.norm(torch.cat((self.extra_tokens, x), 1))
        slopes = x.new_tensor(alibi_slopes(self.config.heads)) * self.alibi_scale.clamp_min(0).flatten()
        bias = Alibi(slopes, features.shape[1])
        states = [x[:, EXTRA_TOKENS:]]
        for layer in self.layers:
            x = layer(x, bias)
            states.append(x[:, EXTRA_TOKENS:])
        return states

    def trained_layers(self, features: Tensor, mask: Tensor | None = None) -> list[Tensor]:
        """Divide the features (B, T, C0) of `frozen_features` into the wanted layers; nothing is trained."""
        return list(features.split(self.config.hidden, -1))

    def published_names(self, file: PublishedFile) -> dict[str, str]:
        """Compare a published file with this backbone; see `WaveformBackbone.published_names`.

        The file is fairseq's `emotion2vec_base.pt`, or has the same names. The decoder and the teacher of the
        pretraining, and a classifier on top, are not needed.
        """
        check_kind(file, "emotion2vec")
        weights = self.state_dict()
        names = {}
        for name in file.shapes:
            ours = our_name(name)
            if ours is not None:
                names[name] = ours
            elif ENCODER_NAME.match(name):
                raise LSFError("bad_backbone", f"{file.path} is no emotion2vec base model: that has no {name}.")
            if ours == "alibi_scale" and len(file.shapes[name]) == 4:  # early files lack the dimension of layers
                weights[ours] = weights[ours][0]
        return match_shapes(file, names, weights, "emotion2vec base")


def our_name(published: str) -> str | None:
    """Return the name that a published weight has here; None if the encoder has no such weight."""
    for pattern, name in NAMES.items():
        if match := re.fullmatch(pattern, published):
            return match.expand(name)
    if match := POSITION_NAME.fullmatch(published):
        return f"positions.{int(match[1]) - 1}.conv.{match[2]}"
    match = LAYER_NAME.fullmatch(published)
    if not match or match[3] not in LAYER_PARTS or (match[1] and int(match[2]) >= PRENET_LAYERS):
        return None
    layer = int(match[2]) + (0 if match[1] else PRENET_LAYERS)
    return f"layers.{layer}.{LAYER_PARTS[match[3]]}.{match[4]}"


def alibi_slopes(heads: int) -> list[float]:
    """Return the slope of each head (Press et al. 2021): 2^(−8 i / n) for a power of two n.

    Other numbers of heads have those of the power of two below, then every second one of the power of two above.
    """
    below: int = 2 ** math.floor(math.log2(heads))
    slopes = [2 ** (-8 * i / below) for i in range(1, below + 1)]
    return slopes + [2 ** (-4 * i / below) for i in range(1, 2 * (heads - below), 2)]
