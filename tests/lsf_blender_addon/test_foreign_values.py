"""What a file holds under the add-on's names may be anything: of another tool, another version, or damaged.

Whatever it is, panels are drawn, lines are generated and changed, and what is not the add-on's own stays.
"""

import bpy
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsf_blender_addon import compat
from lsf_blender_addon.animation import actions, generated_curves, head_motion, layer
from lsf_blender_addon.jobs import session
from lsf_blender_addon.preview import mouth_openings, playblast
from lsf_blender_addon.scene import bones, shape_keys, stored
from lsf_blender_addon.scene.snapshots import BonePose
from lsf_blender_addon.ui import registration
from lsf_blender_addon.ui.panels import main
from tests.lsf_blender_addon.fake_client import use
from tests.lsf_blender_addon.two_lines import SpeechClient
from tests.lsf_blender_addon.ui.panels import test_draw

NAMES = (
    *("lsf_generated", "lsf_renamed", "lsf_action", "lsf_speech", "lsf_predictions", "lsf_takes", "lsf_curves"),
    *("lsf_rest", "lsf_layer_rest", "lsf_bones", "lsf_blend", "lsf_layer", "lsf_prediction", "lsf_drive", "lsf_turns"),
    *("lsf_lines", "lsf_line", "lsf_overrides", "lsf_playblast"),
)
BLOCKS = ("shape_keys", "actions", "objects", "meshes", "scenes", "worlds")

numbers = st.one_of(st.integers(-(2**31), 2**31 - 1), st.floats(), st.booleans())
texts = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
    st.sampled_from(("", "{}", "[]", '{"a": 5}', '{"a": [NaN, 1, 2]}', "x" * 100_000, '["' * 5000)),
)
leaves = st.one_of(
    numbers,
    texts,
    st.binary(max_size=12),
    st.lists(st.integers(-9, 9), min_size=1, max_size=5),
    st.lists(st.floats(), max_size=5),
)
keys = st.sampled_from(
    ("a", "version", "motion", "shape", "bytes", "scale", "channels", "fps", "drive", "jawOpen", "paths", "000", "seed")
)
values = st.one_of(
    leaves,
    st.recursive(leaves, lambda inner: st.dictionaries(keys, inner, max_size=4), max_leaves=8),
    st.lists(st.dictionaries(keys, leaves, max_size=2), min_size=1, max_size=3),
)


def blocks() -> list:
    """Everything in the file that can have custom properties of ours."""
    strips = [
        strip
        for scene in bpy.data.scenes
        if scene.sequence_editor
        for strip in compat.all_strips(scene.sequence_editor)
    ]
    return [block for name in BLOCKS for block in getattr(bpy.data, name)] + strips


def put(data: st.DataObject) -> tuple[object, str] | None:
    """Set a property under one of our names, or a value inside of one, to anything; None if Blender cannot keep it."""
    existing = [(block, name) for block in blocks() for name in NAMES if block.get(name) is not None]
    if data.draw(st.integers(0, 3)) == 0:
        owner, name = data.draw(st.sampled_from(blocks())), data.draw(st.sampled_from(NAMES))
    else:
        owner, name = data.draw(st.sampled_from(existing))
        while hasattr(owner[name], "to_dict") and len(owner[name]) and data.draw(st.integers(0, 4)):
            owner, name = owner[name], data.draw(st.sampled_from(sorted(owner[name].keys())))
    if data.draw(st.integers(0, 5)) == 0 and name in owner.keys():  # noqa: SIM118  # no dictionary
        del owner[name]
        return None
    try:
        owner[name] = data.draw(values)
    except (TypeError, ValueError, OverflowError, UnicodeError):
        return None
    return owner, name


EXTREME = {
    "INT": st.sampled_from((-(2**31), -1, 0, 1, 99, 10**6, 2**31 - 1)),
    "ENUM": st.sampled_from((-1, 3, 99)),
    "FLOAT": st.sampled_from((float("nan"), float("inf"), -float("inf"), -1.0, 0.0, 1e9, -3e38)),
    "STRING": st.sampled_from(("", "x" * 5000, "\u3042", "nowhere")),
    "BOOLEAN": st.booleans(),
}


