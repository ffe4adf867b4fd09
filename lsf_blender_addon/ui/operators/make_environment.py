"""Make the server's private Python environment."""

import time
from collections.abc import Callable

import bpy

from ...client.installation import Installation
from ...jobs import environment, session
from ...scene import extension
from .poll import enabled_unless

TICK = 0.25  # seconds between two drawings of the progress bar


class LSF_OT_make_environment(bpy.types.Operator):
    """Install PyTorch and the server's other packages (about 2 GB) into a folder of the add-on's own"""

    bl_idname = "lsf.make_environment"
    bl_label = "Install"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason())

    def execute(self, _context: bpy.types.Context) -> set[str]:
        return install(self, environment.install)


def disabled_reason() -> str:
    """A sentence that says why nothing can be installed now; empty if it can."""
    preferences = extension.preferences()
    if environment.installing():
        return "The installation is at work."
    if not bpy.app.online_access and not (preferences and preferences.wheels):
        return "Allow online access first (Preferences > System), or choose a folder of wheels."
    return ""


def install(operator: bpy.types.Operator, begin: Callable[[str], Installation]) -> set[str]:
    """Begin an installation with the folder of wheels; in background mode, wait for it."""
    preferences = extension.preferences()
    session.stop()  # a server at work would hold the old environment's files
    installation = begin(preferences.wheels if preferences else "")
    if not bpy.app.background:
        bpy.app.timers.register(watch, first_interval=TICK)
        return {"FINISHED"}
    while installation.running:
        time.sleep(TICK)
    if installation.error:
        operator.report({"ERROR"}, installation.error)
    return {"CANCELLED"} if installation.error else {"FINISHED"}


def watch() -> float | None:
    """Keep the progress bar moving; a function for bpy.app.timers."""
    session.redraw()
    return TICK if environment.installing() else None
