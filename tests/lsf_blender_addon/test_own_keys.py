"""Generate on a head with shape keys of its own: they are driven, keep their shapes, and none are added."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.errors import UserError
from lsf_blender_addon.jobs import lines
from lsf_blender_addon.prediction import rig_drive, store
from lsf_blender_addon.rigs.mapping import SOLVED
from lsf_blender_addon.scene import meshes, rig, strips
from server.arkit import CHANNELS
from tests.lsf_blender_addon.fake_client import Client, use
from tests.lsf_blender_addon.two_lines import FIRST, SECOND, SpeechClient, TwoLines, same_values

VOWELS = ("A", "I", "U", "E", "O")


class RigClient(Client):
    """Solves the weights of a rig, too: they follow its first channels."""

    def submit(self, kind, request, arrays):
        job = super().submit(kind, request, arrays)
        if "rig_shapes" in arrays:
            job.arrays["rig_motion"] = job.arrays["motion"][:, : len(arrays["rig_shapes"])].copy()
        return job


@pytest.fixture
def head(addon, add_strip, clicks, monkeypatch):
    add_strip(clicks)
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    use(addon, monkeypatch, RigClient())
    bpy.context.scene.lsf.layers.blinks = bpy.context.scene.lsf.layers.gaze = False
    return bpy.context.object


def add_keys(obj, names, seed=0):
    """Keys with shapes; returns what must not change."""
    rng = np.random.default_rng(seed)
    if obj.data.shape_keys is None:
        obj.shape_key_add(name="Basis")
    for name in names:
        key = obj.shape_key_add(name=name, from_mix=False)
        key.value = 0
        moved = meshes.base_vertices(obj.data) + rng.normal(0, 0.1, (len(obj.data.vertices), 3))
        key.points.foreach_set("co", moved.astype(np.float32).ravel())
    return shapes(obj)


def shapes(obj) -> dict:
    return {
        key.name: (meshes.coordinates(key.points).tobytes(), key.slider_min, key.slider_max, key.mute)
        for key in obj.data.shape_keys.key_blocks
    }


def curves(obj) -> dict[str, np.ndarray]:
    """Key name: values of its curve, one a frame."""
    action = obj.data.shape_keys.animation_data.action
    return {
        curve.data_path.split('"')[1]: np.array([curve.evaluate(25 + f) for f in range(96)])
        for curve in compat.fcurves_of(action)
    }


def snake(name):
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in name)


def test_an_arkit_rig_is_driven_under_its_own_names(head, addon, monkeypatch):
    client = use(addon, monkeypatch, RigClient())
    before = add_keys(head, [snake(channel) for channel in CHANNELS[:30]])
    bpy.ops.lsf.generate()
    assert shapes(head) == before, "none added, none changed"
    motion = client.jobs[0].arrays["motion"]
    found = curves(head)
    assert set(found) == {snake(channel) for channel in CHANNELS[:30]}
    np.testing.assert_allclose(found["jaw_open"], motion[:96, CHANNELS.index("jawOpen")], atol=0.01)
    assert "rig_shapes" not in client.jobs[0].request_arrays
    assert "on your ARKit keys" in addon.session.message


def test_missing_keys_are_added_if_wished(head):
    before = add_keys(head, [snake(channel) for channel in CHANNELS[:30]])
    head.lsf.add_missing = True
    for _ in range(2):
        bpy.ops.lsf.generate()
        now = shapes(head)
        assert {name: now[name] for name in before} == before
        assert set(now) - set(before) == set(CHANNELS[30:]) - {"tongueOut"}, "which does not move in this line"
    assert rig.mapping_of(head).name == "ARKit" and len(rig.mapping_of(head).rows) == 30


def test_visemes_are_solved_by_the_server(head, addon, monkeypatch):
    client = use(addon, monkeypatch, RigClient())
    before = add_keys(head, [*VOWELS, "Blink_L", "Joy"])
    head.rotation_euler, head.scale = (0.3, 0.2, 1), (2, 1, -1)
    head.data.shape_keys.key_blocks["I"].slider_max = 0.5
    bpy.context.view_layer.update()
    bpy.ops.lsf.generate()
    (job,) = client.jobs
    sent = job.request_arrays["rig_shapes"]
    matrix = np.array(head.matrix_world)[:3, :3]
    blocks = head.data.shape_keys.key_blocks
    for r, name in enumerate(VOWELS):
        local = meshes.coordinates(blocks[name].points) - meshes.base_vertices(head.data)
        np.testing.assert_allclose(sent[r], local @ matrix.T, atol=1e-5)
    assert sent.dtype == np.float32 and job.request["rig_limits"] == [(0, 1), (0, 0.5), (0, 1), (0, 1), (0, 1)]
    found, motion = curves(head), job.arrays["motion"][:96]
    assert set(found) == {*VOWELS, "Blink_L"}
    np.testing.assert_allclose(found["U"], job.arrays["rig_motion"][:96, 2], atol=0.01)
    np.testing.assert_allclose(found["Blink_L"], motion[:, CHANNELS.index("eyeBlinkLeft")], atol=0.01)
    assert found["I"].max() <= 0.5 + 1e-6
    assert {name: shape for name, shape in shapes(head).items() if name != "I"} == {
        name: shape for name, shape in before.items() if name != "I"
    }
    assert "on your VRM keys" in addon.session.message


def test_relative_keys_and_vertex_groups_count(head, addon, monkeypatch):
    client = use(addon, monkeypatch, RigClient())
    add_keys(head, VOWELS)
    blocks = head.data.shape_keys.key_blocks
    blocks["I"].relative_key = blocks["A"]
    head.vertex_groups.new(name="lips").add([3], 0.5, "REPLACE")
    blocks["I"].vertex_group = "lips"
    bpy.ops.lsf.generate()
    sent = client.jobs[0].request_arrays["rig_shapes"][1]
    difference = meshes.coordinates(blocks["I"].points) - meshes.coordinates(blocks["A"].points)
    np.testing.assert_allclose(sent[3], 0.5 * difference[3], atol=1e-6)
    assert np.abs(np.delete(sent, 3, 0)).max() == 0


def test_parts_follow_the_rig(head, addon, monkeypatch):
    """Teeth without keys get one for each of the head's; the head's keys stay the only ones with curves."""
    add_keys(head, [*VOWELS, "Blink_L"])
    bpy.ops.mesh.primitive_cube_add()
    teeth = bpy.context.object
    bpy.context.view_layer.objects.active = head
    head.lsf.add_part(teeth)
    bpy.ops.lsf.generate()
    names = {key.name for key in teeth.data.shape_keys.key_blocks} - {"Basis"}
    assert names == {*VOWELS, "Blink_L"}
    bpy.context.scene.frame_set(40)
    for name in names:
        value = head.data.shape_keys.key_blocks[name].value
        assert teeth.data.shape_keys.key_blocks[name].value == pytest.approx(value)


def test_a_damaged_answer(head, addon, monkeypatch):
    use(addon, monkeypatch, Client())  # which knows nothing of rigs
    add_keys(head, VOWELS)
    with pytest.raises(RuntimeError, match="damaged"):
        bpy.ops.lsf.generate()


def test_the_list_decides(head, addon, monkeypatch):
    client = use(addon, monkeypatch, RigClient())
    add_keys(head, ["mund", "zu", *VOWELS])
    assert bpy.ops.lsf.fill_mapping() == {"FINISHED"}
    face = head.lsf
    assert face.own_keys == "LIST" and {row.key for row in face.mapping} == set(VOWELS)
    assert all(row.channel == SOLVED for row in face.mapping)
    while len(face.mapping):
        bpy.ops.lsf.remove_mapping_row()
    assert not bpy.ops.lsf.remove_mapping_row.poll() and not bpy.ops.lsf.save_mapping.poll()
    bpy.ops.lsf.add_mapping_row()
    face.mapping[0].key, face.mapping[0].channel, face.mapping[0].gain = "mund", "jawOpen", 0.5
    bpy.ops.lsf.generate()
    found = curves(head)
    assert set(found) == {"mund"}
    np.testing.assert_allclose(
        found["mund"], 0.5 * client.jobs[0].arrays["motion"][:96, CHANNELS.index("jawOpen")], atol=0.01
    )


def test_ignored_keys(head):
    before = add_keys(head, VOWELS)
    head.lsf.own_keys = "IGNORE"
    bpy.ops.lsf.generate()
    assert set(curves(head)) == set(CHANNELS) - {"tongueOut"}
    assert {name: shapes(head)[name] for name in before} == before


def test_unknown_keys_are_listed_to_be_solved(head):
    add_keys(head, ["mund", "zu"])
    assert rig.mapping_of(head) is None
    bpy.ops.lsf.fill_mapping()
    assert rig.mapping_of(head).solved == ("mund", "zu")
    head.data.shape_keys.key_blocks["zu"].name = "auf"
    assert rig.mapping_of(head).solved == ("mund",), "a key that is gone is left out"


def test_save_and_load(head, tmp_path):
    add_keys(head, ["mund", "zu", *VOWELS])
    bpy.ops.lsf.add_mapping_row()
    row = head.lsf.mapping[0]
    row.key, row.channel, row.gain = "mund", "jawOpen", 0.5
    assert bpy.ops.lsf.save_mapping(name="Studio 7") == {"FINISHED"}
    assert len(list((tmp_path / "rigs").glob("*.json"))) == 1
    with pytest.raises(RuntimeError, match="already"):
        bpy.ops.lsf.save_mapping(name="Studio 7")
    assert bpy.ops.lsf.save_mapping(name="Studio 7", replace=True) == {"FINISHED"}
    assert bpy.ops.lsf.load_mapping(name="built-in:VRM") == {"FINISHED"}
    assert {row.key for row in head.lsf.mapping} == set(VOWELS) and head.lsf.mapping_name == "VRM"
    assert bpy.ops.lsf.load_mapping(name="saved:Studio 7") == {"FINISHED"}
    assert [(row.key, row.channel, row.gain) for row in head.lsf.mapping] == [("mund", "jawOpen", 0.5)]
    with pytest.raises(RuntimeError, match="none of the shape keys"):
        bpy.ops.lsf.load_mapping(name="built-in:MetaHuman")


def test_a_saved_mapping_is_recognised(head):
    add_keys(head, ["mund", "zu"])
    bpy.ops.lsf.fill_mapping()
    bpy.ops.lsf.save_mapping(name="Studio 7")
    head.lsf.own_keys = "RECOGNISE"
    assert rig.mapping_of(head).name == "Studio 7"


def test_generated_keys_are_not_own(head):
    bpy.ops.lsf.generate()
    assert rig.own_keys(head.data) == [] and rig.mapping_of(head) is None
    head.data.shape_keys.key_blocks["jawOpen"].name = "mine"
    assert rig.own_keys(head.data) == ["mine"]


def kept_line(obj):
    """The stored prediction of the head's only line."""
    action = obj.data.shape_keys.animation_data.action
    (line,) = action.lsf.lines
    return store.load(action, line.uid)


