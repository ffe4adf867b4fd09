"""`python -m server style`: a style card from sounds and the recordings of the face that belong to them."""

import argparse
import sys
from pathlib import Path

from ..engine import Engine
from ..errors import LSFError
from ..files import audio


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command.

    Args:
        parser: The parser of the sub-command.
    """
    parser.add_argument(
        "takes",
        type=Path,
        nargs="+",
        metavar="SOUND RECORDING",
        help="sound of a performance (anything libsndfile reads) and the face recorded with it: a .csv of Live Link "
        "Face, a .json of curves (docs/formats.md), or an .npz of generate; more takes of the actor may follow",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="CARD.json", help="the card")
    parser.add_argument("--name", default="", help="its name (default: that of the file)")
    parser.add_argument(
        "--recording-fps",
        type=float,
        metavar="FPS",
        help="frames per second of a .csv, such as 29.97 (default: by its timecode)",
    )


def run(args: argparse.Namespace, checkpoint: str | None, device: str, cache_folder: Path | None) -> int:
    """Run the command; arguments as those of the other commands.

    Returns:
        The exit code, 0.

    Raises:
        LSFError, OSError: The card cannot be made or written.
    """
    from . import make, recording  # not before they are needed: the message loop imports the command line, too

    if args.recording_fps is not None and not recording.MIN_FPS <= args.recording_fps <= recording.MAX_FPS:
        raise LSFError("bad_settings", f"--recording-fps must be {recording.MIN_FPS:g} to {recording.MAX_FPS:g}.")
    if len(args.takes) % 2:
        raise LSFError(
            "bad_settings", "Each sound needs its recording after it: SOUND RECORDING [SOUND RECORDING ...]."
        )
    takes = []
    for path, face in zip(args.takes[::2], args.takes[1::2], strict=True):
        curves = recording.load(face, args.recording_fps)
        takes.append(make.Take(*audio.load(path, 0.0, make.MAX_SECONDS), curves))
    engine = Engine(checkpoint, device, cache_folder)
    if engine.device_note:
        print(engine.device_note, file=sys.stderr)
    made = make.make_card(engine, takes, args.name or args.out.stem)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    made.card.save(args.out)
    print(args.out, *make.summary(made), sep="\n  ")
    return 0
