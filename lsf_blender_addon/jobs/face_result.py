"""What the server found out about a face, kept with the head: its landmarks, those in doubt, and the parts."""

import bpy
import numpy as np

from ..scene import parts
from ..scene.landmarks import points, store
from ..scene.landmarks.surface import Surface
from ..scene.snapshots import Character


def remember(objects: list[bpy.types.Object], character: Character, header: dict, arrays: dict) -> str:
    """Keep it with the first of the character's objects, the head, and list those of the others that are parts of a
    face; returns it in words.

    `header` and `arrays` are a result of `generate` or `prepare_face`, see docs/protocol.md.
    """
    head, report = objects[0], header.get("report") or {}
    doubtful = {index for index in report.get("check_landmarks") or () if index in range(points.COUNT)}
    triangles = character.head.triangles
    around = np.isin(triangles, arrays["landmark_vertices"]).any(1)
    surface = Surface(character.head.vertices, triangles[around] if around.any() else triangles)
    found = dict(enumerate(surface.closest_points(arrays["landmarks68"].astype(np.float64))))
    store.write_found(head, found, doubtful)
    recognised = arrays.get("parts")
    if recognised is not None and recognised.shape == (len(character.vertices),):
        _remember_parts(objects, character, recognised)
    return f"The face was found{in_doubt(head)}"


def in_doubt(head: bpy.types.Object) -> str:
    """What the artist should check, as the end of a sentence; empty if all is well."""
    lines = doubted_lines(head)
    return f"; check the landmarks in the Face panel: {lines}" if lines else ""


def doubted_lines(head: bpy.types.Object) -> str:
    """Where the points are that the artist should check; empty if all is well."""
    return ", ".join(dict.fromkeys(points.line_name(index).lower() for index in store.doubtful(head)))


def _remember_parts(objects: list[bpy.types.Object], character: Character, recognised: np.ndarray) -> None:
    face = objects[0].lsf
    for obj, (_member, codes) in zip(objects, character.pieces(recognised), strict=True):
        text = parts.describe(codes)
        if obj == objects[0]:
            face.recognised = text
        elif text not in ("", "Skin", "Still"):
            face.add_part(obj)
        for part in face.parts:
            if part.object == obj:
                part.recognised = text
