"""Random heads to train the landmark networks on: identities and expressions of the project's own head, remeshed,
stylised, cut, posed, with and without eyes, mouths, hair and shoulders. Units: metres, Z up, facing -Y."""

import numpy as np

from ...arkit import CHANNELS
from .. import head as h
from .simplify import simplify

COARSE_TARGETS = (200, 350, 600, 1000, 1700, 2600)  # skin vertices of the remeshed versions
# Symmetric spots that are swollen or shrunk to stylise a head: landmarks, radius in metres, least and greatest factor.
SPOTS = (
    ((37, 38, 40, 41), 0.025, 0.85, 1.7),
    ((43, 44, 46, 47), 0.025, 0.85, 1.7),
    ((30, 33), 0.025, 0.6, 1.5),
    ((48, 54, 51, 57), 0.03, 0.75, 1.35),
    ((8,), 0.04, 0.7, 1.3),
    ((3, 13), 0.05, 0.85, 1.25),
)


class HeadMaker:
    """Draws random heads; `sample(rng)` gives vertices, triangles and the 68 landmark positions."""

    def __init__(self, head: h.Head):
        self.head = head
        self.skin = np.flatnonzero(head.part == h.SKIN)
        skin_triangles = head.faces[(head.part[head.faces] == h.SKIN).all(1)]  # the skin is the first piece
        poses = head.vertices + np.stack([0 * head.vertices, head.basis[CHANNELS.index("jawOpen")]])
        generator = np.random.default_rng(0)
        self.remeshed = [skin_triangles]
        for target in COARSE_TARGETS:
            importance = np.where(head.region[self.skin] == h.NECK, generator.uniform(0.2, 1), 1.0)
            importance[np.isin(head.region[self.skin], (h.LIP_LOWER, h.LIP_UPPER, h.LID_LOWER, h.LID_UPPER))] = 4
            importance[np.isin(head.region[self.skin], (h.MOUTH_BAG, h.SOCKET))] = 0.2
            kept, triangles = simplify(
                poses[:, self.skin], skin_triangles, target, importance, np.zeros(len(self.skin), dtype=bool)
            )
            self.remeshed.append(kept[triangles])
        self.eyes = head.faces[np.isin(head.part[head.faces], (h.EYE_LEFT, h.EYE_RIGHT)).all(1)]
        self.inside = head.faces[(head.part[head.faces] >= h.TEETH_UPPER).all(1)]

    def sample(self, rng):
        vertices, landmarks = self._shape(rng)
        pick = 0 if rng.random() < 0.45 else rng.integers(1, len(self.remeshed))
        triangles = self.remeshed[pick]
        region = self.head.region[triangles]
        if rng.random() < 0.35:
            triangles = triangles[~(region == h.MOUTH_BAG).any(1)]
        region = self.head.region[triangles]
        if rng.random() < 0.3:
            triangles = triangles[~(region == h.SOCKET).any(1)]
        if rng.random() < 0.7:
            triangles = np.concatenate([triangles, self.eyes])
        if rng.random() < 0.6:
            triangles = np.concatenate([triangles, self.inside])
        triangles = self._cut(rng, vertices, triangles)
        if rng.random() < 0.35:
            vertices, triangles = join(vertices, triangles, *torso(rng, vertices))
        if rng.random() < 0.35:
            vertices, triangles = join(vertices, triangles, *hair(rng, vertices))
        if rng.random() < 0.2:
            vertices = vertices + rng.normal(0, rng.uniform(0, 0.0006), vertices.shape)
        turn = rotation(rng.normal(0, 7), rng.normal(0, 6), rng.normal(0, 7))
        return vertices @ turn.T, triangles, landmarks @ turn.T

    def _shape(self, rng):
        """A person, a bit of expression, a bit of style."""
        vertices = self.head.with_identity(rng.normal(0, rng.uniform(0.6, 1.5), len(self.head.identity_modes)))
        mouth = np.zeros(len(CHANNELS))
        if rng.random() < 0.5:
            some = rng.choice(len(CHANNELS), 5, replace=False)
            mouth[some] = rng.uniform(0, 0.35, 5)
            mouth[CHANNELS.index("jawOpen")] = rng.choice([0, rng.uniform(0, 0.3)])
        lids = rng.choice([0, rng.uniform(0, 0.4), rng.uniform(-0.5, 0)])
        mouth[[CHANNELS.index("eyeBlinkLeft"), CHANNELS.index("eyeBlinkRight")]] = lids
        vertices = vertices + np.tensordot(mouth, self.head.basis, 1)
        if rng.random() < 0.6:
            vertices = self._stylise(rng, vertices)
        return vertices, vertices[self.head.landmark_vertices]

    def _stylise(self, rng, vertices):
        strength = rng.uniform(0, 1)
        for k, (spots, radius, low, high) in enumerate(SPOTS):
            if k != 1:  # both eyes alike
                factor = np.exp(strength * rng.uniform(np.log(low), np.log(high)))
            centre = vertices[self.head.landmark_vertices[list(spots)]].mean(0)
            near = np.exp(-((vertices - centre) ** 2).sum(1) / (2 * (radius * max(factor, 1)) ** 2))[:, None]
            vertices = vertices + near * (factor - 1) * (vertices - centre)
        for _ in range(4):  # soft lumps, alike on both sides
            centre = vertices[rng.integers(len(vertices))]
            push = rng.normal(0, 0.004 * strength, 3)
            radius = rng.uniform(0.02, 0.07)
            for side in (1, -1):
                flip = np.array([side, 1, 1])
                near = np.exp(-((vertices - centre * flip) ** 2).sum(1) / (2 * radius**2))[:, None]
                vertices = vertices + near * push * flip
        return vertices * np.exp(strength * rng.normal(0, 0.1, 3))

    def _cut(self, rng, vertices, triangles):
        """Heads end at different heights of the neck; some are only masks."""
        centre = vertices[triangles].mean(1)
        low = rng.uniform(-0.2, -0.1)
        keep = centre[:, 2] > low
        if rng.random() < 0.12:
            keep &= centre[:, 1] < rng.uniform(-0.05, 0.05)
        return triangles[keep]


