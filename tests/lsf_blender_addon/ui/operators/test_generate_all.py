"""Generate All for a whole scene, with a client that answers at once. test_real_server.py uses the real server."""

import threading
from pathlib import Path

import bpy
import numpy as np
import pytest

from lsf_blender_addon.animation import actions
from lsf_blender_addon.client.jobs import State
from lsf_blender_addon.errors import UserError
from lsf_blender_addon.scene import strips
from lsf_blender_addon.scene.own_properties import lines_of as lines_of_action
from tests.lsf_blender_addon.fake_client import Client, use

pytestmark = pytest.mark.skipif(not bpy.app.build_options.audaspace, reason="the bpy 4.2 wheel can make no strips")

STRIPS = ("Anna_01", "Ben_01", "Anna_02", "Narrator_01")


@pytest.fixture
def scene(addon, add_strip, wav, tmp_path, monkeypatch):
    """Four lines of four seconds one after the other, each with a sound of its own, and two heads."""
    for i, name in enumerate(STRIPS):
        path = tmp_path / f"{name}.wav"
        wav[0](path, np.full(4 * 8000, 1000 + i), 8000)
        add_strip(path, name, 25 + 100 * i)
    for name in ("Anna", "Ben_Head"):
        bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
        bpy.context.object.name = name
    use(addon, monkeypatch, Client())
    return bpy.context.scene


def cast(scene) -> list:
    return [line.head.name if line.head else None for line in scene.lsf.batch.lines]


def lines_of(head: str) -> list[str]:
    action = actions.existing(bpy.data.objects[head].data)
    assert bpy.data.objects[head].data.shape_keys.animation_data.action == action
    return sorted(line.name for line in lines_of_action(action))


def test_the_table_is_filled_by_name(scene):
    bpy.ops.lsf.list_lines()
    assert [line.strip for line in scene.lsf.batch.lines] == list(STRIPS)
    assert cast(scene) == ["Anna", "Ben_Head", "Anna", None]


def test_heads_chosen_by_hand_stay(scene):
    bpy.ops.lsf.list_lines()
    scene.lsf.batch.lines[3].head = bpy.data.objects["Ben_Head"]
    scene.lsf.batch.lines[1].use = False
    bpy.ops.lsf.list_lines()
    assert cast(scene) == ["Anna", "Ben_Head", "Anna", "Ben_Head"]
    assert [line.use for line in scene.lsf.batch.lines] == [True, False, True, True]


def test_rows_follow_their_strips(scene):
    bpy.ops.lsf.list_lines()
    table = scene.lsf.batch.lines
    table[3].head, table[1].use = bpy.data.objects["Ben_Head"], False
    strip_named(scene, "Narrator_01").name = "Epilogue"
    strip_named(scene, "Ben_01").name = "Ben_1"
    strip_named(scene, "Anna_02").name = "Ben_01"  # the name that another row had
    shown = ["Anna_01", "Ben_1", "Ben_01", "Epilogue"]
    assert [line.shown_strip(scene) for line in table] == shown
    bpy.ops.lsf.list_lines()
    assert [line.shown_strip(scene) for line in table] == [line.strip for line in table] == shown
    assert cast(scene) == ["Anna", "Ben_Head", "Anna", "Ben_Head"]
    assert [line.use for line in table] == [True, False, True, True]
    table[0].use = table[2].use = False
    strip_named(scene, "Epilogue").name = "The end"
    bpy.ops.lsf.generate_all()
    assert lines_of("Ben_Head") == ["The end"]


def test_rows_of_copied_strips_are_lines_of_their_own(scene):
    """Blender copies the identity with the strip, and the copy may lie before its original."""
    scene.lsf.head = bpy.data.objects["Anna"]
    scene.lsf.strip = "Anna_02"
    bpy.ops.lsf.generate()
    original = strip_named(scene, "Anna_02")
    copy = type_strips(scene).new_sound("Anna_02", original.sound.filepath, 3, 1)
    copy["lsf_line"] = original["lsf_line"]
    bpy.ops.lsf.list_lines()
    table = scene.lsf.batch.lines
    assert [line.strip for line in table] == ["Anna_02.001", *STRIPS] and table[0].strip_id != table[3].strip_id
    assert original["lsf_line"] == lines_of_action(actions.existing(bpy.data.objects["Anna"].data))[0].uid
    copy.name, original.name = "Anna_copy", "Anna_renamed"
    assert [line.shown_strip(scene) for line in table][::3] == ["Anna_copy", "Anna_renamed"]
    bpy.ops.lsf.generate_all()
    assert lines_of("Anna") == ["Anna_01", "Anna_copy", "Anna_renamed"]


