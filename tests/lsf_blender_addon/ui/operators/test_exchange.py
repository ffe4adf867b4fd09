"""Export and import of face curves on real shape keys."""

import dataclasses
import json
import time

import bpy
import mathutils
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import actions, arkit_keys, lines
from lsf_blender_addon.animation.fcurves import value_path
from lsf_blender_addon.client.jobs import Job, State
from lsf_blender_addon.formats import live_link
from lsf_blender_addon.formats.curves import Curves
from lsf_blender_addon.jobs import environment, import_recording
from lsf_blender_addon.prediction import recording as recorded
from lsf_blender_addon.prediction.store import NO_GAZE
from lsf_blender_addon.scene import evaluated_keys
from lsf_blender_addon.scene.own_properties import lines_of
from lsf_blender_addon.scene.snapshots import Source
from server.arkit import CHANNELS
from tests.lsf_blender_addon.fake_client import Client, use

FRAMES = 40


@pytest.fixture
def head(addon, monkeypatch):
    """A cube with keys in several spellings, of which a driver moves one; no speech engine is installed."""
    monkeypatch.setattr(environment, "server_python", lambda: None)
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    for name in ("Basis", "jawOpen", "MouthClose", "mine", "browInnerUp"):
        add_key(cube, name)
    cube.data.shape_keys.key_blocks["browInnerUp"].driver_add("value").driver.expression = "frame / 100"
    bpy.context.scene.render.fps = 24
    return cube


def add_key(obj, name):
    """A key that moves a vertex; the first one of an object is its Basis."""
    key = obj.shape_key_add(name=name)
    key.value = 0
    if key != obj.data.shape_keys.reference_key:
        key.points[0].co.z += 0.1


def animate(head, names=("jawOpen", "MouthClose"), strip="line", first=25, blinks=None) -> np.ndarray:
    """Make a line of speech, with a key on every frame."""
    names = [*names, *(lid for lid in ("eyeBlinkLeft", "eyeBlinkRight") if blinks is not None and lid not in names)]
    speech = [k for k, name in enumerate(names) if not name.startswith("eyeBlink")]
    motion = np.zeros((FRAMES, len(names)), np.float32)
    motion[:, speech] = 0.5 + 0.4 * np.sin(np.arange(FRAMES)[:, None] / 4 + np.arange(len(speech)) + first)
    source = Source(strip, strip, bpy.context.scene.name, "line.wav", 24.0, first, FRAMES, 0.0, FRAMES)
    prediction = recorded.predict(motion, names, 24.0, arkit_keys.match(head, names).drive(names, FRAMES))
    if blinks is not None:
        prediction = dataclasses.replace(prediction, blinks=blinks[None].astype(np.float32), gaze=NO_GAZE)
    action, record = lines.put(head.data, head.name, source, prediction)
    record.tweaks.density = 1.0
    lines.write(head.data, action, record)
    return motion


def played(head, names, frames) -> np.ndarray:
    """Values (F, K) of keys as they are evaluated."""
    found, values = evaluated_keys.sample(head, np.asarray(frames))
    return values[:, [found.index(name) for name in names]]


def take(tmp_path, names=("jawOpen", "mouthClose", "browInnerUp", "cheekPuff"), seconds=2.0, fps=60):
    """A recording of 60 fps, as the app would write it."""
    times = np.arange(int(seconds * fps)) / fps
    values = (
        np.array([0.5 + 0.4 * np.sin(4 * times + k) for k in range(len(names))], np.float32).reshape(-1, len(times)).T
    )
    live_link.write(tmp_path / "take.csv", Curves(list(names), 36000 + times, values), fps)
    return tmp_path / "take.csv"


def sine(count, k=0, fps=24):
    """Values (F,) of column k of `take`."""
    return 0.5 + 0.4 * np.sin(4 * np.arange(count) / fps + k)


