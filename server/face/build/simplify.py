"""Symmetric mesh simplification that keeps a subset of the vertices, so that every shape carries over exactly.

Half-edge collapses in the order of quadric error (Garland and Heckbert 1997), summed over several poses of the mesh
so that places which bend stay dense, and done to both mirror halves at once so that a symmetric face stays symmetric.
"""

import heapq

import numpy as np
from scipy.spatial import cKDTree

_UNIFORMITY = 2e-3  # share of the squared edge length in the cost: keeps flat places from becoming slivers
_MIN_QUALITY = 0.12  # of a triangle, 1 is equilateral
_MIN_TURN = 0.25  # least cosine between a triangle's normal before and after


def simplify(poses: np.ndarray, triangles: np.ndarray, target: int, importance: np.ndarray, locked: np.ndarray):
    """Collapse edges of a mirror-symmetric mesh until `target` vertices are left.

    poses (P, V, 3), neutral first, x the mirror axis; importance (V,) multiplies the error; locked (V,) bool vertices
    stay. Returns (kept (N,) vertex indices, triangles (M, 3) in the new numbering).
    """
    return _Simplifier(poses, triangles, importance, locked).run(target)


class _Simplifier:
    def __init__(self, poses, triangles, importance, locked):
        self.poses = np.ascontiguousarray(poses.transpose(1, 0, 2).astype(float))  # (V, P, 3)
        self.importance, self.locked = importance, locked
        self.faces = {i: tuple(t) for i, t in enumerate(triangles.tolist())}
        self.of_vertex = [set() for _ in range(len(importance))]
        for i, t in self.faces.items():
            for v in t:
                self.of_vertex[v].add(i)
        neutral = self.poses[:, 0]
        distance, mirror = cKDTree(neutral).query(neutral * (-1, 1, 1))
        self.mirror = np.where(distance < 1e-4 * np.ptp(neutral), mirror, np.arange(len(mirror)))
        self.quadrics = self._quadrics(triangles)
        self.stamp = np.zeros(len(importance), dtype=int)

    def _quadrics(self, triangles):
        """Area-weighted plane quadrics of every vertex and pose, (V, P, 4, 4), with upright planes on open borders."""
        corners = self.poses[triangles]  # (T, 3, P, 3)
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        area = np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-12
        planes = [(triangles, normal / area, corners[:, 0], area[..., 0] / 2)]
        edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
        owner = np.tile(np.arange(len(triangles)), 3)
        _, first, count = np.unique(np.sort(edges, axis=1), axis=0, return_index=True, return_counts=True)
        open_edges, owner = edges[first[count == 1]], owner[first[count == 1]]
        self.border = np.zeros(len(self.poses), dtype=bool)
        if len(open_edges):
            self.border[open_edges] = True
            start, end = self.poses[open_edges[:, 0]], self.poses[open_edges[:, 1]]
            upright = np.cross(end - start, (normal / area)[owner])
            length = np.linalg.norm(upright, axis=-1, keepdims=True) + 1e-12
            planes.append((open_edges, upright / length, start, length[..., 0] ** 2 * 2))
        quadrics = np.zeros((*self.poses.shape[:2], 4, 4))
        for members, unit, point, weight in planes:
            plane = np.concatenate([unit, -(unit * point).sum(-1, keepdims=True)], axis=-1)
            outer = plane[..., :, None] * plane[..., None, :] * weight[..., None, None]
            for k in range(members.shape[1]):
                np.add.at(quadrics, members[:, k], outer)
        return quadrics * self.importance[:, None, None, None]

    def neighbours(self, v):
        return {u for f in self.of_vertex[v] for u in self.faces[f]} - {v}

    def cost(self, a, b):
        """Error of moving vertex a onto b: squared distance to a's planes in every pose, plus a little length."""
        point = np.append(self.poses[b], np.ones((self.poses.shape[1], 1)), axis=1)
        error = np.einsum("pi,pij,pj->", point, self.quadrics[a] + self.quadrics[b], point)
        gap = self.poses[a, 0] - self.poses[b, 0]
        length = gap @ gap
        return max(error, 0.0) + _UNIFORMITY * self.importance[a] * length * length

    def allowed(self, a, b):
        if self.locked[a] or not self.of_vertex[a] or not self.of_vertex[b]:
            return False
        shared = self.of_vertex[a] & self.of_vertex[b]
        if not shared or (self.border[a] and (not self.border[b] or len(shared) != 1)):
            return False
        if len(self.neighbours(a) & self.neighbours(b)) != len(shared):
            return False
        moved = [self.faces[f] for f in self.of_vertex[a] - shared]
        if not moved:
            return False
        before = self.poses[np.array(moved)]  # (M, 3, P, 3)
        after = before.copy()
        after[np.array(moved) == a] = self.poses[b]
        old, new = (np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]) for t in (before, after))
        size = np.linalg.norm(old, axis=-1) * np.linalg.norm(new, axis=-1)
        if ((old * new).sum(-1) < _MIN_TURN * size).any():
            return False
        quality = [
            2 * np.sqrt(3) * np.linalg.norm(n[:, 0], axis=-1) / ((t - np.roll(t, 1, axis=1))[:, :, 0] ** 2).sum((1, 2))
            for n, t in ((old, before), (new, after))
        ]
        return quality[1].min() > min(_MIN_QUALITY, quality[0].min() * 0.9)

    def collapse(self, a, b):
        for f in self.of_vertex[a] & self.of_vertex[b]:
            for v in self.faces.pop(f):
                self.of_vertex[v].discard(f)
        for f in self.of_vertex[a]:
            self.faces[f] = tuple(b if v == a else v for v in self.faces[f])
        self.of_vertex[b] |= self.of_vertex[a]
        self.of_vertex[a] = set()
        self.quadrics[b] += self.quadrics[a]

    def push(self, v):
        """(Re)queue the cheapest collapses around vertex v."""
        self.stamp[v] += 1
        for u in self.neighbours(v):
            for a, b in ((v, u), (u, v)):
                if not self.locked[a]:
                    heapq.heappush(self.heap, (self.cost(a, b), a, b, self.stamp[a], self.stamp[b]))

    def run(self, target):
        self.heap = []
        alive = sum(1 for faces in self.of_vertex if faces)
        for v, faces in enumerate(self.of_vertex):
            if faces:
                self.push(v)
        while alive > target and self.heap:
            _, a, b, stamp_a, stamp_b = heapq.heappop(self.heap)
            if stamp_a != self.stamp[a] or stamp_b != self.stamp[b]:
                continue
            twin = self.mirror[a], self.mirror[b]
            if (a == twin[0]) != (b == twin[1]) and a == twin[0]:
                continue  # a vertex of the midline may only move along it
            if not self.allowed(a, b) or (twin[0] != a and not self.allowed(*twin)):
                continue
            self.collapse(a, b)
            alive -= 1
            self.push(b)
            if twin[0] != a and self.allowed(*twin):
                self.collapse(*twin)
                alive -= 1
                self.push(twin[1])
        kept = np.array([v for v, faces in enumerate(self.of_vertex) if faces])
        index = np.full(len(self.of_vertex), -1)
        index[kept] = np.arange(len(kept))
        return kept, index[np.array(list(self.faces.values()))]
