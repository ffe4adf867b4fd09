"""What carries the curves: a checkpoint with one of its parts switched off.

Parts are switched off by hooks on the modules of the model, for as long as a `with` block runs; the model's own code
does not know of it. Every clip is encoded once, and all variants run on the same features.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...files.audio import load_16k
from ...model import LSF
from ...model.lsf import DirectPath
from ...model.motion_prior import Quantised
from ...numerics import FloatArray
from ...performance.perform import perform
from .. import corpora
from ..corpora import Clip, required
from . import metrics
from .emotion_scores import emotion_accuracy, expression_statistics
from .people import match_lips
from .runner import Runner
from .spread import Figure, Report, Spread

SEED = 1
Switch = Callable[[LSF], AbstractContextManager[None]]
"""Switches a part of a model off within a `with` block."""


@contextmanager
def _hooked(module: nn.Module, hook: Callable[..., Any], before: bool = False) -> Iterator[None]:
    """Let a hook change the inputs (`before`) or the output of a module."""
    handle = module.register_forward_pre_hook(hook) if before else module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def over_time(stream: Tensor) -> Tensor:
    """Return a stream (B, F, C) with its mean over time in every frame."""
    return stream.mean(1, keepdim=True).expand_as(stream)


def noise_like(stream: Tensor) -> Tensor:
    """Return Gaussian noise with the mean and deviation over time of every channel of a stream (B, F, C)."""
    noise = torch.randn(stream.shape, generator=torch.Generator().manual_seed(SEED)).to(stream)
    return stream.mean(1, keepdim=True) + stream.std(1, keepdim=True, unbiased=False) * noise


def without_hifb(model: LSF) -> AbstractContextManager[None]:
    """Add nothing of the fused stream to the latent, as if the gate were 0."""
    return _hooked(model.to_latent, lambda module, inputs, output: torch.zeros_like(output))


def changed_stream(model: LSF, index: int, change: Callable[[Tensor], Tensor]) -> AbstractContextManager[None]:
    """Change the emotion stream (index 0) or the motion stream (index 1) before HIFB fuses them."""

    def hook(module: nn.Module, streams: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (*streams[:index], change(streams[index]), *streams[index + 1 :])

    return _hooked(model.hifb, hook, before=True)


@contextmanager
def changed_bank(model: LSF, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Change the places (8, EMBEDDING) of the emotions, of which the emotion stream is made."""
    assert model.emotion_reader is not None
    bank = model.emotion_reader.bank
    model.emotion_reader.bank = change(bank)
    try:
        yield
    finally:
        model.emotion_reader.bank = bank


def one_place(bank: Tensor) -> Tensor:
    """Return places (8, EMBEDDING) that are all the mean of a bank."""
    return bank.mean(0).expand_as(bank)


def noise_places(bank: Tensor) -> Tensor:
    """Return random places (8, EMBEDDING) with the deviation of a bank."""
    return bank.std() * torch.randn(bank.shape, generator=torch.Generator().manual_seed(SEED)).to(bank)


def random_identity(model: LSF) -> AbstractContextManager[None]:
    """Give a random face, the same one for every clip, in place of the face of the clip."""

    def hook(module: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        return (torch.randn(inputs[0].shape, generator=torch.Generator().manual_seed(SEED)).to(inputs[0]),)

    return _hooked(model.sie_encoder.identity, hook, before=True)


def without_quantiser(model: LSF) -> AbstractContextManager[None]:
    """Decode the latent itself instead of its nearest codes."""

    def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Quantised) -> Quantised:
        return replace(output, latent=inputs[0])

    return _hooked(model.prior.quantiser, hook)


@contextmanager
def only_branch(model: LSF, kind: str) -> Iterator[None]:
    """Leave one branch of the direct path ("linear" or "conv") and no HIFB."""
    direct: DirectPath = model.direct
    branches = direct.branches
    direct.branches = nn.ModuleList([branches[model.config.direct_path.index(kind)]])
    try:
        with without_hifb(model):
            yield
    finally:
        direct.branches = branches


