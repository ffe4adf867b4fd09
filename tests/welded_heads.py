"""Heads whose lips are one surface, made from the project's own head. Needs no bpy."""

from pathlib import Path

import numpy as np

from server.arkit import CHANNELS
from server.face.raster import render

ASSET = Path(__file__).parents[1] / "server" / "face" / "assets" / "head.npz"
SKIN, MOUTH_BAG = 0, 3  # values of `part` and `region`
AJAR = 0.1  # of jawOpen
MOST_DEPTH = 0.012  # metres within a quad of a scan
UPPER_LIP, LOWER_LIP = 1, 2  # bits of `seam`


def load():
    with np.load(ASSET, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def skin(with_bag):
    """Vertices (V, 3) of the whole head, and the triangles (T, 3) of its skin, with or without the mouth's inside."""
    head = load()
    faces = head["faces"]
    keep = (head["part"][faces] == SKIN).all(1)
    if not with_bag:
        keep &= ~(head["region"][faces] == MOUTH_BAG).any(1)
    return head["vertices"].astype(float), faces[keep]


def lip_borders():
    """Vertices along the border of the upper and of the lower lip, from right to left."""
    head = load()
    borders = [np.flatnonzero(head["seam"] & bit) for bit in (UPPER_LIP, LOWER_LIP)]
    return [border[np.argsort(head["vertices"][border, 0], kind="stable")] for border in borders]


def merged(with_bag=False):
    """The lips' borders merged to one line, as Merge by Distance does; their linings, and the inside, hang at it."""
    vertices, triangles = skin(with_bag)
    upper, lower = lip_borders()
    new = np.arange(len(vertices))
    gap = np.linalg.norm(vertices[lower][:, None] - vertices[upper], axis=2)
    new[lower] = upper[gap.argmin(1)]
    return used(vertices, without_degenerate(new[triangles]))


def bridged():
    """A mouth that is ajar, with triangles from lip to lip: its inside stays behind them."""
    vertices, triangles = skin(True)
    head = load()
    vertices = vertices + AJAR * head["basis"][CHANNELS.index("jawOpen")]
    return used(vertices, np.concatenate([triangles, strip(vertices, *lip_borders())]))


def scanned(spacing=0.0025):
    """What a scanner sees from the front: a grid of quads, whose lips are one skin. Returns faces (T, 4)."""
    vertices, triangles = skin(True)
    size = 0.26
    pixels = round(size / spacing)
    view = render(vertices, triangles, np.zeros_like(vertices), np.array([0, -0.03]), size, pixels)
    step = (np.arange(pixels) + 0.5) * size / pixels - size / 2
    x, z = np.meshgrid(step, -0.03 - step)
    points = np.stack([x, view.depth, z], axis=-1)
    index = np.arange(pixels * pixels).reshape(pixels, pixels)
    quads = np.stack([index[1:, :-1], index[1:, 1:], index[:-1, 1:], index[:-1, :-1]], axis=-1).reshape(-1, 4)
    depth = view.depth.ravel()[quads]
    seen = np.isfinite(depth).all(1) & (np.ptp(np.nan_to_num(depth), axis=1) < MOST_DEPTH)
    return used(np.nan_to_num(points.reshape(-1, 3)), quads[seen])


def painted(spacing=0.0025):
    """Lips that are hardly more than a line on the skin: `scanned`, made smooth around the mouth."""
    vertices, quads = scanned(spacing)
    middle = load()["vertices"][lip_borders()[0]].mean(0)
    edges = np.unique(np.sort(quads[:, [[0, 1], [1, 2], [2, 3], [3, 0]]].reshape(-1, 2), axis=1), axis=0)
    weight = np.clip(1.5 - np.linalg.norm(vertices - middle, axis=1) / 0.03, 0, 1)[:, None] / 2
    degree = np.bincount(edges.ravel(), minlength=len(vertices))[:, None]
    for _ in range(15):
        total = np.zeros_like(vertices)
        np.add.at(total, edges[:, 0], vertices[edges[:, 1]])
        np.add.at(total, edges[:, 1], vertices[edges[:, 0]])
        vertices = vertices + weight * (total / np.maximum(degree, 1) - vertices)
    return vertices, quads


def triangulated(faces):
    """Triangles (T, 3) of triangles or quads."""
    return np.concatenate([faces[:, [0, k, k + 1]] for k in range(1, faces.shape[1] - 1)])


def strip(vertices, upper, lower):
    """Triangles (T, 3) between two lines of vertices that run from right to left."""
    i, j, triangles = 0, 0, []
    while i < len(upper) - 1 or j < len(lower) - 1:
        on_upper = j == len(lower) - 1 or (i < len(upper) - 1 and vertices[upper[i + 1], 0] < vertices[lower[j + 1], 0])
        following = upper[i + 1] if on_upper else lower[j + 1]
        triangles.append((lower[j], following, upper[i]))  # counterclockwise, seen from the front
        i, j = (i + 1, j) if on_upper else (i, j + 1)
    return without_degenerate(np.array(triangles))


def without_degenerate(triangles):
    a, b, c = triangles.T
    return triangles[(a != b) & (b != c) & (c != a)]


def used(vertices, faces):
    """Drop the vertices that no face has."""
    kept, corners = np.unique(faces, return_inverse=True)
    return vertices[kept], corners.reshape(faces.shape)
