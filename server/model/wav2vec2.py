"""HuBERT and wav2vec 2.0, the backbones of the paper. They come from `transformers`, which only they need."""

import re
from collections.abc import Sequence

import torch
import transformers
from torch import Tensor, nn

from ..errors import LSFError
from .config import BackboneConfig
from .waveform import KERNELS, PublishedFile, WaveformBackbone, check_kind, match_shapes

# SpecAugment over time, with the values of HuBERT base's own config.json, as the released code has it.
SPAN_SHARE = 0.05  # of the frames are the start of a span, divided by the span's length
SPAN = 10  # frames of a span
LEAST_SPANS = 2  # in a clip
MOST_SPANS = 64  # in a clip: the draws of a clip must not depend on its batch's length; reached at 4 minutes

HEADS = re.compile(r"(?!feature_extractor\.|feature_projection\.|encoder\.|masked_spec_embed$)")
"""Names of weights that belong to a head for pretraining or a task."""
SETTINGS = (
    "hidden_size num_attention_heads intermediate_size conv_dim conv_kernel conv_stride conv_bias feat_extract_norm "
    "feat_extract_activation feat_proj_layer_norm num_conv_pos_embeddings num_conv_pos_embedding_groups "
    "conv_pos_batch_norm do_stable_layer_norm hidden_act layer_norm_eps"
).split()
"""Settings of a config.json that change what the layers compute."""


class Wav2Vec2ClassBackbone(WaveformBackbone):
    """Transformer layers over convolutions on the normalised waveform, post-norm, with convolutional positions.

    In a trainable backbone, the convolutions, the feature projection and the lowest layers are frozen, as in the paper.
    With them, the positions and the norm before the layers are frozen, unless SpecAugment masks the projected features:
    then everything above the convolutions depends on the draws, the features are those of the convolutions, and the
    positions are trained, as in the released code. Other backbones are frozen entirely. What is frozen has no dropout.
    """

    FAMILIES = {"hubert": "Hubert", "wav2vec2": "Wav2Vec2"}
    MIN_VARIANCE = 1e-7  # as in transformers' feature extractor

    def __init__(self, config: BackboneConfig, layers: Sequence[int]):
        """Make the encoder.

        Args:
            config: The configuration.
            layers: The layers that are wanted.
        """
        super().__init__(config, layers)
        family = self.FAMILIES[config.kind]
        settings = getattr(transformers, f"{family}Config")(
            hidden_size=config.hidden,
            num_attention_heads=config.heads,
            intermediate_size=config.mlp,
            num_hidden_layers=self.depth,
            conv_dim=(config.conv,) * len(KERNELS),
            mask_time_prob=SPAN_SHARE if config.spec_augment else 0.0,
            mask_feature_prob=0.0,
        )
        self.model = getattr(transformers, f"{family}Model")(settings)
        encoder = self.model.encoder
        below = [self.model.feature_extractor, self.model.feature_projection]
        positions = [encoder.pos_conv_embed, encoder.layer_norm, encoder.dropout]
        fixed = min(config.frozen_layers, self.depth) if config.trainable else self.depth
        # Layers below which everything is fixed; None: only the convolutions are.
        self.split = None if config.spec_augment else fixed
        self.frozen: list[nn.Module] = [*below, *encoder.layers[:fixed]]
        if self.split is None:
            self.feature_size = config.conv
            self.cached = [self.model.feature_extractor]
            self.layout = "convolutions"
        else:
            self.frozen += positions
            self.cached = self.frozen
            kept = {layer for layer in self.wanted if layer <= fixed}
            self.kept = tuple(sorted(kept | {fixed} if config.trainable else kept))  # layers in `frozen_features`
            self.feature_size = config.hidden * len(self.kept)
            self.layout = f"layers {self.kept}"
        for module in self.frozen if config.trainable else [self.model]:
            module.requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> "Wav2Vec2ClassBackbone":
        """Set the mode; what is frozen stays in inference mode."""
        super().train(mode and self.trainable)
        for module in self.frozen:
            module.eval()
        return self

    def convolve(self, samples: Tensor) -> Tensor:
        """Return the convolutions' output (1, T, conv) for normalised samples (S,)."""
        features: Tensor = self.model.feature_extractor(samples[None])
        return features.transpose(1, 2)

    def _embed(self, features: Tensor, mask: Tensor | None) -> Tensor:
        """Project the convolutions' output (B, T, conv) and add positions: the input (B, T, hidden) of layer 1."""
        x = self.model.feature_projection(features)
        x = x[0] if isinstance(x, tuple) else x  # wav2vec 2.0 also gives the normalised features
        if self.config.spec_augment and self.training:
            spans = span_mask(x.shape[1], x.new_ones(x.shape[:2]) > 0 if mask is None else mask)
            x = torch.where(spans[..., None], self.model.masked_spec_embed.to(x.dtype), x)
        if mask is not None:  # beyond its end, a clip alone has the zeros of the convolutions' padding
            x = x.masked_fill(~mask[..., None], 0)
        encoder = self.model.encoder
        embedded: Tensor = encoder.dropout(encoder.layer_norm(x + encoder.pos_conv_embed(x)))
        return embedded

    def _run(self, x: Tensor, mask: Tensor | None, first: int, last: int) -> list[Tensor]:
        """Return x (B, T, hidden), the output of layer `first`, and the outputs of the layers above it up to `last`."""
        hidden_keys = None
        if mask is not None:
            hidden_keys = torch.zeros_like(mask, dtype=x.dtype).masked_fill(~mask, torch.finfo(x.dtype).min)
            hidden_keys = hidden_keys[:, None, None]
        states = [x]
        for number in range(first, last):
            y = self.model.encoder.layers[number](x, attention_mask=hidden_keys)
            y = y[0] if isinstance(y, tuple) else y  # transformers below 5 returns a tuple
            if self.training and self.config.layer_drop and number >= (self.split or 0):
                kept = torch.rand(len(x), device=x.device) >= self.config.layer_drop
                y = torch.where(kept[:, None, None], y, x)
            x = y
            states.append(x)
        return states

    def states(self, features: Tensor) -> list[Tensor]:
        """Return the hidden states (1, T, hidden) of layers 0, 1, … for the convolutions' output (1, T, conv)."""
        return self._run(self._embed(features, None), None, 0, self.depth)

    @torch.no_grad()
    def frozen_features(self, audio: Tensor, level: Tensor, first: int, count: int) -> Tensor:
        """Compute all that never changes while training.

        That is the output of the convolutions, or of the highest frozen layer, with the wanted layers below it before.

        Args:
            audio: (N,) the whole clip at 16 kHz.
            level: Result of `clip_statistics`.
            first: First frame of the window at 50 Hz.
            count: Frames of the window.

        Returns:
            (count, C0).
        """
        features = self.window_features(audio, level, first, count)
        if self.split is None:
            return features[0]
        states = self._run(self._embed(features, None), None, 0, self.split)
        return torch.cat([states[layer][0] for layer in self.kept], -1)

    def trained_layers(self, features: Tensor, mask: Tensor | None = None) -> list[Tensor]:
        """Compute the layers above the frozen ones; see `WaveformBackbone.trained_layers`."""
        if self.split is None:
            states = self._run(self._embed(features, mask), mask, 0, self.depth)
            return [states[layer] for layer in self.wanted]
        given = dict(zip(self.kept, features.split(self.config.hidden, -1), strict=True))
        if self.split < self.depth:
            given |= enumerate(self._run(given[self.split], mask, self.split, self.depth), self.split)
        return [given[layer] for layer in self.wanted]

    def published_names(self, file: PublishedFile) -> dict[str, str]:
        """Compare a published file with this backbone; see `WaveformBackbone.published_names`.

        The names may begin with the kind ("hubert."), and the weight norm of the positions may have the names of torch
        1 (weight_g, weight_v) or torch 2. Heads for pretraining are not needed, nor layers above the wanted ones.
        """
        kind = self.config.kind
        check_kind(file, kind)
        self._check_settings(file)
        weights = self.state_dict()
        names = {}
        for name in file.shapes:
            ours = name.removeprefix(f"{kind}.")
            if HEADS.match(ours):
                continue
            for old, new in WEIGHT_NORM.items():
                if f"model.{ours}" not in weights:
                    ours = ours.replace(old, new)
            names[name] = f"model.{ours}"
        needed = {
            name: weight
            for name, weight in weights.items()
            if name != "model.masked_spec_embed" or name in names.values()  # some files lack what only training uses
        }
        return match_shapes(file, names, needed, kind)

    def _check_settings(self, file: PublishedFile) -> None:
        """Raise LSFError if the config.json of a file says that its layers compute something else than ours."""
        if not file.settings:
            return
        ours = self.model.config
        default = type(ours)()
        for name in SETTINGS:
            wanted = getattr(ours, name, None)
            given = file.settings.get(name, getattr(default, name, None))
            if (list(wanted) if isinstance(wanted, list | tuple) else wanted) != given:
                raise LSFError(
                    "bad_backbone",
                    f"{file.path} holds a {self.config.kind} model of another architecture: its {name} is {given} "
                    f"instead of {wanted}.",
                )
        layers = file.settings.get("num_hidden_layers", default.num_hidden_layers)
        if not isinstance(layers, int) or layers < self.depth:
            raise LSFError(
                "bad_backbone",
                f"{file.path} holds a {self.config.kind} model with {layers} layers, but {self.depth} are needed.",
            )


