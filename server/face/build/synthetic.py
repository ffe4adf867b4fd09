"""Random heads for the training of the landmark networks, from identities and expressions of the canonical head.

They are remeshed, stylised, cut and turned, with or without eyes, inner mouth, hair and shoulders. Metres, Z up, facing
−Y.
"""

import numpy as np

from ...arkit import CHANNELS, channel_indices
from ...numerics import BoolArray, FloatArray, IntArray
from ..head import CHIN, NOSE_TIP, Head, HeadPart, HeadRegion
from .simplify import simplify

COARSE_TARGETS = (200, 350, 600, 1000, 1700, 2600)  # skin vertices of the remeshed versions
# Features that are enlarged or shrunk to stylise a head: landmarks, radius in metres, least and greatest factor. The
# second eye takes the factor of the first.
FEATURES = (
    ((37, 38, 40, 41), 0.025, 0.85, 1.7),  # right eye
    ((43, 44, 46, 47), 0.025, 0.85, 1.7),  # left eye
    ((NOSE_TIP, 33), 0.025, 0.6, 1.5),
    ((48, 54, 51, 57), 0.03, 0.75, 1.35),  # mouth
    ((CHIN,), 0.04, 0.7, 1.3),
    ((3, 13), 0.05, 0.85, 1.25),  # jaw
)
SECOND_EYE = 1  # of FEATURES
LUMPS = 4  # soft deformations of a stylised head, alike on both sides


