"""The buttons of the expression bank, as an artist and a script press them."""

import json

import bpy
import numpy as np
import pytest

from lsf_blender_addon.formats import live_link
from lsf_blender_addon.formats.curves import Curves
from lsf_blender_addon.scene import expression_bank
from server.face.head import load_head
from tests.lsf_blender_addon.jobs.test_bone_poses import pressed


@pytest.fixture
def head(addon) -> bpy.types.Object:
    """The project's head with three keys of its own."""
    bpy.ops.lsf.add_head()
    found = bpy.context.object
    bpy.context.scene.lsf.head = found
    found.shape_key_add(name="Basis", from_mix=False)
    model = load_head()
    for channel in ("mouthSmileLeft", "mouthSmileRight", "jawOpen"):
        block = found.shape_key_add(name=channel, from_mix=False)
        block.points.foreach_set("co", (model.vertices + model.basis[model.channels.index(channel)]).ravel())
        block.value = 0
    return found


def weights(head: bpy.types.Object) -> dict[str, dict[str, float]]:
    return {e.expression.name: dict(e.expression.weights) for e in expression_bank.entries(head)}


def test_a_posed_face_is_an_emotion_and_stays_as_it_was_made(head):
    blocks = head.data.shape_keys.key_blocks
    assert "at rest" in pressed(bpy.ops.lsf.add_expression, name="Smirk")
    blocks["mouthSmileLeft"].value = 0.75
    assert not pressed(bpy.ops.lsf.add_expression, name="Smirk")
    assert weights(head) == {"Smirk": {"mouthSmileLeft": 0.75}}
    bpy.context.scene.lsf.emotion.chosen = "Smirk"
    blocks["mouthSmileLeft"].value = 0.5
    assert not pressed(bpy.ops.lsf.add_expression, name="Smirk")
    assert not pressed(bpy.ops.lsf.add_expression, name="Smirk", replace=True)
    assert weights(head) == {"Smirk": {"mouthSmileLeft": 0.5}, "Smirk 2": {"mouthSmileLeft": 0.5}}
    assert "emotions" in pressed(bpy.ops.lsf.add_expression, name="happy", replace=True)
    assert not pressed(bpy.ops.lsf.add_expression, name="happy") and "happy 2" in weights(head)
    items = bpy.context.scene.lsf.emotion
    items.chosen = "Smirk 2"
    assert items.chosen == "Smirk 2"


def test_an_action_and_a_recording(head, tmp_path):
    block = head.data.shape_keys.key_blocks["jawOpen"]
    block.value = 0.25
    block.keyframe_insert("value", frame=1)
    action = head.data.shape_keys.animation_data.action
    action.asset_mark()  # a pose asset is an Action
    assert not pressed(bpy.ops.lsf.add_expression_from_action, action=action.name, frame=1.0)
    assert weights(head) == {action.name: {"jawOpen": 0.25}}
    assert "Choose an Action" in pressed(bpy.ops.lsf.add_expression_from_action, action="gone")
    path = str(tmp_path / "take.csv")
    live_link.write(path, Curves(["mouthSmileRight"], np.arange(2) / 60, np.full((2, 1), 0.5, np.float32)), 60)
    assert not pressed(bpy.ops.lsf.add_expression_from_recording, filepath=path, row=2)
    assert weights(head)["take 2"] == {"mouthSmileRight": 0.5}
    assert "2 rows" in pressed(bpy.ops.lsf.add_expression_from_recording, filepath=path, row=3)


def test_removing_what_is_keyed_is_refused_until_it_is_meant(head, addon):
    head.data.shape_keys.key_blocks["mouthSmileLeft"].value = 1
    assert not pressed(bpy.ops.lsf.add_expression, name="Smirk")
    emotion = bpy.context.scene.lsf.emotion
    emotion.chosen = "Smirk"
    for frame in range(1, 9):
        emotion.keyframe_insert("chosen", frame=frame)
    error = pressed(bpy.ops.lsf.remove_expression)
    assert "Smirk is the emotion in Scene (frames 1, 2, 3, 4, 5 …)" in error and weights(head)
    assert not pressed(bpy.ops.lsf.remove_expression, keyed=True) and not weights(head)
    assert emotion.chosen == "Smirk", "the menu still shows what is keyed"
    assert not bpy.ops.lsf.remove_expression.poll() and not bpy.ops.lsf.save_expressions.poll()


def test_a_file_goes_to_another_head(head, tmp_path):
    head.data.shape_keys.key_blocks["mouthSmileRight"].value = 0.6
    assert not pressed(bpy.ops.lsf.add_expression, name="Grin")
    path = tmp_path / "bank.json"
    assert not pressed(bpy.ops.lsf.save_expressions, filepath=str(path))
    assert json.loads(path.read_text("utf-8"))["expressions"] == [{"name": "Grin", "weights": {"mouthSmileRight": 0.6}}]
    assert not bpy.ops.lsf.copy_expressions.poll(), "no other head has a bank"
    bpy.ops.mesh.primitive_cube_add()
    other = bpy.context.scene.lsf.head = bpy.context.object
    assert not pressed(bpy.ops.lsf.load_expressions, filepath=str(path))
    assert not pressed(bpy.ops.lsf.load_expressions, filepath=str(path)), "again: nothing is there twice"
    assert weights(other) == weights(head) and other.lsf.bank[0].number == head.lsf.bank[0].number
    assert not pressed(bpy.ops.lsf.remove_expression)
    assert not pressed(bpy.ops.lsf.copy_expressions, head=head.name) and weights(other) == weights(head)
    path.write_text('{"format": "lsf-style"}', "utf-8")
    assert "not a bank of expressions" in pressed(bpy.ops.lsf.load_expressions, filepath=str(path))
    assert "cannot be read" in pressed(bpy.ops.lsf.load_expressions, filepath=str(tmp_path / "none.json"))
    assert "cannot be written" in pressed(bpy.ops.lsf.save_expressions, filepath=str(tmp_path / "no" / "bank.json"))
