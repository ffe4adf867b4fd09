"""Which take of the line to generate, which part of it, and several takes to step through."""

from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as iface

from ... import compat
from ...animation.chosen_line import ChosenLine, chosen_line
from ...errors import UserError
from ...jobs import session
from ...prediction import takes
from ...scene import strips
from ...scene.own_properties import settings_of
from ..text import wrapped
from .common import Tab, draw_line_name

if TYPE_CHECKING:
    from ..properties.settings import LSF_PG_settings

SAME = 5e-3  # a variation is shown with two digits


class _TakePanel(Tab):
    bl_label = "Take"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, settings_of(context.scene)
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.prop(settings, "take")
        layout.prop(settings, "variation", slider=True)
        line = _chosen_line(context)
        needs_generate, text = _take_of_line(settings, line)
        layout.label(text=text, icon="INFO" if needs_generate else "NONE", translate=False)
        if model := _model_of_line(line):
            wrapped(layout, context, iface("Made by the model {name}").format(name=model), "INFO")
        layout.prop(settings, "only_range")
        if settings.only_range:
            first, last = strips.current_range(compat.sequencer_scene(context))
            text = iface("Frames {first} to {last}").format(first=first, last=last)
            layout.label(text=text, translate=False)
        layout.prop(settings.takes, "count")
        layout.operator("lsf.generate_takes", icon="DUPLICATE")
        if line is None or not (count := takes.count(line.action, line.uid)):
            return
        draw_line_name(layout, context, line)
        row = layout.row(align=True)
        row.operator("lsf.step_take", text="", icon="TRIA_LEFT").step = -1
        row.label(text=_which(line, count), translate=False)
        row.operator("lsf.step_take", text="", icon="TRIA_RIGHT").step = 1
        layout.operator("lsf.keep_take", icon="CHECKMARK")


def _chosen_line(context: bpy.types.Context) -> ChosenLine | None:
    """Return the line that the panels show, if there is one."""
    try:
        return chosen_line(context)
    except UserError:
        return None


def _take_of_line(settings: "LSF_PG_settings", line: ChosenLine | None) -> tuple[bool, str]:
    """Return whether Generate would make another take than the line has, and a text on the take that it has."""
    generated = takes.setting(line.action, line.uid) if line and line.record.kind == "SPEECH" else None
    if generated is None:
        return False, ""
    seed, temperature = generated
    asked = settings.take_request(settings.take)
    if asked["seed"] != seed:
        return True, iface("Needs Generate: this is take {take}").format(take=seed)
    if abs(asked["temperature"] - temperature) > SAME:
        return True, iface("Needs Generate: this is variation {variation}").format(variation=f"{temperature:.2f}")
    return False, iface("This is take {take}").format(take=seed)


def _model_of_line(line: ChosenLine | None) -> str:
    """Return which model made the line, if it is another than the one that runs; empty if not, or if none is known."""
    model = takes.model(line.action, line.uid) if line and line.record.kind == "SPEECH" else ""
    in_use = session.model_in_use()
    return "" if in_use is None or not in_use.digest or model == in_use.label else model


def _which(line: ChosenLine, count: int) -> str:
    """Return a text on which of the line's takes plays."""
    index = takes.playing(line.action, line.uid)
    if index is None:
        return iface("{count} takes").format(count=count)
    return iface("Take {take}: {position} of {count}").format(
        take=takes.seed(line.action, line.uid, index), position=index + 1, count=count
    )


class LSF_PT_view3d_take(_TakePanel, bpy.types.Panel):
    bl_space_type = "VIEW_3D"
    bl_parent_id = "LSF_PT_view3d"


class LSF_PT_sequencer_take(_TakePanel, bpy.types.Panel):
    bl_space_type = "SEQUENCE_EDITOR"
    bl_parent_id = "LSF_PT_sequencer"
