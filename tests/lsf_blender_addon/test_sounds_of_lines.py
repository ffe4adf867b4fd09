"""Sounds of a line on heads: what is heard, what the artist changes in it, and what the evaluated mesh then does."""

from pathlib import Path

import bpy
import numpy as np
import pytest

from demo import characters
from demo.characters import FAMILIES, keys_of
from lsf_blender_addon import compat
from lsf_blender_addon.animation import actions, fcurves, line_sounds, lines
from lsf_blender_addon.animation.chosen_line import chosen_line
from lsf_blender_addon.client.jobs import State
from lsf_blender_addon.prediction import takes
from lsf_blender_addon.ui.operators import change_sound, listen
from tests.lsf_blender_addon import fake_client
from tests.lsf_blender_addon.fake_client import HEARD, use
from tests.lsf_blender_addon.makers_head import FIRST_FRAME, OPEN, HeadClient, measured

VOWEL = 3  # of HEARD: the wide open mouth in row OPEN
AT = FIRST_FRAME + OPEN


@pytest.fixture
def client(addon, add_strip, clicks, monkeypatch) -> HeadClient:
    """A scene with a strip, and a server that knows the project's own head."""
    add_strip(clicks)
    bpy.context.scene.lsf.layers.blinks = bpy.context.scene.lsf.layers.gaze = False
    monkeypatch.setattr(listen, "server_python", lambda: "python")
    return use(addon, monkeypatch, HeadClient())


@pytest.fixture(scope="module")
def heard_file(tmp_path_factory) -> Path:
    """Where the first test that needs a head whose sounds were heard saves it for the others."""
    return tmp_path_factory.mktemp("heard") / "head.blend"


@pytest.fixture
def head(client, clicks, heard_file) -> bpy.types.Object:
    """The project's own head with a line whose sounds were heard."""
    if heard_file.exists():
        bpy.ops.wm.open_mainfile(filepath=str(heard_file))
        strip().sound.filepath = str(clicks)
    else:
        bpy.ops.lsf.add_head()
        bpy.ops.lsf.generate()
        bpy.ops.lsf.listen()
        bpy.ops.wm.save_as_mainfile(filepath=str(heard_file), relative_remap=False)
    return bpy.context.object


def strip():
    return compat.all_strips(bpy.context.scene.sequence_editor)[0]


def record():
    return chosen_line(bpy.context).record


def sound(index: int = VOWEL):
    return record().sounds[index]


def curve(name: str = "jawOpen", of: bpy.types.Object | None = None) -> np.ndarray:
    """Values of a shape key over the line."""
    action = actions.existing((of or bpy.context.object).data)
    (found,) = (c for c in compat.fcurves_of(action) if c.data_path == fcurves.value_path(name))
    return np.array([found.evaluate(FIRST_FRAME + row) for row in range(96)])


def symbols() -> list[str]:
    return [each.symbol for each in record().sounds]


def test_listen_finds_the_sounds_and_leaves_the_curves(client):
    bpy.ops.lsf.add_head()
    bpy.ops.lsf.generate()
    assert not len(record().sounds)
    before = curve()
    record().transcript = " one two "
    bpy.ops.lsf.listen()
    assert client.jobs[-1].type == "hear" and client.jobs[-1].request["settings"] == {"transcript": "one two"}
    assert symbols() == [symbol for symbol, *_times in HEARD]
    assert [word.name for word in record().words] == ["one", "two"]
    assert record().pinned == "one two"
    assert line_sounds.frames_of(record(), VOWEL) == (FIRST_FRAME + 26, FIRST_FRAME + 33)
    np.testing.assert_array_equal(curve(), before)


def test_generate_asks_for_sounds_only_where_they_are_used(client):
    def asked() -> bool:
        client.state = State.FAILED  # what is asked is known; nothing is written
        with pytest.raises(RuntimeError, match="headache"):
            bpy.ops.lsf.generate()
        return "sounds" in client.jobs[-1].request["settings"]

    bpy.ops.lsf.add_head()
    assert not asked()
    bpy.context.scene.lsf.sounds.with_generate = True
    assert asked()
    client.state = State.DONE
    bpy.ops.lsf.generate()
    assert len(record().sounds) == len(HEARD)
    bpy.context.scene.lsf.sounds.with_generate = False
    assert asked()  # the line has sounds
    record().sounds.clear()
    assert not asked()
    record().transcript = "one"
    assert asked() and client.jobs[-1].request["settings"]["transcript"] == "one"


