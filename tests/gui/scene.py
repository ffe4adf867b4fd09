"""A scene of several lines in a window: batch with a line that fails, its undo, preview, mouth graph, playblast."""

import os
import sys
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import stage
from stage import Stopwatch, add_on, check, install, measured, shot, until, window_override

LINES = (("Anna_01", 25), ("Ben_01", 200), ("Anna_02", 400), ("Anna_lost", 600))
PICTURE = 256  # pixels of the film: a software renderer is slow


def idle() -> bool:
    return add_on().session.batch is None


def scene() -> bpy.types.Scene:
    return bpy.context.scene


def lines() -> list[str]:
    """The strips that were generated."""
    mark = add_on().scene.actions.MARK
    return sorted(action[mark]["strip"] for action in bpy.data.actions if mark in action and action[mark]["strip"])


def film_done() -> bool:
    return not bpy.app.is_job_running("RENDER") and not add_on().scene.playblast.left_behind()


def press(operator, **settings) -> None:
    with window_override():
        operator("INVOKE_DEFAULT", **settings)


def press_escape() -> None:
    window = bpy.context.window_manager.windows[0]
    window.event_simulate(type="MOUSEMOVE", value="NOTHING", x=400, y=600)
    window.event_simulate(type="ESC", value="PRESS", x=400, y=600)
    window.event_simulate(type="ESC", value="RELEASE", x=400, y=600)


def playing() -> bool:
    return bpy.context.window_manager.windows[0].screen.is_animation_playing


def open_panels() -> None:
    """The subpanels of this session, as if the artist had opened them."""
    panels = add_on().panels
    classes = [panels.watch.LSF_PT_view3d_watch, panels.batch.LSF_PT_view3d_batch]
    for cls in reversed(classes):
        bpy.utils.unregister_class(cls)
    for cls in classes:
        cls.bl_options = set()
        bpy.utils.register_class(cls)


def prepare():
    install()
    bpy.context.preferences.view.ui_scale = 0.75  # all panels on one screen
    yield 0.2
    open_panels()
    for name, place in (("Anna", 0.0), ("Ben", 0.4)):
        with window_override():
            bpy.ops.lsf.add_head()
        bpy.context.object.name, bpy.context.object.location.x = name, place
    editor = scene().sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    for name, frame in LINES:
        strip = strips.new_sound(name, os.environ["LSF_GUI_AUDIO"], 1, frame)
    strip.sound = strip.sound.copy()
    strip.sound.filepath = "/nowhere/lost.wav"
    scene().frame_end = 560
    window = bpy.context.window_manager.windows[0]
    timeline = next(area for area in window.screen.areas if area.type == "DOPESHEET_EDITOR")
    timeline.type = "SEQUENCE_EDITOR"
    with bpy.context.temp_override(window=window):
        bpy.ops.screen.area_move(x=timeline.x + 100, y=timeline.y + timeline.height, delta=150)
    if hasattr(bpy.context.workspace, "sequencer_scene"):
        bpy.context.workspace.sequencer_scene = scene()
    for area in window.screen.areas:
        if area.type == "VIEW_3D":
            area.spaces.active.show_region_ui = True
    yield 0.3
    with window_override("SEQUENCE_EDITOR"):
        bpy.ops.sequencer.view_all()
    with window_override():
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_all()
    for area in window.screen.areas:
        for region in area.regions:
            if region.type == "UI" and area.type == "VIEW_3D":
                region.active_panel_category = "LSF"


def batch_steps():
    with window_override():
        bpy.ops.lsf.list_lines()
    bpy.ops.ed.undo_push(message="listed")
    press(bpy.ops.lsf.generate_all)
    yield from until(lambda: idle() or add_on().session.batch.results)
    yield from shot("scene_1_running")
    took = yield from until(idle)
    measured["the rest of the lines, s"] = round(took, 1)
    measured["result"] = add_on().session.message
    failures = dict(add_on().session.failures)
    check(lines() == ["Anna_01", "Anna_02", "Ben_01"], f"generated were {lines()}")
    check(set(failures) == {"Anna_lost"} and "missing" in failures["Anna_lost"], f"failed: {failures}")
    yield from shot("scene_2_done")
    with window_override():
        bpy.ops.ed.undo()
    yield 0.3
    check(not lines() and all(obj.data.shape_keys is None for obj in bpy.data.objects), "one undo left something")
    with window_override():
        bpy.ops.ed.redo()
    yield 0.3
    check(lines() == ["Anna_01", "Anna_02", "Ben_01"], "redo did not bring the lines back")


def preview_steps():
    scene().lsf.head, scene().lsf.strip = bpy.data.objects["Anna"], "Anna_01"
    scene().sync_mode = "FRAME_DROP"
    press(bpy.ops.lsf.show_mouth_graph)
    for way in ("the button", "Esc"):
        press(bpy.ops.lsf.preview)
        yield 1.0
        check(playing() and scene().sync_mode == "AUDIO_SYNC" and scene().frame_preview_start == 25, "it does not play")
        if way == "Esc":
            press_escape()
        else:
            yield from shot("scene_3_playing")
            press(bpy.ops.lsf.preview)
        yield 0.5
        check(not playing(), f"{way} does not stop it")
        check(scene().sync_mode == "FRAME_DROP" and not scene().use_preview_range, f"settings after {way}")


def film_steps():
    bpy.ops.wm.save_as_mainfile(filepath=str(stage.OUT / "shot.blend"))
    add_on().scene.playblast.FACE_SIZE = PICTURE
    with Stopwatch() as still:
        press(bpy.ops.lsf.playblast)
        yield 1.0
        yield from shot("scene_4_rendering")
        measured["the film, s"] = round((yield from until(film_done, 300)), 1)
    measured["longest standstill while rendering, ms"] = still.longest()
    check((stage.OUT / "shot_Anna_01_001.mp4").stat().st_size > 10000, "no film")
    check(len(bpy.data.scenes) == 1 and not any(camera.name.startswith("LSF") for camera in bpy.data.cameras),
          "the copy of the scene stayed")


def steps():
    yield from prepare()
    yield from batch_steps()
    yield from preview_steps()
    yield from film_steps()
    bpy.ops.preferences.addon_disable(module=add_on().__name__)


stage.run(steps())
