"""Lines and their strips after Blender's own Duplicate, Paste, Split, Make Meta Strip and Undo, which need a window."""

import sys
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import stage
from shots import shot
from stage import action, add_on, check, head, idle, measured, press, until, window_override

LINES = {"line_1": 25, "line_2": 220}  # strips and their first frames
COPY, PASTED, CUT = 420, 600, 290  # frames of a copy and a pasted strip, and of the cut in line_2


def scene() -> bpy.types.Scene:
    return bpy.context.scene


def strip(name: str):
    return next(one for one in add_on().scene.strips.sound_strips(scene()) if one.name == name)


def records() -> list[str]:
    return [record.name for record in action().lsf.lines] if action() else []


def states() -> dict[str, str]:
    """What became of the strip of each line."""
    sources = add_on().animation.lines.sources_of(action(), head())
    found = add_on().scene.strip_identity.states(sources)
    return {source.strip: one.state.name for source, one in zip(sources, found, strict=True)}


def select(name: str) -> None:
    for other in add_on().compat.all_strips(scene().sequence_editor):
        other.select = other.name == name
    scene().sequence_editor.active_strip = strip(name)


def sequencer(operator, **settings) -> None:
    """Call an operator of the sequencer, with its undo step."""
    with window_override("SEQUENCE_EDITOR"):
        operator("EXEC_DEFAULT", True, **settings)


def move(name: str, frame: int) -> None:
    moved = strip(name)
    if hasattr(moved, "content_start"):
        moved.content_start += frame - moved.left_handle
    else:
        moved.frame_start += frame - moved.frame_final_start
    bpy.ops.ed.undo_push(message="moved")


def shown() -> str:
    """The line that the panels show for the active strip."""
    line = add_on().animation.chosen_line.picked_line(bpy.context)
    return line.record.name if line else ""


def generate(name: str):
    select(name)
    press(bpy.ops.lsf.generate)
    yield from until(idle)
    session = add_on().jobs.session
    check(not session.failed, f"{name}: {session.message}")


def mouth(first: int, count: int = 100) -> np.ndarray:
    """The mouth's curve in some frames."""
    curve = next(c for c in add_on().compat.fcurves_of(action()) if c.data_path == 'key_blocks["jawOpen"].value')
    return np.array([curve.evaluate(frame) for frame in range(first, first + count)])


def prepare():
    bpy.context.preferences.view.ui_scale = 0.85
    stage.show_panels("lines", "keys")
    press(bpy.ops.lsf.add_head)
    for name, frame in LINES.items():
        stage.add_line(name, frame=frame)
    scene().frame_end = 800
    yield from stage.open_sequencer(150)
    yield from stage.show_heads_from_the_front()
    for name in LINES:
        yield from generate(name)
    check(states() == dict.fromkeys(LINES, "UNCHANGED"), f"after Generate: {states()}")


def copies():
    select("line_1")
    sequencer(bpy.ops.sequencer.duplicate)
    copy = scene().sequence_editor.active_strip.name
    check(copy == "line_1.001" and states()["line_1"] == "UNCHANGED", f"after Duplicate: {copy}, {states()}")
    move(copy, COPY)
    check(states()["line_1"] == "UNCHANGED", f"the copy was moved: {states()}")
    select(copy)
    check(shown() == "", f"the copy has no line yet, but the panels show {shown()}")
    select("line_1")
    check(shown() == "line_1", f"the original shows {shown()}")
    sequencer(bpy.ops.sequencer.copy)
    scene().frame_current = PASTED
    sequencer(bpy.ops.sequencer.paste)
    pasted = next(one.name for one in add_on().scene.strips.sound_strips(scene()) if one.name not in (*LINES, copy))
    check(states()["line_1"] == "UNCHANGED", f"after Paste: {states()}")
    before = mouth(25)
    for name in (copy, pasted):
        yield from generate(name)
    check(records() == [*LINES, copy, pasted], f"copies are lines of their own: {records()}")
    check(np.abs(mouth(COPY) - mouth(25)).max() < 0.03, "the copy does not speak its line")
    check(np.abs(mouth(25) - before).max() < 1e-6, "the copies have changed the first line")
    yield from shot("strips_1_copies")


