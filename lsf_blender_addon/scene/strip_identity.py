"""Gives sound strips an identity of their own, and finds the strip of a line by it: names and places may change.

The identity is a custom property of the strip. It stays when the strip is renamed, moved, trimmed or put into a meta
strip, and when the file is saved, appended or undone. Blender copies it with the strip: Duplicate, Paste, Split, and a
full copy of the scene. Of several strips with one id, the original is the one that comes closest to what the line
remembers of its strip (`Source`); the others are copies, and get an id of their own when they are generated.

A strip of a linked scene cannot keep a property: what is written to it is lost when the file is saved. Its identity
follows from the names of its scene and itself. So it is lost when the strip is renamed in the other file.
"""

from __future__ import annotations  # bpy.types.Strip exists since 4.4 only

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

import bpy

from ..errors import UserError
from .heard_part import Placed, heard_part, placed_strips, scene_fps
from .snapshots import Source, file_name

ID_PROPERTY = "lsf_line"
MAX_ID = 64  # characters: a uuid has 32; a longer value of a damaged file is no id
LINKED_NAMES = uuid.UUID(
    "b1f6a7ee-7a0c-4d4b-9d0f-2c1f2b7d3a55"
)  # any constant: names become ids of a kind of their own


class State(Enum):
    """What became of a line's strip since the line was generated."""

    UNCHANGED = auto()
    MOVED = auto()  # the same part of the same sound at another frame
    CHANGED = auto()  # trimmed, retimed, with another sound, or in a scene with another frame rate
    GONE = auto()


@dataclass(frozen=True)
class Candidate:
    """A strip that has the wanted id."""

    scene: bpy.types.Scene
    placed: Placed

    @property
    def strip(self) -> bpy.types.SoundStrip:
        """The strip itself."""
        return self.placed.strip


@dataclass(frozen=True)
class Status:
    """A line's strip, and what became of it. Holds Blender data: it is valid until the file changes."""

    state: State
    scene: bpy.types.Scene | None = None  # None if the strip is gone
    strip: bpy.types.SoundStrip | None = None
    moved: int = 0  # frames by which it was moved, if it was


def strip_id(strip: bpy.types.SoundStrip) -> str:
    """The id of a strip; empty if it has none."""
    value = strip.get(ID_PROPERTY)
    if isinstance(value, str) and 0 < len(value) <= MAX_ID and value.isascii():
        return value
    return _id_of_linked(strip) if strip.id_data.library else ""


def line_id(scene: bpy.types.Scene, strip: bpy.types.SoundStrip, sources: Iterable[Source]) -> str:
    """The id of the line that was generated from a strip; empty if there is none, or if the strip is a copy of it.

    Args:
        scene: The scene of the strip.
        strip: The strip.
        sources: What lines remember of their strips.
    """
    known = strip_id(strip)
    lines = [source for source in sources if source.id == known] if known else []
    return known if lines and _is_original(scene, strip, known, lines) else ""


def ensure_id(scene: bpy.types.Scene, strip: bpy.types.SoundStrip, sources: Iterable[Source] = ()) -> str:
    """The id of a strip; it gets a new one if it has none, or if it is a copy of another strip.

    Args:
        scene: The scene of the strip.
        strip: The strip.
        sources: What is remembered of the strips of all lines in the file, which tells originals from copies.
            Without a line, the first strip in its scene is the original.
    """
    present = strip_id(strip)
    if present and _is_original(scene, strip, present, sources):
        return present
    if scene.library:
        return _id_of_linked(strip)
    strip[ID_PROPERTY] = uuid.uuid4().hex
    return strip_id(strip)


def restore_id(strip: bpy.types.SoundStrip, known: str) -> None:
    """Give a strip the id that it had before an undo; a strip that has one keeps its own."""
    if not strip_id(strip):
        strip[ID_PROPERTY] = known


def find(source: Source) -> tuple[bpy.types.Scene, bpy.types.SoundStrip] | None:
    """The scene and the strip of a line, whatever their present names are; None if the strip is gone."""
    (status,) = states([source])
    return (status.scene, status.strip) if status.scene and status.strip else None


def present_source(scene: bpy.types.Scene, strip: bpy.types.SoundStrip) -> Source | None:
    """What a strip is at present; None if it plays nothing, not at its own speed, or no sound any more."""
    placed = next(placed for placed in placed_strips(scene) if placed.strip == strip)
    return _source_now(Candidate(scene, placed))


def state(source: Source) -> State:
    """What became of the strip of a line. For several lines, `states` is quicker."""
    (status,) = states([source])
    return status.state


def states(sources: Sequence[Source]) -> list[Status]:
    """What became of the strips of several lines, in their order. Looks at every strip once, and not at the disk."""
    candidates = _candidates({source.id for source in sources if source.id})
    return [_status(source, candidates.get(source.id, [])) for source in sources]


def find_ids(wanted: Iterable[str]) -> list[tuple[bpy.types.Scene, bpy.types.SoundStrip]]:
    """The scenes and strips with these ids; of several with one id the first, of none nothing."""
    candidates = _candidates({known for known in wanted if known})
    return [(one.scene, one.strip) for one in map(_first, candidates.values())]


