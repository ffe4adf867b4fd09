"""The list of a head's lines, with what its buttons do and their undo; takes that are kept. In a window."""

import sys
import time
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import stage
from shots import only, shot, shot_of_panels
from stage import action, add_on, check, head, idle, measured, press, until, window, window_override

FIRST = {"line_1": 25, "line_2": 180, "line_3": 340}  # strips and their first frames
MOVED = 30
OPEN = ("lines", "watch", "take", "tweak")  # subpanels
SAME = 0.02  # of a shape key's value


def button(operator, **settings) -> float:
    """Press a button, with its undo step; returns how many milliseconds of CPU time it took."""
    start = time.thread_time()
    with window_override():
        operator("INVOKE_DEFAULT", True, **settings)
    return round(1000 * (time.thread_time() - start), 1)


def scene() -> bpy.types.Scene:
    return bpy.context.scene


def strip(name: str):
    return next(one for one in add_on().compat.all_strips(scene().sequence_editor) if one.name == name)


def records() -> list[str]:
    """Names of the lines, in the order of their records."""
    return [record.name for record in action().lsf.lines] if action() else []


def click(name: str) -> None:
    """Choose a row of the list as a click does, with an undo step."""
    with window_override():
        bpy.ops.wm.context_set_int("EXEC_DEFAULT", True, data_path="scene.lsf.shown_line", value=records().index(name))


def activate(name: str) -> None:
    scene().sequence_editor.active_strip = strip(name)


def shown() -> str:
    line = add_on().animation.chosen_line.picked_line(bpy.context)
    return line.record.name if line else ""


def mouth(first: int, count: int = 100) -> np.ndarray:
    """The mouth's curve in some frames."""
    curve = next(c for c in add_on().compat.fcurves_of(action()) if c.data_path == 'key_blocks["jawOpen"].value')
    return np.array([curve.evaluate(frame) for frame in range(first, first + count)])


def differs(one: np.ndarray, two: np.ndarray) -> bool:
    return bool(np.abs(one - two).max() > SAME)


def widen_sidebar(pixels: int):
    """Drag the left border of the viewport's sidebar by some pixels to the left."""
    region = stage.region_of(stage.area_of("VIEW_3D"), "UI")
    x, y = region.x + 1, region.y + region.height // 2
    steps = [("MOUSEMOVE", "NOTHING", x), ("LEFTMOUSE", "PRESS", x)]
    steps += [("MOUSEMOVE", "NOTHING", x - round(pixels * part / 10)) for part in range(1, 11)]
    steps += [("LEFTMOUSE", "RELEASE", x - pixels)]
    for kind, value, at in steps:
        window().event_simulate(type=kind, value=value, x=at, y=y)
        yield 0.05
    yield 0.5


def prepare():
    bpy.context.preferences.view.ui_scale = 0.85
    stage.show_panels(*OPEN)
    press(bpy.ops.lsf.add_head)
    for i, (name, frame) in enumerate(FIRST.items()):
        stage.add_line(name, 1 + i % 2, frame)
    scene().frame_end = 500
    yield from stage.open_sequencer(200)
    yield from stage.show_heads_from_the_front()
    yield from shot("lines_1_nothing_yet")
    for name in ("line_2", "line_1", "line_3"):
        activate(name)
        press(bpy.ops.lsf.generate)
        yield from until(idle)
        check(not add_on().jobs.session.failed, add_on().jobs.session.message)
    bpy.ops.ed.undo_push(message="generated")
    yield from shot("lines_2_three_lines")


def going_there():
    for name, frame in FIRST.items():
        click(name)
        yield 0.3
        check(scene().frame_current == frame, f"{name}: the frame is {scene().frame_current}")
        check(scene().sequence_editor.active_strip.name == name == shown(), f"a click on {name} shows {shown()}")


def following():
    before = mouth(FIRST["line_2"])
    moved = strip("line_2")
    if hasattr(moved, "content_start"):
        moved.content_start += MOVED
    else:
        moved.frame_start += MOVED
    scene().sequence_editor.active_strip = strip("line_1")
    click("line_2")
    bpy.ops.ed.undo_push(message="moved the strip")
    yield from shot("lines_3_moved")
    measured["Follow Strip, ms"] = button(bpy.ops.lsf.follow_strip)
    yield 0.3
    check(not differs(mouth(FIRST["line_2"] + MOVED), before), "the line does not follow its strip")
    stage.undo()
    yield 0.3
    check(not differs(mouth(FIRST["line_2"]), before), "one undo does not take the line back")
    stage.redo()
    yield 0.3
    check(not differs(mouth(FIRST["line_2"] + MOVED), before), "redo does not move the line")
    check(shown() == "line_2", f"after redo the panels show {shown()}")


