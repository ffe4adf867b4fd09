"""The list of a head's lines as it is drawn, and the rows of other panels that depend on which line is shown."""

import time
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import actions, lines
from lsf_blender_addon.prediction import recording
from lsf_blender_addon.scene import strip_identity
from lsf_blender_addon.scene.own_properties import lines_of
from lsf_blender_addon.scene.snapshots import Source
from lsf_blender_addon.ui.panels import batch as batch_panel
from lsf_blender_addon.ui.panels import lines as lines_panel
from tests.lsf_blender_addon.animation.stage import prediction
from tests.lsf_blender_addon.fake_client import Client, use
from tests.lsf_blender_addon.ui.panels import test_draw

ORDER = [
    "lines", "watch", "take", "emotion", "expression_bank", "style", "tweak", "channels", "sounds", "keys", "layers",
    "face", "parts", "own_keys", "bones",
]  # fmt: skip
HAS_SOUND = bpy.app.build_options.audaspace
needs_strips = pytest.mark.skipif(not HAS_SOUND, reason="the bpy 4.2 wheel can make no strips")


@pytest.fixture
def panel(addon):
    (found,) = [cls for cls in addon.CLASSES if cls.__name__ == "LSF_PT_view3d_lines"]
    return found


@pytest.fixture
def scene(addon, add_strip, wav, tmp_path, monkeypatch):
    """A head with three lines, the second of which was generated first."""
    for name, frame in {"one": 25, "two": 200, "three": 400}.items():
        path = tmp_path / f"{name}.wav"
        wav[0](path, np.full(4 * 8000, 100 + frame), 8000)
        add_strip(path, name, frame)
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    use(addon, monkeypatch, Client())
    scene = bpy.context.scene
    for name in ("two", "one", "three"):
        scene.sequence_editor.active_strip = strip_of(name)
        bpy.ops.lsf.generate()
    return scene


def strip_of(name: str):
    return next(strip for strip in compat.all_strips(bpy.context.scene.sequence_editor) if strip.name == name)


def move(strip, frames: int) -> None:
    if hasattr(strip, "content_start"):
        strip.content_start += frames
    else:
        strip.frame_start += frames


def rows(panel, width: int = 300) -> list[str]:
    """What the panel draws in a sidebar of this width."""
    return test_draw.draw([panel], width)


def row_of(panel, name: str) -> lines_panel.Row:
    rows(panel)
    return next(row for row in lines_panel._rows.values() if row.name == name)


def test_the_panels_are_in_the_order_in_which_one_works(addon):
    names = [cls.__name__ for cls in addon.CLASSES if cls.__name__.startswith("LSF_PT_view3d_")]
    assert [name.removeprefix("LSF_PT_view3d_") for name in names] == [*ORDER, "batch", "exchange"]


def test_a_head_without_lines(panel, addon):
    assert rows(panel) == ["Select a head first"]
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    assert " ".join(rows(panel)) == "Nothing was generated for this head yet"


@needs_strips
def test_names_and_frames_and_what_fits(panel, scene):
    drawn = rows(panel)
    assert {"one", "25–120", "two", "200–295", "three", "400–495", "The strip is as it was"} <= set(drawn)
    assert {"Edit", "Generate Again", "Follow Strip", "Remove", "Remove All"} <= set(drawn)
    move(strip_of("two"), 12)
    assert "moved" not in rows(panel) and "moved" in rows(panel, 400)
    narrow = rows(panel, 140)
    assert {"one", "two", "three"} <= set(narrow) and "25–120" not in narrow


@needs_strips
def test_the_state_of_each_strip(panel, scene):
    move(strip_of("two"), 12)
    scene.lsf.strip = "two"
    assert row_of(panel, "two").word == "moved" and "The strip begins at frame 212, the line at 200" in " ".join(
        rows(panel)
    )
    strip_of("two").name = "deux"
    assert row_of(panel, "deux").word == "moved", "the name that the strip has now"
    compat.remove_strip(scene.sequence_editor, strip_of("one"))
    assert row_of(panel, "one").word == "strip is gone"
    strip = strip_of("three")
    if hasattr(strip, "left_handle"):
        strip.left_handle += 20
    else:
        strip.frame_final_start += 20
    assert row_of(panel, "three").sentence == "The strip was changed: press Generate Again"
    source = Source("recorded", "face.csv", scene.name, "face.csv", 24.0, 240, 48, 0.0, 48.0)
    mesh = bpy.context.object.data
    recorded = recording.predict(np.ones((48, 1), np.float32), ["jawOpen"], 24.0, None)
    lines.write(mesh, *lines.put(mesh, "Head", source, recorded, "RECORDING"))
    face = row_of(panel, "face.csv")
    assert face.word == "recording" and not face.blended and not face.above
    assert row_of(panel, "deux").above == ("face.csv",) and "Gives way to face.csv" in rows(panel)
    assert not row_of(panel, "one").above


