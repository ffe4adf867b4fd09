"""Recordings of a face: ARKit curves over time, from a file or an array."""

import csv
import json
import re
import zipfile
import zlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..arkit import CHANNELS
from ..errors import LSFError, shortened
from ..files import npz
from ..numerics import BoolArray, FloatArray

MAX_SECONDS = 3600.0
MIN_FPS, MAX_FPS = 5.0, 240.0
MAX_ROWS = int(MAX_SECONDS * MAX_FPS)
MAX_BYTES = 1 << 28  # of a file: an hour at 60 fps has 130 MB
MAX_LINE = 1 << 16  # characters of a row
MAX_VALUE = 10.0  # weights go to 1, or a little beyond
SHOWN = 60  # characters of a name in a sentence
STILL = 0.02  # standard deviation of a channel that does not move: less is noise of the tracking
USUAL_FPS = 60.0  # Live Link Face's default
RATES = (24, 25, 30, 48, 50, 60, 100, 120)
TIMECODE = re.compile(r"(\d{1,3}):(\d{1,3}):(\d{1,3})[:;](\d{1,4}(?:\.\d{0,9})?)")


@dataclass(frozen=True)
class Recording:
    """A recording of a face.

    Attributes:
        curves: (F, 52) ARKit weights, 0 to 1.
        present: (52,) which channels it has; the others are 0.
        fps: Frames per second; frame 0 belongs to the start of the sound.

    Raises:
        LSFError: "bad_recording" if a value cannot be used.
    """

    curves: NDArray[np.float32]
    present: BoolArray
    fps: float

    def __post_init__(self) -> None:
        if not MIN_FPS <= self.fps <= MAX_FPS:
            raise LSFError(
                "bad_recording",
                f"A recording must have {MIN_FPS:g} to {MAX_FPS:g} frames per second, not {self.fps:g}.",
            )
        if not 2 <= len(self.curves) <= MAX_SECONDS * self.fps:
            raise LSFError("bad_recording", f"A recording must have 2 frames to {MAX_SECONDS / 60:g} minutes.")

    @classmethod
    def of(cls, names: list[str], values: FloatArray, fps: float) -> "Recording":
        """Make a recording of curves.

        Args:
            names: K names of channels, in any case; those that ARKit does not have are left out.
            values: (F, K) weights.
            fps: Frames per second.

        Raises:
            LSFError: "bad_recording" if there is no channel of ARKit, or the values are no weights.
        """
        values = np.asarray(values)
        if values.ndim != 2 or values.shape[1] != len(names) or values.dtype.kind != "f":
            raise LSFError("bad_recording", "A recording must be one row of weights a frame.")
        if not np.isfinite(values).all() or np.abs(values).max(initial=0) > MAX_VALUE:
            raise LSFError("bad_recording", "The recording holds numbers that no face has: export it again.")
        places = {name.casefold(): i for i, name in enumerate(CHANNELS)}
        curves, present = np.zeros((len(values), len(CHANNELS)), np.float32), np.zeros(len(CHANNELS), bool)
        for column, name in enumerate(names):
            place = places.get(name.strip().casefold())
            if place is not None:
                curves[:, place], present[place] = values[:, column], True
        if not present.any():
            raise LSFError("bad_recording", "The recording has no ARKit channel, such as jawOpen.")
        return cls(curves.clip(0, 1), present, float(fps))

    def moved(self) -> BoolArray:
        """Return which channels (52,) move."""
        moving: BoolArray = self.present & (self.curves.std(0) > STILL)
        return moving

    def at_rate(self, fps: float, count: int, lag: float = 0.0) -> tuple[NDArray[np.float32], BoolArray]:
        """Interpolate the recording at other frames.

        Args:
            fps: Frames per second.
            count: Number of frames.
            lag: Seconds by which the recording is later than the sound.

        Returns:
            (count, 52) curves, and which frames (count,) the recording has.
        """
        times, own = np.arange(count) / fps + lag, np.arange(len(self.curves)) / self.fps
        width = max(1, round(self.fps / fps))  # frames of one frame of the result: their mean, so that none flickers
        smooth = self.curves
        if width > 1:
            from scipy.ndimage import uniform_filter1d

            smooth = uniform_filter1d(self.curves, width, 0, mode="nearest")
        curves = np.stack([np.interp(times, own, channel) for channel in smooth.T], 1).astype(np.float32)
        return curves, (times >= 0) & (times <= own[-1])


