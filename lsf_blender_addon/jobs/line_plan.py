"""Plans what a server's result changes in the file: shape keys, curves, layers, parts, head motion, face. No bpy.

Values come in and a value goes out, so a plan can be made and tested without Blender. `apply_line.apply` writes it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..animation import curve_plan, key_plan
from ..animation.curve_plan import CurvePlan, Sliders
from ..animation.key_plan import KeyPlan, MeshState, PartPlan
from ..client.wire import Arrays, Header
from ..errors import UserError
from ..prediction import blend, layer_curves, lips, rig_drive, store
from ..prediction.layer_curves import LayeredMotion
from ..prediction.store import Prediction
from ..prediction.tweaks import ADDED_CHANNELS
from ..scene.snapshots import Character, Line
from . import face_plan
from .face_plan import FacePlan

NOISE = 0.01  # a channel that stays below this value is one that the model has not learned, as eyeLook…: it gets 0

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Result:
    """What the server has answered, and the parts of the request that are needed to write it."""

    header: Header  # see docs/protocol.md
    arrays: Arrays
    temperature: float
    seed: int
    seconds: float  # since the button was pressed
    span: tuple[int, int] | None = None  # first and last scene frame of the part that is wanted; None: the whole line


@dataclass(frozen=True)
class LineState:
    """The part of the file that a line depends on, as it is now."""

    line: Line  # at the place where its strip is
    head: MeshState
    parts: tuple[MeshState, ...] = ()  # in the order of the character's members
    earlier: Prediction | None = None  # of the same line, from an earlier run
    sliders: Sliders = field(default_factory=Sliders)
    layer_keys: frozenset[str] = frozenset()  # shape keys that layers move on any line: speech leaves them alone
    has_head_target: bool = False  # whether an object or bone was chosen for the head motion


@dataclass(frozen=True)
class LayerPlan:
    """The curves of a layer."""

    layer: str  # "blinks" or "gaze"
    names: list[str]  # n shape keys
    motion: Floats  # (F, n) values, one row a frame from the line's first frame on


@dataclass(frozen=True)
class HeadMotionPlan:
    """The head motion of a line."""

    angles: Floats  # (F, 3) radians, Euler XYZ for a face along -Y
    landmarks68: Floats  # (68, 3) in world axes: they tell which way the face looks


@dataclass(frozen=True)
class Message:
    """The result line for the artist, in three parts; between them comes what is known only after writing."""

    start: str
    parts: str
    end: str

    def text(self, curves: str, placement: str) -> str:
        """Return the whole line.

        Args:
            curves: How many keys there are, and how exact they are.
            placement: Where the curves play, as the continuation of a sentence; may be empty.
        """
        return f"{self.start}; {curves}{self.parts}{placement}{self.end}"


@dataclass(frozen=True)
class LinePlan:
    """All that is written to the file for one line on one head."""

    line: Line
    objects: tuple[str, ...]  # names of the character's objects, the head first
    head: KeyPlan
    speech: CurvePlan
    prediction: Prediction  # with its rig drive, in the line's own channels
    layers: tuple[LayerPlan, ...]
    parts: tuple[PartPlan, ...]
    head_motion: HeadMotionPlan | None
    face: FacePlan | None
    message: Message


def plan(
    character: Character,
    result: Result,
    state: LineState,
    with_layers: bool = True,
    iface: Callable[[str], str] = str,
) -> LinePlan:
    """Plan what a result changes in the file.

    Args:
        character: The character as it was sent to the server.
        result: The server's answer, complete as the protocol promises.
        state: The file as it is now.
        with_layers: Whether the result's layers are written too.
        iface: Translates the message to the artist.

    Returns:
        What to write, for `apply_line.apply`.

    Raises:
        UserError: The result does not fit the file any more, or no curve would be visible.
    """
    new = predicted(result, state.line)
    prediction = store.rounded(_in_span(new, state.earlier, result.span))
    tweaked = curve_plan.tweaked(prediction, state.sliders)
    prediction, layered = _layered(character, result, new, prediction, tweaked, state.earlier)
    basis = layered.basis
    pieces = list(character.pieces(basis, axis=1))
    motion = np.ascontiguousarray(layered.motion)
    head = key_plan.plan(
        state.head, character.head, layered.channels, motion, pieces[0][1], character.moving(basis), ADDED_CHANNELS
    )
    _check_animated(state.head.object, head)
    parts = key_plan.plan_parts(
        state.parts,
        pieces[1:],
        {*head.shapes, *head.names, *head.driven},
        layered.channels,
        motion,
        float(np.abs(result.arrays["basis"]).max(initial=0.0)),
    )
    speech = {layered.channels[k] for k in layered.columns(head.animated)} - state.layer_keys
    with_layers = with_layers and result.span is None  # layers of a part of a line would not fit the rest of it
    return LinePlan(
        state.line,
        tuple(member.object for member in character.members),
        head,
        curve_plan.plan(rig_drive.on_keys(prediction, tweaked), speech, state.sliders),
        prediction,
        tuple(_layers(layered, head.animated, motion)) if with_layers else (),
        tuple(parts),
        _head_motion(result, state) if with_layers else None,
        face_plan.plan(character, result.header, result.arrays),
        _message(character, result, len(motion), head, parts, iface),
    )


def predicted(result: Result, line: Line) -> Prediction:
    """The server's result as it is kept in the file, at the place where the line is now."""
    arrays = result.arrays
    motion = arrays["motion"][: line.frames]
    moves = np.abs(motion).max(0) > NOISE
    return Prediction(
        line.strip,
        line.scene,
        line.fps,
        line.first_frame,
        tuple(result.header["channels"]),
        motion * moves,
        arrays.get("expression", np.zeros_like(motion))[: line.frames] * moves,
        tuple(result.header.get("emotions") or ()),
        arrays.get("emotion", np.zeros((len(motion), 0), np.float32))[: line.frames],
        result.temperature,
        result.seed,
        _lips(arrays),
        int(result.header.get("heard_lines", 0)),
    )


