"""The choice between the speech backbones."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import LSFError
from .config import BackboneConfig
from .whisper import WhisperBackbone

if TYPE_CHECKING:
    from .waveform import WaveformBackbone


def make_backbone(config: BackboneConfig, layers: Sequence[int]) -> "WhisperBackbone | WaveformBackbone":
    """Make a backbone of the kind of its configuration, with random weights.

    Args:
        config: The configuration.
        layers: The layers that are wanted; there are none above the highest.

    Raises:
        LSFError: "missing_package" if the kind needs `transformers` and it is not installed.
    """
    if config.kind == "whisper":
        return WhisperBackbone(config, max(layers))
    if config.kind == "emotion2vec":
        from .emotion2vec import Emotion2VecBackbone

        return Emotion2VecBackbone(config, layers)
    try:
        from .wav2vec2 import Wav2Vec2ClassBackbone
    except ModuleNotFoundError as error:
        raise LSFError(
            "missing_package",
            f'This model hears with {config.kind}, which needs the Python package "{error.name}": install it in the '
            "Python that runs the server, or choose the model that ships.",
        ) from error
    return Wav2Vec2ClassBackbone(config, layers)
