"""Generate in a window: progress, undo, Esc, Cancel, Edit Mode and another file during a job, with times."""

import contextlib
import itertools
import sys
import time
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import stage
from shots import only, shot
from stage import Stopwatch, add_on, check, head, idle, measured, press, until, window_override

BLOCK = 0.05  # seconds that a running job may hold Blender's main thread

handler_calls: list[tuple[float, float]] = []  # begin and end of each call of the operator's modal()
panel_calls: list[tuple[float, float]] = []  # begin and end of each call of the panels' draw()

# Factors of the head's width. None is used twice, also after undo, because its face would be in the cache. A uniform
# scale would not do: the head would still be the project's own, which needs no fit.
widths = itertools.count(1.001, 0.001)


def press_generate_with_fit() -> None:
    """Generate for a head of another width, whose face is fitted first: that takes seconds, in which to interfere."""
    head().scale.x = next(widths)
    bpy.context.view_layer.update()
    press(bpy.ops.lsf.generate)


def until_running():
    """Wait until the server works on the job."""

    def is_running() -> bool:
        batch = add_on().jobs.session.batch
        generation = batch.active.work if batch is not None and batch.active else None
        return generation is not None and generation.job is not None and not generation.state.ended

    yield from until(lambda: is_running() or idle())
    check(is_running(), "the job had ended before it was seen running: is the computer busy?")


def the_job():
    """Wait until the job is sent; returns it."""
    generation = add_on().jobs.session.batch.active.work
    while generation.job is None:
        yield 0.002
    return generation.job


def curves() -> int:
    keys = head().data.shape_keys
    return len(keys.key_blocks) if keys else 0


def editors() -> tuple[int, int, int, int]:
    """The part of the window with viewport and sequencer: left, lower edge, width, height."""
    upper, lower = stage.area_of("VIEW_3D"), stage.area_of("SEQUENCE_EDITOR")
    return lower.x, lower.y, lower.width, upper.y + upper.height - lower.y


def prepare():
    press(bpy.ops.lsf.add_head)
    stage.add_line()
    bpy.context.scene.frame_end = 200
    yield from stage.open_sequencer(220)
    yield from stage.show_heads_from_the_front()
    bpy.ops.ed.undo_push(message="prepared")
    time_methods()


def time_methods() -> None:
    """Record when each call of the operator's modal() and of the panels' draw() begins and ends."""
    operator, panel = add_on().ui.operators.generate.LSF_OT_generate, add_on().ui.panels.main._MainPanel
    modal, draw = operator.modal, panel.draw

    def timed_modal(self, context, event):  # Blender counts the arguments: no *arguments
        with clock(handler_calls):
            return modal(self, context, event)

    def timed_draw(self, context):
        with clock(panel_calls):
            draw(self, context)

    operator.modal, panel.draw = timed_modal, timed_draw


@contextlib.contextmanager
def clock(calls: list):
    begin = time.perf_counter()
    yield
    calls.append((begin, time.perf_counter()))


