"""The face space: the project's own head, and fitting it to any mesh."""

from .head import Head, load_head
from .space import FaceSpace, fit

__all__ = ["FaceSpace", "Head", "fit", "load_head"]
