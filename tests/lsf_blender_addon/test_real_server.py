"""The Generate operator with the real server, on every Blender version; the model is a tiny one that knows nothing."""

import importlib.util
import json
import os
from pathlib import Path

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import fcurves as curves_module
from lsf_blender_addon.animation import line_curves, lines
from lsf_blender_addon.client.jobs import Client
from lsf_blender_addon.prediction import store
from lsf_blender_addon.scene import evaluated_keys, meshes
from lsf_blender_addon.scene.landmarks import store as landmark_store
from server.arkit import CHANNELS
from tests.lsf_blender_addon.two_lines import TwoLines

LINE = Path(compat.__file__).parent / "assets" / "demo_line.flac"
EASE = 5  # frames in which a line eases from and to rest


@pytest.fixture
def scene(addon, add_strip, monkeypatch, tmp_path, server_python, small_checkpoint):
    client = Client(server_python, tmp_path / "server.log", ["--checkpoint", str(small_checkpoint)])
    monkeypatch.setattr(addon.session, "client", lambda: client)
    monkeypatch.setenv("LSF_CACHE_DIR", str(tmp_path / "faces"))
    add_strip(LINE)
    bpy.ops.lsf.add_head()
    yield bpy.context.scene
    client.stop()


pytestmark = pytest.mark.skipif(
    "LSF_SERVER_PYTHON" not in os.environ and importlib.util.find_spec("torch") is None,
    reason="LSF_SERVER_PYTHON names no Python with the server's packages",
)


def test_a_line_on_the_head(scene, addon, clicks):
    assert bpy.ops.lsf.generate() == {"FINISHED"}
    keys = bpy.context.object.data.shape_keys
    action = keys.animation_data.action
    (line,) = action.lsf.lines
    strip = compat.all_strips(scene.sequence_editor)[0]
    frames = min(round(compat.strip_times(strip).right), 25 + 142) - 25  # the strip of 4.2 is four seconds long
    start, end = action.curve_frame_range
    assert (start, end) == (25 - EASE, 25 + frames - 1 + EASE) and line.frames == frames
    curves = compat.fcurves_of(action)
    assert {curve.data_path for curve in curves} <= {f'key_blocks["{key.name}"].value' for key in keys.key_blocks}
    values = np.array([[curve.evaluate(25 + frame) for curve in curves] for frame in range(frames)])
    assert np.isfinite(values).all() and (np.ptp(values, axis=0) > 0).all(), "what does not move gets no curve"
    kept = store.load(action, line.uid)
    assert kept.heard_lines == 1 and len(kept.blinks) == len(kept.gaze) == 8
    columns = [kept.channels.index(curves_module.key_name(curve.data_path)) for curve in curves]
    error = values - line_curves.tweaked(kept, lines.sliders(line))[:, columns]
    on_lips = np.linalg.norm(np.tensordot(error, kept.lips[columns], 1), axis=2)
    assert kept.lips.any() and np.abs(error).max() < 0.01 and on_lips.max() < 0.2
    assert line.value_error == pytest.approx(np.abs(error).max(), abs=1e-4)
    assert line.lip_error == pytest.approx(on_lips.max(), abs=1e-2)
    assert lines.summary(action, line) in addon.session.message
    jaw = np.array([point.co for point in keys.key_blocks["jawOpen"].data]) if "jawOpen" in keys.key_blocks else None
    assert jaw is None or np.abs(jaw).max() < 1, "metres"


def test_a_cube_is_refused_with_a_sentence(scene, addon):
    bpy.ops.mesh.primitive_cube_add()
    with pytest.raises(RuntimeError):
        bpy.ops.lsf.generate()
    assert addon.session.failed and addon.session.message.endswith(".")
    assert bpy.context.object.data.shape_keys is None and not bpy.data.actions


