"""The main panel: setup, head, strip, Generate and the result of the last run."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ... import compat
from ...client import last_fault
from ...errors import UserError
from ...jobs import checkup, environment, head_checks, session
from ...scene import strips
from ...scene.extension import PACKAGE
from ...scene.findings import Finding, Level
from ...scene.own_properties import settings_of
from ..blender_types import IconItems
from ..head import find_head
from ..operators import extend_scene, generate
from ..text import LINE_HEIGHT, wrapped
from .common import Tab
from .setup import draw_setup

FINDING_ICONS: dict[Level, IconItems] = {"FAULT": "ERROR", "NOTE": "INFO", "OK": "CHECKMARK"}
_status_rows: dict[str, int] = {}  # rows of the last text below Generate, for each kind of editor


class _MainPanel(Tab):
    bl_label = "LSF Speech Animation"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        is_ready = environment.server_python() is not None and not environment.installing()
        has_sound = bool(strips.sound_strips(compat.sequencer_scene(context)))
        if is_ready and has_sound:
            session.preload_soon()
        if not is_ready or environment.is_outdated():
            box = layout.box()
            box.label(text="Speech Engine", icon="PREFERENCES")
            draw_setup(box, context)
            box.operator("preferences.addon_show", text="More in the Preferences").module = PACKAGE
        _draw_choice(layout, context, has_sound)
        _draw_check(layout, context)
        _draw_scene_end(layout, context)
        row = layout.row(align=True)
        row.scale_y = 1.4
        if session.batch is None:
            row.operator("lsf.generate", icon="PLAY")
        else:
            row.progress(factor=session.batch.fraction, text=session.batch.text)
            row.operator("lsf.cancel", text="", icon="X")
        self._draw_status(context, is_ready)
        model = session.model_in_use()
        if model is not None and not model.is_shipped:
            wrapped(layout, context, iface("Model: {name}").format(name=model.name), "INFO")
        _device, note = session.device_in_use()
        if note:  # the GPU could not be used
            wrapped(layout, context, note, "INFO")

    def _draw_status(self, context: bpy.types.Context, is_ready: bool) -> None:
        """Draw the last result, or why Generate is disabled, or the start of the speech engine.

        When a text goes, its rows stay empty, so that what lies below does not jump.

        Args:
            context: Tells the head, the strip and the width of the region.
            is_ready: Whether the speech engine is installed.
        """
        fraction, loading = session.loading() if session.batch is None else (0.0, "")
        text, icon = session.message, _message_icon()
        if not text and session.batch is None and is_ready:
            text, icon = generate.disabled_reason(context), "INFO"
        if text:
            _status_rows[self.bl_space_type] = wrapped(self.layout, context, text, icon)
            if session.failed and last_fault.is_in(session.message):
                self.layout.operator("lsf.copy_report", icon="COPYDOWN")
            _draw_cures(self.layout, context)
            return
        column = self.layout.column(align=True)
        column.scale_y = LINE_HEIGHT
        if loading:
            column.progress(factor=fraction, text=loading)
        for _ in range(_status_rows.get(self.bl_space_type, 1) - bool(loading)):
            column.label(text="")


class LSF_PT_view3d(_MainPanel, bpy.types.Panel):
    bl_idname = "LSF_PT_view3d"
    bl_space_type = "VIEW_3D"


class LSF_PT_sequencer(_MainPanel, bpy.types.Panel):
    bl_idname = "LSF_PT_sequencer"
    bl_space_type = "SEQUENCE_EDITOR"


def _draw_choice(layout: bpy.types.UILayout, context: bpy.types.Context, has_sound: bool) -> None:
    """Draw the fields for head and strip, and what adds them."""
    settings = settings_of(context.scene)
    column = layout.column()
    column.use_property_split, column.use_property_decorate = True, False
    active = find_head(context)
    column.prop(settings, "head", placeholder=active.name if active else "")
    row = column.row(align=True)
    row.prop(settings, "shown_strip", icon="SOUND", placeholder=_default_strip(context))
    if has_sound:
        row.operator("lsf.add_speech", text="", icon="ADD")
    else:
        column = layout.column(align=True)
        column.operator("lsf.add_speech", text="Add Speech…", icon="ADD")
        column.operator("lsf.demo_line", icon="USER")


def _draw_check(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw the button that checks the head, and what was found."""
    head = find_head(context)
    if head is None:
        return
    row, found = layout.row(align=True), checkup.shown(head)
    row.operator("lsf.check_character", icon="VIEWZOOM")
    if not found:
        return
    row.operator("lsf.hide_check", text="", icon="X")
    box = layout.box().column()
    for finding in found:
        wrapped(box, context, finding.text, FINDING_ICONS[finding.level])
        _draw_cure(box, finding)
        if finding.cure:
            box.separator(factor=0.5)


def _draw_cures(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw the buttons that mend what keeps a result from being seen, or what disables Generate.

    If Check Character shows them already, they are not drawn again.
    """
    head = find_head(context)
    if head is None or checkup.shown(head) or session.noted:
        return
    is_result = bool(session.message) and not session.failed
    for finding in (head_checks.keys_that_show if is_result else head_checks.can_be_animated)(head, None):
        _draw_cure(layout, finding)


def _draw_cure(layout: bpy.types.UILayout, finding: Finding) -> None:
    """Draw the button that mends what was found, if there is one."""
    if not finding.cure:
        return
    row = layout.row()
    row.label(text="", icon="BLANK1")
    if finding.cure_label:
        row.operator(finding.cure, text=finding.cure_label)
    else:
        row.operator(finding.cure)


def _draw_scene_end(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw that the line ends after the scene, if it does, and a button that extends the scene."""
    if last := extend_scene.late_end(context):
        text = iface("The line ends at frame {last}, the scene at {end}")
        wrapped(layout, context, text.format(last=last, end=compat.sequencer_scene(context).frame_end), "INFO")
        layout.operator("lsf.extend_scene")


def _message_icon() -> IconItems:
    """Return the icon of the message: a tick if it tells a result that is in the file."""
    return "ERROR" if session.failed else "INFO" if session.noted else "CHECKMARK"


def _default_strip(context: bpy.types.Context) -> str:
    """Return the name of the strip that is used if the field is empty."""
    try:
        return strips.find_strip(compat.sequencer_scene(context), "").name
    except UserError:
        return ""