def check_span(state: LineState, span: tuple[int, int]) -> None:
    """Check that a part of the line can be generated anew.

    Args:
        state: The file as it is now.
        span: First and last scene frame of the part.

    Raises:
        UserError: The line is not heard in these frames, or was not generated yet.
    """
    line = state.line
    if span[1] < line.first_frame or span[0] >= line.first_frame + line.frames:
        raise UserError(
            f'The strip "{line.strip}" is not heard in frames {span[0]} to {span[1]}: set another preview '
            "range, or turn off Only Current Range"
        )
    if state.earlier is None:
        raise UserError(f'"{line.strip}" was not generated for "{state.head.object}" yet: turn off Only Current Range')


def listed(names: list[str]) -> str:
    """The first three names, and how many there are besides."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _lips(arrays: Arrays) -> Floats:
    """(K, L, 3) how far the channels move the lips; L is 0 where the result does not tell."""
    if not {"landmarks68", "landmark_vertices"} <= arrays.keys():
        return np.zeros((len(arrays["basis"]), 0, 3), np.float32)
    return lips.measure(arrays["basis"], arrays["landmarks68"], arrays["landmark_vertices"])


def _in_span(new: Prediction, earlier: Prediction | None, span: tuple[int, int] | None) -> Prediction:
    """The new prediction; where only a span of the line is wanted, inside the earlier one. Raises UserError."""
    if span is None:
        return new
    if earlier is None or not blend.is_compatible(earlier, new):
        raise UserError(
            f'The strip "{new.strip}" was trimmed since it was generated, or the frame rate was changed: '
            "turn off Only Current Range"
        )
    return blend.blended(earlier, new, blend.new_take_weights(new, span))


def _layered(
    character: Character,
    result: Result,
    new: Prediction,
    prediction: Prediction,
    tweaked: Floats,
    earlier: Prediction | None,
) -> tuple[Prediction, LayeredMotion]:
    """The prediction with its rig drive, and the keys with their values and layers."""
    channels, basis = list(new.channels), result.arrays["basis"]
    if character.rig is None:
        return replace(prediction, drive=None), layer_curves.add_layers(channels, tweaked, basis, result.arrays)
    drive, layered = rig_drive.drive_with_layers(character.rig, channels, new.motion, tweaked, basis, result.arrays)
    if result.span:
        drive = rig_drive.blended(earlier.drive if earlier else None, drive, blend.new_take_weights(new, result.span))
        layered = replace(layered, motion=drive.values(tweaked))
    return replace(prediction, drive=drive), layered


def _layers(layered: LayeredMotion, animated: list[int], motion: Floats) -> list[LayerPlan]:
    """The curves of the layers, from the animated columns of motion (F, K)."""
    columns = {layer: layered.columns(animated, layer) for layer in layered.layers}
    return [
        LayerPlan(layer, [layered.channels[k] for k in chosen], motion[:, chosen]) for layer, chosen in columns.items()
    ]


def _head_motion(result: Result, state: LineState) -> HeadMotionPlan | None:
    """The head motion; None if the result has none, or nothing was chosen to get it."""
    if "head" not in result.arrays or not state.has_head_target:
        return None
    return HeadMotionPlan(result.arrays["head"][: state.line.frames], result.arrays["landmarks68"])


def _check_animated(head: str, keys: KeyPlan) -> None:
    """Raise UserError if no curve would be visible on the head of this name."""
    if keys.driven and not keys.animated:
        raise UserError(
            f'Drivers move the shape keys of "{head}" ({listed(keys.driven)}) and would overrule '
            "curves: remove the drivers, or choose Add New Keys under Face > Own Shape Keys"
        )
    if not keys.animated:
        raise UserError("The face does not move in this line: pick a strip with clear speech")


def _message(
    character: Character,
    result: Result,
    frames: int,
    head: KeyPlan,
    parts: list[PartPlan],
    iface: Callable[[str], str],
) -> Message:
    """The result line for a motion of so many frames; `iface` translates it."""
    span, rig, seconds = result.span, character.rig, f"{result.seconds:.1f}"
    if span:
        start = iface("frames {first} to {last} anew, {seconds} s").format(first=span[0], last=span[1], seconds=seconds)
    else:
        start = iface("{count} frames, {seconds} s").format(count=frames, seconds=seconds)
    end = ""
    if rig is not None:
        end += iface("; on your {name} keys").format(name=rig.mapping.name or iface("own"))
    elif head.kept:
        end += iface("; {count} of your own keys animated").format(count=len(head.kept))
    if head.driven:
        end += iface("; left out, as drivers move them: {names}").format(names=listed(head.driven))
    names = listed([part.object for part in parts])
    return Message(start, iface("; with {names}").format(names=names) if parts else "", end)
