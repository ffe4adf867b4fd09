"""Computes the canonical head from ICT-FaceKit Light: `python -m server.face.build.build_head --ict ict_facekit.npz`.

The input is described in ict.py, the result (assets/head.npz) in server.face.head.Head.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arkit import CHANNELS, channel_indices
from ...numerics import BoolArray, FloatArray, IntArray
from ..geometry import edge_length_matrix
from ..head import ASSET, MATERIALS, SEAMS, HeadPart, HeadRegion
from ..seam_closure import close_all_seams, close_seam, harmonic_laplacian
from .ict import EYE_LEFT, EYE_RIGHT, GUMS, LANDMARKS, SKIN_END, TEETH, Ict
from .ict_eyeball import EYE_SEGMENTS, IRIS_RINGS, PUPIL_RINGS, build_eyeball
from .ict_labels import label_mouth_parts, label_skin
from .ict_shapes import TONGUE_SINKS, blend, localise, sink_molars, tongue_mobility, tongue_out
from .simplify import simplify

SKIN_TARGET, GUMS_TARGET, TEETH_TARGET = 4800, 1050, 1600  # vertices
# Weight of the vertices of a region in the error of the simplification; 1 elsewhere.
IMPORTANCE = {
    HeadRegion.NECK: 0.15,
    HeadRegion.MOUTH_BAG: 0.05,
    HeadRegion.SOCKET: 0.02,
    HeadRegion.LIP_UPPER: 12,
    HeadRegion.LIP_LOWER: 12,
    HeadRegion.LID_UPPER: 6,
    HeadRegion.LID_LOWER: 6,
}
MOUTH_IMPORTANCE = 4  # of the skin around the lips
MIN_MOVING_IMPORTANCE = 0.8  # of vertices that some pose moves by MIN_TRAVEL
MIN_TRAVEL = 0.0005  # metres
IDENTITIES = 50  # identity modes that are kept
POSES = (
    "jawOpen",
    "mouthPucker",
    "mouthFunnel",
    "mouthRollLower",
    "mouthShrugUpper",
    "mouthSmile",
    "eyeBlink",
    "mouthUpperUp",
)  # over which the simplification sums its error; channels with two sides are posed on both
REST_GAP_LEFT = 0.1  # share of the slit between the input's lips that is kept


@dataclass
class _Mesh:
    """The unfinished head: vertices (V, 3), triangles (T, 3), basis (52, V, 3), modes (N, V, 3), labels (V,)."""

    vertices: FloatArray
    triangles: IntArray
    basis: FloatArray
    modes: FloatArray
    part: IntArray
    region: IntArray
    side: IntArray
    seam: IntArray


def build(ict: Ict) -> dict[str, NDArray[np.generic]]:
    """Return the arrays of assets/head.npz, as the fields of Head describe them."""
    graph = edge_length_matrix(ict.vertices, ict.triangles)
    labels = label_skin(ict, graph)
    part = label_mouth_parts(ict, graph)
    loops = [labels.lip_outline, *labels.borders.values()]
    kept, triangles = simplify_pieces(ict, labels.region, labels.near_mouth, loops)
    new_index = np.full(len(ict.vertices), -1)
    new_index[kept] = np.arange(len(kept))
    borders = {name: new_index[border] for name, border in labels.borders.items()}
    seam = np.zeros(len(kept), dtype=int)
    for bit, name in enumerate(SEAMS):
        seam[borders[name]] |= 1 << bit
    mesh = _Mesh(
        ict.vertices[kept],
        triangles,
        ict.basis[:, kept],
        ict.identity[:, kept],
        part[kept],
        labels.region[kept],
        labels.side[kept],
        seam,
    )
    _shape_mouth(mesh, borders, labels.near_mouth[kept])
    centres = [
        _add_eyeball(mesh, ict, EYE_LEFT, 1, HeadPart.EYE_LEFT),
        _add_eyeball(mesh, ict, EYE_RIGHT, -1, HeadPart.EYE_RIGHT),
    ]
    modes = principal_modes(mesh.modes, mesh.part == HeadPart.SKIN)
    return {
        "vertices": mesh.vertices.astype(np.float32),
        "faces": mesh.triangles.astype(np.int32),
        "basis": mesh.basis.astype(np.float16),
        "identity_modes": modes.astype(np.float16),
        "landmark_vertices": new_index[LANDMARKS].astype(np.int32),
        "part": mesh.part.astype(np.int8),
        "region": mesh.region.astype(np.int8),
        "mouth_side": mesh.side.astype(np.int8),
        "seam": mesh.seam.astype(np.int8),
        "material": triangle_materials(mesh.part, mesh.region, mesh.triangles),
        "eye_centres": np.array(centres, dtype=np.float32),
    }


def _shape_mouth(mesh: _Mesh, borders: dict[str, IntArray], near_mouth: BoolArray) -> None:
    """Correct molars, lips, shapes and tongue, which differ from those of artists' heads in the input, in place."""
    mouth_bag = mesh.region == HeadRegion.MOUTH_BAG
    mesh.vertices = sink_molars(mesh.vertices, mesh.part)
    # The input leaves a slit of 0.8 mm between the lips at rest, and its mouthClose overshoots by 5 to 8 mm.
    upper, lower = borders["upper_lip"], borders["lower_lip"]
    fixed = ~near_mouth & ~mouth_bag
    mesh.vertices = mesh.vertices + close_seam(
        mesh.vertices,
        harmonic_laplacian(mesh.vertices, mesh.triangles),
        mesh.vertices,
        upper,
        lower,
        REST_GAP_LEFT,
        0.5,
        fixed,
    )
    shapes = localise(mesh.vertices, mesh.basis, mesh.part, mesh.region)
    mesh.basis = blend(close_all_seams(mesh.vertices, mesh.triangles, shapes, borders, mouth_bag))
    # The input's tongue keeps its height above the lower teeth; a resting one sinks to the floor of an open mouth.
    mobility = tongue_mobility(mesh.vertices, mesh.triangles, mesh.part)
    mesh.basis[CHANNELS.index("jawOpen")] += mobility[:, None] * TONGUE_SINKS
    mesh.basis[CHANNELS.index("tongueOut")] = tongue_out(mesh.vertices, mesh.part, mobility)


