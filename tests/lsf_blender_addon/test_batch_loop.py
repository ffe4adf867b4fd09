"""From Blender to a batch and back: the curves are those of Generate. With the real server, and a tiny model."""

import csv
import importlib.util
import json
import os
import subprocess
from pathlib import Path

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import actions, fcurves
from lsf_blender_addon.animation import expression_bank_edits as bank_edits
from lsf_blender_addon.client.jobs import Client
from lsf_blender_addon.client.wire import Expression
from lsf_blender_addon.scene.own_properties import lines_of

ROOT = Path(compat.__file__).parents[1]
PRECISION = 2**-11  # of float16 between 0.5 and 1, rounded
pytestmark = [
    pytest.mark.skipif(bpy.app.version[:2] != (5, 0), reason="it is the same in all versions, and takes seconds"),
    pytest.mark.skipif(
        "LSF_SERVER_PYTHON" not in os.environ and importlib.util.find_spec("torch") is None,
        reason="LSF_SERVER_PYTHON names no Python with the server's packages",
    ),
]


def curves(head: bpy.types.Object) -> dict[str, np.ndarray]:
    """Values of the head's shape keys in the frames of its only line."""
    action = actions.existing(head.data)
    (line,) = lines_of(action)
    times = range(line.first_frame, line.first_frame + line.frames)
    return {
        fcurves.key_name(curve.data_path): np.array([curve.evaluate(float(frame)) for frame in times])
        for curve in compat.fcurves_of(action)
    }


def test_exported_made_by_the_batch_and_imported_it_is_what_generate_makes(
    addon, add_strip, wav, monkeypatch, tmp_path, server_python, small_checkpoint
):
    """A sound of 1.5 s with an expression of the artist's own, which passes through the circle of affect."""
    client = Client(server_python, tmp_path / "server.log", ["--checkpoint", str(small_checkpoint)])
    monkeypatch.setattr(addon.session, "client", lambda: client)
    monkeypatch.setenv("LSF_CACHE_DIR", str(tmp_path / "faces"))
    times = np.arange(12000) / 8000
    tone = 9000 * np.sin(2 * np.pi * 140 * times) * np.abs(np.sin(2 * np.pi * 3 * times))
    (tmp_path / "show").mkdir()
    wav[0](tmp_path / "show/line.wav", tone.astype(np.int16), 8000)
    add_strip(tmp_path / "show/line.wav", "Line", 25)
    bpy.ops.lsf.add_head()
    scene, head = bpy.context.scene, bpy.context.object
    bank_edits.add(head, Expression("smirk", {"mouthSmileLeft": 0.8}, {"happy": 0.4}))
    emotion = scene.lsf.emotion
    for frame, chosen in ((20, "happy"), (38, "angry"), (52, "smirk")):
        emotion.chosen = chosen
        emotion.keyframe_insert("chosen", frame=frame)
    emotion.transition = 0.4
    scene.lsf.layers.blinks = scene.lsf.layers.gaze = False
    try:
        assert bpy.ops.lsf.generate() == {"FINISHED"}
        wanted = curves(head)

        bpy.ops.lsf.list_lines()
        assert bpy.ops.lsf.export_manifest(filepath=str(tmp_path / "show/lines.csv")) == {"FINISHED"}
        (row,) = csv.DictReader((tmp_path / "show/lines.csv").open(encoding="utf-8", newline=""))
        keys = json.loads(row["emotion"])
        assert keys["passing"] == "circle" and [key[1] for key in keys["keys"]][-1] == "smirk"
        done = subprocess.run(
            [server_python, "-m", "server", "batch", tmp_path / "show/lines.csv", "--out", tmp_path / "out",
             "--checkpoint", small_checkpoint],
            cwd=ROOT, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

        head.animation_data_clear()
        head.data.shape_keys.animation_data_clear()
        assert bpy.ops.lsf.import_batch_results(directory=str(tmp_path / "out")) == {"FINISHED"}
        assert addon.session.failures == []
        found = curves(head)
    finally:
        client.stop()
    assert found.keys() == wanted.keys() and len(wanted) > 10
    worst = {name: float(np.abs(found[name] - wanted[name]).max()) for name in wanted}
    assert max(worst.values()) < PRECISION, worst
