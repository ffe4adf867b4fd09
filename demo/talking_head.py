"""The demo, inside bpy: from the extension zip to an animated shot, a playblast and a contact sheet.

    python3 build.py demo            (which runs: python demo/talking_head.py ZIP FOLDER)

It does what an artist does: it installs the zip, adds the head with the add-on's operator, puts the line on the
sequencer, and runs the operator of the panel's Generate button.
"""

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector

START = 25  # first frame of the strip
FPS = 24  # of the scene
SIZE = 540  # pixels, width and height of the playblast
IPA = {"A": "eɪ", "I": "aɪ", "O": "oʊ", "W": "aʊ", "Y": "ɔɪ", "ᵊ": "ə"}  # Kokoro's one-letter diphthongs
# The sounds of the contact sheet, those whose mouth shape is easy to see: (sound, the moment as a share of its length).
SHOWN = [("p", 0.5), ("m", 0.5), ("b", 0.5), ("f", 0.5), ("v", 0.5), ("ɑ", 0.5), ("æ", 0.5), ("O", 0.7)]


@contextlib.contextmanager
def step(name: str, seconds: dict[str, float]) -> Iterator[None]:
    """Announce a step, and store how many seconds it takes in `seconds`."""
    print(f"{name} …", flush=True)
    start = time.monotonic()
    yield
    seconds[name] = time.monotonic() - start


@contextlib.contextmanager
def output_to(log: Path) -> Iterator[None]:
    """Append everything that Blender itself prints to a file."""
    sys.stdout.flush()
    kept = os.dup(1), os.dup(2)
    with log.open("a") as file:
        os.dup2(file.fileno(), 1), os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept[0], 1), os.dup2(kept[1], 2)


def install(product: Path) -> str:
    """Install and enable the extension zip; returns the name of its module."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.extensions.package_install_files(filepath=str(product), repo="user_default", enable_on_install=True)
    return next(addon.module for addon in bpy.context.preferences.addons if addon.module.endswith("lsf_animation"))


def line_of_speech(module: str) -> tuple[Path, list[tuple[str, float, float]]]:
    """The bundled sound file, and its phones as (sound, start, end) in seconds."""
    assets = Path(sys.modules[module].__file__).parent / "assets"
    line = json.loads((assets / "demo_line.json").read_text(encoding="utf-8"))
    return assets / "demo_line.flac", [tuple(phone) for phone in line["phones"]]


def make_shot(sound: Path) -> bpy.types.Object:
    """Add the project's head and the line to the scene and animate them; returns the head."""
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = FPS, 1
    bpy.ops.lsf.add_head()
    head = bpy.context.object
    strips = scene.sequence_editor_create().strips
    strip = strips.new_sound("demo line", str(sound), channel=1, frame_start=START)
    scene.frame_start, scene.frame_end = START, int(strip.frame_final_end)
    bpy.ops.lsf.generate()  # raises RuntimeError if it fails
    return head


def light_and_camera(head: bpy.types.Object) -> None:
    """Set up a portrait, a little from the side and from below, in Workbench's studio light."""
    scene, points = bpy.context.scene, np.array([head.matrix_world @ vertex.co for vertex in head.data.vertices])
    low, high = points.min(0).tolist(), points.max(0).tolist()
    middle = Vector((0, low[1] + 0.3 * (high[1] - low[1]), low[2] + 0.52 * (high[2] - low[2])))
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    scene.camera, camera.data.lens = camera, 100
    camera.location = middle + 2.0 * (high[2] - low[2]) * Vector((0.1, -0.99, -0.03))
    camera.rotation_euler = (middle - camera.location).to_track_quat("-Z", "Y").to_euler()
    scene.world = bpy.data.worlds.new("Backdrop")
    scene.world.color = 0.045, 0.05, 0.06
    scene.view_settings.view_transform = "Standard"
    scene.render.engine = "BLENDER_WORKBENCH"
    shading = scene.display.shading
    shading.light, shading.studio_light, shading.color_type = "STUDIO", "paint.sl", "MATERIAL"
    shading.show_cavity, shading.cavity_type = True, "BOTH"
    shading.cavity_ridge_factor, shading.curvature_ridge_factor = 0.6, 0.5
    shading.show_specular_highlight = True
    scene.render.resolution_x = scene.render.resolution_y = SIZE


