"""Makes a prediction of a recorded face, as the server makes one of a voice: a line keeps either. No bpy."""

import numpy as np
from numpy.typing import NDArray

from ..formats.curves import Curves
from ..formats.live_link import STILL, Recording
from ..rigs.drive import Drive
from . import eyes
from .store import Prediction

STILL_ANGLE = 1e-3  # radians: angles that never exceed this were not recorded

Floats = NDArray[np.float32]


def channels(recording: Recording) -> Curves:
    """Return the channels of a recording.

    Where its eyeLook channels are still, they are made of the angles of the eyes, if these were recorded.
    """
    shapes, angles = recording.shapes, recording.angles
    looks = [k for k, name in enumerate(shapes.names) if name in eyes.LOOKS]
    if np.abs(shapes.values[:, looks]).max(initial=0.0) > STILL:
        return shapes
    curves: dict[str, Floats] = {}
    for side in ("Left", "Right"):
        yaw, pitch = (_angle(angles, f"{side}Eye{name}") for name in ("Yaw", "Pitch"))
        if max(np.abs(yaw).max(initial=0.0), np.abs(pitch).max(initial=0.0)) > STILL_ANGLE:
            turned = eyes.look_curves(np.degrees(np.stack((yaw, -pitch), 1)))
            curves |= {name: curve for name, curve in turned.items() if name.endswith(side)}
    if not curves:
        return shapes
    kept = [k for k, name in enumerate(shapes.names) if name not in curves]
    return Curves(
        [*(shapes.names[k] for k in kept), *curves],
        shapes.seconds,
        np.concatenate((shapes.values[:, kept], np.stack(list(curves.values()), 1)), 1),
    )


def predict(motion: Floats, names: list[str], fps: float, drive: Drive | None) -> Prediction:
    """Return the prediction of recorded channels: nothing in it comes from emotion, blinks or gaze of the server.

    Args:
        motion: Values (F, K), one row a scene frame.
        names: Names of the K channels.
        fps: Frames a second of the scene.
        drive: How the head's keys follow the channels; None if channels have keys of their own.
    """
    return Prediction(
        fps=fps,
        channels=tuple(names),
        motion=motion,
        expression=np.zeros_like(motion),
        emotions=(),
        emotion=np.zeros((len(motion), 0), np.float32),
        temperature=0.0,
        seed=0,
        lips=np.zeros((len(names), 0, 3), np.float32),
        drive=drive,
    )


def head_turns(recording: Recording, fps: float) -> NDArray[np.float64] | None:
    """Return how the head turns.

    The recorded angles are relative to the phone. Their median is taken as the direction in which the head rests.

    Args:
        recording: A recording.
        fps: Frames a second.

    Returns:
        Euler XYZ angles (F, 3) in radians for a face that looks along -Y, one row a frame, from the rest direction on;
        None if the head does not turn, or was not recorded.
    """
    angles = recording.angles
    columns = np.stack([_angle(angles, f"Head{name}") for name in ("Yaw", "Pitch", "Roll")], 1)
    if np.ptp(columns, axis=0).max() < STILL_ANGLE:
        return None
    sampled = Curves(["yaw", "pitch", "roll"], angles.seconds, np.unwrap(columns, axis=0).astype(np.float32))
    values = sampled.resampled(fps).astype(np.float64)
    rest = _matrices(np.median(values, axis=0, keepdims=True))[0]
    return _euler(rest.T @ _matrices(values))


def _angle(angles: Curves, name: str) -> NDArray[np.float64]:
    """Return an angle (F,) of the file; zeros if the file has no such column."""
    if name not in angles.names:
        return np.zeros(len(angles.seconds))
    return angles.values[:, angles.names.index(name)].astype(np.float64)


def _matrices(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rotations (F, 3, 3) of yaw, pitch and roll (F, 3) about ARKit's axes: up, the person's left, to the front.

    The axes of the result are those of a face that looks along -Y: its left is +X, up is +Z.
    """
    yaw, pitch, roll = values.T
    return _about(2, yaw) @ _about(0, pitch) @ _about(1, -roll)


def _about(axis: int, angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rotations (F, 3, 3) about an axis by angles (F,)."""
    one, two = (axis + 1) % 3, (axis + 2) % 3
    matrices = np.zeros((len(angles), 3, 3))
    matrices[:, axis, axis] = 1
    matrices[:, one, one] = matrices[:, two, two] = np.cos(angles)
    matrices[:, two, one], matrices[:, one, two] = np.sin(angles), -np.sin(angles)
    return matrices


def _euler(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Euler XYZ angles (F, 3) of rotations (F, 3, 3), as Blender reads them: X is applied first."""
    x = np.arctan2(matrices[:, 2, 1], matrices[:, 2, 2])
    y = np.arcsin(np.clip(-matrices[:, 2, 0], -1, 1))
    z = np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0])
    return np.stack((x, y, z), 1)
