"""Carries values of FLAME's vertices onto the project's head, by the registration that fits it to any mesh.

The head is fitted to FLAME's mean face as to a mesh of a user. Every vertex of its skin then has a place on a triangle
of FLAME, on its own side of the mouth. FLAME has no teeth, tongue, mouth bag or eye sockets: the skin in there goes
smoothly over from where it is known, and the loose parts are left to the caller.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu
from threadpoolctl import threadpool_limits

from ..errors import LSFError
from ..face import parts
from ..face.geometry import Similarity, closest_on_triangles, uniform_laplacian, unique_edges, vertex_normals
from ..face.head import LANDMARK_COUNT, Head, HeadPart, HeadRegion
from ..face.localisation import locate_face
from ..face.registration import Registration
from ..face.space import check_mesh
from ..numerics import BoolArray, FloatArray, IntArray

TO_HEAD_AXES = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # from Y up, facing +Z to Z up, facing −Y
MAX_DISTANCE = 0.008  # metres between a fitted vertex and its place on FLAME; farther ones are filled in


@dataclass(frozen=True)
class Carrier:
    """Where the H vertices of the head lie on FLAME's V vertices.

    Attributes:
        matrix: Values of FLAME's vertices to values of the head's skin (H, V); rows of loose parts are 0. Rows of the
            skin add up to 1.
        axes: Rotation (3, 3) from FLAME's axes to the head's.
        scale: Metres of FLAME in a metre of the head's frame.
        shift: FLAME's origin in the head's frame (3,), metres.
        fitted: The head with all its parts, fitted to FLAME's mean face, in the head's frame (H, 3), metres.
        residual: Mean distance of the fit with identity alone, metres.
        unmatched: Share of the skin outside of mouth and sockets that has no place on FLAME.
        distance: Mean distance of the others from their place, metres.
    """

    matrix: sparse.csr_matrix
    axes: FloatArray
    scale: float
    shift: FloatArray
    fitted: FloatArray
    residual: float
    unmatched: float
    distance: float

    def vectors(self, offsets: FloatArray) -> FloatArray:
        """Carry offsets (..., V, 3) in FLAME's axes to the head's skin (..., H, 3), in the head's frame."""
        flat = np.moveaxis(offsets, -2, 0).reshape(offsets.shape[-2], -1)
        carried = np.moveaxis((self.matrix @ flat).reshape(-1, *offsets.shape[:-2], 3), 0, -2)
        turned: FloatArray = carried @ self.axes.T / self.scale
        return turned

    def points(self, points: FloatArray) -> FloatArray:
        """Bring points (..., 3) from FLAME's axes to the head's frame."""
        placed: FloatArray = points @ self.axes.T / self.scale + self.shift
        return placed

    def weights(self, values: FloatArray) -> FloatArray:
        """Carry numbers (V,) to the head's skin (H,)."""
        carried: FloatArray = self.matrix @ values
        return carried


def carry(vertices: FloatArray, triangles: IntArray, head: Head) -> Carrier:
    """Fit the head to FLAME's mean face.

    Args:
        vertices: FLAME's vertices at rest (V, 3), in FLAME's axes.
        triangles: Triangles (T, 3).
        head: The canonical head.

    Raises:
        LSFError: "no_face", "several_faces" or "bad_mesh" if the vertices are no face that can be fitted.
    """
    with threadpool_limits(limits=1, user_api="blas"):  # for one result on all machines: see face.space.fit
        registration = register(vertices, triangles, head)
    skin = np.flatnonzero(head.part == HeadPart.SKIN)  # a prefix of the vertices
    on_face = np.flatnonzero(~np.isin(head.region[skin], (HeadRegion.MOUTH_BAG, HeadRegion.SOCKET)))
    corners, weights, distance, found = _places(registration, head, on_face)
    known = on_face[found]
    matrix = sparse.csr_matrix(
        (weights.ravel(), (np.repeat(known, 3), corners.ravel())), shape=(len(head.vertices), len(vertices))
    )
    to_mesh = registration.to_mesh
    if not isinstance(to_mesh, Similarity):
        raise LSFError("no_face", "The mean face of this file has not the proportions of a person's head.")
    return Carrier(
        _filled_in(matrix, known, head),
        to_mesh.rotation.T @ TO_HEAD_AXES,
        float(to_mesh.scale),
        to_mesh.apply_inverse(np.zeros(3)),
        registration.fitted,
        registration.residual,
        float(1 - found.mean()),
        float(distance.mean()),
    )


def register(vertices: FloatArray, triangles: IntArray, head: Head) -> Registration:
    """Fit the canonical head to a mesh in FLAME's axes.

    Args:
        vertices: Vertices (V, 3), Y up and facing +Z.
        triangles: Triangles (T, 3).
        head: The canonical head.

    Raises:
        LSFError: As `carry`.
    """
    points, corners = check_mesh(vertices @ TO_HEAD_AXES.T, triangles)
    _, registration = locate_face(
        points,
        corners,
        parts.connected_pieces(points, corners),
        np.full((LANDMARK_COUNT, 3), np.nan),
        np.full(len(points), parts.AUTOMATIC),
        head,
        before_fit=lambda: None,
        before_look=lambda: None,
    )
    return registration


def _places(
    registration: Registration, head: Head, on_face: IntArray
) -> tuple[IntArray, FloatArray, FloatArray, BoolArray]:
    """Find the places of the head's vertices (N,) on the mesh.

    Returns:
        For the M vertices that have one: the corners of its triangle (M, 3), barycentric weights (M, 3) and distance
        (M,), metres. Then which of the N these are, as booleans (N,).
    """
    target, fitted = registration.target, registration.fitted
    normals = vertex_normals(fitted, head.faces[(head.part[head.faces] == HeadPart.SKIN).all(1)])
    match = target.find_correspondences(fitted[on_face], normals[on_face], MAX_DISTANCE, head.mouth_side[on_face])
    found = match >= 0
    corners = target.point_corners[match[found]]
    points = fitted[on_face[found]]
    weights = closest_on_triangles(points, target.vertices[corners])
    distance = np.linalg.norm((target.vertices[corners] * weights[..., None]).sum(1) - points, axis=1)
    return corners, weights, distance, found


def _filled_in(matrix: sparse.csr_matrix, known: IntArray, head: Head) -> sparse.csr_matrix:
    """Fill in the rows of the skin's other vertices, so that values go over smoothly (a harmonic function)."""
    skin = int((head.part == HeadPart.SKIN).sum())
    unknown = np.setdiff1d(np.arange(skin), known)
    laplacian = uniform_laplacian(unique_edges(head.faces[(head.faces < skin).all(1)]), skin).tocsr()
    factors = splu(laplacian[unknown][:, unknown].tocsc())
    # Few of the known vertices border on the unknown ones: only these are solved for.
    coupling = -laplacian[unknown][:, known].tocsc()
    border = np.flatnonzero(np.diff(coupling.indptr))
    shares = factors.solve(coupling[:, border].toarray())
    fill = sparse.csr_matrix(shares) @ matrix[known[border]]
    rows = sparse.csr_matrix(
        (np.ones(len(unknown)), (unknown, np.arange(len(unknown)))), shape=(matrix.shape[0], len(unknown))
    )
    filled: sparse.csr_matrix = (matrix + rows @ fill).tocsr()
    return filled
