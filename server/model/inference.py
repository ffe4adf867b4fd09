"""Inference for a clip of any length, in overlapping windows.

Time is linear in the length; the paper's models, whose clips are one window, need more than that. What is kept of a
clip is its curves, its emotions and, with an emotion bank, its projected features and latents; those of a long clip,
290 MB for an hour, are in temporary files. The curves of a voice without emotion come first (`synthesize`); what
emotions add to them is the difference to the curves with another place in the emotion stream (`emotion_changes`).
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import Cancelled, LSFError
from ..files.audio import LONG_SECONDS, SAMPLE_RATE
from ..files.spool import Spool, release
from ..numerics import FloatArray
from ..protocol.emotions import EMOTIONS
from .lsf import LSF
from .motion_prior import take_noise

WINDOW, OVERLAP = 10.0, 2.0  # seconds; short for a quick reaction to cancel. The lips score the same from 4 to 20 s


def plan_windows(frames: int, window: int, overlap: int) -> list[tuple[int, int]]:
    """Divide a clip into windows.

    Args:
        frames: Number of frames of the clip.
        window: Frames of a window.
        overlap: Frames that neighbours share.

    Returns:
        First frame of each window, and the frame after its last; the last window may be shorter.
    """
    starts = range(0, max(1, frames - overlap), window - overlap)
    return [(start, min(start + window, frames)) for start in starts]


def prepare(model: LSF, audio: FloatArray, identity: FloatArray | None) -> tuple[Tensor, Tensor | None]:
    """Check the inputs and move them to the model's device.

    Args:
        model: The model.
        audio: (N,) speech at 16 kHz.
        identity: (I,) identity coefficients, or None.

    Returns:
        Samples (N,), and coefficients (1, I) or None.

    Raises:
        LSFError: "bad_audio" if there is more than one channel; "bad_identity" if the coefficients do not fit.
    """
    samples = torch.as_tensor(np.ascontiguousarray(audio, dtype=np.float32), device=model.motion_mean.device)
    if samples.dim() != 1:
        raise LSFError("bad_audio", "The model takes one channel of sound: mix the channels down first.")
    return samples, identity_coefficients(model, identity)


def identity_coefficients(model: LSF, identity: FloatArray | None) -> Tensor | None:
    """Return identity coefficients (I,) as a tensor (1, I) on the model's device; None stays None.

    Raises:
        LSFError: "bad_identity" if they do not fit the model.
    """
    if identity is None:
        return None
    coefficients = torch.as_tensor(np.asarray(identity, dtype=np.float32), device=model.motion_mean.device)
    if coefficients.shape != (model.config.identity_size,) or not coefficients.isfinite().all():
        raise LSFError(
            "bad_identity",
            f"This model describes a face by {model.config.identity_size} finite numbers, but this face has "
            f"{coefficients.numel()}, or not all are finite: fit the face again, or choose the matching checkpoint.",
        )
    return coefficients[None]


@dataclass
class Window:
    """A window of a clip after encoding.

    Attributes:
        first: Its first frame.
        motion: (F, stacked) projected motion features. Half precision halves what is kept of a clip; those of a long
            clip are in an array of a `Spool`.
        z: (F, L) latent of a neutral voice, kept likewise; None if it was not computed.
    """

    first: int
    motion: NDArray[np.float16]
    z: NDArray[np.float32] | None = None


@dataclass
class SpeechResult:
    """The output of the model for a clip: F = round(seconds · fps) frames at `model.config.fps`, at least 1.

    With an emotion bank, `curves` are those of a neutral voice.
    """

    curves: NDArray[np.float32]  # (F, K)
    emotion: NDArray[np.float32]  # (F, config.emotions) probabilities of EMOTION_CLASSES
    emotion_embedding: NDArray[np.float32]  # (EMBEDDING,) mean input of the classifier; (0,) without a reader
    windows: list[Window]  # for `emotion_changes`; empty without an emotion bank


def _decode(model: LSF, z: Tensor, first: int, temperature: float, seed: int) -> NDArray[np.float32]:
    """Curves (n, F, K) of latents (n, F, L) of a window that begins with frame `first`; all n are the same take."""
    noise = take_noise(model.config, seed, first, z.shape[1]).to(z.device) if temperature > 0 else None
    curves: NDArray[np.float32] = model.decode(z, None, temperature, noise).motion.cpu().numpy()
    return curves


class _Windows:
    """Keeps the windows of a clip, those of a long one in a file."""

    def __init__(self, samples: int):
        self._spools = (Spool(np.float16), Spool(np.float32)) if samples > LONG_SECONDS * SAMPLE_RATE else None
        self._windows: list[Window] = []
        self._shapes: list[tuple[int, list[tuple[int, ...]]]] = []  # first frame of each in the files, and its shapes

    def add(self, first: int, motion: Tensor, z: Tensor) -> None:
        """Keep features (F, stacked) and latents (F, L) of a window that begins with frame `first`."""
        arrays = motion.cpu().numpy(), z.cpu().numpy()
        if self._spools is None:
            self._windows.append(Window(first, *arrays))
        else:
            for spool, array in zip(self._spools, arrays, strict=True):
                spool.append(array.ravel())
            self._shapes.append((first, [array.shape for array in arrays]))

    def all(self) -> list[Window]:
        """Return the windows; none can be added any more."""
        if self._spools is not None:
            files, starts = [spool.finish() for spool in self._spools], [0] * len(self._spools)
            for first, shapes in self._shapes:
                ends = [start + math.prod(shape) for start, shape in zip(starts, shapes, strict=True)]
                parts = [file[a:b] for file, a, b in zip(files, starts, ends, strict=True)]
                self._windows.append(Window(first, parts[0].reshape(shapes[0]), parts[1].reshape(shapes[1])))
                starts = ends
        return self._windows


_Part = tuple[int, list[NDArray[np.float32]]]
"""First frame of a part of a clip, and results (…, n, C) for its n frames."""


def _joined(windows: Iterable[_Part]) -> Iterator[_Part]:
    """Join results of overlapping windows, in order; the later one fades in. Gives parts that do not overlap."""
    start = 0
    kept: list[NDArray[np.float32]] = []  # the last window, as far as the next one may still change it
    for first, results in windows:
        shared = start + kept[0].shape[-2] - first if kept else 0
        if shared > 0:
            # Weight of the later window, from 0 to 1: windows are least accurate at their ends.
            rise = np.sin(np.linspace(0, np.pi / 2, shared + 2, dtype=np.float32)[1:-1, None]) ** 2
            for earlier, later in zip(kept, results, strict=True):
                later[..., :shared, :] *= rise
                later[..., :shared, :] += (1 - rise) * earlier[..., first - start :, :]
        if kept:
            yield start, [earlier[..., : first - start, :] for earlier in kept]
        start, kept = first, results
    yield start, kept


@contextmanager
def _before_each_layer(model: LSF, between: Callable[[], None]) -> Iterator[None]:
    """Call `between` before each layer of the model's stacks: a clip in one window is long work."""
    stacks = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
    hooks = [layer.register_forward_pre_hook(lambda *_: between()) for stack in stacks for layer in stack]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@torch.inference_mode()
