"""Operators that change all that they change of a head, or nothing."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import bpy

from ...animation import rollback
from ..blender_types import OperatorResult
from ..head import find_head

Execute = Callable[[Any, bpy.types.Context], OperatorResult]


def all_or_nothing(execute: Execute) -> Execute:
    """Let `execute` of an operator restore the chosen head, its parts and its animation if it raises an error."""

    @wraps(execute)
    def guarded(self: Any, context: bpy.types.Context) -> OperatorResult:
        head = find_head(context)
        if head is None:
            return execute(self, context)
        with rollback.of_head(head):
            return execute(self, context)

    return guarded
