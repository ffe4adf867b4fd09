"""Characters of the kinds that artists have, each built from the project's own head: for the gallery and for tests.

Every builder adds its objects to the scene, selects them with the head active, as an artist would before Generate, and
returns the head. Lengths are metres; heads face −Y, with Z up, and the character's left is +X.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

import bmesh
import bpy
import numpy as np
from mathutils import Matrix, Vector
from numpy.typing import NDArray

from lsf_blender_addon.rigs.families import Family, built_in
from lsf_blender_addon.scene import meshes, talking_head
from server.arkit import CHANNELS
from server.face.head import SEAMS, HeadPart, HeadRegion, load_head

Floats = NDArray[np.floating]

FAMILIES = {family.name: family for family in built_in()}

UNKNOWN = {"mouthFrownLeft": 0.7, "mouthFrownRight": 0.7}  # what keys show whose names tell nothing of their shapes

EYES = {"EyeLeft": HeadPart.EYE_LEFT, "EyeRight": HeadPart.EYE_RIGHT}  # in the order of `Head.eye_centres`
LIPS_AND_LIDS = (HeadRegion.LIP_UPPER, HeadRegion.LIP_LOWER, HeadRegion.LID_UPPER, HeadRegion.LID_LOWER)
MOUTH_PARTS = {
    "UpperTeeth": (HeadPart.TEETH_UPPER, HeadPart.GUMS_UPPER),
    "LowerTeeth": (HeadPart.TEETH_LOWER, HeadPart.GUMS_LOWER),
    "Tongue": (HeadPart.TONGUE,),
}
PUPIL, IRIS = np.radians((11.0, 26.0))  # of an eye, seen from its centre
HALF_SPHERE = 0.0  # how far behind the centre an eye that is a half sphere ends, in radii

DRIVEN = ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight", "mouthSmileLeft", "mouthSmileRight", "mouthPucker", "mouthFunnel")

# Landmarks, factor by which what is around them grows, and radius of this in metres; of three stylised heads.
Feature = tuple[tuple[int, ...], float, float]
RIGHT_EYE, LEFT_EYE, NOSE, MOUTH, CHIN, JAW = (
    (37, 38, 40, 41),
    (43, 44, 46, 47),
    (30, 33),
    (48, 51, 54, 57),
    (8,),
    (3, 13),
)
STYLES: dict[str, tuple[Feature, ...]] = {
    "big eyes": ((RIGHT_EYE, 1.45, 0.022), (LEFT_EYE, 1.45, 0.022), (NOSE, 0.7, 0.02), (CHIN, 0.85, 0.04)),
    "big nose": ((NOSE, 1.5, 0.03), (RIGHT_EYE, 0.85, 0.025), (LEFT_EYE, 0.85, 0.025), (JAW, 1.2, 0.05)),
    "wide mouth": ((MOUTH, 1.35, 0.03), (RIGHT_EYE, 1.3, 0.025), (LEFT_EYE, 1.3, 0.025), (NOSE, 0.75, 0.025)),
}

JAW_PIVOT = (0.0, 0.0, -0.02)
JAW_ANGLE = np.radians(18.0)  # by which the jaw's bone turns where the mouth is wide open


def plain() -> bpy.types.Object:
    """Add the head as it is, without shape keys, and choose it alone."""
    return chosen(talking_head.add(bpy.context))


def chosen(head: bpy.types.Object, parts: Sequence[bpy.types.Object] = ()) -> bpy.types.Object:
    """Select a head with its parts, and nothing else, and make the head active; returns it."""
    for obj in bpy.context.selected_objects:
        obj.select_set(False)
    for obj in (*parts, head):
        obj.select_set(True)
    bpy.context.view_layer.objects.active = head
    return head


def shapes_of(family: Family, names: Collection[str]) -> dict[str, NDArray[np.float32]]:
    """Return offsets (V, 3) for each of a maker's keys, as the maker would have cut the head's shapes.

    The keys together show what the head's 52 shapes show: where several keys follow one channel, each has its share of
    the shape, and a key that follows two channels has both shapes. Keys that are solved show what their names tell.
    """
    mapping, looks = family.match(list(names)), family.looks(names)
    cut = np.einsum("nk,kvd->nvd", np.linalg.pinv(mapping.gains(CHANNELS)), load_head().basis)
    shapes = dict(zip(mapping.direct, cut.astype(np.float32), strict=True))
    return shapes | {key: offsets(looks.get(key, UNKNOWN)) for key in mapping.solved}


def offsets(values: dict[str, float]) -> NDArray[np.float32]:
    """Return the offsets (V, 3) of the head where channels have these values."""
    basis = load_head().basis
    moved: NDArray[np.float32] = sum(
        (value * basis[CHANNELS.index(channel)] for channel, value in values.items()), np.zeros_like(basis[0])
    )
    return moved


def keys_of(family: str) -> list[str]:
    """Names of a maker's keys, without those that show the same as others together."""
    return [key.names[0] for key in FAMILIES[family].keys if not key.stands_for]


