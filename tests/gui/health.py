"""The state of the speech engine in the preferences, and Copy Report: there, and below an unexpected error."""

import os
import sys
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import stage
from shots import shot, shot_of_sidebar
from stage import add_on, check, head, idle, press, until, window_override


def copied() -> str:
    """What Copy Report puts on the clipboard."""
    bpy.context.window_manager.clipboard = "nothing"
    with window_override():
        bpy.ops.lsf.copy_report()
    return bpy.context.window_manager.clipboard


def steps():
    stage.show_panels(others=False)
    press(bpy.ops.lsf.add_head)
    head().name = "Hauptrolle"
    stage.add_line()
    yield from stage.show_heads_from_the_front()
    press(bpy.ops.lsf.generate)
    yield from until(idle)
    check(not add_on().jobs.session.failed, add_on().jobs.session.message)
    with window_override():
        bpy.ops.preferences.addon_show(module=add_on().__name__)
    yield from shot("preferences")
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[-1]):
        bpy.ops.wm.window_close()
    yield 0.5

    lines = add_on().jobs.lines
    start = lines.start_generation

    def broken(*_arguments, **_options):
        raise KeyError(f"{Path.home()}/Hauptrolle.wav")

    lines.start_generation = broken
    press(bpy.ops.lsf.generate)
    yield from until(idle)
    lines.start_generation = start
    yield from shot_of_sidebar("unexpected")
    text = copied()
    check(text.startswith("LSF Speech Animation: ") and bpy.app.version_string in text, text)
    check("Speech engine: ready" in text and "KeyError" in text and "<add-on>" in text, text)
    secrets = ["Hauptrolle", str(Path.home()), os.environ.get("LSF_GUI_OUT", "-")]
    check(not any(secret in text for secret in secrets), text)
    press(bpy.ops.lsf.generate)
    yield from until(idle)
    check(not add_on().jobs.session.failed, "the next Generate works")


stage.run(steps())
