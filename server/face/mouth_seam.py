"""Welded lips: finds whether both lips are one surface, and the line on the mesh along which they would part.

Lips that are cut are far apart along the surface, which goes from one to the other through the inside of the mouth or
around its corners. Where nobody cut them, it goes straight across.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from ..numerics import BoolArray, FloatArray, IntArray, smoothstep
from .geometry import (
    adjacency,
    blend_corners,
    edge_lengths,
    nearest_points,
    sample_surface,
    triangle_normals,
    unique_edges,
    used_vertices,
    within,
)
from .head import Head
from .seam_closure import JAW_OPEN, MOUTH_CLOSE, seam_vertices
from .target_mesh import TargetMesh

OUTER_CORNERS, INNER_CORNERS = (48, 54), (60, 64)  # landmarks of the right and the left corner of the mouth
INNER_LIPS = slice(60, 68)
# Landmarks of the outer and the inner border of the upper lip, and of the lower one, in three places.
COLUMNS = (((50, 61), (67, 58)), ((51, 62), (66, 57)), ((52, 63), (65, 56)))
# The following lengths are shares of the mouth's width.
SEARCH_RADIUS = 0.8  # around the middle of the mouth, within which ways from lip to lip are measured
STEP = 0.05  # longer edges get points between their ends, so that ways may cross triangles
SEAM_STEP = 0.03  # the same for the seam
# Greatest detour from lip to lip along one surface. Jaws open by about .4: a longer way unfolds, a shorter one is
# stretched. On 8 heads of other makers and 9 of the project's, cut: .42 to .65; on 25 welded ones: 0 to .1.
MAX_DETOUR = 0.25
LINE_RADIUS = 0.3  # around the lips' line, within which the seam is searched
LINE_WIDTH = 0.05  # from that line, at which a way costs twice as much
GROOVE_RADIUS = 0.08  # of the surface around a point that tells whether it lies in a groove
CORNER_DISTANCE = 0.04  # from a corner of the mouth to a vertex at which the seam may end
MOST_STEPS = 8  # of an edge
MIN_LENGTH = 1e-7  # metres
LINE_POINTS = 65
SAMPLES_PER_RADIUS = 4
GROOVE_GAIN = 3.0  # of the depth of a groove, by which a way through it costs less
SIDE_RADIUS = 0.8  # along the surface from a lip, and from the seam, within which vertices have a side
CLEAR_RATIO = 0.6  # as in mouth_sides
LINING_RADIUS = 0.35  # from the seam, within which the linings of the lips have a side
UPPER_REACH, LOWER_REACH = 0.4, 0.8  # from the seam: as far as to the nose and to the chin, common motion fades out
LOWER_SHARE = 0.35  # of the lower lip in the common motion; the skin below gives way more, as it is longer
STRETCH_RADIUS = 0.35  # around the seam, within which the skin's stretch is measured
# Greatest stretch of the skin around the mouth; a smile at full strength has 1.6 there. The jaw then keeps .4 to .6 of
# its motion; beyond, lips of welded heads look pulled down.
MAX_STRETCH = 1.6
STRETCHED_SHARE = 0.1  # of the area around the mouth, in a pose, that may be stretched more
BISECTIONS = 5
UPPER_LIP, LOWER_LIP = slice(49, 54), slice(55, 60)  # landmarks of their outer borders
BORDER_COST = 0.1  # of a way along the border of a lip, where lips that touched were merged
FOLD_COSINE = 0.2  # of the normals of two triangles: below, their edge is such a border
EDGE_COST = 0.8  # of a way along an edge, relative to one across a triangle


@dataclass(frozen=True)
class SurfaceGraph:
    """Points on the edges of a part of a mesh, joined along edges and across triangles.

    Attributes:
        points: Positions (N, 3), metres.
        ends: Vertices of the edge that each point lies on (N, 2); the same one twice for a vertex.
        share: How far each point lies from the first to the second of its ends (N,), 0 to 1.
        pairs: Points that are joined (E, 2).
        on_edge: Mesh edge that each pair lies along (E,), -1 for a pair that crosses a triangle.
        edges: The mesh edges (M, 2).
        triangles: Triangles of the part (T, 3).
    """

    points: FloatArray
    ends: IntArray
    share: FloatArray
    pairs: IntArray
    on_edge: IntArray
    edges: IntArray
    triangles: IntArray


def surface_graph(vertices: FloatArray, triangles: IntArray, step: float) -> SurfaceGraph:
    """Return the graph of a surface.

    Args:
        vertices: Vertices (V, 3), metres.
        triangles: Triangles of the part (T, 3).
        step: Longest distance between neighbouring points of an edge, metres.
    """
    edges = unique_edges(triangles)
    used = used_vertices(triangles, len(vertices))
    node = np.full(len(vertices), -1)
    node[used] = np.arange(len(used))
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    inner = (np.ceil(length / step).astype(int) - 1).clip(0, MOST_STEPS)
    first = len(used) + np.cumsum(inner) - inner
    owner = np.repeat(np.arange(len(edges)), inner)
    rank = np.arange(inner.sum()) - np.repeat(first - len(used), inner)
    between = (rank + 1) / (inner[owner] + 1)
    ends = np.concatenate([np.stack([used, used], 1), edges[owner]])
    share = np.concatenate([np.zeros(len(used)), between])
    points = vertices[ends[:, 0]] * (1 - share[:, None]) + vertices[ends[:, 1]] * share[:, None]

    # Nodes of each edge in order, padded with -1.
    rows = np.full((len(edges), MOST_STEPS + 2), -1)
    rows[:, 0] = node[edges[:, 0]]
    for k in range(MOST_STEPS):
        has = inner > k
        rows[has, k + 1] = first[has] + k
    rows[np.arange(len(edges)), inner + 1] = node[edges[:, 1]]
    along = np.stack([rows[:, :-1], rows[:, 1:]], -1)
    valid = (along >= 0).all(-1)
    pairs, on_edge = [along[valid]], [np.broadcast_to(np.arange(len(edges))[:, None], valid.shape)[valid]]

    # Across triangles: inner points of one edge with those of the next, and with the opposite vertex.
    count = int(edges.max()) + 1
    code = edges[:, 0].astype(np.int64) * count + edges[:, 1]
    order = np.argsort(code)
    sides = []
    for a, b in ((0, 1), (1, 2), (2, 0)):
        low, high = np.minimum(triangles[:, a], triangles[:, b]), np.maximum(triangles[:, a], triangles[:, b])
        sides.append(order[np.searchsorted(code[order], low.astype(np.int64) * count + high)])
    for a in range(3):
        one, two, opposite = sides[a], sides[(a + 1) % 3], node[triangles[:, (a + 2) % 3]]
        for k in range(int(inner[one].max(initial=0))):
            has = inner[one] > k
            start = first[one] + k
            pairs.append(np.stack([start[has], opposite[has]], 1))
            for m in range(int(inner[two].max(initial=0))):
                both = has & (inner[two] > m)
                pairs.append(np.stack([start[both], first[two[both]] + m], 1))
    on_edge.append(np.full(sum(map(len, pairs[1:])), -1))
    return SurfaceGraph(points, ends, share, np.concatenate(pairs), np.concatenate(on_edge), edges, triangles)


@dataclass(frozen=True)
class Seam:
    """The line along which welded lips would part, from the right to the left corner of the mouth.

    Point i lies on the mesh edge between the vertices ends[i], at share[i] of the way from the first to the second. It
    is a vertex where both are the same. Neighbouring points lie on one edge or on one triangle.

    Attributes:
        points: Positions (N, 3), metres.
        ends: Vertices (N, 2).
        share: 0 to 1 (N,), 0 at a vertex.
        width: Width of the mouth, metres.
    """

    points: FloatArray
    ends: IntArray
    share: FloatArray
    width: float

    def rows(self) -> list[list[float]]:
        """Return both ends and the share of each point, for the report of a fit."""
        shares = self.share.round(4).tolist()
        return [[*ends, share] for ends, share in zip(self.ends.tolist(), shares, strict=True)]


def find_seam(target: TargetMesh, head: Head, fitted: FloatArray) -> Seam | None:
    """Find where lips that are one surface would part.

    Args:
        target: The mesh.
        head: The canonical head.
        fitted: The head, fitted to the mesh (H, 3), metres.

    Returns:
        None if the lips are cut.
    """
    landmarks = fitted[head.landmark_vertices]
    width = float(np.linalg.norm(landmarks[OUTER_CORNERS[0]] - landmarks[OUTER_CORNERS[1]]))
    if width <= 0 or not lip_detour(target, landmarks, width) < MAX_DETOUR:
        return None
    line = lip_line(head, fitted)
    triangles = _skin_near(target, line, LINE_RADIUS * width)
    if not len(triangles):
        return None
    graph = surface_graph(target.vertices, triangles, SEAM_STEP * width)
    path = _cheapest_path(graph, target, landmarks, line, width)
    if path is None:
        return None
    return Seam(graph.points[path], graph.ends[path], graph.share[path], width)


def lip_detour(target: TargetMesh, landmarks: FloatArray, width: float) -> float:
    """Return how much longer the way from lip to lip is along the surface than in a straight line.

    Args:
        target: The mesh.
        landmarks: Landmarks of the fitted head (68, 3), metres.
        width: Width of the mouth, metres.

    Returns:
        The median over COLUMNS, as a share of the mouth's width; infinite where no way is found.
    """
    middle = landmarks[INNER_LIPS].mean(0, keepdims=True)
    triangles = _skin_near(target, middle, SEARCH_RADIUS * width)
    if not len(triangles):
        return np.inf
    graph = surface_graph(target.vertices, triangles, STEP * width)
    lengths = np.maximum(np.linalg.norm(np.diff(graph.points[graph.pairs], axis=1)[:, 0], axis=1), MIN_LENGTH)
    ways = adjacency(graph.pairs, len(graph.points), lengths)
    lips = landmarks[np.array(COLUMNS)].mean(2)  # (3, 2, 3)
    ends = nearest_points(graph.points, lips.reshape(-1, 3))[1].reshape(-1, 2)
    along = dijkstra(ways, directed=False, indices=ends[:, 0])[np.arange(len(ends)), ends[:, 1]]
    straight = np.linalg.norm(graph.points[ends[:, 0]] - graph.points[ends[:, 1]], axis=1)
    return float(np.median(along - straight) / width)


def lip_line(head: Head, fitted: FloatArray) -> FloatArray:
    """Return points (LINE_POINTS, 3) of the line where the lips of the fitted head (H, 3) meet, right to left."""
    share = np.linspace(0, 1, LINE_POINTS)
    return (_along_lip(head, "upper_lip", fitted, share) + _along_lip(head, "lower_lip", fitted, share)) / 2


def _along_lip(head: Head, name: str, values: FloatArray, share: FloatArray) -> FloatArray:
    """Interpolate values (H, ...) of the head's vertices along the border of a lip, at shares (N,) of its width."""
    border = seam_vertices(head)[name]
    border = border[np.argsort(head.vertices[border, 0], kind="stable")]
    x = head.vertices[border, 0].astype(float)
    x = (x - x[0]) / (x[-1] - x[0])
    upper = np.searchsorted(x, share, side="left").clip(1, len(x) - 1)
    weight = ((share - x[upper - 1]) / np.maximum(x[upper] - x[upper - 1], 1e-9)).clip(0, 1)
    weight = weight.reshape(-1, *[1] * (values.ndim - 1))
    mixed: FloatArray = values[border[upper - 1]] * (1 - weight) + values[border[upper]] * weight
    return mixed