def playblast(path: Path) -> None:
    """Render the scene as an .mp4 file, H.264 with the sequencer's sound as AAC."""
    render = bpy.context.scene.render
    bpy.context.scene.display.render_aa = "FXAA"
    render.image_settings.media_type = "VIDEO"
    render.image_settings.file_format = "FFMPEG"
    render.ffmpeg.format, render.ffmpeg.codec, render.ffmpeg.constant_rate_factor = "MPEG4", "H264", "HIGH"
    render.ffmpeg.audio_codec, render.ffmpeg.audio_bitrate = "AAC", 192
    render.filepath = str(path)
    bpy.ops.render.render(animation=True)


def moments(phones: list[tuple[str, float, float]]) -> list[tuple[float, str]]:
    """(seconds in the line, sound) of the contact sheet's eight frames in time order: the longest phone of each."""
    chosen = []
    for sound, share in SHOWN:
        _, start, end = max((phone for phone in phones if phone[0] == sound), key=lambda phone: phone[2] - phone[1])
        chosen.append((start + share * (end - start), IPA.get(sound, sound)))
    return sorted(chosen)


def contact_sheet(path: Path, phones: list[tuple[str, float, float]]) -> None:
    """Render eight stills and write them in two rows as a .png file, each stamped with its sound and time."""
    scene, stills = bpy.context.scene, []
    render = scene.render
    scene.display.render_aa = "8"
    render.image_settings.media_type = "IMAGE"
    render.image_settings.file_format = "PNG"
    scene.camera.data.lens *= 1.3  # closer, for the mouth
    for detail in ("date", "time", "frame", "camera", "scene", "filename", "render_time"):
        setattr(render, f"use_stamp_{detail}", False)
    render.use_stamp, render.use_stamp_note, render.stamp_font_size = True, True, 22
    render.stamp_background = 0, 0, 0, 0.35
    with tempfile.TemporaryDirectory() as folder:
        for seconds, sound in moments(phones):
            frame = round(START + seconds * FPS)
            scene.frame_set(frame)
            render.stamp_note_text = f" {sound}    {seconds:.2f} s    frame {frame} "
            render.filepath = str(Path(folder) / f"{frame}.png")
            bpy.ops.render.render(write_still=True)
            still = bpy.data.images.load(render.filepath)
            pixels = np.empty((SIZE, SIZE, 4), np.float32)  # rows from the bottom up
            still.pixels.foreach_get(pixels.ravel())
            stills.append(pixels)
    rows = [np.concatenate(stills[4:], 1), np.concatenate(stills[:4], 1)]
    sheet = bpy.data.images.new("sheet", 4 * SIZE, 2 * SIZE)
    sheet.pixels.foreach_set(np.concatenate(rows, 0).ravel())
    sheet.filepath_raw, sheet.file_format = str(path), "PNG"
    sheet.save()


def main() -> None:
    """Install the product and make the shot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("product", type=Path, help="the extension zip")
    parser.add_argument("folder", type=Path, help="where the results are written")
    parser.add_argument("--blend-only", action="store_true", help="stop before rendering")
    parser.add_argument("--step", action="append", default=[], help="NAME=SECONDS of an earlier step, for the table")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    folder, log = args.folder.resolve(), args.folder / "blender.log"
    seconds = {name: float(spent) for name, spent in (given.split("=") for given in args.step)}

    with step("install the extension", seconds):
        module = install(args.product.resolve())
    sound, phones = line_of_speech(module)
    with step("add the head, generate", seconds):
        head = make_shot(sound)
    light_and_camera(head)
    with step("save talking_head.blend", seconds):
        bpy.ops.file.pack_all()  # the sound lies in a user folder that is deleted
        bpy.context.preferences.filepaths.save_version = 0  # no .blend1 of an earlier demo
        bpy.ops.wm.save_as_mainfile(filepath=str(folder / "talking_head.blend"))
    if not args.blend_only:
        with step("render talking_head.mp4", seconds), output_to(log):
            playblast(folder / "talking_head.mp4")
        with step("render contact_sheet.png", seconds), output_to(log):
            contact_sheet(folder / "contact_sheet.png", phones)
    bpy.ops.preferences.addon_disable(module=module)  # an add-on still registered at exit hangs some versions

    print(f"\n{'step':<28}seconds")
    for name, spent in {**seconds, "all": sum(seconds.values())}.items():
        print(f"{name:<28}{spent:7.2f}")
    print(f"\nIn {folder}: " + ", ".join(sorted(path.name for path in folder.iterdir() if path != log)))


if __name__ == "__main__":
    main()
