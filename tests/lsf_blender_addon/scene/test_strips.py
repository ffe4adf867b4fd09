"""What a strip plays, and where: compared with Blender's own mixdown where the bpy wheel can mix."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.errors import UserError
from lsf_blender_addon.scene import heard_part, strips

HAS_SOUND = bpy.app.build_options.audaspace
CLICKS = (0.5, 1.5, 2.5, 3.5)  # seconds, as in the fixture
RATES = [(24, 1.0), (25, 1.0), (30, 1.001), (30, 1.0), (60, 1.0)]
EDITS = {
    "whole": {},
    "moved before the first frame": {"frame_start": -31},
    "subframe start": {"frame_start": 20.4},
    "trimmed": {"frame_offset_start": 20, "frame_offset_end": 10},
    "subframe trim": {"frame_offset_start": 7.3},
    "begins with silence": {"frame_offset_start": -8},
    "ends with silence": {"frame_offset_end": -8},
    "hold offset": {"animation_offset_start": 10},
    "sound offset": {"sound_offset": 0.25},
    "muted": {"mute": True},
}


def edited(strip, edit):
    for name, value in EDITS[edit].items():
        if not hasattr(strip, name):
            pytest.skip(f"this Blender has no {name}")
        setattr(strip, name, value)
    return strip


def click_frames(line) -> list[float]:
    """Scene frames at which the clicks of the file are heard, by what the line says of it."""
    read_at = [(second - line.start) for second in CLICKS if line.start <= second < line.start + line.duration]
    return [line.first_frame + (second - line.t0) * line.fps for second in read_at]


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.skipif(not HAS_SOUND, reason="this bpy wheel is built without audio")
def test_line_is_what_blender_mixes(blank, add_strip, wav, clicks, tmp_path, edit, fps):
    if edit == "hold offset" and fps[1] != 1:
        pytest.skip("before 5.2, Blender itself is a frame off here, now and then")
    scene = bpy.context.scene
    strip = edited(add_strip(clicks, fps=fps), edit)
    strip.mute = False  # a mixdown leaves muted strips out
    scene.frame_start, scene.frame_end = 0, 600
    if edit == "moved before the first frame":  # and those before the start of the scene
        strip.frame_start += 40
    line = strips.read_line(scene, strip)
    path = tmp_path / "mixdown.wav"
    bpy.ops.sound.mixdown(filepath=str(path), container="WAV", codec="PCM", format="S16")
    samples, rate = wav[1](path)
    loud = np.flatnonzero(samples > 3000)
    heard = loud[np.diff(loud, prepend=-rate) > 0.1 * rate] / rate * heard_part.scene_fps(scene)
    assert len(heard) >= 3
    np.testing.assert_allclose(heard, click_frames(line), atol=0.02)


@pytest.mark.parametrize("fps", RATES)
def test_frames_lie_under_the_strip(blank, add_strip, clicks, fps):
    strip = add_strip(clicks, fps=fps)
    line = strips.read_line(bpy.context.scene, strip)
    times = compat.strip_times(strip)
    assert (line.first_frame, line.first_frame + line.frames) == (times.left, times.right) == (25, times.right)
    assert line.frames == round(4 * fps[0] / fps[1]) and line.fps == pytest.approx(fps[0] / fps[1])
    np.testing.assert_allclose(click_frames(line), 25 + np.array(CLICKS) * line.fps, atol=1e-3)


@pytest.mark.parametrize("edit", EDITS)
def test_every_edit_keeps_frame_and_sound_together(blank, add_strip, clicks, edit):
    """The same without a mixdown, so that 4.2 is covered, too."""
    strip = edited(add_strip(clicks), edit)
    line = strips.read_line(bpy.context.scene, strip)
    times = compat.strip_times(strip)
    assert line.first_frame == times.left and line.first_frame + line.frames == times.right
    origin = times.content_start - times.skipped + 24 * compat.sound_offset(strip)
    wanted = [origin + 24 * second for second in CLICKS]
    found = click_frames(line)
    assert len(found) >= 3
    assert all(min(abs(np.subtract(wanted, frame))) < 1e-3 for frame in found)
    assert line.start >= 0 and line.duration > 0


def test_frames_before_the_sound_are_counted_from_the_handle(blank, add_strip, clicks):
    strip = edited(add_strip(clicks), "begins with silence")
    line = strips.read_line(bpy.context.scene, strip)
    assert line.first_frame == 17 and line.start == 0 and line.t0 == pytest.approx(-8 / 24)


def test_a_strip_in_a_meta_is_cut_by_it(blank, add_strip, clicks):
    if not HAS_SOUND:
        pytest.skip("this bpy wheel cannot make strips")
    scene = bpy.context.scene
    strip = add_strip(clicks)
    editor = scene.sequence_editor
    meta = (editor.strips if hasattr(editor, "strips") else editor.sequences).new_meta("scene 1", 2, 1)
    strip.move_to_meta(meta)
    meta.frame_start += 1  # 4.5 takes the length of the meta from its strips only when it moves
    meta.frame_start -= 1
    meta.frame_offset_start, meta.frame_offset_end = 10, 20
    (inner,) = strips.sound_strips(scene)
    line = strips.read_line(scene, inner)
    outer = compat.strip_times(meta)
    assert (line.first_frame, line.first_frame + line.frames) == (outer.left, outer.right)
    assert line.first_frame == 35 and line.start == pytest.approx(10 / 24)


def test_choice_of_the_strip(blank, add_strip, clicks):
    scene = bpy.context.scene
    with pytest.raises(UserError, match="Add a sound strip"):
        strips.find_strip(scene, "")
    first = add_strip(clicks, "first")
    scene = bpy.context.scene
    assert strips.find_strip(scene, "") == first, "the only one"
    if not HAS_SOUND:
        return
    second = add_strip(clicks, "second", frame=300)
    second.mute = True
    scene.sequence_editor.active_strip = None
    with pytest.raises(UserError, match="Pick the sound strip"):
        strips.find_strip(scene, "")
    scene.sequence_editor.active_strip = second
    assert strips.find_strip(scene, "") == second, "the active one, muted or not"
    assert strips.find_strip(scene, "first") == first
    with pytest.raises(UserError, match='no sound strip "third"'):
        strips.find_strip(scene, "third")
    assert [strip.name for strip in strips.sound_strips(scene)] == ["first", "second"]


def test_a_missing_file_is_refused(blank, add_strip, clicks):
    strip = add_strip(clicks)
    strip.sound.filepath = str(clicks.with_name("gone.wav"))
    with pytest.raises(UserError, match=r"gone\.wav.* is missing"):
        strips.read_line(bpy.context.scene, strip)


def test_a_strip_of_silence_only_is_refused(blank, add_strip, clicks):
    strip = add_strip(clicks)
    strip.frame_offset_start, strip.frame_offset_end = -50, 97
    with pytest.raises(UserError, match="no sound between its handles"):
        strips.read_line(bpy.context.scene, strip)


def test_a_retimed_strip_is_refused(blank, add_strip, clicks):
    strip = add_strip(clicks)
    if not hasattr(strip, "content_start"):
        pytest.skip("retiming sound from a script crashes Blender before 5.2")
    strip.retiming_keys.add(timeline_frame=60)
    assert compat.retiming_key_count(strip)
    with pytest.raises(UserError, match="speed of strip"):
        strips.read_line(bpy.context.scene, strip)


def test_a_packed_sound_comes_with_its_contents(blank, add_strip, clicks):
    strip = add_strip(clicks)
    strip.sound.pack()
    clicks_bytes = clicks.read_bytes()
    clicks.unlink()
    line = strips.read_line(bpy.context.scene, strip)
    assert line.packed == clicks_bytes and line.path == "clicks.wav"


def test_long_names_and_stereo(blank, add_strip, wav, tmp_path):
    path = tmp_path / "Ünïcode – line 1.wav"
    wav[0](path, np.ones((4 * 8000, 2)), 8000)
    strip = add_strip(path, "Zeile «1»")
    assert strips.read_line(bpy.context.scene, strip).path == str(path)