@needs_strips
def test_lines_that_overlap(panel, scene):
    move(strip_of("three"), -180)
    scene.lsf.strip = "three"
    bpy.ops.lsf.follow_strip()
    drawn = rows(panel)
    assert "Blended with two" in drawn and row_of(panel, "two").blended == ("three",)
    assert row_of(panel, "two").word == "blended"
    compat.remove_strip(scene.sequence_editor, strip_of("two"))
    assert row_of(panel, "two").above == ("three",) and row_of(panel, "two").word == "strip is gone"
    assert not row_of(panel, "three").blended and row_of(panel, "three").word == ""


@needs_strips
def test_the_rows_are_sorted_by_frames_and_filtered_by_the_present_name(panel, scene):
    rows(panel)
    action = actions.existing(bpy.context.object.data)
    assert [record.name for record in lines_of(action)] == ["two", "one", "three"]
    for typed, expected in (("", [1, 1, 1]), ("T", [1, 0, 1]), ("one", [0, 1, 0])):
        flags, order = lines_panel.LSF_UL_lines.filter_items(
            SimpleNamespace(filter_name=typed, bitflag_filter_item=1), bpy.context, action.lsf, "lines"
        )
        assert flags == expected and order == [1, 0, 2], "the place of each item"


def test_the_strips_are_looked_up_once_for_a_hundred_lines(panel, addon, monkeypatch):
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    head = bpy.context.object
    for name in ("Basis", "jawOpen"):
        head.shape_key_add(name=name)
    made = prediction(np.zeros((10, 1), np.float32), ("jawOpen",))
    for i in range(100):
        lines.put(head.data, "Head", Source(f"{i}", f"line {i}", "Scene", "a.wav", 24.0, 20 * i, 10, 0.0, 10.0), made)
    calls = []
    states = strip_identity.states
    monkeypatch.setattr(strip_identity, "states", lambda sources: calls.append(len(sources)) or states(sources))
    start = time.thread_time()
    drawn = rows(panel)
    assert time.thread_time() - start < 0.05 and calls.count(100) == 1
    start = time.thread_time()
    for _ in range(12):  # as often as Blender asks for the marked row
        bpy.context.scene.lsf.shown_line  # noqa: B018
    assert time.thread_time() - start < 0.005
    assert "line 99" in drawn and "1980–1989" in drawn


@needs_strips
def test_a_take_that_needs_generate(addon, scene):
    (panel,) = [cls for cls in addon.CLASSES if cls.__name__ == "LSF_PT_view3d_take"]
    settings = scene.lsf
    assert "This is take 0" in test_draw.draw([panel])
    settings.take = 2
    assert "Needs Generate: this is take 0" in test_draw.draw([panel])
    bpy.ops.lsf.generate()
    assert "This is take 2" in test_draw.draw([panel])
    settings.variation = 0.5
    assert "Needs Generate: this is variation 0.20" in test_draw.draw([panel])
    scene.sequence_editor.active_strip = strip_of("one")
    assert "Needs Generate: this is take 0" in test_draw.draw([panel]), "another line has another take"


@needs_strips
def test_tweak_and_keys_say_which_line_they_show(addon, scene):
    panels = [cls for cls in addon.CLASSES if cls.__name__ in {"LSF_PT_view3d_tweak", "LSF_PT_view3d_keys"}]
    assert test_draw.draw(panels).count("three") == 2
    scene.lsf.strip = "one"
    strip_of("one").name = "uno"
    drawn = test_draw.draw(panels)
    assert drawn.count("uno") == 2 and "three" not in drawn


@needs_strips
def test_a_row_of_the_batch_without_a_head_is_not_ticked(addon, scene, monkeypatch):
    bpy.ops.lsf.list_lines()
    table = scene.lsf.batch.lines
    table[1].head = None
    (panel,) = [cls for cls in addon.CLASSES if cls.__name__ == "LSF_PT_view3d_batch"]
    icons: list[str] = []
    monkeypatch.setattr(
        test_draw.Layout, "label", lambda self, text="", icon="NONE", **options: icons.append((text, icon))
    )
    drawn = test_draw.draw([panel])
    assert drawn.count("Generate") == 2 and icons.count(("", "CHECKBOX_DEHLT")) == 1
    assert {("one", "NONE"), ("two", "NONE")} <= set(icons) and batch_panel.ICONS


def test_lines_of_the_first_version_are_offered_and_taken_over(panel, addon):
    bpy.ops.wm.open_mainfile(filepath=str(Path(__file__).parents[2] / "assets" / "lines_of_0_1.blend"))
    bpy.context.view_layer.objects.active = bpy.data.objects["Head"]
    assert "Take Over" in rows(panel)
    assert bpy.ops.lsf.take_over_lines() == {"FINISHED"}
    drawn = rows(panel)
    assert "Take Over" not in drawn and {"one", "two", "25–120", "200–295"} <= set(drawn)
    with pytest.raises(RuntimeError, match="This head has no lines of version"):
        bpy.ops.lsf.take_over_lines()
