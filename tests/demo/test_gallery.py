"""The gallery's page and its pictures belong together. It is made by hand, with `python3 build.py gallery`."""

import re
from pathlib import Path

import pytest

pytest.importorskip("bpy")  # gallery.py runs inside Blender

from demo import gallery

DOCS = Path(gallery.__file__).parent.parent / "docs"
PICTURES = DOCS / "images" / "gallery"
PAGE = (DOCS / "gallery.md").read_text(encoding="utf-8")
MOST_BYTES = 1_500_000  # of all pictures


def test_the_page_names_the_pictures_that_exist():
    named = re.findall(r"!\[[^]]*\]\(images/gallery/([^)]+)\)", PAGE)
    assert len(named) == len(set(named)) and set(named) == {path.name for path in PICTURES.iterdir()}
    assert sum(path.stat().st_size for path in PICTURES.iterdir()) < MOST_BYTES


def test_every_kind_has_its_section():
    headings = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    assert headings == [*(kind.name for kind in gallery.KINDS), "Keys of other makers"]
    for kind in gallery.KINDS:
        assert kind.what in PAGE.replace("\n", " ") and f"images/gallery/{kind.picture}" in PAGE
    for kind in gallery.MAKERS:
        assert f"\n| {kind.name} | " in PAGE


def test_links_within_the_page():
    anchors = {
        re.sub(r"[^\w -]", "", name.lower()).replace(" ", "-") for name in re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= anchors
