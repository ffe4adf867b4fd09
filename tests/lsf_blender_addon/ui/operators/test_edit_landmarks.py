"""Which events Edit Landmarks handles and which it passes on. tests/gui/face.py tests it in a real window."""

from types import SimpleNamespace

import numpy as np
import pytest

from lsf_blender_addon.scene.landmarks.surface import Surface, SurfacePoint
from lsf_blender_addon.ui.landmark_editor.editor import Editor
from lsf_blender_addon.ui.operators.edit_landmarks import LSF_OT_edit_landmarks as Operator


@pytest.fixture
def context():
    """A screen with a viewport of 400 by 300 pixels, a sidebar over its right part, and a timeline below."""

    def region(type, x, y, width, height):
        return SimpleNamespace(type=type, x=x, y=y, width=width, height=height)

    viewport = SimpleNamespace(
        type="VIEW_3D",
        regions=[region("WINDOW", 0, 100, 400, 300), region("UI", 300, 100, 100, 300), region("HUD", 0, 100, 1, 1)],
    )
    timeline = SimpleNamespace(type="DOPESHEET_EDITOR", regions=[region("WINDOW", 0, 0, 400, 100)])
    return SimpleNamespace(screen=SimpleNamespace(areas=[viewport, timeline]))


@pytest.fixture
def operator():
    """The operator with what it calls written down in `calls`."""
    surface = Surface(np.eye(3), np.array([[0, 1, 2]]))
    here = SurfacePoint((0, 1, 2), (0.2, 0.3, 0.5))
    fake = SimpleNamespace(calls=[], _editor=Editor(surface, dict.fromkeys(range(68), here), {48: here}))
    fake._point = lambda region, event: fake.calls.append(("point", region.type, event.type))
    fake._type = lambda event: (fake.calls.append(("type", event.type)), Operator._type(fake, event))
    fake._keep = lambda context: fake.calls.append("keep") or {"FINISHED"}
    fake._leave = lambda context: fake.calls.append("leave")
    fake._show = lambda context: None
    return fake


def event(type, value="PRESS", at=(150, 200), **modifiers):
    return SimpleNamespace(
        **{
            "type": type,
            "value": value,
            "mouse_x": at[0],
            "mouse_y": at[1],
            "alt": False,
            "ctrl": False,
            "shift": False,
            "oskey": False,
        }
        | modifiers
    )


@pytest.mark.parametrize(
    "passed",
    [
        event("TIMER", "NOTHING"),
        event("TIMER0", "NOTHING"),
        event("MIDDLEMOUSE"),
        event("WHEELUPMOUSE"),
        event("NUMPAD_1"),
        event("NDOF_MOTION", "NOTHING"),
        event("TRACKPADPAN", "NOTHING"),
        event("LEFTMOUSE", alt=True),
        event("LEFTMOUSE", at=(350, 200)),
        event("MOUSEMOVE", "NOTHING", at=(150, 50)),
        event("X", at=(150, 50)),
    ],
)
def test_navigation_timers_and_other_editors_go_on(operator, context, passed):
    assert Operator.modal(operator, context, passed) == {"PASS_THROUGH"}
    assert not operator.calls


@pytest.mark.parametrize(
    ("taken", "call"),
    [
        (event("LEFTMOUSE"), ("point", "WINDOW", "LEFTMOUSE")),
        (event("MOUSEMOVE", "NOTHING"), ("point", "WINDOW", "MOUSEMOVE")),
        (event("X"), ("type", "X")),
    ],
)
def test_what_edits_is_taken(operator, context, taken, call):
    assert Operator.modal(operator, context, taken) == {"RUNNING_MODAL"}
    assert operator.calls == [call]


@pytest.mark.parametrize(
    ("end", "result", "call"),
    [
        (event("RET"), {"FINISHED"}, "keep"),
        (event("NUMPAD_ENTER"), {"FINISHED"}, "keep"),
        (event("ESC"), {"CANCELLED"}, "leave"),
        (event("RIGHTMOUSE"), {"CANCELLED"}, "leave"),
        (event("ESC", at=(150, 50)), {"CANCELLED"}, "leave"),
    ],
)
def test_how_it_ends(operator, context, end, result, call):
    assert Operator.modal(operator, context, end) == result and operator.calls == [call]


def test_while_dragging_the_pointer_may_leave(operator, context):
    """The release outside of the viewport still ends the drag, and keys wait."""
    operator._editor.dragged = 48
    assert Operator.modal(operator, context, event("MOUSEMOVE", "NOTHING", at=(350, 200))) == {"RUNNING_MODAL"}
    assert Operator.modal(operator, context, event("X")) == {"RUNNING_MODAL"} and not operator.calls
    Operator.modal(operator, context, event("LEFTMOUSE", "RELEASE", at=(350, 200)))
    assert operator._editor.dragged is None


def test_keys(operator, context):
    editor = operator._editor
    Operator.modal(operator, context, event("F"))
    assert editor.anchors_only
    Operator.modal(operator, context, event("R", shift=True))
    assert not editor.own
    Operator.modal(operator, context, event("Z", ctrl=True))
    assert set(editor.own) == {48}
    Operator.modal(operator, context, event("Z"))
    assert set(editor.own) == {48}
