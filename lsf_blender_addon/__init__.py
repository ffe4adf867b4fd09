"""LSF for Blender: a line of speech and a head in, shape keys and F-curves out. See docs/architecture.md.

Importing the package loads no bpy, so that what needs no Blender can be used and tested without one.
"""


def register() -> None:
    """Tell Blender of the add-on's classes, properties, menu entries and handlers."""
    from .ui import registration

    registration.register()


def unregister() -> None:
    """Stop what is at work, and take everything back that `register` has told Blender."""
    from .ui import registration

    registration.unregister()
