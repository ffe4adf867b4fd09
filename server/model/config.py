"""The configuration of the model: all sizes in one frozen dataclass, with a strict JSON round trip.

`LSFConfig.paper()` is LSF-Animation as its paper describes it (arXiv 2510.21864), `LSFConfig.released()` as the code
of its authors computes it; `LSFConfig()` has the architecture of the default checkpoint. All use the same modules. They
differ in sizes and in switches, which the comments explain; docs/paper.md compares them.
"""

import dataclasses
import json
import typing
from dataclasses import dataclass
from typing import Any, TypeVar

from ..arkit import CHANNELS as ARKIT_CHANNELS
from ..errors import LSFError
from ..protocol.emotions import EMOTION_CLASSES

FLAME_CHANNELS = (*tuple(f"expression{i:02d}" for i in range(50)), "jawX", "jawY", "jawZ")
FEATURE_RATE = 50  # Hz; frames of the speech backbones
MAX_SIZE = 1 << 14  # of any layer or codebook: a damaged config.json must not allocate without limit
MAX_LAYERS = 48  # likewise
POSITION_GROUPS = 16  # groups of the convolution that tells positions in waveform backbones
MAX_TRAINED_FRAMES = 1 << 20  # four hours at 72 fps
LONGEST_CLIP = 15000  # 5 minutes; the paper's encoders have no absolute positions, so that only memory limits a window
OPTIONAL = "optional"  # key in the metadata of a field that a config.json may lack, because it came after release 0.1.0


def is_jaw(name: str) -> bool:
    """Tell whether a channel of the motion space "flame" is one of the jaw's three."""
    return name.startswith("jaw")


_Config = TypeVar("_Config", "BackboneConfig", "LSFConfig")


def _added(default: Any) -> Any:
    """Return a field that a config.json of an older release lacks; `default` is what that release did."""
    return dataclasses.field(default=default, metadata={OPTIONAL: True})


def _invalid(sentence: str) -> LSFError:
    """Return an error about a config.json."""
    return LSFError("bad_checkpoint", f"This model's config.json cannot be used: {sentence}")


def _check_ranges(config: "BackboneConfig | LSFConfig", names: str, least: int) -> None:
    """Raise LSFError if one of the fields in `names` is not in least … MAX_SIZE."""
    for name in names.split():
        if not least <= getattr(config, name) <= MAX_SIZE:
            raise _invalid(f"{name} must be between {least} and {MAX_SIZE}.")


@dataclass(frozen=True)
class BackboneConfig:
    """A speech encoder, whose layers give hidden states at 50 Hz. "hubert" and "wav2vec2" need `transformers`.

    Attributes:
        kind: "whisper", "hubert", "wav2vec2" or "emotion2vec".
        hidden: Width of the hidden states.
        heads: Attention heads.
        mlp: Width of the feed-forward layers.
        mels: Mel bands; whisper only.
        positions: Longest window in frames at 50 Hz (1000 = 20 s).
        conv: Channels of the waveform convolutions; all but whisper.
        trainable: Whether the second stage fine-tunes the upper layers.
        frozen_layers: Number of lowest layers of a trainable backbone that stay frozen, with everything below them.
        spec_augment: Whether spans of the projected features are masked while training (SpecAugment). What is frozen
            then ends below the feature projection. Trainable backbones only.
        layer_drop: Probability, per clip, that a layer is skipped while training (LayerDrop). Trainable backbones only.

    Raises:
        LSFError: "bad_checkpoint" if a value is out of range.
    """

    kind: str = "whisper"
    hidden: int = 512
    heads: int = 8
    mlp: int = 2048
    mels: int = 80
    positions: int = 1000
    conv: int = 512
    trainable: bool = False
    frozen_layers: int = 2
    spec_augment: bool = _added(False)
    layer_drop: float = _added(0.0)

    def __post_init__(self) -> None:
        if self.kind not in ("whisper", "hubert", "wav2vec2", "emotion2vec"):
            raise _invalid(
                f'"{self.kind}" is not a known speech backbone; use whisper, hubert, wav2vec2 or emotion2vec.'
            )
        if self.kind in ("whisper", "emotion2vec") and self.trainable:
            raise _invalid(f"a {self.kind} backbone is always frozen; set trainable to false.")
        _check_ranges(self, "hidden heads mlp mels positions conv", 1)
        if not 0 <= self.layer_drop < 1:
            raise _invalid("layer_drop must be at least 0 and below 1.")
        if (self.spec_augment or self.layer_drop) and not self.trainable:
            raise _invalid("spec_augment and layer_drop need a trainable backbone.")
        if self.hidden % self.heads:
            raise _invalid(f"hidden {self.hidden} must be a multiple of heads {self.heads}.")
        if self.kind != "whisper" and self.hidden % POSITION_GROUPS:
            raise _invalid(f"hidden {self.hidden} must be a multiple of {POSITION_GROUPS}.")


