"""Playblast: a copy of the scene is rendered, and nothing of it stays."""

import subprocess
from shutil import which

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Euler, Vector

from lsf_blender_addon import compat
from lsf_blender_addon.errors import UserError
from lsf_blender_addon.preview import face_camera, frame_range, playblast

KINDS = ("scenes", "objects", "cameras", "worlds", "actions", "collections", "meshes")


@pytest.fixture
def head(addon, add_strip, clicks, tmp_path):
    """A cone whose tip looks along -Y and moves with a key, far from the origin, in a saved file with a strip."""
    add_strip(clicks)
    bpy.ops.mesh.primitive_cone_add(vertices=12, rotation=(np.pi / 2, 0, 0), location=(5, -3, 2))
    cone = bpy.context.object
    cone.shape_key_add(name="Basis")
    key = cone.shape_key_add(name="jawOpen")
    key.value = 0
    for point in key.points:
        point.co.x += 0.1 * (2 + point.co.z)  # most at the tip
    bpy.context.view_layer.update()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    return cone


def settings(scene) -> list[dict]:
    """Plain values of what a render needs."""
    structs = (
        scene,
        scene.render,
        scene.render.image_settings,
        scene.render.ffmpeg,
        scene.display.shading,
        scene.view_settings,
    )
    return [
        {
            p.identifier: str(getattr(struct, p.identifier))
            for p in struct.bl_rna.properties
            if p.type != "COLLECTION" and not getattr(p, "is_array", False)
        }
        for struct in structs
    ]


def counts() -> list[int]:
    return [len(getattr(bpy.data, kind)) for kind in KINDS]


@pytest.mark.parametrize("turn", [(0, 0, 0), (0, 0, 2), (0.5, 0, -1), (-np.pi / 2, 0, 0)])
def test_the_camera_sees_the_face_from_the_front(head, turn):
    head.rotation_euler = (Euler(turn).to_matrix() @ head.rotation_euler.to_matrix()).to_euler()
    bpy.context.view_layer.update()
    camera = face_camera.create(head)
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.view_layer.update()
    forward = camera.matrix_world.to_3x3() @ Vector((0, 0, -1))
    front = head.matrix_world.to_3x3() @ Vector((0, 0, 1))  # the tip
    assert -forward.dot(front) > 0.85
    assert turn[0] == -np.pi / 2 or (camera.matrix_world.to_3x3() @ Vector((0, 1, 0))).z > 0.99, "upright"
    render = bpy.context.scene.render
    render.resolution_x = render.resolution_y = 100
    seen = [world_to_camera_view(bpy.context.scene, camera, head.matrix_world @ v.co) for v in head.data.vertices]
    assert all(0 < x < 1 and 0 < y < 1 and z > 0 for x, y, z in seen)
    assert max(max(abs(x - 0.5), abs(y - 0.5)) for x, y, _ in seen) > 0.2, "not from far away"


def test_a_path_that_no_file_has(head, tmp_path):
    assert playblast.output_path("a/b: ö") == str(tmp_path / "shot_a_b_ö_001.mp4")
    (tmp_path / "shot_line_001.mp4").touch()
    assert playblast.output_path("line") == str(tmp_path / "shot_line_002.mp4")


def test_an_unsaved_file_is_refused(addon):
    with pytest.raises(UserError, match="Save the file first"):
        playblast.output_path("line")
    bpy.ops.mesh.primitive_cube_add()
    assert not bpy.ops.lsf.playblast.poll()


def test_the_scene_stays_as_it_is(head):
    scene = bpy.context.scene
    scene.world = bpy.data.worlds.new("theirs")
    scene.collection.objects.link(bpy.data.objects.new("LSF face", bpy.data.cameras.new("LSF face")))
    scene.timeline_markers.new("cut", frame=30).camera = bpy.data.objects["LSF face"]
    bpy.context.view_layer.update()
    before = counts(), settings(scene), [marker.camera.name for marker in scene.timeline_markers]
    copy = playblast.create_scene(scene, head, (25, 30), "/playblast.mp4", close_up=True)
    assert copy.camera.name != "LSF face" and (copy.frame_start, copy.frame_end) == (25, 30)
    playblast.remove_scene(copy)
    assert (counts(), settings(scene), [marker.camera.name for marker in scene.timeline_markers]) == before


