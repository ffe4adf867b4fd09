"""Edit Landmarks: the artist drags the landmarks over the mesh in the viewport."""

import bpy
import numpy as np
from bpy.app.translations import pgettext_iface as iface
from bpy_extras import view3d_utils
from numpy.typing import NDArray

from ...errors import UserError
from ...jobs import session
from ...scene import meshes
from ...scene.access import find_item, mesh_of
from ...scene.landmarks import points, store
from ...scene.landmarks.surface import Surface
from ..blender_types import OperatorResult
from ..head import require_head, usable_head
from ..landmark_editor import drawing
from ..landmark_editor.editor import Editor
from .poll import enabled_unless

# Starts of the types of events that move the view.
NAVIGATION = ("MIDDLEMOUSE", "WHEEL", "TRACKPAD", "NUMPAD_", "NDOF_", "MOUSEROTATE", "ACCENT_GRAVE")


class LSF_OT_edit_landmarks(bpy.types.Operator):
    """Show the landmarks of the face on the mesh and drag them to their places.

    The animation uses those that you move exactly; all others are found automatically. If the face is not found, set
    the mouth corners, nose tip and chin. Enter also confirms the doubtful landmarks, which are red.
    """

    bl_idname = "lsf.edit_landmarks"
    bl_label = "Edit Landmarks"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        head = require_head(context)
        self._head = head.name
        surface = Surface(meshes.evaluated_vertices(head), meshes.read_triangles(mesh_of(head)))
        self._editor = Editor(surface, *store.read(head))
        self._handler = bpy.types.SpaceView3D.draw_handler_add(
            drawing.draw, (self._editor, set(store.doubtful(head))), "WINDOW", "POST_PIXEL"
        )
        context.window_manager.modal_handler_add(self)
        context.window.cursor_modal_set("CROSSHAIR")
        self._show(context)
        return {"RUNNING_MODAL"}

    def execute(self, _context: bpy.types.Context) -> OperatorResult:
        self.report({"ERROR"}, "Landmarks are edited with the mouse in a 3D viewport")
        return {"CANCELLED"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        editor, region = self._editor, _region_at(context, event)
        if event.type.startswith("TIMER"):  # a timer of another operator, such as Generate
            return {"PASS_THROUGH"}
        if event.type in {"RET", "NUMPAD_ENTER"} and event.value == "PRESS":
            return self._keep(context)
        if event.type in {"ESC", "RIGHTMOUSE"} and event.value == "PRESS":
            self._leave(context)
            return {"CANCELLED"}
        if editor.dragged is None and (region is None or event.type.startswith(NAVIGATION) or event.alt):
            return {"PASS_THROUGH"}
        if event.type == "LEFTMOUSE" and event.value == "RELEASE":  # also outside of the viewport
            editor.release()
        elif region is not None and event.type in {"MOUSEMOVE", "LEFTMOUSE"}:
            self._point(region, event)
        elif event.value == "PRESS" and editor.dragged is None:
            self._type(event)
        self._show(context)
        return {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Clean up when Blender ends the operator: its window is closed, or another file is opened."""
        self._leave(context)

    def _point(self, region: bpy.types.Region, event: bpy.types.Event) -> None:
        """Let the pointer hover over, press or drag a landmark in this viewport."""
        view = region.data
        if not isinstance(view, bpy.types.RegionView3D):
            return
        pointer = event.mouse_x - region.x, event.mouse_y - region.y
        ray = _ray(region, view, pointer)
        if self._editor.dragged is not None:
            self._editor.drag(*ray)
        else:
            self._editor.hover(drawing.pixels(self._editor, region, view), pointer)
            if event.type == "LEFTMOUSE" and event.value in {"PRESS", "DOUBLE_CLICK"}:
                self._editor.press(*ray)

    def _type(self, event: bpy.types.Event) -> None:
        """Handle a key."""
        if event.type == "X":
            self._editor.mirror()
        elif event.type == "R":
            self._editor.reset(everything=event.shift)
        elif event.type == "F":
            self._editor.toggle_anchors_only()
        elif event.type == "Z" and (event.ctrl or event.oskey):
            self._editor.undo()

    def _show(self, context: bpy.types.Context) -> None:
        """Show the keys in the status bar, and redraw the viewports."""
        missing = self._editor.missing
        if missing is not None:
            text = iface("Click: Place {point}   Esc: Cancel").format(point=points.name(missing))
        else:
            text = iface(
                "Drag: Move   X: Mirror   R: Reset   Shift R: Reset All   F: Four or All Landmarks   Ctrl Z: Undo   "
                "Enter: Confirm   Esc: Cancel"
            )
        context.workspace.status_text_set(text)
        for area in context.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()

    def _keep(self, context: bpy.types.Context) -> OperatorResult:
        """End the editor and store the artist's landmarks."""
        self._leave(context)
        head = find_item(bpy.data.objects, self._head)
        if head is None or len(mesh_of(head).vertices) != len(self._editor.surface.vertices):
            self.report({"ERROR"}, f'"{self._head}" was changed in the meantime: edit its landmarks again')
            return {"CANCELLED"}
        if not self._editor.changed and not store.doubtful(head):
            return {"CANCELLED"}
        store.write_own(head, self._editor.own)
        store.accept(head)
        self.report({"INFO"}, f"{len(self._editor.own)} landmarks set by hand")
        return {"FINISHED"}

    def _leave(self, context: bpy.types.Context) -> None:
        """End the editor: restore the viewports, the status bar and the pointer."""
        bpy.types.SpaceView3D.draw_handler_remove(self._handler, "WINDOW")
        context.workspace.status_text_set(None)
        context.window.cursor_modal_restore()
        session.redraw()


def disabled_reason(context: bpy.types.Context) -> str:
    """Return why landmarks cannot be edited now, as a sentence; empty if they can."""
    if context.area is None or context.area.type != "VIEW_3D":
        return "Landmarks are edited in a 3D viewport."
    try:
        head = usable_head(context)
    except UserError as error:
        return f"{error}."
    return "" if head.visible_get() else f'"{head.name}" is hidden: unhide it first.'


def _region_at(context: bpy.types.Context, event: bpy.types.Event) -> bpy.types.Region | None:
    """Return the viewport under the pointer; None if another editor, a sidebar or a header is there."""
    over = [
        (area, region)
        for area in context.screen.areas
        for region in area.regions
        if region.x <= event.mouse_x < region.x + region.width
        and region.y <= event.mouse_y < region.y + region.height
        and region.height > 1
    ]
    if over and all(area.type == "VIEW_3D" and region.type == "WINDOW" for area, region in over):
        return over[0][1]
    return None


def _ray(
    region: bpy.types.Region, view: bpy.types.RegionView3D, pointer: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return origin (3,) and direction (3,), in world space, of the ray under a pointer in pixels of the region."""
    return (
        np.array(view3d_utils.region_2d_to_origin_3d(region, view, pointer)),
        np.array(view3d_utils.region_2d_to_vector_3d(region, view, pointer)),
    )
