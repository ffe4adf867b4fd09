"""The first half hour in a fresh file: installation, Demo Line, Generate at once, undo, Add Speech, Extend Scene."""

import os
import sys
import time
from pathlib import Path

import bpy
from bpy_extras.view3d_utils import location_3d_to_region_2d
from mathutils import Vector

sys.path.insert(0, str(Path(__file__).parent))
import stage
from shots import convert, only, shot, shot_of_sidebar
from stage import add_on, area_of, check, head, idle, measured, press, region_of, until, window_override

ENGINE = os.environ["LSF_SERVER_PYTHON"]
AUDIO = os.environ["LSF_GUI_AUDIO"]
SECOND_LINE = 150  # frame of the line that ends after the scene
SMALLEST_HEAD = 0.3  # part of the viewport's height that the head has to fill
STEPS = 40  # of the installation that is only played
PAUSE = 0.5  # seconds for each of them


def scene() -> bpy.types.Scene:
    return bpy.context.scene


def played_installation(folder, log_path, report, cancelled):
    """Report what an installation reports, and install nothing; stands in for client.installation.make."""
    installation = add_on().client.installation
    Path(log_path).write_text("Collecting torch\n")
    for step in range(STEPS):
        done = step / STEPS
        if done < 0.7:
            report(installation.Progress(done, "Downloading", "torch", round(290 * done / 0.7), 290))
        else:
            report(installation.Progress(done, "Unpacking", "", round(1300 * (done - 0.7) / 0.3), 1300))
        time.sleep(PAUSE)
        if cancelled():
            raise installation.Cancelled
    return Path(ENGINE)


def begin_installation():
    """Start the installation that is only played, as the button does."""
    environment = add_on().jobs.environment
    environment.installation = add_on().client.installation.Installation(
        environment.environment_folder(), environment.install_log(), played_installation
    )
    bpy.app.timers.register(add_on().ui.operators.make_environment.watch)
    return environment.installation


def height_in_view(obj: bpy.types.Object) -> float:
    """How much of the viewport's height an object fills; 0 if a part of it lies outside."""
    area = area_of("VIEW_3D")
    region, view = region_of(area), area.spaces.active.region_3d
    corners = [obj.matrix_world @ vertex.co for vertex in list(obj.data.vertices)[::20]]
    points = [location_3d_to_region_2d(region, view, corner) for corner in corners]
    if any(p is None or not (0 <= p.x <= region.width and 0 <= p.y <= region.height) for p in points):
        return 0.0
    return (max(p.y for p in points) - min(p.y for p in points)) / region.height


def is_seen(obj: bpy.types.Object) -> bool:
    """Whether nothing lies between the viewer and the middle of an object."""
    view = area_of("VIEW_3D").spaces.active.region_3d
    eye = view.view_matrix.inverted().translation
    middle = obj.matrix_world @ (sum((Vector(corner) for corner in obj.bound_box), Vector()) / 8)
    hit = scene().ray_cast(bpy.context.evaluated_depsgraph_get(), eye, (middle - eye).normalized())
    return hit[0] and hit[4] == obj


def install_steps():
    """The tab of a Blender without the speech engine."""
    del os.environ["LSF_SERVER_PYTHON"]
    area_of("VIEW_3D").spaces.active.show_region_ui = True
    yield 0.3
    region_of(area_of("VIEW_3D"), "UI").active_panel_category = "LSF"
    yield from shot("first_1_fresh")
    stage.show_panels(others=False)
    yield from shot_of_sidebar("setup_fresh")
    check(bpy.context.object is bpy.data.objects["Cube"], "this is not the factory file")
    check(not bpy.app.online_access and not bpy.ops.lsf.make_environment.poll(), "Install needs online access")
    press(bpy.ops.lsf.allow_online_access)
    check(bpy.app.online_access and bpy.ops.lsf.make_environment.poll(), "online access was not allowed")
    yield from shot("first_2_online")
    installation = begin_installation()
    yield from until(lambda: installation.progress.megabytes > 60)
    yield from shot("first_3_installing")
    yield from shot_of_sidebar("setup_installing")
    yield from convert(
        "setup_fresh.png", "setup_installing.png", "-background", "#303030", "+append", "+dither", "-colors", "96",
        "docs/panel_setup.png",
    )  # fmt: skip
    stage.show_panels("lines")
    with window_override():
        bpy.ops.preferences.addon_show(module=add_on().__name__)
    yield from shot("first_4_preferences")
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[-1]):
        bpy.ops.wm.window_close()
    yield from until(lambda: not installation.running)
    yield 0.5
    check(add_on().jobs.session.message == "The installation is complete", "the end is not told")
    check(add_on().jobs.session._client is None, "a server was started without a speech engine")


