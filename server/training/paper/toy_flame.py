"""A toy in the layout of FLAME 2020's .npz file, made from this project's own head, for tests and miniature runs.

    python -m server.training.paper.toy_flame FILE.npz [--lips FILE --upper FILE]

The two other files list the toy's vertices of the lips and of the upper face, one number a line.

It is no FLAME and has none of its data. It has FLAME's axes and units, an eye for each of its eye joints, a mouth that
is cut at the lips and has nothing behind them, a jaw that turns about the joint below the ears, and another surface
than the head it is made from: vertices in another order that lie elsewhere on the skin. Its first shapes are the head's
own identity modes. Its first expressions are the main components of the head's own shapes, each with a part that no
shape of the head has, so that fits leave an error, as they do on real data. A coefficient of 1 is one standard
deviation.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from ...arkit import CHANNELS
from ...errors import LSFError
from ...face.geometry import fit_similarity
from ...face.head import NOSE_TIP, Head, HeadPart, HeadRegion, load_head
from ...flame.reader import EXPRESSION, PARENTS, POSE_ENTRIES, SHAPE
from ...numerics import FloatArray, IntArray, smoothstep
from .named import writing_named

SEED = 18
SLIDE = 0.3  # of an edge: how far a vertex lies from the head's own vertex, towards a neighbour
WITHOUT = ("jaw", "eyeLook", "tongue", "mouthClose")  # channels that a rotation does, or that need an open jaw
SAMPLES, ACTIVE = 600, 0.12  # random expressions whose components are taken; share of the channels that each shows
OWN_SHARE = 0.12  # size of the part of an expression that no shape of the head has, relative to the expression
SMALL_SHAPE, SMALL_EXPRESSION = 6e-5, 1e-4  # metres: size of the directions that are only filled in: 1 mm together
WAVES = 3  # cosines that a smooth random direction is the sum of
WAVELENGTH = 0.05, 0.2  # metres, shortest and longest of these
CORRECTIVE = 0.004  # metres: size of the pose correctives of the jaw, per unit of an entry of R − I
NECK_JOINT, ROOT_JOINT = np.array([0, 0.02, -0.09]), np.array([0, 0.03, -0.16])  # in the head's axes, metres
UNDER_JAW = np.array([0, 0, 0.04])  # metres: the jaw reaches so much farther down than the expressions
UPPER_FACE_DEPTH = -0.02  # metres: the upper face lies in front of it
NECK_BEND = -0.17, -0.09  # metres: heights between which the neck's rotation sets in
JOINT_VERTICES = 200  # among which the weights of a joint are looked for
FULL_WEIGHT = 1e3  # of the condition that these add up to 1


def write_toy_flame(path: Path) -> None:
    """Write the toy. The same bytes of numbers come out every time.

    Args:
        path: The .npz file.
    """
    head, random = load_head(), np.random.default_rng(SEED)
    near, towards, faces = _resample(head, random)

    def carried(values: FloatArray) -> FloatArray:
        """Values (..., H, C) of the head's vertices at the toy's vertices."""
        mixed: FloatArray = (1 - SLIDE) * values[..., near, :] + SLIDE * values[..., towards, :]
        return mixed

    points = carried(head.vertices.astype(float))
    skinning, joints = _joints(head, carried, points)
    shapes = np.zeros((SHAPE + EXPRESSION, len(points), 3))
    modes = carried(head.identity_modes.astype(float))
    shapes[: len(modes)] = modes
    shapes[len(modes) : SHAPE] = SMALL_SHAPE * _smooth_fields(points, SHAPE - len(modes), random)
    expressions = _expressions(head, random)
    own = _smooth_fields(points, EXPRESSION, random) * _on_face(points)[:, None]
    shapes[SHAPE : SHAPE + len(expressions)] = carried(expressions)
    for k, direction in enumerate(shapes[SHAPE:]):
        size = OWN_SHARE * np.sqrt((direction**2).sum(1).mean()) if k < len(expressions) else SMALL_EXPRESSION
        direction += size * own[k]
    correctives = CORRECTIVE * _smooth_fields(points, POSE_ENTRIES, random)
    jaw = skinning[:, 2]
    correctives *= (jaw * (1 - jaw))[:, None]
    with path.open("wb") as file:  # np.savez would add an ending to a path
        np.savez(
            file,
            v_template=_to_flame(points),
            f=faces.astype(np.uint32),
            shapedirs=np.ascontiguousarray(_to_flame(shapes).transpose(1, 2, 0)),
            posedirs=np.ascontiguousarray(_to_flame(correctives).transpose(1, 2, 0)),
            J_regressor=joints,
            weights=skinning,
            kintree_table=np.array([[2**32 - 1, *PARENTS[1:]], range(len(PARENTS))], np.int64),
        )


def toy_regions() -> dict[str, IntArray]:
    """Return the toy's vertices, ascending, that belong to the "lips" and to the "upper" face."""
    head = load_head()
    near, _, _ = _resample(head, np.random.default_rng(SEED))
    region, place = head.region[near], head.vertices[near]
    is_skin = head.part[near] == HeadPart.SKIN
    above = place[:, 2] > head.landmarks68[NOSE_TIP, 2]
    upper = above & (place[:, 1] < UPPER_FACE_DEPTH) & (region != HeadRegion.NECK)
    return {
        "lips": np.flatnonzero(is_skin & np.isin(region, (HeadRegion.LIP_UPPER, HeadRegion.LIP_LOWER))),
        "upper": np.flatnonzero(is_skin & upper),
    }