def test_import_puts_the_recording_on_scene_frames(head, addon, tmp_path):
    path = take(tmp_path)
    assert bpy.ops.lsf.import_live_link(filepath=str(path), first_frame=101) == {"FINISHED"}
    action = head.data.shape_keys.animation_data.action
    assert actions.is_generated(action)
    paths = {curve.data_path for curve in compat.fcurves_of(action)}
    assert paths == {value_path("jawOpen"), value_path("MouthClose")}, "not the driven one"
    values = played(head, ["jawOpen", "MouthClose"], 101 + np.arange(48))
    np.testing.assert_allclose(values, np.stack([sine(48), sine(48, 1)], 1), atol=0.015)
    assert not played(head, ["jawOpen"], [80, 170]).any(), "it comes from rest and goes back to it"
    message = addon.session.message
    assert message.startswith("take.csv: frames 101 to 148; ")
    assert "drivers move them: browInnerUp" in message and "no key for them: cheekPuff (install" in message
    assert "tongueOut" not in message, "it does not move"


def test_a_recording_is_a_line(head, tmp_path):
    path = take(tmp_path)
    for first in (101, 201):
        bpy.ops.lsf.import_live_link(filepath=str(path), first_frame=first)
        (record,) = lines_of(actions.existing(head.data))
        assert (record.name, record.kind, record.first_frame, record.frames) == ("take.csv", "RECORDING", first, 48)
    assert not played(head, ["jawOpen"], [101, 120, 140]).any(), "it has moved"
    record.tweaks.jaw = 0.5
    np.testing.assert_allclose(played(head, ["jawOpen"], 201 + np.arange(48))[:, 0], 0.5 * sine(48), atol=0.015)
    other = tmp_path / "other.csv"
    other.write_bytes(path.read_bytes())
    bpy.ops.lsf.import_live_link(filepath=str(other), first_frame=301)
    assert [record.name for record in lines_of(actions.existing(head.data))] == ["take.csv", "other.csv"]


def test_the_artists_action_stays(head, tmp_path):
    key = head.data.shape_keys.key_blocks["mine"]
    key.keyframe_insert("value", frame=3)
    theirs = head.data.shape_keys.animation_data.action
    bpy.ops.lsf.import_live_link(filepath=str(take(tmp_path)), first_frame=101)
    assert head.data.shape_keys.animation_data.action == theirs and len(compat.fcurves_of(theirs)) == 1
    np.testing.assert_allclose(played(head, ["jawOpen"], 101 + np.arange(48))[:, 0], sine(48), atol=0.015)


def test_generated_speech_and_blinks_give_way(head, tmp_path):
    """Two lines; the recording lies over the end of the first one."""
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        add_key(head, name)
    blinks = np.zeros(FRAMES)
    blinks[[5, 30]] = 1
    names = ("jawOpen", "MouthClose", "eyeBlinkLeft", "eyeBlinkRight")
    first_line = animate(head, names, blinks=blinks) * 0 + played(head, names, 25 + np.arange(FRAMES))
    animate(head, names, "second", 200, blinks)
    second_line = played(head, names, 200 + np.arange(FRAMES))
    path = take(tmp_path, ("jawOpen", "eyeBlinkLeft"))
    bpy.ops.lsf.import_live_link(filepath=str(path), first_frame=50)
    under = played(head, names, 50 + np.arange(48))
    np.testing.assert_allclose(under[:, [0, 2]], np.stack([sine(48), sine(48, 1)], 1), atol=0.015)
    assert not under[:, [1, 3]].any(), "what the recording does not move rests"
    np.testing.assert_allclose(played(head, names, 25 + np.arange(18)), first_line[:18], atol=1e-5)
    np.testing.assert_allclose(played(head, names, 200 + np.arange(FRAMES)), second_line, atol=1e-5)


class FaceClient(Client):
    """Fits a face: a basis for all channels but tongueOut, landmarks of a face that looks along +X."""

    def submit(self, kind, request, arrays) -> Job:
        job = Job(str(len(self.jobs)), kind, request, arrays, self.state, 0.5, "Fitting")
        job.error = "No face was found on this mesh" if self.state is State.FAILED else ""
        count = len(arrays["vertices"])
        basis = np.random.default_rng(0).normal(0, 0.1, (52, count, 3)).astype(np.float32)
        basis[CHANNELS.index("tongueOut")] = 0
        landmarks = np.zeros((68, 3), np.float32)
        landmarks[[36, 45, 27, 8]] = (0, -1, 0), (0, 1, 0), (0, 0, 1), (0, 0, -1)
        job.header = {"channels": list(CHANNELS)}
        job.arrays = {"basis": basis, "landmarks68": landmarks, "landmark_vertices": np.arange(68) % count}
        self.jobs.append(job)
        return job


