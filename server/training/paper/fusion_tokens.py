"""What the fusion tokens of a trained model attend to, and what they carry.

F frames, n tokens, H heads, C channels of a stream.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from ...files.audio import load_16k
from ...model import LSF
from ...model.hifb import FusionBlock, PairAttention
from ...model.layers import TransformerLayer, split_heads
from ...model.losses import predictor_loss
from ...model.lsf import Output
from .mead3d import Mead3DClip

JAW_OPENING = 50  # channel of FLAME's motion: rotation of the jaw about the axis from ear to ear


@dataclass(frozen=True)
class Example:
    """A clip as the model gets it.

    Attributes:
        clip: The clip.
        motion: (1, T, Cm) motion features.
        emotion: (1, T, Ce) emotion features.
        identity: (1, I) identity coefficients.
        curves: (1, F, K) true curves.
    """

    clip: Mead3DClip
    motion: Tensor
    emotion: Tensor
    identity: Tensor
    curves: Tensor


@torch.no_grad()
def read_examples(model: LSF, clips: Sequence[Mead3DClip]) -> list[Example]:
    """Read clips and encode their sound; sound and motion are cut to the same frames."""
    examples = []
    for clip in clips:
        audio = torch.from_numpy(load_16k(clip.audio))
        frames = min(clip.frames, model.frame_count(len(audio)), model.max_frames)
        motion, emotion = model.encode_audio(audio, 0, frames)
        identity = torch.from_numpy(clip.shape()[None, : model.config.identity_size])
        curves = torch.from_numpy(clip.curves()[None, :frames])
        examples.append(Example(clip, motion[None], emotion[None], identity, curves))
    return examples


def run(model: LSF, example: Example) -> Output:
    """Predict a clip."""
    output: Output = model(example.motion, example.emotion, example.identity)
    return output


def fusion_blocks(model: LSF) -> list[FusionBlock]:
    """Return the blocks that have a pair attention: all but the last."""
    return [block for block in model.hifb.blocks if isinstance(block, FusionBlock)]


# Attention


@dataclass
class BlockMaps:
    """What one block does with one clip.

    Attributes:
        emotion: (H, n, F) attention of the tokens to the frames of the emotion stream, which sums to 1 over F.
        motion: (H, n, F) likewise to the frames of the motion stream. The attention to a pair is the product of both.
        tokens: (n, C) the tokens after the block.
        shares: Share of the frames' attention that goes to the tokens, over what even attention would give them, in the
            layers of the emotion stream and of the motion stream.
    """

    emotion: Tensor
    motion: Tensor
    tokens: Tensor
    shares: tuple[float, float]


@torch.no_grad()
def attention_maps(model: LSF, example: Example) -> list[BlockMaps]:
    """Return the maps of each block that has a pair attention, for one clip."""
    seen: list[tuple[Tensor, Tensor, Tensor]] = []
    tokens: list[Tensor] = []
    layers: list[tuple[Tensor, ...]] = []

    def note_pairs(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        seen.append((given[0], given[1], given[2]))

    def note_layer(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        layers.append(given)

    def note_tokens(module: nn.Module, given: object, result: tuple[Tensor, Tensor, Tensor]) -> None:
        tokens.append(result[0][0])

    blocks = fusion_blocks(model)
    with ExitStack() as hooks:
        for block in blocks:
            hooks.enter_context(block.pairs.register_forward_pre_hook(note_pairs))
            hooks.enter_context(block.register_forward_hook(note_tokens))
            hooks.enter_context(block.emotion_layer.register_forward_pre_hook(note_layer))
            hooks.enter_context(block.motion_layer.register_forward_pre_hook(note_layer))
        run(model, example)
    maps = []
    for i, block in enumerate(blocks):
        count = len(tokens[i])
        shares = (
            _token_share(block.emotion_layer, layers[2 * i][0], count),
            _token_share(block.motion_layer, layers[2 * i + 1][0], count),
        )
        maps.append(BlockMaps(*_marginals(block.pairs, *seen[i]), tokens[i], shares))
    return maps


def _marginals(pairs: PairAttention, tokens: Tensor, emotion: Tensor, motion: Tensor) -> tuple[Tensor, Tensor]:
    """Return the attention (H, n, F) of tokens (1, n, C) to the frames of each stream (1, F, C)."""
    query = split_heads(pairs.query(pairs.token_norm(tokens)), pairs.heads) * pairs.scale

    def weights(key: Tensor) -> Tensor:
        return (query @ split_heads(key, pairs.heads).mT).softmax(-1)[0]

    return weights(pairs.emotion_key(pairs.emotion_norm(emotion))), weights(pairs.motion_key(pairs.motion_norm(motion)))


def _token_share(layer: TransformerLayer, x: Tensor, tokens: int) -> float:
    """Return the share of attention that frames give to the tokens, over their share of x (1, tokens + F, C)."""
    query, key, _ = (split_heads(part, layer.heads) for part in layer.qkv(layer.attention_norm(x)).chunk(3, -1))
    weights = (query @ key.mT * query.shape[-1] ** -0.5).softmax(-1)
    return float(weights[:, :, tokens:, :tokens].sum(-1).mean()) / (tokens / x.shape[1])


def evenness(weights: Tensor) -> Tensor:
    """Return the entropy of attention (…, F) over the greatest possible: 1 is even, 0 is one frame."""
    entropy = -(weights * weights.clamp_min(1e-30).log()).sum(-1)
    share: Tensor = entropy / math.log(weights.shape[-1])
    return share


def overlap_distance(weights: Tensor, dimension: int) -> float:
    """Return the mean total variation distance of attention (H, n, F) between heads (0) or tokens (1).

    Returns:
        0 where all are the same, 1 where no two share a frame.
    """
    rows = weights.transpose(0, dimension)
    apart = (rows[:, None] - rows[None]).abs().sum(-1) / 2
    first, second = torch.triu_indices(len(rows), len(rows), 1)
    return float(apart[first, second].mean())


def correlation(weights: Tensor, curve: Tensor) -> float:
    """Return the mean over heads and tokens of |r| between the attention (H, n, F) and a curve (F,)."""
    a = weights - weights.mean(-1, keepdim=True)
    b = curve - curve.mean()
    r = (a * b).sum(-1) / (a.norm(dim=-1) * b.norm()).clamp_min(1e-12)
    return float(r.abs().mean())


MEASURES = (
    "evenness, emotion",
    "evenness, motion",
    "tokens apart, emotion",
    "tokens apart, motion",
    "heads apart, motion",
    "|r| with the jaw, emotion",
    "|r| with the jaw, motion",
    "cosine of two tokens",
    "share of the emotion frames",
    "share of the motion frames",
)


def measure_maps(maps: BlockMaps, jaw: Tensor) -> list[float]:
    """Return the MEASURES of a block and a clip with the jaw's opening (F,)."""
    tokens = nn.functional.normalize(maps.tokens, dim=-1)
    first, second = torch.triu_indices(len(tokens), len(tokens), 1)
    return [
        float(evenness(maps.emotion).mean()),
        float(evenness(maps.motion).mean()),
        overlap_distance(maps.emotion, 1),
        overlap_distance(maps.motion, 1),
        overlap_distance(maps.motion, 0),
        correlation(maps.emotion, jaw),
        correlation(maps.motion, jaw),
        float((tokens[first] * tokens[second]).sum(-1).mean()),
        *maps.shares,
    ]


