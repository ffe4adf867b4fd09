"""NLA strips that are made again from what was recorded."""

import bpy
import pytest

from lsf_blender_addon.animation.strip_state import StripState
from tests.lsf_blender_addon.animation.stage import new_head
from tests.lsf_blender_addon.animation.test_actions import FIRST, generate, own_action


@pytest.mark.parametrize("lost", [0, 1])
def test_a_strip_is_made_again_beside_another_line_of_the_same_action(addon, lost):
    head = new_head()
    own_action(head)
    head.data.action = None
    head.data.nla_tracks.new().strips.new("mine", 1, bpy.data.actions[0])
    generate(head)
    track = next(track for track in head.data.nla_tracks if len(track.strips) == len(FIRST))
    before = [StripState(strip) for strip in track.strips]
    track.strips.remove(track.strips[lost])
    before[lost].add_to(track)
    assert [state.is_same(strip) for state, strip in zip(before, track.strips, strict=True)] == [True, True]
    assert len({strip.action for strip in track.strips}) == 1