@pytest.fixture
def engine(head, addon, monkeypatch):
    monkeypatch.setattr(environment, "server_python", lambda: "/nowhere/python")
    return lambda state=State.DONE: use(addon, monkeypatch, FaceClient(state))


def test_missing_keys_are_made(head, addon, engine, tmp_path):
    """On the head and on its teeth; keys that move nothing, and those of the artist, are left alone."""
    bpy.ops.mesh.primitive_cube_add(size=0.3)
    teeth = bpy.context.object
    head.lsf.add_part(teeth)
    bpy.context.view_layer.objects.active = head
    client = engine()
    before = [key.name for key in head.data.shape_keys.key_blocks]
    path = take(tmp_path, ("jawOpen", "cheekPuff", "eyeBlinkLeft", "tongueOut", "browInnerUp"))
    assert bpy.ops.lsf.import_live_link(filepath=str(path), first_frame=101) == {"FINISHED"}
    assert [job.type for job in client.jobs] == ["prepare_face"]
    added = ["eyeBlinkLeft", "cheekPuff", "LSF browInnerUp"]  # a driver moves browInnerUp
    assert [key.name for key in head.data.shape_keys.key_blocks] == [*before, *added]
    assert [key.name for key in teeth.data.shape_keys.key_blocks] == ["Basis", *added]
    for obj in (head, teeth):
        values = played(obj, ["cheekPuff", "eyeBlinkLeft", "LSF browInnerUp"], 101 + np.arange(48))
        np.testing.assert_allclose(values, np.stack([sine(48, 1), sine(48, 2), sine(48, 4)], 1), atol=0.015)
    message = addon.session.message
    assert "3 missing keys added" in message and "tongueOut (they move nothing on this head)" in message
    bpy.ops.lsf.import_live_link(filepath=str(path), first_frame=101)
    assert "missing keys added" not in addon.session.message


def test_a_new_key_is_exported_as_its_channel(head, engine, tmp_path):
    """Also where the head's own key of this name has no shape, or a driver."""
    engine()
    bpy.ops.lsf.import_live_link(filepath=str(take(tmp_path, ("jawOpen", "browInnerUp"))), first_frame=101)
    bpy.ops.lsf.export_curves(filepath=str(tmp_path / "out.csv"), format="CSV", first_frame=101, last_frame=148)
    shapes = live_link.read(tmp_path / "out.csv").shapes
    column = shapes.resampled(24)[:, shapes.names.index("browInnerUp")]
    np.testing.assert_allclose(column[:48], sine(48, 1), atol=0.02)


def test_all_keys_are_made_for_a_head_without_any(addon, engine, head, tmp_path):
    head.shape_key_clear()
    engine()
    values = np.random.default_rng(0).random((100, 52)).astype(np.float32)
    live_link.write(tmp_path / "all.csv", Curves(list(live_link.CHANNELS), np.arange(100) / 24, values), 24)
    bpy.ops.lsf.import_live_link(filepath=str(tmp_path / "all.csv"), first_frame=1, every_frame=True)
    names = [key.name for key in head.data.shape_keys.key_blocks]
    assert set(names) == {"Basis", *CHANNELS} - {"tongueOut"}
    kept = [name for name in live_link.CHANNELS if name != "tongueOut"]
    columns = [live_link.CHANNELS.index(name) for name in kept]
    np.testing.assert_allclose(played(head, kept, 1 + np.arange(100)), values[:, columns], atol=1e-4)


def test_no_server_is_asked_if_no_key_is_missing(head, engine, tmp_path):
    client = engine()
    bpy.ops.lsf.import_live_link(filepath=str(take(tmp_path, ("jawOpen", "mouthClose"))), first_frame=1)
    assert not client.jobs


