"""Prepares a checkpoint of the paper's system for faces: carries FLAME to the project's head.

    python -m server.flame.prepare CHECKPOINT --flame FILE

CHECKPOINT is the folder with config.json; FILE is FLAME 2020 or 2023, .npz or .pkl. The command writes
CHECKPOINT/face.safetensors. The file holds parts of FLAME: it is for your own use, under FLAME's licence.
"""

import argparse
import sys
from pathlib import Path

from ..errors import explain
from .face import FILE_NAME, NOTICE, flame_head
from .layer import load_flame


def main() -> int:
    """Run the command. Return the exit status."""
    parser = argparse.ArgumentParser(description="Carry FLAME to the project's head, for a checkpoint.")
    parser.add_argument("checkpoint", type=Path, help="the folder with config.json")
    parser.add_argument("--flame", type=Path, required=True, help="FLAME 2020 or 2023, .npz or .pkl")
    arguments = parser.parse_args()
    path = arguments.checkpoint / FILE_NAME
    if not (arguments.checkpoint / "config.json").is_file():
        print(f'error: "{arguments.checkpoint}" is no checkpoint: it has no config.json.', file=sys.stderr)
        return 1
    try:
        carried = flame_head(load_flame(arguments.flame))
        carried.save(path)
    except Exception as error:
        print(f"error: {explain(error)[1]}", file=sys.stderr)
        return 1
    report = carried.report
    print(f"{path}: {report['unmatched']:.1%} of the face has no place on FLAME, the rest lies within", end=" ")
    print(f"{report['distance_mm']:.2f} mm on average.")
    print(f"Jaw: {report['jaw_keys']} shape keys show it to {report['jaw_keys_bound_mm']:.2f} mm.")
    print(NOTICE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
