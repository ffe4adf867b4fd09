"""Blender's own glTF and FBX exporters carry what the add-on makes: out, in again, and compared."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon.animation import actions, key_plan, shape_keys
from lsf_blender_addon.scene import evaluated_keys, meshes
from lsf_blender_addon.scene.snapshots import Line

FIRST, FRAMES, NAMES = 25, 48, ["jawOpen", "mouthSmileLeft", "mouthClose"]


@pytest.fixture
def head(addon):
    """A sphere with keys and curves that went through the add-on's own writers; motion and basis beside it."""
    bpy.ops.mesh.primitive_uv_sphere_add(segments=12, ring_count=8)
    sphere = bpy.context.object
    rest = meshes.read_rest(sphere)
    rng = np.random.default_rng(0)
    basis = rng.normal(0, 0.05, (3, len(rest.vertices), 3)).astype(np.float32)
    motion = (0.5 + 0.4 * np.sin(np.arange(FRAMES)[:, None] / 5 + np.arange(3))).astype(np.float32)
    plan = key_plan.plan(shape_keys.read(sphere, set()), rest, NAMES, motion, basis, np.ones(3, bool))
    shape_keys.write(sphere, plan)
    scene = bpy.context.scene
    scene.render.fps, scene.frame_start, scene.frame_end = 24, FIRST, FIRST + FRAMES - 1
    line = Line("line", scene.name, "/line.wav", None, 24.0, FIRST, FRAMES, 0.0, FRAMES / 24, 0.0)
    actions.write(sphere.data, line, plan.names, motion)
    return sphere


def look(obj) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Base (V, 3) in world space, offset (V, 3) of each key, and its values (FRAMES,) as they play."""
    turn = np.array(obj.matrix_world)[:3, :3]
    base = meshes.base_vertices(obj.data)
    keys = obj.data.shape_keys.key_blocks
    offsets = {key.name: (meshes.coordinates(key.data) - base) @ turn.T for key in list(keys)[1:]}
    names, values = evaluated_keys.sample(obj, FIRST + np.arange(FRAMES))
    return base @ turn.T, offsets, dict(zip(names, values.T, strict=True))


FORMATS = {
    "glTF": (
        "io_scene_gltf2",
        "head.glb",
        lambda path: bpy.ops.export_scene.gltf(filepath=path, export_morph_normal=False),
        lambda path: bpy.ops.import_scene.gltf(filepath=path),
    ),
    "FBX": (
        "io_scene_fbx",
        "head.fbx",
        lambda path: bpy.ops.export_scene.fbx(
            filepath=path, bake_anim_use_nla_strips=False, bake_anim_use_all_actions=False, bake_anim_simplify_factor=0
        ),
        lambda path: bpy.ops.import_scene.fbx(filepath=path, anim_offset=0),
    ),
}


@pytest.mark.parametrize("format", FORMATS)
def test_out_and_in_again(head, tmp_path, format):
    module, name, export, imported = FORMATS[format]
    bpy.ops.preferences.addon_enable(module=module)
    base, offsets, values = look(head)
    export(str(tmp_path / name))
    bpy.data.objects.remove(head)
    for action in list(bpy.data.actions):
        bpy.data.actions.remove(action)
    imported(str(tmp_path / name))
    bpy.context.view_layer.update()
    (back,) = [obj for obj in bpy.data.objects if obj.type == "MESH"]
    base_back, offsets_back, values_back = look(back)
    nearest = np.linalg.norm(base_back[:, None] - base, axis=2)  # exporters split vertices at seams
    assert nearest.min(1).max() < 1e-5
    order = nearest.argmin(1)
    assert set(offsets_back) == set(values_back) == set(NAMES)
    for key in NAMES:
        np.testing.assert_allclose(offsets_back[key], offsets[key][order], atol=1e-5)
        assert np.ptp(values[key]) > 0.5
        np.testing.assert_allclose(values_back[key], values[key], atol=1e-3)