def test_damaged_reply_changes_nothing(head, client, monkeypatch):
    for reply in ({"sounds": ["m"]}, {}):
        monkeypatch.setattr(fake_client, "heard", lambda *_, reply=reply: (reply, {}))
        with pytest.raises(RuntimeError, match="damaged"):
            bpy.ops.lsf.listen()
    client.state = State.FAILED
    with pytest.raises(RuntimeError, match="headache"):
        bpy.ops.lsf.listen()
    assert len(record().sounds) == len(HEARD)


def test_closed_sound_closes_the_lips_of_the_mesh(head):
    rest, open_before = measured(head)[48][0], measured(head)[OPEN][0]
    assert open_before - rest > 5
    sound().close = 1.0
    assert measured(head)[OPEN][0] < rest + 0.7
    sound().close = 0.0
    assert measured(head)[OPEN][0] == pytest.approx(open_before, abs=0.05)


@pytest.mark.exhaustive
@pytest.mark.parametrize("family", ["Genesis 8", "Oculus visemes"])
def test_closed_sound_closes_the_lips_of_other_makers_heads(client, family):
    names = keys_of(family)
    if FAMILIES[family].match(names).solved:
        pytest.importorskip("scipy")
    head = characters.with_keys(FAMILIES[family], names)
    bpy.ops.lsf.generate()
    bpy.ops.lsf.listen()
    before = measured(head)
    assert before[OPEN][0] - before[48][0] > 5
    sound().close = 1.0
    assert measured(head)[OPEN][0] < before[48][0] + 0.7


def test_changes_stay_through_generate_listen_and_takes(head, client, monkeypatch):
    sound().open, sound().later = 0.5, 1.0
    record().active_sound = 4
    bpy.ops.lsf.change_sound(symbol="m")
    changed = curve()
    bpy.ops.lsf.generate()
    np.testing.assert_allclose(curve(), changed, atol=1e-6)  # the same motion of the same shape keys
    monkeypatch.setattr(fake_client, "HEARD", tuple((s, a + 0.02, b + 0.02) for s, a, b in HEARD if s != "m"))
    bpy.ops.lsf.listen()
    assert symbols() == ["ɑ", "p", "æ", "m"]  # one sound less is heard
    assert sound(2).open == 0.5 and sound(2).later == 1.0 and sound(3).heard == "s"
    bpy.context.scene.lsf.takes.count = 2
    bpy.ops.lsf.generate_takes()
    bpy.ops.lsf.step_take(step=1)
    assert takes.count(chosen_line(bpy.context).action, record().uid) and sound(2).open == 0.5
    bpy.ops.lsf.keep_take()
    assert sound(2).open == 0.5 and curve().max() > 0.8


def test_changed_sound_that_is_not_heard_any_more_stays(head, monkeypatch):
    record().active_sound = VOWEL
    sound().close = 1.0
    monkeypatch.setattr(fake_client, "HEARD", HEARD[:2])
    bpy.ops.lsf.listen()
    assert symbols() == ["m", "ɑ", "æ"] and sound(2).close == 1.0 and record().active_sound == 2


def test_trimmed_and_moved_strips_keep_the_place_of_a_change(head):
    sound().close = 1.0
    shut = measured(head)[OPEN][0]
    name = "content_start" if hasattr(strip(), "content_start") else "frame_start"
    setattr(strip(), name, getattr(strip(), name) + 10)
    bpy.ops.lsf.follow_strip()
    assert line_sounds.frames_of(record(), VOWEL)[0] == FIRST_FRAME + 26 + 10
    assert jaw_at(AT + 10) < 0.3 and jaw_at(AT + 4) < 0.45
    setattr(strip(), name, getattr(strip(), name) - 10)
    bpy.ops.lsf.follow_strip()
    assert measured(head)[OPEN][0] == pytest.approx(shut, abs=0.05)
    handle = "left_handle_offset" if hasattr(strip(), "left_handle_offset") else "frame_offset_start"
    setattr(strip(), handle, 12)
    bpy.ops.lsf.generate()  # half a second less: the sounds of the file stay where they are
    assert record().first_frame == FIRST_FRAME + 12
    found = next(each for each in record().sounds if each.close == 1.0)
    assert found.start == pytest.approx(1.1, abs=1e-4)
    assert line_sounds.frames_of(record(), list(record().sounds).index(found))[0] == FIRST_FRAME + 26


def jaw_at(frame: int) -> float:
    return float(curve()[frame - FIRST_FRAME])


