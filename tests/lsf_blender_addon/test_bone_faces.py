"""Faces that bones move, from Generate to the evaluated mesh: a jaw bone on the project's own head."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import actions, bone_actions
from lsf_blender_addon.scene import bones
from server.arkit import CHANNELS
from server.face.head import load_head
from tests.lsf_blender_addon.fake_client import use
from tests.lsf_blender_addon.jobs.test_look_at_result import JawClient, generate, seen_of_meant, widest_opening

HINGE = np.array([0, 0.0206, 0.048])  # about which jawOpen turns the jaw of the project's head
TURN = 0.243  # radians


class BoneClient(JawClient):
    """A jaw that opens once a second, and a server that keeps what it was asked."""

    def submit(self, kind, request, arrays):
        self.request = request
        return super().submit(kind, request, arrays)

    def rig_motion(self, request, arrays, result):
        return np.repeat(result["motion"][:, [CHANNELS.index("jawOpen")]], len(arrays["rig_shapes"]), 1) / 5


@pytest.fixture
def client(addon, monkeypatch):
    return use(addon, monkeypatch, BoneClient())


@pytest.fixture
def head(addon, add_strip, clicks, client) -> bpy.types.Object:
    """The project's own head, whose jaw is weighted to a bone, and a strip."""
    add_strip(clicks)
    bpy.ops.lsf.add_head()
    head = bpy.context.object
    bpy.context.scene.lsf.layers.blinks = bpy.context.scene.lsf.layers.gaze = False
    add_jaw(head)
    return head


def add_jaw(head) -> bpy.types.Object:
    """An armature with a jaw bone that opens the mouth as jawOpen does, weighted by how far that moves a vertex."""
    own = load_head()
    to_object = np.linalg.lstsq(np.c_[own.vertices, np.ones(len(own.vertices))], vertices_of(head), rcond=None)[0]
    hinge, chin = (np.r_[point, 1] @ to_object for point in (HINGE, own.vertices[own.landmark_vertices[8]]))
    bpy.ops.object.armature_add(enter_editmode=True)
    rig = bpy.context.object
    rig.matrix_world = head.matrix_world
    bone = rig.data.edit_bones[0]
    bone.name, bone.head, bone.tail = "jaw", hinge, chin
    skull = rig.data.edit_bones.new("skull")
    skull.head, skull.tail, bone.parent = hinge, np.add(hinge, (0, 0, 0.1)), skull
    bpy.ops.object.mode_set(mode="OBJECT")
    for name, weights in (("jaw", jaw_weights()), ("skull", 1 - jaw_weights())):
        group = head.vertex_groups.new(name=name)
        for vertex in np.flatnonzero(weights).tolist():
            group.add([vertex], float(weights[vertex]), "REPLACE")
    head.modifiers.new("Armature", "ARMATURE").object = rig
    bpy.context.view_layer.objects.active = head
    return rig


def jaw_weights() -> np.ndarray:
    """Weights (V,): the share of a rigid turn of the jaw that jawOpen is."""
    own = load_head()
    turned = own.vertices - HINGE
    turned = turned @ turning(TURN).T - turned
    share = np.einsum("vd,vd->v", own.basis[CHANNELS.index("jawOpen")], turned)
    return np.clip(share / np.maximum((turned**2).sum(1), 1e-9), 0, 1)


def turning(angle: float) -> np.ndarray:
    """Matrix of a turn about X, which opens the mouth of a face that looks along -Y."""
    return np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])


def vertices_of(obj) -> np.ndarray:
    table = np.empty(3 * len(obj.data.vertices), np.float32)
    obj.data.vertices.foreach_get("co", table)
    return table.reshape(-1, 3).astype(np.float64)


def evaluated_at(head, frame: int) -> np.ndarray:
    bpy.context.scene.frame_set(frame)
    return vertices_of(head.evaluated_get(bpy.context.evaluated_depsgraph_get()))


def set_jaw(head, rig) -> None:
    """Pose the jaw and press Set."""
    head.lsf.bones.armature = rig
    jaw = rig.pose.bones["jaw"]
    jaw.rotation_mode = "XYZ"
    axes = np.array(jaw.bone.matrix_local.to_3x3())
    side = axes.T @ [1, 0, 0]
    jaw.rotation_euler = side * TURN  # the bone lies in the middle of the face: one of its axes points to its side
    assert bpy.ops.lsf.set_bones() == {"FINISHED"}


def rig_of(head) -> bpy.types.Object:
    return next(obj for obj in bpy.data.objects if obj.type == "ARMATURE")


def millimetres(head) -> float:
    """Millimetres in a unit of the object."""
    right, left = vertices_of(head)[load_head().landmark_vertices[[36, 45]]]
    return 89.2 / float(np.linalg.norm(left - right))


def test_the_jaw_opens_by_its_bone_as_by_its_key_and_is_told(head, addon):
    by_key, meant = seen_of_meant(generate(addon))
    frames = range(20, 130, 7)
    keyed = np.array([evaluated_at(head, frame) for frame in frames])
    set_jaw(head, rig_of(head))
    seen, meant_again = seen_of_meant(generate(addon))
    assert meant_again == meant and abs(seen - widest_opening(head)) < 0.2
    assert abs(seen - by_key) < 0.2 * by_key
    assert "jawOpen" not in animated(head)
    posed = np.array([evaluated_at(head, frame) for frame in frames])
    jaw = jaw_weights() > 0.3
    moved = np.linalg.norm(keyed - keyed[0], axis=2)[:, jaw].max() * millimetres(head)
    away = np.linalg.norm(posed - keyed, axis=2)[:, jaw] * millimetres(head)
    assert moved > 15 and away.max() < 0.4 * moved and away.mean() < 0.05 * moved, "a key need not turn rigidly"


