"""Writing a line is all or nothing: whatever raises half-way, the file is as it was before."""

import sys
from pathlib import Path

import bpy
import numpy as np
import pytest

import lsf_blender_addon
from lsf_blender_addon import compat
from lsf_blender_addon.animation import actions, rollback
from lsf_blender_addon.jobs import apply_line, lines
from lsf_blender_addon.jobs.line_plan import LinePlan
from lsf_blender_addon.prediction.eyes import LIDS
from lsf_blender_addon.scene import bones, meshes
from lsf_blender_addon.scene.snapshots import BonePose
from server.arkit import CHANNELS
from tests.lsf_blender_addon.fake_client import Client, use

ADDON = str(Path(lsf_blender_addon.__file__).parent)
MOVING = ("jawOpen", "mouthClose", "browInnerUp", *LIDS)
POINTS = np.random.default_rng(0).normal(0, 0.1, (68, 3)).astype(np.float32)
POINTS[[36, 45, 27, 8]] = (-0.1, 0, 0), (0.1, 0, 0), (0, 0, 0), (0, 0, -0.3)  # a face along -Y


class SmoothClient(Client):
    """A few channels move softly; with the layers that are asked for, landmarks, parts, and a solved rig."""

    def submit(self, kind, request, arrays):
        job = super().submit(kind, request, arrays)
        number, count = len(self.jobs), len(job.arrays["motion"])
        frames = np.arange(count)
        motion = np.zeros((count, 52), np.float32)
        for k, name in enumerate(MOVING if number % 2 else MOVING[1:]):
            motion[:, CHANNELS.index(name)] = 0.7 + 0.5 * np.sin(frames / (9 + k) + number)
        variants = request["settings"]["eye_variants"]
        blinks = np.clip(1 - np.abs(frames - 30) / 3, 0, 1) * (number % 2)  # the second run has none
        gaze = np.where(((frames > 40) & (frames < 60))[:, None], [7.0, -5.0 * number], 0.0)
        layers = {
            "blinks": np.tile(blinks, (variants, 1)),
            "gaze": np.tile(gaze, (variants, 1, 1)),
            "head": np.radians(np.stack([number * np.sin(frames / 9), 0 * frames, 2 * np.sin(frames / 20)], 1)),
        }
        wanted = request["settings"]["layers"]
        job.header["report"] = {"check_landmarks": [number, 40]}
        job.arrays |= {name: layers[name].astype(np.float32) for name in wanted}
        job.arrays |= {"motion": motion, "landmarks68": POINTS, "landmark_vertices": np.arange(68, dtype=np.int32) % 8}
        job.arrays["parts"] = np.where(np.arange(len(arrays["vertices"])) < 8, 0, 2).astype(np.int32)
        if "rig_shapes" in arrays:
            job.arrays["rig_motion"] = motion[:, : len(arrays["rig_shapes"])] / 2
        return job


@pytest.fixture
def scene(addon, add_strip, clicks, monkeypatch):
    """A head with 8 vertices, and a strip of four seconds."""
    add_strip(clicks)
    bpy.ops.mesh.primitive_cube_add()
    bpy.context.object.name = "Head"
    use(addon, monkeypatch, SmoothClient())
    bpy.context.scene.lsf.layers.blinks = bpy.context.scene.lsf.layers.gaze = False
    return bpy.context.scene


def generated(scene):
    bpy.ops.lsf.generate()


def only_strip(scene):
    (strip,) = compat.all_strips(scene.sequence_editor)
    return strip


def new_line(scene, frame):
    """Let the strip be that of another line, at another frame, and generate it."""
    strip = only_strip(scene)
    del strip["lsf_line"]
    strip.frame_start = frame
    bpy.ops.lsf.generate()
    return strip["lsf_line"]


def with_settings(scene):
    """The second run finds sliders, and keys by hand."""
    bpy.ops.lsf.generate()
    action = bpy.context.object.data.shape_keys.animation_data.action
    sliders = action.lsf.lines[0].tweaks
    sliders.jaw, sliders.offset, sliders.channels["mouthClose"].muted = 1.3, 2, True
    next(curve for curve in compat.fcurves_of(action) if "browInner" in curve.data_path).keyframe_points[3].co.y += 0.2
    action.use_fake_user = True


def with_artists_action(scene):
    """On a head with keys and an Action of the artist's, the curves play from the NLA."""
    add_keys(bpy.context.object, ["jawOpen", "wart"]).animation_data_clear()
    keys = bpy.context.object.data.shape_keys
    for name in ("jawOpen", "wart"):
        keys.key_blocks[name].keyframe_insert("value", frame=3)
    bpy.context.object.lsf.own_keys = "IGNORE"