def mean_measures(model: LSF, examples: Sequence[Example]) -> list[list[float]]:
    """Return the MEASURES of each block, as means over clips."""
    found = []
    for example in examples:
        jaw = example.curves[0, :, JAW_OPENING]
        found.append([measure_maps(maps, jaw) for maps in attention_maps(model, example)])
    result: list[list[float]] = np.mean(found, 0).tolist()
    return result


# What they carry


@contextmanager
def without_tokens(model: LSF) -> Iterator[None]:
    """Take the tokens out, so that the streams do not meet."""
    tokens = model.hifb.tokens
    model.hifb.tokens = nn.Parameter(tokens[:, :0].detach())
    try:
        yield
    finally:
        model.hifb.tokens = tokens


@contextmanager
def without_pairs(model: LSF) -> Iterator[None]:
    """Let the pair attention add nothing to the tokens."""
    with ExitStack() as hooks:
        for block in fusion_blocks(model):
            hooks.enter_context(
                block.pairs.register_forward_hook(lambda module, given, result: torch.zeros_like(result))
            )
        yield


@contextmanager
def changed_tokens(model: LSF, change: Callable[[int, Tensor], Tensor]) -> Iterator[None]:
    """Let `change` replace the tokens (1, n, C) that leave each block, given the block's number."""

    def hook(number: int) -> Callable[..., tuple[Tensor, Tensor, Tensor]]:
        def replaced(
            module: nn.Module, given: object, result: tuple[Tensor, Tensor, Tensor]
        ) -> tuple[Tensor, Tensor, Tensor]:
            return change(number, result[0]), result[1], result[2]

        return replaced

    with ExitStack() as hooks:
        for number, block in enumerate(fusion_blocks(model)):
            hooks.enter_context(block.register_forward_hook(hook(number)))
        yield


