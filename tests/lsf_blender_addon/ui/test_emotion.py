"""Emotion: the choice and its keyframes in requests, and the detected emotion in the panel."""

from itertools import pairwise

import bpy
import numpy as np
import pytest

from lsf_blender_addon.animation.chosen_line import chosen_line
from lsf_blender_addon.prediction import emotion_segments, store
from lsf_blender_addon.scene import emotion_control
from lsf_blender_addon.scene.emotion_control import EMOTIONS
from lsf_blender_addon.ui.panels import emotion_icons
from tests.lsf_blender_addon.fake_client import Client, use


def test_without_a_choice_the_audio_decides(addon):
    settings, arrays = emotion_control.read(bpy.context.scene, 1, 10, 24.0)
    assert settings == {"emotion": None, "emotion_strength": 1.0, "emotion_mix": 0.0} and arrays == {}


def test_a_choice_for_the_whole_line(addon):
    emotion = bpy.context.scene.lsf.emotion
    emotion.chosen, emotion.strength, emotion.mix = "sad", 0.5, 0.75
    settings, arrays = emotion_control.read(bpy.context.scene, 1, 10, 24.0)
    assert settings == {"emotion": "sad", "emotion_strength": 0.5, "emotion_mix": 0.75} and arrays == {}


def test_keys_on_the_timeline_become_a_row_for_each_frame(addon):
    scene = bpy.context.scene
    emotion = scene.lsf.emotion
    emotion.transition, emotion.passing = 0.5, "direct"
    for frame, chosen, strength in ((1, "voice", 0.2), (40, "angry", 0.2), (80, "happy", 1.0)):
        emotion.chosen, emotion.strength = chosen, strength
        emotion.keyframe_insert("chosen", frame=frame)
        emotion.keyframe_insert("strength", frame=frame)
    assert emotion_control.is_keyed(scene)
    settings, arrays = emotion_control.read(scene, 21, 100, 24.0)
    rows = arrays["emotion_control"]
    assert settings == {} and rows.shape == (100, 10) and rows.dtype == np.float32
    at = {frame: rows[frame - 21] for frame in range(21, 121)}
    angry, happy = 2 + EMOTIONS.index("angry"), 2 + EMOTIONS.index("happy")
    assert at[21][1] == 0 and at[60][1] == pytest.approx(1) and at[60][angry] == pytest.approx(1)
    assert at[100][happy] == pytest.approx(1) and at[120][0] == pytest.approx(1)
    assert 0.3 < at[40][1] < 0.7 and at[40][angry] == pytest.approx(1), "half way from the voice to angry, not to half"
    assert at[80][angry] == pytest.approx(1 - at[80][happy]) and 0.3 < at[80][angry] < 0.7
    assert np.abs(np.diff(rows[:, 1:2] * rows[:, 2:], axis=0)).max() < 0.2
    assert at[60][0] == pytest.approx(0.6, abs=0.01), "strength follows its own curve"


def test_a_transition_of_no_time_is_a_cut():
    chosen = np.array([0, 0, 1, 1, 4, 4])
    rows = emotion_control.control_rows(chosen, np.ones(6), np.full(6, 0.5), 0.0).rows
    np.testing.assert_array_equal(rows[:, 1], [0, 0, 0.5, 0.5, 0.5, 0.5])
    assert rows[2, 2] == 1 and rows[4, 2 + 3] == 1


def test_the_request_has_the_chosen_emotion(addon, add_strip, clicks, monkeypatch):
    add_strip(clicks)
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    client = use(addon, monkeypatch, Client())
    emotion = bpy.context.scene.lsf.emotion
    emotion.chosen = "angry"
    bpy.ops.lsf.generate()
    assert client.jobs[-1].request["settings"]["emotion"] == "angry"
    assert "emotion_control" not in client.jobs[-1].request_arrays
    emotion.keyframe_insert("chosen", frame=1)
    bpy.ops.lsf.generate()
    assert "emotion" not in client.jobs[-1].request["settings"]
    assert client.jobs[-1].request_arrays["emotion_control"].shape == (96, 10)