class HeadMaker:
    """Draws random heads.

    Args:
        head: The canonical head.
    """

    def __init__(self, head: Head):
        self.head = head
        skin = np.flatnonzero(head.part == HeadPart.SKIN)
        skin_triangles = head.faces[(head.part[head.faces] == HeadPart.SKIN).all(1)]  # the skin's vertices come first
        poses = head.vertices + np.stack([0 * head.vertices, head.basis[CHANNELS.index("jawOpen")]])
        generator = np.random.default_rng(0)
        region = head.region[skin]
        self.remeshed = [skin_triangles]
        for target in COARSE_TARGETS:
            importance = np.where(region == HeadRegion.NECK, generator.uniform(0.2, 1), 1.0)
            fine = (HeadRegion.LIP_LOWER, HeadRegion.LIP_UPPER, HeadRegion.LID_LOWER, HeadRegion.LID_UPPER)
            importance[np.isin(region, fine)] = 4
            importance[np.isin(region, (HeadRegion.MOUTH_BAG, HeadRegion.SOCKET))] = 0.2
            kept, triangles = simplify(
                poses[:, skin], skin_triangles, target, importance, np.zeros(len(skin), dtype=bool)
            )
            self.remeshed.append(kept[triangles])
        self.eyes = head.faces[np.isin(head.part[head.faces], (HeadPart.EYE_LEFT, HeadPart.EYE_RIGHT)).all(1)]
        self.inside = head.faces[(head.part[head.faces] >= HeadPart.TEETH_UPPER).all(1)]

    def sample(self, rng: np.random.Generator) -> tuple[FloatArray, IntArray, FloatArray]:
        """Return a random head: vertices (V, 3), triangles (T, 3) and landmarks (68, 3)."""
        vertices, landmarks = self._person(rng)
        pick = 0 if rng.random() < 0.45 else rng.integers(1, len(self.remeshed))
        triangles = self.remeshed[pick]
        for region, probability in ((HeadRegion.MOUTH_BAG, 0.35), (HeadRegion.SOCKET, 0.3)):
            if rng.random() < probability:
                triangles = triangles[~(self.head.region[triangles] == region).any(1)]
        if rng.random() < 0.7:
            triangles = np.concatenate([triangles, self.eyes])
        if rng.random() < 0.6:
            triangles = np.concatenate([triangles, self.inside])
        triangles = self._cut(rng, vertices, triangles)
        if rng.random() < 0.35:
            vertices, triangles = join(vertices, triangles, *torso(rng))
        if rng.random() < 0.35:
            vertices, triangles = join(vertices, triangles, *hair(rng, vertices))
        if rng.random() < 0.2:
            vertices = vertices + rng.normal(0, rng.uniform(0, 0.0006), vertices.shape)
        turn = rotation(rng.normal(0, 7), rng.normal(0, 6), rng.normal(0, 7))
        return vertices @ turn.T, triangles, landmarks @ turn.T

    def _person(self, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Return vertices (H, 3) and landmarks (68, 3) of a random person with a slight expression, maybe stylised."""
        vertices = self.head.with_identity(rng.normal(0, rng.uniform(0.6, 1.5), len(self.head.identity_modes)))
        motion = np.zeros(len(CHANNELS))
        if rng.random() < 0.5:
            some = rng.choice(len(CHANNELS), 5, replace=False)
            motion[some] = rng.uniform(0, 0.35, 5)
            motion[CHANNELS.index("jawOpen")] = rng.choice([0, rng.uniform(0, 0.3)])
        motion[channel_indices("eyeBlink")] = rng.choice([0, rng.uniform(0, 0.4), rng.uniform(-0.5, 0)])
        vertices = vertices + np.tensordot(motion, self.head.basis, 1)
        if rng.random() < 0.6:
            vertices = self._stylise(rng, vertices)
        return vertices, vertices[self.head.landmark_vertices]

    def _stylise(self, rng: np.random.Generator, vertices: FloatArray) -> FloatArray:
        """Return the vertices (H, 3) with features enlarged or shrunk, soft lumps and other proportions."""
        strength = rng.uniform(0, 1)
        factor = 1.0
        for k, (landmarks, radius, low, high) in enumerate(FEATURES):
            if k != SECOND_EYE:
                factor = np.exp(strength * rng.uniform(np.log(low), np.log(high)))
            centre = vertices[self.head.landmark_vertices[list(landmarks)]].mean(0)
            near = np.exp(-((vertices - centre) ** 2).sum(1) / (2 * (radius * max(factor, 1)) ** 2))[:, None]
            vertices = vertices + near * (factor - 1) * (vertices - centre)
        for _ in range(LUMPS):
            centre = vertices[rng.integers(len(vertices))]
            push = rng.normal(0, 0.004 * strength, 3)
            radius = rng.uniform(0.02, 0.07)
            for side in (1, -1):
                mirror = np.array([side, 1, 1])
                near = np.exp(-((vertices - centre * mirror) ** 2).sum(1) / (2 * radius**2))[:, None]
                vertices = vertices + near * push * mirror
        stretched: FloatArray = vertices * np.exp(strength * rng.normal(0, 0.1, 3))
        return stretched

    def _cut(self, rng: np.random.Generator, vertices: FloatArray, triangles: IntArray) -> IntArray:
        """Return the triangles above a random height of the neck; some heads are only masks."""
        centre = vertices[triangles].mean(1)
        keep: BoolArray = centre[:, 2] > rng.uniform(-0.2, -0.1)
        if rng.random() < 0.12:
            keep &= centre[:, 1] < rng.uniform(-0.05, 0.05)
        return triangles[keep]


def rotation(pitch: float, roll: float, yaw: float) -> FloatArray:
    """Return the rotation (3, 3) about X by pitch, then about Y by roll, then about Z by yaw, in degrees."""
    p, r, y = np.radians([pitch, roll, yaw])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_y = np.array([[np.cos(r), 0, np.sin(r)], [0, 1, 0], [-np.sin(r), 0, np.cos(r)]])
    about_z = np.array([[np.cos(y), -np.sin(y), 0], [np.sin(y), np.cos(y), 0], [0, 0, 1]])
    turned: FloatArray = about_z @ about_y @ about_x
    return turned


def join(
    vertices: FloatArray, triangles: IntArray, more_vertices: FloatArray, more_triangles: IntArray
) -> tuple[FloatArray, IntArray]:
    """Return two meshes as one: vertices (V, 3) and triangles (T, 3)."""
    return (np.concatenate([vertices, more_vertices]), np.concatenate([triangles, more_triangles + len(vertices)]))


def ellipsoid(
    centre: FloatArray, radii: FloatArray, rings: int = 14, segments: int = 20
) -> tuple[FloatArray, IntArray]:
    """Return vertices (V, 3) and triangles (T, 3) of an ellipsoid along the axes, with outward normals.

    Args:
        centre: Centre (3,).
        radii: Half axes (3,).
        rings: Rings of vertices between the poles, which have a ring each as well.
        segments: Vertices of a ring.
    """
    angle = np.linspace(0, np.pi, rings + 2)[:, None]
    turn = np.linspace(0, 2 * np.pi, segments, endpoint=False)[None]
    unit = np.stack([np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), np.cos(angle) + 0 * turn], -1)
    a = np.arange(rings + 1)[:, None] * segments + np.arange(segments)[None]
    b = np.arange(rings + 1)[:, None] * segments + (np.arange(segments)[None] + 1) % segments
    quads = np.stack([a, a + segments, b + segments, b], -1).reshape(-1, 4)
    return unit.reshape(-1, 3) * radii + centre, np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]])


def torso(rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
    """Return vertices (V, 3) and triangles (T, 3) of a neck, shoulders, a chest and arms, as ellipsoids."""
    shoulder = rng.uniform(-0.22, -0.15)
    width = rng.uniform(0.14, 0.24)
    down = rng.uniform(-0.3, 0.05)
    pieces = [
        ((0, 0.03, shoulder - 0.08), (0.05, 0.05, 0.15)),
        ((0, 0.03, shoulder - 0.25), (width, 0.11, 0.25)),
        ((0, 0.03, shoulder - 0.06), (width * 1.1, 0.07, 0.07)),
        *(((side * width * 1.5, 0.03, shoulder - 0.1 + down / 3), (width, 0.05, 0.05 - down / 2)) for side in (1, -1)),
    ]
    (vertices, triangles), *others = (ellipsoid(np.array(centre), np.array(radii)) for centre, radii in pieces)
    for other in others:
        vertices, triangles = join(vertices, triangles, *other)
    return vertices, triangles


def hair(rng: np.random.Generator, vertices: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return vertices (V, 3) and triangles (T, 3) of a cap over the skull of a head (H, 3), open at the face."""
    skull = vertices[(vertices[:, 2] > 0.05) & (vertices[:, 1] > -0.08)]
    if len(skull) < 10:
        skull = vertices
    low, high = skull.min(0), skull.max(0)
    centre = (low + high) / 2 - (0, 0, 0.02)
    radii = (high - low) / 2 * rng.uniform(1.03, 1.35, 3) + (0, 0, 0.02)
    points, triangles = ellipsoid(centre, radii, 18, 28)
    points = points + rng.normal(0, rng.uniform(0, 0.003), points.shape)
    middle = points[triangles].mean(1)
    hairline, behind = rng.uniform(0.065, 0.11), rng.uniform(-0.04, 0.04)
    open_face = (middle[:, 2] < hairline) & (middle[:, 1] < behind)
    lowest = rng.uniform(-0.15, 0.03)
    return points, triangles[~open_face & (middle[:, 2] > lowest)]