def _add_eyeball(mesh: _Mesh, ict: Ict, shell: slice, sign: int, part: HeadPart) -> FloatArray:
    """Add an eyeball in place, and return its centre (3,); sign is 1 for the left eye, -1 for the right."""
    ball = build_eyeball(ict, shell, sign)
    count = len(ball.vertices)
    mesh.triangles = np.concatenate([mesh.triangles, ball.triangles + len(mesh.vertices)])
    mesh.vertices = np.concatenate([mesh.vertices, ball.vertices])
    mesh.basis = np.concatenate([mesh.basis, ball.basis], axis=1)
    mesh.modes = np.concatenate([mesh.modes, ball.modes], axis=1)
    mesh.part = np.append(mesh.part, np.full(count, part))
    mesh.region, mesh.side, mesh.seam = (
        np.append(labels, np.zeros(count, int)) for labels in (mesh.region, mesh.side, mesh.seam)
    )
    return ball.centre


def simplify_pieces(
    ict: Ict, region: IntArray, near_mouth: BoolArray, loops: Sequence[IntArray]
) -> tuple[IntArray, IntArray]:
    """Simplify skin, gums and teeth, least where the face moves. Landmarks and `loops` stay.

    Args:
        ict: The input, V vertices.
        region: HeadRegion of each vertex (V,).
        near_mouth: Vertices around the mouth (V,).
        loops: Vertices along borders that are kept.

    Returns:
        The vertices that are kept (N,), and triangles (T, 3) between them in the new numbering.
    """
    poses = [np.zeros_like(ict.vertices)] + [ict.basis[channel_indices(pose)].sum(0) for pose in POSES]
    poses = ict.vertices + np.stack(poses)
    locked = np.zeros(len(ict.vertices), dtype=bool)
    for vertices in (LANDMARKS, *loops):
        locked[vertices] = True
    importance = np.ones(len(ict.vertices))
    for label, weight in IMPORTANCE.items():
        importance[region == label] = weight
    importance[near_mouth & (region == HeadRegion.FACE)] = MOUTH_IMPORTANCE
    moving = np.linalg.norm(poses - ict.vertices, axis=2).max(0) > MIN_TRAVEL
    importance[moving] = np.maximum(importance[moving], MIN_MOVING_IMPORTANCE)

    kept, triangles, count = [], [], 0
    for piece, target in ((slice(0, SKIN_END), SKIN_TARGET), (GUMS, GUMS_TARGET), (TEETH, TEETH_TARGET)):
        left, faces = simplify(poses[:, piece], ict.triangles_within(piece), target, importance[piece], locked[piece])
        print(f"vertices {piece.start}-{piece.stop}: {piece.stop - piece.start} -> {len(left)}")
        kept.append(left + piece.start)
        triangles.append(faces + count)
        count += len(left)
    return np.concatenate(kept), np.concatenate(triangles)


