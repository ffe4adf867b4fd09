"""The .csv of Epic's Live Link Face: a timecode, 52 ARKit shapes and nine angles a row.

A timecode HH:MM:SS:FF.mmm counts frames, and thousandths of one, at a whole rate that the file does not name: where FF
starts again gives it away. Drop-frame timecode (29.97, 59.94) leaves out the first two or four frame numbers of
every minute but each tenth, so that it keeps up with the clock.
"""

import csv
import math
import re
from pathlib import Path

import numpy as np

from ..errors import UserError
from .curves import Curves

# In the order in which the app writes them; ARKit's own names begin with a small letter.
SHAPES = tuple(
    "EyeBlinkLeft EyeLookDownLeft EyeLookInLeft EyeLookOutLeft EyeLookUpLeft EyeSquintLeft EyeWideLeft "
    "EyeBlinkRight EyeLookDownRight EyeLookInRight EyeLookOutRight EyeLookUpRight EyeSquintRight EyeWideRight "
    "JawForward JawRight JawLeft JawOpen MouthClose MouthFunnel MouthPucker MouthRight MouthLeft "
    "MouthSmileLeft MouthSmileRight MouthFrownLeft MouthFrownRight MouthDimpleLeft MouthDimpleRight "
    "MouthStretchLeft MouthStretchRight MouthRollLower MouthRollUpper MouthShrugLower MouthShrugUpper "
    "MouthPressLeft MouthPressRight MouthLowerDownLeft MouthLowerDownRight MouthUpperUpLeft MouthUpperUpRight "
    "BrowDownLeft BrowDownRight BrowInnerUp BrowOuterUpLeft BrowOuterUpRight "
    "CheekPuff CheekSquintLeft CheekSquintRight NoseSneerLeft NoseSneerRight TongueOut".split()
)
ANGLES = (
    "HeadYaw",
    "HeadPitch",
    "HeadRoll",
    "LeftEyeYaw",
    "LeftEyePitch",
    "LeftEyeRoll",
    "RightEyeYaw",
    "RightEyePitch",
    "RightEyeRoll",
)
CHANNELS = tuple(name[0].lower() + name[1:] for name in SHAPES)

STILL = 0.01  # a column that never exceeds this value is noise
USUAL_RATE = 60  # the app's own
RATES = (12, 15, 24, 25, 30, 48, 50, 60, 100, 120)
TIMECODE = re.compile(r"(\d+):(\d+):(\d+)[:;](\d+(?:\.\d*)?)")
DAY = 24 * 60  # minutes


def read(path: str | Path, rate: float = 0.0) -> Curves:
    """The ARKit channels of a file, from 0 s on; rows in which no face was tracked are left out. Raises UserError.

    `rate` is how many frames of the timecode make a second; 0: find out.
    """
    name = Path(path).name
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f'"{name}" cannot be read ({error}): pick a .csv of Live Link Face') from error
    delimiter = ";" if ";" in text.partition("\n")[0] else ","  # saved again by a spreadsheet
    header, *rows = list(csv.reader(text.splitlines(), delimiter=delimiter)) or [[]]
    columns = {title.strip().casefold(): i for i, title in enumerate(header)}
    shapes = [i for i, shape in enumerate(SHAPES) if shape.casefold() in columns]
    if not shapes:
        raise UserError(f'"{name}" has no column of ARKit, such as JawOpen: pick a .csv of Live Link Face')
    picked = [columns[SHAPES[i].casefold()] for i in shapes]
    values, timecodes = [], []
    for number, row in enumerate(rows, 2):
        cells = [row[i].strip().replace(",", ".") if i < len(row) else "" for i in picked]
        if not any(cells):
            continue
        try:
            values.append([float(cell) for cell in cells])
        except ValueError:
            raise UserError(f'Line {number} of "{name}" holds something else than numbers: export it again') from None
        time = columns.get("timecode", len(row))
        timecodes.append(row[time] if time < len(row) else "")
    values = np.array(values, np.float32).reshape(len(values), len(shapes))
    if len(values) < 2 or not np.isfinite(values).all():
        raise UserError(f'"{name}" holds no animation: it needs two rows of numbers at least')
    seconds = _seconds(timecodes, rate)
    later = np.diff(seconds, prepend=-1.0) > 0  # no row twice
    return Curves([CHANNELS[i] for i in shapes], seconds[later] - seconds[0], values[later])


