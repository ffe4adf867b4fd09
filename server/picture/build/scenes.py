"""Random pictures of the project's head with known truth, to place the landmarks on the head and to measure the result.

Persons, expressions, views, distances, lights, colours and sizes vary.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...arkit import CHANNELS
from ...face.head import Head
from ...numerics import FloatArray
from .. import landmarks
from ..camera import Camera
from ..crops import Pyramid, Square
from .render import Light, Look, render

PIXELS = 384
HEIGHT = 0.28  # metres that the picture shows, about
MAX_TURN = np.radians([14, 10, 22])  # up and down, to the shoulder, to the side
DISTANCES = (0.45, 2.5)  # metres from the camera
IDENTITY = 0.8  # standard deviation of the identity coefficients
SAME_VIEW = np.radians(4)
SYMMETRIC = 0.6  # share of pairs that move both sides alike
MOST_CHANNELS = 4  # that an expression moves, a pair counted once
GAZE = {
    "up": ("eyeLookUp", "eyeLookUp"),
    "down": ("eyeLookDown", "eyeLookDown"),
    "left": ("eyeLookOut", "eyeLookIn"),
    "right": ("eyeLookIn", "eyeLookOut"),
}
OPPOSITES = {
    "up": ("down", "eyeBlink"),
    "down": ("up",),
    "left": ("right", "eyeBlink"),
    "right": ("left", "eyeBlink"),
    "eyeBlink": ("up", "left", "right", "eyeWide", "eyeSquint"),
    "eyeWide": ("eyeBlink", "eyeSquint", "browDown", "cheekSquint"),
    "eyeSquint": ("eyeBlink", "eyeWide"),
    "browDown": ("browOuterUp", "eyeWide"),
    "browOuterUp": ("browDown",),
    "jawLeft": ("jawRight",),
    "jawRight": ("jawLeft",),
    "mouthLeft": ("mouthRight",),
    "mouthRight": ("mouthLeft",),
    "mouthSmile": ("mouthFrown", "mouthPucker", "mouthFunnel"),
    "mouthFrown": ("mouthSmile",),
    "mouthPucker": ("mouthSmile", "mouthStretch", "mouthFunnel"),
    "mouthFunnel": ("mouthSmile", "mouthStretch", "mouthPucker"),
    "mouthStretch": ("mouthPucker", "mouthFunnel"),
    "cheekSquint": ("eyeWide",),
}
# Channels of random expressions, without sides. mouthClose and tongueOut only mean something beside an open jaw.
POSSIBLE = (
    "browDown", "browInnerUp", "browOuterUp", "cheekPuff", "cheekSquint", "eyeBlink", "eyeSquint", "eyeWide",
    "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthDimple", "mouthFrown", "mouthFunnel", "mouthLeft",
    "mouthLowerDown", "mouthPress", "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper",
    "mouthShrugLower", "mouthShrugUpper", "mouthSmile", "mouthStretch", "mouthUpperUp", "noseSneer",
    "up", "down", "left", "right",
)  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """What a picture shows.

    Attributes:
        weights: Weights (52,) of the channels.
        identity: Coefficients (50,) of the identity modes.
        camera: The camera.
        light: The light.
        look: The colours.
    """

    weights: FloatArray
    identity: FloatArray
    camera: Camera
    light: Light
    look: Look

    def vertices(self, head: Head) -> FloatArray:
        """Return the vertices (V, 3)."""
        posed: FloatArray = head.with_identity(self.identity) + np.tensordot(self.weights, head.basis, 1)
        return posed

    def picture(self, head: Head) -> NDArray[np.float32]:
        """Return the picture (P, P, 3)."""
        return render(head, self.vertices(head), self.camera, PIXELS, self.light, self.look).picture


def random_weights(rng: np.random.Generator) -> FloatArray:
    """Return a random expression (52,) that a face can make: nothing moves two opposite ways."""
    weights = np.zeros(len(CHANNELS))
    roots = list(POSSIBLE)
    for _ in range(rng.integers(0, MOST_CHANNELS + 1)):
        root = str(rng.choice(roots))
        roots = [name for name in roots if name != root and name not in OPPOSITES.get(root, ())]
        strength = rng.uniform(0.3, 1.0)
        sides = [name for name in (root, f"{root}Left", f"{root}Right") if name in CHANNELS]
        if root in GAZE:  # both eyes look the same way
            sides = [f"{name}{side}" for name, side in zip(GAZE[root], ("Left", "Right"), strict=True)]
        elif len(sides) == 2 and rng.random() >= SYMMETRIC:
            sides = [str(rng.choice(sides))]
        weights[[CHANNELS.index(name) for name in sides]] = strength
    return weights


def random_scene(rng: np.random.Generator, head: Head, weights: FloatArray | None = None) -> Scene:
    """Return a random scene.

    Args:
        rng: The random numbers.
        head: The head.
        weights: The expression (52,); None for a random one.
    """
    turn = rng.uniform(-1, 1, 3) * MAX_TURN
    scale = PIXELS / HEIGHT * rng.uniform(0.75, 1.15)
    camera = Camera(turn, np.zeros(2), scale, 1 / rng.uniform(*DISTANCES))
    middle = camera.project(head.landmarks68.mean(0))
    camera = replace(camera, place=PIXELS / 2 * (1 + rng.uniform(-0.1, 0.1, 2)) - middle)
    direction = np.array([rng.uniform(-1, 1), -1.0, rng.uniform(-0.3, 1.0)])
    light = Light(direction, rng.uniform(0.3, 0.8), rng.uniform(0.85, 1.1, 3) * rng.uniform(0.7, 1.1))
    look = Look(rng.uniform(0.35, 1.3), rng.uniform(0.3, 1.0), rng.uniform(0, 0.6, 3))
    identity = np.clip(rng.normal(0, IDENTITY, len(head.identity_modes)), -2, 2)
    return Scene(random_weights(rng) if weights is None else weights, identity, camera, light, look)


def neutral_of(rng: np.random.Generator, scene: Scene, head: Head, turn: float = SAME_VIEW) -> Scene:
    """Return a neutral picture of the same person, as of the same session: a slightly other view, and another light.

    Args:
        rng: The random numbers.
        scene: The picture with an expression.
        head: The head.
        turn: Standard deviation of the difference of the views, radians.
    """
    other = random_scene(rng, head, np.zeros(len(CHANNELS)))
    camera = replace(scene.camera, rotation=scene.camera.rotation + rng.normal(0, turn, 3))
    return replace(scene, weights=other.weights, camera=camera, light=other.light)


def observe(head: Head, scene: Scene) -> FloatArray | None:
    """Return the landmarks (478, 3) that the network finds in a scene's picture, or None if it sees no face."""
    points = scene.camera.project(scene.vertices(head)[head.landmark_vertices])
    low, high = points.min(0), points.max(0)
    square = Square((low + high) / 2, 1.6 * float((high - low).max()))
    found, presence = landmarks.find(Pyramid(scene.picture(head)), square)
    return found if presence >= landmarks.MIN_PRESENCE else None
