"""Check Character: says before anything is generated what will move, and what will not.

What is found is kept outside Blender's data, for one head, and only as long as the head is as it was: nothing of it is
saved. Checks of keys, modifiers and settings are made again when these change, so that a cure shows at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import bpy
from bpy.app.translations import pgettext_iface as iface

from ..client.wire import Arrays, Header
from ..rigs.shape_check import Fault
from ..scene import drivers, shape_key_faults
from ..scene.access import mesh_of
from ..scene.findings import Finding, FoundFace
from ..scene.own_properties import face_of
from ..scene.snapshots import Character
from . import bone_poses, head_checks, mouth_checks, own_keys, part_checks

MOST = 8  # lines that are shown: a longer list is not read
ORDER = ("FAULT", "NOTE", "OK")  # faults are shown first
SAMPLES = 64  # vertices whose positions tell whether a mesh is still the one that was checked

# A check takes the head and its face, which is None where the server did not find it (yet), and says what it found. It
# changes nothing, and takes a few milliseconds: it runs whenever the head's settings change.
Check = Callable[[bpy.types.Object, FoundFace | None], list[Finding]]

CHECKS: tuple[Check, ...] = (  # in the order in which findings of one level are shown
    head_checks.can_be_animated,
    head_checks.keys_that_show,
    head_checks.modifiers,
    head_checks.own_keys,
    bone_poses.check,
    head_checks.moving_parts,
    part_checks.objects_left_out,
    part_checks.names_and_shapes,
    part_checks.neutral_face,
    part_checks.eyes_that_open,
    mouth_checks.lips,
    head_checks.landmarks,
    head_checks.size,
)


@dataclass
class _Report:
    """What was found on the head that was checked last."""

    head: int  # its session_uid
    shape: tuple[Any, ...]  # of `_shape`
    face: FoundFace | None
    missing: Finding | None  # why the face is not known
    settings: tuple[Any, ...] = ()  # of `_settings`
    findings: list[Finding] = field(default_factory=list)


_report: _Report | None = None


def findings(head: bpy.types.Object, face: FoundFace | None) -> list[Finding]:
    """Run all checks.

    Args:
        head: A mesh object.
        face: Its face; None if it is not known.

    Returns:
        What was found, in the order of the checks.
    """
    return [finding for check in CHECKS for finding in check(head, face)]


def found_face(character: Character, header: Header, arrays: Arrays) -> FoundFace:
    """The face that `prepare_face` has found; the head's own keys are compared with its channels, once.

    Args:
        character: Head and parts, as they were sent.
        header: The result's header.
        arrays: The result's arrays.
    """
    usable = own_keys.with_usable_keys(character, header["channels"], arrays)
    left_out = usable.rig.left_out if usable.rig else ()
    wrong = dict.fromkeys(row.key for row, fault in left_out if fault is Fault.WRONG)
    return FoundFace(character, header, arrays, tuple(wrong))


def keep(head: bpy.types.Object, face: FoundFace | None, missing: Finding | None = None) -> None:
    """Show what is found on a head, until the head changes.

    Args:
        head: A mesh object.
        face: Its face, as the server found it; None if it is not known.
        missing: Why it is not known.
    """
    global _report
    _report = _Report(head.session_uid, _shape(head), face, missing)


def known_face(head: bpy.types.Object) -> FoundFace | None:
    """The face of a head that was checked last; None if it is another one, or has changed since."""
    if _report is None or _report.head != head.session_uid or _report.shape != _shape(head):
        return None
    return _report.face


def forget() -> None:
    """Show nothing any more."""
    global _report
    _report = None


def shown(head: bpy.types.Object) -> list[Finding]:
    """The lines to show for a head; empty if it was not checked, or has changed since. For panels: quick."""
    if _report is None or _report.head != head.session_uid:
        return []
    if _report.shape != _shape(head):
        forget()
        return []
    settings = _settings(head)
    if _report.settings != settings:
        found = findings(head, _report.face) + ([_report.missing] if _report.missing else [])
        found.sort(key=lambda finding: ORDER.index(finding.level))
        if all(finding.level == "OK" for finding in found):
            found.insert(0, Finding("OK", iface("All well")))
        _report.findings, _report.settings = _shortened(found), settings
    return _report.findings


def _shortened(found: list[Finding]) -> list[Finding]:
    """As many findings as are read; the last line says how many there are besides."""
    if len(found) <= MOST:
        return found
    rest = len(found) - MOST + 1
    return [*found[: MOST - 1], Finding("NOTE", iface("and {count} more").format(count=rest))]


def _shape(head: bpy.types.Object) -> tuple[Any, ...]:
    """What differs when the head got another shape or size, so that its face has to be found again."""
    mesh, count = mesh_of(head), len(mesh_of(head).vertices)
    scale = tuple(round(length, 5) for length in head.matrix_world.to_scale()[:])
    if head.mode != "OBJECT":
        return (head.mode,)
    points = mesh.shape_keys.reference_key.points if mesh.shape_keys else mesh.vertices
    places = tuple(tuple(points[i].co[:]) for i in range(0, count, max(1, count // SAMPLES)))
    return (mesh.session_uid, count, len(mesh.polygons), scale, places)


def _settings(head: bpy.types.Object) -> tuple[Any, ...]:
    """What differs when a setting of the head has changed that a check reads."""
    mesh, face = mesh_of(head), face_of(head)
    keys = mesh.shape_keys
    blocks = keys.key_blocks if keys else ()
    return (
        bpy.app.translations.locale,
        head.name,
        mesh.users,
        shape_key_faults.pinned(head),
        keys is not None and keys.use_relative,
        tuple((key.name, key.mute, key.slider_min, key.slider_max) for key in blocks),
        tuple(sorted(drivers.driven_keys(mesh))),
        tuple((modifier.name, modifier.type, modifier.show_viewport) for modifier in head.modifiers),
        (face.own_keys, face.add_missing, tuple((row.key, row.channel, row.gain) for row in face.mapping)),
        tuple((part.object, part.kind) for part in face.parts),
        (face.bones.armature, tuple((row.channel, row.bone) for row in face.bones.rows)),
        tuple(item.index for item in face.own_landmarks),
    )
