"""Writes strips.blend, for the bpy 4.2 wheel, which can read sound strips but not make any. Run it with bpy 4.5.

One scene per frame rate with a strip of four seconds at frame 25.
"""

import tempfile
import wave
from pathlib import Path

import bpy

bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "sound.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48000)
        file.writeframes(bytes(2 * 4 * 48000))
    scenes = set()
    for fps, base in ((24, 1.0), (25, 1.0), (30, 1.001), (30, 1.0), (60, 1.0)):
        scene = bpy.data.scenes.new(f"{fps}-{base}")
        scene.render.fps, scene.render.fps_base = fps, base
        strip = scene.sequence_editor_create().strips.new_sound("line", str(path), 1, 25)
        strip.sound.filepath = "//sound.wav"
        scenes.add(scene)
    bpy.data.libraries.write(str(Path(__file__).parent / "strips.blend"), scenes, compress=True)
