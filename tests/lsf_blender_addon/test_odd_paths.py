"""Sounds whose paths are not valid Unicode, as an old archive or another system leaves them on a disk."""

import os
import shutil
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation.chosen_line import chosen_line
from lsf_blender_addon.scene import audio, strips
from tests.lsf_blender_addon.fake_client import Client, use

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems allow valid Unicode only")


@pytest.fixture
def scene(addon, add_strip, clicks, monkeypatch, tmp_path):
    """A head, and a strip whose sound lies in a folder and has a name that are no UTF-8."""
    strip = add_strip(clicks)
    path = tmp_path / os.fsdecode(b"d\xe9j\xe0 vu") / os.fsdecode(b"caf\xe9 \xff.wav")
    path.parent.mkdir()
    shutil.copy(clicks, path)
    strip.sound.filepath = str(path)
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    use(addon, monkeypatch, Client())
    return bpy.context.scene


def strip():
    return compat.all_strips(compat.sequencer_scene(bpy.context).sequence_editor)[0]


def test_such_a_sound_is_animated_and_found_again(scene, addon, tmp_path):
    assert bpy.ops.lsf.generate() == {"FINISHED"}
    job = addon.session.client().jobs[-1]
    assert job.request["audio_file"] == strip().sound.filepath and Path(job.request["audio_file"]).is_file()
    record = chosen_line(bpy.context).record
    record.sound.encode()
    addon.session.message.encode()
    assert not addon.session.failed
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    assert bpy.ops.lsf.generate() == {"FINISHED"}
    assert len(chosen_line(bpy.context).action.lsf.lines) == 1


def test_such_a_sound_that_is_missing_is_named_in_a_sentence(scene):
    Path(strip().sound.filepath).unlink()
    with pytest.raises(RuntimeError, match=r'The sound file ".*caf.*\.wav" is missing'):
        bpy.ops.lsf.generate()


def test_such_a_sound_can_be_packed_and_listed(scene, addon):
    strip().sound.pack()
    assert bpy.ops.lsf.generate() == {"FINISHED"}
    assert bpy.ops.lsf.list_lines() == {"FINISHED"}
    addon.session.message.encode()


def test_such_a_sound_that_blender_decodes_is_read_through_a_link(scene, addon, tmp_path):
    """The server does not read .m4a itself; Audaspace does, whatever the file holds."""
    if not bpy.app.build_options.audaspace:
        pytest.skip("built without Audaspace")
    wav = strip().sound.filepath
    shutil.copy(wav, wav[:-4] + ".m4a")
    strip().sound.filepath = wav[:-4] + ".m4a"
    assert bpy.ops.lsf.generate() == {"FINISHED"}
    assert addon.session.client().jobs[-1].request["rate"] == 48000
    line = strips.read_line(scene, strip(), {})
    (tmp_path / "work").mkdir()
    header, arrays = audio.request(line, str(tmp_path / "work"))
    assert arrays["audio"].shape == (4 * 48000,) and np.abs(arrays["audio"][24000:]).max() > 0.5
    header, arrays = audio.request_others([line, line], str(tmp_path / "work"))
    assert len(header["other_lines"]) == 2 and all(len(samples) for samples in arrays.values())


def test_adding_such_a_sound_is_refused_with_a_sentence(scene):
    with pytest.raises(RuntimeError, match=r"caf.*is not valid Unicode: rename the file and its folders"):
        bpy.ops.lsf.add_speech(filepath=strip().sound.filepath)


def test_a_recording_with_such_a_name_is_imported(scene, addon, tmp_path):
    path = tmp_path / os.fsdecode(b"t\xe4ke.csv")
    rows = [f"00:00:00:{i:02},61,{i / 30}" for i in range(30)]
    path.write_text("\n".join(["Timecode,BlendShapeCount,JawOpen", *rows]))
    bpy.context.object.shape_key_add(name="Basis")
    bpy.context.object.shape_key_add(name="jawOpen").data[0].co.z += 1
    assert bpy.ops.lsf.import_live_link(filepath=str(path), first_frame=1) == {"FINISHED"}
    addon.session.message.encode()
    path.unlink()
    with pytest.raises(RuntimeError, match=r't.*ke\.csv" cannot be read'):
        bpy.ops.lsf.import_live_link(filepath=str(path), first_frame=1)
