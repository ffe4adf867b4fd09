"""Compute the project's own head from ICT-FaceKit light: `python -m server.face.build_head --ict ict_facekit.npz`.

The input holds `neutral` (V, 3) in centimetres with Y up, `faces` quads padded with -1, `exp_names` and `exp` offsets,
`identity` modes of unit weight. The result (assets/head.npz) is described by `server.face.head.Head`.
"""

import argparse

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from ..arkit import CHANNELS
from . import head as h
from .closing import close_all, meet
from .geometry import smoothstep
from .head import ASSET, MATERIALS
from .labels import CLEARLY, REACH
from .simplify import simplify

# Vertex ranges and landmarks of the ICT-FaceKit topology.
SKIN_END, BAG, SOCKETS = 14062, slice(11248, 13294), slice(13294, 14062)
GUMS, TEETH, EYE_LEFT, EYE_RIGHT = slice(14062, 17039), slice(17039, 21451), slice(21451, 22221), slice(23021, 23791)
LOWER_TEETH = 19247  # teeth from this vertex on are in the lower jaw
HEAD_AND_NECK = 9409  # skin from this vertex on is outside the face
LANDMARKS = np.array("""
    1225 1888 1052 367 1719 1722 2199 1447 966 3661 4390 3927 3924 2608 3272 4088 3443 268 493 1914 2044 1401
    3615 4240 4114 2734 2509 978 4527 4942 4857 1140 2075 1147 4269 3360 1507 1542 1537 1528 1518 1511 3742 3751
    3756 3721 3725 3732 5708 5695 2081 0 4275 6200 6213 6346 6461 5518 5957 5841 5702 5711 5533 6216 6207 6470
    5517 5966""".split(), dtype=int)
OUTER_LIP = [*range(48, 60), 48]
BORDERS = {"upper_lip": [60, 61, 62, 63, 64], "lower_lip": [64, 65, 66, 67, 60],
           "upper_lid_left": [42, 43, 44, 45], "lower_lid_left": [45, 46, 47, 42],
           "upper_lid_right": [36, 37, 38, 39], "lower_lid_right": [39, 40, 41, 36]}

SKIN_TARGET, GUMS_TARGET, TEETH_TARGET = 4800, 650, 900
IDENTITIES = 50
POSES = ["jawOpen", "mouthPucker", "mouthFunnel", "mouthRollLower", "mouthShrugUpper"]  # sampled when simplifying
PAIRED_POSES = ["mouthSmile", "eyeBlink", "mouthUpperUp"]

# The eyeball is built anew: rings of vertices at these angles (degrees) from the pole that looks out.
EYE_RINGS, EYE_SEGMENTS, PUPIL_RINGS, IRIS_RINGS = (4, 10, 17, 24.5, 27, 36, 50, 68, 90, 115, 145), 24, 2, 4
TONGUE_SINKS = np.array([0, 0.003, -0.007])  # metres at the tip
EYE_TURN = {"Up": 22, "Down": 26, "In": 28, "Out": 28}  # degrees at channel value 1


# Strength of shapes that the input makes about twice too strong or too weak compared with what artists make.
STRENGTH = {"mouthRollLower": 0.55, "mouthShrugLower": 0.5, "noseSneerLeft": 0.6, "noseSneerRight": 0.6,
            "cheekPuff": 0.85, "mouthUpperUpLeft": 0.85, "mouthUpperUpRight": 0.85}
# Shapes that the input shows as whole movements of a person; sums of shapes after STRENGTH, sides alike. Pressing the
# lips together is little more than a raised chin in it: the corners tighten and go out as well. Where the lower lip
# rolls in, the chin goes up with it; where it is shrugged, it goes further than the chin.
BLENDS = {"mouthPress": {"mouthPress": 1.25, "mouthSmile": 0.3, "mouthStretch": 0.3},
          "mouthRollLower": {"mouthRollLower": 0.8, "mouthShrugLower": 0.2},
          "mouthShrugLower": {"mouthShrugLower": 0.8, "mouthClose": 0.05, "jawOpen": 0.02}}
