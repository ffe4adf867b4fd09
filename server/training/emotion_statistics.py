"""Statistics of emotion: what the emotion reader is fitted on, computed from the sound and kept in WORK/emotion.

A row is what the reader sees at one moment: mean and deviation of the backbone's features over the spoken part of a
window of 3 s (server/model/emotion.py). Copy 0 of a corpus is unchanged. Copy 1 has another room, equalisation, noise,
level and tempo for every clip, copy 2 also another voice (WORLD). Level and recording then say nothing about an
emotion.

The reader finds the spoken frames by a logistic regression on the features (`fit_speech`). Its labels are the frames of
the unspoiled sound within SPEECH_DEPTH of the loud parts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..files.atomic import replacing
from ..files.audio import SAMPLE_RATE, load_16k
from ..model import LSF
from ..model.emotion import SPAN, EmotionReader, local_statistics
from ..numerics import BoolArray, FloatArray, IntArray
from ..performance import prosody
from ..protocol.phrases import LOUD_PERCENTILE
from .corpora import Clip
from .speech import augment

COPIES = (0, 1, 2)
DEGRADED_COPY, CONVERTED_COPY = 1, 2  # first copy with another recording, and with another voice
GAIN = -20.0, 0.0  # decibels, limits of the level of a copy, in addition to that of `augment.degrade`
SPEED_STD, SPEED_LIMITS = 0.08, (0.85, 1.2)  # of the factor of the tempo
PIECE_SECONDS = 15.0  # longer clips are read in pieces, each as a line
STEP = 25  # feature frames from one row to the next: half a second
LINES_OF_A_VOICE = 6  # that are read of a neutral corpus: what counts is the number of voices
SPEECH_DEPTH, SPEECH_LEVEL = 30.0, -75.0  # decibels below the loud parts, dBFS: the higher of both separates silence
SPEECH_LINES, SPEECH_FRAMES = 300, 60  # lines of all corpora, and frames of each, to fit the detector of speech
SPEECH_WEIGHT_DECAY = 4e-3


@dataclass
class Rows:
    """Statistics of the lines of one copy of a corpus: M rows of N lines.

    Attributes:
        corpus: Name of the corpus.
        copy: Number of the copy.
        statistics: (M, 2 · C).
        active: (M,) share of spoken frames in the window of each row.
        line: (M,) line of each row.
        names: (N,) names of the clips.
        speakers: (N,).
        emotions: (N,) None where the emotion is not known.
        seconds: (N,) spoken seconds.
    """

    corpus: str
    copy: int
    statistics: FloatArray
    active: FloatArray
    line: IntArray
    names: list[str]
    speakers: list[str]
    emotions: list[str | None]
    seconds: FloatArray

    def of_lines(self, kept: BoolArray) -> "Rows":
        """Return the rows of the lines that `kept` (N,) marks."""
        number = np.cumsum(kept) - 1
        rows = kept[self.line]
        chosen = np.flatnonzero(kept)
        return replace(
            self,
            statistics=self.statistics[rows],
            active=self.active[rows],
            line=number[self.line[rows]],
            names=[self.names[i] for i in chosen],
            speakers=[self.speakers[i] for i in chosen],
            emotions=[self.emotions[i] for i in chosen],
            seconds=self.seconds[kept],
        )

    def line_means(self, values: FloatArray) -> FloatArray:
        """Return the means (N, D) of values (M, D) over the rows of each line, weighted by speech."""
        weights = self.active + 1e-3  # a line without speech has a mean, too
        sums = np.zeros((len(self.names), values.shape[1]))
        np.add.at(sums, self.line, values * weights[:, None])
        means: FloatArray = sums / np.bincount(self.line, weights, len(self.names))[:, None]
        return means


def lines(clips: list[Clip], few: bool) -> Iterator[tuple[Clip, FloatArray]]:
    """Yield the sound of clips in pieces of up to PIECE_SECONDS.

    Args:
        clips: Clips of one corpus.
        few: Whether LINES_OF_A_VOICE clips of each speaker are enough.
    """
    heard: dict[str, int] = {}
    for clip in clips:
        heard[clip.speaker] = heard.get(clip.speaker, 0) + 1
        if few and heard[clip.speaker] > LINES_OF_A_VOICE:
            continue
        audio: FloatArray = load_16k(clip.audio)
        count = max(1, round(len(audio) / (PIECE_SECONDS * SAMPLE_RATE)))
        for piece in np.array_split(audio, count):
            yield clip, piece


def spoil(audio: FloatArray, copy: int, rng: np.random.Generator) -> FloatArray:
    """Return the sound (N,) of a copy; its length changes with the tempo."""
    if copy >= CONVERTED_COPY:
        audio = augment.convert_voice(audio, rng)
    if copy >= DEGRADED_COPY:
        audio = augment.degrade(audio, rng) * 10 ** (rng.uniform(*GAIN) / 20)
        audio = augment.change_speed(audio, float(np.clip(rng.normal(1, SPEED_STD), *SPEED_LIMITS)))
    return audio.astype(np.float32)


def spoken_frames(audio: FloatArray, frames: int) -> BoolArray:
    """Return in which of `frames` frames at 50 Hz of clean sound (N,) somebody speaks."""
    level = prosody.loudness(audio)[:frames]
    threshold = max(float(np.percentile(level, LOUD_PERCENTILE)) - SPEECH_DEPTH, SPEECH_LEVEL)
    found: BoolArray = np.pad(level, (0, frames - len(level)), constant_values=-np.inf) > threshold
    return found


@torch.inference_mode()
def encode(model: LSF, audio: FloatArray) -> Tensor:
    """Return the emotion features (T, C) of a sound (N,)."""
    return model.encode_audio(torch.from_numpy(np.ascontiguousarray(audio, dtype=np.float32)))[1].clone()


def fit_speech(model: LSF, clips: dict[str, list[Clip]], rng: np.random.Generator) -> Tensor:
    """Fit the detector of speech.

    Args:
        model: The model with its backbone.
        clips: Clips by corpus.
        rng: Source of the random draws.

    Returns:
        (C + 1,) weights and bias, for `EmotionReader.speech`.
    """
    features, labels = [], []
    for several in clips.values():
        for i in rng.permutation(len(several))[: SPEECH_LINES // len(clips)]:
            _, audio = next(lines([several[i]], few=False))
            for copy in (0, DEGRADED_COPY):
                # The tempo must not change: the labels are those of the clean sound.
                spoiled = augment.degrade(audio, rng) * 10 ** (rng.uniform(*GAIN) / 20) if copy else audio
                found = encode(model, spoiled)
                drawn = rng.choice(len(found), min(SPEECH_FRAMES, len(found)), replace=False)
                features.append(found[drawn])
                labels.append(torch.from_numpy(spoken_frames(audio, len(found))[drawn]))
    x, wanted = torch.cat(features), torch.cat(labels).float()
    mean, scale = x.mean(0), x.std(0) + 1e-5
    x = (x - mean) / scale
    weights = torch.zeros(x.shape[1] + 1, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=60, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(x @ weights[:-1] + weights[-1], wanted)
        loss = loss + SPEECH_WEIGHT_DECAY / 2 * weights[:-1].square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    fitted = weights.detach()
    return torch.cat((fitted[:-1] / scale, (fitted[-1] - (mean / scale * fitted[:-1]).sum())[None]))


def compute(model: LSF, speech: Tensor, clips: list[Clip], copy: int, seed: int) -> Rows:
    """Compute the statistics of one copy of a corpus.

    Args:
        model: The model with its backbone.
        speech: (C + 1,) result of `fit_speech`.
        clips: Clips of the corpus; of neutral ones, a few of each voice are read.
        copy: Number of the copy.
        seed: Seed of the augmentation.
    """
    reader = EmotionReader(len(speech) - 1, 1)
    reader.speech.copy_(speech)
    rng = np.random.default_rng([seed, copy])
    statistics, active, line, seconds = [], [], [], []
    read: list[Clip] = []
    for clip, audio in lines(clips, few=all(c.emotion in (None, "neutral") for c in clips)):
        features = encode(model, spoil(audio, copy, rng))
        spoken = reader.spoken(features)
        rows = local_statistics(features, spoken, SPAN, STEP)
        statistics.append(rows.half().numpy())
        kernel = torch.ones(1, 1, 2 * SPAN + 1)
        share = F.conv1d(spoken[None, None], kernel, padding=SPAN) / F.conv1d(
            torch.ones(1, 1, len(spoken)), kernel, padding=SPAN
        )
        active.append(share[0, 0, ::STEP].numpy())
        line += [len(read)] * len(rows)
        read.append(clip)
        seconds.append(float(spoken.sum()) / SAMPLE_RATE * prosody.HOP_LENGTH)
    return Rows(
        clips[0].corpus,
        copy,
        np.concatenate(statistics).astype(np.float32),
        np.concatenate(active),
        np.array(line),
        [c.name for c in read],
        [c.speaker for c in read],
        [c.emotion for c in read],
        np.array(seconds),
    )


def load(path: Path, clips: list[Clip]) -> Rows:
    """Read what `save` wrote.

    Args:
        path: WORK/emotion/CORPUS_COPY.npz.
        clips: Clips of the corpus, for their speakers and emotions.
    """
    found, known = np.load(path), {clip.name: clip for clip in clips}
    read = [known[str(name)] for name in found["names"]]
    corpus, copy = path.stem.rsplit("_", 1)
    return Rows(
        corpus,
        int(copy),
        found["statistics"].astype(np.float32),
        found["active"],
        found["line"],
        [c.name for c in read],
        [c.speaker for c in read],
        [c.emotion for c in read],
        found["seconds"],
    )


def save(rows: Rows, path: Path) -> None:
    """Write statistics; the file is there when it is complete."""
    with replacing(path) as unfinished, unfinished.open("wb") as file:
        np.savez(
            file,
            statistics=rows.statistics.astype(np.float16),
            active=rows.active,
            line=rows.line,
            names=np.array(rows.names),
            seconds=rows.seconds,
        )
