"""The canonical head: a remeshed average of ICT-FaceKit Light (MIT) with landmarks, ARKit shapes and identity modes.

`python -m server.face.build.build_head` makes it. Metres, Z up, facing −Y; the character's left is +X.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..arkit import CHANNELS
from ..numerics import FloatArray

ASSET = Path(__file__).parent / "assets" / "head.npz"

# The 68 landmarks in the numbering of iBUG 300-W (Sagonas et al. 2013). "Right" is the character's right.
LANDMARK_COUNT = 68
JAW_LINE = slice(0, 17)
INNER_LANDMARKS = slice(17, 68)  # brows, nose, eyes, mouth
MOUTH_LANDMARKS = slice(48, 68)
OUTER_EYE_CORNERS = (36, 45)  # right, left
CHIN, NOSE_BRIDGE, NOSE_TIP = 8, 27, 30


class HeadPart(IntEnum):
    """The anatomical part that a vertex of the canonical head belongs to."""

    SKIN = 0
    EYE_LEFT = 1
    EYE_RIGHT = 2
    TEETH_UPPER = 3
    TEETH_LOWER = 4
    GUMS_UPPER = 5
    GUMS_LOWER = 6
    TONGUE = 7


class HeadRegion(IntEnum):
    """The region of the skin that a vertex of the canonical head lies in; FACE is all skin without another region."""

    FACE = 0
    LIP_UPPER = 1
    LIP_LOWER = 2
    MOUTH_BAG = 3
    LID_UPPER = 4
    LID_LOWER = 5
    SOCKET = 6
    NECK = 7


# Borders of the openings of mouth and eyes. Bit k of `Head.seam` is set for the vertices on SEAMS[k].
SEAMS = ("upper_lip", "lower_lip", "upper_lid_left", "lower_lid_left", "upper_lid_right", "lower_lid_right")
LIP_SEAMS = 1 << SEAMS.index("upper_lip") | 1 << SEAMS.index("lower_lip")

# Names of the values of `Head.material`.
MATERIALS = ("skin", "lips", "sclera", "iris", "pupil", "teeth", "gums", "tongue", "mouth")


@dataclass(frozen=True, eq=False)
class Head:
    """The canonical head: V vertices, F triangles. Arrays are float32 or int32 and read-only.

    Attributes:
        vertices: Neutral vertices (V, 3), metres. The skin's vertices come first.
        faces: Triangles (F, 3).
        basis: Offsets (52, V, 3) of each channel at value 1, metres.
        identity_modes: Offsets (50, V, 3) of one standard deviation of the population, metres.
        landmark_vertices: Vertex of each landmark (68,).
        part: HeadPart of each vertex (V,).
        region: HeadRegion of each vertex (V,).
        mouth_side: +1 on the upper side of the mouth, -1 on the lower side, 0 far from it (V,).
        seam: Bit field (V,): on which of SEAMS a vertex lies.
        material: Index into MATERIALS of each triangle (F,).
        eye_centres: Centres of the left and the right eyeball (2, 3), metres.
        channels: Names of the 52 channels.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    basis: NDArray[np.float32]
    identity_modes: NDArray[np.float32]
    landmark_vertices: NDArray[np.int32]
    part: NDArray[np.int32]
    region: NDArray[np.int32]
    mouth_side: NDArray[np.int32]
    seam: NDArray[np.int32]
    material: NDArray[np.int32]
    eye_centres: NDArray[np.float32]
    channels: tuple[str, ...] = CHANNELS

    @property
    def triangles(self) -> NDArray[np.int32]:
        """The triangles (F, 3), under the name that server.files.meshes.Mesh uses."""
        return self.faces

    @property
    def landmarks68(self) -> NDArray[np.float32]:
        """The landmarks (68, 3), metres."""
        return self.vertices[self.landmark_vertices]

    def with_identity(self, coefficients: FloatArray) -> FloatArray:
        """Return the neutral vertices of another person.

        Args:
            coefficients: Weights (up to 50,) of the identity modes, standard normal over the population.

        Returns:
            Vertices (V, 3), metres.
        """
        offsets: FloatArray = np.tensordot(coefficients, self.identity_modes[: len(coefficients)], 1)
        return self.vertices + offsets


@cache
def load_head() -> Head:
    """Return the canonical head. It is loaded once and shared."""
    with np.load(ASSET, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    for name, array in arrays.items():
        arrays[name] = array.astype(np.float32 if array.dtype.kind == "f" else np.int32)
        arrays[name].setflags(write=False)
    return Head(**arrays)
