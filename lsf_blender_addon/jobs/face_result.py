"""Keeps with the head what the server found out about a face: its landmarks, those in doubt, and its parts."""

from collections.abc import Sequence

import bpy
from bpy.app.translations import pgettext_iface as iface

from ..scene import mouth_seam, nearby_parts, parts
from ..scene.landmarks import points, store
from ..scene.own_properties import face_of
from ..scene.part_names import EYE, TEETH
from .face_plan import FacePlan, PartDoubt, WeldedLips
from .name_list import listed


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
    mouth_seam.write(head, plan.welded_lips.seam if plan.welded_lips else None)
    face, doubts = face_of(head), {doubt.object for doubt in plan.doubts}
    for obj, codes in zip(objects, plan.parts, strict=True) if plan.parts is not None else ():
        text = parts.describe(codes)
        if obj == head:
            face.recognised = text
        elif text not in ("", "Skin", "Still") or obj.name in doubts:
            face.add_part(obj)
        for part in face.parts:
            if part.object == obj:
                part.recognised, part.is_doubtful = text, obj.name in doubts
    return iface("The face was found") + in_doubt(head, plan)


def in_doubt(head: bpy.types.Object, plan: FacePlan | None) -> str:
    """What the artist should check, as the end of a sentence; empty if nothing is in doubt.

    Args:
        head: The head's object.
        plan: What was found of its face, if that is known.
    """
    lines = doubted_lines(head)
    text = iface("; check the landmarks in the Face panel: {lines}").format(lines=lines) if lines else ""
    if plan is not None:
        sentences = (
            *not_neutral(plan.not_neutral),
            no_blink(plan.shut_eyes),
            one_surface(plan.welded_lips),
            *map(part_in_doubt, plan.doubts),
        )
        text += "".join(f"; {sentence}" for sentence in sentences if sentence)
    nearby, _is_certain = nearby_parts.find(bpy.context, head)
    return text + (f"; {standing_still(nearby)}" if nearby else "")


def part_in_doubt(doubt: PartDoubt) -> str:
    """The sentence on an object whose name contradicts its shape, without its full stop."""
    text = (
        iface("{name} is taken for {part} by its name, but has another shape: check it under Face > Parts")
        if doubt.by_name
        else iface("{name} is named like {named}, but is taken for {part} by its shape: check it under Face > Parts")
    )
    name = iface('a piece of "{name}"').format(name=doubt.object) if doubt.is_piece else f'"{doubt.object}"'
    return text.format(name=name, part=_called((doubt.part,)), named=_called(doubt.named))


def _called(codes: tuple[int, ...]) -> str:
    """What the parts of these codes are called together."""
    together = {parts.ALLOWED[EYE]: iface("Eye"), parts.ALLOWED[TEETH]: iface("Teeth")}
    return together.get(codes) or ", ".join(iface(parts.NAMES[code]) for code in codes if code in parts.NAMES)


def not_neutral(signs: Sequence[str]) -> list[str]:
    """The sentences on a mesh that is no whole head at rest, see docs/protocol.md, without their full stops."""
    sentences = {
        "half_head": iface("this is half a head: apply its Mirror modifier, a whole head is needed"),
        "front_only": iface("this is the front of a head: if the rest is another object, add it under Face > Parts"),
        "open_mouth": iface("the mouth is open at rest: a neutral face with closed lips is needed"),
        "smile": iface("the face smiles at rest: a neutral face is needed"),
        "unlike": iface("this is hardly like a face at rest: check the landmarks, a neutral face is needed"),
    }
    return [sentences[sign] for sign in signs if sign in sentences]


def no_blink(sides: Sequence[str]) -> str:
    """The sentence on eyes that do not open, "left" or "right", without its full stop; empty if there are none."""
    if len(sides) > 1:
        return iface("no blinks: the eyes do not open, they are shut or painted")
    if "left" in sides:
        return iface("no blinks on the left: that eye does not open, it is shut or painted")
    if "right" in sides:
        return iface("no blinks on the right: that eye does not open, it is shut or painted")
    return ""


def one_surface(lips: WeldedLips | None) -> str:
    """The sentence on lips that are one surface, without its full stop; empty if they are cut."""
    if lips is None:
        return ""
    if lips.own_keys:
        return iface("the lips are one surface, which your keys stretch: press Cut the Mouth in the Face panel")
    text = iface(
        "the lips are one surface: they stay together, and the jaw opens by {percent} %; press Cut the Mouth in the "
        "Face panel"
    )
    return text.format(percent=round(100 * lips.seam.jaw))


def standing_still(objects: list[bpy.types.Object]) -> str:
    """The sentence on objects that seem to belong to the head, but do not move with it, without its full stop."""
    text = iface("{names} stand still: press Also Move under Face > Parts if they belong to the head")
    return text.format(names=listed([obj.name for obj in objects]))


def doubted_lines(head: bpy.types.Object) -> str:
    """Names of the lines with landmarks that the artist should check; empty if there are none."""
    return ", ".join(dict.fromkeys(points.line_name(index).lower() for index in store.doubtful(head)))