@contextmanager
def direct_path_alone(model: LSF) -> Iterator[None]:
    """Decode the direct path's latent: no HIFB, no codes, no gain of the identity."""

    def hook(module: nn.Module, inputs: tuple[Tensor], gains: list[Tensor]) -> list[Tensor]:
        return [torch.ones_like(gain) for gain in gains]

    with without_hifb(model), without_quantiser(model), _hooked(model.sie_encoder.identity, hook):
        yield


@contextmanager
def nothing_off(model: LSF) -> Iterator[None]:
    """Leave everything as it is."""
    yield


@contextmanager
def encoded_once(model: LSF) -> Iterator[None]:
    """Keep what the encoder gave for the clip that was encoded last, so that variants need not encode it again."""
    encode = model.encode_audio
    kept: dict[str, Any] = {"audio": None, "windows": {}}

    def lookup(audio: Tensor, first: int = 0, frames: int | None = None, statistics: Any = None) -> Any:
        if kept["audio"] is None or not torch.equal(kept["audio"], audio):
            kept.update(audio=audio.clone(), windows={})
        if (first, frames) not in kept["windows"]:
            kept["windows"][first, frames] = encode(audio, first, frames, statistics)
        return kept["windows"][first, frames]

    model.encode_audio = lookup  # type: ignore[method-assign]  # for the time of the block
    try:
        yield
    finally:
        del model.encode_audio


@dataclass(frozen=True)
class Variant:
    """One row of the table.

    Attributes:
        name: Name of the row.
        switch: Switches the part off.
    """

    name: str
    switch: Switch


def variants(model: LSF) -> list[Variant]:
    """Return the variants that this model can have, the whole model first."""
    emotion, motion = 0, 1
    if model.config.emotion_bank:  # the emotion stream is constant over time, but for positions
        emotion_rows = [
            Variant("emotion stream: mean of all emotions", partial(changed_bank, change=one_place)),
            Variant("emotion stream: noise", partial(changed_bank, change=noise_places)),
        ]
    else:
        emotion_rows = [
            Variant("emotion stream: mean over time", partial(changed_stream, index=emotion, change=over_time)),
            Variant("emotion stream: noise", partial(changed_stream, index=emotion, change=noise_like)),
        ]
    rows = [
        Variant("as shipped", nothing_off),
        Variant("motion stream: mean over time", partial(changed_stream, index=motion, change=over_time)),
        *emotion_rows,
        Variant("identity random", random_identity),
        Variant("VQ bypassed", without_quantiser),
    ]
    if model.config.direct_path:
        rows.insert(1, Variant("HIFB off (gate 0)", without_hifb))
        rows.append(Variant("direct path alone", direct_path_alone))
        rows += [Variant(f"{kind} branch alone", partial(only_branch, kind=kind)) for kind in model.config.direct_path]
    return rows


def run_variants(model: LSF, rows: Sequence[Variant], audio: NDArray[np.float32]) -> list[FloatArray]:
    """Return the curves (F, K) of speech (N,) at 16 kHz for every variant."""
    with encoded_once(model):
        curves = []
        for row in rows:
            with row.switch(model):
                curves.append(perform(model, audio).motion)
    return curves


def variant_curves(model: LSF, rows: Sequence[Variant], clips: Sequence[Clip]) -> list[list[FloatArray]]:
    """Return the curves (F, K) of every variant, and in each of every clip."""
    by_clip = [run_variants(model, rows, load_16k(clip.audio)) for clip in clips]
    return [list(several) for several in zip(*by_clip, strict=True)]


