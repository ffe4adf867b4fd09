"""Reads and writes the small JSON files of a head's expressions and style cards, and tells what came of it."""

from collections.abc import Callable
from pathlib import Path

import bpy

from ...client.wire import ExpressionError, StyleError
from ...errors import UserError
from ...jobs import session
from ..blender_types import OperatorResult


def load(operator: bpy.types.Operator, path: str, add: Callable[[Path], str]) -> OperatorResult:
    """Add what a file holds to a head.

    Args:
        operator: The operator that reports an error.
        path: The file.
        add: Reads the file, changes the head, and returns a sentence. May raise UserError, ExpressionError, StyleError
            or OSError; nothing is changed then.

    Returns:
        What the operator returns.
    """
    try:
        session.say(add(Path(path)))
    except (UserError, ExpressionError, StyleError) as error:
        operator.report({"ERROR"}, f"{str(error).removesuffix('.')}.")
        return {"CANCELLED"}
    except OSError as error:
        operator.report({"ERROR"}, f'"{path}" cannot be read ({error.strerror}).')
        return {"CANCELLED"}
    return {"FINISHED"}


def save(operator: bpy.types.Operator, path: str, content: str, said: str) -> OperatorResult:
    """Write a file.

    Args:
        operator: The operator that reports an error.
        path: The file.
        content: Its text.
        said: The sentence that says that it is written.

    Returns:
        What the operator returns.
    """
    try:
        Path(path).write_text(content, "utf-8")
    except OSError as error:
        operator.report({"ERROR"}, f'"{path}" cannot be written ({error.strerror}): choose another folder.')
        return {"CANCELLED"}
    session.say(said)
    return {"FINISHED"}
