"""The add-on as it is installed: the name of its package, its folder for files of its own, its preferences."""

from pathlib import Path

import bpy

PACKAGE = __package__.rpartition(".")[0]


def user_folder() -> Path:
    """The add-on's own folder, which survives its updates."""
    try:
        return Path(bpy.utils.extension_path_user(PACKAGE, create=True))
    except ValueError:  # not installed as an extension: run from the source tree
        return Path(bpy.utils.user_resource("CONFIG", path="lsf_animation", create=True))


def preferences() -> bpy.types.AddonPreferences | None:
    addon = bpy.context.preferences.addons.get(PACKAGE)
    return addon.preferences if addon else None
