"""Pictures for docs/artists.md: the subpanels with a generated line, a frame with four emotions, the mouth graph."""

import json
import sys
import tempfile
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import stage
from shots import convert, only, shot, shot_of_panels
from stage import action, add_on, area_of, check, head, idle, press, until, window_override

GROUPS = {
    "take": ["take"],
    "tweak": ["tweak", "keys"],
    "emotion": ["emotion"],
    "bank": ["emotion", "expression_bank"],
    "style": ["style"],
    "layers": ["layers"],
    "watch": ["watch", "exchange"],
    "face": ["face", "parts", "own_keys"],
}
EMOTIONS = ("neutral", "angry", "happy", "sad")
FACES = {  # of the bank
    "Lopsided smile": {"mouthSmileLeft": 0.8, "cheekSquintLeft": 0.5, "mouthSmileRight": 0.1},
    "One brow up": {"browOuterUpRight": 0.9, "browInnerUp": 0.2, "browDownLeft": 0.4},
}
STYLE = {
    "format": "lsf-style",
    "version": 1,
    "name": "Actor",
    "numbers": {"rest": {"squint": 0.1}, "amplitude": {"jaw_large": -0.2, "corners_large": 0.3}},
    "left_out": {"timing": "no_gain", "poses": "no_gain", "sides": "not_moved", "blinks": "too_short"},
}
SCALES = {"bank": 0.8}  # of the interface, where a window is too low for all of a picture
PICTURE_SIZE = 480, 600  # pixels, width and height of the pictures of emotions


def generate(operator=None):
    press(operator or bpy.ops.lsf.generate)
    yield from until(idle)
    check(not add_on().jobs.session.failed, add_on().jobs.session.message)


def add_head_with_own_keys() -> None:
    """Add a head with shape keys of its own, and list them."""
    press(bpy.ops.lsf.add_head)
    for channel in ("Basis", *(channel.name for channel in action().lsf.lines[0].tweaks.channels)):
        bpy.context.object.shape_key_add(name=channel)
    press(bpy.ops.lsf.fill_mapping)


def add_faces_to_bank() -> None:
    """Pose the head's keys and add the faces to its bank; then they are at rest again."""
    keys = head().data.shape_keys.key_blocks
    frame = bpy.context.scene.frame_current
    for name, weights in FACES.items():
        bpy.context.scene.frame_set(1)  # before the line
        for channel, weight in weights.items():
            keys[channel].value = weight
        with window_override():
            bpy.ops.lsf.add_expression(name=name)
        for channel in weights:
            keys[channel].value = 0
    bpy.context.scene.frame_set(frame)
    bpy.context.scene.lsf.emotion.chosen = next(iter(FACES))


def add_style() -> None:
    """Give the head a style card."""
    with tempfile.TemporaryDirectory() as folder:
        card = Path(folder) / "actor.json"
        card.write_text(json.dumps(STYLE))
        with window_override():
            bpy.ops.lsf.load_style(filepath=str(card))


def shots_of_panels():
    yield from generate()
    bpy.context.scene.frame_set(120)
    key = head().data.shape_keys.key_blocks["jawOpen"]
    key.value = 0.3
    key.keyframe_insert("value", frame=100)
    for name, group in GROUPS.items():
        stage.show_panels(*group, others=False)
        if name == "take":
            yield from generate(bpy.ops.lsf.generate_takes)
        if name == "bank":
            add_faces_to_bank()
            bpy.context.scene.lsf.emotion.direction = "one eyebrow up, a hint of a smile"
            yield from generate(bpy.ops.lsf.read_direction)
        if name == "style":
            add_style()
        if name == "face":
            add_head_with_own_keys()
        view = bpy.context.preferences.view
        view.ui_scale = SCALES.get(name, 1.0)
        yield 1.0  # until the sidebar has its width
        yield from shot_of_panels(f"panel_{name}")
        view.ui_scale = 1.0


def begin_again(audio: str) -> None:
    """Replace head and line."""
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    bpy.context.scene.sequence_editor_clear()
    press(bpy.ops.lsf.add_head)
    stage.add_line(channel=4, audio=audio)


def shots_of_emotions():
    """Make pictures of the frame with the widest open mouth, with four emotions."""
    area = area_of("VIEW_3D")
    space, region = area.spaces.active, stage.region_of(area)
    space.overlay.show_overlays = space.show_gizmo = False
    space.region_3d.view_location.z += 0.03
    space.region_3d.view_distance *= 0.8
    left, lower = region.x + (region.width - PICTURE_SIZE[0]) // 2, region.y + (region.height - PICTURE_SIZE[1]) // 2
    widest = None
    for name in EMOTIONS:
        bpy.context.scene.lsf.emotion.chosen = name
        yield from generate()
        if widest is None:
            jaw = next(curve for curve in add_on().compat.fcurves_of(action()) if "jawOpen" in curve.data_path)
            widest = max(range(40, 160), key=jaw.evaluate)
        bpy.context.scene.frame_set(widest)
        yield from shot(f"emotion_{name}", *only(left, lower, *PICTURE_SIZE))
    yield from convert(
        *(f"emotion_{name}.png" for name in EMOTIONS),
        "+append",
        "-resize",
        "1200",
        "-quality",
        "90",
        "docs/emotions.jpg",
    )


def shot_of_the_mouth():
    """Make a picture of the mouth's opening over the waveform, in a sequencer as large as the viewport."""
    area = area_of("VIEW_3D")
    area.type = "SEQUENCE_EDITOR"
    yield 0.3
    area.spaces.active.timeline_overlay.show_strip_source = False
    add_on().preview.mouth_graph.show()
    bpy.context.scene.frame_set(1)
    with window_override("SEQUENCE_EDITOR"):
        bpy.ops.sequencer.select_all(action="SELECT")
        bpy.ops.sequencer.view_selected()
    yield 2.0
    region = stage.region_of(area)
    times = add_on().compat.strip_times(bpy.context.scene.sequence_editor.active_strip)
    left, lower = region.view2d.view_to_region(times.left - 1, 4, clip=False)
    right, upper = region.view2d.view_to_region(times.right + 1, 5, clip=False)
    yield from shot(
        "docs/mouth_graph.jpg", *only(region.x + left, region.y + lower, right - left, upper - lower), "-quality", "90"
    )


def steps():
    stage.show_panels(others=False)
    press(bpy.ops.lsf.add_head)
    stage.add_line(channel=4)
    yield from stage.show_heads_from_the_front()
    yield from shots_of_panels()
    begin_again(str(Path(add_on().__file__).parent / "assets" / "demo_line.flac"))
    yield from shots_of_emotions()
    yield from shot_of_the_mouth()


stage.run(steps())
