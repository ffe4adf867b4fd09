"""Install the optional package that transcripts of speech need into the environment of the speech engine."""

import bpy

from ...jobs import environment
from ..blender_types import OperatorResult
from . import make_environment
from .poll import enabled_unless


class LSF_OT_install_transcripts(bpy.types.Operator):
    """Install what says how the words of a transcript are spoken (espeak-ng), into the add-on's own folder.

    It works offline.
    """

    bl_idname = "lsf.install_transcripts"
    bl_label = "Install Transcripts"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason())

    def execute(self, _context: bpy.types.Context) -> OperatorResult:
        return make_environment.install(self, environment.install_transcripts)


def disabled_reason() -> str:
    """Return why the button is disabled, as a sentence; empty if it is not."""
    if not environment.state().usable:
        return "Install the speech engine first."
    if environment.transcripts_are_installed():
        return "The packages are installed."
    return make_environment.disabled_reason()
