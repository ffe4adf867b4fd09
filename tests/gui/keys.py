"""Keys of the artist on a head with several lines: I over a slider, the Graph Editor, sliders, takes, Generate again.

What is compared are the values that Blender evaluates, at every frame of all lines.
"""

import math
import sys
import time
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import stage
from shots import only, shot
from stage import action, add_on, check, head, idle, measured, press, until, window, window_override

LINES = {"line_1": 25, "line_2": 220, "line_3": 420, "line_4": 600, "line_5": 780}  # strips and their first frames
FIRST_TWO = ("line_1", "line_2")
END = 960
SAME = 1e-3  # of a shape key's value: what may differ where no key of the artist is near
REDUCED = 0.02  # of a shape key's value: by how much reduced keys may differ, if others are chosen (twice their bound)
BESIDE = 16  # frames from a key of the artist within which the generated keys may be others
MOVE_X, MOVE_Y = 3, -0.2  # frames and value by which a key is moved in the Graph Editor

own: dict[tuple[str, int], float] = {}  # the artist's keys: shape key, frame and value
changed: dict[str, set[int]] = {}  # frames that Blender itself has changed when a key was set


def key_blocks():
    return head().data.shape_keys.key_blocks


def curve(name: str) -> bpy.types.FCurve:
    return next(c for c in add_on().compat.fcurves_of(action()) if f'"{name}"' in c.data_path)


def record(strip: str):
    """The line of a strip on the head."""
    return next(line for line in action().lsf.lines if line.name == strip)


def strip_of(name: str):
    return next(strip for strip in add_on().scene.strips.sound_strips(bpy.context.scene) if strip.name == name)


def values() -> dict[str, np.ndarray]:
    """The values (END,) that Blender evaluates, by shape key."""
    scene, names = bpy.context.scene, [key.name for key in key_blocks()][1:]
    now, found = scene.frame_current, np.empty((END, len(names)))
    for frame in range(1, END + 1):
        scene.frame_set(frame)
        evaluated = head().evaluated_get(bpy.context.evaluated_depsgraph_get()).data.shape_keys.key_blocks
        found[frame - 1] = [evaluated[name].value for name in names]
    scene.frame_set(now)
    return dict(zip(names, found.T, strict=True))


def compare(before: dict[str, np.ndarray], when: str) -> None:
    """Check that the artist's keys are there, and that nothing else has changed.

    Args:
        before: Values without the artist's keys.
        when: What was done, for the report.
    """
    now, frames = values(), np.arange(1, END + 1)
    transition = math.ceil(add_on().animation.fcurves.TRANSITION * bpy.context.scene.render.fps) + 1
    for (name, frame), value in own.items():
        kept = any(abs(p.co[0] - frame) < 1e-3 and abs(p.co[1] - value) < 1e-5 for p in curve(name).keyframe_points)
        check(kept, f"{when}: the key of {name} at frame {frame} is gone")
        evaluated = now[name][frame - 1]
        check(abs(evaluated - value) < 1e-4, f"{when}: {name} is {evaluated:.4f} at frame {frame}, keyed was {value}")
    largest, count = 0.0, 0
    for name, wanted in before.items():
        mine = [frame for key, frame in own if key == name]
        distance = np.min([np.full(END, END), *(np.abs(frames - frame) for frame in mine)], 0)
        tolerance = np.where(distance <= BESIDE, REDUCED, SAME)
        tolerance[(distance <= transition) | np.isin(frames, list(changed.get(name, ())))] = 1
        difference = np.abs(now[name] - wanted)
        worst = (difference - tolerance).argmax()
        check(
            difference[worst] <= tolerance[worst],
            f"{when}: {name} at frame {frames[worst]} was {wanted[worst]:.4f} and is {now[name][worst]:.4f}",
        )
        largest = max(largest, difference[tolerance == SAME].max(initial=0))
        count += int((tolerance == 1).sum())
    measured[f"{when}: largest change elsewhere"] = f"{largest:.5f}; {len(own)} keys, {count} values near them"


