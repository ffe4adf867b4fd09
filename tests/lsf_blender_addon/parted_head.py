"""The project's own head as other makers build one: face, eyes, teeth and tongue are objects of their own."""

import bpy
import numpy as np

from server.arkit import CHANNELS
from server.face.head import HeadPart, load_head
from tests.eye_shapes import cap, painted, shut_by

TEETH = (HeadPart.TEETH_UPPER, HeadPart.GUMS_UPPER, HeadPart.TEETH_LOWER, HeadPart.GUMS_LOWER)
EYES = {"Left": HeadPart.EYE_LEFT, "Right": HeadPart.EYE_RIGHT}


def person() -> np.ndarray:
    """(V, 3) vertices of another identity, whose shapes the server has to fit."""
    return load_head().with_identity(np.random.default_rng(3).normal(size=50)).astype(float)


def add_object(name: str, vertices, triangles, place=(0, 0, 0), parent=None) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(np.asarray(vertices).tolist(), [], np.asarray(triangles).tolist())
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.collection.objects.link(obj)
    obj.location, obj.parent = place, parent
    return obj


def piece(members) -> tuple[np.ndarray, np.ndarray]:
    """The vertices and triangles of some parts of the head."""
    head = load_head()
    rows = np.flatnonzero(np.isin(head.part, members))
    local = np.full(len(head.part), -1)
    local[rows] = np.arange(len(rows))
    triangles = local[head.faces]
    return person()[rows], triangles[(triangles >= 0).all(1)]


def add_face(place=(0, 0, 0), parent=None, shut: tuple[str, ...] = (), is_painted=False) -> bpy.types.Object:
    """The skin alone; `shut` are channels that stay at 1, as eyeBlinkLeft."""
    vertices, triangles = piece([HeadPart.SKIN])
    if is_painted:
        vertices, triangles = painted(person(), triangles, 0.003)
    elif shut:
        vertices = shut_by(person(), *shut)[: len(vertices)]
    return add_object("Face", vertices, triangles, place, parent)


def half_sphere(side: str, size: float = 1.2) -> tuple[np.ndarray, np.ndarray]:
    """A half sphere with a cornea where an eye is; larger ones have their front at the same place."""
    ball = person()[load_head().part == EYES[side]]
    radius = np.ptp(ball, axis=0).mean() / 2
    points, triangles = cap(size * radius, 1, 0.05)
    return points + (ball.min(0) + ball.max(0)) / 2 + np.array((0, (size - 1) * radius, 0)), triangles


def add_parts(place=(0, 0, 0), parent=None) -> dict[str, bpy.types.Object]:
    """Teeth, tongue and two half spheres as eyes, by their names."""
    shapes = {"Teeth": piece(TEETH), "Tongue": piece([HeadPart.TONGUE])}
    shapes |= {f"Eye{side}": half_sphere(side) for side in EYES}
    return {name: add_object(name, *shape, place, parent) for name, shape in shapes.items()}


def add_keys(obj: bpy.types.Object, *names: str) -> None:
    """Add keys that move one vertex."""
    obj.shape_key_add(name="Basis")
    for name in names:
        obj.shape_key_add(name=name).points[0].co.z += 0.01


def add_shapes(obj: bpy.types.Object, members, *channels: str) -> None:
    """Add keys with the shapes of the head's own channels, as an artist would have made them for `members`."""
    head = load_head()
    rows = np.isin(head.part, members)
    obj.shape_key_add(name="Basis")
    for name in channels:
        posed = (person() + head.basis[CHANNELS.index(name)])[rows]
        obj.shape_key_add(name=name).points.foreach_set("co", posed.astype(np.float32).ravel())


def choose(obj: bpy.types.Object) -> None:
    """Select an object alone, as the head."""
    bpy.ops.object.select_all(action="DESELECT")
    obj.select_set(True)
    bpy.context.view_layer.objects.active = obj
    bpy.context.view_layer.update()
