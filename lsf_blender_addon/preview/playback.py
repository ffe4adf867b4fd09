"""Playback of a range of a scene with its sound; afterwards the scene's settings are as they were."""

import bpy

_scene = ""  # name of the scene that is played
_before: dict[str, object] = {}  # its settings before the playback
_during: dict[str, object] = {}  # and while it lasts


def apply_settings(scene: bpy.types.Scene, first: int, last: int) -> None:
    """Set a scene up to play a range, and its playback to end with `restore_settings`.

    Args:
        scene: The scene; it jumps to `first`.
        first: First frame of the preview range.
        last: Last frame of the preview range.
    """
    global _scene
    restore_settings()
    _scene = scene.name
    _during.update(
        use_preview_range=True,
        frame_preview_start=first,
        frame_preview_end=last,
        sync_mode="AUDIO_SYNC",
        use_audio=True,
    )
    _before.update({name: getattr(scene, name) for name in _during})
    scene.use_preview_range = True  # first: start and end cannot be set without
    for name in ("frame_preview_end", "frame_preview_start", "frame_preview_end"):  # each may push the other
        setattr(scene, name, _during[name])
    scene.sync_mode, scene.use_audio = "AUDIO_SYNC", True
    scene.frame_set(first)
    bpy.app.handlers.animation_playback_post.append(_on_playback_end)


def restore_settings() -> None:
    """Put the settings back, if a scene is set up. Those that the artist has changed meanwhile stay changed."""
    if _scene in bpy.data.scenes:
        scene = bpy.data.scenes[_scene]
        unchanged = {name for name, value in _during.items() if getattr(scene, name) == value}
        start, end = _before["frame_preview_start"], _before["frame_preview_end"]
        for name, value in (
            ("frame_preview_end", end),
            ("frame_preview_start", start),
            ("frame_preview_end", end),
            *((name, _before[name]) for name in ("use_preview_range", "sync_mode", "use_audio")),
        ):
            if name in unchanged:
                setattr(scene, name, value)
    discard_settings()


def discard_settings() -> None:
    """Forget the settings without putting them back: another file is opened."""
    global _scene
    _scene = ""
    _before.clear()
    _during.clear()
    if _on_playback_end in bpy.app.handlers.animation_playback_post:
        bpy.app.handlers.animation_playback_post.remove(_on_playback_end)


def _on_playback_end(*_arguments: object) -> None:
    """Put the settings back; a handler of Blender's."""
    restore_settings()
