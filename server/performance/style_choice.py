"""The styles of a line as requests, options and manifests name them: cards with their amounts."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..errors import LSFError, shortened
from ..protocol.style_cards import DEFAULT_AMOUNT, MAX_AMOUNT, MAX_NAME, MAX_STYLES, StyleCard, number_of
from .style import Styles, check


def read_fields(entries: object) -> Styles:
    """Read the field `styles` of a request: a list of objects with a `card` and an `amount`.

    Raises:
        LSFError: "bad_request"; or StyleError.
    """
    if entries is None:
        return ()
    if not isinstance(entries, list) or len(entries) > MAX_STYLES:
        raise LSFError("bad_request", f"styles must be a list of at most {MAX_STYLES} cards with their amounts.")
    styles = []
    for entry in entries:
        if not isinstance(entry, Mapping) or not set(entry) <= {"card", "amount"}:
            raise LSFError("bad_request", "Each of styles needs a card, and may have an amount.")
        styles.append((StyleCard.from_fields(entry.get("card")), number_of(entry.get("amount", DEFAULT_AMOUNT))))
    return tuple(styles)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a command that animates: --style and --style-amount."""
    parser.add_argument(
        "--style", action="append", default=[], type=Path, metavar="CARD.json", help="a style card; several are mixed"
    )
    parser.add_argument(
        "--style-amount",
        action="append",
        default=[],
        type=float,
        metavar="AMOUNT",
        help=f"how much of the card is applied, 0 to {MAX_AMOUNT:g} (default: {DEFAULT_AMOUNT:g}), once a card",
    )


def from_options(cards: Sequence[Path], amounts: Sequence[float]) -> Styles:
    """Read the cards of the options.

    Raises:
        LSFError: "bad_style", or "bad_settings" if there are more amounts than cards.
        OSError: A card cannot be read.
    """
    if len(amounts) > len(cards):
        raise LSFError("bad_settings", "--style-amount needs a --style before it.")
    shares = [*amounts, *[DEFAULT_AMOUNT] * (len(cards) - len(amounts))]
    return tuple((StyleCard.load(card), amount) for card, amount in zip(cards, shares, strict=True))


def parse(text: str, folder: Path, load: Callable[[Path], StyleCard] = StyleCard.load) -> Styles:
    """Read a cell of a manifest.

    Args:
        text: "actor.json", "actor.json 0.7" or "actor.json 0.7 + other.json 0.3"; "" is no style.
        folder: The manifest's folder, to which the files are relative.
        load: Reads a card.

    Raises:
        LSFError: "bad_style", or "no_file".
    """
    styles = []
    for part in text.split(" + ") if text.strip() else []:
        name, _, amount = part.strip().rpartition(" ")
        try:
            share = float(amount.replace(",", ".")) if name else DEFAULT_AMOUNT
        except ValueError:  # a name with a space in it
            share, name = DEFAULT_AMOUNT, ""
        file = name or part.strip()
        try:
            styles.append((load(folder / file), share + 0.0))  # -0.0 is 0.0
        except OSError:
            raise LSFError("no_file", f'there is no style card "{shortened(file, MAX_NAME)}"') from None
    check(tuple(styles))
    return tuple(styles)
