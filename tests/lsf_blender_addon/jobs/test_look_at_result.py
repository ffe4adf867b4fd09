"""After a line is written, the result line tells what moves on the evaluated mesh."""

import re

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.jobs import result_check
from server.arkit import CHANNELS
from server.face.head import load_head
from tests.lsf_blender_addon.fake_client import use
from tests.lsf_blender_addon.makers_head import HeadClient

JAW, BLINKS = CHANNELS.index("jawOpen"), [CHANNELS.index("eyeBlinkLeft"), CHANNELS.index("eyeBlinkRight")]


class JawClient(HeadClient):
    """On the project's own head, the jaw opens and the eyes blink once a second."""

    def motion(self, frames):
        motion, rows = np.zeros((frames, len(CHANNELS)), np.float32), np.arange(frames)
        motion[:, JAW] = 0.3 - 0.3 * np.cos(rows / 12 * np.pi)
        motion[:, BLINKS] = (rows % 24 == 20)[:, None]
        return motion


@pytest.fixture
def head(addon, add_strip, clicks, monkeypatch) -> bpy.types.Object:
    """The project's own head, and a line that was generated on it."""
    add_strip(clicks)
    bpy.ops.lsf.add_head()
    use(addon, monkeypatch, JawClient())
    bpy.context.scene.lsf.layers.blinks = bpy.context.scene.lsf.layers.gaze = False
    return bpy.context.object


def generate(addon) -> str:
    """Generate the line, and return the result line."""
    bpy.ops.lsf.generate()
    return addon.session.message


def seen_of_meant(text: str) -> tuple[float, float]:
    """The two figures on the lips."""
    found = re.search(r"lips part by (-?[\d.]+) of ([\d.]+) mm", text)
    assert found, text
    return float(found[1]), float(found[2])


def key(obj: bpy.types.Object, name: str) -> bpy.types.ShapeKey:
    return obj.data.shape_keys.key_blocks[name]


def widest_opening(obj: bpy.types.Object) -> float:
    """Millimetres by which the inner lips part at most, measured here from the evaluated mesh in the artist's scene."""
    upper, lower = load_head().landmark_vertices[[62, 66]]
    right, left = load_head().landmark_vertices[[36, 45]]
    scene, gaps = bpy.context.scene, []
    for frame in (-100, *range(20, 130)):
        scene.frame_set(frame)
        vertices = obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.vertices
        gaps.append((vertices[upper].co - vertices[lower].co).length)
    base = obj.data.vertices
    return (max(gaps[1:]) - gaps[0]) * 89.2 / (base[left].co - base[right].co).length


def test_the_figure_is_what_the_mesh_shows(head, addon):
    seen, meant = seen_of_meant(generate(addon))
    assert abs(seen - widest_opening(head)) < 0.2 and abs(seen - meant) < 0.5 and meant > 5


def test_a_scaled_head_is_told_in_the_same_millimetres(head, addon):
    before = seen_of_meant(generate(addon))
    head.scale, head.rotation_euler = (40, 40, 40), (0.3, 0.2, 1.0)
    bpy.context.view_layer.update()
    assert np.allclose(seen_of_meant(generate(addon)), before, atol=0.1)


def test_a_line_on_another_head_and_another_line_are_measured(head, addon):
    first = seen_of_meant(generate(addon))
    (strip,) = compat.all_strips(bpy.context.scene.sequence_editor)
    del strip["lsf_line"]
    strip.frame_start = 300
    assert np.allclose(seen_of_meant(generate(addon)), first, atol=0.2)
    bpy.ops.lsf.add_head()
    assert np.allclose(seen_of_meant(generate(addon)), first, atol=0.2)


def empty_shape(head):
    base = np.empty(len(head.data.vertices) * 3, np.float32)
    key(head, "Basis").points.foreach_get("co", base)
    key(head, "jawOpen").points.foreach_set("co", base)


def muted(head):
    key(head, "jawOpen").mute = True


def pinned(head):
    head.show_only_shape_key = True


def short_slider(head):
    empty_shape(head)  # a shape of the artist's, whose slider is left as it is
    shape = load_head().vertices + load_head().basis[JAW]
    key(head, "jawOpen").points.foreach_set("co", shape.astype(np.float32).ravel())
    key(head, "jawOpen").points[0].co.x += 0.01
    key(head, "jawOpen").slider_max = 0.1


@pytest.mark.parametrize(
    ("spoil", "share", "cause"),
    [
        (empty_shape, 0.01, '"jawOpen" has no shape that parts the lips'),
        (muted, 0.01, 'the shape key "jawOpen" is muted'),
        (pinned, 0.01, 'the shape key "Basis" is pinned: unpin it in the Shape Keys panel'),
        (short_slider, 0.25, 'the slider of "jawOpen" ends at 0.10: raise its Range Max'),
    ],
    ids=["empty", "muted", "pinned", "short slider"],
)
def test_what_does_not_move_is_told_with_its_cause(head, addon, spoil, share, cause):
    generate(addon)
    spoil(head)
    text = generate(addon)
    seen, meant = seen_of_meant(text)
    assert seen <= share * meant and f"of {meant} mm: {cause}" in text
    assert abs(seen - widest_opening(head)) < 0.2


