"""Generate on heads on which the server finds no face: what their own keys can show moves all the same."""

import contextlib

import bpy
import numpy as np
import pytest

from demo import characters
from demo.characters import FAMILIES
from lsf_blender_addon.client.jobs import State
from lsf_blender_addon.scene import evaluated_keys
from server.arkit import CHANNELS
from server.face import rig_solver
from tests.lsf_blender_addon import makers_head
from tests.lsf_blender_addon.fake_client import Client, use
from tests.lsf_blender_addon.makers_head import FRAMES, OPEN, REST, SHUT, distances, read_face, speech

FIRST_FRAME = 25  # of the strip that `clicks` becomes
SENTENCE = "; the face was not found: only your own keys move; place four points (Face > Landmarks) for the rest"


class FacelessClient(Client):
    """Answers as the server does where it finds no face."""

    def submit(self, kind, request, arrays):
        job = super().submit(kind, request, arrays)
        if not request.get("face_optional"):
            job.state, job.error = State.FAILED, "No face was found on this mesh: place four landmarks"
            return job
        motion = np.zeros_like(job.arrays["motion"])
        motion[:FRAMES] = speech()[: len(motion)]
        job.arrays = {"motion": motion, "head": np.zeros((len(motion), 3), np.float32)}
        job.header["no_face"] = {"code": "no_face", "message": "No face was found on this mesh: place four landmarks"}
        if "rig_shapes" in arrays:
            limits = np.array(request["rig_limits"], float)
            looks = tuple(request["rig_like"])
            rig = rig_solver.Rig(arrays["rig_shapes"], limits, tuple(request["rig_without"]), looks)
            face = read_face()
            job.arrays["rig_motion"] = rig_solver.solve_by_names(rig, face.vertices, face, motion)
        return job


@pytest.fixture
def stage(addon, add_strip, clicks, monkeypatch):
    """A scene with a strip, and a server that finds no face."""
    pytest.importorskip("scipy")
    add_strip(clicks)
    bpy.context.scene.lsf.layers.blinks = bpy.context.scene.lsf.layers.gaze = False
    return use(addon, monkeypatch, FacelessClient())


def moved(head) -> tuple[float, float]:
    """By how many millimetres the lips part, and the lids come together."""
    shapes = evaluated_keys.sample_vertices(head, [FIRST_FRAME + row for row in (OPEN, SHUT, REST)])
    wide, shut, rest = map(distances, shapes)
    return wide[0] - rest[0], rest[1] - shut[1]


def meant() -> tuple[float, float]:
    face, motion = read_face(), speech()
    wide, shut, rest = (
        distances(face.vertices + np.tensordot(motion[row], face.basis, 1)) for row in (OPEN, SHUT, REST)
    )
    return wide[0] - rest[0], rest[1] - shut[1]


@pytest.mark.parametrize("family", ["ARKit", "MMD", "VRM", "Unified Expressions", "Genesis 8"])
def test_keys_of_known_families_move(stage, addon, family):
    names = [key.names[0] for key in FAMILIES[family].keys if not key.stands_for]
    head = characters.with_keys(FAMILIES[family], names)
    before = len(head.data.shape_keys.key_blocks)
    bpy.ops.lsf.generate()
    lips, lids = moved(head)
    most_lips, most_lids = meant()
    assert 0.5 < lips / most_lips < 1.5
    assert 0.9 < lids / most_lids < 1.1
    assert len(head.data.shape_keys.key_blocks) == before, "no key was added"
    assert SENTENCE in addon.session.message and not addon.session.failed


def test_strength_of_the_mouth_moves_visemes_too(stage):
    head = characters.with_keys(FAMILIES["MMD"], list("あいうえお"))
    bpy.ops.lsf.generate()
    full, _ = moved(head)
    bpy.context.scene.lsf.head = head
    line = head.data.shape_keys.animation_data.action.lsf.lines[0]
    line.tweaks.jaw = 0.5
    assert moved(head)[0] < 0.85 * full


def test_what_holds_keys_back_is_said_without_a_face(stage, addon):
    head = characters.with_keys(FAMILIES["MMD"], list("あいうえお"))
    bpy.ops.lsf.generate()
    assert "pinned" not in addon.session.message and "muted" not in addon.session.message
    head.show_only_shape_key, head.active_shape_key_index = True, 1
    head.data.shape_keys.key_blocks["い"].mute = True
    head.data.shape_keys.key_blocks["う"].slider_max = 0.1
    bpy.ops.lsf.generate()
    for sentence in ("the shape key あ is pinned", "these are muted: い", "these end too early: う"):
        assert sentence in addon.session.message


def test_a_head_whose_keys_tell_nothing_is_refused_with_the_sentence(stage, addon):
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    head = bpy.context.object
    head.shape_key_add(name="Basis")
    head.shape_key_add(name="Grimasse")
    with contextlib.suppress(RuntimeError):
        bpy.ops.lsf.generate()
    assert "four landmarks" in addon.session.message and addon.session.failed
    assert [key.name for key in head.data.shape_keys.key_blocks] == ["Basis", "Grimasse"]


def test_four_points_bring_the_rest(stage, addon, monkeypatch):
    """With the points, the server finds the face, and the line is made anew with all channels."""
    head = characters.with_keys(FAMILIES["MMD"], list("あいうえお"))
    bpy.ops.lsf.generate()
    assert len(head.data.shape_keys.key_blocks) == 6
    use(addon, monkeypatch, makers_head.HeadClient())
    head.lsf.add_missing = True
    bpy.ops.lsf.generate()
    assert SENTENCE not in addon.session.message
    assert "browInnerUp" in CHANNELS and {"eyeBlinkLeft"} <= set(head.data.shape_keys.key_blocks.keys())
