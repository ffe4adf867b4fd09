"""Change, add and remove single sounds of a line, and reset what was changed in them."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...animation import line_sounds, lines
from ...animation.chosen_line import ChosenLine, chosen_line
from ...errors import UserError
from ...prediction import sound_poses
from ..blender_types import OperatorMixin, OperatorResult
from ..sound_timeline import timeline
from .all_or_nothing import all_or_nothing
from .poll import enabled_unless

NO_SOUNDS = "This line has no sounds: press Listen first."
NO_CHOICE = "Click a sound first."
_items: list[tuple[str, str, str]] = []  # Blender needs the texts of a menu to live as long as it is open


def _symbols(_operator: object, _context: bpy.types.Context | None) -> list[tuple[str, str, str]]:
    """Return the sounds that can be chosen, each with its ARPAbet and its viseme."""
    _items[:] = [
        (symbol, f"{symbol}   {sound.arpabet}   {sound.viseme}", "")
        for symbol, sound in sound_poses.table().sounds.items()
        if symbol
    ]
    return _items


class _SoundOperator(OperatorMixin):
    """Base of operators that change the sounds of the line that the panels show, and write its curves again."""

    @all_or_nothing
    def execute(self, context: bpy.types.Context) -> OperatorResult:
        line = chosen_line(context)
        self.change(context, line)
        lines.refresh(*line)
        timeline.redraw()
        return {"FINISHED"}

    def change(self, context: bpy.types.Context, line: ChosenLine) -> None:
        """Change the sounds.

        Args:
            context: Blender's.
            line: The line.
        """
        raise NotImplementedError


class LSF_OT_change_sound(_SoundOperator, bpy.types.Operator):
    """Show another sound than was heard."""

    bl_idname = "lsf.change_sound"
    bl_label = "Change Sound"
    bl_options = {"REGISTER", "UNDO"}

    symbol: bpy.props.EnumProperty(name="Sound", description="The sound that is spoken", items=_symbols)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def change(self, context: bpy.types.Context, line: ChosenLine) -> None:
        line.record.sounds[line.record.active_sound].symbol = self.symbol
        line_sounds.stamp(line.record)


class LSF_OT_add_sound(_SoundOperator, bpy.types.Operator):
    """Add a sound that was missed at the current frame."""

    bl_idname = "lsf.add_sound"
    bl_label = "Add Sound"
    bl_options = {"REGISTER", "UNDO"}

    symbol: bpy.props.EnumProperty(name="Sound", description="The sound that is spoken", items=_symbols)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context, needs_choice=False))

    def change(self, context: bpy.types.Context, line: ChosenLine) -> None:
        assert context.scene is not None
        line_sounds.add(line.record, context.scene.frame_current - line.record.tweaks.offset, self.symbol)


class LSF_OT_remove_sound(_SoundOperator, bpy.types.Operator):
    """Take the sound out of the face: the mouth goes past it."""

    bl_idname = "lsf.remove_sound"
    bl_label = "Remove Sound"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def change(self, context: bpy.types.Context, line: ChosenLine) -> None:
        line_sounds.remove(line.record, line.record.active_sound)


class LSF_OT_reset_sound(_SoundOperator, bpy.types.Operator):
    """Undo what you have changed in this sound: it is as it was heard, or removed if you have added it.

    Keys that you set by hand are kept.
    """

    bl_idname = "lsf.reset_sound"
    bl_label = "Reset Sound"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if reason := disabled_reason(context):
            return enabled_unless(cls, reason)
        record = chosen_line(context).record
        if line_sounds.changed(record)[record.active_sound]:
            return True
        return enabled_unless(cls, "This sound was not changed.")

    def change(self, context: bpy.types.Context, line: ChosenLine) -> None:
        line_sounds.reset(line.record, [line.record.active_sound])


class LSF_OT_reset_all_sounds(_SoundOperator, bpy.types.Operator):
    """Undo what you have changed in all sounds of the line.

    Sounds that you have added are removed. Keys that you set by hand are kept.
    """

    bl_idname = "lsf.reset_all_sounds"
    bl_label = "Reset All Sounds"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if reason := disabled_reason(context, needs_choice=False):
            return enabled_unless(cls, reason)
        if line_sounds.changed(chosen_line(context).record).any():
            return True
        return enabled_unless(cls, "No sound of this line was changed.")

    def change(self, context: bpy.types.Context, line: ChosenLine) -> None:
        record = line.record
        line_sounds.reset(record, range(len(record.sounds)))
        self.report({"INFO"}, iface("{name}: the sounds are as they were heard").format(name=record.name))


def disabled_reason(context: bpy.types.Context, needs_choice: bool = True) -> str:
    """Return why the buttons for sounds are disabled, as a sentence; empty if they are not.

    Args:
        context: Tells the line.
        needs_choice: Whether a sound must be active.
    """
    try:
        record = chosen_line(context).record
    except UserError as error:
        return f"{error}."
    if not len(record.sounds):
        return NO_SOUNDS
    return NO_CHOICE if needs_choice and line_sounds.active(record) is None else ""
