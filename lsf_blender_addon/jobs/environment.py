"""Where the server's Python is: the private environment that a button makes, or another one that was chosen."""

import os
from pathlib import Path

import bpy

from ..client.installation import Installation, add_text_encoder, is_complete, python_of
from ..scene import extension

NO_PYTHON = "Install the speech engine in the add-on's preferences first"

installation: Installation | None = None  # the one at work, or the last


def environment_folder() -> Path:
    return extension.user_folder() / "env"


def install_log() -> Path:
    return extension.user_folder() / "install.log"


def server_log() -> Path:
    return extension.user_folder() / "server.log"


def server_python() -> Path | None:
    """LSF_SERVER_PYTHON (for tests and farms), or the Python in the preferences, or that of the environment."""
    if chosen := os.environ.get("LSF_SERVER_PYTHON"):
        return Path(chosen)
    preferences = extension.preferences()
    if preferences and preferences.python:
        return Path(bpy.path.abspath(preferences.python))
    folder = environment_folder()
    return python_of(folder) if is_complete(folder) else None


def server_arguments() -> list[str]:
    """Return the server's command line arguments: the device that the preferences choose."""
    preferences = extension.preferences()
    return ["--device", preferences.device if preferences else "auto"]


def install(wheels: str) -> Installation:
    """Begin to make the environment in a thread."""
    global installation
    installation = Installation(environment_folder(), install_log(), wheels=bpy.path.abspath(wheels) or None)
    return installation


def install_text_encoder(wheels: str) -> Installation:
    """Begin to add the text encoder to the environment, in a thread."""
    global installation
    installation = Installation(
        environment_folder(), install_log(), add_text_encoder, wheels=bpy.path.abspath(wheels) or None
    )
    return installation


def installing() -> bool:
    return installation is not None and installation.running


def stop() -> None:
    """Cancel an installation at work and forget it."""
    global installation
    if installing():
        installation.cancel()
        installation.join(2.0)
    installation = None