def type_strips(scene):
    editor = scene.sequence_editor
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def test_rows_of_older_files_have_names_only(scene):
    bpy.ops.lsf.list_lines()
    for line in scene.lsf.batch.lines:
        line.strip_id = ""
    for strip in type_strips(scene):
        del strip["lsf_line"]
    scene.lsf.batch.lines[3].head = bpy.data.objects["Anna"]
    bpy.ops.lsf.list_lines()
    assert cast(scene) == ["Anna", "Ben_Head", "Anna", "Anna"]
    bpy.ops.lsf.generate_all()
    assert lines_of("Anna") == ["Anna_01", "Anna_02", "Narrator_01"]


def test_the_field_follows_its_strip(scene):
    scene.lsf.shown_strip = "Anna_02"
    assert (scene.lsf.strip, scene.lsf.shown_strip) == ("Anna_02", "Anna_02")
    strip = strip_named(scene, "Anna_02")
    strip.name = "The second"
    strip_named(scene, "Ben_01").name = "Anna_02"
    assert scene.lsf.shown_strip == "The second"
    assert strips.find_strip(scene, scene.lsf.strip, scene.lsf.strip_id) == strip
    scene.lsf.shown_strip = ""
    assert (scene.lsf.strip, scene.lsf.strip_id, scene.lsf.shown_strip) == ("", "", "")
    scene.lsf.strip = "no such strip"
    assert scene.lsf.shown_strip == "no such strip" and scene.lsf.strip_id == ""
    with pytest.raises(UserError, match='no sound strip "no such strip"'):
        strips.find_strip(scene, scene.lsf.strip, scene.lsf.strip_id)


def strip_named(scene, name):
    return strips.find_strip(scene, name)


def test_by_channel(scene):
    for name, channel in zip(STRIPS, (1, 2, 2, 3), strict=True):
        strip_named(scene, name).channel = channel
    scene.sequence_editor.channels[2].name = "Ben's lines"
    scene.lsf.batch.by = "CHANNEL"
    bpy.ops.lsf.list_lines()
    assert cast(scene) == [None, "Ben_Head", "Ben_Head", None]
    scene.lsf.batch.lines[2].head = bpy.data.objects["Anna"]
    scene.lsf.batch.active = 2
    bpy.ops.lsf.share_head()
    assert cast(scene) == [None, "Anna", "Anna", None]


def test_selected_and_muted_strips(scene):
    for name in STRIPS:
        strip_named(scene, name).select = name == "Ben_01"
    scene.lsf.batch.source = "SELECTED"
    bpy.ops.lsf.list_lines()
    assert [line.strip for line in scene.lsf.batch.lines] == ["Ben_01"]
    strip_named(scene, "Ben_01").mute = True
    with pytest.raises(RuntimeError, match="select some or list all"):
        bpy.ops.lsf.list_lines()


def test_one_head_speaks_all_lines_without_a_name(scene):
    for name in ("Anna", "Ben_Head"):
        bpy.data.objects[name].name = "Sphere"
    scene.lsf.head = bpy.data.objects["Sphere.001"]
    bpy.ops.lsf.list_lines()
    assert cast(scene) == ["Sphere.001"] * 4


def test_all_lines_on_their_heads(scene, addon):
    scene.lsf.head = bpy.data.objects["Anna"]
    bpy.ops.lsf.list_lines()
    scene.lsf.batch.lines[3].head = bpy.data.objects["Ben_Head"]
    assert bpy.ops.lsf.generate_all() == {"FINISHED"}
    assert lines_of("Anna") == ["Anna_01", "Anna_02"] and lines_of("Ben_Head") == ["Ben_01", "Narrator_01"]
    assert addon.session.message.startswith("4 of 4 lines") and not addon.session.failed
    assert addon.session.batch is None and not addon.session.failures


def test_heads_that_are_selected_together_are_no_parts_of_each_other(scene):
    for obj in scene.objects:
        obj.select_set(True)
    bpy.ops.lsf.generate_all()
    assert lines_of("Anna") == ["Anna_01", "Anna_02"] and not bpy.data.objects["Anna"].lsf.parts


