"""The jaw as shape keys: keys at several angles, with an error bound that holds for every angle in their range.

FLAME's jaw turns, and its pose correctives depend on the rotation matrix, so no fixed offsets per radian show it: the
chin, 10 cm from the joint, leaves the straight line by 10 cm · angle² / 2. Shape keys move along straight lines, too,
but keys at several opening angles follow the arc as a chain of short lines. Sideways motion and roll have their own
keys at some of these angles, because an open jaw moves sideways along another way than a closed one.

Between neighbouring openings Xᵢ ≤ x ≤ Xᵢ₊₁ the keys are blended linearly, and so are the sideways keys between theirs:

    offset(x, y, z) ≈ Σᵢ hatᵢ(x) · f(Xᵢ, 0, 0) + Σₛ hatₛ(x) · (|y| / Y · d(Xₛ, ±Y, 0) + |z| / Z · d(Xₛ, 0, ±Z))

with f the true offset and d its difference from f(Xₛ, 0, 0).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial.transform import Rotation

from ..numerics import BoolArray, FloatArray, IntArray

# Range of the keys, radians: the released code scales the jaw from −0.1 … 0.5; sideways and roll are much smaller.
OPEN_RANGE, SIDE_RANGE, ROLL_RANGE = (-0.1, 0.5), 0.1, 0.05
TARGET_BOUND = 0.5e-3  # metres: the error of the keys stays below this bound in their range
OPENINGS = (1, 2, 4, 5, 8)  # numbers of opening keys that are tried; each divides OPEN_STEPS
SIDE_OPENINGS = (1, 2, 4)  # the same for the positive openings at which there are sideways keys
CLOSED_STEPS, OPEN_STEPS, SIDE_STEPS, ROLL_STEPS = 8, 40, 8, 4  # of the grid on which the error is computed
PROBE = 6  # each so many vertices is looked at first while the keys are chosen


@dataclass(frozen=True)
class Jaw:
    """How the jaw's rotation moves H vertices, in any frame with any axes; metres.

    Attributes:
        rest: Vertices at rest (H, 3).
        share: Share of the jaw in each vertex (H,).
        joint: The jaw's joint (3,).
        correctives: Offsets (9, H, 3) of the entries of R − I, row by row, in FLAME's axes.
        axes: Rotation (3, 3) from FLAME's axes to these.
    """

    rest: FloatArray
    share: FloatArray
    joint: FloatArray
    correctives: FloatArray
    axes: FloatArray

    def offsets(self, rotation: FloatArray, moved: FloatArray | None = None) -> FloatArray:
        """Return how far all vertices move (F, H, 3).

        Args:
            rotation: Rotations of the jaw (F, 3), axis-angle in FLAME's axes, radians.
            moved: Offsets (F, H, 3) of an expression, which the jaw carries along.
        """
        matrices = Rotation.from_rotvec(rotation).as_matrix() if len(rotation) else np.zeros((0, 3, 3))
        entries = (matrices - np.eye(3)).reshape(-1, 9)
        kind = self.rest.dtype
        turns = (self.axes @ (matrices - np.eye(3)) @ self.axes.T).swapaxes(1, 2).astype(kind)
        unposed = (entries.astype(kind) @ self.correctives.reshape(9, -1)).reshape(len(entries), *self.rest.shape)
        if moved is not None:
            unposed += moved
        arms = unposed + (self.rest - self.joint)
        arms = arms @ turns  # rows times transposed matrices
        arms *= self.share[:, None]
        unposed += arms
        return unposed

    def of(self, vertices: IntArray | BoolArray | slice) -> "Jaw":
        """Return the jaw of some vertices, given by number or as booleans."""
        return Jaw(self.rest[vertices], self.share[vertices], self.joint, self.correctives[:, vertices], self.axes)

    def curvature(self) -> FloatArray:
        """Return a bound (H,) of the second derivative of each vertex by one angle, metres per radian².

        A rotation matrix has first and second derivatives of operator norm ≤ 1 by each component of the axis-angle
        vector (they are integrals of products of rotations with unit generators), hence of Frobenius norm ≤ √2 and √3;
        the entries of R − I have norm ≤ √2 · angle. With C the correctives' matrix (3 × 9) of a vertex and s its share,
        the offset s (R − I)(rest − joint) + C r + s (R − I) C r, with r the entries, has a second derivative of at most
        s |rest − joint| + |C| √3 + s |C| (2 √2 + √3 + √2 · greatest angle).
        """
        corrective = np.linalg.norm(self.correctives.transpose(1, 2, 0), 2, axis=(1, 2))
        greatest = np.sqrt(max(map(abs, OPEN_RANGE)) ** 2 + SIDE_RANGE**2 + ROLL_RANGE**2)
        carried = corrective * (2 * np.sqrt(2) + np.sqrt(3) + np.sqrt(2) * greatest)
        arms = np.linalg.norm(self.rest - self.joint, axis=1)
        bound: FloatArray = self.share * (arms + carried) + np.sqrt(3) * corrective
        return bound


@dataclass(frozen=True)
class JawKeys:
    """At which angles the keys are.

    Attributes:
        openings: Angles about the jaw's axis, ascending, with 0 among them; radians.
        sides: Those at which there are keys for sideways and roll, the same way.
    """

    openings: tuple[float, ...]
    sides: tuple[float, ...]

    @cached_property
    def poses(self) -> FloatArray:
        """Rotations (K, 3) of the keys; those of `sides` count from the opening alone."""
        opened = [(x, 0, 0) for x in self.openings if x]
        turns = ((SIDE_RANGE, 0), (-SIDE_RANGE, 0), (0, ROLL_RANGE), (0, -ROLL_RANGE))
        return np.array(opened + [(x, y, z) for x in self.sides for y, z in turns])

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the keys, with their opening in degrees."""
        opened = [f"jaw{'Open' if x > 0 else 'Close'}{abs(np.degrees(x)):02.0f}" for x in self.openings if x]
        turns = ("jawLeft", "jawRight", "jawRollLeft", "jawRollRight")
        sides = [f"{turn}{'Close' if x < 0 else ''}{abs(np.degrees(x)):02.0f}" for x in self.sides for turn in turns]
        return tuple(opened + sides)

    def offsets(self, jaw: Jaw) -> FloatArray:
        """Return the offsets (K, H, 3) of the keys at value 1."""
        poses = self.poses
        posed = jaw.offsets(poses)
        aside = np.flatnonzero(poses[:, 1:].any(1))
        posed[aside] -= jaw.offsets(poses[aside] * [1, 0, 0])
        return posed

    def curves(self, rotation: FloatArray) -> FloatArray:
        """Return the values (F, K) of the keys, 0 to 1, for rotations (F, 3). Angles beyond the range are cut."""
        x = rotation[:, 0].clip(*OPEN_RANGE)
        y = rotation[:, 1].clip(-SIDE_RANGE, SIDE_RANGE) / SIDE_RANGE
        z = rotation[:, 2].clip(-ROLL_RANGE, ROLL_RANGE) / ROLL_RANGE
        opened = _hats(x, self.openings)[:, np.array(self.openings) != 0]
        turns = np.stack([y.clip(0), (-y).clip(0), z.clip(0), (-z).clip(0)], 1)
        sides = _hats(x, self.sides)[:, :, None] * turns[:, None]
        return np.concatenate([opened, sides.reshape(len(x), -1)], 1)


