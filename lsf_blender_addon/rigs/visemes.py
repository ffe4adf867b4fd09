"""What keys without channels (visemes) show, told by their names. No bpy.

The server finds the values of such keys from their shapes. Where it finds no face on the mesh, it does not know what a
shape shows, and the name has to tell. The families' files say it, as `like`: the usual positions of jaw and lips in the
sound, in round numbers, so that no viseme goes further than a clear speaker.
"""

from collections.abc import Collection

from . import families
from .mapping import Mapping

Look = dict[str, float]
"""Values of channels."""


def looks(mapping: Mapping, names: Collection[str]) -> list[Look]:
    """Return what the solved keys of a mapping show by their names.

    Args:
        mapping: The mapping, of a family or of the artist's own.
        names: Names of all of the head's keys.

    Returns:
        For each solved key the values of channels; empty where its name tells nothing.
    """
    known: dict[str, Look] = {}
    for family in sorted(families.built_in(), key=lambda family: family.name == mapping.name):
        known |= family.looks(names)
    return [known.get(key, {}) for key in mapping.solved]
