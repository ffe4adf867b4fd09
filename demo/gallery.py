"""The gallery of characters, inside bpy: the demo's line on a head of every kind, as pictures and figures.

    python3 build.py gallery         (which runs: python demo/gallery.py FOLDER)

Each head is built from the project's own, and animated as an artist does it: with the operator of the panel's Generate
button, the real server and nothing else than what the page says. The figures are those of the add-on's result line,
and of the evaluated mesh. Everything on the page comes from one run of this.
"""

import argparse
import json
import re
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

import lsf_blender_addon
from demo import characters
from demo.characters import FAMILIES
from lsf_blender_addon.jobs import session
from lsf_blender_addon.scene import evaluated_keys, meshes, new_strip

START, FPS = 25, 24  # first frame of the strip, and frames per second of the scene
SIZE = 300  # pixels, width and height of a view
QUALITY = 80  # of the JPEG files
UPPER_LIDS, LOWER_LIDS = (37, 38, 43, 44), (41, 40, 47, 46)  # landmarks
RIGHT_EYE, LEFT_EYE, CHIN, INNER_FACE = 36, 45, 8, slice(27, 68)
FOCAL_LENGTH, SENSOR = 100.0, 36.0  # millimetres, of the camera
FRAMING, RAISED = 1.75, -0.05  # width of a view, and height of its middle above that of the face, in eye distances
EYE_DISTANCE = 89.2  # millimetres between the outer corners of the eyes, on the project's own head
CLOSED = ("p", "b", "m")  # sounds in which the lips are shut
OPEN_LIDS = 0.85  # of the lids' distance at rest: eyes that are open enough for the view of the closure
COLUMNS = 4  # of views in a picture
VIEWS = "at rest, at the widest open frame, at a closure of the lips, at a blink"
MAKERS_PICTURE = "other_makers.jpg"
TOLERANCE = 1.0  # millimetres by which the result line may differ from what is measured here at another landmark
LEAST_LIDS = 0.5  # millimetres: less is no blink
INTRODUCTION = """# Gallery of characters

The demo's line on heads of all kinds, each built from the project's own. `python3 build.py gallery` builds and
animates them with the add-on, measures them, and writes this page and its pictures.

The first column of figures is the add-on's own: by how many millimetres the lips part where the mouth is widest open,
as measured on the mesh that is seen, and how many were meant. The second is by how much the lids close at a blink, and
their distance at rest; lids that shut tightly lie a little over each other. All are millimetres of a human face. What
the result line says of a head beside that is in *italics*. Each picture shows the head at rest, at the widest open
frame, at a closure of the lips, and at a blink.
"""
MAKERS_TEXT = """\
Select the head and press **Generate**: the names are recognised. The picture shows the widest open frame with the keys
of each kind, in the order of the table, row by row. Keys for the mouth alone move no lids.
[Known kinds](artists.md#known-kinds-of-shape-keys) has the names."""
# What the result line says of every head: frames, number of keys, their error, seconds, and the figure.
ORDINARY = re.compile(r".*: frames \d|\d+ keys|largest error|[\d.]+ s$|the lips part by")
FIGURE = re.compile(r"the lips part by (-?[\d.]+) of (-?[\d.]+) mm")

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Kind:
    """A kind of character.

    Attributes:
        name: Its heading on the page.
        what: What an artist has to do.
        build: Adds the character to the scene; is given a folder that exists until the end, and returns the head.
        prepare: What the page says to do before Generate; is given the head.
    """

    name: str
    what: str
    build: Callable[[Path], bpy.types.Object]
    prepare: Callable[[bpy.types.Object], None] = lambda head: None

    @property
    def picture(self) -> str:
        """Name of its picture."""
        return re.sub(r"\W+", "_", self.name.lower()).strip("_") + ".jpg"


@dataclass(frozen=True)
class Result:
    """What a line did to a head.

    Attributes:
        kind: The kind of the head.
        parted: Millimetres by which the lips part, and which were meant, from the result line; empty if it has none.
        lids: Millimetres between the lids at rest and at the blink, measured on the evaluated mesh.
        said: What else the result line says of this head.
    """

    kind: Kind
    parted: str
    lids: tuple[float, float]
    said: str


@dataclass(frozen=True)
class Moments:
    """Scene frames of the views."""

    rest: int
    widest: int
    closure: int
    blink: int


def built(build: Callable[[], bpy.types.Object]) -> Callable[[Path], bpy.types.Object]:
    """A builder that needs no folder, as one that is given a folder."""
    return lambda folder: build()


