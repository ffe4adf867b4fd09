"""The frames: round trips, limits, and what happens when bytes are wrong."""

import contextlib
import io
import json
import random

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from server.protocol import wire

FACE = {"vertices": np.arange(12, dtype=np.float32).reshape(4, 3), "triangles": np.array([[0, 1, 2]], np.int32)}


def frame(header, arrays=None) -> bytes:
    stream = io.BytesIO()
    wire.write_message(stream, header, arrays)
    return stream.getvalue()


def raw(header: bytes, payload: bytes = b"") -> bytes:
    return wire.PREFIX.pack(wire.MAGIC, len(header), len(payload)) + header + payload


def read_all(data: bytes) -> list:
    """Types of the messages in `data`, and codes of the errors."""
    reader, found = wire.Reader(io.BytesIO(data)), []
    while True:
        try:
            found.append(reader.read()[0].get("type"))
        except wire.WireError as error:
            found.append(error.code)
            if error.code == "truncated_frame":
                return found
        except EOFError:
            return found


def test_round_trip_keeps_values_shapes_and_order():
    arrays = FACE | {"empty": np.zeros((0, 3), np.float32), "scalar": np.float32(2.5)}
    header, back = wire.Reader(io.BytesIO(frame({"type": "generate", "job": "ü"}, arrays))).read()
    assert header["job"] == "ü" and list(back) == list(arrays)
    for name, array in arrays.items():
        assert back[name].shape == np.shape(array)
        np.testing.assert_array_equal(back[name], array)
    back["vertices"][0, 0] = 7  # writable


def test_wider_types_travel_as_four_bytes():
    _, back = wire.Reader(io.BytesIO(frame({}, {"a": np.ones(3), "b": np.arange(3), "c": np.array([True])}))).read()
    assert [back[n].dtype for n in "abc"] == [np.float32, np.int32, np.int32]


def test_text_that_is_not_unicode_is_carried():
    """A file name that is not UTF-8 has lone surrogates in Python; a client may also send some."""
    header, _ = wire.Reader(io.BytesIO(frame({"job": "\ud800", "path": "/tmp/caf\udce9.wav"}))).read()
    assert (header["job"], header["path"]) == ("\ud800", "/tmp/caf\udce9.wav")


def test_nan_is_carried():
    assert np.isnan(wire.Reader(io.BytesIO(frame({}, {"a": np.array([np.nan])}))).read()[1]["a"][0])


@pytest.mark.parametrize("array", [np.array(["text"]), np.array([2**40]), np.array([1j]), np.array([object()])])
def test_unsendable_arrays_are_refused_before_a_byte_is_written(array):
    stream = io.BytesIO()
    with pytest.raises(wire.WireError) as error:
        wire.write_message(stream, {}, {"a": array})
    assert error.value.code == "bad_dtype" and stream.getvalue() == b""


def test_limits_hold_when_writing(monkeypatch):
    monkeypatch.setattr(wire, "MAX_PAYLOAD", 8)
    with pytest.raises(wire.WireError, match="limit"):
        frame({}, {"a": np.zeros(3, np.float32)})
    with pytest.raises(wire.WireError, match="JSON"):
        frame({"x": float("nan")})


def test_worked_example_of_the_documentation():
    assert frame({"type": "ping"}).hex(" ") == (
        "4c 53 46 31 1e 00 00 00 00 00 00 00 00 00 00 00 "
        "7b 22 74 79 70 65 22 3a 20 22 70 69 6e 67 22 2c 20 22 61 72 72 61 79 73 22 3a 20 5b 5d 7d"
    )


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (b"{", "bad_header"),
        (b"\xff\xfe", "bad_header"),
        (b"[]", "bad_header"),
        (b'{"a": NaN}', "bad_header"),
        (b"[" * 100_000, "bad_header"),
        (b'{"arrays": 5}', "bad_header"),
        (b'{"arrays": [5]}', "bad_header"),
        (json.dumps({"arrays": [{"name": "a", "dtype": "float32", "shape": [0]}] * 2}).encode(), "bad_header"),
        (
            json.dumps({"arrays": [{"name": str(i), "dtype": "int32", "shape": [0]} for i in range(99)]}).encode(),
            "bad_header",
        ),
        (json.dumps({"arrays": [{"name": "a", "dtype": "object", "shape": [1]}]}).encode(), "bad_dtype"),
        (json.dumps({"arrays": [{"name": "a", "dtype": ["float32"], "shape": [1]}]}).encode(), "bad_dtype"),
        (json.dumps({"arrays": [{"name": "a", "dtype": "float32", "shape": [-1]}]}).encode(), "bad_shape"),
        (json.dumps({"arrays": [{"name": "a", "dtype": "float32", "shape": [True]}]}).encode(), "bad_shape"),
        (json.dumps({"arrays": [{"name": "a", "dtype": "float32", "shape": [1.0]}]}).encode(), "bad_shape"),
        (json.dumps({"arrays": [{"name": "a", "dtype": "float32", "shape": [1] * 9}]}).encode(), "bad_shape"),
        (
            json.dumps({"arrays": [{"name": "a", "dtype": "float32", "shape": [2**30, 2**30, 2**30]}]}).encode(),
            "bad_shape",
        ),
        (json.dumps({"arrays": [{"name": "a", "dtype": "float32", "shape": [3]}]}).encode(), "bad_shape"),
    ],
)
def test_a_bad_header_affects_one_message_only(header, code):
    assert read_all(raw(header, b"12345678") + frame({"type": "ping"})) == [code, "ping"]


