"""Lines of a head as Blender plays them: quiet ends, blended where they meet, moved, removed, saved, with sliders."""

from dataclasses import replace

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import composition, curve_record, fcurves, line_curves, lines
from lsf_blender_addon.animation.key_reduction import ErrorBound
from lsf_blender_addon.prediction import store, takes
from lsf_blender_addon.scene.own_properties import lines_of
from lsf_blender_addon.scene.snapshots import Source
from tests.lsf_blender_addon.animation.stage import (
    EVERYWHERE,
    FPS,
    FRAMES,
    KEYS,
    NOWHERE,
    SAME,
    SOMEWHERE,
    Head,
    motion,
    move_keys,
    new_head,
    prediction,
    uids,
)

EASE = 5
BOUND = ErrorBound().value + 1e-4
END = 480


@pytest.fixture
def head(addon) -> Head:
    return new_head()


@pytest.fixture
def three(head) -> Head:
    """A head with lines at frames 60, 220 and 380. Only b moves a brow."""
    for number, uid in enumerate("abc"):
        channels = (*EVERYWHERE, SOMEWHERE) if uid == "b" else EVERYWHERE
        head.speak(uid, 60 + 160 * number, prediction(motion(count=len(channels), seed=number), channels))
    return head


def everything(head: Head) -> dict[str, list[tuple[float, float]]]:
    """All keys of all curves."""
    return {c.data_path: [tuple(point.co) for point in c.keyframe_points] for c in compat.fcurves_of(head.action)}


def check_same(values: np.ndarray, others: np.ndarray) -> None:
    """Values are the same but for Blender's rounding."""
    np.testing.assert_allclose(values, others, atol=SAME)


def expected(head: Head, last: int = END) -> dict[str, np.ndarray]:
    """What shall play at frames 1 to last: the motion of the lines, not their keys."""
    made = [lines.curves_of(head.action, record) for record in lines_of(head.action)]
    whole = composition.compose(made, (1, last))
    return dict(zip(whole.names, whole.motion.T, strict=True))


def check_plays(head: Head, last: int = END) -> None:
    """Every curve is within the bound of the motion that it shall play."""
    now = head.values(1, last)
    for name, values in expected(head, last).items():
        assert np.abs(now[name] - values).max() <= BOUND, (name, np.abs(now[name] - values).argmax() + 1)


# Values, and quiet ends


def test_lines_play_in_their_frames(three):
    check_plays(three)
    now = three.values(1, END)
    for first, last in ((1, 55), (136, 215), (296, 375), (456, END)):
        assert all(not now[name][first - 1 : last].any() for name in KEYS)
    assert not now[NOWHERE].any() and not three.points(NOWHERE)
    assert three.data.action == three.action and not three.data.nla_tracks and len(bpy.data.actions) == 1
    assert [record.name for record in lines_of(three.action)] == ["line a", "line b", "line c"]
    assert all(lines.edits(three.action, record) == lines.Edits({}, frozenset()) for record in lines_of(three.action))


@pytest.mark.parametrize("fps", [12.0, 24.0, 25.0, 29.97, 30.0, 60.0])
@pytest.mark.parametrize("neighbours", [False, True], ids=["alone", "between two lines"])
@pytest.mark.parametrize("density", [0.5, 1.0])
def test_a_line_cut_in_mid_word_goes_to_rest(head, fps, neighbours, density):
    first, frames = 200, 50
    if neighbours:
        head.speak("before", first - frames - int(2 * fps), prediction(motion(frames, seed=1, fps=fps), fps=fps))
        head.speak("after", first + frames + int(2 * fps), prediction(motion(frames, seed=2, fps=fps), fps=fps))
    before = head.values(1, 500)
    head.speak("cut", first, prediction(np.full((frames, len(EVERYWHERE)), 0.6), fps=fps))
    head.record("cut").tweaks.density = density
    jaw = head.values(1, 500)["jawOpen"]
    np.testing.assert_allclose(jaw[first - 1 : first + frames - 1], 0.6, atol=BOUND)
    reach = int(np.ceil(0.2 * fps)) + 1
    check_same(jaw[: first - 1 - reach], before["jawOpen"][: first - 1 - reach])
    check_same(jaw[first + frames - 1 + reach :], before["jawOpen"][first + frames - 1 + reach :])
    rise, fall = jaw[first - 1 - reach : first], jaw[first + frames - 2 : first + frames - 1 + reach]
    assert rise[0] == fall[-1] == 0 and (np.diff(rise) >= -SAME).all() and (np.diff(fall) <= SAME).all()


