"""Find the 68 landmarks on a mesh from its shape alone: networks that look at it from the front, at several zooms.

The mesh is rendered (normals and depth) in windows of many sizes below its top; a coordinate network predicts the
landmarks in each; the window follows its own prediction a few times. The window whose predictions agree best under
zoom is the face. A second network looks at the mouth. Predictions are lifted to the surface through the depth buffer.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from .landmark_network import LandmarkNet, to_image
from .raster import boxes, may_show, render, vertex_normals

WEIGHTS = Path(__file__).parent / "assets" / "landmarks.safetensors"
FACE_PIXELS, MOUTH_PIXELS, LIFT_PIXELS = 128, 96, 384
MOUTH = np.arange(48, 68)
NOSE_TIP, NOSE_SEARCH = 30, 0.07  # and how far it may be from its prediction, as a share of the face's extent
# Networks see these points where ICT-FaceKit puts them, artists nearer to where the lips part: corner, inner corner or
# middle between the lips, and the share of the way between them.
TOWARDS_LIPS = ((48, 60, 0.5), (54, 64, 0.5), (51, 62, 0.4))
WINDOW_STEP = 1.6  # between the sizes of the first windows; the networks know faces that take 1/3 to 1 of one
SMALLEST_WINDOW = 0.07  # of the mesh's height
FOLLOW_ZOOM = 1.6  # window side over the landmarks' extent while it follows the face
FINAL_ZOOMS = (1.35, 1.6, 1.9)
MOUTH_ZOOMS = (1.5, 1.9)
CLEAR_SPREAD = 0.006  # mean disagreement under zoom, as a share of the face's extent, of a face beyond doubt
WORST_SPREAD = 0.02  # and of something that may still be one
SURE = 0.01  # disagreement, as a share of the face's extent, at which a landmark's confidence has fallen to 1/e

# Rotations that bring a mesh to Z up, facing -Y: as it is, turned about Z, and from Y up facing +Z or others.
TURN_Z = [np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) for c, s in ((1, 0), (-1, 0), (0, 1), (0, -1))]
FROM_Y_UP = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
ORIENTATIONS = [*TURN_Z, *(turn @ FROM_Y_UP for turn in TURN_Z)]


@dataclass
class Found:
    points: np.ndarray  # (68, 3) in mesh units
    confidence: np.ndarray  # (68,) 0..1
    spread: float  # disagreement under zoom, share of the face's extent
    view: np.ndarray | None = None  # (3, 3) the turn that the mesh was looked at in, None if it was not looked at


@cache
def networks() -> dict[str, LandmarkNet]:
    tensors = load_file(WEIGHTS)
    nets = {}
    for name, count in (("face", 68), ("mouth", len(MOUTH))):
        own = {k.removeprefix(name + "."): v for k, v in tensors.items() if k.startswith(name + ".")}
        net = LandmarkNet(count)
        net.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in own.items()})
        nets[name] = net.eval()
    return nets


def _one_thread(function):
    """Networks this small lose by sharing their work: on a busy machine the threads wait for each other at each layer
    (seconds instead of tenths).
    """

    def alone(*arguments):
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return function(*arguments)
        finally:
            torch.set_num_threads(before)

    return alone


class Looker:
    """Renders one upright mesh and asks the networks about it."""

    def __init__(self, vertices, triangles):
        self.vertices, self.triangles = vertices, triangles
        self.normals = vertex_normals(vertices, triangles)
        self.boxes = boxes(vertices, triangles)

    def view(self, centre, size, pixels):
        triangles = self.triangles[may_show(*self.boxes, centre, size, pixels)]
        return render(self.vertices, triangles, self.normals, centre, size, pixels)

    @_one_thread
    @torch.no_grad()
    def ask(self, name, windows):
        """Landmarks (N, L, 2) in x, z of the mesh for N windows (centre, size)."""
        pixels = FACE_PIXELS if name == "face" else MOUTH_PIXELS
        images = torch.stack([to_image(self.view(c, s, pixels)) for c, s in windows])
        found, _ = networks()[name](images)
        centres, sizes = np.array([c for c, _ in windows]), np.array([s for _, s in windows])
        return centres[:, None] + found.numpy().astype(float) * (0.5, -0.5) * sizes[:, None, None]

    def first_windows(self):
        """Squares of growing size that hang from the top of the mesh over its middle there."""
        used = self.vertices[np.unique(self.triangles)]
        top, height = used[:, 2].max(), max(np.ptp(used[:, 2]), 0.2 * np.ptp(used, axis=0).max())
        widest = 1.5 * max(height, min(np.ptp(used[:, 0]), height))
        size, windows = SMALLEST_WINDOW * height, []
        while size < widest:
            slab = used[used[:, 2] > top - size, 0]
            middle = (np.percentile(slab, 2) + np.percentile(slab, 98)) / 2
            windows.append((np.array([middle, top - 0.5 * size + 0.02 * size]), size))
            size *= WINDOW_STEP
        return windows

    def search(self):
        """The best landmarks (68, 2) in x, z, and their spread (68,) as a share of the face's extent."""
        return self.follow(self.ask("face", self.first_windows()))

    def follow(self, points):
        """The best of several predictions (N, 68, 2) after each went where it led, and its spread (68,)."""
        extents = _extent(points)
        for _ in range(3):
            points = self.ask("face", [(_centre(p), FOLLOW_ZOOM * e) for p, e in zip(points, extents, strict=True)])
            extents = np.clip(_extent(points), 0.5 * extents, 2 * extents)
            apart = _distinct(points, extents)
            points, extents = points[apart], extents[apart]
        best = np.zeros((68, 2)), np.full(68, np.inf)
        for p, extent in zip(points, extents, strict=True):
            several = self.ask("face", [(_centre(p), zoom * extent) for zoom in FINAL_ZOOMS])
            spread = np.linalg.norm(several - several.mean(0), axis=-1).mean(0) / extent
            if spread.mean() < best[1].mean():
                best = several.mean(0), spread
        return best

    def look_at_mouth(self, points):
        extent = _extent(points[MOUTH])
        for _ in range(2):
            centre = _centre(points[MOUTH])
            several = self.ask("mouth", [(centre, zoom * extent) for zoom in MOUTH_ZOOMS])
            points = points.copy()
            points[MOUTH] = several.mean(0)
        return points, np.linalg.norm(several - several.mean(0), axis=-1).mean(0)

    def lift(self, points):
        """(68, 3): the surface under each landmark, near gaps the nearer part around it; None if there is none."""
        extent, centre = _extent(points), _centre(points)
        view = self.view(centre, 1.3 * extent, LIFT_PIXELS)
        pixel = view.to_pixels(points).astype(int)
        lifted = np.empty((68, 3))
        for k, (column, row) in enumerate(pixel):
            depth = np.array([])
            radius = 3
            while not len(depth) and radius < LIFT_PIXELS:
                rows, columns = (slice(max(at - radius, 0), at + radius + 1) for at in (row, column))
                depth = view.depth[rows, columns]
                depth = depth[np.isfinite(depth)]
                radius *= 2
            if not len(depth):
                return None
            lifted[k] = points[k, 0], np.percentile(depth, 25), points[k, 1]
        reach = int(NOSE_SEARCH * extent / view.size * LIFT_PIXELS)
        lifted[NOSE_TIP] = self._most_protruding(view, pixel[NOSE_TIP], reach)
        return lifted

    def _most_protruding(self, view, pixel, radius):
        """The surface point nearest to the viewer within `radius` pixels: noses differ most in where their tip is."""
        (left, top), side = np.maximum(pixel - radius, 0), view.size / LIFT_PIXELS
        depth = view.depth[top : pixel[1] + radius + 1, left : pixel[0] + radius + 1]
        row, column = np.unravel_index(np.nanargmin(depth), depth.shape)
        x = view.centre[0] + (left + column + 0.5) * side - view.size / 2
        z = view.centre[1] - (top + row + 0.5) * side + view.size / 2
        return x, depth[row, column], z


