"""Manifests of all kinds: what they say, and every fault with the number of its line."""

import csv
import json
import os
import sys

import pytest

from server.batch import manifest
from server.batch.manifest import COLUMNS, Line
from server.performance.emotion.bank import Bank


def read(tmp_path, content: str | bytes, name: str = "m.csv") -> manifest.Manifest:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return manifest.read(tmp_path / name)


def outputs(lines: list[Line]) -> list[str]:
    return [line.output for line in lines]


def test_every_column_in_both_forms_says_the_same(tmp_path):
    row = {
        "sound": "act 1/Frühling, leise.wav", "id": "VO_12", "start": 0.5, "end": 2, "character": "faces/ann.obj",
        "emotion": "happy", "strength": 0.8, "mix": 0.25, "take": 7, "temperature": 0.5, "fps": 29.97, "format": "json",
        "voice": "ann", "style": "", "bank": "", "transcript": "Good day", "language": "en",
        "sounds": "yes",
    }  # fmt: skip
    assert tuple(row) == COLUMNS
    with (tmp_path / "m.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([row.keys(), row.values()])
    read_csv = manifest.read(tmp_path / "m.csv")
    read_json = read(tmp_path, json.dumps(row), "m.jsonl")
    assert not read_csv.faults and not read_json.faults
    (one,), (two,) = read_csv.lines, read_json.lines
    assert (one.number, two.number) == (2, 1)
    for line in (one, two):
        assert line.sound == "act 1/Frühling, leise.wav" and line.output == "act 1/VO_12.json"
        assert (line.start, line.end, line.duration, line.character, line.voice) == (
            0.5,
            2,
            1.5,
            "faces/ann.obj",
            "ann",
        )
        assert (line.settings.emotion, line.settings.emotion_strength, line.settings.emotion_mix) == (
            "happy",
            0.8,
            0.25,
        )
        assert (line.settings.seed, line.settings.temperature, line.settings.fps) == (7, 0.5, 29.97)
        assert (line.settings.sounds, line.settings.transcript, line.settings.language) == (True, "Good day", "en")


def test_empty_cells_are_the_defaults(tmp_path):
    row = read(tmp_path, "sound,start,end,emotion,mix,fps,format,take\na.wav,,,,,,,\n").lines[0]
    assert (row.start, row.end, row.settings, row.format) == (0, None, manifest.Settings(), "npz")


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffsound,start\na.wav,1.5\n".encode(),
        b"sound;start\r\na.wav;1,5\r\n",
        b"Sound\tStart\n a.wav \t 1.5 \n\n",
        b'"sound","start"\n"a.wav","1,5"',
        b"sound,start\na.wav,1.5,\n,,\n",
    ],
    ids=["byte order mark", "semicolons", "tabs", "quotes", "empty cells at the end"],
)
def test_spreadsheets_write_csv_in_many_ways(tmp_path, content):
    found = read(tmp_path, content)
    assert found.faults == [] and [(line.sound, line.start) for line in found.lines] == [("a.wav", 1.5)]


