"""Files of sounds."""

import json
import re

import numpy as np
import pytest

from server.errors import LSFError
from server.sounds import formats
from server.sounds.hearing import Sounds

SOUNDS = Sounds(
    ("m", "tʃ"),
    np.array([[0.1, 0.2], [0.2, 0.355]], np.float32),
    np.array([0.5, 1.0], np.float32),
    ('m"ch',),
    np.array([[0.1, 0.355]], np.float32),
    "A note.",
)
NOTHING = Sounds((), np.zeros((0, 2), np.float32), np.zeros(0, np.float32))


def test_json():
    data = json.loads(formats.as_json(SOUNDS, 0.5))
    assert (data["format"], data["version"], data["seconds"], data["note"]) == ("lsf-heard", 1, 0.5, "A note.")
    assert data["sounds"][1] == {
        "ipa": "tʃ", "arpabet": "CH", "viseme": "CH", "start": 0.2, "end": 0.355, "confidence": 1.0,
    }  # fmt: skip
    assert data["words"] == [{"word": 'm"ch', "start": 0.1, "end": 0.355}]


def test_textgrid_covers_the_sound_without_gaps():
    text = formats.as_textgrid(SOUNDS, 0.5)
    assert text.startswith('File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 0.500\n')
    phones = text.split('name = "phones"')[1]
    found = re.findall(r'xmin = ([\d.]+)\s+xmax = ([\d.]+)\s+text = "([^"]*)"', phones)
    assert [f[2] for f in found] == ["", "m", "tʃ", ""] and [float(f[0]) for f in found] == [0, 0.1, 0.2, 0.355]
    assert 'text = "m""ch"' in text and 'name = "words"' not in formats.as_textgrid(NOTHING, 0.5)


def test_lab():
    assert formats.as_lab(SOUNDS, 0.5) == ("0.000\t0.100\tsil\n0.100\t0.200\tm\n0.200\t0.355\ttʃ\n0.355\t0.500\tsil\n")
    assert formats.as_lab(NOTHING, 0.25) == "0.000\t0.250\tsil\n"


def test_the_suffix_chooses_the_format(tmp_path):
    for name, start in (("a.json", "{"), ("b.TextGrid", "File"), ("c.lab", "0.000")):
        formats.write(tmp_path / "new" / name, SOUNDS, 0.5)
        assert (tmp_path / "new" / name).read_text("utf-8").startswith(start)
    with pytest.raises(LSFError, match=r'not as "d\.csv"'):
        formats.write(tmp_path / "d.csv", SOUNDS, 0.5)


def test_a_transcript_is_a_text_or_a_file(tmp_path):
    (tmp_path / "t.txt").write_text("\ufeffGrüß Gott", "utf-8")
    assert formats.transcript_of("Hello.") == "Hello."
    assert formats.transcript_of(str(tmp_path / "t.txt")) == "Grüß Gott"
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\xfa")
    (tmp_path / "long.txt").write_bytes(b"a" * (formats.MAX_TEXT + 1))
    for name in ("bad.txt", "long.txt", "missing.txt"):
        with pytest.raises(LSFError, match=name):
            formats.transcript_of(str(tmp_path / name))
