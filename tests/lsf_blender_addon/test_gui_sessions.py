"""The sessions of tests/gui, which need a window, name modules, functions and operators that exist."""

import ast
from pathlib import Path

import bpy
import pytest

import lsf_blender_addon

SESSIONS = sorted((Path(__file__).parents[1] / "gui").glob("*.py"))


def chain(node: ast.AST) -> tuple[ast.AST, list[str]]:
    """What a chain of attributes starts with, and the names of the attributes."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    return node, names


def is_call_of(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.stem)
def test_names_exist(addon, path):
    nodes = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Attribute)]
    for node in nodes:
        start, names = chain(node)
        if is_call_of(start, "add_on"):
            found = lsf_blender_addon
            for name in names:
                assert hasattr(found, name), f"line {node.lineno}: add_on().{'.'.join(names)}"
                found = getattr(found, name)
                if found is None:  # a value of a running job
                    break
        elif isinstance(start, ast.Name) and start.id == "bpy" and names[:2] == ["ops", "lsf"] and len(names) > 2:
            assert hasattr(bpy.types, f"LSF_OT_{names[2]}"), f"line {node.lineno}: bpy.ops.lsf.{names[2]}"


def test_there_are_sessions():
    assert len(SESSIONS) > 5
