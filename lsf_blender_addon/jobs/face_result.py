"""Keeps with the head what the server found out about a face: its landmarks, those in doubt, and its parts."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ..scene import parts
from ..scene.landmarks import points, store
from ..scene.own_properties import face_of
from .face_plan import FacePlan


def write(objects: list[bpy.types.Object], plan: FacePlan) -> str:
    """Keep the landmarks with the head, and list the objects that are parts of its face.

    Args:
        objects: The character's objects, the head first.
        plan: What was found.

    Returns:
        A sentence without its full stop for the artist.
    """
    head = objects[0]
    store.write_found(head, plan.landmarks, set(plan.doubtful))
    face = face_of(head)
    for obj, codes in zip(objects, plan.parts, strict=True) if plan.parts is not None else ():
        text = parts.describe(codes)
        if obj == head:
            face.recognised = text
        elif text not in ("", "Skin", "Still"):
            face.add_part(obj)
        for part in face.parts:
            if part.object == obj:
                part.recognised = text
    return iface("The face was found") + in_doubt(head)


def in_doubt(head: bpy.types.Object) -> str:
    """What the artist should check, as the end of a sentence; empty if nothing is in doubt."""
    lines = doubted_lines(head)
    return iface("; check the landmarks in the Face panel: {lines}").format(lines=lines) if lines else ""


def doubted_lines(head: bpy.types.Object) -> str:
    """Names of the lines with landmarks that the artist should check; empty if there are none."""
    return ", ".join(dict.fromkeys(points.line_name(index).lower() for index in store.doubtful(head)))
