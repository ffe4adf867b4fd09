"""Where the generated Action plays, beside the artist's Action, tracks and drivers, which are never touched."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import actions, fcurves, lines
from lsf_blender_addon.errors import UserError
from lsf_blender_addon.scene import drivers
from lsf_blender_addon.scene.own_properties import lines_of
from tests.lsf_blender_addon.animation.stage import (
    EVERYWHERE,
    KEYS,
    MINE,
    NOWHERE,
    SAME,
    Head,
    curve,
    motion,
    new_head,
    prediction,
    uids,
)

FIRST = {"a": 60, "b": 220}
END = 340
LOOSE = 0.0202  # twice the bound of the keys' error
LINES = np.r_[54:136, 214:296]  # frames of the lines with their eases, from 0
REST = np.setdiff1d(np.arange(END), LINES)


@pytest.fixture
def head(addon) -> Head:
    return new_head()


def generate(head: Head, seed: int = 0) -> None:
    for number, (uid, first) in enumerate(FIRST.items()):
        head.speak(uid, first, prediction(motion(seed=seed + number)))


@pytest.fixture
def speech(addon) -> dict[str, np.ndarray]:
    """What plays on a head without anything of the artist."""
    other = new_head()
    generate(other)
    values = other.values(1, END)
    bpy.data.objects.remove(other.object)
    for mesh in [mesh for mesh in bpy.data.meshes if not mesh.users]:
        bpy.data.meshes.remove(mesh)
    for action in list(bpy.data.actions):
        bpy.data.actions.remove(action)
    return values


def own_action(head: Head, name: str = MINE, values=(0.11, 0.22)) -> bpy.types.Action:
    """An active Action of the artist that animates a key: keys at frames 1 and 200, and a modifier."""
    block = head.keys.key_blocks[name]
    for frame, value in zip((1, 200), values, strict=True):
        block.value = value
        block.keyframe_insert("value", frame=frame)
    action = head.data.action
    action.name, action.use_fake_user = f"by hand {name}", True
    compat.fcurves_of(action)[0].modifiers.new("NOISE").mute = True
    return action


def own_track(head: Head, name: str = MINE, values=(0.11, 0.22), extrapolation: str = "HOLD") -> bpy.types.NlaTrack:
    """An NLA track of the artist with a strip that animates a key."""
    action = own_action(head, name, values)
    head.data.action = None
    track = head.data.nla_tracks.new()
    track.name = "by hand"
    strip = track.strips.new("wave", 3, action)
    strip.extrapolation = extrapolation
    return track


def dump_action(dump, action) -> dict:
    """The Action with every curve, in all versions."""
    return dump(action, {"users", "is_action_legacy"}) | {"curves": [dump(c) for c in compat.fcurves_of(action)]}


def our_strips(head: Head) -> list[bpy.types.NlaStrip]:
    return [strip for track in head.data.nla_tracks for strip in track.strips if strip.action == head.action]


def check_speech(head: Head, speech: dict[str, np.ndarray], names=EVERYWHERE) -> None:
    now = head.values(1, END)
    for name in names:
        np.testing.assert_allclose(now[name], speech[name], atol=SAME, err_msg=name)


def everything_that_writes(head: Head):
    """Between the yields, lines are written again, by all that does so, with the same result."""
    yield
    generate(head)
    yield
    for uid in FIRST:
        head.record(uid).tweaks.jaw = 0.3
        head.record(uid).tweaks.jaw = 1.0
    yield
    lines.refresh(head.action, head.record("a"), keep=False)
    yield


# Alone


def test_it_is_the_active_action(head, speech):
    generate(head)
    assert head.data.action == head.action and not head.data.nla_tracks and [*bpy.data.actions] == [head.action]
    assert head.action.name == f"LSF · {head.object.name}" and actions.is_generated(head.action)
    check_speech(head, speech)
    assert not actions.overruled(head.mesh, list(KEYS))


@pytest.mark.skipif(not compat.has_slots(), reason="slots came with 4.4")
def test_it_has_a_slot_of_its_own(head):
    for _ in range(2):
        generate(head)
        (slot,) = head.action.slots
        assert slot.target_id_type == "KEY" and head.data.action_slot == slot and len(head.action.layers) == 1


@pytest.mark.parametrize("change", ["rename", "copy", "unlink", "fake user"])
def test_it_stays_the_heads_whatever_happens_to_it(head, speech, change):
    generate(head)
    if change == "rename":
        head.action.name = "keep this"
    elif change == "copy":  # the copy is played: it belongs to the head now, with all lines
        original, copy = head.action, head.action.copy()
        compat.assign_key_action(head.data, copy)
        assert head.action == copy != original
    elif change == "unlink":  # X in the Action editor
        head.data.action = None
        assert head.action is not None
    else:
        head.action.use_fake_user = True
    action = head.action
    generate(head, seed=5)
    generate(head)
    assert head.action == action == head.data.action and uids(head) == list(FIRST)
    check_speech(head, speech)


def test_an_action_that_was_unlinked_is_saved_with_the_head(head, speech, tmp_path):
    generate(head)
    head.data.action = None
    name, path = head.object.name, str(tmp_path / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    again = Head(bpy.data.objects[name])
    assert uids(again) == list(FIRST)
    again.record("b").tweaks.jaw = 1.0
    check_speech(again, speech)


def test_a_deleted_action_is_made_again(head, speech):
    generate(head)
    bpy.data.actions.remove(head.action)
    assert head.action is None
    generate(head)
    check_speech(head, speech)


def test_curves_that_the_artist_adds_to_it_stay(head, dump):
    """Auto-keying puts them there, because it is the active one."""
    generate(head)
    head.key(MINE, 12, 0.7)
    head.key(NOWHERE, 90, 0.4)
    before = [dump(head.curve(name)) for name in (MINE, NOWHERE)]
    for _ in everything_that_writes(head):
        assert [dump(head.curve(name)) for name in (MINE, NOWHERE)] == before


# The artist's own Action


def test_the_artists_active_action_stays_and_wins(head, speech, dump):
    theirs = own_action(head, "jawOpen")
    before = dump_action(dump, theirs), dump(head.data, {"nla_tracks"})
    jaw = head.values(1, END)["jawOpen"]
    generate(head)
    for _ in everything_that_writes(head):
        assert (dump_action(dump, theirs), dump(head.data, {"nla_tracks"})) == before
        assert head.data.action == theirs != head.action and len(our_strips(head)) == 1
        assert actions.overruled(head.mesh, list(KEYS)) == ["jawOpen"]
        check_speech(head, speech, EVERYWHERE[1:])
        np.testing.assert_allclose(head.values(1, END)["jawOpen"], jaw, atol=SAME)
    for uid in FIRST:
        head.remove(uid)
    assert (dump_action(dump, theirs), dump(head.data)) == (before[0], before[1] | {"nla_tracks": []})
    assert [*bpy.data.actions] == [theirs]


def test_the_speech_follows_when_a_line_moves_under_the_artists_action(head):
    own_action(head)
    generate(head)
    before = head.values(1, END)
    head.speak("a", 100, prediction(motion(seed=0)))
    now = head.values(1, END)
    np.testing.assert_allclose(now["jawOpen"][94:176], before["jawOpen"][54:136], atol=LOOSE)
    assert not now["jawOpen"][:94].any() and len(our_strips(head)) == 1


def test_an_artists_action_that_is_added_does_not_overrule(head):
    generate(head)
    theirs = head.action
    head.data.action = None
    own_action(head, "jawOpen")
    head.data.action_blend_type = "ADD"
    assert not actions.overruled(head.mesh, list(KEYS)) and head.action == theirs


@pytest.mark.skipif(not compat.has_slots(), reason="an Action animates one type of data-block before Blender 4.4")
def test_curves_of_another_head_in_the_same_action_decide_nothing(head):
    theirs = own_action(head)
    other = theirs.slots.new(id_type="KEY", name="another head")
    theirs.layers[0].strips[0].channelbag(other, ensure=True).fcurves.new(fcurves.value_path("jawOpen"))
    assert actions.overruled(head.mesh, list(KEYS)) == [MINE]


# The artist's own tracks


def test_the_artists_tracks_and_drivers_stay(head, speech, dump):
    track = own_track(head, extrapolation="NOTHING")
    strip, theirs = track.strips[0], track.strips[0].action
    strip.scale, strip.blend_in, strip.influence = 1.5, 2, 0.75
    head.keys.key_blocks["mouthClose"].driver_add("value").driver.expression = "frame / 1000"
    bpy.context.view_layer.update()
    data = head.data
    before, values = (dump_action(dump, theirs), dump(track), [dump(d) for d in data.drivers]), head.values(1, END)
    generate(head)
    assert drivers.driven_keys(head.mesh) == {"mouthClose"}
    for _ in everything_that_writes(head):
        now = dump_action(dump, theirs), dump(data.nla_tracks[0]), [dump(d) for d in data.drivers]
        assert now == before and data.action is None
        check_speech(head, speech, [name for name in EVERYWHERE if name != "mouthClose"])
        for name in (MINE, "mouthClose"):
            np.testing.assert_allclose(head.values(1, END)[name], values[name], atol=SAME)
    for uid in FIRST:
        head.remove(uid)
    assert [track.name for track in data.nla_tracks] == ["by hand"] and [*bpy.data.actions] == [theirs]


def test_the_artists_track_shows_between_the_lines(head, speech):
    """It animates the jaw, too: in the lines the speech decides, elsewhere the artist."""
    own_track(head, "jawOpen")
    before = head.values(1, END)["jawOpen"]
    generate(head)
    for _ in everything_that_writes(head):
        now = head.values(1, END)
        np.testing.assert_allclose(now["jawOpen"][LINES], speech["jawOpen"][LINES], atol=SAME)
        np.testing.assert_allclose(now["jawOpen"][REST], before[REST], atol=SAME)
        for name in EVERYWHERE[1:]:
            np.testing.assert_allclose(now[name], speech[name], atol=SAME)


def test_strips_follow_lines_that_move_come_and_go(head):
    own_track(head)
    generate(head)
    alone = new_head()
    for step in ("move", "add", "back to back", "remove"):
        for each in (head, alone):
            if step == "move":
                generate(alone) if each is alone else None
                each.speak("a", 90, prediction(motion(seed=0)))
            elif step == "add":
                each.speak("c", 310, prediction(motion(20, seed=3)))
            elif step == "back to back":
                each.speak("a", 220 - 72, prediction(motion(seed=0)))
            else:
                each.remove("b")
        expected, now = alone.values(1, END + 20), head.values(1, END + 20)
        for name in EVERYWHERE:
            np.testing.assert_allclose(now[name], expected[name], atol=SAME, err_msg=step)
        assert sorted((strip.frame_start, strip.frame_end) for strip in our_strips(head)) == [
            (float(first), float(last)) for first, last in lines.windows(head.action)
        ]


@pytest.mark.skipif(compat.shape_key_default() == 0, reason="no track of zeros is needed before Blender 5.0")
@pytest.mark.parametrize("under", [False, True])
def test_lines_of_an_older_blender_play_on_in_a_newer_one(head, speech, monkeypatch, under):
    """Their tracks came without a track of zeros: it is made below them, as it would hide them from above."""
    if under:  # the artist has pushed their Action down, above the track with speech
        theirs = own_action(head)
        generate(head)
        head.data.action = None
        track = head.data.nla_tracks.new()
        track.name = "by hand"
        compat.assign_slot(track.strips.new("wave", 3, theirs), theirs)
    else:
        own_track(head)
    with monkeypatch.context() as patch:
        patch.setattr(compat, "shape_key_default", lambda: 0.0)
        generate(head)
    generate(head)
    check_speech(head, speech)
    names = [track.name for track in head.data.nla_tracks if track.name != "by hand"]
    assert names == [actions.REST, actions.TRACK]


def test_a_strip_on_the_artists_own_track_stays_where_it_is(head, dump):
    """They have arranged the generated Action themselves: its curves are new, its place is theirs."""
    generate(head)
    head.data.action = None
    track = head.data.nla_tracks.new()
    track.name = "my edit"
    strip = track.strips.new("later", 100, head.action)
    compat.assign_slot(strip, head.action)
    before = dump(track)
    for seed in (4, 0):
        generate(head, seed)
        assert len(head.data.nla_tracks) == 1 and head.data.action is None and dump(track) == before


# The NLA's state


def test_an_nla_that_is_off_is_refused_where_it_is_needed(head):
    own_track(head)
    actions.check(head.mesh)
    head.data.use_nla = False
    with pytest.raises(UserError, match="turn it on"):
        actions.check(head.mesh)


def test_an_nla_that_is_off_does_not_matter_to_the_active_action(head, speech):
    generate(head)
    head.data.use_nla = False
    actions.check(head.mesh)
    generate(head)
    check_speech(head, speech)
    with pytest.raises(UserError, match="turned off"):
        lines.add_layer(head.mesh)


def enter_tweak_mode(head: Head) -> None:
    """As Tab in the NLA editor does with the artist's strip."""
    track = next(track for track in head.data.nla_tracks if track.name == "by hand")
    head.data.nla_tracks.active = track
    track.select = True
    track.strips[0].select = True
    head.data.use_tweak_mode = True
    assert head.data.use_tweak_mode