def registered(struct, kept) -> list[tuple[object, bpy.types.Property]]:
    """The numbers and texts of a property group and those inside of it, each with the ID properties that keep it."""
    found = []
    for prop in struct.bl_rna.properties:
        name = prop.identifier
        if prop.type in EXTREME and name != "name" and not prop.is_readonly:
            found.append((kept, prop))
        elif prop.type == "POINTER" and isinstance(getattr(struct, name), bpy.types.PropertyGroup) and name in kept:
            found += registered(getattr(struct, name), kept[name])
        elif prop.type == "COLLECTION" and name in kept:
            for item, inner in zip(getattr(struct, name), kept[name], strict=True):
                found += registered(item, inner)
    return found


def set_registered(data: st.DataObject) -> None:
    """Set a property of the add-on as only a file can: not within its limits."""
    owners = [block for block in blocks() if isinstance(block, (bpy.types.Object, bpy.types.Action, bpy.types.Scene))]
    kept = [(block, compat.system_properties(block).get("lsf")) for block in owners]
    chosen = [(block, group) for block, group in kept if hasattr(group, "to_dict") and registered(block.lsf, group)]
    block, group = data.draw(st.sampled_from(chosen))
    owner, prop = data.draw(st.sampled_from(registered(block.lsf, group)))
    value = data.draw(EXTREME[prop.type])
    owner[prop.identifier] = [value] * prop.array_length if getattr(prop, "is_array", False) else value