def eye_curves(job, variant=0) -> dict[str, np.ndarray]:
    """The channels of the eyes with the blinks and the gaze of a variant, as they should be."""
    motion, blinks, gaze = job.arrays["motion"][:96], job.arrays["blinks"][variant], job.arrays["gaze"][variant]
    lid = motion[:, CHANNELS.index("eyeBlinkLeft")]
    return {
        "lid": lid + blinks[:96] * (1 - lid),
        "look": gaze[:96, 0] / 28,  # the model leaves the looks of speech at 0
    }


def test_blinks_and_gaze_go_onto_the_rigs_keys(head, addon, monkeypatch):
    """A rig with blink and look keys of its own names gets them there, and no key is added."""
    client = use(addon, monkeypatch, SpeechClient())
    bpy.context.scene.lsf.layers.blinks = bpy.context.scene.lsf.layers.gaze = True
    before = add_keys(head, [snake(channel) for channel in CHANNELS])
    bpy.ops.lsf.generate()
    assert shapes(head) == before, "no key for the blinks either"
    found, wanted = curves(head), eye_curves(client.jobs[0])
    np.testing.assert_allclose(found["eye_blink_left"], wanted["lid"], atol=0.011)
    np.testing.assert_allclose(found["eye_look_out_left"], wanted["look"], atol=0.011)
    np.testing.assert_allclose(found["eye_look_in_right"], wanted["look"], atol=0.011)
    assert not any(name.startswith("eye_look_up") for name in found), "what rests gets no curve"
    bpy.context.scene.frame_set(25 + 60)
    assert head.data.shape_keys.key_blocks["eye_look_out_left"].value == pytest.approx(0.25, abs=0.011)