def _hats(x: FloatArray, nodes: tuple[float, ...]) -> FloatArray:
    """Return the weights (F, N) of linear interpolation between ascending nodes at x (F,), constant beyond them."""
    return np.stack([np.interp(x, nodes, row) for row in np.eye(len(nodes))], 1)


def choose_keys(jaw: Jaw, target: float = TARGET_BOUND) -> tuple[JawKeys, float]:
    """Return the fewest keys whose error bound is below a target, or the most that are tried, and their bound.

    Args:
        jaw: The jaw.
        target: Greatest distance of a vertex from its place, metres.
    """
    grid = _grid()
    moving = np.flatnonzero(jaw.curvature() > 1e-6 * jaw.curvature().max())
    moving = moving[np.argsort(-jaw.curvature()[moving], kind="stable")]  # the farthest first
    every, probe = jaw.of(moving), jaw.of(moving[::PROBE])
    exact = probe.offsets(grid)
    keys, bound = JawKeys((0.0,), (0.0,)), np.inf
    for keys in _candidates():
        if _greatest(exact - _blended(keys, grid, probe)) + _remainder(probe) >= target:
            continue
        bound = error_bound(every, keys)
        if bound < target:
            return keys, bound
    return keys, error_bound(every, keys)


def error_bound(jaw: Jaw, keys: JawKeys) -> float:
    """Return a bound of the distance between keys and jaw over all vertices and all angles of the range, metres.

    The distance is computed on a grid of angles that contains those of the keys. Between its points, a function differs
    from its multilinear interpolation by at most Σ step² / 8 · the bound of its second derivative. The keys are
    multilinear within a cell, and the norm of a multilinear function is greatest at a corner of the cell.
    """
    grid, worst = _grid(), 0.0
    for block in np.array_split(grid, CLOSED_STEPS + OPEN_STEPS):
        worst = max(worst, _greatest(jaw.offsets(block) - _blended(keys, block, jaw)))
    return worst + _remainder(jaw)


