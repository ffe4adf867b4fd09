"""The loop of one stage: steps, validation, early stopping, states to continue from, progress.

The loss of a step is the mean over all valid frames of all its clips, whichever process computes them and in however
many passes. A mean of the processes' or the passes' means would weigh the frames of short clips more.
"""

import contextlib
import dataclasses
import json
import math
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ...errors import LSFError
from . import checkpoints
from .batches import Batch, Clips, collate, epoch_batches, portion
from .checkpoints import MODEL, OPTIMISER, RANDOM, State
from .distributed import ALONE, Group, derived_seed
from .draws import ClipDraws
from .recipe import StageRecipe

OPTIMISERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


class Task(nn.Module):
    """What a stage trains. `forward` takes a batch and returns "loss" and its terms, each a mean over valid frames.

    Attributes:
        name: Of the stage, in files and lines.
    """

    name: str

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return "loss" and its terms, () each, all of them plain means over the valid frames of the batch."""
        raise NotImplementedError

    def changing(self) -> dict[str, Tensor]:
        """Return all tensors that the stage changes, by name: a state holds these and no others."""
        return {name: parameter.data for name, parameter in self.trained().items()}

    def trained(self) -> dict[str, nn.Parameter]:
        """Return the parameters that the optimiser changes, by name."""
        return {name: p for name, p in self.named_parameters() if p.requires_grad}

    def update(self, group: Group, generator: torch.Generator) -> None:
        """Change, after a step, what learns without gradients. All processes call it equally often."""

    @property
    def learns_at_start(self) -> bool:
        """Whether `update` must see the clips of a step once before the first step."""
        return False

    def forward(self, batch: Batch | None, keys: Sequence[int] | None = None) -> dict[str, Tensor]:
        """Compute the losses of a batch.

        Args:
            batch: The clips; None for a process that has none in this step.
            keys: Keys of the clips' random draws (`ClipDraws`); None leaves them to torch's generator.
        """
        if batch is None:
            # A loss that depends on all parameters, so that this process takes part in the exchange of gradients.
            return {"loss": 0 * sum(p.flatten()[0] for p in self.trained().values())}  # type: ignore[dict-item]
        with ClipDraws(keys, batch.motion.device) if keys is not None and self.training else contextlib.nullcontext():
            return self.losses(batch)


@dataclass(frozen=True)
class Options:
    """What changes speed and memory of a training, but its result no more than by rounding.

    Attributes:
        accumulate: Passes in which each process computes its clips of a step: fewer clips at once need less memory.
        bf16: Whether matrices are multiplied in bfloat16 (autocast); weights, codebook and losses stay float32.
        compile: Whether torch.compile compiles the step. Draws are then those of the process, not of the clip.
        save_seconds: Time between two states of an unfinished epoch.
        report_seconds: Time between two lines within an epoch.
        report: Takes the lines; only the first process calls it.
        command: The command that continues the training, for the last line of a stopped one.
    """

    accumulate: int = 1
    bf16: bool = False
    compile: bool = False
    save_seconds: float = 300.0
    report_seconds: float = 30.0
    report: Callable[[str], None] = print
    command: str = "the same command"


class Stopped(Exception):
    """Training was stopped by the user; a state was written. The message says how to go on."""


@dataclass
class Progress:
    """Where a stage is. JSON in its state.

    Attributes:
        epoch: Complete epochs.
        step: Complete steps of the epoch that runs.
        steps: Complete steps of all epochs.
        best: Lowest validation loss so far; None before the first.
        best_epoch: Number of the epoch, from 1, that has it.
        worse: Epochs since then.
        sums: Sums over the valid frames of the running epoch, by term of the loss.
        frames: Their number.
    """

    epoch: int = 0
    step: int = 0
    steps: int = 0
    best: float | None = None
    best_epoch: int = 0
    worse: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    frames: int = 0


class Interrupt:
    """Notes Ctrl-C and a request to terminate, so that a step is finished first. Another one later ends at once.

    Another one soon is the same: the terminal and torchrun may both pass on one Ctrl-C.
    """

    SAME_SECONDS = 2.0

    def __init__(self) -> None:
        self.asked = False
        self.first = 0.0

    @contextlib.contextmanager
    def listening(self) -> Iterator["Interrupt"]:
        """Listen while the context lasts. Only the main thread may, so others do not."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        previous = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield self
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.asked and now - self.first > self.SAME_SECONDS:
            raise KeyboardInterrupt
        self.asked, self.first = True, self.first if self.asked else now


