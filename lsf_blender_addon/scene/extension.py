"""The add-on as an installed extension: its package name, its user folder, its preferences."""

from pathlib import Path
from typing import TYPE_CHECKING

import bpy

if TYPE_CHECKING:
    from ..ui.preferences import LSF_preferences

PACKAGE = __package__.rpartition(".")[0]  # "bl_ext.<repository>.lsf_animation" when installed


def user_folder() -> Path:
    """The add-on's own folder for files, which survives updates; it is made if it does not exist."""
    try:
        return Path(bpy.utils.extension_path_user(PACKAGE, create=True))
    except ValueError:  # not installed as an extension: run from the source tree
        return Path(bpy.utils.user_resource("CONFIG", path="lsf_animation", create=True))


def preferences() -> "LSF_preferences | None":
    """The add-on's preferences; None while it is not enabled."""
    addon = bpy.context.preferences.addons.get(PACKAGE)
    return addon.preferences if addon else None
