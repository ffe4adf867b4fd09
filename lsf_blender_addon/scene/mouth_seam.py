"""Keeps with a head where its welded lips would part."""

import bpy

from . import stored
from .access import mesh_of
from .lip_seam import Seam
from .own_properties import face_of


def write(head: bpy.types.Object, seam: Seam | None) -> None:
    """Keep a seam with the head; None: its lips are cut, or not known to be welded."""
    face = face_of(head)
    face.lip_seam.clear()
    for first, second, share in seam.points if seam else ():
        item = face.lip_seam.add()
        item.ends, item.share = (first, second), share
    face.lip_seam_vertices = seam.vertex_count if seam else 0
    face.lip_seam_jaw = seam.jaw if seam else 1.0


def read(head: bpy.types.Object) -> Seam | None:
    """The seam that a head keeps; None if its lips are not known to be welded, or its mesh has changed."""
    face = face_of(head)
    if not face.lip_seam or face.lip_seam_vertices != len(mesh_of(head).vertices):
        return None
    points = tuple((item.ends[0], item.ends[1], item.share) for item in face.lip_seam)
    ends = [end for point in points for end in point[:2]]
    shares = stored.numbers([face.lip_seam_jaw, *(point[2] for point in points)], len(points) + 1)
    if shares is None or min(ends) < 0 or max(ends) >= face.lip_seam_vertices:
        return None  # damaged
    return Seam(points, face.lip_seam_vertices, face.lip_seam_jaw)


def is_welded(head: bpy.types.Object) -> bool:
    """Whether the lips of a head are known to be one surface. It reads next to nothing: panels ask at each redraw."""
    face = face_of(head)
    return bool(face.lip_seam) and face.lip_seam_vertices == len(mesh_of(head).vertices)
