"""Layers: blinks, gaze and head motion play beside the artist's own animation and can be thrown away."""

from dataclasses import replace

import bpy
import numpy as np
import pytest
from mathutils import Euler, Matrix

from lsf_blender_addon import compat
from lsf_blender_addon.animation import head_motion, layers
from lsf_blender_addon.prediction import layer_curves
from lsf_blender_addon.scene import meshes
from lsf_blender_addon.scene.snapshots import Line
from server.arkit import CHANNELS
from tests.lsf_blender_addon.fake_client import Client, use

LOOKS = [name for name in CHANNELS if name.startswith("eyeLook")]
FRAMES = 120


class LivelyClient(Client):
    """A person who blinks, looks around and nods while speaking with everything but the eyes."""

    def submit(self, kind, request, arrays):
        job = super().submit(kind, request, arrays)
        count, wanted = len(job.arrays["motion"]), request["settings"]["layers"]
        job.arrays["motion"][:, [CHANNELS.index(name) for name in LOOKS]] = 0
        job.arrays["motion"][:, [CHANNELS.index(name) for name in layer_curves.LIDS]] *= 0.5
        frames = np.arange(count)
        made = {
            "blinks": np.clip(1 - np.abs(frames - 30) / 3, 0, 1),
            "gaze": np.where(((frames > 40) & (frames < 60))[:, None], [7.0, -5.0], 0.0),
            "head": np.radians(np.stack([4 * np.sin(frames / 9), 0 * frames, 2 * np.sin(frames / 20)], 1)),
        }
        job.arrays |= {name: made[name].astype(np.float32) for name in wanted}
        points = np.random.default_rng(0).normal(0, 0.1, (68, 3)).astype(np.float32)
        points[[36, 45, 27, 8]] = (-0.1, 0, 0), (0.1, 0, 0), (0, 0, 0), (0, 0, -0.3)  # a face along -Y
        job.arrays |= {"landmarks68": points, "landmark_vertices": np.zeros(68, np.int32)}
        return job


@pytest.fixture
def scene(addon, add_strip, clicks, monkeypatch):
    add_strip(clicks, fps=(30, 1.001))
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    use(addon, monkeypatch, LivelyClient())
    return bpy.context.scene


@pytest.fixture
def rig(scene):
    """An armature with a head bone that points up; the artist has turned and keyed it."""
    head = bpy.context.object
    bpy.ops.object.armature_add()
    rig = bpy.context.object
    rig.pose.bones["Bone"].rotation_mode = "XYZ"
    rig.pose.bones["Bone"].rotation_euler = 0.3, 0.2, 0.1
    rig.pose.bones["Bone"].keyframe_insert("rotation_euler", frame=1)
    bpy.context.view_layer.objects.active = head
    head.lsf.nod.object, head.lsf.nod.bone = rig, "Bone"
    return rig


def values(head, frame: int) -> dict[str, float]:
    bpy.context.scene.frame_set(frame)
    keys = head.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.shape_keys or head.data.shape_keys
    return {key.name: key.value for key in keys.key_blocks}


def test_blinks_and_gaze_play_beside_speech(scene):
    bpy.ops.lsf.generate()
    head = bpy.context.object
    data = head.data.shape_keys.animation_data
    assert data.action.name == "LSF · line", "speech is still the active Action"
    assert [track.name for track in data.nla_tracks] == ["LSF blinks", "LSF gaze"]
    at_blink, looking, before = values(head, 25 + 30), values(head, 25 + 50), values(head, 5)
    lids = [at_blink[name] + at_blink["LSF blink"] for name in layer_curves.LIDS]
    assert max(lids) == pytest.approx(1, abs=1e-3) and at_blink["LSF blink"] > 0.4
    assert looking["LSF blink"] == 0
    assert looking["eyeLookOutLeft"] == pytest.approx(7 / 28, abs=1e-3) == looking["eyeLookInRight"]
    assert looking["eyeLookDownLeft"] == pytest.approx(5 / 26, abs=1e-3) and looking.get("eyeLookUpLeft", 0) == 0
    assert all(before[name] == 0 for name in (*LOOKS, "LSF blink") if name in before)


