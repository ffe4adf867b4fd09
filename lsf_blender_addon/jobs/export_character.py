"""Exports a head that speaks, and what moves with it, by Blender's own exporters for glTF and FBX.

At their defaults these leave out a part of the speech (docs/formats.md). Here they sample what is evaluated, in the
frames that are asked for. The artist's selection, frame and frame range are as before afterwards, also after an error.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import bpy

from ..errors import UserError
from ..scene import character
from ..scene.access import active_scene

FIRST_FRAME = 0  # Blender's frame range cannot begin earlier


class Exporter(NamedTuple):
    """An exporter of Blender.

    Attributes:
        name: Its name in Blender's list of add-ons.
        operator: Its name in bpy.ops.export_scene.
        settings: What is to be set beside path, selection and frames.
    """

    name: str
    operator: str
    settings: dict[str, Any]


EXPORTERS = {
    "GLB": Exporter(
        "glTF 2.0 format",
        "gltf",
        {
            "export_format": "GLB",
            "use_active_scene": True,
            # One animation of all objects, sampled from the scene. In the other modes each Action becomes an animation
            # of its own, of which importers play one, and shape keys that follow drivers have none.
            "export_animation_mode": "SCENE",
            "export_anim_scene_split_object": False,
        },
    ),
    "FBX": Exporter(
        "FBX format",
        "fbx",
        {
            # Each of these two replaces the scene's animation by Actions and strips of objects: no shape key has any.
            "bake_anim_use_all_actions": False,
            "bake_anim_use_nla_strips": False,
            "bake_anim_simplify_factor": 0.0,  # closed lips stay closed
            "use_mesh_modifiers": False,  # a mesh whose modifiers are applied loses its shape keys
            "add_leaf_bones": False,  # they are no bones of the artist
        },
    ),
}


class Exported(NamedTuple):
    """What was exported.

    Attributes:
        first: First frame.
        last: Last frame.
        objects: Names of the objects in the file.
        left_out: Names of those that cannot be exported because they are hidden or cannot be selected.
    """

    first: int
    last: int
    objects: list[str]
    left_out: list[str]


def write(
    context: bpy.types.Context,
    head: bpy.types.Object,
    path: str,
    format: str,
    frames: tuple[int, int],
    with_rig: bool = True,
    with_selection: bool = False,
) -> Exported:
    """Export a head, its parts, and what else is asked for.

    Args:
        context: The context, in Object Mode.
        head: The head.
        path: The file to write.
        format: A key of EXPORTERS.
        frames: First and last frame of the scene.
        with_rig: Whether the armatures and the parents that move these objects are exported, too.
        with_selection: Whether the selected objects are exported, too.

    Raises:
        UserError: The exporter is not there, or failed, or the head is hidden.
    """
    exporter = EXPORTERS[format]
    if exporter.operator not in dir(bpy.ops.export_scene):
        raise UserError(f'Blender\'s add-on "{exporter.name}" is off: turn it on in Preferences > Add-ons')
    objects = [head, *character.find_parts(context, head)]
    if with_rig:
        objects += _carriers(objects)
    if with_selection:
        objects += context.selected_objects
    objects = list(dict.fromkeys(objects))
    first, last, layer = max(frames[0], FIRST_FRAME), frames[1], context.view_layer
    assert layer is not None  # it is set wherever the add-on runs
    with _selected(layer, objects) as selected, _frames(active_scene(context), first, last):
        if head not in selected:
            raise UserError(
                f'"{head.name}" is hidden, or cannot be selected in the scene that is shown: '
                "show it, and make it selectable, in the Outliner"
            )
        _call(exporter, path)
    left_out = [obj.name for obj in objects if obj not in selected]
    return Exported(first, last, [obj.name for obj in selected], left_out)


def _carriers(objects: list[bpy.types.Object]) -> list[bpy.types.Object]:
    """The armatures that deform these objects, and the parents of all, up to the root."""
    found: dict[bpy.types.Object, None] = {}
    waiting = list(objects)
    while waiting:
        obj = waiting.pop()
        armatures = [modifier.object for modifier in obj.modifiers if isinstance(modifier, bpy.types.ArmatureModifier)]
        for carrier in (obj.parent, *armatures):
            if carrier is not None and carrier not in found:
                found[carrier] = None
                waiting.append(carrier)
    return list(found)


@contextmanager
def _selected(layer: bpy.types.ViewLayer, objects: list[bpy.types.Object]) -> Iterator[list[bpy.types.Object]]:
    """Select only these objects for a while, and yield those for which it works; the active object stays."""
    before = [obj for obj in layer.objects if obj.select_get(view_layer=layer)]
    _select(layer, objects)
    try:
        yield [obj for obj in objects if obj.select_get(view_layer=layer)]
    finally:
        _select(layer, before)


def _select(layer: bpy.types.ViewLayer, objects: list[bpy.types.Object]) -> None:
    """Select these objects and no others; Blender ignores it for those that are hidden or cannot be selected."""
    wanted = set(objects)
    for obj in layer.objects:
        obj.select_set(obj in wanted, view_layer=layer)


@contextmanager
def _frames(scene: bpy.types.Scene, first: int, last: int) -> Iterator[None]:
    """Set the scene's frame range for a while."""
    before = scene.frame_start, scene.frame_end
    current = scene.frame_current, scene.frame_subframe
    scene.frame_start, scene.frame_end = first, last
    try:
        yield
    finally:
        scene.frame_start, scene.frame_end = before
        scene.frame_set(current[0], subframe=current[1])


def _call(exporter: Exporter, path: str) -> None:
    """Run the exporter on the selected objects. Raises UserError if it fails."""
    _check_writable(path)
    operator = getattr(bpy.ops.export_scene, exporter.operator)
    try:
        operator(filepath=path, check_existing=False, use_selection=True, **exporter.settings)
    except (RuntimeError, TypeError) as error:  # what the operator reported: an error, or a traceback with its place
        lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith("Location:")]
        raise UserError(
            f'Blender\'s "{exporter.name}" failed ({lines[-1].strip()}): try it in File > Export, or another format'
        ) from error


def _check_writable(path: str) -> None:
    """Check that a file can be written: the exporters would answer with a traceback. Raises UserError."""
    file = Path(path)
    is_new = not file.exists()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.open("ab").close()
        if is_new:
            file.unlink()
    except OSError as error:
        raise UserError(f'"{path}" cannot be written ({error.strerror}): choose another folder') from error
