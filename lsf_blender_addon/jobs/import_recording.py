"""Puts a recording of Live Link Face on a head, as a line of its own.

The shapes of missing keys come from the server, which fits the face. Without it, the recording plays on the keys that
are there.
"""

import threading
import uuid
from collections.abc import Callable, Collection
from typing import NamedTuple

import bpy
import numpy as np
from bpy.app.translations import pgettext_iface as iface
from numpy.typing import NDArray

from ..animation import (
    actions,
    arkit_keys,
    bone_actions,
    head_motion,
    key_plan,
    lines,
    part_drivers,
    renames,
    rollback,
    shape_keys,
)
from ..client.jobs import Job, State
from ..errors import UserError
from ..formats import live_link
from ..formats.live_link import Recording
from ..prediction import recording as recorded
from ..rigs.drive import new_key_name
from ..scene import character, drivers
from ..scene.access import find_item, mesh_of
from ..scene.heard_part import scene_fps
from ..scene.landmarks import points, store
from ..scene.meshes import check, read_rest
from ..scene.own_properties import face_of, lines_of
from ..scene.snapshots import RATE_EPSILON, Character, Line, Source, file_name
from . import environment, face_plan, face_result, session
from .name_list import listed
from .prepare_face import FaceFinding
from .server_job import ServerWork

NO_ENGINE = "install the speech engine, which makes keys"
NOT_WANTED = "turn on Add Missing Keys in the dialog"
NO_EFFECT = "they move nothing on this head"
# Where the face was not found: it looks to the front, along -Y.
FRONT = {
    head_motion.RIGHT_EYE: (-1, 0, 0),
    head_motion.LEFT_EYE: (1, 0, 0),
    head_motion.NOSE_BRIDGE: (0, 0, 1),
    head_motion.CHIN: (0, 0, -1),
}


class Options(NamedTuple):
    """What the artist has chosen for an import.

    Attributes:
        path: The .csv file.
        scene: Name of the scene.
        fps: Its frames a second.
        first_frame: Scene frame of the first row.
        every_frame: Whether every frame gets a key.
        head_rotation: Whether the head's target of the head motion turns as recorded.
    """

    path: str
    scene: str
    fps: float
    first_frame: int
    every_frame: bool
    head_rotation: bool


def start(
    head: bpy.types.Object, others: dict[bpy.types.Object, str], path: str, rate: float, add_missing: bool = True
) -> "RecordingImport":
    """Start to read a recording for a head.

    Args:
        head: The head.
        others: The objects that go with it, and their kinds, see scene/character.py.
        path: The .csv file.
        rate: Frames a second of its timecode; 0 finds it.
        add_missing: Whether the head gets keys for channels that none of its own keys shows.
    """
    match = arkit_keys.match(head, live_link.CHANNELS)
    missing = [*match.missing, *match.driven]
    shown = set(live_link.CHANNELS) - set(missing)
    if environment.server_python() is None:
        return RecordingImport(path, rate, shown, None, iface(NO_ENGINE))
    if not add_missing:
        return RecordingImport(path, rate, shown, None, iface(NOT_WANTED))
    return RecordingImport(path, rate, shown, lambda: FaceFinding(session.client(), character.read(head, others)))


