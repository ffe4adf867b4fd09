"""Landmarks that are kept with the head: found by the server, corrected, used from then on."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon.client.jobs import Job, State
from lsf_blender_addon.scene import meshes
from lsf_blender_addon.scene.landmarks import store
from lsf_blender_addon.scene.landmarks.surface import Surface, SurfacePoint
from lsf_blender_addon.ui.landmark_editor import drawing
from lsf_blender_addon.ui.landmark_editor.editor import Editor
from lsf_blender_addon.ui.operators import edit_landmarks
from tests.lsf_blender_addon.fake_client import Client, use


class FaceClient(Client):
    """Finds 68 points at the first vertices, but for the artist's; doubts three; recognises eyes and a tongue."""

    def submit(self, kind, request, arrays) -> Job:
        if kind == "generate":
            job = super().submit(kind, request, arrays)
        else:
            job = Job(str(len(self.jobs)), kind, request, arrays, self.state, 0.5, "Looking")
            job.error = "no face here" if self.state is State.FAILED else ""
            self.jobs.append(job)
        vertices = np.arange(68) % len(arrays["vertices"])
        own = arrays.get("landmarks68", np.full((68, 3), np.nan))
        for index in np.flatnonzero(np.isfinite(own).all(1)):
            vertices[index] = np.linalg.norm(arrays["vertices"] - own[index], axis=1).argmin()
        job.header["report"] = {"landmark_confidence": [0.9] * 68, "check_landmarks": [48, 49, 8]}
        job.arrays |= {
            "landmarks68": arrays["vertices"][vertices] * 1.001,
            "landmark_vertices": vertices.astype(np.int32),
            "parts": (np.arange(len(arrays["vertices"])) % 6).astype(np.int32),
        }
        return job


@pytest.fixture
def head(addon, add_strip, clicks, monkeypatch):
    add_strip(clicks)
    bpy.ops.mesh.primitive_uv_sphere_add(segments=16, ring_count=12, location=(3, 0, 1), rotation=(0, 0, 0.4))
    bpy.context.view_layer.update()
    use(addon, monkeypatch, FaceClient())
    return bpy.context.object


def test_found_landmarks_stay_with_the_head(head, addon):
    assert bpy.ops.lsf.find_landmarks() == {"FINISHED"}
    rest = meshes.read_rest(head).vertices
    found, own = store.read(head)
    assert set(found) == set(range(68)) and not own and addon.session.batch is None
    for index, place in found.items():
        np.testing.assert_allclose(place.position(rest), rest[index], atol=1e-3)
    assert store.doubtful(head) == [8, 48, 49]
    assert addon.session.message == ("The face was found; check the landmarks in the Face panel: jaw, outer lips")
    assert head.lsf.recognised == "Upper Teeth, Lower Teeth, Tongue, Left Eye, Right Eye"


def test_only_the_mesh_is_sent(head, addon, monkeypatch):
    client = use(addon, monkeypatch, FaceClient())
    for name in ("Basis", *"AIUEO"):
        head.shape_key_add(name=name)
    bpy.ops.lsf.find_landmarks()
    assert set(client.jobs[0].request_arrays) == {"vertices", "triangles"}


def test_parts_that_are_recognised_are_listed(head):
    bpy.ops.mesh.primitive_cube_add()
    other = bpy.context.object
    head.select_set(True)
    bpy.context.view_layer.objects.active = head
    bpy.ops.lsf.find_landmarks()
    assert [part.object for part in head.lsf.parts] == [other] and "Tongue" in head.lsf.parts[0].recognised


def test_generate_keeps_what_it_found(head, addon):
    bpy.ops.lsf.generate()
    assert len(store.read(head)[0]) == 68
    assert addon.session.message.endswith("check the landmarks in the Face panel: jaw, outer lips")


def place(head, point: int, vertex: int) -> None:
    """Set a landmark by hand to a vertex."""
    store.write_own(head, store.read(head)[1] | {point: SurfacePoint((vertex, vertex, vertex), (1.0, 0.0, 0.0))})


def test_own_landmarks_are_sent_and_bind(head, addon, monkeypatch):
    client = use(addon, monkeypatch, FaceClient())
    bpy.ops.lsf.find_landmarks()
    place(head, 48, 100)
    bpy.ops.lsf.generate()
    assert "landmarks68" not in client.jobs[0].request_arrays
    sent = client.jobs[1].request_arrays["landmarks68"]
    rest = meshes.read_rest(head).vertices
    assert sent.dtype == np.float32 and sent.shape == (68, 3) and np.isnan(np.delete(sent, 48, 0)).all()
    np.testing.assert_allclose(sent[48], rest[100], atol=1e-6)
    assert store.doubtful(head) == [8, 49] and set(store.read(head)[1]) == {48}
    assert bpy.ops.lsf.reset_landmarks() == {"FINISHED"}
    assert not store.read(head)[1] and not bpy.ops.lsf.reset_landmarks.poll()


def test_a_point_set_by_hand_does_not_pass_for_a_found_one(head):
    """So that a reset brings back what was found, not what was set."""
    bpy.ops.lsf.find_landmarks()
    before = store.read(head)[0]
    place(head, 48, 100)
    bpy.ops.lsf.find_landmarks()
    assert store.read(head)[0][48] == before[48]


