"""Sounds on the timeline, in a window: drawn in three editors, clicked, changed, undone; how long a redraw takes."""

import sys
import time
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import stage
from shots import convert, only, shot, shot_of_sidebar
from stage import action, add_on, check, idle, measured, press, until, window, window_override

EDITORS = ("SEQUENCE_EDITOR", "DOPESHEET_EDITOR")
MINUTE = 700  # sounds of a minute of speech
LIMIT = 2.0  # milliseconds of a redraw
REPEATS = 20  # of a redraw that is timed: the mean tells it, and the least of several means is that of a quiet moment


def record():
    return action().lsf.lines[0]


def timeline():
    return add_on().ui.sound_timeline.timeline


def view(kind: str):
    """Context in which an editor is drawn."""
    area = stage.area_of(kind)
    return bpy.context.temp_override(window=window(), area=area, region=stage.region_of(area))


def place_of(kind: str, index: int) -> tuple[int, int]:
    """Pixels of the window where a sound is drawn."""
    region = stage.region_of(stage.area_of(kind))
    with view(kind):
        (shown,) = timeline()._shown(bpy.context)
    row = list(shown.picture.sounds.indices).index(index)
    x = shown.place.left + shown.picture.sounds.times[row].mean() * shown.place.scale
    return round(region.x + x), round(region.y + shown.place.bottom + shown.place.height / 2)


def click(x: int, y: int):
    for kind, value in (("MOUSEMOVE", "NOTHING"), ("LEFTMOUSE", "PRESS"), ("LEFTMOUSE", "RELEASE")):
        window().event_simulate(type=kind, value=value, x=x, y=y)
        yield 0.1
    yield 0.3


def selected_frames() -> set[int]:
    curves = add_on().compat.fcurves_of(action())
    return {round(key.co.x) for curve in curves for key in curve.keyframe_points if key.select_control_point}


def timed():
    """Let each redraw note the CPU time of the sounds; returns the list of milliseconds, and what ends it."""
    module, took = timeline(), []
    plain = module._draw

    def draw() -> None:
        start = time.thread_time()
        for _ in range(REPEATS):
            plain()
        took.append(1000 * (time.thread_time() - start) / REPEATS)

    module.hide()
    module._draw = draw
    module.show()

    def end() -> None:
        module.hide()
        module._draw = plain
        module.show()

    return took, end


def prepare():
    bpy.context.preferences.view.ui_scale = 0.9
    stage.show_panels("sounds", others=False)
    press(bpy.ops.lsf.add_head)
    strip = stage.add_line()
    bpy.context.scene.frame_end = int(add_on().compat.strip_times(strip).right)
    yield from stage.open_sequencer(330)
    with window_override("SEQUENCE_EDITOR"):
        bpy.ops.screen.area_split(direction="HORIZONTAL", factor=0.5)
    areas = [area for area in window().screen.areas if area.type == "SEQUENCE_EDITOR"]
    lower = min(areas, key=lambda area: area.y)
    lower.type = "DOPESHEET_EDITOR"
    lower.spaces.active.mode = "DOPESHEET"
    lower.spaces.active.dopesheet.show_only_selected = True
    yield from stage.show_heads_from_the_front()
    stage.area_of("SEQUENCE_EDITOR").spaces.active.show_region_ui = False
    press(bpy.ops.lsf.generate)
    yield from until(idle)
    check(not add_on().jobs.session.failed, add_on().jobs.session.message)
    for kind, operator in (
        ("SEQUENCE_EDITOR", bpy.ops.sequencer.view_all),
        ("DOPESHEET_EDITOR", bpy.ops.action.view_all),
    ):
        with window_override(kind):
            operator()


def steps():
    yield from prepare()
    yield from shot("sounds_1_not_heard")
    took = time.perf_counter()
    record().transcript = ""
    press(bpy.ops.lsf.listen)
    yield from until(idle)
    measured["Listen, s"] = round(time.perf_counter() - took, 2)
    measured["result"] = add_on().jobs.session.message
    check(len(record().sounds) > 5, f"{len(record().sounds)} sounds were heard")
    check(timeline().is_shown(), "the sounds are not shown after Listen")
    yield from shot("sounds_2_heard")

    # A click in each editor; one beside the sounds goes on to Blender
    yield from clicks()

    words()
    # A slider, its undo, and another sound
    yield from changes()

    # Zoomed in and out, the other notations, the other theme
    yield from views()

    # A minute of speech
    yield from a_minute()


def words():
    """Add the demo line's first words at their times, as a transcript does where its package is installed."""
    for text, start, end in (("Oh,", 0.375, 0.625), ("please!", 0.75, 1.525), ("Maybe", 1.625, 1.925)):
        word = record().words.add()
        word.name, word.start, word.end = text, start, end
    add_on().animation.line_sounds.stamp(record())


def clicks():
    for number, kind in enumerate(EDITORS):
        index = 2 + 3 * number
        yield from click(*place_of(kind, index))
        check(record().active_sound == index, f"a click in {kind} chose sound {record().active_sound}, not {index}")
        first, last = add_on().animation.line_sounds.frames_of(record(), index)
        check(
            selected_frames() <= set(range(first, last + 1)), f"selected are {selected_frames()}, not {first} to {last}"
        )
        yield from shot(f"sounds_3_clicked_{kind.lower()}")
    strip = bpy.context.scene.sequence_editor.active_strip
    strip.select = False
    x, y = place_of("SEQUENCE_EDITOR", 2)
    chosen = record().active_sound
    yield from click(x, y - 16)  # the strip is low, so that its sounds are above it
    check(strip.select, "a click on the strip did not select it")
    check(record().active_sound == chosen, "a click beside the sounds chose one")