def _skin_near(target: TargetMesh, points: FloatArray, radius: float) -> IntArray:
    """Return the triangles (T, 3) of the skin with a corner within `radius` of points (N, 3)."""
    near = within(target.vertices, points, radius)
    triangles: IntArray = target.triangles[target.skin & near[target.triangles].any(1)]
    return triangles


def _cheapest_path(
    graph: SurfaceGraph, target: TargetMesh, landmarks: FloatArray, line: FloatArray, width: float
) -> IntArray | None:
    """Return the points (N,) of a path between the corners that keeps to the line and to grooves; None without one."""
    share = graph.share[:, None]
    normals = target.normals[graph.ends[:, 0]] * (1 - share) + target.normals[graph.ends[:, 1]] * share
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    off_line = nearest_points(line, graph.points)[0] / (LINE_WIDTH * width)
    groove = _groove_depth(graph, target.vertices, normals, GROOVE_RADIUS * width)
    one, two = graph.pairs.T
    length = np.maximum(np.linalg.norm(graph.points[one] - graph.points[two], axis=1), MIN_LENGTH)
    cost = length * (1 + ((off_line[one] + off_line[two]) / 2) ** 2)
    in_groove = np.exp(-GROOVE_GAIN * (groove[one] + groove[two])) * np.where(graph.on_edge < 0, 1, EDGE_COST)
    on_border = (graph.on_edge >= 0) & _border_edges(graph, target.vertices)[graph.on_edge]
    cost *= np.where(on_border, BORDER_COST, in_groove)
    start, end = (_corner_point(graph, landmarks[corner], width) for corner in INNER_CORNERS)
    ways = adjacency(graph.pairs, len(graph.points), cost)
    previous = dijkstra(ways, directed=False, indices=[start], return_predecessors=True)[1][0]
    path = [end]
    while path[-1] != start:
        if previous[path[-1]] < 0:
            return None
        path.append(int(previous[path[-1]]))
    return _without_points_along_edges(graph, np.array(path[::-1]))