def test_lines_have_results_of_their_own_in_the_folders_of_their_sounds(tmp_path):
    rows = (
        "sound,start,end,id,format\na/x.wav\nb/x.wav\na/x.wav,,,,json\na/x.wav,0,1\na/x.wav,1\na/x.wav,1,2,z\nc\\y.wav"
    )
    found = read(tmp_path, rows)
    assert not found.faults and outputs(found.lines) == [
        "a/x.npz", "b/x.npz", "a/x.json", "a/x_0.000-1.000.npz", "a/x_1.000-end.npz", "a/z.npz", "c/y.npz",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("", "no lines"),
        (",1", "Line 2 has no sound"),
        ("../a.wav", "Line 2 has the sound"),
        ("b/../../a.wav", 'without ".."'),
        ("..\\a.wav", 'without ".."'),
        ("/etc/a.wav", "without a drive"),
        ("C:a.wav", "without a drive"),
        ("\\\\host\\share\\a.wav", "without a drive"),
        ("a\0.wav", "Line 2 has letters"),
        ("a.wav,2,1", "0 ≤ start < end"),
        ("a.wav,1,1", "0 ≤ start < end"),
        ("a.wav,-1", "0 ≤ start < end"),
        ("a.wav,nan", '"nan" as start'),
        ("a.wav,inf", '"inf" as start'),
        ("a.wav,1:30", "not a number"),
        ("a.wav,,,,hapy", "text encoder"),
        ("a.wav,,,,,1.5", "between 0 and 1"),
        ("a.wav,,,,,,.5", "whole numbers"),
        ("a.wav,,,,,,-1", "seed"),
        ("a.wav,,,,,,1e30", "seed"),
        ("a.wav,,,,,,,900", "frame rate"),
        ("a.wav,,,,,,,,fbx", '"fbx"'),
        ("a.wav,,,a/b", 'the id "a/b"'),
        ("a.wav,,,..", 'the id ".."'),
        ("a.wav,,,con:", "cannot be the name"),
        ("a.wav,,,AUX", "cannot be the name"),
        ("a.wav,,,nul.take", "cannot be the name"),
        ("a.wav,,," + "x" * 151, "cannot be the name"),
        (f"faces/{'0' * 64}.wav", "where a face is"),
        ("a.wav,,,,,,,,,too many", "more cells"),
        ('"a.wav', "not .csv"),
    ],
)
def test_a_fault_is_told_with_its_line(tmp_path, row, words):
    found = read(tmp_path, f"sound,start,end,id,emotion,strength,take,fps,format\n{row}\n")
    assert len(found.faults) == 1 and words in found.faults[0]
    assert not row or "Line 2" in found.faults[0]


def test_all_faults_are_told_at_once(tmp_path):
    found = read(tmp_path, 'sound,start,fps\na.wav,x,y\nb.wav,1,\n"c\n.wav",,\nd.wav,-1,\n')
    assert [fault[:7] for fault in found.faults] == ["Line 2 ", "Line 2 ", "Line 4 ", "Line 6 "]


@pytest.mark.parametrize("second", ["a.wav", "A.wav", "a.flac", "./a.wav", "./b/../a.wav"])
def test_two_lines_with_the_same_result(tmp_path, second):
    found = read(tmp_path, f"sound\na.wav\n{second}\n")
    assert len(found.faults) == 1 and found.faults[0].startswith("Line 3")


def test_names_that_differ_in_their_accents_alone_are_one_file_on_a_mac(tmp_path):
    found = read(tmp_path, "sound\n\u00e9.wav\ne\u0301.wav\n")
    assert "the same result as line 2" in found.faults[0]


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("sound,mood", 'no column "mood"'),
        ("sound,style_card", 'no column "style_card"'),
        ("sound,sound", "twice"),
        ("start,end", 'no column "sound"'),
    ],
)
def test_columns_that_cannot_be_used(tmp_path, head, words):
    found = read(tmp_path, f"{head}\na.wav,1\n")
    assert len(found.faults) == 1 and words in found.faults[0]
    found = read(tmp_path, json.dumps(dict.fromkeys(head.split(","))), "m.jsonl")
    assert head == "sound,sound" or words in found.faults[0]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("{", "not JSON"),
        ("[1]", "must be an object"),
        ("[" * 100000, "not JSON"),
        ('{"sound": 1.5}', 'no text as "sound"'),
        ('{"sound": "\\ud800.wav"}', "letters"),
        ('{"sound": "a.wav", "start": true}', "not a number"),
        ('{"sound": "a.wav", "start": NaN}', "not a number"),
        ('{"sound": "a.wav", "start": [1]}', "not a number"),
        ('{"sound": "a.wav", "fps": ' + "9" * 400 + "}", "not a number"),
        ('{"sound": "a.wav", "emotion": [[0, "glad", 1]]}', "keys are"),
    ],
)
def test_json_that_cannot_be_used(tmp_path, row, words):
    found = read(tmp_path, f'{{"sound": "ok.wav"}}\n\n{row}\n', "m.jsonl")
    assert len(found.faults) == 1 and words in found.faults[0] and "Line 3" in found.faults[0]
    assert outputs(found.lines) == ["ok.npz"]


