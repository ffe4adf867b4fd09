"""What bones do in a line: poses at channel value 1, weighted by the channels, as values of the bones' curves. No bpy.

Several channels may move one bone: their locations, rotation vectors and scales add up, and come on top of the bone's
own pose. Each property has its unit, the most that a pose moves it: an error of the curves is measured in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..scene.snapshots import AXIS_ANGLE, NO_TURN, QUATERNION, BonePose, BoneRest, rotation_property

Floats = NDArray[np.float64]

LEAST_MOVE, LEAST_TURN = 1e-6, 1e-4  # of a location in the bone's units or a scale; of a rotation in radians
MAIN_SHARE = 0.3  # of the unit: a component that a channel moves by less does not tell how exact the lips are


@dataclass(frozen=True)
class Component:
    """One number of a bone's transform that is animated."""

    bone: str
    property: str  # "location", "scale", or that of the rotation mode
    index: int
    rest: float
    unit: float


@dataclass(frozen=True)
class BoneCurves:
    """The values of some bones in a window.

    Attributes:
        components: What the N curves animate.
        values: Values (F, N), counted from rest in units, as `generated_curves` counts them.
        lips: Offsets of the lips (N, L, 3) in millimetres where a value is 1; zeros where that is not known.
    """

    components: list[Component]
    values: NDArray[np.float32]
    lips: NDArray[np.float32]


def make(
    poses: Sequence[BonePose],
    rests: Sequence[BoneRest],
    channels: Sequence[str],
    motion: NDArray[np.floating],
    lips: NDArray[np.floating],
) -> BoneCurves:
    """Make the curves of bones.

    Args:
        poses: The poses at channel value 1.
        rests: The bones that can be animated; poses of others are left out.
        channels: Names of the K channels.
        motion: Values (F, K) of the channels. Channels that poses need and that are not among them rest.
        lips: Offsets of the lips (K, L, 3) in millimetres for each channel at 1.
    """
    column = {name: k for k, name in enumerate(channels)}
    made = _Made(lips.shape[1])
    for rest in rests:
        rows = [pose for pose in poses if pose.bone == rest.bone]
        weights = np.zeros((len(motion), len(rows)))
        row_lips = np.zeros((len(rows), *lips.shape[1:]))
        for i, pose in enumerate(rows):
            if pose.channel in column:
                weights[:, i], row_lips[i] = motion[:, column[pose.channel]], lips[column[pose.channel]]
        for name, neutral in (("location", rest.location), ("scale", rest.scale)):
            moves = np.array([getattr(pose, name) for pose in rows]).reshape(-1, 3)
            unit = float(np.abs(moves).max(initial=0.0))
            for axis in np.flatnonzero(np.abs(moves).max(0, initial=0.0) > LEAST_MOVE).tolist():
                component = Component(rest.bone, name, axis, neutral[axis], unit)
                made.add(component, weights @ moves[:, axis], moves[:, axis], row_lips)
        _add_rotation(made, rest, rows, weights, row_lips)
    return made.curves(len(motion))


@dataclass
class _Made:
    """Curves that are made one after the other, for L points of the lips."""

    points: int
    components: list[Component] = field(default_factory=list)
    values: list[Floats] = field(default_factory=list)
    lips: list[Floats] = field(default_factory=list)

    def add(self, component: Component, moved: Floats, by_row: Floats, row_lips: Floats) -> None:
        """Add a curve.

        Args:
            component: What it animates.
            moved: Values (F,) from rest on.
            by_row: How far each of the poses moves it (R,).
            row_lips: Offsets of the lips (R, L, 3) for the channel of each pose.
        """
        self.components.append(component)
        self.values.append(moved / component.unit)
        main = int(np.abs(by_row).argmax())
        share = by_row[main] / component.unit
        self.lips.append(row_lips[main] / share if abs(share) > MAIN_SHARE else np.zeros((self.points, 3)))

    def curves(self, frames: int) -> BoneCurves:
        """Return what was made."""
        return BoneCurves(
            self.components,
            np.array(self.values, np.float32).reshape(len(self.values), frames).T,
            np.array(self.lips, np.float32).reshape(len(self.lips), self.points, 3),
        )


def _add_rotation(made: _Made, rest: BoneRest, rows: list[BonePose], weights: Floats, row_lips: Floats) -> None:
    """Add the curves of a bone's rotation, if its poses turn it. Weights are (F, R), row_lips (R, L, 3)."""
    turns = np.array([pose.rotation for pose in rows]).reshape(-1, 3)
    angles = np.linalg.norm(turns, axis=1)
    largest = float(angles.max(initial=0.0))
    if largest < LEAST_TURN:
        return
    neutral = resting_rotation(rest, turns[int(angles.argmax())])
    own = to_quaternion(rest.mode, neutral)
    values = from_quaternions(rest.mode, multiply(own, quaternions(weights @ turns)), neutral)
    at_one = from_quaternions(rest.mode, multiply(own, quaternions(turns)), neutral)
    name, unit = rotation_property(rest.mode), np.sin(min(largest, np.pi) / 2) if rest.mode == QUATERNION else largest
    moved, by_row = values - neutral, at_one - neutral
    reach = np.maximum(np.abs(by_row).max(0), np.abs(moved).max(0, initial=0.0))
    for i in range(len(neutral)):
        # All numbers of a quaternion or of an axis belong together; an Euler angle stands for itself.
        if len(neutral) == 4 or reach[i] > LEAST_TURN:
            component = Component(rest.bone, name, i, float(neutral[i]), float(unit))
            made.add(component, moved[:, i], by_row[:, i], row_lips)


