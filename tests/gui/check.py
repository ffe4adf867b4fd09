"""Check Character in a window: what it says, how long it takes, its buttons and their undo."""

import sys
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import stage
from shots import shot, shot_of_panels
from stage import Stopwatch, add_on, check, head, idle, measured, press, until


def said() -> list[str]:
    return [finding.text for finding in add_on().jobs.checkup.shown(head())]


def key(name: str) -> bpy.types.ShapeKey:
    return head().data.shape_keys.key_blocks[name]


def press_with_undo(operator) -> None:
    """Call an operator so that it adds its undo step, as a button does."""
    with stage.window_override():
        operator("INVOKE_DEFAULT", True)


def check_character():
    """Press the button, and wait until the face is found; returns how many seconds it took."""
    press(bpy.ops.lsf.check_character)
    return (yield from until(idle))


def steps():
    stage.show_panels(others=False)
    press(bpy.ops.lsf.add_head)
    stage.add_line()
    yield from stage.show_heads_from_the_front()
    bpy.ops.ed.undo_push(message="prepared")

    # At once what needs no face, then the rest
    with Stopwatch() as still:
        press(bpy.ops.lsf.check_character)
    measured["freeze as it is pressed, ms"] = still.longest()
    check(any("no shape keys" in text for text in said()), f"not said at once: {said()}")
    with Stopwatch() as still:
        measured["Check Character with a cold server, s"] = round((yield from until(idle)), 2)
    measured["longest freeze meanwhile, ms"] = still.longest()
    measured["said of the own head"] = "; ".join(said())
    yield from shot_of_panels("check_character")

    # Nothing was written, so that there is nothing to undo
    check(not head().lsf.found_landmarks and not head().data.shape_keys, "Check Character has changed the head")

    # Faults after Generate: their buttons are below the result, and in the list
    press(bpy.ops.lsf.generate)
    yield from until(idle)
    key("jawOpen").mute = head().show_only_shape_key = True
    key("mouthFunnel").slider_max = 0.1
    head().modifiers.new("Smooth", "SUBSURF")
    head().modifiers.new("Bones", "ARMATURE")
    bpy.ops.ed.undo_push(message="spoilt")
    press(bpy.ops.lsf.hide_check)
    press(bpy.ops.lsf.generate)
    yield from until(idle)
    yield from shot("check_1_result")
    measured["checked again, s"] = round((yield from check_character()), 2)
    faults = said()
    check(len(faults) >= 4, f"too little is said: {faults}")
    yield from shot_of_panels("check_character_faults")
    for operator in (bpy.ops.lsf.unpin_key, bpy.ops.lsf.unmute_keys, bpy.ops.lsf.widen_sliders):
        before = said()
        press_with_undo(operator)
        yield 0.3
        check(len(said()) < len(before), f"{operator.idname()} changed nothing: {said()}")
        stage.undo()
        yield 0.3
        check(said() == before, f"undo of {operator.idname()}: {said()}")
        stage.redo()
        yield 0.3
        check(len(said()) < len(before), f"redo of {operator.idname()} lost it: {said()}")
    check(not (key("jawOpen").mute or head().show_only_shape_key), "redo lost a cure")
    yield from shot("check_2_mended")

    # Another shape: what was found is not shown any more
    with stage.window_override():
        bpy.ops.object.mode_set(mode="EDIT")
    yield 0.5
    check(not said(), f"still said in Edit Mode: {said()}")
    with stage.window_override():
        bpy.ops.object.mode_set(mode="OBJECT")
    yield 0.5


stage.run(steps())
