"""A click on a sound of the timeline. Clicks beside it go on to Blender."""

from typing import Any

import bpy

from ...animation.chosen_line import ChosenLine, picked_line
from ...jobs import line_list
from ..blender_types import OperatorResult
from ..head import find_head
from ..properties.sounds import show_active
from ..sound_timeline import timeline

# Names of Blender's keymaps in which a click comes to the add-on first, and their spaces.
KEYMAPS: tuple[tuple[str, Any], ...] = (
    ("Sequencer", "SEQUENCE_EDITOR"),
    ("Dopesheet", "DOPESHEET_EDITOR"),
    ("Graph Editor", "GRAPH_EDITOR"),
)
_added: list[tuple[Any, Any]] = []  # keymaps, and the entries in them


class LSF_OT_pick_sound(bpy.types.Operator):
    """Choose this sound, and select the keys of its frames."""

    bl_idname = "lsf.pick_sound"
    bl_label = "Choose Sound"
    bl_options = {"UNDO", "INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return timeline.is_shown() and context.area is not None and context.area.type in timeline.AREAS

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        found = timeline.hit(context, event.mouse_region_x, event.mouse_region_y)
        if found is None:
            return {"PASS_THROUGH"}
        record, index = found
        action, head, picked = record.id_data, find_head(context), picked_line(context)
        assert isinstance(action, bpy.types.Action) and head is not None  # else nothing is drawn
        if picked is None or picked.uid != record.uid:
            line = ChosenLine(action, record)
            line_list.show(context, line, line_list.status_of(head, line), False)
        if action.library is not None:  # it can be looked at
            return {"FINISHED"}
        if record.active_sound == index:
            show_active(record, context)
        else:
            record.active_sound = index
        return {"FINISHED"}


def register() -> None:
    """Add the entries to the keymaps of the editors that show sounds; without a window there are none."""
    manager = bpy.context.window_manager
    configuration = manager.keyconfigs.addon if manager else None
    if configuration is None:
        return
    for name, space in KEYMAPS:
        keymap = configuration.keymaps.new(name=name, space_type=space)
        _added.append((keymap, keymap.keymap_items.new(LSF_OT_pick_sound.bl_idname, "LEFTMOUSE", "PRESS", head=True)))


def unregister() -> None:
    """Remove the entries."""
    for keymap, entry in _added:
        keymap.keymap_items.remove(entry)
    _added.clear()