def _border_edges(graph: SurfaceGraph, vertices: FloatArray) -> BoolArray:
    """Return which edges (M,) have more than two triangles, or two that meet at a sharp fold: the borders of lips."""
    triangles = graph.triangles
    sides = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    count = int(sides.max()) + 1
    codes, edge, uses = np.unique(sides @ [count, 1], return_inverse=True, return_counts=True)
    normals = triangle_normals(vertices, triangles)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)
    owners = np.argsort(edge.ravel(), kind="stable") // 3
    first = np.cumsum(uses) - uses
    second = np.minimum(first + 1, len(owners) - 1)
    cosine = (normals[owners[first]] * normals[owners[second]]).sum(1)
    border = (uses > 2) | ((uses == 2) & (cosine < FOLD_COSINE))
    found: BoolArray = border[np.searchsorted(codes, graph.edges @ [count, 1])]
    return found


def _groove_depth(graph: SurfaceGraph, vertices: FloatArray, normals: FloatArray, radius: float) -> FloatArray:
    """Return how far the surface around each point (N,) lies before it, as a share of the radius around; 0 if flat."""
    owner, weight = sample_surface(vertices, graph.triangles, radius / SAMPLES_PER_RADIUS)
    samples = blend_corners(vertices, graph.triangles[owner], weight)
    cells = np.floor(samples / (radius / SAMPLES_PER_RADIUS)).astype(int)
    samples = samples[np.unique(cells, axis=0, return_index=True)[1]]  # small triangles must not count for more
    near = cKDTree(graph.points).sparse_distance_matrix(cKDTree(samples), radius, output_type="coo_matrix")
    count = np.maximum(np.bincount(near.row, minlength=len(graph.points)), 1)
    means = np.stack([np.bincount(near.row, samples[near.col, k], len(graph.points)) for k in range(3)], 1)
    offset = means / count[:, None] - graph.points
    depth: FloatArray = np.where(count > 1, (offset * normals).sum(1) / radius, 0)
    return depth


