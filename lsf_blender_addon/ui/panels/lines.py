"""The lines of the chosen head: what became of their strips, the way to them, and what removes them."""

from typing import TYPE_CHECKING, NamedTuple

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...animation import actions, lines, lines_of_0_1
from ...animation.line_curves import Rank
from ...jobs import line_list
from ...prediction import store
from ...scene import expression_bank, strip_identity, style_cards
from ...scene.access import mesh_of
from ...scene.own_properties import lines_of, settings_of
from ...scene.strip_identity import State, Status
from ..blender_types import IconItems
from ..text import LETTER_WIDTH, wrapped
from ..translations import OWN_CONTEXT
from .common import RowList, Tab, chosen_head, frames_text

if TYPE_CHECKING:
    from ..properties.lines import LSF_PG_line

ROWS = 4  # of the list; fewer lines leave rows empty, so that what lies below stays in its place
# Pixels of a sidebar at an interface scale of 1 from which on there is room:
WORDS = 330  # in a row of the list, for a word on the strip
FRAMES = 150  # in a row of the list, for the line's frames
PAIRS = 230  # for two buttons side by side
MARGIN, MAX_SHARE = 30, 0.6  # of the frames in a row: pixels besides the letters, and the largest share of the row
NAMES = 3  # other lines that a sentence lists


class Row(NamedTuple):
    """What the list shows of a line.

    Attributes:
        name: The present name of its strip, or of the recording.
        icon: Of what became of the strip.
        word: The same in a word; empty for nothing.
        sentence: The same in a sentence.
        rank: Which line decides where several are heard at the same frames: that of the highest rank.
        blended: Names of other lines of this rank that are heard at the same frames.
        above: Names of those of a higher rank.
    """

    name: str
    icon: IconItems
    word: str
    sentence: str
    rank: Rank
    blended: tuple[str, ...] = ()
    above: tuple[str, ...] = ()


_rows: dict[str, Row] = {}  # what the list that is being drawn shows, by the ids of the lines
_width = 0.0  # pixels of its sidebar at an interface scale of 1


class LSF_UL_lines(RowList, bpy.types.UIList):
    @staticmethod
    def draw_row(layout: bpy.types.UILayout, item: "LSF_PG_line") -> None:
        shown = _rows.get(item.uid)
        if shown is None:  # a line that was made while the list is drawn
            return
        if _width < FRAMES:
            layout.label(text=shown.name, icon=shown.icon, translate=False)
            return
        frames = frames_text(item.first_frame, item.frames)
        split = layout.split(factor=1 - min(MAX_SHARE, (LETTER_WIDTH * len(frames) + MARGIN) / _width))
        row = split.row()
        row.label(text=shown.name, icon=shown.icon, translate=False)
        if _width >= WORDS:
            row.label(text=shown.word, translate=False)
        column = split.row()
        column.alignment = "RIGHT"
        column.label(text=frames, translate=False)

    def filter_items(  # type: ignore[override]  # the stubs do not know that Blender takes lists
        self, context: bpy.types.Context | None, data: bpy.types.AnyType | None, property: str | None
    ) -> tuple[list[int], list[int]]:
        """Filter by the name that is typed below the list, and sort by frames."""
        records = list(getattr(data, property or "lines"))
        names = [_rows[record.uid].name if record.uid in _rows else record.name for record in records]
        typed = self.filter_name.lower()
        flags = [self.bitflag_filter_item if typed in name.lower() else 0 for name in names]
        in_order = sorted(range(len(records)), key=lambda i: (records[i].first_frame, names[i]))
        order = [0] * len(records)
        for place, i in enumerate(in_order):
            order[i] = place
        return flags, order


