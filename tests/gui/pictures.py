"""The panels as docs/artists.md shows them: each group of subpanels opened in turn on a line that was generated."""

import sys
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import stage
from stage import add_line, add_on, check, face_the_head, install, shot, until, window_override

GROUPS = {"take": ["take"], "tweak": ["tweak", "keys"], "emotion": ["emotion"], "layers": ["layers"],
          "watch": ["watch", "exchange"], "face": ["face", "parts", "own_keys"]}


def head() -> bpy.types.Object:
    return bpy.data.objects["LSF Head"]


def action() -> bpy.types.Action:
    return head().data.shape_keys.animation_data.action


def idle() -> bool:
    return add_on().session.batch is None


def panels() -> dict[str, list[type]]:
    """The subpanels of the viewport's sidebar in their order, by their module."""
    modules = (module for name, module in vars(add_on().panels).items() if hasattr(module, "bpy"))
    return {module.__name__.rpartition(".")[2]: [cls for name, cls in vars(module).items() if name.startswith(
        "LSF_PT_view3d_")] for module in modules}


def show_only(names: list[str]) -> None:
    """Leave only these subpanels in the sidebar, opened."""
    classes = [cls for module, found in panels().items() for cls in found]
    for cls in reversed(classes):
        if cls.is_registered:
            bpy.utils.unregister_class(cls)
    for cls in (cls for name in names for cls in panels()[name]):
        cls.bl_options = set()
        bpy.utils.register_class(cls)


def generate(operator=None):
    with window_override():
        (operator or bpy.ops.lsf.generate)("INVOKE_DEFAULT")
    yield from until(idle)
    check(not add_on().session.failed, add_on().session.message)


def add_head_with_own_keys() -> None:
    """A head of another kind, whose shape keys are listed."""
    with window_override():
        bpy.ops.lsf.add_head()
        own = bpy.context.object
        for channel in ("Basis", *(channel.name for channel in action().lsf.channels)):
            own.shape_key_add(name=channel)
        bpy.ops.lsf.fill_mapping()


def shot_of_the_mouth():
    """The mouth's opening over the waveform, in a sequencer as large as the viewport."""
    area = next(area for area in bpy.context.window_manager.windows[0].screen.areas if area.type == "VIEW_3D")
    area.type = "SEQUENCE_EDITOR"
    yield 0.3
    area.spaces.active.timeline_overlay.show_strip_source = False
    add_on().mouth_graph.show()
    with window_override("SEQUENCE_EDITOR"):
        bpy.ops.sequencer.select_all(action="SELECT")
        bpy.ops.sequencer.view_selected()
    yield from shot("mouth_graph")


def prepare():
    install()
    show_only([])  # a panel that was drawn closed stays closed
    yield 0.2
    with window_override():
        bpy.ops.lsf.add_head()
    scene = bpy.context.scene
    add_line(channel=4)
    scene.frame_end = 170
    yield from face_the_head()


def steps():
    yield from prepare()
    yield from generate()
    scene = bpy.context.scene
    scene.frame_set(120)
    key = head().data.shape_keys.key_blocks["jawOpen"]
    key.value = 0.3
    key.keyframe_insert("value", frame=100)
    for name, group in GROUPS.items():
        show_only(group)
        if name == "take":
            yield from generate(bpy.ops.lsf.generate_takes)
            yield 1.0
        if name == "face":
            add_head_with_own_keys()
        yield from shot(f"panel_{name}")

    # The same frame of the same line with four emotions, where the mouth is widest open
    show_only(["emotion"])
    bpy.data.objects.remove(bpy.context.object)
    bpy.context.view_layer.objects.active = head()
    head().select_set(True)
    with window_override():
        bpy.ops.lsf.release_keys()
    opening = next(curve for curve in add_on().compat.fcurves_of(action()) if "jawOpen" in curve.data_path)
    widest = max(range(40, 160), key=opening.evaluate)
    for name in ("neutral", "angry", "happy", "sad"):
        scene.lsf.emotion.chosen = name
        yield from generate()
        scene.frame_set(widest)
        yield from shot(f"emotion_{name}")
    yield from shot_of_the_mouth()


stage.run(steps())
