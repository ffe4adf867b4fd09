"""The artist's keys on a head with three lines: wherever they are set, what writes curves again leaves them alone.

What is compared are the values that Blender evaluates, over all frames of all lines.
"""

import math

import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import fcurves, lines
from lsf_blender_addon.animation.key_reduction import ErrorBound
from lsf_blender_addon.prediction import takes
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

FIRST = {"a": 60, "b": 220, "c": 380}
END = 520
EASE = 5  # frames of a line before its first and after its last one
REACH = math.ceil(fcurves.TRANSITION * FPS) + 1  # frames from a key of the artist to generated motion
BESIDE = 18  # frames from it within which the generated keys may be others, within the bound of their error
CLOSE = 1e-3  # by which the rest of the line may then differ
PLACES = {
    "before all": 10,
    "ease of a": 57,
    "first of a": 60,
    "in a": 97,
    "last of a": 131,
    "between": 180,
    "in b": 255,
    "in c": 412,
    "after all": 505,
}


def made_for(uid: str, seed: int = 0):
    channels = (*EVERYWHERE, SOMEWHERE) if uid == "b" else EVERYWHERE
    values = motion(count=len(channels), seed=10 * seed + list(FIRST).index(uid))
    return prediction(values, channels, seed=seed)


@pytest.fixture
def head(addon) -> Head:
    head = new_head()
    for uid, first in FIRST.items():
        head.speak(uid, first, made_for(uid))
    return head


def window(uid: str) -> tuple[int, int]:
    return FIRST[uid] - EASE, FIRST[uid] + FRAMES - 1 + EASE


def slide(head, uid):
    for value in (0.3, 1.0):
        head.record(uid).tweaks.jaw = value
        head.record(uid).tweaks.brows = value


def change_density(head, uid):
    for value in (0.2, 1.0, 0.5):
        head.record(uid).tweaks.density = value


def generate(head, uid):
    head.speak(uid, FIRST[uid], made_for(uid))


def step_takes(head, uid):
    takes.add(head.action, uid)
    head.speak(uid, FIRST[uid], made_for(uid, seed=3))
    takes.add(head.action, uid)
    for index in (1, 0):
        takes.play(head.action, uid, index)
        lines.refresh(head.action, head.record(uid))
    takes.forget(head.action, uid)


def rewrite_other(head, uid):
    for other in FIRST.keys() - {uid}:
        slide(head, other)
        generate(head, other)


WRITES = [slide, change_density, generate, step_takes]


class Artist:
    """Sets keys, and knows where values may differ from those without them."""

    def __init__(self, head: Head) -> None:
        self.head, self.own = head, {}
        self.before = head.values(1, END)
        self.tolerance = {name: np.full(END, SAME) for name in KEYS}

    def key(self, name: str, frame: int, value: float) -> None:
        frames = sorted(f for f, _value in self.head.points(name))
        left = max((f for f in frames if f < frame), default=-np.inf)
        right = min((f for f in frames if f > frame), default=np.inf)
        self.allow(name, left, right, frame)
        self.head.key(name, frame, value)
        self.own[name, frame] = value

    def allow(self, name: str, left: float, right: float, *around: float) -> None:
        """Let values differ from key to key, near frames, and by a little in the lines of these frames."""
        frames, tolerance = np.arange(1, END + 1), self.tolerance[name]
        for frame in around:
            for uid in FIRST:
                first, last = window(uid)
                if first <= frame <= last:
                    tolerance[first - 1 : last] = np.maximum(tolerance[first - 1 : last], CLOSE)
                    beside = (np.abs(frames - frame) <= BESIDE) & (frames >= first) & (frames <= last)
                    tolerance[beside] = np.maximum(tolerance[beside], 2 * ErrorBound().value)
                    tolerance[np.abs(frames - frame) <= REACH] = np.inf
        tolerance[(frames >= left) & (frames <= right)] = np.inf

    def check(self) -> None:
        """The keys are there, and nothing else has changed."""
        now = self.head.values(1, END)
        for (name, frame), value in self.own.items():
            assert now[name][frame - 1] == pytest.approx(value, abs=SAME), (name, frame)
            assert (frame, pytest.approx(value, abs=SAME)) in self.head.points(name)
        for name, before in self.before.items():
            too_far = np.abs(now[name] - before) - self.tolerance[name]
            assert too_far.max() <= 0, (name, too_far.argmax() + 1, before[too_far.argmax()], too_far.max())


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["jawOpen", SOMEWHERE, NOWHERE])
@pytest.mark.parametrize("place", PLACES)
def test_a_key_anywhere_survives_everything(head, place, name):
    artist = Artist(head)
    artist.key(name, PLACES[place], 0.9)
    assert head.data.action == head.action and not head.data.nla_tracks
    artist.check()
    keyed = head.values(1, END)
    for uid in FIRST:
        for write in WRITES:
            write(head, uid)
            artist.check()
    if name == NOWHERE:
        np.testing.assert_allclose(head.values(1, END)[name], keyed[name], atol=SAME)


