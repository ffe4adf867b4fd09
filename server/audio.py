"""Sound in: any file soundfile knows, any rate and channel count, to mono float32 at 16 kHz."""

import os
from fractions import Fraction

import numpy as np

from .errors import LSFError

RATE = 16000
MIN_SECONDS, MAX_SECONDS = 0.1, 4 * 3600.0
MIN_RATE, MAX_RATE = 1000, 768000
SILENCE = 1e-4  # peak; -80 dBFS, far below the noise floor of any recorded voice
_BLOCK = 30  # seconds of sound that are held at the file's own rate and channel count


def load(path: str | os.PathLike, start: float = 0.0, duration: float | None = None) -> tuple[np.ndarray, int]:
    """Read `duration` seconds (None: to the end) from `start` seconds on: mono (N,) float32, and the rate in Hz.

    Reads blockwise, and long files at 16 kHz at once, so that hours of 8-channel sound stay small in memory.
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
            return _read(file, length), rate
    except soundfile.SoundFileError as error:
        raise LSFError("bad_audio", f'The sound file "{os.path.basename(path)}" cannot be read ({error}): '
                       "convert it to .wav or .flac.") from error


def _read(file, length: int) -> np.ndarray:
    mono = np.empty(length, np.float32)
    done = 0
    while done < length:
        block = file.read(min(_BLOCK * file.samplerate, length - done), dtype="float32", always_2d=True)
        if not len(block):
            break  # a compressed file may promise more frames than it holds
        mono[done: done + len(block)] = block.mean(1)
        done += len(block)
    return mono[:done]


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
    ratio = Fraction(RATE / rate).limit_denominator(2000)
    return resample_poly(mono, ratio.numerator, ratio.denominator).astype(np.float32, copy=False)


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
        raise LSFError("long_audio", f"The audio is {seconds / 3600:.1f} hours long: cut it to "
                       f"{MAX_SECONDS / 3600:.0f} hours.")
