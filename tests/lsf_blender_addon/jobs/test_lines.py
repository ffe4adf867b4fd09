"""Generate on a head with two lines: what becomes of a line whose strip was renamed, moved, trimmed or swapped."""

from functools import partial

import bpy
import numpy as np
import pytest

from lsf_blender_addon.animation import lines
from lsf_blender_addon.jobs import lines as line_jobs
from lsf_blender_addon.prediction import store
from lsf_blender_addon.prediction.eyes import LIDS
from tests.lsf_blender_addon.fake_client import use
from tests.lsf_blender_addon.two_lines import EASE, FIRST, FRAMES, SECOND, SpeechClient, TwoLines, same_values

EXACT = 0.011  # error that the keys of a curve may have, at their usual density
RESTS = 1e-4  # and where the curve rests


@pytest.fixture
def two(addon, add_strip, clicks, monkeypatch) -> TwoLines:
    """A head with two lines that were generated."""
    use(addon, monkeypatch, SpeechClient())
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    bpy.context.object.name = "Anna"
    made = TwoLines(add_strip, clicks, bpy.context.object)
    made.generate(0)
    made.generate(1, take=5)
    return made


def check_line(two: TwoLines, number: int, first: int, take: int, frames: int = FRAMES) -> None:
    """The line is heard from a frame on, with the motion of its take, and with its blinks."""
    kept, record = two.kept(number), two.record(number)
    assert (record.first_frame, record.frames, kept.seed) == (first, frames, take)
    jaw = kept.motion[:, kept.channels.index("jawOpen")]
    np.testing.assert_allclose(two.curve("jawOpen", first, frames), jaw, atol=EXACT)
    assert two.curve("eyeBlinkLeft", first + 20, 2).min() > 1 - EXACT


def check_rest(two: TwoLines, first: int, last: int) -> None:
    """Nothing moves in these frames, both included."""
    assert max(np.abs(values).max() for values in two.values(first, last - first + 1).values()) < RESTS


def test_both_lines_are_in_one_action_with_rest_between_them(two):
    keys = two.head.data.shape_keys
    assert keys.animation_data.action == two.action and not keys.animation_data.nla_tracks
    assert [action.name for action in bpy.data.actions] == ["LSF · Anna"]
    assert [line.name for line in two.action.lsf.lines] == ["line 1", "line 2"]
    assert len({line.uid for line in two.action.lsf.lines}) == 2
    check_line(two, 0, FIRST, 0)
    check_line(two, 1, SECOND, 5)
    check_rest(two, 1, FIRST - EASE)
    check_rest(two, FIRST + FRAMES - 1 + EASE, SECOND - EASE)
    check_rest(two, SECOND + FRAMES - 1 + EASE, 400)
    assert not any("LSF" in key.name for key in keys.key_blocks), "blinks are channels, and no key of their own"


def test_the_message_names_the_frames_of_the_line(two, addon):
    assert addon.session.message.startswith("line 2: frames 200 to 295; ")
    two.generate(0)
    assert addon.session.message.startswith("line 1: frames 25 to 120; ") and " keys, " in addon.session.message


def test_a_renamed_strip_keeps_its_line(two, addon):
    before = two.values(SECOND)
    two.strips[0].name = "Anna_01"
    two.generate(0, take=3)
    assert [line.name for line in two.action.lsf.lines] == ["Anna_01", "line 2"]
    assert addon.session.message.startswith("Anna_01: frames 25 to 120; ")
    check_line(two, 0, FIRST, 3)
    assert same_values(two.values(SECOND), before)


def test_a_moved_strip_takes_its_line_along(two):
    before = two.values(SECOND)
    two.strips[0].frame_start = 500
    two.generate(0)
    check_line(two, 0, 500, 0)
    check_rest(two, 1, SECOND - EASE)
    assert same_values(two.values(SECOND), before) and len(two.action.lsf.lines) == 2


