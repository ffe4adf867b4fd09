"""Plans what the head keeps of a result: landmarks, which of them are doubtful, and parts of the face. No bpy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..client.wire import Arrays, Header
from ..rigs.mapping import SOLVED
from ..scene import part_names
from ..scene.landmarks import points
from ..scene.landmarks.surface import Surface, SurfacePoint
from ..scene.lip_seam import Seam, from_header
from ..scene.snapshots import Character


@dataclass(frozen=True)
class PartDoubt:
    """An object, or a piece of one, whose name contradicts its shape."""

    object: str  # its name
    is_piece: bool  # whether a material's name is meant, and the pieces that have it
    part: int  # code of the part that it is taken for
    named: tuple[int, ...]  # codes of the parts that its name, or its material's, allows
    by_name: bool  # whether the name decided; otherwise the shape


@dataclass(frozen=True)
class WeldedLips:
    """Lips that are one surface."""

    seam: Seam
    own_keys: bool  # whether keys of the artist's move the mouth; new ones keep such lips together


@dataclass(frozen=True)
class FacePlan:
    """What is to be stored with the head."""

    landmarks: dict[int, SurfacePoint]  # by index, on the head's surface
    doubtful: frozenset[int]  # landmarks that the artist should check
    parts: list[NDArray[np.int32]] | None  # for each member of the character the codes of its vertices, if known
    doubts: tuple[PartDoubt, ...] = ()
    shut_eyes: tuple[str, ...] = ()  # "left", "right": eyes that do not open, and have no key of the artist's to blink
    welded_lips: WeldedLips | None = None
    not_neutral: tuple[str, ...] = ()  # signs that it is no whole head at rest, see docs/protocol.md


def plan(character: Character, header: Header, arrays: Arrays) -> FacePlan | None:
    """Plan what is to be kept of a result of `generate` or `prepare_face`, see docs/protocol.md.

    Args:
        character: The character as it was sent to the server.
        header: The result's header.
        arrays: The result's arrays.

    Returns:
        None if the result tells nothing about the face.
    """
    if not {"landmarks68", "landmark_vertices"} <= arrays.keys():
        return None
    report = header.get("report") or {}
    doubtful = frozenset(index for index in report.get("check_landmarks") or () if index in range(points.COUNT))
    triangles = character.head.triangles
    around = np.isin(triangles, arrays["landmark_vertices"]).any(1)
    surface = Surface(character.head.vertices, triangles[around] if around.any() else triangles)
    found = dict(enumerate(surface.closest_points(arrays["landmarks68"].astype(np.float64))))
    codes, parts = arrays.get("parts"), None
    if codes is not None and codes.shape == (len(character.vertices),):
        parts = [piece for _rest, piece in character.pieces(codes)]
    return FacePlan(
        found,
        doubtful,
        parts,
        part_doubts(character, header),
        shut_eyes(character, header),
        welded_lips(character, header),
        not_neutral(header),
    )


def part_doubts(character: Character, header: Header) -> tuple[PartDoubt, ...]:
    """The objects of a character whose names contradict their shapes, each once, by the header of a result."""
    ends = np.cumsum([len(member.vertices) for member in character.members])
    found: dict[str, PartDoubt] = {}
    for doubt in (header.get("report") or {}).get("doubtful_parts") or ():
        member = int(np.searchsorted(ends, doubt["vertex"], side="right"))
        if member < len(character.members):
            name = character.members[member].object
            is_piece = member == 0 or not part_names.kind_of(name)
            part, named = doubt["part"], tuple(doubt["named"])
            found.setdefault(name, PartDoubt(name, is_piece, part, named, bool(doubt["by_name"])))
    return tuple(found.values())


def shut_eyes(character: Character, header: Header) -> tuple[str, ...]:
    """Which eyes get no blink, "left" and "right": they do not open, and no key of the artist's shows a blink."""
    rows = character.rig.mapping.rows if character.rig else ()
    own = {row.channel for row in rows}
    shut = (header.get("report") or {}).get("shut_eyes") or ()
    return tuple(side for side in shut if f"eyeBlink{str(side).title()}" not in own)


def not_neutral(header: Header) -> tuple[str, ...]:
    """The signs that a mesh is no whole head at rest, by the header of a result."""
    return tuple(sign for sign in (header.get("report") or {}).get("not_neutral") or () if isinstance(sign, str))


def welded_lips(character: Character, header: Header) -> WeldedLips | None:
    """The lips of a character, by the header of a result; None if they are cut."""
    seam = from_header(header, len(character.head.vertices))
    if seam is None:
        return None
    rows = character.rig.mapping.rows if character.rig else ()
    return WeldedLips(seam, any(row.channel in ("jawOpen", SOLVED) for row in rows))
