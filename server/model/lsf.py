"""LSF: speech and the identity of a neutral face in, motion curves out (LSF-Animation, arXiv 2510.21864).

    audio -> backbone -> SIE-Encoder -> HIFB -> z -> nearest codes -> decoder of the prior -> curves (F, K)

Beside SIE-Encoder and HIFB, a direct path may lead from the features to z (`LSFConfig.direct_path`).

B clips, F frames at `config.fps`, T = frame_stack · F feature frames at 50 Hz, K channels, L size of the latent. `mask`
(B, F) is true on valid frames.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..errors import LSFError
from ..files.atomic import replacing
from ..protocol.emotions import EMOTIONS
from .backbones import make_backbone
from .config import LSFConfig, is_jaw
from .emotion import EMBEDDING, EmotionReader
from .hifb import HIFB
from .layers import FrameConv
from .meta import shapes_only
from .motion_prior import MotionPrior, Quantised
from .sie_encoder import FeatureNorm, SIEEncoder
from .speech import HOP_LENGTH
from .whisper import LogMel, mel_filters

FILTERS = ".mel.filters"  # end of the name of a filter bank
# Values of a channel that become 0 and 1: of FLAME as in the released code of LSF-Animation; weights stay as they are.
EXPRESSION_RANGE, JAW_RANGE, UNIT_RANGE = (-3.0, 3.0), (-0.1, 0.5), (0.0, 1.0)
MIN_SCALE = 1e-4  # least deviation of a channel, against division by 0
ClipStatistics = tuple[Tensor, Tensor | None]
"""Statistics of a whole clip for the motion and the emotion backbone; see `LSF.clip_statistics`."""


@dataclass
class Output:
    """The prediction of a batch."""

    motion: Tensor  # (B, F, K) curves in the channels' own units
    standardised: Tensor  # (B, F, K) output of the prior's decoder, in its scale and not clamped
    z: Tensor  # (B, F, L) predicted latent
    quantised: Quantised


class Branch(nn.Module):
    """One way from the features to the latent: convolutions, multiplied by the identity gain in between.

    "conv" has three convolutions with GELU between them. "linear" has two with nothing but the gain between them: it is
    linear in the features, with a bottleneck of `direct_width`.
    """

    def __init__(self, config: LSFConfig, kind: str, size: int):
        super().__init__()
        width = config.direct_width
        sizes = [size, width, width, config.latent] if kind == "conv" else [size, width, config.latent]
        self.convs = nn.ModuleList(FrameConv(a, b, config.direct_kernel) for a, b in itertools.pairwise(sizes))
        self.activation = nn.GELU() if kind == "conv" else nn.Identity()
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, identity_gain: Tensor, mask: Tensor | None = None) -> Tensor:
        """Predict the latent; arguments and result as of `DirectPath.forward`."""
        first, *others = self.convs
        y: Tensor = first(x, mask)
        for conv in others:
            y = conv(self.dropout(self.activation(y) * identity_gain), mask)
        return y


class DirectPath(nn.Module):
    """Small networks from the features to the latent. Their mean is more accurate than each of them."""

    def __init__(self, config: LSFConfig, size: int):
        """Make the branches.

        Args:
            config: The configuration.
            size: frame_stack · Cm, channels of the stacked motion features.
        """
        super().__init__()
        self.branches = nn.ModuleList(Branch(config, kind, size) for kind in config.direct_path)
        self.alone = config.branch_alone

    def forward(self, x: Tensor, identity_gain: Tensor, mask: Tensor | None = None) -> Tensor:
        """Predict the latent.

        Args:
            x: (B, F, size) stacked motion features.
            identity_gain: (B, 1, direct_width).
            mask: (B, F) true on valid frames.

        Returns:
            (B, F, L).
        """
        outputs = torch.stack([branch(x, identity_gain, mask) for branch in self.branches])
        if not self.training:
            return outputs.mean(0)
        count = len(outputs)
        chosen = F.one_hot(torch.randint(count, (len(x),), device=x.device), count).to(outputs)
        alone = torch.rand(len(x), 1, device=x.device) < self.alone
        return torch.einsum("nbfl,bn->bfl", outputs, torch.where(alone, chosen, 1 / count))


class LSF(nn.Module):
    """The model. In inference mode it is deterministic unless noise is given."""

    motion_mean: Tensor
    motion_scale: Tensor
    expression_gain: Tensor

    def __init__(self, config: LSFConfig):
        super().__init__()
        self.config = config
        self._make_backbones(config)
        motion_size = config.motion_backbone.hidden * len(config.motion_layers)
        emotion_size = (config.emotion_backbone or config.motion_backbone).hidden * len(config.emotion_layers)
        self.motion_norm = FeatureNorm(motion_size, config.motion_components, config.feature_noise)
        motion_stacked, emotion_stacked = config.frame_stack * self.motion_norm.size, EMBEDDING
        if not config.emotion_bank:
            self.emotion_norm = FeatureNorm(emotion_size, config.emotion_components, config.feature_noise)
            emotion_stacked = config.frame_stack * self.emotion_norm.size
        self.sie_encoder = SIEEncoder(config, motion_stacked, emotion_stacked)
        self.hifb = HIFB(config)
        self.to_latent = nn.Identity() if config.width == config.latent else nn.Linear(config.width, config.latent)
        if config.direct_path:
            self.direct = DirectPath(config, motion_stacked)
            self.residual_gate = nn.Parameter(torch.full((config.latent,), float(config.emotion_bank)))
        self.emotion_reader = EmotionReader(emotion_size, config.emotions) if config.emotions else None
        if config.emotion_bank:  # factor that gives what an emotion changes in the curves the size of its target
            self.register_buffer("expression_gain", torch.ones(len(EMOTIONS)))
        self.prior = MotionPrior(config)
        self.match = FEATURE_LENGTHS[config.feature_length]
        ranges = [channel_range(config, name) for name in config.channels]
        self.register_buffer("motion_mean", torch.tensor([least for least, _ in ranges]))
        self.register_buffer("motion_scale", torch.tensor([greatest - least for least, greatest in ranges]))

    def _make_backbones(self, config: LSFConfig) -> None:
        """Make one backbone for both streams, or one for each, with as many layers as are used."""
        layers = config.motion_layers + (config.emotion_layers if config.emotion_backbone is None else ())
        self.motion_backbone = make_backbone(config.motion_backbone, layers)
        self.emotion_backbone = (
            None if config.emotion_backbone is None else make_backbone(config.emotion_backbone, config.emotion_layers)
        )

    # Speech

    def frame_count(self, samples: int) -> int:
        """Return the number of motion frames, at least 1, of a clip with `samples` samples at 16 kHz."""
        return max(1, round(samples / (HOP_LENGTH * self.config.frame_stack)))

    @property
    def max_frames(self) -> int:
        """Most motion frames that `encode_audio` takes in one window."""
        backbones = [self.motion_backbone, self.emotion_backbone or self.motion_backbone]
        return min(backbone.max_frames for backbone in backbones) // self.config.frame_stack

    def clip_statistics(self, audio: Tensor, between: Callable[[], object] = lambda: None) -> ClipStatistics:
        """Measure the statistics of a whole clip that the backbones need to encode parts of it.

        Args:
            audio: (N,) the clip at 16 kHz.
            between: Called before each piece of it, a minute; it may raise an exception to stop.

        Returns:
            The statistics for both backbones.
        """
        emotion = None if self.emotion_backbone is None else self.emotion_backbone.clip_statistics(audio, between)
        return self.motion_backbone.clip_statistics(audio, between), emotion

    def encode_audio(
        self, audio: Tensor, first: int = 0, frames: int | None = None, statistics: ClipStatistics | None = None
    ) -> tuple[Tensor, Tensor]:
        """Encode a window of a clip.

        Args:
            audio: (N,) the whole clip at 16 kHz.
            first: First motion frame of the window.
            frames: Motion frames of the window; None is all that follow.
            statistics: Result of `clip_statistics`; None measures it.

        Returns:
            Motion features (T, Cm) and emotion features (T, Ce): the chosen layers side by side, not standardised.

        Raises:
            ValueError: The window is longer than `max_frames`.
        """
        config = self.config
        frames = self.frame_count(len(audio)) - first if frames is None else frames
        if frames > self.max_frames:
            raise ValueError(
                f"{frames} frames exceed the longest window of {self.max_frames}; encode the clip in windows"
            )
        motion_statistics, emotion_statistics = statistics or self.clip_statistics(audio)
        window = first * config.frame_stack, frames * config.frame_stack
        states = self.motion_backbone(audio, motion_statistics, *window)
        motion = torch.cat([states[layer - 1] for layer in config.motion_layers], -1)
        if self.emotion_backbone is not None:
            states = self.emotion_backbone(audio, emotion_statistics, *window)
        return motion, torch.cat([states[layer - 1] for layer in config.emotion_layers], -1)

    def match_features(self, features: Tensor, frames: int) -> Tensor:
        """Fit the features of a training clip to its motion, in the manner of `config.feature_length`.

        Args:
            features: (T, C) of the sound.
            frames: Motion frames of the clip.

        Returns:
            (T', C): T' = frame_stack · frames where features are stretched, and at most this where they are cropped.
        """
        return self.match(features, self.config.frame_stack * frames)

    # Motion

    @torch.no_grad()
    def fit_scaling(self, motion: Tensor) -> None:
        """Set the scale of the motion by the curves (N, K) of the training data; a fixed range stays as it is."""
        if self.config.motion_scaling == "deviation":
            self.motion_mean.copy_(motion.mean(0))
            self.motion_scale.copy_(motion.std(0).clamp_min(MIN_SCALE))

    def standardise(self, motion: Tensor) -> Tensor:
        """Convert curves (…, K) in the channels' own units to those of the prior."""
        return (motion - self.motion_mean) / self.motion_scale

    def destandardise(self, standardised: Tensor) -> Tensor:
        """Convert standardised curves (…, K) back, clamped to [0, 1] where the channels are weights."""
        motion = standardised * self.motion_scale + self.motion_mean
        return motion.clamp(0, 1) if self.config.clamp else motion

    def emotion_places(self, weights: Tensor) -> Tensor:
        """Return places in the emotion space: from neutral towards each emotion by its weight.

        Args:
            weights: (…, 8) in the order of EMOTIONS, 0 to 1; the weight of neutral does not count.

        Returns:
            (…, EMBEDDING).
        """
        assert self.emotion_reader is not None
        bank = self.emotion_reader.bank
        neutral = bank[EMOTIONS.index("neutral")]
        return neutral + weights @ (bank - neutral)

    def stack_motion(self, motion_features: Tensor) -> Tensor:
        """Standardise motion features (B, T, Cm) and concatenate those of a motion frame: (B, F, stacked)."""
        return stack_frames(self.motion_norm(motion_features), self.config.frame_stack)

    def predict(
        self,
        motion: Tensor,
        emotion: Tensor,
        identity: Tensor | None = None,
        mask: Tensor | None = None,
        first: int = 0,
        neutral: Tensor | None = None,
    ) -> Tensor:
        """Predict the latent.

        Args:
            motion: (B, F, stacked) result of `stack_motion`.
            emotion: (B, EMBEDDING) places in the emotion space (`emotion_places`), or (n, EMBEDDING) for several
                emotions of one clip; without an emotion bank the emotion features (B, T, Ce).
            identity: (B, I) identity coefficients; None is the average face.
            mask: (B, F) true on valid frames.
            first: Position of the first frame in its clip.
            neutral: (B, F, L) the result for the same clips with the neutral place, if it is known. It spares a model
                with an emotion bank its direct path.

        Returns:
            z (B, F, L), or (n, F, L), not quantised.
        """
        config = self.config
        if identity is None:
            identity = motion.new_zeros(len(motion), config.identity_size)
        gain, *direct_gain = self.sie_encoder.gains(identity)
        if config.emotion_bank:
            emotion = emotion[:, None]  # the same in all frames
        else:
            emotion = stack_frames(self.emotion_norm(emotion), config.frame_stack)
        if not config.direct_path:
            return self._fuse(motion, emotion, gain, mask, first)
        if not config.emotion_bank:
            fused, neutral = self._fuse(motion, emotion, gain, mask, first), None
        else:
            fused = self._emotional_change(motion, emotion, gain, mask, first)
        direct = self.direct(motion, direct_gain[0], mask) if neutral is None else neutral
        z: Tensor = direct + self.residual_gate * fused
        return z

    def _fuse(self, motion: Tensor, emotion: Tensor, gain: Tensor, mask: Tensor | None, first: int) -> Tensor:
        """The fused stream (n · B, F, L) of motion (B, F, stacked) and emotion (n · B, F or 1, emotion_size)."""
        streams = self.sie_encoder(motion, emotion, gain, mask, first)
        if mask is not None and len(mask) > 1:
            mask = mask.repeat(len(emotion) // len(motion), 1)
        fused: Tensor = self.to_latent(self.hifb(*streams, mask))
        return fused

    def _emotional_change(
        self, motion: Tensor, emotion: Tensor, gain: Tensor, mask: Tensor | None, first: int
    ) -> Tensor:
        """What emotions change in the fused stream: the difference to that of the neutral place, 0 for this place.

        Motion (B, F, stacked) and places (n, 1, EMBEDDING) give (n, F, L). n is B; where B is 1, it may be any number.

        Only the difference is added to a direct path. Otherwise HIFB takes over a part of the lips from the direct
        path, and people whom no training saw are followed worse.
        """
        neutral = self.emotion_places(emotion.new_zeros(1, len(EMOTIONS)))[:, None]
        shown = (emotion != neutral).flatten(1).any(1)
        change = emotion.new_zeros(len(emotion), motion.shape[1], self.config.latent)
        if not shown.any():
            return change
        if len(motion) > 1:  # one emotion for each clip
            motion, gain = motion[shown], gain if len(gain) == 1 else gain[shown]
            mask = None if mask is None else mask[shown]
        places = emotion[shown]
        fused = self._fuse(motion, torch.cat((places, neutral.expand(len(motion), -1, -1))), gain, mask, first)
        change[shown] = fused[: len(places)] - fused[len(places) :]
        return change

    def forward(
        self,
        motion_features: Tensor,
        emotion: Tensor,
        identity: Tensor | None = None,
        mask: Tensor | None = None,
        *,
        first: int = 0,
        temperature: float = 0.0,
        noise: Tensor | None = None,
    ) -> Output:
        """Predict the curves.

        Args:
            motion_features: (B, T, Cm).
            emotion: As of `predict`.
            identity: (B, I) identity coefficients; None is the average face.
            mask: (B, F) true on valid frames.
            first: Position of the first frame in its clip.
            temperature: Above 0, codes are sampled with `noise`.
            noise: Result of `take_noise`.

        Returns:
            Curves (B, F, K) and the intermediate results.
        """
        z = self.predict(self.stack_motion(motion_features), emotion, identity, mask, first)
        return self.decode(z, mask, temperature, noise)

    def decode(
        self, z: Tensor, mask: Tensor | None = None, temperature: float = 0.0, noise: Tensor | None = None
    ) -> Output:
        """Quantise latents z (B, F, L) and decode them; for the other arguments and the result see `forward`."""
        quantised = self.prior.quantiser(z, mask, temperature, noise)
        standardised = self.prior.decode(quantised.latent, mask)
        return Output(self.destandardise(standardised), standardised, z, quantised)

    # Files

    def save_pretrained(self, folder: str | Path, half: bool = True) -> None:
        """Write a checkpoint: config.json and model.safetensors.

        Args:
            folder: Where to write; it is created if it does not exist.
            half: Whether to store every matrix in half precision (a weight changes by less than 0.05 %). Otherwise only
                frozen backbones are stored so. The filter bank of mel bands, which is no weight, stays as it is.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        state = self.state_dict()
        halved = {name for name, weight in self.named_parameters() if "_backbone." in name and not weight.requires_grad}
        if half:
            halved |= {name for name, value in state.items() if value.dim() > 1 and not name.endswith(FILTERS)}
        state = {name: (value.half() if name in halved else value).cpu().contiguous() for name, value in state.items()}
        with replacing(folder / "config.json") as config, replacing(folder / "model.safetensors") as weights:
            config.write_text(self.config.to_json(), encoding="utf-8")
            save_file(state, weights, {"format": "pt"})

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "LSF":
        """Read a checkpoint.

        Args:
            folder: A folder with config.json and model.safetensors.

        Returns:
            The model on the CPU, in inference mode.

        Raises:
            LSFError: "bad_checkpoint" if a file is missing or damaged, or the two do not belong together.
        """
        folder = Path(folder)
        config, state = _read_files(folder)
        with shapes_only():  # a damaged config.json must not allocate much
            model = cls(config)
        expected = model.state_dict()
        for name in expected.keys() - state.keys():
            if name.endswith(FILTERS):  # checkpoints of the releases up to 0.1 have no filter bank
                mels, bins = expected[name].shape
                state[name] = mel_filters(mels, bins, LogMel.MAX_FREQUENCY)
        _check_shapes(folder, state, expected)
        weights = {name: value.to(expected[name].dtype, copy=True) for name, value in state.items()}
        _check_numbers(folder, weights)
        model.load_state_dict(weights, assign=True)
        return model.eval()


def channel_range(config: LSFConfig, name: str) -> tuple[float, float]:
    """Return the values of a channel that become 0 and 1, as long as `fit_scaling` sets no others."""
    if config.motion_scaling == "deviation" or config.motion_space != "flame":
        return UNIT_RANGE
    return JAW_RANGE if is_jaw(name) else EXPRESSION_RANGE


def _crop(features: Tensor, count: int) -> Tensor:
    """Return the first frames, `count` at most, of features (T, C)."""
    return features[:count]


def _stretch(features: Tensor, count: int) -> Tensor:
    """Interpolate features (T, C) linearly to `count` frames; the first and the last stay what they are."""
    return F.interpolate(features.T[None], count, mode="linear", align_corners=True)[0].T


FEATURE_LENGTHS: dict[str, Callable[[Tensor, int], Tensor]] = {"crop": _crop, "stretch": _stretch}
"""How features meet the length of the motion in training, by `LSFConfig.feature_length`."""


def stack_frames(features: Tensor, frame_stack: int) -> Tensor:
    """Concatenate consecutive feature frames (B, T, C) to motion frames (B, T / frame_stack, frame_stack · C)."""
    batch, frames, channels = features.shape
    return features.reshape(batch, frames // frame_stack, frame_stack * channels)


def _read_files(folder: Path) -> tuple[LSFConfig, dict[str, Tensor]]:
    """Configuration and weights of a checkpoint. Raises LSFError if they cannot be read."""
    try:
        config = LSFConfig.from_json((folder / "config.json").read_text(encoding="utf-8"))
        return config, load_file(folder / "model.safetensors")
    except FileNotFoundError as error:
        name = Path(error.filename or "model.safetensors").name
        raise _bad_checkpoint(folder, f"{name} is missing.") from error
    except (OSError, UnicodeDecodeError, SafetensorError) as error:
        raise _bad_checkpoint(folder, "its files cannot be read.") from error


def _check_shapes(folder: Path, state: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Raise LSFError unless the weights have the names and shapes of `expected`."""
    missing, unknown = sorted(set(expected) - set(state)), sorted(set(state) - set(expected))
    if missing or unknown:
        name = (missing + unknown)[0]
        raise _bad_checkpoint(folder, f"its weights and its config.json do not belong together ({name}).")
    for name, value in state.items():
        if value.shape != expected[name].shape:
            shapes = f"{tuple(value.shape)} instead of {tuple(expected[name].shape)}"
            raise _bad_checkpoint(folder, f"{name} has shape {shapes}.")


def _check_numbers(folder: Path, weights: dict[str, Tensor]) -> None:
    """Raise LSFError if a weight is not finite. One that is not makes their sum so, which takes the least time."""
    for name, value in weights.items():
        if not value.sum().isfinite():
            raise _bad_checkpoint(folder, f"{name} holds numbers that are not finite.")


def _bad_checkpoint(folder: Path, reason: str) -> LSFError:
    """Return an error about a checkpoint; `reason` is a sentence."""
    return LSFError("bad_checkpoint", f"The model in {folder.name} cannot be used: {reason} Install it again.")
