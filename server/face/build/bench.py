"""Benchmark of automatic fits: `python -m server.face.build.bench HEADS --out FITS --sheet heads.png`.

HEADS holds .npz files with `vertices` (V, 3) and `faces` (F, N) polygons padded with -1, and, to compare with, an
artist's `channels` and `deltas` (K, V, 3) and known points `landmarks68_xyz` (N, 3) of the landmarks `landmarks68_ids`
(N,). Writes FITS/<name>.npz as `python -m server fit` does (`channels`, `basis`, `landmarks68`, `report`), prints one
table, and draws all heads in the poses of contact_sheet.POSES.
"""

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import LSFError
from ...files.meshes import load
from ...numerics import FloatArray
from ..head import OUTER_EYE_CORNERS
from ..space import FaceSpace, fit
from . import contact_sheet

GROUPS = {
    "mouth": (
        "jawOpen",
        "mouthFunnel",
        "mouthPucker",
        "mouthClose",
        "mouthSmileLeft",
        "mouthSmileRight",
        "mouthUpperUpLeft",
        "mouthUpperUpRight",
        "mouthLowerDownLeft",
        "mouthLowerDownRight",
    ),
    "other": ("mouthRollLower", "mouthShrugLower", "mouthPressLeft", "eyeBlinkLeft", "browInnerUp", "cheekPuff"),
}
COLUMNS = ("vertices", "CPU s", "mouth", "ratio", "other", "ratio", "up wrong", "lo wrong", "leak", "lm %", "flips %")
TRAVEL_PERCENTILE = 99.5  # of all vertices: the full travel of a shape, robust against single vertices
LIP_TRAVEL = 0.35  # share of the greatest travel with mouthPucker above which a vertex is lip
# Limits of the travel with jawOpen, as shares of its full travel.
MAX_STILL, MIN_MOVING = 0.12, 0.6  # of the artist's shape: lip vertices that stay, and that follow the jaw
MIN_WRONGLY_MOVING, MAX_WRONGLY_STILL = 0.4, 0.3  # of the fitted shape

Truth = Mapping[str, NDArray[Any]]


def main(heads: Path, out: Path, picture: Path | None) -> None:
    """Fit all heads, write the fits, print the table and draw the picture.

    Args:
        heads: Folder of .npz files.
        out: Folder for the fits.
        picture: The .png file, None for no picture.
    """
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    print(f"{'head':24}" + "".join(f"{name:>10}" for name in COLUMNS))
    for path in sorted(heads.glob("*.npz")):
        mesh = load(path)
        began = time.process_time()
        try:
            space = fit(mesh.vertices, mesh.triangles)
        except LSFError as error:
            print(f"{path.stem:24}{len(mesh.vertices):10}  {error}")
            continue
        seconds = time.process_time() - began
        with np.load(path) as truth:
            scores = [*agreement(space, truth), landmark_error(space, truth)]
        figures = [
            f"{seconds:.1f}",
            *(f"{score:.3f}" for score in scores[:-1]),
            f"{100 * scores[-1]:.1f}",
            f"{100 * max(space.report['flipped'].values()):.2f}",
        ]
        print(f"{path.stem:24}{len(mesh.vertices):10}" + "".join(f"{figure:>10}" for figure in figures), flush=True)
        np.savez(
            out / path.name,
            channels=np.array(space.channels),
            basis=space.basis,
            landmarks68=space.landmarks68,
            report=np.array(json.dumps(space.report)),
        )
        rows.append(contact_sheet.draw_row(mesh.vertices, mesh.triangles, space))
    if picture and rows:
        contact_sheet.write_png(picture, np.concatenate(rows))


def agreement(space: FaceSpace, truth: Truth) -> list[float]:
    """Compare fitted shapes with an artist's.

    Args:
        space: The fit.
        truth: The artist's `channels` (K,) and `deltas` (K, V, 3), if there are any.

    Returns:
        Mean cosine and median ratio of magnitudes for each of GROUPS, then the three figures of `lip_agreement`. NaN
        without an artist's shapes.
    """
    if "deltas" not in truth:
        return [np.nan] * 7
    wanted = dict(zip(truth["channels"].tolist(), truth["deltas"].astype(float), strict=True))
    made = dict(zip(space.channels, space.basis.astype(float), strict=True))
    scores = []
    for names in GROUPS.values():
        sizes = np.array(
            [
                (np.linalg.norm(made[n]), np.linalg.norm(wanted[n]), (made[n] * wanted[n]).sum())
                for n in names
                if n in wanted
            ]
        )
        scores += [(sizes[:, 2] / (sizes[:, 0] * sizes[:, 1])).mean(), np.median(sizes[:, 0] / sizes[:, 1])]
    return scores + lip_agreement(
        np.linalg.norm(made["jawOpen"], axis=1),
        np.linalg.norm(wanted["jawOpen"], axis=1),
        np.linalg.norm(wanted["mouthPucker"], axis=1),
    )


def lip_agreement(made: FloatArray, wanted: FloatArray, pucker: FloatArray) -> list[float]:
    """Return how well the lower lip follows the jaw and the upper lip stays.

    Args:
        made: Travel of each vertex with the fitted jawOpen (V,).
        wanted: Travel of each vertex with the artist's jawOpen (V,).
        pucker: Travel of each vertex with the artist's mouthPucker (V,), by which the lips are recognised.

    Returns:
        The share of lip vertices that follow although they must not, the share that do not although they must, and
        how far the upper lip follows, as a share of the jaw's travel. NaN where there are no such vertices.
    """
    made, wanted = (travel / max(float(np.percentile(travel, TRAVEL_PERCENTILE)), 1e-9) for travel in (made, wanted))
    lip = pucker > LIP_TRAVEL * pucker.max()
    upper, lower = made[lip & (wanted < MAX_STILL)], made[lip & (wanted > MIN_MOVING)]
    figures = (upper > MIN_WRONGLY_MOVING, lower < MAX_WRONGLY_STILL, upper)
    return [float(figure.mean()) if len(figure) else np.nan for figure in figures]


def landmark_error(space: FaceSpace, truth: Truth) -> float:
    """Return the mean distance to the known landmarks over the distance of the outer eye corners, NaN without them."""
    if "landmarks68_ids" not in truth:
        return np.nan
    known = dict(zip(truth["landmarks68_ids"].tolist(), truth["landmarks68_xyz"].astype(float), strict=True))
    errors = [np.linalg.norm(space.landmarks68[k] - point) for k, point in known.items()]
    right, left = OUTER_EYE_CORNERS
    return float(np.mean(errors) / np.linalg.norm(known[right] - known[left]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("heads", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sheet", type=Path, help="picture (.png) of all heads in a few poses")
    arguments = parser.parse_args()
    main(arguments.heads, arguments.out, arguments.sheet)