# A captured person moves the whole face with everything; a shape that is to be mixed with others stays where its muscle
# pulls. Skin that goes less than the first share of a shape's greatest way goes less still, down to the second share of
# what the input has; sides alike.
LOCAL = {"jawOpen": (0.2, 0.75), "mouthSmile": (0.4, 0), "mouthFunnel": (0.5, 0), "mouthPucker": (0.4, 0),
         "mouthLowerDown": (0.5, 0), "mouthUpperUp": (0.2, 0), "mouthRollLower": (0.6, 0), "mouthShrugLower": (0.6, 0),
         "mouthPress": (0.6, 0), "cheekSquint": (0.5, 0), "browInnerUp": (0.7, 0), "browOuterUp": (0.7, 0)}
ROLLS, ROLL_REACH = ("mouthRollLower", "mouthRollUpper"), 0.01  # metres: lips roll over teeth, what lines them stays
BLINK_INWARD = 0.3  # share of the lids' way towards the nose: they close up and down, squeezing them is eyeSquint
MOLARS_SINK = 0.005, -0.102, -0.078  # metres; from the canines (y, metres) to the molars


class Ict:
    """The input in this project's conventions (metres, Z up, facing -Y) and channel order."""

    def __init__(self, path):
        with np.load(path, allow_pickle=False) as z:
            turn = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]) / 100  # x, y, z -> x, -z, y, in metres
            self.vertices = z["neutral"].astype(float) @ turn
            names = [str(n) for n in z["exp_names"]]
            offsets = z["exp"].astype(float) @ turn
            self.identity = z["identity"].astype(float) @ turn
            quads = z["faces"]
        self.triangles = np.concatenate([quads[:, :3], quads[quads[:, 3] >= 0][:, [0, 2, 3]]])
        named = dict(zip(names, offsets, strict=True))
        self.basis = np.zeros((len(CHANNELS), *self.vertices.shape))
        for k, channel in enumerate(CHANNELS):
            sides = {channel, channel.replace("Left", "_L").replace("Right", "_R"), channel + "_L", channel + "_R"}
            self.basis[k] = sum(named[name] for name in sides if name in named) * STRENGTH.get(channel, 1.0)

    def part(self, vertices: slice):
        """Triangles of a range of vertices, numbered from its start."""
        inside = ((self.triangles >= vertices.start) & (self.triangles < vertices.stop)).all(1)
        return self.triangles[inside] - vertices.start

    def edges(self):
        t = self.triangles
        edges = np.unique(np.sort(np.concatenate([t[:, [0, 1]], t[:, [1, 2]], t[:, [2, 0]]]), axis=1), axis=0)
        length = np.linalg.norm(self.vertices[edges[:, 0]] - self.vertices[edges[:, 1]], axis=1)
        return sparse.csr_matrix((length, edges.T), shape=(len(self.vertices),) * 2)


def path_along(graph, points):
    """Vertices of the shortest edge paths through the given vertices."""
    found = []
    for start, end in zip(points[:-1], points[1:], strict=True):
        _, before = dijkstra(graph, directed=False, indices=start, return_predecessors=True)
        while end != start:
            found.append(end)
            end = before[end]
        found.append(start)
    return np.unique(found)


def seed_distances(graph, seeds):
    """(S, V) distance along the edges from each of S seed sets."""
    return np.stack([dijkstra(graph, directed=False, indices=s, min_only=True) for s in seeds])


def skin_regions(ict, graph):
    """Region, mouth side and nearness to the mouth of every input vertex, and the border loops to keep."""
    count = len(ict.vertices)
    outline = path_along(graph, LANDMARKS[OUTER_LIP])
    borders = {name: path_along(graph, LANDMARKS[points]) for name, points in BORDERS.items()}
    region, side = np.zeros(count, dtype=int), np.zeros(count, dtype=int)

    corners = LANDMARKS[[48, 54, 60, 64]]
    upper = np.union1d(borders["upper_lip"], LANDMARKS[49:54])
    lower = np.union1d(borders["lower_lip"], LANDMARKS[55:60])
    distance = seed_distances(graph, [np.setdiff1d(upper, corners), np.setdiff1d(lower, corners)])
    near = (distance.min(0) < REACH) & (np.arange(count) < SKIN_END)
    clear = near & (distance.min(0) < CLEARLY * distance.max(0))
    above = distance[0] < distance[1]
    side[clear] = np.where(above[clear], 1, -1)

    skin = np.arange(count) < HEAD_AND_NECK
    inside = skin & inside_polygon(ict.vertices[:, [0, 2]], ict.vertices[LANDMARKS[48:60]][:, [0, 2]]) & near
    inside[outline] = True
    region[inside] = np.where(above[inside], h.LIP_UPPER, h.LIP_LOWER)
    region[BAG], region[SOCKETS] = h.MOUTH_BAG, h.SOCKET
    blink = np.linalg.norm(ict.basis[[CHANNELS.index("eyeBlinkLeft"), CHANNELS.index("eyeBlinkRight")]], axis=2).sum(0)
    eye_line = ict.vertices[LANDMARKS[36:48], 2].mean()
    lids = skin & (blink > 0.0015)
    region[lids] = np.where(ict.vertices[lids, 2] > eye_line, h.LID_UPPER, h.LID_LOWER)
    region[(np.arange(count) >= HEAD_AND_NECK) & (np.arange(count) < BAG.start)] = h.NECK
    return region, side, near, outline, borders


