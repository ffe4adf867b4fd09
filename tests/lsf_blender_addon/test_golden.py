"""Every Blender version sends the same sound, keeps the same prediction, and shows it by the same keys."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import fcurves
from lsf_blender_addon.client.jobs import Client
from lsf_blender_addon.prediction import store
from lsf_blender_addon.scene import evaluated_keys
from server.arkit import CHANNELS
from tests.golden import TOLERANCE, difference, golden
from tests.lsf_blender_addon.fake_client import use
from tests.lsf_blender_addon.makers_head import FIRST_FRAME, FRAMES, HeadClient, read_face
from tests.lsf_blender_addon.test_real_server import LINE
from tests.lsf_blender_addon.test_real_server import pytestmark as needs_server


class GoldenClient(HeadClient):
    """Answers with the golden motion of the demo line."""

    def motion(self, frames):
        return golden("line_24_fps")[:frames].astype(np.float32)


def test_keys_and_mesh(addon, add_strip, clicks, monkeypatch):
    add_strip(clicks)
    bpy.ops.lsf.add_head()
    use(addon, monkeypatch, GoldenClient())
    assert bpy.ops.lsf.generate() == {"FINISHED"}
    head, frames = bpy.context.object, range(FIRST_FRAME, FIRST_FRAME + FRAMES)
    curves = compat.fcurves_of(head.data.shape_keys.animation_data.action)
    values = np.zeros((FRAMES, len(CHANNELS)))
    for curve in curves:
        channel = CHANNELS.index(fcurves.key_name(curve.data_path))
        values[:, channel] = [curve.evaluate(frame) for frame in frames]
    assert difference("keys_24_fps", values) < TOLERANCE
    vertices = evaluated_keys.sample_vertices(head, list(frames))
    assert difference("landmarks_24_fps", vertices[:, read_face().landmark_vertices]) < TOLERANCE, "metres"


@needs_server
@pytest.mark.skipif(not bpy.app.build_options.audaspace, reason="the bpy 4.2 wheel can make no strips")
def test_the_prediction_of_the_shipped_model(addon, add_strip, monkeypatch, tmp_path, server_python):
    client = Client(server_python, tmp_path / "server.log", ["--cache", str(tmp_path / "faces")])
    monkeypatch.setattr(addon.session, "client", lambda: client)
    add_strip(LINE)
    bpy.ops.lsf.add_head()
    assert bpy.ops.lsf.generate() == {"FINISHED"}
    client.stop()
    action = bpy.context.object.data.shape_keys.animation_data.action
    (line,) = action.lsf.lines
    kept = store.load(action, line.uid)
    assert tuple(kept.channels) == CHANNELS
    assert difference("predicted_24_fps", kept.motion) < TOLERANCE
    assert difference("predicted_blinks", kept.blinks) < TOLERANCE
