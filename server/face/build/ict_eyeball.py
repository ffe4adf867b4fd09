"""The eyeballs, built anew of few vertices around ICT-FaceKit's."""

import numpy as np

from ...arkit import CHANNELS
from .ict import Ict

# Rings of vertices at these angles (degrees) from the pole that looks out.
EYE_RINGS, EYE_SEGMENTS, PUPIL_RINGS, IRIS_RINGS = (4, 10, 17, 24.5, 27, 36, 50, 68, 90, 115, 145), 24, 2, 4
EYE_TURN = {"Up": 22, "Down": 26, "In": 28, "Out": 28}  # degrees at channel value 1


def eyeball(ict: Ict, shell: slice, sign: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A low-poly eyeball (rings around the gaze axis) with the shapes and identity modes of the input's outer shell.

    `sign` is 1 for the left eye, -1 for the right. Returns, in metres, vertices (E, 3), triangles (T, 3), basis
    (52, E, 3), identity modes (modes, E, 3) and the centre (3,).
    """
    source = ict.vertices[shell]
    centre = (source.max(0) + source.min(0)) / 2
    ray = source - centre
    radius = np.linalg.norm(ray, axis=1)
    angle = np.degrees(np.arccos(np.clip(-ray[:, 1] / radius, -1, 1)))
    order = np.argsort(angle)
    profile = np.convolve(np.pad(radius[order], 12, mode="edge"), np.ones(25) / 25, mode="valid")
    rings = np.radians(EYE_RINGS)[:, None]
    turn = np.linspace(0, 2 * np.pi, EYE_SEGMENTS, endpoint=False)[None, :]
    unit = np.stack([np.sin(rings) * np.cos(turn), -np.cos(rings) + 0 * turn, np.sin(rings) * np.sin(turn)], axis=-1)
    unit = np.concatenate([[[0, -1, 0]], unit.reshape(-1, 3), [[0, 1, 0]]])
    at = np.degrees(np.arccos(np.clip(-unit[:, 1], -1, 1)))
    offset = unit * np.interp(at, angle[order], profile)[:, None]
    vertices = centre + offset

    # Identity moves and scales the ball: least squares of mode = a + s * ray over the shell.
    modes = ict.identity[:, shell]
    move = modes.mean(1)
    centred = source - source.mean(0)
    scale = ((modes - move[:, None]) * centred).sum((1, 2)) / (centred**2).sum()
    modes = move[:, None] + scale[:, None, None] * (vertices - source.mean(0))

    basis = np.zeros((len(CHANNELS), *vertices.shape))
    name = "Left" if sign > 0 else "Right"
    for way, degrees in EYE_TURN.items():
        pitch = {"Up": -degrees, "Down": degrees}.get(way, 0)
        yaw = {"In": -sign * degrees, "Out": sign * degrees}.get(way, 0)
        basis[CHANNELS.index(f"eyeLook{way}{name}")] = offset @ rotation(pitch, yaw).T - offset
    return vertices, ring_triangles(len(EYE_RINGS), EYE_SEGMENTS), basis, modes, centre


def rotation(pitch: float, yaw: float) -> np.ndarray:
    """(3, 3) about +X (positive looks down for a face along -Y), then about Z (positive turns towards +X). Degrees."""
    p, y = np.radians([pitch, yaw])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(y), -np.sin(y), 0], [np.sin(y), np.cos(y), 0], [0, 0, 1]])
    return about_z @ about_x


def ring_triangles(rings: int, segments: int) -> np.ndarray:
    """(T, 3) triangles of pole, rings x segments, pole; ring after ring from the first pole, outward normals."""
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