def test_a_face_that_cannot_be_fitted_is_imported_on_what_is_there(head, addon, engine, tmp_path):
    engine(State.FAILED)
    bpy.ops.lsf.import_live_link(filepath=str(take(tmp_path)), first_frame=1)
    assert played(head, ["jawOpen"], [10])[0, 0] > 0.5
    assert "cheekPuff (No face was found on this mesh)" in addon.session.message


def test_a_rig_gets_missing_keys_unless_the_dialog_says_no(head, addon, engine, tmp_path):
    client = engine()
    head.lsf.own_keys = "LIST"
    row = head.lsf.mapping.add()
    row.key, row.channel = "mine", "jawOpen"
    path = str(take(tmp_path, ("jawOpen", "cheekPuff")))
    bpy.ops.lsf.import_live_link(filepath=path, first_frame=1, add_missing=False)
    assert not client.jobs and "cheekPuff (turn on Add Missing Keys" in addon.session.message
    bpy.ops.lsf.import_live_link(filepath=str(take(tmp_path, ("jawOpen", "cheekPuff"))), first_frame=1)
    assert "cheekPuff" in head.data.shape_keys.key_blocks and "left out" not in addon.session.message
    values = played(head, ["mine", "cheekPuff"], 1 + np.arange(48))
    np.testing.assert_allclose(values, np.stack([sine(48), sine(48, 1)], 1), atol=0.015)


def test_cancelled_and_failed_imports_change_nothing(head, addon, engine, tmp_path, dump):
    path = take(tmp_path)
    engine(State.CANCELLED)
    assert bpy.ops.lsf.import_live_link(filepath=str(path)) == {"CANCELLED"}
    assert addon.session.message == "Cancelled: nothing was changed"
    engine()
    with pytest.raises(RuntimeError, match=r'"gone.csv" cannot be read'):
        bpy.ops.lsf.import_live_link(filepath=str(tmp_path / "gone.csv"))
    assert actions.existing(head.data) is None and addon.session.failed and len(head.data.shape_keys.key_blocks) == 5


def test_a_head_and_a_scene_that_change_meanwhile(head, addon, engine, tmp_path, monkeypatch):
    """The recording is not put on a mesh that the server has not seen, nor at another frame rate."""
    client, path = engine(), take(tmp_path)
    submit, scene = client.submit, bpy.context.scene

    def sculpted(*arguments):
        head.data.shape_keys.key_blocks[0].points[2].co.x += 0.1
        return submit(*arguments)

    def slower(*arguments):
        scene.render.fps = 12
        return submit(*arguments)

    for change, sentence in ((sculpted, "was changed while the result was made"), (slower, "frame rate was changed")):
        monkeypatch.setattr(client, "submit", change)
        with pytest.raises(RuntimeError, match=sentence):
            bpy.ops.lsf.import_live_link(filepath=str(path))
        assert actions.existing(head.data) is None and len(head.data.shape_keys.key_blocks) == 5


def test_an_error_while_writing_is_taken_back(head, addon, engine, tmp_path, monkeypatch):
    engine()
    monkeypatch.setattr(lines, "write", lambda *_arguments: 1 / 0)
    with pytest.raises(RuntimeError, match="Something unexpected went wrong"):
        bpy.ops.lsf.import_live_link(filepath=str(take(tmp_path)))
    assert actions.existing(head.data) is None and len(head.data.shape_keys.key_blocks) == 5


def test_import_says_what_to_do(head, tmp_path):
    path = take(tmp_path, names=("cheekPuff",))
    with pytest.raises(RuntimeError, match=r'has no shape key for cheekPuff, which "take.csv" moves: install the'):
        bpy.ops.lsf.import_live_link(filepath=str(path))
    for names, sentence in (
        (("browInnerUp",), "no new keys could be made: install the"),
        ((), "does not move in .take.csv."),
    ):
        with pytest.raises(RuntimeError, match=sentence):
            bpy.ops.lsf.import_live_link(filepath=str(take(tmp_path, names)))
    assert actions.existing(head.data) is None
    head.shape_key_clear()
    assert not bpy.ops.lsf.import_live_link.poll() and not bpy.ops.lsf.export_curves.poll()
    with pytest.raises(RuntimeError, match="has no shape keys"):
        bpy.ops.lsf.import_live_link(filepath=str(path))


