"""The add-on's preferences: the server's Python."""

from pathlib import Path

import bpy
from bpy.app.translations import pgettext_iface as iface

from ..jobs import environment
from ..scene.extension import PACKAGE
from .panels.common import wrapped


class LSF_preferences(bpy.types.AddonPreferences):
    bl_idname = PACKAGE

    python: bpy.props.StringProperty(
        name="Use This Python Instead",
        subtype="FILE_PATH",
        description="A Python that has the server's packages. Left empty: the environment that Install makes",
    )
    wheels: bpy.props.StringProperty(
        name="Offline Wheels",
        subtype="DIR_PATH",
        description="A folder of Python wheels to install from, on a machine without network",
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        installation = environment.installation
        if environment.installing():
            row = layout.row()
            row.progress(factor=installation.fraction, text=installation.text)
            row.operator("lsf.cancel_environment", icon="X", text="")
        else:
            python = environment.server_python()
            text, icon = _state(python)
            wrapped(layout, context, text, icon)
            row = layout.row()
            row.operator(
                "lsf.make_environment", icon="IMPORT", text="Install Again" if python else "Install (about 2 GB)"
            )
            row.operator("lsf.open_log", text="Installation Log").log = "INSTALL"
            row.operator("lsf.open_log", text="Server Log").log = "SERVER"
            layout.operator("lsf.install_text_encoder", icon="IMPORT")
            if installation and installation.error:
                wrapped(layout, context, installation.error, "ERROR")
        layout.prop(self, "wheels")
        layout.prop(self, "python")


def _state(python: Path | None) -> tuple[str, str]:
    """What there is to say of the server's Python, and an icon. Not asked with every drawing of the sidebar: a network
    drive that is gone takes seconds to say so.
    """
    if python is None:
        return iface("The server's packages are not installed yet."), "INFO"
    if not python.is_file():
        return iface("There is no Python here, choose another one: {python}").format(python=python), "ERROR"
    return iface("Ready: {python}").format(python=python), "CHECKMARK"
