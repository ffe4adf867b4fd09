"""Generate all lines of the table, in one go and unattended."""

import bpy

from ... import compat
from ...client.jobs import State
from ...errors import UserError
from ...jobs import lines, session
from ...jobs.batch import Batch, Item
from ...jobs.environment import NO_PYTHON, server_python
from ...jobs.generate import Generation
from ...scene import character, meshes, strips
from .batch_modal import BatchModal
from .list_lines import fill
from .poll import enabled_unless


class LSF_OT_generate_all(BatchModal, bpy.types.Operator):
    """Generate every line in the list, one after the other. All results are written together at the end, as one step
    to undo. A line that fails does not stop the others
    """

    bl_idname = "lsf.generate_all"
    bl_label = "Generate All"
    bl_options = {"UNDO"}

    save: bpy.props.BoolProperty(
        name="Save", description="Save the file at the end", default=False, options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def items(self, context: bpy.types.Context) -> list[Item]:
        if self.save and not bpy.data.is_saved:
            raise UserError("This file has no name yet: save it first")
        table = context.scene.lsf.batch.lines
        if not table and not fill(context):
            raise UserError("No sound strip is selected in the sequencer: select some, or list all")
        names = context.scene.name, compat.sequencer_scene(context).name
        items = [_item(*names, line.strip, line.head) for line in table if line.use]
        if not items:
            raise UserError("No line is ticked in the list: tick those to generate")
        return items

    def finish(self, batch: Batch, texts: list[str]) -> set[str]:
        text = f"{len(texts)} of {len(batch.items)} lines written, {batch.seconds:.0f} s"
        cancelled = sum(item.state is State.CANCELLED for item in batch.items)
        if cancelled:
            text += f"; {cancelled} cancelled"
        if texts and self.save:
            bpy.ops.wm.save_mainfile()
        session.failures = [(item.name, item.error) for item in batch.failed]
        if batch.failed:
            text += f"; {len(batch.failed)} failed"
            session.say(text, is_error=True)
            if bpy.app.background:
                for name, error in session.failures:
                    print(f"LSF: {name} failed: {error}")  # Blender cuts off what it reports
                # raises RuntimeError in a script, so that a farm sees it
                self.report({"ERROR"}, f"{text}: {lines.listed([item.name for item in batch.failed])}")
            else:
                self.report({"WARNING"}, f"{text}: the Batch panel tells why")
        else:
            session.say(text)
            self.report({"INFO"}, text)
        return {"FINISHED"} if texts else {"CANCELLED"}


def disabled_reason(context: bpy.types.Context) -> str:
    """A sentence that says why Generate All is disabled; empty if it is not."""
    if session.batch is not None:
        return "The server is at work: wait for it, or cancel it."
    if server_python() is None:
        return f"{NO_PYTHON}."
    if not strips.sound_strips(compat.sequencer_scene(context)):
        return "Add sound strips to the sequencer first."
    return ""


def _item(settings_scene: str, strips_scene: str, strip: str, head: bpy.types.Object | None) -> Item:
    """Holds names only: by the time that it begins, undo may have replaced all data."""
    name = head.name if head else ""

    def begin() -> Generation:
        if not name:
            raise UserError("No head is chosen for it: choose one in the list")
        scene, sequencer = bpy.data.scenes.get(settings_scene), bpy.data.scenes.get(strips_scene)
        if scene is None or sequencer is None:
            raise UserError("Its scene is gone: list the lines again")
        speaker = bpy.data.objects.get(name)
        if speaker is None:
            raise UserError(f'"{name}" is gone or was renamed: choose another head in the list')
        meshes.check(speaker)
        return lines.begin(
            scene.lsf, speaker, character.listed_parts(speaker), sequencer, strips.find_strip(sequencer, strip)
        )

    return Item(strip, begin)
