"""What HuBERT, wav2vec 2.0 and emotion2vec share: they hear the normalised waveform, and training splits them in two.

`frozen_features` is all that never changes while training, so it is computed once for a clip and cached
(`server.training.paper.features`). `trained_layers` is the rest, in batches with masks. `forward` is both together.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..errors import LSFError
from .config import BackboneConfig
from .layers import double
from .speech import HOP_LENGTH, STATISTICS_PIECE, padded_slice

# Of the seven convolutions; all three architectures have those of wav2vec 2.0 (Baevski et al. 2020).
KERNELS, STRIDES = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)
RECEPTIVE_FIELD = 400  # samples of the waveform that one frame depends on


@dataclass(frozen=True)
class PublishedFile:
    """A file of weights of which only names, shapes and settings were read.

    Attributes:
        path: The file.
        settings: What config.json beside it says; empty if there is none.
        shapes: Shape of each tensor.
        read: Returns a tensor by its name, on the CPU.
    """

    path: Path
    settings: Mapping[str, Any]
    shapes: Mapping[str, tuple[int, ...]]
    read: Callable[[str], Tensor]


class WaveformBackbone(nn.Module, ABC):
    """Convolutions on the normalised waveform, and transformer layers over them, numbered from 1.

    Attributes:
        max_frames: Longest window in frames at 50 Hz.
        trainable: Whether the upper layers are trained.
        wanted: The layers that `trained_layers` gives, in ascending order.
        depth: Number of layers: the highest that is wanted.
        feature_size: C0, channels of `frozen_features`.
        cached: The modules on which `frozen_features` depends.
        layout: What `frozen_features` holds, as text.
    """

    MIN_VARIANCE: ClassVar[float]
    """Added to the variance of a clip when its samples are normalised."""

    feature_size: int
    cached: list[nn.Module]
    layout: str

    def __init__(self, config: BackboneConfig, layers: Sequence[int]):
        """Prepare what the kinds share.

        Args:
            config: The configuration.
            layers: The layers that are wanted.
        """
        super().__init__()
        self.config = config
        self.max_frames = config.positions
        self.trainable = config.trainable
        self.wanted = tuple(sorted(set(layers)))
        self.depth = self.wanted[-1]

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

    @abstractmethod
    def convolve(self, samples: Tensor) -> Tensor:
        """Return the convolutions' output (1, T, conv) for normalised samples (S,)."""

    @abstractmethod
    def states(self, features: Tensor) -> list[Tensor]:
        """Return the hidden states (1, T, hidden) of layers 0, 1, … for the convolutions' output (1, T, conv).

        Layer 0 is the input of the first layer.
        """

    @abstractmethod
    def trained_layers(self, features: Tensor, mask: Tensor | None = None) -> list[Tensor]:
        """Compute what is left after `frozen_features`, for a batch.

        Args:
            features: (B, T, C0) results of `frozen_features`, padded at their ends with any finite numbers.
            mask: (B, T) true on the valid frames of a clip, which come first; None: all are.

        Returns:
            Hidden states (B, T, hidden) of the `wanted` layers. Valid frames are as of the clip alone.
        """

    @abstractmethod
    def published_names(self, file: PublishedFile) -> dict[str, str]:
        """Compare a published file with this backbone by names, shapes and settings alone.

        Args:
            file: The file.

        Returns:
            The name in the file of each weight of this backbone that is taken from there.

        Raises:
            LSFError: "bad_backbone" if the file holds another kind of model, or one of another size.
        """

    def load(self, file: PublishedFile) -> None:
        """Take the weights from a published model.

        Args:
            file: The file (`server.training.paper.published`).

        Raises:
            LSFError: "bad_backbone" if it is of another kind or size, or has numbers that are not finite.
        """
        own = self.state_dict()
        weights = {}
        for name, published in self.published_names(file).items():
            weights[name] = file.read(published).reshape(own[name].shape)
            if not weights[name].sum().isfinite():
                raise LSFError("bad_backbone", f"{published} in {file.path} holds numbers that are not finite.")
        for name, weight in weights.items():
            own[name].copy_(weight)

    def window_features(self, audio: Tensor, level: Tensor, first: int, count: int) -> Tensor:
        """Return the convolutions' output (1, count, conv) for a window; arguments as of `forward`."""
        # The receptive field is centred on its frame; the samples give exactly `count` frames.
        overlap = RECEPTIVE_FIELD - HOP_LENGTH
        start = first * HOP_LENGTH - overlap // 2
        end = start + count * HOP_LENGTH + overlap
        samples = padded_slice(
            (audio[max(start, 0) : max(end, 0)] - level[0]) / level[1], min(start, 0), end - max(start, 0)
        )
        return self.convolve(samples)

    @torch.no_grad()
    def frozen_features(self, audio: Tensor, level: Tensor, first: int, count: int) -> Tensor:
        """Compute all that never changes while training: here the wanted layers, side by side.

        Args:
            audio: (N,) the whole clip at 16 kHz.
            level: Result of `clip_statistics`.
            first: First frame of the window at 50 Hz.
            count: Frames of the window.

        Returns:
            (count, C0).
        """
        states = self.states(self.window_features(audio, level, first, count))
        return torch.cat([states[layer][0] for layer in self.wanted], -1)

    def side_by_side(self, states: Sequence[Tensor], layers: Sequence[int]) -> Tensor:
        """Concatenate some of the states that `trained_layers` gave.

        Args:
            states: Hidden states (B, T, hidden) of the `wanted` layers.
            layers: Layers, all of them wanted.

        Returns:
            (B, T, hidden · number of layers).
        """
        return torch.cat([states[self.wanted.index(layer)] for layer in layers], -1)

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
        return [state[0] for state in self.states(self.window_features(audio, level, first, count))[1:]]