class RecordingImport(ServerWork):
    """A thread reads the recording; then the server makes shapes for channels without a key, if it can.

    Attributes:
        recording: What the file holds, when `state` is DONE.
        unmade: Why no shapes were made for channels without a key, a sentence without its full stop; "" if they were.
        job: The server's job, without a result if none was needed.

    Args:
        path: The .csv file.
        rate: Frames a second of its timecode; 0 finds it.
        shown: Channels for which the head has keys.
        find_face: Starts the fit of the face; None if that is not possible.
        unmade: Why not.
    """

    def __init__(
        self,
        path: str,
        rate: float,
        shown: Collection[str],
        find_face: Callable[[], FaceFinding] | None,
        unmade: str = "",
    ) -> None:
        self.state, self.error = State.RUNNING, ""
        self.job = Job("", "prepare_face", {}, {})
        self.recording: Recording | None = None
        self.unmade = unmade
        self._find_face = find_face
        self._face: FaceFinding | None = None
        self._shown = shown
        self._failure = ""
        self._reader = threading.Thread(target=self._read, args=(path, rate), name="lsf-recording", daemon=True)
        self._reader.start()

    @property
    def fraction(self) -> float:
        """Progress, 0 to 1."""
        return self._face.fraction if self._face else 0.0

    @property
    def text(self) -> str:
        """What is being done."""
        return self._face.text if self._face else iface("Reading the recording")

    def cancel(self) -> None:
        """End the job; nothing is written."""
        self.state = State.CANCELLED
        if self._face is not None:
            self._face.cancel()

    def poll(self) -> State:
        """Update the state. Returns at once."""
        if self.state.ended or self._reader.is_alive():
            return self.state
        if self._failure or self.recording is None:
            self.state, self.error = State.FAILED, self._failure
        elif self._face is not None:
            self._follow(self._face)
        elif self._find_face is None or not set(moving(self.recording)) - set(self._shown):
            self.state = State.DONE
        else:
            try:
                self._face = self._find_face()
                self.character = self._face.character
            except UserError as error:
                self.state, self.unmade = State.DONE, str(error)
        return self.state

    @property
    def basis(self) -> tuple[list[str], NDArray[np.float32]] | None:
        """Channels, and offsets (K, V, 3) that the server made for them; None if it made none."""
        names, basis = self.job.header.get("channels"), self.job.arrays.get("basis")
        if self.character is None or not isinstance(names, list) or basis is None:
            return None
        return (names, basis) if basis.shape == (len(names), len(self.character.vertices), 3) else None

    def _read(self, path: str, rate: float) -> None:
        """Read the file; runs in the thread."""
        try:
            found = live_link.read(path, rate)
            self.recording = Recording(recorded.channels(found), found.angles)
        except UserError as error:
            self._failure = str(error)
        except Exception as error:  # else the job would wait for ever
            self._failure = f'"{file_name(path)}" cannot be read ({error}): pick a .csv of Live Link Face'

    def _follow(self, face: FaceFinding) -> None:
        """Update the state from that of the fit; without a fit, the recording is still written."""
        face.poll()
        if face.state is State.CANCELLED:
            self.state = State.CANCELLED
        elif face.state.ended:
            self.state, self.unmade = State.DONE, face.error
            self.job = face.job if face.state is State.DONE else self.job


def moving(recording: Recording) -> list[str]:
    """Channels that move in a recording; the others hold noise of the tracking at most."""
    moves = np.abs(recording.shapes.values).max(0) > live_link.STILL
    return [name for name, moves_too in zip(recording.shapes.names, moves, strict=True) if moves_too]


def write(work: RecordingImport, name: str, options: Options) -> str:
    """Write a recording as a line of a head. If anything raises, the file is as it was before.

    Args:
        work: Its state is DONE.
        name: Name of the head.
        options: What the artist has chosen.

    Returns:
        The result line for the artist.

    Raises:
        UserError: The head is gone, cannot take it, or shows nothing of it. Nothing was changed.
    """
    assert work.recording is not None
    head = find_item(bpy.data.objects, name)
    objects: list[bpy.types.Object] = []
    if work.character is not None:
        objects, work.character = character.find_objects(work.character, "Import Face Curves")
        head = objects[0]
    if head is None:
        raise UserError(f'"{name}" is gone or was renamed while the recording was read: import it again')
    scene = find_item(bpy.data.scenes, options.scene)
    if scene is None or abs(scene_fps(scene) - options.fps) > RATE_EPSILON:
        raise UserError("The scene or its frame rate was changed while the recording was read: import it again")
    check(head)
    actions.check(mesh_of(head))
    bone_actions.check(head)
    face = face_of(head)
    target = face.nod.object if options.head_rotation else None
    head_motion.check(target, face.nod.bone)
    objects = objects or [head]
    with rollback.on_error(objects, target, face.nod.bone):
        return _write(work, work.recording, objects, options, target)


def _write(
    work: RecordingImport,
    recording: Recording,
    objects: list[bpy.types.Object],
    options: Options,
    target: bpy.types.Object | None,
) -> str:
    """Write the keys, the curves, and the turns of the target; return the result line."""
    head = objects[0]
    renames.adopt(head)
    mesh, moves = mesh_of(head), moving(recording)
    names, motion = recording.shapes.names, recording.shapes.resampled(options.fps)
    match = arkit_keys.match(head, names)
    added = _add_keys(work, objects, [name for name in (*match.missing, *match.driven) if name in moves])
    match = arkit_keys.match(head, names)
    driven, missing = ([name for name in left_out if name in moves] for left_out in (match.driven, match.missing))
    if len(driven) + len(missing) == len(moves):
        raise UserError(_nothing_shown(head, file_name(options.path), driven, missing, work))
    source = Source(
        id=_id(mesh, file_name(options.path)),
        strip=file_name(options.path),
        scene=options.scene,
        sound=file_name(options.path),
        fps=options.fps,
        first_frame=options.first_frame,
        frames=len(motion),
        start=0.0,
        content=float(len(motion)),
    )
    prediction = recorded.predict(motion, names, options.fps, match.drive(names, len(motion)))
    action, record = lines.put(mesh, head.name, source, prediction, "RECORDING")
    if options.every_frame:
        record.tweaks.density = 1.0
    lines.write(mesh, action, record)
    for part in character.listed_parts(head):
        part_drivers.play_along(part, head)
    last = options.first_frame + len(motion) - 1
    text = iface("{name}: frames {first} to {last}").format(name=source.strip, first=options.first_frame, last=last)
    text += "; " + lines.summary(action, record, iface)
    if added:
        text += iface("; {count} missing keys added").format(count=len(added))
    if target is not None:
        text += _turn(work, recording, head, target, source, options)
    return text + _left_out(driven, missing, work)


