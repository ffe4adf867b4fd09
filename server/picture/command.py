"""`python -m server picture`: an expression of a bank from a picture of a face."""

import argparse
import tokenize
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import LSFError
from ..files import atomic
from ..protocol import expressions
from ..protocol.expressions import Expression, ExpressionError

MAX_PIXELS = 1 << 28  # of a picture file, before it is read
SHOWN = 8  # channels that are printed
# What NumPy raises for a damaged header.
DAMAGED_ARRAY = (ValueError, EOFError, SyntaxError, TypeError, OverflowError, MemoryError, tokenize.TokenError)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command.

    Args:
        parser: The parser of the sub-command.
    """
    parser.add_argument("picture", type=Path, help="photograph or drawing of one face: PNG, JPEG, or .npy (H, W, 3)")
    parser.add_argument("--neutral", type=Path, metavar="PICTURE", help="the same person with a neutral face")
    parser.add_argument(
        "--bank", type=Path, required=True, metavar="FILE.json", help="the bank; it is made if it is not there"
    )
    parser.add_argument(
        "--name", help="name of the expression (default: that of the file); one of the name is replaced"
    )


def run(args: argparse.Namespace, checkpoint: str | None, device: str, cache_folder: Path | None) -> int:
    """Run the command; arguments as those of the other commands. The model that animates is not needed.

    Returns:
        The exit code, 0.

    Raises:
        LSFError, OSError: The picture cannot be read, or the bank not written.
    """
    from .reading import read  # not before it is needed: the message loop imports the command line, too

    name = args.picture.stem if args.name is None else args.name
    if fault := expressions.name_fault(name):
        raise ExpressionError(fault)
    before = expressions.read_file(args.bank) if args.bank.exists() else ()
    others = [entry for entry in before if entry.name.casefold() != name.casefold()]
    if len(others) >= expressions.MAX_ENTRIES:
        raise ExpressionError(f"A bank has at most {expressions.MAX_ENTRIES} expressions: use another file.")
    reading = read(load(args.picture), None if args.neutral is None else load(args.neutral))
    text = expressions.file_text([*others, Expression(name, reading.channels)])
    args.bank.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(args.bank) as path:
        path.write_text(text, "utf-8")
    channels = ", ".join(f"{channel} {weight:.2f}" for channel, weight in list(reading.channels.items())[:SHOWN])
    print(f"{args.bank}  {name}: {channels or 'a neutral face'}")
    return 0


def load(path: Path) -> NDArray[np.uint8]:
    """Read a picture.

    Args:
        path: .npy with bytes (H, W, 3), or what Pillow reads, if it is installed.

    Returns:
        RGB (H, W, 3), upright as the camera says, on white where it is transparent.

    Raises:
        LSFError: "missing_package" without Pillow, "bad_picture" if the file cannot be read.
        OSError: If there is no such file.
    """
    if path.exists() and not path.is_file():  # a pipe would never end
        raise LSFError("bad_picture", f'"{path.name}" is no file.')
    if path.suffix.lower() == ".npy":
        try:
            array = np.load(path, allow_pickle=False, mmap_mode="r")
        except DAMAGED_ARRAY as error:
            raise LSFError("bad_picture", f'"{path.name}" is no array of a picture.') from error
        if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
            raise LSFError("bad_picture", f'"{path.name}" must have three values of 8 bits for each pixel.')
        if array.size > 3 * MAX_PIXELS:
            raise LSFError("bad_picture", f'"{path.name}" is too large: scale it first.')
        return np.array(array)
    try:
        from PIL import Image, ImageOps
    except ModuleNotFoundError:
        raise LSFError(
            "missing_package",
            "The command line reads pictures with the Python package Pillow: python -m pip install pillow. Blender's "
            "panel does not need it.",
        ) from None
    with path.open("rb"):
        pass  # a file that is not there is another error than one that is no picture
    try:
        with Image.open(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise LSFError("bad_picture", f'"{path.name}" is too large: scale it first.')
            upright = ImageOps.exif_transpose(image).convert("RGBA")
            sheet = Image.new("RGBA", upright.size, "white")
            sheet.alpha_composite(upright)
            return np.asarray(sheet.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise LSFError(
            "bad_picture", f'"{path.name}" is no picture that can be read: save it as PNG or JPEG.'
        ) from error