def resting_rotation(rest: BoneRest, main: Floats) -> Floats:
    """Return the rotation of a bone at rest, in the form of its mode.

    A bone that is not turned has any axis: it gets that of its largest turn, so that the axis need not turn as well.

    Args:
        rest: The bone.
        main: Rotation vector (3,) of its largest turn.
    """
    rotation = np.array(rest.rotation, np.float64)
    if rest.mode == AXIS_ANGLE and abs(rotation[0]) < LEAST_TURN:
        return np.r_[0.0, main / np.linalg.norm(main)]
    return rotation


def quaternions(turns: NDArray[np.floating]) -> Floats:
    """Return unit quaternions (F, 4), w first, of rotation vectors (F, 3)."""
    half = np.linalg.norm(turns, axis=1)[:, None] / 2
    return np.concatenate([np.cos(half), 0.5 * np.sinc(half / np.pi) * turns], 1)


def turn_of(quaternion: NDArray[np.floating]) -> Floats:
    """Return the rotation vector (3,), no longer than pi, of a quaternion (4,)."""
    q = np.asarray(quaternion, np.float64) / max(float(np.linalg.norm(quaternion)), 1e-30)
    q = -q if q[0] < 0 else q
    sine = float(np.linalg.norm(q[1:]))
    scaled: Floats = q[1:] * (2 * np.arctan2(sine, q[0]) / sine if sine > 1e-12 else 2.0)
    return scaled


def multiply(one: Floats, two: Floats) -> Floats:
    """Return the products of quaternions (…, 4): the rotation `two` in the axes that `one` has turned."""
    w1, x1, y1, z1 = np.moveaxis(one, -1, 0)
    w2, x2, y2, z2 = np.moveaxis(two, -1, 0)
    return np.stack(
        [
            w1 * w2 - x1 * x2 - y1 * y2 - z1 * z2,
            w1 * x2 + x1 * w2 + y1 * z2 - z1 * y2,
            w1 * y2 - x1 * z2 + y1 * w2 + z1 * x2,
            w1 * z2 + x1 * y2 - y1 * x2 + z1 * w2,
        ],
        -1,
    )


def to_quaternion(mode: str, rotation: Sequence[float] | Floats) -> Floats:
    """Return the unit quaternion (4,) of a rotation in the form of a rotation mode."""
    values = np.array(rotation, np.float64)
    if mode == QUATERNION:
        return values / max(float(np.linalg.norm(values)), 1e-30)
    if mode == AXIS_ANGLE:
        axis = values[1:] / max(float(np.linalg.norm(values[1:])), 1e-30)
        return quaternions((values[0] * axis)[None])[0]
    result = np.array(NO_TURN)
    for letter in mode:  # the first one is applied first
        turn = np.zeros((1, 3))
        turn[0, "XYZ".index(letter)] = values["XYZ".index(letter)]
        result = multiply(quaternions(turn)[0], result)
    return result


def from_quaternions(mode: str, turned: Floats, neutral: Floats) -> Floats:
    """Return rotations in the form of a rotation mode, without jumps.

    Args:
        mode: The rotation mode.
        turned: Unit quaternions (F, 4).
        neutral: The rotation at rest in this form, next to which the others are.

    Returns:
        Rotations (F, 4) or (F, 3).
    """
    if mode == QUATERNION:
        size = np.linalg.norm(neutral)  # an artist's quaternion need not have the length 1
        near = np.where((turned @ neutral < 0)[:, None], -1.0, 1.0)
        return near * turned * size
    if mode == AXIS_ANGLE:
        return _axis_angles(turned, neutral)
    return _euler_angles(mode, turned, neutral)


def _axis_angles(turned: Floats, neutral: Floats) -> Floats:
    """Return angles and axes (F, 4) of unit quaternions (F, 4); where the angle is 0 the axis stays as it was."""
    axis, result = neutral[1:] / max(float(np.linalg.norm(neutral[1:])), 1e-30), np.empty((len(turned), 4))
    for i, quaternion in enumerate(turned):
        turn = turn_of(quaternion)
        angle = float(np.linalg.norm(turn))
        if angle > LEAST_TURN:
            axis = turn / angle * (-1.0 if turn @ axis < 0 else 1.0)
        result[i] = turn @ axis, *axis
    return result


def _euler_angles(order: str, turned: Floats, neutral: Floats) -> Floats:
    """Return Euler angles (F, 3) for X, Y and Z of unit quaternions (F, 4), each near to the ones before it."""
    i, j, k = ("XYZ".index(axis) for axis in order)
    sign = 1.0 if (j - i) % 3 == 1 else -1.0
    w, vector = turned[:, 0], turned[:, 1:]
    a, b, c = vector[:, i], vector[:, j], vector[:, k]
    # The matrix of the rotation, in axes in the order's sequence: R = R_k(third) · R_j(second) · R_i(first).
    first = np.arctan2(2 * (b * c + sign * w * a), 1 - 2 * (a * a + b * b))
    second = np.arcsin(np.clip(-sign * 2 * (a * c - sign * w * b), -1, 1))
    third = np.arctan2(2 * (a * b + sign * w * c), 1 - 2 * (b * b + c * c))
    # `sign` turns an order that is not cyclic into the mirrored one.
    angles = np.stack([sign * first, second, sign * third], 1)
    other = np.stack([angles[:, 0] + np.pi, np.pi - angles[:, 1], angles[:, 2] + np.pi], 1)
    result, last = np.empty_like(angles), neutral[[i, j, k]]
    for frame, pair in enumerate(np.stack([angles, other], 1)):
        near = pair + 2 * np.pi * np.round((last - pair) / (2 * np.pi))
        last = near[np.abs(near - last).sum(1).argmin()]
        result[frame, [i, j, k]] = last
    return result