def _extent(points):
    """Larger side of the bounding box of (..., L, 2) points."""
    return np.ptp(points, axis=-2).max(-1)


def _centre(points):
    return (points.min(0) + points.max(0)) / 2


def _distinct(points, extents):
    """Indices of the windows with a size, those that converged to the same place only once."""
    chosen = []
    for k in range(len(points)):
        if extents[k] <= 0 or not np.isfinite(extents[k]):
            continue
        same = any(np.linalg.norm(points[k] - points[j], axis=-1).mean() < 0.03 * extents[j] for j in chosen)
        if not same:
            chosen.append(k)
    return chosen


def find_landmarks(
    vertices: np.ndarray, triangles: np.ndarray, step: Callable[[], None] = lambda: None
) -> Iterator[Found]:
    """Candidates, the likeliest first: the caller takes the first one that the head fits to.

    vertices (V, 3) in any unit, triangles (T, 3). The upright mesh facing -Y comes first, whether it shows a clear face
    or a doubtful one; the other orientations follow if that was not taken, doubtful faces last. `step` is called before
    each look; what it raises ends the search.
    """
    waiting = []
    for rotation in ORIENTATIONS:
        step()
        looker = Looker(vertices @ rotation.T, triangles)
        points, spread = looker.search()
        candidate = looker, points, spread, rotation
        if spread.mean() < CLEAR_SPREAD or (rotation is ORIENTATIONS[0] and spread.mean() < WORST_SPREAD):
            yield from _finish(*candidate)
        elif spread.mean() < WORST_SPREAD:
            waiting.append(candidate)
    for candidate in sorted(waiting, key=lambda candidate: candidate[2].mean()):
        yield from _finish(*candidate)


def find_facing(
    vertices: np.ndarray, triangles: np.ndarray, rotation: np.ndarray, guess: np.ndarray | None = None
) -> Found | None:
    """The landmarks of a face that is upright and faces -Y once the mesh is turned by `rotation` (3, 3).

    Looked for everywhere, or from a guess (68, 3) in mesh units on; None where there is no surface under them.
    """
    looker = Looker(vertices @ rotation.T, triangles)
    points, spread = looker.search() if guess is None else looker.follow((guess @ rotation.T)[None][..., [0, 2]])
    return next(_finish(looker, points, spread, rotation), None)


def _finish(looker, points, spread, rotation):
    """The candidate with its mouth refined and its points in space; nothing if there is no surface under it."""
    mean = float(spread.mean())
    points, mouth_spread = looker.look_at_mouth(points)
    for k, inner, share in TOWARDS_LIPS:
        points[k] += share * (points[inner] - points[k])
    spread = spread.copy()
    spread[MOUTH] = mouth_spread / _extent(points)
    lifted = looker.lift(points)
    if lifted is not None:
        yield Found(lifted @ rotation, np.exp(-spread / SURE), mean, rotation)