def test_a_line_at_rest_at_its_ends_is_not_changed_by_the_eases(head):
    fade = np.hanning(FRAMES)[:, None].astype(np.float32)
    head.speak("a", 60, prediction(motion() * fade))
    check_plays(head, 200)
    assert not head.values(40, 55)["jawOpen"].any() and head.values(55, 59)["jawOpen"].max() < 0.003


def test_a_line_of_one_frame_and_of_two(head):
    for frames in (1, 2, 3):
        head.speak("a", 60, prediction(np.full((frames, len(EVERYWHERE)), 0.5)))
        check_plays(head, 100)
        assert head.values(60, 60)["jawOpen"][0] == pytest.approx(0.5, abs=BOUND)


# Lines that meet


def steps(values: np.ndarray) -> float:
    return float(np.abs(np.diff(values)).max())


PLACES = {
    "back to back": (60, 60 + FRAMES),
    "a frame apart": (60, 61 + FRAMES),
    "less than their eases apart": (60, 66 + FRAMES),
    "their eases apart": (60, 60 + FRAMES + 2 * EASE),
    "overlapping": (60, 100),
    "overlapping by a frame": (60, 59 + FRAMES),
    "the later one first": (110, 60),
    "the same frames": (60, 60),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("again", ["", "a", "b", "ab"])
def test_lines_that_meet_are_blended(head, place, again):
    one, two = PLACES[place]
    alone = []
    for uid, first, seed in (("a", one, 1), ("b", two, 2)):
        other = new_head()
        other.speak(uid, first, prediction(motion(seed=seed)))
        alone.append(other.values(1, 300))
    for uid, first, seed in (("a", one, 1), ("b", two, 2)):
        head.speak(uid, first, prediction(motion(seed=seed)))
    for uid in again:
        head.record(uid).tweaks.jaw = 0.2
        head.record(uid).tweaks.jaw = 1.0
    check_plays(head, 300)
    now = head.values(1, 300)
    for name in EVERYWHERE:
        assert now[name].max() <= max(values[name].max() for values in alone) + 2 * BOUND
        faster = 1.5 if place == "the same frames" else 1.0  # two that end together come to rest in half the time
        assert steps(now[name]) <= faster * max(steps(values[name]) for values in alone) + 2 * BOUND
    assert [lines.edits(head.action, head.record(uid)) for uid in "ab"] == [lines.Edits({}, frozenset())] * 2
    assert [len(lines.overlapping(head.action, head.record(uid))) for uid in "ab"] == [abs(two - one) < FRAMES] * 2


def test_a_line_inside_another(head):
    head.speak("long", 60, prediction(motion(200, seed=1)))
    before = head.values(1, 300)
    head.speak("short", 140, prediction(motion(20, seed=2)))
    check_plays(head, 300)
    now = head.values(1, 300)
    for name in EVERYWHERE:
        outside = np.r_[0:134, 164:300]
        np.testing.assert_allclose(now[name][outside], before[name][outside], atol=2 * BOUND)
    head.remove("short")
    check_plays(head, 300)


def test_three_lines_at_once(head):
    for number, uid in enumerate("abc"):
        head.speak(uid, 60 + 20 * number, prediction(motion(seed=number)))
    for uid in "bac":
        head.record(uid).tweaks.jaw = 0.3
        check_plays(head, 250)


@pytest.mark.parametrize("uid", "abc")
def test_a_line_that_is_written_again_changes_nothing_outside_of_it(head, uid):
    """Three lines, each of which overlaps the next: outside a line, the values are the same bit for bit."""
    for number, other in enumerate("abc"):
        head.speak(other, 60 + 60 * number, prediction(motion(seed=number)))
    before = head.values(1, 320)
    for value in (0.1, 1.0):
        head.record(uid).tweaks.jaw = head.record(uid).tweaks.lips = value
        first, last = head.record(uid).window
        now = head.values(1, 320)
        for name in KEYS:
            for outside in (slice(0, first), slice(last - 1, None)):
                np.testing.assert_allclose(now[name][outside], before[name][outside], atol=2e-5)
        check_plays(head, 320)


# Lines that move


@pytest.mark.parametrize("frames", [3, -3, 60, 100, 160, 200, 300, -50])
def test_a_line_moves_with_its_strip(three, frames):
    """Beside, onto and over the others; its own keys go along, and those of the others stay."""
    before = three.values(1, END)
    for number in range(3):
        three.key("jawOpen", 60 + 160 * number + 30, 0.9)
    three.speak("a", 60 + frames, prediction(motion(seed=0)))
    path = fcurves.value_path("jawOpen")
    found = {uid: lines.edits(three.action, three.record(uid)).ranges.get(path, []) for uid in "abc"}
    spans = {(90 + frames,) * 2, (250, 250), (410, 410)}
    assert {span for ranges in found.values() for span in ranges} == spans
    now = three.values(1, END + 100)
    for frame, _same in spans:
        assert now["jawOpen"][frame - 1] == pytest.approx(0.9, abs=SAME)
    for name, values in expected(three, END + 100).items():
        near = np.min([np.abs(np.arange(1, END + 101) - frame) for frame, _same in spans], 0) < 8
        far = ~near | (name != "jawOpen")
        assert np.abs(now[name] - values)[far].max() <= BOUND, name
    three.speak("a", 60, prediction(motion(seed=0)))
    now = three.values(1, END)
    for name, values in before.items():
        near = np.min([np.abs(np.arange(1, END + 1) - frame) for frame in (90, 250, 410)], 0) < 8
        far = ~near | (name != "jawOpen")
        np.testing.assert_allclose(now[name][far], values[far], atol=2 * BOUND)


def test_keys_of_two_lines_on_the_same_frame(three):
    """A line moves onto another, both with a key at the frame where they meet: at least that of the other is there."""
    three.key("jawOpen", 90, 0.9)
    three.key("jawOpen", 240, 0.1)
    three.speak("a", 60 + 150, prediction(motion(seed=0)))
    assert three.values(240, 240)["jawOpen"][0] in (pytest.approx(0.9, abs=SAME), pytest.approx(0.1, abs=SAME))
    frames = [frame for frame, _value in three.points("jawOpen")]
    assert len(frames) == len(set(frames))


def test_a_line_gets_shorter_and_longer(three):
    before = three.values(1, END)
    for frames in (20, 100, FRAMES):
        three.speak("b", 220, prediction(motion(frames, seed=1)))
        check_plays(three)
        now = three.values(1, END)
        for name in EVERYWHERE:
            check_same(now[name][:214], before[name][:214])
            check_same(now[name][374:], before[name][374:])


def test_another_frame_rate(three):
    three.speak("b", 230, prediction(motion(90, seed=1, fps=30.0), fps=30.0))
    check_plays(three)


# Removing


@pytest.mark.parametrize("uid", "abc")
def test_remove_takes_everything_of_a_line_and_nothing_else(three, uid):
    takes.add(three.action, uid)
    others = [other for other in "abc" if other != uid]
    for other in others:
        takes.add(three.action, other)
    before = three.values(1, END)
    predictions = [store.record_of(three.action, store.PROPERTY, other).to_dict() for other in others]
    first, last = three.record(uid).window
    three.remove(uid)
    assert uids(three) == others
    assert not store.is_stored(three.action, uid) and not takes.count(three.action, uid)
    assert [store.record_of(three.action, store.PROPERTY, other).to_dict() for other in others] == predictions
    assert [takes.count(three.action, other) for other in others] == [1, 1]
    now = three.values(1, END)
    for name, values in before.items():
        outside = np.r_[0:first, last - 1 : END]
        check_same(now[name][outside], values[outside])
        assert not now[name][first:last].any()
    for keys in curve_record.load(three.action).keys.values():
        assert not ((keys.frames > first) & (keys.frames < last)).any()
    assert bool(three.points(SOMEWHERE)) == (uid != "b")


def test_remove_keeps_the_artists_keys(three):
    for name in ("jawOpen", SOMEWHERE, NOWHERE):
        three.key(name, 250, 0.9)
    three.key("jawOpen", 90, 0.8)
    before = three.values(1, END)
    three.remove("b")
    for name in ("jawOpen", SOMEWHERE, NOWHERE):
        assert (250.0, pytest.approx(0.9)) in three.points(name)
    now = three.values(1, END)
    for name in KEYS:
        assert now[name][249] == pytest.approx(0.9 if name in {"jawOpen", SOMEWHERE, NOWHERE} else 0, abs=SAME)
        check_same(now[name][:215], before[name][:215])
        check_same(now[name][375:], before[name][375:])
    three.remove("a")
    three.remove("c")
    assert {frame for frame, value in three.points("jawOpen") if value > 0} == {90.0, 250.0}
    assert [(frame, value) for frame, value in three.points(NOWHERE)] == [(250.0, pytest.approx(0.9))]


@pytest.mark.parametrize("order", ["abc", "bca", "cab"])
def test_nothing_is_left_when_all_lines_are_removed(three, order):
    bpy.context.scene.frame_set(240)
    for uid in order:
        three.remove(uid)
    assert not bpy.data.actions and not three.keys.keys()
    assert three.data is None or (three.data.action is None and not three.data.nla_tracks)
    assert not any(values.any() for values in three.values(1, END).values())
    assert not any(key.value for key in three.keys.key_blocks[1:])


def test_a_deleted_curve_is_forgotten_with_its_line(three):
    compat.key_fcurves(three.action).remove(three.curve("jawOpen"))
    for uid in "abc":
        assert fcurves.value_path("jawOpen") in curve_record.load(three.action).keys
        three.remove(uid)
        if uid != "c":
            assert not lines.is_edited(three.action, three.record("c")) or lines.edits(
                three.action, three.record("c")
            ).deleted == {fcurves.value_path("jawOpen")}
    assert not bpy.data.actions


def test_a_line_that_overlaps_another_is_removed(head):
    head.speak("a", 60, prediction(motion(seed=1)))
    before = head.values(1, 250)
    head.speak("b", 100, prediction(motion(seed=2)))
    head.remove("b")
    for name, values in head.values(1, 250).items():
        np.testing.assert_allclose(values, before[name], atol=2 * BOUND)
    check_plays(head, 250)
    head.remove("a")
    assert not bpy.data.actions


# Sliders


def test_each_line_has_its_own_sliders(three):
    before = three.values(1, END)
    three.record("b").tweaks.jaw = 0.5
    now = three.values(1, END)
    np.testing.assert_allclose(now["jawOpen"][220:290], before["jawOpen"][220:290] / 2, atol=2 * BOUND)
    for name in KEYS:
        check_same(now[name][:215], before[name][:215])
        check_same(now[name][295:], before[name][295:])
    assert three.record("a").tweaks.jaw == 1 and not three.record("a").tweaks.is_changed()


@pytest.mark.parametrize(
    ("slider", "value", "channel", "factor"),
    [
        ("jaw", 0.5, "jawOpen", 0.5),
        ("lips", 1.2, "mouthSmileLeft", 1.2),
        ("brows", 0.6, SOMEWHERE, 0.6),
        ("lids", 0.7, "eyeBlinkRight", 0.7),
    ],
)
def test_sliders_are_live_and_reset_is_exact(three, slider, value, channel, factor):
    untouched, before = everything(three), three.values(1, END)
    setattr(three.record("b").tweaks, slider, value)
    now = three.values(1, END)[channel]
    np.testing.assert_allclose(now[224:288], before[channel][224:288] * factor, atol=2 * BOUND)
    three.reset("b")
    assert everything(three) == untouched


def test_the_face_moves_without_a_change_of_frame(three):
    bpy.context.scene.frame_set(240)
    blocks = three.keys.evaluated_get(bpy.context.evaluated_depsgraph_get()).key_blocks
    before = blocks["jawOpen"].value
    three.record("b").tweaks.jaw = 0.5
    bpy.context.view_layer.update()
    blocks = three.keys.evaluated_get(bpy.context.evaluated_depsgraph_get()).key_blocks
    assert blocks["jawOpen"].value == pytest.approx(before / 2, abs=2 * BOUND)


def test_density(three):
    counts = []
    for density in (0.0, 0.3, 0.5, 0.8, 1.0):
        three.record("b").tweaks.density = density
        counts.append(fcurves.count_keys(three.action, tuple(three.record("b").window))[0])
        assert str(counts[-1]) in lines.summary(three.action, three.record("b"))
    assert counts == sorted(set(counts)) and counts[-1] == (FRAMES + 2 * EASE) * (len(EVERYWHERE) + 1)
    made = three.values(220, 291)
    np.testing.assert_allclose(made["jawOpen"], motion(count=7, seed=1)[:, 0], atol=2 * BOUND)


def test_a_line_that_is_offset_moves_and_its_neighbours_do_not(three):
    before = three.values(1, END)
    for offset in (3, -8, 0):
        three.record("b").tweaks.offset = offset
        now = three.values(1, END)
        for name in KEYS:
            moved = np.roll(before[name], offset)
            np.testing.assert_allclose(now[name][200:310], moved[200:310], atol=2 * BOUND)
            check_same(now[name][:200], before[name][:200])
            check_same(now[name][310:], before[name][310:])
        assert three.record("b").first_frame == 220
        three.speak("b", 220, store.load(three.action, "b"))  # another run keeps the sliders
        assert three.record("b").tweaks.offset == offset
        np.testing.assert_allclose(three.values(1, END)["jawOpen"], now["jawOpen"], atol=2 * BOUND)


def test_a_muted_channel_rests_in_its_line(three):
    before = three.values(1, END)
    lines.list_channels(three.record("b"), store.load(three.action, "b"))
    three.record("b").tweaks.channels["jawOpen"].muted = True
    now = three.values(1, END)
    assert not now["jawOpen"][215:296].any()
    check_same(now["jawOpen"][:215], before["jawOpen"][:215])
    three.speak("b", 220, store.load(three.action, "b"))
    assert not three.values(215, 296)["jawOpen"].any() and three.record("b").tweaks.channels["jawOpen"].muted
    three.reset("b")
    for name, values in three.values(1, END).items():
        check_same(values, before[name])


def test_a_channel_that_no_line_moves_any_more_loses_its_curve(three):
    bpy.context.scene.frame_set(240)
    three.record("b").tweaks.brows = 0.0
    lines.refresh(three.action, three.record("b"))
    assert not three.values(1, END)[SOMEWHERE].any()
    three.speak("b", 220, prediction(motion(seed=1)))
    assert not three.points(SOMEWHERE) and three.keys.key_blocks[SOMEWHERE].value == 0


def test_blinks_and_gaze_are_in_the_plain_channels(head):
    blinks = np.zeros((2, FRAMES), np.float32)
    blinks[0, 30:34] = blinks[1, 10:14] = 1
    gaze = np.zeros((2, FRAMES, 2), np.float32)
    gaze[0, 40:60, 1] = 22
    for number, uid in enumerate("ab"):
        made = prediction(0.3 * motion(seed=number))
        head.speak(uid, 60 + 160 * number, replace(made, blinks=blinks, gaze=gaze))
    now = head.values(1, END)
    for first in (60, 220):
        assert now["eyeBlinkLeft"][first + 30] == pytest.approx(1, abs=BOUND)
        assert now["eyeLookUpLeft"][first + 50 - 1] == pytest.approx(1, abs=BOUND)
    head.record("a").tweaks.variant = 1
    head.record("b").tweaks.blinks = head.record("b").tweaks.gaze = 0
    now = head.values(1, END)
    assert now["eyeBlinkLeft"][60 + 10] > 0.9 > 0.5 > now["eyeBlinkLeft"][60 + 30]
    assert now["eyeBlinkLeft"][215:300].max() < 0.4 and now["eyeLookUpLeft"][215:300].max() < 0.4
    for uid in "ab":
        head.reset(uid)
    check_plays(head)


# Recordings


def test_a_recording_wins_over_generated_lines_in_its_frames(three):
    before = three.values(1, END)
    take = motion(100, seed=9)[:, :3]
    three.record_take("face", 100, take, EVERYWHERE[:3])  # over the end of a, the gap
    check_plays(three)
    now = three.values(100, 199)
    for k, name in enumerate(EVERYWHERE[:3]):
        np.testing.assert_allclose(now[name], take[:, k], atol=BOUND)
    for name in EVERYWHERE[3:]:
        assert np.abs(now[name]).max() <= BOUND, "the generated line gives way altogether"
    after = three.values(1, END)
    for name in KEYS:
        check_same(after[name][205:], before[name][205:])
        check_same(after[name][:94], before[name][:94])
    for uid in "abc":
        three.record(uid).tweaks.jaw = 0.1
        three.record(uid).tweaks.jaw = 1.0
    check_plays(three)
    three.speak("a", 60, prediction(motion(seed=5)))
    np.testing.assert_allclose(three.values(100, 199)["jawOpen"], take[:, 0], atol=BOUND)
    (uid,) = (record.uid for record in lines_of(three.action) if record.kind == "RECORDING")
    three.remove(uid)
    three.speak("a", 60, prediction(motion(seed=0)))
    for name, values in three.values(1, END).items():
        np.testing.assert_allclose(values, before[name], atol=2 * BOUND)


def test_a_recording_of_the_same_name_is_replaced(three):
    for first in (100, 300):
        three.record_take("face", first, motion(40, seed=9))
    records = [record for record in lines_of(three.action) if record.kind == "RECORDING"]
    assert [(record.name, record.first_frame) for record in records] == [("face", 300)]
    check_plays(three)
    assert not lines.sources_of(three.action)[3:], "a recording has no strip"


def test_recordings_share_the_frames_where_they_overlap(head):
    head.record_take("one", 60, motion(seed=1))
    head.record_take("two", 100, motion(seed=2))
    check_plays(head, 250)


# Files, undo, other heads


def test_saved_and_reloaded(three, tmp_path):
    before, untouched, name = three.values(1, END), everything(three), three.object.name
    three.record("b").tweaks.jaw = 0.5
    path = str(tmp_path / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    again = Head(bpy.data.objects[name])
    assert uids(again) == list("abc") and again.record("b").tweaks.jaw == 0.5
    assert not any(lines.is_edited(again.action, again.record(uid)) for uid in "abc")
    again.reset("b")
    assert everything(again) == untouched
    for key, values in again.values(1, END).items():
        check_same(values, before[key])


def test_appended_to_a_file_with_another_head(three, tmp_path):
    before, untouched, name = three.values(1, END), everything(three), three.object.name
    path = str(tmp_path / "library.blend")
    bpy.data.libraries.write(path, {three.object})
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    other = new_head()
    other.speak("a", 60, prediction(motion(seed=7)))
    others = other.values(1, END)
    with bpy.data.libraries.load(path) as (_source, target):
        target.objects = [name]
    bpy.context.scene.collection.objects.link(target.objects[0])
    head = Head(target.objects[0])
    assert everything(head) == untouched and uids(head) == list("abc") and head.action != other.action
    head.record("a").tweaks.jaw = 0.3
    head.record("a").tweaks.jaw = 1.0
    for key, values in head.values(1, END).items():
        check_same(values, before[key])
    for key, values in other.values(1, END).items():
        check_same(values, others[key])


def test_a_linked_head_is_left_alone(three, tmp_path):
    name, path = three.object.name, str(tmp_path / "library.blend")
    bpy.data.libraries.write(path, {three.object})
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (_source, target):
        target.objects = [name]
    bpy.context.scene.collection.objects.link(target.objects[0])
    head = Head(target.objects[0])
    untouched, before = everything(head), head.values(1, END)
    assert head.action.library is not None and before["jawOpen"].any()
    lines.refresh(head.action, head.record("b"))
    assert everything(head) == untouched
    for key, values in head.values(1, END).items():
        check_same(values, before[key])


def test_a_duplicate_that_shares_the_action_gets_its_own(three):
    """Alt+D of the mesh's data, or Shift+D with Actions that are not duplicated."""
    bpy.context.view_layer.objects.active = three.object
    twin = Head(three.object.copy())
    twin.object.data = three.mesh.copy()
    bpy.context.scene.collection.objects.link(twin.object)
    compat.assign_key_action(twin.keys.animation_data_create(), three.action)
    assert twin.action == three.action
    before, untouched = three.values(1, END), everything(three)
    twin.speak("a", 60, prediction(motion(seed=7)))
    assert twin.action != three.action and uids(twin) == list("abc")
    assert everything(three) == untouched
    check_plays(twin)
    twin.remove("b")
    twin.record("c").tweaks.jaw = 0.1
    three.record("a").tweaks.jaw = 0.2
    three.record("a").tweaks.jaw = 1.0
    assert everything(three) == untouched and uids(three) == list("abc")
    for name, values in three.values(1, END).items():
        check_same(values, before[name])
    for uid in "ac":
        twin.remove(uid)
    assert [*bpy.data.actions] == [three.action] and everything(three) == untouched


def test_a_slider_moves_both_heads_that_share_an_action(three):
    twin = Head(three.object.copy())
    twin.object.data = three.mesh.copy()
    bpy.context.scene.collection.objects.link(twin.object)
    compat.assign_key_action(twin.keys.animation_data_create(), three.action)
    three.record("b").tweaks.jaw = 0.2
    for name, values in twin.values(1, END).items():
        check_same(values, three.values(1, END)[name])


def test_two_heads_do_not_know_each_other(three):
    other = new_head()
    other.speak("a", 60, prediction(motion(seed=4)))
    untouched = everything(three)
    other.record("a").tweaks.jaw = 0.1
    other.remove("a")
    assert everything(three) == untouched and [*bpy.data.actions] == [three.action]


@pytest.mark.parametrize("driven", ["jawOpen", SOMEWHERE])
def test_a_key_with_a_driver_is_left_to_it(head, driven):
    head.keys.key_blocks[driven].driver_add("value").driver.expression = "0.25"
    head.speak("a", 60, prediction(motion(count=7), (*EVERYWHERE, SOMEWHERE)))
    assert not head.points(driven)
    assert head.values(60, 130)[driven] == pytest.approx(np.full(71, 0.25))


def test_a_key_that_was_deleted_or_renamed_gets_no_curve(three):
    three.object.shape_key_remove(three.keys.key_blocks["mouthClose"])
    compat.key_fcurves(three.action).remove(three.curve("mouthClose"))
    three.record("b").tweaks.jaw = 0.5
    three.speak("c", 380, prediction(motion(seed=6)))
    assert not three.points("mouthClose")


def test_names_with_quotes(head):
    head.keys.key_blocks["jawOpen"].name = name = 'jaw "open" \\'
    head.speak("a", 60, prediction(motion(), (name, *EVERYWHERE[1:])))
    (curve,) = (c for c in compat.fcurves_of(head.action) if "open" in c.data_path)
    assert fcurves.key_name(curve.data_path) == name and np.abs(curve.evaluate(90)) > 0.1


def test_a_line_is_found_by_its_id_alone(three):
    record = three.record("b")
    source = lines.source_of(record, ["Scene"])
    assert source == Source("b", "line b", "Scene", "b.wav", FPS, 220, FRAMES, 0.0, 96.0) and source.near == ("Scene",)
    assert lines.sources_of(three.action) == lines.all_sources() and len(lines.all_sources()) == 3
    three.speak("b", 220, prediction(motion(seed=1)), strip="renamed", sound="other.wav")
    assert uids(three) == list("abc") and three.record("b").name == "renamed"
    assert lines.find(three.action, "") is None is lines.find(None, "a")


def test_without_a_prediction_the_curves_stay(three):
    untouched = everything(three)
    store.remove(three.action, "b")
    three.record("b").tweaks.jaw = 0.1
    three.record("a").tweaks.jaw = 0.1
    three.record("a").tweaks.jaw = 1.0
    assert everything(three) == untouched


def test_a_whole_minute_is_quick_enough(head):
    """Not a measurement: a slider must not take seconds."""
    import time

    head.speak("a", 60, prediction(motion(1440)))
    start = time.perf_counter()
    head.record("a").tweaks.jaw = 0.5
    assert time.perf_counter() - start < 2


def test_moved_lines_keep_their_order_and_sliders(three):
    three.record("b").tweaks.jaw = 0.5
    for curve in compat.fcurves_of(three.action):
        move_keys(curve, (215, 296), 300)
    three.record("b").tweaks.lips = 0.9
    assert three.record("b").first_frame == 520 and three.record("b").tweaks.jaw == 0.5
    check_plays(three, 620)
    assert line_curves.window_of(520, FRAMES, FPS) == tuple(three.record("b").window)
