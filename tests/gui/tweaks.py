"""Tweak sliders, keys set by hand, and their undo, in a window. Run it with a minute of speech as --audio."""

import sys
import time
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import stage
from shots import shot
from stage import Stopwatch, action, add_on, check, head, idle, measured, press, until, window_override

SLIDER = "object.data.shape_keys.animation_data.action.lsf.lines[0].tweaks."


def slide(name: str, value: float) -> float:
    """Set a slider as the interface does, with an undo step; returns how many milliseconds of CPU time it took."""
    start = time.thread_time()
    with window_override():
        bpy.ops.wm.context_set_float("EXEC_DEFAULT", True, data_path=SLIDER + name, value=value)
    return round(1000 * (time.thread_time() - start), 1)


def sliders():
    """The sliders of the only line."""
    return action().lsf.lines[0].tweaks


def keys() -> bytes:
    """All keyframes of all curves, to compare."""
    result = []
    for curve in sorted(add_on().compat.fcurves_of(action()), key=lambda curve: curve.data_path):
        numbers = np.empty(2 * len(curve.keyframe_points), np.float32)
        curve.keyframe_points.foreach_get("co", numbers)
        result.append(numbers.tobytes())
    return b"".join(result)


def shot_of_the_graph():
    area = stage.area_of("VIEW_3D")
    area.type = "GRAPH_EDITOR"
    yield 0.3
    for curve in add_on().compat.fcurves_of(action()):
        curve.hide = not any(name in curve.data_path for name in ("jawOpen", "mouthClose", "mouthFunnel"))
    space = area.spaces.active
    space.show_region_ui, space.dopesheet.filter_text = False, ""
    with window_override("GRAPH_EDITOR"):
        bpy.ops.graph.view_all()
    yield from shot("tweaks_5_graph")
    area.type = "VIEW_3D"


def prepare():
    bpy.context.preferences.view.ui_scale = 0.75  # all panels on one screen
    stage.show_panels("tweak", "channels", "keys")
    press(bpy.ops.lsf.add_head)
    strip = stage.add_line()
    bpy.context.scene.frame_end = int(add_on().compat.strip_times(strip).right)
    yield from stage.show_heads_from_the_front()
    yield from shot("tweaks_1_nothing_yet")
    press(bpy.ops.lsf.generate)
    yield from until(idle)
    measured["result"] = add_on().jobs.session.message
    check(not add_on().jobs.session.failed, add_on().jobs.session.message)


def steps():
    yield from prepare()
    bpy.context.scene.frame_set(60)
    bpy.ops.ed.undo_push(message="generated")
    predicted = keys()
    yield from shot("tweaks_2_as_predicted")

    # One slider, one undo step, and Reset
    slide("jaw", 0.4)
    yield 0.3
    tweaked = keys()
    check(tweaked != predicted, "the curves did not follow the slider")
    stage.undo()
    yield 0.3
    check(keys() == predicted and sliders().jaw == 1, "undo of a slider left something")
    stage.redo()
    yield 0.3
    check(keys() == tweaked and abs(sliders().jaw - 0.4) < 1e-6, "redo of a slider left something")
    with window_override():
        bpy.ops.lsf.reset_tweaks("EXEC_DEFAULT", True)
    yield 0.3
    check(keys() == predicted, "Reset did not bring the prediction back")
    stage.undo()
    yield 0.3
    check(keys() == tweaked, "undo of Reset is not one step")
    stage.redo()

    # A slider during playback
    with window_override():
        bpy.ops.screen.animation_play()
    yield 1.0
    with Stopwatch() as still:
        yield 2.0
    measured["longest freeze of playback, ms"] = still.longest()
    took = []
    with Stopwatch() as still:
        for step in range(20):
            took.append(slide("jaw", 1 + step / 20))
            yield 0.1
    measured["a slider with its undo step during playback, ms"] = f"{np.median(took):.0f}, the longest {max(took):.0f}"
    measured["longest freeze meanwhile, ms"] = still.longest()
    with window_override():
        bpy.ops.screen.animation_cancel()
    for name in ("smoothing", "closure", "smile", "density"):
        measured[f"the slider {name}, ms"] = slide(name, 0.3)
    yield from shot("tweaks_3_tweaked")

    # Keys by hand
    with window_override():
        bpy.ops.lsf.reset_tweaks("EXEC_DEFAULT", True)
    sliders().density = 0.5
    bpy.context.scene.frame_set(70)
    key = head().data.shape_keys.key_blocks["jawOpen"]
    key.value = 0.9
    key.keyframe_insert("value", frame=70)
    bpy.ops.ed.undo_push(message="keyed")
    slide("jaw", 0.5)
    yield 0.3
    curve = next(c for c in add_on().compat.fcurves_of(action()) if "jawOpen" in c.data_path)
    check(abs(curve.evaluate(70) - 0.9) < 1e-4, "a slider removed a key of the artist")
    yield from shot("tweaks_4_kept_key")
    with window_override():
        bpy.ops.lsf.release_keys("EXEC_DEFAULT", True)
    yield 0.3
    curve = next(c for c in add_on().compat.fcurves_of(action()) if "jawOpen" in c.data_path)
    check(curve.evaluate(70) < 0.6, "Clear My Keys left the key")
    stage.undo()
    yield 0.3
    curve = next(c for c in add_on().compat.fcurves_of(action()) if "jawOpen" in c.data_path)
    check(abs(curve.evaluate(70) - 0.9) < 1e-4, "undo did not bring the artist's key back")

    # The curves in the Graph Editor: generated keys, and one of the artist's
    yield from shot_of_the_graph()

    # Saved and opened again
    before, path = keys(), str(stage.OUT / "tweaks.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    yield 1.0
    check(keys() == before and abs(sliders().jaw - 0.5) < 1e-6, "saving and opening changed the line")
    slide("jaw", 0.8)
    yield 0.3
    check(keys() != before, "the sliders do nothing after opening the file")


stage.run(steps())
