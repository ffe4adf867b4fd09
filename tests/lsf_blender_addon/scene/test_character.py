"""A character of several objects: one request, and shape keys on each that follow the head's."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import part_drivers
from lsf_blender_addon.errors import UserError
from lsf_blender_addon.scene import character, meshes, parts
from server.arkit import CHANNELS
from tests.lsf_blender_addon.fake_client import Client, use

JAW, BROW = CHANNELS.index("jawOpen"), CHANNELS.index("browInnerUp")


class JawClient(Client):
    """Teeth (any vertex below the head's origin that belongs to no sphere) move down with the jaw, and nothing else."""

    def __init__(self, head_vertices):
        super().__init__()
        self.head_vertices = head_vertices

    def submit(self, kind, request, arrays):
        job = super().submit(kind, request, arrays)
        job.arrays["basis"][:, self.head_vertices :] = 0
        job.arrays["basis"][JAW, self.head_vertices :] = (0, 0, -0.5)
        job.arrays["basis"][BROW, :] = 0
        job.arrays["basis"][BROW, self.head_vertices :] = (0, 0, 0.25)  # moves the part alone
        return job


@pytest.fixture
def pair(addon, add_strip, clicks, monkeypatch):
    """A head at (1, 2, 3), turned teeth beside it, both selected; their client."""
    add_strip(clicks)
    bpy.ops.mesh.primitive_cube_add(location=(1, 2, 2), rotation=(0, 0, np.pi / 2), scale=(2, 1, 1))
    teeth = bpy.context.object
    teeth.name = "teeth"
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6, location=(1, 2, 3))
    head = bpy.context.object
    head.name = "head"
    teeth.select_set(True)
    bpy.context.view_layer.update()
    client = use(addon, monkeypatch, JawClient(len(head.data.vertices)))
    return head, teeth, client


def world(obj) -> np.ndarray:
    """(V, 3) evaluated vertices in the world."""
    evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([evaluated.matrix_world @ vertex.co for vertex in evaluated.data.vertices])


def test_one_request_around_the_heads_origin(pair):
    head, teeth, client = pair
    bpy.ops.lsf.generate()
    sent = client.jobs[0].request_arrays
    everything = np.concatenate([world(head), world(teeth)]) - head.location
    np.testing.assert_allclose(sent["vertices"][:42], meshes.base_vertices(head.data), atol=1e-5)
    base = np.array([teeth.matrix_world @ vertex.co for vertex in teeth.data.vertices]) - head.location
    np.testing.assert_allclose(sent["vertices"][42:], base, atol=1e-5)
    assert sent["triangles"].max() == len(everything) - 1
    assert (sent["parts"][:42] == -1).all() and (sent["parts"][42:] == 256 + 2 + 4).all(), "its name tells of teeth"
    assert sent["triangles"][-12:].min() == len(head.data.vertices)


def test_parts_follow_the_head(pair):
    head, teeth, _client = pair
    bpy.ops.lsf.generate()
    assert [key.name for key in teeth.data.shape_keys.key_blocks] == ["Basis", "jawOpen", "browInnerUp"]
    assert head.data.shape_keys.key_blocks["browInnerUp"], "carries the curve, though only the teeth move"
    played = compat.played_fcurves(teeth.data.shape_keys.animation_data)
    assert all(curve.evaluate(frame) == 0 for curve in played for frame in (30, 40)), "the drivers decide"
    keys, theirs = head.data.shape_keys.key_blocks, teeth.data.shape_keys.key_blocks
    for frame in (30, 40):
        bpy.context.scene.frame_set(frame)
        jaw, brow = keys["jawOpen"].value, keys["browInnerUp"].value
        assert jaw > 0 and theirs["jawOpen"].value == pytest.approx(jaw)
        rest = np.array([teeth.matrix_world @ vertex.co for vertex in teeth.data.vertices])
        np.testing.assert_allclose((world(teeth) - rest)[0], (0, 0, -0.5 * jaw + 0.25 * brow), atol=1e-5)
    assert [part.object for part in head.lsf.parts] == [teeth], "from now on without selecting"


def test_all_takes_are_written_on_a_head_with_own_keys_and_a_part(pair, addon):
    """With the first take, the part gets keys of the names of the head's own: the second one finds them there."""
    head, teeth, _client = pair
    head.shape_key_add(name="Basis")
    head.shape_key_add(name="jawOpen", from_mix=False).points[3].co.z -= 0.3
    bpy.context.scene.lsf.takes.count = 3
    assert bpy.ops.lsf.generate_takes() == {"FINISHED"}
    assert addon.session.message.startswith("3 takes of ") and "failed" not in addon.session.message
    assert "jawOpen" in teeth.data.shape_keys.key_blocks
    assert bpy.ops.lsf.generate_takes() == {"FINISHED"} and "failed" not in addon.session.message


def test_an_artists_driver_and_curve_stay(pair):
    """A driver and a curve of the artist's on the part stay; ours are not doubled."""
    _head, teeth, _client = pair
    bpy.ops.lsf.generate()
    drivers = teeth.data.shape_keys.animation_data.drivers
    drivers[0].driver.type = "SCRIPTED"
    drivers[0].driver.expression = "2 * lsf_head"
    bpy.ops.object.select_all(action="DESELECT")
    bpy.ops.lsf.generate()
    assert len(drivers) == 2 and drivers[0].driver.expression == "2 * lsf_head"
    teeth.data.shape_keys.driver_remove('key_blocks["jawOpen"].value')
    key = teeth.data.shape_keys.key_blocks["jawOpen"]
    key.keyframe_insert("value", frame=1)
    assert bpy.ops.lsf.generate() == {"FINISHED"}
    assert part_drivers.followed_keys(teeth.data) == {"browInnerUp"}
    kept = [c for c in compat.played_fcurves(teeth.data.shape_keys.animation_data) if "jawOpen" in c.data_path]
    assert [tuple(point.co) for curve in kept for point in curve.keyframe_points] == [(1.0, pytest.approx(key.value))]