def slider_position(name: str):
    """Find the slider of a shape key in the Properties editor with the mouse; returns its place in the window."""
    area = stage.area_of("PROPERTIES")
    region = stage.region_of(area)
    head().active_shape_key_index = key_blocks().find(name)
    area.tag_redraw()
    window().event_simulate(type="MOUSEMOVE", value="NOTHING", x=400, y=600)  # away from the slider it was on before
    yield 0.3
    wanted, x = f'key_blocks["{name}"].value', region.x + round(0.6 * region.width)
    for y in range(region.y + region.height - 5, region.y, -8):
        window().event_simulate(type="MOUSEMOVE", value="NOTHING", x=x, y=y)
        yield 0.03
        with bpy.context.temp_override(window=window(), area=area, region=region):
            hovered = bpy.context.property
        if hovered and hovered[1] == wanted:
            return x, y
    raise LookupError(f"the Properties editor shows no slider of {name}")


def press_i(name: str, frame: int, value: float):
    """Set the slider of a shape key at a frame, and press I over it."""
    scene = bpy.context.scene
    scene.frame_set(frame)
    x, y = yield from slider_position(name)
    points = sorted(point.co[0] for point in curve(name).keyframe_points)
    left, right = max((f for f in points if f < frame), default=1), min((f for f in points if f > frame), default=END)
    changed.setdefault(name, set()).update(range(math.floor(left), math.ceil(right) + 1))
    key_blocks()[name].value = value
    yield 0.1
    for state in ("PRESS", "RELEASE"):
        window().event_simulate(type="I", value=state, x=x, y=y)
    yield 0.3
    own[name, frame] = value
    check(any(abs(p.co[0] - frame) < 1e-3 for p in curve(name).keyframe_points), f"I at frame {frame} has set no key")
    check(len(generated()) == 1, f"I at frame {frame} made an Action of its own")


def insert_key(name: str, frame: int, value: float) -> None:
    """Set a slider and insert a key from its menu."""
    bpy.context.scene.frame_set(frame)
    points = sorted(point.co[0] for point in curve(name).keyframe_points)
    left, right = max((f for f in points if f < frame), default=1), min((f for f in points if f > frame), default=END)
    changed.setdefault(name, set()).update(range(math.floor(left), math.ceil(right) + 1))
    key_blocks()[name].value = value
    key_blocks()[name].keyframe_insert("value")
    bpy.ops.ed.undo_push(message="Insert Keyframe")
    own[name, frame] = value


def generated() -> list[bpy.types.Action]:
    return list(bpy.data.actions)


def move_in_graph_editor(name: str, frame: int):
    """Move a key of the artist with the Graph Editor's own tool."""
    area = stage.area_of("VIEW_3D")
    area.type = "GRAPH_EDITOR"
    yield 0.5
    area.spaces.active.show_region_ui = False
    for other in add_on().compat.fcurves_of(action()):
        other.select = f'"{name}"' in other.data_path
        other.hide = not other.select
        for point in other.keyframe_points:
            chosen = other.select and abs(point.co[0] - frame) < 1e-3
            point.select_control_point = point.select_left_handle = point.select_right_handle = chosen
    with window_override("GRAPH_EDITOR"):
        bpy.ops.anim.channels_expand(all=True)
        bpy.ops.graph.view_all()
        bpy.ops.transform.translate(value=(MOVE_X, MOVE_Y, 0))
    place = only(area.x, area.y, area.width, area.height)
    yield from shot("docs/own_keys.jpg", *place, "-resize", "1000", "-quality", "88")
    for other in add_on().compat.fcurves_of(action()):
        other.hide = False
    area.type = "VIEW_3D"
    yield 0.3
    value = own.pop((name, frame))
    own[name, frame + MOVE_X] = value + MOVE_Y
    near = range(frame - BESIDE, frame + MOVE_X + BESIDE + 1)
    changed[name] |= set(near)
    points = [tuple(p.co) for p in curve(name).keyframe_points if abs(p.co[0] - frame - MOVE_X) < 1e-3]
    check(bool(points) and abs(points[0][1] - value - MOVE_Y) < 1e-4, f"the Graph Editor moved the key to {points}")


