"""Custom properties that hold nonsense: a script or another add-on has written there, or a file is damaged.

Nothing may raise an error where the artist can do nothing about it, fill the memory, or take long; other lines play on.
"""

import time

import bpy
import numpy as np
import pytest

from lsf_blender_addon.animation import actions, curve_record, lines
from lsf_blender_addon.prediction import store, takes
from lsf_blender_addon.scene.own_properties import lines_of
from tests.lsf_blender_addon.animation.stage import EVERYWHERE, SAME, Head, motion, new_head, prediction, uids

FIRST = {"a": 60, "b": 220}
END = 320
QUICK = 20.0  # seconds, on a machine that is busy: what must not happen takes minutes, or all memory
WINDOW_A, WINDOW_B = slice(55, 135), slice(215, 295)
INT = 2**31 - 1


@pytest.fixture
def head(addon) -> Head:
    head = new_head()
    for number, (uid, first) in enumerate(FIRST.items()):
        head.speak(uid, first, prediction(motion(seed=number)))
        takes.add(head.action, uid)
    return head


def use_everything(head: Head) -> None:
    """What panels and buttons do with a head's lines."""
    start = time.monotonic()
    for record in lines_of(head.action):
        lines.edits(head.action, record)
        lines.summary(head.action, record)
        lines.overlapping(head.action, record)
        store.has_expression(head.action, record.uid)
        store.detected_emotion(head.action, record.uid)
        takes.count(head.action, record.uid)
        takes.playing(head.action, record.uid)
    lines.sources_of(head.action)
    lines.windows(head.action)
    for index in range(len(lines_of(head.action))):
        lines_of(head.action)[index].tweaks.jaw = 0.5
        lines_of(head.action)[index].tweaks.jaw = 1.0
    takes.add(head.action, "a")
    head.speak("b", FIRST["b"], prediction(motion(seed=1)))
    assert time.monotonic() - start < QUICK


def check_b(head: Head, before: dict[str, np.ndarray]) -> None:
    """Line b plays as before."""
    now = head.values(1, END)
    for name in EVERYWHERE:
        np.testing.assert_allclose(now[name][WINDOW_B], before[name][WINDOW_B], atol=0.0202)


@pytest.mark.parametrize(
    "window",
    [(0, 0), (5, 5), (100, 50), (-INT, INT), (INT, -INT), (INT - 1, INT), (-INT - 1, -INT), (0, 10**8), (0, 2 * 10**5)],
)
def test_windows_of_nonsense(head, window):
    before = head.values(1, END)
    head.record("a").window = window
    use_everything(head)
    check_b(head, before)
    head.speak("a", FIRST["a"], prediction(motion(seed=0)))
    check_b(head, before)
    np.testing.assert_allclose(
        head.values(1, END)["jawOpen"][WINDOW_A], before["jawOpen"][WINDOW_A], atol=0.0202, err_msg="line a is back"
    )
    head.remove("a")
    check_b(head, before)


@pytest.mark.parametrize("first", [INT, -INT, 10**6, -(10**6)])
@pytest.mark.parametrize("name", ["first_frame", "offset"])
def test_places_beyond_the_end_of_time(head, name, first):
    before = head.values(1, END)
    record = head.record("a")
    if name == "first_frame":
        record.first_frame = first
    else:
        record.tweaks["offset"] = first
    use_everything(head)
    check_b(head, before)
    head.remove("a")
    check_b(head, before)


@pytest.mark.parametrize(
    ("name", "value"),
    [("frames", INT), ("frames", 0), ("fps", 1e30), ("fps", 0.01), ("start", -1e30), ("content", float("nan"))],
)
def test_strips_of_nonsense(head, name, value):
    before = head.values(1, END)
    setattr(head.record("a"), name, value)
    use_everything(head)
    check_b(head, before)
    head.remove("a")
    check_b(head, before)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fps", 1e30),
        ("fps", float("inf")),
        ("fps", float("nan")),
        ("fps", -24.0),
        ("fps", "x"),
        ("channels", "jawOpen"),
        ("motion", 3),
        ("motion", {"shape": [10**9, 10**9], "scale": 1.0, "bytes": b"abc"}),
        ("motion", {"shape": [72, -6], "scale": 1.0, "bytes": b"abc"}),
        ("blinks", {"shape": [1], "scale": 1.0, "bytes": b""}),
        ("version", 99),
    ],
)
def test_predictions_of_nonsense(head, name, value):
    before = head.values(1, END)
    del head.action[store.PROPERTY]["a"][name]
    head.action[store.PROPERTY]["a"][name] = value
    use_everything(head)
    check_b(head, before)
    for key in EVERYWHERE:
        np.testing.assert_allclose(head.values(1, END)[key][WINDOW_A], before[key][WINDOW_A], atol=SAME)
    head.remove("a")
    check_b(head, before)


@pytest.mark.parametrize("name", [store.PROPERTY, takes.PROPERTY, curve_record.PROPERTY])
@pytest.mark.parametrize("value", [3, "x", {}, {"a": 3, "b": "x"}, [1, 2], None])
def test_properties_of_another_kind(head, name, value):
    del head.action[name]
    if value is not None:
        head.action[name] = value
    use_everything(head)
    assert uids(head) == list(FIRST)
    head.remove("a")
    head.speak("b", FIRST["b"], prediction(motion(seed=4)))
    assert np.abs(head.values(1, END)["jawOpen"][WINDOW_B]).max() > 0.1


@pytest.mark.parametrize("value", [3, "x", {"a": 1}, "object", "action"])
def test_a_pointer_to_something_else(head, value):
    """The Action that plays counts; the pointer is put right."""
    before, action, other = head.values(1, END), head.action, value
    if value in ("object", "action"):
        other = head.object if value == "object" else bpy.data.actions.new("theirs")
    head.keys[actions.POINTER] = other
    assert head.action == action
    use_everything(head)
    check_b(head, before)
    assert head.keys[actions.POINTER] == action
    head.data.action = None
    head.keys[actions.POINTER] = other
    assert head.action is None
    head.speak("a", FIRST["a"], prediction(motion(seed=0)))
    assert uids(head) == ["a"] and len(compatible(head)) == 1


def compatible(head: Head) -> list[bpy.types.Action]:
    """The generated Actions that the head plays."""
    return [head.data.action] if actions.is_generated(head.data.action) else []


@pytest.mark.parametrize("uid", ["a", ""])
def test_lines_with_the_same_id_or_none(head, uid):
    before = head.values(1, END)
    record = lines_of(head.action).add()
    record.uid, record.name, record.first_frame = uid, "twin", 60
    use_everything(head)
    check_b(head, before)
    for record in ["a", "a"] if uid else [""]:
        lines.remove(head.mesh, head.action, next(r for r in lines_of(head.action) if r.uid == record))
        check_b(head, before)


def test_a_line_without_anything(head):
    before = head.values(1, END)
    lines_of(head.action).add()
    use_everything(head)
    check_b(head, before)
    assert lines.find(head.action, "") is None


def test_an_action_without_lines(head):
    lines_of(head.action).clear()
    lines.adopt_moves(head.action)
    assert lines.windows(head.action) == []
    head.speak("a", FIRST["a"], prediction(motion(seed=0)))
    assert uids(head) == ["a"]