def demo_steps():
    """The head is seen, beside the cube of the factory file."""
    cube = bpy.data.objects["Cube"].matrix_world.copy()
    press(bpy.ops.lsf.demo_line)
    bpy.ops.ed.undo_push(message="Demo Line")  # a call from Python pushes no step
    yield 1.0
    workspace = bpy.context.workspace
    check(getattr(workspace, "sequencer_scene", scene()) == scene(), "the sequencer shows no scene")
    check(len(bpy.data.scenes) == 1 and stage.window().scene == scene(), "the window shows another scene")
    check(bpy.context.object == head() and bpy.data.objects["Cube"].matrix_world == cube, "the cube was touched")
    measured["height of the head in the viewport"] = round(height_in_view(head()), 2)
    check(height_in_view(head()) > SMALLEST_HEAD, "the head is a speck, or outside of the view")
    check(is_seen(head()), "something hides the head")
    yield from shot("first_5_demo_line")


def generate_steps():
    """Generate is pressed before the speech engine is there: the panel shows what it waits for."""
    session = add_on().jobs.session
    os.environ["LSF_SERVER_PYTHON"] = ENGINE
    session.redraw()
    yield from until(lambda: session._client is not None, 5)  # the tab was drawn
    begin = time.perf_counter()
    press(bpy.ops.lsf.generate)
    shown = []
    pictures = {"Loading PyTorch": "first_6_waiting"}
    while not idle():
        batch = session.batch
        if batch is not None and (not shown or shown[-1] != (batch.text, batch.fraction)):
            shown.append((batch.text, batch.fraction))
            if batch.text in pictures:
                yield from shot(pictures.pop(batch.text))
        yield 0.01
    measured["first Generate, s"] = round(time.perf_counter() - begin, 1)
    measured["what it showed"] = " > ".join(dict.fromkeys(f"{text} {fraction:.0%}" for text, fraction in shown))
    fractions = [fraction for _, fraction in shown]
    check(fractions == sorted(fractions) and len(set(fractions)) > 4, f"the progress stands still: {fractions}")
    texts = [text for text, _ in shown]
    check({"Loading PyTorch", "Loading the speech model"} <= set(texts), f"it does not tell what it waits for: {texts}")
    check(not session.failed and head().data.shape_keys is not None, f"no result: {session.message}")
    measured["result"] = session.message
    bpy.context.scene.frame_set(60)
    yield from shot("first_7_done")
    area = area_of("VIEW_3D")
    yield from shot(
        "docs/first_line.jpg", *only(area.x, area.y, area.width, area.height), "-resize", "1000", "-quality", "86"
    )
    stage.undo()
    yield 0.3
    check(head().data.shape_keys is None and session.message == "", f"after undo it says {session.message!r}")
    yield from shot("first_8_undone")


def speech_steps():
    """A second line, which ends after the scene."""
    scene().frame_set(SECOND_LINE)
    press(bpy.ops.lsf.add_speech)  # opens the file browser
    yield 1.0
    browsers = [
        (window, area)
        for window in bpy.context.window_manager.windows
        for area in window.screen.areas
        if area.type == "FILE_BROWSER"
    ]
    check(len(browsers) == 1, "no file browser")
    yield from shot("first_9_browser")
    for window, area in browsers:
        with bpy.context.temp_override(window=window, area=area, region=region_of(area)):
            bpy.ops.file.cancel()
    yield 0.5
    with window_override():
        bpy.ops.lsf.add_speech(filepath=AUDIO)
        bpy.ops.ed.undo_push(message="Add Speech")
    strip = scene().sequence_editor.active_strip
    times = add_on().compat.strip_times(strip)
    last = int(times.right) - 1
    check(times.left == SECOND_LINE and strip.select and scene().frame_end == 250, "the strip is in the wrong place")
    yield from shot("first_10_ends_late")
    press(bpy.ops.lsf.extend_scene)
    yield 0.3
    check(scene().frame_end == last and not bpy.ops.lsf.extend_scene.poll(), "the scene was not extended")
    yield from shot("first_11_extended")
    press(bpy.ops.lsf.generate)
    took = yield from until(idle)
    measured["second Generate, s"] = round(took, 1)
    check(not add_on().jobs.session.failed, add_on().jobs.session.message)
    yield from shot("first_12_second_line")


def steps():
    yield from install_steps()
    yield from demo_steps()
    yield from generate_steps()
    yield from speech_steps()


stage.run(steps(), emptied=False)
