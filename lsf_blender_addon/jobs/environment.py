"""The Python that runs the server: of the private environment that a button installs, or one that was chosen."""

import os
from pathlib import Path

import bpy

from ..client.installation import (
    Installation,
    TorchBuild,
    add_text_encoder,
    is_complete,
    python_of,
    torch_builds,
)
from ..scene import extension

NO_PYTHON = "Install the speech engine first"

installation: Installation | None = None  # the one that runs, or the last one


def environment_folder() -> Path:
    """The private environment's folder."""
    return extension.user_folder() / "env"


def install_log() -> Path:
    """The log of the installation."""
    return extension.user_folder() / "install.log"


def server_log() -> Path:
    """The log of the server."""
    return extension.user_folder() / "server.log"


def server_python() -> Path | None:
    """The Python that runs the server.

    It is LSF_SERVER_PYTHON (for tests and render farms), else the one in the preferences, else the environment's.

    Returns:
        None if nothing is chosen and the environment is not complete.
    """
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


def torch_build() -> TorchBuild:
    """The build of PyTorch that the preferences choose."""
    return torch_builds()[_build_name()]


def _build_name() -> str:
    """Name of the build that the preferences choose; the default one if this system does not have that."""
    preferences, builds = extension.preferences(), torch_builds()
    return preferences.build if preferences and preferences.build in builds else next(iter(builds))


def install(wheels: str) -> Installation:
    """Start to install the environment, in a thread.

    Args:
        wheels: A folder with wheels to install from, offline; empty to download them.
    """
    global installation
    installation = Installation(
        environment_folder(), install_log(), wheels=bpy.path.abspath(wheels) or None, build=_build_name()
    )
    return installation


def install_text_encoder(wheels: str) -> Installation:
    """Start to add the text encoder to the environment, in a thread.

    Args:
        wheels: A folder with wheels to install from, offline; empty to download them.
    """
    global installation
    installation = Installation(
        environment_folder(), install_log(), add_text_encoder, wheels=bpy.path.abspath(wheels) or None
    )
    return installation


def installing() -> bool:
    """Whether an installation runs."""
    return installation is not None and installation.running


def stop() -> None:
    """Cancel an installation that runs, and forget it."""
    global installation
    if installation is not None and installation.running:
        installation.cancel()
        installation.join(2.0)
    installation = None