class _LinesPanel(Tab):
    bl_label = "Lines"
    bl_translation_context = OWN_CONTEXT  # Blender translates "Lines" as strokes

    def draw(self, context: bpy.types.Context) -> None:
        global _width
        layout = self.layout
        head = chosen_head(layout, context)
        if head is None:
            return
        if lines_of_0_1.are_there(mesh_of(head)):
            wrapped(layout, context, "This head has lines of version 0.1.0 of the add-on", "INFO")
            layout.operator("lsf.take_over_lines", icon="IMPORT")
        action = actions.existing(mesh_of(head))
        if action is None or not len(lines_of(action)):
            wrapped(layout, context, "Nothing was generated for this head yet", "INFO")
            return
        settings = settings_of(context.scene)
        _rows.clear()
        _rows.update(_read_rows(action, head))
        _width = context.region.width / context.preferences.system.ui_scale
        marked, records = line_list.shown_index(context, anew=True), lines_of(action)
        owner = action.lsf  # type: ignore[attr-defined]  # registered at run time
        layout.template_list("LSF_UL_lines", "", owner, "lines", settings, "shown_line", rows=ROWS)
        column = layout.column(align=True)
        row = column.row(align=True) if _width >= PAIRS else column
        row.operator("lsf.edit_line", icon="GREASEPENCIL")
        row.operator("lsf.generate_line", icon="FILE_REFRESH")
        column.operator("lsf.follow_strip", icon="ARROW_LEFTRIGHT")
        row = column.row(align=True) if _width >= PAIRS else column
        row.operator("lsf.remove_line", icon="X")
        row.operator("lsf.remove_all_lines", icon="TRASH")
        if not 0 <= marked < len(records):
            wrapped(layout, context, "Click a line to go there", "INFO")
            return
        shown = _rows[records[marked].uid]
        wrapped(layout, context, shown.sentence, shown.icon)
        for text, others in (
            (iface("Blended with {names}"), shown.blended),
            (iface("Gives way to {names}"), shown.above),
        ):
            if others:
                names = ", ".join(others[:NAMES]) + (" …" if len(others) > NAMES else "")
                wrapped(layout, context, text.format(names=names), "SELECT_INTERSECT")


def _read_rows(action: bpy.types.Action, head: bpy.types.Object) -> dict[str, Row]:
    """Return what the list shows of the lines of a head, by their ids. Looks at all strips once."""
    sources = lines.sources_of(action, head)
    statuses = dict(zip((source.id for source in sources), strip_identity.states(sources), strict=True))
    rows = {record.uid: _row(record, statuses.get(record.uid)) for record in lines_of(action)}
    style = style_cards.digest(head)
    for uid, row in rows.items():
        prediction = store.record_of(action, store.PROPERTY, uid)
        if not row.word and prediction is not None and store.style_of(prediction) != style:
            text = iface("The style of the head was changed since. Press Generate Again")
            rows[uid] = row = row._replace(icon="ERROR", word=iface("changed"), sentence=text)
        kept = store.expressions_of(prediction)
        changed = expression_bank.changed(head, kept) if kept and not row.word else []
        if changed:
            text = iface("Expressions were changed since: {names}. Press Generate Again").format(
                names=", ".join(changed)
            )
            rows[uid] = row._replace(icon="ERROR", word=iface("changed"), sentence=text)
    for uid, others in _overlapping(action).items():
        row = rows[uid]
        blended = tuple(rows[other].name for other in others if rows[other].rank == row.rank)
        above = tuple(rows[other].name for other in others if rows[other].rank > row.rank)
        if not row.word and (blended or above):
            row = row._replace(icon="SELECT_INTERSECT", word=iface("blended") if blended else iface("gives way"))
        rows[uid] = row._replace(blended=blended, above=above)
    return rows


def _overlapping(action: bpy.types.Action) -> dict[str, list[str]]:
    """Return for each line that is heard at the same frames as others the ids of these."""
    spans = sorted((record.first_frame, record.first_frame + record.frames, record.uid) for record in lines_of(action))
    found: dict[str, list[str]] = {}
    for i, (_first, end, uid) in enumerate(spans):
        for first, _end, other in spans[i + 1 :]:
            if first >= end:
                break
            found.setdefault(uid, []).append(other)
            found.setdefault(other, []).append(uid)
    return found


def _row(record: "LSF_PG_line", status: Status | None) -> Row:
    """Return what the list shows of a line that is alone at its frames."""
    if status is None:
        return Row(record.name, "REC", iface("recording"), iface("An imported recording"), Rank.RECORDING)
    name = status.strip.name if status.strip else record.name
    if status.state is State.MOVED:
        sentence = iface("The strip begins at frame {strip}, the line at {line}").format(
            strip=record.first_frame + status.moved, line=record.first_frame
        )
        return Row(name, "ARROW_LEFTRIGHT", iface("moved"), sentence, Rank.STRIP)
    if status.state is State.CHANGED:
        return Row(name, "ERROR", iface("changed"), iface("The strip was changed: press Generate Again"), Rank.STRIP)
    if status.state is State.GONE:
        return Row(name, "UNLINKED", iface("strip is gone"), iface("The strip is gone"), Rank.STRIP_GONE)
    return Row(name, "SOUND", "", iface("The strip is as it was"), Rank.STRIP)


class LSF_PT_view3d_lines(_LinesPanel, bpy.types.Panel):
    bl_space_type = "VIEW_3D"
    bl_parent_id = "LSF_PT_view3d"


class LSF_PT_sequencer_lines(_LinesPanel, bpy.types.Panel):
    bl_space_type = "SEQUENCE_EDITOR"
    bl_parent_id = "LSF_PT_sequencer"
