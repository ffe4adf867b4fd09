"""Finds the faces in a picture, with MediaPipe's short-range BlazeFace detector."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..numerics import FloatArray
from . import network
from .crops import Pyramid, Square

PIXELS = 128  # side of the detector's input
# Grids of the detector: cells along a side, and candidates in each cell.
GRIDS = ((16, 2), (8, 6))
MIN_SCORE = 0.5
MAX_OVERLAP = 0.3  # intersection over union above which two candidates are one face
KEYPOINTS = 6  # right eye, left eye, nose tip, mouth, right and left ear; "right" is the person's
# How the picture is searched: squares of these sides, in units of its longer and its shorter side. Beyond the whole
# picture, where a face fills it; in parts, for small faces: the detector sees one that takes a fifth of a square.
WHOLE = (1.0, 1.6)
PARTS = (1.0, 0.55, 0.3)
STEP = 0.5  # between two parts, of their side
MIN_PART = 64  # pixels of a part
CROP_SCALE = 1.5  # side of the landmark network's square, in units of the longer side of the face's box


@dataclass(frozen=True)
class Face:
    """A face in a picture.

    Attributes:
        score: How certain it is, 0 to 1.
        box: Left, top, right and bottom (4,), pixels.
        keypoints: Column and row (6, 2) of KEYPOINTS.
    """

    score: float
    box: FloatArray
    keypoints: FloatArray

    @property
    def size(self) -> float:
        """The longer side of the box, pixels."""
        return float(max(self.box[2] - self.box[0], self.box[3] - self.box[1]))

    @property
    def square(self) -> Square:
        """What the landmark network is given: the eyes are level in it."""
        right, left = self.keypoints[:2]
        angle = float(np.arctan2(left[1] - right[1], left[0] - right[0]))
        return Square((self.box[:2] + self.box[2:]) / 2, CROP_SCALE * self.size, angle)


def find(pyramid: Pyramid, width: int, height: int, angle: float = 0.0) -> list[Face]:
    """Find faces.

    Args:
        pyramid: The picture.
        width: Its width in pixels.
        height: Its height in pixels.
        angle: How far the faces are turned clockwise as seen, about, radians.

    Returns:
        The faces, the largest first.
    """
    candidates = [face for square in _squares(width, height, angle) for face in _candidates(pyramid, square)]
    faces: list[Face] = []
    for face in sorted(candidates, key=lambda face: -face.score):
        if all(_overlap(face.box, other.box) <= MAX_OVERLAP for other in faces):
            faces.append(face)
    return sorted(faces, key=lambda face: -face.size)


def _squares(width: int, height: int, angle: float) -> Iterator[Square]:
    """Yield the squares in which faces are looked for, the whole picture first; arguments as in `find`."""
    extent = np.array([width, height], float)
    for share in WHOLE:
        yield Square(extent / 2, share * max(width, height), angle)
    for share in PARTS:
        side = share * min(width, height)
        if side < MIN_PART:
            return
        ranges = []
        for length in extent:
            count = 1 + int(np.ceil(max(0.0, length - side) / (STEP * side)))
            ranges.append(np.linspace(side / 2, length - side / 2, count) if count > 1 else [length / 2])
        for row in ranges[1]:
            for column in ranges[0]:
                yield Square(np.array([column, row]), side, angle)


def _candidates(pyramid: Pyramid, square: Square) -> list[Face]:
    """Run the detector on one square. Its boxes and points are offsets from the centres of the cells."""
    boxes, scores = network.load("detector")(2 * pyramid.crop(square, PIXELS) - 1)
    probabilities = scores[0, :, 0].sigmoid().numpy()
    chosen = np.flatnonzero(probabilities >= MIN_SCORE)
    values = boxes[0].numpy()[chosen].astype(float) / PIXELS
    points = values.reshape(len(chosen), 2 + KEYPOINTS, 2)
    centres = _anchors()[chosen]
    middle, size, keypoints = centres + points[:, 0], points[:, 1], centres[:, None] + points[:, 2:]
    found = []
    for k, index in enumerate(chosen):
        corners = square.to_picture(np.stack([middle[k] - size[k] / 2, middle[k] + size[k] / 2]))
        box = np.concatenate([corners.min(0), corners.max(0)])
        found.append(Face(float(probabilities[index]), box, square.to_picture(keypoints[k])))
    return found


def _anchors() -> FloatArray:
    """Return the centre (896, 2) of each candidate's cell, 0 to 1."""
    centres = []
    for cells, count in GRIDS:
        at = (np.arange(cells) + 0.5) / cells
        rows, columns = np.meshgrid(at, at, indexing="ij")
        centres.append(np.repeat(np.stack([columns, rows], -1).reshape(-1, 2), count, axis=0))
    return np.concatenate(centres)


def _overlap(one: FloatArray, other: FloatArray) -> float:
    """Return the intersection over union of two boxes (4,), or over the smaller one where one lies in the other."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    shared = float(np.prod(np.maximum(high - low, 0)))
    areas = [float(np.prod(box[2:] - box[:2])) for box in (one, other)]
    return max(shared / max(sum(areas) - shared, 1e-9), 0.5 * shared / max(min(areas), 1e-9))
