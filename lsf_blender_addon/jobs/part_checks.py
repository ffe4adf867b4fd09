"""Checks of the parts of a character: objects left out, names that contradict shapes, eyes that do not open."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ..scene import nearby_parts
from ..scene.findings import Finding, FoundFace
from . import face_plan, face_result
from .name_list import listed


def nearby(
    context: bpy.types.Context, head: bpy.types.Object, face: FoundFace | None
) -> tuple[list[bpy.types.Object], bool]:
    """Objects beside the head that seem to belong to it, and whether they certainly do, see `nearby_parts.find`."""
    vertices = face.arrays.get("landmark_vertices") if face else None
    return nearby_parts.find(context, head, vertices.tolist() if vertices is not None else ())


def objects_left_out(head: bpy.types.Object, face: FoundFace | None) -> list[Finding]:
    """Objects beside the head that seem to belong to it, and would stand still."""
    objects, is_certain = nearby(bpy.context, head, face)
    if not objects:
        return []
    certain = iface("{names} stand still, though they seem to belong to the head")
    text = certain if is_certain else iface("{names} stand still: add them if they belong to the head")
    names = listed([obj.name for obj in objects])
    return [Finding("FAULT" if is_certain else "NOTE", text.format(names=names), "lsf.add_nearby_parts")]


def names_and_shapes(_head: bpy.types.Object, face: FoundFace | None) -> list[Finding]:
    """Objects whose names contradict their shapes."""
    doubts = face_plan.part_doubts(face.character, face.header) if face else ()
    return [Finding("NOTE", _sentence(face_result.part_in_doubt(doubt))) for doubt in doubts[:2]]


def eyes_that_open(_head: bpy.types.Object, face: FoundFace | None) -> list[Finding]:
    """Eyes that are shut at rest, or painted."""
    text = face_result.no_blink(face_plan.shut_eyes(face.character, face.header)) if face else ""
    return [Finding("NOTE", _sentence(text))] if text else []


def neutral_face(_head: bpy.types.Object, face: FoundFace | None) -> list[Finding]:
    """Whether the mesh is a whole head at rest."""
    signs = face_plan.not_neutral(face.header) if face else ()
    return [Finding("NOTE", _sentence(text)) for text in face_result.not_neutral(signs)]


def _sentence(text: str) -> str:
    """The continuation of a sentence as one of its own."""
    return text[:1].upper() + text[1:]
