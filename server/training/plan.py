"""Tells how much memory, disk and time a training of the paper's system takes, from a short run on this machine.

    python -m server.training.plan (--data DIR | --hours H) --config paper|released|FILE [--device cuda] [--bf16] …

It takes real steps of both stages with the model's real sizes, on random features of several lengths, and fits a line
to their times. It needs neither the encoders' files nor data. With `--data` the lengths are those of the clips; with
`--hours`, of speech in all, they are as in `SPREAD`.
"""

import argparse
import contextlib
import dataclasses
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import LSFError, explain
from ..files.audio import SAMPLE_RATE
from ..model import LSF, LSFConfig
from ..model.waveform import WaveformBackbone
from ..numerics import FloatArray
from .paper import mead3d
from .paper.batches import Example
from .paper.distributed import ALONE, own_device
from .paper.features import FeatureCache
from .paper.named import check_writable, writing_named
from .paper.recipe import Recipe, StageRecipe
from .paper.stages import PredictorTask, PriorTask
from .paper.trainer import Interrupt, Options, StageTrainer, Task, duration, validation_losses
from .train_paper import read_config, read_recipe

CLIP_SECONDS = 4.0  # of a sentence, for --hours
SPREAD = (0.5, 0.75, 1.0, 1.25, 1.5)  # lengths of clips over their mean, for --hours
SHARES = {"train": 22 / 32, "valid": 5 / 32}  # of the clips, for --hours: the subjects of the fixed split
QUANTILES = (0.1, 0.5, 0.9, 1.0)  # of the lengths that are measured
REPEATS = 3  # steps that are measured at each length, after one that is not
FLOAT = 4  # bytes


@dataclass(frozen=True)
class Line:
    """Seconds or bytes as a line over frames.

    Attributes:
        base: Value at no frames.
        slope: For each frame.
        error: Standard deviation of the measured values around the line, relative to their mean.
    """

    base: float
    slope: float
    error: float

    @classmethod
    def fit(cls, frames: Sequence[float], values: Sequence[float]) -> "Line":
        """Fit a line to values at some numbers of frames by least squares; one number gives a line through zero."""
        x, y = np.asarray(frames, float), np.asarray(values, float)
        if np.ptp(x) == 0:
            slope, base = y.mean() / x.mean(), 0.0
        else:
            slope, base = np.polyfit(x, y, 1)
            if base < 0:  # noise: no step takes less than nothing
                slope, base = (x @ y) / (x @ x), 0.0
        freedom = max(1, len(x) - 2)
        deviation = math.sqrt(float(np.square(y - base - slope * x).sum()) / freedom)
        return cls(float(base), float(slope), deviation / float(y.mean()))

    def total(self, frames: Sequence[float] | FloatArray) -> float:
        """Return the sum of the values at all these numbers of frames."""
        return self.base * len(frames) + self.slope * float(np.sum(frames))


@dataclass(frozen=True)
class StageCost:
    """What a stage costs on this machine. Frames are those of all clips of a pass, with their padding.

    Attributes:
        trained: Parameters that the optimiser changes.
        step: Seconds of a step.
        validation: Seconds of a clip's validation.
        activations: Bytes that a pass keeps for its gradients.
        peak: Most bytes that the GPU had allocated; None on a CPU.
    """

    trained: int
    step: Line
    validation: Line
    activations: Line
    peak: int | None


class RandomClips:
    """Random motion and frozen features in a model's sizes."""

    def __init__(self, model: LSF, lengths: Sequence[int]):
        """Prepare clips of these lengths in frames; each is made when it is read."""
        self.model, self.lengths = model, list(lengths)

    def example(self, clip: int) -> Example:
        """Make a clip."""
        config, frames = self.model.config, self.lengths[clip]
        heard, felt = self.model.motion_backbone, self.model.emotion_backbone or self.model.motion_backbone
        assert isinstance(heard, WaveformBackbone) and isinstance(felt, WaveformBackbone)
        sizes = heard.feature_size, felt.feature_size
        features = [torch.randn(config.frame_stack * frames, size) for size in sizes]
        return Example(torch.randn(frames, len(config.channels)), torch.randn(config.identity_size), *features)