def test_a_line_that_fails_does_not_stop_the_others(scene, addon, monkeypatch, capfd):
    class Moody(Client):
        def submit(self, kind, request, arrays):
            self.state = State.FAILED if len(self.jobs) == 0 else State.DONE
            return super().submit(kind, request, arrays)

    use(addon, monkeypatch, Moody())
    strip = strip_named(scene, "Anna_02")
    strip.sound = strip.sound.copy()  # 5.2 gives all strips of a file one sound
    bpy.data.sounds.remove(strip.sound)
    with pytest.raises(RuntimeError) as error:
        bpy.ops.lsf.generate_all()
    assert lines_of("Ben_Head") == ["Ben_01"] and bpy.data.objects["Anna"].data.shape_keys is None
    failures = dict(addon.session.failures)
    assert set(failures) == {"Anna_01", "Anna_02"}
    assert "headache" in failures["Anna_01"] and "lost its sound" in failures["Anna_02"]
    assert "Anna_01, Anna_02" in str(error.value)
    log = capfd.readouterr().out
    assert all(f"LSF: {name} failed: {sentence}" in log for name, sentence in failures.items())
    assert addon.session.message.startswith("1 of 3 lines") and "2 failed" in addon.session.message


def test_a_row_without_a_head_is_not_ticked(scene, addon, capfd):
    bpy.ops.lsf.list_lines()
    table = scene.lsf.batch.lines
    assert [line.ticked for line in table] == [True, True, True, False], "nobody speaks the narrator"
    assert bpy.ops.lsf.generate_all() == {"FINISHED"}
    assert addon.session.message.startswith("3 of 3 lines") and not addon.session.failed
    assert "1 without a head" in addon.session.message and "nobody speaks Narrator_01" in capfd.readouterr().out
    table[3].use = False
    bpy.ops.lsf.generate_all()
    assert "without a head" not in addon.session.message, "it is not wanted"
    table[3].use, table[3].head = True, bpy.data.objects["Anna"]
    assert table[3].ticked, "as soon as somebody speaks it"
    for line in table:
        line.head = None
    with pytest.raises(RuntimeError, match="No line has a head"):
        bpy.ops.lsf.generate_all()


def test_only_ticked_lines(scene):
    bpy.ops.lsf.list_lines()
    for line in scene.lsf.batch.lines:
        line.use = line.strip == "Ben_01"
    bpy.ops.lsf.generate_all()
    assert lines_of("Ben_Head") == ["Ben_01"] and bpy.data.objects["Anna"].data.shape_keys is None
    scene.lsf.batch.lines[1].use = False
    with pytest.raises(RuntimeError, match="No line is ticked"):
        bpy.ops.lsf.generate_all()


def test_cancel_one_line(scene, addon, monkeypatch):
    client = use(addon, monkeypatch, Client(State.RUNNING))
    bpy.ops.lsf.list_lines()
    from types import SimpleNamespace

    from lsf_blender_addon.jobs.batch import Batch
    from lsf_blender_addon.ui.operators.generate_all import LSF_OT_generate_all

    batch = addon.session.batch = Batch(LSF_OT_generate_all.batch_items(SimpleNamespace(save=False), bpy.context))
    batch.poll()
    batch.items[0].work._reader.join()
    bpy.ops.lsf.cancel(line=0)
    bpy.ops.lsf.cancel(line=2)
    assert client.cancelled == client.jobs and batch.active.name == "Ben_01"
    assert [item.state for item in batch.items] == ["cancelled", "waiting", "cancelled"]
    bpy.ops.lsf.cancel()
    assert batch.ended


def test_saving(scene, tmp_path):
    with pytest.raises(RuntimeError, match="save it first"):
        bpy.ops.lsf.generate_all(save=True)
    bpy.ops.lsf.list_lines()
    path = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.lsf.generate_all(save=True)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert lines_of("Anna") == ["Anna_01", "Anna_02"] and lines_of("Ben_Head") == ["Ben_01"]
    assert cast(bpy.context.scene) == ["Anna", "Ben_Head", "Anna", None]


def compared(client) -> dict[str, list[str]]:
    """For each line that was generated, the lines that were sent to compare its voice with."""
    return {
        Path(job.request["audio_file"]).stem: [
            Path(other["audio_file"]).stem for other in job.request.get("other_lines", [])
        ]
        for job in client.jobs
    }