def test_the_blink_is_the_shape_of_both_lids(scene):
    bpy.ops.lsf.generate()
    mesh = bpy.context.object.data
    base = meshes.base_vertices(mesh)
    left, right, both = (
        meshes.coordinates(mesh.shape_keys.key_blocks[name].points) - base for name in (*layer_curves.LIDS, "LSF blink")
    )
    np.testing.assert_allclose(both, left + right, atol=1e-5)


@pytest.mark.parametrize("layer", ["blinks", "gaze"])
def test_a_layer_is_thrown_away_alone(scene, layer):
    bpy.ops.lsf.generate()
    head = bpy.context.object
    other = {"blinks": "gaze", "gaze": "blinks"}[layer]
    speech = head.data.shape_keys.animation_data.action
    curves = [(c.data_path, len(c.keyframe_points)) for c in compat.fcurves_of(speech)]
    bpy.context.scene.frame_set(25 + (30 if layer == "blinks" else 50))
    assert bpy.ops.lsf.remove_layer(layer=layer) == {"FINISHED"}
    assert not layers.present(head.data, layer) and layers.present(head.data, other)
    assert [(c.data_path, len(c.keyframe_points)) for c in compat.fcurves_of(speech)] == curves
    assert len(bpy.data.actions) == 2
    for frame in (25 + 30, 25 + 50):
        now = values(head, frame)
        assert all(now[name] == 0 for name in (["LSF blink"] if layer == "blinks" else LOOKS) if name in now)
    assert bpy.ops.lsf.remove_layer(layer=layer) == {"CANCELLED"}


def test_a_second_run_replaces_the_layers(scene):
    bpy.ops.lsf.generate()
    head = bpy.context.object
    names = sorted(action.name for action in bpy.data.actions)
    bpy.ops.lsf.generate()
    assert sorted(action.name for action in bpy.data.actions) == names
    assert [len(track.strips) for track in head.data.shape_keys.animation_data.nla_tracks] == [1, 1]


def test_an_action_that_the_artist_renamed_is_kept(scene):
    bpy.ops.lsf.generate()
    head = bpy.context.object
    mine = head.data.shape_keys.animation_data.nla_tracks["LSF blinks"].strips[0].action
    mine.name = "My blinks"
    bpy.ops.lsf.generate()
    assert mine.name in bpy.data.actions and len(bpy.data.actions) == 4
    bpy.ops.lsf.remove_layer(layer="blinks")
    strips = [strip for track in head.data.shape_keys.animation_data.nla_tracks for strip in track.strips]
    assert mine in [strip.action for strip in strips]


def test_what_is_not_wanted_is_not_made(scene):
    scene.lsf.layers.blinks = scene.lsf.layers.gaze = False
    bpy.ops.lsf.generate()
    head = bpy.context.object
    assert not len(head.data.shape_keys.animation_data.nla_tracks)
    assert "LSF blink" not in head.data.shape_keys.key_blocks and len(bpy.data.actions) == 1


def pose(rig, frame: int) -> Matrix:
    bpy.context.scene.frame_set(frame)
    evaluated = rig.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return (evaluated.matrix_world @ evaluated.pose.bones["Bone"].matrix).to_3x3()


@pytest.mark.parametrize("turned", [0.0, 1.2])
def test_the_head_motion_adds_to_the_artists_pose(scene, rig, turned):
    rig.rotation_euler.z = turned
    before = pose(rig, 25 + 14)
    keyed = [tuple(p.co) for c in compat.fcurves_of(rig.animation_data.action) for p in c.keyframe_points]
    bpy.ops.lsf.generate()
    assert [tuple(p.co) for c in compat.fcurves_of(rig.animation_data.action) for p in c.keyframe_points] == keyed
    assert not len(rig.animation_data.nla_tracks)
    nod = Euler(np.radians([4 * np.sin(14 / 9), 0, 2 * np.sin(14 / 20)])).to_matrix()
    rest = (rig.matrix_world @ rig.data.bones["Bone"].matrix_local).to_3x3()
    expected = before @ rest.inverted() @ nod @ rest  # about the axes of the face, carried along by the bone
    np.testing.assert_allclose(pose(rig, 25 + 14), expected, atol=2e-4)
    head_motion.find_constraint(rig, "Bone").influence = 0
    np.testing.assert_allclose(pose(rig, 25 + 14), before, atol=1e-6)


