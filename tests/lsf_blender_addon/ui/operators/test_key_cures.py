"""The buttons that mend shape keys which do not show: afterwards the evaluated mesh moves as it was meant."""

import bpy
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.jobs import head_checks, session
from lsf_blender_addon.scene import shape_key_faults
from tests.lsf_blender_addon.jobs import test_look_at_result as one_line
from tests.lsf_blender_addon.jobs.test_look_at_result import generate, key, seen_of_meant, widest_opening

head = one_line.head  # the fixture


def made_by_the_artist(obj: bpy.types.Object, name: str) -> bpy.types.ShapeKey:
    """A generated key with one vertex that was sculpted since, so that the key belongs to the artist."""
    key(obj, name).points[0].co.x += 0.01
    return key(obj, name)


def pin(obj):
    obj.show_only_shape_key = True


def mute(obj):
    key(obj, "jawOpen").mute = key(obj, "eyeBlinkLeft").mute = True


def shorten(obj):
    made_by_the_artist(obj, "jawOpen").slider_max = 0.1


@pytest.mark.parametrize(
    ("spoil", "cure", "said", "done"),
    [
        (pin, "unpin_key", 'Nothing moves, as the shape key "Basis" is pinned', '"Basis" is not pinned any more'),
        (mute, "unmute_keys", "Muted, so that they do not show: ", "Not muted any more: "),
        (
            shorten,
            "widen_sliders",
            "Their sliders end too early: jawOpen",
            "The sliders reach far enough now: jawOpen",
        ),
    ],
    ids=["pinned", "muted", "short slider"],
)
def test_the_button_after_generate_mends_what_does_not_move(head, addon, spoil, cure, said, done):
    generate(addon)
    whole = widest_opening(head)
    spoil(head)
    seen, meant = seen_of_meant(generate(addon))
    assert seen < 0.3 * meant and widest_opening(head) < 0.3 * whole
    (finding,) = head_checks.keys_that_show(head, None)
    assert (finding.level, finding.cure) == ("FAULT", f"lsf.{cure}") and finding.text.startswith(said)
    getattr(bpy.ops.lsf, cure)()
    assert session.message.startswith(done)
    assert abs(widest_opening(head) - whole) < 0.2
    assert not head_checks.keys_that_show(head, None)
    with pytest.raises(RuntimeError, match="poll"):
        getattr(bpy.ops.lsf, cure)()


def test_absolute_keys_are_refused_and_the_button_makes_them_relative(head, addon):
    generate(addon)
    whole = widest_opening(head)
    head.data.shape_keys.use_relative = False
    with pytest.raises(RuntimeError, match="has absolute shape keys: turn on Relative"):
        bpy.ops.lsf.generate()
    (finding,) = head_checks.can_be_animated(head, None)
    assert finding.cure == "lsf.use_relative_keys" and "absolute shape keys" in finding.text
    bpy.ops.lsf.use_relative_keys()
    assert not head_checks.can_be_animated(head, None)
    generate(addon)
    assert abs(widest_opening(head) - whole) < 0.2


def test_only_keys_that_a_line_moves_are_unmuted_on_this_head_alone(head, addon):
    generate(addon)
    head.shape_key_add(name="Fat").mute = True
    bpy.ops.lsf.add_head()
    other = bpy.context.object
    generate(addon)
    for obj in (head, other):
        key(obj, "jawOpen").mute = True
    bpy.ops.lsf.unmute_keys()
    assert not key(other, "jawOpen").mute
    assert key(head, "jawOpen").mute and key(head, "Fat").mute


def test_all_lines_of_a_head_reach_as_far_as_its_widened_slider(head, addon):
    """The artist's keys are clipped when a line is planned: its stored limits are widened with the slider."""
    generate(addon)
    whole = widest_opening(head)
    shorten(head)
    del head.data.shape_keys["lsf_generated"]
    head.lsf.own_keys = "LIST"
    row = head.lsf.mapping.add()
    row.key, row.channel = "jawOpen", "jawOpen"
    generate(addon)
    (strip,) = compat.all_strips(bpy.context.scene.sequence_editor)
    del strip["lsf_line"]
    strip.frame_start = 300
    generate(addon)
    assert list(shape_key_faults.short_sliders(head)) == ["jawOpen"]
    bpy.ops.lsf.widen_sliders()
    assert key(head, "jawOpen").slider_max == 1.0
    assert abs(widest_opening(head) - whole) < 0.2  # of the first line
    action = head.data.shape_keys.animation_data.action
    (curve,) = [curve for curve in compat.key_fcurves(action) if "jawOpen" in curve.data_path]
    second = max(point.co.y for point in curve.keyframe_points if point.co.x > 310)
    assert second > 0.5


def test_other_takes_reach_as_far_as_the_widened_slider(head, addon):
    generate(addon)
    whole = widest_opening(head)
    shorten(head)
    del head.data.shape_keys["lsf_generated"]
    head.lsf.own_keys = "LIST"
    row = head.lsf.mapping.add()
    row.key, row.channel = "jawOpen", "jawOpen"
    bpy.ops.lsf.generate_takes()
    bpy.ops.lsf.widen_sliders()
    for _ in range(2):
        bpy.ops.lsf.step_take(step=1)
        assert abs(widest_opening(head) - whole) < 0.2


def test_a_gain_above_one_asks_for_no_wider_slider(head, addon):
    head.shape_key_add(name="Basis")
    head.shape_key_add(name="Mouth").slider_min = -1.0
    head.lsf.own_keys = "LIST"
    for channel, gain in (("jawOpen", 1.5), ("mouthClose", -2.0)):
        row = head.lsf.mapping.add()
        row.key, row.channel, row.gain = "Mouth", channel, gain
    assert shape_key_faults.wanted_ranges(head) == {"Mouth": (-1.0, 1.0)}
    assert not shape_key_faults.short_sliders(head)
