"""Check Character: what is said before anything is generated, and until when."""

import time

import bpy
import numpy as np
import pytest

from lsf_blender_addon.client.jobs import Job, State
from lsf_blender_addon.jobs import checkup, head_checks
from lsf_blender_addon.scene.findings import Finding
from server.arkit import CHANNELS
from server.face.head import load_head
from tests.lsf_blender_addon.fake_client import Client, use


class FaceClient(Client):
    """Finds the landmarks of the project's own head; `parts` are the codes of its vertices."""

    error = ""
    parts: np.ndarray | None = None

    def submit(self, kind, request, arrays) -> Job:
        assert kind == "prepare_face"
        job = Job(str(len(self.jobs)), kind, request, arrays)
        marks = load_head().landmark_vertices
        job.header = {"channels": list(CHANNELS), "report": {"check_landmarks": []}}
        job.arrays = {
            "basis": to_mesh(load_head().basis, arrays["vertices"]),
            "landmarks68": arrays["vertices"][marks],
            "landmark_vertices": marks.astype(np.int32),
            "parts": np.zeros(len(arrays["vertices"]), np.int32) if self.parts is None else self.parts,
        }
        job.error, job.state = self.error, State.FAILED if self.error else State.DONE
        job.code = "no_face" if self.error else ""
        self.jobs.append(job)
        return job


