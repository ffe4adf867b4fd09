"""Makes the scene of a playblast: a copy that shares its objects and renders the line fast and with sound.

The artist's scene and its settings do not change; the copy is removed after the render.
"""

import re
from pathlib import Path

import bpy

from .. import compat
from ..errors import UserError
from ..scene import stored
from . import face_camera

NAME = "LSF Playblast"  # of the scene and its world
MARK = "lsf_playblast"  # custom property of everything that is made for a playblast: the path of the video
FACE_SIZE = 720  # pixels, width and height of a close-up


def output_path(name: str) -> str:
    """A path next to the .blend file that no file has yet.

    Args:
        name: Name of the line, which becomes a part of the file's name.

    Raises:
        UserError: The .blend file was never saved.
    """
    if not bpy.data.filepath:
        raise UserError("Save the file first: the playblast is saved next to it")
    safe_name = re.sub(r"[^\w-]+", "_", name).strip("_") or "line"
    stem = f"{Path(bpy.data.filepath).with_suffix('')}_{safe_name}"
    number = 1
    while Path(path := f"{stem}_{number:03}.mp4").exists():
        number += 1
    return path


def create_scene(
    scene: bpy.types.Scene, head: bpy.types.Object, frames: tuple[int, int], path: str, close_up: bool
) -> bpy.types.Scene:
    """Make the scene to render.

    Args:
        scene: The artist's scene.
        head: The head.
        frames: First and last frame.
        path: The video to write.
        close_up: Whether to render with a camera in front of the face instead of the scene's camera. A scene without a
            camera gets one in any case.

    Returns:
        A copy of the scene, to be removed by `remove_scene`.
    """
    copy = scene.copy()
    assert copy is not None
    copy.name, copy[MARK] = NAME, path
    copy.frame_start, copy.frame_end = frames
    copy.frame_step = 1
    copy.use_preview_range = False
    if close_up or copy.camera is None:
        _add_face_camera(copy, head)
    _set_up_shading(copy)
    _keep_sound_only(copy)
    _set_up_output(copy.render, path)
    return copy


def remove_scene(copy: bpy.types.Scene) -> None:
    """Remove the copy of the scene and everything that was made for it."""
    cameras = [obj for obj in copy.collection.objects if is_playblast(obj)]
    world = [copy.world] if copy.world and is_playblast(copy.world) else []
    bpy.data.batch_remove([copy, *cameras, *(camera.data for camera in cameras), *world])


def remaining_scenes() -> list[bpy.types.Scene]:
    """Copies that are still in the file."""
    return [scene for scene in bpy.data.scenes if is_playblast(scene)]


def is_playblast(block: bpy.types.ID) -> bool:
    """Whether this was made for a playblast; of the same mark in a file of others, nothing is removed."""
    return stored.text(block, MARK) is not None and block.name.startswith((NAME, face_camera.NAME))


def _add_face_camera(copy: bpy.types.Scene, head: bpy.types.Object) -> None:
    """Render a square picture with a camera in front of the face."""
    copy.timeline_markers.clear()  # they may switch cameras
    camera = face_camera.create(head)
    camera[MARK] = copy[MARK]
    copy.camera = camera
    copy.collection.objects.link(camera)
    render = copy.render
    render.resolution_x = render.resolution_y = FACE_SIZE
    render.resolution_percentage = 100
    render.pixel_aspect_x = render.pixel_aspect_y = 1


def _set_up_output(render: bpy.types.RenderSettings, path: str) -> None:
    """Write H.264 and AAC in an .mp4 file, the format that most players support."""
    _make_even(render)
    render.use_border = render.use_compositing = render.use_stamp = render.use_multiview = False
    render.use_sequencer = True  # without, the sound is left out
    render.use_overwrite, render.use_placeholder = True, False
    render.use_file_extension = True
    render.filepath = path
    compat.set_video_format(render.image_settings)
    render.image_settings.color_mode = "RGB"
    render.ffmpeg.format, render.ffmpeg.codec = "MPEG4", "H264"
    render.ffmpeg.constant_rate_factor, render.ffmpeg.ffmpeg_preset = "HIGH", "GOOD"
    render.ffmpeg.use_autosplit = False
    render.ffmpeg.audio_codec, render.ffmpeg.audio_bitrate = "AAC", 192


def _set_up_shading(copy: bpy.types.Scene) -> None:
    """Render with Workbench, in studio light before a dark background."""
    copy.render.engine = "BLENDER_WORKBENCH"  # type: ignore[assignment]  # the stubs list only one engine
    copy.render.film_transparent = False
    copy.render.use_freestyle = False
    copy.display.render_aa = "FXAA"
    world = bpy.data.worlds.new(NAME)
    world[MARK] = copy[MARK]
    world.color = 0.045, 0.05, 0.06
    copy.world = world
    copy.view_settings.view_transform = "Standard"
    shading = copy.display.shading
    shading.light, shading.color_type = "STUDIO", "MATERIAL"
    shading.show_cavity, shading.cavity_type = True, "BOTH"
    shading.cavity_ridge_factor, shading.curvature_ridge_factor = 0.6, 0.5
    for layer in list(copy.view_layers)[1:]:
        layer.use = False


def _keep_sound_only(copy: bpy.types.Scene) -> None:
    """Remove all but sounds from the copy's sequencer: pictures would be rendered instead of the face."""
    editor = copy.sequence_editor
    if editor is None:
        return
    while metas := [strip for strip in compat.strips_of(editor) if compat.is_meta(strip)]:
        for meta in metas:
            if meta.mute:
                compat.remove_strip(editor, meta)
            else:
                meta.separate()
    for strip in compat.strips_of(editor):
        if not compat.is_sound(strip):
            compat.remove_strip(editor, strip)


def _make_even(render: bpy.types.RenderSettings) -> None:
    """Make width and height even, as H.264 needs them."""
    share = render.resolution_percentage / 100
    render.resolution_x, render.resolution_y = (
        2 * max(2, int(side * share / 2)) for side in (render.resolution_x, render.resolution_y)
    )
    render.resolution_percentage = 100