def states():
    """A strip that is gone, one that is trimmed and renamed, and one that another overlaps."""
    add_on().compat.remove_strip(scene().sequence_editor, strip("line_3"))
    trimmed = strip("line_1")
    trimmed.name = "Anna, first words"
    if hasattr(trimmed, "left_handle"):
        trimmed.left_handle += 20
    else:
        trimmed.frame_final_start += 20
    bpy.ops.ed.undo_push(message="trimmed and deleted")
    click("line_3")
    yield 0.3
    check(shown() == "line_3", f"the line of a lost strip: the panels show {shown()}")
    yield from shot("lines_4_states")
    stage.show_panels("lines", others=False)
    yield from shot_of_panels("panel_lines")
    stage.show_panels(*OPEN)
    yield from widen_sidebar(220)
    yield from shot("lines_5_wide")
    yield from widen_sidebar(-275)
    yield from shot("lines_6_narrow")
    yield from widen_sidebar(-70)
    yield from shot("lines_6_narrowest")
    yield from widen_sidebar(125)


def removing():
    kept = {name: mouth(frame) for name, frame in (("line_1", FIRST["line_1"]), ("line_2", FIRST["line_2"] + MOVED))}
    gone = mouth(FIRST["line_3"])
    measured["Remove, ms"] = button(bpy.ops.lsf.remove_line)
    yield 0.3
    check(records() == ["line_2", "line_1"], f"after Remove: {records()}")
    check(np.abs(mouth(FIRST["line_2"] + MOVED + 150)).max() < 1e-6, "Remove left something")
    check(not differs(mouth(FIRST["line_1"]), kept["line_1"]), "Remove has changed another line")
    yield from shot("lines_7_removed")
    stage.undo()
    yield 0.3
    check(len(records()) == 3 and not differs(mouth(FIRST["line_3"]), gone), "one undo does not bring the line back")
    stage.redo()
    yield 0.3
    measured["Remove All, ms"] = button(bpy.ops.lsf.remove_all_lines)
    yield 0.3
    values = [key.value for key in head().data.shape_keys.key_blocks[1:]]
    check(not bpy.data.actions and max(values) == 0, "Remove All left something")
    stage.undo()
    yield 0.3
    check(records() == ["line_2", "line_1"], f"one undo after Remove All: {records()}")
    check(not differs(mouth(FIRST["line_2"] + MOVED), kept["line_2"]), "undo of Remove All has changed a line")


def keeping_a_take():
    click("line_2")
    scene().lsf.take = 0
    press(bpy.ops.lsf.generate_takes)
    yield from until(idle)
    measured["takes"] = add_on().jobs.session.message
    takes = add_on().prediction.takes
    check(takes.count(action(), shown_uid()) == 4, "there are not as many takes as were asked")
    for _ in range(2):
        button(bpy.ops.lsf.step_take, step=1)
        yield 0.2
    kept = mouth(FIRST["line_2"] + MOVED)
    yield from shot("lines_8_takes")
    button(bpy.ops.lsf.keep_take)
    yield from shot("lines_9_kept")
    check(scene().lsf.take == 2, f"after Keep This Take the field says {scene().lsf.take}")
    press(bpy.ops.lsf.generate)
    yield from until(idle)
    check(not differs(mouth(FIRST["line_2"] + MOVED), kept), "Generate makes another take than the kept one")
    # another line with another take, and the first one again
    click("line_1")
    scene().lsf.take = 0
    press(bpy.ops.lsf.generate_line)
    yield from until(idle)
    measured["Generate Again after a trim"] = add_on().jobs.session.message
    click("line_2")
    yield from shot("lines_10_needs_generate")
    button(bpy.ops.lsf.edit_line)
    yield 0.3
    check(scene().lsf.take == 2, f"after Edit the field says {scene().lsf.take}")
    press(bpy.ops.lsf.generate)
    yield from until(idle)
    check(not differs(mouth(FIRST["line_2"] + MOVED), kept), "after Edit, Generate makes another take")


def shown_uid() -> str:
    return add_on().animation.chosen_line.picked_line(bpy.context).uid


def steps():
    yield from prepare()
    yield from going_there()
    yield from following()
    yield from states()
    yield from removing()
    yield from keeping_a_take()
    bpy.context.preferences.view.ui_scale = 0.6
    yield 0.5
    area = stage.area_of("VIEW_3D")
    yield from shot("lines_11_all", *only(area.x, area.y, area.width, area.height))


stage.run(steps())