def test_a_trimmed_strip_loses_the_rest_of_its_line(two):
    before = two.values(SECOND)
    strip = two.strips[0]
    strip.frame_offset_start, strip.frame_offset_end = 20, 30
    two.generate(0)
    frames = FRAMES - 50
    assert (two.record(0).first_frame, two.record(0).frames) == (FIRST + 20, frames)
    assert two.record(0).start == pytest.approx(20 / 24, abs=1e-3)
    check_rest(two, 1, FIRST + 20 - EASE)
    check_rest(two, FIRST + 20 + frames - 1 + EASE, SECOND - EASE)
    assert same_values(two.values(SECOND), before)


def test_a_swapped_sound_replaces_the_line(two, wav, tmp_path):
    """The new sound is shorter: nothing of the old line is left after its end."""
    before, path = two.values(FIRST), tmp_path / "other.wav"
    wav[0](path, np.full(4 * 8000, 900), 8000)
    strip = two.strips[1]
    strip.sound.filepath = str(path)
    strip.frame_offset_end = 48
    two.generate(1, take=2)
    record = two.record(1)
    assert (record.sound, record.frames, record.name) == ("other.wav", 48, "line 2")
    assert len(two.action.lsf.lines) == 2
    check_rest(two, SECOND + 48 - 1 + EASE, SECOND + 150)
    assert same_values(two.values(FIRST), before)


def test_a_strip_that_moves_during_the_job_moves_only_its_line(two):
    before, settings = two.values(FIRST), two.choose(1)
    generation = line_jobs.start_generation(settings, two.head, {}, two.strips[1].id_data, two.strips[1])
    generation._reader.join()
    generation.poll()
    two.strips[1].frame_start, two.strips[1].name = 600, "late"
    line_jobs.apply_result(generation)
    check_line(two, 1, 600, 5)
    assert two.record(1).name == "late" and same_values(two.values(FIRST), before)
    check_rest(two, FIRST + FRAMES - 1 + EASE, 600 - EASE)


def test_lines_of_a_head_that_are_not_yet_written_hold_its_shape_once(two):
    settings = two.choose(1)
    both = [line_jobs.start_generation(settings, two.head, {}, strip.id_data, strip) for strip in two.strips[:2]]
    for generation in both:
        generation._reader.join()
    first, second = (generation.character for generation in both)
    assert first.vertices is second.vertices and first.head.triangles is second.head.triangles


def test_the_current_range_moves_with_a_strip_that_moves_during_the_job(two):
    """What the artist wanted anew is a part of the line, wherever it is."""
    earlier, settings = two.kept(1).motion, two.choose(1)
    settings.only_range, settings.take = True, 9
    scene = two.strips[1].id_data
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, SECOND + 40, SECOND + 70
    generation = line_jobs.start_generation(settings, two.head, {}, scene, two.strips[1])
    generation._reader.join()
    generation.poll()
    two.strips[1].frame_start += 100
    line_jobs.apply_result(generation)
    changed = np.flatnonzero(np.abs(two.kept(1).motion - earlier).max(1) > 1e-3)
    assert changed.min() >= 40 and changed.max() <= 70 and len(changed) > 20
    assert two.record(1).first_frame == SECOND + 100


class EditingClient(SpeechClient):
    """While it answers, the artist sorts the vertices of the head, as often as it is asked."""

    def submit(self, kind, request, arrays):
        job = super().submit(kind, request, arrays)
        mesh = bpy.data.objects["Anna"].data
        for block in (mesh.vertices, *(key.points for key in (mesh.shape_keys.key_blocks if mesh.shape_keys else ()))):
            block[3].co, block[4].co = block[4].co.copy(), block[3].co.copy()
        return job


