"""Files of cached faces are not trusted: whatever they hold, the right face comes out, quickly and in little memory."""

import dataclasses
import json
import struct
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from server.arkit import CHANNELS
from server.face import cached_face
from server.face.cache import FaceCache
from server.face.head import load_head
from server.face.space import FaceSpace

VERTICES = 300
KEY = "ab" * 32
REPORT = {
    "residual_mm": 0.7,
    "unmatched": 0.01,
    "scale": 1.0,
    "flipped": {"jawOpen": 0.0},
    "shut_eyes": ["left"],
    "welded_lips": {"jaw": 0.5, "seam": [[1, 2, 0.5], [3, 3, 0]]},
    "doubtful_parts": [{"vertex": 5, "part": 4, "named": [1, 2], "by_name": True}],
    "landmark_confidence": [0.9] * 68,
    "check_landmarks": [3, 67],
    "not_neutral": ["open_mouth"],
    "seconds": 3.2,
}


def make_face(**changes) -> FaceSpace:
    rng = np.random.default_rng(0)
    face = FaceSpace(
        CHANNELS,
        rng.normal(size=(52, VERTICES, 3)).astype(np.float32) * 0.01,
        rng.normal(size=(68, 3)).astype(np.float32) * 0.1,
        rng.integers(0, VERTICES, 68).astype(np.int32),
        rng.normal(size=50).astype(np.float32),
        rng.integers(0, 8, VERTICES).astype(np.int32),
        load_head().vertices,
        REPORT,
    )
    return dataclasses.replace(face, **changes)


@pytest.fixture
def folder(tmp_path):
    FaceCache(tmp_path).put(KEY, make_face())
    return tmp_path


def file_in(folder):
    return folder / f"{KEY}.safetensors"


def read(folder):
    return FaceCache(folder).get(KEY, VERTICES)


def rewritten(data: bytes, texts: dict | None = None, arrays: dict | None = None, honest: bool = False) -> bytes:
    """The file with other texts and arrays; with `honest`, the checksum is that of the new content."""
    held = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"] | (texts or {})
    tensors = load(data) | (arrays or {})
    if honest:
        held["checksum"] = cached_face._checksum(KEY, held, tensors)
    return save(tensors, held)


def test_what_was_written_is_read(folder):
    face, written = read(folder), make_face()
    assert face.report == REPORT and face.channels == CHANNELS
    for name in cached_face.DTYPES:
        np.testing.assert_array_equal(getattr(face, name), getattr(written, name))
        getattr(face, name)[...] = 0  # it can be written to


def zeroed_half(data):
    return data[: len(data) // 2] + b"\0" * (len(data) - len(data) // 2)


def flipped_bit(data):
    return data[:-1000] + bytes([data[-1000] ^ 1]) + data[-999:]


def scaled_basis(data):
    return rewritten(data, arrays={"basis": load(data)["basis"] * 2})


def integers(data):
    return rewritten(data, arrays={"basis": load(data)["basis"].astype(np.int32)}, honest=True)


def wrong_length(data):
    return rewritten(data, arrays={"parts": np.zeros(VERTICES - 1, np.int32)}, honest=True)


def more_arrays(data):
    return rewritten(data, arrays={"more": np.zeros(3, np.float32)})


def another_format(data):
    return rewritten(data, {"format": "1"}, honest=True)


def huge_report(data):
    return rewritten(data, {"report": json.dumps({"note": "x" * (2 << 20)})}, honest=True)


def deep_report(data):
    return rewritten(data, {"report": '{"n":' + "[" * 100_000 + "]" * 100_000 + "}"}, honest=True)


def promised_length(data):
    return struct.pack("<Q", 2**40) + data[8:]


DAMAGES = [
    zeroed_half, flipped_bit, scaled_basis, integers, wrong_length, more_arrays, another_format, huge_report,
    deep_report, promised_length,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_odd_content_is_not_used_and_can_be_replaced(folder, damage):
    path = file_in(folder)
    path.write_bytes(damage(path.read_bytes()))
    assert read(folder) is None
    FaceCache(folder).put(KEY, make_face())
    assert read(folder) is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"basis": make_face().basis * 1e6},
        {"basis": np.full((52, VERTICES, 3), np.inf, np.float32)},
        {"fitted": np.full_like(load_head().vertices, np.nan)},
        {"identity": np.full(50, 1e9, np.float32)},
        {"landmarks68": np.full((68, 3), np.nan, np.float32)},
        {"landmark_vertices": np.full(68, VERTICES, np.int32)},
        {"landmark_vertices": np.full(68, -1, np.int32)},
        {"parts": np.full(VERTICES, 8, np.int32)},
        {"channels": CHANNELS[::-1]},
        {"report": [1]},
        {"report": {"n": float("nan")}},
        {"report": {"shut_eyes": "left"}},
        {"report": {"shut_eyes": [["left"]]}},
        {"report": {"check_landmarks": [68]}},
        {"report": {"check_landmarks": [0.5]}},
        {"report": {"landmark_confidence": [2.0] * 68}},
        {"report": {"welded_lips": {"jaw": 0.5, "seam": [[0, VERTICES, 0.5]]}}},
        {"report": {"welded_lips": {"jaw": "wide", "seam": []}}},
        {"report": {"doubtful_parts": [{"vertex": VERTICES, "part": 1, "named": [], "by_name": True}]}},
        {"report": {"doubtful_parts": [{}]}},
        {"report": {"flipped": [1]}},
        {"report": {"not_neutral": [{}]}},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_values_out_of_range_are_not_used_even_with_a_right_checksum(folder, changes):
    file_in(folder).write_bytes(cached_face.encode(make_face(**changes), KEY))
    assert read(folder) is None


def test_a_face_of_another_key_is_not_used(folder):
    other = "cd" * 32
    file_in(folder).rename(folder / f"{other}.safetensors")
    assert FaceCache(folder).get(other, VERTICES) is None


def test_a_huge_file_is_not_read(folder):
    with file_in(folder).open("wb") as file:
        file.truncate(1 << 34)  # 16 GiB, on the disk nothing
    tracemalloc.start()
    began = time.process_time()
    assert read(folder) is None
    assert tracemalloc.get_traced_memory()[1] < 4 * cached_face.max_bytes(VERTICES)
    assert time.process_time() - began < 1
    tracemalloc.stop()


def test_a_folder_in_place_of_a_file_is_left_alone(folder):
    file_in(folder).unlink()
    file_in(folder).mkdir()
    assert read(folder) is None
    cache = FaceCache(folder)
    cache.put(KEY, make_face())
    assert cache.get(KEY, VERTICES) is not None, "it is kept in memory"
    assert file_in(folder).is_dir() and not list(folder.glob("*.part"))


def test_the_file_is_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    """A crash of the machine leaves the whole file or none."""
    import os

    steps, fsync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (steps.append("written"), fsync(handle)))
    replace = type(tmp_path).replace
    monkeypatch.setattr(type(tmp_path), "replace", lambda *args: (steps.append("named"), replace(*args))[1])
    FaceCache(tmp_path).put(KEY, make_face())
    assert steps[:2] == ["written", "named"]