def inside_polygon(points, polygon):
    """Even-odd rule."""
    inside = np.zeros(len(points), dtype=bool)
    for (ax, ay), (bx, by) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        crosses = (ay > points[:, 1]) != (by > points[:, 1])
        inside ^= crosses & (points[:, 0] < ax + (points[:, 1] - ay) / (by - ay + 1e-12) * (bx - ax))
    return inside


def mouth_inside_parts(ict, graph):
    """Part of every vertex of the gums and teeth: the tongue grows from its ridge, the gums from around the teeth."""
    part = np.full(len(ict.vertices), h.SKIN)
    part[TEETH.start : LOWER_TEETH], part[LOWER_TEETH : TEETH.stop] = h.TEETH_UPPER, h.TEETH_LOWER
    v = ict.vertices
    gums = np.arange(GUMS.start, GUMS.stop)
    moves = np.linalg.norm(ict.basis[CHANNELS.index("jawOpen")][gums], axis=1) > 0.004
    middle = np.abs(v[gums, 0]) < 0.0015
    # The middle of the tongue, seen from the side: its upper face, and its underside behind the tip.
    depth, height = -v[gums, 1], v[gums, 2]
    ridge = middle & moves & (depth < 0.097) & (height > -0.042)
    underside = middle & moves & (depth > 0.064) & (depth < 0.095) & (np.abs(height + 0.0485 - 0.17 * (depth - 0.062))
                                                                        < 0.0022)
    to_teeth = cKDTree(v[LOWER_TEETH : TEETH.stop]).query(v[gums])[0]
    to_upper = cKDTree(v[TEETH.start : LOWER_TEETH]).query(v[gums])[0]
    seeds = [gums[ridge | underside], gums[moves & (to_teeth < 0.002)], gums[~moves & (to_upper < 0.002)]]
    label = seed_distances(graph, seeds).argmin(0)
    part[gums] = np.array([h.TONGUE, h.GUMS_LOWER, h.GUMS_UPPER])[label[gums]]
    return part


def localise(vertices, basis, part, region):
    """(52, V, 3) with the channels of LOCAL ending sooner on the skin, and those of ROLLS inside the mouth."""
    local = basis.copy()
    for name, (ends, least) in LOCAL.items():
        for k in rows(name):
            share = np.linalg.norm(basis[k], axis=1) / np.linalg.norm(basis[k], axis=1).max()
            local[k] *= np.where(part == h.SKIN, least + (1 - least) * smoothstep(share, 0, ends), 1)[:, None]
    lips = (region == h.LIP_UPPER) | (region == h.LIP_LOWER)
    to_lips = cKDTree(vertices[lips]).query(vertices)[0]
    still = np.where(region == h.MOUTH_BAG, smoothstep(to_lips, 0, ROLL_REACH), 0)
    for k in map(CHANNELS.index, ROLLS):
        local[k] *= 1 - still[:, None]
    local[rows("eyeBlink"), :, 0] *= BLINK_INWARD
    return local


def rows(name):
    """Rows of the basis of a channel, or of its left and right one."""
    return [CHANNELS.index(name + side) for side in ("Left", "Right", "") if name + side in CHANNELS]


def blend(basis):
    """(52, V, 3) with the channels of BLENDS, on both sides where they have two."""
    mixed = basis.copy()
    for name, recipe in BLENDS.items():
        for side in ("Left", "Right") if name + "Left" in CHANNELS else ("",):
            both = {c + side if c + side in CHANNELS else c: weight for c, weight in recipe.items()}
            mixed[CHANNELS.index(name + side)] = sum(w * basis[CHANNELS.index(c)] for c, w in both.items())
    return mixed