def _corner_point(graph: SurfaceGraph, corner: FloatArray, width: float) -> int:
    """Return the point nearest to a corner of the mouth (3,); a vertex, if one is almost as near."""
    distance = np.linalg.norm(graph.points - corner, axis=1)
    is_vertex = graph.ends[:, 0] == graph.ends[:, 1]
    vertex = int(np.where(is_vertex, distance, np.inf).argmin())
    return vertex if distance[vertex] < CORNER_DISTANCE * width else int(distance.argmin())


def _without_points_along_edges(graph: SurfaceGraph, path: IntArray) -> IntArray:
    """Return a path (N,) without the points at which it goes on along the same edge."""
    is_vertex = graph.ends[path, 0] == graph.ends[path, 1]
    keep = np.ones(len(path), dtype=bool)
    for i in range(1, len(path) - 1):
        if not is_vertex[i]:
            keep[i] = not all(np.isin(graph.ends[path[k]], graph.ends[path[i]]).all() for k in (i - 1, i + 1))
    return path[keep]


def sides_of_seam(target: TargetMesh, seam: Seam, landmarks: FloatArray) -> IntArray:
    """Tell the upper from the lower lip by the seam between them.

    Args:
        target: The mesh.
        seam: The seam of its lips.
        landmarks: Landmarks of the fitted head (68, 3), metres.

    Returns:
        Mouth side of each vertex (V,), as mouth_sides.mouth_sides: 0 on the seam, at its ends and far from it.
    """
    triangles = _skin_near(target, seam.points, SIDE_RADIUS * seam.width)
    edges = unique_edges(triangles)
    crossed = np.sort(seam.ends[seam.share > 0], axis=1)
    on_seam = seam.ends[seam.share == 0, 0]
    count = len(target.vertices)
    cut = np.isin(edges @ [count, 1], crossed @ [count, 1]) | np.isin(edges, on_seam).any(1)
    ways = adjacency(edges[~cut], count, np.maximum(edge_lengths(target.vertices, edges[~cut]), MIN_LENGTH))
    usable = np.setdiff1d(used_vertices(triangles, count), on_seam)
    distances = []
    for marks in (UPPER_LIP, LOWER_LIP):
        seeds = usable[nearest_points(target.vertices[usable], landmarks[marks])[1]]
        distances.append(dijkstra(ways, directed=False, indices=np.unique(seeds), min_only=True))
    upper, lower = distances
    side = np.zeros(count, dtype=int)
    side[upper < CLEAR_RATIO * lower] = 1
    side[lower < CLEAR_RATIO * upper] = -1
    side[np.minimum(upper, lower) > SIDE_RADIUS * seam.width] = 0
    # Linings behind the seam, which hang at it alone or reach both lips around the corners: the upper one faces down.
    behind = usable[side[usable] == 0]
    distance, nearest = nearest_points(seam.points, target.vertices[behind])
    inner = (distance < LINING_RADIUS * seam.width) & (nearest > 0) & (nearest < len(seam.points) - 1)
    behind, nearest = behind[inner], nearest[inner]
    up = landmarks[UPPER_LIP].mean(0) - landmarks[LOWER_LIP].mean(0)
    way = target.vertices[behind] - seam.points[nearest]
    way /= np.maximum(np.linalg.norm(way, axis=1, keepdims=True), MIN_LENGTH)
    side[behind] = np.sign((way - target.normals[behind]) @ up)
    return side


