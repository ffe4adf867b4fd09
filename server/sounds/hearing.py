"""What was heard in a line: its sounds with their times, and how sure that is."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import Cancelled, LSFError
from ..numerics import FloatArray
from .decoding import RATE, Decoder, Segment, merged
from .inventory import SILENCE, SYMBOLS

if TYPE_CHECKING:  # they load torch, which must not delay the server's first answer
    from ..model import LSF
    from ..model.inference import Window
    from .network import SoundNet

WEIGHTS = Path(__file__).parent / "sounds.safetensors"
MAX_TRANSCRIPT = 200_000  # letters: an hour of speech has 60,000
MAX_LANGUAGE = 20  # letters of a language's code
Cancel = Callable[[], bool]
Report = Callable[[float, str], None]


def _no_times() -> NDArray[np.float32]:
    """Times of no words."""
    return np.zeros((0, 2), np.float32)


def check_speech(transcript: str, language: str) -> None:
    """Raise LSFError("bad_settings") if a transcript or the code of a language cannot be one."""
    if len(transcript) > MAX_TRANSCRIPT:
        raise LSFError("bad_settings", f"A transcript has at most {MAX_TRANSCRIPT:,} letters: divide the sound.")
    if len(language) > MAX_LANGUAGE or not re.fullmatch(r"[A-Za-z0-9_-]*", language):
        raise LSFError("bad_settings", 'A language is a code such as "en", "de" or "pt-br".')


@dataclass(frozen=True)
class Sounds:
    """The sounds of a line, in order, without its pauses.

    Attributes:
        symbols: IPA of each of N sounds.
        times: (N, 2) start and end in seconds of the sound.
        confidence: (N,) probability that the sound is right, 0 to 1.
        words: Words of the transcript; none without one.
        word_times: (W, 2) start and end of each in seconds.
        note: One sentence if the transcript does not match the sound, else "".
    """

    symbols: tuple[str, ...]
    times: NDArray[np.float32]
    confidence: NDArray[np.float32]
    words: tuple[str, ...] = ()
    word_times: NDArray[np.float32] = field(default_factory=_no_times)
    note: str = ""


def encoded(
    model: "LSF", audio: FloatArray, report: Report = lambda fraction, text: None, cancelled: Cancel = lambda: False
) -> Iterator["Window"]:
    """Encode a line without animating it: the windows that `model.synthesize` keeps, one after the other.

    Args:
        model: The model, in inference mode.
        audio: (N,) sound at 16 kHz.
        report: Called with the fraction done, 0 to 1, and a sentence.
        cancelled: Returns true when the job shall stop.

    Yields:
        The windows.

    Raises:
        LSFError: "bad_audio".
        Cancelled: If `cancelled` returned true.
    """
    import torch

    from ..files.spool import release
    from ..model.inference import OVERLAP, WINDOW, Window, plan_windows, prepare

    def between() -> None:
        release(audio)
        if cancelled():
            raise Cancelled

    samples, _ = prepare(model, audio, None)
    fps, frames = model.config.fps, model.frame_count(len(samples))
    size = min(round(WINDOW * fps), model.max_frames)
    with torch.inference_mode():
        statistics = model.clip_statistics(samples, between)
        for first, end in plan_windows(frames, size, min(round(OVERLAP * fps), size // 2)):
            between()
            report(first / frames, f"Listening: {first // fps} of {frames // fps} s")
            motion, _ = model.encode_audio(samples, first, end - first, statistics)
            yield Window(first, model.stack_motion(motion[None])[0].half().cpu().numpy())


def posteriors(
    network: "SoundNet", windows: Iterable["Window"], fps: float, cancelled: Cancel = lambda: False
) -> Iterator[FloatArray]:
    """Classify the frames of a line, window by window.

    Args:
        network: The recogniser.
        windows: The windows of the line, in order; neighbours may share frames, of which each gives a half.
        fps: Frames per second of the windows.
        cancelled: Returns true when the job shall stop.

    Yields:
        (F, S) log probabilities at RATE.

    Raises:
        Cancelled: If `cancelled` returned true.
    """
    per_frame = round(RATE / fps)
    kept = np.zeros((0, len(SYMBOLS)), np.float32)  # the last window, from the frame `begin` of the model on
    begin = 0
    for window in windows:
        if cancelled():
            raise Cancelled
        rows = network.log_posteriors(window.motion.reshape(-1, network.scale.numel()))
        middle = (window.first + begin + len(kept) // per_frame) // 2  # of what the windows share
        if len(kept):
            yield kept[: (middle - begin) * per_frame]
            begin = middle
        kept = rows[(begin - window.first) * per_frame :]
    yield kept


def hear(
    network: "SoundNet",
    windows: Iterable["Window"],
    fps: float,
    seconds: float,
    transcript: str = "",
    language: str = "",
    cancelled: Cancel = lambda: False,
) -> Sounds:
    """Find the sounds of a line.

    Args:
        network: The recogniser.
        windows: Its windows with their projected features, from `model.synthesize` or `encoded`.
        fps: Frames per second of the windows.
        seconds: Length of the sound.
        transcript: What is said; "" if it is not known.
        language: Code of the language, as "de"; "" if it is not known.
        cancelled: Returns true when the job shall stop.

    Returns:
        The sounds.

    Raises:
        Cancelled: If `cancelled` returned true.
    """
    row = network.language_row(language)
    decoder = Decoder(network.log_prior.numpy(), network.bigrams[row].numpy(), network.durations.numpy())
    segments: list[Segment] = []
    for rows in posteriors(network, windows, fps, cancelled):
        segments += decoder.add(rows)
    return sounds_of(merged([*segments, *decoder.finish()]), seconds)


def sounds_of(segments: Sequence[Segment], seconds: float) -> Sounds:
    """Make the result of the segments of a sound of this length."""
    spoken = [segment for segment in segments if SYMBOLS[segment.symbol] != SILENCE]
    frames = np.array([(segment.start, segment.end) for segment in spoken], np.float64).reshape(-1, 2)
    # A frame is centred on its time, so a sound begins half a frame before its first one.
    times = np.clip((frames - 0.5) / RATE, 0, seconds).astype(np.float32)
    return Sounds(
        tuple(SYMBOLS[segment.symbol] for segment in spoken),
        times,
        np.array([segment.confidence for segment in spoken], np.float32),
    )
