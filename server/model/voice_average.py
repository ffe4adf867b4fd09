"""The average of a voice: what the emotion features of several lines of one speaker have in common.

Voice, room and microphone weigh more in the features than the manner of speaking. Against the speaker's own average,
what remains is how this line differs from the others (`EmotionReader`).
"""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import Cancelled
from ..files import audio
from ..numerics import FloatArray
from ..protocol.wire import LINE_SECONDS, VOICE_SECONDS
from .config import FEATURE_RATE
from .inference import OVERLAP, WINDOW, plan_windows
from .lsf import LSF

log = logging.getLogger(__name__)

MAX_REMEMBERED = 1024  # lines; the statistics of one take 12 kB
MIN_SPOKEN_SECONDS = 0.3  # in a line; one with less is no speech, but music, a breath or noise

Sound = tuple[FloatArray, float]
"""Samples (N,) or (N, C), and their rate in Hz."""


@dataclass(frozen=True)
class VoiceStatistics:
    """What one line contributes to the average of its voice."""

    mean_and_deviation: Tensor  # (2 · C,) of the emotion features in the spoken part
    spoken: float  # seconds in which somebody speaks
    seconds: float


class VoiceAverages:
    """Averages of voices. It remembers the lines that it has heard: a batch encodes each of them once."""

    def __init__(self, model: LSF):
        """Remember nothing yet.

        Args:
            model: The model, in inference mode.
        """
        self._model = model
        self._known: OrderedDict[bytes, VoiceStatistics] = OrderedDict()  # by `_digest`; the last one was used last

    @torch.inference_mode()
    def own_mean(
        self,
        line: Sound,
        others: Sequence[Callable[[], Sound]],
        cancelled: Callable[[], bool] = lambda: False,
    ) -> tuple[NDArray[np.float32] | None, int]:
        """Average the lines of a voice.

        LINE_SECONDS of each line are heard, and further lines until there are VOICE_SECONDS. A line that cannot be
        read, or in which nobody speaks, is left out, and so is one whose sound is that of an earlier one.

        Args:
            line: The line whose emotion is to be read.
            others: What reads the other lines of the same voice, in the order in which they are wanted; each may raise
                an exception.
            cancelled: Called before each window; returns true when the job shall stop.

        Returns:
            (2 · C,) mean statistics, see `EmotionReader.own_mean`, and the number of lines, `line` included, of which
            they are the mean; None and 1 if these are too few.

        Raises:
            Cancelled: If `cancelled` returned true.
        """
        reader = self._model.emotion_reader
        if reader is None or not others:
            return None, 1
        heard: dict[bytes, VoiceStatistics] = {}
        seconds = 0.0
        for number, read in enumerate((lambda: line, *others)):
            if seconds >= VOICE_SECONDS or (number and not heard):  # an average without the line is not its own
                break
            try:
                key, statistics = self._measured(*read(), cancelled)
            except Cancelled:
                raise
            except Exception as error:  # whatever is wrong with another line, this one is read without it
                log.info("Line %d of a voice is left out: %s", number, error)
                continue
            seconds += statistics.seconds
            if statistics.spoken >= MIN_SPOKEN_SECONDS:
                heard[key] = statistics
        if not heard:
            return None, 1
        rows = torch.stack([statistics.mean_and_deviation for statistics in heard.values()])
        mean = reader.own_mean(rows, rows.new_tensor([statistics.spoken for statistics in heard.values()]))
        return (None, 1) if mean is None else (mean.float().cpu().numpy(), len(heard))

    def _measured(
        self, samples: FloatArray, rate: float, cancelled: Callable[[], bool]
    ) -> tuple[bytes, VoiceStatistics]:
        """Digest and statistics of the first LINE_SECONDS of a sound. Raises LSFError if there is no sound in it."""
        samples = samples[: round(LINE_SECONDS * rate)]
        key = _digest(samples, rate)
        if key not in self._known:
            self._known[key] = measure(self._model, audio.to_mono_16k(samples, rate), cancelled)
            if len(self._known) > MAX_REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return key, self._known[key]


@torch.inference_mode()
def measure(model: LSF, speech: NDArray[np.float32], cancelled: Callable[[], bool]) -> VoiceStatistics:
    """Measure what a line contributes to the average of its voice.

    Args:
        model: A model with an emotion reader, in inference mode.
        speech: (N,) speech at 16 kHz.
        cancelled: Called before each window; returns true when the job shall stop.

    Returns:
        The statistics of the line.

    Raises:
        Cancelled: If `cancelled` returned true.
    """
    reader = model.emotion_reader
    assert reader is not None
    features = emotion_features(model, speech, cancelled)
    spoken = float(reader.spoken(features).sum()) / FEATURE_RATE
    return VoiceStatistics(reader.voice_statistics(features), spoken, len(speech) / audio.SAMPLE_RATE)


def emotion_features(model: LSF, speech: NDArray[np.float32], cancelled: Callable[[], bool]) -> Tensor:
    """Encode a line in windows; those of two neighbours are joined in the middle of what they share.

    Args:
        model: As of `measure`.
        speech: As of `measure`.
        cancelled: As of `measure`.

    Returns:
        (T, C) emotion features at 50 Hz.

    Raises:
        Cancelled: If `cancelled` returned true.
    """
    config = model.config
    samples = torch.from_numpy(speech).to(model.motion_mean.device)
    size = min(round(WINDOW * config.fps), model.max_frames)
    half = min(round(OVERLAP * config.fps), size // 2) // 2  # of the frames that two windows share
    clip, features = model.clip_statistics(samples), []
    frames = model.frame_count(len(samples))
    for first, end in plan_windows(frames, size, 2 * half):
        if cancelled():
            raise Cancelled
        _, emotion = model.encode_audio(samples, first, end - first, clip)
        start = half if first else 0
        stop = end - first - (half if end < frames else 0)
        features.append(emotion[config.frame_stack * start : config.frame_stack * stop])
    return torch.cat(features)


def _digest(samples: FloatArray, rate: float) -> bytes:
    """Return what tells one sound from another."""
    digest = hashlib.blake2b(repr((rate, samples.shape, samples.dtype.str)).encode(), digest_size=16)
    digest.update(samples.tobytes())
    return digest.digest()
