"""Buttons are disabled on a head that is linked from another file: Blender would lose the changes."""

import bpy
import pytest

from tests.lsf_blender_addon.fake_client import Client, use


@pytest.fixture
def linked_head(addon, add_strip, clicks, monkeypatch, tmp_path):
    """A generated head with a part, a mapping and landmarks, linked into an empty file."""
    use(addon, monkeypatch, Client())
    add_strip(clicks)
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    head = bpy.context.object
    head.name = "Head"
    bpy.ops.lsf.generate()
    head.shape_key_add(name="aa")
    for list_of_face in (head.lsf.parts, head.lsf.mapping, head.lsf.own_landmarks):
        list_of_face.add()
    path = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (_source, target):
        target.objects = ["Head"]
    linked = bpy.data.objects["Head"]
    bpy.context.collection.objects.link(linked)
    bpy.context.view_layer.objects.active = linked
    return linked


@pytest.mark.parametrize(
    ("operator", "options"),
    [
        ("add_layer", {}),
        ("add_mapping_row", {}),
        ("fill_mapping", {}),
        ("load_mapping", {"name": "built-in:VRM"}),
        ("remove_head_motion", {}),
        ("remove_mapping_row", {}),
        ("remove_part", {}),
        ("reset_landmarks", {}),
    ],
)
def test_a_linked_head_is_not_changed(linked_head, operator, options):
    face, data = linked_head.lsf, linked_head.data.shape_keys.animation_data
    action = data.action
    with pytest.raises(RuntimeError, match="is linked from another file"):
        getattr(bpy.ops.lsf, operator)(**options)
    assert [len(items) for items in (face.parts, face.mapping, face.own_landmarks)] == [1, 1, 1]
    assert data.action == action and not data.nla_tracks.get("LSF")
