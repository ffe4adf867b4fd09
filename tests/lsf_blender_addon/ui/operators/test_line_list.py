"""The list of a head's lines: the way to a line, and what its buttons do, with two lines or more."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import actions, lines
from lsf_blender_addon.animation.chosen_line import chosen_line, picked_line
from lsf_blender_addon.jobs.batch import Batch
from lsf_blender_addon.prediction import recording
from lsf_blender_addon.scene import strip_identity
from lsf_blender_addon.scene.own_properties import lines_of
from lsf_blender_addon.scene.snapshots import Source
from lsf_blender_addon.scene.strip_identity import State
from tests.lsf_blender_addon.fake_client import Client, use

pytestmark = pytest.mark.skipif(not bpy.app.build_options.audaspace, reason="the bpy 4.2 wheel can make no strips")

STRIPS = {"one": 25, "two": 200, "three": 400}  # and the first frames of four seconds each


@pytest.fixture
def client(addon, monkeypatch):
    return use(addon, monkeypatch, Client())


@pytest.fixture
def scene(addon, add_strip, wav, tmp_path, client):
    """A head with three lines, generated in another order than that of their frames; the last one is active."""
    for i, (name, frame) in enumerate(STRIPS.items()):
        path = tmp_path / f"{name}.wav"
        wav[0](path, np.full(4 * 8000, 1000 + i), 8000)
        add_strip(path, name, frame)
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    bpy.context.object.name = "Head"
    scene = bpy.context.scene
    scene.frame_end = 600
    for name in ("two", "one", "three"):
        activate(scene, name)
        bpy.ops.lsf.generate()
    return scene


def activate(scene, name: str) -> None:
    scene.sequence_editor.active_strip = strip_of(scene, name)


def strip_of(scene, name: str):
    return next(strip for strip in compat.all_strips(scene.sequence_editor) if strip.name == name)


def head() -> bpy.types.Object:
    return bpy.data.objects["Head"]


def action() -> bpy.types.Action | None:
    return actions.existing(head().data)


def index_of(name: str) -> int:
    return [record.name for record in lines_of(action())].index(name)


def click(scene, name: str) -> None:
    scene.lsf.shown_line = index_of(name)


def states() -> dict[str, State]:
    found = strip_identity.states(lines.sources_of(action(), head()))
    return {record.name: status.state for record, status in zip(lines_of(action()), found, strict=True)}


def values(first: int, count: int = 96, name: str = "jawOpen") -> np.ndarray:
    """Values of a curve in a line."""
    curve = next(curve for curve in compat.fcurves_of(action()) if curve.data_path == f'key_blocks["{name}"].value')
    return np.array([curve.evaluate(frame) for frame in range(first, first + count)])


def move_strip(strip, frames: int) -> None:
    if hasattr(strip, "content_start"):
        strip.content_start += frames
    else:
        strip.frame_start += frames


def names() -> list[str]:
    return [record.name for record in lines_of(action())]


def test_a_click_goes_there_and_the_panels_follow(scene):
    assert scene.lsf.shown_line == index_of("three")
    for name, frame in STRIPS.items():
        click(scene, name)
        assert scene.frame_current == frame and scene.sequence_editor.active_strip.name == name
        selected = [strip.name for strip in compat.all_strips(scene.sequence_editor) if strip.select]
        assert selected == [name] and scene.lsf.shown_line == index_of(name)
        assert chosen_line(bpy.context).record.name == name and scene.lsf.strip == "", "the field stays empty"
    scene.lsf.strip = "two"
    click(scene, "one")
    assert scene.lsf.strip == "one", "a field that is in use follows"


def test_the_line_of_a_strip_that_is_gone_can_be_picked_and_removed(scene):
    click(scene, "one")
    scene.lsf.strip = "one"
    compat.remove_strip(scene.sequence_editor, strip_of(scene, "two"))
    assert states() == {"two": State.GONE, "one": State.UNCHANGED, "three": State.UNCHANGED}
    click(scene, "two")
    assert scene.frame_current == STRIPS["two"] and picked_line(bpy.context).record.name == "two"
    with pytest.raises(RuntimeError, match="The strip of this line is gone"):
        bpy.ops.lsf.generate_line()
    scene.lsf.strip = ""
    click(scene, "two")
    activate(scene, "three")
    assert picked_line(bpy.context).record.name == "three", "another strip that is clicked shows its own line"
    click(scene, "two")
    bpy.ops.lsf.remove_line()
    assert sorted(names()) == ["one", "three"] and scene.lsf.shown_line == index_of("three")


def test_generate_shows_the_line_that_it_generates(scene):
    compat.remove_strip(scene.sequence_editor, strip_of(scene, "two"))
    activate(scene, "one")
    click(scene, "two")
    bpy.ops.lsf.generate()
    assert chosen_line(bpy.context).record.name == "one"


def test_edit_keeps_the_line_and_shows_its_take(scene, client):
    settings = scene.lsf
    settings.take, settings.variation = 3, 0.4
    activate(scene, "two")
    bpy.ops.lsf.generate()
    settings.take, settings.variation = 5, 0.6
    activate(scene, "one")
    bpy.ops.lsf.generate()
    click(scene, "two")
    assert (settings.take, settings.variation) == (3, pytest.approx(0.4)) and settings.strip == ""
    settings.take = 9
    bpy.ops.lsf.edit_line()
    assert settings.strip == "two" and (settings.take, settings.variation) == (3, pytest.approx(0.4))
    activate(scene, "three")
    assert chosen_line(bpy.context).record.name == "two"


def test_generate_again_takes_its_own_strip_and_take(scene, client):
    settings = scene.lsf
    settings.take, settings.variation = 7, 0.5
    activate(scene, "one")
    bpy.ops.lsf.generate()
    before, others = values(STRIPS["one"]), (values(STRIPS["two"]), values(STRIPS["three"]))
    settings.take, settings.only_range, scene.frame_start = 0, True, 300
    move_strip(strip_of(scene, "one"), -10)
    click(scene, "one")
    settings.take = 0
    bpy.ops.lsf.generate_line()
    asked = client.jobs[-1].request["settings"]
    assert (asked["seed"], asked["temperature"]) == (7, pytest.approx(0.5)) and settings.take == 0
    record = lines.find(action(), chosen_line(bpy.context).uid)
    assert record.name == "one" and record.first_frame == STRIPS["one"] - 10 and len(lines_of(action())) == 3
    assert np.abs(values(STRIPS["one"] - 10) - before).max() > 0.05, "it is another answer of the client"
    np.testing.assert_allclose(values(STRIPS["two"]), others[0], atol=1e-6)
    np.testing.assert_allclose(values(STRIPS["three"]), others[1], atol=1e-6)


def test_follow_strip_moves_the_line_and_no_other(scene, client):
    asked = len(client.jobs)
    curve = next(c for c in compat.fcurves_of(action()) if "jawOpen" in c.data_path)
    curve.keyframe_points.insert(STRIPS["two"] + 40, 0.9)
    curve.update()
    lines.refresh(action(), lines_of(action())[index_of("two")])  # blends the generated motion into the key
    before = {name: values(frame) for name, frame in STRIPS.items()}
    strip_of(scene, "two").name = "deux"
    move_strip(strip_of(scene, "deux"), 30)
    click(scene, "two")
    assert states()["two"] is State.MOVED and bpy.ops.lsf.follow_strip() == {"FINISHED"}
    assert len(client.jobs) == asked, "nothing is generated"
    assert set(states()) == {"one", "deux", "three"} and set(states().values()) == {State.UNCHANGED}
    np.testing.assert_allclose(values(STRIPS["two"] + 30), before["two"], atol=2e-3)
    assert values(STRIPS["two"] + 70, 1) == pytest.approx(0.9), "the artist's key has moved, too"
    for name in ("one", "three"):
        np.testing.assert_allclose(values(STRIPS[name]), before[name], atol=1e-6)
    assert np.abs(values(STRIPS["two"] - 40, 30)).max() < 1e-6 and not bpy.ops.lsf.follow_strip.poll()


def test_follow_strip_moves_the_head_motion(scene, monkeypatch):
    moved = []
    monkeypatch.setattr("lsf_blender_addon.animation.head_motion.move_line", lambda *arguments: moved.append(arguments))
    nod = head().lsf.nod
    nod.object = bpy.data.objects.new("neck", None)
    move_strip(strip_of(scene, "one"), -5)
    click(scene, "one")
    bpy.ops.lsf.follow_strip()
    assert moved == [(nod.object, "", chosen_line(bpy.context).uid, -5)]


def test_a_changed_strip_is_not_followed(scene):
    strip = strip_of(scene, "one")
    if hasattr(strip, "left_handle"):
        strip.left_handle += 20
    else:
        strip.frame_final_start += 20
    click(scene, "one")
    assert states()["one"] is State.CHANGED
    with pytest.raises(RuntimeError, match="was not moved, or not only moved"):
        bpy.ops.lsf.follow_strip()


def test_remove_takes_away_what_was_generated_for_one_line(scene):
    keys = head().data.shape_keys
    curve = next(c for c in compat.fcurves_of(action()) if "jawOpen" in c.data_path)
    curve.keyframe_points.insert(STRIPS["two"] + 40, 0.9)
    curve.update()
    kept = {name: values(STRIPS[name]) for name in ("one", "three")}
    shapes = [key.name for key in keys.key_blocks]
    click(scene, "two")
    bpy.ops.lsf.remove_line()
    assert sorted(names()) == ["one", "three"] and [key.name for key in keys.key_blocks] == shapes
    for name, before in kept.items():
        np.testing.assert_allclose(values(STRIPS[name]), before, atol=1e-6)
    assert values(STRIPS["two"] + 40, 1) == pytest.approx(0.9), "the artist's key stays"
    assert np.abs(values(STRIPS["two"], 96, "mouthClose")).max() < 1e-6
    assert set(action()["lsf_predictions"].keys()) == {record.uid for record in lines_of(action())}
    assert "two" in [strip.name for strip in compat.all_strips(scene.sequence_editor)]
    activate(scene, "two")
    bpy.ops.lsf.generate()
    assert sorted(names()) == ["one", "three", "two"]


def test_remove_all_leaves_the_head_at_rest(scene):
    scene.frame_set(STRIPS["one"] + 30)
    assert head().data.shape_keys.key_blocks["jawOpen"].value > 0.01
    assert bpy.ops.lsf.remove_all_lines() == {"FINISHED"} and action() is None and not bpy.data.actions
    scene.frame_set(STRIPS["one"] + 31)
    keys = head().data.shape_keys
    assert max(key.value for key in keys.key_blocks if key != keys.reference_key) == 0
    assert keys.animation_data.action is None
    with pytest.raises(RuntimeError, match="This head has no lines"):
        bpy.ops.lsf.remove_all_lines()
    activate(scene, "two")
    bpy.ops.lsf.generate()
    assert names() == ["two"]


def test_remove_all_keeps_what_the_artist_has_keyed(scene):
    curve = next(c for c in compat.fcurves_of(action()) if "jawOpen" in c.data_path)
    curve.keyframe_points.insert(STRIPS["two"] + 40, 0.9)
    curve.update()
    bpy.ops.lsf.remove_all_lines()
    assert values(STRIPS["two"] + 40, 1) == pytest.approx(0.9) and not len(lines_of(action()))


def test_two_heads_have_lists_of_their_own(scene):
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    bpy.context.object.name = "Ben"
    activate(scene, "two")
    bpy.ops.lsf.generate()
    ben = actions.existing(bpy.data.objects["Ben"].data)
    assert [record.name for record in lines_of(ben)] == ["two"] and scene.lsf.shown_line == 0
    bpy.ops.lsf.remove_line()
    assert actions.existing(bpy.data.objects["Ben"].data) is None and sorted(names()) == ["one", "three", "two"]
    scene.lsf.head = head()
    assert scene.lsf.shown_line == index_of("two")


def test_a_recording_is_in_the_list(scene):
    source = Source("recorded", "take_1.csv", scene.name, "take_1.csv", 24.0, 150, 48, 0.0, 48.0)
    ramp = np.linspace(0, 1, 48, dtype=np.float32)[:, None]
    recorded = recording.predict(ramp, ["jawOpen"], 24.0, None)
    lines.write(head().data, *lines.put(head().data, "Head", source, recorded, "RECORDING"))
    click(scene, "take_1.csv")
    assert scene.frame_current == 150 and picked_line(bpy.context).record.kind == "RECORDING"
    with pytest.raises(RuntimeError, match="This line is a recording"):
        bpy.ops.lsf.generate_line()
    assert bpy.ops.lsf.edit_line() == {"FINISHED"} and scene.lsf.take == 0
    bpy.ops.lsf.remove_line()
    assert sorted(names()) == ["one", "three", "two"]


def test_a_line_without_its_prediction_can_be_removed(scene):
    click(scene, "two")
    del action()["lsf_predictions"][picked_line(bpy.context).uid]
    bpy.ops.lsf.remove_line()
    assert sorted(names()) == ["one", "three"] and np.abs(values(STRIPS["two"])).max() < 1e-6


def test_nothing_is_done_to_a_linked_head(scene, tmp_path):
    path = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (_source, target):
        target.objects = ["Head"]
    linked = bpy.data.objects["Head"]
    bpy.context.collection.objects.link(linked)
    bpy.context.view_layer.objects.active = linked
    scene = bpy.context.scene
    click(scene, "two")
    assert scene.frame_current == STRIPS["two"] and picked_line(bpy.context).record.name == "two"
    for name in ("edit_line", "generate_line", "follow_strip", "remove_line", "remove_all_lines"):
        with pytest.raises(RuntimeError, match="is linked from another file"):
            getattr(bpy.ops.lsf, name)()
    assert len(lines_of(actions.existing(linked.data))) == 3


def test_nothing_is_done_while_a_generation_runs(scene, addon):
    addon.session.batch = Batch([])
    for name in ("edit_line", "generate_line", "follow_strip", "remove_line", "remove_all_lines"):
        with pytest.raises(RuntimeError, match="A generation is running"):
            getattr(bpy.ops.lsf, name)()
    addon.session.batch = None


def test_a_strip_of_another_scene_is_shown_without_leaving_this_one(scene, add_strip, clicks):
    other = bpy.data.scenes.new("other")
    other.collection.objects.link(head())
    bpy.context.window.scene = other
    bpy.context.view_layer.objects.active = head()
    click(other, "two")
    assert bpy.context.scene == other and other.frame_current == scene.frame_current == STRIPS["two"]
    assert picked_line(bpy.context).record.name == "two" and scene.sequence_editor.active_strip.name == "two"


def test_a_file_that_is_opened_again_has_the_list(scene, tmp_path):
    path = str(tmp_path / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    click(bpy.context.scene, "one")
    assert chosen_line(bpy.context).record.name == "one" and set(states().values()) == {State.UNCHANGED}
    bpy.ops.lsf.remove_line()
    assert sorted(names()) == ["three", "two"]


def test_nothing_is_changed_in_tweak_mode(scene):
    data = head().data.shape_keys.animation_data
    bpy.ops.lsf.add_layer()
    track = data.nla_tracks["LSF"]
    data.action, track.select, data.nla_tracks.active = None, True, track
    track.strips[0].select = True
    data.use_tweak_mode = True
    assert data.use_tweak_mode and bpy.ops.lsf.edit_line() == {"FINISHED"}
    for name in ("generate_line", "remove_line", "remove_all_lines"):
        with pytest.raises(RuntimeError, match="Leave the NLA's tweak mode first"):
            getattr(bpy.ops.lsf, name)()
    data.use_tweak_mode = False
    assert bpy.ops.lsf.remove_all_lines() == {"FINISHED"} and not data.nla_tracks


def test_a_copy_of_the_head_that_shares_the_action_is_not_changed(scene):
    copy = head().copy()
    copy.data = head().data.copy()
    scene.collection.objects.link(copy)
    for data in (copy.data.shape_keys.animation_data, head().data.shape_keys.animation_data):
        assert data.action == action()
    click(scene, "two")
    bpy.ops.lsf.remove_line()
    assert sorted(names()) == ["one", "three"]
    assert len(lines_of(actions.existing(copy.data))) == 3 and copy.data.shape_keys.animation_data.action != action()
    bpy.ops.lsf.remove_all_lines()
    assert len(lines_of(actions.existing(copy.data))) == 3


def test_the_message_of_a_line_that_is_moved_or_removed_goes(scene, addon):
    for name, operator in (("one", "follow_strip"), ("two", "remove_line"), ("three", "remove_all_lines")):
        addon.session.say("line: frames 1 to 20")
        move_strip(strip_of(scene, name), 5)
        click(scene, name)
        getattr(bpy.ops.lsf, operator)()
        assert addon.session.message == ""
