"""Names that Blender changed between versions are found under the old and the new name."""

import ast
from pathlib import Path
from types import SimpleNamespace

import pytest

from lsf_blender_addon import compat

TIMES = compat.StripTimes(10.0, 12, 40, 50, 3, 2, 20)
NEW = ("content_start", "left_handle", "right_handle", "content_duration", "content_trim_start")
NEW += ("left_handle_offset", "right_handle_offset")
OLD = ("frame_start", "frame_final_start", "frame_final_end", "frame_duration", "animation_offset_start")
OLD += ("frame_offset_start", "frame_offset_end")


@pytest.mark.parametrize("names", [OLD, NEW])
def test_times_of_a_strip(names):
    assert compat.strip_times(SimpleNamespace(**dict(zip(names, TIMES, strict=True)))) == TIMES


def test_deprecated_times_of_a_strip_are_not_used():
    """Blender 5.2 has both."""
    old = dict.fromkeys(OLD, -1)
    assert compat.strip_times(SimpleNamespace(**old, **dict(zip(NEW, TIMES, strict=True)))) == TIMES


@pytest.mark.parametrize(("top", "every"), [("sequences", "sequences_all"), ("strips", "strips_all")])
def test_strips_of_an_editor(top, every):
    editor = SimpleNamespace(**{top: [1, 2], every: [1, 2, 3]})
    assert compat.strips_of(editor) == [1, 2] and compat.all_strips(editor) == [1, 2, 3]
    compat.remove_strip(editor, 1)
    assert getattr(editor, top) == [2]


def test_the_sequencers_scene_is_the_active_one_where_there_is_no_other():
    assert compat.sequencer_scene(SimpleNamespace(scene="active")) == "active"
    assert compat.sequencer_scene(SimpleNamespace(scene="active", sequencer_scene=None)) == "active"
    assert compat.sequencer_scene(SimpleNamespace(scene="active", sequencer_scene="other")) == "other"


def test_a_strip_without_retiming_and_delay():
    assert compat.retiming_key_count(SimpleNamespace()) == 0 and compat.sound_offset(SimpleNamespace()) == 0
    assert compat.retiming_key_count(SimpleNamespace(retiming_keys=[1, 2])) == 2
    assert compat.sound_offset(SimpleNamespace(sound_offset=0.5)) == 0.5


NEW_TYPES = {"Strip", "SoundStrip", "MetaStrip", "ActionSlot", "ActionLayer", "ActionKeyframeStrip", "ActionChannelbag"}
MODULES = sorted(Path(compat.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_types_that_blender_4_2_lacks_stand_in_postponed_annotations(path):
    """An annotation that is evaluated at import would keep Blender 4.2 from loading the add-on."""
    source = path.read_text("utf-8")
    if "from __future__ import annotations" in source:
        return
    named = {
        node.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "types"
    }
    assert not named & NEW_TYPES
