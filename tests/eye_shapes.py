"""Eyes as other makers build them: caps of spheres, shut lids, eyes painted on a closed skin. Needs numpy alone."""

import numpy as np

from server.arkit import CHANNELS
from server.face.head import SEAMS, HeadRegion, load_head


def cap(radius, depth, cornea=0.0, disc=False, around=20, rings=10):
    """The front of a sphere, from its apex at −Y to `depth` radii behind it: vertices (V, 3), triangles (T, 3).

    Args:
        radius: Its radius, metres.
        depth: From 0 to 2.
        cornea: How far the middle stands out, as a share of the radius.
        disc: Whether a flat disc closes the back.
        around: Vertices in a ring.
        rings: Number of rings.
    """
    angle = np.linspace(0, np.arccos(1 - depth), rings + 1)[1:]
    reach = radius * (1 + cornea * np.clip(1 - (angle / 0.5) ** 2, 0, None))
    turn = np.linspace(0, 2 * np.pi, around, endpoint=False)
    ring = [
        np.stack([np.sin(a) * np.cos(turn), np.full(around, -np.cos(a)), np.sin(a) * np.sin(turn)], 1) * r
        for a, r in zip(angle, reach, strict=True)
    ]
    points = np.concatenate([[(0, -radius * (1 + cornea), 0)], *ring])
    one, two = np.arange(around), np.roll(np.arange(around), -1)
    triangles = [np.stack([one * 0, 1 + one, 1 + two], 1)]
    for k in range(rings - 1):
        a, b, c, d = 1 + k * around + one, 1 + k * around + two, 1 + (k + 1) * around + one, 1 + (k + 1) * around + two
        triangles += [np.stack([a, c, b], 1), np.stack([b, c, d], 1)]
    if disc:
        last = 1 + (rings - 1) * around
        triangles.append(np.stack([np.full(around, len(points)), last + two, last + one], 1))
        points = np.concatenate([points, [(0, points[-1, 1], 0)]])
    return points, np.concatenate(triangles)


def shut_by(vertices, *channels):
    """The head's vertices with channels at 1, as eyeBlinkLeft."""
    return vertices + load_head().basis[[CHANNELS.index(channel) for channel in channels]].sum(0)


def painted(vertices, triangles, bulge=0.0):
    """The skin without sockets, closed between the lids, like a mask or a scan on which the eyes are only painted.

    Args:
        vertices: Vertices (V, 3) of the head.
        triangles: Its skin.
        bulge: Metres by which the middle of the closed surface stands out, as an eyeball that is one with the lids.
    """
    head = load_head()
    vertices, patches = vertices.astype(float), [triangles[(head.region[triangles] != HeadRegion.SOCKET).all(1)]]
    for side in ("left", "right"):
        lids = sum(1 << bit for bit, name in enumerate(SEAMS) if name.endswith(f"lid_{side}"))
        border = np.flatnonzero(head.seam & lids)
        middle = vertices[border].mean(0) - np.array((0, bulge, 0))
        ring = border[np.argsort(np.arctan2(*(vertices[border] - middle)[:, [2, 0]].T))]
        fan = np.stack([ring, np.roll(ring, -1), np.full(len(ring), len(vertices))], axis=1)
        vertices, patches = np.concatenate([vertices, [middle]]), [*patches, fan]
    return vertices, np.concatenate(patches)