def _blended(keys: JawKeys, grid: FloatArray, jaw: Jaw) -> FloatArray:
    """Return what keys show (F, H, 3) for rotations (F, 3)."""
    basis = keys.offsets(jaw)
    return (keys.curves(grid) @ basis.reshape(len(basis), -1)).reshape(len(grid), *jaw.rest.shape)


def _greatest(offsets: FloatArray) -> float:
    """Return the greatest length of vectors (..., 3)."""
    return float(np.sqrt(np.einsum("...c,...c", offsets, offsets).max(initial=0)))


def _openings(positive_steps: int) -> tuple[float, ...]:
    """Return the openings of the negative end, 0 and so many equal steps to the positive end."""
    return (OPEN_RANGE[0], *(OPEN_RANGE[1] * i / positive_steps for i in range(positive_steps + 1)))


def _candidates() -> Iterator[JawKeys]:
    """Yield keys that may do, fewest first."""
    pairs = [(opened, side) for opened in OPENINGS for side in SIDE_OPENINGS]
    for opened, side in sorted(pairs, key=lambda pair: (pair[0] + 4 * pair[1], pair)):
        yield JawKeys(_openings(opened), _openings(side))


def _grid() -> FloatArray:
    """Return the rotations (F, 3) of the grid."""
    x = np.concatenate([np.linspace(OPEN_RANGE[0], 0, CLOSED_STEPS, endpoint=False), _openings(OPEN_STEPS)[1:]])
    y, z = (
        np.linspace(-limit, limit, steps + 1) for limit, steps in ((SIDE_RANGE, SIDE_STEPS), (ROLL_RANGE, ROLL_STEPS))
    )
    return np.stack(np.meshgrid(x, y, z, indexing="ij"), -1).reshape(-1, 3)


def _remainder(jaw: Jaw) -> float:
    """Return what the error may grow by between the points of the grid, metres."""
    steps = (
        max(-OPEN_RANGE[0] / CLOSED_STEPS, OPEN_RANGE[1] / OPEN_STEPS),
        2 * SIDE_RANGE / SIDE_STEPS,
        2 * ROLL_RANGE / ROLL_STEPS,
    )
    return float(jaw.curvature().max(initial=0) * sum(step**2 for step in steps) / 8)


def linear_error(jaw: Jaw, rotation: FloatArray) -> FloatArray:
    """Return the error (F, H) of three offsets per radian, taken at rest, for rotations (F, 3); metres."""
    small = 1e-4
    slopes = np.stack([jaw.offsets(small * axis[None])[0] / small for axis in np.eye(3)])
    shown = (rotation @ slopes.reshape(3, -1)).reshape(len(rotation), *jaw.rest.shape)
    distances: FloatArray = np.linalg.norm(jaw.offsets(rotation) - shown, axis=-1)
    return distances
