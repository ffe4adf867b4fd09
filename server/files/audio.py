"""Sound in: any file soundfile knows, any rate and channel count, to mono float32 at 16 kHz."""

import math
import os
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from ..errors import LSFError

RATE = 16000
MIN_SECONDS, MAX_SECONDS = 0.1, 4 * 3600.0
MIN_RATE, MAX_RATE = 1000, 768000
SILENCE = 1e-4  # peak; -80 dBFS, far below the noise floor of any recorded voice
LONG_SECONDS = 600.0  # files longer than this are resampled while they are read
_BLOCK = 30  # seconds of sound that are held at the file's own rate and channel count


def load(path: str | os.PathLike, start: float = 0.0, duration: float | None = None) -> tuple[np.ndarray, int]:
    """Read `duration` seconds (None: to the end) from `start` seconds on: mono (N,) float32, and the rate in Hz.

    Reads in blocks, and long sound comes at 16 kHz, so that hours of many channels stay small in memory.
    """
    if not os.path.isfile(path):
        raise LSFError("no_file", f'There is no sound file "{path}": check the path of the strip\'s sound.')
    if not (np.isfinite(start) and start >= 0 and (duration is None or (np.isfinite(duration) and duration > 0))):
        raise LSFError("bad_request", "The start of the sound must be 0 s or later, and its duration more than 0 s.")
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            rate = file.samplerate
            _check_rate(rate)
            first = min(round(start * rate), file.frames)
            length = file.frames - first if duration is None else min(round(duration * rate), file.frames - first)
            _check_length(length, rate)
            file.seek(first)
            if length > LONG_SECONDS * rate:
                return _read_at_16k(file, length), RATE
            blocks = list(_mono_blocks(file, length, _BLOCK * rate))
            return (np.concatenate(blocks) if blocks else np.empty(0, np.float32)), rate
    except soundfile.SoundFileError as error:
        raise LSFError(
            "bad_audio",
            f'The sound file "{os.path.basename(path)}" cannot be read ({error}): convert it to .wav or .flac.',
        ) from error


def _mono_blocks(file, length: int, size: int) -> Iterator[np.ndarray]:
    """Yield the next `length` samples, `size` at a time; fewer if the file holds less than it says."""
    while length > 0 and len(block := file.read(min(size, length), dtype="float32", always_2d=True)):
        length -= len(block)
        yield block.mean(1)


def _read_at_16k(file, length: int) -> np.ndarray:
    """Read and resample in blocks, each with `pad` samples before and after it that the filter needs."""
    ratio = _ratio(file.samplerate)
    pad = ratio.denominator * math.ceil(file.samplerate / 50 / ratio.denominator)
    size = ratio.denominator * math.ceil(_BLOCK * file.samplerate / ratio.denominator)
    held, results = np.zeros(pad, np.float32), []
    for block in _mono_blocks(file, length, size):
        held = np.concatenate([held, block])
        if len(block) == size:  # a shorter one is the last
            results.append(resample(held, file.samplerate)[int(pad * ratio) : int((len(held) - pad) * ratio)])
            held = held[-2 * pad :]
    results.append(resample(held, file.samplerate)[int(pad * ratio) :])
    return np.concatenate(results)


def to_mono_16k(samples: np.ndarray, rate: float) -> np.ndarray:
    """(N,) or (N, C) float at `rate` Hz to (M,) float32 at 16 kHz, band-limited. Raises LSFError("bad_audio", …)."""
    samples = np.asarray(samples)
    if samples.ndim not in (1, 2) or (samples.ndim == 2 and not 1 <= samples.shape[1] <= 64):
        raise LSFError("bad_audio", "The audio must be (samples,) or (samples, channels) with 1 to 64 channels.")
    _check_rate(rate)
    _check_length(len(samples), rate)
    mono = samples.astype(np.float32, copy=False) if samples.ndim == 1 else samples.mean(1, dtype=np.float32)
    if not np.isfinite(mono).all():
        raise LSFError("bad_audio", "The audio has samples that are not numbers: export the sound again.")
    if np.abs(mono).max() < SILENCE:
        raise LSFError("silent_audio", "The audio is silent: pick a strip with speech in it.")
    return resample(mono, rate)


def resample(mono: np.ndarray, rate: float) -> np.ndarray:
    """(N,) float32 at `rate` Hz to 16 kHz; sample 0 stays at time 0."""
    if rate == RATE:
        return mono
    from scipy.signal import resample_poly

    ratio = _ratio(rate)
    return resample_poly(mono, ratio.numerator, ratio.denominator).astype(np.float32, copy=False)


def _ratio(rate: float) -> Fraction:
    return Fraction(RATE / rate).limit_denominator(2000)


def _check_rate(rate: float) -> None:
    if not MIN_RATE <= rate <= MAX_RATE:  # false for NaN, too
        raise LSFError("bad_audio", f"The audio's sample rate must be {MIN_RATE} to {MAX_RATE} Hz, not {rate}.")


def _check_length(length: int, rate: float) -> None:
    seconds = length / rate
    if length == 0:
        raise LSFError("empty_audio", "There is no sound in this part of the file: pick a strip with speech in it.")
    if seconds < MIN_SECONDS:
        raise LSFError("short_audio", f"The audio is only {seconds:.2f} s long: speech needs at least {MIN_SECONDS} s.")
    if seconds > MAX_SECONDS:
        raise LSFError(
            "long_audio", f"The audio is {seconds / 3600:.1f} hours long: cut it to {MAX_SECONDS / 3600:.0f} hours."
        )
