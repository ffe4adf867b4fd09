"""Reads and writes the .csv files of Epic's Live Link Face: a timecode, 52 ARKit shapes and nine angles in each row.

A timecode HH:MM:SS:FF.mmm counts frames, and thousandths of a frame, at an integer rate (nominally, 30 for 29.97).
The file does not name it; it is found from the FF at which a second ends. Drop-frame timecode (29.97, 59.94) leaves out
the first two or four frame numbers of every minute, except every tenth, to keep up with the clock.
"""

import csv
import math
import re
import stat
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .curves import Curves

# In the order of the app's columns. ARKit's own names begin with a small letter.
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

Floats = NDArray[np.float64]

STILL = 0.01  # values of a column that never exceeds this are noise of the tracking
USUAL_RATE = 60  # frames a second, the app's default
RATES = (12, 15, 24, 25, 30, 48, 50, 60, 100, 120)
TIMECODE = re.compile(r"(\d{1,3}):(\d{1,3}):(\d{1,3})[:;](\d{1,4}(?:\.\d{0,9})?)")
MAX_SECONDS = 4 * 3600.0  # as long as a sound may be
MAX_ROWS = 4 * 3600 * RATES[-1]
MAX_BYTES = 1 << 30  # of a file with as many rows
MAX_LINE = 1 << 16  # characters; a row has about 600
MAX_VALUE = 1000.0  # shapes go to 1, angles to pi
MINUTES_OF_DAY = 24 * 60


@dataclass(frozen=True)
class Recording:
    """What a file holds.

    Attributes:
        shapes: Curves of the ARKit channels that the file has.
        angles: Curves of those of ANGLES that the file has, in radians, at the same times. The axes are ARKit's: a yaw
            above 0 turns to the person's left, a pitch above 0 down, and a roll above 0 tilts to the person's right.
    """

    shapes: Curves
    angles: Curves


def read(path: str | Path, rate: float = 0.0) -> Recording:
    """Read a file. Rows in which no face was tracked are left out.

    Args:
        path: Path of the .csv file.
        rate: Frames a second of the timecode, such as 59.94; 0 finds the rate from the timecode.

    Returns:
        The recording; its first sample is at 0 s.

    Raises:
        UserError: The file cannot be read, or holds no animation.
    """
    name = Path(path).name
    try:
        found = Path(path).stat()
        if not stat.S_ISREG(found.st_mode):
            raise OSError("not a file")
        if found.st_size > MAX_BYTES:
            raise UserError(f'"{name}" is larger than {MAX_BYTES >> 20} MB: export it in parts')
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            rows = _cells(file)
            columns = {title.strip().casefold(): i for i, title in enumerate(next(rows, []))}
            shapes = [i for i, shape in enumerate(SHAPES) if shape.casefold() in columns]
            angles = [angle for angle in ANGLES if angle.casefold() in columns]
            if not shapes:
                raise UserError(f'"{name}" has no column of ARKit, such as JawOpen: pick a .csv of Live Link Face')
            selected = [columns[title.casefold()] for title in (*(SHAPES[i] for i in shapes), *angles)]
            numbers, timecodes = _table(rows, selected, len(shapes), columns.get("timecode"), name)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f'"{name}" cannot be read: pick a .csv of Live Link Face') from error
    values = np.frombuffer(numbers, np.float32).reshape(-1, len(selected))
    if len(values) < 2 or not np.isfinite(values).all():
        raise UserError(f'"{name}" holds no animation: it needs two rows of numbers at least')
    if np.abs(values).max() > MAX_VALUE:
        raise UserError(f'"{name}" holds numbers that no face has: export it again')
    seconds = _seconds(timecodes, rate)
    if not seconds[-1] - seconds[0] <= MAX_SECONDS:
        raise UserError(f'"{name}" is longer than {MAX_SECONDS / 3600:.0f} hours: export it in parts')
    later = np.diff(seconds, prepend=-1.0) > 0  # rows with the same time as the row before are left out
    seconds, values = seconds[later] - seconds[0], values[later]
    return Recording(
        Curves([CHANNELS[i] for i in shapes], seconds, values[:, : len(shapes)]),
        Curves(angles, seconds, values[:, len(shapes) :]),
    )


def write(path: str | Path, curves: Curves, fps: float) -> list[str]:
    """Write the ARKit channels of curves.

    The timecode counts at the nearest integer rate; at rates such as 23.976, rows lie at fractions of a frame. Columns
    without a curve, and the angles of head and eyes, are 0.

    Args:
        path: Path of the .csv file.
        curves: Curves with one row a frame. Times are seconds of the day.
        fps: Frames a second of the curves.

    Returns:
        Names of the curves that have no column in the file.

    Raises:
        OSError: The file cannot be written.
    """
    column_of = {channel.casefold(): i for i, channel in enumerate(CHANNELS)}
    places = [column_of.get(name.casefold()) for name in curves.names]
    table = np.zeros((len(curves.values), len(SHAPES) + len(ANGLES)), np.float32)
    for k, place in enumerate(places):
        if place is not None:
            table[:, place] = curves.values[:, k]
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["Timecode", "BlendShapeCount", *SHAPES, *ANGLES])
        for second, row in zip(curves.seconds.tolist(), table.tolist(), strict=True):
            rows.writerow([timecode(second, fps), len(row), *(f"{value:.6f}" for value in row)])
    return [name for name, place in zip(curves.names, places, strict=True) if place is None]


