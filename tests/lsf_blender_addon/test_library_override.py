"""Heads from a library: overridden ones are animated and stay so, linked ones are told how to become such."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import override_settings
from lsf_blender_addon.jobs import head_checks, session
from lsf_blender_addon.scene.access import mesh_of
from server.arkit import CHANNELS
from server.face.head import load_head
from tests.lsf_blender_addon.fake_client import use
from tests.lsf_blender_addon.jobs.test_look_at_result import HeadClient, seen_of_meant, widest_opening

LINKED = r'"LSF Head" is linked from another file: make an override of it first \(Object > Library Override > Make\)'


def add_shape(obj: bpy.types.Object, name: str, offsets: np.ndarray) -> None:
    base = np.empty(3 * len(obj.data.vertices), np.float32)
    obj.data.vertices.foreach_get("co", base)
    key = obj.shape_key_add(name=name, from_mix=False)
    key.value = 0
    key.points.foreach_set("co", base + offsets.astype(np.float32).ravel())


@pytest.fixture
def library(addon, tmp_path) -> str:
    """A file with a head that has the keys jawOpen, eyeBlinkLeft and Fat, and teeth that have jawOpen, too."""
    bpy.ops.lsf.add_head()
    head = bpy.context.object
    head.shape_key_add(name="Basis", from_mix=False)
    for name in ("jawOpen", "eyeBlinkLeft"):
        add_shape(head, name, load_head().basis[CHANNELS.index(name)])
    add_shape(head, "Fat", load_head().vertices * 0.1)
    bpy.ops.mesh.primitive_cube_add(size=0.01, location=(0, -0.05, -0.03))
    teeth = bpy.context.object
    teeth.name = "Teeth"
    teeth.shape_key_add(name="Basis", from_mix=False)
    add_shape(teeth, "jawOpen", np.tile([0.0, 0.0, -0.02], (8, 1)))
    path = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    return path


def link(path: str, override: bool = True) -> bpy.types.Object:
    """Link head and teeth, and make overrides of both objects; returns the head, which is then the active object."""
    with bpy.data.libraries.load(path, link=True) as (_source, target):
        target.objects = ["LSF Head", "Teeth"]
    objects = [obj.override_create() if override else obj for obj in target.objects]
    for obj in bpy.context.selected_objects:
        obj.select_set(False)
    for obj in objects:
        bpy.context.collection.objects.link(obj)
    bpy.context.view_layer.objects.active = objects[0]
    objects[0].select_set(True)
    return objects[0]


class OnHead(HeadClient):
    """The head comes first; its parts move with the jaw."""

    def submit(self, kind, request, arrays):
        count = len(load_head().vertices)
        rest = arrays["vertices"][count:]
        job = super().submit(kind, request, arrays | {"vertices": arrays["vertices"][:count]})
        moved = np.zeros((len(CHANNELS), len(rest), 3), np.float32)
        moved[CHANNELS.index("jawOpen")] = 0, 0, -0.02
        job.arrays["basis"] = np.concatenate([job.arrays["basis"], moved], 1)
        return job


@pytest.fixture
def head(library, addon, add_strip, clicks, monkeypatch) -> bpy.types.Object:
    """An overridden head in a file with a strip; its mesh is still linked, as Blender leaves it."""
    use(addon, monkeypatch, OnHead())
    add_strip(clicks)
    head = link(library)
    head.lsf.parts.add().object = bpy.data.objects[("Teeth", None)]
    bpy.context.scene.lsf.layers.blinks = bpy.context.scene.lsf.layers.gaze = False
    return head


def reopened(tmp_path, name: str = "LSF Head") -> bpy.types.Object:
    path = str(tmp_path / "shot.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    head = bpy.data.objects[(name, None)]
    bpy.context.view_layer.objects.active = head
    return head


def lowest_teeth() -> float:
    """How far the teeth go down at most, as they are evaluated."""
    teeth, heights = bpy.data.objects[("Teeth", None)], []
    for frame in range(20, 130):
        bpy.context.scene.frame_set(frame)
        mesh = teeth.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
        heights.append(min(vertex.co.z for vertex in mesh.vertices))
    return max(heights) - min(heights)


def test_a_linked_head_is_told_how_to_make_an_override(library, addon, add_strip, clicks, monkeypatch):
    use(addon, monkeypatch, OnHead())
    add_strip(clicks)
    head = link(library, override=False)
    with pytest.raises(RuntimeError, match=LINKED):
        bpy.ops.lsf.generate()
    (finding,) = head_checks.can_be_animated(head, None)
    assert finding.level == "FAULT" and "Object > Library Override > Make" in finding.text
    bpy.ops.object.make_override_library()  # the menu entry that the sentence names
    made = bpy.context.view_layer.objects.active
    assert made.override_library and mesh_of(made).library
    bpy.ops.lsf.override_mesh()
    assert not head_checks.can_be_animated(made, None) or "takes no new shape keys" in said(made)


def said(head: bpy.types.Object) -> str:
    return head_checks.can_be_animated(head, None)[0].text


def test_an_override_whose_mesh_is_linked_gets_a_button(head):
    with pytest.raises(RuntimeError, match='The mesh of "LSF Head" is linked from another file: press Check Character'):
        bpy.ops.lsf.generate()
    (finding,) = head_checks.can_be_animated(head, None)
    assert (finding.level, finding.cure) == ("FAULT", "lsf.override_mesh")
    bpy.ops.lsf.override_mesh()
    assert head.data.override_library and bpy.data.objects[("Teeth", None)].data.override_library
    (finding,) = head_checks.can_be_animated(head, None)
    assert finding.level == "NOTE" and finding.text.startswith("A library override takes no new shape keys: only those")


def test_a_line_on_an_override_moves_it_still_when_the_file_is_opened_again(head, tmp_path):
    bpy.ops.lsf.override_mesh()
    bpy.ops.lsf.generate()
    seen, meant = seen_of_meant(session.message)
    assert seen > 0.9 * meant
    names = [key.name for key in head.data.shape_keys.key_blocks]
    assert names == ["Basis", "jawOpen", "eyeBlinkLeft", "Fat"]
    whole, teeth = widest_opening(head), lowest_teeth()
    assert whole > 10 and teeth > 0.005
    head = reopened(tmp_path)
    assert abs(widest_opening(head) - whole) < 0.1 and abs(lowest_teeth() - teeth) < 1e-4
    assert [key.name for key in head.data.shape_keys.key_blocks] == names
    (record,) = head.data.shape_keys.animation_data.action.lsf.lines
    record.tweaks.jaw = 0.5
    assert widest_opening(head) < 0.8 * whole
    record.tweaks.jaw = 1.0
    bpy.ops.lsf.generate()
    assert len(head.data.shape_keys.animation_data.action.lsf.lines) == 1
    assert abs(widest_opening(head) - whole) < 0.1


def test_a_rigged_character_of_an_instanced_collection(library, addon, add_strip, clicks, monkeypatch, tmp_path):
    def in_a_collection(head):
        character = bpy.data.collections.new("Character")
        bpy.context.scene.collection.children.link(character)
        rig = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
        character.objects.link(rig)
        character.objects.link(head)
        head.parent = rig
        head.modifiers.new("Rig", "ARMATURE").object = rig

    change_library(library, in_a_collection)
    use(addon, monkeypatch, OnHead())
    add_strip(clicks)
    bpy.context.scene.lsf.layers.blinks = bpy.context.scene.lsf.layers.gaze = False
    with bpy.data.libraries.load(library, link=True) as (_source, target):
        target.collections = ["Character"]
    instance = bpy.data.objects.new("Instance", None)
    instance.instance_type, instance.instance_collection = "COLLECTION", target.collections[0]
    bpy.context.collection.objects.link(instance)
    bpy.context.view_layer.objects.active = instance
    instance.select_set(True)
    bpy.ops.object.make_override_library()
    head = bpy.data.objects[("LSF Head", None)]
    assert head.override_library
    bpy.context.scene.lsf.head = head
    bpy.ops.lsf.override_mesh()
    bpy.ops.lsf.generate()
    whole = widest_opening(head)
    head = reopened(tmp_path)
    assert whole > 10 and abs(widest_opening(head) - whole) < 0.1
    assert len(head.lsf.found_landmarks) == 68 and bpy.context.scene.lsf.head == head


def test_channels_without_a_key_are_left_out_and_named(head, addon, monkeypatch):
    class Smiling(OnHead):
        def submit(self, kind, request, arrays):
            job = super().submit(kind, request, arrays)
            job.arrays["motion"][:, CHANNELS.index("mouthSmileLeft")] = 0.5
            return job

    use(addon, monkeypatch, Smiling())
    head.lsf.add_missing = True
    bpy.ops.lsf.override_mesh()
    bpy.ops.lsf.generate()
    assert "; left out, as a library override takes no new keys: " in session.message
    assert "mouthSmileLeft" in session.message
    assert len(head.data.shape_keys.key_blocks) == 4


def change_library(path: str, change) -> None:
    """Open the library, change the head in it, save it, and open an empty file."""
    bpy.ops.wm.open_mainfile(filepath=path)
    change(bpy.data.objects["LSF Head"])
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)


def test_an_override_without_keys_of_the_face_is_refused(library, addon, add_strip, clicks, monkeypatch):
    def without_face_keys(head):
        for name in ("jawOpen", "eyeBlinkLeft"):
            head.shape_key_remove(head.data.shape_keys.key_blocks[name])

    change_library(library, without_face_keys)
    use(addon, monkeypatch, OnHead())
    add_strip(clicks)
    head = link(library)
    bpy.ops.lsf.override_mesh()
    before = {action.name for action in bpy.data.actions}
    with pytest.raises(RuntimeError, match='Blender keeps no new shape keys on the library override "LSF Head": add'):
        bpy.ops.lsf.generate()
    assert {action.name for action in bpy.data.actions} == before
    assert [key.name for key in head.data.shape_keys.key_blocks] == ["Basis", "Fat"]


def test_settings_that_the_library_has_can_be_changed(library, addon, add_strip, clicks, monkeypatch, tmp_path):
    def with_settings(head):
        use(addon, monkeypatch, OnHead())
        for i, name in enumerate(("Fat", "jawOpen", "eyeBlinkLeft")):
            row = head.lsf.mapping.add()
            row.key, row.gain = name, 1.0 + i
        head.lsf.own_landmarks.add().index = 30

    change_library(library, with_settings)
    head = link(library)
    bpy.ops.lsf.override_mesh()
    assert [row.gain for row in head.lsf.mapping] == [1, 2, 3]
    head.lsf.mapping.remove(0)
    bpy.ops.lsf.reset_landmarks()
    head = reopened(tmp_path)
    assert [row.gain for row in head.lsf.mapping] == [2, 3] and not head.lsf.own_landmarks
    head.lsf.mapping.remove(0)
    assert [row.gain for row in reopened(tmp_path).lsf.mapping] == [3]
    change_library(library, lambda head: head.lsf.mapping.clear())
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    assert [row.gain for row in bpy.data.objects[("LSF Head", None)].lsf.mapping] == [3]


def test_keys_that_were_generated_in_the_library_are_animated(head, library, addon, monkeypatch, tmp_path):
    """They are marked there as generated, but their shapes cannot be written again here."""
    bpy.ops.lsf.override_mesh()
    keys = head.data.shape_keys
    keys["lsf_generated"] = {"jawOpen": [0.0, 0.0, 0.0, 1.0]}
    bpy.ops.lsf.generate()
    whole = widest_opening(head)
    assert whole > 10 and abs(widest_opening(reopened(tmp_path)) - whole) < 0.1


def test_an_artists_own_action_stays_the_active_one(head, tmp_path):
    bpy.ops.lsf.override_mesh()
    fat = head.data.shape_keys.key_blocks["Fat"]
    fat.keyframe_insert("value", frame=1)
    own = head.data.shape_keys.animation_data.action
    own_name = own.name
    bpy.ops.lsf.generate()
    whole = widest_opening(head)
    head = reopened(tmp_path)
    assert head.data.shape_keys.animation_data.action.name == own_name
    assert whole > 10 and abs(widest_opening(head) - whole) < 0.1
    bpy.ops.lsf.generate()
    assert len([action for action in bpy.data.actions if action.name.startswith("LSF ·")]) == 1


def test_settings_of_an_override_are_saved(head, tmp_path):
    bpy.ops.lsf.override_mesh()
    bpy.ops.lsf.generate()
    face = head.lsf
    face.own_keys, face.add_missing = "LIST", True
    for i in range(3):
        row = face.mapping.add()
        row.key, row.channel, row.gain = "Fat", CHANNELS[i], 0.5 + i
    face.nod.object = bpy.data.objects.new("Neck", None)
    bpy.context.collection.objects.link(face.nod.object)
    landmarks = [tuple(item.corners) for item in face.found_landmarks]
    assert len(landmarks) == 68
    head.name = "Anna"
    for _ in range(2):
        head = reopened(tmp_path, "Anna")
        face = head.lsf
        assert (face.own_keys, face.add_missing, face.nod.object.name) == ("LIST", True, "Neck")
        assert [(row.key, row.channel, row.gain) for row in face.mapping] == [
            ("Fat", CHANNELS[i], 0.5 + i) for i in range(3)
        ]
        assert [tuple(item.corners) for item in face.found_landmarks] == landmarks
        assert [part.object.name for part in face.parts] == ["Teeth"]
        assert face.parts[0].object.override_library
    face.mapping.remove(0)
    assert [row.gain for row in reopened(tmp_path, "Anna").lsf.mapping] == [1.5, 2.5]


@pytest.mark.parametrize(
    "damaged",
    [
        "{",
        "[1, 2]",
        "null",
        '{"LSF Head": 3}',
        '{"LSF Head": {"parts": {"a": 1}, "own_keys": "NOTHING"}}',
        '{"LSF Head": {"mapping": [1, "x", {"key": 5}], "nod": [], "gone": 1}}',
        '{"LSF Head": {"parts": [{"object": {"lsf_object": ["x"]}}]}}',
        '{"LSF Head": ' + '{"nod": ' * 5000 + "1" + "}" * 5001,
        5,
        [1, 2],
        {"LSF Head": {"own_keys": "LIST"}},
    ],
)
def test_damaged_settings_in_a_file_are_ignored(head, tmp_path, damaged, capfd):
    bpy.ops.lsf.override_mesh()
    bpy.app.handlers.save_pre.remove(override_settings.keep)
    bpy.context.scene["lsf_overrides"] = damaged
    head = reopened(tmp_path)
    bpy.app.handlers.save_pre.append(override_settings.keep)
    head.lsf.add_missing = True
    assert reopened(tmp_path).lsf.add_missing
    assert "Traceback" not in capfd.readouterr().err


def test_two_characters_of_one_library_speak_for_themselves(head, library, tmp_path):
    bpy.ops.lsf.override_mesh()
    bpy.ops.lsf.generate()
    whole = widest_opening(head)
    other = link(library)
    assert other.name != head.name
    bpy.data.objects["Teeth.001"].select_set(True)
    bpy.ops.lsf.override_mesh()
    assert other.data != head.data
    other.lsf.add_missing = True
    (strip,) = compat.all_strips(bpy.context.scene.sequence_editor)
    del strip["lsf_line"]
    strip.frame_start = 300
    bpy.ops.lsf.generate()
    other_name = other.name
    head = reopened(tmp_path)
    other = bpy.data.objects[(other_name, None)]
    assert (head.lsf.add_missing, other.lsf.add_missing) == (False, True)
    assert [[part.object.name for part in obj.lsf.parts] for obj in (head, other)] == [["Teeth"], ["Teeth.001"]]
    assert abs(widest_opening(head) - whole) < 0.1 and widest_opening(other) < 0.2


def test_a_mended_override_stays_mended(head, tmp_path):
    bpy.ops.lsf.override_mesh()
    head.data.shape_keys.key_blocks["jawOpen"].mute = head.show_only_shape_key = True
    assert {finding.cure for finding in head_checks.keys_that_show(head, None)} == {"lsf.unpin_key", "lsf.unmute_keys"}
    bpy.ops.lsf.unpin_key()
    bpy.ops.lsf.unmute_keys()
    head = reopened(tmp_path)
    assert not head_checks.keys_that_show(head, None)
    with pytest.raises(RuntimeError, match="The sliders of the head reach far enough"):
        bpy.ops.lsf.widen_sliders()


def test_lines_of_the_library_are_made_local_by_a_button(library, addon, add_strip, clicks, monkeypatch, tmp_path):
    def with_a_line(head):
        use(addon, monkeypatch, OnHead())
        add_strip(clicks)
        bpy.context.scene.lsf.head = head
        bpy.context.scene.lsf.layers.blinks = bpy.context.scene.lsf.layers.gaze = False
        bpy.ops.lsf.generate()

    change_library(library, with_a_line)
    add_strip(clicks)
    head = link(library)
    bpy.ops.lsf.override_mesh()
    whole = widest_opening(head)
    assert whole > 10
    with pytest.raises(RuntimeError, match="is linked from another file"):
        bpy.ops.lsf.generate()
    (finding,) = [found for found in head_checks.can_be_animated(head, None) if found.level == "FAULT"]
    assert finding.cure == "lsf.make_lines_local" and "is linked from another file" in finding.text
    bpy.ops.lsf.make_lines_local()
    bpy.ops.lsf.generate()
    head = reopened(tmp_path)
    action = head.data.shape_keys.animation_data.action
    assert action.library is None and abs(widest_opening(head) - whole) < 0.1
