"""What Check Character finds on a head itself: its shape keys, modifiers and size, and why Generate refuses it."""

import bpy
import numpy as np
from bpy.app.translations import pgettext_iface as iface

from ..animation import actions, part_drivers
from ..errors import UserError
from ..prediction.lips import EYE_DISTANCE, LEFT_EYE, RIGHT_EYE
from ..rigs import families
from ..scene import bones, character, drivers, empty_keys, meshes, parts, rig, shape_key_faults
from ..scene.access import mesh_of
from ..scene.evaluated_keys import ADDING_MODIFIERS
from ..scene.findings import Finding, FoundFace
from ..scene.landmarks import points
from ..scene.own_properties import face_of
from .name_list import listed

REPLACING_MODIFIERS = {"MESH_CACHE", "MESH_SEQUENCE_CACHE"}  # they replace the vertices, and with them the shape keys
REMOVING_MODIFIERS = {"BOOLEAN", "BUILD", "DECIMATE", "EXPLODE", "MASK", "REMESH", "WELD"}
USUAL_SIZE = 3.0  # times as large as a human head, or as small: beyond, the units are told
EYES = ("LEFT_EYE", "RIGHT_EYE")
SIDES = ("Left", "Right")
MAIN_CHANNELS = ("jawOpen", *(name + side for name in ("eyeBlink", "mouthSmile") for side in SIDES))  # missed at once


def can_be_animated(head: bpy.types.Object, _face: FoundFace | None) -> list[Finding]:
    """Why Generate refuses the head, or what it cannot do on it."""
    mesh = mesh_of(head)
    try:
        meshes.check(head)
        actions.check(mesh)
    except UserError as error:
        cure, action = "", actions.existing(mesh)
        if not head.library and mesh.library:
            cure = "lsf.override_mesh"
        elif mesh.shape_keys is not None and not mesh.shape_keys.use_relative:
            cure = "lsf.use_relative_keys"
        elif mesh.library is None and action is not None and action.library is not None:
            cure = "lsf.make_lines_local"
        return [Finding("FAULT", iface(str(error)), cure)]
    if meshes.keeps_new_keys(mesh):
        return []
    if mesh.shape_keys is None:
        return [Finding("FAULT", iface("A library override takes no new shape keys, and the head has none"))]
    return [Finding("NOTE", iface("A library override takes no new shape keys: only those that it has are animated"))]


def keys_that_show(head: bpy.types.Object, _face: FoundFace | None) -> list[Finding]:
    """Shape keys that would not show what their curves say."""
    found = []
    if name := shape_key_faults.pinned(head):
        text = iface('Nothing moves, as the shape key "{name}" is pinned').format(name=name)
        found.append(Finding("FAULT", text, "lsf.unpin_key"))
    if names := shape_key_faults.muted(head):
        text = iface("Muted, so that they do not show: {names}").format(names=listed(names))
        found.append(Finding("FAULT", text, "lsf.unmute_keys"))
    if names := list(shape_key_faults.short_sliders(head)):
        text = iface("Their sliders end too early: {names}").format(names=listed(names))
        found.append(Finding("FAULT", text, "lsf.widen_sliders"))
    return found


def own_keys(head: bpy.types.Object, face: FoundFace | None) -> list[Finding]:
    """What becomes of the shape keys that the head has."""
    mesh = mesh_of(head)
    names, mapping = _names(mesh), rig.mapping_of(head)
    driven = drivers.driven_keys(mesh) - part_drivers.followed_keys(mesh)
    left_out = [name for name in shape_key_faults.wanted_ranges(head) if name in driven]
    found = _left_out(mesh, iface("Drivers move these"), left_out)
    if mapping is None or not mapping.rows:
        if names and set(names) <= empty_keys.find(mesh):
            text = iface("None of {count} shape keys has a shape: they move nothing")
            found.append(Finding("NOTE", text.format(count=len(names))))
        elif not names:
            found.append(Finding("OK", iface("It has no shape keys of its own: Generate adds new ones")))
        elif not set(names) & set(families.channels()):
            found.append(Finding("NOTE", _unknown_keys(head, names)))
        return found
    empty, used = empty_keys.find(mesh), {row.key for row in mapping.rows}
    without = {row.key for row in families.without_shape(names, rig.known_families(), mapping, empty)} | used & empty
    wrong = [name for name in face.wrong if name in used] if face else []
    found += _left_out(mesh, iface("Without a shape"), sorted(without))
    found += _left_out(mesh, iface("They move something else than their names say"), wrong)
    text = iface("{family}: {count} of {total} shape keys are animated")
    count = len(used - without - {*wrong, *left_out})
    found.append(Finding("OK", text.format(family=mapping.name or iface("own"), count=count, total=len(names))))
    shown = {
        row.channel for row in (*mapping.rows, *families.without_shape(names, rig.known_families(), mapping, empty))
    }
    if not (mapping.solved or face_of(head).add_missing):
        found += _without_key(mesh, shown | set(bones.channels(head)))
    if unused := families.unused(names, mapping, empty):
        found.append(Finding("NOTE", iface("Not animated: {names}").format(names=listed(list(unused)))))
    return found


