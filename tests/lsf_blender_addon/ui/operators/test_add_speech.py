"""Add Speech, Demo Line and Extend Scene: strips at the playhead, in a free channel, without changing other things."""

import bpy
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.jobs import session
from lsf_blender_addon.scene import new_strip, strips

pytestmark = pytest.mark.skipif(
    not bpy.app.build_options.audaspace, reason="this Blender cannot add sound: it is a module without Audaspace"
)


@pytest.fixture
def scene(addon):
    return bpy.context.scene


def names(scene) -> list[str]:
    return [strip.name for strip in strips.sound_strips(scene)]


def test_a_sound_becomes_the_active_strip_at_the_playhead(scene, clicks):
    scene.frame_set(30)
    assert bpy.ops.lsf.add_speech(filepath=str(clicks)) == {"FINISHED"}
    (strip,) = strips.sound_strips(scene)
    times = compat.strip_times(strip)
    assert (strip.name, strip.channel, times.left, times.right) == ("clicks", 1, 30, 30 + 4 * 24)
    assert scene.sequence_editor.active_strip == strip and strip.select
    assert session.message == "clicks: frames 30 to 125; playback follows the sound now"
    assert strips.find_strip(scene, "") == strip


def test_a_second_line_leaves_the_first_alone(scene, clicks):
    bpy.ops.lsf.add_speech(filepath=str(clicks))
    first = strips.sound_strips(scene)[0]
    scene.sync_mode = "FRAME_DROP"
    scene.lsf.strip = first.name
    scene.frame_set(50)  # inside of the first
    bpy.ops.lsf.add_speech(filepath=str(clicks))
    first, second = strips.sound_strips(scene)
    assert (compat.strip_times(first).left, first.channel, first.select) == (1, 1, False)
    assert (compat.strip_times(second).left, second.channel, second.select) == (50, 2, True)
    assert scene.lsf.strip == second.name, "the field named the first one"
    assert scene.sync_mode == "FRAME_DROP" and "playback" not in session.message
    scene.frame_set(200)  # after both: the lowest channel is free again
    bpy.ops.lsf.add_speech(filepath=str(clicks))
    assert strips.sound_strips(scene)[2].channel == 1


def test_a_locked_channel_is_left_alone(scene, clicks):
    scene.sequence_editor_create().channels[1].lock = True
    bpy.ops.lsf.add_speech(filepath=str(clicks))
    assert strips.sound_strips(scene)[0].channel == 2


def test_several_files_follow_on_each_other(scene, clicks, tmp_path):
    (tmp_path / "again.wav").write_bytes(clicks.read_bytes())
    files = [{"name": "clicks.wav"}, {"name": "again.wav"}]
    bpy.ops.lsf.add_speech(directory=str(tmp_path), files=files)
    first, second = strips.sound_strips(scene)
    assert (first.name, second.name, first.channel, second.channel) == ("again", "clicks", 1, 1)
    assert compat.strip_times(second).left == compat.strip_times(first).right == 1 + 4 * 24
    assert scene.sequence_editor.active_strip == first


@pytest.mark.parametrize("contents", [None, b"", b"no sound at all"])
def test_a_file_that_is_no_sound_is_refused_with_a_sentence(scene, tmp_path, clicks, contents):
    path = tmp_path / "bad.wav"
    if contents is not None:
        path.write_bytes(contents)
    with pytest.raises(RuntimeError, match="There is no file" if contents is None else "Blender finds no sound in"):
        bpy.ops.lsf.add_speech(filepath=str(path))
    with pytest.raises(RuntimeError):  # none of several files is added then
        bpy.ops.lsf.add_speech(directory=str(tmp_path), files=[{"name": "clicks.wav"}, {"name": "bad.wav"}])
    assert not names(scene) and not bpy.data.sounds and scene.sync_mode == "NONE"


def test_the_path_is_relative_in_a_saved_file(scene, clicks, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.lsf.add_speech(filepath=str(clicks))
    (strip,) = strips.sound_strips(bpy.context.scene)
    assert strip.sound.filepath == "//clicks.wav"
    assert strips.read_line(bpy.context.scene, strip).path == str(clicks)


@pytest.mark.skipif(
    "sequencer_scene" not in bpy.types.WorkSpace.bl_rna.properties, reason="the sequencer shows the active scene"
)
def test_the_sequencer_gets_a_scene_and_the_window_keeps_its_own(scene, clicks):
    workspace = bpy.context.workspace
    workspace.sequencer_scene = None
    bpy.ops.lsf.add_speech(filepath=str(clicks))
    assert workspace.sequencer_scene == scene == bpy.context.window.scene and len(bpy.data.scenes) == 1
    other = bpy.data.scenes.new("Edit")
    workspace.sequencer_scene = other
    bpy.ops.lsf.add_speech(filepath=str(clicks))
    assert names(other) == ["clicks"] and workspace.sequencer_scene == other and bpy.context.window.scene == scene
    assert other.sync_mode == "AUDIO_SYNC"


def test_the_demo_needs_nothing_else(scene):
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    assert bpy.ops.lsf.demo_line() == {"FINISHED"}
    head = bpy.context.object
    assert head != cube and head.select_get() and not cube.select_get() and names(scene) == ["demo_line"]
    assert strips.find_strip(scene, "").sound.filepath.endswith("demo_line.flac") and new_strip.DEMO_LINE.is_file()


def test_the_demo_adds_no_second_head(scene):
    bpy.ops.lsf.add_head()
    bpy.ops.lsf.demo_line()
    assert [obj.name for obj in bpy.data.objects] == ["LSF Head"]
    bpy.data.objects["LSF Head"].name = "Anna"
    scene.lsf.head = bpy.data.objects["Anna"]
    bpy.ops.lsf.demo_line()
    assert [obj.name for obj in bpy.data.objects] == ["Anna"] and len(names(scene)) == 2


def test_the_scene_is_extended_for_the_chosen_line_only(scene, clicks):
    scene.frame_end = 110
    scene.frame_set(5)
    bpy.ops.lsf.add_speech(filepath=str(clicks))  # ends at 100
    scene.frame_set(40)
    bpy.ops.lsf.add_speech(filepath=str(clicks))  # ends at 135
    scene.lsf.strip = "clicks"
    assert not bpy.ops.lsf.extend_scene.poll() and scene.frame_end == 110
    scene.lsf.strip = "clicks.001"
    assert bpy.ops.lsf.extend_scene() == {"FINISHED"} and scene.frame_end == 135