def fitted(features: Tensor, length: int) -> Tensor:
    """Return features (1, T, C) of another clip at `length` frames: repeated, then cut."""
    return features.repeat(1, -(-length // features.shape[1]), 1)[:, :length]


CHANGES = (
    "tokens removed",
    "pairs add nothing",
    "tokens of another clip",
    "tokens averaged",
    "emotion stream of another clip",
    "emotion stream in random order",
    "identity of another clip",
)
"""What `changed_run` can change in a trained model."""


@torch.no_grad()
def changed_run(model: LSF, example: Example, other: Example, change: str) -> Output:
    """Predict a clip with one of CHANGES, taking what is of another clip from `other`."""
    if change == "tokens removed":
        with without_tokens(model):
            return run(model, example)
    if change == "pairs add nothing":
        with without_pairs(model):
            return run(model, example)
    if change == "tokens of another clip":
        donor = [maps.tokens[None] for maps in attention_maps(model, other)]
        with changed_tokens(model, lambda number, tokens: donor[number]):
            return run(model, example)
    if change == "tokens averaged":
        with changed_tokens(model, lambda number, tokens: tokens.mean(1, keepdim=True).expand_as(tokens)):
            return run(model, example)
    if change == "identity of another clip":
        return run(model, replace(example, identity=other.identity))
    length = example.emotion.shape[1]
    if change == "emotion stream of another clip":
        return run(model, replace(example, emotion=fitted(other.emotion, length)))
    if change == "emotion stream in random order":
        order = torch.randperm(length, generator=torch.Generator().manual_seed(0))
        return run(model, replace(example, emotion=example.emotion[:, order]))
    raise ValueError(f"{change!r} is no change.")


def partners(examples: Sequence[Example]) -> list[Example]:
    """Return for each clip another one, of another emotion and another subject where there are such."""

    def unlike(one: Example, two: Example) -> tuple[bool, bool]:
        return one.clip.emotion != two.clip.emotion, one.clip.subject != two.clip.subject

    found = []
    for number, example in enumerate(examples):
        others = [*examples[number + 1 :], *examples[:number]]
        found.append(max(others, key=lambda other: unlike(example, other)))
    return found


@dataclass
class Effect:
    """What a change does to the held-out clips.

    Attributes:
        loss: Loss of the second stage, mean over clips, with the change.
        loss_change: The same less the loss without the change, in units of the latter.
        clips_worse: Share of the clips whose loss rises.
        latent_change: Root mean square change of z, over the deviation of z.
    """

    loss: float
    loss_change: float
    clips_worse: float
    latent_change: float


@torch.no_grad()
def measure_changes(model: LSF, examples: Sequence[Example]) -> dict[str, Effect]:
    """Return the effect of each of CHANGES on held-out clips."""
    plain = [run(model, example) for example in examples]

    def losses(outputs: Sequence[Output]) -> Tensor:
        return torch.stack([predictor_loss(model, o, e.curves)["loss"] for o, e in zip(outputs, examples, strict=True)])

    base = losses(plain)
    deviation = torch.cat([output.z[0] for output in plain]).std()
    effects = {}
    for change in CHANGES:
        outputs = [changed_run(model, e, o, change) for e, o in zip(examples, partners(examples), strict=True)]
        changed = losses(outputs)
        moved = torch.cat([(a.z - b.z)[0] for a, b in zip(outputs, plain, strict=True)]).square().mean().sqrt()
        effects[change] = Effect(
            float(changed.mean()),
            float(changed.mean() / base.mean() - 1),
            float((changed > base).float().mean()),
            float(moved / deviation),
        )
    return effects