def test_what_was_accepted_is_not_asked_again(head, addon):
    bpy.ops.lsf.find_landmarks()
    store.accept(head)
    assert store.doubtful(head) == []
    bpy.ops.lsf.find_landmarks()
    assert store.doubtful(head) == [] and addon.session.message == "The face was found"
    head.lsf.found_landmarks[8].corners = (1, 2, 3)  # and now it is found somewhere else
    bpy.ops.lsf.find_landmarks()
    assert store.doubtful(head) == [8]


def test_landmarks_follow_the_mesh(head):
    place(head, 30, 50)
    head.data.vertices[50].co.x += 0.5
    head.scale = (2, 1, 1)
    bpy.context.view_layer.update()
    rest = meshes.read_rest(head).vertices
    np.testing.assert_allclose(store.own_positions(head, rest)[30], rest[50], atol=1e-6)


def test_another_topology(head):
    """Subdivided: the point stays where it was on the surface."""
    base = meshes.base_vertices(head.data)
    triangles = meshes.read_triangles(head.data)
    middle = SurfacePoint(tuple(triangles[7].tolist()), (0.2, 0.3, 0.5))
    store.write_own(head, {30: middle})
    wanted = middle.position(base)
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="SELECT")
    bpy.ops.mesh.subdivide()
    bpy.ops.object.mode_set(mode="OBJECT")
    np.testing.assert_allclose(store.own_positions(head, meshes.base_vertices(head.data))[30], wanted, atol=0.02)


def test_landmarks_of_a_mesh_that_was_changed_meanwhile(head, addon, monkeypatch):
    """It keeps its number of vertices: the landmarks would be on the wrong ones."""

    class Sorting(FaceClient):
        def submit(self, kind, request, arrays):
            one, two = head.data.vertices[3], head.data.vertices[4]
            one.co, two.co = two.co.copy(), one.co.copy()
            return super().submit(kind, request, arrays)

    use(addon, monkeypatch, Sorting())
    with pytest.raises(RuntimeError, match=r"was changed while the result was made: press Find Landmarks again"):
        bpy.ops.lsf.find_landmarks()
    assert not head.lsf.found_landmarks


def test_saving_keeps_landmarks(head, tmp_path):
    bpy.ops.lsf.find_landmarks()
    place(head, 8, 20)
    name = head.name
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "saved.blend"))
    found, own = store.read(bpy.data.objects[name])
    assert len(found) == 68 and own[8].corners[0] == 20


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED])
def test_without_a_result_nothing_changes(head, addon, monkeypatch, state):
    use(addon, monkeypatch, FaceClient(state))
    if state is State.FAILED:
        with pytest.raises(RuntimeError, match="no face here"):
            bpy.ops.lsf.find_landmarks()
    else:
        assert bpy.ops.lsf.find_landmarks() == {"CANCELLED"}
    assert not len(head.lsf.found_landmarks) and addon.session.batch is None


def test_a_damaged_answer(head, addon, monkeypatch):
    class Damaged(FaceClient):
        def submit(self, *arguments):
            job = super().submit(*arguments)
            job.arrays["landmark_vertices"][5] = 10**6
            return job

    use(addon, monkeypatch, Damaged())
    with pytest.raises(RuntimeError, match="damaged"):
        bpy.ops.lsf.find_landmarks()


def test_another_file_drops_the_search(head, addon, monkeypatch):
    from lsf_blender_addon.jobs.batch import Batch, Item
    from lsf_blender_addon.jobs.prepare_face import FaceFinding
    from lsf_blender_addon.scene import character

    client = FaceClient(State.RUNNING)
    batch = addon.session.batch = Batch([Item("head", lambda: FaceFinding(client, character.read(head, {})))])
    batch.poll()
    batch.poll()
    assert batch.active.state is State.RUNNING and not bpy.ops.lsf.find_landmarks.poll()
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    assert addon.session.batch is None and client.cancelled == client.jobs


def test_editing_needs_a_viewport(head):
    assert "3D viewport" in edit_landmarks.disabled_reason(bpy.context)
    with pytest.raises(RuntimeError):
        bpy.ops.lsf.edit_landmarks()


def test_points_on_the_screen_are_flat_and_finite(head):
    bpy.ops.lsf.find_landmarks()
    editor = Editor(Surface(meshes.evaluated_vertices(head), meshes.read_triangles(head.data)), *store.read(head))
    where = editor.positions()[:, [0, 2]]
    where[3] = np.nan
    assert drawing.lines(where, editor.shown).shape == (2 * (63 - 2), 2), "neighbours of a hidden point are not joined"
    assert drawing.disc(where[3], 5).shape == (0, 2)
    ring = drawing.disc(np.array([10.0, 20]), 5)
    assert np.linalg.norm(ring - (10, 20), axis=1).max() == pytest.approx(5)


def test_seen_vertices_are_those_on_the_screen(head):
    key = head.shape_key_add(name="Basis") and head.shape_key_add(name="up")
    for point in key.data:
        point.co.z += 1
    key.value = 1
    bpy.context.view_layer.update()
    world = np.array([head.matrix_world @ vertex.co for vertex in head.data.vertices]) + np.array((0, 0, 1))
    np.testing.assert_allclose(meshes.evaluated_vertices(head), world, atol=1e-5)
    head.modifiers.new("smooth", "SUBSURF")
    np.testing.assert_allclose(meshes.evaluated_vertices(head), world - (0, 0, 1), atol=1e-5)
