"""Make the server's private Python environment."""

import time

import bpy

from .. import environment, session

TICK = 0.25  # seconds between two drawings of the progress bar


class LSF_OT_make_environment(bpy.types.Operator):
    """Install PyTorch and the server's other packages (about 2 GB) into a folder of the add-on's own"""

    bl_idname = "lsf.make_environment"
    bl_label = "Install"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        preferences = environment.add_on_preferences()
        if environment.installing():
            cls.poll_message_set("The installation is at work.")
            return False
        if not bpy.app.online_access and not (preferences and preferences.wheels):
            cls.poll_message_set("Allow online access first (Preferences > System), or choose a folder of wheels.")
            return False
        return True

    def execute(self, _context: bpy.types.Context) -> set[str]:
        preferences = environment.add_on_preferences()
        session.stop()  # a server at work would hold the old environment's files
        installation = environment.install(preferences.wheels if preferences else "")
        if not bpy.app.background:
            bpy.app.timers.register(watch, first_interval=TICK)
            return {"FINISHED"}
        while installation.running:
            time.sleep(TICK)
        if installation.error:
            self.report({"ERROR"}, installation.error)
        return {"CANCELLED"} if installation.error else {"FINISHED"}


def watch() -> float | None:
    """Keep the progress bar moving; a function for bpy.app.timers."""
    session.redraw()
    return TICK if environment.installing() else None