def file_with_angles(tmp_path, angles, looks=0.0, fps=30, seconds=2.0):
    """A file of 61 columns with these angles (F,) in radians, and still or moving looks."""
    times = np.arange(int(seconds * fps)) / fps
    names = ["jawOpen", "eyeLookUpLeft"]
    values = np.stack([0.5 + 0.4 * np.sin(4 * times), looks * (1 + np.sin(times))], 1).astype(np.float32)
    path = tmp_path / "angles.csv"
    live_link.write(path, Curves(names, times, values), fps)
    header, *rows = path.read_text().splitlines()
    titles = header.split(",")
    table = [row.split(",") for row in rows]
    for name, curve in angles.items():
        for row, value in zip(table, curve, strict=True):
            row[titles.index(name)] = f"{value:.6f}"
    path.write_text("\n".join([header, *(",".join(row) for row in table)]) + "\n")
    return path


def test_angles_of_the_eyes_become_looks_if_these_are_still(head, engine, tmp_path):
    engine()
    turned = np.radians(14) * np.sin(np.arange(60) / 10)
    eyes = {"LeftEyeYaw": turned, "RightEyeYaw": turned, "LeftEyePitch": -turned, "RightEyePitch": -turned}
    bpy.ops.lsf.import_live_link(filepath=str(file_with_angles(tmp_path, eyes)), first_frame=1, every_frame=True)
    degrees = np.interp(np.arange(47) / 24, np.arange(60) / 30, np.degrees(turned))
    left, right = np.maximum(degrees, 0), np.maximum(-degrees, 0)
    for name, expected in (
        ("eyeLookOutLeft", left / 28),
        ("eyeLookInRight", left / 28),
        ("eyeLookInLeft", right / 28),
        ("eyeLookOutRight", right / 28),
        ("eyeLookUpLeft", left / 22),
        ("eyeLookDownRight", right / 26),
    ):
        np.testing.assert_allclose(played(head, [name], 1 + np.arange(47))[:, 0], expected, atol=0.01, err_msg=name)
    path = file_with_angles(tmp_path, eyes, looks=0.3)
    bpy.ops.lsf.import_live_link(filepath=str(path), first_frame=1, every_frame=True)
    looks = played(head, ["eyeLookUpLeft", "eyeLookOutLeft"], 1 + np.arange(47))
    np.testing.assert_allclose(looks[:, 0], 0.3 * (1 + np.sin(np.arange(47) / 24)), atol=0.01)
    assert not looks[:, 1].any(), "the channels decide"


def test_the_head_turns_if_that_is_wanted(head, addon, engine, tmp_path):
    """For a face that was fitted, and looks along +X: a yaw to the person's left turns about +Z, down about +Y."""
    client = engine()
    yaw, pitch = 0.3 * np.sin(np.arange(60) / 10), 0.2 * np.sin(np.arange(60) / 7)
    angles = {"HeadYaw": 1 + yaw - np.median(yaw), "HeadPitch": pitch - np.median(pitch)}
    path = str(file_with_angles(tmp_path, angles))
    bpy.ops.object.empty_add()
    neck = bpy.context.object
    bpy.context.view_layer.objects.active = head
    bpy.ops.lsf.import_live_link(filepath=path, first_frame=1, head_rotation=True)
    assert "turns" not in addon.session.message, "nothing is chosen to turn"
    head.lsf.nod.object = neck
    bpy.ops.lsf.import_live_link(filepath=path, first_frame=1)
    assert not neck.constraints
    head.shape_key_remove(head.data.shape_keys.key_blocks["jawOpen"])
    bpy.ops.lsf.import_live_link(filepath=path, first_frame=1, head_rotation=True)
    assert addon.session.message.endswith("Empty turns") and client.jobs
    turns = []
    for frame in range(1, 48):
        bpy.context.scene.frame_set(frame)
        matrix = neck.evaluated_get(bpy.context.evaluated_depsgraph_get()).matrix_world.to_3x3()
        turns.append([*(matrix @ mathutils.Vector((1, 0, 0)))])
    forward = np.array(turns)  # where the nose points
    seconds = np.arange(47) / 24
    expected = [np.interp(seconds, np.arange(60) / 30, curve - np.median(curve)) for curve in (yaw, pitch)]
    np.testing.assert_allclose(np.arctan2(forward[:, 1], forward[:, 0]), expected[0], atol=0.01)
    np.testing.assert_allclose(-np.arcsin(forward[:, 2]), expected[1], atol=0.01)


