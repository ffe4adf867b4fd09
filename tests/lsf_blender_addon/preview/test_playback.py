"""Playback of a line: the scene's settings are as before when it ends."""

import bpy
import pytest

from lsf_blender_addon.preview import playback

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


def test_preview_says_why_it_is_disabled(scene):
    assert not bpy.ops.lsf.preview.poll()
    with pytest.raises(RuntimeError, match="no window"):
        bpy.ops.lsf.preview()
