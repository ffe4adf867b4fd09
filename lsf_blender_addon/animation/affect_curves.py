"""Writes the transitions of keyed emotions as curves of valence and arousal, which show in the Graph Editor."""

from collections.abc import Sequence

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import compat
from ..client.wire import affect, phrases
from ..errors import UserError
from ..scene import emotion_control
from ..scene.heard_part import scene_fps
from ..scene.own_properties import settings_of
from . import keyframes
from .key_reduction import ErrorBound, Keys, reduce_keys

BOUND = 0.004  # of valence and arousal: 2 % of an emotion where neighbours are nearest

Floats = NDArray[np.floating]


def check(scene: bpy.types.Scene) -> None:
    """Raise UserError if there are no transitions to write."""
    if scene.library is not None:
        raise UserError("The scene is linked from another file: change it there")
    if not emotion_control.changes_over_time(scene):
        raise UserError("Key the emotion first: the dot beside it inserts keyframes")


def draw(scene: bpy.types.Scene, spoken: Floats | None = None, entries: Sequence[emotion_control.Entry] = ()) -> int:
    """Replace the keyed choice of an emotion by the choice of a point of the circle, and key its valence and arousal.

    The face that the next Generate makes is the same. Where the audio decides in between, Mix is keyed, too: from there
    and back it is a cross-fade then.

    Args:
        scene: The scene with the keys.
        spoken: (m, 2) first and last frame of each phrase, to whose starts changes move; None moves none.
        entries: The expressions of the bank.

    Returns:
        The number of keys that were written.

    Raises:
        UserError: There is nothing to write, or a choice has no place on the circle.
    """
    check(scene)
    emotion, fps = settings_of(scene).emotion, scene_fps(scene)
    chosen = _curve(scene, "chosen")
    frames = keyframes.read_points(chosen)[:, 0]
    margin = round(affect.LONGEST * emotion.transition * fps) + 1
    first, last = int(np.floor(frames[0])) - margin, int(np.ceil(frames[-1])) + margin
    emotion_passing, emotion.passing = emotion.passing, emotion_control.CIRCLE
    found = emotion_control.control(scene, first, last - first + 1, fps, entries)
    points, mix = found.points, found.rows[:, 1:2].astype(float)
    if np.isnan(points).any():
        emotion.passing = emotion_passing
        raise UserError("Transitions to Curves works with emotions only: remove the keys of expressions of the bank")
    if spoken is not None:
        seconds = [affect.Change(*((first + edge) / fps for edge in change)) for change in found.changes]
        moved = phrases.moved(seconds, spoken / fps)
        times = phrases.earlier_times((first + np.arange(len(points))) / fps, seconds, moved) * fps - first
        points, mix = _at(points, times), _at(mix, times)
    written = _write(scene, ("valence", "arousal"), points, first)
    if np.ptp(mix) > 0 or mix[0] != emotion.mix:
        written += _write(scene, ("mix",), mix, first)
    choice = Keys(np.array([float(first)]), np.array([float(emotion_control.FREE)]), np.zeros(1))
    table = keyframes.generated(choice)
    table.columns["interpolation"][:] = keyframes.enum_number("interpolation", "CONSTANT")
    keyframes.write(chosen, table)
    emotion.chosen = "affect"
    return written


def _write(scene: bpy.types.Scene, names: tuple[str, ...], values: Floats, first: int) -> int:
    """Key properties of the emotion at these values (F, len(names)) with few keys; returns how many there are."""
    count = len(names)
    pinned = np.zeros((count, len(values)), bool)
    reduced = reduce_keys(values, np.zeros((count, 0, 3)), ErrorBound(BOUND), first, pinned)
    for name, keys in zip(names, reduced.keys, strict=True):
        settings_of(scene).emotion.keyframe_insert(name, frame=first)
        keyframes.write(_curve(scene, name), keyframes.generated(keys))
    return sum(len(keys.frames) for keys in reduced.keys)


def _curve(scene: bpy.types.Scene, name: str) -> bpy.types.FCurve:
    """The F-curve of a property of the emotion, which is there."""
    data = scene.animation_data
    assert data is not None
    return next(c for c in compat.played_fcurves(data) if c.data_path == emotion_control.PATH + name)


def _at(values: Floats, rows: Floats) -> NDArray[np.float64]:
    """Values (F, K) at rows (N,), which may lie between two."""
    at = np.arange(len(values))
    return np.column_stack([np.interp(rows, at, column) for column in values.T])