def test_one_key_for_both_lids(head, addon, monkeypatch):
    client = use(addon, monkeypatch, SpeechClient())
    bpy.context.scene.lsf.layers.blinks = True
    add_keys(head, ["mund", "zu"])
    head.lsf.own_keys = "LIST"
    for key, channel, gain in (("mund", "jawOpen", 0.5), ("zu", "eyeBlinkLeft", 0.5), ("zu", "eyeBlinkRight", 0.5)):
        bpy.ops.lsf.add_mapping_row()
        row = head.lsf.mapping[-1]
        row.key, row.channel, row.gain = key, channel, gain
    bpy.ops.lsf.generate()
    lids = client.jobs[0].arrays["motion"][:96, [CHANNELS.index(f"eyeBlink{side}") for side in ("Left", "Right")]]
    blinks = client.jobs[0].arrays["blinks"][0, :96, None]
    np.testing.assert_allclose(curves(head)["zu"], (lids + blinks * (1 - lids)).mean(1), atol=0.011)


def test_blinks_close_the_rigs_lids_in_each_line_as_its_sliders_say(addon, add_strip, clicks, monkeypatch):
    client = use(addon, monkeypatch, SpeechClient())
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    head = bpy.context.object
    add_keys(head, [snake(channel) for channel in CHANNELS])
    two = TwoLines(add_strip, clicks, head)
    two.generate(0)
    two.generate(1, take=2)
    second = two.values(SECOND)
    sliders = two.record(0).tweaks
    speech = client.jobs[0].arrays["motion"][:96, CHANNELS.index("eyeBlinkLeft")]
    for changes, lid, look in (
        ({"blinks": 0.0}, speech, eye_curves(client.jobs[0])["look"]),
        ({"blinks": 1.0, "gaze": 0.0}, eye_curves(client.jobs[0])["lid"], 0 * speech),
        ({"gaze": 1.0, "variant": 3}, *eye_curves(client.jobs[0], 3).values()),
    ):
        for name, value in changes.items():
            setattr(sliders, name, value)
        np.testing.assert_allclose(two.curve("eye_blink_left", FIRST), lid, atol=0.011)
        np.testing.assert_allclose(two.curve("eye_look_out_left", FIRST), look, atol=0.011)
        assert same_values(two.values(SECOND), second)
    np.testing.assert_allclose(second["eye_blink_left"], eye_curves(client.jobs[1])["lid"], atol=0.011)