@pytest.mark.parametrize("press", [TwoLines.generate, partial(TwoLines.generate_takes, count=2)], ids=["one", "takes"])
def test_nothing_is_written_on_a_mesh_whose_vertices_were_sorted(two, addon, monkeypatch, press):
    """It keeps its number of vertices. Of two takes, the second one was asked for after the last change."""
    before, kept = two.values(SECOND), two.kept(1)
    use(addon, monkeypatch, EditingClient())
    monkeypatch.setattr(EditingClient, "submit", once(EditingClient.submit))
    two.choose(1)
    if press is TwoLines.generate:
        with pytest.raises(RuntimeError, match='The shape of "Anna" was changed while the result was made'):
            press(two, 1)
        assert same_values(two.values(SECOND), before) and np.array_equal(two.kept(1).motion, kept.motion)
    else:
        press(two, 1)
        assert '1 failed: The shape of "Anna" was changed' in addon.session.message


def once(submit):
    """A method that changes the mesh the first time only."""
    calls = []

    def run(self, *arguments):
        calls.append(arguments)
        return (submit if len(calls) == 1 else SpeechClient.submit)(self, *arguments)

    return run


def test_lines_that_overlap_are_blended_and_said(two, addon):
    two.strips[1].frame_start = FIRST + 60
    two.generate(1, take=5)
    assert "; blended with line 1, which the head speaks at the same time" in addon.session.message
    one, other = two.kept(0), two.kept(1)
    column = one.channels.index("jawOpen")
    both = (one.motion[60:, column] + other.motion[: FRAMES - 60, column]) / 2
    assert not any(lines.is_edited(two.action, two.record(number)) for number in (0, 1))
    np.testing.assert_allclose(two.curve("jawOpen", FIRST + 60, FRAMES - 60), both, atol=EXACT)
    two.strips[1].frame_start = SECOND
    two.generate(1, take=5)
    check_line(two, 0, FIRST, 0)
    check_line(two, 1, SECOND, 5)
    assert "blended" not in addon.session.message


@pytest.mark.parametrize("number", [0, 1])
def test_only_the_current_range_of_one_line(two, addon, number):
    start, other = (FIRST, SECOND)[number], (SECOND, FIRST)[number]
    before, elsewhere = two.values(start), two.values(other)
    scene = two.strips[number].id_data
    scene.use_preview_range = True
    scene.frame_preview_start, scene.frame_preview_end = start + 40, start + 70
    two.generate(number, take=9, only_range=True)
    assert addon.session.message.startswith(f"line {number + 1}: frames {start + 40} to {start + 70} anew; ")
    now, new = two.values(start), two.kept(number)
    for name in now:
        difference = np.abs(now[name] - before[name])
        assert np.delete(difference, range(40, 71)).max() < 2 * EXACT, name
    assert np.abs(now["jawOpen"] - before["jawOpen"]).max() > 0.1
    for name in LIDS:
        np.testing.assert_allclose(now[name][18:24], before[name][18:24], atol=2 * EXACT)
    assert same_values(two.values(other), elsewhere) and new.seed == 9
    scene.frame_preview_start, scene.frame_preview_end = start - 20, start - 10
    with pytest.raises(RuntimeError, match=f'"line {number + 1}" is not heard in frames'):
        two.generate(number, only_range=True)


def test_only_the_current_range_moves_with_its_strip(two):
    """The earlier motion is taken from where the line was, and the new one comes to where the strip is."""
    earlier = two.kept(1).motion
    two.strips[1].frame_start += 100
    scene = two.strips[1].id_data
    scene.use_preview_range = True
    scene.frame_preview_start, scene.frame_preview_end = SECOND + 140, SECOND + 170
    two.generate(1, take=9, only_range=True)
    np.testing.assert_allclose(two.kept(1).motion[:40], earlier[:40], atol=1e-4)
    check_line(two, 1, SECOND + 100, 9)
    check_rest(two, FIRST + FRAMES - 1 + EASE, SECOND + 100 - EASE)


