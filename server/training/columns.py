"""Text in columns, for what the commands print."""

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]], margin: str = "") -> list[str]:
    """Return the lines of a table: the first column to the left, the others to the right.

    Args:
        rows: Its cells, equally many in each row.
        margin: Stands before each line.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [first.ljust(widths[0]), *(text.rjust(width) for text, width in zip(others, widths[1:], strict=True))]
        lines.append(margin + "  ".join(cells).rstrip())
    return lines
