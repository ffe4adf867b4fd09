"""Export Manifest: the scene's table of lines, for `python -m server batch` on other computers."""

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as iface
from bpy_extras.io_utils import ExportHelper

from ... import compat
from ...errors import UserError, printable
from ...jobs import session
from ...jobs.export_manifest import Manifest
from ...jobs.name_list import listed
from ...scene import strips
from ...scene.access import active_scene
from ...scene.own_properties import settings_of
from ..blender_types import OperatorResult
from .import_batch_results import disabled_reason
from .list_lines import fill
from .poll import enabled_unless


class LSF_OT_export_manifest(bpy.types.Operator, ExportHelper):  # type: ignore[misc]  # the stubs differ in invoke
    """Write the lines of the list as a manifest, with their characters and sounds, to be animated on other computers.

    Import Batch Results brings what they make back.
    """

    bl_idname = "lsf.export_manifest"
    bl_label = "Export Manifest"

    filename_ext = ".csv"
    filter_glob: bpy.props.StringProperty(default="*.csv", options={"HIDDEN"})

    if TYPE_CHECKING:
        filepath: str  # a property of ExportHelper

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        path = Path(bpy.path.abspath(self.filepath))
        try:
            written, failures = _export(context, path)
        except UserError as error:
            return self._fail(f"{error}.")
        except OSError as error:
            return self._fail(f'"{printable(str(error.filename or path))}" cannot be written ({error.strerror}).')
        session.failures = failures
        text = iface("{count} lines in {name}").format(count=written, name=path.name)
        if failures:
            text += iface("; {count} left out").format(count=len(failures))
            session.say(text, is_error=True)
            for name, reason in failures if bpy.app.background else ():
                print(f"LSF: {name}: {reason}")
            self.report({"WARNING"}, f"{text}: {listed([name for name, _ in failures])}")
        else:
            session.say(text)
            self.report({"INFO"}, text)
        return {"FINISHED"}

    def _fail(self, sentence: str) -> OperatorResult:
        """Tell why nothing was exported."""
        session.say(sentence, is_error=True)
        self.report({"ERROR"}, sentence)
        return {"CANCELLED"}


def _export(context: bpy.types.Context, path: Path) -> tuple[int, list[tuple[str, str]]]:
    """Write the manifest; return how many lines it has, and which were left out, and why. Raises UserError, OSError."""
    table = settings_of(active_scene(context)).batch.lines
    if not table and not fill(context):
        raise UserError("No sound strip is selected in the sequencer: select some or list all")
    scene, failures = compat.sequencer_scene(context), []
    manifest = Manifest(path.parent, scene, active_scene(context))
    for row in table:
        if not row.use:
            continue
        name = row.shown_strip(scene)
        if row.head is None:
            failures.append((name, iface("No head speaks it: choose one in the list.")))
            continue
        try:
            manifest.add(strips.find_strip(scene, name, row.strip_id), row.head)
        except UserError as error:
            failures.append((name, f"{error}."))
    if not manifest.rows:
        raise UserError(f"No line can be exported: {failures[0][1].rstrip('.')}" if failures else "No line is ticked")
    manifest.write(path)
    return len(manifest.rows), failures