@pytest.mark.parametrize("frame", [10, 54, 140, 180, 211, 462, 505])
def test_the_curve_around_a_key_between_lines_stays_bit_for_bit(head, frame):
    head.key("jawOpen", frame, 0.9)
    keyed = head.values(1, END)["jawOpen"]
    for uid in FIRST:
        for write in WRITES:
            write(head, uid)
            now = head.values(1, END)["jawOpen"]
            for first, last in ((1, 55), (136, 215), (296, 375), (456, END)):
                np.testing.assert_allclose(now[first - 1 : last], keyed[first - 1 : last], atol=SAME)


@pytest.mark.parametrize("place", PLACES)
def test_a_key_stays_in_its_line(head, place):
    """Also on a channel that only another line moves."""
    before = head.values(1, END)
    head.key(SOMEWHERE, PLACES[place], 0.9)
    now = head.values(1, END)
    for uid in FIRST:
        first, last = window(uid)
        if not first < PLACES[place] < last:
            np.testing.assert_allclose(now[SOMEWHERE][first - 1 : last], before[SOMEWHERE][first - 1 : last], atol=SAME)


def test_many_keys_survive_everything(head):
    artist = Artist(head)
    for number, frame in enumerate(PLACES.values()):
        artist.key("jawOpen", frame, 0.1 + 0.1 * number)
        artist.key("eyeBlinkLeft", frame + 3, 0.9 - 0.1 * number)
    for uid in FIRST:
        for write in WRITES:
            write(head, uid)
            artist.check()


@pytest.mark.parametrize("uid", FIRST)
def test_what_is_edited_is_told_by_line(head, uid):
    assert not any(lines.is_edited(head.action, head.record(other)) for other in FIRST)
    head.key("jawOpen", FIRST[uid] + 30, 0.9)
    path = fcurves.value_path("jawOpen")
    for other in FIRST:
        found = lines.edits(head.action, head.record(other))
        assert found.ranges == ({path: [(FIRST[uid] + 30,) * 2]} if other == uid else {}) and not found.deleted


@pytest.mark.parametrize("uid", FIRST)
def test_keys_of_one_line_can_be_released(head, uid):
    before = head.values(1, END)
    for other in FIRST:
        head.key("jawOpen", FIRST[other] + 30, 0.9)
    keyed = head.values(1, END)
    lines.refresh(head.action, head.record(uid), keep=False)
    now = head.values(1, END)
    inside = np.zeros(END, bool)
    inside[window(uid)[0] - 1 : window(uid)[1]] = True
    for name in KEYS:
        np.testing.assert_allclose(now[name][inside], before[name][inside], atol=SAME)
        np.testing.assert_allclose(now[name][~inside], keyed[name][~inside], atol=SAME)
    assert not lines.is_edited(head.action, head.record(uid))


# What the artist does to generated keys of line b. Each returns between which frames it changes the curve, and between
# which frames the curve must stay as it then is.


def _points(head, name="jawOpen"):
    first, last = window("b")
    return [point for point in head.curve(name).keyframe_points if first < point.co[0] < last]


