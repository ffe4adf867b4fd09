"""Import and Export from their dialogs: progress, Esc, one undo step, and what a file keeps."""

import sys
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import stage
from shots import shot
from stage import OUT, add_on, check, head, idle, measured, until

ROWS, RATE = 1800, 30


def write_recording() -> Path:
    """A recording of a minute in which all channels move."""
    formats, path = add_on().formats, OUT / "take.csv"
    times = np.arange(ROWS) / RATE
    values = 0.4 + 0.4 * np.sin(times[:, None] * np.linspace(1, 6, 52))
    curves = formats.curves.Curves(list(formats.live_link.CHANNELS), times, values.astype(np.float32))
    formats.live_link.write(path, curves, RATE)
    return path


def confirm_dialog(path: Path):
    """Enter a path in the file browser that has opened, and confirm."""

    def browser():
        return next(
            (
                (window, area)
                for window in bpy.context.window_manager.windows
                for area in window.screen.areas
                if area.type == "FILE_BROWSER"
            ),
            None,
        )

    yield from until(lambda: browser() is not None, 10)
    yield 0.5
    window, area = browser()
    parameters = area.spaces.active.params
    parameters.directory, parameters.filename = str(path.parent).encode(), path.name
    yield 0.3
    with bpy.context.temp_override(window=window, area=area, region=stage.region_of(area)):
        bpy.ops.file.execute()
    yield 0.2


def state() -> tuple[int, int]:
    """Numbers of shape keys and of Actions."""
    keys = head().data.shape_keys
    return len(keys.key_blocks) if keys else 0, len(bpy.data.actions)


def steps():
    stage.show_panels("exchange", others=False)
    stage.press(bpy.ops.lsf.add_head)
    bpy.context.scene.render.fps = RATE
    yield from stage.show_heads_from_the_front()
    path = write_recording()
    bpy.ops.ed.undo_push(message="prepared")
    session = add_on().jobs.session
    before = state()

    # Esc while the face is fitted
    head().scale.x = 1.001  # the project's own head needs no fit
    bpy.context.view_layer.update()
    bpy.ops.ed.undo_push(message="scaled")
    stage.press(bpy.ops.lsf.import_live_link)
    yield from confirm_dialog(path)
    check(not idle(), "the import runs inside the dialog")
    yield 0.5
    yield from shot("1_importing")
    stage.press_escape()
    yield from until(idle)
    check(state() == before, f"after Esc: {state()}, before: {before}")

    # To the end, and back in one step
    stage.press(bpy.ops.lsf.import_live_link)
    yield from confirm_dialog(path)
    measured["import, s"] = round((yield from until(idle)), 2)
    yield 0.3
    measured["result"] = session.message
    check(state() == (53, 1) and not session.failed, f"after the import: {state()}, {session.message}")
    stage.undo()
    yield 0.3
    check(state() == before, f"one undo after the import leaves {state()}, not {before}")
    stage.redo()
    yield 0.3
    check(state() == (53, 1), f"redo: {state()}")

    # Export
    bpy.ops.object.select_all(action="DESELECT")
    bpy.context.scene.frame_set(17)
    for format in ("GLB", "FBX"):
        file = OUT / f"head.{format.lower()}"
        stage.press(bpy.ops.lsf.export_character, format=format)
        yield from confirm_dialog(file)
        yield from until(lambda file=file: file.exists() and file.stat().st_size > 100_000)
        measured[f"{format}, MB"] = round(file.stat().st_size / 1e6, 1)
        check("frames 0 to 1806 exported" in session.message, session.message)
    check(bpy.context.scene.frame_current == 17 and not bpy.context.selected_objects, "the export changed the scene")
    yield from shot("2_panel")


stage.run(steps())
