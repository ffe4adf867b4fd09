"""Plans what a server's result changes in the file: shape keys, prediction, parts, head motion, face. No bpy.

Values come in and a value goes out, so a plan can be made and tested without Blender. `apply_line.apply` writes it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..animation import key_plan, line_curves
from ..animation.key_plan import KeyPlan, MeshState, PartPlan
from ..animation.line_curves import Sliders
from ..client.causes import one_line
from ..client.model_folder import model_label
from ..client.wire import Arrays, Header
from ..errors import UserError
from ..prediction import blend, eyes, lips, rig_drive, sound_edits, sounds, store
from ..prediction.sounds import Sounds
from ..prediction.store import Prediction
from ..prediction.tweaks import ADDED_CHANNELS
from ..rigs import visemes
from ..rigs.drive import channel_of, make_drive, new_key_name
from ..scene.snapshots import Character, Line, Rig
from . import face_plan, own_keys, result_check
from .face_plan import FacePlan
from .name_list import listed
from .result_check import Expectation

NOISE = 0.01  # a channel that stays below this value is one that the model has not learned, as eyeLook…: it gets 0
# Channels that a slider may move, even if they rest in the prediction.
MOVED_LATER = ADDED_CHANNELS | eyes.CHANNELS | sound_edits.CHANNELS
RESERVED = MOVED_LATER | {new_key_name(channel, MOVED_LATER) for channel in MOVED_LATER}  # keys for these

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
    transcript: str = ""  # the words to which the sounds are pinned
    expressions: str = ""  # of the bank, which were asked for: what scene.expression_bank.digests returns
    style: str = ""  # of the head: what scene.style_cards.digest returns

    @property
    def no_face(self) -> Header | None:
        """Code and message of the error if no face was found on the mesh, and the line does without one."""
        return self.header.get("no_face")

    def basis(self, vertices: int) -> Floats:
        """The offsets (K, V, 3) of the channels on a mesh of V vertices; 0 if no face was found there."""
        basis: Floats = self.arrays.get("basis", _still(len(self.header["channels"]), vertices))
        return basis


@dataclass(frozen=True)
class LineState:
    """The part of the file that a line depends on, as it is now."""

    line: Line  # at the place where its strip is
    head: MeshState
    parts: tuple[MeshState, ...] = ()  # in the order of the character's members
    earlier: Prediction | None = None  # of the same line, from an earlier run
    sliders: Sliders = field(default_factory=Sliders)
    has_head_target: bool = False  # whether an object or bone was chosen for the head motion
    axes: Floats | None = None  # (3, 3) of the head's object at rest, as columns; None: as when it was sent


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
        return f"{self.start}{placement}; {curves}{self.parts}{self.end}"


@dataclass(frozen=True)
class LinePlan:
    """All that is written to the file for one line on one head."""

    line: Line
    objects: tuple[str, ...]  # names of the character's objects, the head first
    head: KeyPlan
    prediction: Prediction  # with its rig drive, in the line's own channels
    parts: tuple[PartPlan, ...]
    head_motion: HeadMotionPlan | None
    face: FacePlan | None
    message: Message
    expected: Expectation | None = None  # what is meant to be seen; None if the face is not known
    sounds: Sounds | None = None  # None if they were not asked for
    transcript: str = ""  # to which they are pinned


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
        with_layers: Whether the result's blinks, gaze and head motion are written too.
        iface: Translates the message to the artist.

    Returns:
        What to write, for `apply_line.apply`.

    Raises:
        UserError: The result does not fit the file any more, or no curve would be visible.
    """
    character = own_keys.with_usable_keys(character, result.header["channels"], result.arrays)
    new = predicted(result, state.line)
    prediction = _in_span(new, state, result.span, with_layers)
    prediction, basis = _with_drive(character, result, new, prediction, state)
    prediction = store.rounded(prediction)
    by_channel = line_curves.tweaked(prediction, state.sliders)
    on_keys = line_curves.on_keys(prediction, state.sliders, by_channel)
    channels, motion = list(on_keys.channels), np.ascontiguousarray(on_keys.motion)
    pieces = list(character.pieces(basis, axis=1))
    head = key_plan.plan(state.head, character.head, channels, motion, pieces[0][1], character.moving(basis), RESERVED)
    if not _on_bones(character, prediction, by_channel):
        if result.no_face is not None and not head.animated:
            raise UserError(str(result.no_face["message"]))
        _check_animated(state.head.object, head)
    parts = key_plan.plan_parts(
        state.parts,
        pieces[1:],
        {*head.shapes, *head.names, *head.driven},
        channels,
        motion,
        float(np.abs(result.basis(len(character.vertices))).max(initial=0.0)),
    )
    with_layers = with_layers and result.span is None  # head motion of a part of a line would not fit the rest of it
    return LinePlan(
        state.line,
        tuple(member.object for member in character.members),
        head,
        prediction,
        tuple(parts),
        _head_motion(character, result, state) if with_layers else None,
        face_plan.plan(character, result.header, result.arrays),
        _message(character, result, state.line, head, parts, iface),
        _expectation(character, result, by_channel),
        sounds.from_reply(result.header, result.arrays),
        result.transcript,
    )