def test_a_line_is_compared_with_the_others_of_its_head(scene, addon, monkeypatch):
    client = use(addon, monkeypatch, Client())
    bpy.ops.lsf.list_lines()
    scene.lsf.batch.lines[3].head = bpy.data.objects["Anna"]
    bpy.ops.lsf.generate_all()
    assert compared(client) == {
        "Anna_01": ["Anna_02", "Narrator_01"],
        "Ben_01": [],
        "Anna_02": ["Narrator_01", "Anna_01"],
        "Narrator_01": ["Anna_02", "Anna_01"],
    }
    assert "other_lines" not in client.jobs[1].request, "one line alone is sent as ever"


def test_lines_that_were_generated_earlier_are_compared_too(scene, addon, monkeypatch):
    """And a line that is given to another head is no line of the first one any more."""
    client = use(addon, monkeypatch, Client())
    scene.lsf.head = bpy.data.objects["Anna"]
    for name in ("Anna_02", "Narrator_01"):
        scene.lsf.strip = name
        bpy.ops.lsf.generate()
    assert compared(client) == {"Anna_02": [], "Narrator_01": ["Anna_02"]}
    bpy.ops.lsf.list_lines()
    for line in scene.lsf.batch.lines:
        line.use = line.strip in ("Anna_01", "Narrator_01")
    scene.lsf.batch.lines[3].head = bpy.data.objects["Ben_Head"]
    client.jobs.clear()
    bpy.ops.lsf.generate_all()
    assert compared(client) == {"Anna_01": ["Anna_02"], "Narrator_01": []}


def test_an_other_line_without_its_file_fails_alone(scene, addon, monkeypatch, tmp_path):
    client = use(addon, monkeypatch, Client())
    bpy.ops.lsf.list_lines()
    for line in scene.lsf.batch.lines:
        line.head = bpy.data.objects["Anna"]
    (tmp_path / "Ben_01.wav").unlink()
    with pytest.raises(RuntimeError, match="Ben_01"):
        bpy.ops.lsf.generate_all()
    assert compared(client)["Anna_02"] == ["Narrator_01", "Anna_01"]
    assert lines_of("Anna") == ["Anna_01", "Anna_02", "Narrator_01"]


def test_after_a_crash_the_lines_that_were_done_are_not_computed_again(scene, addon, monkeypatch, tmp_path):
    """The first run ends in its third line, as Blender crashes: nothing was written, but two results are on disk."""

    class Crash(BaseException):
        pass

    class Crashing(Client):
        def submit(self, kind, request, arrays):
            if len(self.jobs) == 2:
                raise Crash
            return super().submit(kind, request, arrays)

    crashed = use(addon, monkeypatch, Crashing())
    monkeypatch.setattr("threading.excepthook", lambda arguments: None)
    bpy.ops.lsf.list_lines()
    for line in scene.lsf.batch.lines:
        line.head = bpy.data.objects["Anna"]
    with monkeypatch.context() as patch:  # the thread that dies leaves its line waiting for ever
        real = addon.session.Batch.poll

        def poll(batch):
            if sum(item.state is State.DONE for item in batch.items) == 2:
                raise KeyboardInterrupt
            real(batch)

        patch.setattr(addon.session.Batch, "poll", poll)
        with pytest.raises((RuntimeError, KeyboardInterrupt)):
            bpy.ops.lsf.generate_all()
    addon.session.batch = None
    wait_for_threads()
    assert actions.existing(bpy.data.objects["Anna"].data) is None and len(crashed.jobs) == 2
    client = use(addon, monkeypatch, Client())
    assert bpy.ops.lsf.generate_all() == {"FINISHED"} and len(client.jobs) == 2, "the other two"
    assert lines_of("Anna") == sorted(STRIPS) and "2 of them were there from an earlier run" in addon.session.message
    scene.lsf.variation, scene.lsf.take = 0.5, 3
    assert bpy.ops.lsf.generate_all() == {"FINISHED"} and len(client.jobs) == 6, "other settings"
    wait_for_threads()
    with pytest.raises(RuntimeError):  # there is no server's Python, which knows where faces are
        bpy.ops.lsf.clear_cache()
    assert not list((tmp_path / "results").glob("*"))


def wait_for_threads() -> None:
    for thread in threading.enumerate():
        if thread.name == "lsf-keep":
            thread.join()