class StageTrainer:
    """Trains one stage, and continues from its state."""

    def __init__(
        self,
        task: Task,
        train: Clips,
        valid: Clips,
        recipe: StageRecipe,
        *,
        batch: int,
        seed: int,
        folder: Path,
        identity: dict[str, Any],
        device: torch.device,
        group: Group,
        options: Options,
        interrupt: Interrupt,
    ):
        """Prepare the stage.

        Args:
            task: What is trained, on `device`.
            train: Clips for training.
            valid: Clips for validation; may be empty if the recipe has no patience: then the last epoch is the best.
            recipe: How.
            batch: Clips of a step, of all processes together.
            seed: Seed of the training.
            folder: Folder of all states; this stage's are in the subfolder with its name.
            identity: JSON values that a state must agree with to be continued, such as configuration and data.
            device: Device of this process.
            group: All processes.
            options: What changes the result only by rounding.
            interrupt: Tells when to stop.
        """
        self.task, self.train, self.valid, self.recipe = task, train, valid, recipe
        self.batch, self.seed, self.identity = batch, seed, identity
        self.device, self.group, self.options, self.interrupt = device, group, options, interrupt
        self.folder, self.metrics = folder / task.name, folder / "metrics.jsonl"
        self.dtype = next(iter(task.trained().values())).dtype
        self.progress = Progress()
        self.optimiser = OPTIMISERS[recipe.optimiser](
            task.trained().values(), recipe.learning_rate, recipe.betas, recipe.epsilon, recipe.weight_decay
        )
        self.step_module: nn.Module = task
        self.names: list[str] = []  # of the terms of the loss, the same in all processes
        self.clock = time.monotonic()
        self.saved = self.reported = self.clock
        self.clips_done = 0  # since the clock started

    # States

    @property
    def last(self) -> Path:
        """File of the state to continue from."""
        return self.folder / "last.safetensors"

    @property
    def best(self) -> Path:
        """File of the state with the lowest validation loss; it has no optimiser."""
        return self.folder / "best.safetensors"

    def save(self) -> None:
        """Write the state to continue from."""
        self.saved = time.monotonic()
        tensors = self._checked()
        if not self.group.first:
            return
        draws, values = checkpoints.random_tensors()
        moments = checkpoints.optimiser_tensors(self.optimiser, self.task.trained())
        tensors |= {OPTIMISER + name: x for name, x in moments.items()} | {RANDOM + n: x for n, x in draws.items()}
        checkpoints.write_state(self.last, tensors, self._header() | {"random": values})

    def save_best(self) -> None:
        """Write what is trained as the best so far."""
        tensors = self._checked()
        if self.group.first:
            checkpoints.write_state(self.best, tensors, self._header())

    def _header(self) -> dict[str, Any]:
        return {"stage": self.task.name, "identity": self.identity, "progress": dataclasses.asdict(self.progress)}

    def load(self) -> bool:
        """Continue from the last state, if there is one; return whether there was.

        Raises:
            LSFError: "bad_state" if it is damaged, "other_training" if it is of another configuration or other data.
        """
        state = checkpoints.read_state(self.last)
        if state is None:
            return False
        self._take(state, self.last)
        try:
            checkpoints.load_optimiser(self.optimiser, self.task.trained(), state.part(OPTIMISER))
            checkpoints.restore_random(state.part(RANDOM), state.progress["random"])
            self.progress = Progress(**state.progress["progress"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise LSFError("bad_state", f'The state "{self.last}" is damaged: delete it, or use a copy.') from error
        return True

    def load_best(self) -> None:
        """Give the task the best weights. Raises LSFError like `load`, and if there are none."""
        state = checkpoints.read_state(self.best)
        if state is None:
            raise LSFError("bad_state", f'"{self.best}" is missing: delete "{self.folder}" to train this stage again.')
        self._take(state, self.best)

    def _take(self, state: State, path: Path) -> None:
        """Copy the weights of a state into the task."""
        check_identity(state.progress.get("identity"), self.identity, path)
        own, stored = self.task.changing(), state.part(MODEL)
        if own.keys() != stored.keys() or any(own[name].shape != x.shape for name, x in stored.items()):
            raise LSFError("bad_state", f'The state "{path}" does not fit its own configuration: delete it.')
        with torch.no_grad():
            for name, x in own.items():
                x.copy_(stored[name])

    # Training

    def run(self) -> None:
        """Train to the end of the stage, and leave the best weights in the task.

        Raises:
            Stopped: The user asked for it; a state was written.
            LSFError: A state, the disk, or a loss that is no number.
        """
        with checkpoints.writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            if self.group.first:
                checkpoints.clear_unfinished(self.folder)
        continued = self.load()
        self.prepare(continued)
        while not self._finished():
            self._epoch()
        self.group.wait()  # until the first process has written the best
        self.load_best()

    def _finished(self) -> bool:
        progress = self.progress
        return progress.epoch >= self.recipe.epochs or bool(
            self.recipe.patience and progress.worse >= self.recipe.patience
        )

    def prepare(self, continued: bool = False) -> None:
        """Make what `step` needs; `continued` tells whether a state was loaded."""
        self._wrap()
        if not continued:
            self._start()

    def _wrap(self) -> None:
        """Make the module that computes a step: compiled, and with gradients exchanged between the processes."""
        module: nn.Module = self.task
        if self.options.compile:
            module = torch.compile(module, dynamic=True)  # type: ignore[assignment]
        if self.group.size > 1 and not self._finished():
            # Older torch knows no other name.
            warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)
            module = DistributedDataParallel(
                module,
                device_ids=[self.device] if self.device.type == "cuda" else None,
                broadcast_buffers=False,  # they are the same in all processes
                find_unused_parameters=self._has_unused(),
            )
        self.step_module = module

    def _has_unused(self) -> bool:
        """Return whether the loss of a clip does not depend on some parameter; looking for those costs every step.

        Also note the terms of the loss: a process may have no clips in its first step.
        """
        self.task.eval()  # nothing must learn from this
        losses = self.pass_losses([0], 0)
        self.names = list(losses)
        gradients = torch.autograd.grad(losses["loss"], list(self.task.trained().values()), allow_unused=True)
        return any(gradient is None for gradient in gradients)

    def _start(self) -> None:
        """Prepare the first step."""
        if self.task.learns_at_start and len(self.train.lengths):
            self.task.train()
            clips = epoch_batches(self.train.lengths, self.batch, self.seed, 0)[0]
            with torch.no_grad():
                for part in self._passes(clips):
                    if part:
                        self.pass_losses(part, 0)
            self.task.update(self.group, self._generator(-1))
        if not len(self.valid.lengths) or not self.recipe.epochs:
            self.save_best()

    def _generator(self, step: int) -> torch.Generator:
        """Return a generator that is the same in all processes and differs from step to step."""
        return torch.Generator().manual_seed(derived_seed(self.seed, self.task.name, "step", step))

    def _passes(self, clips: Sequence[int]) -> list[list[int]]:
        """Return this process's clips of a step, by pass; a pass may be empty."""
        own = portion(clips, self.group.rank, self.group.size)
        return [portion(own, part, self.options.accumulate) for part in range(self.options.accumulate)]

    def pass_losses(self, clips: Sequence[int], epoch: int, module: nn.Module | None = None) -> dict[str, Tensor]:
        """Compute the losses of clips; none give a loss of 0."""
        batch, keys = None, None
        if clips:
            batch = collate([self.train.example(clip) for clip in clips], self.device, self.dtype)
            if not self.options.compile:
                keys = [derived_seed(self.seed, self.task.name, epoch, clip) for clip in clips]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.options.bf16):
            terms: dict[str, Tensor] = (self.task if module is None else module)(batch, keys)
        return terms

    def step(self, clips: Sequence[int]) -> None:
        """Take one step of the optimiser."""
        progress = self.progress
        frames = sum(self.train.lengths[clip] for clip in clips)
        self.optimiser.zero_grad()
        if self.options.compile:
            torch.manual_seed(derived_seed(self.seed, self.task.name, "draws", progress.steps, self.group.rank))
        sums: dict[str, Tensor] = {}
        passes = self._passes(clips)
        for number, part in enumerate(passes):
            last = number == len(passes) - 1
            if not part and (self.group.size == 1 or not last):
                continue
            waits = isinstance(self.step_module, DistributedDataParallel) and not last
            with self.step_module.no_sync() if waits else contextlib.nullcontext():  # type: ignore[operator]
                terms = self.pass_losses(part, progress.epoch, self.step_module)
                own = sum(self.train.lengths[clip] for clip in part)
                # DistributedDataParallel divides the sum of the gradients by the number of processes.
                (terms["loss"] * (own / frames * self.group.size if part else 0.0)).backward()
            if part:
                for name, term in terms.items():
                    sums[name] = sums.get(name, 0) + term.detach().double() * own
        stop = self._count(sums)
        self.optimiser.step()
        self.task.update(self.group, self._generator(progress.steps))
        progress.frames += frames
        progress.step += 1
        progress.steps += 1
        self.clips_done += len(clips)
        if stop:
            self.save()
            self.group.wait()  # torchrun ends all processes when the first of them has ended
            raise Stopped(
                f"Stopped after step {progress.step} of epoch {progress.epoch + 1} of the {self.task.name}; "
                f"to continue: {self.options.command}"
            )

    def _count(self, sums: dict[str, Tensor]) -> bool:
        """Add the sums of all processes to the epoch's; return whether any process was asked to stop."""
        self.names = self.names or list(sums)
        values = [sums.get(name, torch.zeros((), dtype=torch.double, device=self.device)) for name in self.names]
        asked = torch.tensor(float(self.interrupt.asked), dtype=torch.double, device=self.device)
        *totals, stop = self.group.total(torch.stack([*values, asked])).tolist()
        for name, total in zip(self.names, totals, strict=True):
            if not math.isfinite(total):
                raise self._not_finite(name)
            self.progress.sums[name] = self.progress.sums.get(name, 0.0) + total
        return bool(stop)

    def _not_finite(self, what: str) -> LSFError:
        """Return the error about something that is infinite or NaN."""
        return LSFError(
            "not_finite",
            f"The {what} of the {self.task.name} is no number after {self.progress.steps} steps. The last state on the "
            "disk is from before: continue it without --bf16, or begin in another --out with a lower learning rate.",
        )

    def _checked(self) -> dict[str, Tensor]:
        """Return what the stage changes, under the names of a state. Raises LSFError("not_finite")."""
        tensors = self.task.changing()
        if not all(x.isfinite().all() for x in tensors.values()):
            raise self._not_finite("weights")
        return {MODEL + name: x for name, x in tensors.items()}

    def _epoch(self) -> None:
        """Train the rest of the epoch that runs, validate, and write the states."""
        progress, options = self.progress, self.options
        batches = epoch_batches(self.train.lengths, self.batch, self.seed, progress.epoch)
        self.task.train()
        for clips in batches[progress.step :]:
            self.step(clips)
            now = time.monotonic()
            if now - self.reported > options.report_seconds:
                self._report(f"step {progress.step} of {len(batches)}", self._means(), len(batches))
            if now - self.saved > options.save_seconds:
                self.save()
        means = self._means()
        validation = self.validate()["loss"] if len(self.valid.lengths) else None
        if validation is not None and not math.isfinite(validation):
            raise self._not_finite("validation loss")
        progress.epoch, progress.step, progress.sums, progress.frames = progress.epoch + 1, 0, {}, 0
        progress.worse += 1
        if validation is None or progress.best is None or validation < progress.best:
            progress.best, progress.best_epoch, progress.worse = validation, progress.epoch, 0
            self.save_best()
        self._report("", means, len(batches), validation)
        self.save()

    def _means(self) -> dict[str, float]:
        return {name: total / max(1, self.progress.frames) for name, total in self.progress.sums.items()}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Return the mean losses over all valid frames of the clips for validation."""
        return validation_losses(self.task, self.valid, self.device, self.group, bf16=self.options.bf16)

    # Progress

    def _report(self, place: str, means: dict[str, float], steps: int, validation: float | None = None) -> None:
        """Print a line and append it to the metrics."""
        now = time.monotonic()
        speed = self.clips_done / max(now - self.clock, 1e-9)
        self.reported = now
        if not self.group.first:
            return
        progress, recipe = self.progress, self.recipe
        ended = not place
        left = (recipe.epochs - progress.epoch) * steps - progress.step
        clips_left = left * len(self.train.lengths) / max(1, steps)
        parts = [f"loss {means.get('loss', math.nan):.4f}"]
        if validation is not None:
            parts += [f"validation {validation:.4f}", f"best {progress.best:.4f} (epoch {progress.best_epoch})"]
        parts += [f"{speed:.2f} clips/s"]
        if ended and self._finished():
            parts += [
                "finished" if progress.epoch >= recipe.epochs else f"no better for {progress.worse} epochs: finished"
            ]
        elif speed > 0:
            parts += [f"at most {duration(clips_left / speed)} left"]
        epoch = progress.epoch + (not ended)
        heading = f"{self.task.name} epoch {epoch} of {recipe.epochs}" + ("" if ended else f", {place}")
        self.options.report(f"{heading}: {', '.join(parts)}")
        record = {
            "stage": self.task.name, "epoch": epoch, "step": progress.steps, **means, "validation": validation,
            "best": progress.best, "clips_per_second": round(speed, 4), "time": round(time.time(), 1),
        }  # fmt: skip
        with checkpoints.writing(self.folder), self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


@torch.no_grad()
def validation_losses(
    task: Task, clips: Clips, device: torch.device, group: Group = ALONE, *, bf16: bool = False
) -> dict[str, float]:
    """Return the losses of a task on clips, in inference mode: means over all valid frames.

    Args:
        task: The task; its mode is what it was afterwards.
        clips: The clips; each process computes some of them.
        device: Device of the task.
        group: All processes.
        bf16: As of `Options`.
    """
    training = task.training
    task.eval()
    dtype = next(iter(task.parameters())).dtype
    sums: dict[str, Tensor] = {}
    # All processes compute the first clip, so that all know the terms; it counts once.
    own = sorted({0, *range(group.rank, len(clips.lengths), group.size)})
    for clip in own:
        batch = collate([clips.example(clip)], device, dtype)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            terms = task(batch)
        weight = clips.lengths[clip] if clip or group.first else 0
        for name, term in terms.items():
            sums[name] = sums.get(name, 0) + term.double() * weight
    totals = group.total(torch.stack(list(sums.values()))).tolist()
    task.train(training)
    return {name: total / sum(clips.lengths) for name, total in zip(sums, totals, strict=True)}


def check_identity(stored: object, own: dict[str, Any], path: Path) -> None:
    """Raise LSFError("other_training") if a state is of another training than this one."""
    if stored == own:
        return
    known = stored if isinstance(stored, dict) else {}
    different = [name.replace("_", " ") for name in own if known.get(name) != own[name]] or ["contents"]
    raise LSFError(
        "other_training",
        f'"{path.parent}" holds a training with another {different[0]}: choose another --out, or delete it.',
    )


def duration(seconds: float) -> str:
    """Return a time in words, such as "3 h 20 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{seconds / 86400:.1f} days"
