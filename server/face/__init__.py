"""The face space: the project's own head, and fitting it to any mesh."""

from .guided import check_landmarks
from .head import Head, load_head
from .space import FaceSpace, fit

__all__ = ["FaceSpace", "Head", "check_landmarks", "fit", "load_head"]