def test_the_mesh_is_where_the_weights_and_the_channel_put_it(head, addon):
    set_jaw(head, rig_of(head))
    generate(addon)
    own, weights = load_head(), jaw_weights()
    base = evaluated_at(head, -100)
    assert np.abs(base - vertices_of(head)).max() * millimetres(head) < 1e-3, "at rest outside of lines"
    to_object = np.linalg.lstsq(np.c_[own.vertices, np.ones(len(own.vertices))], base, rcond=None)[0]
    hinge = np.r_[HINGE, 1] @ to_object
    (first,) = {round(strip.frame_final_start) for strip in compat.all_strips(bpy.context.scene.sequence_editor)}
    lids = np.abs(own.basis[[CHANNELS.index(f"eyeBlink{side}") for side in ("Left", "Right")]]).max((0, 2)) > 1e-6
    for row in (3, 12, 17, 31):
        value = 0.3 - 0.3 * np.cos(row / 12 * np.pi)
        around = base - hinge
        meant = base + weights[:, None] * (around @ turning(value * TURN).T - around)
        away = np.linalg.norm(evaluated_at(head, first + row) - meant, axis=1)[~lids].max() * millimetres(head)
        assert away < 0.012 * 60, "the error bound of keys, at the end of the jaw"


def animated(head) -> set[str]:
    """Names of the shape keys that are not at rest at some frame."""
    scene, blocks, found = bpy.context.scene, head.data.shape_keys.key_blocks, set()
    for frame in range(20, 130):
        scene.frame_set(frame)
        keys = head.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.shape_keys.key_blocks
        found |= {key.name for key in keys if key.name in blocks and abs(key.value) > 1e-4}
    return found - {"Basis"}


def test_lips_by_own_keys_and_the_jaw_by_a_bone_do_not_open_twice(head, addon, client):
    generate(addon)  # 52 keys of its own make of it a character that somebody has rigged
    by_key = widest_opening(head)
    for keys in bpy.data.shape_keys:
        for name in list(keys.keys()):
            del keys[name]
        keys.animation_data_clear()
    set_jaw(head, rig_of(head))
    generate(addon)
    assert widest_opening(head) == pytest.approx(by_key, rel=0.2)
    assert "jawOpen" not in animated(head) and "eyeBlinkLeft" in animated(head)
    assert [tuple(p.co) for p in bone_curve(head).keyframe_points]


def bone_curve(head) -> bpy.types.FCurve:
    curves = compat.fcurves_of(bone_actions.existing(head))
    return max(curves, key=lambda curve: len(curve.keyframe_points))


def test_solved_keys_are_asked_to_leave_the_jaw_out(head, addon, client):
    own = load_head()
    centred = [table - table.mean(0) for table in (own.vertices, vertices_of(head))]
    to_object = np.linalg.lstsq(*centred, rcond=None)[0]
    head.shape_key_add(name="Basis")
    for name in ("A", "I", "U", "E", "O"):
        key = head.shape_key_add(name=name, from_mix=False)
        shape = vertices_of(head) + own.basis[CHANNELS.index("jawOpen")] @ to_object * 0.5
        key.points.foreach_set("co", shape.astype(np.float32).ravel())
        key.value = 0
    generate(addon)
    assert "jawOpen" not in client.request.get("rig_without", [])
    set_jaw(head, rig_of(head))
    generate(addon)
    assert "jawOpen" in client.request["rig_without"]


def test_a_second_line_the_sliders_and_remove_all(head, addon):
    set_jaw(head, rig_of(head))
    first = seen_of_meant(generate(addon))[0]
    (strip,) = compat.all_strips(bpy.context.scene.sequence_editor)
    del strip["lsf_line"]
    strip.frame_start = 300
    assert seen_of_meant(generate(addon))[0] == pytest.approx(first, abs=0.3)
    action = actions.existing(head.data)
    action.lsf.lines[0].tweaks.jaw = 0.5
    opening = widest_opening(head)  # of the first line's frames
    assert opening == pytest.approx(first / 2, rel=0.1)
    assert bpy.ops.lsf.remove_all_lines() == {"FINISHED"}
    assert bone_actions.existing(head) is None and rig_of(head).animation_data.action is None
    assert np.abs(evaluated_at(head, 50) - vertices_of(head)).max() * millimetres(head) < 1e-3


def test_a_face_that_only_bones_move_needs_no_shape_key_to_move(head, addon, monkeypatch):
    class OnlyJaw(BoneClient):
        def submit(self, kind, request, arrays):
            job = super().submit(kind, request, arrays)
            job.arrays["motion"][:, [k for k, name in enumerate(CHANNELS) if name != "jawOpen"]] = 0
            return job

    use(addon, monkeypatch, OnlyJaw())
    set_jaw(head, rig_of(head))
    seen, meant = seen_of_meant(generate(addon))
    assert seen == pytest.approx(widest_opening(head), abs=0.2) and seen > 0.7 * meant
    assert not animated(head)


def test_takes_and_the_head_motion_of_the_same_armature_work_with_the_jaw(head, addon):
    rig = rig_of(head)
    set_jaw(head, rig)
    head.lsf.nod.object, head.lsf.nod.bone = rig, "skull"
    bpy.ops.lsf.generate_takes()
    bpy.ops.lsf.step_take(step=-1)
    assert bone_curve(head).data_path == 'pose.bones["jaw"].rotation_euler'
    assert widest_opening(head) > 5
    assert bones.channels(head) == ("jawOpen",)