def test_files_that_are_no_manifest(tmp_path):
    for name, content, words in (
        ("m.txt", b"sound\na.wav", "must be a .csv"),
        ("m.csv", "sound\nä.wav".encode("latin-1"), "UTF-8"),
        ("m.csv", b"\x00\xff\xfe" * 50, "UTF-8"),
        ("m.csv", b"", "There is no column"),
        ("m.csv", b"sound\n" + b'"' + b"x" * 200000 + b'"', "not .csv"),
    ):
        assert words in read(tmp_path, content, name).faults[0], words
    assert "cannot be read" in manifest.read(tmp_path / "none.csv").faults[0]


SMIRK = {"name": "Smirk", "weights": {"mouthSmileLeft": 1.0}}
SNARL = {"name": "Snarl", "weights": {"noseSneerRight": 0.5}}


def bank_file(tmp_path, name, *expressions) -> None:
    content = {"format": "lsf-expressions", "version": 1, "expressions": expressions}
    (tmp_path / name).write_text(json.dumps(content), "utf-8")


def test_lines_show_the_expressions_of_their_banks(tmp_path):
    bank_file(tmp_path, "ann.json", SMIRK, SNARL)
    bank_file(tmp_path, "all.json", SNARL)
    keys = '"[[0, ""Smirk"", 1], [2, ""sad"", 1]]"'
    rows = ("sound,id,emotion,bank", "a.wav,1,smirk,ann.json", f"a.wav,2,{keys},ann.json", "a.wav,3,Snarl,")
    (tmp_path / "m.csv").write_text("\n".join((*rows, "a.wav,4,sad,ann.json")), "utf-8")
    found = manifest.read(tmp_path / "m.csv", Bank.load(tmp_path / "all.json"))
    assert not found.faults
    settings = [line.settings for line in found.lines]
    assert [s.emotion for s in settings] == ["Smirk", None, "Snarl", "sad"]
    assert [s.bank.names for s in settings] == [("Smirk",), ("Smirk",), ("Snarl",), ()], "a change of others is none"
    assert tmp_path / "ann.json" in found.inputs


@pytest.mark.parametrize(
    ("bank", "emotion", "words"),
    [
        ("none.json", "Smirk", "there is no file"),
        ("bad.json", "Smirk", "is not JSON"),
        ("ann.json", "Xyzzy", '"Xyzzy" is none of'),
        ("ann.json", '"[[0, ""Grin"", 1]]"', "keys are"),
    ],
)
def test_banks_that_cannot_be_used(tmp_path, bank, emotion, words, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    bank_file(tmp_path, "ann.json", SMIRK)
    (tmp_path / "bad.json").write_text("{", "utf-8")
    (fault,) = read(tmp_path, f"sound,emotion,bank\na.wav,{emotion},{bank}\n").faults[:1]
    assert words in fault and fault.startswith("Line 2 ")


def test_sounds_are_wanted_with_a_transcript_or_when_the_column_says_so(tmp_path):
    (tmp_path / "said.txt").write_text("Guten Tag.\n", "utf-8")
    rows = [
        {"transcript": "Good  day,\nyou"},
        {"transcript": "said.txt", "language": "de"},
        {"transcript": "Good day", "sounds": "no"},
        {"sounds": True},
        {"transcript": "Good day", "format": "live_link"},
        {"language": "de"},
    ]
    lines = [json.dumps({"sound": f"{i}.wav", **row}) for i, row in enumerate(rows)]
    found = read(tmp_path, "\n".join(lines), "m.jsonl")
    assert found.faults == []
    settings = [(s.sounds, s.transcript, s.language) for s in (line.settings for line in found.lines)]
    none = (False, "", "")
    wanted = [(True, "Good day, you", ""), (True, "Guten Tag.\n", "de"), none, (True, "", ""), none, none]
    assert settings == wanted, "a transcript changes no curve, and without sounds it changes no digest"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("missing.txt,,,", "Line 2 has a transcript that cannot be used"),
        (",,perhaps,", 'Line 2 has "perhaps" as sounds: write yes or no'),
        (",,yes,live_link", "has no place for them"),
        ("Hello,not a code!,,", "A language is a code"),
    ],
)
def test_faults_of_what_is_said(tmp_path, row, words):
    faults = read(tmp_path, f"sound,transcript,language,sounds,format\na.wav,{row}\n").faults
    assert len(faults) == 1 and words in faults[0]


