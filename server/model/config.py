"""Every size of the model in one frozen dataclass, with a strict JSON round trip.

`LSFConfig.paper()` is LSF-Animation as published (arXiv 2510.21864); `LSFConfig()` is what the default checkpoint uses.
The two differ in sizes and in a few switches whose reasons stand beside the fields; the code that reads them is one.
"""

import dataclasses
import json
import typing
from dataclasses import dataclass

from ..arkit import CHANNELS as ARKIT_CHANNELS
from ..errors import LSFError
from ..protocol.emotions import EMOTION_CLASSES

FLAME_CHANNELS = (*tuple(f"expression{i:02d}" for i in range(50)), "jawX", "jawY", "jawZ")


def bad(sentence: str) -> LSFError:
    return LSFError("bad_checkpoint", f"This model's config.json cannot be used: {sentence}")


def positive(config, *names: str) -> None:
    for name in names:
        if not 1 <= getattr(config, name) <= 1 << 14:
            raise bad(f"{name} must be between 1 and {1 << 14}.")


@dataclass(frozen=True)
class BackboneConfig:
    """A speech encoder from `transformers`; its layers give hidden states at 50 Hz."""

    kind: str = "whisper"  # "whisper", "hubert" or "wav2vec2"
    hidden: int = 512
    heads: int = 8
    mlp: int = 2048
    mels: int = 80  # whisper only
    positions: int = 1000  # the longest window that it hears, in 50 Hz frames (1000 = 20 s)
    conv: int = 512  # hubert and wav2vec2 only: channels of the waveform convolutions
    trainable: bool = False
    frozen_layers: int = 2  # of a trainable one: the lowest layers (and all below them) stay as they are

    def __post_init__(self):
        if self.kind not in ("whisper", "hubert", "wav2vec2"):
            raise bad(f'"{self.kind}" is no kind of speech backbone; use whisper, hubert or wav2vec2.')
        if self.kind == "whisper" and self.trainable:
            raise bad("a whisper backbone is always frozen; set trainable to false.")
        positive(self, "hidden", "heads", "mlp", "mels", "positions", "conv")
        if self.hidden % self.heads:
            raise bad(f"hidden {self.hidden} must be a multiple of heads {self.heads}.")


