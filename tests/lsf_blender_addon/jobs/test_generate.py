"""The Generate operator from button to keys, with a client that answers at once. tests/e2e has the real server."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.client import causes
from lsf_blender_addon.client.jobs import State
from lsf_blender_addon.errors import UserError
from lsf_blender_addon.jobs import lines
from lsf_blender_addon.jobs.batch import Batch, Item
from lsf_blender_addon.jobs.generate import Generation
from lsf_blender_addon.prediction import store
from lsf_blender_addon.scene import audio, character, meshes, strip_identity, strips
from server.arkit import CHANNELS
from tests.lsf_blender_addon.fake_client import Client, use

FPS = (30, 1.001)


@pytest.fixture
def scene(addon, add_strip, clicks, monkeypatch):
    """A head, a strip of four seconds at frame 25, and a client."""
    add_strip(clicks, fps=FPS)
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    scene = bpy.context.scene
    use(addon, monkeypatch, Client())
    return scene


def kept_line(index=0, count=1):
    """The stored prediction of a line of the head, and its record; how many lines there are must be known."""
    action = bpy.context.object.data.shape_keys.animation_data.action
    assert len(action.lsf.lines) == count
    line = action.lsf.lines[index]
    return store.load(action, line.uid), line


def snapshot(dump) -> list:
    """Everything in the file that could be changed by mistake."""
    kinds = ("actions", "meshes", "objects", "shape_keys", "sounds")
    counts = {
        p.identifier: len(getattr(bpy.data, p.identifier)) for p in bpy.data.bl_rna.properties if p.type == "COLLECTION"
    }
    return [counts, *([dump(block) for block in getattr(bpy.data, kind)] for kind in kinds)]


def test_from_button_to_curves(scene, addon):
    assert bpy.ops.lsf.generate.poll()
    assert bpy.ops.lsf.generate() == {"FINISHED"}
    keys = bpy.context.object.data.shape_keys
    assert [key.name for key in keys.key_blocks[1:]] == [name for name in CHANNELS if name != "tongueOut"]
    assert keys.animation_data.action.name == "LSF · Sphere"
    assert tuple(keys.animation_data.action.curve_frame_range) == (25 - 6, 25 + 119 + 6), (
        "120 frames, and 0.2 s to ease"
    )
    assert addon.session.message.startswith("line: frames 25 to 144; ") and not addon.session.failed


def test_the_prediction_is_kept(scene, addon, monkeypatch):
    client = use(addon, monkeypatch, Client())
    scene.lsf.variation, scene.lsf.take = 0.5, 7
    bpy.ops.lsf.generate()
    kept, line = kept_line()
    (job,) = client.jobs
    assert (line.name, line.scene, line.sound, line.first_frame, line.frames) == (
        "line",
        scene.name,
        "clicks.wav",
        25,
        120,
    )
    assert line.uid and line.kind == "SPEECH" and line.start == pytest.approx(0, abs=1e-6)
    assert line.fps == pytest.approx(30 / 1.001) and line.content == pytest.approx(120, abs=1)
    assert (kept.temperature, kept.seed) == (0.5, 7)
    assert kept.fps == pytest.approx(30 / 1.001) and kept.channels == CHANNELS
    np.testing.assert_allclose(kept.motion, job.arrays["motion"][:120], atol=1e-4)
    assert not kept.expression.any() and kept.emotion.shape == (120, 0) and kept.lips.shape == (52, 0, 3)
    assert kept.heard_lines == 1


def test_the_expression_is_kept(scene, addon, monkeypatch):
    client = use(addon, monkeypatch, Client())
    generation = started(addon, client)
    (job,) = client.jobs
    frames = len(job.arrays["motion"])
    job.header["emotions"] = ["angry", "glad"]
    job.arrays |= {
        "expression": job.arrays["motion"] / 4,
        "emotion": np.full((frames, 2), 0.5, np.float32),
        "landmarks68": np.random.default_rng(0).normal(0, 1, (68, 3)).astype(np.float32),
        "landmark_vertices": np.arange(68, dtype=np.int32) % 8,
    }
    assert generation.poll() is State.DONE
    lines.apply_result(generation)
    kept, _line = kept_line()
    np.testing.assert_allclose(kept.expression, kept.motion / 4, atol=1e-4)
    assert kept.emotions == ("angry", "glad") and kept.emotion.shape == (120, 2) and kept.lips.shape == (52, 20, 3)


def test_request(scene, addon, monkeypatch, clicks):
    client = use(addon, monkeypatch, Client())
    scene.lsf.variation, scene.lsf.take = 0.5, 7
    bpy.ops.lsf.generate()
    (job,) = client.jobs
    assert job.request["audio_file"] == str(clicks) and job.request["start"] == 0
    assert job.request["duration"] == pytest.approx(120 * 1.001 / 30)
    assert job.request["settings"] == {
        "fps": pytest.approx(30 / 1.001),
        "t0": 0,
        "temperature": 0.5,
        "seed": 7,
        "layers": ["blinks", "gaze"],
        "eye_variants": 8,
        "emotion": None,
        "emotion_strength": 1,
        "emotion_mix": 0,
    }
    np.testing.assert_array_equal(job.request_arrays["vertices"], meshes.base_vertices(bpy.context.object.data))


def test_a_second_run_replaces_only_what_was_generated(scene, dump):
    bpy.ops.lsf.generate()
    head = bpy.context.object
    theirs = head.shape_key_add(name="wart")
    theirs.data[0].co.z += 1
    theirs.keyframe_insert("value", frame=3)  # by hand, inside the generated Action
    bpy.ops.mesh.primitive_cube_add()
    bpy.context.view_layer.objects.active = head
    names = [key.name for key in head.data.shape_keys.key_blocks]
    others = dump(theirs), dump(bpy.data.objects["Cube"]), len(bpy.data.actions), len(bpy.data.meshes)
    before = [key.data[20].co.copy() for key in head.data.shape_keys.key_blocks]
    bpy.ops.lsf.generate()
    assert [key.name for key in head.data.shape_keys.key_blocks] == names
    assert (dump(theirs), dump(bpy.data.objects["Cube"]), len(bpy.data.actions), len(bpy.data.meshes)) == others
    after = [key.data[20].co.copy() for key in head.data.shape_keys.key_blocks]
    assert before[0] == after[0] and before[1] != after[1]


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED])
def test_without_a_result_nothing_changes(scene, addon, monkeypatch, dump, state):
    use(addon, monkeypatch, Client(state))
    bpy.context.view_layer.update()
    before = snapshot(dump)
    if state is State.FAILED:
        with pytest.raises(RuntimeError, match="headache"):
            bpy.ops.lsf.generate()
    else:
        assert bpy.ops.lsf.generate() == {"CANCELLED"}
    assert snapshot(dump) == before
    assert addon.session.batch is None
    if state is State.FAILED:
        assert addon.session.message == "The server has a headache: give it a rest." and addon.session.failed
    else:
        assert addon.session.message == "Cancelled: nothing was changed"


def test_every_disabled_button_says_why(addon, add_strip, clicks, monkeypatch):
    def reason() -> str:
        with pytest.raises(RuntimeError) as error:
            bpy.ops.lsf.generate()
        assert not bpy.ops.lsf.generate.poll()
        return str(error.value)

    assert "Select the head" in reason()
    bpy.ops.lsf.add_head()
    head = bpy.context.object
    assert "Add a sound strip" in reason()
    add_strip(clicks)
    bpy.context.scene.lsf.head = head
    bpy.context.scene.lsf.strip = "gone"
    assert 'no sound strip "gone"' in reason()
    bpy.context.scene.lsf.strip = ""
    assert bpy.ops.lsf.generate.poll()
    monkeypatch.delenv("LSF_SERVER_PYTHON")
    assert "Install the speech engine" in reason()


def started(addon, client):
    """A generation that has its result, as the modal operator sees it."""
    scene = bpy.context.scene
    strip = strips.find_strip(scene, "")
    strip_identity.ensure_id(scene, strip)
    line = strips.read_line(scene, strip)
    head = bpy.context.object
    face = character.read(head, character.find_parts(bpy.context, head))
    generation = Generation(client, face, line, {"temperature": 0.0, "seed": 0, "layers": []})
    generation._reader.join()
    return generation


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("delete", '"Sphere" was deleted while the result was made: press Generate again'),
        ("remodel", 'The mesh of "Sphere" was changed while the result was made: press Generate again'),
        ("trim", 'The strip "line" was trimmed'),
        ("another sound", 'The strip "line" was trimmed, or its speed or sound was changed'),
        ("a file recorded anew", 'The strip "line" was trimmed, or its speed or sound was changed'),
        ("delete the strip", 'The strip "line" was deleted'),
        ("frame rate base", "frame rate was changed"),
        ("frame rate", "frame rate was changed"),
    ],
)
def test_changes_during_the_job(scene, addon, dump, clicks, change, sentence):
    generation = started(addon, Client())
    assert generation.poll() is State.DONE
    head = bpy.context.object
    if change == "delete":
        bpy.data.objects.remove(head)
    elif change == "trim":
        strips.find_strip(scene, "line").frame_offset_start = 10
    elif change == "another sound":
        other = clicks.with_name("ändere Töne.wav")
        other.write_bytes(clicks.read_bytes())
        strips.find_strip(scene, "line").sound.filepath = str(other)
    elif change == "a file recorded anew":
        clicks.write_bytes(clicks.read_bytes() + b"0")
    elif change == "delete the strip":
        compat.remove_strip(scene.sequence_editor, strips.find_strip(scene, "line"))
    elif change == "frame rate base":
        scene.render.fps_base = 1.01
    elif change == "remodel":
        head.data.vertices.add(1)
    else:
        scene.render.fps = 50
    before = snapshot(dump)
    with pytest.raises(UserError, match=sentence):
        lines.apply_result(generation)
    assert snapshot(dump) == before


def test_what_may_change_during_the_job(scene, addon):
    """The animation goes along with a strip that is moved; all may get other names."""
    generation = started(addon, Client())
    generation.poll()
    strip = strips.find_strip(scene, "line")
    strip.frame_start, strip.name, strip.mute, strip.volume = 300, "Zeile 1", True, 0.1
    scene.name, bpy.context.object.name, bpy.context.object.data.name = "Szene", "Jürgen", "Masche"
    assert lines.apply_result(generation).startswith("Zeile 1: frames 300 to ")
    action = bpy.context.object.data.shape_keys.animation_data.action
    assert tuple(action.curve_frame_range) == (300 - 6, 300 + 119 + 6)


def at_work(addon, client):
    """A batch of one, as the modal operator sees it while the job runs."""
    generation = started(addon, client)
    addon.session.batch = Batch([Item("line", lambda: generation)])
    addon.session.batch.poll()
    addon.session.batch.poll()
    assert addon.session.batch.active.state is State.RUNNING
    return addon.session.batch


def test_another_file_drops_the_job(scene, addon):
    client = Client(State.RUNNING)
    at_work(addon, client)
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    assert addon.session.batch is None and client.cancelled == client.jobs
    assert "another file" in addon.session.message


def test_cancel_ends_the_job(scene, addon):
    client = Client(State.RUNNING)
    assert not bpy.ops.lsf.cancel.poll()
    batch = at_work(addon, client)
    assert not bpy.ops.lsf.generate.poll()
    bpy.ops.lsf.cancel()
    assert batch.ended and batch.items[0].state is State.CANCELLED and client.cancelled == client.jobs


def test_cancel_while_the_result_waits_for_object_mode(scene, addon):
    generation = started(addon, Client())
    assert generation.poll() is State.DONE
    generation.cancel()
    assert generation.poll() is State.CANCELLED


@pytest.mark.parametrize(
    "damage",
    [
        *("no basis", "NaN", "channels", "vertices", "expression", "emotion", "heard lines"),
        *("fewer blinks", "one gaze", "short blinks"),
    ],
)
def test_a_damaged_answer_is_refused(scene, addon, damage):
    client = Client()
    generation = started(addon, client)
    (job,) = client.jobs
    if damage == "no basis":
        del job.arrays["basis"]
    elif damage == "NaN":
        job.arrays["motion"][3, 4] = np.nan
    elif damage == "channels":
        job.header["channels"].pop()
    elif damage == "expression":
        job.arrays["expression"] = job.arrays["motion"][1:]
    elif damage == "heard lines":
        job.header["heard_lines"] = 2  # where there is one
    elif damage == "fewer blinks":
        job.arrays["blinks"] = np.zeros((7, len(job.arrays["motion"])), np.float32)
    elif damage == "short blinks":
        job.arrays["blinks"] = np.zeros((8, len(job.arrays["motion"]) - 1), np.float32)
    elif damage == "one gaze":
        job.arrays["gaze"] = np.zeros((len(job.arrays["motion"]), 2), np.float32)
    elif damage == "emotion":
        job.arrays["emotion"] = job.arrays["motion"]  # without names in the header
    else:
        job.arrays["basis"] = job.arrays["basis"][:, 1:]
    assert generation.poll() is State.FAILED and "damaged" in generation.error


def test_a_sound_that_cannot_be_read(scene, addon, monkeypatch):
    def broken(line, folder):
        raise OSError("disk on fire")

    monkeypatch.setattr(audio, "request", broken)
    generation = started(addon, Client())
    assert generation.poll() is State.FAILED and "disk on fire" in generation.error


def test_an_error_before_the_request_is_sent_ends_the_job(scene, addon, monkeypatch):
    client = Client()

    def broken(*arguments):
        raise ImportError("no such module")

    monkeypatch.setattr(client, "submit", broken)
    generation = started(addon, client)
    assert generation.poll() is State.FAILED and generation.error == causes.UNEXPECTED


def test_other_lines_that_cannot_be_written_to_disk_are_left_out(scene, addon, monkeypatch, capsys):
    def full(lines, folder):
        raise OSError("disk full")

    monkeypatch.setattr(audio, "request_others", full)
    client = Client()
    assert started(addon, client).poll() is State.DONE
    assert "other_lines" not in client.jobs[0].request and "disk full" in capsys.readouterr().out


def test_a_server_that_does_not_compare_lines(scene, addon):
    """One of an earlier release: how many lines were heard is not known then."""
    client = Client()
    generation = started(addon, client)
    del client.jobs[0].header["heard_lines"]
    assert generation.poll() is State.DONE
    lines.apply_result(generation)
    assert kept_line()[0].heard_lines == 0


def test_a_channel_of_noise_is_still(scene, addon, monkeypatch):
    class Noisy(Client):
        def submit(self, kind, request, arrays):
            job = super().submit(kind, request, arrays)
            job.arrays["motion"][:, CHANNELS.index("eyeLookUpLeft")] *= 0.009
            job.arrays["motion"][:, CHANNELS.index("jawForward")] *= 0.02
            return job

    use(addon, monkeypatch, Noisy())
    bpy.ops.lsf.generate()
    action = bpy.context.object.data.shape_keys.animation_data.action
    paths = {curve.data_path for curve in compat.fcurves_of(action)}
    assert 'key_blocks["eyeLookUpLeft"].value' not in paths and 'key_blocks["jawForward"].value' in paths
    assert not kept_line()[0].motion[:, CHANNELS.index("eyeLookUpLeft")].any()
