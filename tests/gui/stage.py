"""What the sessions in a window share: the window, screenshots, waiting, a stopwatch, and the loop that runs them."""

import json
import os
import time
import traceback
from pathlib import Path

import bpy

OUT = Path(os.environ["LSF_GUI_OUT"])

measured, failures = {}, []


def check(holds: bool, sentence: str) -> None:
    if not holds:
        failures.append(sentence)


def window_override(area_type: str = "VIEW_3D", region_type: str = "WINDOW"):
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == area_type)
    region = next(region for region in area.regions if region.type == region_type)
    return bpy.context.temp_override(window=window, area=area, region=region)


def shot(name: str):
    """Ask run.py for a screenshot, and wait for it."""
    yield 1.5  # drawn by then, and the panels have glided to their places
    request = OUT / f"{name}.request"
    request.touch()
    while request.exists():
        yield 0.05


def until(condition, seconds: float = 120.0):
    """Wait; returns how long it took."""
    start = time.perf_counter()
    while not condition():
        if time.perf_counter() - start > seconds:
            raise TimeoutError(f"waited {seconds} s for {condition.__name__}")
        yield 0.005
    return time.perf_counter() - start


def add_on():
    import sys
    return next(module for name, module in sys.modules.items() if name.endswith(".lsf_animation"))


class Stopwatch:
    """Ticks every 2 ms, as far as Blender's main thread lets it: the gaps tell how long the window stood still."""

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
        self._tick()  # a standstill that lasts to the end counts
        self._on = False

    def longest(self, before: float = float("inf")) -> float:
        """Milliseconds of the longest gap that ended before a time."""
        return round(1000 * max(gap for end, gap in self._gaps if end < before), 1)


def install() -> None:
    """Install the add-on from its zip, and remove what the start file has."""
    bpy.ops.extensions.package_install_files(filepath=os.environ["LSF_GUI_ZIP"], repo="user_default",
                                             enable_on_install=True)
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)


def run(steps) -> None:
    """Go through the steps of a session, a generator of seconds to wait, from a timer; then write results and quit."""
    bpy.context.preferences.view.show_splash = False

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


def add_line(channel: int):
    """The line of speech from frame 25 on as the active strip, in a sequencer that shows this scene."""
    scene = bpy.context.scene
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    editor.active_strip = strips.new_sound("line", os.environ["LSF_GUI_AUDIO"], channel, 25)
    if hasattr(bpy.context.workspace, "sequencer_scene"):
        bpy.context.workspace.sequencer_scene = scene
    return editor.active_strip


def face_the_head():
    """The viewport from the front on what is selected, with the LSF tab open."""
    for area in bpy.context.window_manager.windows[0].screen.areas:
        if area.type == "VIEW_3D":
            area.spaces.active.show_region_ui = True
    yield 0.3
    with window_override():
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_selected()
    for area in bpy.context.window_manager.windows[0].screen.areas:
        for region in area.regions:
            if region.type == "UI" and area.type == "VIEW_3D":
                region.active_panel_category = "LSF"