def test_change_add_remove_and_reset(head):
    before = curve()
    record().active_sound = VOWEL
    bpy.ops.lsf.change_sound(symbol="m")
    assert sound().symbol == "m" and sound().heard == "æ" and curve()[OPEN] < before[OPEN] - 0.2
    bpy.ops.lsf.reset_sound()
    np.testing.assert_allclose(curve(), before, atol=1e-6)
    bpy.ops.lsf.remove_sound()
    assert sound().symbol == "" and curve()[OPEN] < before[OPEN] - 0.1
    bpy.ops.lsf.reset_all_sounds()
    np.testing.assert_allclose(curve(), before, atol=1e-6)
    bpy.context.scene.frame_set(FIRST_FRAME + 55)
    bpy.ops.lsf.add_sound(symbol="ɑ")
    assert symbols() == ["m", "ɑ", "p", "æ", "s", "ɑ"] and record().active_sound == 5
    assert curve()[55] > before[55] + 0.05
    bpy.ops.lsf.remove_sound()
    assert len(record().sounds) == len(HEARD)
    np.testing.assert_allclose(curve(), before, atol=1e-6)


def test_click_selects_the_keys_of_the_sound(head):
    scene = bpy.context.scene
    record().tweaks.density = 1.0
    scene.lsf.sounds.preview = True
    record().active_sound = VOWEL
    first, last = line_sounds.frames_of(record(), VOWEL)
    points = [p for c in compat.fcurves_of(actions.existing(head.data)) for p in c.keyframe_points]
    chosen = {round(p.co.x) for p in points if p.select_control_point}
    assert chosen == set(range(first, last + 1))
    assert scene.use_preview_range and (scene.frame_preview_start, scene.frame_preview_end) == (first - 6, last + 6)


def test_two_heads_have_changes_of_their_own(head):
    sound().close = 1.0
    one = curve(of=head)
    bpy.ops.object.duplicate()
    copy = bpy.context.object
    assert copy.data != head.data
    bpy.context.scene.lsf.head = copy
    assert actions.existing(copy.data) not in (None, actions.existing(head.data))
    assert len(record().sounds) == len(HEARD) and sound().close == 1.0
    sound().close = 0.0
    assert curve(of=copy)[OPEN] > one[OPEN] + 0.1
    np.testing.assert_array_equal(curve(of=head), one)


def test_another_sound_file_drops_what_was_heard_but_not_what_was_changed(head, client, clicks, monkeypatch):
    sound().close = 1.0
    monkeypatch.setattr(fake_client, "heard", lambda *_: ({}, {}))  # this time the model hears no sounds
    bpy.ops.lsf.generate()
    assert len(symbols()) == len(HEARD)
    other = clicks.with_name("other.wav")
    other.write_bytes(clicks.read_bytes())
    strip().sound.filepath = str(other)
    bpy.ops.lsf.generate()
    assert symbols() == ["æ"] and sound(0).close == 1.0


def test_saved_and_opened_again(head, tmp_path):
    sound().close = 0.7
    sound(0).symbol = "b"
    path = str(tmp_path / "file.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert sound().close == pytest.approx(0.7) and symbols()[0] == "b"
    assert lines.sliders(record()).sounds[1].close == pytest.approx(0.7)


def test_values_that_cannot_be_right_count_as_none(head):
    before = curve()
    sound(0)["close"] = 9.0
    sound(0).start = float("nan")
    assert lines.sliders(record()).sounds == () and line_sounds.items(record()) == []
    lines.refresh(*chosen_line(bpy.context))
    np.testing.assert_allclose(curve(), before, atol=1e-6)
    sound(0).start = 0.5
    for name in ("fps", "start"):
        setattr(record(), name, float("nan"))
        assert line_sounds.frames_of(record(), VOWEL) is not None
        assert all(np.isfinite(edit.start) for edit in lines.sliders(record()).sounds)


def test_reasons_of_disabled_buttons(client):
    bpy.ops.lsf.add_head()
    assert "press Generate" in listen.disabled_reason(bpy.context)
    bpy.ops.lsf.generate()
    assert listen.disabled_reason(bpy.context) == ""
    assert change_sound.disabled_reason(bpy.context) == change_sound.NO_SOUNDS
    bpy.ops.lsf.listen()
    assert change_sound.disabled_reason(bpy.context) == change_sound.NO_CHOICE
    record().active_sound = 0
    assert change_sound.disabled_reason(bpy.context) == ""
    assert not bpy.ops.lsf.reset_sound.poll() and not bpy.ops.lsf.reset_all_sounds.poll()
    sound().open = 0.5
    assert not bpy.ops.lsf.reset_sound.poll() and bpy.ops.lsf.reset_all_sounds.poll()
    record().active_sound = VOWEL
    assert bpy.ops.lsf.reset_sound.poll()
    record().active_sound = -1
    assert not bpy.ops.lsf.reset_sound.poll()
    bpy.ops.lsf.reset_all_sounds()
    assert sound().open == 0
