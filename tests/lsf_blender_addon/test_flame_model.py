"""A model of the paper's kind, chosen in the preferences: from the folder to the evaluated mesh, on several heads.

The model and its FLAME are toys, but the server, the fit and everything in Blender are real. What the mesh does is
compared with the vertices of FLAME itself, which a process of its own computes from the network's motion.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.jobs import health
from lsf_blender_addon.prediction import store
from lsf_blender_addon.scene import extension
from lsf_blender_addon.ui.panels import emotion as emotion_panel
from server.face.head import HeadRegion, load_head

ROOT = Path(__file__).resolve().parents[2]
LINE = Path(compat.__file__).parent / "assets" / "demo_line.flac"
LIPS = 0.02  # metres around the middle of the lips of the project's head: their inner borders are there
FRAMES = 60  # at 25 fps, the rate of the network: its own frames are those of the scene

# Writes FLAME's motion for the line (F, 53), the distance of FLAME's inner lips (F,) in millimetres, and how FLAME
# moves the project's head (F, H, 3).
TRUTH = """
import sys
from pathlib import Path
import numpy as np
import torch
from server.engine import Engine
from server.face.head import load_head
from server.files import audio
from server.flame import load_flame
from server.flame.face import load_flame_head
from server.model import synthesize
folder, line, out = map(Path, sys.argv[1:])
engine, head = Engine(folder), load_head()
carried, flame = load_flame_head(folder / "face.safetensors"), load_flame(folder / "toy_flame.npz")
identity = carried.shape_mean
speech = audio.to_mono_16k(*audio.load(line, 0.0, 4.0))
motion = synthesize(engine.model, speech, identity, window=None).curves
with torch.no_grad():
    moved = flame.vertices(*(torch.tensor(part) for part in (identity[None], motion[:, :50], motion[:, 50:])))
moved = moved.numpy()
to_flame = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])  # Y up, facing +Z
place = head.vertices[head.landmark_vertices[[62, 66]]] @ to_flame
jaw = flame.skinning[:, 2].numpy()
upper, lower = (
    np.flatnonzero(side)[np.linalg.norm(flame.template.numpy()[side] - point, axis=1).argmin()]
    for side, point in zip((jaw < 0.3, jaw > 0.6), place, strict=True)
)
np.savez(out, motion=motion, lips=1000 * (moved[:, upper, 1] - moved[:, lower, 1]), offsets=carried.offsets(motion))
"""

pytestmark = pytest.mark.skipif(
    "LSF_SERVER_PYTHON" not in os.environ and importlib.util.find_spec("torch") is None,
    reason="LSF_SERVER_PYTHON names no Python with the server's packages",
)


@pytest.fixture(scope="module")
def truth(tmp_path_factory, server_python, flame_checkpoint):
    out = tmp_path_factory.mktemp("truth") / "truth.npz"
    subprocess.run([server_python, "-c", TRUTH, flame_checkpoint, LINE, out], cwd=ROOT, check=True)
    with np.load(out) as stored:
        return SimpleNamespace(**{name: stored[name][:FRAMES] for name in stored.files})


@pytest.fixture
def chosen(addon, add_strip, monkeypatch, tmp_path, server_python, flame_checkpoint):
    """Preferences with the model, and a scene with the line at frame 1."""
    preferences = SimpleNamespace(
        python="", wheels="", index="", device="cpu", build="CPU", model_folder=str(flame_checkpoint)
    )
    monkeypatch.setattr(extension, "preferences", lambda: preferences)
    monkeypatch.setenv("LSF_SERVER_PYTHON", server_python)
    monkeypatch.setenv("LSF_CACHE_DIR", str(tmp_path / "faces"))
    add_strip(LINE, frame=1, fps=(25, 1.0)).frame_final_duration = 100  # four seconds in all versions
    scene = bpy.context.scene
    scene.lsf.layers.blinks = scene.lsf.layers.gaze = False
    yield preferences
    addon.session.stop()


def speak(addon, head) -> tuple[np.ndarray, store.Prediction, str]:
    """Generate; returns the vertices (F, V, 3) of the evaluated mesh, the prediction and the message."""
    bpy.context.scene.lsf.head = head
    assert bpy.ops.lsf.generate() == {"FINISHED"}, addon.session.message
    action = head.data.shape_keys.animation_data.action
    (line,) = action.lsf.lines
    seen = []
    for frame in range(line.first_frame, line.first_frame + FRAMES):
        bpy.context.scene.frame_set(frame)
        mesh = head.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
        values = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.vertices.foreach_get("co", values)
        seen.append(values.reshape(-1, 3))
    return np.stack(seen), store.load(action, line.uid), addon.session.message


def lip_distance(head, seen: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """How far (F,) the inner lips of the evaluated mesh part, in its own units. The jaw's key tells the lower lip."""
    keys = head.data.shape_keys.key_blocks
    rest, posed = (np.array([point.co for point in key.points]) for key in (keys[0], keys["jawOpen"]))
    drop = np.linalg.norm(posed - rest, axis=1)
    distance = np.linalg.norm(rest - middle, axis=1)
    near = distance < LIPS * np.ptp(rest[:, 2]) / np.ptp(load_head().vertices[:, 2])
    most = drop[near].max()
    upper, lower = (
        np.flatnonzero(near & side)[distance[near & side].argmin()] for side in (drop < 0.35 * most, drop > 0.65 * most)
    )
    return seen[:, upper, 2] - seen[:, lower, 2]


