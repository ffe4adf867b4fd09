"""What Generate writes in one go: eyes in their plain channels, head motion, keys of a rig; sliders after it."""

import bpy
import numpy as np
import pytest
from mathutils import Euler, Matrix

from lsf_blender_addon import compat
from lsf_blender_addon.animation import actions, fcurves, head_motion, lines
from lsf_blender_addon.client.wire import EYE_VARIANTS
from lsf_blender_addon.prediction import store
from lsf_blender_addon.prediction.eyes import LIDS, LOOKS
from lsf_blender_addon.scene import meshes, strips
from lsf_blender_addon.scene.own_properties import lines_of
from server.arkit import CHANNELS
from tests.lsf_blender_addon.fake_client import Client, use

FIRST, KEY = 25, 60
JAW = fcurves.value_path("jawOpen")


class LivelyClient(Client):
    """A person who blinks, looks around and nods while speaking with everything but the eyes."""

    def submit(self, kind, request, arrays):
        job = super().submit(kind, request, arrays)
        count, wanted = len(job.arrays["motion"]), request["settings"]["layers"]
        job.arrays["motion"][:, [CHANNELS.index(name) for name in LOOKS]] = 0
        job.arrays["motion"][:, [CHANNELS.index(name) for name in LIDS]] *= 0.5
        frames = np.arange(count)
        made = {
            "blinks": np.clip(1 - np.abs(frames - 30) / 3, 0, 1)[None],
            "gaze": np.where(((frames > 40) & (frames < 60))[:, None], [7.0, -5.0], 0.0)[None],
            "head": np.radians(np.stack([4 * np.sin(frames / 9), 0 * frames, 2 * np.sin(frames / 20)], 1)),
        }
        variants = {"blinks": EYE_VARIANTS, "gaze": EYE_VARIANTS, "head": 1}
        for name in wanted:  # all variants of blinks and gaze are the same
            job.arrays[name] = np.repeat(made[name], variants[name], 0).astype(np.float32)
        points = np.random.default_rng(0).normal(0, 0.1, (68, 3)).astype(np.float32)
        points[[36, 45, 27, 8]] = (-0.1, 0, 0), (0.1, 0, 0), (0, 0, 0), (0, 0, -0.3)  # a face along -Y
        job.arrays |= {"landmarks68": points, "landmark_vertices": np.zeros(68, np.int32)}
        return job


class Speaking(Client):
    """Smooth curves, as a real server sends them; a face that never frowns."""

    def submit(self, kind, request, arrays):
        job = super().submit(kind, request, arrays)
        shape, rng = job.arrays["motion"].shape, np.random.default_rng(len(self.jobs))
        t = np.arange(shape[0])[:, None] / request["settings"]["fps"]
        motion = 0.4 + 0.2 * np.sin(2 * np.pi * rng.uniform(0.3, 1.5, shape[1]) * t + rng.uniform(0, 6, shape[1]))
        motion[:, [CHANNELS.index(name) for name in ("tongueOut", "mouthFrownLeft", "mouthFrownRight")]] = 0
        job.arrays["motion"] = motion.astype(np.float32)
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


@pytest.fixture
def speaking(addon, add_strip, clicks, monkeypatch) -> bpy.types.Object:
    """A head with a line of four seconds at frame 25."""
    add_strip(clicks, fps=(24, 1.0))
    use(addon, monkeypatch, Speaking())
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    bpy.ops.lsf.generate()
    return bpy.context.object


def values(head, frame: int) -> dict[str, float]:
    bpy.context.scene.frame_set(frame)
    keys = head.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.shape_keys
    return {key.name: key.value for key in keys.key_blocks}


def line_of(head):
    """The head's Action and its only line."""
    action = actions.existing(head.data)
    (record,) = lines_of(action)
    return action, record


def curve_values(head, *names) -> np.ndarray:
    """(96, len(names)) of the curves at the frames of the line."""
    by_path = {curve.data_path: curve for curve in compat.fcurves_of(line_of(head)[0])}
    frames = range(FIRST, FIRST + 96)
    chosen = [by_path.get(fcurves.value_path(name)) for name in names]
    return np.array([[curve.evaluate(frame) if curve else 0.0 for curve in chosen] for frame in frames])