def test_one_line_goes_to_other_keys_and_the_other_one_stays(addon, add_strip, clicks, monkeypatch):
    """The first line was on the rig's keys. It gets keys of its own, and leaves nothing on the rig's."""
    use(addon, monkeypatch, SpeechClient())
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    head = bpy.context.object
    add_keys(head, [snake(channel) for channel in CHANNELS])
    two = TwoLines(add_strip, clicks, head)
    two.generate(0)
    two.generate(1)
    first, second = two.values(FIRST), two.values(SECOND)
    head.lsf.own_keys = "IGNORE"
    two.generate(0)
    now = two.values(FIRST)
    moving = {name for name, values in now.items() if np.abs(values).max() > 1e-3}
    assert moving == {name for name in CHANNELS if name in moving} and len(moving) > 40
    np.testing.assert_allclose(now["jawOpen"], first["jaw_open"], atol=0.022)
    assert same_values({name: values for name, values in two.values(SECOND).items() if "_" in name}, second)
    head.lsf.own_keys = "RECOGNISE"
    two.generate(1)
    two.generate(0)
    assert same_values(two.values(FIRST), first) and same_values(two.values(SECOND), second)


def test_the_drive_is_kept_for_curves_that_are_made_again(head, addon, monkeypatch):
    client = use(addon, monkeypatch, RigClient())
    add_keys(head, [*VOWELS, "Blink_L"])
    bpy.ops.lsf.generate()
    predicted = kept_line(head)
    again = rig_drive.on_keys(predicted, predicted.motion)
    assert set(again.channels) == {*VOWELS, "Blink_L"}
    found = curves(head)
    for k, name in enumerate(again.channels):
        np.testing.assert_allclose(again.motion[:, k], found[name], atol=0.01)
    assert again.lips.shape == (6, *predicted.lips.shape[1:]) and client.jobs
    head.lsf.own_keys = "IGNORE"
    bpy.ops.lsf.generate()
    predicted = kept_line(head)
    assert predicted.drive is None
    same = rig_drive.on_keys(predicted, predicted.motion)
    assert same.channels == predicted.channels


