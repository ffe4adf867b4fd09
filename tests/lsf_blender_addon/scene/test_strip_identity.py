"""Lines find their strips again: with several strips, under new names, changed, copied, saved, linked and appended."""

import time
import warnings
from dataclasses import replace

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.errors import UserError
from lsf_blender_addon.scene import strip_identity, strips
from lsf_blender_addon.scene.strip_identity import ID_PROPERTY, State

HAS_SOUND = bpy.app.build_options.audaspace
needs_sound = pytest.mark.skipif(not HAS_SOUND, reason="the bpy 4.2 wheel can make no strips")


@pytest.fixture(autouse=True)
def quiet():
    """5.2 warns about the strips' old property names, which the older versions know alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


@pytest.fixture
def strip(blank, add_strip, clicks):
    """A strip of four seconds at 24 fps; its scene is the active one."""
    return add_strip(clicks)


def generated(strip):
    """What a line remembers of a strip, from which it was just generated."""
    scene = strip.id_data
    strip_identity.ensure_id(scene, strip)
    return strips.read_line(scene, strip).source


def collection(scene):
    editor = scene.sequence_editor
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def copy_of(strip, frame):
    """A copy as Blender's Duplicate makes it, which needs a window: with the custom properties."""
    times = compat.strip_times(strip)
    copy = collection(strip.id_data).new_sound(strip.name, strip.sound.filepath, strip.channel + 1, frame)
    copy.frame_offset_start, copy.frame_offset_end = times.left_trim, times.right_trim
    copy.frame_start = frame - times.left_trim
    copy[ID_PROPERTY] = strip[ID_PROPERTY]
    return copy


def cut(strip, frame):
    """The right half of a strip that is cut as Blender's Split does."""
    right = copy_of(strip, compat.strip_times(strip).left)
    end = compat.strip_times(strip).right
    right.frame_final_start, right.frame_final_end = frame, end
    strip.frame_final_end = frame
    return right


def status(source):
    (found,) = strip_identity.states([source])
    return found


def test_a_strip_has_no_id_until_it_needs_one(strip):
    assert strip_identity.strip_id(strip) == "" and strips.read_line(strip.id_data, strip).id == ""
    known = strip_identity.ensure_id(strip.id_data, strip)
    assert len(known) == 32 and strip_identity.strip_id(strip) == known
    assert strip_identity.ensure_id(strip.id_data, strip) == known, "it stays"
    assert strips.read_line(strip.id_data, strip).source.id == known


def test_rename_and_move(strip):
    source = generated(strip)
    assert status(source).state is State.UNCHANGED
    strip.name = "another name"
    assert status(source).state is State.UNCHANGED and strip_identity.find(source) == (strip.id_data, strip)
    strip.frame_start += 30
    found = status(source)
    assert (found.state, found.moved, found.strip) == (State.MOVED, 30, strip)
    strip.id_data.name = "Another scene"
    assert strip_identity.find(source) == (bpy.data.scenes["Another scene"], strip)
    strip.mute, strip.channel = True, 5
    strip.frame_start -= 30
    assert strip_identity.state(source) is State.UNCHANGED, "neither is heard as another line"


@pytest.mark.parametrize(
    "edit",
    [
        {"frame_offset_start": 1},
        {"frame_offset_end": 1},
        {"frame_offset_start": 1, "frame_offset_end": -1},
        {"frame_offset_start": -8},
        {"animation_offset_start": 3},
        {"sound_offset": 0.25},
    ],
)
def test_trims_and_slips_are_changes(strip, edit):
    source = generated(strip)
    before = {name: getattr(strip, name, None) for name in edit}
    if None in before.values():
        pytest.skip("this Blender has no such property")
    for name, value in edit.items():
        setattr(strip, name, value)
    assert status(source).state is State.CHANGED and status(source).strip == strip
    for name, value in before.items():
        setattr(strip, name, value)
    assert strip_identity.state(source) is State.UNCHANGED


def test_a_move_by_a_part_of_a_frame_is_none(strip):
    source = generated(strip)
    strip.frame_start -= 0.3
    assert strip_identity.state(source) is State.UNCHANGED
    strip.frame_start += 10
    assert status(source).moved == 10


