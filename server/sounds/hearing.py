"""What was heard in a line: its sounds with their times, and how sure that is."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Cancelled, LSFError
from ..numerics import FloatArray
from .decoding import RATE, Aligned, Aligner, Decoder, Segment, Spoken, merged
from .inventory import SILENCE, SYMBOLS
from .transcript import spoken_words, words_of

if TYPE_CHECKING:  # they load torch, which must not delay the server's first answer
    from ..model import LSF
    from ..model.inference import Window
    from .network import SoundNet

WEIGHTS = Path(__file__).parent / "sounds.safetensors"
MAX_TRANSCRIPT = 200_000  # letters: an hour of speech has 60,000
MAX_LANGUAGE = 20  # letters of a language's code
GUESSED = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "sv")  # languages that a transcript may be in
GUESS_SOUNDS = 400  # whose order tells the language
# A transcript is another text if the mean confidence of its sounds is below this share of that of the sounds that were
# heard freely. It differs in a place where words of so many sounds have a mean confidence below MISMATCH, or where as
# many sounds were surely heard between two words. docs/sounds.md has the measurements.
OTHER_TEXT, MISMATCH, MISMATCH_SOUNDS, SURE, GAP = 0.6, 0.2, 5, 0.6, 0.03
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
    words = words_of(transcript)
    kept: list[NDArray[np.float16]] = []  # 40 MB for an hour

    def frames() -> Iterator[FloatArray]:
        for rows in posteriors(network, windows, fps, cancelled):
            if words:
                kept.append(rows.astype(np.float16))
            yield rows

    free = _free(network, frames(), language)
    if not words:
        return sounds_of(free, seconds)
    try:
        language, said = _pronounced(words, language, free)
    except LSFError as error:
        return replace(sounds_of(free, seconds), note=str(error))
    aligner, aligned = Aligner(said, network.log_prior.numpy()), []
    for rows in kept:
        if cancelled():
            raise Cancelled
        aligned += aligner.add(rows.astype(np.float32))
    left, whole = aligner.finish()
    return _pinned([*aligned, *left], whole, words, sounds_of(free, seconds), seconds)


def _free(network: "SoundNet", frames: Iterable[FloatArray], language: str) -> list[Segment]:
    """Segments of a line without a transcript, from log probabilities (F, S) of its parts."""
    row = network.language_row(language)
    decoder = Decoder(network.log_prior.numpy(), network.bigrams[row].numpy(), network.durations.numpy())
    segments: list[Segment] = []
    for rows in frames:
        segments += decoder.add(rows)
    return merged([*segments, *decoder.finish()])


def _pronounced(words: list[str], language: str, free: Sequence[Segment]) -> tuple[str, list[Spoken]]:
    """Language and sounds of a transcript; without a language, of that of GUESSED which is most like what was heard.

    Raises:
        LSFError: "missing_espeak", "bad_settings", or "bad_transcript" if nothing in it can be spoken.
    """
    heard = [segment.symbol for segment in free if segment.symbol][:GUESS_SOUNDS]
    guesses = {code: spoken_words(words, code) for code in ([language] if language else GUESSED)}
    near = {code: distance([sound.symbols[0] for sound in said][: len(heard)], heard) for code, said in guesses.items()}
    best = min(near, key=lambda code: near[code])
    if not guesses[best]:
        raise LSFError("bad_transcript", "There is no word in the transcript that can be spoken: check its text.")
    return best, guesses[best]


def distance(left: Sequence[int], right: Sequence[int]) -> int:
    """Return how many insertions, deletions and replacements make one sequence the other (Levenshtein 1966)."""
    row = np.arange(len(right) + 1)
    for count, symbol in enumerate(left, 1):
        best = np.minimum(row[:-1] + (np.asarray(right) != symbol), row[1:] + 1)
        best = np.concatenate([[count], best])
        row = np.minimum.accumulate(best - np.arange(len(best))) + np.arange(len(best))  # insertions
    return int(row[-1])


def _pinned(aligned: Sequence[Aligned], whole: bool, words: list[str], free: Sounds, seconds: float) -> Sounds:
    """The sounds that a transcript pins, or those that were heard freely if it is another text."""
    sounds = sounds_of([found.segment for found in aligned], seconds)
    numbers = np.array([found.word for found in aligned])
    spoken = np.unique(numbers)
    if not len(spoken) or not len(free.symbols) or sounds.confidence.mean() < OTHER_TEXT * free.confidence.mean():
        return replace(free, note="The transcript is not what is said here, so it was not used: check its text.")
    first, last = np.searchsorted(numbers, spoken), np.searchsorted(numbers, spoken, "right") - 1
    times = np.stack([sounds.times[first, 0], sounds.times[last, 1]], 1)
    note = _mismatch([words[i] for i in spoken], times, sounds, numbers, spoken, free)
    if not note and not whole:
        note = f'The sound ends before the transcript, at "{words[spoken[-1]]}": remove what is not said.'
    return replace(sounds, words=tuple(words[i] for i in spoken), word_times=times, note=note)


def _mismatch(
    words: list[str],
    times: NDArray[np.float32],
    sounds: Sounds,
    numbers: NDArray[Any],
    spoken: NDArray[Any],
    free: Sounds,
) -> str:
    """A sentence that says where the transcript first differs from the sound; "" if it does not."""
    scores = np.array([sounds.confidence[numbers == number].mean() for number in spoken])
    counts = np.array([(numbers == number).sum() for number in spoken])
    for i in range(len(words)):
        run = slice(i, i + 1)
        while counts[run].sum() < MISMATCH_SOUNDS and run.stop < len(words):
            run = slice(i, run.stop + 1)
        if counts[run].sum() >= MISMATCH_SOUNDS and np.average(scores[run], weights=counts[run]) < MISMATCH:
            said = " ".join(words[run])
            return f'The transcript does not match the sound at {clock(times[i, 0])}, "{said}": check these words.'
    inside = np.concatenate([[-1.0], times[:, 1], [np.inf]])
    before = np.concatenate([times[:, 0], [np.inf]])
    for start, end in zip(inside[:-1], before, strict=True):
        missed = (free.times[:, 0] > start + GAP) & (free.times[:, 1] < end - GAP) & (free.confidence > SURE)
        if missed.sum() >= MISMATCH_SOUNDS:
            return f"There is speech at {clock(free.times[missed][0, 0])} that the transcript does not have: add it."
    return ""


def clock(seconds: float) -> str:
    """A time as minutes and seconds, 1:05.3."""
    return f"{int(seconds // 60)}:{seconds % 60:04.1f}"


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
