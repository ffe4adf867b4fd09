"""Style cards of a head: made, mixed, saved, asked for by Generate, and what is stale after a change."""

import json

import bpy
import numpy as np
import pytest

from lsf_blender_addon.animation import style_card_edits
from lsf_blender_addon.client.jobs import Job, State
from lsf_blender_addon.client.wire import STYLE_FAMILIES, StyleCard
from lsf_blender_addon.prediction import store
from lsf_blender_addon.scene import style_cards
from lsf_blender_addon.ui.panels import lines as lines_panel
from tests.lsf_blender_addon.fake_client import use
from tests.lsf_blender_addon.two_lines import FIRST, SpeechClient, TwoLines

CARD = {
    "format": "lsf-style",
    "version": 1,
    "name": "Anna",
    "numbers": {"rest": {"smile": 0.1}},
    "left_out": {"blinks": "not_moved", "sides": "no_gain"},
}


class StyleClient(SpeechClient):
    """Answers `make_style` with CARD."""

    answer = {"card": CARD, "lag": 0.08, "correlation": 0.6, "seconds": 4.0, "gains": {"rest": 0.2}} | {
        "error": 0.05,
        "default_error": 0.06,
    }

    def submit(self, kind, request, arrays):
        if kind != "make_style":
            return super().submit(kind, request, arrays)
        job = Job(str(len(self.jobs)), kind, request, arrays)
        self.recording = arrays["recording"]
        return self._answer(job, dict(self.answer), {})


@pytest.fixture
def client(addon, monkeypatch):
    return use(addon, monkeypatch, StyleClient())


@pytest.fixture
def stage(client, add_strip, clicks):
    mesh = bpy.data.meshes.new("Head")
    mesh.from_pydata(np.random.default_rng(0).normal(size=(12, 3)).tolist(), [], [(0, 1, 2), (3, 4, 5)])
    return TwoLines(add_strip, clicks, bpy.data.objects.new("Head", mesh))


def styles(request) -> list:
    return request["settings"].get("styles", [])


def test_generate_asks_for_the_styles_of_its_head_alone(stage, client):
    stage.generate(0)
    assert "styles" not in client.jobs[-1].request["settings"]  # nobody pays for what is not used
    style_card_edits.add(stage.head, StyleCard.from_fields(CARD))
    style_card_edits.add(stage.head, StyleCard.from_fields(CARD))
    assert [(row.name, row.amount) for row in stage.head.lsf.styles] == [("Anna", 0.5), ("Anna 2", 0.0)]
    stage.head.lsf.styles[1].amount = 1.5
    stage.generate(0)
    asked = styles(client.jobs[-1].request)
    assert [style["amount"] for style in asked] == [0.5, 1.5]
    assert StyleCard.from_fields(asked[0]["card"]).numbers == StyleCard.from_fields(CARD).numbers
    other = bpy.data.objects.new("Other", stage.head.data.copy())
    assert style_cards.request(other) == {}


def test_a_line_is_stale_when_the_style_was_changed(stage):
    stage.generate(0)
    action = next(a for a in bpy.data.actions if len(a.lsf.lines))
    uid = action.lsf.lines[0].uid

    def word() -> str:
        return lines_panel._read_rows(action, stage.head)[uid].sentence

    assert "style" not in word()
    style_card_edits.add(stage.head, StyleCard.from_fields(CARD))
    assert "style of the head was changed" in word()
    stage.generate(0)
    assert "style" not in word() and store.load(action, uid).style
    stage.head.lsf.styles[0].name = "Bea"  # a name moves no face
    assert "style" not in word()
    stage.head.lsf.styles[0].amount = 0.7
    assert "style of the head was changed" in word()
    bpy.ops.lsf.remove_style()
    stage.generate(0)
    assert "style" not in word() and store.load(action, uid).style == ""


def live_link(path, seconds: float = 4.0) -> str:
    rows = ["Timecode,BlendShapeCount,JawOpen,MouthSmileLeft"]
    rows += [f"01:00:{i // 60:02}:{i % 60:02}.000,2,{0.1 * (i % 5):.2f},0.2" for i in range(int(seconds * 60))]
    path.write_text("\n".join(rows))
    return str(path)


