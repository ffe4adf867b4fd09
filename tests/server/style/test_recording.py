"""Recordings are read from the three kinds of files, and what is none is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from server.arkit import CHANNELS
from server.errors import LSFError
from server.style.recording import Recording, load

JAW = CHANNELS.index("jawOpen")


def csv_text(rate: int, rows: int, separator: str = ",") -> str:
    """A Live Link file whose jaw opens evenly."""
    lines = [separator.join(["Timecode", "BlendShapeCount", "JawOpen", "HeadYaw"])]
    for row in range(rows):
        second, frame = divmod(row, rate)
        lines.append(separator.join([f"10:00:{second:02}:{frame:02}.000", "61", f"{row / 100:.3f}", "0.1"]))
    return "\n".join(lines)


@pytest.mark.parametrize(("rate", "separator"), [(30, ","), (60, ";"), (24, ",")])
def test_a_live_link_file(tmp_path, rate, separator):
    path = tmp_path / "take.csv"
    path.write_text(csv_text(rate, 90, separator))
    found = load(path)
    assert found.fps == rate and found.present.sum() == 1
    np.testing.assert_allclose(found.curves[:, JAW], np.arange(90) / 100, atol=1e-6)
    assert load(path, 29.97).fps == 29.97


def test_rows_without_a_face_repeat_the_one_before(tmp_path):
    path = tmp_path / "take.csv"
    path.write_text("Timecode,JawOpen\n1:00:00:00,0.1\n1:00:00:01,\n1:00:00:02,0.3\n")
    np.testing.assert_allclose(load(path).curves[:, JAW], [0.1, 0.1, 0.3], atol=1e-6)


def test_curves_of_this_program(tmp_path):
    fields = {
        "format": "lsf-curves",
        "version": 1,
        "fps": 25,
        "names": ["other", "jawOpen"],
        "values": [[1, 0.1], [1, 2]],
    }
    path = tmp_path / "line.json"
    path.write_text(json.dumps(fields))
    found = load(path)
    assert found.fps == 25 and found.curves[:, JAW].tolist() == pytest.approx([0.1, 1.0])
    motion = np.zeros((30, 52), np.float16)
    motion[:, JAW] = 0.5
    np.savez(tmp_path / "line.npz", motion=motion, fps=30.0)
    assert load(tmp_path / "line.npz").fps == 30 and load(tmp_path / "line.npz").curves[0, JAW] == 0.5


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", b""),
        ("a.csv", b"Timecode,Other\n1,2\n1,2\n"),
        ("a.csv", b"Timecode,JawOpen\n1:0:0:0,x\n"),
        ("a.csv", b"Timecode,JawOpen\n1:0:0:0,0.1\n"),
        ("a.csv", b"\xff\xfe\x00"),
        ("a.json", b"[]"),
        ("a.json", b'{"format": "lsf-curves"}'),
        ("a.json", b'{"format": "lsf-curves", "names": ["jawOpen"], "values": [[1e99], [0]], "fps": 25}'),
        ("a.json", b'{"format": "lsf-curves", "names": ["jawOpen"], "values": [[0], [0]], "fps": NaN}'),
        ("a.npz", b"PK"),
    ],
)
def test_other_files_are_refused(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(LSFError) as refusal:
        load(tmp_path / name)
    assert refusal.value.code == "bad_recording"


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(Path(tmp_path / "none.csv"))


def test_another_rate_and_a_lag():
    values = np.stack([np.arange(120) / 120], 1)
    found = Recording.of(["jawOpen"], values, 60.0)
    curves, valid = found.at_rate(25.0, 60, lag=0.5)
    inside = slice(1, 36)
    np.testing.assert_allclose(curves[inside, JAW], (np.arange(60)[inside] / 25 + 0.5) / 2, atol=0.005)
    assert valid[:37].all() and not valid[38:].any()
    assert not found.moved()[0] and found.moved()[JAW]
