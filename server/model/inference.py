"""Inference for a clip of any length, in overlapping windows: time is linear in the length, memory is constant."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import Cancelled, LSFError
from ..numerics import FloatArray
from .lsf import LSF, ClipStatistics
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
    device = model.motion_mean.device
    samples = torch.as_tensor(np.ascontiguousarray(audio, dtype=np.float32), device=device)
    if samples.dim() != 1:
        raise LSFError("bad_audio", "The model takes one channel of sound: mix the channels down first.")
    if identity is None:
        return samples, None
    coefficients = torch.as_tensor(np.asarray(identity, dtype=np.float32), device=device)
    if coefficients.shape != (model.config.identity_size,) or not coefficients.isfinite().all():
        raise LSFError(
            "bad_identity",
            f"This model describes a face by {model.config.identity_size} finite numbers, but this face has "
            f"{coefficients.numel()}, or not all are finite: fit the face again, or choose the matching checkpoint.",
        )
    return samples, coefficients[None]


@dataclass
class SpeechResult:
    """The output of the model for a clip: F = round(seconds · fps) frames at `model.config.fps`, at least 1."""

    curves: NDArray[np.float32]  # (F, K)
    emotion: NDArray[np.float32]  # (F, config.emotions) probabilities of EMOTION_CLASSES
    emotion_embedding: NDArray[np.float32]  # (F, EMBEDDING) input of the classifier; (F, 0) without a reader


@torch.inference_mode()
def synthesize(
    model: LSF,
    audio: FloatArray,
    identity: FloatArray | None = None,
    *,
    temperature: float = 0.0,
    seed: int = 0,
    report: Callable[[float, str], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    window: float = WINDOW,
    overlap: float = OVERLAP,
) -> SpeechResult:
    """Predict the curves of a clip.

    Args:
        model: The model, in inference mode.
        audio: (N,) speech at 16 kHz.
        identity: (I,) identity coefficients of the face; None is the average face.
        temperature: 0 is deterministic; above it, codes are sampled.
        seed: Selects the take, at a temperature above 0.
        report: Called with the fraction done, 0 to 1, and a sentence.
        cancelled: Called before each window; returns true when the job shall stop.
        window: Seconds of a window.
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
    size = min(round(window * config.fps), model.max_frames)
    shared = min(round(overlap * config.fps), size // 2)
    # Weight of the later of two overlapping windows, from 0 to 1: windows are least accurate at their ends.
    rise = np.sin(np.linspace(0, np.pi / 2, shared + 2, dtype=np.float32)[1:-1, None]) ** 2
    results: list[NDArray[np.float32]] = []
    plan = plan_windows(frames, size, shared)
    statistics = model.clip_statistics(samples)
    for number, (first, end) in enumerate(plan):
        if cancelled is not None and cancelled():
            raise Cancelled
        if report is not None:
            report(number / len(plan), f"Analysing the speech: {first // config.fps} of {frames // config.fps} s")
        parts = _run_window(model, samples, coefficients, first, end - first, statistics, temperature, seed)
        if not number:
            results = [np.empty((frames, part.shape[1]), np.float32) for part in parts]
        for result, part in zip(results, parts, strict=True):
            if number:
                part[:shared] = (1 - rise) * result[first : first + shared] + rise * part[:shared]
            result[first:end] = part
    if report is not None:
        report(1.0, "Speech analysed")
    return SpeechResult(*results)


def _run_window(
    model: LSF,
    samples: Tensor,
    identity: Tensor | None,
    first: int,
    frames: int,
    statistics: ClipStatistics,
    temperature: float,
    seed: int,
) -> list[NDArray[np.float32]]:
    """Curves (F, K), emotion probabilities (F, E) and emotion embedding (F, EMBEDDING) of one window."""
    motion, emotion = model.encode_audio(samples, first, frames, statistics)
    noise = take_noise(model.config, seed, first, frames).to(motion.device) if temperature > 0 else None
    output = model(motion[None], emotion[None], identity, first=first, temperature=temperature, noise=noise)
    parts = [output.motion[0]]
    if model.emotion_reader is not None:
        embedding, logits = model.emotion_reader(emotion, model.config.frame_stack)
        parts += [logits.softmax(-1), embedding]
    else:
        parts += [emotion.new_zeros(frames, 0)] * 2
    return [part.cpu().numpy() for part in parts]
