"""The bank of a head: keys of the emotion mean the same expression, whatever happens to the bank or the file."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon.animation import actions, expression_bank_edits
from lsf_blender_addon.client.wire import MAX_ENTRIES, Expression
from lsf_blender_addon.errors import UserError
from lsf_blender_addon.prediction import store
from lsf_blender_addon.scene import emotion_control, expression_bank, expression_keys
from lsf_blender_addon.ui.panels import lines as lines_panel
from tests.lsf_blender_addon.fake_client import Client, use

SMIRK = Expression("Smirk", {"mouthSmileLeft": 0.75})
SNARL = Expression("Snarl", {"mouthUpperUpRight": 1.0, "noseSneerRight": 0.5}, {"angry": 0.25})


def head(name: str = "Ann") -> bpy.types.Object:
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    bpy.context.object.name = name
    bpy.context.scene.lsf.head = bpy.context.object
    return bpy.context.object


def key(*choices: tuple[int, str]) -> None:
    emotion = bpy.context.scene.lsf.emotion
    for frame, chosen in choices:
        emotion.chosen = chosen
        emotion.keyframe_insert("chosen", frame=frame)


def shown(obj: bpy.types.Object, frame: int) -> dict[str, float]:
    """What a request for a line at a frame asks for: the names with their weights; empty for the audio."""
    bank = expression_keys.entries(bpy.context.scene, obj)
    bpy.context.scene.lsf.emotion.transition = 0
    settings, arrays = emotion_control.read(bpy.context.scene, frame, 1, 24.0, 0.0, bank)
    row = arrays["emotion_control"][0]
    names = [*emotion_control.EMOTIONS, *(entry["name"] for entry in settings.get("bank", ()))]
    return {name: round(float(row[1] * w), 3) for name, w in zip(names, row[2:], strict=True) if row[1] * w}


def test_keys_mean_the_same_whatever_happens_to_the_bank(addon, tmp_path):
    ann = head()
    for expression in (SMIRK, SNARL):
        expression_bank_edits.add(ann, expression)
    key((1, "Smirk"), (20, "Snarl"), (40, "happy"), (60, "voice"))
    before = {1: {"Smirk": 1.0}, 20: {"Snarl": 1.0}, 40: {"happy": 1.0}, 60: {}}
    assert {frame: shown(ann, frame) for frame in before} == before
    ann.lsf.bank[1].name = "Sneer"  # renamed
    expression_bank_edits.remove(ann, ann.lsf.bank[0].number)  # another one removed
    added = expression_bank_edits.add(ann, Expression("Snarl", {"jawOpen": 1.0}))  # its old name taken by a new one
    assert added == "Snarl"
    ann.name = "Anna"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    ann = bpy.data.objects["Anna"]
    assert [row.name for row in ann.lsf.bank] == ["Sneer", "Snarl"]
    assert shown(ann, 20) == {"Sneer": 1.0}, "the keys mean the renamed one, not the one with its old name"
    assert shown(ann, 1) == {}, "the removed one is the emotion of the audio"
    assert shown(ann, 40) == {"happy": 1.0} and shown(ann, 60) == {}
    emotion = bpy.context.scene.lsf.emotion
    bpy.context.scene.frame_set(21)
    assert emotion.chosen == "Sneer"
    bpy.context.scene.frame_set(2)
    assert emotion.chosen == "Smirk", "its last name is still shown"
    expression_bank_edits.add(ann, SMIRK)
    assert shown(ann, 1) == {"Smirk": 1.0}, "and added again, it is the same"


def test_two_heads_whose_banks_differ(addon):
    ann, bob = head("Ann"), head("Bob")
    expression_bank_edits.add(ann, SMIRK)
    expression_bank_edits.add(bob, SNARL)
    expression_bank_edits.add(bob, Expression("smirk", {"mouthSmileRight": 0.5}))
    bpy.context.scene.lsf.head = ann
    key((1, "Smirk"))
    bpy.context.scene.lsf.head = bob
    key((20, "Snarl"))
    assert shown(ann, 1) == {"Smirk": 1.0} and shown(bob, 1) == {"smirk": 1.0}, "equal names are the same for both"
    assert shown(ann, 20) == {} and shown(bob, 20) == {"Snarl": 1.0}
    bob.lsf.bank[1].name = "Half a Smile"
    expression_bank_edits.remove(ann, ann.lsf.bank[0].number)
    assert shown(bob, 1) == {"Half a Smile": 1.0} and shown(ann, 1) == {}
    expression_bank_edits.add(ann, SMIRK)
    assert shown(ann, 1) == {"Smirk": 1.0} and shown(bob, 1) == {"Half a Smile": 1.0}, "each shows what it was keyed as"
    assert expression_bank_edits.copy(bob, ann) == ["Snarl", "Half a Smile"]
    assert shown(ann, 20) == {"Snarl": 1.0} and shown(ann, 1) == {"Half a Smile": 1.0}


def test_numbers_are_exact_in_an_f_curve(addon):
    ann = head()
    expression_bank_edits.add(ann, SMIRK)
    ann.lsf.bank[0].number = expression_bank.LAST_NUMBER
    key((1, "Smirk"))
    last = expression_bank.LAST_NUMBER
    assert shown(ann, 1) == {"Smirk": 1.0} and expression_keys.uses(ann, last)[0].frames == (1,)
    numbers = {expression_bank.new_number(ann, f"Face {i}") for i in range(1000)}
    assert len(numbers) > 995 and min(numbers) >= 100 and max(numbers) < 2**23


def test_names_stay_usable(addon):
    ann = head()
    names = [expression_bank_edits.add(ann, Expression(name, {})) for name in ("Smirk", "smirk", "voice")]
    assert names == ["Smirk", "smirk 2", "voice 2"]
    for typed, kept in (("Happy", "Happy 2"), ("", "Expression"), ("SMIRK 2", "SMIRK 2 2"), ("  a\nb ", "a b")):
        ann.lsf.bank[0].name = typed
        assert ann.lsf.bank[0].name == kept
    ann.lsf.bank[0].name = "x" * 200
    assert ann.lsf.bank[0].name == "x" * 60
    assert len(expression_bank.entries(ann)) == 3
    ann.lsf.bank[0].fields = "damaged"
    assert len(expression_bank.entries(ann)) == 2
    with pytest.raises(UserError, match="at most 64"):
        expression_bank_edits.add_all(ann, [Expression(str(i), {}) for i in range(MAX_ENTRIES)])
    assert len(ann.lsf.bank) == 3, "all or none"


def test_replacing_keeps_the_number_and_tells_the_lines(addon, add_strip, clicks, monkeypatch):
    add_strip(clicks)
    ann = head()
    client = use(addon, monkeypatch, Client())
    expression_bank_edits.add_all(ann, [SMIRK, SNARL])
    emotion = bpy.context.scene.lsf.emotion
    emotion.chosen = "Smirk"
    bpy.ops.lsf.generate()
    settings = client.jobs[-1].request["settings"]
    assert settings["emotion"] == "Smirk" and settings["bank"] == [SMIRK.to_fields()], "and no entry that is not used"
    assert "emotion_control" not in client.jobs[-1].request_arrays

    def word() -> str:
        (row,) = lines_panel._read_rows(actions.existing(ann.data), ann).values()
        return row.word

    number = ann.lsf.bank[0].number
    assert word() == ""
    ann.lsf.bank[0].name = "Grin"
    assert word() == "", "a name shows nothing"
    expression_bank_edits.add(ann, Expression("Snarl", {"jawOpen": 1.0}), replace=True)
    assert word() == "", "another one was changed"
    assert expression_bank_edits.add(ann, Expression("grin", {"mouthSmileLeft": 0.5}), replace=True) == "Grin"
    assert ann.lsf.bank[0].number == number and len(ann.lsf.bank) == 2 and word() == "changed"
    bpy.ops.lsf.generate()
    assert word() == ""
    expression_bank_edits.remove(ann, number)
    assert word() == "changed"
    bpy.ops.lsf.generate()
    settings = client.jobs[-1].request["settings"]
    assert settings["emotion"] is None and settings["emotion_mix"] == 0 and "bank" not in settings
    assert "has no expression Grin" in addon.session.message and word() == ""
    kept = store.record_of(
        actions.existing(ann.data), store.PROPERTY, next(iter(actions.existing(ann.data).lsf.lines)).uid
    )
    kept["expressions"] = 5  # damaged
    assert word() == "" and store.read(kept).expressions == ""


def test_keyed_entries_have_columns_of_their_own(addon, add_strip, clicks, monkeypatch):
    add_strip(clicks)
    ann = head()
    client = use(addon, monkeypatch, Client())
    expression_bank_edits.add_all(ann, [SMIRK, Expression("Unused", {"jawOpen": 1}), SNARL])
    key((1, "voice"), (60, "Snarl"), (90, "Smirk"))
    bpy.ops.lsf.generate()
    settings, rows = client.jobs[-1].request["settings"], client.jobs[-1].request_arrays["emotion_control"]
    assert [entry["name"] for entry in settings["bank"]] == ["Smirk", "Snarl"] and rows.shape == (96, 12)
    assert rows[0, 1] == 0 and rows[75 - 25, 11] == 1 and rows[-1, 10] == 1
    np.testing.assert_allclose(rows[60:, 2:].sum(1), 1, atol=1e-6)


def test_the_bank_goes_where_the_head_goes(addon, tmp_path):
    ann = head()
    expression_bank_edits.add(ann, SNARL)
    path = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    for linked in (False, True):
        with bpy.data.libraries.load(path, link=linked) as (_source, target):
            target.objects = ["Ann"]
        obj = target.objects[0]
        assert [entry.expression for entry in expression_bank.entries(obj)] == [SNARL]
        assert len(expression_bank.entries(obj.copy())) == 1
    with pytest.raises(UserError, match="linked from another file"):
        expression_bank_edits.add(obj, SMIRK)
    override = obj.override_create()
    bpy.context.collection.objects.link(override)
    with pytest.raises(UserError, match=r"mesh .* is linked"):
        expression_bank_edits.add(override, SMIRK)
    assert [entry.expression for entry in expression_bank.entries(override)] == [SNARL]


def test_equal_names_mean_the_same_on_two_heads_and_after_save_and_load(addon, tmp_path):
    ann, bob = head("Ann"), head("Bob")
    expression_bank_edits.add(ann, Expression("Expression", {"mouthSmileLeft": 0.75}))
    ann.lsf.bank[0].name = "Smirk"
    expression_bank_edits.add(bob, SMIRK)
    assert ann.lsf.bank[0].number != bob.lsf.bank[0].number
    bpy.context.scene.lsf.head = ann
    key((1, "Smirk"))
    assert shown(ann, 1) == shown(bob, 1) == {"Smirk": 1.0}
    bpy.context.scene.lsf.head = bob
    assert bpy.context.scene.lsf.emotion.chosen == "Smirk"
    path = str(tmp_path / "bank.json")
    bpy.ops.lsf.save_expressions(filepath=path)
    cal = head("Cal")
    bpy.ops.lsf.load_expressions(filepath=path)
    assert shown(cal, 1) == {"Smirk": 1.0}
    assert expression_keys.uses(cal, cal.lsf.bank[0].number)


def test_a_number_that_means_another_expression_on_an_appended_head(addon, tmp_path):
    path = str(tmp_path / "other.blend")
    bob = head("Bob")
    expression_bank_edits.add(bob, Expression("Expression", {"jawOpen": 0.5}))
    bob.lsf.bank[0].name = "Sneer"
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    ann = head("Ann")
    expression_bank_edits.add(ann, Expression("Expression", {"jawOpen": 0.25}))
    ann.lsf.bank[0].name = "Smirk"
    key((1, "Smirk"))
    with bpy.data.libraries.load(path) as (_source, target):
        target.objects = ["Bob"]
    (bob,) = target.objects
    bpy.context.collection.objects.link(bob)
    assert bob.lsf.bank[0].number == ann.lsf.bank[0].number
    assert shown(ann, 1) == {"Smirk": 1.0} and shown(bob, 1) == {}
    scene = bpy.context.scene
    text = expression_keys.digests(scene, expression_keys.entries(scene, bob), {ann.lsf.bank[0].number})
    assert expression_bank.missing(text) == ["Smirk"]
    assert not expression_keys.uses(bob, bob.lsf.bank[0].number)
    scene.lsf.head = bob
    key((20, "Sneer"))
    assert shown(bob, 20) == {"Sneer": 1.0} and shown(ann, 20) == {} and shown(ann, 1) == {"Smirk": 1.0}
    ann.lsf.bank[0].name = "Grin"
    assert shown(ann, 1) == {"Grin": 1.0} and shown(bob, 20) == {"Sneer": 1.0}


def test_renaming_on_one_head_changes_what_no_other_head_shows(addon):
    ann, bob = head("Ann"), head("Bob")
    expression_bank_edits.add_all(ann, [SMIRK])
    expression_bank_edits.add_all(bob, [SMIRK, Expression("Grin", {"jawOpen": 1.0})])
    key((1, "Smirk"), (20, "Grin"))
    ann.lsf.bank[0].name = "Grin"
    assert shown(ann, 1) == {"Grin": 1.0} and shown(bob, 1) == {"Smirk": 1.0}
    assert shown(ann, 20) == {"Grin": 1.0} and shown(bob, 20) == {"Grin": 1.0}
    bank = expression_keys.entries(bpy.context.scene, ann)
    _settings, arrays = emotion_control.read(bpy.context.scene, 1, 30, 24.0, 0.0, bank)
    assert arrays["emotion_control"].shape == (30, 11), "two numbers, one expression: one column"


def test_keys_that_no_scene_names_are_learned_from_the_heads(addon, tmp_path):
    ann, bob = head("Ann"), head("Bob")
    expression_bank_edits.add_all(ann, [SMIRK])
    expression_bank_edits.add_all(bob, [SNARL])
    bob.lsf.bank[0].name, bob.lsf.bank[0].number = "Smirk", 12345
    bpy.context.scene.lsf.head = ann
    key((1, "Smirk"))
    bpy.context.scene.lsf.emotion.names = ""
    assert shown(bob, 1) == {}
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "old.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "old.blend"))
    assert shown(bpy.data.objects["Bob"], 1) == shown(bpy.data.objects["Ann"], 1) == {"Smirk": 1.0}


def test_hostile_numbers_are_not_read(addon):
    ann, long = head(), "9" * 5000
    expression_bank_edits.add_all(ann, [SMIRK, SNARL])
    ann.lsf.removed_expressions = f'{{"{long}": "x", "-5": "y", "50": "z", "200": 7}}'
    emotion = bpy.context.scene.lsf.emotion
    emotion.names = f'{{"{long}": ["x"], "50": ["y"], "300": "z", "301": [5, "", "\\n"], "302": [], "303": ["Snarl"]}}'
    assert expression_bank.removed(ann) == {} and expression_keys.table(bpy.context.scene) == {303: ("Snarl",)}
    emotion.chosen = "Snarl"
    assert expression_bank.chosen_number(emotion) == 303
    text = f'{{"{long}": "", "missing": [3, "Smirk"], "101": "x"}}'
    assert expression_bank.changed(ann, text) == ["101", "Smirk"] and expression_bank.missing(text) == ["Smirk"]
    for number in (-5, 0, 3, 50, 2**23):
        ann.lsf.bank[0].number = number
        assert [entry.expression for entry in expression_bank.entries(ann)] == [SNARL]
        assert set(expression_keys.offered(bpy.context.scene, ann)) == {303}
