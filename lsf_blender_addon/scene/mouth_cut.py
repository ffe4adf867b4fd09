"""Cuts welded lips apart along their seam, and gives the mouth an inside: the one module of `scene` that edits a mesh.

Vertices keep their numbers, so that what points to them stays right. Shape keys, UV maps, weights, colours, other
attributes and custom normals are kept, and interpolated where an edge or a face is divided.
"""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import bmesh
import bpy
import numpy as np
from bmesh.types import BMEdge, BMesh, BMFace, BMLoop, BMVert
from mathutils import Vector
from numpy.typing import NDArray

from ..errors import UserError
from . import meshes, shape_keys
from .access import find_item, mesh_of
from .lip_seam import Seam

GAP = 4e-4  # share of the mouth's width between the lips afterwards: vertices at one place would count as one surface
ONE_LIP = 0.5  # of `_upness`: surfaces beyond it are those of one lip
BOUND = ("is_bound", "is_bind")  # properties of modifiers that are bound to a mesh, and to the number of its vertices
FREE_NORMALS = "custom_normal"  # name of Blender's own attribute, which has vectors if its type is that
NORMALS = "lsf_normals_before"  # temporary attribute
SEAM_ID = "lsf_seam_point"  # temporary layer: number of a point of the seam + 1
# The rings of the mouth's inside: depth, height of each half, and width over that of the lips. The first two are shares
# of the mouth's width. Teeth of ordinary size find room.
RINGS = ((0.04, 0.02, 1.0), (0.15, 0.22, 1.1), (0.5, 0.38, 1.15), (0.9, 0.3, 0.9))
CORNER_LAYERS = ("uv", "color", "float_color", "float_vector", "float", "int", "bool", "string")
INSIDE_MATERIAL = "Mouth Inside"
INSIDE_COLOUR, INSIDE_ROUGHNESS = (0.08, 0.02, 0.02, 1.0), 0.6  # as that of the project's own head


@dataclass(frozen=True)
class _Cut:
    """The borders of the cut lips: vertices (N,) of the upper and of the lower lip, whose ends are the corners."""

    upper: list[BMVert]
    lower: list[BMVert]
    up: Vector  # unit vector from the lower to the upper lip
    width: float
    has_inside: bool  # whether surface hung at the seam from behind


def check(head: bpy.types.Object) -> None:
    """Make sure that a head's mesh can be cut.

    Raises:
        UserError: Its mesh cannot be changed, or a modifier needs it as it is.
    """
    meshes.check(head)
    if not meshes.keeps_new_keys(mesh_of(head)):
        raise UserError(f'"{head.name}" is a library override: cut the mouth in the library\'s own file')
    for modifier in head.modifiers:
        if modifier.type == "MULTIRES" or any(getattr(modifier, name, False) for name in BOUND):
            raise UserError(
                f'The modifier "{modifier.name}" of "{head.name}" needs the mesh as it is: apply or unbind it first'
            )


def cut(head: bpy.types.Object, seam: Seam, inside: bool = True, own_material: bool = True) -> bool:
    """Split the mesh along the seam of the lips.

    Args:
        head: The head's object.
        seam: The seam, of this mesh.
        inside: Whether the mouth gets a bag of faces behind the lips; not where the mesh has one.
        own_material: Whether the bag gets a material of its own, in a new slot.

    Returns:
        Whether an inside was made.

    Raises:
        UserError: See `check`; or the mesh is another one than the seam was found on. Nothing is changed then.
    """
    check(head)
    with _restored_on_error(mesh_of(head)):
        return _cut(head, seam, inside, own_material)


@contextmanager
def _restored_on_error(mesh: bpy.types.Mesh) -> Iterator[None]:
    """Put a copy in the place of a mesh with its keys if anything raises an error, which is raised on."""
    copy = mesh.copy()
    assert isinstance(copy, bpy.types.Mesh)
    changed = False
    try:
        yield
    except UserError:  # it comes before the first change
        raise
    except BaseException:
        changed = True
        raise
    finally:
        unused = copy
        if changed:
            names = mesh.name, mesh.shape_keys.name if mesh.shape_keys else ""
            if mesh.shape_keys and copy.shape_keys:
                _follow(mesh, mesh.shape_keys, copy.shape_keys)
            mesh.user_remap(copy)
            unused = mesh
        bpy.data.batch_remove([block for block in (unused, unused.shape_keys) if block])
        if changed:
            copy.name = names[0]
            if copy.shape_keys:
                copy.shape_keys.name = names[1]


