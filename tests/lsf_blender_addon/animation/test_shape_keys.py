"""Generated shape keys, and that the artist's own survive them."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon.animation import key_plan, shape_keys
from lsf_blender_addon.errors import UserError
from lsf_blender_addon.scene import meshes
from lsf_blender_addon.scene.shape_keys import generated_keys

CHANNELS = ["jawOpen", "mouthClose", "browInnerUp"]


@pytest.fixture
def basis():
    """(3, 8, 3) world offsets."""
    return np.random.default_rng(0).normal(0, 0.1, (3, 8, 3)).astype(np.float32)


def motion(*peaks) -> np.ndarray:
    """(5, K) curves that rise to the peaks and fall again."""
    return np.outer([0, 0.5, 1, 0.5, 0], peaks).astype(np.float32)


def generate(obj, basis, curves, with_driver=frozenset()):
    bpy.context.view_layer.update()
    moving = np.ones(len(basis), bool)
    state = shape_keys.read(obj, with_driver)
    plan = key_plan.plan(state, meshes.read_rest(obj), CHANNELS, curves, basis, moving)
    shape_keys.write(obj, plan)
    return plan


def offsets(obj, name) -> np.ndarray:
    key = obj.data.shape_keys.key_blocks[name]
    return np.array([point.co for point in key.data]) - meshes.base_vertices(obj.data)


def names(obj) -> list[str]:
    return [key.name for key in obj.data.shape_keys.key_blocks]


def test_one_key_per_channel_that_moves(cube, basis):
    plan = generate(cube, basis, motion(0.8, 0, 0.3))
    assert names(cube) == ["Basis", "jawOpen", "browInnerUp"] == ["Basis", *plan.names]
    assert plan.animated == [0, 2] and plan.kept == plan.driven == []
    np.testing.assert_allclose(offsets(cube, "jawOpen"), basis[0], atol=1e-6)
    keys = cube.data.shape_keys.key_blocks
    assert all(key.value == 0 for key in keys if key.name != "Basis"), "5.0 starts new keys at 1"
    assert all((key.slider_min, key.slider_max) == (0, 1) for key in keys)


def test_offsets_are_turned_back_into_the_object(cube, basis):
    cube.rotation_euler, cube.scale = (0.3, -1.2, 2.0), (2, 3, -0.5)
    generate(cube, basis, motion(1, 1, 1))
    base = np.array([cube.matrix_world @ v.co for v in cube.data.vertices])
    cube.data.shape_keys.key_blocks["jawOpen"].value = 1
    evaluated = cube.evaluated_get(bpy.context.evaluated_depsgraph_get())
    moved = np.array([evaluated.matrix_world @ v.co for v in evaluated.data.vertices])
    np.testing.assert_allclose(moved - base, basis[0], atol=1e-5)


def test_sliders_reach_as_far_as_the_curves(cube, basis):
    generate(cube, basis, motion(1.4, -0.2, 0.5))
    jaw, close, brow = (cube.data.shape_keys.key_blocks[name] for name in CHANNELS)
    assert jaw.slider_max == pytest.approx(1.4) and close.slider_min == pytest.approx(-0.2) and brow.slider_max == 1


def test_a_second_run_replaces_its_own_shapes(cube, basis):
    generate(cube, basis, motion(1, 0, 1))
    generate(cube, 2 * basis, motion(0, 1, 1))
    assert names(cube) == ["Basis", "jawOpen", "browInnerUp", "mouthClose"]
    np.testing.assert_allclose(offsets(cube, "jawOpen"), 2 * basis[0], atol=1e-6)
    np.testing.assert_allclose(offsets(cube, "browInnerUp"), 2 * basis[2], atol=1e-6)


def test_keys_of_the_artist_keep_their_shape(cube, basis, dump):
    cube.shape_key_add(name="Basis")
    theirs = [cube.shape_key_add(name=name) for name in ("jawOpen", "wart")]
    for key in theirs:
        key.data[3].co.z += 7
        key.value, key.slider_max, key.mute = 0.25, 2, True
    cube.active_shape_key_index = 2
    before = [dump(key) for key in cube.data.shape_keys.key_blocks]
    plan = generate(cube, basis, motion(3, 1, 1))
    assert plan.kept == ["jawOpen"] and "jawOpen" in plan.names
    assert [dump(key) for key in list(cube.data.shape_keys.key_blocks)[:3]] == before
    assert cube.active_shape_key_index == 2
    generate(cube, basis, motion(1, 1, 1))
    assert [dump(key) for key in list(cube.data.shape_keys.key_blocks)[:3]] == before


def test_a_generated_key_that_was_sculpted_is_the_artists(cube, basis):
    generate(cube, basis, motion(1, 1, 1))
    cube.data.shape_keys.key_blocks["jawOpen"].data[5].co.x += 0.05
    sculpted = offsets(cube, "jawOpen")
    plan = generate(cube, 2 * basis, motion(1, 1, 1))
    assert plan.kept == ["jawOpen"]
    np.testing.assert_array_equal(offsets(cube, "jawOpen"), sculpted)
    np.testing.assert_allclose(offsets(cube, "mouthClose"), 2 * basis[1], atol=1e-6)


def test_a_generated_key_that_was_renamed_is_written_under_its_new_name(cube, basis):
    generate(cube, basis, motion(1, 1, 1))
    cube.data.shape_keys.key_blocks["jawOpen"].name = "open 1"
    generate(cube, 2 * basis, motion(1, 1, 1))
    np.testing.assert_allclose(offsets(cube, "open 1"), 2 * basis[0], atol=1e-6)
    assert "jawOpen" not in names(cube)


def test_moving_the_whole_mesh_does_not_orphan_generated_keys(cube, basis):
    generate(cube, basis, motion(1, 1, 1))
    for key in cube.data.shape_keys.key_blocks:  # as Edit Mode does on the Basis
        for point in key.data:
            point.co.x += 0.37
    assert generated_keys(cube.data) == set(CHANNELS)


def test_marks_survive_saving(cube, basis, tmp_path):
    generate(cube, basis, motion(1, 1, 1))
    name = cube.name
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "saved.blend"))
    assert generated_keys(bpy.data.objects[name].data) == set(CHANNELS)


def test_driven_keys_are_left_alone(cube, basis):
    cube.shape_key_add(name="Basis")
    cube.shape_key_add(name="jawOpen")
    plan = generate(cube, basis, motion(1, 1, 1), {"jawOpen"})
    assert plan.driven == ["jawOpen"] and plan.names == ["mouthClose", "browInnerUp"]


def test_another_mesh_than_was_sent_is_refused(cube, basis):
    with pytest.raises(UserError, match="got other vertices"):
        generate(cube, basis[:, :5], motion(1, 1, 1))
    assert cube.data.shape_keys is None


def test_a_line_without_motion_plans_nothing(cube, basis):
    plan = generate(cube, basis, motion(0, 0, 0))
    assert not plan.shapes and not plan.animated