def keys_of(head) -> dict[str, list[tuple[float, float]]]:
    return {c.data_path: [tuple(p.co) for p in c.keyframe_points] for c in compat.fcurves_of(line_of(head)[0])}


def key_by_hand(head, frame: int = KEY, value: float = 0.97) -> None:
    block = head.data.shape_keys.key_blocks["jawOpen"]
    block.value = value
    block.keyframe_insert("value", frame=frame)


# Eyes


def test_blinks_and_gaze_are_in_the_plain_channels(scene):
    bpy.ops.lsf.generate()
    head = bpy.context.object
    assert head.data.shape_keys.animation_data.action == line_of(head)[0]
    assert not head.data.shape_keys.animation_data.nla_tracks and "LSF blink" not in head.data.shape_keys.key_blocks
    at_blink, looking, before = values(head, FIRST + 30), values(head, FIRST + 50), values(head, 5)
    assert [at_blink[name] for name in LIDS] == pytest.approx([1, 1], abs=0.011)
    assert looking["eyeLookOutLeft"] == pytest.approx(7 / 28, abs=0.011) and looking["eyeLookInRight"] > 0.2
    assert looking["eyeLookDownLeft"] == pytest.approx(5 / 26, abs=0.011) and looking.get("eyeLookUpLeft", 0) < 0.011
    assert all(before[name] == 0 for name in (*LIDS, *LOOKS) if name in before)


@pytest.mark.parametrize(("slider", "names", "frame"), [("blinks", LIDS, 30), ("gaze", LOOKS, 50)])
def test_eyes_are_taken_out_and_come_back(scene, slider, names, frame):
    bpy.ops.lsf.generate()
    head = bpy.context.object
    _action, record = line_of(head)
    before, jaw = values(head, FIRST + frame), keys_of(head)[JAW]
    setattr(record.tweaks, slider, 0)
    without = values(head, FIRST + frame)
    assert max(without.get(name, 0) for name in names) <= 0.52 and max(before.get(name, 0) for name in names) > 0.2
    assert without != before and keys_of(head)[JAW] == jaw
    setattr(record.tweaks, slider, 1)
    assert values(head, FIRST + frame) == pytest.approx(before, abs=1e-5)


def test_what_is_not_wanted_is_not_made(scene):
    scene.lsf.layers.blinks = scene.lsf.layers.gaze = False
    bpy.ops.lsf.generate()
    head = bpy.context.object
    action, record = line_of(head)
    assert not store.has_eyes(action, record.uid) and len(bpy.data.actions) == 1
    assert max(values(head, FIRST + 30)[name] for name in LIDS) < 0.52


# Head motion


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
    made = len(bpy.data.actions)
    assert np.abs(np.array(pose(rig, 39)) - np.array(before)).max() > 0.01
    assert bpy.ops.lsf.remove_head_motion() == {"FINISHED"}
    np.testing.assert_allclose(pose(rig, 39), before, atol=1e-6)
    assert (len(bpy.data.objects), len(rig.pose.bones["Bone"].constraints)) == counts
    assert len(bpy.data.actions) == made - 1


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


# Sliders and keys


def test_a_frown_on_a_face_that_did_not_frown(speaking):
    _action, record = line_of(speaking)
    untouched = keys_of(speaking)
    record.tweaks.smile = -0.3
    assert curve_values(speaking, "mouthFrownLeft", "mouthFrownRight")[20:70].min() == pytest.approx(0.3, abs=0.01)
    bpy.ops.lsf.reset_tweaks()
    assert values(speaking, 60)["mouthFrownLeft"] == 0, "it does not stay frowning"
    assert keys_of(speaking) == untouched


