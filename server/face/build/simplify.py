"""Symmetric mesh simplification that keeps a subset of the vertices, so that every shape is carried over exactly.

Half-edge collapses in the order of their quadric error (Garland and Heckbert, "Surface simplification using quadric
error metrics", 1997), summed over several poses of the mesh so that places that bend stay dense. Both mirror halves
collapse together, so that a symmetric face stays symmetric.
"""

import heapq

import numpy as np
from scipy.spatial import cKDTree

from ...numerics import BoolArray, FloatArray, IntArray

LENGTH_COST = 2e-3  # share of the fourth power of the edge length in the cost: flat places do not become slivers
MIN_QUALITY = 0.12  # of a triangle; 1 is equilateral
MAX_QUALITY_LOSS = 0.9  # factor on the quality of the worst triangle around, if that is already below MIN_QUALITY
MIN_COSINE = 0.25  # between a triangle's normal before and after a collapse
MIRROR_TOLERANCE = 1e-4  # of the mesh's size, between a vertex and its mirror image
BORDER_WEIGHT = 2  # of the upright planes along open borders, times the squared edge length


def simplify(
    poses: FloatArray, triangles: IntArray, target: int, importance: FloatArray, locked: BoolArray
) -> tuple[IntArray, IntArray]:
    """Collapse edges of a mirror-symmetric mesh until `target` vertices are left.

    Args:
        poses: Vertices in each pose (P, V, 3), neutral first; x is the mirror axis.
        triangles: Triangles (T, 3).
        target: Number of vertices.
        importance: Factor on the error of each vertex (V,).
        locked: Vertices that stay (V,).

    Returns:
        The vertices that are kept (N,), and triangles (M, 3) in the new numbering.
    """
    return _Simplifier(poses, triangles, importance, locked).run(target)