@pytest.mark.skipif(not bpy.app.build_options.audaspace, reason="the bpy 4.2 wheel can make no strips")
def test_three_lines_unattended(scene, addon, add_strip, tmp_path, capfd):
    """What the one-liner of docs/architecture.md does on a scene that was saved before."""
    (first,) = compat.all_strips(scene.sequence_editor)
    first.name = "Anna_01"
    add_strip(LINE, "Ben_01", 200)
    add_strip(LINE, "Anna_02", 400)
    bpy.context.object.name = "Anna"
    bpy.ops.lsf.add_head()
    bpy.context.object.name = "Ben"
    path = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert bpy.ops.lsf.generate_all(save=True) == {"FINISHED"}
    assert "LSF: 2 of 3: Ben_01" in capfd.readouterr().out
    bpy.ops.wm.open_mainfile(filepath=path)
    keys = bpy.data.objects["Anna"].data.shape_keys
    spoken = {action.name: [line.name for line in action.lsf.lines] for action in bpy.data.actions}
    assert spoken == {"LSF · Anna": ["Anna_01", "Anna_02"], "LSF · Ben": ["Ben_01"]}
    moved = [evaluated_keys.sample(bpy.data.objects["Anna"], first + np.arange(100.0))[1] for first in (25, 200, 400)]
    assert [np.ptp(values, axis=0).max() > 1e-3 for values in moved] == [True, False, True]
    assert keys.animation_data.action.name == "LSF · Anna" and not keys.animation_data.nla_tracks


def test_a_head_in_pieces_with_visemes_of_its_own(scene, addon):
    """Teeth and eyes as objects of their own, found for what they are; the head's keys solved, and the parts follow."""
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="SELECT")
    bpy.ops.mesh.separate(type="LOOSE")
    bpy.ops.object.mode_set(mode="OBJECT")
    pieces = sorted(bpy.context.selected_objects, key=lambda obj: -len(obj.data.vertices))
    head, *others = pieces
    bpy.context.view_layer.objects.active = head
    assert bpy.ops.lsf.find_landmarks() == {"FINISHED"}
    assert len(head.lsf.found_landmarks) == 68
    shut = meshes.base_vertices(head.data)
    mouth = landmark_store.read(head)[0][62].position(shut)
    head.shape_key_add(name="Basis")
    for name, drop in zip("AIUEO", (0.02, 0.004, 0.006, 0.012, 0.016), strict=True):
        key = head.shape_key_add(name=name, from_mix=False)
        key.value = 0
        below = np.exp(-((shut - mouth - (0, 0, -0.03)) ** 2).sum(1) / 0.03**2)[:, None] * (shut[:, 2:] < mouth[2])
        key.points.foreach_set("co", (shut + below * (0, 0, -drop)).astype(np.float32).ravel())
    assert bpy.ops.lsf.generate() == {"FINISHED"}
    assert {key.name for key in head.data.shape_keys.key_blocks} == {"Basis", *"AIUEO"}
    recognised = {part.recognised for part in head.lsf.parts}
    assert {"Left Eye", "Right Eye", "Upper Teeth", "Lower Teeth"} <= recognised and len(head.lsf.parts) == len(others)
    lower = next(part.object for part in head.lsf.parts if part.recognised == "Lower Teeth")
    action = head.data.shape_keys.animation_data.action
    values = [point.co[1] for curve in compat.fcurves_of(action) for point in curve.keyframe_points]
    assert max(values) > 0 and min(values) >= 0 and max(values) <= 1
    assert {"Basis", "A"} <= {key.name for key in lower.data.shape_keys.key_blocks} <= {"Basis", *"AIUEO"}


@pytest.fixture
def shipped(addon, add_strip, monkeypatch, tmp_path, server_python) -> TwoLines:
    """The project's head with the same line twice, generated with the model that ships."""
    client = Client(server_python, tmp_path / "server.log", ["--cache", str(tmp_path / "faces")])
    monkeypatch.setattr(addon.session, "client", lambda: client)
    bpy.ops.lsf.add_head()
    two = TwoLines(add_strip, LINE, bpy.context.object, (25, 250))
    two.generate(0)
    two.generate(1, take=3)
    client.stop()
    return two