def test_another_frame_rate_is_a_change(strip):
    source = generated(strip)
    strip.id_data.render.fps = 25
    assert strip_identity.state(source) is State.CHANGED
    strip.id_data.render.fps = 24
    assert strip_identity.state(source) is State.UNCHANGED


def test_another_sound_is_a_change(strip, wav, tmp_path):
    source = generated(strip)
    whole = strip.sound.filepath
    strip.sound.filepath = str(tmp_path / "elsewhere" / "clicks.wav")
    assert strip_identity.state(source) is State.UNCHANGED, "moved on the disk, and not looked for there"
    strip.sound.filepath = "//clicks.wav"
    assert strip_identity.state(source) is State.UNCHANGED
    strip.sound.filepath = str(tmp_path / "other.wav")
    assert strip_identity.state(source) is State.CHANGED
    strip.sound.filepath = whole
    assert strip_identity.state(source) is State.UNCHANGED


@needs_sound
def test_a_shorter_sound_of_the_same_name_is_a_change(strip, wav, tmp_path):
    source = generated(strip)
    shorter = tmp_path / "new" / "clicks.wav"
    shorter.parent.mkdir()
    wav[0](shorter, np.zeros(2 * 8000), 8000)
    other = collection(strip.id_data).new_sound("other", str(shorter), 7, 500)
    other[ID_PROPERTY] = source.id
    collection(strip.id_data).remove(strip)
    assert strip_identity.state(source) is State.CHANGED


@needs_sound
def test_a_strip_put_in_the_place_of_a_deleted_one_is_another(strip, clicks):
    source = generated(strip)
    collection(strip.id_data).remove(strip)
    assert strip_identity.state(source) is State.GONE and strip_identity.find(source) is None
    new = collection(bpy.context.scene).new_sound("line", str(clicks), 1, 25)
    assert new.name == source.strip and strip_identity.state(source) is State.GONE
    assert strip_identity.ensure_id(bpy.context.scene, new) != source.id


@needs_sound
def test_another_speed_is_a_change(strip):
    if not hasattr(strip, "content_start"):
        pytest.skip("retiming sound from a script crashes Blender before 5.2")
    source = generated(strip)
    strip.retiming_keys.add(timeline_frame=60)
    assert strip_identity.state(source) is State.CHANGED


def test_a_strip_that_lost_its_sound_is_changed(strip):
    source = generated(strip)
    bpy.data.sounds.remove(strip.sound)
    assert strip_identity.state(source) in (State.CHANGED, State.GONE)


@needs_sound
def test_in_a_meta_strip(strip):
    source = generated(strip)
    scene = strip.id_data
    meta = collection(scene).new_meta("meta", 2, 1)
    strip.move_to_meta(meta)
    meta.frame_start += 1  # 4.5 takes the length of the meta from its strips only when it moves
    meta.frame_start -= 1
    meta.frame_final_end, meta.frame_final_start = 121, 25  # the handles of a new meta strip do not
    assert strip_identity.state(source) is State.UNCHANGED
    assert strip_identity.find(source)[1].name == "line"
    meta.frame_start += 12
    assert status(source).moved == 12
    meta.frame_start -= 12
    meta.frame_offset_end = 10
    assert strip_identity.state(source) is State.CHANGED, "the meta cuts it"


@needs_sound
def test_the_original_keeps_the_id_and_a_copy_gets_one(strip):
    scene, source = strip.id_data, generated(strip)
    copy = copy_of(strip, 200)
    assert copy.name == "line.001" and strip_identity.strip_id(copy) == source.id, "as Blender copies it"
    assert status(source).strip == strip and status(source).state is State.UNCHANGED
    assert strip_identity.ensure_id(scene, strip, [source]) == source.id
    other = strip_identity.ensure_id(scene, copy, [source])
    assert other not in ("", source.id) and strip_identity.strip_id(strip) == source.id
    second = strips.read_line(scene, copy).source
    assert [found.strip for found in strip_identity.states([second, source])] == [copy, strip]


