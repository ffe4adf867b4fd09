"""Keys without a shape are found, and found again after each edit, without reading all keys at every redraw."""

import time

import bpy
import numpy as np
import pytest

from lsf_blender_addon.scene import empty_keys, meshes

FILLED, EMPTY, TINY = "filled", "empty", "tiny"


@pytest.fixture
def head(addon) -> bpy.types.Object:
    """A head, 20 cm in size, with a key that moves, one that does not, and one that moves by a rounding error."""
    return new_head()


def new_head() -> bpy.types.Object:
    bpy.ops.mesh.primitive_uv_sphere_add(radius=0.1, location=(1, 2, 3))
    head = bpy.context.object
    head.shape_key_add(name="Basis")
    for name, offset in ((FILLED, 0.002), (EMPTY, 0.0), (TINY, 1e-6)):
        head.shape_key_add(name=name, from_mix=False)
        push(head, name, offset)
    bpy.context.view_layer.update()
    return head


def push(head, name: str, offset: float, vertex: int = 7) -> None:
    """Move one vertex of a key up by an offset from the Basis, as sculpting does."""
    rest = meshes.base_vertices(head.data)
    rest[vertex, 2] += offset
    head.data.shape_keys.key_blocks[name].points.foreach_set("co", rest.ravel())
    head.data.update()
    bpy.context.view_layer.update()


@pytest.fixture
def looks(monkeypatch) -> list[int]:
    """Grows by one when keys are looked at. They are looked at again as soon as they may have changed."""
    monkeypatch.setattr(empty_keys, "CHECK_SHARE", 1e9)
    counted, look = [], empty_keys._look
    monkeypatch.setattr(empty_keys, "_look", lambda *args: counted.append(1) or look(*args))
    return counted


def test_keys_without_shape_are_found(head):
    assert empty_keys.find(head.data) == {EMPTY, TINY}


def test_a_mesh_without_keys_has_none(addon):
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    assert empty_keys.find(cube.data) == frozenset()
    cube.shape_key_add(name="Basis")
    assert empty_keys.find(cube.data) == frozenset(), "nor has one with the Basis alone"


def test_a_key_is_compared_with_the_key_that_it_is_relative_to(head, looks):
    keys = head.data.shape_keys.key_blocks
    keys[EMPTY].relative_key = keys[FILLED]
    bpy.context.view_layer.update()
    assert empty_keys.find(head.data) == {TINY}
    push(head, EMPTY, 0.002)
    assert empty_keys.find(head.data) == {EMPTY, TINY}, "the same shape as the key that it is relative to"


def test_redraws_read_nothing(head, looks):
    for _ in range(20):
        empty_keys.find(head.data)
    head.location.x += 1
    bpy.context.view_layer.update()
    bpy.context.scene.frame_set(7)
    empty_keys.find(head.data)
    assert len(looks) == 1


def test_two_heads_are_kept_apart(head, looks):
    other = new_head()
    push(other, EMPTY, 0.01)
    assert empty_keys.find(head.data) == {EMPTY, TINY} and empty_keys.find(other.data) == {TINY}
    count = len(looks)
    assert empty_keys.find(head.data) == {EMPTY, TINY} and empty_keys.find(other.data) == {TINY}
    assert len(looks) == count


def test_edits_are_noticed(head, looks):
    assert empty_keys.find(head.data) == {EMPTY, TINY}
    push(head, EMPTY, 0.003, vertex=100)
    assert empty_keys.find(head.data) == {TINY}
    push(head, FILLED, 0.003, vertex=200)
    assert empty_keys.find(head.data) == {TINY}, "another vertex moves now"
    push(head, FILLED, 0.0)
    assert empty_keys.find(head.data) == {FILLED, TINY}


def test_edit_mode_is_noticed(head, looks):
    assert EMPTY in empty_keys.find(head.data)
    head.active_shape_key_index = head.data.shape_keys.key_blocks.find(EMPTY)
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="SELECT")
    bpy.ops.transform.translate(value=(0, 0, 0.01))
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.context.view_layer.update()
    assert empty_keys.find(head.data) == {TINY}


def test_names_and_numbers_of_keys_are_noticed_at_once(head, looks):
    empty_keys.find(head.data)
    head.data.shape_keys.key_blocks[EMPTY].name = "leer"
    assert empty_keys.find(head.data) == {"leer", TINY}
    head.shape_key_add(name="more", from_mix=False)
    assert empty_keys.find(head.data) == {"leer", TINY, "more"}
    head.shape_key_remove(head.data.shape_keys.key_blocks["leer"])
    assert empty_keys.find(head.data) == {TINY, "more"}


def test_subdivision_is_noticed(head, looks):
    empty_keys.find(head.data)
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="SELECT")
    bpy.ops.mesh.subdivide()
    bpy.ops.object.mode_set(mode="OBJECT")
    assert empty_keys.find(head.data) == {EMPTY, TINY}


def test_another_file_is_another_mesh(head, looks, tmp_path):
    path = str(tmp_path / "head.blend")
    name = head.name
    bpy.ops.wm.save_as_mainfile(filepath=path)
    push(head, EMPTY, 0.01)
    assert empty_keys.find(head.data) == {TINY}
    bpy.ops.wm.open_mainfile(filepath=path)
    assert empty_keys.find(bpy.data.objects[name].data) == {EMPTY, TINY}


def test_what_is_asked_exactly_is_exact(head, monkeypatch):
    monkeypatch.setattr(empty_keys, "CHECK_SHARE", 1e-9)
    assert EMPTY in empty_keys.find(head.data)
    push(head, EMPTY, 0.01)
    assert EMPTY in empty_keys.find(head.data), "too soon to look again"
    empty_keys.forget(head.data)
    assert EMPTY not in empty_keys.find(head.data)


def test_a_big_mesh_does_not_hold_blender_up(addon):
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=140, y_subdivisions=140)
    grid = bpy.context.object
    grid.shape_key_add(name="Basis")
    for number in range(120):
        grid.shape_key_add(name=f"key {number}", from_mix=False)
        if number % 3:
            grid.data.shape_keys.key_blocks[-1].points[number].co.z = 1.0
    grid.data.update()
    bpy.context.view_layer.update()

    def seconds(before) -> float:
        times = []
        for _ in range(5):
            before()
            start = time.perf_counter()
            assert len(empty_keys.find(grid.data)) == 40
            times.append(time.perf_counter() - start)
        return min(times)

    assert seconds(lambda: empty_keys.forget(grid.data)) < 0.05, "20 000 vertices with 120 keys, for the first time"
    assert seconds(lambda: None) < 0.001, "a redraw"


def test_nothing_is_remembered_without_the_handlers(blank, monkeypatch):
    head = new_head()
    assert empty_keys.find(head.data) == {EMPTY, TINY}
    head.data.shape_keys.key_blocks[EMPTY].points[3].co.z += 0.01
    assert empty_keys.find(head.data) == {TINY} and not empty_keys._known


def test_the_vertex_that_moves_most_is_kept(head):
    empty_keys.find(head.data)
    known = empty_keys._known[head.data.shape_keys.session_uid]
    assert known.moving == {FILLED: 7} and np.isfinite(known.next_check)