def move_key(head):
    left, point, right = _points(head)[5:8]
    span = left.co[0], right.co[0]
    point.co_ui = point.co[0] + 0.5, 0.9
    head.curve("jawOpen").update()
    return span, (left.co[0], point.co[0])


def delete_key(head):
    left, point, right = _points(head)[5:8]
    span = left.co[0], right.co[0]
    head.curve("jawOpen").keyframe_points.remove(point)
    return span, span


def delete_keys(head):
    span = _points(head)[3].co[0], _points(head)[9].co[0]
    for point in reversed(_points(head)[4:9]):
        head.curve("jawOpen").keyframe_points.remove(point)
    return span, span


def shape_handles(head):
    left, point, right = _points(head)[5:8]
    point.handle_left_type = point.handle_right_type = "FREE"
    point.handle_left[1], point.handle_right[1] = 0.1, 0.95
    head.curve("jawOpen").update()
    return (left.co[0], right.co[0]), (point.co[0], point.co[0])


def change_interpolation(head):
    point, right = _points(head)[5:7]
    point.interpolation = "CONSTANT"
    return (point.co[0], right.co[0]), (point.co[0], right.co[0] - 1)


EDITS = [move_key, delete_key, delete_keys, shape_handles, change_interpolation]


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_of_generated_keys_stays_and_other_lines_do_not_notice(head, dump, edit):
    artist = Artist(head)
    span, kept = edit(head)
    artist.allow("jawOpen", *span, *span)
    artist.check()
    edited = head.values(1, END)["jawOpen"]
    inside = [dump(point, LOOKS) for point in _points(head) if kept[0] <= point.co[0] <= kept[1]]
    first, last = math.ceil(kept[0]), math.floor(kept[1])
    for write in (rewrite_other, slide, change_density, step_takes):
        write(head, "b")
        artist.check()
        now = head.values(1, END)["jawOpen"]
        np.testing.assert_allclose(now[first - 1 : last], edited[first - 1 : last], atol=1e-4, err_msg=write.__name__)
        points = [point for point in _points(head) if kept[0] <= point.co[0] <= kept[1]]
        assert [dump(point, LOOKS) for point in points[1:-1]] == inside[1:-1]
        assert list(lines.edits(head.action, head.record("b")).ranges) == [fcurves.value_path("jawOpen")]


LOOKS = {"type", "select_control_point", "select_left_handle", "select_right_handle"}


def test_the_handles_of_an_edited_key_stay(head):
    _span, (frame, _frame) = shape_handles(head)

    def handles():
        (point,) = (point for point in _points(head) if point.co[0] == frame)
        return [(round(x, 4), round(y, 4)) for x, y in (point.handle_left, point.handle_right)]

    before = handles()
    for uid in FIRST:
        for write in WRITES:
            write(head, uid)
            assert handles() == before


def test_keys_of_a_curve_that_are_deleted_in_one_line_come_back_with_generate(head):
    """Until then the curve is level in that line."""
    artist = Artist(head)
    for point in reversed(_points(head)):
        head.curve("jawOpen").keyframe_points.remove(point)
    for frame in window("b"):
        head.curve("jawOpen").keyframe_points.remove(
            next(point for point in head.curve("jawOpen").keyframe_points if point.co[0] == frame)
        )
    assert lines.edits(head.action, head.record("b")) == lines.Edits({}, {fcurves.value_path("jawOpen")})
    expected = head.values(1, END)
    assert not expected["jawOpen"][window("b")[0] : window("b")[1]].any()
    for write in (rewrite_other, slide, change_density):
        write(head, "b")
        for name, values in head.values(1, END).items():
            np.testing.assert_allclose(values, expected[name], atol=SAME)
    generate(head, "b")
    artist.check()
    assert lines.edits(head.action, head.record("b")) == lines.Edits({}, frozenset())