def load(path: Path, fps: float | None = None) -> Recording:
    """Read a recording.

    Args:
        path: A .csv of Live Link Face, a .json of curves (docs/formats.md), or an .npz of `generate`.
        fps: Frames per second of a .csv; None: by its timecode.

    Raises:
        LSFError: "bad_recording".
        OSError: It cannot be read.
    """
    if path.stat().st_size > MAX_BYTES:
        raise LSFError("bad_recording", f'"{path.name}" is larger than {MAX_BYTES >> 20} MB: export a part of it.')
    read = {".json": _read_json, ".npz": _read_npz}.get(path.suffix.lower())
    try:
        return read(path) if read else _read_csv(path, fps)
    except LSFError as error:  # of an .npz, which speaks of meshes
        raise error if error.code == "bad_recording" else LSFError("bad_recording", str(error)) from None
    except (
        ValueError,
        KeyError,
        TypeError,
        RecursionError,
        EOFError,
        csv.Error,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise LSFError("bad_recording", f'"{shortened(path.name, SHOWN)}" cannot be read: export it again.') from error


def _read_csv(path: Path, fps: float | None) -> Recording:
    """Read a .csv of Live Link Face. Rows without a face repeat the row before."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline(MAX_LINE)
        titles = next(csv.reader([first], delimiter=";" if ";" in first else ","), [])
        delimiter = ";" if ";" in first else ","
        known = {name.casefold() for name in CHANNELS}
        columns = [i for i, title in enumerate(titles) if title.strip().casefold() in known]
        timecode = next((i for i, title in enumerate(titles) if title.strip().casefold() == "timecode"), None)
        rows: list[list[float]] = []
        codes: list[str] = []
        for row in csv.reader(iter(lambda: file.readline(MAX_LINE), ""), delimiter=delimiter):
            cells = [row[i].strip().replace(",", ".") if i < len(row) else "" for i in columns]
            codes.append(row[timecode] if timecode is not None and timecode < len(row) else "")
            if len(codes) > MAX_ROWS:
                raise LSFError("bad_recording", f"A recording must have at most {MAX_ROWS} rows.")
            if not any(cells) and rows:
                rows.append(rows[-1])
            elif any(cells):
                rows.append([float(cell or 0) for cell in cells])
    if not rows:
        raise LSFError("bad_recording", f'"{shortened(path.name, SHOWN)}" holds no animation.')
    return Recording.of([titles[i] for i in columns], np.array(rows), fps or _rate(codes))


def _rate(codes: list[str]) -> float:
    """Frames per second of a timecode: the rate that is greater than all of its frame numbers; else the usual one."""
    parts = [match.groups() for code in codes if (match := TIMECODE.fullmatch(code.strip()))]
    if not parts:
        return USUAL_FPS
    seconds = [int(h) * 3600 + int(m) * 60 + int(s) for h, m, s, _ in parts]
    frames = [float(f) for *_, f in parts]
    # Between rows of one second, a step is 1 frame, or more where a timecode counts faster than the camera.
    steps = [b - a for (a, b), (s, t) in zip(pairwise(frames), pairwise(seconds), strict=True) if s == t]
    step = float(np.median(steps)) if steps else 1.0
    possible = [rate for rate in RATES if rate > max(frames)] or [RATES[-1]]
    return possible[0] / step if step > 0 else USUAL_FPS


def _read_json(path: Path) -> Recording:
    """Read the curves of docs/formats.md."""
    fields = json.loads(path.read_text("utf-8-sig"))
    if not isinstance(fields, dict) or fields.get("format") != "lsf-curves":
        raise LSFError("bad_recording", f'"{shortened(path.name, SHOWN)}" holds no curves of this program.')
    names = fields["names"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError
    return Recording.of(names, np.array(fields["values"], float), float(fields["fps"]))


def _read_npz(path: Path) -> Recording:
    """Read the result of `generate`. Its channels must be ARKit's, whose order is known: names are not read."""
    arrays = npz.read(path, {"motion": MAX_ROWS * len(CHANNELS), "fps": 1})
    return Recording.of(list(CHANNELS), arrays["motion"].astype(np.float32), float(arrays["fps"]))
