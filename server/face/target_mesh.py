"""The mesh that the canonical head is fitted to, in the head's frame, with sample points for closest-point queries."""

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial import cKDTree

from ..errors import LSFError
from ..numerics import BoolArray, FloatArray, IntArray, lengths
from .geometry import (
    Similarity,
    blend_corners,
    sample_surface,
    search_tree,
    triangle_normals,
    used_vertices,
)

SAMPLE_SPACING = 0.002  # metres between sample points
# Square metres of skin within the radius of `sample`. Heads have 0.1 to 0.4; triangles at random have hundreds, and
# sampling them would take minutes.
MAX_AREA = 3.0
MIN_COSINE = 0.6  # between normals of corresponding points
NORMAL_PENALTY = 0.004  # metres that are added to a distance per unit of 1 - cosine


def no_face_error() -> LSFError:
    """Return the error for a mesh on which no face is found."""
    return LSFError(
        "no_face",
        "No face was found on this mesh: select the character's head, or place four landmarks by hand (Face > "
        "Landmarks): both corners of the mouth, the tip of the nose and the chin are enough.",
    )


@dataclass
class TargetMesh:
    """The user's mesh in the head's frame (metres, Z up, facing −Y).

    Attributes:
        vertices: Vertices (V, 3).
        triangles: Triangles (T, 3).
        normals: Unit vertex normals (V, 3).
        side: Mouth side of each vertex (V,) as Head.mouth_side, 0 until it is known.
        skin: Triangles of the piece that carries the face (T,).
        points: Sample points of the skin near the face (N, 3), after `sample`.
        point_normals: Their unit normals (N, 3).
        point_corners: Vertices of the triangle of each sample point (N, 3).
        tree: Search tree over `points`, in the frame in which they were sampled.
        to_tree: Transform from the present frame to that one.
    """

    vertices: FloatArray
    triangles: IntArray
    normals: FloatArray
    side: IntArray
    skin: BoolArray
    points: FloatArray = field(init=False)
    point_normals: FloatArray = field(init=False)
    point_corners: IntArray = field(init=False)
    tree: cKDTree = field(init=False)
    to_tree: Similarity = field(init=False)

    def skin_vertices(self) -> IntArray:
        """Return the vertices of the skin (N,), in order."""
        return used_vertices(self.triangles[self.skin], len(self.vertices))

    def sample(self, centre: FloatArray, radius: float) -> None:
        """Sample the skin within `radius` metres of `centre` (3,).

        Raises:
            LSFError: "no_face" if no triangle of the skin lies there, or more of them than a surface has.
        """
        near = ((self.vertices - centre) ** 2).sum(1) < radius**2
        near = self.skin & near[self.triangles].any(1)
        if not near.any():
            raise no_face_error()
        triangles = self.triangles[near]
        if lengths(triangle_normals(self.vertices, triangles)).sum() / 2 > MAX_AREA:
            raise no_face_error()
        owner, weight = sample_surface(self.vertices, triangles, SAMPLE_SPACING)
        self.point_corners = triangles[owner]
        self.points = blend_corners(self.vertices, self.point_corners, weight)
        normals = blend_corners(self.normals, self.point_corners, weight)
        self.point_normals = normals / np.maximum(lengths(normals), 1e-12)[:, None]
        self.tree = search_tree(self.points)
        self.to_tree = Similarity(1.0, np.eye(3), np.zeros(3))

    def flip_normals(self) -> None:
        """Reverse all normals."""
        self.normals, self.point_normals = -self.normals, -self.point_normals

    def change_frame(self, to_present: Similarity) -> None:
        """Move the mesh into another frame; `to_present` is the transform from that frame to the present one."""
        self.vertices = to_present.apply_inverse(self.vertices)
        self.points = to_present.apply_inverse(self.points)
        self.normals = self.normals @ to_present.rotation
        self.point_normals = self.point_normals @ to_present.rotation
        self.to_tree = self.to_tree.after(to_present)

    def nearest_samples(self, points: FloatArray) -> tuple[FloatArray, IntArray]:
        """Return distance and index (M,) of the sample point nearest to each point (M, 3)."""
        distance, index = self.tree.query(self.to_tree.apply(points))
        return np.asarray(distance) / self.to_tree.scale, np.asarray(index)

    def find_correspondences(
        self,
        points: FloatArray,
        normals: FloatArray,
        max_distance: float,
        side: IntArray | None = None,
        neighbours: int = 8,
    ) -> IntArray:
        """Return the best sample point for each given point: near, with a like normal, on the same side of the mouth.

        Args:
            points: Points (M, 3).
            normals: Their unit normals (M, 3).
            max_distance: Metres; sample points farther away do not count.
            side: Mouth side of each point (M,); None ignores the sides.
            neighbours: Number of nearest sample points to choose from.

        Returns:
            Index of a sample point (M,), -1 where none is suitable.
        """
        scale, queries = self.to_tree.scale, self.to_tree.apply(points)
        distance, index = self.tree.query(queries, k=neighbours, distance_upper_bound=max_distance * scale)
        distance = distance / scale
        found = index < len(self.points)
        index = np.where(found, index, 0)
        cosine = np.einsum("nki,ni->nk", self.point_normals[index], normals)
        usable = found & (cosine > MIN_COSINE)
        if side is not None:
            usable &= self.side[self.point_corners[index]].sum(2) * side[:, None] >= 0
        score = np.where(usable, distance + NORMAL_PENALTY * (1 - cosine), np.inf)
        best = score.argmin(1)
        rows = np.arange(len(points))
        return np.where(np.isfinite(score[rows, best]), index[rows, best], -1)