def test_a_line_goes_to_another_head_and_stays_on_the_first(two):
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    ben = bpy.context.object
    ben.name = "Ben"
    before = two.values(FIRST), two.values(SECOND)
    anna, two.head = two.head, ben
    two.generate(1, take=7)
    assert [line.name for line in two.action.lsf.lines] == ["line 2"] and two.action.name == "LSF · Ben"
    check_line(two, 1, SECOND, 7)
    two.head = anna
    assert same_values(two.values(FIRST), before[0]) and same_values(two.values(SECOND), before[1])


def test_a_copied_strip_is_a_line_of_its_own(two):
    if not bpy.app.build_options.audaspace:
        pytest.skip("the bpy 4.2 wheel can make no strips")
    scene = two.strips[0].id_data
    editor = scene.sequence_editor
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    copy = strips.new_sound("line 1", two.strips[0].sound.filepath, 3, 400)
    copy["lsf_line"] = two.strips[0]["lsf_line"]
    before = two.values(FIRST), two.values(SECOND)
    two.strips.append(copy)
    two.generate(2, take=4)
    assert len(two.action.lsf.lines) == 3 and copy["lsf_line"] != two.strips[0]["lsf_line"]
    check_line(two, 2, 400, 4)
    assert same_values(two.values(FIRST), before[0]) and same_values(two.values(SECOND), before[1])


def eyes_of(two: TwoLines, number: int, variant: int = 0, blinks: float = 1.0, gaze: float = 1.0) -> dict:
    """The curves of the eyes in a line, as its sliders should make them."""
    kept = two.kept(number)
    speech = kept.motion[:, kept.channels.index("eyeBlinkLeft")]
    return {
        "eyeBlinkLeft": speech + blinks * kept.blinks[variant] * (1 - speech),
        "eyeLookOutLeft": gaze * kept.gaze[variant][:, 0] / 28,
        "eyeLookInLeft": 0 * speech,
    }


def check_eyes(two: TwoLines, number: int, **sliders) -> None:
    for name, wanted in eyes_of(two, number, **sliders).items():
        np.testing.assert_allclose(two.curve(name, (FIRST, SECOND)[number]), wanted, atol=EXACT, err_msg=name)


def test_each_line_has_its_own_eyes(two):
    """Turned down, taken out, another variant and back, without the server; the other line stays as it is."""
    for number in (0, 1):
        check_eyes(two, number)
        before, elsewhere = two.values((FIRST, SECOND)[number]), two.values((SECOND, FIRST)[number])
        sliders = two.record(number).tweaks
        sliders.blinks = 0.0
        check_eyes(two, number, blinks=0)
        sliders.blinks, sliders.gaze = 0.5, 0.0
        check_eyes(two, number, blinks=0.5, gaze=0)
        sliders.blinks, sliders.gaze, sliders.variant = 1.0, 1.5, 7
        check_eyes(two, number, gaze=1.5, variant=7)
        assert same_values(two.values((SECOND, FIRST)[number]), elsewhere)
        two.choose(number)
        bpy.ops.lsf.reset_tweaks()
        assert same_values(two.values((FIRST, SECOND)[number]), before)


@pytest.mark.parametrize("name", ["eyeBlinkLeft", "eyeLookOutLeft"])
def test_a_muted_channel_is_silent_whatever_moves_it(two, name):
    before = two.values(SECOND)
    two.record(1).tweaks.channels[name].muted = True
    assert np.abs(two.curve(name, SECOND)).max() < RESTS
    now = two.values(SECOND)
    assert same_values({**now, name: before[name]}, before) and np.abs(before[name]).max() > 0.2
    check_eyes(two, 0)
    two.record(1).tweaks.channels[name].muted = False
    assert same_values(two.values(SECOND), before)


def test_lids_slider_changes_speech_and_not_blinks(two):
    two.record(0).tweaks.lids = 0.0
    blinks = two.kept(0).blinks[0]
    np.testing.assert_allclose(two.curve("eyeBlinkLeft", FIRST), blinks, atol=EXACT)
    check_eyes(two, 1)


