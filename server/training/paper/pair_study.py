"""The pair attention of the fusion blocks against the literal Cartesian product: results, gradients, time, memory.

All of it is at the paper's sizes: width 256, 8 heads, inner width 64, 4 fusion tokens, 25 frames per second.
"""

import json
import math
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ...model.config import LSFConfig
from ...model.hifb import PairAttention
from ...model.layers import split_heads
from .cartesian import all_pairs, attend_literally

SECONDS = (2.0, 10.0, 60.0, 600.0)
BAND = 12  # frames, about half a second: how far apart the frames of a pair may be in a local attention
DROPOUT = 0.1  # the paper's rate
DRAWS = 400  # of the dropout, for its mean and its deviation


@dataclass
class Inputs:
    """Tokens (B, n, C), streams (B, F, C) and their mask (B, F), with gradients."""

    tokens: Tensor
    emotion: Tensor
    motion: Tensor
    mask: Tensor | None

    def wanted(self, attention: PairAttention) -> list[Tensor]:
        """Return everything that gets a gradient."""
        return [self.tokens, self.emotion, self.motion, *attention.parameters()]


def make_case(
    frames: int, dtype: torch.dtype, seed: int = 0, *, clips: int = 1, config: LSFConfig | None = None
) -> tuple[PairAttention, Inputs]:
    """Make a pair attention with random weights and random inputs.

    Args:
        frames: Frames of both streams.
        dtype: Type of weights and inputs.
        seed: Seed of both.
        clips: Number of clips; several have unlike lengths.
        config: The configuration; None is the paper's.
    """
    config = config or LSFConfig.paper()
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        attention = PairAttention(config.width, config.heads, config.pair_scale, config.pair_bias).to(dtype)
        with torch.no_grad():  # biases and norms at values of their own, too
            for parameter in attention.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        shapes = ((clips, length, config.width) for length in (config.fusion_tokens, frames, frames))
        tokens, emotion, motion = (torch.randn(shape, dtype=dtype).requires_grad_() for shape in shapes)
    lengths = torch.linspace(frames / 2, frames, clips).round().long()
    mask = torch.arange(frames) < lengths[:, None] if clips > 1 else None
    return attention, Inputs(tokens, emotion, motion, mask)


Attend = Callable[[PairAttention, Inputs], Tensor]


def factorised(attention: PairAttention, inputs: Inputs) -> Tensor:
    """Attend as the model does."""
    result: Tensor = attention(inputs.tokens, inputs.emotion, inputs.motion, inputs.mask, inputs.mask)
    return result


def literal(attention: PairAttention, inputs: Inputs, rows: int | None = None) -> Tensor:
    """Attend to every pair; `rows` as of `attend_literally`."""
    return attend_literally(
        attention, inputs.tokens, inputs.emotion, inputs.motion, inputs.mask, inputs.mask, rows=rows
    )


def with_gradients(attend: Attend, attention: PairAttention, inputs: Inputs) -> list[Tensor]:
    """Return the result of an attention and the gradients of a fixed weighted sum of it."""
    result = attend(attention, inputs)
    weights = torch.linspace(-1, 1, result.numel(), dtype=result.dtype).view_as(result)
    return [result.detach(), *torch.autograd.grad((result * weights).sum(), inputs.wanted(attention))]


@dataclass
class Difference:
    """How far two results, and the worst of their gradients, are apart; relative: over the greatest value."""

    output: float
    output_relative: float
    gradient: float
    gradient_relative: float


def difference(a: list[Tensor], b: list[Tensor]) -> Difference:
    """Compare results of `with_gradients`; `b` is the truth."""
    absolute = [float((x.double() - y.double()).abs().max()) for x, y in zip(a, b, strict=True)]
    relative = [value / float(y.double().abs().max()) for value, y in zip(absolute, b, strict=True)]
    return Difference(absolute[0], relative[0], max(absolute[1:]), max(relative[1:]))


