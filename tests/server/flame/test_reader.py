"""FLAME files: what is read, from all ways in which they were written, and what is refused."""

import copyreg
import json
import os
import pickle
import struct
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

import build
from server.errors import LSFError
from server.flame.reader import read_flame

ROOT = Path(__file__).parents[3]


def same(read, arrays):
    assert np.array_equal(read.faces, arrays["f"]) and read.faces.dtype == np.int64
    for name, stored in (
        ("template", "v_template"),
        ("shape_directions", "shapedirs"),
        ("pose_directions", "posedirs"),
        ("joint_regressor", "J_regressor"),
        ("skinning", "weights"),
    ):
        assert np.array_equal(getattr(read, name), arrays[stored].astype(np.float32)), name


@pytest.fixture
def filled(arrays):
    """The hand-made model with numbers in its directions, so that no array equals another order of itself."""
    random = np.random.default_rng(5)
    arrays["shapedirs"] = random.normal(0, 0.01, arrays["shapedirs"].shape)
    arrays["posedirs"] = random.normal(0, 0.01, arrays["posedirs"].shape)
    return arrays


@pytest.mark.parametrize("writer", [np.savez, np.savez_compressed])
def test_npz(tmp_path, filled, writer):
    writer(tmp_path / "a.npz", bs_type=np.array("lrotmin"), **filled)
    same(read_flame(tmp_path / "a.npz"), filled)


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_this_numpy(tmp_path, filled, protocol):
    filled["J_regressor"] = np.asfortranarray(filled["J_regressor"])
    filled["weights"] = filled["weights"].astype(">f4")
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(filled | {"bs_type": "lrotmin"}, protocol))
    same(read_flame(tmp_path / "a.pkl"), filled)


class _State:
    """Pickles as an object of another class, which has this state."""

    def __init__(self, kind, state):
        self.kind, self.state = kind, state

    @property
    def __class__(self):  # pickle compares it
        return self.kind

    def __reduce__(self):
        return copyreg.__newobj__, (self.kind,), self.state


def made_class(monkeypatch, module, name):
    """A class that a pickle finds under this name. It is not there when the file is read."""
    holder = types.ModuleType(module)
    kind = type(name, (), {"__module__": module})
    setattr(holder, name, kind)
    for length in range(len(module.split("."))):
        part = ".".join(module.split(".")[: length + 1])
        if part not in sys.modules or part == module:
            monkeypatch.setitem(sys.modules, part, holder if part == module else types.ModuleType(part))
    return kind


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("by_columns", [True, False])
def test_chumpy_and_scipy_objects(tmp_path, filled, monkeypatch, protocol, by_columns):
    wanted = filled | {}
    matrix = (sparse.csc_matrix if by_columns else sparse.csr_matrix)(filled["J_regressor"])
    with monkeypatch.context() as patched:
        chumpy = made_class(patched, "chumpy.ch", "Ch")
        name = type(matrix).__name__
        kind = made_class(patched, f"scipy.sparse.{name[:3]}", name)
        for array in ("shapedirs", "posedirs", "v_template"):
            filled[array] = _State(chumpy, {"x": filled[array], "_dirty_vars": {"x"}, "_itr": None})
        filled["posedirs"] = _State(chumpy, {"x": filled["posedirs"]})
        parts = {part: getattr(matrix, part) for part in ("data", "indices", "indptr")}
        filled["J_regressor"] = _State(kind, {**parts, "_shape": matrix.shape, "maxprint": 50})
        (tmp_path / "a.pkl").write_bytes(pickle.dumps(filled, protocol))
    before = set(sys.modules)
    same(read_flame(tmp_path / "a.pkl"), wanted)
    assert not {module for module in set(sys.modules) - before if module.startswith(("chumpy", "scipy"))}


def test_scipy_matrix_of_today(tmp_path, filled):
    wanted = filled | {}
    for kind in (sparse.csc_matrix, sparse.csr_array):
        (tmp_path / "a.pkl").write_bytes(pickle.dumps(filled | {"J_regressor": kind(wanted["J_regressor"])}, 2))
        same(read_flame(tmp_path / "a.pkl"), wanted)


