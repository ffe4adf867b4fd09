"""Add the optional text encoder to the server's environment."""

import time

import bpy

from .. import environment, session
from ..client.environment import is_complete
from .make_environment import TICK, watch


class LSF_OT_install_text_encoder(bpy.types.Operator):
    """Install what reads an emotion from a direction in words (about 84 MB). It works offline from then on"""

    bl_idname = "lsf.install_text_encoder"
    bl_label = "Install Text Encoder (84 MB)"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        preferences = environment.add_on_preferences()
        if environment.installing():
            cls.poll_message_set("The installation is at work.")
        elif not is_complete(environment.environment_folder()):
            cls.poll_message_set("Install the server's packages first.")
        elif not bpy.app.online_access and not (preferences and preferences.wheels):
            cls.poll_message_set("Allow online access first (Preferences > System), or choose a folder of wheels.")
        else:
            return True
        return False

    def execute(self, _context: bpy.types.Context) -> set[str]:
        preferences = environment.add_on_preferences()
        session.stop()  # the next server looks for the encoder anew
        installation = environment.install_text_encoder(preferences.wheels if preferences else "")
        if not bpy.app.background:
            bpy.app.timers.register(watch, first_interval=TICK)
            return {"FINISHED"}
        while installation.running:
            time.sleep(TICK)
        if installation.error:
            self.report({"ERROR"}, installation.error)
        return {"CANCELLED"} if installation.error else {"FINISHED"}