@needs_sound
@pytest.mark.parametrize("line_is", ["name", "frame", "order"])
def test_which_of_two_is_the_original(strip, line_is):
    """A copy that lies before its original, and is drawn before it, must not take over the line."""
    scene, source = strip.id_data, generated(strip)
    copy = copy_of(strip, 200)
    copy.frame_start -= 190
    if line_is == "frame":
        strip.name = "renamed"
    if line_is == "order":
        strip.name, strip.frame_start = "renamed", 300
    original = copy if line_is == "order" else strip
    assert status(source).strip == original
    assert strip_identity.ensure_id(scene, original, [source]) == source.id
    assert strip_identity.ensure_id(scene, strip if original == copy else copy, [source]) != source.id
    assert status(source).strip == original


@needs_sound
def test_a_copy_takes_over_when_the_original_is_deleted(strip):
    source = generated(strip)
    copy = copy_of(strip, 200)
    collection(strip.id_data).remove(strip)
    assert (status(source).state, status(source).moved) == (State.MOVED, 175)
    assert strip_identity.ensure_id(copy.id_data, copy, [source]) == source.id


@needs_sound
def test_the_left_half_of_a_cut_strip_is_the_line(strip):
    scene, source = strip.id_data, generated(strip)
    right = cut(strip, 70)
    assert compat.strip_times(right).left == compat.strip_times(strip).right == 70
    assert (status(source).state, status(source).strip) == (State.CHANGED, strip)
    assert strip_identity.ensure_id(scene, right, [source]) != source.id
    collection(scene).remove(strip)
    assert strip_identity.state(source) is State.GONE


@needs_sound
def test_copies_without_a_line(strip):
    """An id may come from the strip's choice in the panel alone."""
    scene = strip.id_data
    known = strip_identity.chosen_id(scene, "line")
    copy = copy_of(strip, 200)
    assert strip_identity.find_named(scene, "line", known) == strip
    assert strip_identity.find_named(scene, "line.001", known) == copy
    assert strip_identity.ensure_id(scene, copy) != known and strip_identity.ensure_id(scene, strip) == known


def test_a_copied_scene(strip):
    """The head of the copy goes on with the line of its own, which says the name of the old scene."""
    scene, source = strip.id_data, generated(strip)
    there = scene.copy()
    twin = compat.all_strips(there.sequence_editor)[0]
    assert strip_identity.strip_id(twin) == source.id
    assert strip_identity.find(source) == (scene, strip)
    own = replace(source, near=(there.name,))
    assert strip_identity.find(own) == (there, twin)
    assert strip_identity.ensure_id(there, twin, [source, own]) == source.id, "its head's line"
    assert strip_identity.ensure_id(there, twin, [source]) != source.id, "no head there has such a line"
    assert strip_identity.find(source) == (scene, strip) and strip_identity.ensure_id(scene, strip) == source.id


def test_saved_and_opened(strip, tmp_path):
    source = generated(strip)
    strip.name = "renamed"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "file.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "file.blend"))
    found = status(source)
    assert found.state is State.UNCHANGED and found.strip.name == "renamed"


def test_appended_with_and_without_its_scene(strip, tmp_path):
    source = generated(strip)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "file.blend"))
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    assert strip_identity.state(source) is State.GONE, "the head alone was appended"
    bpy.data.scenes[0].name = source.scene
    with bpy.data.libraries.load(str(tmp_path / "file.blend")) as (_there, target):
        target.scenes = [source.scene]
    assert target.scenes[0].name != source.scene
    assert strip_identity.find(source)[0] == target.scenes[0] and strip_identity.state(source) is State.UNCHANGED


@pytest.mark.parametrize("known_there", [False, True])
def test_linked_scenes_are_known_by_names(strip, tmp_path, known_there):
    scene_name = strip.id_data.name
    there = strip_identity.ensure_id(strip.id_data, strip) if known_there else ""
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "edit.blend"))
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    found = []
    for _time in range(2):  # as if the file with the link was opened again: nothing is kept on the strip
        with bpy.data.libraries.load(str(tmp_path / "edit.blend"), link=True) as (_there, target):
            target.scenes = [scene_name]
        linked = target.scenes[0]
        (inner,) = strips.sound_strips(linked)
        found.append(strip_identity.ensure_id(linked, inner))
        assert strip_identity.strip_id(inner) == found[-1] and inner.get(ID_PROPERTY, "") == there
        source = strips.read_line(linked, inner).source
        assert source.id == found[-1] and strip_identity.state(source) is State.UNCHANGED
        assert strip_identity.find(source) == (linked, inner)
        bpy.data.libraries.remove(linked.library)
        assert strip_identity.state(source) is State.GONE
    assert found[0] == found[1] and bool(there) is (found[0] == there)


