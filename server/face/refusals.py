"""The sentence for a mesh without a face, in one place."""

from ..errors import LSFError


def no_face() -> LSFError:
    return LSFError(
        "no_face",
        "No face was found on this mesh: select the character's head, facing -Y with Z up, or "
        "place the landmarks by hand.",
    )