def rotation(pitch, roll, yaw):
    """About X, Y, Z in degrees."""
    p, r, y = np.radians([pitch, roll, yaw])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_y = np.array([[np.cos(r), 0, np.sin(r)], [0, 1, 0], [-np.sin(r), 0, np.cos(r)]])
    about_z = np.array([[np.cos(y), -np.sin(y), 0], [np.sin(y), np.cos(y), 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def join(vertices, triangles, more_vertices, more_triangles):
    return (np.concatenate([vertices, more_vertices]), np.concatenate([triangles, more_triangles + len(vertices)]))


def ellipsoid(centre, radii, rings=14, segments=20):
    at = np.linspace(0, np.pi, rings + 2)[:, None]
    turn = np.linspace(0, 2 * np.pi, segments, endpoint=False)[None]
    unit = np.stack([np.sin(at) * np.cos(turn), np.sin(at) * np.sin(turn), np.cos(at) + 0 * turn], -1).reshape(-1, 3)
    a = np.arange(rings + 1)[:, None] * segments + np.arange(segments)[None]
    b = np.arange(rings + 1)[:, None] * segments + (np.arange(segments)[None] + 1) % segments
    quads = np.stack([a, a + segments, b + segments, b], -1).reshape(-1, 4)
    return unit * radii + centre, np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]])


def torso(rng, vertices):
    """A neck, shoulders, a chest and arms of ellipsoids."""
    shoulder = rng.uniform(-0.22, -0.15)
    width = rng.uniform(0.14, 0.24)
    pieces = [
        ((0, 0.03, shoulder - 0.08), (0.05, 0.05, 0.15)),
        ((0, 0.03, shoulder - 0.25), (width, 0.11, 0.25)),
        ((0, 0.03, shoulder - 0.06), (width * 1.1, 0.07, 0.07)),
    ]
    down = rng.uniform(-0.3, 0.05)
    for side in (1, -1):
        pieces.append(((side * width * 1.5, 0.03, shoulder - 0.1 + down / 3), (width, 0.05, 0.05 - down / 2)))
    body = ellipsoid(*map(np.array, pieces[0]))
    for centre, radii in pieces[1:]:
        body = join(*body, *ellipsoid(np.array(centre), np.array(radii)))
    return body


def hair(rng, vertices):
    """A cap over the skull, open at the face."""
    skull = vertices[(vertices[:, 2] > 0.05) & (vertices[:, 1] > -0.08)]
    if len(skull) < 10:
        skull = vertices
    low, high = skull.min(0), skull.max(0)
    centre = (low + high) / 2 - (0, 0, 0.02)
    radii = (high - low) / 2 * rng.uniform(1.03, 1.35, 3) + (0, 0, 0.02)
    points, triangles = ellipsoid(centre, radii, 18, 28)
    points = points + rng.normal(0, rng.uniform(0, 0.003), points.shape)
    middle = points[triangles].mean(1)
    line, behind = rng.uniform(0.065, 0.11), rng.uniform(-0.04, 0.04)
    open_face = (middle[:, 2] < line) & (middle[:, 1] < behind)
    lower = rng.uniform(-0.15, 0.03)
    return points, triangles[~open_face & (middle[:, 2] > lower)]