def changes():
    stage.press(bpy.ops.ed.undo_push, message="before")
    module = add_on().animation.line_sounds
    vowels = [i for i, sound in enumerate(record().sounds) if sound.symbol in {"ɑ", "æ", "ʌ", "aɪ", "oʊ", "eɪ", "ɛ"}]
    index = max(vowels or [4], key=lambda i: record().sounds[i].end - record().sounds[i].start)
    record().active_sound = index
    bpy.ops.ed.undo_push(message="chosen")
    path = f"object.data.shape_keys.animation_data.action.lsf.lines[0].sounds[{index}].close"
    with window_override():
        start = time.perf_counter()
        bpy.ops.wm.context_set_float("EXEC_DEFAULT", True, data_path=path, value=1.0)
        measured["a slider of a sound with its undo step, ms"] = round(1000 * (time.perf_counter() - start), 1)
    bpy.context.scene.frame_set(sum(module.frames_of(record(), index)) // 2)
    yield from shot("sounds_4_closed")
    yield from shot_of_sidebar("sounds_4_panel")
    yield from picture()
    stage.undo()
    yield 0.3
    check(record().sounds[index].close == 0, "undo of a slider left it")
    check(not module.edits(record()), "undo left a change")
    stage.redo()
    yield 0.3
    check(record().sounds[index].close == 1, "redo of a slider left something")
    with window_override():
        bpy.ops.lsf.change_sound("EXEC_DEFAULT", True, symbol="m")
    yield 0.3
    check(record().sounds[index].symbol == "m", "the sound was not changed")


def views():
    for name, factor in (("in", 0.2), ("out", -0.9)):
        for kind in EDITORS:
            with view(kind):
                bpy.ops.view2d.zoom_in(zoomfacx=factor, zoomfacy=0.0)
        bpy.context.scene.lsf.sounds.notation = {"in": "ARPABET", "out": "VISEME"}[name]
        yield from shot(f"sounds_5_zoomed_{name}")
    for kind, operator in (
        ("SEQUENCE_EDITOR", bpy.ops.sequencer.view_all),
        ("DOPESHEET_EDITOR", bpy.ops.action.view_all),
    ):
        with window_override(kind):
            operator()
    bpy.context.scene.lsf.sounds.notation = "IPA"
    theme = bpy.utils.preset_paths("interface_theme")
    light = next(path for folder in theme for path in Path(folder).glob("*ight.xml"))
    with window_override():
        bpy.ops.script.execute_preset(filepath=str(light), menu_idname="USERPREF_MT_interface_theme_presets")
    stage.area_of("DOPESHEET_EDITOR").type = "GRAPH_EDITOR"
    yield 0.3
    with window_override("GRAPH_EDITOR"):
        bpy.ops.graph.view_all()
    yield from shot("sounds_6_light")
    stage.area_of("GRAPH_EDITOR").type = "DOPESHEET_EDITOR"
    with window_override():
        bpy.ops.preferences.reset_default_theme()


def a_minute():
    module, line = add_on().animation.line_sounds, record()
    seconds = line.frames / line.fps
    edges = np.linspace(0, seconds, MINUTE + 1) + line.start
    symbols = [("m", "ɑ", "p", "i", "s")[i % 5] for i in range(MINUTE)]
    found = [
        module.Item(float(edges[i]), float(edges[i + 1]), symbol, symbol, 0.9, {}) for i, symbol in enumerate(symbols)
    ]
    module._write(line, found)
    for _ in range(3):  # the labels have room
        with window_override("DOPESHEET_EDITOR"):
            bpy.ops.view2d.zoom_in(zoomfacx=0.3, zoomfacy=0.0)
    start = time.thread_time()
    for _ in range(REPEATS):
        sum(number * number for number in range(20_000))  # to compare: about 1 ms on a quiet computer
    measured["a loop of 20000 squares, ms"] = round(1000 * (time.thread_time() - start) / REPEATS, 2)
    took, end = timed()
    for kind in EDITORS:
        took.clear()
        for _ in range(12):
            stage.region_of(stage.area_of(kind)).tag_redraw()
            yield 0.1
        measured[f"redraw of {MINUTE} sounds in {kind}, ms"] = f"{min(took):.2f}, median {np.median(took):.2f}"
        check(min(took) < LIMIT, f"a redraw takes {min(took):.1f} ms")
    yield from shot("sounds_7_minute")
    end()
    timeline().hide()
    check(not timeline().is_shown(), "the sounds are still shown")


def picture():
    sequencer, keys = (stage.area_of(kind) for kind in EDITORS)
    height = sequencer.y + sequencer.height - keys.y
    yield from shot("docs/sounds.png", *only(keys.x, keys.y, keys.width, height))
    yield from convert("docs/sounds.png", "+dither", "-colors", "128", "docs/sounds.png")


stage.run(steps())