def sink_molars(vertices, part):
    """(V, 3) with the lower teeth and gums lower towards the back.

    The input's lower molars stand 4 mm above its incisors' edges and 5 mm above the corners of the mouth, which lie as
    far forward as its canines: in a wide open mouth they would shine in the corners, where a cheek would be.
    """
    depth, canines, molars = MOLARS_SINK
    lower = np.isin(part, (h.TEETH_LOWER, h.GUMS_LOWER))
    return vertices - np.outer(lower * smoothstep(vertices[:, 1], canines, molars), [0, 0, depth])


def tongue_reach(vertices, part):
    """(V,) 0 at the root of the tongue and outside it, 1 at its tip."""
    return np.where(part == h.TONGUE, smoothstep(-vertices[:, 1], 0.035, 0.098), 0)


def tongue_out(vertices, part):
    """The tongue slides forward over the lower lip, its root stays: the input has no such shape."""
    reach = tongue_reach(vertices, part)
    middle = vertices[part == h.TONGUE, 2].mean()
    offset = np.zeros_like(vertices)
    offset[:, 1] = -0.028 * reach
    offset[:, 2] = 0.006 * reach - 0.35 * (vertices[:, 2] - middle) * reach
    offset[:, 0] = -0.15 * vertices[:, 0] * reach
    return offset


def eyeball(ict, shell: slice, sign):
    """A low-poly eyeball (rings around the gaze axis) with the shapes and identity modes of the input's outer shell."""
    source = ict.vertices[shell]
    centre = (source.max(0) + source.min(0)) / 2
    ray = source - centre
    radius = np.linalg.norm(ray, axis=1)
    angle = np.degrees(np.arccos(np.clip(-ray[:, 1] / radius, -1, 1)))
    order = np.argsort(angle)
    profile = np.convolve(np.pad(radius[order], 12, mode="edge"), np.ones(25) / 25, mode="valid")
    rings = np.radians(EYE_RINGS)[:, None]
    turn = np.linspace(0, 2 * np.pi, EYE_SEGMENTS, endpoint=False)[None, :]
    unit = np.stack([np.sin(rings) * np.cos(turn), -np.cos(rings) + 0 * turn, np.sin(rings) * np.sin(turn)], axis=-1)
    unit = np.concatenate([[[0, -1, 0]], unit.reshape(-1, 3), [[0, 1, 0]]])
    at = np.degrees(np.arccos(np.clip(-unit[:, 1], -1, 1)))
    offset = unit * np.interp(at, angle[order], profile)[:, None]
    vertices = centre + offset

    # Identity moves and scales the ball: least squares of mode = a + s * ray over the shell.
    modes = ict.identity[:, shell]
    move = modes.mean(1)
    centred = source - source.mean(0)
    scale = ((modes - move[:, None]) * centred).sum((1, 2)) / (centred**2).sum()
    modes = move[:, None] + scale[:, None, None] * (vertices - source.mean(0))

    basis = np.zeros((len(CHANNELS), *vertices.shape))
    name = "Left" if sign > 0 else "Right"
    for way, degrees in EYE_TURN.items():
        pitch = {"Up": -degrees, "Down": degrees}.get(way, 0)
        yaw = {"In": -sign * degrees, "Out": sign * degrees}.get(way, 0)
        basis[CHANNELS.index(f"eyeLook{way}{name}")] = offset @ rotation(pitch, yaw).T - offset
    return vertices, ring_triangles(len(EYE_RINGS), EYE_SEGMENTS), basis, modes, centre


def rotation(pitch, yaw):
    """About +X (positive looks down for a face along -Y), then about Z (positive turns towards +X). Degrees."""
    p, y = np.radians([pitch, yaw])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(y), -np.sin(y), 0], [np.sin(y), np.cos(y), 0], [0, 0, 1]])
    return about_z @ about_x


def ring_triangles(rings, segments):
    """Triangles of pole, rings x segments, pole; ring after ring from the first pole, outward normals."""
    a = np.arange(segments)
    b = (a + 1) % segments
    last = rings * segments + 1
    fans = [np.stack([np.zeros_like(a), 1 + a, 1 + b], 1)]
    for r in range(rings - 1):
        i, j = 1 + r * segments, 1 + (r + 1) * segments
        fans += [np.stack([i + a, j + a, j + b], 1), np.stack([i + a, j + b, i + b], 1)]
    i = 1 + (rings - 1) * segments
    fans.append(np.stack([i + a, np.full_like(a, last), i + b], 1))
    return np.concatenate(fans)