@needs_sound
def test_a_copy_in_a_linked_scene_has_an_identity_too(strip, tmp_path):
    source = generated(strip)
    copy_of(strip, 200)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "edit.blend"))
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    with bpy.data.libraries.load(str(tmp_path / "edit.blend"), link=True) as (_there, target):
        target.scenes = [source.scene]
    (linked,) = target.scenes
    original, copy = strips.sound_strips(linked)
    known = strip_identity.ensure_id(linked, copy, [source])
    assert known != source.id == strip_identity.ensure_id(linked, original, [source])
    second = replace(source, id=known, strip=copy.name, first_frame=200)
    assert [found.strip for found in strip_identity.states([source, second])] == [original, copy]


@pytest.mark.parametrize("value", [5, 1.5, b"abc", [1, 2], {"a": 1}, "", "x" * 1_000_000, "ä\u3042", True])
def test_values_of_damaged_files_are_no_ids(strip, value):
    strip[ID_PROPERTY] = value
    assert strip_identity.strip_id(strip) == ""
    known = strip_identity.ensure_id(strip.id_data, strip)
    assert len(known) == 32 and strip_identity.strip_id(strip) == known


@pytest.mark.parametrize("wanted", ["", "x" * 1_000_000, "\ud800"])
def test_a_line_without_a_usable_id_has_no_strip(strip, wanted):
    source = replace(generated(strip), id=wanted)
    other = compat.all_strips(strip.id_data.copy().sequence_editor)[0]
    del other[ID_PROPERTY]
    assert strip_identity.state(source) is State.GONE, "not even a strip without an id"


def test_an_id_that_an_undo_took_away_comes_back(strip):
    """The line was read, the artist undoes something older, the result arrives."""
    generated(strip)
    line = strips.read_line(strip.id_data, strip)
    del strip[ID_PROPERTY]
    strip.frame_start += 5
    now = strips.relocated(line)
    assert (now.first_frame, now.id) == (line.first_frame + 5, line.id)
    assert strip_identity.strip_id(strip) == line.id


def test_a_result_finds_a_strip_that_was_renamed_meanwhile(strip):
    source = generated(strip)
    line = strips.read_line(strip.id_data, strip)
    strip.name, strip.id_data.name = "renamed", "Renamed scene"
    strip.frame_start += 5
    now = strips.relocated(line)
    assert (now.strip, now.scene, now.first_frame) == ("renamed", "Renamed scene", source.first_frame + 5)
    strip.frame_offset_end = 10
    with pytest.raises(UserError, match='The strip "renamed" was trimmed'):
        strips.relocated(line)


@needs_sound
def test_a_hundred_lines_are_looked_up_while_the_panel_is_drawn(strip, clicks):
    scene, sources = strip.id_data, []
    for i in range(100):
        other = collection(scene).new_sound(f"line {i}", str(clicks), 1 + i % 20, 100 + 100 * i)
        other[ID_PROPERTY] = f"{i:032x}"
    for other in strips.sound_strips(scene)[1:]:
        sources.append(strips.read_line(scene, other).source)
        other.frame_start += 7
    for _ in range(2):
        started = time.process_time()
        found = strip_identity.states(sources)
        seconds = time.process_time() - started
    assert {(one.state, one.moved) for one in found} == {(State.MOVED, 7)} and len(found) == 100
    assert seconds < 0.01


@needs_sound
def test_a_copy_has_no_line_yet(strip):
    scene, source = strip.id_data, generated(strip)
    copy = copy_of(strip, 10)
    assert strip_identity.line_id(scene, strip, [source]) == source.id
    assert strip_identity.line_id(scene, copy, [source]) == ""
    assert strip_identity.line_id(scene, strip, []) == "", "chosen, but never generated"
    collection(scene).remove(strip)
    assert strip_identity.line_id(scene, copy, [source]) == source.id, "it takes over"