WEIGHT_NORM = {
    "conv.weight_g": "conv.parametrizations.weight.original0",
    "conv.weight_v": "conv.parametrizations.weight.original1",
    "conv.parametrizations.weight.original0": "conv.weight_g",
    "conv.parametrizations.weight.original1": "conv.weight_v",
}
"""Other names of the two parts of a weight norm. Which of them a backbone has depends on the version of torch."""


def span_mask(frames: int, mask: Tensor) -> Tensor:
    """Draw the frames that SpecAugment masks: spans of `SPAN` frames, each clip's own.

    As many spans are drawn as in transformers, but from torch's random numbers, so that a resumed training is the same.
    Spans may overlap or coincide. A clip that is shorter than a span has none.

    Args:
        frames: T.
        mask: (B, T) true on valid frames.

    Returns:
        (B, T), true where the features are masked.
    """
    lengths = mask.sum(1, keepdim=True)
    draws = torch.rand(len(mask), 1 + MOST_SPANS, device=mask.device)
    count = (SPAN_SHARE * lengths / SPAN + draws[:, :1]).long().clamp_min(LEAST_SPANS)
    count = torch.minimum(count, lengths // SPAN)
    starts = (draws[:, 1:] * (lengths - SPAN + 1)).long()
    inside = torch.arange(frames, device=mask.device) - starts[..., None]  # (B, spans, T)
    spans = (inside >= 0) & (inside < SPAN) & (torch.arange(MOST_SPANS, device=mask.device) < count)[..., None]
    return spans.any(1)