def modifiers(head: bpy.types.Object, _face: FoundFace | None) -> list[Finding]:
    """Modifiers that hide what shape keys do, or show it wrongly."""
    found = []
    shown = [modifier for modifier in head.modifiers if modifier.show_viewport]
    for modifier in shown:
        if modifier.type in REPLACING_MODIFIERS:
            text = iface('Nothing moves, as "{name}" replaces the shape keys by a cache').format(name=modifier.name)
            found.append(Finding("FAULT", text))
    if removing := [modifier.name for modifier in shown if modifier.type in REMOVING_MODIFIERS]:
        text = iface("What moves cannot be measured behind these modifiers: {names}").format(names=listed(removing))
        found.append(Finding("NOTE", text))
    last_armature = max((i for i, modifier in enumerate(shown) if modifier.type == "ARMATURE"), default=0)
    if early := [modifier.name for modifier in shown[:last_armature] if modifier.type in ADDING_MODIFIERS]:
        text = iface("These modifiers are better below the Armature: {names}").format(names=listed(early))
        found.append(Finding("NOTE", text))
    return found


def size(head: bpy.types.Object, face: FoundFace | None) -> list[Finding]:
    """Whether the head is as large as a human one, measured by its eyes."""
    marks = face.arrays.get("landmarks68") if face else None
    if marks is None:
        return []
    scene = head.users_scene[0] if head.users_scene else None
    metres = scene.unit_settings.scale_length if scene is not None else 1.0
    times = float(np.linalg.norm(marks[LEFT_EYE] - marks[RIGHT_EYE])) * metres * 1000 / EYE_DISTANCE
    if 1 / USUAL_SIZE <= times <= USUAL_SIZE:
        return []
    shown = f"{times:.0f}" if times >= 1 else f"{times:.2g}"
    text = iface("{times} times as large as a human head; the speech fits it all the same").format(times=shown)
    return [Finding("NOTE", text)]


def landmarks(_head: bpy.types.Object, face: FoundFace | None) -> list[Finding]:
    """Landmarks that the artist should look at."""
    report = face.header.get("report") or {} if face else {}
    doubtful = [index for index in report.get("check_landmarks") or () if index in range(points.COUNT)]
    if not doubtful:
        return []
    names = ", ".join(dict.fromkeys(points.line_name(index).lower() for index in doubtful))
    return [Finding("NOTE", iface("Check these landmarks: {lines}").format(lines=names), "lsf.edit_landmarks")]


def moving_parts(head: bpy.types.Object, face: FoundFace | None) -> list[Finding]:
    """What else moves: the objects that belong to the head, and the parts that were found in them."""
    codes = face.arrays.get("parts") if face else None
    if face is None or codes is None:
        return []
    found = []
    if others := [obj.name for obj in character.listed_parts(head)]:
        found.append(Finding("OK", iface("With the head move: {names}").format(names=listed(others))))
    if not {parts.CODES[eye] for eye in EYES} & set(codes.tolist()):
        text = iface("No eyeballs were found: the eyes do not turn")
        found.append(Finding("NOTE", text))
    return found


def _names(mesh: bpy.types.Mesh) -> list[str]:
    """The shape keys that the head has; on a library override those that were generated in the library, too."""
    if meshes.keeps_new_keys(mesh) or mesh.shape_keys is None:
        return rig.own_keys(mesh)
    return [key.name for key in mesh.shape_keys.key_blocks if key != mesh.shape_keys.reference_key]


def _takes_new_keys(mesh: bpy.types.Mesh) -> bool:
    """Whether Generate can add shape keys: neither to a linked mesh nor to a library override."""
    return mesh.library is None and meshes.keeps_new_keys(mesh)


def _without_key(mesh: bpy.types.Mesh, shown: set[str]) -> list[Finding]:
    """What is said of channels that no key and no bone shows: the main ones, and those of which one side is shown."""
    wanted = dict.fromkeys(MAIN_CHANNELS)
    for channel in sorted(shown):
        for side, other in (SIDES, SIDES[::-1]):
            if channel.endswith(side):
                wanted[channel.removesuffix(side) + other] = None
    missing = [channel for channel in wanted if channel in families.channels() and channel not in shown]
    if not missing:
        return []
    text = iface("No shape key shows these channels: {channels}").format(channels=listed(missing))
    return [Finding("NOTE", text, "lsf.add_missing_keys" if _takes_new_keys(mesh) else "")]


def _left_out(mesh: bpy.types.Mesh, reason: str, names: list[str]) -> list[Finding]:
    """What is said of keys that are left out; other keys, new ones if need be, move in their place if they can."""
    if not names:
        return []
    instead = iface("{reason}, so others move in their place: {names}")
    text = instead if _takes_new_keys(mesh) else iface("{reason}, so they are left out: {names}")
    return [Finding("NOTE", text.format(reason=reason, names=listed(names)))]


def _unknown_keys(head: bpy.types.Object, names: list[str]) -> str:
    """What is said of keys of which none is of a known kind."""
    if face_of(head).own_keys == "IGNORE":
        return iface("Generate adds new shape keys, beside {count} of the head's own").format(count=len(names))
    return iface("None of {count} shape keys is of a known kind: Generate adds new ones").format(count=len(names))
