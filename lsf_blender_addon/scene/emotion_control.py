"""The chosen emotion as the server takes it: one for a line, or one for each frame from keys on the timeline."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import compat
from ..client.wire import EMOTIONS, Header, affect
from . import expression_bank
from .expression_bank import chosen_number, is_number
from .own_properties import choice, number, settings_of
from .smoothing import hann_average

PATH = "lsf.emotion."  # of the properties, in a scene
FREE = 50  # number of the choice "Circle of Affect"; an F-curve holds these numbers
CIRCLE, DIRECT = "circle", "direct"  # identifiers of the ways from one emotion to the next

Floats = NDArray[np.floating]


class Entry(NamedTuple):
    """An expression of the artist's own that can be chosen.

    Attributes:
        numbers: Those of the choice that mean it.
        place: Valence and arousal; None: not known.
    """

    numbers: tuple[int, ...]
    place: affect.Place | None


class Control(NamedTuple):
    """The emotion of F frames.

    Attributes:
        rows: (F, 10 + B) strength, weight of the choice, weights of the eight emotions and of B entries, all 0 to 1.
        points: (F, 2) valence and arousal of the choice; NaN where there are none.
        changes: First and last frame of each change of the choice, from row 0 on, ascending.
        passing: (F, 2) how far the change is from what the audio decides, 0, to the choice, 1, over the longest time
            that it may take; and the weight of the choice along with it, for that of `rows`. None: cross-fades.
    """

    rows: NDArray[np.float32]
    points: NDArray[np.float64]
    changes: tuple[affect.Change, ...]
    passing: NDArray[np.float32] | None = None


class Samples(NamedTuple):
    """What the artist has set for F frames; values as of `control_rows`."""

    chosen: NDArray[np.float64]
    strength: NDArray[np.float64]
    mix: NDArray[np.float64]
    places: NDArray[np.float64]


def is_keyed(scene: bpy.types.Scene) -> bool:
    """Whether the chosen emotion has F-curves in this scene."""
    return bool(_curves(scene))


def changes_over_time(scene: bpy.types.Scene) -> bool:
    """Whether the choice itself has an F-curve, so that there are transitions."""
    return "chosen" in _curves(scene)


def read(
    scene: bpy.types.Scene,
    first_frame: int,
    frames: int,
    fps: float,
    t0: float = 0.0,
    entries: Sequence[expression_bank.Entry] = (),
) -> tuple[Header, dict[str, NDArray[np.float32]]]:
    """The part of a request that sets the emotion of a line, see docs/protocol.md.

    Args:
        scene: The scene with the settings and their F-curves.
        first_frame: First frame of the line.
        frames: Number of frames F of the line.
        fps: Frames per second of the scene.
        t0: Seconds of the sound at the first frame.
        entries: The expressions of the head, with the choices that mean them. A choice that means none is the audio's.

    Returns:
        Settings and arrays: settings alone if the emotion is not keyed, else the array `emotion_control` (F, 10 + B),
        and `emotion_way` (F,) if there is a change between the audio's emotion and a choice that is no cross-fade. The
        settings have the B expressions that the line shows.
    """
    emotion = settings_of(scene).emotion
    asked = numbers_asked(scene, first_frame, frames, fps)
    own = [entry for entry in entries if asked.intersection(entry.choices)]
    follow: Header = {}
    if emotion.follow_sentence:
        follow["follow_sentence"] = True
    if words := number(emotion, "follow_words"):
        follow["follow_words"] = words
    if own:
        follow["bank"] = [entry.expression.to_fields() for entry in own]
    keyed, chosen = is_keyed(scene), chosen_number(emotion)
    if not keyed and chosen != FREE:
        names = dict(enumerate(EMOTIONS, 1))
        names |= {number: entry.expression.name for entry in own for number in entry.choices}
        name = names.get(chosen)
        return {
            "emotion": name,
            "emotion_strength": number(emotion, "strength"),
            "emotion_mix": number(emotion, "mix") if name else 0.0,
            **follow,
        }, {}
    margin = _margin(scene, fps)
    found = control(scene, first_frame - margin, (frames if keyed else 1) + 2 * margin, fps, placed(own))
    if emotion.follow_sentence and found.changes:
        follow["emotion_changes"] = [[t0 + (edge - margin) / fps for edge in change] for change in found.changes]
    line = slice(margin, len(found.rows) - margin)
    rows, passing = found.rows[line], None if found.passing is None else found.passing[line]
    if passing is None or not ((passing[:, 0] > 0) & (passing[:, 0] < 1)).any():
        return follow, {"emotion_control": rows}
    rows[:, 1] = passing[:, 1]
    return follow, {"emotion_control": rows, "emotion_way": passing[:, 0]}


def numbers_asked(scene: bpy.types.Scene, first_frame: int, frames: int, fps: float) -> set[int]:
    """Return the numbers of the expressions that a line asks for; arguments as of `read`."""
    curve, margin = _curves(scene).get("chosen"), _margin(scene, fps)
    if curve is None:
        found = {chosen_number(settings_of(scene).emotion)}
    else:
        times = range(first_frame - margin, first_frame + frames + margin)
        found = {round(curve.evaluate(float(time))) for time in times}
    return set(filter(is_number, found))


def placed(entries: Sequence[expression_bank.Entry]) -> list[Entry]:
    """Return where expressions lie on the circle of affect."""
    return [Entry(entry.choices, affect.place_of_expression(entry.expression)) for entry in entries]


def control(
    scene: bpy.types.Scene, first_frame: int, frames: int, fps: float, entries: Sequence[Entry] = ()
) -> Control:
    """Return the emotion of so many frames of a scene from `first_frame` on, by its properties and F-curves."""
    emotion, values = settings_of(scene).emotion, sampled(scene, first_frame, frames)
    return control_rows(
        values.chosen,
        values.strength,
        values.mix,
        number(emotion, "transition") * fps,
        values.places,
        entries,
        choice(emotion, "passing") == CIRCLE,
    )


def sampled(scene: bpy.types.Scene, first_frame: int, frames: int) -> Samples:
    """Return what the artist has set for so many frames of a scene from `first_frame` on."""
    emotion, curves = settings_of(scene).emotion, _curves(scene)
    times = first_frame + np.arange(frames)

    def values(name: str, value: float) -> NDArray[np.float64]:
        """Return a property at `times`: its curve, or its value (given here) if it is not keyed."""
        curve = curves.get(name)
        return np.array([curve.evaluate(float(time)) for time in times]) if curve else np.full(len(times), float(value))

    return Samples(
        values("chosen", chosen_number(emotion)),
        values("strength", number(emotion, "strength")),
        values("mix", number(emotion, "mix")),
        np.column_stack([values(name, number(emotion, name)) for name in ("valence", "arousal")]),
    )


def control_rows(
    chosen: Floats,
    strength: Floats,
    mix: Floats,
    transition: float,
    free: Floats | None = None,
    entries: Sequence[Entry] = (),
    circle: bool = False,
) -> Control:
    """Emotion for each frame, as the protocol has it.

    Args:
        chosen: (F,) 0 where the audio decides, i + 1 for EMOTIONS[i], FREE for the point `free`, or one of an entry's.
        strength: (F,) intensity of the expression, 0 to 1.
        mix: (F,) weight of the chosen emotion against the one of the audio, 0 to 1.
        transition: Frames over which a change of the choice is spread.
        free: (F, 2) valence and arousal, −1 to 1.
        entries: The B expressions of the bank.
        circle: Whether changes lead through the circle of affect; else they are cross-fades.
    """
    columns = len(EMOTIONS) + len(entries)
    free = np.zeros((len(chosen), 2)) if free is None else np.clip(free, -1, 1)
    known = {i + 1: i for i in range(len(EMOTIONS))} | {FREE: columns}
    known |= {number: len(EMOTIONS) + i for i, entry in enumerate(entries) for number in entry.numbers}
    picked = np.array([known.get(value, -1) for value in np.rint(chosen).astype(int).tolist()], int)
    if circle:
        passed = affect.rows_of_choices(picked, free, [entry.place for entry in entries], transition)
        has_choice = (picked >= 0).astype(float)
        fading: Floats = hann_average(has_choice, transition) * mix
        rows = np.column_stack((strength, fading, passed.weights))
        starts = np.flatnonzero(np.diff(has_choice)) + 0.5
        fades = [affect.Change(at - transition / 2, at + transition / 2) for at in starts]
        changes = _merged([*passed.changes, *fades])
        way: Floats = hann_average(has_choice, affect.LONGEST * transition)  # how far it is, only the server knows
        return Control(_limited(rows), passed.points, changes, _limited(np.column_stack((way, way * mix))))
    table = np.vstack([np.eye(columns), np.zeros((2, columns))])  # then FREE, and at −1 no choice
    weights: Floats = table[picked]
    is_free = picked == columns
    weights[is_free, : len(EMOTIONS)] = affect.weights(free[is_free])
    weight = hann_average(weights.sum(1) * mix, transition)
    weights = hann_average(weights, transition)
    weights /= np.maximum(weights.sum(1, keepdims=True), 1e-9)
    edges = np.flatnonzero(np.diff(picked)) + 0.5
    fades = [affect.Change(at - transition / 2, at + transition / 2) for at in edges]
    rows = np.column_stack((strength, weight, weights))
    return Control(_limited(rows), np.full((len(chosen), 2), np.nan), _merged(fades))


def keep_old_transitions() -> None:
    """Let keyed emotions that do not say how they pass cross-fade: they were made with add-on 0.1.0.

    It had no other way. Later ones state it when an emotion is chosen, so that it is said in what is not saved, too.
    Keys of one emotion alone have no transitions that could change.
    """
    for scene in bpy.data.scenes:
        emotion, curve = settings_of(scene).emotion, _curves(scene).get("chosen")
        if scene.library is not None or curve is None or emotion.is_property_set("passing"):
            continue
        if len({round(key.co[1]) for key in curve.keyframe_points}) > 1:
            emotion.passing = DIRECT


def state_passing(scene: bpy.types.Scene) -> None:
    """Store how the emotions of a scene pass, even where it is the default."""
    emotion = settings_of(scene).emotion
    emotion.passing = choice(emotion, "passing")


def state_transitions() -> None:
    """Store how keyed emotions pass even where it is the default, so that the file says it."""
    for scene in bpy.data.scenes:
        if scene.library is None and changes_over_time(scene):
            state_passing(scene)


def _limited(rows: Floats) -> NDArray[np.float32]:
    """Numbers of any shape within 0 to 1."""
    return np.clip(rows, 0, 1).astype(np.float32)


def _merged(changes: list[affect.Change]) -> tuple[affect.Change, ...]:
    """Changes in ascending order; those that overlap are one."""
    merged: list[affect.Change] = []
    for change in sorted(changes):
        if merged and change.start < merged[-1].end:
            change = affect.Change(merged[-1].start, max(merged.pop().end, change.end))
        merged.append(change)
    return tuple(merged)


def _margin(scene: bpy.types.Scene, fps: float) -> int:
    """Frames by which transitions to keys outside a line reach into it."""
    if not is_keyed(scene):
        return 0
    emotion = settings_of(scene).emotion
    transition = number(emotion, "transition") * fps
    return math.ceil(affect.LONGEST * transition) if choice(emotion, "passing") == CIRCLE else round(transition)


def _curves(scene: bpy.types.Scene) -> dict[str, bpy.types.FCurve]:
    """F-curves of the emotion's properties that are in use, by the names of the properties."""
    data = scene.animation_data
    if data is None:
        return {}
    return {
        curve.data_path.removeprefix(PATH): curve
        for curve in compat.played_fcurves(data)
        if curve.data_path.startswith(PATH) and not curve.mute and not curve.is_empty
    }
