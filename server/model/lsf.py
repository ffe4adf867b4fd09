"""LSF: speech and a neutral face's identity in, motion curves out (LSF-Animation, arXiv 2510.21864).

    audio -> backbone -> SIE-Encoder -> HIFB -> z -> nearest codes -> prior's decoder -> curves (F, K) at `config.fps`

B clips, F frames, T = fold · F feature frames at 50 Hz, K channels, L latent. `mask` (B, F) is true on own frames.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..errors import LSFError
from .config import LSFConfig
from .emotion import EmotionReader
from .hifb import HIFB
from .layers import FrameConv
from .motion_prior import MotionPrior, Quantised
from .sie_encoder import FeatureNorm, SIEEncoder
from .speech import STEP, make_backbone


@dataclass
class Output:
    motion: Tensor  # (B, F, K) curves in the channels' own units
    standardised: Tensor  # (B, F, K) the same as the prior decodes them, before denormalisation and clamp
    z: Tensor  # (B, F, L) predicted latent
    quantised: Quantised


class DirectPath(nn.Module):
    """Mean of small networks straight from the features: (B, F, size) -> (B, F, L). "linear" is a filter over
    `direct_kernel` frames, "conv" three convolutions, multiplied within by the identity `who` (B, 1, direct_width). The
    mean of unlike ones is better than each.
    """

    def __init__(self, config: LSFConfig, size: int):
        super().__init__()
        kernel, width = config.direct_kernel, config.direct_width

        def branch(kind: str) -> nn.ModuleList:
            sizes = [size, config.latent] if kind == "linear" else [size, width, width, config.latent]
            return nn.ModuleList(FrameConv(a, b, kernel) for a, b in zip(sizes, sizes[1:], strict=False))

        self.branches = nn.ModuleList(branch(kind) for kind in config.direct_path)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, who: Tensor, mask: Tensor | None = None) -> Tensor:
        total = 0
        for convs in self.branches:
            y = convs[0](x, mask)
            for conv in convs[1:]:
                y = conv(self.dropout(F.gelu(y) * who), mask)
            total = total + y
        return total / len(self.branches)


class LSF(nn.Module):
    def __init__(self, config: LSFConfig):
        super().__init__()
        self.config = config
        shared = config.emotion_backbone is None
        self.motion_backbone = make_backbone(
            config.motion_backbone, max(config.motion_layers + (config.emotion_layers if shared else ()))
        )
        self.emotion_backbone = None if shared else make_backbone(config.emotion_backbone, max(config.emotion_layers))
        emotion_hidden = (config.emotion_backbone or config.motion_backbone).hidden
        motion_size = config.motion_backbone.hidden * len(config.motion_layers)
        emotion_size = emotion_hidden * len(config.emotion_layers)
        self.motion_norm = FeatureNorm(motion_size, config.motion_components, config.feature_noise)
        self.emotion_norm = FeatureNorm(emotion_size, config.emotion_components, config.feature_noise)
        motion_folded = config.fold * self.motion_norm.size
        self.sie_encoder = SIEEncoder(config, motion_folded, config.fold * self.emotion_norm.size)
        self.hifb = HIFB(
            config.width,
            config.heads,
            config.mlp,
            config.fusion_blocks,
            config.fusion_tokens,
            config.fusion_span,
            config.dropout,
        )
        self.to_latent = nn.Identity() if config.width == config.latent else nn.Linear(config.width, config.latent)
        if config.direct_path:
            self.direct = DirectPath(config, motion_folded)
            self.residual_gate = nn.Parameter(torch.zeros(config.latent))
        self.emotion_reader = EmotionReader(emotion_size, config.emotions) if config.emotions else None
        self.prior = MotionPrior(config)
        self.register_buffer("motion_mean", torch.zeros(len(config.channels)))
        self.register_buffer("motion_scale", torch.ones(len(config.channels)))

    # Speech

    def frame_count(self, samples: int) -> int:
        """Motion frames of a clip of `samples` at 16 kHz: at least one."""
        return max(1, round(samples / (STEP * self.config.fold)))

    def clip_statistics(self, audio: Tensor) -> tuple[Tensor, Tensor | None]:
        """What the backbones need to know of the whole clip (N,) before they hear parts of it."""
        return self.motion_backbone.clip_statistics(
            audio
        ), self.emotion_backbone and self.emotion_backbone.clip_statistics(audio)

    def encode_audio(
        self, audio: Tensor, first: int = 0, frames: int | None = None, level=None
    ) -> tuple[Tensor, Tensor]:
        """Motion frames `first` on (all by default) of a clip (N,) at 16 kHz -> motion features (T, Cm) and emotion
        features (T, Ce), the chosen layers side by side, not yet standardised. `level` is what
        `clip_statistics` returns.
        """
        config = self.config
        frames = self.frame_count(len(audio)) - first if frames is None else frames
        if frames > self.longest:
            raise ValueError(f"{frames} frames are more than can be heard in one go ({self.longest}); use windows")
        level = level or self.clip_statistics(audio)
        span = first * config.fold, frames * config.fold
        states = self.motion_backbone(audio, level[0], *span)
        motion = torch.cat([states[layer - 1] for layer in config.motion_layers], -1)
        if self.emotion_backbone is not None:
            states = self.emotion_backbone(audio, level[1], *span)
        return motion, torch.cat([states[layer - 1] for layer in config.emotion_layers], -1)

    @property
    def longest(self) -> int:
        """Most motion frames that can be heard in one go."""
        backbones = [self.motion_backbone, self.emotion_backbone or self.motion_backbone]
        return min(backbone.longest for backbone in backbones) // self.config.fold

    # Motion

    def standardise(self, motion: Tensor) -> Tensor:
        """Curves (…, K) -> what the prior works on."""
        return (motion - self.motion_mean) / self.motion_scale

    def curves(self, standardised: Tensor) -> Tensor:
        """The way back, clamped to [0, 1] where the channels are weights."""
        motion = standardised * self.motion_scale + self.motion_mean
        return motion.clamp(0, 1) if self.config.clamp else motion

    def predict(
        self,
        motion_features: Tensor,
        emotion_features: Tensor,
        identity: Tensor | None = None,
        mask: Tensor | None = None,
        first: int = 0,
    ) -> Tensor:
        """Features (B, T, Cm), (B, T, Ce) and identity (B, I; None: the average face) -> z (B, F, L). `first` is the
        place of the first frame in its clip.
        """
        fold = self.config.fold
        motion = self.motion_norm(motion_features).unflatten(1, (-1, fold)).flatten(2)  # (B, F, fold · C)
        emotion = self.emotion_norm(emotion_features).unflatten(1, (-1, fold)).flatten(2)
        if identity is None:
            identity = motion.new_zeros(len(motion), self.config.identity_size)
        emotion_stream, motion_stream, *who = self.sie_encoder(motion, emotion, identity, mask, first)
        z = self.to_latent(self.hifb(emotion_stream, motion_stream, mask))
        if self.config.direct_path:
            z = self.direct(motion, *who, mask) + self.residual_gate * z
        return z

    def forward(
        self,
        motion_features: Tensor,
        emotion_features: Tensor,
        identity: Tensor | None = None,
        mask: Tensor | None = None,
        first: int = 0,
        temperature: float = 0.0,
        noise: Tensor | None = None,
    ) -> Output:
        """Features (B, T, Cm), (B, T, Ce), identity (B, I) -> curves (B, F, K) and all between. Sampling at a
        temperature above 0 takes `take_noise`.
        """
        z = self.predict(motion_features, emotion_features, identity, mask, first)
        quantised = self.prior.quantiser(z, mask, temperature, noise)
        standardised = self.prior.decode(quantised.latent, mask)
        return Output(self.curves(standardised), standardised, z, quantised)

    # Files

    def save_pretrained(self, folder: str | Path, half: bool = True) -> None:
        """Write config.json and model.safetensors. `half` stores every matrix in half precision (a weight changes by
        less than 0.05 %); without it only the frozen backbones are.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        frozen = {name for name, weight in self.named_parameters() if "_backbone." in name and not weight.requires_grad}
        state = {
            name: (value.half() if name in frozen or (half and value.dim() > 1) else value).cpu().contiguous()
            for name, value in self.state_dict().items()
        }
        save_file(state, folder / "model.safetensors", {"format": "pt"})
        (folder / "config.json").write_text(self.config.to_json(), encoding="utf-8")

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "LSF":
        """Read a checkpoint, ready for inference. Anything wrong with it is an LSFError("bad_checkpoint")."""
        folder = Path(folder)
        try:
            config = LSFConfig.from_json((folder / "config.json").read_text(encoding="utf-8"))
            state = load_file(folder / "model.safetensors")
        except FileNotFoundError as error:
            name = Path(error.filename or "model.safetensors").name
            raise broken(folder, f"{name} is missing.") from error
        except (OSError, UnicodeDecodeError, SafetensorError) as error:
            raise broken(folder, "its files cannot be read.") from error
        with torch.device("meta"):  # shapes without memory, so that wrong ones cost nothing
            wanted = cls(config).state_dict()
        missing, unknown = sorted(set(wanted) - set(state)), sorted(set(state) - set(wanted))
        if missing or unknown:
            raise broken(folder, f"its weights and its config.json do not belong together ({(missing + unknown)[0]}).")
        for name, value in state.items():
            if value.shape != wanted[name].shape:
                shapes = f"{tuple(value.shape)} instead of {tuple(wanted[name].shape)}"
                raise broken(folder, f"{name} has shape {shapes}.")
            if not value.isfinite().all():
                raise broken(folder, f"{name} holds numbers that are not finite.")
        model = cls(config)
        model.load_state_dict({name: value.to(wanted[name].dtype) for name, value in state.items()})
        return model.eval()


def broken(folder: Path, what: str) -> LSFError:
    return LSFError("bad_checkpoint", f"The model in {folder.name} cannot be used: {what} Install it again.")