def test_a_deleted_curve_comes_back_with_generate_line_by_line(head):
    before = head.values(1, END)
    compat.key_fcurves(head.action).remove(head.curve("jawOpen"))
    head.keys.key_blocks["jawOpen"].value = 0
    for uid in FIRST:
        assert lines.edits(head.action, head.record(uid)) == lines.Edits({}, {fcurves.value_path("jawOpen")})
    for uid in FIRST:
        slide(head, uid)
    now = head.values(1, END)
    assert not head.points("jawOpen") and not now.pop("jawOpen").any()
    for name, values in now.items():
        np.testing.assert_allclose(values, before[name], atol=SAME)
    for number, uid in enumerate(FIRST):
        generate(head, uid)
        for other in FIRST:
            slide(head, other)
        now = head.values(1, END)["jawOpen"]
        for other in FIRST:
            first, last = window(other)
            back = list(FIRST).index(other) <= number
            expected = before["jawOpen"][first - 1 : last] if back else np.zeros(last - first + 1)
            np.testing.assert_allclose(now[first - 1 : last], expected, atol=SAME, err_msg=f"{uid} {other}")
    for name, values in head.values(1, END).items():
        np.testing.assert_allclose(values, before[name], atol=SAME)


@pytest.mark.parametrize("uid", FIRST)
def test_a_locked_curve_stays_and_the_others_follow(head, dump, uid):
    head.key("jawOpen", FIRST[uid] + 30, 0.9)
    head.curve("jawOpen").lock = True
    before, smile = dump(head.curve("jawOpen")), head.values(1, END)["mouthSmileLeft"]
    head.record(uid).tweaks.jaw = head.record(uid).tweaks.lips = 0.2
    assert dump(head.curve("jawOpen")) == before
    now = head.values(1, END)["mouthSmileLeft"]
    assert np.abs(now - smile).max() > 0.1
    head.record(uid).tweaks.reset()
    generate(head, uid)
    assert dump(head.curve("jawOpen")) == before
    np.testing.assert_allclose(head.values(1, END)["mouthSmileLeft"], smile, atol=SAME)


def test_a_muted_curve_stays_muted_and_is_up_to_date_when_it_is_heard(head):
    before = head.values(1, END)
    head.curve("jawOpen").mute = True
    for uid in FIRST:
        slide(head, uid)
        generate(head, uid)
        assert head.curve("jawOpen").mute
    head.curve("jawOpen").mute = False
    for name, values in head.values(1, END).items():
        np.testing.assert_allclose(values, before[name], atol=SAME)


def test_modifiers_and_colours_on_generated_curves_stay(head):
    jaw = head.curve("jawOpen")
    jaw.modifiers.new("NOISE").strength = 0.1
    jaw.color_mode, jaw.color = "CUSTOM", (1, 0, 0)
    for uid in FIRST:
        slide(head, uid)
        generate(head, uid)
    jaw = head.curve("jawOpen")
    assert jaw.modifiers[0].type == "NOISE" and tuple(jaw.color) == (1, 0, 0)


# Keys that are moved in time


def away(first: int, last: int, name: str, keys: list[int]) -> np.ndarray:
    """Which of the frames are not near the artist's keys on jawOpen, bool (F,)."""
    frames = np.arange(first, last + 1)
    near = [np.abs(frames - frame) <= BESIDE for frame in keys if name == "jawOpen"]
    return ~np.any([np.zeros(len(frames), bool), *near], 0)


def move_all(head, window, frames):
    for curve in compat.fcurves_of(head.action):
        move_keys(curve, window, frames)


@pytest.mark.parametrize("frames", [1, 7, -7, 40, 420])
@pytest.mark.parametrize("uid", FIRST)
def test_all_keys_of_a_line_are_moved(head, uid, frames):
    key, path, end = FIRST[uid] + 30, fcurves.value_path("jawOpen"), END + 420
    head.key("jawOpen", key, 0.9)
    before = head.values(1, end)
    move_all(head, window(uid), frames)
    moved = head.values(1, end)
    slide(head, uid)
    assert head.record(uid).first_frame == FIRST[uid] + frames
    assert lines.edits(head.action, head.record(uid)).ranges == {path: [(key + frames,) * 2]}
    for other in FIRST.keys() - {uid}:
        assert lines.edits(head.action, head.record(other)) == lines.Edits({}, frozenset())
    for name, values in head.values(1, end).items():
        far = away(1, end, name, [key + frames])
        np.testing.assert_allclose(values[far], moved[name][far], atol=CLOSE)
    for other in FIRST:
        slide(head, other)
    generate(head, uid)  # its strip is where it was
    assert head.record(uid).first_frame == FIRST[uid]
    for name, values in head.values(1, end).items():
        far = away(1, end, name, [key])
        np.testing.assert_allclose(values[far], before[name][far], atol=CLOSE)