def name_of_python_2(text):
    return b"U" + bytes([len(text)]) + text.encode()


def number_of_python_2(value):
    return b"J" + struct.pack("<i", value)


def array_of_python_2(array):
    """The instructions that Python 2.7 and numpy write for an array with protocol 2: bytes are a `str`."""
    columns_first = array.flags.f_contiguous and not array.flags.c_contiguous
    shape = b"(" + b"".join(number_of_python_2(n) for n in array.shape) + b"t"
    data = array.tobytes("F" if columns_first else "C")
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + name_of_python_2("b") + b"\x87R"
        b"(K\x01" + shape + b"cnumpy\ndtype\n" + name_of_python_2(array.dtype.str[1:]) + b"K\x00K\x01\x87R"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        + (b"\x88" if columns_first else b"\x89")
        + b"T"
        + struct.pack("<i", len(data))
        + data
        + b"tb"
    )


def pickle_of_python_2(arrays):
    items = b"".join(name_of_python_2(name) + array_of_python_2(array) for name, array in arrays.items())
    return b"\x80\x02}(" + items + b"u."


def test_pickle_of_python_2(tmp_path, filled):
    filled["shapedirs"] = np.asfortranarray(filled["shapedirs"])
    data = pickle_of_python_2(filled)
    assert pickle.loads(data, encoding="latin1")["f"].tolist() == filled["f"].tolist()  # Python agrees that it is one
    (tmp_path / "a.pkl").write_bytes(data)
    same(read_flame(tmp_path / "a.pkl"), filled)


def changed(name, change):
    def apply(arrays):
        arrays[name] = change(arrays[name])
        return arrays

    return apply


def with_entry(array, place, value):
    array = array.copy()
    array[place] = value
    return array


DAMAGES = {
    "missing": (lambda arrays: {k: v for k, v in arrays.items() if k != "posedirs"}, "posedirs"),
    "few directions": (changed("shapedirs", lambda a: a[..., :100]), r"shapedirs must be \(6, 3, 400\)"),
    "other vertices": (changed("weights", lambda a: a[:5]), r"weights must be \(6, 5\)"),
    "flat": (changed("v_template", lambda a: a.ravel()), "v_template"),
    "empty": (changed("v_template", lambda a: a[:0]), "v_template|impossible shape"),
    "nan": (changed("posedirs", lambda a: with_entry(a, (0, 0, 0), np.nan)), "posedirs has numbers"),
    "infinite": (changed("v_template", lambda a: with_entry(a, (1, 1), np.inf)), "v_template has numbers"),
    "infinite as float32": (changed("shapedirs", lambda a: with_entry(a, (0, 0, 0), 1e300)), "shapedirs has numbers"),
    "whole numbers": (changed("weights", lambda a: a.astype(int)), "weights must hold floating-point"),
    "no triangles": (changed("f", lambda a: a[:0]), "f must be|impossible shape"),
    "triangle of a vertex beyond": (changed("f", lambda a: with_entry(a, (0, 0), 6)), "vertices that do not exist"),
    "triangle of -1": (changed("f", lambda a: with_entry(a.astype(int), (0, 0), -1)), "vertices that do not exist"),
    "quads": (changed("f", lambda a: np.zeros((3, 4), int)), "f must be"),
    "float triangles": (changed("f", lambda a: a.astype(float)), "f must be"),
    "smpl": (changed("kintree_table", lambda a: np.zeros((2, 24), int)), "24 joints, where FLAME has 5"),
    "other tree": (changed("kintree_table", lambda a: with_entry(a, (0, 2), 0)), "parents"),
    "no joint": (changed("J_regressor", lambda a: a * 0), "J_regressor do not add up"),
    "half weights": (changed("weights", lambda a: a / 2), "weights do not add up"),
    "negative weights": (changed("weights", lambda a: with_entry(a, 0, [2, -1, 0, 0, 0])), "negative"),
    "millimetres": (changed("v_template", lambda a: a * 1000), "no head in metres"),
    "wild direction": (changed("posedirs", lambda a: with_entry(a, (0, 0, 0), 20)), "moves vertices"),
}


