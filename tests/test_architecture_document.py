"""docs/architecture.md names folders and modules that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = (ROOT / "docs" / "architecture.md").read_text("utf-8")
ADD_ON, SERVER = (re.findall(r"^\| `([\w./]+)` .*", part, re.MULTILINE) for part in DOCUMENT.split("## The server"))


def row(folder: str) -> str:
    """The text beside a folder in its table."""
    return re.search(rf"^\| `{re.escape(folder)}`(.*)", DOCUMENT, re.MULTILINE)[1]


@pytest.mark.parametrize("folder", ADD_ON)
def test_the_modules_of_the_add_on_exist(folder):
    path = ROOT / "lsf_blender_addon" / folder
    names = re.findall(r"`([a-z_]+)/?`", row(folder))
    assert path.is_dir() and [n for n in names if not (path / f"{n}.py").exists() and not (path / n).is_dir()] == []


def test_every_folder_of_the_add_on_has_a_row():
    folders = {p.parent.name for p in (ROOT / "lsf_blender_addon").glob("*/__init__.py")}
    assert folders == {folder.strip("/") for folder in ADD_ON}


@pytest.mark.parametrize("name", SERVER)
def test_the_folders_of_the_server_exist(name):
    assert (ROOT / "server" / name).exists()


def test_the_functions_in_the_walk_through_exist():
    block = DOCUMENT.split("### From a press of Generate to keys")[1].split("\n- ")[0]
    for module, name in re.findall(r"(jobs\.\w+)\.(\w+)", block):
        text = (ROOT / "lsf_blender_addon" / f"{module.replace('.', '/')}.py").read_text("utf-8")
        assert re.search(rf"^(def|class) {name}\b", text, re.MULTILINE), f"{module}.{name}"
