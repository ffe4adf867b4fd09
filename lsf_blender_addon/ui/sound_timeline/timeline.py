"""Draws the sounds of the chosen head's lines under the waveform and along the keys, and tells which is clicked.

Nothing is drawn, and no handler is there, until it is turned on. What is drawn of a line is made once, and again when a
sound changes; a redraw only moves and stretches it, and writes the labels that have room.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import blf
import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader
from numpy.typing import NDArray

from ... import compat
from ...animation import actions, line_sounds, lines
from ...animation.chosen_line import picked_line
from ...errors import UserError
from ...prediction import sound_poses
from ...scene import strip_identity
from ...scene.heard_part import Placed, heard_part
from ...scene.own_properties import choice, lines_of, settings_of
from ..head import find_head
from . import layout
from .layout import Colour, Place, Row

if TYPE_CHECKING:
    from ...animation.line_sounds import Item
    from ..properties.lines import LSF_PG_line

SPACES = ("SpaceSequenceEditor", "SpaceDopeSheetEditor", "SpaceGraphEditor")
AREAS = {"SEQUENCE_EDITOR", "DOPESHEET_EDITOR", "GRAPH_EDITOR"}
KEY_MODES = {"DOPESHEET", "ACTION", "SHAPEKEY", "TIMELINE", "FCURVES"}  # of the editors that show an Action's keys
# Pixels at an interface scale of 1:
MARGIN = 14.0  # below the rows, over the scroll bar
MARKERS = 42.0  # the row of markers, where there are some
STRIP_INSET = 2.0  # between the edge of a strip and the row of sounds
STRIP_TOP = 0.8  # of a channel's height, below the name of the strip
LOW_AREA = 90.0  # height of an editor that has no room for words
FONT = 11.0
BACKING: Colour = (0.0, 0.0, 0.0, 0.62)  # of the words
BETWEEN_WORDS: Colour = (1.0, 1.0, 1.0, 0.35)
WORD_TEXT: Colour = (1.0, 1.0, 1.0, 1.0)
SEPARATOR: Colour = (0.0, 0.0, 0.0, 0.55)
OWN: Colour = (1.0, 0.45, 0.0, 1.0)  # along the top of a sound that the artist has changed
OWN_SHARE = 0.16  # of the row's height
ACTIVE: Colour = (1.0, 1.0, 1.0, 1.0)
ACTIVE_EDGE: Colour = (0.0, 0.0, 0.0, 1.0)

_handles: list[tuple[str, object]] = []  # of the draw handlers, and the spaces that they are for
_outline: gpu.types.GPUBatch | None = None  # of a box from 0 to 1
_pictures: dict[tuple[Any, ...], Picture] = {}


class Picture(NamedTuple):
    """What is drawn of a line. All x are seconds after the line's first frame, all y from 0 to 1 of the row."""

    sounds: Row
    words: Row
    short: float  # seconds of a short sound
    boxes: gpu.types.GPUBatch | None
    separators: gpu.types.GPUBatch | None
    own: gpu.types.GPUBatch | None
    backing: gpu.types.GPUBatch | None
    between: gpu.types.GPUBatch | None  # the words
    widths: dict[tuple[bool, int], NDArray[np.floating]]  # of the labels in pixels: of words or sounds, by size


class Shown(NamedTuple):
    """A line and where it is drawn in a region."""

    record: LSF_PG_line
    picture: Picture
    place: Place


def is_shown() -> bool:
    """Whether the sounds are drawn."""
    return bool(_handles)