def _to_flame(vectors: FloatArray) -> FloatArray:
    """Turn vectors (..., 3) from the head's axes (Z up, facing −Y) to FLAME's (Y up, facing +Z)."""
    return np.stack([vectors[..., 0], vectors[..., 2], -vectors[..., 1]], -1)


def _resample(head: Head, random: np.random.Generator) -> tuple[IntArray, IntArray, IntArray]:
    """Choose the toy's vertices: skin without mouth bag and sockets, and eyeballs, in random order.

    Returns:
        The head's vertex that each of the toy's is near (V,), the neighbour it has moved towards (V,), and the
        triangles (T, 3). A vertex on a border moves along the border.
    """
    eyes = np.isin(head.part, (HeadPart.EYE_LEFT, HeadPart.EYE_RIGHT))
    skin = (head.part == HeadPart.SKIN) & ~np.isin(head.region, (HeadRegion.MOUTH_BAG, HeadRegion.SOCKET))
    triangles = head.faces[(skin | eyes)[head.faces].all(1)]
    edges, uses = np.unique(np.sort(triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1), axis=0, return_counts=True)
    on_border = np.zeros(len(head.vertices), dtype=bool)
    on_border[edges[uses == 1]] = True
    pairs = np.concatenate([edges, edges[:, ::-1]])
    allowed = ~on_border[pairs[:, 0]] | np.tile(uses == 1, 2)
    pairs = random.permutation(pairs[allowed])
    near, first = np.unique(pairs[:, 0], return_index=True)
    order = random.permutation(len(near))
    number = np.full(len(head.vertices), -1)
    number[near[order]] = np.arange(len(near))
    return near[order], pairs[first, 1][order], random.permutation(number[triangles])


def _smooth_fields(points: FloatArray, count: int, random: np.random.Generator) -> FloatArray:
    """Return random smooth directions (count, V, 3) of mean length 1 at points (V, 3)."""
    axis = random.normal(size=(count, WAVES, 3))
    axis *= 2 * np.pi / np.linalg.norm(axis, axis=-1, keepdims=True) / random.uniform(*WAVELENGTH, (count, WAVES, 1))
    phase = random.uniform(0, 2 * np.pi, (count, WAVES, 1))
    waves = np.cos(axis @ points.T + phase)
    fields: FloatArray = np.einsum("kwv,kwc->kvc", waves, random.normal(size=(count, WAVES, 3)))
    fields /= np.sqrt((fields**2).sum(-1).mean(1))[:, None, None]
    return fields


def _on_face(points: FloatArray) -> FloatArray:
    """Return how far points (V, 3) belong to the face: 1 in front, 0 at the back of the head and on the neck (V,)."""
    return smoothstep(-points[:, 1], 0.02, 0.09) * smoothstep(points[:, 2], -0.11, -0.07)