def test_a_shape_that_numpy_cannot_address_is_refused_although_it_has_no_values():
    header = json.dumps({"arrays": [{"name": "a", "dtype": "int32", "shape": [0, 2**30, 2**30, 2**30]}]}).encode()
    assert read_all(raw(header) + frame({"type": "ping"})) == ["bad_shape", "ping"]


def test_error_carries_the_header_that_was_read():
    bad = raw(json.dumps({"job": "7", "arrays": [{"name": "a", "dtype": "f8", "shape": [1]}]}).encode())
    with pytest.raises(wire.WireError) as error:
        wire.Reader(io.BytesIO(bad)).read()
    assert error.value.header["job"] == "7"


@pytest.mark.parametrize("junk", [b"hello, I print to your pipe\n", b"L", b"LSF", b"LSF1LSF1" * 9, b"x" * 1000])
def test_junk_between_messages_is_skipped(junk):
    assert read_all(frame({"type": "a"}) + junk + frame({"type": "b"}) + frame({"type": "c"})) in (
        ["a", "bad_magic", "b", "c"],
        ["a", "frame_too_large", "b", "c"],
    )


def test_oversized_lengths_are_refused_without_waiting_for_the_bytes():
    huge = wire.PREFIX.pack(wire.MAGIC, 2**32 - 1, 2**64 - 1)
    assert read_all(huge + frame({"type": "ping"})) == ["frame_too_large", "ping"]


def test_clean_end_and_truncated_end_differ():
    whole = frame({"type": "a"}, FACE)
    assert read_all(whole) == ["a"]
    for cut in range(1, len(whole)):
        assert read_all(whole[:cut]) == ["truncated_frame"]


@pytest.mark.parametrize("shape", [[2**26, 0, 3], [0, 2**20], [2**10, 2**10, 0]])
def test_a_shape_without_values_that_promises_many_is_refused(shape):
    header = json.dumps({"arrays": [{"name": "a", "dtype": "float32", "shape": shape}]}).encode()
    assert read_all(raw(header) + frame({"type": "ping"})) == ["bad_shape", "ping"]


@hypothesis.given(
    st.lists(st.binary(max_size=60) | st.sampled_from([frame({"type": "a"}, FACE), wire.MAGIC]), max_size=6)
)
def test_any_bytes_are_messages_errors_or_the_end(parts):
    reader = wire.Reader(io.BytesIO(b"".join(parts)))
    while True:
        try:
            header, arrays = reader.read()
        except EOFError:
            break
        except wire.WireError as error:
            if error.code == "truncated_frame":
                break
        else:
            assert isinstance(header, dict) and all(a.nbytes <= wire.MAX_PAYLOAD for a in arrays.values())


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=9)
    | st.sampled_from(["float32", "int32", [0, 2], [2**30]]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["name", "dtype", "shape", "arrays"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@hypothesis.given(JSON, st.binary(max_size=16))
def test_any_header_is_read_or_refused_and_the_next_message_is_read(entries, payload):
    reader = wire.Reader(io.BytesIO(raw(json.dumps({"type": "a", "arrays": entries}).encode(), payload) + frame({})))
    with contextlib.suppress(wire.WireError):
        reader.read()
    assert reader.read()[0] == {"arrays": []}


def test_random_damage_never_raises_anything_else():
    pick = random.Random(0)
    clean = frame({"type": "a"}, FACE) + frame({"type": "b", "job": "1"}) + frame({"type": "c"}, {"x": np.zeros(9)})
    for _ in range(2000):
        data = bytearray(clean)
        for _ in range(pick.randint(1, 6)):
            data[pick.randrange(len(data))] ^= 1 << pick.randrange(8)
        start = pick.randrange(len(data)) if pick.random() < 0.3 else 0
        read_all(bytes(data[start : pick.randint(start, len(data))]))
