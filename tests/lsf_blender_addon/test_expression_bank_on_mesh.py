"""The shipped model with an expression at full strength, on heads of two makers, measured on the evaluated mesh."""

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path

import bpy
import numpy as np
import pytest
from numpy.typing import NDArray

from demo import characters
from demo.characters import FAMILIES, keys_of
from lsf_blender_addon import compat
from lsf_blender_addon.animation import actions, expression_bank_edits
from lsf_blender_addon.client.jobs import Client
from lsf_blender_addon.client.wire import Expression
from lsf_blender_addon.scene import evaluated_keys
from tests.lsf_blender_addon.makers_head import Face, read_face

LINE = Path(compat.__file__).parent / "assets" / "demo_line.flac"
SNARL = Expression(
    "Snarl",
    {"mouthUpperUpLeft": 1.0, "noseSneerLeft": 1.0, "mouthLowerDownLeft": 0.6, "jawOpen": 1.0, "browDownLeft": 1.0},
)
POINTS = ((63, 65), (62, 66), (61, 67))  # landmarks of the inner lips: left, middle, right
CLOSED, PARTED = 0.35, 0.75  # millimetres: closures of the line, and how far they may be apart under the expression
WIDE = 3  # millimetres of an open mouth
BROWS = ((22, 23, 24), (19, 20, 21))  # landmarks: left, right

pytestmark = pytest.mark.skipif(
    "LSF_SERVER_PYTHON" not in os.environ or importlib.util.find_spec("torch") is None,
    reason="once is enough: where the server's packages are, too",
)


def spoken(head: bpy.types.Object, emotion: str) -> range:
    """Generate the line with an emotion; returns its frames."""
    bpy.context.scene.lsf.head, bpy.context.scene.lsf.emotion.chosen = head, emotion
    assert bpy.ops.lsf.generate() == {"FINISHED"}
    (line,) = actions.existing(head.data).lsf.lines
    return range(line.first_frame, line.first_frame + line.frames)


def shown(head: bpy.types.Object, face: Face, frames: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gaps (F, 3) of the lips and height (F, 2) of the brows in millimetres, in some frames."""
    heights = 1e3 * evaluated_keys.sample_vertices(head, frames)[:, face.landmark_vertices, 2].astype(float)
    gaps = np.stack([heights[:, upper] - heights[:, lower] for upper, lower in POINTS], 1)
    return gaps, np.stack([heights[:, list(brow)].mean(1) for brow in BROWS], 1)


def test_closures_hold_and_the_sides_stay_as_they_were_made(addon, add_strip, monkeypatch, tmp_path, server_python):
    client = Client(server_python, tmp_path / "server.log", [])
    monkeypatch.setattr(addon.session, "client", lambda: client)
    monkeypatch.setenv("LSF_CACHE_DIR", str(tmp_path / "faces"))
    add_strip(LINE)
    scene, face = bpy.context.scene, read_face()
    scene.lsf.layers.blinks = scene.lsf.layers.gaze = False
    bpy.ops.lsf.add_head()
    own = bpy.context.object
    other = characters.with_keys(FAMILIES["Unified Expressions"], keys_of("Unified Expressions"))
    try:
        frames = spoken(own, "neutral")
        before, brows = shown(own, face, frames)  # of the same mesh, so of both heads
        closed = (before - before.min(0)).max(1) < CLOSED
        closed[-12:] = False  # the line ends in a pause, in which the teeth are bared
        wide = (before - before.min(0)).min(1) > WIDE
        wide[np.flatnonzero(wide)[::2]] = False  # half of them are enough
        assert closed.sum() > 8 and wide.sum() > 20
        some = np.flatnonzero(closed | wide)
        for head in (own, other):
            expression_bank_edits.add(head, SNARL)
            assert spoken(head, "Snarl") == frames
            gaps, frowning = shown(head, face, (some + frames[0]).tolist())
            assert (gaps - before.min(0))[closed[some]].max() < PARTED
            added = (gaps - before[some])[wide[some]].mean(0)
            assert added[0] > added[2] + 2 > 2, "the left side of the mouth is the snarling one"
            lower = (frowning - brows[some])[wide[some]].mean(0)
            assert lower[0] < -1.5 and abs(lower[1]) < 0.3, "the left brow is down, and the right one is not"
    finally:
        client.stop()
