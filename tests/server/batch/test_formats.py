"""The bytes of results: what other programs read, and how exact it is."""

import io
import json
from types import SimpleNamespace

import numpy as np
import pytest

from lsf_blender_addon.formats import live_link
from server.arkit import CHANNELS
from server.batch import formats
from server.engine import default_head
from server.sounds.hearing import Sounds


@pytest.fixture(scope="module")
def result():
    """Random curves of 4 s; only what is written."""
    mesh, face = default_head()
    rng = np.random.default_rng(0)
    motion = rng.random((101, 52), dtype=np.float32)
    return SimpleNamespace(
        channels=CHANNELS, fps=25.0, t0=0.0, motion=motion, expression=motion / 3, emotion=rng.random((101, 8)),
        face=face, mesh=mesh, model_digest="abc", whole=False, sounds=None,
    )  # fmt: skip


def load(data: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        return dict(file)


def test_half_precision_is_invisible(result):
    """The greatest error of a value, and how far the farthest vertex goes astray if all values err to the same side."""
    z = load(formats.npz(result, formats.Origin("f" * 64, "i" * 64, "a.wav", 1.5)))
    assert z["motion"].dtype == np.float16 and str(z["face"]) == "f" * 64 and tuple(z["channels"]) == CHANNELS
    assert (str(z["sound"]), float(z["start"])) == ("a.wav", 1.5)
    error = np.abs(z["motion"].astype(float) - result.motion)
    assert error.max() < 2**-12 + 1e-9
    moved = np.einsum("fk,kvc->fvc", (z["motion"] - result.motion)[::20], result.face.basis)
    assert np.linalg.norm(moved, axis=-1).max() < 2e-5, "metres"


def test_a_face_is_written_once_with_all_that_its_lines_need(result):
    z = load(formats.face(result))
    np.testing.assert_array_equal(z["basis"], result.face.basis)
    np.testing.assert_array_equal(z["vertices"], result.mesh.vertices)
    np.testing.assert_array_equal(z["faces"], result.mesh.faces)
    assert tuple(z["channels"]) == CHANNELS and z["landmarks68"].shape == (68,)


@pytest.mark.parametrize("encode", [*formats.ENCODERS.values(), lambda result, *_names: formats.face(result)])
def test_the_bytes_do_not_tell_the_time(result, encode, monkeypatch):
    before = encode(result, formats.Origin("f", "i"))
    monkeypatch.setattr("time.time", lambda: 1e9)
    monkeypatch.setattr("time.localtime", lambda *_: (1999, 1, 1, 0, 0, 0, 0, 0, 0))
    assert encode(result, formats.Origin("f", "i")) == before


def test_json_has_the_fields_of_the_add_on(result):
    data = json.loads(formats.curves_json(result, formats.Origin("f" * 64, "i" * 64, "a.wav", 1.5)))
    assert (data["format"], data["version"], data["fps"], data["first_frame"]) == ("lsf-curves", 1, 25, 0)
    assert tuple(data["names"]) == CHANNELS and (data["face"], data["model"]) == ("f" * 64, "abc")
    np.testing.assert_allclose(data["values"], result.motion, atol=0.51e-4)


@pytest.mark.parametrize("fps", [25.0, 29.97, 60.0])
def test_the_add_on_reads_live_link_files(result, tmp_path, fps):
    result = SimpleNamespace(**{**vars(result), "fps": fps})
    path = tmp_path / "line.csv"
    path.write_bytes(formats.live_link(result, formats.Origin("", "")))
    recording = live_link.read(path, round(fps))
    assert tuple(recording.shapes.names) == live_link.CHANNELS
    order = [CHANNELS.index(name) for name in live_link.CHANNELS]
    np.testing.assert_allclose(recording.shapes.values, result.motion[:, order], atol=0.51e-4)
    np.testing.assert_allclose(recording.shapes.seconds, np.arange(101) / fps, atol=1e-3)
    assert (recording.angles.values == 0).all() and tuple(recording.angles.names) == live_link.ANGLES


def test_it_is_the_layout_that_the_add_on_writes(result, tmp_path):
    curves = live_link.Curves(list(CHANNELS), np.arange(101) / 25, result.motion)
    live_link.write(tmp_path / "addon.csv", curves, 25.0)
    ours = formats.live_link(result, formats.Origin("", "")).decode().splitlines()
    theirs = (tmp_path / "addon.csv").read_text("utf-8").splitlines()
    assert ours[0] == theirs[0] and len(ours) == len(theirs)
    assert [row.split(",")[:2] for row in ours] == [row.split(",")[:2] for row in theirs]


def test_a_channel_that_arkit_lacks_has_no_column(result):
    few = SimpleNamespace(**{**vars(result), "channels": ("jawOpen", "own"), "motion": result.motion[:, :2]})
    rows = [row.split(",") for row in formats.live_link(few, formats.Origin("", "")).decode().splitlines()]
    filled = {name for name, value in zip(rows[0][2:], rows[1][2:], strict=True) if float(value)}
    assert filled == {"JawOpen"}


def test_sounds_are_in_npz_and_json_where_they_are_wanted(result):
    heard = Sounds(
        ("h", "a\u026a"), np.array([[0.1, 0.2], [0.2, 0.5]], np.float32), np.array([0.5, 1], np.float32),
        ("Hi",), np.array([[0.1, 0.5]], np.float32), "A note.",
    )  # fmt: skip
    with_sounds = SimpleNamespace(**{**vars(result), "sounds": heard})
    origin = formats.Origin("f" * 64, "i" * 64, "a.wav", 1.5, "Hi!")
    z = load(formats.npz(with_sounds, origin))
    assert tuple(z["sounds"]) == heard.symbols and tuple(z["words"]) == ("Hi",) and str(z["transcript"]) == "Hi!"
    np.testing.assert_array_equal(z["sound_times"], heard.times)
    assert z.keys() - load(formats.npz(result, origin)).keys() == {
        "sounds", "sound_times", "sound_confidence", "words", "word_times", "transcript", "transcript_note",
    }  # fmt: skip
    data = json.loads(formats.curves_json(with_sounds, origin))
    assert [(s["ipa"], s["start"], s["end"], s["confidence"]) for s in data["sounds"]] == [
        ("h", 0.1, 0.2, 0.5), ("a\u026a", 0.2, 0.5, 1),
    ]  # fmt: skip
    assert data["words"] == [{"word": "Hi", "start": 0.1, "end": 0.5}] and data["transcript_note"] == "A note."
    assert "sounds" not in json.loads(formats.curves_json(result, origin))