def test_a_recording_without_rotation_says_so(head, addon, tmp_path):
    head.lsf.nod.object = head
    bpy.ops.lsf.import_live_link(filepath=str(take(tmp_path)), first_frame=1, head_rotation=True)
    assert "the recording has no rotation of the head" in addon.session.message and not head.constraints


@pytest.mark.parametrize("fps", [24, 30, 60])
@pytest.mark.parametrize("scene_fps", [(24, 1.0), (30, 1.0), (30, 1.001)])
def test_times_of_every_rate(head, tmp_path, fps, scene_fps):
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = scene_fps
    bpy.ops.lsf.import_live_link(filepath=str(take(tmp_path, ("jawOpen",), 10, fps)), first_frame=11, every_frame=True)
    rate = scene_fps[0] / scene_fps[1]
    count = int((10 - 1 / fps) * rate) + 1
    (record,) = lines_of(actions.existing(head.data))
    assert record.frames == count
    np.testing.assert_allclose(played(head, ["jawOpen"], 11 + np.arange(count))[:, 0], sine(count, 0, rate), atol=5e-3)


def test_a_long_recording_is_quick(head, engine, tmp_path):
    """4 030 rows: a thread reads, and Blender waits only while it is written."""
    head.shape_key_clear()
    client = engine()
    rng = np.random.default_rng(0)
    speeds, starts = rng.uniform(1, 9, 52), rng.uniform(0, 6, 52)
    values = 0.4 + 0.4 * np.sin(np.arange(4030)[:, None] / 30 * speeds + starts) + rng.normal(0, 0.002, (4030, 52))
    path = tmp_path / "long.csv"
    live_link.write(path, Curves(list(live_link.CHANNELS), np.arange(4030) / 30, values.astype(np.float32)), 30)
    bpy.context.scene.render.fps = 30
    bpy.ops.lsf.import_live_link(filepath=str(path), first_frame=1)
    work = import_recording.start(head, {}, str(path), 0.0)
    while not work.poll().ended:
        time.sleep(0.01)
    options = import_recording.Options(str(path), bpy.context.scene.name, 30.0, 1, False, False)
    started = time.perf_counter()
    import_recording.write(work, head.name, options)
    seconds = time.perf_counter() - started
    assert seconds < 1.5 and len(client.jobs) == 2


def test_export_contains_the_evaluated_values(head, tmp_path):
    """Two lines, and a driver."""
    one = animate(head, strip="one")
    two = animate(head, strip="two", first=80)
    bpy.context.scene.frame_set(7)
    before = [key.value for key in head.data.shape_keys.key_blocks]
    path = tmp_path / "curves.json"
    bpy.ops.lsf.export_curves(filepath=str(path), format="JSON", first_frame=20, last_frame=130)
    document = json.loads(path.read_text("utf-8"))
    assert document["names"] == ["jawOpen", "MouthClose", "mine", "browInnerUp"]
    assert (document["fps"], document["first_frame"]) == (24, 20)
    values = np.array(document["values"])
    assert values.shape == (111, 4)
    np.testing.assert_allclose(values[5:45, :2], one, atol=1e-4)
    np.testing.assert_allclose(values[60:100, :2], two, atol=1e-4)
    assert not values[0, :2].any() and not values[50:55, :2].any() and not values[:, 2].any()
    np.testing.assert_allclose(values[:, 3], np.minimum(1, np.arange(20, 131) / 100), atol=1e-6)
    assert [key.value for key in head.data.shape_keys.key_blocks] == before
    assert bpy.context.scene.frame_current == 7 and len(bpy.data.scenes) == 1