def show() -> None:
    """Draw the sounds from now on."""
    if not _handles:
        for name in SPACES:
            space: Any = getattr(bpy.types, name)
            _handles.append((name, space.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")))
    redraw()


def hide() -> None:
    """Stop drawing the sounds, and forget what was made for it."""
    global _outline
    for name, handle in _handles:
        getattr(bpy.types, name).draw_handler_remove(handle, "WINDOW")
    _handles.clear()
    _outline = None
    _pictures.clear()
    redraw()


def redraw() -> None:
    """Redraw the editors that show the sounds, and the sidebars with their list."""
    for window in bpy.context.window_manager.windows if bpy.context.window_manager else ():
        for area in window.screen.areas:
            if area.type in AREAS or area.type == "VIEW_3D":
                area.tag_redraw()


def hit(context: bpy.types.Context, x: float, y: float) -> tuple[LSF_PG_line, int] | None:
    """Which sound is drawn at a place in the context's region; None where none is.

    Args:
        context: Tells the region.
        x: Pixels from the region's left edge.
        y: Pixels from its lower edge.

    Returns:
        The line, and the index of the sound.
    """
    if not is_shown():
        return None
    for shown in reversed(list(_shown(context))):
        if shown.place.bottom <= y < shown.place.bottom + shown.place.height:
            index = layout.index_at(shown.picture.sounds, shown.place, x)
            if index is not None:
                return shown.record, index
    return None


def _draw() -> None:
    """Draw the sounds in the context's region: a POST_PIXEL draw handler."""
    context = bpy.context
    found = list(_shown(context))
    if not found or context.region is None:
        return
    gpu.state.blend_set("ALPHA")
    flat, uniform = (gpu.shader.from_builtin(name) for name in ("FLAT_COLOR", "UNIFORM_COLOR"))
    for shown in found:
        _draw_boxes(shown, flat, uniform)
    for shown in found:
        _draw_labels(shown, context.region.width, context.preferences.system.ui_scale)
    gpu.state.blend_set("NONE")


def _draw_boxes(shown: Shown, flat: gpu.types.GPUShader, uniform: gpu.types.GPUShader) -> None:
    """Draw the boxes of a line's sounds and words."""
    picture, place = shown.picture, shown.place
    with gpu.matrix.push_pop():  # type: ignore[attr-defined]  # the stubs do not know that it is a context
        gpu.matrix.translate((place.left, place.bottom))
        gpu.matrix.scale((place.scale, place.height))
        _draw_batch(picture.boxes, flat, None)
        if place.scale * picture.short >= layout.GAP:
            _draw_batch(picture.separators, uniform, SEPARATOR)
        _draw_batch(picture.own, uniform, OWN)
    if place.word_height:
        with gpu.matrix.push_pop():  # type: ignore[attr-defined]  # the stubs do not know that it is a context
            gpu.matrix.translate((place.left, place.bottom + place.height))
            gpu.matrix.scale((place.scale, place.word_height))
            _draw_batch(picture.backing, uniform, BACKING)
            _draw_batch(picture.between, uniform, BETWEEN_WORDS)
    active = np.flatnonzero(picture.sounds.indices == shown.record.active_sound)
    for i in active.tolist():
        left, right = (place.left + picture.sounds.times[i] * place.scale).tolist()
        for inset, colour in ((0.0, ACTIVE_EDGE), (1.0, ACTIVE)):
            _draw_outline(place, left, right, inset, colour)


def _draw_batch(batch: gpu.types.GPUBatch | None, shader: gpu.types.GPUShader, colour: Colour | None) -> None:
    """Draw a batch, in one colour unless its corners have colours."""
    if batch is None:
        return
    shader.bind()
    if colour is not None:
        shader.uniform_float("color", colour)
    batch.draw(shader)


def _draw_outline(place: Place, left: float, right: float, inset: float, colour: Colour) -> None:
    """Draw the edges of a sound's box, in pixels."""
    global _outline
    if _outline is None:
        _outline = _batch("UNIFORM_COLOR", "LINE_STRIP", np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)], float))
    with gpu.matrix.push_pop():  # type: ignore[attr-defined]  # the stubs do not know that it is a context
        gpu.matrix.translate((left + inset, place.bottom + inset))
        gpu.matrix.scale((right - left - 2 * inset, place.height - 2 * inset))
        _draw_batch(_outline, gpu.shader.from_builtin("UNIFORM_COLOR"), colour)


def _draw_labels(shown: Shown, width: float, scale: float) -> None:
    """Write the labels of a line that have room."""
    place = shown.place
    rows = [(shown.picture.sounds, place.bottom, place.height, layout.TEXT_DARK)]
    if place.word_height:
        rows.append((shown.picture.words, place.bottom + place.height, place.word_height, WORD_TEXT))
    for row, bottom, height, colour in rows:
        size = round(min(FONT * scale, height - 3))
        blf.size(0, size)
        blf.color(0, *colour)
        baseline = bottom + (height - 0.7 * size) / 2
        for i, x in layout.shown_labels(row, _widths_of(shown.picture, row, size), place, width):
            blf.position(0, x, baseline, 0)
            blf.draw(0, row.labels[i])


