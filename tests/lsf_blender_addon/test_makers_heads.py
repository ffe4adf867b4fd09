"""Generate on the project's own head with the keys of other makers: what the evaluated mesh does counts."""

import bpy
import numpy as np
import pytest

from demo import characters
from demo.characters import FAMILIES, keys_of
from lsf_blender_addon.scene import evaluated_keys, rig
from server.arkit import CHANNELS
from tests.lsf_blender_addon import makers_head
from tests.lsf_blender_addon.fake_client import use
from tests.lsf_blender_addon.makers_head import (
    CLOSED,
    FIRST_FRAME,
    REST,
    SHUT,
    HeadClient,
    closing,
    meant,
    measured,
    opening,
    spoken,
)

LIPS_ONLY = {"Character Creator visemes", "Genesis visemes", "Oculus visemes", "Preston Blair"}


@pytest.fixture
def stage(addon, add_strip, clicks, monkeypatch):
    """A scene with a strip, and a server that knows the head's face."""
    add_strip(clicks)
    use(addon, monkeypatch, HeadClient())
    bpy.context.scene.lsf.layers.blinks = bpy.context.scene.lsf.layers.gaze = False


def head_of(family: str) -> bpy.types.Object:
    """Add the head with a maker's keys. Where some are solved, the test needs the server's package for this."""
    names = keys_of(family)
    if FAMILIES[family].match(names).solved:
        pytest.importorskip("scipy")
    return characters.with_keys(FAMILIES[family], names)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_head_speaks_and_blinks(stage, family):
    head = head_of(family)
    result, wanted = spoken(head), meant()
    mapping = rig.recognised_mapping(head)
    assert mapping.name == family
    assert {key.name for key in head.data.shape_keys.key_blocks[1:]} == set(keys_of(family)), "no key was added"
    assert 0.9 < opening(result) / opening(wanted) < 1.1
    if family not in LIPS_ONLY:
        assert 0.9 < closing(result) / closing(wanted) < 1.1
    # Visemes have no key that closes the lips while the jaw is open.
    apart = 0.3 * opening(wanted) if mapping.solved else 1.0
    assert result[CLOSED][0] < wanted[CLOSED][0] + apart, "the jaw opens behind the lips"


@pytest.mark.parametrize("prefix", ["Genesis8Female__", "blendShape1.", "Face_"])
@pytest.mark.parametrize("family", ["Genesis 8", "SRanipal", "VRM"])
def test_renamed_keys_move_the_same(stage, family, prefix):
    head = head_of(family)
    for key in head.data.shape_keys.key_blocks[1:]:
        key.name = prefix + key.name
    result, wanted = spoken(head), meant()
    assert rig.recognised_mapping(head).name == family
    assert 0.9 < opening(result) / opening(wanted) < 1.1 and 0.9 < closing(result) / closing(wanted) < 1.1


def test_two_heads_of_two_makers(stage):
    heads = {family: head_of(family) for family in ("Unified Expressions", "MMD")}
    for head in heads.values():
        bpy.context.scene.lsf.head = head
        bpy.ops.lsf.generate()
    for family, head in heads.items():
        assert rig.recognised_mapping(head).name == family
        assert 0.9 < opening(measured(head)) / opening(meant()) < 1.1


def test_vroid_with_52_empty_names_speaks_with_its_vowels(stage):
    pytest.importorskip("scipy")
    head = characters.with_keys(FAMILIES["ARKit"], CHANNELS, empty=CHANNELS)
    characters.give_keys(head, FAMILIES["VRM"], keys_of("VRM"))
    result, wanted = spoken(head), meant()
    assert rig.recognised_mapping(head).name == "VRM"
    assert 0.9 < opening(result) / opening(wanted) < 1.1 and 0.9 < closing(result) / closing(wanted) < 1.1


def test_a_key_that_is_sculpted_is_used_from_then_on(stage):
    pytest.importorskip("scipy")
    head = characters.with_keys(FAMILIES["ARKit"], CHANNELS, empty=CHANNELS)
    characters.give_keys(head, FAMILIES["VRM"], keys_of("VRM"))
    spoken(head)
    shapes = characters.shapes_of(FAMILIES["ARKit"], CHANNELS)
    rest = makers_head.read_face().vertices
    for channel in CHANNELS:
        key = head.data.shape_keys.key_blocks[channel]
        key.points.foreach_set("co", (rest + shapes[channel]).ravel())
    result = spoken(head)
    assert rig.recognised_mapping(head).name == "ARKit"
    assert 0.9 < opening(result) / opening(meant()) < 1.1


@pytest.mark.parametrize(
    ("lids", "empty", "left", "right"),
    [
        (["Blink"], [], True, True),
        (["Blink_L"], [], True, False),
        (["Blink", "Blink_L", "Blink_R"], [], True, True),
        (["Blink", "Blink_L", "Blink_R"], ["Blink"], True, True),
        (["Blink", "Blink_L", "Blink_R"], ["Blink_R"], True, True),
    ],
)
def test_one_key_for_both_lids_or_one_eye_only(stage, lids, empty, left, right):
    pytest.importorskip("scipy")
    first = {"Blink": "blink", "Blink_L": "blinkLeft", "Blink_R": "blinkRight"}
    head = characters.with_keys(FAMILIES["VRM"], keys_of("VRM")[:5])
    for name in lids:
        characters.give_keys(head, FAMILIES["VRM"], [first[name]], [first[name]] if name in empty else [])
        head.data.shape_keys.key_blocks[first[name]].name = name
    bpy.ops.lsf.generate()
    (shape, rest) = evaluated_keys.sample_vertices(head, [FIRST_FRAME + SHUT, FIRST_FRAME + REST])
    face = makers_head.read_face()
    points, before = (1000 * vertices[face.landmark_vertices] for vertices in (shape, rest))
    whole = meant()[REST][1] - meant()[SHUT][1]
    for shuts, upper, lower in ((right, (37, 38), (41, 40)), (left, (43, 44), (47, 46))):
        apart = [np.linalg.norm(p[list(upper)] - p[list(lower)], axis=1).mean() for p in (before, points)]
        assert (apart[0] - apart[1]) / whole == pytest.approx(1.0 if shuts else 0.0, abs=0.15)


@pytest.mark.parametrize("empty", [["jawOpen"], [name for name in CHANNELS if name.startswith(("jaw", "mouth"))]])
@pytest.mark.parametrize("visemes", ["Oculus visemes", "VRM", "MMD"])
def test_visemes_beside_empty_arkit_keys_open_the_mouth(stage, visemes, empty):
    pytest.importorskip("scipy")
    head = characters.with_keys(FAMILIES["ARKit"], CHANNELS, empty=empty)
    names = [key.names[0] for key in FAMILIES[visemes].keys if not key.channels and not key.stands_for]
    characters.give_keys(head, FAMILIES[visemes], names)
    result, wanted = spoken(head), meant()
    assert rig.recognised_mapping(head).name == "ARKit"
    assert 0.85 < opening(result) / opening(wanted) < 1.15 and 0.9 < closing(result) / closing(wanted) < 1.1
    assert set(CHANNELS) & {key.name for key in head.data.shape_keys.key_blocks} == set(CHANNELS)


def test_the_same_keys_after_the_file_is_opened_again(stage, tmp_path):
    head = head_of("SRanipal")
    before, name, path = spoken(head), head.name, str(tmp_path / "head.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    head = bpy.data.objects[name]
    assert opening(measured(head)) == pytest.approx(opening(before))
    assert rig.recognised_mapping(head).name == "SRanipal"
    assert 0.9 < opening(spoken(head)) / opening(meant()) < 1.1