def test_tweak_mode_is_refused_and_sliders_do_no_harm(head, speech, dump):
    track = own_track(head)
    generate(head)
    before = dump_action(dump, track.strips[0].action)
    enter_tweak_mode(head)
    with pytest.raises(UserError, match="tweak mode"):
        actions.check(head.mesh)
    head.record("a").tweaks.jaw = 0.3
    head.record("a").tweaks.jaw = 1.0
    head.data.use_tweak_mode = False
    assert dump_action(dump, head.data.nla_tracks[0].strips[0].action) == before
    check_speech(head, speech)


def test_lines_can_be_removed_in_tweak_mode(head):
    track = own_track(head)
    generate(head)
    theirs = track.strips[0].action
    enter_tweak_mode(head)
    for uid in FIRST:
        head.remove(uid)
    assert not head.data.use_tweak_mode or head.data.action == theirs
    assert theirs in [*bpy.data.actions] and not any(actions.is_generated(action) for action in bpy.data.actions)


# Linked Actions


def test_a_linked_action_is_refused(head, tmp_path):
    """A head that was made local may keep a linked Action: Blender would not save what is written there."""
    generate(head)
    name, path = head.action.name, str(tmp_path / "library.blend")
    bpy.data.libraries.write(path, {head.action})
    bpy.data.actions.remove(head.action)
    with bpy.data.libraries.load(path, link=True) as (_source, target):
        target.actions = [name]
    compat.assign_key_action(head.data, target.actions[0])
    with pytest.raises(UserError, match="make it local first"):
        actions.check(head.mesh)
    untouched = [tuple(point.co) for point in curve(head.action, "jawOpen").keyframe_points]
    lines.refresh(head.action, head.record("a"))
    assert [tuple(point.co) for point in curve(head.action, "jawOpen").keyframe_points] == untouched