def test_without_layers_there_are_no_blinks_and_no_sliders_for_them(two):
    layers = two.strips[1].id_data.lsf.layers
    layers.blinks = layers.gaze = False
    two.generate(1)
    kept = two.kept(1)
    speech = kept.motion[:, kept.channels.index("eyeBlinkLeft")]
    np.testing.assert_allclose(two.curve("eyeBlinkLeft", SECOND), speech, atol=EXACT)
    assert not store.has_eyes(two.action, two.record(1).uid) and store.has_eyes(two.action, two.record(0).uid)
    assert not two.curve("eyeLookOutLeft", SECOND).any()
    check_eyes(two, 0)


def test_sliders_stay_when_a_line_is_generated_again(two):
    two.record(0).tweaks.blinks, two.record(0).tweaks.variant = 0.5, 4
    two.generate(0, take=8)
    check_eyes(two, 0, blinks=0.5, variant=4)
    two.generate(1, take=8)
    check_eyes(two, 0, blinks=0.5, variant=4)
    check_eyes(two, 1)


def test_another_frame_rate(two):
    """The scene is faster now: a line that is generated again has more frames, the other one is as it was."""
    before = two.values(SECOND)
    strip = two.strips[0]
    strip.id_data.render.fps = 30
    two.generate(0)
    record, kept = two.record(0), two.kept(0)
    assert (record.fps, kept.fps) == (30, 30) and record.first_frame == FIRST and len(kept.motion) == record.frames
    jaw = kept.motion[:, kept.channels.index("jawOpen")]
    np.testing.assert_allclose(two.curve("jawOpen", FIRST, record.frames), jaw, atol=EXACT)
    assert tuple(record.window) == (FIRST - 6, FIRST + record.frames - 1 + 6)
    check_rest(two, FIRST + record.frames - 1 + 6, SECOND - EASE)
    assert same_values(two.values(SECOND), before)


def test_lines_before_frame_0(two):
    before = two.values(SECOND)
    two.strips[0].frame_start = -250
    two.generate(0)
    check_line(two, 0, -250, 0)
    check_rest(two, -250 + FRAMES - 1 + EASE, SECOND - EASE)
    two.strips[0].frame_start = -40  # heard on both sides of frame 0
    two.generate(0, take=2)
    check_line(two, 0, -40, 2)
    check_rest(two, -250 - EASE, -40 - EASE)
    assert same_values(two.values(SECOND), before)


def test_a_head_that_lost_a_key_still_speaks(two):
    """Sliders leave out what is gone, in both lines; Generate brings it back."""
    before = two.values(SECOND)
    two.head.shape_key_remove(two.head.data.shape_keys.key_blocks["jawOpen"])
    two.record(1).tweaks.brows = 0.5
    now = two.values(SECOND)
    np.testing.assert_allclose(now["browInnerUp"], 0.5 * before["browInnerUp"], atol=EXACT)
    others = [name for name in before if not name.startswith("brow") and name != "jawOpen"]
    assert max(np.abs(now[name] - before[name]).max() for name in others) < RESTS
    two.generate(1)
    assert "jawOpen" in two.head.data.shape_keys.key_blocks
    jaw = two.kept(1).motion[:, two.kept(1).channels.index("jawOpen")]
    np.testing.assert_allclose(two.curve("jawOpen", SECOND), jaw, atol=EXACT)
    check_line(two, 0, FIRST, 0)


def test_a_damaged_prediction_of_one_line(two):
    """Its curves stay until it is generated again, whatever is done to the other line."""
    before = two.values(FIRST)
    two.action[store.PROPERTY][two.record(0).uid]["motion"]["bytes"] = b"damaged"
    two.record(0).tweaks.jaw = 0.5
    two.record(1).tweaks.jaw = 0.5
    assert same_values(two.values(FIRST), before)
    two.generate(1)
    assert same_values(two.values(FIRST), before)
    two.generate(0)
    two.record(0).tweaks.jaw = 1.0
    check_line(two, 0, FIRST, 0)