def _widths_of(picture: Picture, row: Row, size: int) -> NDArray[np.floating]:
    """Pixels (N,) of the labels of a row of a picture; the font has this size."""
    key = row is picture.words, size
    if key not in picture.widths:
        known = {text: blf.dimensions(0, text)[0] for text in set(row.labels)}
        picture.widths[key] = np.array([known[text] for text in row.labels], float)
    return picture.widths[key]


def _shown(context: bpy.types.Context) -> Iterator[Shown]:
    """The lines of the chosen head that are drawn in the context's region, the chosen line last."""
    area, region = context.area, context.region
    head = find_head(context)
    action = actions.existing(head.data) if head and isinstance(head.data, bpy.types.Mesh) else None
    if action is None or area is None or region is None or region.type != "WINDOW":
        return
    records = [record for record in lines_of(action) if len(record.sounds)]
    if not records:
        return
    picked = picked_line(context) if len(records) > 1 else None
    records.sort(key=lambda record: picked is not None and record.uid == picked.uid)
    notation = choice(settings_of(context.scene).sounds, "notation")
    view = _View(region)
    if area.type == "SEQUENCE_EDITOR":
        yield from _in_sequencer(context, action, records, notation, view)
    elif _shows_keys(context.space_data):
        yield from _along_keys(context, records, notation, view)


class _View:
    """What a region shows: x and y of the editor's units at its left and lower edge, and pixels a unit."""

    def __init__(self, region: bpy.types.Region) -> None:
        lower: Any = region.view2d.region_to_view(0, 0)
        upper: Any = region.view2d.region_to_view(region.width, region.height)
        (self.left, self.bottom), (right, top) = lower, upper
        self.x_scale = region.width / max(right - self.left, 1e-6)
        self.y_scale = region.height / max(top - self.bottom, 1e-6)
        self.height = region.height

    def x(self, frame: float) -> float:
        """Pixels of a frame from the left edge."""
        return (frame - self.left) * self.x_scale

    def y(self, unit: float) -> float:
        """Pixels of a unit from the lower edge."""
        return (unit - self.bottom) * self.y_scale


def _shows_keys(space: Any) -> bool:
    """Whether an editor shows the keys of an Action: a Dope Sheet may show masks, a Graph Editor drivers."""
    return getattr(space, "mode", "") in KEY_MODES


def _along_keys(context: bpy.types.Context, records: list[LSF_PG_line], notation: str, view: _View) -> Iterator[Shown]:
    """The lines at the lower edge of a Dope Sheet or Graph Editor."""
    scale = context.preferences.system.ui_scale
    has_markers = context.scene is not None and len(context.scene.timeline_markers) > 0
    bottom = (MARKERS if has_markers and getattr(context.space_data, "show_markers", True) else MARGIN) * scale
    has_words = view.height >= LOW_AREA * scale
    for record in records:
        first = record.first_frame + record.tweaks.offset
        rate = line_sounds.rate(record)
        picture = _picture(record, notation, line_sounds.origin(record), record.frames / rate)
        word_height = layout.WORD_ROW * scale if has_words and len(picture.words.times) else 0.0
        place = Place(view.x(first), view.x_scale * rate, bottom, layout.ROW * scale, word_height)
        yield Shown(record, picture, place)