def _expressions(head: Head, random: np.random.Generator) -> FloatArray:
    """Return the main components (K, H, 3) of random expressions of the head."""
    rows = [k for k, name in enumerate(CHANNELS) if not name.startswith(WITHOUT)]
    weights = random.uniform(0, 1, (SAMPLES, len(rows))) * (random.random((SAMPLES, len(rows))) < ACTIVE)
    basis = head.basis[rows].astype(float)
    deviation = weights - weights.mean(0)
    # Components of deviation · basis, from the small matrix of the basis: both have the same ones.
    gram = np.tensordot(basis, basis, ([1, 2], [1, 2]))
    root = np.linalg.cholesky(gram + 1e-9 * np.trace(gram) * np.eye(len(rows)))
    _, scale, mixture = np.linalg.svd(deviation @ root / np.sqrt(SAMPLES), full_matrices=False)
    components = np.linalg.solve(root.T, mixture.T).T * scale[:, None]
    return np.tensordot(components, basis, 1)


def _joints(
    head: Head, carried: Callable[[FloatArray], FloatArray], points: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return skinning weights (V, 5) and the joint regressor (5, V).

    The jaw turns about the axis about which the head's own lower teeth turn when its jaw opens. A vertex follows it as
    far as it follows the head's own jaw.
    """
    opened = head.basis[CHANNELS.index("jawOpen")].astype(float)
    teeth = head.vertices[head.part == HeadPart.TEETH_LOWER].astype(float)
    turned = fit_similarity(teeth, teeth + opened[head.part == HeadPart.TEETH_LOWER])
    middle = (np.eye(3) - turned.rotation)[1:, 1:]
    shift = turned.apply(np.zeros((1, 3)))[0]
    jaw_joint = np.array([0, *np.linalg.solve(middle, shift[1:])])
    field = (points - jaw_joint) @ (turned.rotation - np.eye(3)).T
    jaw = ((carried(opened) * field).sum(1) / np.maximum((field**2).sum(1), 1e-12)).clip(0, 1)
    jaw *= _on_face(points + UNDER_JAW)

    eyes = carried(np.eye(len(HeadPart))[head.part])[:, [HeadPart.EYE_LEFT, HeadPart.EYE_RIGHT]]
    jaw = np.where(eyes.any(1), 0, jaw)
    neck = smoothstep(points[:, 2], *NECK_BEND)
    skinning = np.concatenate([((1 - neck) * (1 - jaw))[:, None], (neck * (1 - jaw))[:, None], jaw[:, None], eyes], 1)
    skinning[eyes.any(1), :3] = 0
    places = np.stack([ROOT_JOINT, NECK_JOINT, jaw_joint, *head.eye_centres.astype(float)])
    return skinning, np.stack([_regressor(points, place) for place in places])


def _regressor(points: FloatArray, place: FloatArray) -> FloatArray:
    """Return weights (V,), not negative, that add up to 1 and whose sum of the points (V, 3) is a place (3,)."""
    chosen = np.argsort(np.linalg.norm((points - place) * [0.3, 1, 1], axis=1))[:JOINT_VERTICES]
    system = np.concatenate([points[chosen].T, FULL_WEIGHT * np.ones((1, len(chosen)))])
    weights, _ = nnls(system, np.append(place, FULL_WEIGHT))
    row = np.zeros(len(points))
    row[chosen] = weights / weights.sum()
    return row


def main() -> None:
    """Write the toy to the path on the command line."""
    parser = argparse.ArgumentParser(description="Write a toy in the layout of FLAME 2020's .npz file.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--lips", type=Path, help="a text file to write: the vertices of the lips")
    parser.add_argument("--upper", type=Path, help="a text file to write: the vertices of the upper face")
    arguments = parser.parse_args()
    try:
        for path, ending in ((arguments.file, ".npz"), (arguments.lips, ".txt"), (arguments.upper, ".txt")):
            if path and path.suffix.lower() != ending:  # its readers go by the ending
                raise LSFError("bad_request", f'"{path}" must end with {ending}: name it so.')
        with writing_named(arguments.file):
            write_toy_flame(arguments.file)
        for name, vertices in toy_regions().items():
            if path := getattr(arguments, name):
                with writing_named(path):
                    np.savetxt(path, vertices, "%d")
    except LSFError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
