"""Generated shape keys, and bones that lines move, stay those of the lines when the artist gives them other names."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import actions, bone_actions, curve_record, shape_keys
from lsf_blender_addon.animation.key_plan import KeyPlan, PartPlan
from lsf_blender_addon.animation.part_drivers import write
from lsf_blender_addon.scene import bones
from lsf_blender_addon.scene.shape_keys import generated_keys, marked
from tests.lsf_blender_addon.fake_client import use
from tests.lsf_blender_addon.jobs.test_look_at_result import HeadClient, generate, widest_opening
from tests.lsf_blender_addon.test_bone_faces import add_jaw, rig_of, set_jaw

SAME = 0.01  # millimetres


@pytest.fixture
def head(addon, add_strip, clicks, monkeypatch) -> bpy.types.Object:
    """The project's own head, and a strip."""
    add_strip(clicks)
    bpy.ops.lsf.add_head()
    use(addon, monkeypatch, HeadClient())
    bpy.context.scene.lsf.layers.blinks = bpy.context.scene.lsf.layers.gaze = False
    return bpy.context.object


def blocks(head):
    return head.data.shape_keys.key_blocks


def line_of(head):
    return actions.existing(head.data).lsf.lines[0]


def reopened(path) -> bpy.types.Object:
    """The head after the file was saved and opened again."""
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.open_mainfile(filepath=str(path))
    return bpy.context.object


@pytest.mark.parametrize("new", [{"jawOpen": "Unterkiefer"}, {"jawOpen": 'A "mouth"', "eyeBlinkLeft": "Lid"}])
def test_renamed_keys_are_written_again(head, addon, new):
    generate(addon)
    opening, count = widest_opening(head), len(blocks(head))
    for name, other in new.items():
        blocks(head)[name].name = other
    generate(addon)
    assert len(blocks(head)) == count and not new.keys() & set(blocks(head).keys()), "no second key"
    assert opening > 5 and abs(widest_opening(head) - opening) < SAME, "the mouth opens once"
    assert set(new.values()) <= marked(head.data) and set(new) <= generated_keys(head.data)
    record, curves = actions.existing(head.data), compat.fcurves_of_keys(actions.existing(head.data))
    assert curve_record.paths(record) == {curve.data_path for curve in curves}, "all curves are on record"
    bpy.ops.lsf.remove_all_lines()
    assert abs(widest_opening(head)) < SAME and actions.existing(head.data) is None


def test_sliders_and_remove_find_a_renamed_key(head, addon):
    generate(addon)
    opening = widest_opening(head)
    blocks(head)["jawOpen"].name = "Unterkiefer"
    line_of(head).tweaks.jaw = 0.5
    assert abs(widest_opening(head) - opening / 2) < 0.05 * opening
    bpy.ops.lsf.remove_all_lines()
    assert abs(widest_opening(head)) < SAME


def test_remove_finds_a_renamed_key_first(head, addon):
    generate(addon)
    blocks(head)["jawOpen"].name = "Unterkiefer"
    bpy.ops.lsf.remove_all_lines()
    assert abs(widest_opening(head)) < SAME and actions.existing(head.data) is None


def test_a_key_is_renamed_again_and_back_and_the_file_is_reopened(head, addon, tmp_path):
    generate(addon)
    opening, names = widest_opening(head), list(blocks(head).keys())
    before = "jawOpen"
    for name in ("Unterkiefer", "Mund", "jawOpen"):
        blocks(head)[before].name = before = name
        head = reopened(tmp_path / "head.blend")
        generate(addon)
        assert [key.name if key.name != name else "jawOpen" for key in blocks(head).values()] == names
        assert abs(widest_opening(head) - opening) < SAME
    bpy.ops.lsf.remove_all_lines()
    assert abs(widest_opening(head)) < SAME


