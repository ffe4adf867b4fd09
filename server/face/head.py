"""The project's own neutral head: a re-meshed average of ICT-FaceKit light (MIT) with landmarks, shapes and identities.

Built by `python -m server.face.build.build_head`; metres, Z up, facing -Y, the character's left is +X.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ..arkit import CHANNELS

ASSET = Path(__file__).parent / "assets" / "head.npz"

# Vertex `part`: what kind of piece a vertex belongs to.
SKIN, EYE_LEFT, EYE_RIGHT, TEETH_UPPER, TEETH_LOWER, GUMS_UPPER, GUMS_LOWER, TONGUE = range(8)
PARTS = ("skin", "eye_left", "eye_right", "teeth_upper", "teeth_lower", "gums_upper", "gums_lower", "tongue")

# Vertex `region`: where on the skin; everything else is FACE.
FACE, LIP_UPPER, LIP_LOWER, MOUTH_BAG, LID_UPPER, LID_LOWER, SOCKET, NECK = range(8)

# Vertex `seam`: bit k is set on the border SEAMS[k].
SEAMS = ("upper_lip", "lower_lip", "upper_lid_left", "lower_lid_left", "upper_lid_right", "lower_lid_right")

# Face `material`: for colouring.
MATERIALS = ("skin", "lips", "sclera", "iris", "pupil", "teeth", "gums", "tongue", "mouth")


@dataclass(frozen=True)
class Head:
    """V vertices, F triangles, 52 channels, 50 identity modes; float32 and int32 arrays that nobody may write to."""

    vertices: np.ndarray  # (V, 3) metres
    faces: np.ndarray  # (F, 3)
    basis: np.ndarray  # (52, V, 3) metres at channel value 1
    identity_modes: np.ndarray  # (50, V, 3) metres per standard deviation of the population
    landmark_vertices: np.ndarray  # (68,)
    part: np.ndarray  # (V,) index into PARTS
    region: np.ndarray  # (V,) FACE, LIP_UPPER, ...
    mouth_side: np.ndarray  # (V,) +1 on the upper side of the mouth, -1 on the lower, 0 far from it
    seam: np.ndarray  # (V,) bits: on which of SEAMS
    material: np.ndarray  # (F,) index into MATERIALS
    eye_centres: np.ndarray  # (2, 3) metres, left and right
    channels: tuple[str, ...] = CHANNELS

    @property
    def triangles(self) -> np.ndarray:
        return self.faces

    @property
    def landmarks68(self) -> np.ndarray:
        """(68, 3) metres."""
        return self.vertices[self.landmark_vertices]

    def with_identity(self, coefficients: np.ndarray) -> np.ndarray:
        """(V, 3) neutral vertices of another person; coefficients (<= 50,) are standard normal over the population."""
        return self.vertices + np.tensordot(coefficients, self.identity_modes[: len(coefficients)], 1)


@cache
def load_head() -> Head:
    """The head, loaded once and shared."""
    with np.load(ASSET, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    for name, array in arrays.items():
        arrays[name] = array.astype(np.float32 if array.dtype.kind == "f" else np.int32)
        arrays[name].setflags(write=False)
    return Head(**arrays)