def test_another_head_takes_the_part_over(pair, addon, monkeypatch):
    head, teeth, _client = pair
    bpy.ops.lsf.generate()
    other = head.copy()
    other.data = head.data.copy()
    bpy.context.collection.objects.link(other)
    bpy.context.scene.lsf.head = other
    bpy.context.view_layer.update()
    bpy.ops.lsf.generate()
    targets = {
        variable.targets[0].id
        for curve in teeth.data.shape_keys.animation_data.drivers
        for variable in curve.driver.variables
    }
    assert targets == {other.data.shape_keys}


def test_kinds_of_objects_and_of_vertices(pair):
    head, teeth, client = pair
    head.lsf.add_part(teeth)
    head.lsf.parts[0].kind = "LOWER_TEETH"
    bpy.context.view_layer.objects.active = head
    teeth.select_set(False)
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="DESELECT")
    bpy.ops.object.mode_set(mode="OBJECT")
    for vertex in (3, 5):
        head.data.vertices[vertex].select = True
    bpy.ops.object.mode_set(mode="EDIT")
    assert bpy.ops.lsf.set_part(kind="TONGUE") == {"FINISHED"}
    bpy.ops.object.mode_set(mode="OBJECT")
    assert parts.assigned_counts(head.data) == {"Tongue": 2}
    bpy.ops.lsf.generate()
    sent = client.jobs[0].request_arrays["parts"]
    assert sent.dtype == np.int32 and set(np.flatnonzero(sent[:42] == 3)) == {3, 5} and (sent[42:] == 2).all()
    assert (sent[:42] == -1).sum() == 40
    assert parts.describe(sent) == "Lower Teeth, Tongue"


def test_the_list(pair):
    head, teeth, _client = pair
    assert bpy.ops.lsf.add_parts() == {"FINISHED"}
    assert [part.object for part in head.lsf.parts] == [teeth]
    assert bpy.ops.lsf.add_parts() == {"CANCELLED"}
    assert list(character.find_parts(bpy.context, head)) == [teeth]
    assert bpy.ops.lsf.remove_part() == {"FINISHED"} and not len(head.lsf.parts)
    teeth.select_set(False)
    assert not bpy.ops.lsf.add_parts.poll() and not bpy.ops.lsf.remove_part.poll()
    assert not character.find_parts(bpy.context, head)
    teeth.select_set(True)
    head.select_set(False)
    assert not character.find_parts(bpy.context, head), "selected, but not together with the head"
    head.select_set(True)
    assert teeth in character.find_parts(bpy.context, head)
    teeth.lsf.found_landmarks.add()
    assert not character.find_parts(bpy.context, head), "another head"


def test_a_part_that_is_gone_or_shared(pair, addon):
    head, teeth, _client = pair
    face = character.read(head, character.find_parts(bpy.context, head))
    teeth.name = "other"
    found, now = character.find_objects(face)
    assert found == [head, teeth] and [member.object for member in now.members] == ["head", "other"]
    twin = bpy.data.objects.new("twin", teeth.data)
    with pytest.raises(RuntimeError, match="shared with other objects"):
        bpy.ops.lsf.generate()
    bpy.data.objects.remove(twin)
    head.lsf.add_part(teeth)
    bpy.data.objects.remove(teeth)
    with pytest.raises(UserError, match='"teeth" was deleted'):
        character.find_objects(face)
    assert not character.find_parts(bpy.context, head)
    assert bpy.ops.lsf.generate() == {"FINISHED"}, "a list entry without an object does no harm"


def test_what_hangs_on_a_posed_bone_is_taken_at_rest(pair):
    _head, teeth, _client = pair
    armature = bpy.data.objects.new("rig", bpy.data.armatures.new("rig"))
    bpy.context.collection.objects.link(armature)
    armature.location = (0.5, 0, 0)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bone = armature.data.edit_bones.new("jaw")
    bone.head, bone.tail = (0, 0.3, 0), (0, 1, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    before = teeth.matrix_world.copy()
    teeth.parent, teeth.parent_type, teeth.parent_bone = armature, "BONE", "jaw"
    bpy.context.view_layer.update()
    teeth.matrix_world = before
    bpy.context.view_layer.update()
    rest = meshes.read_rest(teeth)
    np.testing.assert_allclose(rest.origin, before.translation, atol=1e-5)
    armature.pose.bones["jaw"].rotation_mode = "XYZ"
    armature.pose.bones["jaw"].rotation_euler = (0.7, 0.2, 0)
    bpy.context.view_layer.update()
    assert (np.abs(np.array(teeth.matrix_world) - np.array(before)) > 0.05).any()
    posed = meshes.read_rest(teeth)
    np.testing.assert_allclose(posed.origin, rest.origin, atol=1e-5)
    np.testing.assert_allclose(posed.vertices, rest.vertices, atol=1e-5)