def build(ict: Ict) -> dict:
    graph = ict.edges()
    region, side, near_mouth, outline, borders = skin_regions(ict, graph)
    part = mouth_inside_parts(ict, graph)
    poses = [np.zeros_like(ict.vertices)] + [ict.basis[CHANNELS.index(p)] for p in POSES]
    poses += [ict.basis[CHANNELS.index(p + "Left")] + ict.basis[CHANNELS.index(p + "Right")] for p in PAIRED_POSES]
    poses = ict.vertices + np.stack(poses)

    locked = np.zeros(len(ict.vertices), dtype=bool)
    locked[LANDMARKS] = True
    for border in (outline, *borders.values()):
        locked[border] = True
    importance = np.ones(len(ict.vertices))
    for r, weight in ((h.NECK, 0.15), (h.MOUTH_BAG, 0.05), (h.SOCKET, 0.02), (h.LIP_UPPER, 12), (h.LIP_LOWER, 12),
                      (h.LID_UPPER, 6), (h.LID_LOWER, 6)):
        importance[region == r] = weight
    importance[near_mouth & (region == h.FACE)] = 4
    bends = np.linalg.norm(poses - ict.vertices, axis=2).max(0) > 0.0005
    importance[bends] = np.maximum(importance[bends], 0.8)

    skin_piece = slice(0, SKIN_END)
    pieces = []
    for piece, target in ((skin_piece, SKIN_TARGET), (GUMS, GUMS_TARGET), (TEETH, TEETH_TARGET)):
        kept, triangles = simplify(poses[:, piece], ict.part(piece), target, importance[piece], locked[piece])
        pieces.append((kept + piece.start, triangles))
        print(f"vertices {piece.start}-{piece.stop}: {piece.stop - piece.start} -> {len(kept)}")
    kept = np.concatenate([k for k, _ in pieces])
    starts = np.cumsum([0] + [len(k) for k, _ in pieces])
    triangles = np.concatenate([t + s for (_, t), s in zip(pieces, starts, strict=False)])

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
    basis[CHANNELS.index("jawOpen")] += tongue_reach(vertices, part)[:, None] * TONGUE_SINKS
    basis[CHANNELS.index("tongueOut")] = tongue_out(vertices, part)

    centres = []
    for shell, sign, label in ((EYE_LEFT, 1, h.EYE_LEFT), (EYE_RIGHT, -1, h.EYE_RIGHT)):
        ball, faces, look, move, centre = eyeball(ict, shell, sign)
        triangles = np.concatenate([triangles, faces + len(vertices)])
        vertices = np.concatenate([vertices, ball])
        basis, modes = np.concatenate([basis, look], axis=1), np.concatenate([modes, move], axis=1)
        part = np.append(part, np.full(len(ball), label))
        region, side, seam = (np.append(labels, np.zeros(len(ball), int)) for labels in (region, side, seam))
        centres.append(centre)

    flat = modes.reshape(len(modes), -1)
    _, size, directions = np.linalg.svd(flat, full_matrices=False)
    modes = (size[:IDENTITIES, None] * directions[:IDENTITIES]).reshape(IDENTITIES, -1, 3)
    print(f"{IDENTITIES} identity modes keep {(size[:IDENTITIES] ** 2).sum() / (size ** 2).sum():.4f} of the variance")
    return dict(
        vertices=vertices.astype(np.float32), faces=triangles.astype(np.int32), basis=basis.astype(np.float16),
        identity_modes=modes.astype(np.float16), landmark_vertices=new[LANDMARKS].astype(np.int32),
        part=part.astype(np.int8), region=region.astype(np.int8), mouth_side=side.astype(np.int8),
        seam=seam.astype(np.int8),
        material=materials(part, region, triangles), eye_centres=np.array(centres, dtype=np.float32),
    )


def materials(part, region, triangles):
    """Index into MATERIALS for every triangle."""
    name = MATERIALS.index
    of_part = {h.TEETH_UPPER: "teeth", h.TEETH_LOWER: "teeth", h.GUMS_UPPER: "gums", h.GUMS_LOWER: "gums",
               h.TONGUE: "tongue", h.EYE_LEFT: "sclera", h.EYE_RIGHT: "sclera", h.SKIN: "skin"}
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
