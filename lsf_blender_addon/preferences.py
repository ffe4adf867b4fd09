"""The add-on's preferences: the server's Python."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from . import environment


class LSF_preferences(bpy.types.AddonPreferences):
    bl_idname = __package__

    python: bpy.props.StringProperty(
        name="Use This Python Instead", subtype="FILE_PATH",
        description="A Python that has the server's packages. Left empty: the environment that Install makes")
    wheels: bpy.props.StringProperty(
        name="Offline Wheels", subtype="DIR_PATH",
        description="A folder of Python wheels to install from, on a machine without network")

    def draw(self, _context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        installation = environment.installation
        if environment.installing():
            row = layout.row()
            row.progress(factor=installation.fraction, text=installation.text)
            row.operator("lsf.cancel_environment", icon="X", text="")
        else:
            python = environment.server_python()
            text = iface("Ready: {python}") if python else iface("The server's packages are not installed yet.")
            layout.label(text=text.format(python=python), translate=False,
                         icon="CHECKMARK" if python else "INFO")
            row = layout.row()
            row.operator("lsf.make_environment", icon="IMPORT",
                         text="Install Again" if python else "Install (about 2 GB)")
            row.operator("lsf.open_log", text="Installation Log").log = "INSTALL"
            row.operator("lsf.open_log", text="Server Log").log = "SERVER"
            layout.operator("lsf.install_text_encoder", icon="IMPORT")
            if installation and installation.error:
                layout.label(text=installation.error, icon="ERROR")
        layout.prop(self, "wheels")
        layout.prop(self, "python")