def _follow(mesh: bpy.types.Mesh, keys: bpy.types.Key, copy: bpy.types.Key) -> None:
    """Let drivers that read shape keys of a mesh, as those of the parts do, read a copy of these."""
    for user in bpy.data.user_map(subset={keys})[keys] - {mesh}:
        data = getattr(user, "animation_data", None)
        for curve in data.drivers if data else ():
            for target in (target for variable in curve.driver.variables for target in variable.targets):
                if target.id == keys:
                    target.id = copy


def _cut(head: bpy.types.Object, seam: Seam, inside: bool, own_material: bool) -> bool:
    """Split the mesh; see `cut`."""
    mesh = mesh_of(head)
    generated = shape_keys.generated_keys(mesh)
    bm = bmesh.new()
    stored, done = _store_normals(mesh), False
    try:
        bm.from_mesh(mesh)
        bm.verts.layers.int.new(SEAM_ID)  # first: a new layer invalidates all vertices
        seam_verts = _lay_seam(bm, head, seam)
        opened = _split(bm, seam_verts)
        made = inside and not opened.has_inside
        if made:
            slot = _inside_slot(mesh) if own_material else None
            _make_inside(bm, opened, slot, stored)
        bm.verts.index_update()
        upper, lower = ([vert.index for vert in verts[1:-1]] for verts in (opened.upper, opened.lower))
        up, width = np.array(opened.up), opened.width
        bm.verts.layers.int.remove(bm.verts.layers.int[SEAM_ID])
        bm.to_mesh(mesh)
        done = True
    finally:
        bm.free()
        if stored:
            _restore_normals(mesh, done)
    _open_gap(mesh, upper, lower, up * (GAP * width / 2))
    shape_keys.renew_marks(mesh, generated)
    mesh.update()
    return made


def _lay_seam(bm: BMesh, head: bpy.types.Object, seam: Seam) -> list[BMVert]:
    """Divide edges and faces so that the seam runs along edges; returns its vertices. Raises UserError."""
    changed = UserError(f'"{head.name}" was changed since its lips were looked at: press Find Landmarks')
    count = len(bm.verts)
    if seam.vertex_count != count or any(not 0 <= end < count for point in seam.points for end in point[:2]):
        raise changed
    before, verts = list(bm.verts), list[BMVert]()
    for first, second, share in seam.points:
        one, two = before[first], before[second]
        if first == second:
            verts.append(one)
            continue
        edge = bm.edges.get((one, two))
        if edge is not None:  # otherwise it is a diagonal of a face that the seam crosses
            verts.append(bmesh.utils.edge_split(edge, one, share)[1])
    verts = [vert for k, vert in enumerate(verts) if k == 0 or vert != verts[k - 1]]
    if len(verts) < 3 or len(set(verts)) < len(verts):
        raise changed
    for one, two in itertools.pairwise(verts):
        if bm.edges.get((one, two)) is None:
            face = next((face for face in one.link_faces if two in face.verts), None)
            if face is None or bmesh.utils.face_split(face, one, two) is None:
                raise changed
    return verts


def _split(bm: BMesh, seam: Sequence[BMVert]) -> _Cut:
    """Split the mesh along the edges between the vertices of a seam."""
    layer = bm.verts.layers.int[SEAM_ID]
    seam = list(seam)
    for number, vert in enumerate(seam):
        vert[layer] = number + 1
    edges = [_edge(bm, one, two) for one, two in itertools.pairwise(seam)]
    before = [vert.co.copy() for vert in seam]
    bm.verts.index_update()  # those that the split makes have none
    bmesh.ops.split_edges(bm, edges=edges)
    copies: list[list[BMVert]] = [[] for _ in seam]
    for vert in bm.verts:
        if vert[layer]:
            copies[vert[layer] - 1].append(vert)
    across = (before[-1] - before[0]).normalized()
    up = _up(copies[1:-1], across)
    upper, lower = [seam[0]], [seam[0]]
    behind = sum(len(own) > 2 for own in copies)
    extra: dict[BMVert | BMEdge | BMFace, BMVert | BMEdge | BMFace] = {}
    for own in copies[1:-1]:
        own.sort(key=lambda vert: _upness(vert, up), reverse=True)
        sides = [_upness(vert, up) for vert in own]
        if len(own) == 2 and sides[0] * sides[1] > 0 and bm.edges.get((own[1], upper[-1])) is not None:
            own.reverse()  # at a notch of the seam: the copy that goes on from the upper lip is of the upper lip
        of_one_lip = sides[-1] > ONE_LIP or sides[0] < -ONE_LIP
        if behind and len(own) < 3 and of_one_lip:  # where merged lips have a gap, a vertex is on the border of one
            groups = (own, own)
        else:
            middle = max(1, sum(side >= 0 for side in sides[:-1]))
            groups = (own[:middle], own[middle:] or own)
        for group, chain in zip(groups, (upper, lower), strict=True):
            kept, *others = sorted(group, key=lambda vert: vert.index if vert.index >= 0 else len(bm.verts))
            extra |= dict.fromkeys(others, kept)
            chain.append(kept)
    upper.append(seam[-1])
    lower.append(seam[-1])
    if extra:
        bmesh.ops.weld_verts(bm, targetmap=extra)
    return _Cut(upper, lower, up, (before[-1] - before[0]).length, 2 * behind > len(copies))


