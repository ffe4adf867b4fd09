"""Files of sounds: JSON, Praat's TextGrid, and .lab."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import LSFError
from ..files.atomic import replacing
from .hearing import Sounds
from .inventory import ARPABET, VISEME

DECIMALS = 3  # of seconds and confidences
Interval = tuple[float, float, str]
MAX_TEXT = 1 << 20  # bytes of a transcript's file


def as_json(sounds: Sounds, seconds: float) -> str:
    """Return the JSON of docs/formats.md."""
    data = {
        "format": "lsf-heard",
        "version": 1,
        "seconds": round(seconds, DECIMALS),
        "note": sounds.note,
        **as_fields(sounds),
    }
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def as_fields(sounds: Sounds) -> dict[str, list[dict[str, object]]]:
    """Return the fields of JSON files that hold the sounds and the words."""
    found = zip(sounds.symbols, sounds.times.tolist(), sounds.confidence.tolist(), strict=True)
    return {
        "sounds": [
            {
                "ipa": symbol,
                "arpabet": ARPABET[symbol],
                "viseme": VISEME[symbol],
                "start": round(start, DECIMALS),
                "end": round(end, DECIMALS),
                "confidence": round(confidence, DECIMALS),
            }
            for symbol, (start, end), confidence in found
        ],
        "words": [
            {"word": word, "start": round(start, DECIMALS), "end": round(end, DECIMALS)}
            for word, (start, end) in zip(sounds.words, sounds.word_times.tolist(), strict=True)
        ],
    }


def as_textgrid(sounds: Sounds, seconds: float) -> str:
    """Return a TextGrid of Praat (Boersma and Weenink, "TextGrid file formats") with the tiers words and phones."""
    tiers = {"words": _intervals(sounds.words, sounds.word_times.tolist(), seconds)} if sounds.words else {}
    tiers["phones"] = _intervals(sounds.symbols, sounds.times.tolist(), seconds)
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {seconds:.{DECIMALS}f}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, (name, intervals) in enumerate(tiers.items(), 1):
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f'        name = "{name}"']
        lines += ["        xmin = 0", f"        xmax = {seconds:.{DECIMALS}f}"]
        lines.append(f"        intervals: size = {len(intervals)}")
        for place, (start, end, text) in enumerate(intervals, 1):
            quoted = text.replace('"', '""')
            lines += [f"        intervals [{place}]:", f"            xmin = {start:.{DECIMALS}f}"]
            lines += [f"            xmax = {end:.{DECIMALS}f}", f'            text = "{quoted}"']
    return "\n".join(lines) + "\n"


def as_lab(sounds: Sounds, seconds: float) -> str:
    """Return a line for each sound and pause: start and end in seconds, and the symbol; a pause is "sil"."""
    intervals = _intervals(sounds.symbols, sounds.times.tolist(), seconds)
    return "".join(f"{a:.{DECIMALS}f}\t{b:.{DECIMALS}f}\t{text or 'sil'}\n" for a, b, text in intervals)


WRITERS: dict[str, Callable[[Sounds, float], str]] = {".json": as_json, ".textgrid": as_textgrid, ".lab": as_lab}


def _intervals(texts: Sequence[str], times: Sequence[Sequence[float]], seconds: float) -> list[Interval]:
    """Intervals that cover the sound without gaps; what is between two texts has none."""
    found: list[Interval] = []
    at = 0.0
    for text, (start, end) in zip(texts, times, strict=True):
        start = max(start, at)
        if end - start < 10**-DECIMALS:
            continue
        if start - at >= 10**-DECIMALS:
            found.append((at, start, ""))
        else:
            start = at
        found.append((start, end, text))
        at = end
    if seconds - at >= 10**-DECIMALS or not found:
        found.append((at, seconds, ""))
    return found


def check_name(path: Path) -> None:
    """Raise LSFError("bad_request") unless a file's suffix is one of WRITERS."""
    if path.suffix.lower() not in WRITERS:
        raise LSFError("bad_request", f'Sounds are written as .json, .TextGrid or .lab, not as "{path.name}".')


def write(path: Path, sounds: Sounds, seconds: float) -> None:
    """Write the sounds of a line of this length in the format of the file's suffix.

    Raises:
        LSFError: "bad_request" if it is another one.
        OSError: The file cannot be written.
    """
    check_name(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write_text(WRITERS[path.suffix.lower()](sounds, seconds), encoding="utf-8", newline="\n")


def transcript_of(text: str) -> str:
    """Return a transcript: a text, or what is in the .txt file of this name. Raises what `read_transcript` raises."""
    return read_transcript(Path(text)) if text.lower().endswith(".txt") else text


def read_transcript(path: Path) -> str:
    """Return the transcript of a file.

    Raises:
        LSFError: "bad_request" if the file is missing, too large, or no UTF-8.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe may have no end
            raise LSFError("bad_request", f"The transcript {path.name} is no file.")
        with path.open("rb") as file:
            data = file.read(MAX_TEXT + 1)
        if len(data) > MAX_TEXT:
            raise LSFError("bad_request", f"{path.name} is longer than a transcript can be: divide the sound.")
        return data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LSFError("bad_request", f"The transcript {path.name} cannot be read as UTF-8 text: {error}") from error