LOW_POLY = 0.25  # of the triangles of the head, which are 15696
RELIEF = 0.15  # of the depth of the head
STYLE_NOTE = "If the result asks for it, look at the landmarks."
SHOWN_ALONE = {"ARKit", "VRM", "MMD"}  # families that have pictures of their own; all others share one
GENERATE = "Select the head and press **Generate**."


def set_jaw(head: bpy.types.Object) -> None:
    """Choose the armature, pose its jaw as it is where jawOpen is 1, and press *Set*."""
    armature = head.modifiers["Armature"].object
    head.lsf.bones.armature = armature
    armature.pose.bones["Jaw"].rotation_mode = "XYZ"
    armature.pose.bones["Jaw"].rotation_euler.x = characters.JAW_ANGLE
    bpy.ops.lsf.set_bones(channel="jawOpen")


def cut_mouth(head: bpy.types.Object) -> None:
    """Generate, which finds that the lips are welded, and press *Cut the Mouth*."""
    bpy.ops.lsf.generate()
    bpy.ops.lsf.cut_mouth()


KINDS = (
    Kind(
        "A head without shape keys",
        f"{GENERATE} The head gets keys for all that the line moves.",
        built(characters.plain),
    ),
    Kind(
        "52 ARKit keys",
        f"{GENERATE} The head's own keys move; none is added.",
        built(characters.with_arkit_keys),
    ),
    Kind(
        "ARKit names, but jawOpen is empty",
        f"{GENERATE} The key without a shape is left out and named; a new key moves in its place.",
        built(partial(characters.with_arkit_keys, ("jawOpen",))),
    ),
    Kind(
        "Keys that drivers move",
        f"{GENERATE} The drivers keep their keys; new keys beside them move.",
        built(characters.with_driven_keys),
    ),
    Kind(
        "VRoid and VRM vowels",
        f"{GENERATE} The mouth is made of the vowels. **Add Missing Keys** adds what else is to move.",
        built(partial(characters.of_family, "VRM")),
    ),
    Kind(
        "MMD vowels",
        f"{GENERATE} The Japanese names are known, and their translations, too.",
        built(partial(characters.of_family, "MMD")),
    ),
    Kind(
        "Eyes, teeth and tongue as objects",
        "Select them, then the head with Shift, and press **Generate**. They get keys that follow those of the head.",
        built(partial(characters.in_parts, False)),
    ),
    Kind(
        "Eyes as half spheres",
        "The same: select them, then the head with Shift, and press **Generate**.",
        built(partial(characters.in_parts, True)),
    ),
    Kind(
        "Eyes that are shut at rest",
        f"{GENERATE} The lids stay as they are: nothing blinks where no eye opens.",
        built(characters.with_shut_eyes),
    ),
    Kind(
        "Welded lips",
        f"{GENERATE} The lips are one surface: they stay together, and the result says so.",
        built(characters.with_welded_lips),
    ),
    Kind(
        "Welded lips that were cut",
        "Press **Generate**, then **Cut the Mouth**, then **Generate** again.",
        built(characters.with_welded_lips),
        cut_mouth,
    ),
    Kind(
        "A jaw that is a bone",
        "Choose the armature under **Face › Bones**, turn the jaw as far as it opens, press **Set**, and **Generate**.",
        built(characters.with_jaw_bone),
        set_jaw,
    ),
    Kind(
        "A head that lies on its face",
        f"{GENERATE} The face is found whichever axis points up; the views are turned with it.",
        built(characters.on_its_face),
    ),
    Kind(
        "A library override",
        "Press **Check Character**, then **Override the Mesh** in its list, then **Generate**.",
        characters.overridden,
        lambda head: bpy.ops.lsf.override_mesh(),
    ),
    *(
        Kind(f"Stylised: {style}", f"{GENERATE} {STYLE_NOTE}", built(partial(characters.stylised, style)))
        for style in characters.STYLES
    ),
    Kind(
        "A face that is not found, with MMD names",
        f"{GENERATE} The keys speak by their names. This head is pressed flat, and only its keys are known.",
        built(partial(characters.relief, "MMD", RELIEF)),
    ),
    Kind("Low-poly", GENERATE, built(partial(characters.low_poly, LOW_POLY))),
    Kind(
        "With a Subdivision Surface modifier",
        f"{GENERATE} The modifier stays, and smooths what moves.",
        built(characters.subdivided),
    ),
)
MAKERS = tuple(
    Kind(name, "", built(partial(characters.of_family, name))) for name in FAMILIES if name not in SHOWN_ALONE
)


def empty_file() -> None:
    """Start an empty file with the demo's line on the sequencer."""
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = FPS, 1
    strips = scene.sequence_editor_create().strips
    strips.new_sound("demo line", str(new_strip.DEMO_LINE), channel=1, frame_start=START)