@pytest.mark.parametrize("rate", [0, 60])
def test_exported_live_link_is_imported_the_same(head, tmp_path, rate):
    motion = animate(head)
    path = tmp_path / "out.csv"
    bpy.ops.lsf.export_curves(filepath=str(path), format="CSV", first_frame=25, last_frame=64, rate=rate)
    assert path.read_text().splitlines()[1].startswith("00:00:01:" + ("02.500" if rate else "01.000"))
    bpy.data.actions.remove(head.data.shape_keys.animation_data.action)
    bpy.ops.lsf.import_live_link(filepath=str(path), first_frame=25, every_frame=True)
    curves = {curve.data_path: curve for curve in compat.fcurves_of(head.data.shape_keys.animation_data.action)}
    for k, name in enumerate(("jawOpen", "MouthClose")):
        played = [curves[actions.value_path(name)].evaluate(25 + i) for i in range(FRAMES - 2)]
        assert played == pytest.approx(motion[:-2, k].tolist(), abs=0.01 if rate else 1e-4)


@pytest.mark.parametrize("own", [False, True])
def test_exported_live_link_has_blinks(head, tmp_path, own):
    """Of two lines, on keys of ARKit's names, or on keys of the head's own that move half as far."""
    names = ["eyeBlinkLeft", "eyeBlinkRight"]
    for name in ("BlinkL", "BlinkR") if own else names:
        add_key(head, name)
    if own:
        head.lsf.own_keys = "LIST"
        for key, channel in zip(("BlinkL", "BlinkR"), names, strict=True):
            row = head.lsf.mapping.add()
            row.key, row.channel, row.gain = key, channel, 0.5
    blinks = np.zeros(FRAMES)
    blinks[8:13] = 0.4, 1, 1, 0.6, 0.2
    animate(head, (), "one", 25, blinks)
    animate(head, (), "two", 90, blinks)
    path = tmp_path / "out.csv"
    bpy.ops.lsf.export_curves(filepath=str(path), format="CSV", first_frame=25, last_frame=129)
    back = live_link.read(path).shapes
    for name in names:
        column = back.values[:, back.names.index(name)]
        for first in (0, 65):
            np.testing.assert_allclose(column[first : first + FRAMES], blinks, atol=1e-3)


def test_the_heads_own_keys_in_another_spelling(head, tmp_path):
    """One follows its channel at half strength, one follows two channels."""
    for name in ("Jaw", "Smile"):
        add_key(head, name)
    head.data.shape_keys.key_blocks["jawOpen"].name = "unused"
    head.lsf.own_keys = "LIST"
    for key, channel, gain in (
        ("Jaw", "jawOpen", 0.5),
        ("Smile", "mouthSmileLeft", 0.5),
        ("Smile", "mouthSmileRight", 0.5),
    ):
        row = head.lsf.mapping.add()
        row.key, row.channel, row.gain = key, channel, gain
    path = take(tmp_path, ("jawOpen", "mouthSmileLeft", "mouthSmileRight"))
    bpy.ops.lsf.import_live_link(filepath=str(path), first_frame=1, every_frame=True)
    curves = {curve.data_path: curve for curve in compat.fcurves_of(head.data.shape_keys.animation_data.action)}
    times = np.arange(40) / 24
    for key, expected in (
        ("Jaw", 0.5 * (0.5 + 0.4 * np.sin(4 * times))),
        ("Smile", 0.5 * (1 + 0.4 * np.sin(4 * times + 1) + 0.4 * np.sin(4 * times + 2))),
    ):
        values = [curves[actions.value_path(key)].evaluate(1 + i) for i in range(40)]
        assert values == pytest.approx(expected.tolist(), abs=5e-3)
    bpy.ops.lsf.export_curves(filepath=str(tmp_path / "out.csv"), format="CSV", first_frame=1, last_frame=40)
    back = live_link.read(tmp_path / "out.csv").shapes
    jaw = back.values[:, back.names.index("jawOpen")]
    np.testing.assert_allclose(jaw, 0.5 + 0.4 * np.sin(4 * times), atol=5e-3)
    mean = 0.5 + 0.2 * np.sin(4 * times + 1) + 0.2 * np.sin(4 * times + 2)
    for side in ("Left", "Right"):  # one key cannot tell them apart: both get what it shows
        assert back.values[:, back.names.index(f"mouthSmile{side}")] == pytest.approx(mean, abs=5e-3)