def steps():
    yield from prepare()
    yield from shot("1_ready")
    session = add_on().jobs.session

    with Stopwatch() as still:
        yield 2.0
    measured["longest freeze of an idle window, ms"] = still.longest()
    with Stopwatch() as still:
        for _ in range(20):
            session.redraw()
            yield 0.1
    measured["the same while the sidebars are only drawn, ms"] = still.longest()

    # Generate: progress is shown, the window does not freeze, the result is there
    start = time.perf_counter()
    press(bpy.ops.lsf.generate)
    measured["Generate returns after, ms"] = round(1000 * (time.perf_counter() - start), 1)
    check(not idle(), "Generate did not start")
    with Stopwatch() as still:
        yield from until_running()
        yield from shot("2_at_work")
        yield from until(idle)
        yield 0.5
    took = [end - begin for begin, end in handler_calls]
    measured["draw() of a panel, longest, ms"] = round(1000 * max(end - begin for begin, end in panel_calls), 2)
    measured["modal() during a job, longest, ms"] = round(1000 * max(took[:-1]), 2)
    measured["modal() that writes the result, ms"] = round(1000 * took[-1], 1)
    check(max(took[:-1]) < BLOCK, "a tick of the operator took longer than 50 ms")
    measured["longest freeze during a job, ms"] = still.longest(before=handler_calls[-1][0])
    measured["the same with writing, undo step and first drawing, ms"] = still.longest()
    measured["result"] = session.message
    check(curves() > 10 and not session.failed, f"no result: {session.message}")

    # Undo removes everything in one step, redo restores it
    count = curves()
    stage.undo()
    yield 0.3
    check(curves() == 0 and not bpy.data.actions, "undo left something of the result")
    stage.redo()
    yield 0.3
    check(curves() == count and len(bpy.data.actions) >= 1, "redo did not bring the result back")

    # Esc
    action = head().data.shape_keys.animation_data.action
    keys = [tuple(point.co) for curve in add_on().compat.fcurves_of(action) for point in curve.keyframe_points]
    press_generate_with_fit()
    yield from until_running()
    stage.press_escape()
    measured["Esc to the end of the job, s"] = round((yield from until(idle)), 3)
    check(measured["Esc to the end of the job, s"] < 1, "Esc took longer than a second")
    check("Cancelled" in session.message, f"after Esc the panel says {session.message!r}")
    after = [tuple(point.co) for curve in add_on().compat.fcurves_of(action) for point in curve.keyframe_points]
    check(after == keys, "Esc changed the curves")
    yield from shot("3_cancelled")

    # The Cancel button, and Generate again at once
    press_generate_with_fit()
    yield from until_running()
    press(bpy.ops.lsf.cancel)
    measured["Cancel to the end of the job, s"] = round((yield from until(idle)), 3)
    check(measured["Cancel to the end of the job, s"] < 1, "Cancel took longer than a second")
    press(bpy.ops.lsf.generate)
    check(not idle(), "Generate did not start again after Cancel")
    yield from until(idle)
    check(not session.failed, f"Generate after Cancel: {session.message}")
    press(bpy.ops.lsf.generate)
    job = yield from the_job()
    yield from until(idle)
    measured["a run with everything warm"] = f"{session.message}; in the server: {job.header.get('seconds')}"
    bpy.context.scene.frame_set(83)
    yield from shot("4_done")
    yield from shot("docs/panel_in_blender.jpg", *only(*editors()), "-resize", "1100", "-quality", "88")

    # Undo during a job
    with window_override():
        bpy.ops.transform.translate(value=(0, 0, 0.01))
        bpy.ops.ed.undo_push(message="moved")
    press_generate_with_fit()
    yield from until_running()
    with window_override():
        if bpy.ops.ed.undo.poll():
            bpy.ops.ed.undo()
    yield from until(idle)
    measured["undo during a job"] = session.message
    check(not session.failed, f"undo during a job: {session.message}")

    # Edit Mode during a job: the result waits for Object Mode
    press_generate_with_fit()
    yield from until_running()
    with window_override():
        bpy.context.view_layer.objects.active = head()
        bpy.ops.object.mode_set(mode="EDIT")
    yield from until(lambda: session.batch.text == "Waiting for Object Mode")
    yield from shot("5_waits_for_object_mode")
    with window_override():
        bpy.ops.object.mode_set(mode="OBJECT")
    yield from until(idle)
    check(not session.failed, f"after Edit Mode: {session.message}")

    # A disabled button and its reason
    bpy.context.scene.sequence_editor.active_strip = None
    bpy.context.scene.lsf.strip = "line"
    head().name = "LSF Head 2"
    bpy.data.objects["LSF Head 2"].modifiers.new("Mirror", "MIRROR")
    yield from shot("6_disabled")
    bpy.data.objects["LSF Head 2"].modifiers.clear()
    bpy.data.objects["LSF Head 2"].name = "LSF Head"

    # Preferences
    with window_override():
        bpy.ops.preferences.addon_show(module=add_on().__name__)
    yield from shot("7_preferences")
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[-1]):
        bpy.ops.wm.window_close()
    yield 0.5

    # Another file during a job
    press_generate_with_fit()
    yield from the_job()
    bpy.ops.wm.read_homefile(use_factory_startup=False)
    yield 0.5
    check(idle(), "the job outlived its file")
    measured["another file during a job"] = session.message


stage.run(steps())
