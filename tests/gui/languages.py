"""Pictures of subpanels and preferences in each language, to look for text that is cut off or not translated."""

import os
import sys
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import stage
from shots import shot, shot_of_sidebar
from stage import add_on, check, head, idle, press, until, window_override

GROUPS = {
    "take": ["take", "layers"],
    "tweak": ["tweak", "channels", "keys"],
    "emotion": ["lines", "emotion"],
    "watch": ["watch", "exchange", "batch"],
    "face": ["face", "parts", "own_keys"],
}


def generate(operator):
    press(operator)
    yield from until(idle)
    check(not add_on().jobs.session.failed, add_on().jobs.session.message)


def prepare():
    """Make what the panels show: takes, a key set by hand, a keyed emotion, landmarks and a list of lines."""
    bpy.context.preferences.view.ui_scale = 0.9  # the longest subpanels fit into the window
    stage.show_panels(others=False)
    press(bpy.ops.lsf.add_head)
    stage.add_line()
    yield from stage.show_heads_from_the_front()
    yield from generate(bpy.ops.lsf.generate)
    yield from generate(bpy.ops.lsf.generate_takes)
    yield from generate(bpy.ops.lsf.find_landmarks)
    key = head().data.shape_keys.key_blocks["jawOpen"]
    key.value = 0.3
    key.keyframe_insert("value", frame=100)
    settings = bpy.context.scene.lsf
    settings.only_range = True
    settings.emotion.chosen = "contempt"
    bpy.context.scene.keyframe_insert("lsf.emotion.chosen", frame=30)
    nodding = bpy.data.objects.new("Neck", None)
    bpy.context.scene.collection.objects.link(nodding)
    head().lsf.nod.object = nodding
    with window_override():
        bpy.ops.lsf.list_lines()


def add_head_with_own_keys() -> bpy.types.Object:
    press(bpy.ops.lsf.add_head)
    for name in ("Basis", "jawOpen", "mouthClose", "viseme_aa", "mine"):
        bpy.context.object.shape_key_add(name=name)
    press(bpy.ops.lsf.fill_mapping)
    return bpy.context.object


def shots_of(language: str, other: bpy.types.Object):
    bpy.context.preferences.view.language = language
    settings = bpy.context.scene.lsf
    settings.head = head()
    for name, group in GROUPS.items():
        stage.show_panels(*group, others=False)
        yield from shot_of_sidebar(f"{language}_{name}")
    for way in ("RECOGNISE", "LIST"):
        settings.head, other.lsf.own_keys = other, way
        yield from shot_of_sidebar(f"{language}_own_keys_{way.lower()}")
    settings.head = head()
    yield from generate(bpy.ops.lsf.generate)
    stage.show_panels("keys", "take", others=False)
    yield from shot_of_sidebar(f"{language}_result")
    stage.show_panels()
    press(bpy.ops.lsf.edit_landmarks)
    yield from shot(f"{language}_editing")
    stage.press_escape()
    yield from shot_of_preferences(f"{language}_preferences")
    python = os.environ.pop("LSF_SERVER_PYTHON")  # as before the installation
    yield from shot_of_preferences(f"{language}_not_installed")
    os.environ["LSF_SERVER_PYTHON"] = python


def shot_of_preferences(name: str):
    with window_override():
        bpy.ops.preferences.addon_show(module=add_on().__name__)
    yield from shot(name)
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[-1]):
        bpy.ops.wm.window_close()
    yield 0.5


def steps():
    yield from prepare()
    other = add_head_with_own_keys()
    for language in ("en_US", *add_on().ui.translations.LANGUAGES):
        yield from shots_of(language, other)


stage.run(steps())
