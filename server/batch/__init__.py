"""`python -m server batch`: the lines of a manifest, one after the other, as a farm calls it. See docs/pipeline.md."""

import argparse
import re
from pathlib import Path

MAX_SHARDS = 100_000


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command.

    Args:
        parser: The parser of the sub-command.
    """
    parser.add_argument("manifest", type=Path, help=".csv, or .jsonl with one object a line; docs/pipeline.md")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the results, in the folders of the sounds"
    )
    parser.add_argument(
        "--shard",
        type=shard,
        default=(1, 1),
        metavar="I/N",
        help="make only part I of N, 1/N to N/N; the parts may run at the same time (default: all lines)",
    )


def shard(text: str) -> tuple[int, int]:
    """Read "i/n".

    Args:
        text: Which part, and of how many.

    Raises:
        argparse.ArgumentTypeError: The text is not i/n with 1 ≤ i ≤ n ≤ MAX_SHARDS.
    """
    match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    part, parts = map(int, match.groups()) if match else (0, 0)
    if not 1 <= part <= parts <= MAX_SHARDS:
        raise argparse.ArgumentTypeError(f'"{text}" is no part: write 1/4 to 4/4 for four parts')
    return part, parts


def run(args: argparse.Namespace, checkpoint: str | None, device: str, cache_folder: Path | None) -> int:
    """Run the command; arguments as those of the other commands.

    Returns:
        The exit code: 0 if every line is there, 1 if some failed, 2 if the manifest cannot be used, 130 if it was
        interrupted.

    Raises:
        LSFError: The model cannot be used.
        OSError: The folder of the results cannot be written.
    """
    from . import runner  # not before it is needed: the message loop imports this package, too

    return runner.run(args.manifest, args.out, args.shard, checkpoint, device, cache_folder)