def predicted(result: Result, line: Line) -> Prediction:
    """The server's result as it is kept in the file."""
    arrays = result.arrays
    motion = arrays["motion"][: line.frames]
    frames, moves = len(motion), np.abs(motion).max(0) > NOISE
    return Prediction(
        line.fps,
        tuple(result.header["channels"]),
        motion * moves,
        arrays.get("expression", np.zeros_like(motion))[:frames] * moves,
        tuple(result.header.get("emotions") or ()),
        arrays.get("emotion", np.zeros((frames, 0), np.float32))[:frames],
        result.temperature,
        result.seed,
        _lips(arrays, motion.shape[1]),
        arrays["blinks"][:, :frames] if "blinks" in arrays else store.NO_BLINKS,
        arrays["gaze"][:, :frames] if "gaze" in arrays else store.NO_GAZE,
        int(result.header.get("heard_lines", 0)),
        model=_model(result.header),
        expressions=result.expressions,
        style=result.style,
    )


def _model(header: Header) -> str:
    """Name and digest of the model that made a result; "" if the server does not tell."""
    model = header.get("model")
    if not isinstance(model, dict):
        return ""
    return model_label(one_line(str(model.get("name", ""))), one_line(str(model.get("digest", ""))))


def _expectation(character: Character, result: Result, motion: Floats) -> Expectation | None:
    """What the channels' motion is meant to do to lips and lids; None if the server did not tell where they are."""
    arrays, vertices = result.arrays, character.head.vertices
    if "landmark_vertices" not in arrays:
        return None
    return result_check.expect(vertices, arrays["landmark_vertices"], arrays["basis"][:, : len(vertices)], motion)


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


def _lips(arrays: Arrays, channels: int) -> Floats:
    """(K, L, 3) how far the channels move the lips; L is 0 where the result does not tell."""
    if not {"landmarks68", "landmark_vertices"} <= arrays.keys():
        return np.zeros((channels, 0, 3), np.float32)
    return lips.measure(arrays["basis"], arrays["landmarks68"], arrays["landmark_vertices"])


def _in_span(new: Prediction, state: LineState, span: tuple[int, int] | None, with_layers: bool) -> Prediction:
    """The new prediction; where only a span of the line is wanted, inside the earlier one. Raises UserError.

    Without its layers, it gets the blinks and gaze of the earlier one.
    """
    earlier = state.earlier
    compatible = earlier is not None and blend.is_compatible(earlier, new)
    if earlier is not None and compatible and span is not None:
        return blend.blended(earlier, new, blend.new_take_weights(new, state.line.first_frame, span))
    if span is not None:
        raise UserError(
            f'The strip "{state.line.strip}" was trimmed since it was generated, or the frame rate was changed: '
            "turn off Only Current Range"
        )
    if earlier is not None and compatible and not with_layers:
        return replace(new, blinks=earlier.blinks, gaze=earlier.gaze)
    return new


def _with_drive(
    character: Character, result: Result, new: Prediction, prediction: Prediction, state: LineState
) -> tuple[Prediction, Floats]:
    """The prediction with its rig drive, and the offsets (N, V, 3) of the keys that it moves."""
    rig, basis = character.rig, result.basis(len(character.vertices))
    if rig is None or (rig.by_name and not rig.left_out and not rig.elsewhere):
        return replace(prediction, drive=None), basis
    solved = result.arrays["rig_motion"][: len(new.motion)] if rig.mapping.solved else None
    if result.no_face is None:
        shapes, room, add_missing, lost = rig.shapes, basis, rig.add_missing, own_keys.lost_channels(rig)
    else:
        shapes, room = _shapes_by_name(rig, new.channels)
        add_missing, lost = False, frozenset()
    drive, offsets = make_drive(
        rig.mapping,
        shapes,
        rig.limits,
        new.channels,
        new.motion,
        room,
        solved=solved,
        add_missing=add_missing,
        head=rig.head if result.no_face is None else room.shape[1],
        elsewhere=rig.elsewhere,
        lost=lost,
        by_names=result.no_face is not None,
    )
    if result.no_face is not None:
        offsets = _still(len(drive.keys), len(character.vertices))
    if result.span is None:
        return replace(prediction, drive=drive), offsets
    weights = blend.new_take_weights(new, state.line.first_frame, result.span)
    blended = rig_drive.blended(state.earlier, replace(new, drive=drive), prediction.motion, weights)
    return replace(prediction, drive=blended), offsets


def _still(keys: int, vertices: int) -> Floats:
    """Offsets (N, V, 3) of N keys that move nothing, without memory of their own."""
    return np.broadcast_to(np.float32(0), (keys, vertices, 3))


