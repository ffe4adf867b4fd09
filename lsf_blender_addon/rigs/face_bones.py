"""Recognises the bones of a face by their names, and finds the pose in which they show each channel. No bpy.

How far a control has to move follows from the rig: its own mouth, eyes and lids say how large its face is, compared
with the project's head, on which it is known how far each channel moves each point of the face (bones/head.json).
"""

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import families, names

Floats = NDArray[np.float64]
Rows = dict[str, dict[str, tuple[Floats, Floats]]]  # location and rotation vector, by channel and bone

HEAD = Path(__file__).parent / "bones" / "head.json"
MIN_CHANNELS = 5  # bones with names of channels, from which on they are taken for controls of these channels
MIN_CONTROLS = 4  # of a known face, besides its jaw
LEAST_SHARE = 0.02  # of the mouth's width: a control that a channel moves by less is left out
JAW_TURN = 0.243  # radians that jawOpen turns the project's jaw, where a rig has no lip to measure it at
EYE_TURN = {"Up": 22.0, "Down": 26.0, "In": 28.0, "Out": 28.0}  # degrees of an eye at value 1, see prediction/eyes.py

JAWS = (  # names of jaw bones, Rigify's first; compared without case and separators
    "jaw_master", "jaw", "lowerjaw", "lower_jaw", "c_jawbone.x", "jawbone", "CC_Base_JawRoot", "jaw_root",
    "FACIAL_C_Jaw", "head_jaw", "mixamorig:Jaw", "J_Bip_C_Jaw",
)  # fmt: skip

# Controls of Rigify's faces, of which the first that is there counts, and the point of the face that each one moves.
CONTROLS = {
    "lip.T": ("lip.T",),
    "lip.B": ("lip.B",),
    "lips.{side}": ("lips.{side}",),
    "lid.T.{side}": ("lid.T.{side}.002", "lid.T.{side}"),
    "lid.B.{side}": ("lid.B.{side}.002", "lid.B.{side}"),
    "brow_inner.{side}": ("brow.T.{side}.003",),
    "brow_outer.{side}": ("brow.T.{side}.001",),
    "brow_middle.{side}": ("brow.T.{side}.002", "brow.T.{side}"),
}


@dataclass(frozen=True)
class RestBone:
    """A bone at rest, in the axes of its armature.

    Attributes:
        head: Where it begins (3,).
        axes: Its own axes (3, 3), as columns.
        reach: How far its location along Y goes where its control is at its end.
    """

    head: Floats
    axes: Floats
    reach: float = 1.0


@dataclass(frozen=True)
class Found:
    """What was recognised: the kind of rig, and location and rotation vector by channel and bone."""

    name: str
    rows: Rows


def recognise(bones: Mapping[str, RestBone]) -> Found | None:
    """Find the bones that show channels.

    Args:
        bones: The bones of an armature by name.

    Returns:
        What they are and how they stand where each channel is 1; None if none is recognised.
    """
    by_channel = _named_like_channels(bones)
    if len(by_channel) >= MIN_CHANNELS:
        rows: Rows = {
            channel: {bone: (np.array([0.0, bones[bone].reach, 0.0]), np.zeros(3))}
            for channel, bone in by_channel.items()
        }
        return Found("ARKit", rows)
    controls = _controls(bones)
    rows, face = {}, _Face.of(controls, bones)
    if face is not None and len(controls) >= MIN_CONTROLS:
        _add_controls(rows, face, controls, bones)
        _add_eyes(rows, face, bones)
    jaw = _first(bones, JAWS)
    if jaw is not None:
        _add_jaw(rows, face, jaw, controls.get("lip.B"), bones)
    if not rows:
        return None
    return Found("Rigify" if len(rows) > MIN_CONTROLS else jaw or "", rows)


def has_face(names_of_bones: Sequence[str]) -> bool:
    """Whether one of the names of an armature's bones is known as that of a jaw; quicker than `recognise`."""
    known = {names.canonical(name) for name in names_of_bones}
    return any(names.canonical(name) in known for name in JAWS)


@functools.cache
def measured() -> tuple[dict[str, Floats], dict[str, dict[str, Floats]]]:
    """Points of the project's face (3,), and how far channels move them (3,), in millimetres."""
    document: dict[str, Any] = json.loads(HEAD.read_text("utf-8"))
    points = {name: np.array(point) for name, point in document["points"].items()}
    moves = {
        name: {channel: np.array(move) for channel, move in by_channel.items()}
        for name, by_channel in document["moves"].items()
    }
    return points, moves


