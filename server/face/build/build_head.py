"""Compute the project's own head from ICT-FaceKit light: `python -m server.face.build.build_head --ict ict_facekit.npz`.

The input is described by `ict.py`, the result (assets/head.npz) by `server.face.head.Head`.
"""

import argparse

import numpy as np

from ...arkit import CHANNELS
from .. import head as h
from ..seam_closure import close_all, meet
from ..geometry import edge_lengths
from ..head import ASSET, MATERIALS
from .ict import EYE_LEFT, EYE_RIGHT, GUMS, LANDMARKS, SKIN_END, TEETH, Ict
from .ict_eyeball import EYE_SEGMENTS, IRIS_RINGS, PUPIL_RINGS, eyeball
from .ict_labels import mouth_inside_parts, skin_regions
from .ict_shapes import TONGUE_SINKS, blend, localise, sink_molars, tongue_out, tongue_reach
from .simplify import simplify

SKIN_TARGET, GUMS_TARGET, TEETH_TARGET = 4800, 1050, 1600
# How much vertices count in simplifying; those elsewhere count 1.
IMPORTANCE = {
    h.NECK: 0.15,
    h.MOUTH_BAG: 0.05,
    h.SOCKET: 0.02,
    h.LIP_UPPER: 12,
    h.LIP_LOWER: 12,
    h.LID_UPPER: 6,
    h.LID_LOWER: 6,
}
NEAR_MOUTH, BENDS = 4, 0.8  # skin around the lips; at least, where it moves
IDENTITIES = 50
POSES = ["jawOpen", "mouthPucker", "mouthFunnel", "mouthRollLower", "mouthShrugUpper"]  # sampled when simplifying
PAIRED_POSES = ["mouthSmile", "eyeBlink", "mouthUpperUp"]


def build(ict: Ict) -> dict[str, np.ndarray]:
    """The arrays of assets/head.npz."""
    graph = edge_lengths(ict.vertices, ict.triangles)
    region, side, near_mouth, outline, borders = skin_regions(ict, graph)
    part = mouth_inside_parts(ict, graph)
    kept, triangles = fewer_vertices(ict, region, near_mouth, [outline, *borders.values()])

    vertices, basis, modes = ict.vertices[kept], ict.basis[:, kept], ict.identity[:, kept]
    new = np.full(len(ict.vertices), -1)
    new[kept] = np.arange(len(kept))
    part, region, side = part[kept], region[kept], side[kept]
    borders = {name: new[border] for name, border in borders.items()}
    bag = region == h.MOUTH_BAG
    vertices = sink_molars(vertices, part)
    # The input leaves a slit of 0.8 mm between the lips at rest, and its mouthClose overshoots by 5 to 8 mm.
    upper, lower = borders["upper_lip"], borders["lower_lip"]
    vertices = vertices + meet(vertices, triangles, vertices, upper, lower, 0.1, 0.5, ~near_mouth[kept] & ~bag)
    basis = blend(close_all(vertices, triangles, localise(vertices, basis, part, region), borders, bag))
    seam = np.zeros(len(vertices), dtype=int)
    for bit, name in enumerate(h.SEAMS):
        seam[borders[name]] |= 1 << bit
    # The input's tongue keeps its height above the lower teeth; a resting one sinks to the floor of an open mouth.
    reach = tongue_reach(vertices, triangles, part)
    basis[CHANNELS.index("jawOpen")] += reach[:, None] * TONGUE_SINKS
    basis[CHANNELS.index("tongueOut")] = tongue_out(vertices, part, reach)

    centres = []
    for shell, sign, label in ((EYE_LEFT, 1, h.EYE_LEFT), (EYE_RIGHT, -1, h.EYE_RIGHT)):
        ball, faces, look, move, centre = eyeball(ict, shell, sign)
        triangles = np.concatenate([triangles, faces + len(vertices)])
        vertices = np.concatenate([vertices, ball])
        basis, modes = np.concatenate([basis, look], axis=1), np.concatenate([modes, move], axis=1)
        part = np.append(part, np.full(len(ball), label))
        region, side, seam = (np.append(labels, np.zeros(len(ball), int)) for labels in (region, side, seam))
        centres.append(centre)

    return dict(
        vertices=vertices.astype(np.float32),
        faces=triangles.astype(np.int32),
        basis=basis.astype(np.float16),
        identity_modes=strongest(modes, part == h.SKIN).astype(np.float16),
        landmark_vertices=new[LANDMARKS].astype(np.int32),
        part=part.astype(np.int8),
        region=region.astype(np.int8),
        mouth_side=side.astype(np.int8),
        seam=seam.astype(np.int8),
        material=materials(part, region, triangles),
        eye_centres=np.array(centres, dtype=np.float32),
    )