def compare(frames: int, dtype: torch.dtype, *, clips: int = 1, config: LSFConfig | None = None) -> Difference:
    """Compare the factorised attention with the literal one, both computed in `dtype`; arguments as of `make_case`."""
    attention, inputs = make_case(frames, dtype, clips=clips, config=config)
    return difference(with_gradients(factorised, attention, inputs), with_gradients(literal, attention, inputs))


def rounding_errors(frames: int) -> tuple[Difference, Difference]:
    """Return the errors of the factorised and of the literal attention in float32 against the literal in float64."""
    attention, inputs = make_case(frames, torch.float32)
    results = [with_gradients(attend, attention, inputs) for attend in (factorised, literal)]
    attention = attention.double()
    tokens, emotion, motion = (
        part.detach().double().requires_grad_() for part in (inputs.tokens, inputs.emotion, inputs.motion)
    )
    truth = with_gradients(literal, attention, Inputs(tokens, emotion, motion, inputs.mask))
    return difference(results[0], truth), difference(results[1], truth)


# Conditions of the equality


def broken_conditions(frames: int = 50) -> dict[str, float]:
    """Return how far the two are apart where a condition of the equality does not hold, in float64.

    Returns:
        For each condition the greatest difference over the greatest value of the result. Dropout keeps the mean; its
        entry is by how much the deviation over draws is greater in the factorised one.
    """
    attention, inputs = make_case(frames, torch.float64)
    bias = attention.motion_value.bias
    key_weight = torch.cat((attention.emotion_key.weight, attention.motion_key.weight), 1)
    value_weight = torch.cat((attention.emotion_value.weight, attention.motion_value.weight), 1)

    def split(x: Tensor) -> Tensor:
        return split_heads(x, attention.heads)

    def result(attended: Tensor) -> Tensor:
        joined: Tensor = attention.out(attended.transpose(1, 2).flatten(2))
        return joined

    with torch.no_grad():
        emotion, motion = attention.emotion_norm(inputs.emotion), attention.motion_norm(inputs.motion)
        query = split(attention.query(attention.token_norm(inputs.tokens))) * attention.scale
        pairs = all_pairs(emotion, motion)
        key, value = pairs @ key_weight.T, split(pairs @ value_weight.T + bias)
        logits = query @ split(key).mT
        raw = all_pairs(inputs.emotion, inputs.motion)
        normed = F.layer_norm(raw, raw.shape[-1:])
        steps = torch.arange(frames)
        far = ((steps[:, None] - steps).abs() > BAND).flatten()
        broken = {
            "norm of the pair instead of each stream": result(
                (query @ split(normed @ key_weight.T).mT).softmax(-1) @ split(normed @ value_weight.T + bias)
            ),
            "keys not linear in the pair (GELU)": result((query @ split(F.gelu(key)).mT).softmax(-1) @ value),
            f"only pairs up to {BAND} frames apart": result(logits.masked_fill(far, -torch.inf).softmax(-1) @ value),
        }
        model = factorised(attention, inputs)
        size = model.abs().max()
        differences = {name: float((other - model).abs().max() / size) for name, other in broken.items()}

        weights = logits.softmax(-1)
        own_weights = weights.unflatten(-1, (frames, frames))
        own_values = split(attention.emotion_value(emotion)), split(attention.motion_value(motion))
        deviation = _deviation(lambda dropped: result(dropped(weights) @ value))
        own_deviation = _deviation(
            lambda dropped: result(
                dropped(own_weights.sum(-1)) @ own_values[0] + dropped(own_weights.sum(-2)) @ own_values[1]
            )
        )
        differences["dropout of weights, deviation"] = float(own_deviation / deviation - 1)
    return differences


