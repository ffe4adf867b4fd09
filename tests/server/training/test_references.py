"""Modules, files and commands that docs and docstrings of the training name do exist."""

import ast
import importlib.util
import re
from pathlib import Path

import pytest

import server

ROOT = Path(server.__file__).parent.parent
DOCS = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "server/checkpoints/default/MODEL_CARD.md"]
SOURCES = sorted((ROOT / "server").rglob("*.py"))


def docstrings(path: Path) -> str:
    """All docstrings of a file, and its comments."""
    text = path.read_text(encoding="utf-8")
    nodes = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = [ast.get_docstring(node) or "" for node in ast.walk(ast.parse(text)) if isinstance(node, nodes)]
    return "\n".join([*found, *re.findall(r"#.*", text)])


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or an attribute of one."""
    module, _, attribute = name.rpartition(".")
    try:
        if importlib.util.find_spec(name):
            return True
    except ModuleNotFoundError:
        pass
    return hasattr(importlib.import_module(module), attribute)


@pytest.mark.parametrize("path", [*DOCS, *SOURCES], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_training_module_that_is_named_exists(path):
    text = path.read_text(encoding="utf-8") if path.suffix == ".md" else docstrings(path)
    for name in set(re.findall(r"\bserver\.training(?:\.[a-z_0-9]+)+", text)):
        assert exists(name), name
    for file in set(re.findall(r"\b(?:tests/)?server/training/[\w/.-]*\w", text)):
        assert (ROOT / file).exists(), file


@pytest.mark.parametrize("path", sorted((ROOT / "server/training").rglob("*.py")), ids=lambda path: path.name)
def test_every_file_that_a_docstring_of_the_training_names_exists(path):
    names = {file.name for file in SOURCES} | {file.name for file in DOCS}
    for name in set(re.findall(r"\b[a-z_0-9]+\.(?:py|md)\b", docstrings(path))):
        assert name in names, name


def test_every_command_of_the_guide_is_a_command():
    text = (ROOT / "docs/training.md").read_text(encoding="utf-8")
    commands = set(re.findall(r"python -m ([\w.]+)", text))
    assert len(commands) >= 12
    for name in commands:
        spec = importlib.util.find_spec(name)
        assert spec is not None, name
        assert '__name__ == "__main__"' in Path(spec.origin).read_text(encoding="utf-8"), name