def renamed_and_in_a_meta_strip():
    strip("line_1").name = "Anna, first words"
    bpy.ops.ed.undo_push(message="renamed")
    check(states()["line_1"] == "UNCHANGED", f"after a rename: {states()}")
    select("Anna, first words")
    sequencer(bpy.ops.sequencer.meta_make)
    check(states()["line_1"] == "UNCHANGED", f"in a meta strip: {states()}")
    stage.undo()
    yield 0.3
    check(states()["line_1"] == "UNCHANGED", f"after undo: {states()}")
    yield from generate("Anna, first words")
    check(len(records()) == 4, f"Generate after a rename makes no other line: {records()}")


def cut():
    select("line_2")
    sequencer(bpy.ops.sequencer.split, frame=CUT, type="SOFT", side="BOTH")
    parts = [one.name for one in add_on().scene.strips.sound_strips(scene()) if one.name.startswith("line_2")]
    check(len(parts) == 2 and states()["line_2"] == "CHANGED", f"after a cut: {parts}, {states()}")
    other = next(name for name in parts if name != "line_2")
    select(other)
    check(shown() == "", f"the right part has no line yet, but the panels show {shown()}")
    for name in parts:
        yield from generate(name)
    check(len(records()) == 5 and set(states().values()) == {"UNCHANGED"}, f"both parts are lines: {states()}")
    yield from shot("strips_2_cut")


def undo_steps():
    """Undo of Generate takes the identity away with the line; an undo while a job runs does not lose it."""
    stage.add_line("late", channel=5, frame=25)
    bpy.ops.ed.undo_push(message="added")
    yield from generate("late")
    known = strip("late").get("lsf_line")
    check(records()[-1] == "late" and bool(known), "a sixth line")
    stage.undo()
    yield 0.3
    check("late" not in records(), "undo left the line")
    stage.redo()
    yield 0.3
    check(states().get("late") == "UNCHANGED" and strip("late")["lsf_line"] == known, f"after redo: {states()}")
    stage.undo()
    yield 0.3
    with window_override():
        bpy.ops.transform.translate("EXEC_DEFAULT", True, value=(0, 0, 0.01))
    select("late")
    head().scale.x = 1.003  # another face, whose fit takes a while
    press(bpy.ops.lsf.generate)
    yield 0.2
    check(not idle(), "the job had ended before the undo")
    stage.undo()
    yield from until(idle)
    session = add_on().jobs.session
    check(not session.failed, f"undo during a job: {session.message}")
    check(states().get("late") == "UNCHANGED", f"undo during a job: {states()}")
    measured["undo during a job"] = session.message


def keys_beside_an_own_action():
    """Key in the Lines, on a head whose shape keys have an Action of the artist."""
    press(bpy.ops.lsf.add_head)
    other = bpy.context.object
    other.shape_key_add(name="Basis")
    key = other.shape_key_add(name="mine", from_mix=False)
    key.value = 0.5
    key.keyframe_insert("value", frame=30)
    data = other.data.shape_keys.animation_data
    theirs = data.action
    scene().lsf.head = other
    yield from generate("late")
    check(data.action == theirs and len(data.nla_tracks) > 0, "the lines do not play on a track")
    bpy.ops.ed.undo_push(message="generated")
    yield from shot("strips_3_own_action")
    jaw = other.data.shape_keys.key_blocks["jawOpen"]

    def value(frame: int) -> float:
        scene().frame_set(frame)
        return jaw.value

    before = {frame: value(frame) for frame in range(20, 180, 5)}
    scene().frame_set(80)
    press(bpy.ops.lsf.key_lines)
    check(data.use_tweak_mode, "Key in the Lines does not enter the tweak mode")
    yield from shot("strips_4_key_in_the_lines")
    jaw.value = 0.8
    jaw.keyframe_insert("value")
    press(bpy.ops.lsf.key_lines)
    check(not data.use_tweak_mode and data.action == theirs, "Key in the Lines does not leave the tweak mode")
    check(abs(value(80) - 0.8) < 1e-4, f"the key plays as {value(80)}")
    far = max(abs(value(frame) - was) for frame, was in before.items() if abs(frame - 80) > 12)
    check(far < 1e-3, f"the key has changed the line elsewhere by {far:.4f}")
    measured["a key in lines on a track: largest change elsewhere"] = round(far, 5)


def steps():
    yield from prepare()
    yield from copies()
    yield from renamed_and_in_a_meta_strip()
    yield from cut()
    yield from undo_steps()
    yield from keys_beside_an_own_action()


stage.run(steps())