def give_keys(head: bpy.types.Object, family: Family, names: Collection[str], empty: Collection[str] = ()) -> None:
    """Give the head a maker's keys, beside those that it has.

    Args:
        head: The project's own head, with its vertices in their order.
        family: The maker's keys.
        names: Names of the keys; all are the family's.
        empty: Those of them that get no shape.
    """
    if head.data.shape_keys is None:
        head.shape_key_add(name="Basis")
    shapes = shapes_of(family, names)
    rest = meshes.base_vertices(head.data)
    for name in names:
        key = head.shape_key_add(name=name, from_mix=False)
        key.value = 0.0
        moved = rest if name in empty else rest + shapes[name]
        key.points.foreach_set("co", moved.astype(np.float32).ravel())
        if any(row.gain < 0 for row in family.match([name]).rows):
            key.slider_min = -1.0
    head.data.update()


def with_keys(family: Family, names: Collection[str], empty: Collection[str] = ()) -> bpy.types.Object:
    """Add the head with a maker's keys, as `give_keys` gives them."""
    head = plain()
    give_keys(head, family, names, empty)
    return head


def of_family(family: str) -> bpy.types.Object:
    """Add the head with all keys of a family."""
    return with_keys(FAMILIES[family], keys_of(family))


def with_arkit_keys(empty: Collection[str] = ()) -> bpy.types.Object:
    """Add the head with the 52 ARKit keys, some of which have no shape."""
    return with_keys(FAMILIES["ARKit"], CHANNELS, empty)


def with_driven_keys() -> bpy.types.Object:
    """Add the head with 52 ARKit keys, of which custom properties of an empty drive those of DRIVEN."""
    head = with_arkit_keys()
    controls = bpy.data.objects.new("Controls", None)
    controls.location = 0.0, 0.0, 0.3
    bpy.context.collection.objects.link(controls)
    for name in DRIVEN:
        controls[name] = 0.0
        driver = head.data.shape_keys.key_blocks[name].driver_add("value").driver
        driver.type = "AVERAGE"
        variable = driver.variables.new()
        variable.targets[0].id, variable.targets[0].data_path = controls, f'["{name}"]'
    return head


def in_parts(half: bool) -> bpy.types.Object:
    """Add the skin, and eyes, teeth and tongue as objects of their own.

    Args:
        half: Whether the eyes are half spheres; else they are whole ones.
    """
    data, head = load_head(), plain()
    mouth = [_piece(head, name, parts) for name, parts in MOUTH_PARTS.items()]
    eyes = [
        _eye(head, name, data.vertices[data.part == part], Vector(centre.tolist()), half)
        for (name, part), centre in zip(EYES.items(), data.eye_centres, strict=True)
    ]
    _keep(head.data, (HeadPart.SKIN,))
    return chosen(head, [*mouth, *eyes])


