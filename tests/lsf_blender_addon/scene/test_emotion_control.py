"""Keyed emotions as rows of a request: cross-fades as in add-on 0.1.0, ways through the circle, what old files keep."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon.animation import affect_curves
from lsf_blender_addon.client.wire import EMOTIONS, affect
from lsf_blender_addon.errors import UserError
from lsf_blender_addon.scene import audio, emotion_control, spoken
from lsf_blender_addon.scene.smoothing import hann_average
from server.performance.emotion.direction import Direction

ANGRY, HAPPY, NEUTRAL = (2 + EMOTIONS.index(name) for name in ("angry", "happy", "neutral"))


def key(*keys: tuple[int, str]):
    """Key the emotion of the scene."""
    emotion = bpy.context.scene.lsf.emotion
    for frame, chosen in keys:
        emotion.chosen = chosen
        emotion.keyframe_insert("chosen", frame=frame)
    return emotion


def rows_of(frames: int = 100, first: int = 1) -> np.ndarray:
    _settings, arrays = emotion_control.read(bpy.context.scene, first, frames, 24.0)
    return arrays["emotion_control"]


def rows_of_0_1_0(chosen, strength, mix, transition):
    """What add-on 0.1.0 sent."""
    weights = np.eye(9)[np.clip(np.rint(chosen), 0, 8).astype(int)][:, 1:]
    weight = hann_average(weights.sum(1) * mix, transition)
    weights = hann_average(weights, transition)
    weights /= np.maximum(weights.sum(1, keepdims=True), 1e-9)
    return np.clip(np.column_stack((strength, weight, weights)), 0, 1).astype(np.float32)


@pytest.mark.parametrize("transition", [0.0, 7.3, 12.0])
def test_a_cross_fade_is_that_of_0_1_0_bit_for_bit(transition):
    rng = np.random.default_rng(3)
    chosen = np.repeat(rng.integers(0, 9, 8), 13).astype(float)
    strength, mix = rng.uniform(size=(2, len(chosen)))
    rows = emotion_control.control_rows(chosen, strength, mix, transition).rows
    assert rows.tobytes() == rows_of_0_1_0(chosen, strength, mix, transition).tobytes()


def test_new_keys_pass_by_the_circle(addon):
    key((1, "angry"), (50, "happy"))
    rows = rows_of()
    half = np.minimum(rows[:, ANGRY], rows[:, HAPPY])
    assert half.max() < 0.05 and rows[:, NEUTRAL].max() > 0.7 and rows[0, ANGRY] == rows[-1, HAPPY] == 1
    bpy.context.scene.lsf.emotion.passing = "direct"
    rows = rows_of()
    assert np.minimum(rows[:, ANGRY], rows[:, HAPPY]).max() > 0.4


def test_from_the_audio_and_back_the_weight_fades(addon):
    key((1, "voice"), (40, "angry"), (80, "voice"))
    rows = rows_of()
    assert rows[0, 1] == rows[-1, 1] == 0 and rows[60, 1] == pytest.approx(1)
    assert (rows[:, ANGRY] == 1).all(), "half way it is half of anger, not anger that is half there"


def test_from_the_audio_it_passes_by_the_circle_unless_it_shall_cross_fade(addon):
    """Add-on and server together: the voice is angry, then the artist chooses joy."""
    emotion = key((1, "voice"), (50, "happy"))
    _settings, arrays = emotion_control.read(bpy.context.scene, 1, 100, 24.0)
    way = arrays["emotion_way"]
    assert way[0] == 0 and way[-1] == 1 and way.tolist() == arrays["emotion_control"][:, 1].tolist()
    assert ((way > 0) & (way < 1)).sum() > 2 * 24 * emotion.transition
    angry = np.tile(np.eye(len(EMOTIONS))[EMOTIONS.index("angry")], (100, 1))
    shown = Direction.from_control(arrays["emotion_control"], way=way).passing(angry).applied_to(angry)
    assert np.minimum(shown[:, ANGRY - 2], shown[:, HAPPY - 2]).max() < 0.05 and shown[:, NEUTRAL - 2].max() > 0.6
    assert "emotion_way" not in emotion_control.read(bpy.context.scene, 70, 20, 24.0)[1]
    emotion.passing = "direct"
    assert "emotion_way" not in emotion_control.read(bpy.context.scene, 1, 100, 24.0)[1]


def test_a_point_of_the_circle_for_the_whole_line(addon):
    emotion = bpy.context.scene.lsf.emotion
    emotion.chosen, (emotion.valence, emotion.arousal) = "affect", affect.PLACES["sad"]
    settings, arrays = emotion_control.read(bpy.context.scene, 1, 100, 24.0)
    assert settings == {} and arrays["emotion_control"].shape == (1, 10)
    np.testing.assert_allclose(arrays["emotion_control"][0, 2 + EMOTIONS.index("sad")], 1, atol=1e-6)


def test_valence_and_arousal_can_be_keyed(addon):
    emotion = bpy.context.scene.lsf.emotion
    emotion.chosen = "affect"
    for frame, name in ((1, "neutral"), (49, "happy")):
        emotion.valence, emotion.arousal = affect.PLACES[name]
        emotion.keyframe_insert("valence", frame=frame)
        emotion.keyframe_insert("arousal", frame=frame)
    rows = rows_of(60)
    assert (
        rows[0, NEUTRAL] == 1
        and rows[-1, HAPPY] == pytest.approx(1)
        and rows[24, HAPPY] == pytest.approx(0.5, abs=0.01)
    )


def test_an_entry_of_the_bank_is_a_column_behind_the_emotions():
    entry = emotion_control.Entry((103,), affect.PLACES["happy"])
    chosen = np.repeat([1, 103, emotion_control.FREE], 40).astype(float)
    for circle in (False, True):
        found = emotion_control.control_rows(chosen, np.ones(120), np.ones(120), 6.0, None, [entry], circle)
        assert found.rows.shape == (120, 11) and (found.rows[50:70, 10] == 1).all()
        np.testing.assert_allclose(found.rows[-20:, NEUTRAL], 1)


def test_what_follows_the_sentence_is_sent_with_the_changes(addon):
    emotion = key((1, "angry"), (49, "happy"))
    emotion.transition, emotion.follow_sentence, emotion.follow_words = 0.5, True, 0.25
    settings, _arrays = emotion_control.read(bpy.context.scene, 25, 100, 24.0, t0=0.5)
    (change,) = settings["emotion_changes"]
    assert settings["follow_sentence"] is True and settings["follow_words"] == 0.25
    # The key is at frame 49, the 24th of the line: it changes between 23 and 24, at 0.5 + 23.5 / 24 s.
    assert sum(change) / 2 == pytest.approx(0.5 + 23.5 / 24)
    emotion.passing = "direct"
    (change,) = emotion_control.read(bpy.context.scene, 25, 100, 24.0, t0=0.5)[0]["emotion_changes"]
    assert change == pytest.approx([0.5 + 17.5 / 24, 0.5 + 29.5 / 24])


def test_a_file_that_does_not_say_how_emotions_pass_keeps_cross_fades(addon, tmp_path):
    """As one of add-on 0.1.0, which had no such property."""
    key((1, "angry"), (50, "happy"))
    bpy.context.scene.lsf.emotion.property_unset("passing")
    path = str(tmp_path / "old.blend")
    bpy.app.handlers.save_pre.remove(addon._on_save)
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.app.handlers.save_pre.append(addon._on_save)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert bpy.context.scene.lsf.emotion.passing == "direct"


def test_what_is_not_saved_keeps_what_it_shows_when_the_add_on_is_enabled_again(addon):
    emotion = key((1, "angry"), (50, "happy"))
    addon._on_loaded()  # also what an autosave and quit.blend go through: no save handler has run
    assert emotion.passing == "circle"


def test_a_file_of_this_add_on_keeps_what_it_shows(addon, tmp_path):
    key((1, "angry"), (50, "happy"))
    path = str(tmp_path / "new.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert bpy.context.scene.lsf.emotion.passing == "circle"


def test_transitions_become_curves_that_show_the_same(addon):
    key((1, "angry"), (50, "happy"), (90, "sad"))
    before = rows_of(120)
    assert bpy.ops.lsf.draw_transitions() == {"FINISHED"}
    emotion = bpy.context.scene.lsf.emotion
    assert emotion.chosen == "affect"
    np.testing.assert_allclose(rows_of(120), before, atol=0.04)
    names = set(emotion_control._curves(bpy.context.scene))
    assert names == {"chosen", "valence", "arousal"}
    points = [len(c.keyframe_points) for c in emotion_control._curves(bpy.context.scene).values()]
    assert max(points) < 30, "few enough to edit"


def test_curves_keep_where_the_audio_decides(addon):
    key((1, "voice"), (40, "angry"), (90, "voice")).passing = "direct"
    before = rows_of(120)
    affect_curves.draw(bpy.context.scene)
    after = rows_of(120)  # from the audio and back, a cross-fade
    np.testing.assert_allclose(after[:, 1], before[:, 1], atol=0.04)
    np.testing.assert_allclose(after[:, 1] * after[:, ANGRY], before[:, 1] * before[:, ANGRY], atol=0.04)


def test_curves_lie_where_phrases_start(addon):
    key((1, "angry"), (60, "happy"))
    bpy.context.scene.render.fps = 24
    affect_curves.draw(bpy.context.scene, np.array([[10.0, 45.0], [50.0, 100.0]]))
    rows = rows_of(100)
    assert rows[49 + 3 * 6, HAPPY] > 0.95 and 0.01 < rows[48, HAPPY] < 0.9, "three quarters of it before frame 50"


def test_a_bank_entry_cannot_be_drawn(addon):
    key((1, "angry"), (50, "happy"))
    emotion = bpy.context.scene.lsf.emotion
    curve = emotion_control._curves(bpy.context.scene)["chosen"]
    curve.keyframe_points[1].co[1] = 100
    with pytest.raises(UserError, match="bank"):
        affect_curves.draw(bpy.context.scene, None, [emotion_control.Entry((100,), None)])
    assert emotion.passing == "circle" and len(curve.keyframe_points) == 2


def test_without_keys_the_button_says_so(addon):
    assert not bpy.ops.lsf.draw_transitions.poll()
    with pytest.raises(UserError, match="Key the emotion first"):
        affect_curves.check(bpy.context.scene)


@pytest.mark.skipif(audio.audaspace() is None, reason="this bpy has no sound library")
def test_phrases_of_a_strip_are_found(addon, add_strip, wav, tmp_path):
    rate = 16000
    noise = np.random.default_rng(0).normal(0, 6000, 4 * rate)
    noise[: rate // 2] = noise[2 * rate : 3 * rate] = 0
    path = tmp_path / "words.wav"
    wav[0](path, noise, rate)
    strip = add_strip(path, frame=25)
    found = spoken.phrase_frames(bpy.context.scene, strip)
    np.testing.assert_allclose(found, [[25 + 12, 25 + 48], [25 + 72, 25 + 96]], atol=0.6)