def _add_keys(work: RecordingImport, objects: list[bpy.types.Object], missing: list[str]) -> list[str]:
    """Make keys for channels without one, on the head and its parts, from the server's shapes; return their names."""
    found = work.basis
    if found is None or work.character is None or not missing:
        return []
    names, basis = found
    chosen = [names.index(name) for name in missing if name in names]
    basis = basis[chosen]
    full = np.ones((1, len(chosen)), np.float32)
    (rest, share), *pieces = work.character.pieces(basis, axis=1)
    head, *parts = objects
    state = shape_keys.read(head, drivers.driven_keys(mesh_of(head)))
    keys = [new_key_name(names[k], state.keys - state.generated) for k in chosen]
    plan = key_plan.plan(state, rest, keys, full, share, work.character.moving(basis))
    shape_keys.write(head, plan)
    largest = float(np.abs(found[1]).max(initial=0.0))
    states = [part_drivers.read(part) for part in parts]
    for part in key_plan.plan_parts(states, pieces, set(plan.names), keys, full, largest):
        part_drivers.write(part, head)
        face_of(head).add_part(bpy.data.objects[part.object])
    kept = face_plan.plan(work.character, work.job.header, work.job.arrays)
    if kept is not None:
        face_result.write(objects, kept)
    return plan.names


def _id(mesh: bpy.types.Mesh, name: str) -> str:
    """The id of the recording of this name on a head; a new one if it was not imported yet."""
    action = actions.existing(mesh)
    records = lines_of(action) if action else ()
    same = [record.uid for record in records if record.kind == "RECORDING" and record.name == name]
    return same[0] if same else uuid.uuid4().hex


def _turn(
    work: RecordingImport,
    recording: Recording,
    head: bpy.types.Object,
    target: bpy.types.Object,
    source: Source,
    options: Options,
) -> str:
    """Turn the target as the head was recorded; return what to tell the artist."""
    turns = recorded.head_turns(recording, options.fps)
    if turns is None:
        return iface("; the recording has no rotation of the head")
    line = Line(
        source.strip,
        source.scene,
        options.path,
        None,
        source.fps,
        source.first_frame,
        len(turns),
        0.0,
        0.0,
        0.0,
        source.id,
    )
    head_motion.write(target, face_of(head).nod.bone, line, turns, _landmarks(work.character, work.job, head))
    return iface("; {name} turns").format(name=target.name)


def _landmarks(face: Character | None, job: Job, head: bpy.types.Object) -> NDArray[np.float64]:
    """Landmarks (68, 3) of the head in world axes, at least those that tell how the face stands."""
    if face is not None and "landmarks68" in job.arrays:
        return job.arrays["landmarks68"].astype(np.float64)
    landmarks = np.zeros((points.COUNT, 3))
    found, own = store.read(head)
    known = found | own
    if FRONT.keys() <= known.keys():
        vertices = read_rest(head).vertices
        for index in FRONT:
            landmarks[index] = known[index].position(vertices)
    else:
        for index, position in FRONT.items():
            landmarks[index] = position
    return landmarks


def _nothing_shown(
    head: bpy.types.Object, name: str, driven: list[str], missing: list[str], work: RecordingImport
) -> str:
    """Why the head shows nothing of a recording, a sentence without its full stop."""
    if missing:
        reason = iface(work.unmade) or iface(NO_EFFECT)
        return f'"{head.name}" has no shape key for {listed(missing)}, which "{name}" moves: {reason}'
    if driven:
        return (
            f'Drivers move the shape keys of "{head.name}" ({listed(driven)}) and would overrule curves, '
            f"and no new keys could be made: {iface(work.unmade) or iface(NO_EFFECT)}"
        )
    return f'The face does not move in "{name}": record it again'


def _left_out(driven: list[str], missing: list[str], work: RecordingImport) -> str:
    """Which moving channels were not imported, and why, as the end of a sentence; empty if all were."""
    text = ""
    if driven:
        text += iface("; left out, as drivers move them: {names}").format(names=listed(driven))
    if missing:
        text += iface("; left out, as there is no key for them: {names} ({reason})").format(
            names=listed(missing), reason=iface(work.unmade) or iface(NO_EFFECT)
        )
    return text
