"""Export Manifest and Import Batch Results: what goes out is read by the batch, and what comes back finds its strip."""

import contextlib
import csv
import hashlib
import io
import json
from pathlib import Path

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import actions, style_card_edits
from lsf_blender_addon.animation import expression_bank_edits as bank_edits
from lsf_blender_addon.client.wire import Expression, StyleCard
from lsf_blender_addon.prediction import store
from lsf_blender_addon.scene.own_properties import face_of, lines_of
from server.arkit import CHANNELS
from server.batch import manifest as batch_manifest
from server.performance.emotion.bank import Bank

pytestmark = pytest.mark.skipif(not bpy.app.build_options.audaspace, reason="the bpy 4.2 wheel can make no strips")


@pytest.fixture
def scene(addon, add_strip, wav, tmp_path):
    """Two heads and three strips, two of them of one file outside of the show's folder, the second one trimmed."""
    (tmp_path / "sounds of others").mkdir()
    (tmp_path / "show/audio").mkdir(parents=True)
    long, short = tmp_path / "sounds of others/take.wav", tmp_path / "show/audio/ben.wav"
    for path, level in ((long, 900), (short, 800)):
        wav[0](path, np.full(4 * 8000, level), 8000)
    add_strip(long, "Anna_01", 25)
    add_strip(long, "Anna_02", 200)
    add_strip(short, "Ben: line", 400)
    strip("Anna_02").frame_offset_start = 24
    for name in ("Anna", "Ben"):
        bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
        bpy.context.object.name = name
    bpy.ops.lsf.list_lines()
    return bpy.context.scene


def strip(name: str):
    return next(s for s in compat.all_strips(bpy.context.scene.sequence_editor) if s.name == name)