def test_the_least_recently_used_face_is_deleted_first(tmp_path):
    keys = [digit * 64 for digit in "0123"]
    FaceCache(tmp_path).put(keys[0], make_face())
    size = next(tmp_path.iterdir()).stat().st_size
    import os

    for age, key in enumerate(reversed(keys[:3])):  # key 0 is the oldest
        FaceCache(tmp_path).put(key, make_face())
        os.utime(tmp_path / f"{key}.safetensors", (1e9 - age, 1e9 - age))
    assert FaceCache(tmp_path).get(keys[0], VERTICES) is not None  # and now the most recently used
    FaceCache(tmp_path, max_bytes=3 * size).put(keys[3], make_face())
    assert {path.stem for path in tmp_path.iterdir()} == {keys[0], keys[2], keys[3]}


DATA = cached_face.encode(make_face(), KEY)
HEADER = 8 + int.from_bytes(DATA[:8], "little")


@settings(max_examples=150)
@given(st.lists(st.tuples(st.integers(0, HEADER + 2000), st.binary(min_size=1, max_size=8)), min_size=1, max_size=4))
def test_overwritten_bytes_give_the_right_face_or_none(edits):
    data = bytearray(DATA)
    for at, new in edits:
        data[at : at + len(new)] = new
    data = bytes(data)
    try:
        face = cached_face.decode(data, KEY, VERTICES)
    except Exception:
        return
    assert face.report == REPORT
    np.testing.assert_array_equal(face.basis, make_face().basis)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(sorted(REPORT)), JSON, max_size=4))
def test_a_forged_report_never_breaks_who_reads_it(changes):
    """With a right checksum: it is refused, or has the types that the add-on reads."""
    data = rewritten(DATA, {"report": json.dumps(REPORT | changes)}, honest=True)
    try:
        report = cached_face.decode(data, KEY, VERTICES).report
    except ValueError:
        return
    assert set(report["shut_eyes"]) <= {"left", "right"}
    assert all(0 <= index < 68 for index in report["check_landmarks"])
    if report["welded_lips"] is not None:
        assert all(0 <= row[0] < VERTICES and 0 <= row[2] <= 1 for row in report["welded_lips"]["seam"])
    assert all(
        0 <= doubt["vertex"] < VERTICES and set(doubt["named"]) <= set(range(8)) for doubt in report["doubtful_parts"]
    )


@settings(max_examples=100)
@given(st.binary(max_size=400))
def test_any_bytes_are_refused(data):
    with pytest.raises(Exception):  # noqa: B017, PT011 - any: the cache takes them all for damage
        cached_face.decode(data, KEY, VERTICES)


def test_a_folder_in_the_cache_is_left_alone(tmp_path):
    cache = FaceCache(tmp_path)
    cache.put(KEY, make_face())
    folder = tmp_path / f"{'cd' * 32}.safetensors"
    folder.mkdir()
    assert cache.clear() > 0
    assert list(tmp_path.iterdir()) == [folder]
