"""Clear the cache of fitted faces."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...jobs import environment, face_cache, kept_results, session
from ..blender_types import OperatorResult
from .poll import disabled_reason_engine, enabled_unless

TICK = 0.25  # seconds between two looks at its progress


class LSF_OT_clear_cache(bpy.types.Operator):
    """Delete the faces and the results of Generate All that were kept on this computer.

    Nothing in your files is changed. The next Generate on each head takes a few seconds longer.
    """

    bl_idname = "lsf.clear_cache"
    bl_label = "Clear Cache"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason_engine())

    def execute(self, _context: bpy.types.Context) -> OperatorResult:
        python = environment.server_python()
        if python is None:
            return {"CANCELLED"}
        kept_results.clear(environment.results_folder())
        session.stop()  # it keeps the last faces in memory
        clearing = face_cache.start(python)
        if not bpy.app.background:
            bpy.app.timers.register(watch, first_interval=TICK, persistent=True)
            return {"FINISHED"}
        clearing.wait()
        self.report({"ERROR"} if clearing.failed else {"INFO"}, result_text(clearing))
        return {"CANCELLED"} if clearing.failed else {"FINISHED"}


def result_text(clearing: face_cache.Clearing) -> str:
    """Return what became of it, in the user's language."""
    if clearing.running:
        return iface("The cache is being cleared.")
    if clearing.failed or clearing.freed is None:
        return iface("The cache could not be cleared")
    return iface("The cache is cleared: {size} MB").format(size=f"{clearing.freed / 1e6:.1f}")


def watch() -> float | None:
    """Redraw the preferences until the cache is cleared; a function for bpy.app.timers."""
    session.redraw()
    return TICK if face_cache.running() else None