def export(folder: Path) -> list[dict[str, str]]:
    assert bpy.ops.lsf.export_manifest(filepath=str(folder / "lines.csv")) == {"FINISHED"}
    with (folder / "lines.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def answer(folder: Path, rows: list[dict[str, str]], fps: float = 0) -> Path:
    """The results of a batch for these rows: the jaw opens linearly from 0 to 1 in a line."""
    out = folder / "out"
    (out / "faces").mkdir(parents=True, exist_ok=True)
    for row in rows:
        with np.load(folder / row["character"]) as mesh:
            vertices, faces = mesh["vertices"], mesh["faces"]
        file = io.BytesIO()
        rng = np.random.default_rng(1)
        basis = rng.normal(0, 0.01, (52, len(vertices), 3))
        np.savez(file, channels=np.array(CHANNELS), basis=basis, vertices=vertices, faces=faces,
                 landmarks68=np.arange(68) % len(vertices))  # fmt: skip
        name = hashlib.sha256(file.getvalue()).hexdigest()
        (out / f"faces/{name}.npz").write_bytes(file.getvalue())
        rate = fps or float(row["fps"])
        frames = int((float(row["end"]) - float(row["start"])) * rate + 1e-6) + 1
        motion = np.zeros((frames, 52), np.float16)
        motion[:, CHANNELS.index("jawOpen")] = np.linspace(0, 1, frames)
        target = out / Path(row["sound"]).parent / f"{row['id']}.npz"
        target.parent.mkdir(parents=True, exist_ok=True)
        np.savez(target, version=2, fps=rate, t0=0.0, channels=np.array(CHANNELS), motion=motion, expression=0 * motion,
                 emotions=np.array([], str), emotion=np.zeros((frames, 0), np.float16), face=name,
                 model=json.dumps({"digest": "m" * 64}), inputs="i", sound=Path(row["sound"]).name,
                 start=float(row["start"]))  # fmt: skip
    return out


def jaw(head: str) -> dict[str, np.ndarray]:
    """The jaw of each line of a head."""
    action = actions.existing(bpy.data.objects[head].data)
    kept = {line.name: store.load(action, line.uid) for line in lines_of(action)} if action else {}
    return {name: found.motion[:, found.channels.index("jawOpen")] for name, found in kept.items()}


def test_the_manifest_is_one_that_the_batch_reads(scene, tmp_path):
    rows = export(tmp_path / "show")
    read = batch_manifest.read(tmp_path / "show/lines.csv")
    assert read.faults == [] and len(read.lines) == 3
    assert [(row["voice"], float(row["start"]), float(row["end"])) for row in rows] == [
        ("Anna", 0, 4), ("Anna", 1, 4), ("Ben", 0, 4),
    ]  # fmt: skip
    assert rows[2]["sound"] == "audio/ben.wav" and rows[0]["sound"] == rows[1]["sound"] != "", "one copy of the take"
    assert (tmp_path / "show" / rows[0]["sound"]).read_bytes() == (tmp_path / "sounds of others/take.wav").read_bytes()
    assert rows[0]["character"] == rows[1]["character"] != rows[2]["character"]
    assert len(list((tmp_path / "show/cast").iterdir())) == 2, "each head once"
    assert all(float(row["fps"]) == 24 for row in rows)
    before = {p: p.read_bytes() for p in (tmp_path / "show").rglob("*") if p.is_file()}
    assert export(tmp_path / "show") == rows
    assert {p: p.read_bytes() for p in (tmp_path / "show").rglob("*") if p.is_file()} == before


def test_emotions_become_names_or_keys(scene, tmp_path):
    scene.lsf.emotion.chosen = "happy"
    scene.lsf.emotion.strength = 0.5
    rows = export(tmp_path / "show")
    assert {(row["emotion"], float(row["strength"])) for row in rows} == {("happy", 0.5)}
    scene.lsf.emotion.keyframe_insert("strength", frame=25)
    scene.lsf.emotion.strength = 1.0
    scene.lsf.emotion.keyframe_insert("strength", frame=100)
    keys = json.loads(export(tmp_path / "show")[0]["emotion"])
    assert {name for _, name, _ in keys} == {"happy"}
    assert keys[0] == [0, "happy", pytest.approx(0.5)] and keys[-1][2] == pytest.approx(1.0, abs=0.01)
    assert batch_manifest.read(tmp_path / "show/lines.csv").faults == []


def read_lines(tmp_path) -> list[batch_manifest.Line]:
    read = batch_manifest.read(tmp_path / "show/lines.csv")
    assert read.faults == []
    return read.lines


def test_a_keyed_choice_becomes_keys_that_pass_as_in_the_scene(scene, tmp_path):
    """The choice changes at frames 49 and 73 of a line that begins at 25: 1 and 2 s at 24 fps."""
    anna = bpy.data.objects["Anna"]
    bank_edits.add(anna, Expression("smirk", {"mouthSmileLeft": 0.8}))
    bank_edits.add(anna, Expression("wink", {"eyeBlinkLeft": 1.0}))
    bpy.context.view_layer.objects.active = anna  # the menu lists the bank of the chosen head
    emotion = scene.lsf.emotion
    for frame, chosen in ((25, "happy"), (49, "sad"), (73, "smirk")):
        emotion.chosen = chosen
        emotion.keyframe_insert("chosen", frame=frame)
    emotion.strength, emotion.mix, emotion.passing, emotion.transition = 0.75, 0.5, "circle", 0.3
    emotion.follow_sentence, emotion.follow_words = True, 0.25
    rows = export(tmp_path / "show")
    assert json.loads(rows[0]["emotion"]) == {
        "keys": [[0, "happy", 0.75], [1, "sad", 0.75], [2, "smirk", 0.75], [round(95 / 24, 4), "smirk", 0.75]],
        "follow_sentence": True, "follow_words": 0.25, "transition": 0.3, "passing": "circle",
    }  # fmt: skip
    assert (float(rows[0]["strength"]), float(rows[0]["mix"])) == (1, 0.5)
    assert rows[0]["bank"] == rows[1]["bank"] != "" and rows[2]["bank"] == ""
    anna_1, _, ben = read_lines(tmp_path)
    assert Bank.load(tmp_path / "show" / rows[0]["bank"]).names == ("smirk", "wink")
    assert anna_1.settings.bank.names == ("smirk",), "the others change nothing"
    assert anna_1.settings.following.sentence and anna_1.settings.following.words == 0.25
    assert [name for _, name, _ in ben.emotion.keys] == ["neutral"] * 2 and ben.settings.emotion_mix == 0


def test_a_place_on_the_circle_and_a_slow_change_are_kept(scene, tmp_path):
    emotion = scene.lsf.emotion
    emotion.chosen = "affect"
    for frame, valence in ((25, -0.5), (120, 0.5)):
        emotion.valence, emotion.arousal = valence, 0.25
        emotion.keyframe_insert("valence", frame=frame)
    for frame, strength in ((25, 0.5), (73, 0.53), (120, 0.5)):  # less than SAME_STRENGTH from one key to the next
        emotion.strength = strength
        emotion.keyframe_insert("strength", frame=frame)
    keys = json.loads(export(tmp_path / "show")[0]["emotion"])["keys"]
    assert keys[0] == [0, [-0.5, 0.25], 0.5] and keys[-1][1] == [0.5, 0.25]
    assert max(strength for _, _, strength in keys) == pytest.approx(0.53, abs=0.006)
    read_lines(tmp_path)


def test_what_follows_the_words_of_a_line_without_a_choice(scene, tmp_path):
    scene.lsf.emotion.follow_words = 0.5
    scene.lsf.emotion.strength = 0.5
    export(tmp_path / "show")
    line = read_lines(tmp_path)[0]
    assert line.settings.following.words == 0.5 and line.settings.emotion_mix == 0
    direction = line.emotion.direction(1.0, 0.0, line.settings.bank, 24, 96)
    assert direction is not None
    np.testing.assert_allclose(direction.strength, 0.5)
    assert not direction.mix.any(), "all of it is what is heard"


def test_cards_transcripts_and_sounds_go_along(scene, tmp_path):
    anna = bpy.data.objects["Anna"]
    for name, amount, value in (("calm + slow", 0.7, 0.2), ("calm", 1.2, 0.3)):
        style_card_edits.add(anna, StyleCard.from_fields({"format": "lsf-style", "version": 1, "name": name,
                                                          "numbers": {"rest": {"smile": value}}}))  # fmt: skip
        face_of(anna).styles[-1].amount = amount
    bpy.ops.lsf.import_batch_results(directory=str(answer(tmp_path / "show", export(tmp_path / "show"))))
    line = next(line for line in lines_of(actions.existing(anna.data)) if line.name == "Anna_01")
    line.transcript = 'Well, "yes"; no'
    rows = export(tmp_path / "show")
    assert [(row["transcript"], row["sounds"]) for row in rows] == [('Well, "yes"; no', "yes"), ("", ""), ("", "")]
    first, second, ben = read_lines(tmp_path)
    assert [(card.name, amount) for card, amount in first.settings.styles] == [("calm + slow", 0.7), ("calm", 1.2)]
    assert second.settings.styles == first.settings.styles and ben.settings.styles == ()
    assert (first.settings.sounds, first.settings.transcript) == (True, 'Well, "yes"; no')
    assert not second.settings.sounds


def test_sounds_of_results_come_back_at_their_times(scene, tmp_path, addon):
    """The second strip plays the sound from 1 s on; its result is one of the whole sound."""
    rows = export(tmp_path / "show")
    rows[1] |= {"start": "0"}
    out = answer(tmp_path / "show", rows[:2])
    for path in out.rglob("Anna_0*.npz"):
        with np.load(path) as file:
            arrays = dict(file)
        arrays |= {"sounds": np.array(["m", "\u0259"]), "sound_times": np.array([[1.5, 1.7], [1.7, 2.0]], np.float32),
                   "sound_confidence": np.array([0.5, 1], np.float32), "words": np.array(["muh"]),
                   "word_times": np.array([[1.5, 2.0]], np.float32), "transcript": "Muh"}  # fmt: skip
        arrays["transcript_note"] = np.array("")
        np.savez(path, **arrays)
    bpy.ops.lsf.import_batch_results(directory=str(out))
    for line in lines_of(actions.existing(bpy.data.objects["Anna"].data)):
        assert [(s.symbol, round(s.start, 3), round(s.end, 3)) for s in line.sounds] == [
            ("m", 1.5, 1.7), ("\u0259", 1.7, 2.0),
        ]  # fmt: skip
        assert [(word.name, round(word.start, 3)) for word in line.words] == [("muh", 1.5)] and line.pinned == "Muh"


def test_sounds_that_cannot_be_are_told(scene, tmp_path, addon):
    out = answer(tmp_path / "show", export(tmp_path / "show")[:1])
    path = next(out.rglob("Anna_01*.npz"))
    with np.load(path) as file:
        arrays = dict(file)
    heard = {"sounds": np.array(["m"]), "sound_confidence": np.ones(1), "words": np.array([], str),
             "word_times": np.zeros((0, 2)), "transcript": "", "transcript_note": ""}  # fmt: skip
    for times in (np.full((1, 2), np.nan), np.zeros((3, 2)), None):
        np.savez(path, **arrays, **heard, **({} if times is None else {"sound_times": times}))
        with contextlib.suppress(RuntimeError):
            bpy.ops.lsf.import_batch_results(directory=str(out))
        assert "damaged" in dict(addon.session.failures)["Anna_01"] and jaw("Anna") == {}


def test_results_come_back_to_their_strips(scene, tmp_path, addon):
    out = answer(tmp_path / "show", export(tmp_path / "show"))
    strip("Anna_01").name = "Anna_99"
    strip("Anna_02").name = "Anna_01"  # the name that another one had
    strip("Anna_99").frame_start += 3
    assert bpy.ops.lsf.import_batch_results(directory=str(out)) == {"FINISHED"}
    assert addon.session.message.startswith("3 of 3 lines written") and addon.session.failures == []
    assert {name: len(values) for name, values in jaw("Anna").items()} == {"Anna_99": 96, "Anna_01": 72}
    np.testing.assert_allclose(jaw("Anna")["Anna_99"], np.arange(96) / 96, atol=2e-3)
    assert list(jaw("Ben")) == ["Ben: line"]
    first = {line.name: line.first_frame for line in lines_of(actions.existing(bpy.data.objects["Anna"].data))}
    assert first == {"Anna_99": 28, "Anna_01": 224}


def test_another_rate_is_converted_and_what_does_not_fit_is_told(scene, tmp_path, addon):
    rows = export(tmp_path / "show")
    out = answer(tmp_path / "show", [rows[0], rows[2]], fps=60)
    (out / "stranger.npz").write_bytes(next(out.rglob("Anna_01*")).read_bytes())
    next(out.rglob("Ben*")).write_bytes(b"damaged")
    strip("Anna_01").name = "Anna_07"
    assert bpy.ops.lsf.import_batch_results(directory=str(out)) == {"FINISHED"}
    np.testing.assert_allclose(jaw("Anna")["Anna_07"], np.arange(96) / 24 * 60 / 240, atol=2e-3)
    failures = dict(addon.session.failures)
    assert failures.keys() == {"Anna_02", "Ben: line", "stranger.npz"} and "4 left out" not in addon.session.message
    assert "no result for this strip" in failures["Anna_02"] and "damaged" in failures["Ben: line"]
    assert "3 left out" in addon.session.message and jaw("Ben") == {}


def test_strips_and_heads_that_have_changed_are_told(scene, tmp_path, addon):
    out = answer(tmp_path / "show", export(tmp_path / "show"))
    strip("Anna_02").frame_offset_start = 0  # more of the sound than the batch was given
    bpy.data.objects["Ben"].data.vertices[3].co.x += 0.2
    bpy.ops.lsf.import_batch_results(directory=str(out))
    failures = dict(addon.session.failures)
    assert failures.keys() == {"Anna_02", "Ben: line"}
    assert "only 76 % of what the strip plays" in failures["Anna_02"] and "another mesh" in failures["Ben: line"]
    assert list(jaw("Anna")) == ["Anna_01"]


def test_without_anything_that_fits_it_says_why(scene, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(RuntimeError, match="no results of a batch"):
        bpy.ops.lsf.import_batch_results(directory=str(tmp_path / "empty"))
    for row in scene.lsf.batch.lines:
        row.head = None
    with pytest.raises(RuntimeError, match="No head speaks it"):
        bpy.ops.lsf.export_manifest(filepath=str(tmp_path / "show/lines.csv"))
    assert not (tmp_path / "show/lines.csv").exists()