@dataclass(frozen=True)
class _Face:
    """How a rig's face lies in its armature.

    Attributes:
        axes: To its left, to its back, and up, as columns (3, 3).
        scale: Units of the armature in a millimetre of the project's head, at the mouth.
    """

    axes: Floats
    scale: float

    @classmethod
    def of(cls, controls: Mapping[str, str], bones: Mapping[str, RestBone]) -> "_Face | None":
        """Find the face by controls of both sides; None if there are none."""
        points, _moves = measured()
        for name in ("lips", "lid.T", "brow_middle"):
            pair = [controls.get(f"{name}.{side}") for side in "LR"]
            if pair[0] is None or pair[1] is None:
                continue
            across = bones[pair[0]].head - bones[pair[1]].head
            width = float(np.linalg.norm(across))
            if width <= 0:
                continue
            left = across / width
            up = np.array([0.0, 0.0, 1.0]) - left[2] * left
            up /= np.linalg.norm(up)
            wide = float(np.linalg.norm(points[f"{name}.L"] - points[f"{name}.R"]))
            return cls(np.stack([left, np.cross(up, left), up], 1), width / wide)
        return None


def _controls(bones: Mapping[str, RestBone]) -> dict[str, str]:
    """The bones that move points of the face, by point."""
    found = {}
    for point, candidates in CONTROLS.items():
        for side in "LR" if "{side}" in point else "L":
            present = [name for c in candidates if (name := c.format(side=side)) in bones]
            if present:
                found[point.format(side=side)] = present[0]
    for side in "LR":  # Rigify's middle follows the inner and the outer control of a brow
        if f"brow_inner.{side}" in found and f"brow_outer.{side}" in found:
            found.pop(f"brow_middle.{side}", None)
    return found


def _add_controls(rows: Rows, face: _Face, controls: Mapping[str, str], bones: Mapping[str, RestBone]) -> None:
    """Add what the controls of lips, lids and brows do."""
    points, moves = measured()
    mouth = float(np.linalg.norm(points["lips.L"] - points["lips.R"]))
    for point, name in controls.items():
        scale = face.scale
        side = point[-1]
        lids = controls.get(f"lid.T.{side}"), controls.get(f"lid.B.{side}")
        if point.startswith("lid") and lids[0] is not None and lids[1] is not None:  # they meet, however far open
            gap = float(np.linalg.norm(bones[lids[0]].head - bones[lids[1]].head))
            scale = gap / float(np.linalg.norm(points[f"lid.T.{side}"] - points[f"lid.B.{side}"]))
        for channel, move in moves[point].items():
            if channel != "jawOpen" and np.abs(move).max() > LEAST_SHARE * mouth:
                _add(rows, channel, name, location=bones[name].axes.T @ face.axes @ move * scale)


def _add_eyes(rows: Rows, face: _Face, bones: Mapping[str, RestBone]) -> None:
    """Add what the targets of the eyes do, at which they look."""
    for side, outwards in (("L", 1.0), ("R", -1.0)):
        target, eye = f"eye.{side}", f"master_eye.{side}"
        if target not in bones or eye not in bones:
            continue
        distance = float(np.linalg.norm(bones[target].head - bones[eye].head))
        across, up = face.axes[:, 0] * outwards, face.axes[:, 2]
        for where, towards in (("Up", up), ("Down", -up), ("Out", across), ("In", -across)):
            moved = distance * np.tan(np.radians(EYE_TURN[where])) * towards
            channel = f"eyeLook{where}{'Left' if side == 'L' else 'Right'}"
            _add(rows, channel, target, location=bones[target].axes.T @ moved)


def _add_jaw(rows: Rows, face: _Face | None, jaw: str, lip: str | None, bones: Mapping[str, RestBone]) -> None:
    """Add what the jaw does: it turns about the axis of its bone that points to the side of the face."""
    bone = bones[jaw]
    left = face.axes[:, 0] if face else np.array([1.0, 0.0, 0.0])
    along = bone.axes.T @ left
    k = int(np.abs(along).argmax())
    axis = np.eye(3)[k] * np.sign(along[k])
    angle = JAW_TURN
    _points, moves = measured()
    if face is not None and lip is not None:
        turning = bone.axes @ axis
        start = bones[lip].head - bone.head
        end = start + face.axes @ moves["lip.B"]["jawOpen"] * face.scale
        flat = [vector - (vector @ turning) * turning for vector in (start, end)]
        angle = float(np.arctan2(np.cross(*flat) @ turning, flat[0] @ flat[1]))
    _add(rows, "jawOpen", jaw, rotation=axis * angle)
    if face is not None:
        for channel, move in moves["chin"].items():
            _add(rows, channel, jaw, location=bone.axes.T @ face.axes @ move * face.scale)


def _add(rows: Rows, channel: str, bone: str, location: Floats | None = None, rotation: Floats | None = None) -> None:
    """Add what a bone does for a channel."""
    still = np.zeros(3)
    rows.setdefault(channel, {})[bone] = (
        still if location is None else location,
        still if rotation is None else rotation,
    )


def _named_like_channels(bones: Mapping[str, RestBone]) -> dict[str, str]:
    """The bones that have the name of a channel, by channel."""
    known = {names.canonical(channel): channel for channel in families.channels()}
    return {known[name]: bone for bone in bones if (name := names.canonical(bone)) in known}


def _first(bones: Mapping[str, RestBone], wanted: Sequence[str]) -> str | None:
    """The first of the wanted names that a bone has."""
    present = {names.canonical(bone): bone for bone in reversed(list(bones))}
    return next((present[key] for name in wanted if (key := names.canonical(name)) in present), None)
