"""Landmark detection from the shape alone: networks that are applied to a rendering of the mesh from the front.

The mesh is rendered (normals and depth) in windows of many sizes below its top. A coordinate network predicts the
landmarks in each window, and the window follows its own prediction a few times. The window whose predictions agree best
over several zooms is the face. A second network refines the mouth. The depth buffer lifts the points to the surface.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import torch
from safetensors.torch import load_file

from ..numerics import FloatArray, IntArray
from .geometry import bounding_box_centre, used_vertices, vertex_normals
from .head import INNER_LANDMARKS, LANDMARK_COUNT, MOUTH_LANDMARKS, NOSE_TIP, load_head
from .landmark_network import LandmarkNet, to_image
from .raster import View, may_cover_pixel, render, triangle_bounds
from .search_budget import PIXELS_PER_UNIT, SearchBudget

WEIGHTS = Path(__file__).parent / "assets" / "landmarks.safetensors"
MOUTH_COUNT = MOUTH_LANDMARKS.stop - MOUTH_LANDMARKS.start
INPUT_PIXELS = {"face": 128, "mouth": 96}  # side of a network's input
LIFT_PIXELS = 384  # side of the depth image that lifts points to the surface
LIFT_MARGIN = 1.3  # its side over the landmarks' extent
LIFT_RADIUS = 3  # pixels around a landmark whose depth counts; doubled until a surface is found
LIFT_PERCENTILE = 25  # of the depths around a landmark: at a gap between surfaces, the nearer one
NOSE_SEARCH = 0.07  # radius around the predicted nose tip, as a share of the face's extent
# The networks predict these points where ICT-FaceKit has them; artists place them nearer to where the lips part.
# Landmark, the point it moves towards (inner corner, or middle of the upper lip's border), share of the way.
LIP_CORRECTIONS = ((48, 60, 0.5), (54, 64, 0.5), (51, 62, 0.4))
WINDOW_RATIO = 1.6  # between the sizes of the first windows; the networks know faces that fill 1/3 to 1 of a window
MIN_WINDOW = 0.07  # side of the smallest window over the mesh's height
MAX_WINDOW = 1.5  # limit of the side of the largest window over the mesh's height
WINDOW_MARGIN = 0.02  # between the tops of window and mesh, as a share of the window's side
MIN_PROPORTION = 0.2  # height of a flat mesh, as a share of its largest extent, that is assumed at least
FOLLOW_ROUNDS, MOUTH_ROUNDS = 3, 2  # predictions that a window follows
FOLLOW_ZOOM = 1.6  # side of a window over the landmarks' extent while it follows them
FINAL_ZOOMS = (1.35, 1.6, 1.9)  # over which the predictions for a face must agree
MOUTH_ZOOMS = (1.5, 1.9)
SAME_FACE = 0.03  # of the face's extent: windows whose landmarks lie this near to each other show the same face
# Agreement over zoom: mean deviation of the landmarks as a share of the face's extent.
CLEAR_SPREAD = 0.006  # certainly a face
DOUBTFUL_SPREAD = 0.02  # perhaps a face
CONFIDENCE_SCALE = 0.01  # deviation at which a landmark's confidence has fallen to 1/e

# The 24 rotations that bring one axis of a mesh up and another one to the front; the first one leaves it as it is.
TURN_Z = [np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) for c, s in ((1, 0), (-1, 0), (0, 1), (0, -1))]
TURN_X = [np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) for c, s in ((1, 0), (0, 1), (-1, 0), (0, -1))]
TURN_Y = [np.array([[0, 0, s], [0, 1, 0], [-s, 0, 0]]) for s in (1, -1)]  # by 90° about Y, to either side
ORIENTATIONS = [turn @ tilt for tilt in (*TURN_X, *TURN_Y) for turn in TURN_Z]
CLEAR_GLANCE = 0.28  # doubt below which a glance shows a face: upright heads have 0.20–0.25, other views 0.32 and more
GLANCE_STEP = 2  # a glance leaves out every second window: the networks know faces three times smaller than a window
LOOKED_AT = 6  # orientations that are looked at closely, the most likely ones after a glance at all of them
FOLLOWED = 2  # windows of a glance that are followed then, the most face-like
STRAIGHT = np.radians(15)  # a face that a glance shows rolled further is looked at closely after it was rolled back

NetworkName: TypeAlias = Literal["face", "mouth"]
Window: TypeAlias = tuple[FloatArray, float]  # centre (2,) in x and z, side


@dataclass
class LandmarkCandidate:
    """The landmarks of a place on the mesh that may be the face.

    Attributes:
        points: Landmarks (68, 3) in mesh units.
        confidence: 0 to 1 for each landmark (68,).
        spread: Mean deviation of the landmarks over zoom, as a share of the face's extent.
        rotation: Rotation (3, 3) of the mesh in which the networks detected the landmarks, None if they did not.
    """

    points: FloatArray
    confidence: FloatArray
    spread: float
    rotation: FloatArray | None = None


@cache
def load_networks() -> dict[str, LandmarkNet]:
    """Return the networks "face" (68 landmarks) and "mouth" (20). They are loaded once and shared."""
    tensors = load_file(WEIGHTS)
    networks = {}
    for name, count in (("face", LANDMARK_COUNT), ("mouth", MOUTH_COUNT)):
        own = {k.removeprefix(name + "."): v for k, v in tensors.items() if k.startswith(name + ".")}
        network = LandmarkNet(count)
        network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in own.items()})
        networks[name] = network.eval()
    return networks


@contextmanager
def _single_thread() -> Iterator[None]:
    """Run torch on one thread: on a busy machine, threads wait for each other at every layer of so small a network."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class LandmarkDetector:
    """Renders one upright mesh that faces −Y, and applies the networks to it.

    Args:
        vertices: Vertices (V, 3) in any unit.
        triangles: Triangles (T, 3).
        budget: What the looks of the networks are taken off; None: nobody counts them.
    """

    def __init__(self, vertices: FloatArray, triangles: IntArray, budget: SearchBudget | None = None):
        self.vertices, self.triangles, self.budget = vertices, triangles, budget or SearchBudget()
        self.normals = vertex_normals(vertices, triangles)
        self.bounds = triangle_bounds(vertices, triangles)

    def render(self, centre: FloatArray, size: float, pixels: int, depth_alone: bool = False) -> View:
        """Render a square part of the mesh.

        Args:
            centre: x and z of its centre (2,).
            size: Its side, in mesh units.
            pixels: Side of the image.
            depth_alone: Whether no normals are wanted.
        """
        triangles = self.triangles[may_cover_pixel(*self.bounds, centre, size, pixels)]
        view = render(self.vertices, triangles, None if depth_alone else self.normals, centre, size, pixels)
        self.budget.spend(view.work / PIXELS_PER_UNIT)
        return view

    def predict(self, name: NetworkName, windows: Sequence[Window]) -> FloatArray:
        """Apply a network to several windows.

        Args:
            name: Which network.
            windows: N squares.

        Returns:
            Predicted landmarks (N, L, 2), x and z in mesh units.
        """
        return self._predict_with_width(name, windows)[0]

    def _predict_with_width(self, name: NetworkName, windows: Sequence[Window]) -> tuple[FloatArray, FloatArray]:
        """Return what `predict` does, and the mean standard deviation (N,) of the heat maps in mesh units."""
        self.budget.spend(len(windows))
        with _single_thread(), torch.no_grad():
            images = torch.stack([to_image(self.render(*window, INPUT_PIXELS[name])) for window in windows])
            found, deviation = load_networks()[name](images)
        centres, sizes = np.array([c for c, _ in windows]), np.array([s for _, s in windows])
        points: FloatArray = centres[:, None] + found.numpy().astype(float) * (0.5, -0.5) * sizes[:, None, None]
        return points, deviation.numpy().mean(1) * sizes / 2

    def glance(self) -> tuple[float, float, FloatArray]:
        """Look once at some of the first windows.

        Returns:
            How little the most face-like prediction is like a face, from 0 up; the angle in radians by which that face
            is rolled, counterclockwise in the picture; and the FOLLOWED most face-like predictions (N, 68, 2).
        """
        points, width = self._predict_with_width("face", self.initial_windows()[::GLANCE_STEP])
        doubt, roll = _doubt(points, width)
        order = np.argsort(doubt, kind="stable")[:FOLLOWED]
        return float(doubt[order[0]]), float(roll[order[0]]), points[order]

    def initial_windows(self) -> list[Window]:
        """Return squares of growing size from the top of the mesh down, centred sideways on the vertices in each."""
        used = self.vertices[used_vertices(self.triangles, len(self.vertices))]
        top, height = used[:, 2].max(), max(np.ptp(used[:, 2]), MIN_PROPORTION * np.ptp(used, axis=0).max())
        size, windows = MIN_WINDOW * height, []
        while size < MAX_WINDOW * height:
            slab = used[used[:, 2] > top - size, 0]
            middle = np.percentile(slab, (2, 98)).mean()
            windows.append((np.array([middle, top - 0.5 * size + WINDOW_MARGIN * size]), size))
            size *= WINDOW_RATIO
        return windows

    def search(self) -> tuple[FloatArray, FloatArray]:
        """Return the best landmarks (68, 2) in x and z, and their deviation (68,) as a share of the face's extent."""
        return self.follow(self.predict("face", self.initial_windows()))

    def follow(self, points: FloatArray, most_likely: bool = False) -> tuple[FloatArray, FloatArray]:
        """Let windows follow their predictions (N, 68, 2), and return the best as `search` does.

        With `most_likely`, the agreement over zoom is measured for the most face-like of them alone.
        """
        extents = _extents(points)
        doubt: FloatArray = np.zeros(len(points))
        for _ in range(FOLLOW_ROUNDS):
            windows = [
                (bounding_box_centre(p), FOLLOW_ZOOM * extent) for p, extent in zip(points, extents, strict=True)
            ]
            points, width = self._predict_with_width("face", windows)
            extents = np.clip(_extents(points), 0.5 * extents, 2 * extents)
            distinct = _distinct(points, extents)
            points, extents, doubt = points[distinct], extents[distinct], _doubt(points[distinct], width[distinct])[0]
        order = np.argsort(doubt, kind="stable")
        best: FloatArray = np.zeros((LANDMARK_COUNT, 2))
        best_spread: FloatArray = np.full(LANDMARK_COUNT, np.inf)
        clear = doubt < CLEAR_GLANCE
        for k in order[:1] if most_likely else order:
            if clear[order[0]] and not clear[k] and best_spread.mean() < CLEAR_SPREAD:
                break  # a clear face was found, and none of the others looks like one
            mean, deviation = self._predict_over_zooms("face", points[k], extents[k], FINAL_ZOOMS)
            spread = deviation / extents[k]
            if spread.mean() < best_spread.mean():
                best, best_spread = mean, spread
        return best, best_spread

    def _predict_over_zooms(
        self, name: NetworkName, points: FloatArray, extent: float, zooms: Sequence[float]
    ) -> tuple[FloatArray, FloatArray]:
        """Return mean (L, 2) and mean deviation (L,) of the predictions in windows of several sizes over points."""
        centre = bounding_box_centre(points)
        several = self.predict(name, [(centre, zoom * extent) for zoom in zooms])
        mean = several.mean(0)
        return mean, np.linalg.norm(several - mean, axis=-1).mean(0)

    def refine_mouth(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return landmarks (68, 2) with those of the mouth (20) by the second network, and their deviation (20,)."""
        points = points.copy()
        extent = _extent(points[MOUTH_LANDMARKS])
        for _ in range(MOUTH_ROUNDS):
            mouth, deviation = self._predict_over_zooms("mouth", points[MOUTH_LANDMARKS], extent, MOUTH_ZOOMS)
            points[MOUTH_LANDMARKS] = mouth
        return points, deviation

    def lift(self, points: FloatArray) -> FloatArray | None:
        """Return the surface points (68, 3) under landmarks (68, 2), None if there is no surface.

        The nose tip is the most protruding point near its prediction: noses differ most in where their tip is.
        """
        extent = _extent(points)
        view = self.render(bounding_box_centre(points), LIFT_MARGIN * extent, LIFT_PIXELS, depth_alone=True)
        pixels = view.to_pixels(points).astype(int)
        lifted = np.empty((LANDMARK_COUNT, 3))
        for k, (column, row) in enumerate(pixels):
            depth = _depth_around(view, column, row)
            if depth is None:
                return None
            lifted[k] = points[k, 0], depth, points[k, 1]
        radius = int(NOSE_SEARCH * extent / view.size * LIFT_PIXELS)
        tip = _most_protruding(view, pixels[NOSE_TIP], radius)
        if tip is not None:
            lifted[NOSE_TIP] = tip
        return lifted


def _depth_around(view: View, column: int, row: int) -> float | None:
    """Return the depth of the surface around a pixel, None if the image is empty."""
    radius = LIFT_RADIUS
    while radius < LIFT_PIXELS:
        rows, columns = (slice(max(at - radius, 0), at + radius + 1) for at in (row, column))
        depth = view.depth[rows, columns]
        depth = depth[np.isfinite(depth)]
        if len(depth):
            return float(np.percentile(depth, LIFT_PERCENTILE))
        radius *= 2
    return None


def _most_protruding(view: View, pixel: IntArray, radius: int) -> tuple[float, float, float] | None:
    """Return the surface point nearest to the viewer within `radius` pixels of a pixel (column, row), None if none."""
    (left, top), side = np.maximum(pixel - radius, 0), view.size / LIFT_PIXELS
    depth = view.depth[top : pixel[1] + radius + 1, left : pixel[0] + radius + 1]
    if not np.isfinite(depth).any():
        return None
    row, column = np.unravel_index(np.nanargmin(depth), depth.shape)
    x = view.centre[0] + (left + column + 0.5) * side - view.size / 2
    z = view.centre[1] - (top + row + 0.5) * side + view.size / 2
    return x, depth[row, column], z


def _doubt(points: FloatArray, width: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return how little predictions (N, 68, 2) are like a face (N,), from 0 up, and their roll (N,) in radians.

    Args:
        points: Predicted landmarks.
        width: Mean standard deviation of their heat maps (N,), in the unit of the points.
    """
    misshape, roll = _compare_with_average(points)
    return misshape + width / np.maximum(_extents(points), 1e-12), roll


def _compare_with_average(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Compare predicted landmarks (N, 68, 2) with those of the average head, seen from the front.

    Returns:
        Their distance (N,) after the best similarity of the plane, as a share of the mean distance from the middle; and
        the angle (N,) of that similarity in radians.
    """
    average = load_head().landmarks68[INNER_LANDMARKS].astype(float) @ (1, 0, 1j)  # x + iz
    inner = points[:, INNER_LANDMARKS] @ (1, 1j)
    average, inner = average - average.mean(), inner - inner.mean(1, keepdims=True)
    similarity = (inner @ average.conj()) / (np.abs(average) ** 2).sum()
    distance = np.abs(inner - similarity[:, None] * average).mean(1)
    share: FloatArray = distance / np.maximum(np.abs(similarity) * np.abs(average).mean(), 1e-12)
    return share, np.angle(similarity)


def _extents(points: FloatArray) -> FloatArray:
    """Return the larger side (N,) of the bounding boxes of points (N, L, 2)."""
    extents: FloatArray = np.ptp(points, axis=-2).max(-1)
    return extents


def _extent(points: FloatArray) -> float:
    """Return the larger side of the bounding box of points (L, 2)."""
    return float(np.ptp(points, axis=0).max())


def _distinct(points: FloatArray, extents: FloatArray) -> list[int]:
    """Return the indices of the windows of finite size, one of those that converged to the same face."""
    chosen: list[int] = []
    for k in range(len(points)):
        if extents[k] <= 0 or not np.isfinite(extents[k]):
            continue
        same = any(np.linalg.norm(points[k] - points[j], axis=-1).mean() < SAME_FACE * extents[j] for j in chosen)
        if not same:
            chosen.append(k)
    return chosen


def detect_landmarks(
    vertices: FloatArray,
    triangles: IntArray,
    progress: Callable[[], None] = lambda: None,
    budget: SearchBudget | None = None,
) -> Iterator[LandmarkCandidate]:
    """Yield candidates, the most likely first: the caller takes the first one that the head fits to.

    The upright mesh facing −Y comes first, whether it shows a clear face or a doubtful one. If the caller does not take
    that candidate, the orientations follow that are the most face-like at a glance, doubtful faces last.

    Args:
        vertices: Vertices (V, 3) in any unit.
        triangles: Triangles (T, 3).
        progress: Called before each orientation; an exception that it raises ends the search.
        budget: Of the search, which ends when it is spent.
    """
    budget = budget or SearchBudget()
    doubtful: list[tuple[LandmarkDetector, FloatArray, FloatArray, FloatArray]] = []
    for rotation, guesses in _orientations_to_look_at(vertices, triangles, progress, budget):
        progress()
        detector, upright = LandmarkDetector(vertices @ rotation.T, triangles, budget), guesses is None
        points, spread = detector.search() if guesses is None else detector.follow(guesses, most_likely=True)
        candidate = detector, points, spread, rotation
        if spread.mean() < CLEAR_SPREAD or (upright and spread.mean() < DOUBTFUL_SPREAD):
            yield from _refine_and_lift(*candidate)
        elif spread.mean() < DOUBTFUL_SPREAD:
            doubtful.append(candidate)
        if budget.is_spent:
            break
    for candidate in sorted(doubtful, key=lambda candidate: candidate[2].mean()):
        yield from _refine_and_lift(*candidate)
        if budget.is_spent:
            break


def _orientations_to_look_at(
    vertices: FloatArray, triangles: IntArray, progress: Callable[[], None], budget: SearchBudget
) -> Iterator[tuple[FloatArray, FloatArray | None]]:
    """Yield rotations (3, 3) of a mesh, each with landmarks (N, 68, 2) from which to start; None: look everywhere.

    The rotation that leaves the mesh as it is comes first. The others are glanced at only then. One that clearly shows
    a face follows at once, and after all the LOOKED_AT most face-like, best first. A face that is rolled there is
    rolled back.
    """
    yield ORIENTATIONS[0], None
    glances: list[tuple[float, float, FloatArray, FloatArray]] = []
    for rotation in ORIENTATIONS:
        if budget.is_spent:
            break
        progress()
        doubt, roll, points = LandmarkDetector(vertices @ rotation.T, triangles, budget).glance()
        if doubt >= CLEAR_GLANCE:
            glances.append((doubt, roll, rotation, points))
        elif rotation is not ORIENTATIONS[0]:
            yield _rolled_back(rotation, roll, points)
    for _, roll, rotation, points in sorted(glances, key=lambda glance: glance[0])[:LOOKED_AT]:
        if rotation is not ORIENTATIONS[0] or abs(roll) > STRAIGHT:
            yield _rolled_back(rotation, roll, points)


def _rolled_back(rotation: FloatArray, roll: float, points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return a rotation (3, 3) that shows a face upright, which `rotation` shows rolled by an angle in radians.

    The second array has the landmarks `points` (N, 68, 2), which were seen with `rotation`, as they are seen then.
    """
    if abs(roll) <= STRAIGHT:
        return rotation, points
    cosine, sine = np.cos(roll), np.sin(roll)
    turn = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
    return turn @ rotation, points @ turn[np.ix_([0, 2], [0, 2])].T


def detect_from(
    vertices: FloatArray,
    triangles: IntArray,
    rotation: FloatArray,
    guess: FloatArray | None = None,
    budget: SearchBudget | None = None,
) -> LandmarkCandidate | None:
    """Detect the landmarks of a face that is upright and faces −Y in a known rotation of the mesh.

    Args:
        vertices: Vertices (V, 3) in any unit.
        triangles: Triangles (T, 3).
        rotation: Rotation (3, 3) that is applied to the mesh.
        guess: Approximate landmarks (68, 3) in mesh units from which to start; None: the whole mesh is searched.
        budget: Of the search, from which this look is taken off.

    Returns:
        The candidate, or None where there is no surface under the landmarks.
    """
    detector = LandmarkDetector(vertices @ rotation.T, triangles, budget)
    if guess is None:
        points, spread = detector.search()
    else:
        points, spread = detector.follow((guess @ rotation.T)[None][..., [0, 2]])
    return next(_refine_and_lift(detector, points, spread, rotation), None)


def _refine_and_lift(
    detector: LandmarkDetector, points: FloatArray, spread: FloatArray, rotation: FloatArray
) -> Iterator[LandmarkCandidate]:
    """Yield the candidate with its mouth refined and its points on the surface, nothing if there is no surface."""
    mean_spread = float(spread.mean())
    points, mouth_deviation = detector.refine_mouth(points)
    for k, towards, share in LIP_CORRECTIONS:
        points[k] += share * (points[towards] - points[k])
    spread = spread.copy()
    spread[MOUTH_LANDMARKS] = mouth_deviation / _extent(points)
    lifted = detector.lift(points)
    if lifted is not None:
        yield LandmarkCandidate(lifted @ rotation, np.exp(-spread / CONFIDENCE_SCALE), mean_spread, rotation)