def with_artists_action_twice(scene):
    with_artists_action(scene)
    bpy.ops.lsf.generate()
    data = bpy.context.object.data.shape_keys.animation_data
    strip = next(strip for track in data.nla_tracks for strip in track.strips if track.name == "LSF")
    strip.use_animated_influence = True
    for frame, strip.influence in ((20, 0.2), (40, 0.9)):
        strip.keyframe_insert("influence", frame=frame)
    strip.blend_in, strip.repeat, strip.scale, strip.name = 2, 1.5, 1.1, "mine"


def with_another_line(scene):
    """The line comes beside another one, in the same Action."""
    bpy.ops.lsf.generate()
    del only_strip(scene)["lsf_line"]
    only_strip(scene).frame_start = 200


def with_two_other_lines(scene):
    """The line is the second of three. Its strip was moved, trimmed and renamed, and reaches into the third now."""
    bpy.ops.lsf.generate()
    second = new_line(scene, 200)
    new_line(scene, 400)
    strip, action = only_strip(scene), actions.existing(bpy.context.object.data)
    strip["lsf_line"], strip.name, strip.frame_start, strip.frame_offset_start = second, "moved", 330, 10
    for line in action.lsf.lines:
        line.tweaks.gaze, line.tweaks.density = 0.5, 0.6
    bpy.context.scene.frame_set(250)
    key = bpy.context.object.data.shape_keys.key_blocks["browInnerUp"]
    key.value = 0.9
    key.keyframe_insert("value", frame=250)
    scene.lsf.take = 3


def with_takes_of_the_second_line(scene):
    bpy.ops.lsf.generate()
    new_line(scene, 200)
    bpy.ops.lsf.generate_takes()
    scene.lsf.take = 8


def with_artists_tracks(scene):
    """Two lines above the artist's own tracks."""
    with_artists_action(scene)
    data = bpy.context.object.data.shape_keys.animation_data
    track, data.action = data.nla_tracks.new(), None
    track.strips.new("mine", 1, bpy.data.actions[0])
    bpy.ops.lsf.generate()
    new_line(scene, 200)
    scene.lsf.take = 3


def with_tracks_of_an_older_blender(scene):
    """Two lines on tracks from before 5.0, where no track of zeros was needed: it is made below them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compat, "shape_key_default", lambda: 0.0)
        with_artists_tracks(scene)
    del only_strip(scene)["lsf_line"]
    only_strip(scene).frame_start = 400


def with_a_head_that_shares_its_action(scene):
    """Another head plays the same lines: this one gets a copy of the Action."""
    bpy.ops.lsf.generate()
    head = bpy.context.object
    action = head.data.shape_keys.animation_data.action
    bpy.ops.mesh.primitive_cube_add()
    add_keys(bpy.context.object, ["jawOpen"])
    keys = bpy.context.object.data.shape_keys
    compat.assign_key_action(keys.animation_data_create(), action)
    keys[actions.POINTER] = action
    bpy.context.view_layer.objects.active = head


def with_own_keys_and_parts(scene):
    """Visemes that the server solves, and teeth that follow them; one of their keys is driven by the artist."""
    head = bpy.context.object
    add_keys(head, "AIUEO")
    bpy.ops.mesh.primitive_cube_add()
    teeth = bpy.context.object
    teeth.name = "Teeth"
    add_keys(teeth, ["A"]).key_blocks["A"].driver_add("value").driver.expression = "0.5"
    bpy.context.view_layer.objects.active = head
    head.lsf.add_part(teeth)


def with_own_keys_and_parts_twice(scene):
    with_own_keys_and_parts(scene)
    bpy.ops.lsf.generate()


def with_unlisted_part(scene):
    """Teeth that are selected with the head become a part of it."""
    head = bpy.context.object
    bpy.ops.mesh.primitive_cube_add()
    bpy.context.object.name = "Teeth"
    head.select_set(True)
    bpy.context.view_layer.objects.active = head


def with_layers(scene):
    """Blinks, gaze and head motion."""
    head = bpy.context.object
    scene.lsf.layers.blinks = scene.lsf.layers.gaze = True
    bpy.ops.object.armature_add()
    bpy.context.object.pose.bones["Bone"].constraints.new("LIMIT_ROTATION")
    head.lsf.nod.object, head.lsf.nod.bone = bpy.context.object, "Bone"
    bpy.context.view_layer.objects.active = head


def with_layers_twice(scene):
    with_layers(scene)
    bpy.ops.lsf.generate()
    for action in bpy.data.actions:
        action.use_fake_user = True  # Blender removes it all the same
    new_line(scene, 200)


def with_nodding_head(scene):
    """The head object itself nods, without an armature."""
    bpy.context.object.lsf.nod.object = bpy.context.object
    bpy.context.object.constraints.new("LIMIT_LOCATION")


def with_bones(scene):
    """The jaw is a bone of an armature with an Action of the artist's, and it stands turned."""
    head = bpy.context.object
    bpy.ops.object.armature_add()
    rig = bpy.context.object
    mine = bpy.data.actions.new("mine")
    compat.object_fcurves(mine).new("location", index=2).keyframe_points.insert(3, 0.5)
    compat.assign_object_action(rig.animation_data_create(), mine)
    rig.pose.bones["Bone"].rotation_quaternion = 0.9, 0, 0.4, 0
    head.lsf.bones.armature = rig
    bones.store(head, "jawOpen", [BonePose("jawOpen", "Bone", (0, 0, 0.1), (0.3, 0, 0))])
    bpy.context.view_layer.objects.active = head


