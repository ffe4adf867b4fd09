"""A film of the face: a copy of the scene that shares its objects, set up to be rendered fast, with the sound.

The artist's scene and its settings are not touched; the copy goes when the film is done.
"""

import os
import re

import bpy

from .. import compat
from ..errors import UserError
from . import face_camera

MARK = "lsf_playblast"  # custom property of what is made for a film: its path
FACE_SIZE = 720  # pixels of the square picture of a face


def output_path(name: str) -> str:
    """A path beside the .blend that no file has yet. Raises UserError if the file was never saved."""
    if not bpy.data.filepath:
        raise UserError("Save the file first: the film is put beside it")
    stem = os.path.splitext(bpy.data.filepath)[0] + "_" + (re.sub(r"[^\w-]+", "_", name).strip("_") or "line")
    number = 1
    while os.path.exists(path := f"{stem}_{number:03}.mp4"):
        number += 1
    return path


def create_scene(
    scene: bpy.types.Scene, head: bpy.types.Object, frames: tuple[int, int], path: str, close_up: bool
) -> bpy.types.Scene:
    """The scene to render; `frames` are first and last, `close_up` puts a camera before the face."""
    film = scene.copy()
    film.name, film[MARK] = "LSF Playblast", path
    film.frame_start, film.frame_end = frames
    film.frame_step = 1
    film.use_preview_range = False
    render = film.render
    if close_up or film.camera is None:
        film.timeline_markers.clear()  # they may switch cameras
        film.camera = face_camera.create(head)
        film.camera[MARK] = path
        film.collection.objects.link(film.camera)
        render.resolution_x = render.resolution_y = FACE_SIZE
        render.resolution_percentage = 100
        render.pixel_aspect_x = render.pixel_aspect_y = 1
    _look(film)
    _keep_sound_only(film)
    _even(render)
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
    return film


def remove_scene(film: bpy.types.Scene) -> None:
    """Remove the copy and what was made for it."""
    cameras = [obj for obj in film.collection.objects if MARK in obj]
    world = [film.world] if film.world and MARK in film.world else []
    bpy.data.batch_remove([film, *cameras, *(camera.data for camera in cameras), *world])


def remaining_scenes() -> list[bpy.types.Scene]:
    """Copies that are still in the file."""
    return [scene for scene in bpy.data.scenes if MARK in scene]


def _look(film: bpy.types.Scene) -> None:
    """Workbench in a studio's light before a dark backdrop."""
    film.render.engine = "BLENDER_WORKBENCH"
    film.render.film_transparent = False
    film.render.use_freestyle = False
    film.display.render_aa = "FXAA"
    film.world = bpy.data.worlds.new("LSF Playblast")
    film.world[MARK] = film[MARK]
    film.world.color = 0.045, 0.05, 0.06
    film.view_settings.view_transform = "Standard"
    shading = film.display.shading
    shading.light, shading.color_type = "STUDIO", "MATERIAL"
    shading.show_cavity, shading.cavity_type = True, "BOTH"
    shading.cavity_ridge_factor, shading.curvature_ridge_factor = 0.6, 0.5
    for layer in list(film.view_layers)[1:]:
        layer.use = False


def _keep_sound_only(film: bpy.types.Scene) -> None:
    """Take pictures off the copy's sequencer, which would be shown instead of the face."""
    editor = film.sequence_editor
    if editor is None:
        return
    while metas := [strip for strip in compat.strips_of(editor) if strip.type == "META"]:
        for meta in metas:
            if meta.mute:
                compat.remove_strip(editor, meta)
            else:
                meta.separate()
    for strip in compat.strips_of(editor):
        if strip.type != "SOUND":
            compat.remove_strip(editor, strip)


def _even(render: bpy.types.RenderSettings) -> None:
    """Sides that H.264 can have."""
    share = render.resolution_percentage / 100
    render.resolution_x, render.resolution_y = (
        2 * max(2, int(side * share / 2)) for side in (render.resolution_x, render.resolution_y)
    )
    render.resolution_percentage = 100
