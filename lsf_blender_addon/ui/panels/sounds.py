"""The sounds that were heard in a line: on the timeline and in a list, with sliders for each."""

from typing import TYPE_CHECKING, Any

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...animation import line_sounds
from ...animation.chosen_line import ChosenLine
from ...jobs import environment
from ...prediction import sound_poses
from ...scene.own_properties import choice, settings_of
from ..sound_timeline import timeline
from ..text import wrapped
from .common import RowList, Tab, chosen_line, draw_line_name, frames_text

if TYPE_CHECKING:
    from ..properties.lines import LSF_PG_line
    from ..properties.sounds import LSF_PG_sound

ROWS = 5
SLIDERS = ("close", "open", "round", "wide", "later", "strength")


class LSF_UL_sounds(RowList, bpy.types.UIList):
    @staticmethod
    def draw_row(layout: bpy.types.UILayout, item: "LSF_PG_sound") -> None:
        record: Any = _record_of(item)
        notation = choice(settings_of(bpy.context.scene).sounds, "notation")
        shown = line_sounds.item_of(item)
        row = layout.row()
        row.active = bool(item.symbol)
        text = timeline.label(shown, notation)
        if item.symbol != item.heard and item.heard:
            text += f"  ({timeline.label(shown._replace(symbol=item.heard), notation)})"
        row.label(text=text, icon="MODIFIER" if shown.is_changed else "BLANK1", translate=False)
        first, last = line_sounds.frames_between(record, item.start, item.end)
        row.label(text=frames_text(first, last - first + 1), translate=False)

    def filter_items(  # type: ignore[override]  # the stubs do not know that Blender takes lists
        self, context: bpy.types.Context | None, data: bpy.types.AnyType | None, property: str | None
    ) -> tuple[list[int], list[int]]:
        """Show the sounds that the line plays, and those with the letters that are typed below the list."""
        record: Any = data
        when = line_sounds.frames(record, line_sounds.times(record.sounds))
        first = record.first_frame
        inside = ((when[:, 1] > first) & (when[:, 0] < first + record.frames)).tolist()
        typed, table, shown = self.filter_name.lower(), sound_poses.table(), self.bitflag_filter_item
        flags = [shown if is_inside else 0 for is_inside in inside]
        for i, sound in enumerate(record.sounds if typed else ()):
            names = (sound.symbol, table.arpabet(sound.symbol).lower(), table.viseme(sound.symbol).lower())
            flags[i] *= typed in names
        return flags, []


def _record_of(sound: "LSF_PG_sound") -> "LSF_PG_line":
    """Return the line of a sound."""
    path = sound.path_from_id().rpartition(".")[0]
    found: Any = sound.id_data.path_resolve(path)
    record: LSF_PG_line = found
    return record


class _SoundsPanel(Tab):
    bl_label = "Sounds"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        line = chosen_line(layout, context)
        if line is None:
            return
        settings, record = settings_of(context.scene).sounds, line.record
        draw_line_name(layout, context, line)
        column = layout.column()
        column.prop(record, "transcript", icon="TEXT", text="", placeholder=iface("Transcript"))
        has_sounds = bool(len(record.sounds))
        column.operator("lsf.listen", text="Listen Again" if has_sounds else "Listen", icon="PLAY_SOUND")
        if record.transcript.strip() and environment.state().usable and not environment.transcripts_are_known():
            wrapped(column, context, "A transcript needs a package that is not installed yet", "INFO")
            column.operator("lsf.install_transcripts", icon="IMPORT")
        if has_sounds and record.transcript.strip() != record.pinned:
            wrapped(column, context, "The transcript has changed: press Listen Again", "INFO")
        column.prop(settings, "with_generate")
        if not has_sounds:
            wrapped(layout, context, "Listen finds the sounds of the line without changing its animation", "INFO")
            return
        layout.operator("lsf.show_sounds", icon="SEQ_STRIP_DUPLICATE", depress=timeline.is_shown())
        layout.row(align=True).prop(settings, "notation", expand=True)
        layout.template_list("LSF_UL_sounds", "", record, "sounds", record, "active_sound", rows=ROWS)
        layout.prop(settings, "preview")
        self._draw_buttons(layout, line)

    @staticmethod
    def _draw_buttons(layout: bpy.types.UILayout, line: ChosenLine) -> None:
        """Draw the sliders of the active sound, and what changes it."""
        sound = line_sounds.active(line.record)
        if sound is not None:
            column = layout.column(align=True)
            column.use_property_split, column.use_property_decorate = True, False
            for name in SLIDERS:
                column.prop(sound, name, slider=True)
        column = layout.column(align=True)
        column.operator_menu_enum("lsf.change_sound", "symbol", text="Change To", icon="FILE_REFRESH")
        column.operator_menu_enum("lsf.add_sound", "symbol", text="Add at Current Frame", icon="ADD")
        column.operator("lsf.remove_sound", icon="REMOVE")
        row = layout.row(align=True)
        row.operator("lsf.reset_sound", icon="LOOP_BACK")
        row.operator("lsf.reset_all_sounds")


class LSF_PT_view3d_sounds(_SoundsPanel, bpy.types.Panel):
    bl_space_type = "VIEW_3D"
    bl_parent_id = "LSF_PT_view3d"


class LSF_PT_sequencer_sounds(_SoundsPanel, bpy.types.Panel):
    bl_space_type = "SEQUENCE_EDITOR"
    bl_parent_id = "LSF_PT_sequencer"