@dataclass(frozen=True)
class LSFConfig:
    # Motion space: K curves at `fps`, each standardised inside the model.
    motion_space: str = "arkit"  # "arkit" or "flame"
    channels: tuple[str, ...] = ARKIT_CHANNELS
    fps: int = 25
    clamp: bool = True  # curves are weights in [0, 1]

    # Speech. `fold` 50 Hz features make one motion frame. Layer k is the output of the k-th encoder layer (1: first).
    motion_backbone: BackboneConfig = BackboneConfig()
    motion_layers: tuple[int, ...] = (2, 3, 4)
    emotion_backbone: BackboneConfig | None = None  # None: the motion backbone hears for both streams
    emotion_layers: tuple[int, ...] = (2, 3, 4)
    fold: int = 2
    motion_components: int = 256  # principal components of the standardised features; 0 keeps them all
    emotion_components: int = 128
    feature_noise: float = 0.0  # standard deviation, added to standardised features while training

    # SIE-Encoder and HIFB.
    identity_size: int = 50
    identity_styles: int = 32  # outputs of the identity MLP's softmax
    width: int = 256
    mlp: int = 384
    heads: int = 8
    kernel: int = 5
    # "instance" (paper) or "layer". Instance statistics are taken over the clip, so a window of a long file, a clip of
    # one frame and a silent clip are each normalised differently, and a clip's mean level is lost. Layer norm looks at
    # one frame at a time.
    stream_norm: str = "layer"
    fusion_tokens: int = 4
    fusion_blocks: int = 2
    fusion_span: int = 0  # frames to either side that the streams attend to; 0 is the whole window
    dropout: float = 0.1
    emotions: int = len(EMOTION_CLASSES)  # classes that the emotion reader tells apart; 0: no reader

    # From speech to the latent. The paper's z is the fused motion stream (direct_path empty). On little data a path
    # straight from the features, with the fused stream as a gated residual, is meant to generalise better: z is the
    # mean of the listed branches ("linear", "conv") + gate · fused, the gate starting at zero.
    direct_path: tuple[str, ...] = ("linear", "conv")
    direct_kernel: int = 5
    direct_width: int = 128

    # Motion prior: a frame's latent is `codes_per_frame` codes of `code_size`.
    codes: int = 256
    code_size: int = 128
    codes_per_frame: int = 2
    residual_stages: int = 0  # further codebooks, each coding what the one before left over
    prior_width: int = 256
    prior_mlp: int = 384
    prior_heads: int = 8
    prior_layers: int = 2  # transformer layers in the encoder and in the decoder; 0 is purely convolutional
    prior_span: int = 25  # frames to either side that these attend to; 0 is the whole window
    prior_norm: str = "layer"
    commitment: float = 0.25
    take_smoothing: float = 3.0  # frames over which the choices of a take (temperature > 0) hold together; paper: 0

    def __post_init__(self):
        if self.motion_space not in ("arkit", "flame"):
            raise bad(f'"{self.motion_space}" is no motion space; use arkit or flame.')
        for name in ("stream_norm", "prior_norm"):
            if getattr(self, name) not in ("instance", "layer"):
                raise bad(f"{name} must be instance or layer.")
        if any(branch not in ("linear", "conv") for branch in self.direct_path):
            raise bad("direct_path lists branches named linear or conv.")
        if not self.channels or len(set(self.channels)) != len(self.channels):
            raise bad("channels must be a list of different names.")
        for name in ("motion_layers", "emotion_layers"):
            if not getattr(self, name) or min(getattr(self, name)) < 1 or max(getattr(self, name)) > 48:
                raise bad(f"{name} must list layers between 1 and 48.")
        positive(
            self,
            "fps",
            "fold",
            "identity_size",
            "identity_styles",
            "width",
            "mlp",
            "heads",
            "kernel",
            "fusion_tokens",
            "direct_kernel",
            "direct_width",
            "codes",
            "code_size",
            "codes_per_frame",
            "prior_width",
            "prior_mlp",
            "prior_heads",
        )
        for name in (
            "motion_components",
            "emotion_components",
            "fusion_span",
            "emotions",
            "residual_stages",
            "prior_layers",
            "prior_span",
            "feature_noise",
            "dropout",
            "take_smoothing",
            "commitment",
        ):
            if not 0 <= getattr(self, name) <= 1 << 14:
                raise bad(f"{name} must be between 0 and {1 << 14}.")
        if self.fps * self.fold != 50:
            raise bad("fps times fold must be 50, the rate of the speech features.")
        if self.kernel % 2 == 0 or self.direct_kernel % 2 == 0:
            raise bad("kernels must be odd.")
        if not 2 <= self.fusion_blocks <= 48:
            raise bad("fusion_blocks must be between 2 and 48: the first fuses, the last reads the result.")
        if self.width % (4 * self.heads):
            raise bad("width must be a multiple of 4 × heads.")
        if self.prior_width % (2 * self.prior_heads):
            raise bad("prior_width must be a multiple of 2 × prior_heads.")
        if not self.direct_path and self.width != self.latent:
            raise bad("without a direct path, width must be codes_per_frame × code_size.")
        if max(self.prior_layers, self.residual_stages, len(self.direct_path)) > 48:
            raise bad("prior_layers, residual_stages and direct_path end at 48.")
        if self.dropout >= 1:
            raise bad("dropout must be below 1.")

    @property
    def latent(self) -> int:
        """Width of z: all codes of one frame."""
        return self.codes_per_frame * self.code_size

    @classmethod
    def paper(cls, **changes) -> "LSFConfig":
        """LSF-Animation as published: FLAME motion, HuBERT base, a second backbone of emotion2vec's size, 12 blocks."""
        base = BackboneConfig(kind="hubert", hidden=768, heads=12, mlp=3072, trainable=True)
        settings = {
            "motion_space": "flame",
            "channels": FLAME_CHANNELS,
            "clamp": False,
            "motion_backbone": base,
            "motion_layers": (12,),
            "motion_components": 0,
            "emotion_backbone": dataclasses.replace(base, kind="wav2vec2", trainable=False),
            "emotion_layers": (12,),
            "emotion_components": 0,
            "identity_size": 300,
            "stream_norm": "instance",
            "fusion_blocks": 12,
            "emotions": 0,
            "direct_path": (),
            "prior_layers": 6,
            "prior_span": 0,
            "prior_norm": "instance",
            "take_smoothing": 0.0,
        }
        return cls(**{**settings, **changes})

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "LSFConfig":
        """Read `to_json`'s text. Anything unknown, missing or of the wrong type is an LSFError("bad_checkpoint")."""
        try:
            values = json.loads(text)
        except ValueError as error:
            raise bad("it is not JSON; get the checkpoint anew.") from error
        return read(cls, values)


def read(cls, values):
    """Build dataclass `cls` from parsed JSON, checking names and types field by field."""
    if not isinstance(values, dict):
        raise bad(f"{cls.__name__} must be a JSON object.")
    types = typing.get_type_hints(cls)
    unknown = sorted(set(values) - set(types))
    if unknown:
        raise bad(f"it has the unknown setting {', '.join(unknown)}; it may come from a newer version of LSF.")
    missing = sorted(set(types) - set(values))
    if missing:
        raise bad(f"it lacks the setting {', '.join(missing)}; it may come from an older version of LSF.")
    return cls(**{name: convert(types[name], value, name) for name, value in values.items()})


def convert(kind, value, name: str):
    if kind == BackboneConfig | None:
        return None if value is None else read(BackboneConfig, value)
    if kind is BackboneConfig:
        return read(BackboneConfig, value)
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise bad(f"{name} must be a list.")
        return tuple(convert(typing.get_args(kind)[0], item, name) for item in value)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise bad(f"{name} must be of type {kind.__name__}.")
    return value
