"""Whether a mesh is a whole head at rest: signs of a part of a head, and of an expression.

Such a mesh is fitted all the same. Its shapes are then added to an expression that is there already, so the artist is
told.
"""

import numpy as np

from ..numerics import FloatArray
from .geometry import bounding_box_centre
from .head import INNER_LANDMARKS, OUTER_EYE_CORNERS, Head, HeadPart, HeadRegion
from .raster import depth_image
from .registration import Registration
from .target_mesh import TargetMesh

# The signs, in the order in which they are told.
HALF_HEAD, FRONT_ONLY, OPEN_MOUTH, SMILE, UNLIKE = SIGNS = ("half_head", "front_only", "open_mouth", "smile", "unlike")

NEAR = 0.012  # metres between the fitted head and the mesh, where the mesh has this part of the head
ASIDE = 0.01  # metres from the middle: vertices farther aside belong to one side of the head
FAR = 0.1  # metres from the middle of the face: the skull, the ears, the back of the head
MIN_SIDE = 0.6  # share of the head that the mesh has on one side, over that on the other; heads have 1, halves .44
MIN_FAR = 0.35  # share of the far vertices that the mesh has; heads without a scalp have .8, faces alone .2 to .45
MOUTH_CORNERS, INNER_LIPS, NOSE_BASE, UPPER_LIP = (48, 54), (62, 66), 33, 51
PIXELS = 160  # side of the depth image of the mouth
VIEW_WIDTHS = 2.0  # its side, in widths of the mouth
CLIFF = 0.003  # metres between pixels of one column: the border of a lip, with the inside of the mouth behind it
MIDDLE = 0.2  # of the mouth's width: columns this near to its middle are measured
MAX_OPENING = 0.15  # of the mouth's width: at rest, lips are up to .09 apart; a quarter of the jaw's way is .2
# A smile widens the mouth and lifts its corners: width over the distance of the outer eye corners, and height of the
# corners above the middle of the lips over the width. At rest, 16 people and 8 heads of other makers have widths up to
# .62 and heights up to .037, never both; broad smiles .63 to .72 and .05 to .07.
SMILE_WIDTH, SMILE_HEIGHT = 0.62, 0.045

# Metres, mean distance of the head from the mesh: heads at rest have up to 1.6 mm. Told where no other sign is.
MAX_RESIDUAL = 0.0025


def signs(registration: Registration, head: Head) -> list[str]:
    """Return those of SIGNS that a mesh shows.

    Args:
        registration: The head, fitted to the mesh.
        head: The canonical head.
    """
    smaller, far = covered(registration, head)
    width, height = mouth_corners(registration.fitted[head.landmark_vertices])
    opening = mouth_opening(registration.target, registration.fitted[head.landmark_vertices])
    shown = {
        HALF_HEAD: smaller < MIN_SIDE,
        FRONT_ONLY: far < MIN_FAR,
        OPEN_MOUTH: opening > MAX_OPENING,
        SMILE: width > SMILE_WIDTH and height > SMILE_HEIGHT,
    }
    found = [sign for sign in SIGNS if shown.get(sign)]
    return found or ([UNLIKE] if registration.residual > MAX_RESIDUAL else [])


def covered(registration: Registration, head: Head) -> tuple[float, float]:
    """Return how much of the head the mesh has: its smaller side over its larger one, and the share of what is far."""
    hidden = np.isin(head.region, (HeadRegion.MOUTH_BAG, HeadRegion.SOCKET, HeadRegion.NECK))
    skin = np.flatnonzero((head.part == HeadPart.SKIN) & ~hidden)
    has = registration.target.nearest_samples(registration.fitted[skin])[0] < NEAR
    aside = head.vertices[skin, 0]
    sides = [float(has[aside * sign > ASIDE].mean()) for sign in (1, -1)]
    far = np.linalg.norm(head.vertices[skin] - head.landmarks68[INNER_LANDMARKS].mean(0), axis=1) > FAR
    return min(sides) / max(*sides, 1e-9), float(has[far].mean())


def mouth_corners(landmarks: FloatArray) -> tuple[float, float]:
    """Return how wide the mouth is and how high its corners are, see SMILE_WIDTH; landmarks (68, 3), metres."""
    right, left = landmarks[list(MOUTH_CORNERS)]
    width = max(float(np.linalg.norm(left - right)), 1e-9)
    eyes = max(float(np.linalg.norm(np.subtract(*landmarks[list(OUTER_EYE_CORNERS)]))), 1e-9)
    height = (right[2] + left[2]) / 2 - landmarks[list(INNER_LIPS), 2].mean()
    return width / eyes, float(height) / width


def mouth_opening(target: TargetMesh, landmarks: FloatArray) -> float:
    """Return how far the lips of a mesh are apart, as a share of the mouth's width.

    Seen from the front, each column of pixels below the nose goes down over a cliff at the border of the upper lip, and
    up at that of the lower one. The fitted lips do not tell it: they may close over a mouth that is wide open.

    Args:
        target: The mesh, in the head's frame.
        landmarks: Landmarks of the head that was fitted to it (68, 3), metres.
    """
    corners = landmarks[list(MOUTH_CORNERS)]
    width = float(np.linalg.norm(corners[0] - corners[1]))
    if width <= 0:
        return 0.0
    top = (landmarks[NOSE_BASE, 2] + landmarks[UPPER_LIP, 2]) / 2
    size = VIEW_WIDTHS * width
    centre = np.array([bounding_box_centre(corners)[0], top - size / 2])
    view = depth_image(target.vertices, target.triangles[target.skin], centre, size, PIXELS)
    if not view.filled.any():
        return 0.0
    columns = np.abs(np.arange(PIXELS) + 0.5 - PIXELS / 2) * size / PIXELS < MIDDLE * width
    depth = np.where(view.filled, view.depth, np.nanmax(view.depth) + size)[:, columns]
    step = np.diff(depth, axis=0)
    begun = np.cumsum(step > CLIFF, axis=0) > 0
    rises_later = np.logical_or.accumulate(step[::-1] < -CLIFF, axis=0)[::-1]
    return float(np.median((begun & rises_later).sum(0))) * size / PIXELS / width
