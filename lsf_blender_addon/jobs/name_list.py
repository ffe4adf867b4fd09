"""Names in a sentence. No bpy."""


def listed(names: list[str]) -> str:
    """The first three names, and how many there are besides."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
