"""From a clip of any length to motion curves, in overlapping windows: time linear in the length, memory flat."""

from collections.abc import Callable

import numpy as np
import torch

from ..errors import Cancelled
from .lsf import LSF
from .motion_prior import take_noise

WINDOW, OVERLAP = 20.0, 4.0  # seconds


def windows(frames: int, window: int, overlap: int) -> list[tuple[int, int]]:
    """(first, end) of the windows over `frames`; neighbours share `overlap` frames, the last may be shorter."""
    step = window - overlap
    starts = range(0, max(1, frames - overlap), step)
    return [(start, min(start + window, frames)) for start in starts]


@torch.inference_mode()
def synthesize(
    model: LSF, audio: np.ndarray, identity: np.ndarray | None = None, temperature: float = 0.0, seed: int = 0,
    report: Callable[[float, str], None] | None = None, cancelled: Callable[[], bool] | None = None,
    window: float = WINDOW, overlap: float = OVERLAP,
) -> np.ndarray:
    """Speech (N,) float32 at 16 kHz and identity coefficients (I,) -> curves (F, K) float32 at `model.config.fps`,
    F = round(seconds · fps), at least 1. Raises `Cancelled` between two windows.

    Temperature 0 is deterministic; above it, every `seed` is another take. `window` and `overlap` are in seconds.
    """
    config = model.config
    device = model.motion_mean.device
    samples = torch.as_tensor(np.ascontiguousarray(audio, dtype=np.float32), device=device)
    who = None if identity is None else torch.as_tensor(identity, dtype=torch.float32, device=device)[None]
    frames = model.frames_of(len(samples))
    size = min(round(window * config.fps), model.longest)
    shared = min(round(overlap * config.fps), size // 2)
    level = model.survey(samples)
    result = np.zeros((frames, len(config.channels)), np.float32)
    plan = windows(frames, size, shared)
    for number, (first, end) in enumerate(plan):
        if cancelled is not None and cancelled():
            raise Cancelled
        if report is not None:
            report(number / len(plan), f"Listening: {first // config.fps} of {frames // config.fps} s")
        motion, emotion = model.hear(samples, first, end - first, level)
        noise = take_noise(config, seed, first, end - first).to(device) if temperature > 0 else None
        curves = model(motion[None], emotion[None], who, None, temperature, noise).motion[0].cpu().numpy()
        if number:  # fade from the window before into this one
            fade = min(shared, len(curves))
            rise = np.sin(np.linspace(0, np.pi / 2, fade + 2, dtype=np.float32)[1:-1, None]) ** 2
            result[first:first + fade] = (1 - rise) * result[first:first + fade] + rise * curves[:fade]
            curves, first = curves[fade:], first + fade
        result[first:end] = curves
    if report is not None:
        report(1.0, "Speech heard")
    return result
