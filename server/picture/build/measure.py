"""Measures reading pictures: `python -m server.picture.build.measure OBSERVED.npz`; docs/picture.md has the result.

`--observe N --seed S` makes N pairs of pictures first and writes them there, with a seed that the places do not come
from: other persons, expressions, views and lights.
"""

import argparse
from pathlib import Path

import numpy as np

from ...arkit import CHANNELS
from ...numerics import FloatArray
from .. import fit
from ..reading import LEAST
from . import place_landmarks

NEUTRAL = 0.05  # what a neutral picture may give
SIDES = [
    (CHANNELS.index(name), CHANNELS.index(f"{name[:-4]}Right"))
    for name in CHANNELS
    if name.endswith("Left") and f"{name[:-4]}Right" in CHANNELS and "Look" not in name
    if name not in ("jawLeft", "mouthLeft")
]
APART = 0.2  # between the two sides, from which on an expression counts as asymmetric


def read(pairs: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Return weights (N, 52) by way of reading.

    Args:
        pairs: The result of `place_landmarks.observe`.

    Returns:
        "alone" and "with neutral" of the first picture of each pair; "neutral alone" of the neutral one.
    """
    points = pairs["landmarks"][..., :2]
    ways: dict[str, list[FloatArray]] = {"alone": [], "with neutral": [], "neutral alone": []}
    for picture, neutral in points:
        known = fit.fit(neutral, expression=False)
        ways["alone"].append(fit.fit(picture).weights)
        ways["with neutral"].append(fit.fit(picture, known).weights)
        ways["neutral alone"].append(fit.fit(neutral).weights)
    return {name: np.where(np.array(rows) < LEAST, 0, rows) for name, rows in ways.items()}


def table(found: FloatArray, true: FloatArray) -> str:
    """Return the errors as text.

    Args:
        found: Weights (N, 52).
        true: The same.
    """
    error, moved = np.abs(found - true), true > 0
    first = [min(3, int(row.sum())) for row in moved]
    hits = [
        len(set(np.argsort(-a)[:count]) & set(np.argsort(-b)[:count])) / count
        for a, b, count in zip(found, true, first, strict=True)
        if count
    ]
    signs = [
        np.sign(a[left] - a[right]) == np.sign(b[left] - b[right])
        for a, b in zip(found, true, strict=True)
        for left, right in SIDES
        if abs(b[left] - b[right]) > APART
    ]
    return (
        f"error {error.mean():.3f}, moved {error[moved].mean():.3f}, not moved {error[~moved].mean():.3f} "
        f"(nothing found: {true.mean():.3f}, {true[moved].mean():.3f}, 0); "
        f"first channels {np.mean(hits):.2f}; sign of asymmetry {np.mean(signs):.2f} of {len(signs)}"
    )


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("observed", type=Path)
    parser.add_argument("--observe", type=int, metavar="N", help="make N observations and write them there")
    parser.add_argument("--seed", type=int, default=2)
    args = parser.parse_args()
    if args.observe:
        place_landmarks.observe(args.observe, args.seed, args.observed)
    with np.load(args.observed, allow_pickle=False) as stored:
        pairs = {name: stored[name] for name in stored.files}
    true = pairs["weights"][:, 0]
    found = read(pairs)
    moved = (true > 0).any(1)
    for way in ("alone", "with neutral"):
        print(f"{way}: {table(found[way][moved], true[moved])}")
    at_rest = ~(true > 0).any(1)
    for way, rows in (("alone", found["neutral alone"]), ("with neutral", found["with neutral"][at_rest])):
        most = rows.max(1)
        print(
            f"neutral pictures {way}: greatest weight {most.max():.3f}, in the mean {most.mean():.3f}; "
            f"all below {NEUTRAL} in {(most < NEUTRAL).mean():.0%} of {len(most)}"
        )
    for number, name in enumerate(CHANNELS):
        shown = true[:, number] > 0
        if shown.any():
            errors = [np.abs(found[way] - true)[shown, number].mean() for way in ("alone", "with neutral")]
            print(f"{name} {shown.sum()} {errors[0]:.2f} {errors[1]:.2f}")


if __name__ == "__main__":
    main()