def test_the_digests_of_what_the_manifest_names_tell_one_meaning_from_another(tmp_path):
    bank_file(tmp_path, "ann.json", SMIRK)
    (tmp_path / "card.json").write_text('{"format": "lsf-style", "version": 1}', "utf-8")
    (tmp_path / "keys.json").write_text('[[0, "sad", 1]]', "utf-8")
    (tmp_path / "said.txt").write_text("Good day", "utf-8")
    content = "sound,emotion,bank,style,transcript\na.wav,smirk,ann.json,card.json,said.txt\nb.wav,keys.json,,,\n"
    found = read(tmp_path, content)
    assert {path.name for path in found.digests} == {"ann.json", "card.json", "keys.json", "said.txt"}
    assert {path.name for path in found.inputs} == {"m.csv", "ann.json", "card.json", "keys.json"}, "never overwritten"
    assert read(tmp_path, content).meaning == found.meaning
    (tmp_path / "said.txt").write_text("Good night", "utf-8")
    changed = read(tmp_path, content)
    assert changed.meaning != found.meaning and changed.lines[0].settings.transcript == "Good night"


def test_how_keys_follow_the_sentence_is_found_once_for_all_lines_that_share_them(tmp_path):
    keys = {"keys": [[0, "sad", 1], [2, "happy", 1]], "transition": 0.5, "follow_sentence": True}
    (tmp_path / "keys.json").write_text(json.dumps(keys), "utf-8")
    manifest.following.cache_clear()
    found = read(tmp_path, "sound,emotion\n" + "".join(f"{i}.wav,keys.json\n" for i in range(50)))
    assert manifest.following.cache_info().misses == 1 and len(found.lines) == 50
    assert all(len(line.settings.following.changes) == 1 for line in found.lines)


def test_numbers_have_one_spelling_whoever_wrote_them_first(tmp_path):
    for name, value in (("whole.json", 1), ("point.json", 1.0)):
        bank_file(tmp_path, name, {"name": "Smirk", "weights": {"mouthSmileLeft": value}})
    rows = ("a.wav,1,0,smirk,whole.json", "a.wav,2,-0.0,smirk,point.json")
    spelled = set()
    for chosen in (rows, rows[::-1], rows[:1], rows[1:]):
        found = read(tmp_path, "\n".join(("sound,id,strength,emotion,bank", *chosen)))
        spelled |= {repr(line.settings) for line in found.lines}
        manifest.settings.cache_clear()
    assert len(spelled) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="files of POSIX")
def test_what_is_named_and_is_no_file_is_a_fault_and_never_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    os.mkfifo(tmp_path / "pipe.txt")
    for row in (",pipe.json,,", "pipe.json,,,", ",,pipe.json,", ",,,pipe.txt"):
        found = read(tmp_path, f"sound,emotion,bank,style,transcript\na.wav,{row}\n")
        assert len(found.faults) == 1 and "no file" in found.faults[0]