def with_bones_twice(scene):
    with_bones(scene)
    bpy.ops.lsf.generate()
    new_line(scene, 200)
    bones.store(bpy.context.object, "jawOpen", [BonePose("jawOpen", "Bone", (0, 0, 0.2), (0, 0.3, 0))])


def with_bones_that_nothing_animates(scene):
    with_bones(scene)
    bpy.data.objects["Armature"].animation_data_clear()


def with_takes(scene):
    bpy.ops.lsf.generate_takes()


def add_keys(obj, names) -> bpy.types.Key:
    rng = np.random.default_rng(0)
    obj.shape_key_add(name="Basis")
    for name in names:
        key = obj.shape_key_add(name=name, from_mix=False)
        key.value = 0.25
        key.points.foreach_set("co", rng.normal(0, 1, 3 * len(key.points)).astype(np.float32))
    return obj.data.shape_keys


def snapshot(dump) -> dict:
    """All that is in the file."""
    state = {
        p.identifier: len(getattr(bpy.data, p.identifier)) for p in bpy.data.bl_rna.properties if p.type == "COLLECTION"
    }
    for kind in ("actions", "objects", "meshes", "shape_keys"):
        for block in getattr(bpy.data, kind):
            # Before 5.0 registered properties are among them, too: dump has those.
            names = [name for name in block.keys() if name not in block.bl_rna.properties]  # noqa: SIM118 - no dict
            custom = {name: plain(block[name]) for name in names}
            posed = block.pose.bones if kind == "objects" and block.pose else ()
            constraints = [dump(constraint) for bone in posed for constraint in bone.constraints]
            constraints += [bones.read(bone) for bone in posed]
            uses = block.users, block.use_fake_user
            state[kind, block.name] = dump(block, {"pose"}), custom, animation(block, dump), constraints, uses
    for keys in bpy.data.shape_keys:
        for key in keys.key_blocks:
            state["shape", keys.name, key.name] = meshes.coordinates(key.points).tobytes(), dump(key)
    return state


def plain(value):
    if isinstance(value, bpy.types.ID):
        return f"{type(value).__name__} {value.name}"
    return value.to_dict() if hasattr(value, "to_dict") else value[:] if hasattr(value, "to_list") else value


def animation(block, dump) -> list:
    """Slots and drivers, of which dump shows the names only."""
    data = getattr(block, "animation_data", None)
    if data is None:
        return []
    drivers = [
        (curve.data_path, [(v.name, v.targets[0].id, v.targets[0].data_path) for v in curve.driver.variables])
        for curve in data.drivers
    ]
    active = data.nla_tracks.active
    return [drivers, active and active.name, dump(data)]