def _in_sequencer(
    context: bpy.types.Context,
    action: bpy.types.Action,
    records: list[LSF_PG_line],
    notation: str,
    view: _View,
) -> Iterator[Shown]:
    """The lines on their strips, at the lower edge of the waveforms."""
    scene, scale = compat.sequencer_scene(context), context.preferences.system.ui_scale
    editor: Any = scene.sequence_editor  # the stubs do not say that a stack holds meta strips
    if editor is None or getattr(context.space_data, "view_type", "") == "PREVIEW":
        return
    strips = compat.strips_of(editor.meta_stack[-1] if len(editor.meta_stack) else editor)
    by_id: dict[str, list[bpy.types.SoundStrip]] = {}
    for strip in strips:
        if compat.is_sound(strip) and (known := strip_identity.strip_id(strip)):
            by_id.setdefault(known, []).append(strip)
    for record in records:
        found = by_id.get(record.uid, [])
        if len(found) > 1:
            source = lines.source_of(record)
            found = [strip for strip in found if strip_identity.line_id(scene, strip, [source])]
        for strip in found[:1]:
            try:
                part = heard_part(scene, Placed(strip, -math.inf, math.inf))
            except UserError:  # it is retimed, or plays nothing
                continue
            fps = scene.render.fps / scene.render.fps_base
            low, high = view.y(strip.channel) + STRIP_INSET * scale, view.y(strip.channel + STRIP_TOP)
            height = layout.ROW * scale
            if high - low < 2 * height:  # a strip that is too low for waveform and sounds: they come above it
                low = high = view.y(strip.channel + 1)
            picture = _picture(record, notation, part.start + part.t0, part.frames / fps)
            has_words = len(picture.words.times) and high - low >= height + 2 * layout.WORD_ROW * scale
            word_height = layout.WORD_ROW * scale if has_words else 0.0
            yield Shown(record, picture, Place(view.x(part.first_frame), view.x_scale * fps, low, height, word_height))


def _picture(record: LSF_PG_line, notation: str, start: float, seconds: float) -> Picture:
    """What is drawn of a line, made once.

    Args:
        record: The line.
        notation: How its sounds are written.
        start: Seconds of the sound file at its first frame.
        seconds: Its length.
    """
    action: Any = record.id_data
    line = action.session_uid, record.uid, round(start, 4), round(seconds, 4)
    key = *line, record.sounds_stamp, len(record.sounds), len(record.words), notation
    if key not in _pictures:
        for other in [other for other in _pictures if other[:4] == line]:
            del _pictures[other]
        _pictures[key] = _make_picture(record, notation, start, seconds)
    return _pictures[key]


def label(item: Item, notation: str) -> str:
    """How a sound is written; a dash for one that the artist has taken out.

    Args:
        item: The sound.
        notation: "IPA", "ARPABET" or "VISEME".
    """
    if not item.symbol:
        return "–"
    table = sound_poses.table()
    if notation == "ARPABET":
        return table.arpabet(item.symbol)
    return (table.viseme(item.symbol) or item.symbol) if notation == "VISEME" else item.symbol


def _make_picture(record: LSF_PG_line, notation: str, start: float, seconds: float) -> Picture:
    """Make what is drawn of a line; see `_picture`."""
    items, table = line_sounds.items(record), sound_poses.table()
    times = np.array([item[:2] for item in items]).reshape(-1, 2) - start
    sounds = layout.clipped(times, [label(item, notation) for item in items], seconds)
    chosen = [items[i] for i in sounds.indices]
    colours = [layout.colour(table.viseme(item.symbol), item.confidence, bool(item.symbol)) for item in chosen]
    word_times = line_sounds.times(record.words)
    words = layout.clipped(word_times - start, [word.name for word in record.words], seconds)
    own = layout.rectangles(sounds.times[[i for i, item in enumerate(chosen) if item.is_changed]])
    own[:, 1] = 1 - OWN_SHARE * (1 - own[:, 1])
    return Picture(
        sounds,
        words,
        layout.short_length(sounds),
        _batch("FLAT_COLOR", "TRIS", layout.rectangles(sounds.times), np.repeat(colours, 6, 0)),
        _batch("UNIFORM_COLOR", "LINES", layout.ends(sounds.times)),
        _batch("UNIFORM_COLOR", "TRIS", own),
        _batch("UNIFORM_COLOR", "TRIS", layout.rectangles(words.times, 0.06)),
        _batch("UNIFORM_COLOR", "LINES", layout.ends(words.times)),
        {},
    )


def _batch(
    shader: Any, kind: Any, corners: NDArray[np.floating], colours: NDArray[np.floating] | None = None
) -> gpu.types.GPUBatch | None:
    """Corners (N, 2) as the graphics card draws them, perhaps with colours (N, 4); None without corners."""
    if not len(corners):
        return None
    content: dict[str, Any] = {"pos": np.column_stack([corners, np.zeros(len(corners))]).astype(np.float32)}
    if colours is not None:
        content["color"] = np.asarray(colours, np.float32)
    return batch_for_shader(gpu.shader.from_builtin(shader), kind, content)
