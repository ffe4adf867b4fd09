"""Own keys that cannot show their channels are left out and named, and the evaluated mouth opens all the same."""

import bpy
import numpy as np
import pytest

from demo import characters
from demo.characters import FAMILIES
from lsf_blender_addon.scene import rig
from lsf_blender_addon.scene.meshes import base_vertices, coordinates
from server.arkit import CHANNELS
from tests.lsf_blender_addon.fake_client import use
from tests.lsf_blender_addon.makers_head import HeadClient, closing, meant, opening, spoken


@pytest.fixture
def stage(addon, add_strip, clicks, monkeypatch):
    """A scene with a strip, and a server that knows the head's face."""
    add_strip(clicks)
    use(addon, monkeypatch, HeadClient())
    bpy.context.scene.lsf.layers.blinks = bpy.context.scene.lsf.layers.gaze = False


@pytest.fixture
def head(stage) -> bpy.types.Object:
    """The project's own head with 52 ARKit keys of an artist's."""
    return characters.with_keys(FAMILIES["ARKit"], CHANNELS)


def block(head, name):
    return head.data.shape_keys.key_blocks[name]


def give_shape(head, name, offsets):
    """Give a key other offsets (V, 3)."""
    block(head, name).points.foreach_set("co", (base_vertices(head.data) + offsets).astype(np.float32).ravel())
    head.data.update()


def offsets(head, name):
    return coordinates(block(head, name).points) - base_vertices(head.data)


def check_speech(head):
    """Generate, and compare what the evaluated mesh does with what was meant."""
    before = {key.name: coordinates(key.points) for key in head.data.shape_keys.key_blocks}
    result, wanted = spoken(head), meant()
    assert 0.9 < opening(result) / opening(wanted) < 1.1 and 0.9 < closing(result) / closing(wanted) < 1.1
    assert all((coordinates(block(head, name).points) == shape).all() for name, shape in before.items()), "their shapes"


def test_good_keys_are_trusted(head, addon):
    check_speech(head)
    assert "left out" not in addon.session.message and len(head.data.shape_keys.key_blocks) == 53


@pytest.mark.parametrize("own_keys", ["RECOGNISE", "IGNORE"])
@pytest.mark.parametrize("share", [0, 0.04])
def test_an_empty_or_tiny_shape(head, addon, own_keys, share):
    """Whatever Own Shape Keys is set to; twice, as the second line must not add keys again."""
    give_shape(head, "jawOpen", share * offsets(head, "jawOpen"))
    head.lsf.own_keys = own_keys
    for _ in range(2):
        check_speech(head)
        assert "; left out, as they have no shape: jawOpen; in their place: LSF jawOpen" in addon.session.message
        assert len(head.data.shape_keys.key_blocks) == 54


def test_all_shapes_are_empty(stage, addon):
    head = characters.with_keys(FAMILIES["ARKit"], CHANNELS, empty=CHANNELS)
    check_speech(head)
    assert "as they have no shape: eyeBlinkLeft, eyeLookDownLeft, eyeLookInLeft and 49 more" in addon.session.message


def test_the_shape_of_another_channel(head, addon):
    give_shape(head, "jawOpen", offsets(head, "browInnerUp"))
    check_speech(head)
    assert "; left out, as they move something else: jawOpen; in their place: LSF jawOpen" in addon.session.message


def test_a_shape_the_wrong_way(head, addon):
    give_shape(head, "eyeBlinkLeft", -offsets(head, "eyeBlinkLeft"))
    check_speech(head)
    assert "move something else: eyeBlinkLeft; in their place: LSF eyeBlinkLeft" in addon.session.message


def test_a_driver_moves_a_key(head, addon):
    block(head, "jawOpen").driver_add("value").driver.expression = "0"
    check_speech(head)
    assert "; left out, as drivers move them: jawOpen; in their place: LSF jawOpen" in addon.session.message


def test_a_key_that_was_mended_is_used_again(head, addon):
    shape = offsets(head, "jawOpen")
    give_shape(head, "jawOpen", 0 * shape)
    check_speech(head)
    give_shape(head, "jawOpen", shape)
    check_speech(head)
    assert "left out" not in addon.session.message, "and the mouth does not open twice"


def test_a_fine_mesh_is_measured_on_some_of_its_vertices(head, addon, monkeypatch):
    monkeypatch.setattr(rig, "MAX_MEASURED", 1000)
    give_shape(head, "jawOpen", offsets(head, "browInnerUp"))
    give_shape(head, "eyeBlinkLeft", 0.05 * offsets(head, "eyeBlinkLeft"))
    check_speech(head)
    assert "no shape: eyeBlinkLeft; left out, as they move something else: jawOpen; in" in addon.session.message


def test_half_a_shape_and_a_shape_that_carries_the_head(head, addon):
    shape = offsets(head, "jawOpen")
    give_shape(head, "jawOpen", shape * (base_vertices(head.data)[:, :1] > 0))
    check_speech(head)
    assert "; left out, as they move something else: jawOpen; in their place: LSF jawOpen" in addon.session.message
    give_shape(head, "jawOpen", shape + np.float32([0, 0, -0.3]))
    check_speech(head)
    assert "; left out, as they move something else: jawOpen; in their place: LSF jawOpen" in addon.session.message


def test_the_artists_list_is_obeyed(head, addon):
    """A key that moves something else is named, and moves as the list says."""
    give_shape(head, "jawOpen", offsets(head, "browInnerUp"))
    bpy.ops.lsf.fill_mapping()
    bpy.ops.lsf.generate()
    assert "; these move something else than their channels: jawOpen" in addon.session.message
    assert len(head.data.shape_keys.key_blocks) == 53


def test_left_and_right_exchanged(head, addon):
    for name in [name for name in CHANNELS if name.endswith("Left")]:
        block(head, name).name = "x"
        block(head, name.replace("Left", "Right")).name = name
        block(head, "x").name = name.replace("Left", "Right")
    check_speech(head)
    assert "; these move something else than their channels: " in addon.session.message