def lip_columns(runner: Runner, grid: list[Clip], people: list[Clip], curves: list[FloatArray]) -> Report:
    """Score the lips of one variant.

    Args:
        runner: The checkpoint.
        grid: GRID's held-out clips.
        people: Clips of the people whom no training saw.
        curves: (F, K) curves of all these clips in this order.
    """
    lips = [runner.lips(c) for c in curves]
    known = metrics.lip_scores(
        [(required(c.lips), shown, required(c.phones)) for c, shown in zip(grid, lips, strict=False)]
    )
    matches = [match_lips(c, load_16k(c.audio), shown) for c, shown in zip(people, lips[len(grid) :], strict=True)]
    return {
        "GRID r": known["aperture_r"],
        "speech": known["aperture_r_speech"],
        "width": known["width_r"],
        "people r": Spread.over_people(m.whole for m in matches),
        "people speech": Spread.over_people(m.speech for m in matches),
        "people width": Spread.over_people(m.width for m in matches),
    }


def change_columns(whole: list[FloatArray], changed: list[FloatArray]) -> Report:
    """Return how much the curves of a variant differ from those of the whole model, in weights.

    `largest change` is that of any curve in any frame; `mean change` is the mean over frames of the curve that differs
    most in that frame.
    """
    differences = [np.abs(a - b) for a, b in zip(whole, changed, strict=True)]
    return {
        "largest change": float(max(d.max() for d in differences)),
        "mean change": Spread.mean_over_clips(float(d.max(1).mean()) for d in differences),
    }


def emotion_columns(model: LSF, rows: Sequence[Variant], data: Path, per_actor: int) -> list[Spread]:
    """Return the accuracy, for every variant, of a probe for emotion on the curves of EmoDB's held-out actors.

    Args:
        model: The model.
        rows: The variants. The probe is trained on each variant's own curves.
        data: Folder that holds the corpora.
        per_actor: Lines of each actor, evenly chosen.
    """
    clips = _evenly([c for c in corpora.read("emodb", data) if c.split != "valid"], per_actor)
    curves = variant_curves(model, rows, clips)
    return [emotion_accuracy(clips, np.stack([expression_statistics(c) for c in own])) for own in curves]


def _evenly(clips: list[Clip], per_speaker: int) -> list[Clip]:
    """At most so many clips of each speaker, evenly chosen."""
    chosen = []
    for speaker in sorted({c.speaker for c in clips}):
        own = [c for c in clips if c.speaker == speaker]
        chosen += [own[i] for i in np.unique(np.linspace(0, len(own) - 1, per_speaker).astype(int))]
    return chosen


def ablation_table(runner: Runner, data: Path, limit: int = 40, per_actor: int = 25) -> dict[str, Report]:
    """Score the checkpoint with each of its parts switched off.

    Args:
        runner: The checkpoint.
        data: Folder that holds the corpora.
        limit: Number of GRID's held-out clips.
        per_actor: Lines of each of EmoDB's actors for the probe.

    Returns:
        Figures by column, by row.
    """
    rows = variants(runner.model)
    grid, people = runner.clips(data, "grid")[:limit], runner.clips(data, "people")
    curves = variant_curves(runner.model, rows, grid + people)
    probes = emotion_columns(runner.model, rows, data, per_actor)
    return {
        row.name: lip_columns(runner, grid, people, own) | change_columns(curves[0], own) | {"emotion probe": probe}
        for row, own, probe in zip(rows, curves, probes, strict=True)
    }


def as_text(table: dict[str, Report]) -> str:
    """Return the table in Markdown, with the spread of every figure in brackets."""
    columns = list(next(iter(table.values())))
    lines = ["| " + " | ".join(["", *columns]) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += ["| " + " | ".join([name, *map(_cell, row.values())]) + " |" for name, row in table.items()]
    return "\n".join(lines)


def _cell(figure: Figure) -> str:
    """A figure in a cell: three digits, and its spread."""
    if isinstance(figure, Spread):
        return f"{figure.value:.3f} ({figure.low:.2f}–{figure.high:.2f})"
    return f"{figure:.2g}"
