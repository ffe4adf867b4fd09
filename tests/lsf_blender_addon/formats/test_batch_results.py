"""Results of a batch as files: names, frames, and damage."""

import hashlib
import io
import json

import numpy as np
import pytest

from lsf_blender_addon.errors import UserError
from lsf_blender_addon.formats import batch_results
from lsf_blender_addon.formats.batch_results import name_of


def line_file(path, **changes):
    """A line of 11 frames at 10 fps that starts at second 2 of its sound; its channel goes from 0 to 1."""
    ramp = np.linspace(0, 1, 11, dtype=np.float16)[:, None]
    arrays = {"version": 2, "fps": 10.0, "t0": 0.0, "channels": np.array(["jawOpen"]), "motion": ramp,
              "expression": 0 * ramp, "emotions": np.array([], str), "emotion": np.zeros((11, 0), np.float16),
              "face": "f" * 64, "model": json.dumps({"digest": "m"}), "inputs": "i", "sound": "a.wav",
              "start": 2.0}  # fmt: skip
    path.parent.mkdir(exist_ok=True, parents=True)
    np.savez_compressed(path, **arrays | changes)
    return path


def test_frames_of_another_rate_and_part(tmp_path):
    line = batch_results.read_line(line_file(tmp_path / "a.npz"))
    assert (line.sound, line.model, line.start) == ("a.wav", "m", 2.0)
    np.testing.assert_allclose(line.at(2.0, 10, 11)[0][:, 0], np.linspace(0, 1, 11), atol=1e-3)
    np.testing.assert_allclose(line.at(2.0, 20, 5)[0][:, 0], [0, 0.05, 0.1, 0.15, 0.2], atol=1e-3)
    np.testing.assert_allclose(line.at(2.5, 10, 3)[0][:, 0], [0.5, 0.6, 0.7], atol=1e-3)
    with pytest.raises(UserError, match="only 50 %"):
        line.at(2.5, 10, 12)
    early = batch_results.read_line(line_file(tmp_path / "a.npz", start=0.0))
    np.testing.assert_allclose(early.at(-1.0, 10, 13)[0][:, 0], [0] * 10 + [0, 0.1, 0.2], atol=1e-3)


def test_results_find_their_strips():
    strips = [("Anna: 1", "id1", "a"), ("Anna: 1", "id2", "b"), ("Ben", "id3", "c"), ("Eva", "id4", "same"),
              ("Eve", "id5", "same")]  # fmt: skip
    assert name_of("Anna: 1", "id1") != name_of("Anna: 1", "id2") and name_of("Anna: 1", "id1").startswith("Anna_ 1~")
    found, doubtful, unused = batch_results.matches([name_of("Anna: 1", "id2"), name_of("Old name", "id1")], strips)
    assert (found, doubtful, unused) == ({1: 0, 0: 1}, {}, []), "two strips of one name, and one that was renamed"
    assert batch_results.matches(["Ben", "b", "Anna_ 1", "same", "zed"], strips) == ({2: 0, 1: 1}, {}, [2, 3, 4])
    found, doubtful, unused = batch_results.matches(["Ben", "Ben"], strips)
    assert (found, unused) == ({}, []) and "2 results" in doubtful[2]
    assert batch_results.matches(["Ben", name_of("Ben", "id3")], strips) == ({2: 1}, {}, [0]), "the tag decides"


@pytest.mark.parametrize(
    ("name", "sound", "strip_sound", "is_another"),
    [
        (name_of("Line", "id1"), "other.wav", "/show/ann.wav", False),  # its own tag
        (name_of("Line", "id2"), "ann.wav", "/show/ann.wav", False),  # listed after the manifest was written
        (name_of("Line", "id2"), "ann_ 1-0a1b2c3d.wav", "/takes/ann? 1.wav", False),  # a copy beside the manifest
        (name_of("Line", "id2"), "ben.wav", "/show/ann.wav", True),
        ("Line", "ben.wav", "/show/ann.wav", False),  # of a manifest that names no strips
    ],
)
def test_results_of_other_strips_of_one_name(name, sound, strip_sound, is_another):
    assert batch_results.is_of_another_strip(name, sound, "id1", strip_sound) == is_another


def test_files_are_found_without_faces_and_what_is_unfinished(tmp_path):
    for name in ("b.npz", "act1/a.npz", "faces/x.npz", ".partial/y.npz"):
        line_file(tmp_path / name)
    assert [path.name for path in batch_results.files(tmp_path)] == ["a.npz", "b.npz"]
    with pytest.raises(UserError, match="no results"):
        batch_results.files(tmp_path / "faces/none")


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 1}, {"fps": np.nan}, {"fps": 0}, {"motion": np.full((11, 1), np.inf)}, {"motion": np.zeros(11)},
        {"channels": np.array(["a", "b"])}, {"face": "../../x"}, {"model": "{"}, {"model": "[]"}, {"start": 1e9},
        {"emotion": np.zeros((3, 0))}, {"motion": np.zeros((0, 1))}, {"motion": np.array(["x"] * 11)[:, None]},
        {"channels": np.array([{}], object)},
    ],
)  # fmt: skip
def test_damaged_lines_are_refused(tmp_path, changes):
    with pytest.raises(UserError, match="run the batch again"):
        batch_results.read_line(line_file(tmp_path / "a.npz", **changes))


def test_bytes_that_are_no_line_are_refused(tmp_path):
    whole = line_file(tmp_path / "a.npz").read_bytes()
    for data in (b"", whole[:-40], whole[:200] + bytes(100) + whole[300:], b"PK\3\4" + bytes(100)):
        (tmp_path / "a.npz").write_bytes(data)
        with pytest.raises(UserError, match="run the batch again"):
            batch_results.read_line(tmp_path / "a.npz")


def test_a_face_is_what_its_name_says(tmp_path):
    file = io.BytesIO()
    np.savez(file, channels=np.array(["a"]), basis=np.ones((1, 4, 3)), vertices=np.ones((4, 3)),
             landmarks68=np.zeros(68, int))  # fmt: skip
    name = hashlib.sha256(file.getvalue()).hexdigest()
    (tmp_path / "faces").mkdir()
    (tmp_path / f"faces/{name}.npz").write_bytes(file.getvalue())
    assert batch_results.read_face(tmp_path, name).basis.shape == (1, 4, 3)
    (tmp_path / f"faces/{name}.npz").write_bytes(file.getvalue()[:-1])
    with pytest.raises(UserError, match="missing or damaged"):
        batch_results.read_face(tmp_path, name)
    with pytest.raises(UserError, match="missing or damaged"):
        batch_results.read_face(tmp_path, "0" * 64)