def test_the_head_motion_is_thrown_away(scene, rig):
    before, counts = pose(rig, 39), (len(bpy.data.objects), len(rig.pose.bones["Bone"].constraints))
    bpy.ops.lsf.generate()
    actions = len(bpy.data.actions)
    assert np.abs(np.array(pose(rig, 39)) - np.array(before)).max() > 0.01
    assert bpy.ops.lsf.remove_layer(layer="head") == {"FINISHED"}
    np.testing.assert_allclose(pose(rig, 39), before, atol=1e-6)
    assert (len(bpy.data.objects), len(rig.pose.bones["Bone"].constraints)) == counts
    assert len(bpy.data.actions) == actions - 1
    assert bpy.ops.lsf.remove_layer(layer="head") == {"CANCELLED"}


def test_a_nodding_head_object_is_read_at_rest(scene):
    head = bpy.context.object
    head.rotation_euler = 0.1, 0, 0.4
    head.lsf.nod.object = head
    bpy.context.view_layer.update()
    before = meshes.read_rest(head).vertices
    bpy.ops.lsf.generate()
    scene.frame_set(39)
    assert np.abs(np.array(head.matrix_world) - np.array(head.matrix_basis)).max() > 0.01
    np.testing.assert_allclose(meshes.read_rest(head).vertices, before, atol=1e-5)


def test_lines_share_the_empty_and_keep_each_others_frames(scene, rig):
    line = Line("a", scene.name, "a.wav", None, 24.0, 1, 10, 0.0, 1.0, 0.0)
    marks = np.zeros((68, 3))
    marks[[36, 45, 27, 8]] = (-1, 0, 0), (1, 0, 0), (0, 0, 0), (0, 0, -1)
    noise = np.random.default_rng(0).normal(0, 0.05, (10, 3))
    head_motion.write(rig, "Bone", line, noise, marks)
    empty = head_motion.find_constraint(rig, "Bone").target

    def curve(axis=0):
        return [tuple(p.co) for p in compat.fcurves_of(empty.animation_data.action)[axis].keyframe_points]

    first = curve()
    later = Line("b", scene.name, "b.wav", None, 24.0, 20, 10, 0.0, 1.0, 0.0)
    head_motion.write(rig, "Bone", later, noise, marks)
    assert curve()[:10] == first and len(curve()) == 20
    head_motion.write(rig, "Bone", line, noise / 2, marks)
    assert len(curve()) == 20 and curve()[10:] != first and curve()[:10] != first
    assert len([obj for obj in bpy.data.objects if obj.type == "EMPTY"]) == 1


def test_a_line_that_moves_takes_its_head_motion_along(scene, rig):
    line, later = (
        Line(name, scene.name, f"{name}.wav", None, 24.0, first, 10, 0.0, 1.0, 0.0)
        for name, first in (("a", 1), ("b" * 63, 20))
    )
    marks = np.zeros((68, 3))
    marks[[36, 45, 27, 8]] = (-1, 0, 0), (1, 0, 0), (0, 0, 0), (0, 0, -1)
    noise = np.random.default_rng(0).normal(0, 0.005, (10, 3))

    def write(line, first):
        head_motion.write(rig, "Bone", replace(line, first_frame=first), noise * len(line.strip), marks)
        data = head_motion.find_constraint(rig, "Bone").target.animation_data
        return compat.fcurves_of(data.action)[0]

    def frames(curve):
        return {round(point.co.x) for point in curve.keyframe_points}

    write(line, 1)
    assert frames(write(later, 20)) == {*range(1, 11), *range(20, 30)}
    assert frames(write(line, 50)) == {*range(20, 30), *range(50, 60)}
    curve = write(later, 50)
    assert frames(curve) == {*range(50, 60)}, "in the place of the first line"
    assert frames(write(line, 80)) == {*range(50, 60), *range(80, 90)}, "whose keys there are not its own any more"
    curve.keyframe_points[-1].co.y += 0.1
    assert frames(write(line, 1)) == {*range(1, 11), *range(50, 60), *range(80, 90)}, "the artist has edited them"


