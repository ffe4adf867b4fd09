"""Writes one named shape key per channel, beside the artist's own and never instead of them.

The names and fingerprints of generated keys are kept on the Key data-block. A generated key that the artist has
sculpted since is the artist's: its shape stays, only its value is animated. One that the artist has renamed is planned
under the name under which it was made, see scene/shape_keys.py.
"""

from collections.abc import Collection

import bpy

from ..scene.access import find_item, mesh_of, shape_keys_of
from ..scene.meshes import base_vertices, keeps_new_keys
from ..scene.shape_keys import find_renamed, fingerprint, generated_keys, marks, renamed, set_marks
from .key_plan import KeyPlan, MeshState

SLIDER_TOLERANCE = 0.02  # a curve that overshoots its slider by less is clipped, which nobody sees
MAX_SLIDER = 10.0  # Blender's own limit


def read(obj: bpy.types.Object, driven: Collection[str]) -> MeshState:
    """The shape keys of a mesh object as they are now.

    Args:
        obj: A mesh object.
        driven: Names of the keys that a curve of ours would not reach.
    """
    mesh = mesh_of(obj)
    find_renamed(mesh)
    made_as = {now: name for name, now in renamed(mesh).items()}
    names = [made_as.get(key.name, key.name) for key in mesh.shape_keys.key_blocks] if mesh.shape_keys else []
    can_add_keys = keeps_new_keys(mesh)
    generated = frozenset(generated_keys(mesh)) if can_add_keys else frozenset()  # in a library, they stay as they are
    not_reached = frozenset(made_as.get(name, name) for name in driven)
    return MeshState(obj.name, base_vertices(mesh), frozenset(names), generated, not_reached, can_add_keys)


def write(obj: bpy.types.Object, plan: KeyPlan) -> None:
    """Add or replace the planned keys, and widen their sliders as far as their curves reach."""
    mesh = mesh_of(obj)
    if not keeps_new_keys(mesh):  # nothing is planned then
        return
    active = obj.active_shape_key_index
    if mesh.shape_keys is None:
        obj.shape_key_add(name="Basis", from_mix=False)
    keys = shape_keys_of(mesh)
    blocks = keys.key_blocks
    base, now = base_vertices(mesh), renamed(mesh)
    written = {name: values for name, values in marks(mesh).items() if now.get(name, name) in blocks}
    for name, shape in plan.shapes.items():
        key = find_item(blocks, now.get(name, name))
        if key is None:
            key = obj.shape_key_add(name=name, from_mix=False)
            key.value = 0.0  # 5.0 starts at 1
        key.points.foreach_set("co", shape.ravel())
        low, high = plan.ranges.get(name, (0.0, 1.0))
        if low < key.slider_min - SLIDER_TOLERANCE:
            key.slider_min = max(-MAX_SLIDER, low)
        if high > key.slider_max + SLIDER_TOLERANCE:
            key.slider_max = min(MAX_SLIDER, high)
        written[name] = fingerprint(shape - base)
    obj.active_shape_key_index = active
    set_marks(keys, written)
    mesh.update_tag()