def find_named(scene: bpy.types.Scene, name: str, known: str = "") -> bpy.types.SoundStrip | None:
    """The strip of a scene that was chosen by its name, and was perhaps renamed since.

    Args:
        scene: The scene of the strip.
        name: The name by which it was chosen.
        known: Its id, if it had one then.

    Returns:
        The strip with this id; of several, the one of this name, or else the first. Without one, the strip of this
        name; None if there is none.
    """
    strips = [placed.strip for placed in placed_strips(scene)]
    same_id = [strip for strip in strips if strip_id(strip) == known] if known else []
    named = [strip for strip in same_id or strips if strip.name == name]
    return next(iter(named or same_id), None)


def present_name(scene: bpy.types.Scene, name: str, known: str) -> str:
    """The present name of a strip that was chosen by its name, see `find_named`; the old name if the strip is gone."""
    strip = find_named(scene, name, known) if name else None
    return name if strip is None else strip.name


def chosen_id(scene: bpy.types.Scene, name: str) -> str:
    """The id of a strip that was just chosen by its name, so that it is found when it is renamed later.

    A strip without an id gets one. Empty if there is no such strip.
    """
    strip = find_named(scene, name) if name else None
    return "" if strip is None else strip_id(strip) or ensure_id(scene, strip)


def _candidates(wanted: set[str]) -> dict[str, list[Candidate]]:
    """The strips of all scenes by their ids, as far as these are wanted."""
    found: dict[str, list[Candidate]] = {}
    for scene in bpy.data.scenes:
        for placed in placed_strips(scene):
            known = {strip_id(placed.strip)} | ({_id_of_linked(placed.strip)} if scene.library else set())
            for one in known & wanted:
                found.setdefault(one, []).append(Candidate(scene, placed))
    return found


def _is_original(scene: bpy.types.Scene, strip: bpy.types.SoundStrip, known: str, sources: Iterable[Source]) -> bool:
    """Whether a strip with this id is the original, and no copy."""
    candidates = _candidates({known})[known]
    if len(candidates) == 1:
        return True
    lines = [source for source in sources if source.id == known]
    originals = [_choose(line, candidates) for line in lines] or [_first([c for c in candidates if c.scene == scene])]
    return any(original.strip == strip for original in originals)


def _choose(source: Source, candidates: list[Candidate]) -> Candidate:
    """The strip that the line was generated from, if several have its id."""

    def differs(candidate: Candidate) -> tuple[bool, ...]:
        """What tells the candidate from the source, the most important first."""
        same_scene = candidate.scene.name == source.scene
        same_name = candidate.strip.name == source.strip
        same_frame = _first_frame(candidate) == source.first_frame
        return (
            bool(source.near) and candidate.scene.name not in source.near,
            not (same_scene and same_name),
            not (same_scene and same_frame),
            not same_name,
            not same_frame,
        )

    least = min(differs(candidate) for candidate in candidates)
    return _first([candidate for candidate in candidates if differs(candidate) == least])


def _first(candidates: list[Candidate]) -> Candidate:
    """The first of several strips: by scene, then by frame, channel and name."""
    scenes = [scene.name for scene in bpy.data.scenes]
    return min(
        candidates,
        key=lambda one: (scenes.index(one.scene.name), _first_frame(one), one.strip.channel, one.strip.name),
    )


def _first_frame(candidate: Candidate) -> float:
    """Frame at which a strip is heard first; infinity if it plays nothing."""
    try:
        return heard_part(candidate.scene, candidate.placed).first_frame
    except UserError:
        return float("inf")


def _status(source: Source, candidates: list[Candidate]) -> Status:
    """What became of the strip of a line, by all strips with its id."""
    if not candidates:
        return Status(State.GONE)
    original = candidates[0] if len(candidates) == 1 else _choose(source, candidates)
    scene, strip = original.scene, original.strip
    now = _source_now(original)
    if now is None or not now.plays_same(source):
        return Status(State.CHANGED, scene, strip)
    moved = now.first_frame - source.first_frame
    return Status(State.MOVED if moved else State.UNCHANGED, scene, strip, moved)


def _source_now(candidate: Candidate) -> Source | None:
    """What a strip is at present; None if it plays nothing, not at its own speed, or no sound any more."""
    scene, strip = candidate.scene, candidate.strip
    if strip.sound is None:
        return None
    try:
        part = heard_part(scene, candidate.placed)
    except UserError:
        return None
    return Source(
        strip_id(strip),
        strip.name,
        scene.name,
        file_name(strip.sound.filepath) or strip.sound.name,
        scene_fps(scene),
        part.first_frame,
        part.frames,
        part.start + part.t0,
        part.content,
    )


def _id_of_linked(strip: bpy.types.SoundStrip) -> str:
    """The id of a strip of a linked scene, which has no own one, or shares it with its original: from the names."""
    return uuid.uuid5(LINKED_NAMES, f"{strip.id_data.name}\n{strip.name}").hex
