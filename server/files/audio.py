"""Reads and converts sound: any file that libsndfile reads, any sample rate and channel count, to mono 16 kHz."""

import logging
import math
import os
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import Cancelled, LSFError
from ..numerics import FloatArray
from .spool import Spool, release

if TYPE_CHECKING:  # libsndfile is loaded only when a file is read
    import soundfile

log = logging.getLogger(__name__)

SAMPLE_RATE = 16000  # Hz; what the speech encoders were trained on
MIN_SECONDS, MAX_SECONDS = 0.1, 4 * 3600.0
MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 1000, 768000  # Hz
MAX_CHANNELS = 64
SILENCE = 1e-4  # peak amplitude, -80 dBFS: far below the noise floor of any recorded voice
MAX_VALUES = round(MAX_SECONDS) * 192000  # samples of all channels in a part: what can be decoded in a minute
MAX_AMPLITUDE = (
    1e10  # 32-bit samples that were never scaled reach 2e9; the squares of much larger ones overflow float32
)
LONG_SECONDS = 600.0  # a longer part of a file is resampled while it is read, to keep memory small
USUAL_RATE = 48000  # Hz; at a higher one, a part is long already if it has as many samples
BLOCK_SECONDS = 30  # length of the blocks that are read at the file's own rate and channel count
BLOCK_VALUES = 1 << 24  # samples of all channels in a block, at most
MAX_FRAMES = 1 << 40  # of a whole file; libsndfile tells 2^63 - 1 where the file does not say how many it has
FILTER_SECONDS = Fraction(1, 50)  # of context on both sides of a block: longer than the filter's impulse response


