"""Writes face curves as JSON for other programs. docs/formats.md describes the fields."""

import json
from pathlib import Path

from .curves import Curves

FORMAT, VERSION = "lsf-curves", 1


def write(path: str | Path, curves: Curves, fps: float, first_frame: float) -> None:
    """Write curves.

    Args:
        path: Path of the .json file.
        curves: Curves with one row a frame.
        fps: Frames a second.
        first_frame: Scene frame of the first row.

    Raises:
        OSError: The file cannot be written.
    """
    rows = [[round(value, 6) for value in row] for row in curves.values.tolist()]
    head = json.dumps(
        {"format": FORMAT, "version": VERSION, "fps": fps, "first_frame": first_frame, "names": curves.names},
        indent=1,
        ensure_ascii=False,
    )
    body = ",\n".join(
        f"  {json.dumps(row)}" for row in rows
    )  # one frame a line, so that a diff of two files is readable
    Path(path).write_text(f'{head[:-2]},\n "values": [\n{body}\n ]\n}}\n', encoding="utf-8")