def told(message: str) -> float:
    """Millimetres on the lips that the message tells."""
    return float(re.search(r"the lips are (\S+) mm from FLAME's motion", message)[1])


def middle_of_lips() -> np.ndarray:
    head = load_head()
    return head.vertices[head.landmark_vertices[[62, 66]]].mean(0)


def test_heads_move_as_flame_does(chosen, addon, truth):
    """Three heads with one server, as starting one takes seconds."""
    check_the_projects_head(addon, truth)
    check_another_topology_size_and_person(addon, truth)
    check_arkit_keys_of_the_head_itself(addon, truth)


def check_the_projects_head(addon, truth):
    """It moves as FLAME does, and the error that is told is the one that is there."""
    bpy.ops.lsf.add_head()
    head, own = bpy.context.object, load_head()
    bpy.context.scene.lsf.emotion.chosen = "happy"
    seen, kept, message = speak(addon, head)
    assert len(kept.channels) == 52 and kept.emotions == () and kept.emotion.shape == (len(kept.motion), 0)
    assert re.fullmatch(r"paper run [0-9a-f]{12}", kept.model) and not kept.expression.any()
    on_lips = np.isin(own.region, (HeadRegion.LIP_UPPER, HeadRegion.LIP_LOWER))
    lips = 1000 * np.linalg.norm(seen - own.vertices - truth.offsets, axis=2)[:, on_lips]
    assert lips.mean() == pytest.approx(told(message), abs=0.1) and told(message) < 0.8
    opening = 1000 * lip_distance(head, seen, middle_of_lips())
    assert np.corrcoef(opening, truth.lips)[0, 1] > 0.999 and np.abs(opening - truth.lips).mean() < 0.5
    # What the model cannot do is said where it is chosen, and with the result.
    assert "the chosen emotion and its strength have no effect" in message
    assert "no emotions to choose from" in emotion_panel.disabled_reason_emotion()
    in_use = addon.session.model_in_use()
    assert in_use.name == "paper run" and in_use.moves_flame and not (in_use.is_shipped or in_use.has_emotions)
    report = health.report_text(bpy.context)
    assert f"mm from FLAME's motion: lips_mean {told(message):.2f}" in report
    assert "chosen, FLAME, without emotions" in report and "paper run" not in report


def check_another_topology_size_and_person(addon, truth):
    own = load_head()
    person = own.with_identity(np.random.default_rng(4).normal(0, 0.8, 50))
    head = add_mesh(10 * person, own.faces)
    simpler = head.modifiers.new("Decimate", "DECIMATE")
    simpler.ratio = 0.6
    bpy.ops.object.modifier_apply(modifier=simpler.name)
    assert len(head.data.vertices) < 0.75 * len(person)
    seen, kept, _message = speak(addon, head)
    middle = 10 * person[own.landmark_vertices[[62, 66]]].mean(0)
    opening = 100 * lip_distance(head, seen, middle)
    assert np.corrcoef(opening, truth.lips)[0, 1] > 0.98, "the identity of the head changes the network's motion"
    assert np.ptp(opening) == pytest.approx(np.ptp(truth.lips), rel=0.3) and kept.model.startswith("paper run ")