def _edge(bm: BMesh, one: BMVert, two: BMVert) -> BMEdge:
    edge = bm.edges.get((one, two))
    assert edge is not None  # `_lay_seam` has made it
    return edge


def _upness(vert: BMVert, up: Vector) -> float:
    """How much the surface around a copy of a vertex belongs to the upper lip: 1, or to the lower: -1.

    The outer skin lies above or below the vertex. The linings of both lips lie behind it; the upper one faces down.
    """
    way, facing = Vector(), Vector()
    for face in vert.link_faces:
        way += (face.calc_center_median() - vert.co).normalized()
        facing += face.normal
    return float((way.normalized() - facing.normalized()).dot(up))


def _up(copies: Sequence[Sequence[BMVert]], across: Vector) -> Vector:
    """The unit vector from the lower to the upper lip, perpendicular to the line between the corners.

    The faces' normals point out of the face, to the front: up is to the left of them, seen along the seam.
    """
    normal = sum((vert.normal for own in copies for vert in own), Vector())
    for own in copies:
        for vert in own:
            normal += sum((face.normal for face in vert.link_faces), Vector())
    up = normal.cross(across)
    return up.normalized()


def _make_inside(bm: BMesh, opened: _Cut, slot: int | None, has_normals: bool) -> None:
    """Make a bag behind the lips: rings of faces, and one that ends it."""
    upper, lower = opened.upper, opened.lower
    across = (upper[-1].co - upper[0].co).normalized()
    middle = (upper[0].co + upper[-1].co) / 2
    inwards = opened.up.cross(across)
    count = len(upper)
    loop = [*upper, *reversed(lower[1:-1])]  # once around, from the right corner over the upper lip
    share = [k / (count - 1) for k in range(count)]
    share += list(reversed(share[1:-1]))
    sign = [1.0] * count + [-1.0] * (count - 2)
    # The skin has gone around its own faces: those of the bag go the other way round along the same edge.
    forward = any(lp.vert == loop[1] and lp.link_loop_next.vert == loop[2] for lp in loop[1].link_loops)
    corners = [vert.link_loops[0] for vert in loop]  # whose UVs, colours and so on the bag takes over
    rings = [loop]
    for depth, height, width in RINGS:
        ring = []
        for vert, at, half in zip(loop, share, sign, strict=True):
            shift = inwards * (depth * opened.width)
            shift += opened.up * (half * height * opened.width * float(np.sin(np.pi * at)) ** 0.5)
            shift += across * ((vert.co - middle).dot(across) * (width - 1))
            ring.append(_new_vert(bm, vert, shift))
        rings.append(ring)
    total = len(loop)
    for row, (near, far) in enumerate(itertools.pairwise(rings)):
        for k in range(total):
            following = (k + 1) % total
            corner = [(near[k], k, row), (near[following], following, row)]
            corner += [(far[following], following, row + 1), (far[k], k, row + 1)]
            _new_face(bm, corner if not forward else corner[::-1], corners, share, sign, slot, has_normals)
    last, row = rings[-1], len(RINGS)
    for k in range(count - 1):
        below = [(total - k) % total, (total - k - 1) % total]
        order = [k, k + 1, below[1], below[0]]
        order = list(dict.fromkeys(order))
        if k == count - 2:
            order = list(dict.fromkeys([k, k + 1, below[0]]))
        corner = [(last[i], i, row) for i in order]
        _new_face(bm, corner if not forward else corner[::-1], corners, share, sign, slot, has_normals)


