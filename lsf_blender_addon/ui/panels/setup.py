"""What installs the speech engine, drawn in the LSF tab and in the preferences: no panel of its own."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...client.environments import State
from ...client.pip_install import Progress
from ...client.requirements import torch_builds
from ...jobs import environment
from ...scene import extension
from ..operators import allow_online_access, make_environment
from ..text import wrapped


def draw_setup(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw online access, Install with its sizes, the progress, the log and the error of an installation.

    Args:
        layout: Where it is drawn.
        context: Tells the width of the region.
    """
    installation = environment.installation
    if installation is not None and installation.running:
        row = layout.row(align=True)
        row.progress(factor=installation.progress.fraction, text=progress_text(installation.progress))
        row.operator("lsf.cancel_environment", icon="X", text="")
        package = installation.progress.package
        layout.label(text=package or iface("You can work meanwhile"), icon="PACKAGE", translate=False)
        layout.operator("lsf.open_log", text="Installation Log", icon="TEXT").log = "INSTALL"
        return
    preferences = extension.preferences()
    offline = bool(preferences and preferences.wheels)
    if not bpy.app.online_access and not offline:
        layout.operator("lsf.allow_online_access", icon="INTERNET")
        if reason := allow_online_access.disabled_reason():
            wrapped(layout, context, reason, "INFO")
    if preferences is not None and len(torch_builds()) > 1 and not offline:
        layout.row().prop(preferences, "build", expand=True)
    state = environment.state()
    if text := state_text(state):
        wrapped(layout, context, text, "INFO")
    row = layout.row(align=True)
    row.operator(
        "lsf.make_environment",
        text="Install Again" if state is State.READY else "Install" if state is State.MISSING else "Update",
        icon="IMPORT",
    )
    row.operator("lsf.open_log", text="", icon="TEXT").log = "INSTALL"
    wrapped(layout, context, sizes_text(offline), "INFO")
    if installation and installation.failure is not None:
        text = make_environment.failure_text(installation.failure)
        wrapped(layout, context, text, "INFO" if installation.cancelled else "ERROR")


def state_text(state: State) -> str:
    """Return what is to be said of an environment that was made for another version of the add-on; "" for others."""
    if state is State.OUTDATED:
        return iface(
            "The add-on was updated: press Update for the packages it is tested with. Generate works meanwhile"
        )
    if state is State.UNFIT:
        return iface("The add-on was updated, and its speech engine needs newer packages: press Update")
    return ""


def sizes_text(offline: bool) -> str:
    """Return how much an installation downloads and stores, for the chosen build of PyTorch on this system.

    Args:
        offline: Whether the packages come from a wheel folder.
    """
    if offline:
        return iface("Installs from the wheel folder, without network")
    size = environment.size()
    return iface("Downloads about {download}, needs {stored} of disk").format(
        download=size_text(size.download), stored=size_text(size.stored)
    )


def progress_text(progress: Progress) -> str:
    """Return the step of an installation with its megabytes, in the user's language."""
    step = iface(progress.step)
    if not progress.expected:
        return step
    return iface("{step}: {done} of about {all} MB").format(step=step, done=progress.megabytes, all=progress.expected)


def size_text(megabytes: int) -> str:
    """Return a size with its unit."""
    return f"{megabytes} MB" if megabytes < 1000 else f"{megabytes / 1000:.1f} GB"