# A layer above


def test_a_layer_of_the_artist_is_added_on_top(head, speech, dump):
    generate(head)
    action = head.action
    layer = lines.add_layer(head.mesh)
    assert head.data.action == layer and head.action == action and head.data.action_blend_type == "ADD"
    assert not actions.overruled(head.mesh, list(KEYS)) and len(our_strips(head)) == 1
    check_speech(head, speech)
    added = compat.key_fcurves(layer).find(fcurves.value_path("jawOpen")) or compat.key_fcurves(layer).new(
        fcurves.value_path("jawOpen")
    )
    for frame, value in ((85, 0.0), (90, 0.1), (95, 0.0)):
        added.keyframe_points.insert(frame, value)
    before = dump_action(dump, layer)
    for _ in everything_that_writes(head):
        assert dump_action(dump, layer) == before and head.data.action == layer
        now = head.values(1, END)
        assert now["jawOpen"][89] == pytest.approx(speech["jawOpen"][89] + 0.1, abs=1e-5)
        far = np.abs(np.arange(1, END + 1) - 90) >= 5
        np.testing.assert_allclose(now["jawOpen"][far], speech["jawOpen"][far], atol=1e-5)
        for name in EVERYWHERE[1:]:
            np.testing.assert_allclose(now[name], speech[name], atol=1e-5)


