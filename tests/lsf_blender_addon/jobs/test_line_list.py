"""What belongs to a line beside its curves, with two lines: head motion that goes with it, eyes of a kept take."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation.chosen_line import chosen_line
from lsf_blender_addon.client.wire import EYE_VARIANTS
from lsf_blender_addon.jobs import line_list
from lsf_blender_addon.prediction import store
from lsf_blender_addon.scene.head_motion import find_constraint
from tests.lsf_blender_addon.fake_client import Client, use

pytestmark = pytest.mark.skipif(not bpy.app.build_options.audaspace, reason="the bpy 4.2 wheel can make no strips")

FIRST = {"one": 25, "two": 200}


class LivelyClient(Client):
    """Blinks, looks and nods, otherwise in each take."""

    def submit(self, kind, request, arrays):
        job = super().submit(kind, request, arrays)
        count, settings = len(job.arrays["motion"]), request["settings"]
        t = np.arange(count) / settings["fps"] + settings["seed"]
        made = {
            "blinks": np.repeat((0.5 + 0.5 * np.sin(3 * t))[None], EYE_VARIANTS, 0),
            "gaze": np.repeat(np.stack((5 * np.sin(t), 3 * np.cos(t)), 1)[None], EYE_VARIANTS, 0),
            "head": np.radians(np.stack([4 * np.sin(t), 0 * t, 2 * np.cos(t)], 1)),
        }
        job.arrays |= {name: made[name].astype(np.float32) for name in settings["layers"]}
        points = np.random.default_rng(0).normal(0, 0.1, (68, 3)).astype(np.float32)
        points[[36, 45, 27, 8]] = (-0.1, 0, 0), (0.1, 0, 0), (0, 0, 0), (0, 0, -0.3)  # a face along -Y
        job.arrays |= {"landmarks68": points, "landmark_vertices": np.zeros(68, np.int32)}
        return job


@pytest.fixture
def scene(addon, add_strip, wav, tmp_path, monkeypatch):
    """A head with two lines that turns an empty; "two" is active."""
    for name, frame in FIRST.items():
        wav[0](tmp_path / f"{name}.wav", np.full(4 * 8000, frame), 8000)
        add_strip(tmp_path / f"{name}.wav", name, frame)
    bpy.ops.object.empty_add()
    neck = bpy.context.object
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    bpy.context.object.lsf.nod.object = neck
    use(addon, monkeypatch, LivelyClient())
    for name in FIRST:
        activate(name)
        bpy.ops.lsf.generate()
    return bpy.context.scene


def strip_of(name: str):
    return next(strip for strip in compat.all_strips(bpy.context.scene.sequence_editor) if strip.name == name)


def activate(name: str) -> None:
    bpy.context.scene.sequence_editor.active_strip = strip_of(name)


def nod(first: int, count: int = 96) -> np.ndarray:
    """Angles (F, 3) of the head motion."""
    empty = find_constraint(bpy.context.object.lsf.nod.object, "").target
    curves = sorted(compat.fcurves_of(empty.animation_data.action), key=lambda curve: curve.array_index)
    return np.array([[curve.evaluate(frame) for curve in curves] for frame in range(first, first + count)])


def keys_in(first: int, count: int = 96) -> int:
    empty = find_constraint(bpy.context.object.lsf.nod.object, "").target
    return sum(
        first <= point.co.x < first + count
        for curve in compat.fcurves_of(empty.animation_data.action)
        for point in curve.keyframe_points
    )


def eyes() -> tuple[np.ndarray, np.ndarray]:
    line = chosen_line(bpy.context)
    kept = store.load(line.action, line.uid)
    return kept.blinks, kept.gaze


def test_the_head_motion_follows_the_strip_with_the_keys_that_the_artist_has_changed(scene):
    before = {name: nod(first) for name, first in FIRST.items()}
    empty = find_constraint(bpy.context.object.lsf.nod.object, "").target
    curve = next(curve for curve in compat.fcurves_of(empty.animation_data.action) if curve.array_index == 0)
    curve.keyframe_points.insert(FIRST["two"] + 40, 0.5)
    curve.update()
    moved = strip_of("two")
    if hasattr(moved, "content_start"):
        moved.content_start += 50
    else:
        moved.frame_start += 50
    bpy.ops.lsf.follow_strip()
    after = nod(FIRST["two"] + 50)
    assert after[40, 0] == pytest.approx(0.5) and not np.abs(nod(FIRST["two"], 35)).any()
    np.testing.assert_allclose(after[:, 1:], before["two"][:, 1:], atol=1e-5)
    np.testing.assert_allclose(nod(FIRST["one"]), before["one"], atol=1e-5)


def test_the_head_motion_goes_with_its_line(scene):
    one = nod(FIRST["one"])
    assert keys_in(FIRST["two"]) > 0 and not np.abs(nod(FIRST["one"] + 120, 30)).any()
    bpy.ops.lsf.remove_line()
    assert keys_in(FIRST["two"]) == 0
    np.testing.assert_allclose(nod(FIRST["one"]), one, atol=1e-5)
    bpy.ops.lsf.remove_all_lines()
    assert find_constraint(bpy.context.object.lsf.nod.object, "") is None
    assert not [obj for obj in bpy.data.objects if "head motion" in obj.name] and not bpy.data.actions


def test_generate_of_a_kept_take_keeps_its_eyes_and_its_head_motion(scene):
    bpy.ops.lsf.generate_takes()
    for _ in range(2):
        bpy.ops.lsf.step_take(step=1)
    before, turned = eyes(), nod(FIRST["two"])
    bpy.ops.lsf.keep_take()
    bpy.ops.lsf.generate()
    for was, now in zip(before, eyes(), strict=True):
        np.testing.assert_array_equal(now, was)
    np.testing.assert_allclose(nod(FIRST["two"]), turned, atol=1e-6)
    scene.lsf.take = 3
    bpy.ops.lsf.generate()
    assert np.abs(eyes()[0] - before[0]).max() > 0.1, "another take has other eyes"
    assert np.abs(nod(FIRST["two"]) - turned).max() > 0.01


def test_generate_of_the_same_take_follows_what_is_ticked_and_the_sound(scene):
    scene.lsf.layers.blinks = False
    bpy.ops.lsf.generate()
    assert not len(eyes()[0]) and len(eyes()[1])
    scene.lsf.layers.blinks = True
    bpy.ops.lsf.generate()
    assert len(eyes()[0]) == EYE_VARIANTS
    neck = bpy.context.object.lsf.nod.object
    bpy.ops.lsf.remove_head_motion()
    bpy.ops.lsf.generate()
    assert find_constraint(neck, "") is not None and keys_in(FIRST["two"]) > 0, "it is made again"
    before = nod(FIRST["two"])
    strip = strip_of("two")
    if hasattr(strip, "left_handle"):
        strip.left_handle += 10
    else:
        strip.frame_final_start += 10
    bpy.ops.lsf.generate()
    assert eyes()[0].shape[1] == 86 and not np.abs(nod(FIRST["two"] - 20, 15)).any()
    assert np.abs(nod(FIRST["two"] + 10, 80) - before[10:90]).max() > 0, "made for the sound that is left"


def test_what_preview_plays(scene):
    """The frames of the line that the panels show: of its strip, or its own if the strip is gone."""

    def frames() -> tuple:
        return line_list.frames_to_watch(bpy.context, bpy.context.object)

    assert frames() == (scene, 200, 295, "two")
    two = strip_of("two")
    if hasattr(two, "content_start"):
        two.content_start += 50
    else:
        two.frame_start += 50
    assert frames() == (scene, 250, 345, "two"), "where the sound is"
    scene.lsf.shown_line = 0
    assert frames() == (scene, 25, 120, "one")
    compat.remove_strip(scene.sequence_editor, strip_of("one"))
    scene.sequence_editor.active_strip = strip_of("two")
    scene.lsf.shown_line = 0
    assert frames() == (scene, 25, 120, "one"), "it plays without its strip, too"
