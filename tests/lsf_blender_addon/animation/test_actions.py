"""Generated curves: their values, where they play, and that the artist's animation is never touched."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import actions, fcurves
from lsf_blender_addon.errors import UserError
from lsf_blender_addon.scene.snapshots import Line

NAMES = ["jawOpen", "mouthClose"]


def line(strip="line", first=25, frames=10) -> Line:
    return Line(strip, "Scene", "/line.wav", None, 24.0, first, frames, 0.0, frames / 24, 0.0)


def curves(frames=10, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).random((frames, 2)).astype(np.float32)


@pytest.fixture
def head(cube):
    cube.shape_key_add(name="Basis")
    for name in [*NAMES, "mine"]:
        cube.shape_key_add(name=name).value = 0
    return cube


def played(head, frame, name="jawOpen") -> float:
    bpy.context.scene.frame_set(frame)
    evaluated = head.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return evaluated.data.shape_keys.key_blocks[name].value


def artists_action(head, name="jawOpen", values=(0.11, 0.22), assign=True) -> bpy.types.Action:
    """An Action that animates a key, made by hand: keys at frames 1 and 200, one with a modifier."""
    keys = head.data.shape_keys
    key = keys.key_blocks[name]
    for frame, value in zip((1, 200), values, strict=True):
        key.value = value
        key.keyframe_insert("value", frame=frame)
    action = keys.animation_data.action
    action.name = f"by hand {name}"
    compat.fcurves_of(action)[0].modifiers.new("NOISE")
    compat.fcurves_of(action)[0].modifiers[0].mute = True
    action.use_fake_user = True
    if not assign:
        keys.animation_data.action = None
    return action


def dump_action(dump, action) -> dict:
    """The Action with every curve, in all versions."""
    return dump(action, {"users", "is_action_legacy"}) | {"curves": [dump(f) for f in compat.fcurves_of(action)]}


def test_values_on_their_frames(head):
    motion = curves()
    action = actions.write(head.data, line(), NAMES, motion)
    data = head.data.shape_keys.animation_data
    assert data.action == action and action.name == "LSF · line" and actions.is_generated(action)
    assert not data.nla_tracks
    for k, name in enumerate(NAMES):
        assert [played(head, 25 + i, name) for i in range(10)] == pytest.approx(motion[:, k].tolist(), abs=1e-6)
    key = compat.fcurves_of(action)[0].keyframe_points[3]
    assert key.interpolation == "BEZIER" and key.handle_left_type == key.handle_right_type == "AUTO_CLAMPED"
    assert played(head, 28, "mine") == 0


@pytest.mark.skipif(not compat.has_slots(), reason="slots came with 4.4")
def test_it_has_a_slot_of_its_own(head):
    action = actions.write(head.data, line(), NAMES, curves())
    (slot,) = action.slots
    assert slot.target_id_type == "KEY" and head.data.shape_keys.animation_data.action_slot == slot
    actions.write(head.data, line(), NAMES, curves())
    assert len(action.slots) == len(action.layers) == 1


def test_a_second_run_replaces_the_curves_in_place(head):
    first = actions.write(head.data, line(), NAMES, curves())
    second = actions.write(head.data, line(first=40, frames=6), NAMES[:1], curves(6, seed=1)[:, :1])
    assert first == second and [a.name for a in bpy.data.actions] == ["LSF · line"]
    (curve,) = compat.fcurves_of(second)
    assert [p.co[0] for p in curve.keyframe_points] == list(range(40, 46))
    assert played(head, 43) == pytest.approx(curves(6, seed=1)[3, 0], abs=1e-6)


def test_the_artists_active_action_stays_and_wins(head, dump):
    theirs = artists_action(head)
    data = head.data.shape_keys.animation_data
    data.action_influence, data.action_extrapolation = 1.0, "HOLD_FORWARD"
    before = dump_action(dump, theirs), dump(data, {"nla_tracks"})
    motion = curves()
    for _ in range(2):
        ours = actions.write(head.data, line(), NAMES, motion)
        assert (dump_action(dump, theirs), dump(data, {"nla_tracks"})) == before
        assert data.action == theirs and ours != theirs
        assert [strip.action for track in data.nla_tracks for strip in track.strips].count(ours) == 1
        assert actions.overruled(head.data, NAMES) == ["jawOpen"]
    assert played(head, 30, "mouthClose") == pytest.approx(motion[5, 1], abs=1e-6)
    assert 0.11 < played(head, 30, "jawOpen") < 0.12
    assert played(head, 24, "mouthClose") == played(head, 40, "mouthClose") == 0


def test_the_artists_nla_and_drivers_stay(head, dump):
    keys = head.data.shape_keys
    theirs = artists_action(head, "mine", assign=False)
    data = keys.animation_data
    track = data.nla_tracks.new()
    track.name = "by hand"
    strip = track.strips.new("wave", 3, theirs)
    strip.scale, strip.blend_in, strip.influence = 1.5, 2, 0.75
    driver = keys.key_blocks["mouthClose"].driver_add("value").driver
    driver.expression = "frame / 100"
    bpy.context.view_layer.update()
    before = dump_action(dump, theirs), dump(track), [dump(d) for d in data.drivers]
    assert actions.driven_keys(head.data) == {"mouthClose"}
    for _ in range(2):
        actions.write(head.data, line(), ["jawOpen"], curves()[:, :1])
        assert (dump_action(dump, theirs), dump(data.nla_tracks[0]), [dump(d) for d in data.drivers]) == before
    assert data.action is None
    assert played(head, 30) == pytest.approx(curves()[5, 0], abs=1e-6)


def test_two_lines_on_one_head_both_play(head):
    one, two = curves(seed=1), curves(seed=2)
    actions.write(head.data, line("one", 25), NAMES, one)
    actions.write(head.data, line("two", 60), NAMES, two)
    for frame, value in ((25, one[0, 0]), (34, one[9, 0]), (60, two[0, 0]), (69, two[9, 0]), (20, 0), (50, 0), (90, 0)):
        assert played(head, frame) == pytest.approx(value, abs=1e-6), frame
    three = curves(seed=3)
    actions.write(head.data, line("one", 25), NAMES, three)
    assert played(head, 30) == pytest.approx(three[5, 0], abs=1e-6)
    assert played(head, 65) == pytest.approx(two[5, 0], abs=1e-6)


@pytest.mark.skipif(compat.shape_key_default() == 0, reason="no track of zeros is needed before Blender 5.0")
@pytest.mark.parametrize("own_track", [False, True])
def test_lines_of_an_older_blender_still_play_after_a_new_one(head, monkeypatch, own_track):
    """Their tracks came without a track of zeros: it is made below them, as it would hide them from above."""
    motions = [curves(seed=seed) for seed in range(3)]
    if own_track:
        theirs = artists_action(head, "mine", assign=False)
        head.data.shape_keys.animation_data.nla_tracks.new().strips.new("wave", 300, theirs)
    with monkeypatch.context() as patch:
        patch.setattr(compat, "shape_key_default", lambda: 0.0)
        actions.write(head.data, line("one", 25), NAMES, motions[0])
        actions.write(head.data, line("two", 60), NAMES, motions[1])
    data = head.data.shape_keys.animation_data
    strip = data.nla_tracks[-1].strips[0]
    strip.name, strip.use_animated_influence = "half", True
    strip.fcurves.find("influence").keyframe_points[0].co.y = 0.5
    actions.write(head.data, line("three", 90), NAMES, motions[2])
    assert [track.name for track in data.nla_tracks][-2:] == [actions.REST, actions.TRACK]
    assert data.nla_tracks[-1].strips[0].name == "half"
    half = motions[0][5, 0] / 2
    for frame, value in ((30, half), (65, motions[1][5, 0]), (95, motions[2][5, 0]), (50, 0), (80, 0), (120, 0)):
        assert played(head, frame) == pytest.approx(value, abs=1e-6), frame


@pytest.mark.skipif(compat.shape_key_default() == 0, reason="no track of zeros is needed before Blender 5.0")
def test_an_action_of_zeros_that_was_renamed_is_the_artists(head, dump):
    for k in range(2):
        actions.write(head.data, line(f"line {k}", 25 + 30 * k), NAMES[:1], curves()[:, :1])
    theirs = bpy.data.actions["LSF · rest"]
    theirs.name = "mine"
    before = dump_action(dump, theirs)
    actions.write(head.data, line("line 2", 90), NAMES, curves())
    assert dump_action(dump, theirs) == before
    assert played(head, 95, "mouthClose") == pytest.approx(curves()[5, 1], abs=1e-6)
    assert played(head, 70, "mouthClose") == 0


def test_a_line_whose_action_is_linked_is_refused(head, tmp_path):
    """A head that was made local may keep a linked Action: Blender would not save what is written there."""
    data = head.data.shape_keys
    linked = link(actions.write(head.data, line(), NAMES, curves()), tmp_path)
    compat.assign_key_action(data.animation_data, linked)
    with pytest.raises(UserError, match="make it local first"):
        actions.check(head.data, line())
    actions.check(head.data, line("another"))


def link(action, folder) -> bpy.types.Action:
    """The Action, saved in another file and linked from there."""
    name, path = action.name, str(folder / "library.blend")
    bpy.data.libraries.write(path, {action})
    bpy.data.actions.remove(action)
    with bpy.data.libraries.load(path, link=True) as (_source, target):
        target.actions = [name]
    return target.actions[0]


@pytest.mark.skipif(not compat.has_slots(), reason="an Action animates one type of data-block before Blender 4.4")
def test_curves_of_another_head_in_the_same_action_decide_nothing(head, cube):
    theirs = artists_action(head, "mine")
    other = theirs.slots.new(id_type="KEY", name="another head")
    theirs.layers[0].strips[0].channelbag(other, ensure=True).fcurves.new(fcurves.value_path("jawOpen"))
    assert actions.overruled(head.data, [*NAMES, "mine"]) == ["mine"]


def test_lines_that_overlap_the_later_generated_wins(head):
    actions.write(head.data, line("one", 25), NAMES, curves(seed=1))
    actions.write(head.data, line("two", 30), NAMES, curves(seed=2))
    assert played(head, 27) == pytest.approx(curves(seed=1)[2, 0], abs=1e-6)
    assert played(head, 32) == pytest.approx(curves(seed=2)[2, 0], abs=1e-6)


def test_lines_back_to_back_share_a_track(head):
    for i in range(3):
        actions.write(head.data, line(f"line {i}", 25 + 10 * i), NAMES, curves(seed=i))
    tracks = [track for track in head.data.shape_keys.animation_data.nla_tracks if track.name == actions.TRACK]
    assert [len(track.strips) for track in tracks] == [3]


@pytest.mark.parametrize("change", ["rename", "copy"])
def test_a_renamed_or_copied_action_is_the_artists(head, dump, change):
    ours = actions.write(head.data, line(), NAMES, curves())
    if change == "rename":
        ours.name = "keep this take"
        theirs = ours
    else:
        theirs = ours.copy()
        compat.assign_key_action(head.data.shape_keys.animation_data, theirs)
    before = dump_action(dump, theirs)
    new = actions.write(head.data, line(), NAMES, curves(seed=5))
    assert new != theirs and dump_action(dump, theirs) == before
    assert head.data.shape_keys.animation_data.action == theirs


def test_a_strip_on_the_artists_own_track_stays_where_it_is(head, dump):
    """They have arranged the generated Action themselves: its curves are new, its place is theirs."""
    ours = actions.write(head.data, line(), NAMES, curves())
    data = head.data.shape_keys.animation_data
    data.action = None
    track = data.nla_tracks.new()
    track.name = "my edit"
    track.strips.new("later", 100, ours)
    before = dump(track)
    actions.write(head.data, line(), NAMES, curves(seed=4))
    assert len(data.nla_tracks) == 1 and data.action is None and dump(track) == before


def test_an_nla_that_is_off_is_refused_where_it_is_needed(head):
    theirs = artists_action(head, assign=False)
    data = head.data.shape_keys.animation_data
    track = data.nla_tracks.new()
    track.strips.new("wave", 3, theirs)
    actions.check(head.data, line())
    data.use_nla = False
    with pytest.raises(UserError, match="turn it on"):
        actions.check(head.data, line())


def test_an_nla_that_is_off_does_not_matter_to_the_active_action(head):
    actions.write(head.data, line(), NAMES, curves())
    head.data.shape_keys.animation_data.use_nla = False
    actions.check(head.data, line())
    with pytest.raises(UserError, match="turn it on"):
        actions.check(head.data, line("another"))


def test_curves_that_the_artist_adds_to_the_generated_action_stay(head, dump):
    """Auto-keying puts them there, because it is the active one."""
    action = actions.write(head.data, line(), NAMES[:1], curves()[:, :1])
    keys = head.data.shape_keys.key_blocks
    for name in ("mine", "mouthClose"):  # mouthClose moves in the second take only
        keys[name].value = 0.7
        keys[name].keyframe_insert("value", frame=12)
    theirs = [curve for curve in compat.fcurves_of(action) if curve.data_path != actions.value_path("jawOpen")]
    before = [dump(curve) for curve in theirs]
    for seed in (1, 2):
        assert actions.write(head.data, line(), NAMES, curves(seed=seed)) == action
        now = compat.fcurves_of(action)
        assert [dump(c) for c in now if c.data_path != actions.value_path("jawOpen")] == before and len(now) == 3
        assert played(head, 30) == pytest.approx(curves(seed=seed)[5, 0], abs=1e-6)
        assert actions.overruled(head.data, NAMES) == ["mouthClose"]


def test_names_with_quotes(head):
    head.data.shape_keys.key_blocks["jawOpen"].name = 'jaw "open" \\'
    actions.write(head.data, line(), ['jaw "open" \\'], curves()[:, :1])
    assert played(head, 30, 'jaw "open" \\') == pytest.approx(curves()[5, 0], abs=1e-6)


def test_plays_after_saving(head, tmp_path):
    theirs = artists_action(head, "mine")
    assert theirs
    actions.write(head.data, line(), NAMES, curves())
    name, path = head.name, str(tmp_path / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert played(bpy.data.objects[name], 30) == pytest.approx(curves()[5, 0], abs=1e-6)


def test_a_layer_of_the_artist_is_added_on_top(head, dump):
    motion = 0.4 + curves() / 10
    speech = actions.write(head.data, line(), NAMES, motion)
    layer = actions.add_layer(head.data)
    data = head.data.shape_keys.animation_data
    assert data.action == layer and not compat.fcurves_of(layer) and data.action_blend_type == "ADD"
    assert [strip.action for track in data.nla_tracks for strip in track.strips].count(speech) == 1
    assert [played(head, 25 + i) for i in range(10)] == pytest.approx(motion[:, 0].tolist(), abs=1e-6)
    assert played(head, 60) == 0 and played(head, 30, "mine") == 0
    bpy.context.scene.frame_set(30)
    keys = head.data.shape_keys.key_blocks
    keys["jawOpen"].value = motion[5, 0] + 0.2
    keys["jawOpen"].keyframe_insert("value", frame=30)
    assert played(head, 30) == pytest.approx(motion[5, 0] + 0.2, abs=1e-5)
    assert played(head, 32) == pytest.approx(motion[7, 0] + 0.2, abs=1e-5), "added, not instead"
    before = dump_action(dump, layer)
    again = 0.3 + curves(seed=1) / 10
    assert actions.write(head.data, line(), NAMES, again) == speech
    assert dump_action(dump, layer) == before and data.action == layer and actions.overruled(head.data, NAMES) == []
    assert played(head, 32) == pytest.approx(again[7, 0] + 0.2, abs=1e-5)


def test_a_layer_is_refused_with_a_sentence(head):
    with pytest.raises(UserError, match="press Generate first"):
        actions.add_layer(head.data)
    artists_action(head)
    with pytest.raises(UserError, match="already active"):
        actions.add_layer(head.data)
    actions.write(head.data, line(), NAMES, curves())
    with pytest.raises(UserError, match="already active"):
        actions.add_layer(head.data)