def _shapes_by_name(rig: Rig, channels: Sequence[str]) -> tuple[Floats, Floats]:
    """What the solved keys and the channels show, in a room that has a dimension for each channel in place of vertices.

    Returns:
        (R, K, 3) of the solved keys, and (K, K, 3) of the channels.
    """
    looks = visemes.looks(rig.mapping, rig.limits)
    shapes = np.zeros((len(looks), len(channels), 3), np.float32)
    shapes[..., 0] = [[look.get(channel, 0.0) for channel in channels] for look in looks] or shapes[..., 0]
    room = np.zeros((len(channels), len(channels), 3), np.float32)
    room[..., 0] = np.eye(len(channels))
    return shapes, room


def _head_motion(character: Character, result: Result, state: LineState) -> HeadMotionPlan | None:
    """The head motion; None if the result has none, or nothing was chosen to get it.

    The head may have turned since it was sent: its landmarks turn along.
    """
    if not {"head", "landmarks68"} <= result.arrays.keys() or not state.has_head_target:
        return None
    landmarks = result.arrays["landmarks68"]
    if state.axes is not None:
        landmarks = (landmarks @ character.head.to_local @ state.axes.T).astype(np.float32)
    return HeadMotionPlan(result.arrays["head"][: state.line.frames], landmarks)


def _on_bones(character: Character, prediction: Prediction, motion: Floats) -> bool:
    """Whether bones show a part of the motion (F, K) of the prediction's channels."""
    elsewhere = character.rig.elsewhere if character.rig else ()
    shown = [name in elsewhere for name in prediction.channels]
    return bool(np.abs(motion[:, shown]).max(initial=0.0) > key_plan.VISIBLE_VALUE)


def _check_animated(head: str, keys: KeyPlan) -> None:
    """Raise UserError if no curve would be visible on the head of this name."""
    if keys.driven and not keys.animated:
        raise UserError(
            f'Drivers move the shape keys of "{head}" ({listed(keys.driven)}) and would overrule '
            "curves: remove the drivers, or choose Add New Keys under Face > Own Shape Keys"
        )
    if keys.impossible and not keys.animated:
        raise UserError(
            f'Blender keeps no new shape keys on the library override "{head}": add shape keys of the face in the '
            "library's own file"
        )
    if not keys.animated:
        raise UserError("The face does not move in this line: pick a strip with clear speech")


def _message(
    character: Character, result: Result, line: Line, head: KeyPlan, parts: list[PartPlan], iface: Callable[[str], str]
) -> Message:
    """The result line; `iface` translates it."""
    span, rig = result.span or (line.first_frame, line.first_frame + line.frames - 1), character.rig
    text = iface("{name}: frames {first} to {last} anew") if result.span else iface("{name}: frames {first} to {last}")
    start = text.format(name=line.strip, first=span[0], last=span[1])
    end = ""
    if rig is not None and not rig.by_name:
        end += iface("; on your {name} keys").format(name=rig.mapping.name or iface("own"))
    elif head.kept:
        end += iface("; {count} of your own keys animated").format(count=len(head.kept))
    if rig is not None:
        end += own_keys.describe(rig, head, iface)
    if result.no_face is not None:
        end += _without_face(result.no_face, iface)
    if head.driven:
        end += iface("; left out, as drivers move them: {names}").format(names=listed(head.driven))
    if head.impossible:
        text = iface("; left out, as a library override takes no new keys: {names}")
        end += text.format(names=listed([channel_of(name) for name in head.impossible]))
    end += of_model([result.header], iface)
    end += iface("; {seconds} s").format(seconds=f"{result.seconds:.1f}")
    names = listed([part.object for part in parts])
    return Message(start, iface("; with {names}").format(names=names) if parts else "", end)


def of_model(headers: Sequence[Header], iface: Callable[[str], str]) -> str:
    """What is to be said of the model that has made lines, as the continuation of a sentence; empty for most models.

    Args:
        headers: Fields of the lines' results.
        iface: Translates it.
    """
    means, most = [], []
    for header in headers:
        error = header.get("motion_error")
        if not isinstance(error, dict):
            continue
        mean, greatest = error.get("lips_mean"), error.get("lips_greatest")
        if isinstance(mean, (int, float)) and isinstance(greatest, (int, float)):
            means.append(mean)
            most.append(greatest)
    text = ""
    if means:
        text += iface("; the lips are {mean} mm from FLAME's motion, at most {greatest}").format(
            mean=f"{np.mean(means):.2f}", greatest=f"{max(most):.2f}"
        )
    ignored = [header.get("ignored") for header in headers]
    if any(isinstance(names, list) and "emotion" in names for names in ignored):
        text += iface(
            "; the chosen emotion and its strength have no effect: this model hears the emotion in the voice alone"
        )
    return text


def _without_face(no_face: Header, iface: Callable[[str], str]) -> str:
    """That only the head's own keys move, and what to do; as the continuation of a sentence."""
    if no_face.get("code") == "no_face":
        return iface(
            "; the face was not found: only your own keys move; place four points (Face > Landmarks) for the rest"
        )
    return iface("; only your own keys move: {reason}").format(reason=str(no_face["message"]).rstrip("."))
