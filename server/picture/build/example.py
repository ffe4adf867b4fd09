"""Draws the guide's picture of reading a picture: `python -m server.picture.build.example OUT.png`.

On the left the picture that is read, of a person of the project's head; on the right the average head with what was
found, with the help of a neutral picture.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...arkit import CHANNELS
from ...face.build.contact_sheet import write_png
from ...face.head import load_head
from ..reading import read
from . import scenes
from .render import Light, Look, render

SEED = 7  # of person and view
SHOWN = {"jawOpen": 0.6, "mouthSmileLeft": 0.9, "mouthSmileRight": 0.9, "browInnerUp": 0.7}
LIGHT = Light(np.array([0.6, -1.0, 0.4]), ambient=0.35, tint=np.full(3, 0.75))
CROP = slice(40, 360)  # columns of each picture


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    head, rng = load_head(), np.random.default_rng(SEED)
    scene = scenes.random_scene(rng, head, np.array([SHOWN.get(name, 0.0) for name in CHANNELS]))
    look = Look(background=np.array([0.25, 0.22, 0.18]))
    scene = replace(scene, light=LIGHT, look=look)
    neutral = replace(scenes.neutral_of(rng, scene, head), light=scene.light)
    picture, still = (np.round(255 * one.picture(head)).astype(np.uint8) for one in (scene, neutral))
    found = read(picture, still)
    print(found.channels)
    vertices = head.vertices + np.tensordot(found.weights, head.basis, 1)
    camera = replace(scene.camera, rotation=np.zeros(3))
    place = camera.place + scenes.PIXELS / 2 - camera.project(head.landmarks68).mean(0)
    camera = replace(camera, place=place)
    result = render(head, vertices, camera, scenes.PIXELS, LIGHT).picture
    both = [picture, np.round(255 * result).astype(np.uint8)]
    write_png(args.out, np.concatenate([one[:, CROP] for one in both], 1))


if __name__ == "__main__":
    main()
