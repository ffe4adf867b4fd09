"""Checks of the mouth: whether its lips are cut."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ..scene.findings import Finding, FoundFace
from . import face_plan


def lips(_head: bpy.types.Object, face: FoundFace | None) -> list[Finding]:
    """Whether the lips are cut or one surface."""
    if face is None:
        return []
    welded = face_plan.welded_lips(face.character, face.header)
    if welded is None:
        return [Finding("OK", iface("The lips are cut"))]
    if welded.own_keys:
        return [Finding("NOTE", iface("The lips are one surface, which your keys stretch"), "lsf.cut_mouth")]
    text = iface("The lips are one surface: they stay together, and the jaw opens by {percent} %")
    return [Finding("FAULT", text.format(percent=round(100 * welded.seam.jaw)), "lsf.cut_mouth")]
