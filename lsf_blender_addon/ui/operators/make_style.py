"""Make Style Card: from a recording of Live Link Face, or an Action of the head, and the sound of the chosen strip."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
import numpy as np
from bpy.app.translations import pgettext_iface as iface
from bpy_extras.io_utils import ImportHelper

from ... import compat
from ...animation import arkit_keys, style_card_edits
from ...client.wire import MAX_NAME, STYLE_FAMILIES, StyleCard
from ...errors import UserError
from ...formats.curves import Curves
from ...jobs import make_style, session
from ...jobs.batch import Item
from ...jobs.environment import NOT_INSTALLED, server_python
from ...jobs.make_style import StyleMaking
from ...jobs.name_list import listed
from ...scene import meshes, strips
from ...scene.access import active_scene, find_item, mesh_of
from ...scene.own_properties import settings_of
from ...scene.snapshots import Line
from ..blender_types import OperatorResult
from ..head import find_head, require_head
from ..properties.style_labels import family_label
from .batch_modal import BatchModal, run_after_dialog
from .poll import disabled_reason_busy, enabled_unless, linked_reason

MAX_SECONDS = 600.0  # of a performance that is measured; the server uses no more


class _MakesStyle(BatchModal):
    """Mixin for the operators that make a card. They define `source`."""

    def source(self, head: bpy.types.Object, line: Line) -> tuple[Callable[[], tuple[Curves, float]], str]:
        """Return what reads the recorded channels, see `StyleMaking`, and a name for the card.

        Raises:
            UserError: There is nothing to read.
        """
        raise NotImplementedError

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def batch_items(self, context: bpy.types.Context) -> list[Item]:
        head, scene, settings = require_head(context), compat.sequencer_scene(context), settings_of(context.scene)
        line = strips.read_line(scene, strips.find_strip(scene, settings.strip, settings.strip_id))
        read, name = self.source(head, line)
        self._head = head.name
        return [Item(name, lambda: StyleMaking(session.client(), line, read, name))]

    def write(self, item: Item) -> str:
        work = item.work
        assert isinstance(work, StyleMaking)
        head = find_item(bpy.data.objects, self._head)
        if head is None or head.type != "MESH":
            raise UserError("The head was deleted or renamed: try again")
        name = style_card_edits.add(head, work.card)
        return told(name, work.card, work.lag)


class LSF_OT_make_style_from_recording(_MakesStyle, bpy.types.Operator, ImportHelper):
    """Measure how the actor of a Live Link Face recording moves, with the sound of the chosen strip.

    The recording begins where the strip does, give or take 0.3 s. A minute or more is best.
    """

    bl_idname = "lsf.make_style_from_recording"
    bl_label = "Make Style Card from Recording"
    bl_options = {"UNDO"}

    filename_ext = ".csv"
    filter_glob: bpy.props.StringProperty(default="*.csv", options={"HIDDEN"})
    rate: bpy.props.FloatProperty(
        name="Timecode Rate",
        description="Frames per second of the recording's timecode, such as 59.94. 0 finds it",
        default=0.0,
        min=0.0,
        max=240.0,
    )

    if TYPE_CHECKING:
        filepath: str  # a property of ImportHelper

    def invoke(  # type: ignore[override]  # ImportHelper and Operator return different types in the stubs
        self, context: bpy.types.Context, event: bpy.types.Event
    ) -> OperatorResult:
        if self.properties.is_property_set("filepath"):
            return _MakesStyle.invoke(self, context, event)
        return ImportHelper.invoke(self, context, event)  # type: ignore[return-value]  # likewise

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Start the job: with progress from the dialog; a script waits for its end."""
        if not self.options.is_invoke:
            return _MakesStyle.execute(self, context)
        return run_after_dialog(self, "make_style_from_recording", filepath=self.filepath, rate=self.rate)

    def source(self, head: bpy.types.Object, line: Line) -> tuple[Callable[[], tuple[Curves, float]], str]:
        path = bpy.path.abspath(self.filepath)
        return make_style.of_file(path, self.rate), Path(path).stem[:MAX_NAME]