def test_a_card_of_a_live_link_recording(stage, client, tmp_path):
    stage.choose(0)
    result = bpy.ops.lsf.make_style_from_recording(filepath=live_link(tmp_path / "take 1.csv"))
    assert result == {"FINISHED"}
    request = client.jobs[-1].request
    assert request["fps"] == 60 and request["channels"] == ["jawOpen", "mouthSmileLeft"] and request["name"] == "take 1"
    np.testing.assert_allclose(client.recording[:5, 0], [0, 0.1, 0.2, 0.3, 0.4], atol=1e-5)
    row = stage.head.lsf.styles[0]
    assert row.name == "Anna" and style_cards.card(row).left_out == (("blinks", "not_moved"), ("sides", "no_gain"))


def test_a_card_of_an_action(stage, client):
    stage.choose(0)
    stage.head.shape_key_add(name="Basis")
    stage.head.shape_key_add(name="jawOpen")
    keys = stage.head.data.shape_keys
    for frame, value in ((FIRST, 0.0), (FIRST + 10, 1.0)):
        keys.key_blocks["jawOpen"].value = value
        keys.key_blocks["jawOpen"].keyframe_insert("value", frame=frame)
    action = keys.animation_data.action
    assert bpy.ops.lsf.make_style_from_action(action=action.name) == {"FINISHED"}
    request = client.jobs[-1].request
    assert request["channels"] == ["jawOpen"] and request["fps"] == pytest.approx(24)
    assert client.recording[0, 0] == 0 and client.recording[10, 0] == pytest.approx(1)
    with pytest.raises(RuntimeError, match="Choose an Action"):
        bpy.ops.lsf.make_style_from_action(action="none")


@pytest.mark.parametrize("wrong", [{"card": None}, {"card": CARD | {"version": 9}}, {"gains": {"x": 1}}, {"lag": None}])
def test_a_damaged_answer_makes_no_card(stage, client, tmp_path, wrong):
    stage.choose(0)
    client.answer = client.answer | wrong
    with pytest.raises(RuntimeError):
        bpy.ops.lsf.make_style_from_recording(filepath=live_link(tmp_path / "a.csv"))
    assert not len(stage.head.lsf.styles)


def test_a_recording_that_cannot_be_read_and_a_refusal_are_told(stage, client, tmp_path):
    stage.choose(0)
    (tmp_path / "b.csv").write_text("nothing")
    with pytest.raises(RuntimeError, match="no column of ARKit"):
        bpy.ops.lsf.make_style_from_recording(filepath=str(tmp_path / "b.csv"))
    client.state = State.FAILED
    with pytest.raises(RuntimeError, match="headache"):
        bpy.ops.lsf.make_style_from_recording(filepath=live_link(tmp_path / "a.csv"))
    assert not len(stage.head.lsf.styles)


def test_cards_are_saved_and_loaded(stage, tmp_path):
    stage.choose(0)
    style_card_edits.add(stage.head, StyleCard.from_fields(CARD))
    path = tmp_path / "card.json"
    assert bpy.ops.lsf.save_style(filepath=str(path)) == {"FINISHED"}
    assert json.loads(path.read_text("utf-8")) == CARD
    bpy.ops.lsf.remove_style()
    assert bpy.ops.lsf.load_style(filepath=str(path)) == {"FINISHED"}
    assert stage.head.lsf.styles[0].amount == 0.5 and style_cards.styles(stage.head)[0].card.name == "Anna"
    path.write_text("{}")
    with pytest.raises(RuntimeError, match="not a style card"):
        bpy.ops.lsf.load_style(filepath=str(path))


def test_what_a_file_holds_is_not_trusted(stage):
    row = stage.head.lsf.styles.add()
    for fields in ("", "[]", "{", json.dumps(CARD | {"numbers": {"rest": {"smile": 99}}}), "[" * 9999):
        row.fields = fields
        assert style_cards.request(stage.head) == {} and style_cards.digest(stage.head) == ""
    row.fields, row["amount"] = json.dumps({k: v for k, v in CARD.items() if k != "name"}), float("nan")
    assert style_cards.styles(stage.head)[0].amount == 0.5


def test_every_family_has_a_name():
    from lsf_blender_addon.ui.properties.style_labels import family_label, reason_label

    assert all(family_label(family) for family in STYLE_FAMILIES) and reason_label("other") == ""