def test_keys_by_hand_survive_sliders_and_another_run(speaking):
    action, record = line_of(speaking)
    key_by_hand(speaking)
    assert not bpy.ops.lsf.reset_tweaks.poll() and bpy.ops.lsf.release_keys.poll()
    for change in (
        lambda: setattr(record.tweaks, "jaw", 0.3),
        lambda: setattr(record.tweaks, "density", 0.2),
        lambda: setattr(record.tweaks, "offset", 2),
        lambda: bpy.ops.lsf.generate(),
        lambda: bpy.ops.lsf.reset_tweaks(),
    ):
        change()
        assert curve_values(speaking, "jawOpen")[KEY - FIRST, 0] == pytest.approx(0.97, abs=1e-5)
        assert lines.edits(action, record).ranges == {JAW: [(KEY, KEY)]}
    record.tweaks.density = 0.5
    assert bpy.ops.lsf.release_keys() == {"FINISHED"} and not bpy.ops.lsf.release_keys.poll()
    predicted = store.load(action, record.uid).motion[:96, CHANNELS.index("jawOpen")]
    np.testing.assert_allclose(curve_values(speaking, "jawOpen")[:, 0], predicted, atol=0.01)


def test_a_slider_of_another_region_leaves_a_curve_with_keys_by_hand_alone(speaking):
    action, record = line_of(speaking)
    key_by_hand(speaking)
    before = curve_values(speaking, "jawOpen")
    record.tweaks.brows = 0.5
    after = curve_values(speaking, "jawOpen")
    far = np.abs(np.arange(FIRST, FIRST + 96) - KEY) > 10
    np.testing.assert_allclose(after[far], before[far], atol=0.02)
    assert lines.edits(action, record).ranges == {JAW: [(KEY, KEY)]} and after[KEY - FIRST, 0] == pytest.approx(0.97)


@pytest.mark.parametrize("moved_by_hand", [False, True])
def test_keys_by_hand_go_along_with_their_strip(speaking, moved_by_hand):
    action, record = line_of(speaking)
    key_by_hand(speaking)
    if moved_by_hand:
        for curve in compat.fcurves_of(action):
            for point in curve.keyframe_points:
                for name in ("co", "handle_left", "handle_right"):
                    getattr(point, name)[0] += 100
            curve.update()
    strips.find_strip(bpy.context.scene, "line").frame_start += 100
    bpy.ops.lsf.generate()
    assert tuple(record.window) == (FIRST - 5 + 100, FIRST + 95 + 5 + 100)
    assert lines.edits(action, record).ranges == {JAW: [(KEY + 100, KEY + 100)]}
    assert all(frame >= FIRST - 5 + 100 for points in keys_of(speaking).values() for frame, _value in points)


def test_sliders_reach_the_keys_of_a_rig(addon, add_strip, clicks, monkeypatch):
    """A head with keys of its own is driven under their names."""
    add_strip(clicks, fps=(24, 1.0))
    use(addon, monkeypatch, Speaking())
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    head = bpy.context.object
    head.shape_key_add(name="Basis")
    own = ["".join("_" + letter.lower() if letter.isupper() else letter for letter in name) for name in CHANNELS[:44]]
    for k, name in enumerate(own):
        head.shape_key_add(name=name, from_mix=False).points[k % 42].co.z += 0.1 + k
        head.data.shape_keys.key_blocks[name].value = 0
    bpy.ops.lsf.generate()
    action, record = line_of(head)
    untouched, before = keys_of(head), curve_values(head, "jaw_open", "brow_inner_up")
    assert {fcurves.key_name(path) for path in fcurves.paths(action)} <= set(own)
    record.tweaks.jaw, record.tweaks.channels["browInnerUp"].muted = 0.5, True
    after = curve_values(head, "jaw_open", "brow_inner_up")
    np.testing.assert_allclose(after[:, 0], before[:, 0] / 2, atol=0.02)
    assert np.abs(after[:, 1]).max() < 1e-4
    bpy.ops.lsf.reset_tweaks()
    assert keys_of(head) == untouched
    scene = bpy.context.scene
    scene.lsf.only_range = True
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 60, 90
    bpy.ops.lsf.generate()
    change = np.abs(curve_values(head, "jaw_open", "brow_inner_up") - before)
    assert change[:30].max() < 0.02 and change[75:].max() < 0.02 and change[42:58].max() > 0.1