def _deviation(draw: Callable[[Callable[[Tensor], Tensor]], Tensor]) -> Tensor:
    """Return the deviation over draws of a dropout, root mean square over all values."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        results = torch.stack([draw(lambda weights: F.dropout(weights, DROPOUT)) for _ in range(DRAWS)])
    return results.var(0).mean().sqrt()


# Time and memory


@dataclass
class Cost:
    """What one pass forward and back costs: seconds, and megabytes at its peak; `measured` is false if extrapolated."""

    seconds: float
    megabytes: float
    measured: bool


def literal_megabytes(frames: int) -> float:
    """Estimate the peak of the literal attention, in float32, all pairs at once, with gradients.

    Pairs, their gradient and a sum of it are 2C wide; keys, values, their gradients and copies C / 4 each.
    """
    config = LSFConfig.paper()
    return frames * frames * (3 * 2 * config.width + 6 * config.width // 4) * 4 / 1e6


def measure(kind: str, frames: int) -> Cost:
    """Measure a pass forward and back in a process of its own, whose peak memory begins low.

    Args:
        kind: "factorised", "literal" or "parts", the literal one in parts of a few emotion frames.
        frames: Frames of both streams.

    Raises:
        RuntimeError: The process failed, for instance for lack of memory.
    """
    run = subprocess.run(
        [sys.executable, "-m", __name__, kind, str(frames)], capture_output=True, text=True, check=False
    )
    if run.returncode:
        raise RuntimeError(f"The measurement of {frames} frames ended with {run.returncode}: {run.stderr[-300:]}")
    return Cost(**json.loads(run.stdout))


PART_PAIRS = 1 << 15  # pairs that the attention in parts builds at once: 64 MB


def peak_megabytes() -> float:
    """Return the greatest memory that this process has used so far; NaN where the system does not tell."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text()) if status.exists() else None
    return float(found[1]) * 1024 / 1e6 if found else math.nan


def measured_here(kind: str, frames: int) -> Cost:
    """Measure in this process; see `measure`. The peak of the memory is known on Linux only, and NaN elsewhere."""
    attend: Attend = factorised
    if kind == "literal":
        attend = literal
    elif kind == "parts":
        rows = max(1, PART_PAIRS // frames)

        def attend(attention: PairAttention, inputs: Inputs) -> Tensor:
            return literal(attention, inputs, rows)

    torch.set_num_threads(1)
    with_gradients(attend, *make_case(8, torch.float32))  # loads what torch loads at first use
    case = make_case(frames, torch.float32)
    before, start = peak_megabytes(), time.perf_counter()
    with_gradients(attend, *case)
    seconds, megabytes = time.perf_counter() - start, peak_megabytes() - before
    if seconds < 1:  # short ones again, without the allocator's first touch of the memory
        times: list[float] = []
        while sum(times) < 1 and len(times) < 20:
            start = time.perf_counter()
            with_gradients(attend, *case)
            times.append(time.perf_counter() - start)
        seconds = min(times)
    return Cost(seconds, megabytes, True)


def costs(kind: str, *, most_megabytes: float, most_seconds: float, fps: int = 25) -> list[Cost]:
    """Measure or extrapolate the cost at each of SECONDS.

    Args:
        kind: As of `measure`.
        most_megabytes: The literal attention is not run beyond this.
        most_seconds: Nothing is run that would take longer by the last measured size.
        fps: Frames per second.

    Returns:
        A cost for each; those that are not measured are the last measured one times the ratio of the pairs.
    """
    found: list[Cost] = []
    last = 0.0
    for seconds in SECONDS:
        frames = round(seconds * fps)
        ratio = (seconds / last) ** (1 if kind == "factorised" else 2) if found else 1.0
        fits = kind != "literal" or literal_megabytes(frames) <= most_megabytes
        if found and (not fits or found[-1].seconds * ratio > most_seconds or not found[-1].measured):
            memory = found[-1].megabytes * (ratio if kind == "literal" else 1)
            found.append(Cost(found[-1].seconds * ratio, memory, False))
        else:
            found.append(measure(kind, frames))
        last = seconds
    return found


if __name__ == "__main__":
    print(json.dumps(measured_here(sys.argv[1], int(sys.argv[2])).__dict__))