@pytest.mark.parametrize("frames", [7, 40, 85, 160, 1000, -40])
def test_all_keys_of_all_lines_are_moved(head, frames):
    """Lines may then lie where others were."""
    keys, path = {uid: first + 30 for uid, first in FIRST.items()}, fcurves.value_path("jawOpen")
    for frame in keys.values():
        head.key("jawOpen", frame, 0.9)
    before = head.values(1, END)
    move_all(head, (0, END), frames)
    slide(head, "b")
    assert {uid: head.record(uid).first_frame - frames for uid in FIRST} == FIRST
    for uid, frame in keys.items():
        assert lines.edits(head.action, head.record(uid)).ranges == {path: [(frame + frames,) * 2]}
    first = 50 if frames < 0 else 1
    for name, values in head.values(first + frames, END + frames).items():
        far = away(first, END, name, [*keys.values()])
        np.testing.assert_allclose(values[far], before[name][first - 1 :][far], atol=CLOSE)
    for uid in FIRST:
        generate(head, uid)
    for name, values in head.values(1, END).items():
        far = away(1, END, name, [*keys.values()])
        np.testing.assert_allclose(values[far], before[name][far], atol=CLOSE)


@pytest.mark.parametrize("frames", [100, 130, 160, 235, 250])
@pytest.mark.parametrize("own", [None, 85, 100])
def test_keys_of_a_line_are_moved_onto_another(head, frames, own):
    """Both are there afterwards, each with its own frames, and no generated key counts as the artist's."""
    before = head.values(1, END)
    if own is not None:
        head.key("jawOpen", own, 0.9)
    move_all(head, window("a"), frames)
    slide(head, "a")
    assert head.record("a").first_frame == FIRST["a"] + frames and head.record("b").first_frame == FIRST["b"]
    ranges = {} if own is None else {fcurves.value_path("jawOpen"): [(own + frames,) * 2]}
    assert lines.edits(head.action, head.record("a")).ranges == ranges
    expected = new_head()
    for uid, first in (FIRST | {"a": FIRST["a"] + frames}).items():
        expected.speak(uid, first, made_for(uid))
    both, now = expected.values(1, END), head.values(1, END)
    for name in KEYS:
        far = away(1, END, name, [] if own is None else [own + frames])
        np.testing.assert_allclose(now[name][far], both[name][far], atol=2 * ErrorBound().value)
    for uid in FIRST:
        generate(head, uid)
    assert uids(head) == list(FIRST)
    now = head.values(1, END)
    for name in KEYS:
        far = away(1, END, name, [] if own is None else [own])
        np.testing.assert_allclose(now[name][far], before[name][far], atol=2 * ErrorBound().value)


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_a_key_in_a_gap_stays_there_when_the_lines_beside_it_are_removed(head, order):
    gap = (FIRST["a"] + FRAMES + FIRST["b"]) // 2
    head.key("jawOpen", gap, 0.6)
    inside = np.arange(FIRST["a"] + FRAMES + 10, FIRST["b"] - 10)
    before = head.values(inside[0], inside[-1])["jawOpen"]
    for uid in order:
        head.remove(uid)
        now = head.values(1, 700)["jawOpen"]
        assert now[gap - 1] == pytest.approx(0.6, abs=1e-4)
        assert np.abs(head.values(inside[0], inside[-1])["jawOpen"] - before).max() < 0.02
        for ended in order[: order.index(uid) + 1]:
            middle = FIRST[ended] + FRAMES // 2
            assert abs(now[middle - 1]) < 1e-3, "a removed line leaves nothing behind"
