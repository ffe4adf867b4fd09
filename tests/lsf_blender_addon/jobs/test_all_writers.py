"""Whatever raises while an operator changes a head: the head is as it was, as for Generate in test_apply_line.py."""

import contextlib
import sys

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import actions, lines
from lsf_blender_addon.scene import meshes, mouth_cut
from lsf_blender_addon.scene.landmarks import store
from lsf_blender_addon.scene.landmarks.surface import SurfacePoint
from tests.lsf_blender_addon import welded_head
from tests.lsf_blender_addon.fake_client import use
from tests.lsf_blender_addon.jobs.test_apply_line import (
    Fault,
    SmoothClient,
    Tracer,
    differences,
    new_line,
    only_strip,
    snapshot,
    with_bones,
    with_layers,
)

# What restores, and what Blender calls after it.
GUARDS = ("rollback.py", "journal.py", "all_or_nothing.py", "empty_keys.py", "action_cache.py")
STOPS = 4  # lines of each writer at which an error is raised


@pytest.fixture
def head(addon, add_strip, clicks, monkeypatch):
    """A head with two lines and takes, head motion, and a jaw bone beside an Action of the artist's."""
    add_strip(clicks)
    bpy.ops.mesh.primitive_cube_add()
    head = bpy.context.object
    head.name = "Head"
    use(addon, monkeypatch, SmoothClient())
    scene = bpy.context.scene
    scene.lsf.takes.count = 2
    with_bones(scene)
    with_layers(scene)
    bpy.ops.lsf.generate()
    new_line(scene, 150)
    bpy.ops.lsf.generate_takes()
    record = actions.existing(head.data).lsf.lines[1]
    record.tweaks.jaw = 1.3
    return head


def a_slider(head):
    """What Blender calls after it has set the value."""
    action = actions.existing(head.data)
    lines.refresh(action, action.lsf.lines[1])


def follow(head):
    bpy.ops.lsf.follow_strip()


def remove(head):
    bpy.ops.lsf.remove_line()


def remove_all(head):
    bpy.ops.lsf.remove_all_lines()


def step(head):
    bpy.ops.lsf.step_take()


def keep(head):
    bpy.ops.lsf.keep_take()


def reset(head):
    bpy.ops.lsf.reset_tweaks()


def release(head):
    bpy.ops.lsf.release_keys()


def set_bone(head):
    bpy.ops.lsf.set_bones(channel="jawOpen")


def clear_bone(head):
    bpy.ops.lsf.clear_bones(channel="jawOpen")


WRITERS = (a_slider, follow, remove, remove_all, step, keep, reset, release, set_bone, clear_bone)


def prepare(write, head) -> None:
    """What the operator needs."""
    if write is a_slider:
        kept = compat.system_properties(actions.existing(head.data))["lsf"]["lines"][1]
        kept["tweaks"]["jaw"] = 2.0
    if write is follow:
        only_strip(bpy.context.scene).frame_start += 20
    if write is release:
        action = actions.existing(head.data)
        for curve in compat.fcurves_of_keys(action):
            for point in curve.keyframe_points:
                point.co.y += 0.1 * (160 < point.co.x < 180)


def opened(path: str, write) -> bpy.types.Object:
    """The head in the saved file, with what is not saved."""
    bpy.ops.wm.open_mainfile(filepath=path)
    if write is set_bone:
        bpy.data.objects["Armature"].pose.bones["Bone"].rotation_quaternion = 0.8, 0, 0.5, 0
    return bpy.data.objects["Head"]


def rounded(value):
    """A snapshot without the rounding of single precision: Blender computes the handles of keys anew."""
    if isinstance(value, dict):
        return {name: rounded(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(inner) for inner in value]
    return round(value, 4) + 0.0 if isinstance(value, float) else value


def attempt(write, head, stop: int = -1) -> list[tuple[str, int]]:
    """Run a writer, with an error at one of the lines of the add-on; returns all lines that were run."""
    tracer = Tracer(stop)
    sys.settrace(tracer)
    try:
        with contextlib.suppress(Fault, RuntimeError):  # Blender makes a RuntimeError of an error in an operator
            write(head)
    finally:
        sys.settrace(None)
    return tracer.lines


@pytest.mark.exhaustive
@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_whatever_raises_the_head_is_as_before(head, dump, write, tmp_path):
    prepare(write, head)
    bpy.context.view_layer.update()
    path = str(tmp_path / "before.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    head = opened(path, write)
    ran = attempt(write, head)
    after = rounded(snapshot(dump))
    head = opened(path, write)
    before = rounded(snapshot(dump))
    assert differences(before, after)
    last = {line: index for index, line in enumerate(ran) if not line[0].endswith(GUARDS)}
    stops = sorted(last.values())
    for stop in [stops[round(k)] for k in np.linspace(0, len(stops) - 1, STOPS)]:
        attempt(write, head, stop)
        now = rounded(snapshot(dump))
        if differences(after, now):
            # Blender animates the bones again as soon as they are evaluated, so a pose that is not keyed goes.
            assert not [line for line in differences(before, now) if "BoneRest" not in line], ran[stop]
        else:  # the error came when all was written
            head = opened(path, write)


def test_an_error_while_the_mouth_is_cut_leaves_the_mesh(addon, monkeypatch):
    """Also one that comes when Blender has the new mesh already."""
    head = welded_head.add_scanned()
    head.shape_key_add(name="Basis")
    head.shape_key_add(name="jawOpen", from_mix=False).points[7].co.z -= 0.1
    head.data.shape_keys.key_blocks[1].keyframe_insert("value", frame=3)
    part = welded_head.add(np.eye(3), np.array([[0, 1, 2]]), "Part")
    driver = part.driver_add("location", 0).driver
    target = driver.variables.new().targets[0]
    target.id_type, target.id, target.data_path = "KEY", head.data.shape_keys, "eval_time"
    seam, faces = welded_head.seam_along_edges(head), len(head.data.polygons)
    keys = [meshes.coordinates(key.points) for key in head.data.shape_keys.key_blocks]
    for name in ("_split", "_make_inside", "_open_gap"):
        with monkeypatch.context() as patch:
            patch.setattr(mouth_cut, name, broken)
            with pytest.raises(Fault):
                mouth_cut.cut(head, seam)
        mesh = head.data
        assert (mesh.name, mesh.shape_keys.name, len(mesh.polygons), len(bpy.data.meshes)) == (
            "Welded",
            "Key",
            faces,
            2,
        )
        assert target.id == mesh.shape_keys and mesh.shape_keys.animation_data.action and not mesh.materials
        now = [meshes.coordinates(key.points) for key in mesh.shape_keys.key_blocks]
        assert np.array_equal(now, keys) and len(bpy.data.shape_keys) == 1
    assert mouth_cut.cut(head, seam) and len(bpy.data.meshes) == 2 and len(bpy.data.shape_keys) == 1


def broken(*_arguments, **_options):
    raise Fault("half-way")


def test_landmarks_that_cannot_be_placed_replace_nothing(addon):
    bpy.ops.mesh.primitive_cube_add()
    head = bpy.context.object
    store.write_own(head, {8: SurfacePoint((0, 1, 2), (0.5, 0.25, 0.25))})
    with pytest.raises(IndexError):
        store.write_own(head, {8: SurfacePoint((1, 2, 3), (1, 0, 0)), 30: SurfacePoint((0, 1, 99), (1, 0, 0))})
    assert [(item.index, tuple(item.corners)) for item in head.lsf.own_landmarks] == [(8, (0, 1, 2))]