def timecode(second: float, fps: float) -> str:
    """Return the timecode HH:MM:SS:FF.mmm of a time.

    Args:
        second: Seconds of the day.
        fps: Frames a second; the timecode counts at the nearest integer rate.
    """
    rate = max(1, round(fps))
    thousandths = round(second * rate * 1000)
    frame, part = divmod(thousandths, 1000)
    whole, frame = divmod(frame, rate)
    return f"{whole // 3600 % 24:02}:{whole // 60 % 60:02}:{whole % 60:02}:{frame:02}.{part:03}"


def _cells(file: TextIO) -> Iterator[list[str]]:
    """Yield the cells of each row of a .csv, the header first; spreadsheets may have saved it with semicolons."""
    lines = _lines(file)
    first = next(lines, "")
    for cells in csv.reader(chain([first], lines), delimiter=";" if ";" in first else ","):
        if cells:
            yield cells


def _lines(file: TextIO) -> Iterator[str]:
    """Yield the lines of a file. Raises csv.Error for one that is too long."""
    for line in iter(partial(file.readline, MAX_LINE), ""):
        if len(line) == MAX_LINE:
            raise csv.Error("a line is too long")
        yield line


def _table(
    rows: Iterator[list[str]], selected: list[int], shapes: int, timecode_column: int | None, name: str
) -> "tuple[array[float], list[str]]":
    """Read the rows in which a face was tracked.

    Args:
        rows: Cells of each row.
        selected: Columns of the shapes, then of the angles.
        shapes: Number of the shapes.
        timecode_column: Column of the timecode, if there is one.
        name: Name of the file, for errors.

    Returns:
        Numbers of the selected columns, row after row, and the timecode of each row.

    Raises:
        UserError: A cell holds something else than a number, or there are too many rows.
    """
    numbers, timecodes = array("f"), list[str]()
    for number, row in enumerate(rows, 2):
        cells = [row[i].strip().replace(",", ".") if i < len(row) else "" for i in selected]
        if not any(cells[:shapes]):
            continue
        try:
            numbers.extend([float(cell) for cell in cells[:shapes]] + [float(cell or 0) for cell in cells[shapes:]])
        except ValueError:
            raise UserError(f'Line {number} of "{name}" holds something else than numbers: export it again') from None
        timecodes.append(row[timecode_column] if timecode_column is not None and timecode_column < len(row) else "")
        if len(timecodes) > MAX_ROWS:
            raise UserError(f'"{name}" has more than {MAX_ROWS} rows: export it in parts')
    return numbers, timecodes


def _seconds(timecodes: list[str], rate: float) -> Floats:
    """Return the time (F,) of each row in seconds; rows have equal distances if the timecodes do not increase."""
    evenly = np.arange(len(timecodes)) / (rate or USUAL_RATE)
    parts = [match.groups() for code in timecodes if (match := TIMECODE.fullmatch(code.strip()))]
    if len(parts) < len(timecodes):
        return evenly
    hours, minutes, seconds, frames = np.array([[float(part) for part in row] for row in parts]).T
    minutes = hours * 60 + minutes
    past_midnight = np.cumsum(np.diff(minutes, prepend=minutes[0]) < -MINUTES_OF_DAY / 2) > 0
    minutes[past_midnight] += MINUTES_OF_DAY
    nominal = _nominal_rate(minutes * 60 + seconds, frames, round(rate))
    count = (minutes * 60 + seconds) * nominal + frames
    actual: float = nominal
    if nominal % 30 == 0 and _drops_frames(timecodes, minutes, seconds, frames, nominal // 15):
        count -= nominal // 15 * (minutes - minutes // 10)
        actual = nominal / 1.001
    if (np.diff(count) > 0).mean() < 0.5:
        return evenly
    result: Floats = np.maximum.accumulate(count) / (rate or actual)
    return result


def _nominal_rate(seconds: Floats, frames: Floats, given: int) -> int:
    """Return the number of frames in a second of the timecode.

    It is the rate at which the step from the last frame of a second (F,) to the next second is as long as the steps
    between the other frames (F,). `given` is returned if no frame number exceeds it.
    """
    possible = [rate for rate in RATES if rate > frames.max()] or [math.floor(frames.max()) + 1]
    into_next = np.diff(seconds) == 1
    within = np.diff(frames)[np.diff(seconds) == 0]
    if given > frames.max():
        return given
    if not into_next.any() or not len(within):
        return USUAL_RATE if USUAL_RATE in possible else possible[0]
    fall = np.median(np.diff(frames)[into_next])  # negative: from the last frame number of a second to 0
    return min(possible, key=lambda rate: float(abs(rate + fall - np.median(within))))


def _drops_frames(timecodes: list[str], minutes: Floats, seconds: Floats, frames: Floats, dropped: int) -> bool:
    """Return whether the timecode leaves out frame numbers at the start of a minute.

    If the file does not cross a minute, only a semicolon in the timecode tells.
    """
    starts = (seconds == 0) & (minutes % 10 != 0)
    crossed = starts[1:] & (np.diff(minutes) == 1)  # rows before and after the start of a minute
    return ";" in timecodes[0] or bool(crossed.any() and not (frames[starts] < dropped).any())