def test_a_linked_action_of_a_layer_is_refused(scene, tmp_path):
    bpy.ops.lsf.generate()
    keys, path = bpy.context.object.data.shape_keys, str(tmp_path / "library.blend")
    strip = next(s for track in keys.animation_data.nla_tracks for s in track.strips if track.name == "LSF blinks")
    action, name = strip.action, strip.action.name
    bpy.data.libraries.write(path, {action})
    with bpy.data.libraries.load(path, link=True) as (_source, target):
        target.actions = [name]
    strip.action = target.actions[0]
    compat.assign_slot(strip, strip.action)
    bpy.data.actions.remove(action)
    with pytest.raises(RuntimeError, match="make it local first"):
        bpy.ops.lsf.generate()


def test_a_rig_that_is_a_library_override_nods(scene, rig, tmp_path):
    """Its collection is an override, too, and takes no new objects."""
    head, character = bpy.context.object, bpy.data.collections.new("Character")
    scene.collection.objects.unlink(rig)
    character.objects.link(rig)
    path = str(tmp_path / "library.blend")
    bpy.data.libraries.write(path, {character})
    bpy.data.objects.remove(rig)
    bpy.data.collections.remove(character)
    with bpy.data.libraries.load(path, link=True) as (_source, target):
        target.collections = ["Character"]
    (rig,) = target.collections[0].override_hierarchy_create(scene, bpy.context.view_layer).objects
    bpy.context.view_layer.objects.active = head
    head.lsf.nod.object = rig
    bpy.ops.lsf.generate()
    empty = head_motion.find_constraint(rig, "Bone").target
    assert list(empty.users_collection) == [scene.collection]


def test_a_rig_without_its_bone_is_refused_before_anything_changes(scene, rig):
    head = bpy.context.object
    head.lsf.nod.bone = ""
    with pytest.raises(RuntimeError, match="Pick the head bone"):
        bpy.ops.lsf.generate()
    assert head.data.shape_keys is None


def test_where_there_is_a_gaze_the_eyes_are_its_own(scene, addon, monkeypatch):
    class Staring(LivelyClient):
        """Speech moves the eyes, too."""

        def submit(self, kind, request, arrays):
            job = super().submit(kind, request, arrays)
            job.arrays["motion"][:, [CHANNELS.index(name) for name in LOOKS]] = 0.5
            return job

    use(addon, monkeypatch, Staring())
    bpy.ops.lsf.generate()
    head = bpy.context.object
    speech = head.data.shape_keys.animation_data.action

    def spoken() -> set[str]:
        return {curve.data_path for curve in compat.fcurves_of(speech) if "eyeLook" in curve.data_path}

    assert not spoken() and values(head, 25 + 50)["eyeLookOutLeft"] == pytest.approx(7 / 28, abs=1e-3)
    speech.lsf.jaw = 0.5  # a slider
    scene.lsf.layers.gaze = False
    bpy.ops.lsf.generate()
    assert not spoken() and values(head, 25 + 50)["eyeLookOutLeft"] == pytest.approx(7 / 28, abs=1e-3)
    bpy.ops.lsf.remove_layer(layer="gaze")
    assert len(spoken()) == 8 and values(head, 25 + 50)["eyeLookUpLeft"] == pytest.approx(0.5, abs=1e-2)
