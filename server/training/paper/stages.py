"""The two stages of the paper as tasks of the trainer, and the clips of 3DMEAD as their data."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import soundfile
import torch
from torch import Tensor, nn

from ...files.audio import SAMPLE_RATE
from ...model import LSF
from ...model.losses import predictor_loss, prior_loss
from ...model.motion_prior import Ranks
from ...model.waveform import WaveformBackbone
from .batches import Batch, Example
from .distributed import Group
from .mead3d import Mead3DClip
from .trainer import Task


class PriorTask(Task):
    """Stage one: the motion prior, on motion alone."""

    name = "prior"

    def __init__(self, model: LSF):
        super().__init__()
        self.prior = model.prior
        self.whole = (model,)  # not a submodule: the stage neither trains nor moves the rest

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms of `losses.prior_loss`."""
        return prior_loss(self.whole[0], batch.motion, batch.mask)

    def changing(self) -> dict[str, Tensor]:
        """Return the prior with its codebook."""
        return dict(self.prior.state_dict())

    @property
    def learns_at_start(self) -> bool:
        """Whether the codebook begins with latents of the first step."""
        return self.whole[0].config.codebook_learning == "averages"

    def train(self, mode: bool = True) -> "PriorTask":
        """Set the mode; the codebook then waits for `update`."""
        self.prior.quantiser.deferred = True
        return super().train(mode)

    def update(self, group: Group, generator: torch.Generator) -> None:
        """Take one step of the codebook's averages with the latents of all processes."""
        self.prior.quantiser.update(Ranks(group.total, group.rank, group.size, generator))


class PredictorTask(Task):
    """Stage two: from speech to the latent of the frozen prior."""

    name = "predictor"

    def __init__(self, model: LSF):
        super().__init__()
        self.model = model
        model.prior.requires_grad_(False)
        model.prior.quantiser.deferred = False

    def train(self, mode: bool = True) -> "PredictorTask":
        """Set the mode; the prior stays in inference mode."""
        super().train(mode)
        self.model.prior.eval()
        return self

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms of `losses.predictor_loss`."""
        motion, emotion = self.features(batch)
        output = self.model(motion, emotion, batch.identity, batch.mask)
        return predictor_loss(self.model, output, batch.motion, batch.mask)

    def features(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return motion and emotion features (B, frame_stack · F, C): frozen layers are given, the others computed."""
        model, config = self.model, self.model.config
        assert batch.motion_features is not None and batch.emotion_features is not None
        heard, felt = model.motion_backbone, model.emotion_backbone or model.motion_backbone
        assert isinstance(heard, WaveformBackbone) and isinstance(felt, WaveformBackbone)
        states = heard.trained_layers(batch.motion_features, batch.feature_mask)
        motion = heard.side_by_side(states, config.motion_layers)
        if model.emotion_backbone is not None:
            states = felt.trained_layers(batch.emotion_features, batch.feature_mask)
        emotion = felt.side_by_side(states, config.emotion_layers)
        return self._matched(motion, batch), self._matched(emotion, batch)

    def _matched(self, features: Tensor, batch: Batch) -> Tensor:
        """Bring the features (B, T, C) of each clip to the length of its motion, and pad them again."""
        clips, frames = batch.motion.shape[:2]
        wanted = [frames] * clips if batch.mask is None else batch.mask.sum(1).tolist()
        given = [features.shape[1]] * clips if batch.feature_mask is None else batch.feature_mask.sum(1).tolist()
        rows = [self.model.match_features(x[:n], f) for x, n, f in zip(features, given, wanted, strict=True)]
        return nn.utils.rnn.pad_sequence(rows, batch_first=True)


class Features(Protocol):
    """The frozen features of clips, such as `features.FeatureCache`."""

    def of(self, clip: Mead3DClip) -> tuple[Tensor, Tensor]:
        """Return motion features (T, C) and emotion features (T, C')."""


class PaperClips:
    """Clips of 3DMEAD for one of the stages. Motion is kept in memory: 21 kB for 100 frames."""

    def __init__(self, clips: Sequence[Mead3DClip], model: LSF, features: Features | None = None):
        """Read the motion of all clips.

        Args:
            clips: The clips.
            model: The model, whose configuration says how long they are.
            features: Their frozen features; None for the prior.

        Raises:
            LSFError: "bad_data" if a file is damaged.
        """
        self.clips, self.features = list(clips), features
        self.curves, self.shapes = [], []
        for clip in self.clips:
            self.curves.append(torch.from_numpy(clip.curves()))
            self.shapes.append(torch.from_numpy(clip.shape()[: model.config.identity_size]))
        self.lengths = [
            len(curves) if features is None else training_frames(model, clip)
            for clip, curves in zip(self.clips, self.curves, strict=True)
        ]

    def example(self, clip: int) -> Example:
        """Read a clip, with its motion cut to `lengths`."""
        motion, shape = self.curves[clip][: self.lengths[clip]], self.shapes[clip]
        if self.features is None:
            return Example(motion, shape)
        return Example(motion, shape, *self.features.of(self.clips[clip]))


def training_frames(model: LSF, clip: Mead3DClip) -> int:
    """Return the motion frames of a clip with which the predictor is trained: all, or those that have sound."""
    frames = min(clip.frames, model.max_frames)
    if model.config.feature_length == "stretch":
        return frames
    return min(frames, model.frame_count(sound_samples(clip.audio)))


def sound_samples(path: Path) -> int:
    """Return the samples at 16 kHz of a sound file, by its header."""
    info = soundfile.info(str(path))
    return round(int(info.frames) * SAMPLE_RATE / int(info.samplerate))