def synthesize(
    model: LSF,
    audio: FloatArray,
    identity: FloatArray | None = None,
    *,
    temperature: float = 0.0,
    seed: int = 0,
    own_mean: FloatArray | None = None,
    report: Callable[[float, str], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    following: Callable[[int, NDArray[np.float32]], float] = lambda first, probabilities: 0.0,
    window: float | None = WINDOW,
    overlap: float = OVERLAP,
) -> SpeechResult:
    """Predict the curves of a clip.

    Args:
        model: The model, in inference mode.
        audio: (N,) speech at 16 kHz.
        identity: (I,) identity coefficients of the face; None is the average face.
        temperature: 0 is deterministic; above it, codes are sampled.
        seed: Selects the take, at a temperature above 0.
        own_mean: (2 · Ce,) mean statistics of the speaker's lines, against which emotion is read; None if unknown.
        report: Called with the fraction done, 0 to 1, and a sentence.
        cancelled: Called before each window and each minute of sound, and before each layer of a whole clip; returns
            true when the job shall stop.
        following: Tells how much work will follow on a window, relative to this function's own, by its first frame and
            its emotion probabilities. The reported fraction is that of all.
        window: Seconds of a window. None: the whole clip at once, as in the paper, or as much of it as the backbones
            take (`LSF.max_frames`).
        overlap: Seconds that neighbouring windows share.

    Returns:
        Curves and emotion of all frames.

    Raises:
        LSFError: "bad_audio" or "bad_identity".
        Cancelled: If `cancelled` returned true.
    """
    config = model.config
    samples, coefficients = prepare(model, audio, identity)
    frames = model.frame_count(len(samples))
    size = model.max_frames if window is None else min(round(window * config.fps), model.max_frames)
    plan = plan_windows(frames, size, min(round(overlap * config.fps), size // 2))

    def ask() -> None:
        if cancelled is not None and cancelled():
            raise Cancelled

    def between() -> None:
        release(audio)
        ask()

    statistics = model.clip_statistics(samples, between)
    windows = _Windows(len(samples))
    neutral = model.emotion_places(samples.new_zeros(1, len(EMOTIONS))) if config.emotion_bank else None
    average = None if own_mean is None else torch.as_tensor(np.asarray(own_mean, np.float32), device=samples.device)

    later = 0.0  # work that will follow on the windows that are done

    def fraction(done: int) -> float:
        """Share of the whole work that is done after `done` windows."""
        return done / len(plan) / (1 + later / max(done, 1))

    def heard() -> Iterator[_Part]:
        """Curves, emotions and embedding of each window."""
        nonlocal later
        for number, (first, end) in enumerate(plan):
            between()
            if report is not None:
                report(fraction(number), f"Analysing the speech: {first // config.fps} of {frames // config.fps} s")
            motion, emotion = model.encode_audio(samples, first, end - first, statistics)
            stacked, emotional = model.stack_motion(motion[None]), emotion[None]
            if neutral is not None:
                halved, emotional = stacked.half(), neutral
                stacked = halved.float()
            z = model.predict(stacked, emotional, coefficients, first=first)
            if neutral is not None:  # `emotion_changes` continues with what is kept
                windows.add(first, halved[0], z[0])
            parts = [emotion.new_zeros(end - first, 0)] * 2
            if model.emotion_reader is not None:
                embedding, logits = model.emotion_reader(emotion, config.frame_stack, average)
                parts = [logits.softmax(-1), embedding]
            heard_parts = [part.cpu().numpy() for part in parts]
            later += following(first, heard_parts[0])
            yield first, [_decode(model, z, first, temperature, seed)[0], *heard_parts]

    results: list[NDArray[np.float32]] = []
    embedding = np.zeros(1)  # sum of those of all frames, which would take 46 MB for an hour
    with _before_each_layer(model, ask) if window is None else nullcontext():
        for first, (*parts, embeddings) in _joined(heard()):
            if not results:
                results = [np.empty((frames, part.shape[-1]), np.float32) for part in parts]
            for result, part in zip(results, parts, strict=True):
                result[first : first + len(part)] = part
            embedding = embedding + embeddings.sum(0, dtype=np.float64)
    if report is not None:
        report(fraction(len(plan)), "Speech analysed")
    curves, probabilities = results
    return SpeechResult(curves, probabilities, (embedding / frames).astype(np.float32), windows.all())


def emotion_changes(
    model: LSF,
    result: SpeechResult,
    emotions: Sequence[int],
    identity: FloatArray | None = None,
    *,
    temperature: float = 0.0,
    seed: int = 0,
    shown: NDArray[np.bool_] | None = None,
    report: Callable[[float, str], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Give what emotions change in the curves of a clip: the curves with each, less those of the neutral voice.

    The differences are multiplied by the model's `expression_gain`.

    Args:
        model: A model with an emotion bank, in inference mode.
        result: What `synthesize` returned for the clip.
        emotions: Indices in EMOTIONS; each is shown at full strength over the whole clip.
        identity: As of `synthesize`.
        temperature: As of `synthesize`.
        seed: As of `synthesize`; the same take.
        shown: (F, len(emotions)) whether a change is needed; those that are not needed may be zero. None: all are.
        report: As of `synthesize`.
        cancelled: As of `synthesize`.

    Yields:
        The clip in parts, in order: the first frame of each, and (len(emotions), n, K) for its n frames.

    Raises:
        LSFError: "bad_identity".
        Cancelled: If `cancelled` returned true.
    """
    device = model.motion_mean.device
    coefficients = identity_coefficients(model, identity)
    places = model.emotion_places(torch.eye(len(EMOTIONS), device=device)[list(emotions)])
    needed = np.ones((len(result.windows), len(emotions)), bool)
    if shown is not None:
        needed = np.stack([shown[part.first : part.first + len(part.motion)].any(0) for part in result.windows])
    work = np.cumsum([0, *(needed.sum(1) + 1)])  # the curves of a neutral voice are a place of their own

    @torch.inference_mode()
    def change(number: int) -> _Part:
        """Curves with the emotions that are needed in a window."""
        if cancelled is not None and cancelled():
            raise Cancelled
        if report is not None:
            report(work[number] / work[-1], "Adding the expression")
        part, chosen = result.windows[number], np.flatnonzero(needed[number])
        neutral = result.curves[part.first : part.first + len(part.motion)]
        curves = np.repeat(neutral[None], len(emotions), 0)  # no change where none is needed
        if len(chosen):
            motion = torch.from_numpy(part.motion).to(device)[None].float()
            spoken = None if part.z is None else torch.from_numpy(part.z).to(device)[None]
            z = model.predict(motion, places[chosen], coefficients, first=part.first, neutral=spoken)
            curves[chosen] = _decode(model, z, part.first, temperature, seed)
            release(part.motion)
            if part.z is not None:
                release(part.z)
        return part.first, [curves]

    gain = model.expression_gain[list(emotions)].cpu().numpy()[:, None, None]
    for first, (curves,) in _joined(map(change, range(len(result.windows)))):
        yield first, (curves - result.curves[first : first + curves.shape[1]]) * gain