def check_arkit_keys_of_the_head_itself(addon, truth):
    own = load_head()
    head = add_mesh(own.vertices, own.faces)
    head.shape_key_add(name="Basis")
    for channel, offsets in zip(own.channels, own.basis, strict=True):
        key = head.shape_key_add(name=channel)
        key.points.foreach_set("co", (own.vertices + offsets).ravel())
    before = [point.co.copy() for point in head.data.shape_keys.key_blocks["jawOpen"].points]
    seen, kept, message = speak(addon, head)
    keys = head.data.shape_keys.key_blocks
    assert len(keys) == 53 and [point.co for point in keys["jawOpen"].points] == before
    opening = 1000 * lip_distance(head, seen, middle_of_lips())
    assert np.corrcoef(opening, truth.lips)[0, 1] > 0.999 and told(message) < 0.8
    assert kept.channels[0] == own.channels[0]


def test_there_and_back_again_and_a_folder_that_goes(chosen, addon, flame_checkpoint, small_checkpoint, tmp_path):
    """Two models on one head: each line says which has made it; without the folder nothing is lost."""
    folder = shutil.copytree(flame_checkpoint, tmp_path / "moved", ignore=shutil.ignore_patterns("toy*"))
    bpy.ops.lsf.add_head()
    head = bpy.context.object
    name, models = head.name, []
    for path in (small_checkpoint, folder):
        chosen.model_folder = str(path)
        models.append(speak(addon, head)[1].model)
    assert models[0] != models[1] and models[1].startswith("moved ")
    assert emotion_panel.disabled_reason_emotion()
    addon.session.stop()
    if bpy.app.build_options.audaspace:  # else the strip is of a library
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "one.blend"), check_existing=False)
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "one.blend"))
    (folder / "face.safetensors").unlink()
    for missing in (f'The model in "{folder}" moves the FLAME face', f'There is no model folder "{folder}": choose'):
        with pytest.raises(RuntimeError):
            bpy.ops.lsf.generate()
        assert addon.session.message.startswith(missing), "no server is started"
        shutil.rmtree(folder, ignore_errors=True)
    action = bpy.data.objects[name].data.shape_keys.animation_data.action
    (line,) = action.lsf.lines
    assert store.load(action, line.uid).model == models[1] and len(compat.fcurves_of(action)) > 10
    chosen.model_folder = str(small_checkpoint)
    assert bpy.ops.lsf.generate() == {"FINISHED"} and store.load(action, line.uid).model == models[0]
    assert not emotion_panel.disabled_reason_emotion()


def test_a_model_that_was_trained_again_is_the_one_that_speaks(chosen, addon, small_checkpoint, tmp_path):
    folder = Path(shutil.copytree(small_checkpoint, tmp_path / "run"))
    weights = folder / "model.safetensors"
    bpy.ops.lsf.add_head()
    head = bpy.context.object
    chosen.model_folder, models, told = str(folder), [], []
    for value in (None, 1):
        if value is not None:
            written = weights.stat().st_mtime_ns + 10**9
            weights.write_bytes(weights.read_bytes()[:-2] + bytes([value, 0]))  # the last of its halves
            os.utime(weights, ns=(written, written))
        models.append(speak(addon, head)[1].model)
        told.append("run " + hashlib.sha256(weights.read_bytes()).hexdigest()[:12])
    assert models == told and told[0] != told[1]


def add_mesh(vertices, faces) -> bpy.types.Object:
    mesh = bpy.data.meshes.new("Head")
    mesh.from_pydata(vertices.tolist(), [], faces.tolist())
    obj = bpy.data.objects.new("Head", mesh)
    bpy.context.collection.objects.link(obj)
    bpy.context.view_layer.objects.active = obj
    obj.select_set(True)
    return obj
