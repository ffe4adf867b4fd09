"""Windows against the whole clip: which layers make the difference.

A long file can be predicted window by window, but statistics over a window, positions within it and attention that ends
at its edges are not those of the whole clip. Here one kind of layer at a time works in windows, and all others on the
whole clip. Windows lie side by side; `server.model.inference` lets them overlap and fades from one to the next.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from ...files.audio import load_16k
from ...model import LSF
from ...model.layers import FrameConv
from ...model.losses import predictor_loss
from ...model.lsf import Output
from ...model.motion_prior import Quantised
from .fusion_tokens import JAW_OPENING, Example, run

ENCODERS, POSITIONS, ALL = "speech encoders", "streams: positions", "all of them"

LAYERS: dict[str, Callable[[LSF], list[nn.Module]]] = {
    "streams: convolution": lambda model: [m for m in model.sie_encoder.modules() if isinstance(m, FrameConv)],
    "streams: norm": lambda model: [model.sie_encoder.motion.embed.norm, model.sie_encoder.emotion.embed.norm],
    "fusion blocks: attention": lambda model: [model.hifb],
    "codes": lambda model: [model.prior.quantiser],
    "decoder: convolution": lambda model: [model.prior.decoder.embed.conv],
    "decoder: norm": lambda model: [model.prior.decoder.embed.norm],
    "decoder: positions": lambda model: [model.prior.decoder.positions],
    "decoder: attention": lambda model: list(model.prior.decoder.layers),
}
"""Layers that look at more than one frame, by what they do."""

KINDS = (ENCODERS, POSITIONS, *LAYERS)


def _join(results: Sequence[Tensor | Quantised]) -> Tensor | Quantised:
    """Join the results of windows along the frames."""
    first = results[0]
    if isinstance(first, Tensor):
        return torch.cat([part for part in results if isinstance(part, Tensor)], 1)
    parts = [part for part in results if isinstance(part, Quantised)]
    return Quantised(
        torch.cat([part.latent for part in parts], 1), torch.cat([part.codes for part in parts], 1), first.loss
    )


@contextmanager
def windowed(model: LSF, kinds: Sequence[str], frames: int) -> Iterator[None]:
    """Let some KINDS of layers work in windows; ENCODERS are not among what this can do.

    Args:
        model: The model.
        kinds: Keys of LAYERS, and POSITIONS.
        frames: Frames of a window.
    """

    def in_windows(
        module: nn.Module, given: tuple[object, ...], settings: dict[str, object], result: object
    ) -> Tensor | Quantised:
        def part(value: object, start: int) -> object:
            return value[:, start : start + frames] if isinstance(value, Tensor) and value.dim() == 3 else value

        length = next(value for value in given if isinstance(value, Tensor)).shape[1]
        return _join(
            [module.forward(*(part(value, start) for value in given), **settings) for start in range(0, length, frames)]
        )

    def from_zero(module: nn.Module, given: tuple[object, ...], result: Tensor) -> Tensor:
        return result % frames

    with ExitStack() as hooks:
        for kind in kinds:
            if kind == POSITIONS:
                hooks.enter_context(model.sie_encoder.positions.register_forward_hook(from_zero))
                continue
            for module in LAYERS[kind](model):
                hooks.enter_context(module.register_forward_hook(in_windows, with_kwargs=True))
        yield


@torch.no_grad()
def encoded_in_windows(model: LSF, example: Example, frames: int) -> Example:
    """Return a clip whose sound was encoded window by window; statistics of the sound are those of the clip."""
    audio = torch.from_numpy(load_16k(example.clip.audio))
    statistics, length = model.clip_statistics(audio), example.curves.shape[1]
    parts = [
        model.encode_audio(audio, start, min(frames, length - start), statistics) for start in range(0, length, frames)
    ]
    motion, emotion = (torch.cat(features)[None] for features in zip(*parts, strict=True))
    return replace(example, motion=motion, emotion=emotion)


@torch.no_grad()
def windowed_run(model: LSF, example: Example, kinds: Sequence[str], frames: int) -> Output:
    """Predict a clip with some KINDS of layers in windows of `frames`."""
    if ENCODERS in kinds:
        example = encoded_in_windows(model, example, frames)
    with windowed(model, [kind for kind in kinds if kind != ENCODERS], frames):
        return run(model, example)


@dataclass
class Change:
    """How far windows change the prediction of clips.

    Attributes:
        latent: Root mean square change of z, over the deviation of z.
        codes: Share of the codes that differ.
        curves: Root mean square change of the scaled curves, over the deviation of the true ones.
        error: Mean L1 distance to the true curves, weighted as in the loss, less that without windows, in units of the
            latter. Codes do not count: those of the truth depend on where a window begins, too.
        jaw: Correlation of the jaw with the true one, with windows; mean over clips.
    """

    latent: float
    codes: float
    curves: float
    error: float
    jaw: float


@torch.no_grad()
def window_changes(model: LSF, examples: Sequence[Example], frames: int) -> dict[str, Change]:
    """Return what each of KINDS, and ALL at once, changes if it works in windows of `frames`."""
    whole = [run(model, example) for example in examples]
    error = sum(_error(model, o, e) for o, e in zip(whole, examples, strict=True))
    deviation = torch.cat([output.z[0] for output in whole]).std()
    truth = torch.cat([model.standardise(example.curves)[0] for example in examples])
    motion = truth.std(0).square().mean().sqrt()

    def size(differences: list[Tensor]) -> Tensor:
        return torch.cat([d.flatten() for d in differences]).square().mean().sqrt()

    changes = {}
    for kind in (*KINDS, ALL):
        outputs = [windowed_run(model, e, KINDS if kind == ALL else (kind,), frames) for e in examples]
        pairs = list(zip(outputs, whole, strict=True))
        own = sum(_error(model, o, e) for o, e in zip(outputs, examples, strict=True))
        codes = torch.cat([(a.quantised.codes != b.quantised.codes).flatten() for a, b in pairs])
        changes[kind] = Change(
            float(size([a.z - b.z for a, b in pairs]) / deviation),
            float(codes.float().mean()),
            float(size([a.standardised - b.standardised for a, b in pairs]) / motion),
            own / error - 1,
            float(np.mean([_jaw(o, e) for o, e in zip(outputs, examples, strict=True)])),
        )
    return changes


def _error(model: LSF, output: Output, example: Example) -> float:
    """Return the part of the second stage's loss that compares curves."""
    return float(predictor_loss(model, output, example.curves)["motion"])


def _jaw(output: Output, example: Example) -> float:
    """Return the correlation of the predicted with the true jaw."""
    made, truth = output.motion[0, :, JAW_OPENING], example.curves[0, :, JAW_OPENING]
    return float(np.corrcoef(made, truth)[0, 1]) if made.std() > 0 and truth.std() > 0 else 0.0


@torch.no_grad()
def errors_by_length(model: LSF, examples: Sequence[Example], lengths: Sequence[int]) -> list[tuple[float, float]]:
    """Return the error of the curves and the correlation of the jaw if all works in windows of some lengths.

    Args:
        model: The model.
        examples: The clips.
        lengths: Frames of a window; one of the clips' length or more is the whole clip.

    Returns:
        For each length the part of the second stage's loss that compares curves, and the mean r of the jaw.
    """
    results = []
    for frames in lengths:
        outputs = [windowed_run(model, example, KINDS, frames) for example in examples]
        pairs = list(zip(outputs, examples, strict=True))
        results.append(
            (float(np.mean([_error(model, o, e) for o, e in pairs])), float(np.mean([_jaw(o, e) for o, e in pairs])))
        )
    return results
