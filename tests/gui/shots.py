"""Pictures of the screen, which sessions request and run.py makes outside Blender."""

import json

import bpy
from stage import OUT, area_of, region_of, window

EDGE = 4  # pixels of an editor's lower edge, which is drawn with a line


def convert(*arguments: str):
    """Ask run.py for ImageMagick's `convert` with these arguments (`x:root` is the screen), and wait for it."""
    request = OUT / "convert.json"
    part = request.with_suffix(".part")
    part.write_text(json.dumps(arguments))
    part.rename(request)  # so that run.py never reads half of it
    while request.exists():
        yield 0.05


def shot(name: str, *options: str):
    """Make a picture of the screen, a PNG if its name has no other suffix."""
    yield 2.5  # everything is drawn by then, and the panels have stopped moving
    yield from convert("x:root", *options, name if "." in name else f"{name}.png")


def only(x: int, y: int, width: int, height: int) -> tuple[str, ...]:
    """Options for a picture of a part of the window, in pixels from the lower left as Blender counts them."""
    return "-crop", f"{width}x{height}+{x}+{window().height - y - height}", "+repage"


def shot_of_sidebar(name: str):
    """Make a picture of the subpanels in the viewport's sidebar, without the tabs beside and the space below them."""
    area = area_of("VIEW_3D")
    sidebar, overlay = region_of(area, "UI"), area.spaces.active.overlay
    tabs = round(30 * bpy.context.preferences.system.ui_scale)
    overlay.show_overlays = False  # the space below has one colour, which can be trimmed
    whole = only(sidebar.x, sidebar.y + EDGE, sidebar.width - tabs, sidebar.height - EDGE)
    yield from shot(name, *whole, "-fuzz", "2%", "-trim", "+repage")
    overlay.show_overlays = True


def shot_of_panels(name: str):
    """Make a picture of the subpanels in the viewport's sidebar for docs/artists.md."""
    yield from shot_of_sidebar(name)
    yield from convert(f"{name}.png", "+dither", "-colors", "96", f"docs/{name}.png")
