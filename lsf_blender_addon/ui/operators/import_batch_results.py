"""Import Batch Results: writes a folder of results of `python -m server batch` as lines of the scene's table."""

from pathlib import Path

import bpy
from bpy.app.translations import pgettext_iface as iface

from ... import compat
from ...client.jobs import State
from ...errors import UserError, printable
from ...formats import batch_results
from ...jobs import session
from ...jobs.batch import Batch, Item
from ...jobs.import_results import Faces, ImportedLine
from ...jobs.lines import apply_result, read_line_of
from ...jobs.name_list import listed
from ...scene import meshes, strips
from ...scene.access import active_scene, find_item
from ...scene.own_properties import settings_of
from ...scene.snapshots import file_name
from ..blender_types import OperatorResult
from .batch_modal import BatchModal, run_after_dialog
from .list_lines import fill
from .poll import disabled_reason_busy, enabled_unless


class LSF_OT_import_batch_results(BatchModal, bpy.types.Operator):
    """Write results of a batch that was run elsewhere as lines of the list, found by the names of their strips.

    All are written as one undo step. What does not fit is told and left out.
    """

    bl_idname = "lsf.import_batch_results"
    bl_label = "Import Batch Results"
    bl_options = {"UNDO"}

    directory: bpy.props.StringProperty(
        name="Folder", description="Folder of the results, after --out", subtype="DIR_PATH", options={"SKIP_SAVE"}
    )
    for_more_files: bpy.props.BoolProperty(  # by lsf_scenes: results without a strip here are those of other files
        default=False, options={"HIDDEN", "SKIP_SAVE"}
    )

    _refused: list[tuple[str, str]]  # what cannot be imported, and why

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def batch_items(self, context: bpy.types.Context) -> list[Item]:
        folder = Path(bpy.path.abspath(self.directory))
        paths = batch_results.files(folder)
        table = settings_of(active_scene(context)).batch.lines
        if not table and not fill(context):
            raise UserError("No sound strip is selected in the sequencer: select some or list all")
        scene = compat.sequencer_scene(context)
        rows = [row for row in table if row.use]
        names = [row.shown_strip(scene) for row in rows]
        sounds = {strip.name: strip.sound for strip in strips.sound_strips(scene)}
        known = [
            (name, row.strip_id, Path(file_name(sound.filepath)).stem if (sound := sounds.get(name)) else "")
            for name, row in zip(names, rows, strict=True)
        ]
        found, doubtful, unused = batch_results.matches([path.stem for path in paths], known)
        told = () if self.for_more_files else unused
        self._refused = [(printable(paths[i].name), iface("No strip of the list has this name.")) for i in told]
        faces, items = Faces(folder), []
        for place, (name, row) in enumerate(zip(names, rows, strict=True)):
            if place in doubtful:
                self._refused.append((name, doubtful[place] + "."))
            elif place not in found:
                self._refused.append((name, iface("The folder has no result for this strip.")))
            elif row.head is None:
                self._refused.append((name, iface("No head speaks it: choose one in the list.")))
            else:
                items.append(_item(scene.name, name, row.strip_id, row.head.name, paths[found[place]], faces))
        if not items:
            name, reason = self._refused[0]
            raise UserError(f"Nothing fits the strips of the list: {name}: {reason}")
        return items

    def write(self, item: Item) -> str:
        assert isinstance(item.work, ImportedLine)
        return apply_result(item.work)

    def finish(self, batch: Batch, texts: list[str]) -> OperatorResult:
        text = iface("{count} of {total} lines written, {seconds} s").format(
            count=len(texts), total=len(batch.items) + len(self._refused), seconds=round(batch.seconds)
        )
        cancelled = sum(item.state is State.CANCELLED for item in batch.items)
        if cancelled:
            text += iface("; {count} cancelled").format(count=cancelled)
        session.failures = [(item.name, item.error) for item in batch.failed] + self._refused
        if not session.failures:
            session.say(text, is_note=not texts)
            self.report({"INFO"}, text)
            return {"FINISHED"} if texts else {"CANCELLED"}
        text += iface("; {count} left out").format(count=len(session.failures))
        session.say(text, is_error=True)
        if bpy.app.background:
            for name, error in session.failures:
                print(f"LSF: {name}: {error}")  # Blender truncates reports
        self.report({"WARNING"}, f"{text}: {listed([name for name, _ in session.failures])}")
        return {"FINISHED"} if texts else {"CANCELLED"}


class LSF_OT_pick_batch_results(bpy.types.Operator):
    """Choose a folder of results of a batch, which become lines of the list by the names of their strips."""

    bl_idname = "lsf.pick_batch_results"
    bl_label = "Import Batch Results"
    bl_options = {"INTERNAL"}

    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"HIDDEN"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, _context: bpy.types.Context) -> OperatorResult:
        """Start the import with progress, after the dialog."""
        return run_after_dialog(self, "import_batch_results", directory=self.directory)


def disabled_reason(context: bpy.types.Context) -> str:
    """Return why results cannot be imported, as a sentence; empty if they can."""
    if reason := disabled_reason_busy():
        return reason
    if not strips.sound_strips(compat.sequencer_scene(context)):
        return "Add sound strips to the sequencer first."
    return ""


def _item(scene_name: str, strip: str, known: str, head: str, path: Path, faces: Faces) -> Item:
    """Return the item of one line. It holds names, because undo may replace all data-blocks before its turn comes.

    Args:
        scene_name: Name of the scene with the strips.
        strip: Name of the strip.
        known: The id by which the strip is found if it is renamed meanwhile.
        head: Name of the head.
        path: The file of the result.
        faces: The faces of its folder.
    """

    def begin() -> ImportedLine:
        scene, speaker = find_item(bpy.data.scenes, scene_name), find_item(bpy.data.objects, head)
        if scene is None:
            raise UserError("The scene was deleted or renamed: list the lines again")
        if speaker is None:
            raise UserError(f'"{head}" was deleted or renamed: choose another head in the list')
        meshes.check(speaker)
        line, face = read_line_of(speaker, scene, strips.find_strip(scene, strip, known))
        return ImportedLine(face, line, path, faces)

    return Item(strip, begin)
