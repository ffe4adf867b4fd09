"""Weights of a rig's own shape keys that come nearest to the wanted motion: bounded least squares, smooth in time.

The wanted offsets of frame f are Σₖ motion[f, k] · basis[k], those of the rig Σᵣ weights[f, r] · shapes[r]. Their
distance over the vertices, weighted to mouth, lids and brows, needs only products of shapes with shapes (R, R) and
with the basis (R, K), so the vertices are looked at once. How far the lips are apart counts more the nearer they are
to touching: a rig whose shapes fit nothing well still closes its lips on p, b and m.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import LSFError

MAX_SHAPES = 1000
MAX_WEIGHT = 100.0  # either way: no shape key is meant to go further
REGION = np.arange(17, 68)  # landmarks around which the motion matters: brows, nose, lids, mouth
REACH = 0.22  # of the distance of the outer eye corners, around a landmark
ELSEWHERE = 0.05  # weight of vertices far from them
UPPER, LOWER = [61, 62, 63], [67, 66, 65]  # inner lips, right to left
NEARLY_CLOSED = 0.03  # aperture over the distance of the outer eye corners below which lips are about to touch
CLOSURE = 3.0  # weight of the aperture of closing lips, times that of all shapes together
SMOOTH, SMALL = 0.005, 1e-4  # weights of changes from frame to frame and of the weights' size, times that of one shape
ITERATIONS, GOOD_ENOUGH = 400, 1e-4


@dataclass(frozen=True)
class Rig:
    """A rig's own shape keys. Checked when made: LSFError("bad_rig", …)."""

    shapes: np.ndarray  # (R, V, 3) float32 offsets at value 1, in the mesh's units and vertex order
    limits: np.ndarray  # (R, 2) least and greatest value

    def __post_init__(self):
        if self.shapes.ndim != 3 or self.shapes.shape[2] != 3 or self.shapes.dtype.kind != "f":
            raise LSFError("bad_rig", f"The rig's shapes must be float (R, V, 3), not {self.shapes.shape}.")
        if not 0 < len(self.shapes) <= MAX_SHAPES:
            raise LSFError("bad_rig", f"A rig has 1 to {MAX_SHAPES} shapes, not {len(self.shapes)}.")
        if not np.isfinite(self.shapes).all():
            raise LSFError("bad_rig", "The rig has shape keys with coordinates that are not numbers: repair them.")
        good = self.limits.shape == (len(self.shapes), 2) and (np.abs(self.limits) <= MAX_WEIGHT).all()
        if not good or (self.limits[:, 0] > self.limits[:, 1]).any():
            raise LSFError(
                "bad_rig",
                f"The rig's limits must be {len(self.shapes)} pairs of numbers, the smaller one "
                f"first, from {-MAX_WEIGHT:g} to {MAX_WEIGHT:g}.",
            )


def solve(rig: Rig, vertices: np.ndarray, face, motion: np.ndarray) -> np.ndarray:
    """(F, R) float32 weights for `motion` (F, K) on `face`, a FaceSpace of the mesh with `vertices` (V, 3)."""
    if rig.shapes.shape[1] != len(vertices):
        raise LSFError(
            "bad_rig", f"The rig's shapes have {rig.shapes.shape[1]} vertices, not the mesh's {len(vertices)}."
        )
    eyes = np.linalg.norm(face.landmarks68[36] - face.landmarks68[45])
    weight = np.sqrt(importance(vertices, face.landmarks68, eyes))
    seen = (weight > 0) & (np.abs(rig.shapes).max((0, 2)) + np.abs(face.basis).max((0, 2)) > 0)
    flat = lambda offsets: (offsets[:, seen] * weight[seen, None] / eyes).reshape(len(offsets), -1)
    shapes, basis = flat(rig.shapes), flat(face.basis)
    gram, cross = (shapes @ shapes.T).astype(float), (shapes @ basis.T).astype(float)
    size = np.sqrt(np.diag(gram))
    used = size > 1e-4 * max(size.max(), 1e-12)
    weights = np.clip(np.zeros((len(motion), len(size))), *rig.limits.T)
    if not used.any():
        return weights.astype(np.float32)
    # Every shape counts alike, however far it moves: unknowns are weight times size.
    gram, size = gram[np.ix_(used, used)] / np.outer(size[used], size[used]), size[used]
    target = motion @ (cross[used] / size[:, None]).T  # (F, R)
    rest = apertures(vertices[None], face, eyes)[0]
    change = apertures(face.basis, face, eyes)  # (K, 3) by which channels part the lips
    lips = apertures(rig.shapes[used], face, eyes) / size[:, None]  # (R, 3)
    wanted = motion @ change  # (F, 3)
    closing = np.exp(-np.square(np.maximum(rest + wanted, 0).mean(1) / NEARLY_CLOSED))
    closing *= CLOSURE * len(size) / max((lips**2).sum(), 1e-12)
    low, high = (rig.limits[used] * size[:, None]).T
    weights[:, used] = bounded(gram, target, lips, wanted, closing, low, high) / size
    return np.clip(weights, *rig.limits.T).astype(np.float32)


def importance(vertices, landmarks, eyes):
    """(V,) 1 near mouth, lids and brows, ELSEWHERE far from them."""
    from scipy.spatial import cKDTree

    gap = cKDTree(landmarks[REGION]).query(vertices)[0]
    return ELSEWHERE + (1 - ELSEWHERE) * np.exp(-np.square(gap / (REACH * eyes)))


def apertures(offsets, face, eyes):
    """(N, 3) by how much offsets (N, V, 3) part the inner lips, over the distance of the eyes."""
    up = face.landmarks68[27] - face.landmarks68[8]
    up = up / np.linalg.norm(up)
    upper, lower = (offsets[:, face.landmark_vertices[points]] @ up for points in (UPPER, LOWER))
    return (upper - lower).astype(float) / eyes


def bounded(gram, target, lips, wanted, closing, low, high):
    """(F, R) minimum of Σ_f |shapes·w_f − offsets_f|² + closing_f |lips·w_f − wanted_f|² + SMOOTH |w_f − w_{f−1}|²
    + SMALL |w_f|² with low ≤ w_f ≤ high.

    Accelerated projected gradient over all frames at once (Beck and Teboulle 2009), restarted when it overshoots.
    """
    gram = gram + SMALL * np.eye(len(gram))
    target = target + closing[:, None] * (wanted @ lips.T)
    steepest = np.linalg.norm(gram, 2) + closing.max(initial=0) * np.linalg.norm(lips.T @ lips, 2) + 4 * SMOOTH
    here = ahead = np.clip(np.zeros_like(target), low, high)
    momentum = 1.0
    for _ in range(ITERATIONS):
        slope = ahead @ gram + closing[:, None] * (ahead @ lips @ lips.T) - target
        jump = SMOOTH * np.diff(ahead, axis=0)
        slope[:-1] -= jump
        slope[1:] += jump
        there = np.clip(ahead - slope / steepest, low, high)
        step = there - here
        if ((ahead - there) * step).sum() > 0:
            momentum = 1.0
        faster = 0.5 + np.sqrt(0.25 + momentum**2)
        ahead = there + (momentum - 1) / faster * step
        here, momentum = there, faster
        if np.abs(step).max(initial=0) < GOOD_ENOUGH * np.abs(here).max(initial=1e-9):
            break
    return here