def generate(kind: Kind, folder: Path) -> bpy.types.Object:
    """Build a character in an empty file, and animate it; returns the head.

    Raises:
        RuntimeError: The add-on refuses the character. The text is its sentence.
    """
    empty_file()
    head = kind.build(folder)
    kind.prepare(head)
    bpy.ops.lsf.generate()
    return head


def gaps(head: bpy.types.Object, frames: Sequence[int]) -> tuple[Floats, Floats]:
    """Measure how far lips and lids are apart on the evaluated mesh, negative for lids that have passed each other.

    Args:
        head: The head.
        frames: F frames, at the first of which the head is at rest.

    Returns:
        Millimetres (F,) of a human face each.
    """
    marks, vertices = characters.landmarks(head), evaluated_keys.sample_vertices(head, frames)
    assert vertices is not None
    points = vertices[:, marks]
    scale = EYE_DISTANCE / np.linalg.norm(points[0, 36] - points[0, 45])
    lips = np.linalg.norm(points[:, 62] - points[:, 66], axis=1)
    across = points[:, list(UPPER_LIDS)] - points[:, list(LOWER_LIDS)]
    lids = ((across * across[0]).sum(2) / np.linalg.norm(across[0], axis=1)).mean(1)
    return lips * scale, lids * scale


def moments(head: bpy.types.Object) -> Moments:
    """Choose the frames of the views: they are the same for all characters, as all speak the same line."""
    phones = json.loads(new_strip.DEMO_LINE.with_suffix(".json").read_text(encoding="utf-8"))["phones"]
    end = max(end for _, _, end in phones)
    frames = range(START, START + int(end * FPS))
    lips, lids = gaps(head, frames)
    middles = [START + round((start + end) / 2 * FPS) for sound, start, end in phones if sound in CLOSED]
    seen = [frame for frame in middles if lids[frame - START] > OPEN_LIDS * lids[0]]
    closure = min(seen, key=lambda frame: float(lips[frame - START]))
    return Moments(1, frames[int(lips.argmax())], closure, frames[int(lids.argmin())])


def face_camera(head: bpy.types.Object) -> bpy.types.Object:
    """Make a camera that frames the face between brows and chin, whatever the head's position and direction."""
    points = meshes.to_world(meshes.base_vertices(head.data), head)[characters.landmarks(head)].astype(float)
    size = float(np.linalg.norm(points[LEFT_EYE] - points[RIGHT_EYE]))
    across = (points[LEFT_EYE] - points[RIGHT_EYE]) / size
    up = (points[LEFT_EYE] + points[RIGHT_EYE]) / 2 - points[CHIN]
    up -= (up @ across) * across
    up /= np.linalg.norm(up)
    front = np.cross(across, up)
    middle = points[INNER_FACE].mean(0) + RAISED * size * up
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.lens, camera.data.sensor_width = FOCAL_LENGTH, SENSOR
    axes = np.eye(4)
    axes[:3, 0], axes[:3, 1], axes[:3, 2] = across, up, front
    axes[:3, 3] = middle + FRAMING * size * FOCAL_LENGTH / SENSOR * front
    camera.matrix_world = Matrix(axes.tolist())
    return camera


def rendered(head: bpy.types.Object, frames: Sequence[int], folder: Path) -> list[NDArray[np.float32]]:
    """Render the face at some frames in Workbench's studio light; (SIZE, SIZE, 4) each, rows from the bottom up."""
    scene, pictures = bpy.context.scene, []
    scene.camera = face_camera(head)
    scene.collection.objects.link(scene.camera)
    scene.world = bpy.data.worlds.new("Backdrop")
    scene.world.color = 0.045, 0.05, 0.06
    scene.view_settings.view_transform = "Standard"
    shading, render = scene.display.shading, scene.render
    scene.display.render_aa = "8"
    shading.light, shading.color_type = "STUDIO", "MATERIAL"
    shading.show_cavity, shading.cavity_type = True, "BOTH"
    shading.cavity_ridge_factor, shading.curvature_ridge_factor = 0.6, 0.5
    render.engine, render.use_sequencer, render.use_compositing = "BLENDER_WORKBENCH", False, False
    render.resolution_x = render.resolution_y = SIZE
    render.image_settings.file_format = "PNG"
    render.filepath = str(folder / "view.png")
    for frame in frames:
        scene.frame_set(frame)
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(render.filepath)
        pixels = np.empty((SIZE, SIZE, 4), np.float32)
        image.pixels.foreach_get(pixels.ravel())
        bpy.data.images.remove(image)
        pictures.append(pixels)
    return pictures