def differences(before, after, path="") -> list[str]:
    """Where two snapshots differ, for people."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = [*before, *(key for key in after if key not in before)]
        return [
            line
            for key in keys
            for line in differences(before.get(key, "missing"), after.get(key, "missing"), f"{path}/{key}")
        ]
    if isinstance(before, (list, tuple)) and isinstance(after, (list, tuple)) and len(before) == len(after):
        return [
            line for i, pair in enumerate(zip(before, after, strict=True)) for line in differences(*pair, f"{path}/{i}")
        ]
    return [] if before == after else [f"{path}: {before!r:.80} -> {after!r:.80}"]


class Fault(Exception):
    """Nothing in the add-on catches it."""


class Tracer:
    """Counts the lines of the add-on that run while a plan is written, and raises at one of them."""

    def __init__(self, stop: int = -1):
        self.stop, self.lines = stop, []

    def __call__(self, frame, event, _argument):
        path = frame.f_code.co_filename
        if not path.startswith(ADDON):
            return None
        if event == "line":
            self.lines.append((path, frame.f_lineno))
            if len(self.lines) - 1 == self.stop:
                raise Fault(f"{path}:{frame.f_lineno}")
        return self


def planned(monkeypatch) -> LinePlan:
    """What Generate would write now."""
    plans = []
    with monkeypatch.context() as patch:
        patch.setattr(lines, "apply", lambda plan, _as_take: plans.append(plan) or "")
        bpy.ops.lsf.generate()
    bpy.context.view_layer.update()
    return plans[0]


def traced(tracer, write):
    """`write` of apply_line, under the tracer."""

    def run(*arguments):
        sys.settrace(tracer)
        try:
            return write(*arguments)
        finally:
            sys.settrace(None)

    return run


EVERY = 41  # so many scenes share the lines: each raises at a part of them
SCENES = [
    None,
    generated,
    with_settings,
    with_artists_action,
    with_artists_action_twice,
    with_another_line,
    with_two_other_lines,
    with_takes_of_the_second_line,
    with_artists_tracks,
    with_a_head_that_shares_its_action,
    with_tracks_of_an_older_blender,
    with_own_keys_and_parts,
    with_own_keys_and_parts_twice,
    with_unlisted_part,
    with_layers,
    with_layers_twice,
    with_nodding_head,
    with_takes,
    with_bones,
    with_bones_twice,
    with_bones_that_nothing_animates,
]


@pytest.mark.exhaustive
@pytest.mark.parametrize("prepare", SCENES, ids=lambda prepare: prepare.__name__ if prepare else "first_run")
def test_whatever_raises_the_file_is_as_before(scene, addon, monkeypatch, dump, prepare):
    if prepare:
        prepare(scene)
    plan, write = planned(monkeypatch), apply_line._write
    before, tracer = snapshot(dump), Tracer()

    def failing(*arguments):
        traced(tracer, write)(*arguments)
        raise Fault("at the end")

    monkeypatch.setattr(apply_line, "_write", failing)
    for _ in range(2):  # the first time fills caches, and runs other lines than later times
        tracer.lines.clear()
        with pytest.raises(Fault, match="at the end"):
            apply_line.apply(plan, as_take=True)
        assert not differences(before, snapshot(dump))
    first = {line: index for index, line in reversed(list(enumerate(tracer.lines)))}
    last = {line: index for index, line in enumerate(tracer.lines)}
    for stop in sorted({*first.values(), *last.values()})[SCENES.index(prepare) % EVERY :: EVERY]:
        monkeypatch.setattr(apply_line, "_write", traced(Tracer(stop), write))
        with pytest.raises(Fault) as error:
            apply_line.apply(plan, as_take=True)
        assert not differences(before, snapshot(dump)), error.value
    monkeypatch.setattr(apply_line, "_write", write)
    apply_line.apply(plan, as_take=True)
    assert snapshot(dump) != before and not any("backup" in action.name for action in bpy.data.actions)


def test_a_look_at_the_result_that_raises_leaves_the_file_as_before(scene, addon, monkeypatch, dump):
    plan = planned(monkeypatch)
    before = snapshot(dump)

    def look(*arguments):
        raise Fault("look")

    monkeypatch.setattr(apply_line.look_at_result, "look", look)
    with pytest.raises(Fault, match="look"):
        apply_line.apply(plan)
    assert not differences(before, snapshot(dump))


def test_an_error_while_undoing_does_not_stop_the_rest(scene, addon, monkeypatch, dump):
    bpy.ops.lsf.generate()
    plan, write = planned(monkeypatch), apply_line._write
    before = snapshot(dump)

    def failing(*arguments):
        write(*arguments)
        raise Fault("first")

    def restore(self):
        raise Fault("second")

    monkeypatch.setattr(apply_line, "_write", failing)
    monkeypatch.setattr(rollback._HeadMotion, "restore", restore)
    with pytest.raises(Fault, match="second") as error:
        apply_line.apply(plan, as_take=True)
    assert str(error.value.__context__) == "first", "the console shows both"
    assert not differences(before, snapshot(dump))
