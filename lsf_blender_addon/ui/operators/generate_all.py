"""Generate All: generates all lines of the table unattended."""

import threading

import bpy
from bpy.app.translations import pgettext_iface as iface

from ... import compat
from ...client.jobs import State
from ...errors import UserError
from ...jobs import line_plan, lines, session
from ...jobs.batch import Batch, Item
from ...jobs.environment import NOT_INSTALLED, server_python
from ...jobs.generate import Generation
from ...jobs.kept_results import KeptResults
from ...jobs.name_list import listed
from ...scene import character, meshes, strips
from ...scene.access import active_scene, find_item
from ...scene.own_properties import settings_of
from ..blender_types import OperatorResult
from .batch_modal import BatchModal
from .list_lines import fill
from .poll import disabled_reason_busy, enabled_unless


class LSF_OT_generate_all(BatchModal, bpy.types.Operator):
    """Generate all ticked lines of the list, one after the other.

    All results are written at the end as one undo step. A line that fails does not stop the others. After a crash, the
    lines that were done are not computed again.
    """

    bl_idname = "lsf.generate_all"
    bl_label = "Generate All"
    bl_options = {"UNDO"}

    save: bpy.props.BoolProperty(
        name="Save", description="Save the file at the end", default=False, options={"SKIP_SAVE"}
    )

    _without_head: list[str]  # strips of the table that nobody speaks

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def batch_items(self, context: bpy.types.Context) -> list[Item]:
        if self.save and not bpy.data.is_saved:
            raise UserError("This file was never saved: save it first")
        table = settings_of(active_scene(context)).batch.lines
        if not table and not fill(context):
            raise UserError("No sound strip is selected in the sequencer: select some or list all")
        sequencer = compat.sequencer_scene(context)
        names = active_scene(context).name, sequencer.name
        self._without_head = [line.shown_strip(sequencer) for line in table if line.use and not line.head]
        ticked = [line for line in table if line.ticked]
        if not ticked and self._without_head:
            raise UserError("No line has a head: choose the heads in the list")
        if not ticked:
            raise UserError("No line is ticked in the list: tick the lines to generate")
        cast = {line.strip_id: line.head.name for line in ticked}
        kept = session.kept_results()
        threading.Thread(target=kept.prune, name="lsf-prune", daemon=True).start()
        return [
            _item(*names, line.shown_strip(sequencer), line.strip_id, line.head.name, cast, kept) for line in ticked
        ]

    def finish(self, batch: Batch, texts: list[str]) -> OperatorResult:
        text = iface("{count} of {total} lines written, {seconds} s").format(
            count=len(texts), total=len(batch.items), seconds=round(batch.seconds)
        )
        if known := sum(isinstance(item.work, Generation) and item.work.was_kept for item in batch.items):
            text += iface("; {count} of them were there from an earlier run").format(count=known)
        text += line_plan.of_model(batch.headers, iface)
        cancelled = sum(item.state is State.CANCELLED for item in batch.items)
        if cancelled:
            text += iface("; {count} cancelled").format(count=cancelled)
        if self._without_head:
            text += iface("; {count} without a head").format(count=len(self._without_head))
            if bpy.app.background:
                print(f"LSF: nobody speaks {listed(self._without_head)}")
        if texts and self.save:
            bpy.ops.wm.save_mainfile()
        session.failures = [(item.name, item.error) for item in batch.failed]
        if batch.failed:
            text += iface("; {count} failed").format(count=len(batch.failed))
            session.say(text, is_error=True)
            if bpy.app.background:
                for name, error in session.failures:
                    print(f"LSF: {name} failed: {error}")  # Blender truncates reports
                # the report raises RuntimeError in a script, so that a render farm notices
                self.report({"ERROR"}, f"{text}: {listed([item.name for item in batch.failed])}")
            else:
                self.report({"WARNING"}, iface("{result}: see the Batch panel").format(result=text))
        else:
            session.say(text, is_note=not texts)
            self.report({"INFO"}, text)
        return {"FINISHED"} if texts else {"CANCELLED"}


def disabled_reason(context: bpy.types.Context) -> str:
    """Return why Generate All is disabled, as a sentence; empty if it is not."""
    if reason := disabled_reason_busy():
        return reason
    if server_python() is None:
        return f"{NOT_INSTALLED}."
    if not strips.sound_strips(compat.sequencer_scene(context)):
        return "Add sound strips to the sequencer first."
    return ""


def _item(
    settings_scene: str, strips_scene: str, strip: str, known: str, name: str, cast: dict[str, str], kept: KeptResults
) -> Item:
    """Return the item of one line. It holds names, because undo may replace all data-blocks before its turn comes.

    Args:
        settings_scene: Name of the scene with the settings.
        strips_scene: Name of the scene with the strips.
        strip: Name of the strip.
        known: The id by which the strip is found if it is renamed meanwhile.
        name: Name of the head.
        cast: The ids of the strips of all items, and the names of their heads.
        kept: Where results are kept, and looked for first.
    """

    def begin() -> Generation:
        scene, sequencer = find_item(bpy.data.scenes, settings_scene), find_item(bpy.data.scenes, strips_scene)
        if scene is None or sequencer is None:
            raise UserError("The scene was deleted or renamed: list the lines again")
        speaker = find_item(bpy.data.objects, name)
        if speaker is None:
            raise UserError(f'"{name}" was deleted or renamed: choose another head in the list')
        meshes.check(speaker)
        chosen = strips.find_strip(sequencer, strip, known)
        return lines.start_generation(
            settings_of(scene), speaker, character.listed_parts(speaker), sequencer, chosen, cast, kept=kept
        )

    return Item(strip, begin)