def fewer_vertices(
    ict: Ict, region: np.ndarray, near_mouth: np.ndarray, loops: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Simplify skin, gums and teeth, finest where the face moves; landmarks and `loops` stay.

    Returns the vertices that are kept (n,), and triangles (T, 3) between them, numbered as they are kept.
    """
    poses = [np.zeros_like(ict.vertices)] + [ict.basis[CHANNELS.index(p)] for p in POSES]
    poses += [ict.basis[CHANNELS.index(p + "Left")] + ict.basis[CHANNELS.index(p + "Right")] for p in PAIRED_POSES]
    poses = ict.vertices + np.stack(poses)
    locked = np.zeros(len(ict.vertices), dtype=bool)
    for vertices in (LANDMARKS, *loops):
        locked[vertices] = True
    importance = np.ones(len(ict.vertices))
    for r, weight in IMPORTANCE.items():
        importance[region == r] = weight
    importance[near_mouth & (region == h.FACE)] = NEAR_MOUTH
    bends = np.linalg.norm(poses - ict.vertices, axis=2).max(0) > 0.0005
    importance[bends] = np.maximum(importance[bends], BENDS)

    kept, triangles, count = [], [], 0
    for piece, target in ((slice(0, SKIN_END), SKIN_TARGET), (GUMS, GUMS_TARGET), (TEETH, TEETH_TARGET)):
        left, faces = simplify(poses[:, piece], ict.part(piece), target, importance[piece], locked[piece])
        print(f"vertices {piece.start}-{piece.stop}: {piece.stop - piece.start} -> {len(left)}")
        kept.append(left + piece.start)
        triangles.append(faces + count)
        count += len(left)
    return np.concatenate(kept), np.concatenate(triangles)


def strongest(modes: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """(IDENTITIES, V, 3) the directions in the identity modes (N, V, 3) along which the skin (V,) bool varies most, as
    far as faces vary along them."""
    mixed, size, _ = np.linalg.svd(modes[:, skin].reshape(len(modes), -1), full_matrices=False)
    print(f"{IDENTITIES} identity modes keep {(size[:IDENTITIES] ** 2).sum() / (size**2).sum():.4f} of the variance")
    return np.tensordot(mixed[:, :IDENTITIES].T, modes, 1)


def materials(part: np.ndarray, region: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(T,) index into MATERIALS for every triangle."""
    name = MATERIALS.index
    of_part = {
        h.TEETH_UPPER: "teeth",
        h.TEETH_LOWER: "teeth",
        h.GUMS_UPPER: "gums",
        h.GUMS_LOWER: "gums",
        h.TONGUE: "tongue",
        h.EYE_LEFT: "sclera",
        h.EYE_RIGHT: "sclera",
        h.SKIN: "skin",
    }
    corner_parts = part[triangles]
    material = np.array([name(of_part[p]) for p in range(len(h.PARTS))])[np.median(corner_parts, axis=1).astype(int)]
    corner_regions = region[triangles]
    lips = (corner_regions == h.LIP_UPPER) | (corner_regions == h.LIP_LOWER)
    material[lips.all(1)] = name("lips")
    material[(corner_regions == h.MOUTH_BAG).any(1)] = name("mouth")
    for label in (h.EYE_LEFT, h.EYE_RIGHT):
        first = np.flatnonzero(part == label)[0]
        inner = corner_parts[:, 0] == label
        furthest = np.where(inner, (triangles - first).max(1), 10**6)
        material[furthest <= IRIS_RINGS * EYE_SEGMENTS] = name("iris")
        material[furthest <= PUPIL_RINGS * EYE_SEGMENTS] = name("pupil")
    return material.astype(np.int8)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ict", required=True, help="ict_facekit.npz")
    arguments = parser.parse_args()
    arrays = build(Ict(arguments.ict))
    ASSET.parent.mkdir(exist_ok=True)
    np.savez_compressed(ASSET, **arrays)
    print(f"{ASSET}: {len(arrays['vertices'])} vertices, {ASSET.stat().st_size / 1e6:.1f} MB")
