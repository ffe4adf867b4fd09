"""What panels and messages call the families of a style card, and why one is at the default."""

from bpy.app.translations import pgettext_iface as iface


def family_label(family: str) -> str:
    """The name of a family of numbers, in the artist's language."""
    return {
        "rest": iface("Resting face"),
        "amplitude": iface("Size of movements"),
        "visemes": iface("Shape of vowels"),
        "timing": iface("Onset and smoothness"),
        "poses": iface("Accents and pauses"),
        "sides": iface("Left and right"),
        "blinks": iface("Rate of blinks"),
    }[family]


def reason_label(reason: str) -> str:
    """Why a family was left at the default, in the artist's language; empty for an unknown reason."""
    return {
        "no_gain": iface("it did not make the head more like the actor"),
        "not_moved": iface("the recording does not move it"),
        "too_short": iface("too little was recorded to tell"),
    }.get(reason, "")
