"""A line of speech on the project's own head, and a server that knows its face, whatever keys the head has."""

from types import SimpleNamespace

import bpy
import numpy as np
from numpy.typing import NDArray

from lsf_blender_addon.scene import evaluated_keys, talking_head
from server.arkit import CHANNELS
from server.face import rig_solver
from tests.lsf_blender_addon.fake_client import Client

FRAMES = 96  # of the line
OPEN, SHUT, REST, CLOSED = 30, 65, 48, 82  # rows of the motion: widest mouth, shut lids, neither, closed lips
UPPER_LIP, LOWER_LIP = (61, 62, 63), (67, 66, 65)  # landmarks of the inner lips
UPPER_LID, LOWER_LID = (37, 38, 43, 44), (41, 40, 47, 46)

ROWS = (OPEN, SHUT, REST, CLOSED)
FIRST_FRAME = 25  # of the strip that `clicks` becomes
Distances = dict[int, tuple[float, float]]  # of lips and lids, in millimetres, for each of ROWS


class Face(SimpleNamespace):
    """The head's face: `vertices` (V, 3), `basis` (52, V, 3), `landmark_vertices` (68,), `landmarks68` (68, 3)."""

    vertices: NDArray[np.float32]
    basis: NDArray[np.float32]
    landmark_vertices: NDArray[np.int32]
    landmarks68: NDArray[np.float32]


def read_face() -> Face:
    """Read the head's face from its file."""
    with np.load(talking_head.ASSET, allow_pickle=False) as stored:
        vertices, points = stored["vertices"], stored["landmark_vertices"]
        basis = stored["basis"].astype(np.float32)
    return Face(vertices=vertices, basis=basis, landmark_vertices=points, landmarks68=vertices[points])


def speech() -> NDArray[np.float32]:
    """A line of (FRAMES, 52): the mouth opens wide, the lids shut, and the jaw opens behind closed lips."""
    motion = np.zeros((FRAMES, len(CHANNELS)), np.float32)
    frames = np.arange(FRAMES)
    wide = np.exp(-(((frames - OPEN) / 6) ** 2))
    for channel, value in {"jawOpen": 0.6, "mouthLowerDownLeft": 0.3, "mouthLowerDownRight": 0.3}.items():
        motion[:, CHANNELS.index(channel)] = value * wide
    for channel in ("eyeBlinkLeft", "eyeBlinkRight"):
        motion[:, CHANNELS.index(channel)] = np.exp(-(((frames - SHUT) / 3) ** 2))
    closed = np.exp(-(((frames - CLOSED) / 4) ** 2))
    for channel in ("jawOpen", "mouthClose"):
        motion[:, CHANNELS.index(channel)] += 0.2 * closed
    return motion


class HeadClient(Client):
    """Answers as the server does for the project's own head: its shapes, and weights that the real solver finds."""

    def motion(self, frames: int) -> NDArray[np.float32]:
        """Return the motion (F, 52) of a line."""
        motion = np.zeros((frames, len(CHANNELS)), np.float32)
        motion[:FRAMES] = speech()[:frames]
        return motion

    def submit(self, kind, request, arrays):
        job = super().submit(kind, request, arrays)
        if kind == "hear":
            return job
        face, motion = read_face(), self.motion(len(job.arrays["motion"]))
        to_world = np.linalg.lstsq(face.vertices, arrays["vertices"], rcond=None)[0]  # as the object is turned, scaled
        job.arrays |= {
            "motion": motion,
            "basis": (face.basis @ to_world).astype(np.float32),
            "landmarks68": arrays["vertices"][face.landmark_vertices],
            "landmark_vertices": face.landmark_vertices.astype(np.int32),
        }
        if "rig_shapes" in arrays:
            job.arrays["rig_motion"] = self.rig_motion(request, arrays, job.arrays)
        return job

    def rig_motion(self, request, arrays, result) -> NDArray[np.float32]:
        """Return the weights (F, R) of the rig's shapes; needs scipy."""
        limits = np.array(request["rig_limits"], float)
        solver = rig_solver.Rig(arrays["rig_shapes"], limits, tuple(request.get("rig_without", ())))
        names = ("basis", "landmarks68", "landmark_vertices")
        world = SimpleNamespace(**{name: result[name] for name in names})
        return rig_solver.solve(solver, arrays["vertices"], world, result["motion"])


def distances(vertices: NDArray[np.float32]) -> tuple[float, float]:
    """Return how far the inner lips and the lids are apart, in millimetres, for vertices (V, 3)."""
    points = vertices[read_face().landmark_vertices] * 1000
    lips = np.linalg.norm(points[list(UPPER_LIP)] - points[list(LOWER_LIP)], axis=1).mean()
    lids = np.linalg.norm(points[list(UPPER_LID)] - points[list(LOWER_LID)], axis=1).mean()
    return float(lips), float(lids)


def spoken(head) -> Distances:
    """Generate, and return what the evaluated mesh does."""
    bpy.ops.lsf.generate()
    return measured(head)


def measured(head) -> Distances:
    """Return what the evaluated mesh does."""
    vertices = evaluated_keys.sample_vertices(head, [FIRST_FRAME + row for row in ROWS])
    return {row: distances(shape) for row, shape in zip(ROWS, vertices, strict=True)}


def meant() -> Distances:
    """Return what the line means."""
    face, motion = read_face(), speech()
    return {row: distances(face.vertices + np.tensordot(motion[row], face.basis, 1)) for row in ROWS}


def opening(result: Distances) -> float:
    """Return by how many millimetres the lips part."""
    return result[OPEN][0] - result[REST][0]


def closing(result: Distances) -> float:
    """Return by how many millimetres the lids come together."""
    return result[REST][1] - result[SHUT][1]
