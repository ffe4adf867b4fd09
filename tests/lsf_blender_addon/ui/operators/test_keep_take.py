"""Take and Variation: their values in requests, and after a take was kept."""

import bpy
import pytest

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
