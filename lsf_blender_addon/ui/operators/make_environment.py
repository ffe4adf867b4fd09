"""Install the speech engine into its private Python environment."""

import time
from collections.abc import Callable

import bpy

from ...client.environments import InstallationError
from ...client.installation import Installation
from ...jobs import environment, session
from ...scene import extension
from ..blender_types import OperatorResult
from ..translations import translated
from .poll import enabled_unless

TICK = 0.25  # seconds between two redraws of the progress bar


class LSF_OT_make_environment(bpy.types.Operator):
    """Install the speech engine (PyTorch and other packages) into the add-on's own folder.

    This is done once. Nothing else on the computer is changed.
    """

    bl_idname = "lsf.make_environment"
    bl_label = "Install"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason())

    def execute(self, _context: bpy.types.Context) -> OperatorResult:
        return install(self, environment.install)


def disabled_reason() -> str:
    """Return why Install is disabled, as a sentence; empty if it is not."""
    preferences = extension.preferences()
    if environment.installing():
        return "An installation is running."
    if not bpy.app.online_access and not (preferences and preferences.wheels):
        return "Allow online access first (Preferences > System) or choose a wheel folder."
    return ""


def install(operator: bpy.types.Operator, begin: Callable[[], Installation]) -> OperatorResult:
    """Start an installation; in background mode, wait for its end.

    Args:
        operator: The operator that reports an error.
        begin: Function that starts the installation in a thread.

    Returns:
        What the operator returns to Blender.
    """
    session.stop()  # a running server holds files of the old environment
    installation = begin()
    if not bpy.app.background:
        bpy.app.timers.register(watch, first_interval=TICK, persistent=True)
        return {"FINISHED"}
    while installation.running:
        time.sleep(TICK)
    if installation.failure is None:
        return {"FINISHED"}
    operator.report({"ERROR"}, failure_text(installation.failure))
    return {"CANCELLED"}


def failure_text(failure: InstallationError) -> str:
    """Return why an installation has failed, in the user's language."""
    return translated(failure.sentence).format(**failure.values)


def watch() -> float | None:
    """Redraw the progress bar until the installation ends, then say so; a function for bpy.app.timers."""
    if environment.installing():
        session.redraw()
        return TICK
    installation = environment.installation
    session.say("The installation is complete" if installation and installation.python else "")
    return None
