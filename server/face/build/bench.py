"""Fit every head of a folder, fully automatically: `python -m server.face.build.bench HEADS --out FITS --sheet heads.png`.

HEADS holds .npz files with `vertices` (V, 3) and `faces` (F, N) polygons padded with -1, and, to compare with, an
artist's `channels` and `deltas` (K, V, 3) and known points `landmarks68_xyz` (N, 3) of the landmarks `landmarks68_ids`
(N,). Writes FITS/<name>.npz as `python -m server fit` does (`channels`, `basis`, `landmarks68`, `report`), prints one
table, and draws all heads in the poses of sheet.POSES.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from ...errors import LSFError
from ...files.meshes import load
from . import contact_sheet as sheet
from ..space import fit

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


def main(heads: Path, out: Path, picture: Path | None):
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
        rows.append(sheet.row(mesh.vertices, mesh.triangles, space))
    if picture and rows:
        sheet.write_png(picture, np.concatenate(rows))


def agreement(space, truth) -> list[float]:
    """Mean cosine and median ratio of magnitudes for each of GROUPS, then shares of lip vertices that follow the jaw
    although they must not, or do not although they must, and how far the upper lip follows; nan without an artist."""
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
    return scores + lips(
        *(np.linalg.norm(shapes["jawOpen"], axis=1) for shapes in (made, wanted)),
        np.linalg.norm(wanted["mouthPucker"], axis=1),
    )


def lips(made, wanted, pucker) -> list[float]:
    """From how far each vertex goes with jawOpen, made and wanted, and with the artist's pucker, which shows lips."""
    made, wanted = (travel / max(np.percentile(travel, 99.5), 1e-9) for travel in (made, wanted))
    lip = pucker > 0.35 * pucker.max()
    upper, lower = made[lip & (wanted < 0.12)], made[lip & (wanted > 0.6)]
    return [float(figure.mean()) if len(figure) else np.nan for figure in (upper > 0.4, lower < 0.3, upper)]


def landmark_error(space, truth) -> float:
    """Mean distance to the known points over the distance of the outer eye corners."""
    if "landmarks68_ids" not in truth:
        return np.nan
    known = dict(zip(truth["landmarks68_ids"].tolist(), truth["landmarks68_xyz"].astype(float), strict=True))
    miss = [np.linalg.norm(space.landmarks68[k] - point) for k, point in known.items()]
    return float(np.mean(miss) / np.linalg.norm(known[36] - known[45]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("heads", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sheet", type=Path, help="picture (.png) of all heads in a few poses")
    arguments = parser.parse_args()
    main(arguments.heads, arguments.out, arguments.sheet)
