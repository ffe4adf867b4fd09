"""The eyeballs of the canonical head: few vertices around the gaze axis, shaped like ICT-FaceKit's."""

from dataclasses import dataclass

import numpy as np

from ...arkit import CHANNELS
from ...numerics import FloatArray, IntArray
from ..geometry import bounding_box_centre
from .ict import Ict
from .synthetic import rotation

# Rings of vertices at these angles (degrees) from the front pole of the ball; the first ones bound pupil and iris.
EYE_RINGS, EYE_SEGMENTS, PUPIL_RINGS, IRIS_RINGS = (4, 10, 17, 24.5, 27, 36, 50, 68, 90, 115, 145), 24, 2, 4
EYE_TURN = {"Up": 22, "Down": 26, "In": 28, "Out": 28}  # degrees at channel value 1
PROFILE_WINDOW = 25  # vertices of the input, sorted by angle, over which its radius is averaged


@dataclass(frozen=True)
class Eyeball:
    """A low-poly eyeball.

    Attributes:
        vertices: Vertices (E, 3), metres.
        triangles: Triangles (T, 3).
        basis: Offsets (52, E, 3) of each channel at value 1, metres.
        modes: Offsets (N, E, 3) of the input's identity modes at unit weight, metres.
        centre: Centre (3,), metres.
    """

    vertices: FloatArray
    triangles: IntArray
    basis: FloatArray
    modes: FloatArray
    centre: FloatArray


def build_eyeball(ict: Ict, shell: slice, sign: int) -> Eyeball:
    """Build an eyeball with the radius and the identity modes of the input's outer shell.

    Args:
        ict: The input.
        shell: The vertices of the outer shell.
        sign: 1 for the left eye, -1 for the right.
    """
    source = ict.vertices[shell]
    centre = bounding_box_centre(source)
    ray = source - centre
    radius = np.linalg.norm(ray, axis=1)
    angle = np.degrees(np.arccos(np.clip(-ray[:, 1] / radius, -1, 1)))
    order = np.argsort(angle)
    padded = np.pad(radius[order], PROFILE_WINDOW // 2, mode="edge")
    profile = np.convolve(padded, np.ones(PROFILE_WINDOW) / PROFILE_WINDOW, mode="valid")
    unit = _unit_sphere()
    unit_angle = np.degrees(np.arccos(np.clip(-unit[:, 1], -1, 1)))
    offset = unit * np.interp(unit_angle, angle[order], profile)[:, None]
    vertices = centre + offset

    # Identity moves and scales the ball: least squares of mode = move + scale · ray over the shell.
    modes = ict.identity[:, shell]
    move = modes.mean(1)
    centred = source - source.mean(0)
    scale = ((modes - move[:, None]) * centred).sum((1, 2)) / (centred**2).sum()
    modes = move[:, None] + scale[:, None, None] * (vertices - source.mean(0))

    basis = np.zeros((len(CHANNELS), *vertices.shape))
    side = "Left" if sign > 0 else "Right"
    for direction, degrees in EYE_TURN.items():
        pitch = {"Up": -degrees, "Down": degrees}.get(direction, 0)
        yaw = {"In": -sign * degrees, "Out": sign * degrees}.get(direction, 0)
        basis[CHANNELS.index(f"eyeLook{direction}{side}")] = offset @ rotation(pitch, 0, yaw).T - offset
    return Eyeball(vertices, _ring_triangles(len(EYE_RINGS), EYE_SEGMENTS), basis, modes, centre)


def _unit_sphere() -> FloatArray:
    """Return the vertices (E, 3) of a unit sphere: the front pole, EYE_RINGS, the back pole."""
    rings = np.radians(EYE_RINGS)[:, None]
    turn = np.linspace(0, 2 * np.pi, EYE_SEGMENTS, endpoint=False)[None, :]
    unit = np.stack([np.sin(rings) * np.cos(turn), -np.cos(rings) + 0 * turn, np.sin(rings) * np.sin(turn)], axis=-1)
    return np.concatenate([[[0, -1, 0]], unit.reshape(-1, 3), [[0, 1, 0]]])


def _ring_triangles(rings: int, segments: int) -> IntArray:
    """Return the triangles (T, 3) of poles and rings, from the front pole to the back, with outward normals."""
    a = np.arange(segments)
    b = (a + 1) % segments
    last = rings * segments + 1
    fans = [np.stack([np.zeros_like(a), 1 + a, 1 + b], 1)]
    for r in range(rings - 1):
        i, j = 1 + r * segments, 1 + (r + 1) * segments
        fans += [np.stack([i + a, j + a, j + b], 1), np.stack([i + a, j + b, i + b], 1)]
    i = 1 + (rings - 1) * segments
    fans.append(np.stack([i + a, np.full_like(a, last), i + b], 1))
    return np.concatenate(fans)