CHOICES = {
    "motion_scaling": ("deviation", "range"),
    "feature_length": ("crop", "stretch"),
    "stream_norm": ("instance", "layer"),
    "fusion_update": ("mean", "discarded"),
    "pair_scale": ("head", "width"),
    "code_layout": ("frame", "channel"),
    "codebook_learning": ("averages", "gradient"),
    "sampling_unit": ("spacing", "raw"),
    "prior_norm": ("instance", "layer"),
    "prior_positions": ("rotary", "absolute"),
}
"""Values of the settings of LSFConfig that choose between ways to compute."""


@dataclass(frozen=True)
class LSFConfig:
    """The configuration of LSF.

    Raises:
        LSFError: "bad_checkpoint" if a value is out of range or contradicts another.
    """

    # Motion space: K curves at `fps`, each scaled inside the model.
    motion_space: str = "arkit"  # "arkit" or "flame"
    channels: tuple[str, ...] = ARKIT_CHANNELS
    fps: int = 25
    clamp: bool = True  # curves are weights in [0, 1]
    # "deviation": mean 0 and deviation 1 over the training data. "range": a fixed range becomes [0, 1], of FLAME's
    # expression [-3, 3] and of its jaw [-0.1, 0.5], of weights their own [0, 1]. The weights of the paper's losses and
    # its distances between codes belong to these ranges.
    motion_scaling: str = _added("deviation")

    # Speech. Layer k is the output of the k-th encoder layer; 1 is the first.
    motion_backbone: BackboneConfig = BackboneConfig()
    motion_layers: tuple[int, ...] = (2, 3, 4)
    emotion_backbone: BackboneConfig | None = None  # None: the motion backbone serves both streams
    emotion_layers: tuple[int, ...] = (2, 3, 4)
    # What enters the emotion stream. False (paper): the emotion features, frame by frame. True: a place in the space of
    # the emotion reader, a mixture of the mean embeddings of the emotions (`EmotionReader.bank`); emotion_components is
    # not used then. It needs the reader.
    emotion_bank: bool = True
    frame_stack: int = 2  # consecutive feature frames at 50 Hz that are concatenated to one motion frame
    # Training clips whose sound and motion differ in length: "crop" ends both with the shorter, so that sound stays in
    # time; "stretch" interpolates the features to the length of the motion (the released code, in training only).
    feature_length: str = _added("crop")
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
    # Whether identity multiplies the features before convolution and norm, as in the released code. Instance norm then
    # takes most of it away. Otherwise it multiplies the finished streams.
    identity_first: bool = _added(False)
    shared_linear: bool = _added(False)  # whether the linear layer after the norm is one for both streams
    # Whether training clips start at random positions, so that long files have only positions that were trained. If
    # not, positions count from the start of the clip or window.
    random_positions: bool = _added(True)
    fusion_tokens: int = 4  # 0: the streams do not meet
    fusion_blocks: int = 2
    fusion_span: int = 0  # frames on either side that the streams attend to; 0 is the whole window
    # What becomes of the tokens that went through the layers of the streams: "mean" continues with the mean of both,
    # "discarded" with the tokens as they were before (the released code).
    fusion_update: str = _added("mean")
    pair_scale: str = _added("head")  # logits of the pair attention are over √(width of a "head"), or over √("width")
    pair_bias: bool = _added(True)  # whether query and value of the pair attention have a bias
    dropout: float = 0.1  # in the layers of transformers and of the direct path
    position_dropout: float = _added(0.0)  # of streams and prior, after positions were added
    emotions: int = len(EMOTION_CLASSES)  # classes of the emotion reader; 0: no reader

    # From speech to the latent z. In the paper, z is the fused motion stream (direct_path empty). A direct path from
    # the features, with the fused stream as a gated residual, is meant to generalise better from little data: z is the
    # mean of the listed branches ("linear", "conv") + gate · fused stream, and the gate starts at zero. With an emotion
    # bank, what is added is the difference of the fused stream to that of a neutral voice, and the gate starts at one.
    # While training, a sample has one branch alone with the probability `branch_alone`, so that each learns to work
    # without the others.
    direct_path: tuple[str, ...] = ("linear", "conv")
    direct_kernel: int = 5
    direct_width: int = 128
    branch_alone: float = 0.5

    # Motion prior (VQ-VAE): the latent of a frame is `codes_per_frame` codes of `code_size`.
    codes: int = 256
    code_size: int = 128
    codes_per_frame: int = 2
    # "frame": a code is a part of one frame. "channel" (released code): the latent of a clip is laid out channel by
    # channel and cut to codes, so that what a code covers depends on the length of the clip.
    code_layout: str = _added("frame")
    codebook_learning: str = _added("averages")  # "averages": moving averages of what is coded; "gradient": a parameter
    # Unit of the squared distances of which a temperature makes probabilities: the codebook's "spacing", so that a
    # temperature means the same for each, or "raw" (paper).
    sampling_unit: str = _added("spacing")
    residual_stages: int = 0  # further codebooks, each quantising the residual of the one before
    prior_width: int = 256
    prior_mlp: int = 384
    prior_heads: int = 8
    prior_layers: int = 2  # transformer layers in the encoder and in the decoder; 0 is purely convolutional
    prior_span: int = 25  # frames on either side that these attend to; 0 is the whole window
    prior_norm: str = "layer"
    # "rotary" positions tell distances only, so that a window decodes as the whole does; "absolute" are sinusoids.
    prior_positions: str = _added("rotary")
    decoder_bias: bool = _added(True)  # whether the decoder's last layer has a bias
    commitment: float = 0.25  # weight of the commitment loss
    take_smoothing: float = 3.0  # frames over which the codes of a take (temperature > 0) are correlated; paper: 0
    # Frames of the longest clip in training; 0: not known. Where `whole_clip` is true, longer clips are heard in
    # windows of this length.
    trained_frames: int = _added(0)

    def __post_init__(self) -> None:
        self._check_choices()
        _check_ranges(
            self,
            "fps frame_stack identity_size identity_styles width mlp heads kernel direct_kernel "
            "direct_width codes code_size codes_per_frame prior_width prior_mlp prior_heads",
            1,
        )
        _check_ranges(
            self,
            "motion_components emotion_components fusion_tokens fusion_span emotions residual_stages prior_layers "
            "prior_span feature_noise dropout position_dropout branch_alone take_smoothing commitment",
            0,
        )
        self._check_sizes()

    def _check_choices(self) -> None:
        """Raise LSFError if a field has a value that it cannot have."""
        if self.motion_space not in ("arkit", "flame"):
            raise _invalid(f'"{self.motion_space}" is not a known motion space; use arkit or flame.')
        if self.motion_space == "flame" and self.channels != FLAME_CHANNELS:
            raise _invalid("the channels of the motion space flame are expression00 to expression49, jawX, jawY, jawZ.")
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise _invalid(f"{name} must be {' or '.join(choices)}.")
        if any(branch not in ("linear", "conv") for branch in self.direct_path):
            raise _invalid("direct_path lists branches named linear or conv.")
        if not self.channels or len(set(self.channels)) != len(self.channels):
            raise _invalid("channels must be a list of different names.")
        for name in ("motion_layers", "emotion_layers"):
            if not getattr(self, name) or min(getattr(self, name)) < 1 or max(getattr(self, name)) > MAX_LAYERS:
                raise _invalid(f"{name} must list layers between 1 and {MAX_LAYERS}.")

    def _check_sizes(self) -> None:
        """Raise LSFError if sizes contradict each other."""
        if self.fps * self.frame_stack != FEATURE_RATE:
            raise _invalid(f"fps times frame_stack must be {FEATURE_RATE}, the rate of the speech features.")
        if self.kernel % 2 == 0 or self.direct_kernel % 2 == 0:
            raise _invalid("kernels must be odd.")
        if not 2 <= self.fusion_blocks <= MAX_LAYERS:
            raise _invalid(
                f"fusion_blocks must be between 2 and {MAX_LAYERS}: the first fuses, the last gives the result."
            )
        if self.width % (4 * self.heads):
            raise _invalid("width must be a multiple of 4 × heads.")
        if self.prior_width % (2 * self.prior_heads):
            raise _invalid("prior_width must be a multiple of 2 × prior_heads.")
        if not self.direct_path and self.width != self.latent:
            raise _invalid("without a direct path, width must be codes_per_frame × code_size.")
        if max(self.prior_layers, self.residual_stages, len(self.direct_path)) > MAX_LAYERS:
            raise _invalid(f"prior_layers, residual_stages and direct_path end at {MAX_LAYERS}.")
        if not 0 <= self.trained_frames <= MAX_TRAINED_FRAMES:
            raise _invalid(f"trained_frames must be between 0 and {MAX_TRAINED_FRAMES}.")
        if max(self.dropout, self.position_dropout) >= 1 or self.branch_alone > 1:
            raise _invalid("dropout and position_dropout must be below 1, and branch_alone at most 1.")
        if self.emotion_bank and not self.emotions:
            raise _invalid("an emotion bank needs the emotion reader: set emotions, or set emotion_bank to false.")

    @property
    def latent(self) -> int:
        """Width of the latent z: all codes of one frame."""
        return self.codes_per_frame * self.code_size

    @property
    def whole_clip(self) -> bool:
        """Whether the result of a frame depends on the whole clip, so that a window of it is another clip."""
        norms_of_clip = "instance" in (self.stream_norm, self.prior_norm)
        positions_of_clip = self.prior_positions == "absolute" or not self.random_positions
        return norms_of_clip or positions_of_clip or self.code_layout == "channel"

    @classmethod
    def paper(cls, **changes: Any) -> "LSFConfig":
        """Return LSF-Animation as its paper describes it: FLAME motion, HuBERT base, emotion2vec base.

        Where the paper leaves something open, this does what is usual in the field. Two numbers of the paper depend on
        a unit that only the released code tells, and have that unit here: the weights of the losses on the scale of the
        motion, the temperature on that of the distances between codes. docs/paper.md goes through all settings.

        Args:
            changes: Fields that differ from the paper.
        """
        base = BackboneConfig(
            kind="hubert", hidden=768, heads=12, mlp=3072, positions=LONGEST_CLIP, trainable=True, frozen_layers=2
        )
        settings: dict[str, Any] = {
            "motion_space": "flame",
            "channels": FLAME_CHANNELS,
            "clamp": False,
            "motion_scaling": "range",
            "motion_backbone": base,
            "motion_layers": (12,),
            "motion_components": 0,
            "emotion_backbone": dataclasses.replace(base, kind="emotion2vec", trainable=False),
            "emotion_layers": (12,),
            "emotion_components": 0,
            "emotion_bank": False,
            "identity_size": 300,
            "stream_norm": "instance",
            "random_positions": False,
            "fusion_blocks": 12,
            "emotions": 0,
            "direct_path": (),
            "sampling_unit": "raw",
            "prior_layers": 6,
            "prior_span": 0,
            "prior_norm": "instance",
            "prior_positions": "absolute",
            "take_smoothing": 0.0,
        }
        return cls(**{**settings, **changes})

    @classmethod
    def released(cls, **changes: Any) -> "LSFConfig":
        """Return LSF-Animation as the released code computes it, where that is more precise than the paper or differs.

        Args:
            changes: Fields that differ from the released code.
        """
        backbone = cls.paper().motion_backbone
        settings: dict[str, Any] = {
            # What `transformers` does with HuBERT base in training mode unless it is told otherwise.
            "motion_backbone": dataclasses.replace(backbone, spec_augment=True, layer_drop=0.1),
            "feature_length": "stretch",
            "identity_first": True,
            "shared_linear": True,
            "fusion_update": "discarded",
            "pair_scale": "width",
            "pair_bias": False,
            "dropout": 0.0,
            "position_dropout": 0.1,
            "code_layout": "channel",
            "codebook_learning": "gradient",
            "decoder_bias": False,
        }
        return cls.paper(**{**settings, **changes})

    def to_json(self) -> str:
        """Return the text of config.json."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "LSFConfig":
        """Read the text of a config.json.

        Raises:
            LSFError: "bad_checkpoint" for anything that is unknown, missing, or of the wrong type.
        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise _invalid("it is not JSON; download the checkpoint again.") from error
        return _from_dict(cls, values)


