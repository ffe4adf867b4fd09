"""Install the optional text encoder into the environment of the speech engine."""

import bpy

from ...jobs import environment
from ..blender_types import OperatorResult
from . import make_environment
from .poll import enabled_unless


class LSF_OT_install_text_encoder(bpy.types.Operator):
    """Install the text encoder that Set Emotion from Text needs, into the add-on's own folder.

    It works offline.
    """

    bl_idname = "lsf.install_text_encoder"
    bl_label = "Install Text Encoder"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason())

    def execute(self, _context: bpy.types.Context) -> OperatorResult:
        return make_environment.install(self, environment.install_text_encoder)


def disabled_reason() -> str:
    """Return why the button is disabled, as a sentence; empty if it is not."""
    if not environment.state().usable:
        return "Install the speech engine first."
    if environment.text_encoder_is_installed():
        return "The text encoder is installed."
    return make_environment.disabled_reason()
