"""The Python that runs the server, of the private environment or one that was chosen, and the model that it loads."""

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import bpy
from bpy.app.translations import pgettext_iface as iface

from ..client import model_folder
from ..client.environments import State, python_of, state_of
from ..client.installation import (
    Installation,
    add_text_encoder,
    add_transcripts,
    add_transformers,
    has_text_encoder,
    has_transcripts,
    has_transformers,
)
from ..client.model_folder import FolderCheck, Model, ModelError
from ..client.requirements import LOCKED_SIZE, Size, python_tag, torch_builds
from ..errors import UserError
from ..scene import extension

NOT_INSTALLED = "Install the speech engine first"
OLD_FOLDER = "env"  # of the environment that add-on 0.1.0 made, for whichever Python

OF_FILE = "//"  # Blender's start of paths that are relative to the .blend file

installation: Installation | None = None  # the one that runs, or the last one
_check: FolderCheck | None = None  # of the folder that the preferences have shown


def environment_folder() -> Path:
    """The private environment's folder. Blenders with different Pythons that share the user folder have one each."""
    return extension.user_folder() / python_tag()


def state() -> State:
    """What the environment's folder holds."""
    return state_of(environment_folder())


def text_encoder_is_installed() -> bool:
    """Whether the environment has the text encoder."""
    return has_text_encoder(environment_folder())


def transcripts_are_installed() -> bool:
    """Whether the environment has what transcripts of speech need."""
    return has_transcripts(environment_folder())


def transcripts_are_known() -> bool:
    """The same, for a panel: the folder is searched again only after an installation of this Blender."""
    return _found_transcripts(environment_folder(), installation, installing())


@lru_cache(1)
def _found_transcripts(folder: Path, _last: Installation | None, _runs: bool) -> bool:
    """Whether a folder has what transcripts of speech need, by the installation that has run there."""
    return has_transcripts(folder)


def transformers_are_installed() -> bool:
    """Whether the environment has the packages that some models need."""
    return has_transformers(environment_folder())


def install_log() -> Path:
    """The log of the installation."""
    return extension.user_folder() / "install.log"


def server_log() -> Path:
    """The log of the server."""
    return extension.user_folder() / "server.log"


def results_folder() -> Path:
    """Where results of Generate All are kept."""
    return extension.user_folder() / "results"


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
    """Return the server's command line arguments: the device and the model that the preferences choose."""
    preferences = extension.preferences()
    arguments = ["--device", preferences.device if preferences else "auto"]
    folder = chosen_folder()
    return arguments if folder is None else [*arguments, "--checkpoint", str(folder)]


def chosen_folder() -> Path | None:
    """The folder of the model that the preferences choose; None is the model that ships.

    It is absolute, as the server has another working folder, unless it is relative to a file: `model_folder.read`
    refuses that.
    """
    preferences = extension.preferences()
    text = preferences.model_folder.strip() if preferences else ""
    if text.startswith(OF_FILE):
        return Path(text.lstrip("/"))
    return Path(text).absolute() if text else None


def absolute_folder(text: str) -> str:
    """Return the folder that an artist has chosen as an absolute path: the preferences are those of all files.

    Without a file there is none for a path that is relative to it; that stays as it is.
    """
    text = text.strip()
    if text.startswith(OF_FILE):
        return bpy.path.abspath(text) if bpy.data.filepath else text
    return str(Path(text).absolute()) if text else ""


def chosen_model() -> Model | None:
    """The model that the preferences choose, checked as far as that takes no time; None is the model that ships.

    It takes seconds if a network drive is not available: no panel calls it.

    Raises:
        ModelError: It cannot be used.
    """
    folder = chosen_folder()
    if folder is None:
        return None
    model = model_folder.read(folder)
    if (problem := lacking(model)) is not None:
        raise problem
    return model


def model_check() -> FolderCheck | None:
    """What is known of the model that the preferences choose, without waiting for a drive; None: the shipped model."""
    global _check
    folder = chosen_folder()
    if folder is None:
        _check = None
    elif _check is None or _check.folder != folder:
        _check = FolderCheck(folder)
    return _check


def check_model() -> None:
    """Check the model that the preferences choose, before a server is started with it.

    Raises:
        UserError: It cannot be used.
    """
    try:
        chosen_model()
    except ModelError as error:
        raise UserError(iface(error.sentence).format(**error.values)) from error


def lacking(model: Model) -> ModelError | None:
    """Return an error if a model needs packages that a button can add to the environment."""
    if not model.needs_transformers or _may_have_transformers():
        return None
    return ModelError(
        'The model "{name}" needs more packages: press Install Transformers in the preferences of the add-on',
        name=model.name,
    )


def _may_have_transformers() -> bool:
    """Whether the server's Python may have `transformers`. Of another Python than ours, only its server can tell."""
    return server_python() != python_of(environment_folder()) or transformers_are_installed()


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


def install_transcripts() -> Installation:
    """Start to add to the environment what transcripts of speech need, in a thread."""
    global installation
    installation = Installation(environment_folder(), install_log(), add_transcripts, **_sources())
    return installation


def install_transformers() -> Installation:
    """Start to add the packages to the environment that some models need, in a thread."""
    global installation
    installation = Installation(environment_folder(), install_log(), add_transformers, **_sources())
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
    """Cancel an installation that runs, and forget it and the model."""
    global installation, _check
    if installation is not None and installation.running:
        installation.cancel()
        installation.join(2.0)
    installation = _check = None