def test_a_sculpted_key_that_is_renamed_keeps_its_shape_and_its_curve(head, addon):
    """It is found before it is sculpted."""
    generate(addon)
    blocks(head)["jawOpen"].name = "Unterkiefer"
    generate(addon)
    key = blocks(head)["Unterkiefer"]
    key.data[0].co.x += 0.05
    shape = np.array([point.co for point in key.data])
    opening = widest_opening(head)
    generate(addon)
    assert "jawOpen" not in blocks(head) and abs(widest_opening(head) - opening) < SAME
    assert np.array_equal(shape, [point.co for point in key.data])


def test_a_key_of_the_artist_is_not_taken_for_a_renamed_one(head, addon):
    generate(addon)
    opening = widest_opening(head)
    head.shape_key_remove(blocks(head)["jawOpen"])
    head.shape_key_add(name="Mine", from_mix=False).value = 0.0
    generate(addon)
    assert {"jawOpen", "Mine"} <= set(blocks(head).keys()) and "Mine" not in marked(head.data)
    assert abs(widest_opening(head) - opening) < SAME


def test_a_new_key_beside_the_artists_own_is_renamed(head, addon):
    own = (head.shape_key_add(name="Basis"), head.shape_key_add(name="jawOpen"))[1]
    own.driver_add("value")
    generate(addon)
    opening, count = widest_opening(head), len(blocks(head))
    blocks(head)["LSF jawOpen"].name = "Unterkiefer"
    generate(addon)
    assert opening > 5 and len(blocks(head)) == count and abs(widest_opening(head) - opening) < SAME


def test_a_part_follows_whichever_key_was_renamed(cube):
    bpy.ops.mesh.primitive_cube_add()
    part, coordinates = bpy.context.object, np.zeros((8, 3), np.float32)
    coordinates[:, 0] = np.arange(8)
    keys = KeyPlan({"jawOpen": coordinates}, {}, [], ["jawOpen"], [], [])
    for name, other in (("jawOpen", "jawOpen"), ("Head", "jawOpen"), ("Head", "Part")):
        for obj, new in ((cube, name), (part, other)):
            if obj.data.shape_keys:
                obj.data.shape_keys.key_blocks[1].name = new
        shape_keys.read(part, ())
        shape_keys.read(cube, ())
        shape_keys.write(cube, keys)
        write(PartPlan(part.name, keys), cube)
        assert [obj.data.shape_keys.key_blocks.keys() for obj in (cube, part)] == [["Basis", name], ["Basis", other]]
        cube.data.shape_keys.key_blocks[name].value = 0.75
        bpy.context.view_layer.update()
        assert part.data.shape_keys.key_blocks[other].value == pytest.approx(0.75)


@pytest.fixture
def with_jaw(head, addon) -> bpy.types.Object:
    """A head whose jaw a bone moves, with a line."""
    add_jaw(head)
    set_jaw(head, rig_of(head))
    generate(addon)
    return head


def test_a_renamed_bone_is_moved_again(with_jaw, addon, tmp_path):
    opening = widest_opening(with_jaw)
    rig_of(with_jaw).pose.bones["jaw"].name = "Kiefer"
    reopened(tmp_path / "head.blend")
    head = next(obj for obj in bpy.data.objects if obj.type == "MESH")
    bpy.context.view_layer.objects.active = head
    generate(addon)
    assert opening > 5 and abs(widest_opening(head) - opening) < SAME and "jawOpen" not in blocks(head)
    assert {pose.bone for pose in bones.poses(head)} == {"Kiefer"} and not bones.missing(head)
    line_of(head).tweaks.jaw = 0.5
    assert abs(widest_opening(head) - opening / 2) < 0.05 * opening
    bpy.ops.lsf.remove_all_lines()
    assert abs(widest_opening(head)) < SAME and bone_actions.existing(head) is None


def test_remove_all_finds_a_renamed_bone(with_jaw):
    rig_of(with_jaw).pose.bones["jaw"].name = "Kiefer"
    bpy.ops.lsf.remove_all_lines()
    assert abs(widest_opening(with_jaw)) < SAME and bone_actions.existing(with_jaw) is None
