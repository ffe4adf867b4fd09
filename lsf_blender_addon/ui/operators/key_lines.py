"""Key in the Lines: opens generated lines that play on an NLA track for the artist's keys, and closes them again."""

import bpy

from ...animation import actions, nla
from ...scene.access import active_scene, ensure_key_animation, key_animation, mesh_of
from ..blender_types import OperatorResult
from ..head import find_head, require_head
from .poll import enabled_unless, linked_reason


class LSF_OT_key_lines(bpy.types.Operator):
    """Set keys in the generated lines, which play on an NLA track, or stop it.

    Without it, a new key goes to your own Action above them, and replaces the generated curve on all frames.
    """

    bl_idname = "lsf.key_lines"
    bl_label = "Key in the Lines"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        head = find_head(context)
        if head is None or not are_on_a_track(head):
            return enabled_unless(cls, "No generated lines play on an NLA track.")
        return enabled_unless(cls, linked_reason(head))

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        mesh = mesh_of(require_head(context))
        action = actions.existing(mesh)
        assert action is not None  # poll
        nla.toggle_tweak_mode(ensure_key_animation(mesh), action, active_scene(context).frame_current)
        return {"FINISHED"}


def are_on_a_track(head: bpy.types.Object) -> bool:
    """Return whether a strip plays a head's lines, so that new keys go to another Action. Fast enough to draw."""
    mesh = mesh_of(head)
    data, action = key_animation(mesh), actions.existing(mesh)
    if data is None or action is None:
        return False
    return any(strip.action == action for track in data.nla_tracks for strip in track.strips)


def are_keyed(head: bpy.types.Object) -> bool:
    """Return whether keys go to the lines that a strip plays: that its tweak mode is on."""
    data = key_animation(mesh_of(head))
    return data is not None and data.use_tweak_mode and data.action == actions.existing(mesh_of(head))