def _from_dict(cls: type[_Config], values: object) -> _Config:
    """Build a configuration from parsed JSON; every field that is not OPTIONAL must be there, each has its type."""
    if not isinstance(values, dict):
        raise _invalid(f"{cls.__name__} must be a JSON object.")
    types = typing.get_type_hints(cls)
    unknown = sorted(set(values) - set(types))
    if unknown:
        raise _invalid(f"it has the unknown setting {', '.join(unknown)}; it may come from a newer version of LSF.")
    needed = {field.name for field in dataclasses.fields(cls) if OPTIONAL not in field.metadata}
    missing = sorted(needed - set(values))
    if missing:
        raise _invalid(f"it lacks the setting {', '.join(missing)}; it may come from an older version of LSF.")
    return cls(**{name: _convert(types[name], value, name) for name, value in values.items()})


def _convert(kind: Any, value: Any, name: str) -> Any:
    """Convert the JSON value of a field to its annotated type. Raises LSFError if it has another."""
    if kind == BackboneConfig | None:
        return None if value is None else _from_dict(BackboneConfig, value)
    if kind is BackboneConfig:
        return _from_dict(BackboneConfig, value)
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise _invalid(f"{name} must be a list.")
        return tuple(_convert(typing.get_args(kind)[0], item, name) for item in value)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise _invalid(f"{name} must be of type {kind.__name__}.")
    return value