def choose(strip: str) -> None:
    bpy.context.scene.sequence_editor.active_strip = strip_of(strip)


def generate(strip: str):
    choose(strip)
    press(bpy.ops.lsf.generate)
    yield from until(idle)
    session = add_on().jobs.session
    check(not session.failed, f"{strip}: {session.message}")


def slide(strip: str, name: str, value: float) -> float:
    """Set a slider of a line as the interface does, with an undo step; returns its milliseconds."""
    number = [line.name for line in action().lsf.lines].index(strip)
    path = f"object.data.shape_keys.animation_data.action.lsf.lines[{number}].tweaks.{name}"
    start = time.thread_time()
    with window_override():
        bpy.ops.wm.context_set_float("EXEC_DEFAULT", True, data_path=path, value=value)
    return 1000 * (time.thread_time() - start)


def prepare():
    press(bpy.ops.lsf.add_head)
    for name in FIRST_TWO:
        stage.add_line(name, frame=LINES[name])
    bpy.context.scene.frame_end = END
    yield from stage.open_sequencer(120)
    yield from stage.show_heads_from_the_front()
    stage.area_of("PROPERTIES").spaces.active.context = "DATA"


def steps():
    yield from prepare()
    for name in FIRST_TWO:
        yield from generate(name)
    check([line.name for line in action().lsf.lines] == list(FIRST_TWO), "two lines are on the head")
    start = time.perf_counter()
    before = values()
    measured["reading all values, s"] = round(time.perf_counter() - start, 1)
    at_rest = [1, 200, 400, 900]
    check(max(abs(before[name][f - 1]) for name in before for f in at_rest) < 1e-6, "the face rests beside its lines")
    check(before["eyeBlinkLeft"].max() > 0.5, "the blinks are in eyeBlinkLeft")

    # I over a slider: in both lines, between them, after and before them
    for name, frame, value in (
        ("jawOpen", 80, 0.8),
        ("jawOpen", 300, 0.7),
        ("jawOpen", 195, 0.5),
        ("jawOpen", 390, 0.4),
        ("jawOpen", 8, 0.3),
        ("eyeBlinkLeft", 100, 0.0),
        ("mouthSmileLeft", 250, 0.9),
    ):
        yield from press_i(name, frame, value)
        compare(before, f"I at frame {frame} on {name}")
    bpy.context.scene.frame_set(80)
    yield from shot("keys_1_keyed")
    insert_key("browInnerUp", 120, 1.0)
    compare(before, "a key inserted at frame 120")

    # Undo takes back the last key alone
    stage.undo()
    yield 0.3
    last = ("browInnerUp", 120)
    kept = own.pop(last)
    compare(before, "undo of a key")
    stage.redo()
    yield 0.3
    own[last] = kept
    compare(before, "redo of a key")

    # The Graph Editor
    yield from move_in_graph_editor("jawOpen", 80)
    compare(before, "a key moved in the Graph Editor")

    # Sliders of both lines, and back
    for strip in FIRST_TWO:
        took = [slide(strip, "jaw", 0.3)]
        compare_own(f"the slider Jaw of {strip}")
        took.append(slide(strip, "jaw", 1.0))
        measured[f"a slider of {strip}, ms"] = round(max(took), 1)
        compare(before, f"the slider Jaw of {strip} and back")
    slide("line_1", "blinks", 0.0)
    compare_own("no blinks in line_1")
    now = values()
    check(now["eyeBlinkLeft"][219:380].max() > 0.5, "the blinks of line_2 stay")
    slide("line_1", "blinks", 1.0)
    compare(before, "blinks of line_1 off and on")

    # Takes
    choose("line_1")
    bpy.context.scene.lsf.take = 1
    bpy.context.scene.lsf.takes.count = 2
    press(bpy.ops.lsf.generate_takes)
    yield from until(idle)
    compare_own("two takes of line_1")
    check(not add_on().jobs.session.failed, add_on().jobs.session.message)
    bpy.context.scene.lsf.take = 0
    for _step in range(3):
        press(bpy.ops.lsf.step_take, step=1)
        yield 0.2
        compare_own("another take")
    now = values()
    largest = max(np.abs(now[name] - before[name])[list(quiet(name, 205, END))].max() for name in before)
    check(largest < SAME, f"takes of line_1 have changed the rest by {largest:.4f}")
    yield from shot("keys_2_take")

    # Generate again, both lines
    for strip in FIRST_TWO:
        yield from generate(strip)
        compare_own(f"{strip} generated again")
    compare(before, "both lines generated again")

    # A batch of three more lines, then all keys again
    for strip, frame in list(LINES.items())[2:]:
        stage.add_line(strip, frame=frame)
    with window_override():
        bpy.ops.lsf.list_lines()
    for row in bpy.context.scene.lsf.batch.lines:
        row.use = row.strip not in FIRST_TWO
    press(bpy.ops.lsf.generate_all)
    yield from until(idle)
    check(not add_on().jobs.session.failed, add_on().jobs.session.message)
    measured["batch"] = add_on().jobs.session.message
    check([line.name for line in action().lsf.lines] == list(LINES), "five lines are on the head")
    now = values()
    compare_own("a batch of three lines")
    first_two = [f for f in range(400) if f + 1 not in changed["jawOpen"]]
    largest = max(np.abs(now[name] - before[name])[list(quiet(name, 1, 399))].max() for name in before)
    check(bool(first_two) and largest < SAME, f"the batch has changed the first two lines by {largest:.4f}")
    # What is compared from here on: the first two lines as they were at first, the others as they are now.
    before = {name: np.where(np.arange(END) < 405, before.get(name, 0.0), values) for name, values in now.items()}
    for name in changed:
        changed[name] = {frame for frame in changed[name] if frame <= 405}
    for name, frame, value in (
        ("jawOpen", 480, 0.9),
        ("jawOpen", 585, 0.6),
        ("jawOpen", 850, 0.75),
        ("jawOpen", 945, 0.5),
    ):
        yield from press_i(name, frame, value)
        compare(before, f"I at frame {frame}, after the batch")
    slide("line_4", "jaw", 0.2)
    slide("line_4", "jaw", 1.0)
    compare(before, "the slider Jaw of line_4 and back")
    press(bpy.ops.lsf.generate_all)
    yield from until(idle)
    compare(before, "the batch again")
    bpy.context.scene.frame_set(480)
    yield from shot("keys_3_batch")

    # Saved and opened again
    path = str(stage.OUT / "keys.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    yield 1.0
    compare(before, "saved and opened")
    slide("line_2", "jaw", 0.5)
    slide("line_2", "jaw", 1.0)
    compare(before, "a slider after opening")


def quiet(name: str, first: int, last: int) -> list[int]:
    """Rows of the frames in a range that are not near a key of the artist."""
    mine = [frame for key, frame in own if key == name]
    return [
        f - 1
        for f in range(first, last + 1)
        if f not in changed.get(name, ()) and all(abs(f - frame) > BESIDE for frame in mine)
    ]


def compare_own(when: str) -> None:
    """Check that the artist's keys are there, whatever else has changed."""
    scene = bpy.context.scene
    now = scene.frame_current
    for (name, frame), value in own.items():
        scene.frame_set(frame)
        evaluated = head().evaluated_get(bpy.context.evaluated_depsgraph_get()).data.shape_keys.key_blocks[name].value
        check(abs(evaluated - value) < 1e-4, f"{when}: {name} is {evaluated:.4f} at frame {frame}, keyed was {value}")
    scene.frame_set(now)


stage.run(steps())
