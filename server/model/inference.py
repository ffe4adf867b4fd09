"""Inference for a clip of any length, in overlapping windows.

Time is linear in the length. What is kept of a clip is its curves, its emotion embedding and its projected features,
240 MB for an hour. The curves of a voice without emotion come first (`synthesize`); what emotions add to them is the
difference to the curves with another place in the emotion stream (`emotion_changes`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import Cancelled, LSFError
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
        motion: (F, stacked) projected motion features, half precision: it halves what is kept of a clip.
    """

    first: int
    motion: Tensor


@dataclass
class SpeechResult:
    """The output of the model for a clip: F = round(seconds · fps) frames at `model.config.fps`, at least 1.

    With an emotion bank, `curves` are those of a neutral voice.
    """

    curves: NDArray[np.float32]  # (F, K)
    emotion: NDArray[np.float32]  # (F, config.emotions) probabilities of EMOTION_CLASSES
    emotion_embedding: NDArray[np.float32]  # (F, EMBEDDING) input of the classifier; (F, 0) without a reader
    windows: list[Window]  # for `emotion_changes`


def _decode(model: LSF, z: Tensor, first: int, temperature: float, seed: int) -> NDArray[np.float32]:
    """Curves (n, F, K) of latents (n, F, L) of a window that begins with frame `first`; all n are the same take."""
    noise = take_noise(model.config, seed, first, z.shape[1]).to(z.device) if temperature > 0 else None
    curves: NDArray[np.float32] = model.decode(z, None, temperature, noise).motion.cpu().numpy()
    return curves


class _Blend:
    """Joins results of overlapping windows: the later one fades in."""

    def __init__(self, frames: int):
        self.frames, self.end = frames, 0
        self.results: list[NDArray[np.float32]] = []

    def add(self, first: int, parts: list[NDArray[np.float32]]) -> None:
        """Add results (…, n, C) of the frames from `first` on."""
        if not self.results:
            self.results = [np.empty((*part.shape[:-2], self.frames, part.shape[-1]), np.float32) for part in parts]
        shared = self.end - first
        if shared > 0:
            # Weight of the later window, from 0 to 1: windows are least accurate at their ends.
            rise = np.sin(np.linspace(0, np.pi / 2, shared + 2, dtype=np.float32)[1:-1, None]) ** 2
            for result, part in zip(self.results, parts, strict=True):
                part[..., :shared, :] *= rise
                part[..., :shared, :] += (1 - rise) * result[..., first : self.end, :]
        self.end = first + parts[0].shape[-2]
        for result, part in zip(self.results, parts, strict=True):
            result[..., first : self.end, :] = part


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
        own_mean: (2 · Ce,) mean statistics of the speaker's lines, against which emotion is read; None if unknown.
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
    plan = plan_windows(frames, size, min(round(overlap * config.fps), size // 2))
    statistics = model.clip_statistics(samples)
    blend = _Blend(frames)
    windows: list[Window] = []
    neutral = model.emotion_places(samples.new_zeros(1, len(EMOTIONS))) if config.emotion_bank else None
    average = None if own_mean is None else torch.as_tensor(np.asarray(own_mean, np.float32), device=samples.device)
    for number, (first, end) in enumerate(plan):
        if cancelled is not None and cancelled():
            raise Cancelled
        if report is not None:
            report(number / len(plan), f"Analysing the speech: {first // config.fps} of {frames // config.fps} s")
        motion, emotion = model.encode_audio(samples, first, end - first, statistics)
        stacked = model.stack_motion(motion[None]).half()
        windows.append(Window(first, stacked[0]))
        z = model.predict(stacked.float(), emotion[None] if neutral is None else neutral, coefficients, first=first)
        heard = [emotion.new_zeros(end - first, 0)] * 2
        if model.emotion_reader is not None:
            embedding, logits = model.emotion_reader(emotion, config.frame_stack, average)
            heard = [logits.softmax(-1), embedding]
        blend.add(first, [_decode(model, z, first, temperature, seed)[0], *(part.cpu().numpy() for part in heard)])
    if report is not None:
        report(1.0, "Speech analysed")
    curves, probabilities, embeddings = blend.results
    return SpeechResult(curves, probabilities, embeddings, windows)


@torch.inference_mode()
def emotion_changes(
    model: LSF,
    result: SpeechResult,
    emotions: Sequence[int],
    identity: FloatArray | None = None,
    *,
    temperature: float = 0.0,
    seed: int = 0,
    report: Callable[[float, str], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> NDArray[np.float32]:
    """Return what emotions change in the curves of a clip: the curves with each, less those of the neutral voice.

    The differences are multiplied by the model's `expression_gain`.

    Args:
        model: A model with an emotion bank, in inference mode.
        result: What `synthesize` returned for the clip.
        emotions: Indices in EMOTIONS; each is shown at full strength over the whole clip.
        identity: As of `synthesize`.
        temperature: As of `synthesize`.
        seed: As of `synthesize`; the same take.
        report: As of `synthesize`.
        cancelled: As of `synthesize`.

    Returns:
        (len(emotions), F, K).

    Raises:
        LSFError: "bad_identity".
        Cancelled: If `cancelled` returned true.
    """
    frames, channels = result.curves.shape
    if not len(emotions):
        return np.zeros((0, frames, channels), np.float32)
    device = model.motion_mean.device
    coefficients = identity_coefficients(model, identity)
    places = model.emotion_places(torch.eye(len(EMOTIONS), device=device)[list(emotions)])
    blend = _Blend(frames)
    for number, part in enumerate(result.windows):
        if cancelled is not None and cancelled():
            raise Cancelled
        if report is not None:
            report(number / len(result.windows), "Adding the expression")
        z = model.predict(part.motion[None].float(), places, coefficients, first=part.first)
        blend.add(part.first, [_decode(model, z, part.first, temperature, seed)])
    changes = blend.results[0]
    changes -= result.curves  # in place: those of seven emotions take 130 MB for an hour
    changes *= model.expression_gain[list(emotions)].cpu().numpy()[:, None, None]
    return changes
