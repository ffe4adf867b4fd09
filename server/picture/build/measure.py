"""Measures reading pictures: `python -m server.picture.build.measure OBSERVED.npz`; docs/picture.md has the result.

`--observe N --seed S` makes pictures of N persons first and writes them there, with a seed that the places do not come
from: other persons, expressions, views and lights. `--calibrate` prints what `reading.NOISE` and `reading.GAIN` are by
these persons; what they give is then measured with others.
"""

import argparse
from pathlib import Path

import numpy as np

from ...arkit import CHANNELS
from ...numerics import FloatArray
from .. import fit
from ..reading import settled
from . import place_landmarks

NEUTRAL = 0.05  # what a neutral picture may give
SIDES = [
    (CHANNELS.index(name), CHANNELS.index(f"{name[:-4]}Right"))
    for name in CHANNELS
    if name.endswith("Left") and f"{name[:-4]}Right" in CHANNELS and "Look" not in name
    if name not in ("jawLeft", "mouthLeft")
]
APART = 0.2  # between the two sides, from which on an expression counts as asymmetric


GAINS = np.arange(1.0, 3.01, 0.05)  # that are tried


def read(persons: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Return weights (N, 52) by way of reading, as they are fitted: with what is noise, and without gain.

    Args:
        persons: The result of `place_landmarks.observe` with two neutral pictures.

    Returns:
        "alone" and "with neutral" of the first picture of each person; "neutral alone" of both neutral ones (2N, 52);
        "neutral with neutral" of each of them with the other.
    """
    points = persons["landmarks"][..., :2]
    ways: dict[str, list[FloatArray]] = {
        "alone": [],
        "with neutral": [],
        "neutral alone": [],
        "neutral with neutral": [],
    }
    for picture, *neutrals in points:
        known = [fit.fit(neutral, expression=False) for neutral in neutrals]
        ways["alone"].append(fit.fit(picture).weights)
        ways["with neutral"].append(fit.fit(picture, known[0]).weights)
        ways["neutral alone"] += [fit.fit(neutral).weights for neutral in neutrals]
        ways["neutral with neutral"] += [fit.fit(neutrals[k], known[1 - k]).weights for k in range(2)]
    return {name: np.array(rows) for name, rows in ways.items()}


def calibration(found: dict[str, FloatArray], true: FloatArray) -> tuple[float, float]:
    """Return the greatest weight of a neutral picture, and the gain with the least mean error of all channels.

    Args:
        found: The result of `read`.
        true: Weights (N, 52) of the first picture of each person.
    """
    noise = max(float(found[way].max()) for way in ("neutral alone", "neutral with neutral"))
    both = np.concatenate([found["alone"], found["with neutral"]])
    errors = [np.abs(settled(both, noise, gain) - np.concatenate([true, true])).mean() for gain in GAINS]
    return noise, float(GAINS[int(np.argmin(errors))])


def table(found: FloatArray, true: FloatArray) -> str:
    """Return the errors as text.

    Args:
        found: Weights (N, 52).
        true: The same.
    """
    error, moved = np.abs(found - true), true > 0
    first = [min(3, int(row.sum())) for row in moved]
    hits = [
        len({k for k in np.argsort(-a)[:count] if a[k] > 0} & set(np.argsort(-b)[:count])) / count
        for a, b, count in zip(found, true, first, strict=True)
        if count
    ]
    signs = [
        int(np.sign(a[left] - a[right]) * np.sign(b[left] - b[right]))
        for a, b in zip(found, true, strict=True)
        for left, right in SIDES
        if abs(b[left] - b[right]) > APART
    ]
    return (
        f"error {error.mean():.3f}, moved {error[moved].mean():.3f}, not moved {error[~moved].mean():.3f} "
        f"(nothing found: {true.mean():.3f}, {true[moved].mean():.3f}, 0); "
        f"first channels {np.mean(hits):.2f}; "
        f"asymmetries {len(signs)}: {signs.count(1)} found, {signs.count(-1)} on the wrong side"
    )


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("observed", type=Path)
    parser.add_argument("--observe", type=int, metavar="N", help="make pictures of N persons and write what is found")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--calibrate", action="store_true", help="print noise and gain by these persons, no table")
    args = parser.parse_args()
    if args.observe:
        place_landmarks.observe(args.observe, args.seed, args.observed, neutrals=2)
    with np.load(args.observed, allow_pickle=False) as stored:
        persons = {name: stored[name] for name in stored.files}
    true = persons["weights"][:, 0]
    fitted = read(persons)
    if args.calibrate:
        noise, gain = calibration(fitted, true)
        print(f"noise {noise:.3f}, gain {gain:.2f}")
        return
    found = {way: settled(rows) for way, rows in fitted.items()}
    moved = (true > 0).any(1)
    for way in ("alone", "with neutral"):
        print(f"{way}: {table(found[way][moved], true[moved])}")
    for way in ("neutral alone", "neutral with neutral"):
        most = found[way].max(1)
        print(f"{way}: all below {NEUTRAL} in {(most < NEUTRAL).mean():.0%} of {len(most)}, greatest {most.max():.3f}")
    for number, name in enumerate(CHANNELS):
        shown = true[:, number] > 0
        if shown.any():
            errors = [np.abs(found[way] - true)[shown, number].mean() for way in ("alone", "with neutral")]
            print(f"{name} {shown.sum()} {errors[0]:.2f} {errors[1]:.2f}")


if __name__ == "__main__":
    main()