def with_shut_eyes() -> bpy.types.Object:
    """Add the head with lids that are shut at rest."""
    return _deformed(load_head().vertices + offsets({"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}))


def with_welded_lips() -> bpy.types.Object:
    """Add the head with lips that are one surface: their borders are merged, as Merge by Distance does."""
    data, head = load_head(), plain()
    upper, lower = (np.flatnonzero(data.seam & 1 << SEAMS.index(lip)) for lip in ("upper_lip", "lower_lip"))
    nearest = upper[np.linalg.norm(data.vertices[lower][:, None] - data.vertices[upper], axis=2).argmin(1)]
    mesh = bmesh.new()
    mesh.from_mesh(head.data)
    mesh.verts.ensure_lookup_table()
    pairs = {mesh.verts[k]: mesh.verts[n] for k, n in zip(lower.tolist(), nearest.tolist(), strict=True) if k != n}
    bmesh.ops.weld_verts(mesh, targetmap=pairs)
    mesh.to_mesh(head.data)
    mesh.free()
    return head


def on_its_face() -> bpy.types.Object:
    """Add the head lying on its face, as an importer leaves it that takes the file's Y for up."""
    head = plain()
    head.data.transform(Matrix.Rotation(np.radians(90.0), 4, "X"))
    return head


def overridden(folder: Path) -> bpy.types.Object:
    """Add a library override of a head with 52 ARKit keys, which is linked from a file in `folder`."""
    original = with_arkit_keys()
    path = folder / "library.blend"
    bpy.data.libraries.write(str(path), {original})
    bpy.data.batch_remove([original, original.data])
    with bpy.data.libraries.load(str(path), link=True) as (_, target):
        target.objects = [talking_head.NAME]
    head = target.objects[0].override_create()
    bpy.context.collection.objects.link(head)
    return chosen(head)


def with_jaw_bone() -> bpy.types.Object:
    """Add the head with an armature of two bones, Head and Jaw, that its Armature modifier follows."""
    head = plain()
    armature = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    bpy.context.collection.objects.link(armature)
    chosen(armature)
    bpy.ops.object.mode_set(mode="EDIT")
    bones = armature.data.edit_bones
    skull, jaw = bones.new("Head"), bones.new("Jaw")
    skull.head, skull.tail = (0.0, 0.03, -0.12), (0.0, 0.03, 0.1)
    jaw.head, jaw.tail = JAW_PIVOT, (0.0, -0.1, -0.09)
    jaw.parent = skull
    bpy.ops.object.mode_set(mode="OBJECT")
    weights = _jaw_weights()
    for name, values in (("Jaw", weights), ("Head", 1.0 - weights)):
        group = head.vertex_groups.new(name=name)
        for vertex in np.flatnonzero(values > 0).tolist():
            group.add([vertex], float(values[vertex]), "REPLACE")
    head.modifiers.new("Armature", "ARMATURE").object = armature
    return chosen(head)


def stylised(style: str) -> bpy.types.Object:
    """Add a head of one of STYLES: a strong and smooth deformation."""
    data = load_head()
    vertices = data.vertices.astype(float)
    for landmarks, factor, radius in STYLES[style]:
        centre = vertices[data.landmark_vertices[list(landmarks)]].mean(0)
        near = np.exp(-((vertices - centre) ** 2).sum(1) / (2 * (radius * max(factor, 1.0)) ** 2))[:, None]
        vertices += near * (factor - 1) * (vertices - centre)
    return _deformed(vertices)


def relief(family: str, depth: float) -> bpy.types.Object:
    """Add the head with a family's keys, pressed flat to a share of its depth: no face is found on it."""
    head = of_family(family)
    head.data.transform(Matrix.Scale(depth, 4, Vector((0.0, 1.0, 0.0))), shape_keys=True)
    return head


def low_poly(share: float) -> bpy.types.Object:
    """Add the head with a share of its triangles, alike on both sides, as the Decimate modifier leaves them."""
    head = plain()
    data, kept = load_head(), head.vertex_groups.new(name="Kept")
    for values, shown, weight in ((data.region, LIPS_AND_LIDS, 0.7), (data.part, EYES.values(), 1.0)):
        kept.add(np.flatnonzero(np.isin(values, list(shown))).tolist(), weight, "REPLACE")
    modifier = head.modifiers.new("Decimate", "DECIMATE")
    modifier.ratio, modifier.use_symmetry, modifier.symmetry_axis = share, True, "X"
    modifier.vertex_group, modifier.invert_vertex_group = kept.name, True  # as a modeller keeps lids, lips and irises
    coarse = bpy.data.meshes.new_from_object(head.evaluated_get(bpy.context.evaluated_depsgraph_get()))
    head.modifiers.clear()
    head.vertex_groups.clear()
    fine, head.data = head.data, coarse
    bpy.data.meshes.remove(fine)
    return head


def subdivided() -> bpy.types.Object:
    """Add the head with a Subdivision Surface modifier."""
    head = plain()
    modifier = head.modifiers.new("Subdivision", "SUBSURF")
    modifier.levels = modifier.render_levels = 1
    return head


def landmarks(head: bpy.types.Object) -> NDArray[np.intp]:
    """Return the vertex (68,) of each landmark on a head of these builders, whatever the add-on finds there."""
    data, vertices = load_head(), meshes.base_vertices(head.data)
    known = data.landmark_vertices.astype(np.intp)
    if len(vertices) in {len(data.vertices), int((data.part == HeadPart.SKIN).sum())}:  # the skin's come first
        return known
    nearest: NDArray[np.intp] = np.linalg.norm(vertices[:, None] - data.vertices[known], axis=2).argmin(0)
    return nearest


def _deformed(vertices: Floats) -> bpy.types.Object:
    """Add the head with other vertices (V, 3)."""
    head = plain()
    head.data.vertices.foreach_set("co", vertices.astype(np.float32).ravel())
    head.data.update()
    return head


def _keep(mesh: bpy.types.Mesh, parts: Collection[HeadPart]) -> None:
    """Remove the faces of all other parts from a mesh with the head's faces, and the vertices that no face has then."""
    data = load_head()
    part = data.part[data.faces].max(1)  # where tongue and gums share a face, it is the tongue's
    others = np.flatnonzero(~np.isin(part, list(parts))).tolist()
    edited = bmesh.new()
    edited.from_mesh(mesh)
    edited.faces.ensure_lookup_table()
    bmesh.ops.delete(edited, geom=[edited.faces[k] for k in others], context="FACES")
    edited.to_mesh(mesh)
    edited.free()


def _piece(head: bpy.types.Object, name: str, parts: Collection[HeadPart]) -> bpy.types.Object:
    """Add parts of the head, beside it, as an object of their own."""
    piece = bpy.data.objects.new(name, head.data.copy())
    bpy.context.collection.objects.link(piece)
    _keep(piece.data, parts)
    return piece


def _eye(head: bpy.types.Object, name: str, fitted: Floats, centre: Vector, half: bool) -> bpy.types.Object:
    """Add a sphere with iris and pupil, as large as the vertices (N, 3) of an eye of the head, or its front half."""
    radius = float(np.median(np.linalg.norm(fitted - np.array(centre), axis=1)))
    mesh = bmesh.new()
    bmesh.ops.create_uvsphere(mesh, u_segments=32, v_segments=24, radius=radius)
    bmesh.ops.rotate(mesh, verts=mesh.verts, matrix=Matrix.Rotation(np.radians(90.0), 3, "X"))
    if half:
        behind = [vertex for vertex in mesh.verts if vertex.co.y > (HALF_SPHERE + 1e-3) * radius]
        bmesh.ops.delete(mesh, geom=behind, context="VERTS")
    for face in mesh.faces:
        angle = face.calc_center_median().angle(Vector((0.0, -1.0, 0.0)))
        face.material_index, face.smooth = int(angle < IRIS) + int(angle < PUPIL), True
    bmesh.ops.translate(mesh, verts=mesh.verts, vec=centre)
    eye = bpy.data.objects.new(name, bpy.data.meshes.new(name))
    mesh.to_mesh(eye.data)
    mesh.free()
    for material in ("sclera", "iris", "pupil"):
        eye.data.materials.append(head.data.materials[f"LSF {material}"])
    bpy.context.collection.objects.link(eye)
    return eye


def _jaw_weights() -> NDArray[np.float64]:
    """Weights (V,) with which vertices follow the jaw's bone, so that it moves them about as jawOpen does."""
    data = load_head()
    turned = (data.vertices - JAW_PIVOT) @ np.array(Matrix.Rotation(JAW_ANGLE, 3, "X")).T + JAW_PIVOT - data.vertices
    wanted = data.basis[CHANNELS.index("jawOpen")]
    shares: NDArray[np.float64] = np.clip((wanted * turned).sum(1) / np.maximum((turned**2).sum(1), 1e-9), 0, 1)
    return shares
