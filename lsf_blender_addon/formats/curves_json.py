"""Face curves as plain JSON, for tools of one's own. docs/formats.md tells the fields."""

import json
from pathlib import Path

from .curves import Curves

FORMAT, VERSION = "lsf-curves", 1


def write(path: str | Path, curves: Curves, fps: float, first_frame: float) -> None:
    """Write rows at `fps` frames a second; `first_frame` is the scene frame of the first. Raises OSError."""
    rows = [[round(value, 6) for value in row] for row in curves.values.tolist()]
    head = json.dumps(
        {"format": FORMAT, "version": VERSION, "fps": fps, "first_frame": first_frame, "names": curves.names},
        indent=1,
        ensure_ascii=False,
    )
    body = ",\n".join(f"  {json.dumps(row)}" for row in rows)  # a frame a line, so that a difference can be read
    Path(path).write_text(f'{head[:-2]},\n "values": [\n{body}\n ]\n}}\n', encoding="utf-8")
