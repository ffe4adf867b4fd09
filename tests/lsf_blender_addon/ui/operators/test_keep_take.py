"""Take and Variation: their values in requests, and after a take was kept."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation.chosen_line import chosen_line
from lsf_blender_addon.prediction import takes
from tests.lsf_blender_addon.fake_client import Client, use


@pytest.fixture
def settings(addon, add_strip, clicks):
    add_strip(clicks)
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    return bpy.context.scene.lsf


@pytest.fixture
def client(settings, addon, monkeypatch):
    return use(addon, monkeypatch, Client())


def asked(client) -> list[tuple[int, float]]:
    requests = [job.request["settings"] for job in client.jobs]
    return [(request["seed"], round(request["temperature"], 6)) for request in requests]


def test_take_0_is_the_most_likely_one_and_others_differ_by_variation(settings, client):
    bpy.ops.lsf.generate()
    settings.take = 3
    bpy.ops.lsf.generate()
    settings.variation = 0.5
    bpy.ops.lsf.generate()
    assert asked(client) == [(0, 0.0), (3, 0.2), (3, 0.5)]


def test_several_takes_begin_with_the_chosen_one(settings, client):
    settings.takes.count = 3
    bpy.ops.lsf.generate_takes()
    assert asked(client) == [(0, 0.0), (1, 0.2), (2, 0.2)]


def test_the_fields_follow_the_take_that_is_kept(settings, client):
    settings.take, settings.variation, settings.takes.count = 4, 0.5, 3
    bpy.ops.lsf.generate_takes()
    settings.take, settings.variation = 1, 0.1
    bpy.ops.lsf.step_take(step=1)
    bpy.ops.lsf.keep_take()
    assert settings.take == 5 and settings.variation == pytest.approx(0.5)


def test_take_0_leaves_the_variation_of_the_others(settings, client):
    bpy.ops.lsf.generate_takes()
    settings.take = 9
    bpy.ops.lsf.keep_take()
    assert settings.take == 0 and settings.variation == pytest.approx(0.2)


@pytest.fixture
def two_lines(addon, add_strip, wav, tmp_path, client):
    """A head with two lines, the second of which is active."""
    if not bpy.app.build_options.audaspace:
        pytest.skip("the bpy 4.2 wheel can make no strips")
    wav[0](tmp_path / "two.wav", np.full(4 * 8000, 500), 8000)
    two = add_strip(tmp_path / "two.wav", "two", 200)
    scene = bpy.context.scene
    one = next(strip for strip in compat.all_strips(scene.sequence_editor) if strip != two)
    for strip in (one, two):
        scene.sequence_editor.active_strip = strip
        bpy.ops.lsf.generate()
    client.jobs.clear()
    return one, two


def activate(strip) -> None:
    bpy.context.scene.sequence_editor.active_strip = strip


def test_there_are_as_many_takes_as_were_asked_also_after_generate(settings, client, two_lines, addon):
    for strip in two_lines:
        activate(strip)
        bpy.ops.lsf.generate_takes()
        line = chosen_line(bpy.context)
        assert takes.count(line.action, line.uid) == 4 and line.record.name == strip.name
        assert addon.session.message.startswith(f"4 takes of {strip.name}") and "earlier" not in addon.session.message
    settings.take = 4
    bpy.ops.lsf.generate_takes()
    assert addon.session.message.startswith("4 takes of two") and "; 8 with the earlier ones" in addon.session.message


def test_generate_makes_the_kept_take_again_in_each_of_two_lines(settings, client, two_lines):
    """The fields are for all lines: Edit shows what a line was generated with."""
    kept = {}
    for strip, steps in zip(two_lines, (2, 3), strict=True):
        settings.take = 0
        activate(strip)
        bpy.ops.lsf.generate_takes()
        for _ in range(steps):
            bpy.ops.lsf.step_take(step=1)
        assert bpy.ops.lsf.keep_take() == {"FINISHED"} and settings.take == steps
        line = chosen_line(bpy.context)
        assert takes.count(line.action, line.uid) == 0 and takes.setting(line.action, line.uid)[0] == steps
        client.jobs.clear()
        bpy.ops.lsf.generate()
        assert asked(client) == [(steps, 0.2)]
        kept[strip.name] = steps
    for strip in two_lines:
        activate(strip)
        bpy.ops.lsf.edit_line()
        client.jobs.clear()
        bpy.ops.lsf.generate()
        assert asked(client) == [(kept[strip.name], 0.2)] and settings.strip == strip.name
        settings.strip, settings.take = "", 0
    for strip in two_lines:
        activate(strip)
        client.jobs.clear()
        bpy.ops.lsf.generate_line()
        assert asked(client) == [(kept[strip.name], 0.2)], "Generate Again does not need the fields"


def test_choosing_a_line_shows_its_take(settings, client, two_lines):
    """Else what was kept for one line would be generated for the next."""
    one, two = two_lines
    settings.take, settings.variation = 5, 0.5
    activate(two)
    bpy.ops.lsf.generate()
    settings.strip = one.name
    assert settings.take == 0
    settings.strip = two.name
    assert settings.take == 5 and settings.variation == pytest.approx(0.5)
    settings.strip = ""  # the active strip is that of "two"
    settings.take = 1
    for index, record in enumerate(chosen_line(bpy.context).action.lsf.lines):
        settings.shown_line = index
        assert settings.take == {one.name: 0, two.name: 5}[record.name]
