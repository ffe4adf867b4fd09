"""The graph of the mouth's opening is that of the stored prediction."""

import bpy
import numpy as np

from lsf_blender_addon.animation import actions
from lsf_blender_addon.prediction import lips, store
from lsf_blender_addon.preview import mouth_graph, mouth_openings
from tests.lsf_blender_addon.fake_client import Client, use


def test_the_graph_is_the_predicted_opening(addon, add_strip, clicks, monkeypatch):
    add_strip(clicks)
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    use(addon, monkeypatch, Client())
    bpy.ops.lsf.generate()
    action = bpy.context.object.data.shape_keys.animation_data.action
    (line,) = action.lsf.lines
    kept = store.load(action, line.uid)
    if not kept.lips.shape[1]:  # the fake client knows no lips: these open with jawOpen, 10 mm
        offsets = np.zeros((len(kept.channels), 20, 3), np.float32)
        offsets[kept.channels.index("jawOpen"), lips.LOWER, 2] = -10
        kept = store.Prediction(**{**kept.__dict__, "lips": offsets})
        store.store(action, line.uid, kept)
    first, opening = mouth_openings.openings_by_strip()[line.uid]
    assert first == 25 and opening.shape == (len(kept.motion),)
    jaw = kept.motion[:, kept.channels.index("jawOpen")]
    np.testing.assert_allclose(opening, jaw * 10 / mouth_openings.FULL_OPENING, atol=1e-3)
    assert mouth_openings.openings_by_strip()[line.uid][1] is opening, "measured once"
    mouth_graph.hide()
    assert mouth_openings.openings_by_strip()[line.uid][1] is not opening


def test_a_new_end_of_a_long_line_is_measured_again(addon, blank):
    """Only Current Range may change the last frames alone; the stored bytes begin as before."""
    rng, frames = np.random.default_rng(0), 20000
    motion = np.cumsum(rng.normal(0, 0.01, (frames, 2)), 0).astype(np.float32) % 1
    offsets = np.zeros((2, 20, 3), np.float32)
    offsets[1, lips.LOWER, 2] = -10
    kept = store.Prediction(
        24.0,
        ("jawOpen", "lower"),
        motion,
        0 * motion,
        (),
        motion[:, :0],
        1.0,
        0,
        offsets,
    )
    action = bpy.data.actions.new("LSF · Head")
    action[actions.MARK] = True
    for uid, first_frame in (("one", 1), ("two", 30000)):
        line = action.lsf.lines.add()
        line.uid, line.first_frame = uid, first_frame
        store.store(action, uid, kept)
    before = mouth_openings.openings_by_strip()
    motion = motion.copy()
    motion[-20:, 1] = 0
    store.store(action, "one", store.Prediction(**{**kept.__dict__, "motion": motion}))
    after = mouth_openings.openings_by_strip()
    assert np.abs(after["one"].opening[-20:]).max() < 1e-3 < np.abs(before["one"].opening[-20:]).max()
    assert after["two"] is before["two"] and [line.first_frame for line in after.values()] == [1, 30000]
    action.lsf.lines[1].first_frame = 31000
    assert mouth_openings.openings_by_strip()["two"].first_frame == 31000


def test_the_graph_is_off_until_the_button_is_pressed(addon):
    assert not mouth_graph.is_shown()
    if not bpy.app.background:
        bpy.ops.lsf.show_mouth_graph()
        assert mouth_graph.is_shown()
        bpy.ops.lsf.show_mouth_graph()
    assert not mouth_graph.is_shown()