def to_mesh(offsets: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """Offsets of the project's own head as that is turned and scaled."""
    return (offsets @ np.linalg.lstsq(load_head().vertices, vertices, rcond=None)[0]).astype(np.float32)


@pytest.fixture
def client(addon, monkeypatch, tmp_path) -> FaceClient:
    monkeypatch.setenv("LSF_SERVER_PYTHON", __file__)  # a file that exists
    return use(addon, monkeypatch, FaceClient())


@pytest.fixture
def head(addon, client) -> bpy.types.Object:
    """The project's own head with shapes for all ARKit channels, as an artist would have it."""
    bpy.ops.lsf.add_head()
    obj = bpy.context.object
    obj.shape_key_add(name="Basis", from_mix=False)
    for name, offsets in zip(CHANNELS, load_head().basis, strict=True):
        shape = obj.shape_key_add(name=name, from_mix=False)
        shape.value = 0
        shape.points.foreach_set("co", (load_head().vertices + offsets).astype(np.float32).ravel())
    return obj


def key(obj: bpy.types.Object, name: str) -> bpy.types.ShapeKey:
    return obj.data.shape_keys.key_blocks[name]


def said(obj: bpy.types.Object, level: str = "") -> list[str]:
    return [finding.text for finding in checkup.shown(obj) if level in ("", finding.level)]


def check(obj: bpy.types.Object) -> list[Finding]:
    bpy.ops.lsf.check_character()
    return checkup.shown(obj)


def with_eyes(client: FaceClient) -> None:
    client.parts = np.zeros(len(load_head().vertices), np.int32)
    client.parts[-2:] = 4, 5  # eyeballs


def test_nothing_is_said_before_and_nothing_is_changed_after(head, client):
    with_eyes(client)
    assert checkup.shown(head) == []
    found = check(head)
    assert found[0].text == "All well" and {finding.level for finding in found} == {"OK"}
    assert "ARKit: 52 of 52 shape keys are animated" in said(head)
    assert not (head.lsf.found_landmarks or head.lsf.parts or head.data.shape_keys.animation_data)


def unknown_names(head):
    for block in head.data.shape_keys.key_blocks[1:]:
        block.name = f"Sculpt {block.name[::-1]}"


def one_without_shape(head):
    flat = np.empty(3 * len(head.data.vertices), np.float32)
    key(head, "Basis").points.foreach_get("co", flat)
    key(head, "jawOpen").points.foreach_set("co", flat)


def wrong_shape(head):
    shape = load_head().vertices + load_head().basis[CHANNELS.index("browInnerUp")]
    key(head, "jawOpen").points.foreach_set("co", shape.astype(np.float32).ravel())


def driven(head):
    key(head, "mouthPucker").driver_add("value")


def mirrored(head):
    head.modifiers.new("Half", "MIRROR")


def cached(head):
    head.modifiers.new("Cache", "MESH_CACHE")


def masked(head):
    head.modifiers.new("Hidden", "MASK")


def smooth_below_armature(head):
    head.modifiers.new("Smooth", "SUBSURF")
    head.modifiers.new("Bones", "ARMATURE")


def in_centimetres(head):
    head.scale = (100, 100, 100)
    bpy.context.view_layer.update()


def flat(head):
    head.scale = (0, 0, 0)
    bpy.context.view_layer.update()


def shared(head):
    bpy.data.objects.new("Twin", head.data)


def absolute(head):
    head.data.shape_keys.use_relative = False


def spare_key(head):
    block = head.shape_key_add(name="Fat", from_mix=False)
    block.points[0].co.x += 0.1


def all_without_shape(head):
    flat = np.empty(3 * len(head.data.vertices), np.float32)
    key(head, "Basis").points.foreach_get("co", flat)
    for block in head.data.shape_keys.key_blocks[1:]:
        block.points.foreach_set("co", flat)


def without_right_side(head):
    for block in list(head.data.shape_keys.key_blocks):
        if block.name.endswith("Right"):
            head.shape_key_remove(block)


@pytest.mark.parametrize(
    ("change", "level", "sentence", "cure"),
    [
        (unknown_names, "NOTE", "None of 52 shape keys is of a known kind: Generate adds new ones", ""),
        (one_without_shape, "NOTE", "Without a shape, so others move in their place: jawOpen", ""),
        (
            wrong_shape,
            "NOTE",
            "They move something else than their names say, so others move in their place: jawOpen",
            "",
        ),
        (all_without_shape, "NOTE", "None of 52 shape keys has a shape: they move nothing", ""),
        (
            without_right_side,
            "NOTE",
            "No shape key shows these channels: eyeBlinkRight, mouthSmileRight, browDownRight and",
            "lsf.add_missing_keys",
        ),
        (spare_key, "NOTE", "Not animated: Fat", ""),
        (driven, "NOTE", "Drivers move these, so others move in their place: mouthPucker", ""),
        (mirrored, "FAULT", "holds half a head and a Mirror modifier", ""),
        (cached, "FAULT", 'Nothing moves, as "Cache" replaces the shape keys by a cache', ""),
        (masked, "NOTE", "What moves cannot be measured behind these modifiers: Hidden", ""),
        (smooth_below_armature, "NOTE", "These modifiers are better below the Armature: Smooth", ""),
        (in_centimetres, "NOTE", "100 times as large as a human head", ""),
        (flat, "FAULT", "is scaled to nothing: give it a scale", ""),
        (shared, "FAULT", "is shared with other objects: make it a single user", ""),
        (absolute, "FAULT", "has absolute shape keys: turn on Relative", "lsf.use_relative_keys"),
    ],
)
def test_each_case_has_its_sentence(head, client, change, level, sentence, cure):
    with_eyes(client)
    change(head)
    found = [finding for finding in check(head) if sentence in finding.text]
    assert [(finding.level, finding.cure) for finding in found] == [(level, cure)], said(head)
    assert "All well" not in said(head)


def test_missing_keys_are_added_by_a_click(head, client):
    with_eyes(client)
    without_right_side(head)
    check(head)
    assert bpy.ops.lsf.add_missing_keys() == {"FINISHED"} and head.lsf.add_missing
    assert said(head)[0] == "All well" and not bpy.ops.lsf.add_missing_keys.poll()


def test_a_linked_head_gets_no_other_keys(head, client, tmp_path):
    one_without_shape(head)
    without_right_side(head)
    path = str(tmp_path / "library.blend")
    bpy.data.libraries.write(path, {head})
    with bpy.data.libraries.load(path, link=True) as (_there, wanted):
        wanted.objects = [head.name]
    found = head_checks.own_keys(wanted.objects[0], None)
    assert "Without a shape, so they are left out: jawOpen" in [finding.text for finding in found]
    assert any("eyeBlinkRight" in finding.text for finding in found) and not any(finding.cure for finding in found)


def test_a_head_without_keys_and_without_eyes(addon, client):
    bpy.ops.lsf.add_head()
    check(bpy.context.object)
    assert "It has no shape keys of its own: Generate adds new ones" in said(bpy.context.object, "OK")
    assert said(bpy.context.object, "NOTE") == ["No eyeballs were found: the eyes do not turn"]


def test_a_face_that_is_not_found_is_said_and_the_rest_too(head, client):
    client.error = "No face was found: set four points"
    key(head, "jawOpen").mute = True
    found = check(head)
    assert said(head, "FAULT") == ["Muted, so that they do not show: jawOpen"]
    assert said(head, "NOTE") == ["The face was not found: only the head's own shape keys move"]
    unknown_names(head)
    found = check(head)
    assert [(finding.text, finding.cure) for finding in found if finding.level == "FAULT"] == [
        ("No face was found: set four points", "lsf.edit_landmarks")
    ]


def test_without_the_engine_the_rest_is_said_at_once(head, client, monkeypatch):
    monkeypatch.setenv("LSF_SERVER_PYTHON", "/nowhere/python")
    monkeypatch.setattr("lsf_blender_addon.ui.operators.check_character.server_python", lambda: None)
    check(head)
    assert not client.jobs
    assert "Lips, eyes and landmarks are checked once the speech engine is installed" in said(head)
    assert "ARKit: 52 of 52 shape keys are animated" in said(head)


def test_a_cure_shows_at_once_and_the_face_is_not_sought_again(head, client):
    with_eyes(client)
    key(head, "jawOpen").mute = head.show_only_shape_key = True
    assert len([finding for finding in check(head) if finding.level == "FAULT"]) == 2
    bpy.ops.lsf.unpin_key()
    assert said(head, "FAULT") == ["Muted, so that they do not show: jawOpen"]
    bpy.ops.lsf.unmute_keys()
    assert said(head)[0] == "All well" and len(client.jobs) == 1


def moved_vertex(head):
    for vertex in key(head, "Basis").points:
        vertex.co.x *= 1.1


def edited(head):
    bpy.ops.object.mode_set(mode="EDIT")


def scaled(head):
    head.scale.x = 2
    bpy.context.view_layer.update()


@pytest.mark.parametrize("change", [moved_vertex, edited, scaled])
def test_what_was_found_goes_when_the_head_changes(head, client, change):
    check(head)
    assert checkup.shown(head)
    change(head)
    assert checkup.shown(head) == []


def test_what_was_found_is_of_one_head(head, client):
    check(head)
    bpy.ops.lsf.add_head()
    other = bpy.context.object
    assert checkup.shown(other) == [] and checkup.shown(head)
    head.name = "Renamed"
    assert checkup.shown(head)
    bpy.ops.lsf.hide_check()
    assert checkup.shown(head) == []


def test_what_was_found_is_not_in_a_saved_file(head, client, tmp_path):
    check(head)
    path = str(tmp_path / "head.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert checkup.shown(bpy.data.objects["LSF Head"]) == []


def test_at_most_eight_lines_with_the_faults_first(head, client, monkeypatch):
    many = [Finding("NOTE", f"note {i}") for i in range(9)] + [Finding("FAULT", "fault")]
    monkeypatch.setattr(checkup, "CHECKS", (lambda _head, _face: many,))
    found = check(head)
    assert len(found) == checkup.MOST and found[0].text == "fault" and found[-1].text == "and 3 more"


def test_the_panel_asks_for_little(head, client):
    check(head)
    checkup.shown(head)
    start = time.perf_counter()
    for _ in range(10):
        checkup.shown(head)
    assert (time.perf_counter() - start) / 10 < 0.005
