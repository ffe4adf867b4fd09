"""The report of a batch: JSON lines, one file for each shard, to which each run adds."""

import errno
import json
import os
from pathlib import Path

MAX_ROW = 1 << 16  # bytes

Row = dict[str, object]
"""What became of a line; docs/pipeline.md has the fields."""

Finished = dict[tuple[str, str, str], str]
"""(result, digest of its inputs, SHA-256 of its file): name of its face. What was made once, in any shard."""


class Report:
    """Adds rows to a report."""

    def __init__(self, folder: Path, part: int, parts: int):
        """Open the report of a shard.

        Args:
            folder: The folder of the results.
            part: Which shard, from 1 on.
            parts: Number of shards.

        Raises:
            OSError: It cannot be written.
        """
        path = folder / ("report.jsonl" if parts == 1 else f"report-{part}of{parts}.jsonl")
        cut_off = path.is_file() and path.stat().st_size > 0 and not _ends_line(path)
        self._handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        if cut_off:  # by the end of a process
            self._write(b"\n")

    def add(self, row: Row) -> None:
        """Add a row, in one piece. Raises OSError if the disk is full."""
        self._write(json.dumps(row, ensure_ascii=False).encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)

    def _write(self, data: bytes) -> None:
        if os.write(self._handle, data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def finished(folder: Path, wanted: set[str]) -> Finished:
    """Read what was made, from the reports of all shards. Rows that cannot be read do not count.

    Args:
        folder: The folder of the results.
        wanted: The results that matter.
    """
    found: Finished = {}
    for path in sorted(folder.glob("report*.jsonl")):
        with path.open("rb") as file:
            while row := file.readline(MAX_ROW):
                try:
                    match json.loads(row):
                        case {"line": str() as line, "inputs": str() as inputs, "file": str() as digest,
                              "face": str() as face} if line in wanted:  # fmt: skip
                            found[line, inputs, digest] = face
                except (ValueError, RecursionError):
                    continue
    return found


def _ends_line(path: Path) -> bool:
    """Whether a file that is not empty ends with the end of a line."""
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
