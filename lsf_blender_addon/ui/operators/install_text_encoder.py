"""Add the optional text encoder to the server's environment."""

import bpy

from ...client.installation import is_complete
from ...jobs import environment
from . import make_environment
from .poll import enabled_unless


class LSF_OT_install_text_encoder(bpy.types.Operator):
    """Install what reads an emotion from a direction in words (about 84 MB). It works offline from then on"""

    bl_idname = "lsf.install_text_encoder"
    bl_label = "Install Text Encoder (84 MB)"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason())

    def execute(self, _context: bpy.types.Context) -> set[str]:
        return make_environment.install(self, environment.install_text_encoder)


def disabled_reason() -> str:
    """A sentence that says why the encoder cannot be installed now; empty if it can."""
    if not is_complete(environment.environment_folder()):
        return "Install the server's packages first."
    return make_environment.disabled_reason()
