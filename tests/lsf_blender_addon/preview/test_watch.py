"""Preview's settings come back, and the graph of the mouth is that of the prediction."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon.prediction import lips, store
from lsf_blender_addon.preview import frame_range, mouth_graph, mouth_openings, playback
from tests.lsf_blender_addon.fake_client import Client, use

SETTINGS = ("use_preview_range", "frame_preview_start", "frame_preview_end", "sync_mode", "use_audio")


@pytest.fixture
def scene(addon):
    return bpy.context.scene


def settings(scene) -> dict:
    return {name: getattr(scene, name) for name in SETTINGS}


@pytest.mark.parametrize("theirs", [None, (10, 20), (1000, 2000), (150, 160)])
def test_settings_come_back_after_the_playback(scene, theirs):
    if theirs:
        scene.use_preview_range = True
        scene.frame_preview_end, scene.frame_preview_start = max(theirs), min(theirs)
        scene.frame_preview_end = max(theirs)
    scene.sync_mode, scene.use_audio = "FRAME_DROP", False
    before = settings(scene)
    playback.apply_settings(scene, 101, 240)
    assert settings(scene) == {
        "use_preview_range": True,
        "frame_preview_start": 101,
        "frame_preview_end": 240,
        "sync_mode": "AUDIO_SYNC",
        "use_audio": True,
    }
    assert scene.frame_current == 101
    playback.apply_settings(scene, 300, 310)  # another line, before the first has ended
    playback._on_playback_end(scene)
    assert settings(scene) == before
    assert playback._on_playback_end not in bpy.app.handlers.animation_playback_post


def test_what_the_artist_changes_meanwhile_stays(scene):
    playback.apply_settings(scene, 101, 240)
    scene.sync_mode = "NONE"
    scene.frame_preview_end = 200
    playback.restore_settings()
    assert scene.sync_mode == "NONE" and scene.frame_preview_end == 200 and not scene.use_preview_range


def test_another_file_is_left_alone(scene):
    playback.apply_settings(scene, 101, 240)
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    assert not bpy.context.scene.use_preview_range
    playback.restore_settings()
    assert bpy.context.scene.sync_mode == "NONE"


def test_preview_says_why_not(scene):
    assert not bpy.ops.lsf.preview.poll()
    with pytest.raises(RuntimeError, match="no window"):
        bpy.ops.lsf.preview()


def test_spoken(scene, add_strip, clicks):
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    assert frame_range.find_frame_range(bpy.context, cube)[1:] == (scene.frame_start, scene.frame_end, "Cube")
    add_strip(clicks, "line", 25)
    assert frame_range.find_frame_range(bpy.context, cube)[1:] == (25, 120, "line")


def test_the_graph_is_the_predicted_opening(addon, add_strip, clicks, monkeypatch):
    add_strip(clicks)
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    use(addon, monkeypatch, Client())
    bpy.ops.lsf.generate()
    scene = bpy.context.scene
    action = bpy.context.object.data.shape_keys.animation_data.action
    kept = store.load(action)
    if not kept.lips.shape[1]:  # the fake client knows no lips: these open with jawOpen, 10 mm
        offsets = np.zeros((len(kept.channels), 20, 3), np.float32)
        offsets[kept.channels.index("jawOpen"), lips.LOWER, 2] = -10
        kept = store.Prediction(**{**kept.__dict__, "lips": offsets})
        store.store(action, kept)
    first, opening = mouth_openings.openings_by_strip(scene)["line"]
    assert first == 25 and opening.shape == (len(kept.motion),)
    jaw = kept.motion[:, kept.channels.index("jawOpen")]
    np.testing.assert_allclose(opening, jaw * 10 / mouth_openings.FULL_OPENING, atol=1e-3)
    assert mouth_openings.openings_by_strip(scene)["line"][1] is opening, "measured once"
    mouth_graph.hide()
    assert mouth_openings.openings_by_strip(scene)["line"][1] is not opening


def test_the_graph_is_off_until_the_button_is_pressed(addon):
    assert not mouth_graph.is_shown()
    if not bpy.app.background:
        bpy.ops.lsf.show_mouth_graph()
        assert mouth_graph.is_shown()
        bpy.ops.lsf.show_mouth_graph()
    assert not mouth_graph.is_shown()
