"""The Generate operator with the real server, on every Blender version; the model is a tiny one that knows nothing."""

import importlib.util
import os

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.client.jobs import Client

LINE = os.path.join(os.path.dirname(compat.__file__), "assets", "demo_line.flac")


@pytest.fixture
def scene(addon, add_strip, monkeypatch, tmp_path, server_python, small_checkpoint):
    client = Client(server_python, tmp_path / "server.log", ["--checkpoint", str(small_checkpoint)])
    monkeypatch.setattr(addon.session, "client", lambda: client)
    monkeypatch.setenv("LSF_CACHE_DIR", str(tmp_path / "faces"))
    add_strip(LINE)
    bpy.ops.lsf.add_head()
    yield bpy.context.scene
    client.stop()


pytestmark = pytest.mark.skipif("LSF_SERVER_PYTHON" not in os.environ and importlib.util.find_spec("torch") is None,
                                reason="LSF_SERVER_PYTHON names no Python with the server's packages")


def test_a_line_on_the_head(scene, addon, clicks):
    assert bpy.ops.lsf.generate() == {"FINISHED"}
    keys = bpy.context.object.data.shape_keys
    action = keys.animation_data.action
    strip = compat.all_strips(scene.sequence_editor)[0]
    frames = min(round(compat.strip_times(strip).right), 25 + 142) - 25  # the strip of 4.2 is four seconds long
    start, end = action.curve_frame_range
    assert (start, end) == (25, 25 + frames - 1)
    curves = compat.fcurves_of(action)
    assert {curve.data_path for curve in curves} <= {f'key_blocks["{key.name}"].value' for key in keys.key_blocks}
    values = np.array([[point.co[1] for point in curve.keyframe_points] for curve in curves])
    assert values.shape == (len(keys.key_blocks) - 1, frames) and np.isfinite(values).all() and np.ptp(values) > 0
    jaw = np.array([point.co for point in keys.key_blocks["jawOpen"].data]) if "jawOpen" in keys.key_blocks else None
    assert jaw is None or np.abs(jaw).max() < 1, "metres"


def test_a_cube_is_refused_with_a_sentence(scene, addon):
    bpy.ops.mesh.primitive_cube_add()
    with pytest.raises(RuntimeError):
        bpy.ops.lsf.generate()
    assert addon.session.failed and addon.session.message.endswith(".")
    assert bpy.context.object.data.shape_keys is None and not bpy.data.actions
