"""Allow Online Access: the switch of the preferences, where Blender has one that can be changed."""

from types import SimpleNamespace

import bpy
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.ui.operators import allow_online_access


@pytest.fixture
def switch(addon):
    system = compat.online_access_switch()
    if system is None:
        pytest.skip("online access is fixed here")
    before = system.use_online_access
    system.use_online_access = False
    yield system
    system.use_online_access = before


def test_it_is_allowed_and_saved_with_the_preferences(switch):
    assert bpy.ops.lsf.allow_online_access.poll() and not bpy.ops.lsf.make_environment.poll()
    assert bpy.ops.lsf.allow_online_access() == {"FINISHED"}
    assert bpy.app.online_access and switch.use_online_access and bpy.context.preferences.is_dirty
    assert not bpy.ops.lsf.allow_online_access.poll() and bpy.ops.lsf.make_environment.poll()


def test_a_blender_that_was_started_offline(addon, monkeypatch):
    app = SimpleNamespace(online_access=False, online_access_override=True)
    monkeypatch.setattr(compat, "bpy", SimpleNamespace(app=app, context=bpy.context))
    monkeypatch.setattr(allow_online_access, "bpy", SimpleNamespace(app=app))
    assert compat.online_access_switch() is None
    assert "--offline-mode" in allow_online_access.disabled_reason()
