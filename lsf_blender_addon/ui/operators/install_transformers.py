"""Install the packages that some models of the Model Folder preference need."""

import bpy

from ...jobs import environment
from ..blender_types import OperatorResult
from . import make_environment
from .poll import enabled_unless


class LSF_OT_install_transformers(bpy.types.Operator):
    """Install the package transformers, which the chosen model needs, into the add-on's own folder."""

    bl_idname = "lsf.install_transformers"
    bl_label = "Install Transformers"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason())

    def execute(self, _context: bpy.types.Context) -> OperatorResult:
        return make_environment.install(self, environment.install_transformers)


def disabled_reason() -> str:
    """Return why the button is disabled, as a sentence; empty if it is not."""
    if not environment.state().usable:
        return "Install the speech engine first."
    if environment.transformers_are_installed():
        return "The packages are installed."
    return make_environment.disabled_reason()