def test_a_change_of_the_rig_while_the_line_is_made(head, addon, monkeypatch):
    add_keys(head, [*VOWELS, "Blink_L"])
    scene = bpy.context.scene
    generation = lines.start_generation(
        scene.lsf, head, {}, compat.sequencer_scene(bpy.context), strips.find_strip(scene, "")
    )
    generation._reader.join()
    generation.poll()
    head.shape_key_remove(head.data.shape_keys.key_blocks["Blink_L"])
    before = shapes(head)
    with pytest.raises(UserError, match=r"shape keys of .* were changed"):
        lines.apply_result(generation)
    assert shapes(head) == before and not bpy.data.actions


def test_live_link_goes_to_and_from_the_rigs_names(head, tmp_path):
    before = add_keys(head, [snake(channel) for channel in CHANNELS])
    bpy.ops.lsf.generate()
    wanted = curves(head)
    path = str(tmp_path / "take.csv")
    bpy.ops.lsf.export_curves(filepath=path, format="CSV", first_frame=25, last_frame=120)
    head.data.shape_keys.animation_data_clear()
    bpy.ops.lsf.import_live_link(filepath=path, first_frame=25)
    found = curves(head)
    assert shapes(head) == before and set(found) <= {snake(channel) for channel in CHANNELS}
    for name in ("jaw_open", "mouth_smile_left", "brow_inner_up"):
        np.testing.assert_allclose(found[name], wanted[name], atol=0.01)


def test_keys_that_drivers_move_get_keys_in_their_place(head, addon):
    before = add_keys(head, VOWELS)
    for name in VOWELS:
        head.data.shape_keys.key_blocks[name].driver_add("value")
    bpy.ops.lsf.generate()
    assert "left out, as drivers move them: A, I, U and 2 more; in their place: jaw" in addon.session.message
    assert before.items() <= shapes(head).items() and len(head.data.shape_keys.animation_data.drivers) == len(VOWELS)
    assert "jawOpen" in curves(head) and not set(VOWELS) & set(curves(head))
    assert not [name for name in curves(head) if not name.startswith(("jaw", "mouth"))], "of what vowels show"
    head.data.shape_keys.key_blocks["U"].driver_remove("value")
    bpy.ops.lsf.generate()
    assert "U" in curves(head) and "left out, as drivers move them: A, I, E and 1 more" in addon.session.message


def test_a_channels_own_key_with_a_driver_gets_a_key_of_another_name(head, addon):
    add_keys(head, ["jawOpen"])
    head.data.shape_keys.key_blocks["jawOpen"].driver_add("value").driver.expression = "0"
    bpy.ops.lsf.generate()
    assert "left out, as drivers move them: jawOpen; in their place: LSF jawOpen" in addon.session.message
    rest = len(head.data.shape_keys.key_blocks)
    assert "LSF jawOpen" in curves(head) and "jawOpen" not in curves(head)
    bpy.ops.lsf.generate()
    assert len(head.data.shape_keys.key_blocks) == rest, "the same keys again"