def seen(two: TwoLines, first: int, last: int) -> dict[str, np.ndarray]:
    """What one sees in frames first to last: metres between lips and between lids, and the largest offset."""
    head, scene = two.head, bpy.context.scene
    points, shut = landmark_store.read(head)[0], meshes.base_vertices(head.data)
    pairs = {"lips": (62, 66), "left lids": (43, 47), "right lids": (38, 40)}
    found = {name: [] for name in (*pairs, "offset")}
    for frame in range(first, last + 1):
        scene.frame_set(frame)
        vertices = meshes.coordinates(head.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.vertices)
        for name, pair in pairs.items():
            one, other = (points[index].position(vertices) for index in pair)
            found[name].append(np.linalg.norm(np.subtract(one, other)))
        found["offset"].append(np.abs(vertices - shut).max())
    return {name: np.array(values) for name, values in found.items()}


def test_two_lines_of_one_head_are_spoken_with_blinks(shipped):
    """In both lines the mouth opens and the lips meet at p, b and m; the eyes blink; between them all is at rest."""
    phones = json.loads(LINE.with_suffix(".json").read_text("utf-8"))["phones"]
    keys = shipped.head.data.shape_keys
    assert keys.animation_data.action == shipped.action and not keys.animation_data.nla_tracks
    assert {key.name for key in keys.key_blocks[1:]} <= set(CHANNELS)
    for number, start in enumerate((25, 250)):
        record = shipped.record(number)
        record.tweaks.variant = int(shipped.kept(number).blinks.max(1).argmax())  # not every few seconds have a blink
        assert record.first_frame == start and 96 <= record.frames <= 142
        now = seen(shipped, start, start + record.frames - 1)
        times = np.arange(record.frames) / 24

        def during(name: str, a: float, b: float, now=now, times=times) -> np.ndarray:
            return np.interp(np.arange(a, b + 1e-6, 0.01), times, now[name])

        heard = [(sound, a, b) for sound, a, b in phones if b + 0.1 < times[-1]]
        wide = np.percentile(now["lips"], 95)
        assert 0.005 < wide < 0.04
        closures = [during("lips", a - 0.04, b + 0.04).min() / wide for sound, a, b in heard if sound in "pbm"]
        vowels = [during("lips", a, b).max() / wide for sound, a, b in heard if sound in "ɑæ"]
        assert len(closures) >= 6 and max(closures) < 0.2, np.round(closures, 2)
        assert min(vowels) > 0.4, np.round(vowels, 2)
        for side in ("Left", "Right"):
            lid = shipped.curve(f"eyeBlink{side}", start, record.frames)
            closed = lid > 0.95
            assert lid.max() <= 1.01 and 1 <= np.diff(closed.astype(int)).clip(0).sum() <= 5, "it blinks"
            eye = now[f"{side.lower()} lids"]
            assert eye[closed].max() < 0.35 * np.median(eye)
    first, second = shipped.record(0), shipped.record(1)
    between = seen(shipped, first.first_frame + first.frames - 1 + EASE, second.first_frame - EASE)
    assert between["offset"].max() < 1e-5, "metres: the face is as it was modelled"
    assert seen(shipped, 1, 25 - EASE)["offset"].max() < 1e-5
    assert bytes_a_minute(shipped, store.ARRAYS.keys() - {"lips"}) < 150_000
    assert bytes_a_minute(shipped, {"blinks", "gaze"}) < 30_000, "for all variants"


def bytes_a_minute(two: TwoLines, arrays: set[str]) -> float:
    """What the prediction of the first line needs in the file."""
    kept, record = two.action[store.PROPERTY][two.record(0).uid], two.record(0)
    return sum(len(kept[name]["bytes"]) for name in arrays) * 60 * record.fps / record.frames