def keep_lips_together(target: TargetMesh, seam: Seam, head: Head, shapes: FloatArray, basis: FloatArray) -> float:
    """Let welded lips move together, so that no skin is stretched over an open mouth.

    Towards the seam, both lips go over into a common motion. The jaw opens as far as the skin around the mouth allows.

    Args:
        target: The mesh. Its `side` is that of `sides_of_seam`.
        seam: The seam.
        head: The canonical head.
        shapes: Offsets of the fitted head (52, H, 3), metres. The jaw's are changed in place.
        basis: Offsets of the mesh (52, V, 3), metres. Changed in place.

    Returns:
        Share of the jaw's motion that remains, 0 to 1.
    """
    share = np.linspace(0, 1, LINE_POINTS)
    by_vertex = shapes.transpose(1, 0, 2)
    upper, lower = (_along_lip(head, lip, by_vertex, share).transpose(1, 0, 2) for lip in ("upper_lip", "lower_lip"))
    common = upper * (1 - LOWER_SHARE) + lower * LOWER_SHARE  # (52, L, 3)
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(seam.points, axis=0), axis=1))])
    at = length / max(length[-1], MIN_LENGTH)
    line = np.stack([np.interp(share, at, seam.points[:, k]) for k in range(3)], axis=1)
    distance, place = nearest_points(line, target.vertices)
    for side, lip, reach in ((1, upper, UPPER_REACH), (-1, lower, LOWER_REACH)):
        rows = np.flatnonzero((target.side == side) & (distance < reach * seam.width))
        falloff = 1 - smoothstep(distance[rows], 0, reach * seam.width)
        basis[:, rows] += (common - lip)[:, place[rows]] * falloff[:, None]
    on_seam = seam.ends[seam.share == 0, 0]
    basis[:, on_seam] = common[:, place[on_seam]]
    around = _skin_near(target, line, STRETCH_RADIUS * seam.width)
    used, corners = np.unique(around, return_inverse=True)
    rest, opened, corners = target.vertices[used], basis[JAW_OPEN, used], corners.reshape(-1, 3)
    jaw = _greatest(lambda part: stretch(rest, rest + part * opened, corners) < MAX_STRETCH)
    for offsets in (shapes, basis):
        offsets[[JAW_OPEN, MOUTH_CLOSE]] *= jaw
    return jaw


