"""LSF for Blender: animates a head to a line of speech, as shape keys and F-curves. See docs/architecture.md.

Importing the package does not import bpy, so that code without Blender can be used and tested on its own.
"""


def register() -> None:
    """Register the add-on's classes, properties, menu entries and handlers with Blender."""
    from .ui import registration

    registration.register()


def unregister() -> None:
    """Stop running jobs and playback, and undo all that `register` has done."""
    from .ui import registration

    registration.unregister()
