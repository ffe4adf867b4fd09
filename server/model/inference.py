"""From a clip of any length to motion curves, in overlapping windows: time linear in the length, memory flat."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..errors import Cancelled, LSFError
from .lsf import LSF
from .motion_prior import take_noise

WINDOW, OVERLAP = 10.0, 2.0  # seconds; short, so that Cancel is heard soon. Lips score the same from 4 to 20 s


def plan_windows(frames: int, window: int, overlap: int) -> list[tuple[int, int]]:
    """(first, end) of windows over `frames`; neighbours share `overlap` frames, and the last may be shorter."""
    starts = range(0, max(1, frames - overlap), window - overlap)
    return [(start, min(start + window, frames)) for start in starts]


def prepare(model: LSF, audio: np.ndarray, identity: np.ndarray | None) -> tuple[Tensor, Tensor | None]:
    """Samples (N,) and identity (1, I) on the model's device."""
    device = model.motion_mean.device
    samples = torch.as_tensor(np.ascontiguousarray(audio, dtype=np.float32), device=device)
    if samples.dim() != 1:
        raise LSFError("bad_audio", "The model hears one channel of sound; mix the channels down first.")
    if identity is None:
        return samples, None
    who = torch.as_tensor(np.asarray(identity, dtype=np.float32), device=device)
    if who.shape != (model.config.identity_size,) or not who.isfinite().all():
        raise LSFError(
            "bad_identity",
            f"This model describes a face by {model.config.identity_size} finite numbers, and this face came with "
            f"{who.numel()}; fit the face again, or choose the checkpoint that belongs to it.",
        )
    return samples, who[None]


@dataclass
class SpeechResult:
    """What the model makes of a clip, F = round(seconds · fps) frames at `model.config.fps`, at least 1."""

    curves: np.ndarray  # (F, K) float32
    emotion: np.ndarray  # (F, emotions) float32 probabilities of the classes in EMOTION_CLASSES
    emotion_embedding: np.ndarray  # (F, E) float32 what they are read from


@torch.inference_mode()
def synthesize(
    model: LSF,
    audio: np.ndarray,
    identity: np.ndarray | None = None,
    temperature: float = 0.0,
    seed: int = 0,
    report: Callable[[float, str], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    window: float = WINDOW,
    overlap: float = OVERLAP,
) -> SpeechResult:
    """Listen to speech (N,) at 16 kHz for a face with identity coefficients (I,; None: the average face). Raises
    `Cancelled` between two windows.

    Temperature 0 is deterministic; above it, every `seed` is another take. `window` and `overlap` are in seconds.
    """
    config, reader = model.config, model.emotion_reader
    samples, who = prepare(model, audio, identity)
    frames = model.frame_count(len(samples))
    size = min(round(window * config.fps), model.longest)
    shared = min(round(overlap * config.fps), size // 2)
    # Weight of the later of two windows where they overlap: it rises from 0 to 1, as each knows little at its ends.
    rise = np.sin(np.linspace(0, np.pi / 2, shared + 2, dtype=np.float32)[1:-1, None]) ** 2
    results: list[np.ndarray] = []
    plan = plan_windows(frames, size, shared)
    level = model.clip_statistics(samples)
    for number, (first, end) in enumerate(plan):
        if cancelled is not None and cancelled():
            raise Cancelled
        if report is not None:
            report(number / len(plan), f"Listening: {first // config.fps} of {frames // config.fps} s")
        motion, emotion = model.encode_audio(samples, first, end - first, level)
        noise = take_noise(config, seed, first, end - first).to(motion.device) if temperature > 0 else None
        parts = [model(motion[None], emotion[None], who, None, first, temperature, noise).motion[0]]
        if reader is not None:
            embedding, logits = reader(emotion, config.fold)
            parts += [logits.softmax(-1), embedding]
        else:
            parts += [emotion.new_zeros(end - first, 0)] * 2
        parts = [part.cpu().numpy() for part in parts]
        if not number:
            results = [np.empty((frames, part.shape[1]), np.float32) for part in parts]
        for result, part in zip(results, parts, strict=True):
            if number:
                part[:shared] = (1 - rise) * result[first : first + shared] + rise * part[:shared]
            result[first:end] = part
    if report is not None:
        report(1.0, "Speech heard")
    return SpeechResult(*results)