def test_import_has_few_keys(head, tmp_path):
    bpy.ops.lsf.import_live_link(filepath=str(take(tmp_path, seconds=10)), first_frame=1)
    curve = compat.fcurves_of(head.data.shape_keys.animation_data.action)[0]
    assert 4 < len(curve.keyframe_points) < 240 / 3
    values = [curve.evaluate(1 + i) for i in range(239)]
    assert values == pytest.approx((0.5 + 0.4 * np.sin(4 * np.arange(239) / 24)).tolist(), abs=0.02)


@pytest.mark.parametrize("placement", ["active", "NLA", "layer above", "own Action"])
def test_the_dialogs_propose_the_frames_of_all_lines(head, placement):
    """Lines ease from and to rest outside their own frames. Keys of the artist count, too."""
    keys = head.data.shape_keys
    scene, expected = bpy.context.scene, (20, 124)
    if placement in ("NLA", "own Action"):
        keys.key_blocks["mine"].keyframe_insert("value", frame=3)
        if placement == "own Action":
            keys.key_blocks["mine"].keyframe_insert("value", frame=300)
            expected = 3, 300
    animate(head, strip="one", first=25)
    animate(head, strip="two", first=80)
    if placement == "layer above":
        lines.add_layer(head.data)
    assert evaluated_keys.animated_range(head.data, scene) == expected
    bpy.data.batch_remove(list(bpy.data.actions))
    keys.animation_data_clear()
    assert evaluated_keys.animated_range(head.data, scene) == (scene.frame_start, scene.frame_end)


@pytest.mark.parametrize("last_frame", [3, 8])
def test_export_refuses_an_end_before_the_start(head, tmp_path, last_frame):
    with pytest.raises(RuntimeError, match="end frame"):
        bpy.ops.lsf.export_curves(filepath=str(tmp_path / "x.csv"), first_frame=9, last_frame=last_frame)


def test_export_refuses_with_a_sentence(head, tmp_path):
    with pytest.raises(RuntimeError, match="choose another folder"):
        bpy.ops.lsf.export_curves(filepath=str(tmp_path / "gone" / "x.csv"))


def test_the_menus_have_entries(addon):
    for menu, draw in addon.MENUS:
        assert draw in menu._dyn_ui_initialize()
    addon.unregister()
    assert all(draw not in menu._dyn_ui_initialize() for menu, draw in addon.MENUS)
    addon.register()


def test_one_key_for_both_lids_fills_both_columns(head, addon, tmp_path):
    add_key(head, "まばたき")
    head.lsf.own_keys = "LIST"
    for channel in ("eyeBlinkLeft", "eyeBlinkRight"):
        row = head.lsf.mapping.add()
        row.key, row.channel, row.gain = "まばたき", channel, 0.5
    keys = head.data.shape_keys
    for frame, value in ((1, 0.0), (5, 1.0), (9, 0.0)):
        keys.key_blocks["まばたき"].value = value
        keys.keyframe_insert('key_blocks["まばたき"].value', frame=frame)
    bpy.ops.lsf.export_curves(filepath=str(tmp_path / "blink.csv"), format="CSV", first_frame=1, last_frame=9)
    back = live_link.read(tmp_path / "blink.csv").shapes
    for channel in ("eyeBlinkLeft", "eyeBlinkRight"):
        column = back.values[:, [name.casefold() for name in back.names].index(channel.casefold())]
        assert column.max() == pytest.approx(1, abs=1e-3) and column[[0, -1]].max() < 1e-3