def check_kind(file: PublishedFile, kind: str) -> None:
    """Refuse a published file that says, by its config.json or its names, that it holds another kind of model.

    Args:
        file: The file.
        kind: "hubert", "wav2vec2" or "emotion2vec".

    Raises:
        LSFError: "bad_backbone".
    """
    told = {str(file.settings["model_type"])} if "model_type" in file.settings else set()
    for prefix, other in NAMES_OF_KINDS.items():
        if any(re.match(prefix, name) for name in file.shapes):
            told.add(other)
    for other in sorted(told):
        if other != kind:
            raise LSFError(
                "bad_backbone", f"{file.path} holds a model of the kind {other}, but {kind} is needed: give that one."
            )
    if not told:
        raise LSFError(
            "bad_backbone",
            f"{file.path} does not say which kind of model it holds: give the folder with its config.json.",
        )


NAMES_OF_KINDS = {
    r"hubert\.": "hubert",
    r"wav2vec2\.": "wav2vec2",
    r"(.*\.)?modality_encoders\.AUDIO\.": "emotion2vec",
    r"data2vec_audio\.": "data2vec-audio",
    r"(model\.)?(encoder\.)?conv1\.weight": "whisper",
}
"""Beginnings of the names of weights, as regular expressions, that only one kind of model has."""


def match_shapes(
    file: PublishedFile, names: Mapping[str, str], weights: Mapping[str, Tensor], kind: str
) -> dict[str, str]:
    """Return the published name of each weight, if all are there and of the right size.

    Args:
        file: The published file.
        names: Our name of each published one.
        weights: The weights that are needed, by our names.
        kind: What is needed, for the message.

    Returns:
        The published name of each of ours.

    Raises:
        LSFError: "bad_backbone" if one is missing or of another size.
    """
    published = {ours: theirs for theirs, ours in names.items() if ours in weights}
    for ours, weight in weights.items():
        if ours not in published:
            raise LSFError("bad_backbone", f"{file.path} is no {kind} model: it lacks the weight {ours}.")
        shape = file.shapes[published[ours]]
        if shape != tuple(weight.shape):
            sizes = f"{published[ours]} has the shape {shape} instead of {tuple(weight.shape)}"
            raise LSFError("bad_backbone", f"{file.path} holds a {kind} model of another size: {sizes}.")
    return published
