"""Which other strips count as lines of the same voice."""

import time

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.client.wire import MAX_OTHER_LINES
from lsf_blender_addon.scene import strip_identity, strips, voice

pytestmark = pytest.mark.skipif(not bpy.app.build_options.audaspace, reason="the bpy 4.2 wheel can make no strips")


@pytest.fixture
def sound(blank, wav, tmp_path):
    """sound(name) -> path of a sound file of four seconds, each another one"""

    def make(name: str):
        path = tmp_path / f"{name}.wav"
        wav[0](path, np.full(4 * 8000, 1000 + len(list(tmp_path.iterdir()))), 8000)
        return path

    return make


@pytest.fixture
def scene(sound, add_strip):
    """Five lines of four seconds, one after the other."""
    for i, name in enumerate("ABCDE"):
        add_strip(sound(name), name, 1 + 100 * i)
    return bpy.context.scene


def others(scene, name, spoken=None, packed=None) -> list[str]:
    """Names of the lines with which a line is compared."""
    packed = {} if packed is None else packed
    line = strips.read_line(scene, strips.find_strip(scene, name), packed)
    spoken = [(scene, strips.find_strip(scene, strip)) for strip in (spoken or "ABCDE")]
    return [other.strip for other in voice.other_lines(line, spoken, packed)]


def test_the_nearest_come_first_and_the_line_itself_is_none_of_them(scene):
    assert others(scene, "B") == ["A", "C", "D", "E"] and others(scene, "E") == ["D", "C", "B", "A"]


def test_only_what_the_head_speaks(scene):
    assert others(scene, "B", ["E", "B", "A"]) == ["A", "E"] and others(scene, "B", ["B"]) == []


def test_what_was_muted_or_lost_is_left_out(scene, tmp_path, capsys):
    strips.find_strip(scene, "C").mute = True
    (tmp_path / "D.wav").unlink()
    assert others(scene, "B") == ["A", "E"]
    out = capsys.readouterr().out
    assert '"B" is heard without "D"' in out and "missing" in out


def test_a_muted_line_is_still_compared(scene):
    strips.find_strip(scene, "B").mute = True
    assert others(scene, "B") == ["A", "C", "D", "E"]


def test_a_sound_counts_once(scene, add_strip, tmp_path):
    """Copies of a strip; parts of one recording that overlap by half or less are lines of their own."""
    add_strip(tmp_path / "B.wav", "copy of B", 600)
    add_strip(tmp_path / "C.wav", "copy of C", 700)
    shorter = add_strip(tmp_path / "D.wav", "part of D", 800)
    shorter.frame_offset_start = 24
    spoken = ["A", "B", "C", "D", "copy of B", "copy of C", "part of D"]
    assert others(scene, "B", spoken) == ["A", "C", "D"]
    strips.find_strip(scene, "D").frame_offset_end = 62  # 1.4 of 4 s, of which 0.4 are in the 3 s of the other
    assert others(scene, "B", spoken) == ["A", "C", "D", "part of D"]


def test_lines_of_other_scenes_come_last(scene, add_strip, sound):
    line = strips.read_line(scene, strips.find_strip(scene, "E"))
    there = bpy.data.scenes.new("There")
    there.render.fps = 24
    editor = there.sequence_editor_create()
    other = (editor.strips if hasattr(editor, "strips") else editor.sequences).new_sound("F", str(sound("F")), 1, 401)
    spoken = [(there, other), (scene, strips.find_strip(scene, "A"))]
    assert [(other.strip, other.scene) for other in voice.other_lines(line, spoken, {})] == [
        ("A", scene.name),
        ("F", "There"),
    ]


def spoken_by(head, generated, cast=None) -> list[str]:
    return [strip.name for _scene, strip in voice.spoken_strips(head, generated, cast or {})]


def test_the_strips_that_a_head_speaks(scene):
    ids = {name: strip_identity.ensure_id(scene, strips.find_strip(scene, name)) for name in "ABCDE"}
    generated = [strips.read_line(scene, strips.find_strip(scene, name)).source for name in "AB"]
    strips.find_strip(scene, "A").name = "renamed"
    assert spoken_by("Anna", generated) == ["renamed", "B"]
    cast = {ids["B"]: "Anna", ids["D"]: "Anna", ids["E"]: "Ben"}
    assert spoken_by("Anna", generated, cast) == ["renamed", "B", "D"], "each once"
    assert spoken_by("Anna", generated, cast | {ids["A"]: "Ben"}) == ["B", "D"], "it is Ben's from now on"
    assert spoken_by("Ben", [], cast) == ["E"] and spoken_by("Carl", [], cast) == []
    compat.remove_strip(scene.sequence_editor, strips.find_strip(scene, "B"))
    assert spoken_by("Anna", generated, cast) == ["renamed", "D"]


def test_packed_sounds_are_copied_once(scene, add_strip, tmp_path, monkeypatch):
    part = add_strip(tmp_path / "A.wav", "end of A", 600)
    part.frame_offset_start = 72
    strips.find_strip(scene, "A").frame_offset_end = 48
    bpy.ops.file.pack_all()
    packed: dict[int, bytes] = {}
    assert others(scene, "B", ["A", "B", "end of A", "D"], packed) == ["A", "D", "end of A"]
    sounds = {strips.find_strip(scene, name).sound.session_uid for name in ("A", "B", "end of A", "D")}
    assert packed.keys() == sounds
    monkeypatch.setattr(voice, "MAX_PACKED", 3 * len(packed[strips.find_strip(scene, "A").sound.session_uid]) // 2)
    assert others(scene, "B", ["A", "B", "D", "E"]) == ["A"], "more would take too long to copy"


def test_there_are_not_too_many_and_blender_does_not_wait(scene, add_strip, sound):
    count = MAX_OTHER_LINES + 3
    for i in range(count):
        add_strip(sound(f"x{i}"), f"x{i}", 600 + 100 * i)
    spoken = [(scene, strips.find_strip(scene, f"x{i}")) for i in reversed(range(count))]
    line = strips.read_line(scene, strips.find_strip(scene, "E"))
    started = time.process_time()
    found = voice.other_lines(line, spoken, {})
    assert time.process_time() - started < 0.05, "seconds"
    assert [other.strip for other in found] == [f"x{i}" for i in range(MAX_OTHER_LINES)]
