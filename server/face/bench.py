"""Fit every head of a folder, fully automatically: `python -m server.face.bench HEADS --out FITS --sheet heads.png`.

HEADS holds .npz files with `vertices` (V, 3) and `faces` (F, N) polygons padded with -1. Writes FITS/<name>.npz as
`python -m server fit` does (`channels`, `basis`, `landmarks68`, `report`), prints one line for each head, and draws all
heads in the poses of sheet.POSES.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from ..errors import LSFError
from ..meshes import load
from . import sheet
from .space import fit


def main(heads: Path, out: Path, picture: Path | None):
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    print(f"{'head':26}{'vertices':>9}{'seconds':>9}{'CPU s':>7}{'residual mm':>13}{'least sure':>11}  flips %")
    for path in sorted(heads.glob("*.npz")):
        mesh = load(path)
        wall, processor = time.perf_counter(), time.process_time()
        try:
            space = fit(mesh.vertices, mesh.triangles)
        except LSFError as error:
            print(f"{path.stem:26}{len(mesh.vertices):9}  {error}")
            continue
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        flips = ", ".join(f"{name} {100 * share:.2f}" for name, share in space.report["flipped"].items())
        print(f"{path.stem:26}{len(mesh.vertices):9}{wall:9.1f}{processor:7.1f}{space.report['residual_mm']:13.2f}"
              f"{min(space.report['landmark_confidence']):11.2f}  {flips}", flush=True)
        np.savez(out / path.name, channels=np.array(space.channels), basis=space.basis,
                 landmarks68=space.landmarks68, report=np.array(json.dumps(space.report)))
        rows.append(sheet.row(mesh.vertices, mesh.triangles, space))
    if picture and rows:
        sheet.write_png(picture, np.concatenate(rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("heads", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sheet", type=Path, help="picture (.png) of all heads in a few poses")
    arguments = parser.parse_args()
    main(arguments.heads, arguments.out, arguments.sheet)