def shares(*parts: tuple[str, float, int]) -> np.ndarray:
    """Return weights (F, 8) of an emotion at a strength, with neutral for the rest."""
    rows = []
    for name, strength, count in parts:
        row = np.zeros(8)
        row[EMOTIONS.index("neutral")] = 1 - strength
        row[EMOTIONS.index(name)] += strength
        rows += [row] * count
    return np.array(rows, np.float32)


def test_the_panel_shows_the_detected_emotion(addon, add_strip, clicks, monkeypatch):
    class Feeling(Client):
        def submit(self, kind, request, arrays):
            job = super().submit(kind, request, arrays)
            count = len(job.arrays["motion"])
            job.header["emotions"] = list(EMOTIONS)
            job.arrays |= {
                "emotion": shares(("neutral", 1.0, 40), ("sad", 0.75, count - 40)),
                "expression": job.arrays["motion"] / 4,
            }
            return job

    add_strip(clicks)
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    use(addon, monkeypatch, Feeling())
    bpy.ops.lsf.generate()
    line = chosen_line(bpy.context)
    detected = store.detected_emotion(line.action, line.uid)
    np.testing.assert_allclose(detected.emotion, store.load(line.action, line.uid).emotion)
    assert detected.emotions == EMOTIONS and detected.fps == 24
    assert len(emotion_icons.chart(detected)) == emotion_icons.TILES  # all 0 without a window
    assert isinstance(emotion_icons.swatch("unknown to this version"), int)
    first, last = (np.array(emotion_icons._icons[f"chart {i}"].image_pixels_float).reshape(-1, 4) for i in (0, 5))
    np.testing.assert_allclose(first[0, :3], emotion_segments.COLOURS["neutral"], atol=0.01)
    assert len(np.unique(last, axis=0)) == 2, "neutral and sad"
    line.action[store.PROPERTY][line.uid] = {"version": 1, "emotion": "damaged"}
    assert store.detected_emotion(line.action, line.uid) is None


def test_segments_have_the_strongest_emotion():
    emotion = shares(("neutral", 1.0, 50), ("angry", 0.8, 50), ("happy", 0.9, 3), ("angry", 0.6, 47), ("sad", 0.7, 50))
    found = emotion_segments.segments(emotion, EMOTIONS, 25.0)
    assert [stretch.emotion for stretch in found] == ["neutral", "angry", "sad"]
    np.testing.assert_allclose([(s.start, s.end) for s in found], [(0, 2), (2, 6), (6, 8)], atol=0.1)
    assert found[1].strength == pytest.approx(0.69, abs=0.03)


@pytest.mark.parametrize("frames", [1, 3, 2000])
def test_segments_cover_the_line(frames):
    emotion = np.random.default_rng(0).dirichlet(np.ones(8), frames).astype(np.float32)
    found = emotion_segments.segments(emotion, EMOTIONS, 24.0)
    assert found[0].start == 0 and found[-1].end == pytest.approx(frames / 24)
    assert all(a.end == pytest.approx(b.start) and a.emotion != b.emotion for a, b in pairwise(found))
    assert emotion_segments.segments(np.zeros((5, 0)), (), 24.0) == []


def test_the_picture_is_a_stacked_chart():
    emotion = shares(("neutral", 1.0, 50), ("angry", 0.5, 50))
    picture = emotion_segments.picture(emotion, EMOTIONS, 40, 20)
    assert picture.shape == (20, 40, 4) and picture.dtype == np.float32 and picture[..., 3].min() == 1

    def share(column: int, name: str) -> float:
        return (np.abs(picture[:, column, :3] - emotion_segments.COLOURS[name]).max(1) < 1e-6).mean()

    assert share(5, "neutral") == 1
    assert share(35, "neutral") == share(35, "angry") == 0.5