@pytest.mark.parametrize("suffix", [".npz", ".pkl"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_arrays_are_refused_in_one_sentence(tmp_path, arrays, suffix, damage):
    change, sentence = DAMAGES[damage]
    arrays = change(arrays)
    path = tmp_path / f"model{suffix}"
    if suffix == ".npz":
        np.savez(path, **arrays)
    else:
        path.write_bytes(pickle.dumps(arrays))
    with pytest.raises(LSFError, match=sentence) as error:
        read_flame(path)
    assert error.value.code == "bad_flame" and path.name in str(error.value) and str(error.value).endswith(".")


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("none.npz", None, "no_file"),
        ("model.txt", b"", "bad_flame"),
        ("empty.npz", b"", "bad_flame"),
        ("empty.pkl", b"", "bad_flame"),
        ("text.pkl", b"hello", "bad_flame"),
        ("cut.pkl", pickle.dumps({"f": np.arange(100)})[:-40], "bad_flame"),
        ("list.pkl", pickle.dumps([1, 2]), "bad_flame"),
        ("numbers.pkl", pickle.dumps({"v_template": 1}), "bad_flame"),
    ],
)
def test_other_files_are_refused_in_one_sentence(tmp_path, name, data, code):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(LSFError) as error:
        read_flame(tmp_path / name)
    assert error.value.code == code and name in str(error.value)


def test_the_product_has_no_reader_of_pickles(tmp_path, arrays, monkeypatch):
    """The folder "build" does not ship: the sentence says where pickles are read."""
    monkeypatch.setitem(sys.modules, "server.flame.build", None)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(arrays))
    with pytest.raises(LSFError, match="source tree"):
        read_flame(tmp_path / "a.pkl")
    assert not [name for name, _ in build.product_files() if "flame/build" in name]
    assert [name for name, _ in build.product_files() if name.endswith("flame/face.py")]