def load(
    path: str | os.PathLike[str],
    start: float = 0.0,
    duration: float | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> tuple[NDArray[np.float32], int]:
    """Read a part of a sound file.

    The file is read in blocks, and a part longer than LONG_SECONDS is resampled to 16 kHz block by block, so that hours
    of many channels need little memory. What the file says about its length is not trusted.

    Args:
        path: A file in any format that libsndfile reads.
        start: Start of the part in seconds, 0 or later.
        duration: Length of the part in seconds; None reads to the end of the file.
        cancelled: Called before each block; returns true when the job shall stop.

    Returns:
        Mono samples (N,), the mean of all channels, and their sample rate in Hz.

    Raises:
        LSFError: "no_file", "bad_request" (start or duration out of range), "bad_audio" (not readable, or sample rate
            or number of channels out of range), "empty_audio", "short_audio" or "long_audio".
        Cancelled: If `cancelled` returned true.
    """
    if not os.path.isfile(path):  # noqa: PTH113 (Path.is_file raises for a path that is too long or forbidden)
        raise LSFError("no_file", f'There is no sound file "{path}": check the path of the strip\'s sound.')
    if not (np.isfinite(start) and start >= 0 and (duration is None or (np.isfinite(duration) and duration > 0))):
        raise LSFError("bad_request", "The start of the sound must be 0 s or later, and its duration more than 0 s.")
    import soundfile

    try:
        with soundfile.SoundFile(_encoded(path)) as file:
            return _read_part(file, start, duration, cancelled)
    except (soundfile.SoundFileError, TypeError, OSError) as error:  # a TypeError for samples without a header, .raw
        log.info("%s cannot be read", path, exc_info=True)
        raise LSFError(
            "bad_audio",
            f'The sound file "{Path(path).name}" cannot be read, it is damaged or of another kind than its name says: '
            "convert it to .wav or .flac.",
        ) from error


def _encoded(path: str | os.PathLike[str]) -> str | bytes:
    """Return a path for soundfile, as bytes if it is not valid Unicode, which soundfile cannot encode itself."""
    text = os.fspath(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        return os.fsencode(text)
    return text


def load_16k(path: str | os.PathLike[str]) -> NDArray[np.float32]:
    """Read a whole sound file at 16 kHz.

    Unlike `to_mono_16k` it accepts silence, which training needs.

    Args:
        path: A file in any format that libsndfile reads.

    Returns:
        Mono samples (N,) at 16 kHz. Samples of a mono file at 16 kHz are returned as they are.

    Raises:
        LSFError: As `load`.
    """
    return resample(*load(path))


def _read_part(
    file: "soundfile.SoundFile", start: float, duration: float | None, cancelled: Callable[[], bool]
) -> tuple[NDArray[np.float32], int]:
    """Read `duration` seconds from `start` on: mono samples (N,) and their rate. See `load`."""
    rate: int = file.samplerate
    _check_rate(rate)
    if not 1 <= file.channels <= MAX_CHANNELS:
        raise LSFError("bad_audio", f"The audio has {file.channels} channels: the limit is {MAX_CHANNELS}.")
    if file.frames > MAX_FRAMES:
        raise LSFError("bad_audio", "The sound file does not say how long it is: convert it to .wav or .flac.")
    first = min(round(start * rate), file.frames)
    length = file.frames - first if duration is None else min(round(duration * rate), file.frames - first)
    _check_length(length, rate)
    if length * file.channels > MAX_VALUES:
        raise LSFError("long_audio", "The audio has too many samples in all its channels: cut it, or mix it down.")
    if first:
        file.seek(first)
    if _is_long(length, rate):
        return _read_at_16k(file, length, cancelled), SAMPLE_RATE
    blocks = list(_mono_blocks(file, length, BLOCK_SECONDS * rate, cancelled))
    return (np.concatenate(blocks) if blocks else np.empty(0, np.float32)), rate


def _is_long(length: int, rate: float) -> bool:
    """Whether so many samples of one channel are resampled in blocks, and kept in a file."""
    return length > LONG_SECONDS * min(rate, USUAL_RATE)


def _mono_blocks(
    file: "soundfile.SoundFile", length: int, size: int, cancelled: Callable[[], bool]
) -> Iterator[NDArray[np.float32]]:
    """Yield the next `length` samples, `size` at a time; fewer if the file is shorter than its header says."""
    while length > 0 and len(block := file.read(min(size, length), dtype="float32", always_2d=True)):
        if cancelled():
            raise Cancelled
        length -= len(block)
        with np.errstate(over="ignore", invalid="ignore"):  # to_mono_16k refuses what is too large
            mono = block.mean(1)
        yield mono


def _read_at_16k(file: "soundfile.SoundFile", length: int, cancelled: Callable[[], bool]) -> NDArray[np.float32]:
    """Read and resample in blocks, into an array of a `Spool`."""
    size = _block_size(min(BLOCK_SECONDS * file.samplerate, BLOCK_VALUES // file.channels), file.samplerate)
    return _resample_blocks(_mono_blocks(file, length, size, cancelled), size, file.samplerate)


def _block_size(size: int, rate: float) -> int:
    """Return a number of samples, `size` or a few more, of which the next block begins on a sample at 16 kHz."""
    denominator = _ratio(rate).denominator
    return denominator * math.ceil(size / denominator)


def _resample_blocks(blocks: Iterable[NDArray[np.float32]], size: int, rate: float) -> NDArray[np.float32]:
    """Resample to 16 kHz block by block, each together with `pad` samples of context on both sides.

    Args:
        blocks: The samples: `size` of them each, fewer in the last one.
        size: A result of `_block_size`.
        rate: Sample rate in Hz.

    Returns:
        (M,) samples at 16 kHz, an array of a `Spool`.
    """
    ratio, results = _ratio(rate), Spool(np.float32)
    pad = _block_size(math.ceil(rate * FILTER_SECONDS), rate)
    buffer = np.zeros(pad, np.float32)
    for block in blocks:
        buffer = np.concatenate([buffer, block])
        if len(block) == size:  # a shorter one is the last
            results.append(resample(buffer, rate)[int(pad * ratio) : int((len(buffer) - pad) * ratio)])
            buffer = buffer[-2 * pad :]
    results.append(resample(buffer, rate)[int(pad * ratio) :])
    return results.finish()


def to_mono_16k(samples: FloatArray, rate: float, cancelled: Callable[[], bool] = lambda: False) -> NDArray[np.float32]:
    """Check speech, mix it down and resample it, band-limited.

    Args:
        samples: (N,) or (N, C) samples, C up to MAX_CHANNELS.
        rate: Sample rate in Hz.
        cancelled: Called now and then; returns true when the job shall stop.

    Returns:
        Mono samples (M,) at 16 kHz; those of long speech in an array of a `Spool`.

    Raises:
        LSFError: "bad_audio" (wrong shape or rate, not finite, too large), "empty_audio", "short_audio", "long_audio"
            or "silent_audio".
        Cancelled: If `cancelled` returned true.
    """
    samples = np.asarray(samples)
    if samples.ndim not in (1, 2) or (samples.ndim == 2 and not 1 <= samples.shape[1] <= MAX_CHANNELS):
        raise LSFError(
            "bad_audio", f"The audio must be (samples,) or (samples, channels) with 1 to {MAX_CHANNELS} channels."
        )
    _check_rate(rate)
    _check_length(len(samples), rate)
    with np.errstate(over="ignore", invalid="ignore"):  # what becomes infinite is refused
        mono = samples.astype(np.float32, copy=False) if samples.ndim == 1 else samples.mean(1, dtype=np.float32)
    peak = max(-mono.min(), mono.max())  # neither makes a copy, which hours of sound would need memory for
    release(mono)
    if not np.isfinite(peak):
        raise LSFError("bad_audio", "The audio has samples that are not numbers: export the sound again.")
    if peak > MAX_AMPLITUDE:
        raise LSFError("bad_audio", f"The audio has samples up to {peak:.0e}: export the sound again.")
    if peak < SILENCE:
        raise LSFError("silent_audio", "The audio is silent: pick a strip with speech in it.")
    size = _block_size(round(BLOCK_SECONDS * rate), rate)
    if rate == SAMPLE_RATE or len(mono) <= 2 * size:
        return resample(mono, rate)

    def blocks() -> Iterator[NDArray[np.float32]]:
        for start in range(0, len(mono), size):
            if cancelled():
                raise Cancelled
            yield mono[start : start + size]

    return _resample_blocks(blocks(), size, rate)


def resample(mono: NDArray[np.float32], rate: float) -> NDArray[np.float32]:
    """Resample (N,) samples from `rate` Hz to 16 kHz with a polyphase filter; sample 0 stays at time 0."""
    if rate == SAMPLE_RATE:
        return mono
    from scipy.signal import resample_poly

    ratio = _ratio(rate)
    resampled: NDArray[np.float32] = resample_poly(mono, ratio.numerator, ratio.denominator)
    return resampled.astype(np.float32, copy=False)


def _ratio(rate: float) -> Fraction:
    """Return 16 kHz / rate as a fraction whose terms are small enough for a polyphase filter."""
    return Fraction(SAMPLE_RATE / rate).limit_denominator(2000)


def _check_rate(rate: float) -> None:
    """Raise LSFError if the sample rate is out of range."""
    if not MIN_SAMPLE_RATE <= rate <= MAX_SAMPLE_RATE:  # false for NaN, too
        raise LSFError(
            "bad_audio", f"The audio's sample rate must be {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz, not {rate}."
        )


def _check_length(length: int, rate: float) -> None:
    """Raise LSFError if `length` samples are none, too short or too long."""
    seconds = length / rate
    if length == 0:
        raise LSFError("empty_audio", "There is no sound in this part of the file: pick a strip with speech in it.")
    if seconds < MIN_SECONDS:
        raise LSFError("short_audio", f"The audio is only {seconds:.2f} s long: speech needs at least {MIN_SECONDS} s.")
    if seconds > MAX_SECONDS:
        raise LSFError(
            "long_audio", f"The audio is {seconds / 3600:.1f} hours long: cut it to {MAX_SECONDS / 3600:.0f} hours."
        )