def _new_vert(bm: BMesh, source: BMVert, shift: Vector) -> BMVert:
    """A vertex with the weights and attributes of a vertex of the lips, which moves with it in all shape keys."""
    vert = bm.verts.new((source.co + shift).to_tuple(), source)
    for layer in bm.verts.layers.shape.values():
        vert[layer] = source[layer] + shift
    return vert


def _new_face(
    bm: BMesh,
    corner: list[tuple[BMVert, int, int]],
    corners: list[BMLoop],
    share: list[float],
    sign: list[float],
    slot: int | None,
    has_normals: bool,
) -> BMFace:
    """A face of the bag.

    Args:
        bm: The mesh.
        corner: Its vertices in order, the place of each around the lips, and its ring.
        corners: Corners of the skin around the lips, from which attributes are taken.
        share: How far each place lies from the right corner of the mouth to the left, 0 to 1.
        sign: 1 on the upper lip, -1 on the lower.
        slot: Material slot of the bag; None for that of the lips, and their UVs.
        has_normals: Whether the mesh has custom normals; the bag does not get any.
    """
    face = bm.faces.new([vert for vert, _place, _ring in corner], corners[corner[0][1]].face)
    face.smooth, face.select = True, False
    face.normal_update()
    if slot is not None:
        face.material_index = slot
    for loop, (_vert, place, ring) in zip(face.loops, corner, strict=True):
        _copy_corner(bm, corners[place], loop)
        if has_normals:
            loop[bm.loops.layers.float_vector[NORMALS]] = (0, 0, 0)
        if (free := bm.loops.layers.float_vector.get(FREE_NORMALS)) is not None:
            loop[free] = face.normal
        if slot is not None:
            for layer in bm.loops.layers.uv.values():
                loop[layer].uv = (share[place], 0.5 + 0.5 * sign[place] * ring / len(RINGS))
    return face


def _copy_corner(bm: BMesh, source: BMLoop, target: BMLoop) -> None:
    """Copy UVs, colours and other attributes of a corner. (`BMLoop.copy_from` makes the target unusable.)."""
    for kind in CORNER_LAYERS:
        for layer in getattr(bm.loops.layers, kind, {}).values():
            if kind == "uv":
                target[layer].uv = source[layer].uv
            else:
                target[layer] = source[layer]


def _inside_slot(mesh: bpy.types.Mesh) -> int:
    """The slot of a new material for the inside of the mouth."""
    material = bpy.data.materials.new(INSIDE_MATERIAL)
    material.diffuse_color = INSIDE_COLOUR  # type: ignore[assignment]  # for Workbench; stubs take no tuple
    material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = INSIDE_COLOUR
    shader.inputs["Roughness"].default_value = INSIDE_ROUGHNESS
    if not len(mesh.materials):
        mesh.materials.append(None)  # that of the skin
    mesh.materials.append(material)
    return len(mesh.materials) - 1


def _store_normals(mesh: bpy.types.Mesh) -> bool:
    """Keep custom normals, which are stored relative to the faces around, as vectors; return whether there are any."""
    if not mesh.has_custom_normals:
        return False
    own = find_item(mesh.attributes, FREE_NORMALS)
    if own is not None and own.data_type == "FLOAT_VECTOR":  # stored as vectors: they need no help
        return False
    flat = np.empty(len(mesh.loops) * 3, np.float32)
    mesh.corner_normals.foreach_get("vector", flat)
    attribute: Any = mesh.attributes.new(NORMALS, "FLOAT_VECTOR", "CORNER")
    attribute.data.foreach_set("vector", flat)
    return True


def _restore_normals(mesh: bpy.types.Mesh, cut: bool) -> None:
    """Set the custom normals that `_store_normals` has kept, if the mesh was cut since, and forget them."""
    attribute: Any = mesh.attributes[NORMALS]
    flat = np.empty(len(mesh.loops) * 3, np.float32)
    attribute.data.foreach_get("vector", flat)
    mesh.attributes.remove(attribute)
    if cut:
        mesh.normals_split_custom_set(flat.reshape(-1, 3).tolist())


def _open_gap(mesh: bpy.types.Mesh, upper: list[int], lower: list[int], shift: NDArray[np.float64]) -> None:
    """Move the borders of the lips apart, in all shape keys alike."""
    shapes: list[Any] = [key.points for key in mesh.shape_keys.key_blocks] if mesh.shape_keys else []
    for points in [mesh.vertices, *shapes]:
        flat = meshes.coordinates(points)
        flat[upper] += shift
        flat[lower] -= shift
        points.foreach_set("co", flat.ravel())