class _Call:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def hostile_pickles(folder, arrays):
    """Write pickles that would run code or take much memory, by name."""
    marker = folder / "ran"
    array = array_of_python_2(np.zeros(3))
    huge = number_of_python_2(2**31 - 1)
    matrix = sparse.csc_matrix(arrays["J_regressor"])

    def matrix_with(**changes):
        state = {"data": matrix.data, "indices": matrix.indices, "indptr": matrix.indptr, "_shape": (5, 6)} | changes
        return pickle.dumps(arrays | {"J_regressor": _State(sparse.csc_matrix, state)})

    files = {
        "system": pickle.dumps(_Call(os.system, f"touch {marker}")),
        "eval": pickle.dumps(_Call(eval, f"open({str(marker)!r}, 'w')")),
        "system_of_python_2": b"cos\nsystem\n(S'touch " + str(marker).encode() + b"'\ntR.",
        "dotted": b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__init__\x93.",
        "load": b"cnumpy\nload\n(V/etc/passwd\ntR.",
        "instance": b"(ios\nsystem\n.",
        "object_array": pickle.dumps(arrays | {"weights": np.array([[_Call(os.system, f"touch {marker}")]] * 5)}),
        "objects_only": pickle.dumps(arrays | {"weights": np.array([[None, {}]], object)}),
        "records": pickle.dumps(arrays | {"weights": np.zeros(3, [("a", "f8")])}),
        "wide_type": array.replace(name_of_python_2("f8"), b"U\x0a(99999999)") + b".",
        "huge_shape": array.replace(b"(" + number_of_python_2(3) + b"t", b"(" + 4 * huge + b"t") + b".",
        "negative_shape": array.replace(number_of_python_2(3), number_of_python_2(-3)) + b".",
        "huge_reconstruct": b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(" + 3 * huge + b"tU\x01dtR.",
        "huge_ndarray": b"cnumpy\nndarray\n((" + 3 * huge + b"ttR.",
        "huge_memo": b"\x80\x02]r\xff\xff\xff\x7f.",
        "huge_memo_in_text": b"]p99999999999\n.",
        "huge_bytes": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b"abc.",
        "huge_bytearray": b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b"abc.",
        "huge_text": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 40) + b"abc.",
        "huge_frame": b"\x80\x04\x95" + struct.pack("<Q", 1 << 40) + b"}.",
        "huge_number": b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"abc.",
        "deep": b"\x80\x02" + 90_000 * b"]" + 89_999 * b"a" + b".",
        "many": b"\x80\x02" + 3_000_000 * b"N0" + b"N.",
        "persistent": b"Vhttp://example\nQ.",
        "extension": b"\x80\x02\x82\x01.",
        "set_state_of_a_function": b"\x80\x02c_codecs\nencode\n}U\x0c__defaults__)sb.",
        "set_slots_of_a_function": b"\x80\x02c_codecs\nencode\nN}U\x0c__defaults__)s\x86b.",
        "set_attributes_of_a_class": b"\x80\x02cnumpy\ndtype\nN}U\x05valueNs\x86b.",
        "wide_matrix": matrix_with(_shape=(10**9, 10**9)),
        "long_matrix": matrix_with(_shape=(5, 10**12)),
        "matrix_row_beyond": matrix_with(indices=matrix.indices + 5),
        "matrix_row_before": matrix_with(indices=matrix.indices - 1),
        "matrix_starts": matrix_with(indptr=matrix.indptr[::-1].copy()),
        "matrix_start_beyond": matrix_with(indptr=matrix.indptr * 1000),
        "matrix_without_data": matrix_with(data=None),
        "matrix_in_itself": matrix_with(_shape=None),
        "chumpy_in_itself": b"}U\x0av_template\x80\x02cchumpy.ch\nCh\n)\x81q\x01}U\x01xh\x01sbs.",
        "lone_chumpy": pickle.dumps(arrays | {"weights": _State(sparse.csc_matrix, {"x": None})}),
    }
    for name, data in files.items():
        (folder / f"{name}.pkl").write_bytes(data)
    return marker


READ_IN_LITTLE_MEMORY = """
import json, resource, sys, time
from pathlib import Path
import build
from server.errors import LSFError
from server.flame.reader import read_flame
size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + (200 << 20)
resource.setrlimit(resource.RLIMIT_AS, (size, size))
for path in sorted(Path(sys.argv[1]).glob("*.pkl")):
    try:
        told = ["read", str(read_flame(path))]
    except LSFError as error:
        told = [error.code, str(error)]
    print(json.dumps([path.name, *told]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="no limit of memory on other systems")
def test_hostile_pickles_run_nothing_and_take_little_memory(tmp_path, arrays):
    marker = hostile_pickles(tmp_path, arrays)
    done = subprocess.run(
        [sys.executable, "-c", READ_IN_LITTLE_MEMORY, tmp_path], cwd=ROOT, text=True, capture_output=True, timeout=300
    )
    assert not done.stderr and done.returncode == 0, done.stderr[-2000:]
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [name for name, *_ in told] == sorted(path.name for path in tmp_path.glob("*.pkl"))
    for name, code, sentence in told:
        assert code == "bad_flame" and name in sentence and sentence.endswith("."), (name, code, sentence)
        assert "emory" not in sentence
    assert not marker.exists()


def test_the_name_of_what_is_refused_is_told(tmp_path):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(_Call(os.system, "true")))
    with pytest.raises(LSFError, match=r'wants "(posix|nt)\.system"'):
        read_flame(tmp_path / "a.pkl")


def test_functions_of_the_reader_stay_as_they_are(tmp_path, arrays):
    hostile_pickles(tmp_path, arrays)
    for path in tmp_path.glob("set_*.pkl"):
        with pytest.raises(LSFError):
            read_flame(path)
    (tmp_path / "good.pkl").write_bytes(pickle.dumps(arrays, 2))
    same(read_flame(tmp_path / "good.pkl"), arrays)