def stretch(rest: FloatArray, posed: FloatArray, triangles: IntArray) -> float:
    """Return the stretch that no more than STRETCHED_SHARE of the posed surface exceeds.

    A triangle's stretch is the greatest factor by which a direction in it grows.

    Args:
        rest: Vertices at rest (V, 3).
        posed: Vertices in the pose (V, 3).
        triangles: Triangles (T, 3).
    """
    a, b = rest[triangles], posed[triangles]
    along, other = a[:, 1] - a[:, 0], a[:, 2] - a[:, 0]
    length = np.maximum(np.linalg.norm(along, axis=1), MIN_LENGTH)
    shift = (along * other).sum(1) / length
    height = np.sqrt(np.maximum((other**2).sum(1) - shift**2, MIN_LENGTH**2))
    first = (b[:, 1] - b[:, 0]) / length[:, None]
    second = (b[:, 2] - b[:, 0] - first * shift[:, None]) / height[:, None]
    p, q, r = (first**2).sum(1), (first * second).sum(1), (second**2).sum(1)
    factor = np.sqrt((p + r) / 2 + np.sqrt(((p - r) / 2) ** 2 + q**2))
    area = np.linalg.norm(np.cross(b[:, 1] - b[:, 0], b[:, 2] - b[:, 0]), axis=1)
    order = np.argsort(factor)
    cumulated = np.cumsum(area[order])
    rank = np.searchsorted(cumulated, (1 - STRETCHED_SHARE) * cumulated[-1]).clip(0, len(order) - 1)
    return float(factor[order[rank]])


def _greatest(is_good: Callable[[float], bool]) -> float:
    """Return the greatest share, 0 to 1, that is good, if all smaller ones are; to 2 ** -BISECTIONS."""
    if is_good(1.0):
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_good(middle) else (low, middle)
    return low