class _Simplifier:
    """The mesh while it is simplified, and the queue of collapses.

    Attributes:
        poses: Vertices (V, P, 3).
        faces: Triangles that are left, by number.
        faces_of: Numbers of the triangles around each vertex.
        mirror: Mirror image of each vertex (V,), itself if there is none.
        quadrics: Error quadric of each vertex and pose (V, P, 4, 4).
        border: Whether a vertex lies on an open border (V,).
        stamp: Number of changes around each vertex (V,): queued collapses with an older number are outdated.
        queue: Heap of (cost, from, onto, stamp of from, stamp of onto).
    """

    def __init__(self, poses: FloatArray, triangles: IntArray, importance: FloatArray, locked: BoolArray):
        self.poses = np.ascontiguousarray(poses.transpose(1, 0, 2).astype(float))
        self.importance, self.locked = importance, locked
        self.faces: dict[int, tuple[int, ...]] = {i: tuple(t) for i, t in enumerate(triangles.tolist())}
        self.faces_of: list[set[int]] = [set() for _ in range(len(importance))]
        for i, t in self.faces.items():
            for v in t:
                self.faces_of[v].add(i)
        neutral = self.poses[:, 0]
        distance, mirror = cKDTree(neutral).query(neutral * (-1, 1, 1))
        self.mirror = np.where(distance < MIRROR_TOLERANCE * np.ptp(neutral), mirror, np.arange(len(neutral)))
        self.border = np.zeros(len(self.poses), dtype=bool)
        self.quadrics = self._quadrics(triangles)
        self.stamp = np.zeros(len(importance), dtype=int)
        self.queue: list[tuple[float, int, int, int, int]] = []

    def _quadrics(self, triangles: IntArray) -> FloatArray:
        """Return area-weighted plane quadrics (V, P, 4, 4), with upright planes along open borders; set `border`."""
        corners = self.poses[triangles]  # (T, 3, P, 3)
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        area = np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-12
        planes = [(triangles, normal / area, corners[:, 0], area[..., 0] / 2)]
        edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
        owner = np.tile(np.arange(len(triangles)), 3)
        _, first, count = np.unique(np.sort(edges, axis=1), axis=0, return_index=True, return_counts=True)
        open_edges, owner = edges[first[count == 1]], owner[first[count == 1]]
        if len(open_edges):
            self.border[open_edges] = True
            start, end = self.poses[open_edges[:, 0]], self.poses[open_edges[:, 1]]
            upright = np.cross(end - start, (normal / area)[owner])
            length = np.linalg.norm(upright, axis=-1, keepdims=True) + 1e-12
            planes.append((open_edges, upright / length, start, length[..., 0] ** 2 * BORDER_WEIGHT))
        quadrics = np.zeros((*self.poses.shape[:2], 4, 4))
        for members, unit, point, weight in planes:
            plane = np.concatenate([unit, -(unit * point).sum(-1, keepdims=True)], axis=-1)
            outer = plane[..., :, None] * plane[..., None, :] * weight[..., None, None]
            for k in range(members.shape[1]):
                np.add.at(quadrics, members[:, k], outer)
        weighted: FloatArray = quadrics * self.importance[:, None, None, None]
        return weighted

    def neighbours(self, v: int) -> set[int]:
        """Return the vertices that share an edge with v."""
        return {u for f in self.faces_of[v] for u in self.faces[f]} - {v}

    def cost(self, a: int, b: int) -> float:
        """Return the cost of moving vertex a onto b: the quadric error of all poses, and a term for length."""
        point = np.append(self.poses[b], np.ones((self.poses.shape[1], 1)), axis=1)
        error = np.einsum("pi,pij,pj->", point, self.quadrics[a] + self.quadrics[b], point)
        gap = self.poses[a, 0] - self.poses[b, 0]
        squared = gap @ gap
        return float(max(error, 0.0) + LENGTH_COST * self.importance[a] * squared * squared)

    def allowed(self, a: int, b: int) -> bool:
        """Return whether moving vertex a onto b keeps the topology, and neither flips nor degenerates a triangle."""
        if self.locked[a] or not self.faces_of[a] or not self.faces_of[b]:
            return False
        shared = self.faces_of[a] & self.faces_of[b]
        if not shared or (self.border[a] and (not self.border[b] or len(shared) != 1)):
            return False
        if len(self.neighbours(a) & self.neighbours(b)) != len(shared):
            return False
        moved = [self.faces[f] for f in self.faces_of[a] - shared]
        if not moved:
            return False
        before = self.poses[np.array(moved)]  # (M, 3, P, 3)
        after = before.copy()
        after[np.array(moved) == a] = self.poses[b]
        old, new = (np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]) for t in (before, after))
        size = np.linalg.norm(old, axis=-1) * np.linalg.norm(new, axis=-1)
        if ((old * new).sum(-1) < MIN_COSINE * size).any():
            return False
        quality = [
            2 * np.sqrt(3) * np.linalg.norm(n[:, 0], axis=-1) / ((t - np.roll(t, 1, axis=1))[:, :, 0] ** 2).sum((1, 2))
            for n, t in ((old, before), (new, after))
        ]
        return bool(quality[1].min() > min(MIN_QUALITY, quality[0].min() * MAX_QUALITY_LOSS))

    def collapse(self, a: int, b: int) -> None:
        """Move vertex a onto b."""
        for f in self.faces_of[a] & self.faces_of[b]:
            for v in self.faces.pop(f):
                self.faces_of[v].discard(f)
        for f in self.faces_of[a]:
            self.faces[f] = tuple(b if v == a else v for v in self.faces[f])
        self.faces_of[b] |= self.faces_of[a]
        self.faces_of[a] = set()
        self.quadrics[b] += self.quadrics[a]

    def push(self, v: int) -> None:
        """Queue the collapses around vertex v, again if they were queued before."""
        self.stamp[v] += 1
        for u in self.neighbours(v):
            for a, b in ((v, u), (u, v)):
                if not self.locked[a]:
                    entry = (self.cost(a, b), a, b, int(self.stamp[a]), int(self.stamp[b]))
                    heapq.heappush(self.queue, entry)

    def run(self, target: int) -> tuple[IntArray, IntArray]:
        """Collapse until `target` vertices are left, or no collapse is allowed; return vertices and triangles."""
        alive = sum(1 for faces in self.faces_of if faces)
        for v, faces in enumerate(self.faces_of):
            if faces:
                self.push(v)
        while alive > target and self.queue:
            _, a, b, stamp_a, stamp_b = heapq.heappop(self.queue)
            if stamp_a != self.stamp[a] or stamp_b != self.stamp[b]:
                continue
            mirror_a, mirror_b = int(self.mirror[a]), int(self.mirror[b])
            if a == mirror_a and b != mirror_b:
                continue  # a vertex of the midline may only move along it
            if not self.allowed(a, b) or (mirror_a != a and not self.allowed(mirror_a, mirror_b)):
                continue
            self.collapse(a, b)
            alive -= 1
            self.push(b)
            if mirror_a != a and self.allowed(mirror_a, mirror_b):
                self.collapse(mirror_a, mirror_b)
                alive -= 1
                self.push(mirror_b)
        kept = np.array([v for v, faces in enumerate(self.faces_of) if faces])
        index = np.full(len(self.faces_of), -1)
        index[kept] = np.arange(len(kept))
        return kept, index[np.array(list(self.faces.values()))]
