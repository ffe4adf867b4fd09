"""The shipped model with an expression at full strength, on heads of several makers, measured on the evaluated mesh.

On top of it, all sliders of the sounds that are no closures at their ends.
"""

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
from lsf_blender_addon.animation import actions, expression_bank_edits, line_sounds, lines
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
CLOSURES = "pbm"
ENDS = (  # of the sliders of all other sounds
    {"open": 1.0, "round": 1.0, "wide": 1.0, "later": 12.0, "strength": 3.0},
    {"open": 1.0, "round": 1.0, "later": -12.0, "strength": 0.0},
    {"close": 1.0, "strength": 3.0},
)

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


def frames_of_sounds(head: bpy.types.Object, closures: bool) -> list[list[int]]:
    """Frames of each sound of the line that is a closure, with the frames beside it, or of each that is none."""
    (record,) = actions.existing(head.data).lsf.lines
    found = []
    for i, sound in enumerate(record.sounds):
        if (sound.heard in CLOSURES) == closures:
            first, last = line_sounds.frames_of(record, i)
            found.append(list(range(first - closures, last + closures + 1)))
    return found


def set_sounds(head: bpy.types.Object, values: dict[str, float]) -> None:
    """Set the sliders of all sounds that are no closures."""
    action = actions.existing(head.data)
    (record,) = action.lsf.lines
    for sound in record.sounds:
        for name, neutral in line_sounds.NEUTRAL.items():
            sound[name] = neutral if sound.heard in CLOSURES else values.get(name, neutral)
    lines.refresh(action, record)


def test_closures_hold_and_the_sides_stay_as_they_were_made(addon, add_strip, monkeypatch, tmp_path, server_python):
    client = Client(server_python, tmp_path / "server.log", [])
    monkeypatch.setattr(addon.session, "client", lambda: client)
    monkeypatch.setenv("LSF_CACHE_DIR", str(tmp_path / "faces"))
    add_strip(LINE)
    scene, face = bpy.context.scene, read_face()
    scene.lsf.layers.blinks = scene.lsf.layers.gaze = False
    scene.lsf.sounds.with_generate = True
    bpy.ops.lsf.add_head()
    own = bpy.context.object
    other, solved = (
        characters.with_keys(FAMILIES[name], keys_of(name)) for name in ("Unified Expressions", "Genesis 8")
    )
    try:
        frames = spoken(own, "neutral")
        before, brows = shown(own, face, frames)  # of the same mesh, so of both heads
        closed = (before - before.min(0)).max(1) < CLOSED
        closed[-12:] = False  # the line ends in a pause, in which the teeth are bared
        wide = (before - before.min(0)).min(1) > WIDE
        wide[np.flatnonzero(wide)[::2]] = False  # half of them are enough
        assert closed.sum() > 8 and wide.sum() > 20
        some = np.flatnonzero(closed | wide)
        for head in (own, other, solved):
            expression_bank_edits.add(head, SNARL)
            assert spoken(head, "Snarl") == frames
            gaps, frowning = shown(head, face, (some + frames[0]).tolist())
            assert (gaps - before.min(0))[closed[some]].max() < PARTED
            if head != solved:
                added = (gaps - before[some])[wide[some]].mean(0)
                assert added[0] > added[2] + 2 > 2, "the left side of the mouth is the snarling one"
                lower = (frowning - brows[some])[wide[some]].mean(0)
                assert lower[0] < -1.5 and abs(lower[1]) < 0.3, "the left brow is down, and the right one is not"
            spoken_closed = {frame for span in frames_of_sounds(head, True) for frame in span}
            held = sorted(spoken_closed & set((np.flatnonzero(closed) + frames[0]).tolist()))
            assert len(held) > 8
            for values in ENDS:
                set_sounds(head, values)
                assert (shown(head, face, held)[0] - before.min(0)).max() < PARTED, values
            shut = frames_of_sounds(head, False)
            gaps = (shown(head, face, range(shut[0][0], shut[-1][-1] + 1))[0] - before.min(0)).max(1)
            assert max(min(gaps[frame - shut[0][0]] for frame in span) for span in shut) < PARTED, "Close More"
    finally:
        client.stop()