@contextlib.contextmanager
def kept_bytes(module: nn.Module) -> Iterator[Callable[[], int]]:
    """Count the bytes that are kept for gradients in the context, without the module's own weights.

    Yields:
        A function that returns the bytes so far.
    """
    own = {p.untyped_storage().data_ptr() for p in [*module.parameters(), *module.buffers()]}
    kept: dict[int, int] = {}

    def pack(x: Tensor) -> Tensor:
        storage = x.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return x

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        yield lambda: sum(kept.values())


def measure(
    task: Task, model: LSF, lengths: Sequence[int], clips: int, device: torch.device, options: Options, repeats: int
) -> StageCost:
    """Take steps of a stage and measure them.

    Args:
        task: The stage.
        model: Its model, on the device.
        lengths: Frames of the clips that are measured.
        clips: Clips of a step in this process.
        device: The device.
        options: Options of the training.
        repeats: Measured steps for each length.
    """

    def clock() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter()

    part = -(-clips // options.accumulate)  # clips of a pass
    data = RandomClips(model, [length for length in lengths for _ in range(clips)])
    with tempfile.TemporaryDirectory() as folder:
        trainer = StageTrainer(
            task, data, data, StageRecipe(learning_rate=1e-9), batch=clips, seed=0, folder=Path(folder), identity={},
            device=device, group=ALONE, options=options, interrupt=Interrupt(),
        )  # fmt: skip
        trainer.prepare()
        task.train()
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        frames, seconds, kept, checks = [], [], [], []
        for number, length in enumerate(lengths):
            own = list(range(number * clips, (number + 1) * clips))
            with kept_bytes(task) as count:
                terms = trainer.pass_losses(own[:part], 0)
                kept.append(count())
            del terms
            trainer.step(own)
            for _ in range(repeats):
                start = clock()
                trainer.step(own)
                seconds.append(clock() - start)
                frames.append(length * clips)
            one = RandomClips(model, [length])
            start = clock()
            validation_losses(task, one, device, bf16=options.bf16)
            checks.append(clock() - start)
            task.train()
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    passes = [length * part for length in lengths]
    trained = sum(p.numel() for p in task.trained().values())
    return StageCost(trained, Line.fit(frames, seconds), Line.fit(lengths, checks), Line.fit(passes, kept), peak)


def hearing_seconds(model: LSF, device: torch.device) -> float:
    """Return the seconds that the frozen layers of both encoders take for a second of sound."""
    audio = torch.randn(round(CLIP_SECONDS * SAMPLE_RATE), device=device)
    backbones = [b for b in (model.motion_backbone, model.emotion_backbone) if isinstance(b, WaveformBackbone)]
    best = math.inf
    for _ in range(2):
        start = time.perf_counter()
        for backbone in backbones:
            count = model.frame_count(len(audio)) * model.config.frame_stack
            backbone.frozen_features(audio, backbone.clip_statistics(audio), 0, count).cpu()
        best = min(best, time.perf_counter() - start)
    return best / CLIP_SECONDS


@dataclass(frozen=True)
class Lengths:
    """Frames of the clips of a stage."""

    train: FloatArray
    valid: FloatArray


def lengths_of_hours(hours: float, fps: int) -> Lengths:
    """Return the lengths of clips that are `hours` long together."""
    count = max(1, round(hours * 3600 / CLIP_SECONDS))
    frames = np.resize(np.asarray(SPREAD), count) * CLIP_SECONDS * fps
    shares = {part: frames[: max(1, round(share * count))] for part, share in SHARES.items()}
    return Lengths(shares["train"], shares["valid"])


def plan(
    config: LSFConfig,
    recipe: Recipe,
    lengths: dict[str, Lengths],
    device: torch.device,
    *,
    processes: int = 1,
    options: Options | None = None,
    repeats: int = REPEATS,
) -> dict[str, Any]:
    """Measure this machine and tell what a training takes.

    Args:
        config: Configuration of the model.
        recipe: The recipe.
        lengths: Of the clips of "prior" and "predictor".
        device: The device.
        processes: Processes that share each step; the exchange between them is not counted.
        options: Options of the training.
        repeats: Measured steps for each length.

    Returns:
        JSON values. Bytes: "memory", "disk". Seconds: "time". "uncertainty": relative, of the time.
    """
    options = options or Options()
    model = LSF(config).to(device).eval()
    clips = -(-recipe.batch // processes)
    quantiles = {
        name: sorted({max(2, round(float(np.quantile(of.train, q)))) for q in QUANTILES})
        for name, of in lengths.items()
    }
    hearing = hearing_seconds(model, device)
    weights = sum(x.numel() * x.element_size() for x in model.state_dict().values())
    kinds: dict[str, Callable[[LSF], Task]] = {"prior": PriorTask, "predictor": PredictorTask}
    costs: dict[str, StageCost] = {}
    for name, kind in kinds.items():  # in this order: the second stage freezes the prior
        costs[name] = measure(kind(model), model, quantiles[name], clips, device, options, repeats)
    times, memory = {}, {}
    for name, cost in costs.items():
        own, stage = lengths[name], getattr(recipe, name)
        steps = -(-len(own.train) // recipe.batch)
        frames = np.full(steps, own.train.sum() / steps / recipe.batch * clips)
        epoch = cost.step.total(frames) + cost.validation.total(own.valid) / processes
        times[name] = {"epoch": epoch, "epochs": stage.epochs, "all": epoch * stage.epochs}
        longest = float(own.train.max()) * -(-clips // options.accumulate)
        memory[name] = {
            "weights": weights,
            "gradients": cost.trained * FLOAT,
            "optimiser": 2 * cost.trained * FLOAT,
            "activations": round(cost.activations.total([longest])),
            "peak": cost.peak,
        }
        memory[name]["all"] = sum(memory[name][part] for part in ("weights", "gradients", "optimiser", "activations"))
    sound = float(lengths["predictor"].train.sum() + lengths["predictor"].valid.sum()) / config.fps
    everything = {"features": hearing * sound / processes} | {name: t["all"] for name, t in times.items()}
    total = sum(everything.values())
    uncertainty = math.sqrt(sum((costs[n].step.error * times[n]["all"]) ** 2 for n in costs)) / total
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "trained": {name: cost.trained for name, cost in costs.items()},
        "clips": {name: [len(of.train), len(of.valid)] for name, of in lengths.items()},
        "speech_seconds": sound,
        "step": {name: dataclasses.asdict(cost.step) for name, cost in costs.items()},
        "measured_frames": quantiles,
        "memory": memory,
        "disk": {
            "features": FeatureCache(Path(), model).size_of(sound),
            "states": sum(4 * cost.trained * FLOAT for cost in costs.values()),
            "checkpoint": weights,
        },
        "time": everything | {"epochs": times, "all": total},
        "uncertainty": uncertainty,
    }


def table(found: dict[str, Any], heading: str) -> str:
    """Return the result of `plan` in words."""

    def size(count: float) -> str:
        return f"{count / 1e9:.2f} GB" if count >= 1e7 else f"{count / 1e6:.2f} MB"

    trained, clips, disk, times = found["trained"], found["clips"]["predictor"], found["disk"], found["time"]
    millions = [count / 1e6 for count in (found["parameters"], trained["prior"], trained["predictor"])]
    lines = [
        heading,
        "{:.1f} million parameters; the prior trains {:.1f} and the predictor {:.1f} million of them".format(*millions),
        f"{found['speech_seconds'] / 3600:.1f} h of speech to train and validate: {clips[0]} and {clips[1]} clips",
        "",
    ]
    for name, parts in found["memory"].items():
        step, epochs = found["step"][name], times["epochs"][name]
        seconds = ", ".join(f"{frames / 25:.1f}" for frames in found["measured_frames"][name])
        shares = ", ".join(
            f"{part} {size(parts[part])}" for part in ("weights", "gradients", "optimiser", "activations")
        )
        peak = f"; measured at its peak {size(parts['peak'])}" if parts["peak"] else ""
        line = f"{step['base']:.3f} s + {1000 * step['slope']:.2f} ms for each frame, ± {100 * step['error']:.0f} %"
        limit = f"at most {epochs['epochs']} epochs in {duration(epochs['all'])}"
        lines += [
            f"{name}: memory {size(parts['all'])} for the longest clips ({shares}){peak}",
            f"{name}: a step takes {line} (measured with clips of {seconds} s)",
            f"{name}: {duration(epochs['epoch'])} an epoch, {limit}",
        ]
    spread = duration(found["uncertainty"] * times["all"])
    lines += [
        "",
        f"frozen features: {duration(times['features'])}, once",
        f"disk: {', '.join(f'{name} {size(count)}' for name, count in disk.items())}",
        f"all: at most {duration(times['all'])} ± {spread}; training that stops early takes less",
    ]
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    p = argparse.ArgumentParser(
        "python -m server.training.plan", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    size = p.add_mutually_exclusive_group(required=True)
    size.add_argument("--data", type=Path, metavar="DIR", help="folder of 3DMEAD")
    size.add_argument("--hours", type=float, metavar="H", help="hours of speech, if there is no data yet")
    p.add_argument("--config", default="paper", metavar="NAME", help="paper (default), released, or a config.json")
    p.add_argument("--recipe", metavar="FILE", help="a recipe.json (default: the one of the configuration)")
    p.add_argument("--device", default="auto", help="auto (default: CUDA if there is a GPU), cpu, cuda, cuda:1")
    p.add_argument("--bf16", action="store_true", help="multiply matrices in bfloat16")
    p.add_argument("--compile", action="store_true", help="compile the step")
    p.add_argument("--batch", type=int, metavar="N", help="clips of a step, of all processes together")
    p.add_argument("--accumulate", type=int, default=1, metavar="N", help="passes of a step (default: 1)")
    p.add_argument("--processes", type=int, default=1, metavar="N", help="GPUs that share each step (default: 1)")
    p.add_argument(
        "--repeats", type=int, default=REPEATS, metavar="N", help=f"steps at each length (default: {REPEATS})"
    )
    p.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    return p


def run(args: argparse.Namespace) -> None:
    """Run the command. Raises LSFError about what is missing or wrong."""
    if min(args.processes, args.accumulate, args.repeats) < 1 or (args.hours is not None and not 0 < args.hours < 1e6):
        raise LSFError("bad_recipe", "--processes, --accumulate, --repeats and --hours must be above 0.")
    if args.json is not None:
        check_writable(args.json)
    config, recipe = read_config(args.config), read_recipe(args.recipe, args.config)
    if args.batch is not None:
        recipe = dataclasses.replace(recipe, batch=args.batch)
    if recipe.batch < args.processes:
        raise LSFError("bad_recipe", f"{args.processes} processes need at least as many clips a step: add --batch.")
    device = own_device(args.device)
    lengths = {}
    if args.data is not None:
        clips = mead3d.read(args.data, check_values=False)
        for name in ("prior", "predictor"):
            parts = mead3d.split(clips, getattr(recipe, name).protocol, ("train",))
            frames = {part: np.array([clip.frames for clip in parts[part]], float) for part in ("train", "valid")}
            lengths[name] = Lengths(**frames)
    else:
        lengths = dict.fromkeys(("prior", "predictor"), lengths_of_hours(args.hours, config.fps))
    options = Options(accumulate=args.accumulate, bf16=args.bf16, compile=args.compile, report=lambda line: None)
    found = plan(config, recipe, lengths, device, processes=args.processes, options=options, repeats=args.repeats)
    kind = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    several = f", {args.processes} processes (their exchange is not counted)" if args.processes > 1 else ""
    print(table(found, f"{args.config} on {kind}{several}, {recipe.batch} clips a step"))
    if args.json is not None:
        with writing_named(args.json):
            args.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def main() -> int:
    """Measure and print; return the exit code."""
    try:
        run(parser().parse_args())
    except Exception as error:
        print(explain(error)[1], file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
