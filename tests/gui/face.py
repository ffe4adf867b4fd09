"""Landmarks in a window: found, dragged, mirrored, kept, undone."""

import sys
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import stage
from shots import only, shot
from stage import Stopwatch, add_on, check, head, idle, measured, press, until


def place(point: int) -> tuple[int, int]:
    """Pixels of a landmark in the window."""
    store, drawing = add_on().scene.landmarks.store, add_on().ui.landmark_editor.drawing
    meshes, surface = add_on().scene.meshes, add_on().scene.landmarks.surface
    whole = surface.Surface(meshes.evaluated_vertices(head()), meshes.read_triangles(head().data))
    editor = add_on().ui.landmark_editor.editor.Editor(whole, *store.read(head()))
    area = stage.area_of("VIEW_3D")
    region = stage.region_of(area)
    x, y = drawing.pixels(editor, region, area.spaces.active.region_3d)[point]
    return round(region.x + x), round(region.y + y)


def move(x: int, y: int):
    stage.window().event_simulate(type="MOUSEMOVE", value="NOTHING", x=x, y=y)
    yield 0.1


def tap(key: str, x: int, y: int, **modifiers):
    stage.window().event_simulate(type=key, value="PRESS", x=x, y=y, **modifiers)
    yield 0.1
    stage.window().event_simulate(type=key, value="RELEASE", x=x, y=y, **modifiers)
    yield 0.1


def drag(start: tuple[int, int], by: tuple[int, int]):
    yield from move(*start)
    stage.window().event_simulate(type="LEFTMOUSE", value="PRESS", x=start[0], y=start[1])
    yield 0.1
    for step in range(1, 6):
        yield from move(start[0] + by[0] * step // 5, start[1] + by[1] * step // 5)
    stage.window().event_simulate(type="LEFTMOUSE", value="RELEASE", x=start[0] + by[0], y=start[1] + by[1])
    yield 0.1


def own() -> dict[int, np.ndarray]:
    """Positions of the landmarks set by hand, in the head's space."""
    base = add_on().scene.meshes.base_vertices(head().data)
    return {index: point.position(base) for index, point in add_on().scene.landmarks.store.read(head())[1].items()}


def prepare():
    stage.show_panels("face", "parts", "own_keys", others=False)
    press(bpy.ops.lsf.add_head)
    yield from stage.show_heads_from_the_front()


def steps():
    yield from prepare()
    bpy.ops.ed.undo_push(message="prepared")
    yield from shot("face_1_before")

    # Find
    press(bpy.ops.lsf.find_landmarks)
    check(add_on().jobs.session.batch is not None, "Find Landmarks did not start")
    with Stopwatch() as still:
        measured["Find Landmarks with a cold server, s"] = round((yield from until(idle)), 2)
    measured["longest freeze meanwhile, ms"] = still.longest()
    check(len(head().lsf.found_landmarks) == 68, f"not found: {add_on().jobs.session.message}")
    measured["found"] = f"{add_on().jobs.session.message}; {head().lsf.recognised}"

    # Drag a mouth corner, mirror it, keep
    with Stopwatch() as still:
        press(bpy.ops.lsf.edit_landmarks)
        yield 0.5
    measured["freeze as the points appear, ms"] = still.longest()
    yield from move(*place(48))
    yield from shot("face_2_editing")
    area = stage.area_of("VIEW_3D")
    yield from shot(
        "docs/edit_landmarks.jpg", *only(0, 0, area.width, area.y + area.height), "-resize", "1100", "-quality", "88"
    )
    start = place(48)
    with Stopwatch() as still:
        yield from drag(start, (-30, 12))
    measured["longest freeze while dragging, ms"] = still.longest()
    check(not own(), "a drag was written before it was kept")
    yield from tap("X", start[0] - 30, start[1] + 12)
    yield from shot("face_3_mirrored")
    yield from tap("RET", *start)
    yield 0.3
    kept = own()
    check(set(kept) == {48, 54}, f"kept {sorted(kept)}")
    if set(kept) == {48, 54}:
        right, left = kept[48], kept[54]
        check(abs(right[0] + left[0]) < 1e-3 and np.abs(right - left)[1:].max() < 2e-3, f"no mirror: {right} {left}")
    moved = np.subtract(place(48), start)
    check(np.abs(moved - (-30, 12)).max() <= 2, f"the point went by {moved} pixels")
    yield from shot("face_4_kept")

    # One undo step
    stage.undo()
    yield 0.3
    check(not own(), "undo left points")
    stage.redo()
    yield 0.3
    check(set(own()) == {48, 54}, "redo did not bring them back")

    # Esc, and keys
    press(bpy.ops.lsf.edit_landmarks)
    yield from drag(place(30), (10, 10))
    yield from tap("ESC", *place(30))
    check(set(own()) == {48, 54}, "Esc kept something")
    press(bpy.ops.lsf.edit_landmarks)
    yield from move(*place(54))
    yield from tap("R", *place(54))
    yield from tap("RET", *place(54))
    check(set(own()) == {48}, "R did not reset the point")
    press(bpy.ops.lsf.edit_landmarks)
    yield from tap("R", *place(30), shift=True)
    yield from tap("Z", *place(30), ctrl=True)
    yield from tap("R", *place(30), shift=True)
    yield from tap("RET", *place(30))
    check(not own(), "Shift R did not reset all")

    # Four points where nothing was found
    head().lsf.found_landmarks.clear()
    region = stage.region_of(stage.area_of("VIEW_3D"))
    middle = region.x + region.width // 2, region.y + region.height // 2
    press(bpy.ops.lsf.edit_landmarks)
    for dx, dy in ((-40, -60), (40, -60), (0, -10), (0, -110)):
        yield from move(middle[0] + dx, middle[1] + dy)
        yield from tap("LEFTMOUSE", middle[0] + dx, middle[1] + dy)
    yield from shot("face_5_four_points")
    yield from tap("RET", *middle)
    check(set(own()) == {48, 54, 30, 8}, f"four clicks gave {sorted(own())}")

    # A search goes on while landmarks are edited
    head().scale *= 1.001  # a mesh that the server has not seen
    press(bpy.ops.lsf.find_landmarks)
    press(bpy.ops.lsf.edit_landmarks)
    yield from until(idle)
    yield from tap("ESC", *middle)
    check(not add_on().jobs.session.failed, f"the search while editing: {add_on().jobs.session.message}")

    # Another file while editing
    press(bpy.ops.lsf.edit_landmarks)
    bpy.ops.wm.read_homefile(use_factory_startup=False)
    yield 0.5


stage.run(steps())
