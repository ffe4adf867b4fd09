"""The whole product, as an artist gets it: the zip, installed in an empty Blender, animates a head to the bundled line.

The saved file is then looked at without the add-on: what was made must stand on its own.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest

import build
from server.arkit import CHANNELS
from server.face.head import load_head

START, FPS = 25, 24  # of demo/talking_head.py
EASE = 5  # frames before and after the line, in which it comes from rest and goes back to it
INNER_LIPS, MOUTH_CORNERS, NOSE_TIP, CHIN = (62, 66), (48, 54), 30, 8


@pytest.fixture(scope="module")
def shot(tmp_path_factory) -> Path:
    """The folder with talking_head.blend, made by the demo's script with the packaged zip."""
    folder = tmp_path_factory.mktemp("shot")
    product = build.package(folder / "dist")
    variables = {
        **os.environ, "BLENDER_USER_RESOURCES": str(folder / "blender"), "LSF_CACHE_DIR": str(folder / "cache"),
        "LSF_SERVER_PYTHON": sys.executable,
    }  # fmt: skip
    variables.pop("PYTHONPATH", None)  # the server must be found in the zip, not in the source tree
    done = subprocess.run(
        [sys.executable, build.ROOT / "demo" / "talking_head.py", product, folder, "--blend-only"],
        env=variables, cwd=folder, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def scene(shot) -> bpy.types.Scene:
    bpy.ops.wm.open_mainfile(filepath=str(shot / "talking_head.blend"), load_ui=False)
    return bpy.context.scene


@pytest.fixture(scope="module")
def head(scene) -> bpy.types.Object:
    return next(obj for obj in scene.objects if obj.type == "MESH")


@pytest.fixture(scope="module")
def phones() -> list[tuple[str, float, float]]:
    line = json.loads((build.ADDON / "assets" / "demo_line.json").read_text(encoding="utf-8"))
    return [tuple(phone) for phone in line["phones"]]


@pytest.fixture(scope="module")
def landmarks(scene, head) -> np.ndarray:
    """(F, 68, 3) metres: the landmarks on the evaluated mesh, from the strip's first frame on."""
    vertices, frames = load_head().landmark_vertices, []
    for frame in range(scene.frame_start, scene.frame_end + 1):
        scene.frame_set(frame)
        evaluated = head.evaluated_get(bpy.context.evaluated_depsgraph_get())
        frames.append([evaluated.data.vertices[v].co[:] for v in vertices])
    return np.array(frames)


def distance(landmarks: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    return np.linalg.norm(landmarks[:, pair[0]] - landmarks[:, pair[1]], axis=1)


def during(curve: np.ndarray, start: float, end: float) -> np.ndarray:
    """What a curve over scene frames reads every 10 ms of `start` to `end` seconds of the line."""
    times = np.arange(start, end + 1e-6, 0.01)
    return np.interp(times * FPS, np.arange(len(curve)), curve)


def test_one_action_of_its_own_lies_under_the_strip(scene, head):
    keys = head.data.shape_keys
    action = keys.animation_data.action
    assert action.name == f"LSF · {head.name}" and keys.animation_data.action_slot is not None
    strip = scene.sequence_editor.strips_all["demo line"]
    first, last = action.curve_frame_range
    assert first + EASE == START == strip.frame_final_start
    assert abs(last - EASE - (strip.frame_final_end - 1)) <= 1
    assert strip.sound.packed_file is not None


def test_every_curve_is_a_named_channel(head):
    keys = head.data.shape_keys
    names = [key.name for key in keys.key_blocks]
    assert names[0] == "Basis" and set(names[1:]) <= set(CHANNELS)
    curves = keys.animation_data.action.layers[0].strips[0].channelbags[0].fcurves
    assert {curve.data_path.split('"')[1] for curve in curves} <= set(names)
    first, last = keys.animation_data.action.curve_frame_range
    count = sum(len(curve.keyframe_points) for curve in curves)
    assert len(curves) > 20 and 5 * len(curves) < count < len(curves) * (last - first + 1) / 4, "few keys, to edit"


def test_lips_meet_at_p_b_and_m(landmarks, phones):
    opening = distance(landmarks, INNER_LIPS)
    wide = np.percentile(opening, 95)
    closures = [during(opening, a - 0.04, b + 0.04).min() / wide for sound, a, b in phones if sound in "pbm"]
    assert len(closures) == 10
    assert max(closures) < 0.12, np.round(closures, 2)


def test_the_mouth_opens_on_open_vowels(landmarks, phones):
    opening = distance(landmarks, INNER_LIPS)
    wide = np.percentile(opening, 95)
    openings = [during(opening, a, b).max() / wide for sound, a, b in phones if sound in "ɑæ"]
    assert min(openings) > 0.5, np.round(openings, 2)
    assert 0.005 < wide < 0.04  # metres: a speaking mouth, neither a mumbling nor a screaming one


def test_the_mouth_is_at_rest_before_and_after_the_line(landmarks, phones):
    opening = distance(landmarks, INNER_LIPS)
    wide = np.percentile(opening, 95)
    assert during(opening, 0, phones[0][2] - 0.2).max() < 0.35 * wide
    assert during(opening, phones[-1][2] - 0.1, phones[-1][2]).max() < 0.35 * wide


def test_the_eyes_blink_and_look_about(head):
    curves = head.data.shape_keys.animation_data.action.layers[0].strips[0].channelbags[0].fcurves
    found = {curve.data_path.split('"')[1]: curve for curve in curves}
    frames = range(START, START + 142)
    for side in ("Left", "Right"):
        lid = np.array([found[f"eyeBlink{side}"].evaluate(frame) for frame in frames])
        assert 0.95 < lid.max() < 1.01 and np.mean(lid > 0.9) < 0.2
    assert max(curve.evaluate(frame) for name, curve in found.items() if "eyeLook" in name for frame in frames) > 0.03


def test_lips_round_on_oh_and_spread_on_ee(landmarks, phones):
    width = distance(landmarks, MOUTH_CORNERS)
    long = [(sound, during(width, a, b)) for sound, a, b in phones if b - a >= 0.1]
    rounded = np.mean([width.min() for sound, width in long if sound == "O"])
    spread = np.mean([width.max() for sound, width in long if sound == "i"])
    assert rounded < 0.95 * spread


def test_the_skull_keeps_still_while_the_jaw_moves(landmarks):
    travel = np.ptp(landmarks, axis=0)  # (68, 3)
    assert np.linalg.norm(travel[CHIN]) > 3 * np.linalg.norm(travel[NOSE_TIP])
    assert np.isfinite(landmarks).all() and np.linalg.norm(travel, axis=1).max() < 0.05  # nothing flies off