def principal_modes(modes: FloatArray, skin: BoolArray) -> FloatArray:
    """Return the principal components of the identity modes, by the variance of the skin.

    Args:
        modes: Offsets of unit weight (N, V, 3).
        skin: Vertices that count (V,).

    Returns:
        Offsets (IDENTITIES, V, 3) of one standard deviation of the population.
    """
    mixed, size, _ = np.linalg.svd(modes[:, skin].reshape(len(modes), -1), full_matrices=False)
    print(f"{IDENTITIES} identity modes keep {(size[:IDENTITIES] ** 2).sum() / (size**2).sum():.4f} of the variance")
    principal: FloatArray = np.tensordot(mixed[:, :IDENTITIES].T, modes, 1)
    return principal


def triangle_materials(part: IntArray, region: IntArray, triangles: IntArray) -> NDArray[np.int8]:
    """Return the index into MATERIALS of each triangle (T,).

    Args:
        part: HeadPart of each vertex (V,).
        region: HeadRegion of each vertex (V,).
        triangles: Triangles (T, 3).
    """
    index = MATERIALS.index
    of_part = {
        HeadPart.TEETH_UPPER: "teeth",
        HeadPart.TEETH_LOWER: "teeth",
        HeadPart.GUMS_UPPER: "gums",
        HeadPart.GUMS_LOWER: "gums",
        HeadPart.TONGUE: "tongue",
        HeadPart.EYE_LEFT: "sclera",
        HeadPart.EYE_RIGHT: "sclera",
        HeadPart.SKIN: "skin",
    }
    corner_parts = part[triangles]
    material: IntArray = np.array([index(of_part[p]) for p in HeadPart])[np.median(corner_parts, axis=1).astype(int)]
    corner_regions = region[triangles]
    lips = np.isin(corner_regions, (HeadRegion.LIP_UPPER, HeadRegion.LIP_LOWER))
    material[lips.all(1)] = index("lips")
    material[(corner_regions == HeadRegion.MOUTH_BAG).any(1)] = index("mouth")
    for eye in (HeadPart.EYE_LEFT, HeadPart.EYE_RIGHT):
        first = np.flatnonzero(part == eye)[0]
        furthest = np.where(corner_parts[:, 0] == eye, (triangles - first).max(1), 10**6)
        material[furthest <= IRIS_RINGS * EYE_SEGMENTS] = index("iris")
        material[furthest <= PUPIL_RINGS * EYE_SEGMENTS] = index("pupil")
    return material.astype(np.int8)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ict", required=True, help="ict_facekit.npz")
    arguments = parser.parse_args()
    arrays = build(Ict(arguments.ict))
    ASSET.parent.mkdir(exist_ok=True)
    np.savez_compressed(ASSET, **arrays)  # type: ignore[arg-type]  # the stub takes them for allow_pickle, too
    print(f"{ASSET}: {len(arrays['vertices'])} vertices, {ASSET.stat().st_size / 1e6:.1f} MB")