class LSF_OT_make_style_from_action(_MakesStyle, bpy.types.Operator):
    """Measure how an Action moves the head's shape keys where the chosen strip speaks.

    An imported recording is in the Action of the generated lines.
    """

    bl_idname = "lsf.make_style_from_action"
    bl_label = "Make Style Card from Action"
    bl_options = {"UNDO"}

    action: bpy.props.StringProperty(name="Action", description="Action of the head's shape keys")

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        """Ask for the Action; the one that the head plays is proposed."""
        if self.properties.is_property_set("action"):
            return super().invoke(context, event)
        self.action = _played(require_head(context))
        return context.window_manager.invoke_props_dialog(self)

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.prop_search(self, "action", bpy.data, "actions")

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Start the job: with progress from the dialog; a script waits for its end."""
        if not self.options.is_invoke:
            return super().execute(context)
        return run_after_dialog(self, "make_style_from_action", action=self.action)

    def source(self, head: bpy.types.Object, line: Line) -> tuple[Callable[[], tuple[Curves, float]], str]:
        action = find_item(bpy.data.actions, self.action)
        if action is None:
            raise UserError("Choose an Action of the head's shape keys")
        curves = action_curves(head, action, line)
        return lambda: (curves, line.fps), f"{head.name}, {line.strip}"[:MAX_NAME]


def action_curves(head: bpy.types.Object, action: bpy.types.Action, line: Line) -> Curves:
    """The channels that an Action moves on a head while a line is heard; time 0 is where the strip begins.

    Raises:
        UserError: It moves none.
    """
    count = int(min(line.frames, MAX_SECONDS * line.fps))
    frames = line.first_frame + np.arange(count)
    keys = mesh_of(head).shape_keys
    paths = {f'key_blocks["{bpy.utils.escape_identifier(key.name)}"].value': key.name for key in keys.key_blocks}
    curves = [curve for curve in compat.fcurves_of(action) if curve.data_path in paths]
    names = [paths[curve.data_path] for curve in curves]
    values = np.array([[curve.evaluate(float(frame)) for frame in frames] for curve in curves], np.float32)
    if not names or not values.size:
        raise UserError(f'"{action.name}" moves no shape keys of "{head.name}": choose another Action')
    channels, moved = arkit_keys.keys_to_channels(head, names, values.T)
    return Curves(channels, np.arange(count) / line.fps, moved.astype(np.float32))


def _played(head: bpy.types.Object) -> str:
    """Name of the Action that plays on the head's shape keys; the generated one lies in a track."""
    keys = mesh_of(head).shape_keys
    data = keys.animation_data if keys is not None else None
    if data is None:
        return ""
    if data.action is not None:
        return str(data.action.name)
    found = [strip.action.name for track in data.nla_tracks for strip in track.strips if strip.action is not None]
    return found[-1] if found else ""


def told(name: str, card: StyleCard, lag: float) -> str:
    """What was measured, for the panel."""
    left_out = dict(card.left_out)
    kept = [family_label(family) for family in STYLE_FAMILIES if family not in left_out]
    if not kept:
        return iface("The style card {name} was made: the actor moves as the default does").format(name=name)
    text = iface("The style card {name} was made: {kept}").format(name=name, kept=listed(kept))
    if abs(lag) >= 0.02:  # half of a frame
        text += "; " + iface("the recording is {ms} ms later than the sound").format(ms=round(1000 * lag))
    return text


def disabled_reason(context: bpy.types.Context) -> str:
    """Return why Make Style Card is disabled, as a sentence; empty if it is not."""
    if reason := disabled_reason_busy():
        return reason
    if server_python() is None:
        return f"{NOT_INSTALLED}."
    head = find_head(context)
    if head is None:
        return "Select the head: a mesh object."
    if reason := linked_reason(head):
        return reason
    settings = settings_of(active_scene(context))
    try:
        meshes.check_local(head)
        strips.find_strip(compat.sequencer_scene(context), settings.strip, settings.strip_id)
    except UserError as error:
        return f"{error}."
    return ""
