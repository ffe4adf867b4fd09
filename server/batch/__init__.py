"""`python -m server batch`: the lines of a manifest, one after the other, as a farm calls it. See docs/pipeline.md."""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LSFError

if TYPE_CHECKING:
    from .runner import Drive

MAX_SHARDS = 100_000
MAX_WORKERS = 1024


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
    parser.add_argument(
        "--bank", type=Path, metavar="FILE.json", help="expressions that lines without a bank of their own may show"
    )
    farm = parser.add_mutually_exclusive_group()
    farm.add_argument(
        "--workers", type=count, metavar="N", help="make the lines in N processes of this machine (needs Dask)"
    )
    farm.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="make them on the workers of a Dask scheduler, tls://host:8786 for example",
    )


def count(text: str) -> int:
    """Read a number of workers.

    Args:
        text: The number.

    Raises:
        argparse.ArgumentTypeError: The text is no number from 1 to MAX_WORKERS.
    """
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MAX_WORKERS:
        raise argparse.ArgumentTypeError(f'"{text}" is no number of workers: write one from 1 to {MAX_WORKERS}')
    return int(text)


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
        LSFError: The model or the farm cannot be used.
        OSError: The folder of the results cannot be written.
    """
    from . import runner  # not before it is needed: the message loop imports this package, too

    drive = _farm(args) if waits_for_others(args) else runner.serially
    return runner.run(args.manifest, args.out, args.shard, checkpoint, device, cache_folder, args.bank, drive)


def waits_for_others(args: argparse.Namespace) -> bool:
    """Whether other processes do the work, so that this one may take no processor time for minutes.

    Args:
        args: Arguments of any command.
    """
    return bool(getattr(args, "workers", None) or getattr(args, "scheduler", None))


def _farm(args: argparse.Namespace) -> "Drive":
    """What drives the lines over other processes. Raises LSFError if its packages are not there."""
    try:
        from .farm import driver
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith(f"{__package__}."):
            sentence = "The copy in the add-on has no --workers and no --scheduler: use the project's own folder."
        else:
            sentence = f'--workers and --scheduler need "{error.name}": pip install distributed cryptography'
        raise LSFError("missing_package", sentence) from error
    return driver.on_this_machine(args.workers) if args.workers else driver.on_scheduler(args.scheduler)
