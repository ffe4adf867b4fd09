"""Check Character: says before anything is generated what will move, and what will not."""

from collections.abc import Callable

import bpy

from ..scene.findings import Finding, FoundFace

MOST = 8  # lines that are shown: a longer list is not read
ORDER = ("FAULT", "NOTE", "OK")  # faults are shown first

# A check takes the head and its face, which is None where the server did not find it (yet), and says what it found. It
# changes nothing, and takes a few milliseconds: it runs whenever the head's settings change.
Check = Callable[[bpy.types.Object, FoundFace | None], list[Finding]]

CHECKS: tuple[Check, ...] = ()  # in the order in which findings of one level are shown


def findings(head: bpy.types.Object, face: FoundFace | None) -> list[Finding]:
    """Run all checks.

    Args:
        head: A mesh object.
        face: Its face; None if it is not known.

    Returns:
        What was found, faults first.
    """
    found = [finding for check in CHECKS for finding in check(head, face)]
    return sorted(found, key=lambda finding: ORDER.index(finding.level))