def test_the_scenes_own_camera(head):
    scene = bpy.context.scene
    scene.camera = bpy.data.objects.new("theirs", bpy.data.cameras.new("theirs"))
    scene.collection.objects.link(scene.camera)
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 1998, 1080, 25
    copy = playblast.create_scene(scene, head, (25, 30), "/playblast.mp4", close_up=False)
    assert copy.camera == scene.camera and (copy.render.resolution_x, copy.render.resolution_y) == (498, 270)
    assert copy.world is not scene.world
    playblast.remove_scene(copy)
    assert scene.camera.name == "theirs"


@pytest.mark.skipif(not bpy.app.build_options.audaspace, reason="the bpy 4.2 wheel can make no strips")
def test_pictures_are_taken_off_the_sequencer(head):
    """They would be shown instead of the face; sounds in metas are heard all the same."""
    scene = bpy.context.scene
    editor = scene.sequence_editor
    (editor.strips if hasattr(editor, "strips") else editor.sequences).new_meta("meta", 2, 1)
    sound = next(strip for strip in compat.strips_of(editor) if strip.type == "SOUND")
    sound.move_to_meta(next(strip for strip in compat.strips_of(editor) if strip.type == "META"))
    copy = playblast.create_scene(scene, head, (25, 30), "/playblast.mp4", close_up=True)
    assert [strip.type for strip in compat.strips_of(copy.sequence_editor)] == ["SOUND"]
    assert [strip.type for strip in compat.strips_of(editor)] == ["META"]
    playblast.remove_scene(copy)


@pytest.mark.skipif(which("ffprobe") is None, reason="needs ffprobe")
def test_a_playblast_with_sound(head, addon, tmp_path, monkeypatch):
    monkeypatch.setattr(playblast, "FACE_SIZE", 64)
    from lsf_blender_addon.ui.operators import playblast as operator

    six_frames = frame_range.FrameRange(bpy.context.scene, 35, 40, "line")  # with the first click
    monkeypatch.setattr(operator.line_list, "frames_to_watch", lambda context, head: six_frames)
    before = counts()
    for number in (1, 2):
        assert bpy.ops.lsf.playblast() == {"FINISHED"}
        path = tmp_path / f"shot_line_{number:03}.mp4"
        assert path.is_file() and str(path) in addon.session.message
    assert counts() == before and not playblast.remaining_scenes()
    assert operator._completed not in bpy.app.handlers.render_complete
    streams = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width,nb_frames", "-of", "csv=p=0", path],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert streams[0] == "h264,64,6"
    if bpy.app.build_options.audaspace:
        assert streams[1].startswith("aac")
        sound = subprocess.run(
            ["ffmpeg", "-v", "error", "-i", path, "-f", "s16le", "-ac", "1", "-"], capture_output=True, check=True
        ).stdout
        assert np.abs(np.frombuffer(sound, np.int16).astype(np.int32)).max() > 3000


def test_a_cancelled_playblast_leaves_no_file(head, addon, tmp_path, monkeypatch):
    """Esc while it is rendered: Blender calls the handler, and has written a part of the file."""
    from lsf_blender_addon.ui.operators import playblast as operator

    path = tmp_path / "shot_line_001.mp4"
    path.write_bytes(b"half a video")
    copy = playblast.create_scene(bpy.context.scene, head, (25, 30), str(path), close_up=True)
    operator._cancelled(bpy.context.scene)  # of another render
    operator._cancelled(copy)  # of a scene that is in the file with the same mark
    assert path.exists()
    monkeypatch.setattr(operator, "_path", str(path))
    operator._cancelled(copy)
    assert not path.exists() and "no playblast" in addon.session.message
    operator._clean_up()
    assert not playblast.remaining_scenes()
    if bpy.app.timers.is_registered(operator._clean_up):
        bpy.app.timers.unregister(operator._clean_up)
