"""Blender's data as plain values: a mesh at rest, a character, its rig, a line. No bpy.

A snapshot holds no reference to Blender data, so a thread may use it, and code that takes one runs without Blender.
"""

import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..client.wire import Arrays, Header
from ..errors import printable
from ..rigs import visemes
from ..rigs.mapping import Mapping, Row
from ..rigs.shape_check import Fault

AUTOMATIC, SKIN = -1, 0  # codes of a vertex whose part of the face the server finds, and of the skin: scene/parts.py
STILL_SHARE = 1e-4  # of the largest offset of all channels: a channel with less does not move a mesh

RATE_EPSILON = 1e-4  # frames per second: Blender stores the base of a rate in single precision
FRAME_EPSILON = 0.5  # frames: a strip that was moved by a part of a frame, or stored in single precision, is the same

QUATERNION, AXIS_ANGLE = "QUATERNION", "AXIS_ANGLE"  # Blender's rotation modes besides the Euler orders
NO_TURN = (1.0, 0.0, 0.0, 0.0)

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True)
class RestMesh:
    """The head, or a part of it, at rest: turned and scaled as its object is."""

    object: str  # its name
    origin: NDArray[np.float64]  # (3,) where the object's origin is in the world
    vertices: NDArray[np.float32]  # (V, 3) world axes and scale, around the object's origin
    triangles: NDArray[np.int32]  # (T, 3)
    to_local: NDArray[np.float64]  # (3, 3) offset_local = offset @ to_local


@dataclass(frozen=True)
class Rig:
    """Own shape keys of a character that are to be driven."""

    mapping: Mapping
    limits: dict[str, tuple[float, float]]  # slider range of all of the head's own keys
    shapes: NDArray[np.float32]  # (R, V, 3) offsets of the solved keys at value 1, on all of the character's vertices
    add_missing: bool  # whether channels that no own key shows get new keys
    head: int  # number of the head's vertices, which are the first
    direct_shapes: NDArray[np.float32]  # (D, M, 3) as `shapes`, of the keys that follow channels; not all vertices
    by_name: bool = False  # whether no family or list is in use: keys with channels' names follow these
    left_out: tuple[tuple[Row, Fault], ...] = ()  # rows whose keys cannot be used
    stand_ins: tuple[str, ...] = ()  # keys of other families that show what those do not
    elsewhere: tuple[str, ...] = ()  # channels that bones show
    by_list: bool = False  # whether the mapping is the artist's own list, which is obeyed
    doubtful: tuple[str, ...] = ()  # keys in use that move something else than their channels do
    step: int = 1  # `direct_shapes` have every step-th vertex

    @property
    def without(self) -> list[str]:
        """Channels that the solved keys leave out, as other keys or bones show them."""
        direct = (row.channel for row in self.mapping.rows if row.key in self.mapping.direct)
        return list(dict.fromkeys((*self.elsewhere, *direct)))


@dataclass(frozen=True)
class Traits:
    """What a member of a character is, as far as a result depends on it; see scene/staleness.py.

    Attributes:
        object: The object's session_uid, which it keeps when it is renamed.
        listed: Whether it is in the head's list of parts.
        faces: How the faces join the vertices.
        shape: The base of the shape keys, and the modifiers that belong to the shape at rest.
        keys: The artist's shape keys that are in use.
        part: Which part of the face it is, as a whole and vertex by vertex.
        landmarks: Of the head: those that the artist has set.
        bones: Of the head: the channels that bones show.
        stands: Transform (4, 4) of a part in the head's space; of the head (3, 3) how it is stretched.
        by_hand: The transforms that no animation sets.
        size: Size of the head's mesh, in its own space.
    """

    object: int
    listed: bool
    faces: Hashable
    shape: Hashable
    keys: dict[str, Hashable]
    part: Hashable
    landmarks: Hashable
    bones: tuple[str, ...]
    stands: NDArray[np.float64]
    by_hand: Hashable
    size: float