def test_lines_below_a_layer_can_be_removed_and_made_again(head, speech):
    generate(head)
    layer = lines.add_layer(head.mesh)
    for uid in FIRST:
        head.remove(uid)
    assert head.data.action == layer and not head.data.nla_tracks
    assert not any(values.any() for values in head.values(1, END).values())
    generate(head)
    assert head.data.action == layer
    check_speech(head, speech)


def test_a_layer_is_refused_with_a_sentence(head):
    with pytest.raises(UserError, match="press Generate first"):
        lines.add_layer(head.mesh)
    own_action(head)
    with pytest.raises(UserError, match="press Generate first"):
        lines.add_layer(head.mesh)
    generate(head)
    with pytest.raises(UserError, match="already active"):
        lines.add_layer(head.mesh)
    assert [record.uid for record in lines_of(head.action)] == list(FIRST)


def test_plays_after_saving(head, speech, tmp_path):
    own_track(head)
    generate(head)
    name, path = head.object.name, str(tmp_path / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    again = Head(bpy.data.objects[name])
    check_speech(again, speech)
    generate(again)
    check_speech(again, speech)


@pytest.mark.parametrize("under", [False, True], ids=["alone", "artist's tracks"])
def test_a_key_on_a_layer_stays_in_its_line(head, speech, under):
    if under:
        own_track(head)
    generate(head)
    lines.add_layer(head.mesh)
    check_speech(head, speech)
    bpy.context.scene.frame_set(90)
    block = head.keys.key_blocks["jawOpen"]
    block.value = speech["jawOpen"][89] + 0.1
    assert block.keyframe_insert("value", frame=90)
    for _ in everything_that_writes(head):
        now = head.values(1, END)
        assert now["jawOpen"][89] == pytest.approx(speech["jawOpen"][89] + 0.1, abs=1e-5)
        for name in EVERYWHERE[1:]:
            np.testing.assert_allclose(now[name], speech[name], atol=1e-5)
        outside = np.r_[0:54, 136:END]
        np.testing.assert_allclose(now["jawOpen"][outside], speech["jawOpen"][outside], atol=1e-5)


def test_a_strip_of_the_artists_grows_with_the_lines_if_it_plays_the_action_as_it_is(head):
    generate(head)
    action = head.action
    head.data.action = None
    track = head.data.nla_tracks.new()
    track.name = "pushed down"
    strip = track.strips.new("speech", int(action.curve_frame_range[0]), action)
    compat.assign_slot(strip, action)
    before = head.values(1, END)
    head.speak("c", 500, prediction(motion(seed=7)))
    assert [other.name for other in head.data.nla_tracks] == ["pushed down"]
    assert head.values(500, 560)["jawOpen"].max() > 0.1
    after = head.values(1, END)
    assert all(np.abs(after[name] - before[name]).max() < SAME for name in before)
    assert actions.plays(head.mesh, action, lines.window_of(head.record("c")))


def test_a_strip_of_the_artists_at_another_speed_stays_and_its_lack_is_known(head):
    generate(head)
    action = head.action
    head.data.action = None
    strip = head.data.nla_tracks.new().strips.new("speech", int(action.curve_frame_range[0]), action)
    strip.scale = 2.0
    strip.extrapolation = "NOTHING"
    ends = strip.frame_start, strip.frame_end
    head.speak("c", 900, prediction(motion(seed=7)))
    assert (strip.frame_start, strip.frame_end) == ends
    assert not actions.plays(head.mesh, action, lines.window_of(head.record("c")))


def test_locked_curves_are_named(head):
    generate(head)
    assert lines.locked_keys(head.action) == []
    curve(head.action, "jawOpen").lock = True
    assert lines.locked_keys(head.action) == ["jawOpen"]
