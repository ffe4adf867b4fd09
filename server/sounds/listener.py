"""The recogniser beside a model: whether it fits, and what both hear together."""

from pathlib import Path

from ..errors import LSFError
from ..files.audio import SAMPLE_RATE
from ..model import LSF
from ..model.inference import SpeechResult
from ..numerics import FloatArray
from .hearing import WEIGHTS, Cancel, Report, Sounds, encoded, hear
from .network import SoundNet, features_digest

FILE_NAME = "sounds.safetensors"  # in a checkpoint, of a recogniser that was trained for it


class Listener:
    """Hears the sounds in what a model has encoded."""

    def __init__(self, model: LSF, folder: Path):
        """Load the recogniser.

        Args:
            model: The model, in inference mode.
            folder: Its checkpoint.

        Raises:
            LSFError: "no_sounds" if there is no recogniser for this model; "bad_sounds" if its file is damaged.
        """
        own = folder / FILE_NAME
        self._model, self._network = model, SoundNet.load(own if own.is_file() else WEIGHTS)
        if not model.config.emotion_bank or self._network.features != features_digest(model):
            raise LSFError(
                "no_sounds",
                "This model tells no sounds, as no recogniser was trained for it: choose the one that ships, or train "
                "one with `python -m server.training.train_sounds`.",
            )

    def hear(self, result: SpeechResult, seconds: float, transcript: str, language: str, cancelled: Cancel) -> Sounds:
        """Find the sounds of a line that was synthesized.

        Args:
            result: Of `synthesize`.
            seconds: Length of the sound.
            transcript: What is said; "" if it is not known.
            language: Code of the language, "" if it is not known.
            cancelled: Returns true when the job shall stop.

        Raises:
            Cancelled: If `cancelled` returned true.
        """
        return hear(self._network, result.windows, self._model.config.fps, seconds, transcript, language, cancelled)

    def listen(self, audio: FloatArray, transcript: str, language: str, report: Report, cancelled: Cancel) -> Sounds:
        """Find the sounds of a line (N,) at 16 kHz that is not animated; for the rest see `hear`."""
        windows = encoded(self._model, audio, report, cancelled)
        seconds = len(audio) / SAMPLE_RATE
        return hear(self._network, windows, self._model.config.fps, seconds, transcript, language, cancelled)
