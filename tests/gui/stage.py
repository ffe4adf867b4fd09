"""Helpers of the sessions: scene, window, waiting, a stopwatch, and the timer that runs a session."""

import json
import os
import sys
import time
import traceback
from pathlib import Path

import bpy

OUT = Path(os.environ["LSF_GUI_OUT"])

measured: dict[str, object] = {}  # what results.json reports, by name
failures: list[str] = []


def check(holds: bool, sentence: str) -> None:
    """Note a failure and go on."""
    if not holds:
        failures.append(sentence)


def window() -> bpy.types.Window:
    return bpy.context.window_manager.windows[0]


def area_of(kind: str) -> bpy.types.Area:
    return next(area for area in window().screen.areas if area.type == kind)


def region_of(area: bpy.types.Area, kind: str = "WINDOW") -> bpy.types.Region:
    return next(region for region in area.regions if region.type == kind)


def window_override(area_type: str = "VIEW_3D"):
    area = area_of(area_type)
    return bpy.context.temp_override(window=window(), area=area, region=region_of(area))


def press(operator, **settings) -> None:
    """Call an operator as a button in the viewport does."""
    with window_override():
        operator("INVOKE_DEFAULT", **settings)


def undo() -> None:
    with window_override():
        bpy.ops.ed.undo()


def redo() -> None:
    with window_override():
        bpy.ops.ed.redo()


def press_escape() -> None:
    for kind, value in (("MOUSEMOVE", "NOTHING"), ("ESC", "PRESS"), ("ESC", "RELEASE")):
        window().event_simulate(type=kind, value=value, x=400, y=600)


def until(condition, seconds: float = 120.0):
    """Wait until a condition holds; returns how many seconds it took."""
    start = time.perf_counter()
    while not condition():
        if time.perf_counter() - start > seconds:
            raise TimeoutError(f"waited {seconds} s for {condition.__name__}")
        yield 0.005
    return time.perf_counter() - start


def add_on():
    return next(module for name, module in sys.modules.items() if name.endswith(".lsf_animation"))


def idle() -> bool:
    """Whether no job is running."""
    return add_on().jobs.session.batch is None


def head() -> bpy.types.Object:
    return bpy.data.objects["LSF Head"]


def action() -> bpy.types.Action:
    return head().data.shape_keys.animation_data.action


class Stopwatch:
    """A timer of 2 ms on Blender's main thread: gaps between its calls are times for which the window froze."""

    def __enter__(self):
        self._gaps, self._last, self._on = [], time.perf_counter(), True
        bpy.app.timers.register(self._tick)
        return self

    def _tick(self):
        now = time.perf_counter()
        self._gaps.append((now, now - self._last))
        self._last = now
        return 0.002 if self._on else None

    def __exit__(self, *_):
        self._tick()  # a freeze that lasts to the end counts
        self._on = False

    def longest(self, before: float = float("inf")) -> float:
        """Milliseconds of the longest gap that ended before a time."""
        return round(1000 * max(gap for end, gap in self._gaps if end < before), 1)


def show_panels(*opened: str, others: bool = True) -> None:
    """Open these subpanels of the viewport's sidebar, and close or remove the others.

    A panel that was drawn before keeps its state, which Blender remembers.
    """
    prefix = "LSF_PT_view3d_"
    classes = [cls for cls in add_on().ui.registration.CLASSES if cls.__name__.startswith(prefix)]
    for cls in reversed(classes):
        if cls.is_registered:
            bpy.utils.unregister_class(cls)
    for cls in classes:
        is_open = cls.__name__.removeprefix(prefix) in opened
        if is_open or others:
            cls.bl_options = set() if is_open else {"DEFAULT_CLOSED"}
            bpy.utils.register_class(cls)


def add_line(name: str = "line", channel: int = 1, frame: int = 25, audio: str = os.environ["LSF_GUI_AUDIO"]):
    """Add a line of speech as the active strip, in a sequencer that shows this scene."""
    scene = bpy.context.scene
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    editor.active_strip = strips.new_sound(name, audio, channel, frame)
    if hasattr(bpy.context.workspace, "sequencer_scene"):
        bpy.context.workspace.sequencer_scene = scene
    return editor.active_strip


def open_sequencer(height: int):
    """Turn the timeline into a sequencer that shows all strips, and make it higher by some pixels."""
    area = area_of("DOPESHEET_EDITOR")
    area.type = "SEQUENCE_EDITOR"
    area.spaces.active.show_region_ui = True
    with bpy.context.temp_override(window=window()):
        bpy.ops.screen.area_move(x=area.x + 100, y=area.y + area.height, delta=height)
    yield 0.3
    area.spaces.active.timeline_overlay.show_strip_source = False
    with window_override("SEQUENCE_EDITOR"):
        bpy.ops.sequencer.view_all()


def show_heads_from_the_front():
    """Show all heads from the front in the viewport, and the LSF tab in every sidebar."""
    space = area_of("VIEW_3D").spaces.active
    space.show_region_ui = True
    space.overlay.show_cursor = space.overlay.show_object_origins = False  # they lie on the nose
    yield 0.3
    with window_override():
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_all()
    for area in window().screen.areas:
        if area.type in {"VIEW_3D", "SEQUENCE_EDITOR"}:
            region_of(area, "UI").active_panel_category = "LSF"


def run(steps, emptied: bool = True) -> None:
    """Run a session from a timer, then write the results and quit.

    Args:
        steps: The session, a generator that yields how many seconds to wait.
        emptied: Whether it begins without the objects of the factory file.
    """
    bpy.context.preferences.view.show_splash = False
    steps = _with_add_on(steps, emptied)

    def advance() -> float | None:
        try:
            return next(steps) or 0.0
        except StopIteration:
            pass
        except Exception:
            failures.append(traceback.format_exc())
        (OUT / "results.json").write_text(json.dumps({"measured": measured, "failures": failures}, indent=1))
        bpy.ops.wm.quit_blender()
        return None

    bpy.app.timers.register(advance, first_interval=1.0, persistent=True)


def _with_add_on(steps, emptied: bool):
    """Install the add-on from its zip, run the steps, and disable the add-on; see `run`."""
    bpy.ops.extensions.package_install_files(
        filepath=os.environ["LSF_GUI_ZIP"], repo="user_default", enable_on_install=True
    )
    for obj in list(bpy.data.objects) if emptied else ():
        bpy.data.objects.remove(obj)
    yield 0.2
    yield from steps
    show_panels()  # all of them, as the add-on takes away what it registered
    bpy.ops.preferences.addon_disable(module=add_on().__name__)