def save(path: Path, rows: Sequence[Sequence[NDArray[np.float32]]]) -> None:
    """Write pictures of one size, row by row from the top, as one .jpg file."""
    pixels = np.concatenate([np.concatenate(row, 1) for row in reversed(rows)], 0)
    image = bpy.data.images.new("picture", pixels.shape[1], pixels.shape[0])
    image.pixels.foreach_set(np.ascontiguousarray(pixels).ravel())
    image.filepath_raw, image.file_format = str(path), "JPEG"
    image.save(quality=QUALITY)
    bpy.data.images.remove(image)


def show(kind: Kind, at: Moments, folder: Path, all_views: bool) -> tuple[Result, list[NDArray[np.float32]]]:
    """Animate a character, measure it, and render all its views, or that of the widest frame alone.

    Raises:
        RuntimeError: The add-on refuses the character, or the result line is not what the mesh does.
    """
    start = time.monotonic()
    head = generate(kind, folder)
    clauses = session.message.removesuffix(".").split("; ")
    frames = [at.rest, at.widest, at.closure, at.blink]
    lips, lids = gaps(head, frames)
    figure = FIGURE.search(session.message)
    if figure and lips.any() and abs(float(figure[1]) - (lips[1] - lips[0])) > TOLERANCE:
        raise RuntimeError(f"the lips part by {lips[1] - lips[0]:.1f} mm, and the result line says: {session.message}")
    said = "; ".join(clause for clause in clauses if not ORDINARY.match(clause))
    views = rendered(head, frames if all_views else [at.widest], folder)
    print(f"{time.monotonic() - start:5.1f} s  {kind.name}: {session.message}", flush=True)
    return Result(kind, " of ".join(figure.groups()) if figure else "", (float(lids[0]), float(lids[3])), said), views


def overview(results: Sequence[Result], linked: bool) -> list[str]:
    """Lines of a table of results."""
    lines = ["| kind | lips part by | lids close by |", "|---|---|---|"]
    for result in results:
        name, anchor = result.kind.name, re.sub(r"[^\w -]", "", result.kind.name.lower()).replace(" ", "-")
        cell = f"[{name}](#{anchor})" if linked else name
        opened, shut = result.lids
        lids = f"{opened - shut:.1f} of {opened:.1f} mm" if opened - shut >= LEAST_LIDS else "–"
        lines.append(f"| {cell} | {result.parted + ' mm' if result.parted else '–'} | {lids} |")
    return lines


def wrapped(text: str) -> str:
    """A paragraph in lines of the usual width."""
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def page(results: Sequence[Result], makers: Sequence[Result]) -> str:
    """The page."""
    lines = [INTRODUCTION, *overview(results, True), ""]
    for result in results:
        kind = result.kind
        lines += [f"## {kind.name}", "", wrapped(kind.what), ""]
        lines += [wrapped(f"*{result.said[0].upper()}{result.said[1:]}.*"), ""] if result.said else []
        lines += [f"![{kind.name}: {VIEWS}](images/gallery/{kind.picture})", ""]
    lines += ["## Keys of other makers", "", MAKERS_TEXT, "", *overview(makers, False), ""]
    lines += [f"![The widest open frame on keys of each kind, in this order](images/gallery/{MAKERS_PICTURE})", ""]
    return "\n".join(lines)


def main() -> None:
    """Animate and show all kinds of characters, or some."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("docs", type=Path, help="the folder of the page; its pictures go to images/gallery")
    parser.add_argument("--only", help="only kinds whose names contain this: their pictures, and no page")
    args = parser.parse_args()
    pictures = args.docs / "images" / "gallery"
    pictures.mkdir(parents=True, exist_ok=True)
    lsf_blender_addon.register()
    results, faults = {}, []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        at = moments(generate(KINDS[0], folder))
        widest = []
        for kind in (*KINDS, *MAKERS):
            if args.only and args.only not in kind.name:
                continue
            try:
                results[kind], views = show(kind, at, folder, kind in KINDS)
            except RuntimeError as error:
                faults.append(f"{kind.name}: {error}")
                continue
            if kind in KINDS:
                save(pictures / kind.picture, [views])
            else:
                widest += views
        if widest:
            widest += [np.zeros_like(widest[0])] * (-len(widest) % COLUMNS)
            save(pictures / MAKERS_PICTURE, [widest[k : k + COLUMNS] for k in range(0, len(widest), COLUMNS)])
    lsf_blender_addon.unregister()
    if faults:
        sys.exit("\n".join(["The page is not written:", *faults]))
    if not args.only:
        text = page([results[kind] for kind in KINDS], [results[kind] for kind in MAKERS])
        (args.docs / "gallery.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
