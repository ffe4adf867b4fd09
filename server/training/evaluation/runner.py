"""Runs a checkpoint on clips through the complete path, as in the server, and measures the time that it takes."""

import time
from pathlib import Path
from typing import TypedDict, Unpack

import numpy as np
import torch
from numpy.typing import NDArray

from ...files.audio import SAMPLE_RATE, load_16k
from ...model import LSF
from ...numerics import FloatArray
from ...performance.emotion.direction import Direction
from ...performance.perform import Performance, perform
from .. import corpora
from ..corpora import Clip
from ..labels import lips


class Options(TypedDict, total=False):
    """Options of `perform` that the metrics vary."""

    identity: NDArray[np.float32]
    temperature: float
    seed: int


class Runner:
    """Runs a checkpoint on clips and measures the time that it takes."""

    def __init__(self, checkpoint: Path, all_of: list[str]):
        """Load a checkpoint.

        Args:
            checkpoint: Folder of the checkpoint.
            all_of: Corpora of which `clips` returns every clip, not only the test split.
        """
        self.model, self.head, self.all_of = LSF.from_pretrained(checkpoint), lips.load_lips(), all_of
        self.audio_seconds, self.run_seconds = 0.0, 0.0

    def clips(self, data: Path, corpus: str) -> list[Clip]:
        """Return the clips of a corpus to score."""
        return [c for c in corpora.read(corpus, data) if c.split == "test" or corpus in self.all_of]

    def run(self, clip: Clip, emotion: str | None = None, **options: Unpack[Options]) -> FloatArray:
        """Return the curves (F, K) of a clip.

        Args:
            clip: The clip.
            emotion: Shown at full strength; None shows what the voice implies.
            **options: Options of `perform`.
        """
        return self.perform(load_16k(clip.audio), emotion, **options).motion

    def perform(
        self, audio: NDArray[np.float32], emotion: str | None = None, **options: Unpack[Options]
    ) -> Performance:
        """Return the performance of speech (N,) at 16 kHz; for the other arguments see `run`."""
        start = time.perf_counter()
        direction = None if emotion is None else Direction.constant(emotion)
        performance = perform(self.model, audio, direction=direction, **options)
        self.run_seconds += time.perf_counter() - start
        self.audio_seconds += len(audio) / SAMPLE_RATE
        return performance

    def lips(self, curves: FloatArray) -> FloatArray:
        """Return aperture and width (F, 2) on the mesh in metres."""
        lips_of_curves: FloatArray = self.head(torch.from_numpy(curves)).numpy()
        return lips_of_curves