@dataclass(frozen=True)
class Character:
    """Head and parts as one mesh."""

    members: tuple[RestMesh, ...]  # the head first
    vertices: NDArray[np.float32]  # (V, 3) of all members, one after the other: world axes, around the head's origin
    triangles: NDArray[np.int32]  # (T, 3)
    parts: NDArray[np.int32]  # (V,) codes of scene/parts.py
    landmarks68: NDArray[np.float32] | None  # (68, 3) the artist's points, NaN for all others
    rig: Rig | None  # the head's own shape keys, if they are to be driven
    traits: tuple[Traits, ...] = ()  # of the members, to tell whether they have changed since

    @property
    def head(self) -> RestMesh:
        """The first member."""
        return self.members[0]

    @property
    def solved(self) -> tuple[str, ...]:
        """Names of the R keys whose values the server finds."""
        return self.rig.mapping.solved if self.rig else ()

    def header(self) -> Header:
        """The values of a request that are no arrays, see docs/protocol.md."""
        if self.rig is None:
            return {}
        looks = visemes.looks(self.rig.mapping, self.rig.limits)
        header: Header = {"face_optional": bool(self.rig.mapping.direct or self.rig.elsewhere or any(looks))}
        if self.solved:
            header["rig_limits"] = [self.rig.limits[key] for key in self.solved]
            header["rig_without"] = self.rig.without
            header["rig_like"] = looks
        return header

    def arrays(self) -> Arrays:
        """The arrays of a request that describe the mesh, see docs/protocol.md."""
        arrays: Arrays = {"vertices": self.vertices, "triangles": self.triangles}
        if (self.parts != AUTOMATIC).any():
            arrays["parts"] = self.parts
        if self.landmarks68 is not None:
            arrays["landmarks68"] = self.landmarks68
        if self.rig and self.solved:
            arrays["rig_shapes"] = self.rig.shapes
        return arrays

    def moving(self, basis: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Find the channels that move a part of the character.

        Args:
            basis: (K, V, 3) offsets of K channels at value 1.

        Returns:
            (K,) bool.
        """
        reach = np.abs(basis).max((1, 2), initial=0.0)
        moving: NDArray[np.bool_] = reach > STILL_SHARE * reach.max(initial=0.0)
        return moving

    def pieces(self, array: NDArray[Scalar], axis: int = 0) -> Iterator[tuple[RestMesh, NDArray[Scalar]]]:
        """The members, each with its share of an array.

        Args:
            array: Values for all of the character's vertices.
            axis: Axis of `array` that counts the vertices.
        """
        ends = np.cumsum([len(member.vertices) for member in self.members])
        yield from zip(self.members, np.split(array, ends[:-1], axis), strict=True)


@dataclass(frozen=True)
class BonePose:
    """How a bone differs from its rest where a channel is 1, in the bone's own axes."""

    channel: str
    bone: str
    location: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)  # rotation vector: axis · radians
    scale: tuple[float, float, float] = (0.0, 0.0, 0.0)  # added to the scale at rest


@dataclass(frozen=True)
class BoneRest:
    """A bone where all channels are 0: how it rotates, and its own pose, on top of which the channels come."""

    bone: str
    mode: str  # QUATERNION, AXIS_ANGLE, or an Euler order as "XYZ"
    location: tuple[float, ...] = (0.0, 0.0, 0.0)
    rotation: tuple[float, ...] = NO_TURN  # a quaternion, an angle and an axis, or Euler angles, as the mode says
    scale: tuple[float, ...] = (1.0, 1.0, 1.0)


def rotation_property(mode: str) -> str:
    """Return the property of a pose bone that holds its rotation in a rotation mode."""
    return {QUATERNION: "rotation_quaternion", AXIS_ANGLE: "rotation_axis_angle"}.get(mode, "rotation_euler")


@dataclass(frozen=True)
class Line:
    """The sound that one strip plays, and the frames at which it is heard."""

    strip: str  # names of the strip and its scene
    scene: str
    path: str  # of the file, or the name of a packed one
    packed: bytes | None  # contents of a packed file
    fps: float  # of the scene
    first_frame: int  # of the scene, at which the strip is heard first
    frames: int  # how many scene frames the strip is heard
    start: float  # seconds into the file at which reading begins; never negative
    duration: float  # seconds to read
    t0: float  # seconds of the read audio at which first_frame lies; negative where the strip begins with silence
    id: str = ""  # the strip's own id, see scene/strip_identity.py; empty if it has none
    content: float = 0.0  # frames of the whole sound, which no handle changes
    file: tuple[int, int] = (0, 0)  # size of the file, and nanoseconds at which it was written

    @property
    def source(self) -> "Source":
        """What is remembered of the strip, to find it again."""
        return Source(
            self.id,
            self.strip,
            self.scene,
            file_name(self.path),
            self.fps,
            self.first_frame,
            self.frames,
            self.start + self.t0,
            self.content,
        )


@dataclass(frozen=True)
class Source:
    """What the strip of a line was when the line was generated. No strip is needed to compare two of them."""

    id: str  # the strip's own id, see scene/strip_identity.py
    strip: str  # names of the strip and its scene
    scene: str
    sound: str  # name of the sound's file, without its folder
    fps: float  # of the scene
    first_frame: int  # of the scene, at which the strip was heard first
    frames: int  # how many scene frames the strip was heard
    start: float  # seconds into the file at first_frame; negative where the strip began with silence
    content: float  # frames of the whole sound, which no handle changes
    near: tuple[str, ...] = field(default=(), compare=False)  # names of the scenes that the line's head is in

    def plays_same(self, other: "Source") -> bool:
        """Whether two strips play the same part of the same sound at the same frame rate, wherever they are."""
        return (
            self.sound == other.sound
            and self.frames == other.frames
            and abs(self.fps - other.fps) < RATE_EPSILON
            and abs(self.start - other.start) * self.fps < FRAME_EPSILON
            and abs(self.content - other.content) < FRAME_EPSILON
        )


def file_name(path: str) -> str:
    """The last part of a path of any system, Blender's own (//…) too, as Blender can store and show it."""
    return printable(re.split(r"[\\/]", path)[-1])
