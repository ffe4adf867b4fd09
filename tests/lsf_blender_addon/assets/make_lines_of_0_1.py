"""Writes lines_of_0_1.blend: two lines on one head, with a part, as add-on 0.1.0 has kept them.

Run it with bpy 4.2, in a checkout of the add-on from before one Action held all lines of a head (its last commit is
a22612d). The head is a small sphere; a client without a server answers.
"""

import tempfile
import wave
from pathlib import Path

import bpy
import numpy as np

import lsf_blender_addon
from lsf_blender_addon import compat
from lsf_blender_addon.client.jobs import Job, State
from lsf_blender_addon.jobs import session
from lsf_blender_addon.scene.own_properties import face_of, settings_of, tweaks_of
from server.arkit import CHANNELS

HERE = Path(__file__).parent
FRAMES = 97


class Client:
    """Answers at once: a mouth that opens and closes, blinks and a look to the left."""

    python = "/nowhere/python"
    lines = 0

    def submit(self, kind, request, arrays):
        self.lines += 1
        job, t = Job("1", kind, request, arrays), np.arange(FRAMES)
        vertices = arrays["vertices"]
        motion = np.zeros((FRAMES, 52), np.float32)
        motion[:, CHANNELS.index("jawOpen")] = 0.3 + 0.3 * np.sin(t / (2.0 + self.lines))
        basis = np.zeros((52, len(vertices), 3), np.float32)
        for k in range(52):
            basis[k, :, k % 3] = 0.02 * np.cos(k + 3 * vertices[:, (k + 1) % 3])
        for name, sign in (("eyeBlinkLeft", 1), ("eyeBlinkRight", -1)):
            basis[CHANNELS.index(name)] *= (sign * vertices[:, :1] > 0) * (vertices[:, 2:] > 0)
        spread = np.linspace(-1, 1, 68)
        marks = np.stack([spread, 0 * spread, 0 * spread], 1).astype(np.float32)
        marks[36], marks[45] = (-0.5, -0.8, 0.3), (0.5, -0.8, 0.3)
        nearest = np.linalg.norm(vertices[None] - marks[:, None], axis=2).argmin(1).astype(np.int32)
        job.header = {"channels": list(CHANNELS), "heard_lines": 1}
        job.arrays = {
            "motion": motion,
            "basis": basis,
            "landmarks68": marks,
            "landmark_vertices": nearest,
            "blinks": np.clip(1 - np.abs(t - 40) / 4, 0, 1).astype(np.float32),
            "gaze": np.where(((t > 50) & (t < 70))[:, None], [7.0, -5.0], 0.0).astype(np.float32),
        }
        job.state = State.DONE
        return job

    def drain(self):
        return []


bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
lsf_blender_addon.register()
client = Client()
session.client = lambda: client
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "sound.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48000)
        file.writeframes(bytes(2 * 4 * 48000))
    with bpy.data.libraries.load(str(HERE / "strips.blend")) as (_source, target):
        target.scenes = ["24-1.0", "25-1.0"]
    scene, other = target.scenes
    strip = compat.all_strips(scene.sequence_editor)[0]
    strip.name, strip.frame_start, strip.sound.filepath = "one", 25, str(path)
    bpy.context.window.scene = scene
    bpy.data.scenes.remove(other)
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    head = bpy.context.object
    head.name = "Head"
    bpy.ops.mesh.primitive_cube_add(size=0.3, location=(0.4, -0.8, 0.3))
    lashes = bpy.context.object
    lashes.name = "Lashes"
    face_of(head).add_part(lashes)
    settings_of(scene).head = head
    for name, frame in (("one", 25), ("two", 200)):  # the wheel cannot add strips: one plays both lines, one by one
        strip.name, strip.frame_start = name, frame
        settings_of(scene).strip = name
        assert bpy.ops.lsf.generate() == {"FINISHED"}
    strip.name, strip.frame_start = "one", 25
    line = next(action for action in bpy.data.actions if action.name.startswith("LSF · one"))
    tweaks_of(line).jaw = 1.4
    curve = next(curve for curve in compat.fcurves_of(line) if "jawOpen" in curve.data_path)
    key = min(curve.keyframe_points, key=lambda key: abs(key.co.x - 60))
    key.co.y = 0.77
    curve.update()
    strip.sound.filepath = "//sound.wav"
    bpy.ops.wm.save_as_mainfile(filepath=str(HERE / "lines_of_0_1.blend"), compress=True)
lsf_blender_addon.unregister()
