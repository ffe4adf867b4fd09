"""A scene with several lines, in a window: batch with a line that fails, its undo, preview, mouth graph, playblast."""

import sys
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import stage
from shots import shot, shot_of_panels
from stage import Stopwatch, add_on, check, idle, measured, press, until, window_override

LINES = (("Anna_01", 25), ("Ben_01", 200), ("Anna_02", 400), ("Anna_lost", 600))
PICTURE_SIZE = 256  # pixels of the playblast: a software renderer is slow


def scene() -> bpy.types.Scene:
    return bpy.context.scene


def lines() -> list[str]:
    """Names of the lines of both heads."""
    generated = [action for action in bpy.data.actions if add_on().animation.actions.is_generated(action)]
    return sorted(line.name for action in generated for line in action.lsf.lines)


def is_playblast_done() -> bool:
    return not bpy.app.is_job_running("RENDER") and not add_on().preview.playblast.remaining_scenes()


def is_playing() -> bool:
    return stage.window().screen.is_animation_playing


def prepare():
    stage.show_panels("watch", "batch", others=False)
    for name, x in (("Anna", 0.0), ("Ben", 0.4)):
        press(bpy.ops.lsf.add_head)
        bpy.context.object.name, bpy.context.object.location.x = name, x
    for name, frame in LINES:
        strip = stage.add_line(name, frame=frame)
    strip.sound = strip.sound.copy()
    strip.sound.filepath = "/nowhere/lost.wav"
    scene().frame_end = 560
    yield from stage.open_sequencer(60)
    yield from stage.show_heads_from_the_front()


def batch_steps():
    with window_override():
        bpy.ops.lsf.list_lines()
    bpy.ops.ed.undo_push(message="listed")
    press(bpy.ops.lsf.generate_all)
    yield from until(lambda: idle() or add_on().jobs.session.batch.results)
    yield from shot("scene_1_running")
    took = yield from until(idle)
    measured["the rest of the lines, s"] = round(took, 1)
    measured["result"] = add_on().jobs.session.message
    failures = dict(add_on().jobs.session.failures)
    check(lines() == ["Anna_01", "Anna_02", "Ben_01"], f"generated were {lines()}")
    check(set(failures) == {"Anna_lost"} and "missing" in failures["Anna_lost"], f"failed: {failures}")
    yield from shot("scene_2_done")
    stage.show_panels("batch", others=False)
    yield from shot_of_panels("panel_batch")
    stage.show_panels("watch", "batch", others=False)
    stage.undo()
    yield 0.3
    check(not lines() and all(obj.data.shape_keys is None for obj in bpy.data.objects), "one undo left something")
    stage.redo()
    yield 0.3
    check(lines() == ["Anna_01", "Anna_02", "Ben_01"], "redo did not bring the lines back")


def preview_steps():
    scene().lsf.head, scene().lsf.strip = bpy.data.objects["Anna"], "Anna_01"
    scene().sync_mode = "FRAME_DROP"
    press(bpy.ops.lsf.show_mouth_graph)
    for way in ("the button", "Esc"):
        press(bpy.ops.lsf.preview)
        yield 1.0
        check(
            is_playing() and scene().sync_mode == "AUDIO_SYNC" and scene().frame_preview_start == 25, "it does not play"
        )
        if way == "Esc":
            stage.press_escape()
        else:
            yield from shot("scene_3_playing")
            press(bpy.ops.lsf.preview)
        yield 0.5
        check(not is_playing(), f"{way} does not stop it")
        check(scene().sync_mode == "FRAME_DROP" and not scene().use_preview_range, f"settings after {way}")


def playblast_steps():
    bpy.ops.wm.save_as_mainfile(filepath=str(stage.OUT / "shot.blend"))
    add_on().preview.playblast.FACE_SIZE = PICTURE_SIZE
    with Stopwatch() as still:
        press(bpy.ops.lsf.playblast)
        yield 1.0
        yield from shot("scene_4_rendering")
        measured["the playblast, s"] = round((yield from until(is_playblast_done, 300)), 1)
    measured["longest freeze while rendering, ms"] = still.longest()
    check((stage.OUT / "shot_Anna_01_001.mp4").stat().st_size > 10000, "no playblast")
    check(
        len(bpy.data.scenes) == 1 and not any(camera.name.startswith("LSF") for camera in bpy.data.cameras),
        "the copy of the scene stayed",
    )


def steps():
    yield from prepare()
    yield from batch_steps()
    yield from preview_steps()
    yield from playblast_steps()


stage.run(steps())