def write(path: str | Path, curves: Curves, fps: float) -> list[str]:
    """Write the ARKit channels of `curves`; returns the names that have no column. Raises OSError.

    The timecode is the clock's at the nearest whole rate, so that rates like 23.976 put rows at parts of a frame.
    Columns without a curve, and the angles of head and eyes, are zero.
    """
    titles = dict(zip((channel.casefold() for channel in CHANNELS), range(len(CHANNELS)), strict=True))
    places = [titles.get(name.casefold()) for name in curves.names]
    table = np.zeros((len(curves.values), len(SHAPES) + len(ANGLES)), np.float32)
    for k, place in enumerate(places):
        if place is not None:
            table[:, place] = curves.values[:, k]
    with open(path, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["Timecode", "BlendShapeCount", *SHAPES, *ANGLES])
        for second, row in zip(curves.seconds.tolist(), table.tolist(), strict=True):
            rows.writerow([timecode(second, fps), len(row), *(f"{value:.6f}" for value in row)])
    return [name for name, place in zip(curves.names, places, strict=True) if place is None]


def timecode(second: float, fps: float) -> str:
    """HH:MM:SS:FF.mmm of a time of day."""
    rate = max(1, round(fps))
    thousandths = round(second * rate * 1000)
    frame, part = divmod(thousandths, 1000)
    whole, frame = divmod(frame, rate)
    return f"{whole // 3600 % 24:02}:{whole // 60 % 60:02}:{whole % 60:02}:{frame:02}.{part:03}"


def _seconds(timecodes: list[str], rate: float) -> np.ndarray:
    """(F,) float64 of each row. Where the timecodes do not count, rows are taken as evenly spaced."""
    evenly = np.arange(len(timecodes)) / (rate or USUAL_RATE)
    found = [TIMECODE.fullmatch(code.strip()) for code in timecodes]
    if not all(found):
        return evenly
    hours, minutes, seconds, frames = np.array([[float(part) for part in match.groups()] for match in found]).T
    minutes = hours * 60 + minutes
    minutes[np.cumsum(np.diff(minutes, prepend=minutes[0]) < -DAY / 2) > 0] += DAY  # past midnight
    whole = _whole_rate(minutes * 60 + seconds, frames, round(rate))
    count = (minutes * 60 + seconds) * whole + frames
    if whole % 30 == 0 and _drops(timecodes, minutes, seconds, frames, whole // 15):
        count -= whole // 15 * (minutes - minutes // 10)
        whole /= 1.001
    if (np.diff(count) > 0).mean() < 0.5:
        return evenly
    return np.maximum.accumulate(count) / (rate or whole)


def _whole_rate(seconds: np.ndarray, frames: np.ndarray, given: int) -> float:
    """Frames that the timecode counts in a second: with these, its steps over full seconds are like the others."""
    possible = [rate for rate in RATES if rate > frames.max()] or [math.floor(frames.max()) + 1]
    over = np.diff(seconds) == 1
    within = np.diff(frames)[np.diff(seconds) == 0]
    if given > frames.max():
        return given
    if not over.any() or not len(within):
        return USUAL_RATE if USUAL_RATE in possible else possible[0]
    fall = np.median(np.diff(frames)[over])  # negative: from the last frame of a second to the first of the next
    return min(possible, key=lambda rate: abs(rate + fall - np.median(within)))


def _drops(timecodes: list[str], minutes: np.ndarray, seconds: np.ndarray, frames: np.ndarray, dropped: int) -> bool:
    """Whether the timecode leaves out numbers at the start of a minute; a file without one tells it by a semicolon."""
    starts = (seconds == 0) & (minutes % 10 != 0)
    crossed = starts[1:] & (np.diff(minutes) == 1)  # the rows before and after a full minute
    return ";" in timecodes[0] or bool(crossed.any() and not (frames[starts] < dropped).any())