def test_lids_that_do_not_close_are_told(head, addon):
    assert "eyelids" not in generate(addon)
    key(head, "eyeBlinkLeft").mute = key(head, "eyeBlinkRight").mute = True
    assert re.search(r"the eyelids close by 0.0 of \d+\.\d mm", generate(addon))


def test_a_subdivided_head_is_measured_and_a_masked_one_is_not(head, addon):
    before = seen_of_meant(generate(addon))
    before_it = set(bpy.data.objects), set(bpy.data.scenes)
    head.modifiers.new("smooth", "SUBSURF")
    assert seen_of_meant(generate(addon)) == before
    group = head.vertex_groups.new(name="some")
    group.add([0, 1, 2], 1.0, "REPLACE")
    head.modifiers.new("mask", "MASK").vertex_group = "some"
    assert "lips part" not in generate(addon)
    assert (set(bpy.data.objects), set(bpy.data.scenes)) == before_it


def test_nothing_is_measured_where_other_lines_are_heard_too(head, addon):
    generate(addon)
    (strip,) = compat.all_strips(bpy.context.scene.sequence_editor)
    del strip["lsf_line"]
    strip.frame_start = 40
    assert "lips part" not in generate(addon)


@pytest.fixture
def expected() -> result_check.Expectation:
    head = load_head()
    motion = np.zeros((3, len(CHANNELS)), np.float32)
    motion[1, JAW], motion[2, BLINKS] = 0.7, 1.0
    found = result_check.expect(head.vertices, head.landmark_vertices, head.basis, motion)
    assert found is not None
    return found


def posed(*values: tuple[int, float]) -> np.ndarray:
    return load_head().vertices + sum(value * load_head().basis[k] for k, value in values)


def test_frames_are_those_of_the_widest_mouth_and_the_lowest_lids(expected):
    assert (expected.frames[0], expected.frames[2]) == (1, 2)
    assert expected.changes[0, result_check.LIPS] > 8 and expected.changes[2, result_check.LEFT_LIDS] < -5


def test_triangles_that_turn_over_are_told(expected):
    head = load_head()
    mirrored = head.vertices.copy()
    face = np.linalg.norm(head.vertices - head.vertices[head.landmark_vertices[33]], axis=1) < 0.06
    mirrored[face, 0] *= -1
    frames = np.stack([mirrored, head.vertices, head.vertices])
    found = result_check.measure(expected, head.vertices, frames, head.faces)
    assert found.turned > 0.05 and "turn over at frame 26" in result_check.describe(expected, found, 25, "")


def test_a_turned_head_has_no_triangles_turned_over(expected):
    a = 2.5
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    frames = np.stack([posed((JAW, 0.7)), *2 * [posed((BLINKS[0], 1.0), (BLINKS[1], 1.0))]]) @ turn.T
    found = result_check.measure(expected, load_head().vertices, frames, load_head().faces)
    assert found.turned < 0.01 and np.allclose(found.changes, expected.changes, atol=0.01)


def test_lips_that_stay_apart_at_a_closure_are_told(expected):
    frames = np.stack([posed((JAW, 0.7)), posed((JAW, 0.3)), posed((BLINKS[0], 1.0), (BLINKS[1], 1.0))])
    found = result_check.measure(expected, load_head().vertices, frames, load_head().faces)
    assert re.search(r"at frame \d+ they stay \d+\.\d mm too far apart", result_check.describe(expected, found, 25, ""))


def test_landmarks_that_are_not_on_the_head_are_not_measured():
    head = load_head()
    motion = np.zeros((3, len(CHANNELS)), np.float32)
    outside = head.landmark_vertices + len(head.vertices)
    assert result_check.expect(head.vertices, outside, head.basis, motion) is None
    assert result_check.expect(head.vertices, np.zeros(68, int), head.basis, motion) is None


def test_a_mouth_that_something_else_opens_too_is_told(head, addon):
    """Here a key of the artist's, which a driver moves with the jaw."""
    generate(addon)
    extra = head.shape_key_add(name="extra")
    points = np.empty(len(head.data.vertices) * 3, np.float32)
    key(head, "jawOpen").points.foreach_get("co", points)
    extra.points.foreach_set("co", points)
    driver = extra.driver_add("value").driver
    variable = driver.variables.new()
    variable.targets[0].id_type, variable.targets[0].id = "KEY", head.data.shape_keys
    variable.targets[0].data_path = key(head, "jawOpen").path_from_id("value")
    driver.expression = variable.name
    text = generate(addon)
    seen, meant = seen_of_meant(text)
    assert seen > 1.8 * meant and "; something else opens the mouth, too: look for other curves, drivers" in text


def test_sliders_that_all_end_early(head, addon):
    generate(addon)
    for block in head.data.shape_keys.key_blocks[1:]:
        block.slider_max = 0.1
    del head.data.shape_keys["lsf_generated"]  # the artist's keys now: the ranges of generated ones are widened
    assert 'the slider of "jawOpen" ends at 0.10' in generate(addon)