@pytest.fixture
def saved(addon, add_strip, clicks, tmp_path, monkeypatch):
    """A head with two lines, takes, a jaw bone, head motion, a part and a layer of the artist's, in a file."""
    monkeypatch.setattr(main, "_status_rows", {})
    use(addon, monkeypatch, SpeechClient())
    strip = add_strip(clicks)
    scene = bpy.context.scene
    bpy.ops.object.armature_add()
    rig = bpy.context.object
    bpy.ops.mesh.primitive_cube_add()
    part = bpy.context.object
    part.name = "Teeth"
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    head = bpy.context.object
    head.name = "Head"
    head.shape_key_add(name="Basis")
    head.shape_key_add(name="mouthClose", from_mix=False).points[3].co.x += 0.1
    head.lsf.add_part(part)
    head.lsf.nod.object, head.lsf.nod.bone = rig, "Bone"
    head.lsf.bones.armature = rig
    bones.store(head, "jawOpen", [BonePose("jawOpen", "Bone", (0, 0, 0.1), (0.3, 0, 0))])
    scene.lsf.head, scene.lsf.takes.count = head, 2
    bpy.ops.lsf.generate_takes()
    assert "failed" not in session.message
    bpy.ops.lsf.add_layer()
    strip = compat.all_strips(scene.sequence_editor)[0]
    del strip["lsf_line"]
    strip.frame_start = 300
    bpy.ops.lsf.generate()
    path = str(tmp_path / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    return path


PANELS = [cls for cls in registration.CLASSES if issubclass(cls, bpy.types.Panel)]


def work() -> None:
    """All that an artist does with a head."""
    head, scene = bpy.data.objects["Head"], bpy.context.scene
    action = actions.existing(head.data)
    test_draw.draw(PANELS)
    mouth_openings.openings_by_strip()
    for record in action.lsf.lines if action else ():
        record.tweaks.jaw = 1.5
    if bpy.ops.lsf.step_take.poll():
        bpy.ops.lsf.step_take()
    assert bpy.ops.lsf.generate() == {"FINISHED"}
    test_draw.draw(PANELS)
    compat.all_strips(scene.sequence_editor)[0].frame_start += 7
    for operator in ("follow_strip", "remove_line", "generate", "remove_all_lines", "generate"):
        if getattr(bpy.ops.lsf, operator).poll():
            getattr(bpy.ops.lsf, operator)()
    test_draw.draw(PANELS)


def test_the_work_itself(saved):
    work()


SOME = settings(max_examples=30, suppress_health_check=list(HealthCheck))
FEW = settings(max_examples=4, suppress_health_check=list(HealthCheck))


@SOME
@given(st.data())
def test_panels_are_drawn_whatever_a_file_holds(saved, data):
    bpy.ops.wm.open_mainfile(filepath=saved)
    for _ in range(data.draw(st.integers(1, 4))):
        put(data)
        set_registered(data)
    before = {(str(block), name): plain(block.get(name)) for block in blocks() for name in NAMES}
    test_draw.draw(PANELS)
    mouth_openings.openings_by_strip()
    after = {(str(block), name): plain(block.get(name)) for block in blocks() for name in NAMES}
    assert str(after) == str(before), "drawing changes nothing"


@FEW
@given(st.data())
def test_lines_are_made_and_changed_whatever_a_file_holds(saved, capsys, data):
    bpy.ops.wm.open_mainfile(filepath=saved)
    for _ in range(data.draw(st.integers(1, 3))):
        put(data)
    work()
    assert "Traceback" not in capsys.readouterr().err, "errors in what Blender calls, as when a slider moves"


@FEW
@given(st.data())
def test_lines_are_made_and_changed_whatever_the_settings_are(saved, capsys, data):
    bpy.ops.wm.open_mainfile(filepath=saved)
    for _ in range(data.draw(st.integers(1, 3))):
        set_registered(data)
    work()
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("value", [5, "text", [1, 2], {"jawOpen": 5}, {"jawOpen": {"a": 1}, "x": [float("nan")] * 4}])
def test_a_foreign_mark_of_generated_keys(cube, value):
    """None of the artist's keys is taken for a generated one; foreign values beside the add-on's own stay."""
    key = cube.shape_key_add(name="jawOpen", from_mix=False) and cube.shape_key_add(name="jawOpen", from_mix=False)
    keys = cube.data.shape_keys
    keys[shape_keys.MARK] = value
    assert shape_keys.marked(cube.data) == shape_keys.generated_keys(cube.data) == set()
    before = plain(keys[shape_keys.MARK])
    shape_keys.set_marks(keys, {key.name: [1.0, 2.0, 3.0, 4.0]})
    assert shape_keys.marked(cube.data) == {key.name}
    if isinstance(before, dict):
        left = {name: value for name, value in before.items() if name != key.name}
        assert str(plain(keys[shape_keys.MARK])) == str({**left, key.name: [1.0, 2.0, 3.0, 4.0]})


@pytest.mark.parametrize("value", [5, 0, 2.0, "yes", [1], {"a": 1}, {}])
def test_an_action_with_a_foreign_mark_is_the_artists(blank, value):
    action = bpy.data.actions.new("mine")
    for name in ("lsf_speech", "lsf_rest", "lsf_layer_rest", "lsf_bones"):
        action[name] = value
    is_text = isinstance(value, str)
    assert not actions.is_generated(action)
    assert actions.is_rest(action) == layer.is_layer(action) == generated_curves.is_for_bones(action) == is_text


@pytest.mark.parametrize("value", [5, "", "/home/me/film.mp4", {"a": 1}])
def test_a_scene_with_a_foreign_mark_is_not_removed(blank, value):
    scene = bpy.context.scene
    scene["lsf_playblast"] = value
    assert not playblast.remaining_scenes()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "5",
        "[]",
        "[" * 100_000,
        '{"a": [1, 2]}',
        '{"a": [1e99, 2, 3]}',
        '{"a": [NaN, 1, 1]}',
        '{"a": [0, 1e9, 1]}',
    ],
)
def test_texts_that_are_not_ours(blank, text):
    action = bpy.data.actions.new("mine")
    action["lsf_lines"] = action["lsf_bones"] = text
    assert head_motion._load_lines(action) == {} == stored.document(text).get("b", {})
    assert all(np.isfinite(scale).all() and scale.unit for scale in generated_curves.scales(action).values())


def test_numbers_frames_and_marks():
    assert stored.numbers([1, 2.5, True], 3) == [1.0, 2.5, 1.0]
    assert [stored.numbers(value, 1) for value in ("1", b"1", [float("inf")], 5, [10**400], [[1]], None)] == [None] * 7
    assert [stored.frame(value) for value in (-3, 7.9, 2**20, float("nan"), "7", None, [7])] == [-3, 7, *[None] * 5]
    assert [stored.frame_in(word) for word in ("-25", "300", "1e9", "", "-", "9" * 50)] == [-25, 300, *[None] * 4]
    assert [stored.is_on({"a": value}, "a") for value in (True, 1, 0, 2, 1.0, "1", None)] == [True, True, *[False] * 5]


def plain(value):
    """A value of a custom property, to compare."""
    if hasattr(value, "to_dict"):
        return value.to_dict()
    return value.to_list() if hasattr(value, "to_list") else value
