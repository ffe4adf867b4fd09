"""The mesh readers: every dialect gives the same cube, in the file's own vertex order."""

import contextlib
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from server.errors import LSFError
from server.files import meshes, polygons
from server.files.polygons import Polygons

ROOT = Path(__file__).resolve().parents[3]
VERTICES = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float32) * 1.5
QUADS = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
MIXED = np.vstack([QUADS[:-1], [[1, 5, 7, -1]], [[1, 7, 3, -1]]])


def write_obj(path, corner="{}", polygons=MIXED, relative=False):
    lines = ["# a cube", "o Cube"] + [f"v {x} {y} {z}" for x, y, z in VERTICES] + ["vn 0 0 1", "vt 0 0"]
    for polygon in polygons:
        ids = [i - len(VERTICES) if relative else i + 1 for i in polygon if i >= 0]
        lines.append("f " + " ".join(corner.format(i) for i in ids))
    path.write_text("\n".join(lines) + "\n")
    return path


def write_ply(path, layout, more_properties=True):
    order = {"ascii": None, "binary_little_endian": "<", "binary_big_endian": ">"}[layout]
    more = "property uchar red\n" if more_properties else ""
    header = (
        f"ply\nformat {layout} 1.0\ncomment a cube\nelement vertex 8\nproperty float x\nproperty float y\n"
        f"property double z\n{more}element face 7\nproperty list uchar int vertex_indices\n"
        "element edge 1\nproperty int vertex1\nend_header\n"
    )
    if order is None:
        body = "".join(f"{x} {y} {z}{' 255' if more else ''}\n" for x, y, z in VERTICES)
        body += "".join(f"{(p >= 0).sum()} {' '.join(str(i) for i in p if i >= 0)}\n" for p in MIXED) + "0\n"
        path.write_bytes((header + body).encode())
        return path
    columns = [("x", order + "f4"), ("y", order + "f4"), ("z", order + "f8"), ("r", "u1")]
    table = np.zeros(8, columns if more else columns[:3])
    for axis, name in enumerate("xyz"):
        table[name] = VERTICES[:, axis]
    body = table.tobytes()
    for polygon in MIXED:
        ids = polygon[polygon >= 0]
        body += bytes([len(ids)]) + ids.astype(order + "i4").tobytes()
    path.write_bytes(header.encode() + body + b"\0\0\0\0")
    return path


def write_npz(path, vertices=VERTICES, faces=MIXED):
    np.savez(path, vertices=vertices, faces=faces)
    return path


@pytest.mark.parametrize(
    "make",
    [
        lambda p: write_obj(p / "a.obj"),
        lambda p: write_obj(p / "a.OBJ", "{0}/1"),
        lambda p: write_obj(p / "a.obj", "{0}//1"),
        lambda p: write_obj(p / "a.obj", "{0}/1/1"),
        lambda p: write_obj(p / "a.obj", relative=True),
        lambda p: write_ply(p / "a.ply", "ascii"),
        lambda p: write_ply(p / "a.ply", "binary_little_endian"),
        lambda p: write_ply(p / "a.ply", "binary_big_endian"),
        lambda p: write_ply(p / "a.ply", "ascii", False),
        lambda p: write_npz(p / "a.npz"),
        lambda p: write_npz(p / "a.npz", VERTICES.astype(float), MIXED.astype(np.int16)),
    ],
)
def test_every_format_gives_the_same_mesh_in_the_same_order(tmp_path, make):
    mesh = meshes.load(make(tmp_path))
    np.testing.assert_array_equal(mesh.vertices, VERTICES)
    np.testing.assert_array_equal(mesh.faces, MIXED)
    assert mesh.vertices.dtype == np.float32 and mesh.triangles.dtype == np.int32
    assert len(mesh.triangles) == 12 and abs(signed_volume(mesh)) == pytest.approx(1.5**3)


def signed_volume(mesh):
    a, b, c = mesh.vertices[mesh.triangles].transpose(1, 0, 2).astype(float)
    return (a * np.cross(b, c)).sum() / 6


def test_n_gons_become_fans():
    faces = polygons.from_padded(np.array([[5, 4, 3, 2, 1, 0], [0, 1, 2, -1, -1, -1]]))
    fan = meshes.from_polygons(np.random.rand(6, 3), faces)
    np.testing.assert_array_equal(fan.faces, [[5, 4, 3, 2, 1, 0], [0, 1, 2, -1, -1, -1]])
    assert set(map(tuple, fan.triangles.tolist())) == {(5, 4, 3), (5, 3, 2), (5, 2, 1), (5, 1, 0), (0, 1, 2)}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\n"),
        ("a.obj", ""),
        ("a.obj", "v 0 0 0\nf 1 2 3\n"),
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 0\n"),
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf -1 -2 -4\n"),
        ("a.obj", "v 0 0\nf 1 1 1\n"),
        ("a.obj", "v a b c\n"),
        ("a.obj", "v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"),
        ("a.obj", "v 0 0 0\nf\n"),
        ("a.ply", ""),
        ("a.ply", "ply\nformat ascii 1.0\nend_header\n"),
        ("a.ply", "ply\nformat ascii 1.0\nelement vertex 99\nproperty float x\nend_header\n1\n"),
        ("a.ply", "ply\nformat binary_little_endian 1.0\nelement vertex 99999999999\nproperty float x\nend_header\nab"),
        ("a.ply", "ply\nformat ascii 1.0\nelement vertex 99999999999\nend_header\n"),
        ("a.ply", "ply\nformat ascii 1.0\nelement vertex -1\nproperty float x\nend_header\n"),
        ("a.npz", "this is no zip"),
        ("a.fbx", ""),
    ],
)
def test_damaged_files_are_refused_with_a_sentence(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(LSFError) as error:
        meshes.load(tmp_path / name)
    assert error.value.code in ("bad_mesh", "empty_mesh")
    assert name in str(error.value) and str(error.value).endswith(".")


def test_damaged_arrays_are_refused_with_a_sentence(tmp_path):
    nan = VERTICES.copy()
    nan[3, 1] = np.nan
    for vertices, faces in (
        (nan, MIXED),
        (VERTICES[:4], MIXED),
        (VERTICES[:, :2], MIXED),
        (VERTICES, MIXED - 1),
        (VERTICES, MIXED[:, ::-1]),
        (VERTICES, MIXED[:, :2]),
        (VERTICES, MIXED.astype(float)),
        (VERTICES[:0], MIXED[:0]),
        (VERTICES, MIXED[:0]),
    ):
        with pytest.raises(LSFError):
            meshes.load(write_npz(tmp_path / "a.npz", vertices, faces))
    np.savez(tmp_path / "b.npz", vertices=np.array([object()]), faces=MIXED)  # pickled: never opened
    with pytest.raises(LSFError, match=r"b\.npz"):
        meshes.load(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", vertices=VERTICES)
    with pytest.raises(LSFError, match='no array "faces"'):
        meshes.load(tmp_path / "c.npz")
    with pytest.raises(LSFError, match="no mesh file"):
        meshes.load(tmp_path / "nowhere.obj")


def grid(count, gon):
    """Vertices of a square grid with `count` quads at least, and its polygons, one of which has `gon` corners."""
    side = int(count**0.5) + 1
    ids = np.arange((side + 1) ** 2).reshape(side + 1, side + 1)
    quads = np.stack([ids[:-1, :-1], ids[:-1, 1:], ids[1:, 1:], ids[1:, :-1]], -1).reshape(-1, 4)
    vertices = np.random.default_rng(0).normal(size=(ids.size, 3)).astype(np.float32)
    faces = quads.tolist()
    if gon:
        faces.insert(len(faces) // 2, list(range(gon)))
    return vertices, faces


def write(path, vertices, faces):
    """Write a mesh of polygons of any size, in the format of the path's suffix."""
    if path.suffix == ".obj":
        lines = [f"v {x} {y} {z}\n" for x, y, z in vertices]
        path.write_text("".join(lines + [f"f {' '.join(str(i + 1) for i in face)}\n" for face in faces]))
    elif path.suffix == ".ply":
        header = (
            f"ply\nformat binary_little_endian 1.0\nelement vertex {len(vertices)}\nproperty float x\n"
            f"property float y\nproperty float z\nelement face {len(faces)}\n"
            "property list ushort int vertex_indices\nend_header\n"
        )
        rows = [len(face).to_bytes(2, "little") + np.array(face, "<i4").tobytes() for face in faces]
        path.write_bytes(header.encode() + vertices.astype("<f4").tobytes() + b"".join(rows))
    else:
        table = np.full((len(faces), max(map(len, faces))), -1)
        for row, face in zip(table, faces, strict=True):
            row[: len(face)] = face
        np.savez(path, vertices=vertices, faces=table)
    return path


@pytest.mark.parametrize(("suffix", "most"), [(".obj", 2), (".ply", 2), (".npz", 8)])
def test_one_polygon_of_many_corners_costs_no_more_than_its_corners(tmp_path, suffix, most):
    """An .npz is padded in the file itself: it holds 20 times as many numbers, and none of the others does."""
    seconds = []
    for gon in (0, 80 if suffix == ".npz" else 400):
        path = write(tmp_path / f"{gon}{suffix}", *grid(40000, gon))
        began = time.process_time()
        mesh = meshes.load(path)
        seconds.append(time.process_time() - began)
        assert len(mesh.triangles) >= 80000 + max(0, gon - 2) and len(mesh.polygons.sizes) >= 40000
    assert seconds[1] < most * seconds[0] + 0.05, seconds


def test_a_table_of_faces_that_would_be_too_large_is_one_of_triangles(monkeypatch):
    monkeypatch.setattr(polygons, "MAX_PADDED", 20)
    few, many = Polygons(np.arange(5), np.array([5])), Polygons(np.tile(np.arange(5), 5), np.full(5, 5))
    assert meshes.from_polygons(np.zeros((5, 3)), few).faces.shape == (1, 5)
    assert meshes.from_polygons(np.zeros((5, 3)), many).faces.shape == (15, 3)


def npy(shape, dtype="<i4", version=(1, 0), header=None, fortran=False, body=b""):
    """The bytes of an .npy file whose header says `shape`, whatever the body has."""
    text = header or f"{{'descr': {dtype!r}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n".encode()
    length = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + length + text + body


def zipped(path, vertices, faces, kind=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", kind) as file:
        file.writestr("vertices.npy", vertices)
        file.writestr("faces.npy", faces)
    return path


TRIANGLE = npy((3, 3), "<f4", body=np.eye(3, dtype="<f4").tobytes())
PLY = (
    b"ply\nformat %s 1.0\nelement vertex %d\nproperty float x\nproperty float y\nproperty float z\n%selement face %d\n"
)
LISTS = b"property list %s int vertex_indices\nend_header\n"
CORNERS = b"0 0 0\n1 0 0\n0 1 0\n"


def ply(rows=3, faces=1, layout=b"ascii", length=b"uchar", more=b"", body=CORNERS + b"3 0 1 2\n"):
    return PLY % (layout, rows, more, faces) + LISTS % length + body


def hostile_files(folder):
    """Files that promise more than they hold, and files that unpack to much more than they are."""
    binary = b"binary_little_endian"
    for name, data in {
        "rows.ply": ply(2_000_000_000),
        "faces.ply": ply(3, 2_000_000_000),
        "rows_binary.ply": ply(2_000_000_000, 2_000_000_000, binary, body=b"\0" * 64),
        "few_rows.ply": ply(4_900_000, 9_900_000, binary, body=b"\0" * 64),
        "other_rows.ply": ply(more=b"element edge 2000000000\nproperty int a\n"),
        "lists.ply": ply(more=b"element strip 2000000000\nproperty list uchar int b\n"),
        "nothing.ply": ply(more=b"element user 2000000000\n", body=b""),
        "long_list.ply": ply(3, 1, binary, b"uint", body=bytes(36) + b"\xff\xff\xff\x7f" + bytes(12)),
        "negative_list.ply": ply(3, 2, binary, b"char", body=bytes(36) + b"\xff" + bytes(12)),
        "float_list.ply": ply(3, 1, binary, b"float", body=bytes(36) + b"\0\0\xc0\x7f" + bytes(12)),
        "infinite_list.ply": ply(body=CORNERS + b"inf 0 1 2\n"),
        "fraction.ply": ply(body=CORNERS + b"3 0 1 1.5\n"),
        "not_a_number.ply": ply(body=CORNERS + b"3 0 1 nan\n"),
        "long_word.ply": ply(body=b"1" * 3_000_000),
        "no_end.ply": b"ply\nformat ascii 1.0\n" + b"comment\n" * 200_000,
        "one_line.ply": b"ply\n" + b"x" * 3_000_000,
        "one_line.obj": b"f " + b"1 " * 1_000_000,
        "large_index.obj": b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 99999999999999999999\n",
        "larger_index.obj": b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 4294967297\n",
        "digits.obj": b"v 0 0 0\nf 1 1 " + b"9" * 500_000,
        "cut_off.npz": b"PK\5\6" + b"\xff" * 16 + b"\0\0",
    }.items():
        (folder / name).write_bytes(data)
    for name, faces in {
        "wide.npz": npy((0, 2**24)),
        "wider.npz": npy((0, 2**60)),
        "promised.npz": npy((2**30, 3)),
        "product.npz": npy((2**40, 2**40)),
        "negative.npz": npy((-3, -3)),
        "short.npz": npy((25_000_000, 4)),
        "objects.npz": npy((1, 3), "|O", body=b"cos\nsystem\n"),
        "text.npz": npy((1, 3), "<U100000"),
        "records.npz": npy((1, 3), [("a", "<i4")] * 3),
        "header.npz": npy((1, 3), version=(2, 0), header=b" " * (100 << 20)),
        "deep.npz": npy((1, 3), header=b"(" * 9000),
        "unsigned.npz": npy((1, 3), "<u8", body=np.array([0, 1, 2**63], "<u8").tobytes()),
    }.items():
        zipped(folder / name, TRIANGLE, faces)
    zipped(folder / "zeros.npz", TRIANGLE, npy((30_000_000, 3), "<i1", body=bytes(90_000_000)))
    zipped(folder / "padding.npz", TRIANGLE, npy((3, 30_000_000), "<i1", body=b"\xff" * 90_000_000))
    zipped(folder / "vertices.npz", npy((30_000_000, 3), "<f4"), npy((1, 3), body=bytes(12)))
    zipped(folder / "other_packing.npz", TRIANGLE, npy((3, 2**24), "<i1", body=bytes(50_000_000)), zipfile.ZIP_BZIP2)


LOAD_IN_LITTLE_MEMORY = """
import resource, sys, time
from pathlib import Path
import numpy as np
from server.errors import LSFError
from server.files import meshes
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
for path in sorted(Path(sys.argv[1]).iterdir()):
    began = time.process_time()
    try:
        told = f"a mesh of {meshes.load(path).triangles.shape}"
    except LSFError as error:
        told = str(error)
    print(f"{path.name}\\t{time.process_time() - began:.1f}\\t{told}")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="no limit of memory on other systems")
def test_files_that_promise_or_unpack_to_too_much_are_refused_at_once(tmp_path):
    hostile_files(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", LOAD_IN_LITTLE_MEMORY, tmp_path], cwd=ROOT, text=True, capture_output=True, timeout=120
    )
    assert not done.stderr
    told = [line.split("\t") for line in done.stdout.splitlines()]
    assert [name for name, *_ in told] == sorted(path.name for path in tmp_path.iterdir())
    for name, seconds, sentence in told:
        assert name in sentence and sentence.endswith(".") and len(sentence) < 200, sentence
        assert "memory" not in sentence.lower() and float(seconds) < 3, (name, seconds)


@st.composite
def any_mesh(draw):
    """Vertices of any float32 values, and polygons of any sizes."""
    count = draw(st.integers(3, 12))
    number = st.floats(-1e6, 1e6, width=32)
    vertices = draw(st.lists(st.tuples(number, number, number), min_size=count, max_size=count))
    face = st.lists(st.integers(0, count - 1), min_size=3, max_size=9)
    return np.float32(vertices), draw(st.lists(face, min_size=1, max_size=6))


@pytest.mark.parametrize("suffix", [".obj", ".ply", ".npz"])
@hypothesis.given(any_mesh())
@hypothesis.settings(max_examples=40)
def test_whatever_is_written_is_read_in_its_order(tmp_path_factory, suffix, mesh):
    vertices, faces = mesh
    read = meshes.load(write(tmp_path_factory.getbasetemp() / f"a{suffix}", vertices, faces))
    np.testing.assert_array_equal(read.vertices, vertices)
    assert read.polygons.corners.tolist() == [corner for face in faces for corner in face]
    assert read.polygons.sizes.tolist() == list(map(len, faces))


SAMPLES = {
    "a.obj": b"# a\nv 0 0 0\nv 1 0 0\nv 0 1 0\nv 1 1 0\nf 1/1 2/2 3\nf -1 -2 -3 # b\n",
    "a.ply": ply(),
    "b.ply": ply(3, 1, b"binary_big_endian", body=bytes(36) + b"\3" + np.arange(3, dtype=">i4").tobytes()),
    "a.npz": None,
}


@pytest.mark.parametrize("name", SAMPLES)
@hypothesis.given(data=st.data())
@hypothesis.settings(max_examples=150)
def test_damage_of_any_kind_is_an_error_or_a_mesh(tmp_path_factory, name, data):
    path = tmp_path_factory.getbasetemp() / name
    clean = SAMPLES[name] or zipped(path, TRIANGLE, npy((1, 3), body=bytes(12))).read_bytes()
    cut = data.draw(st.integers(0, len(clean)))
    end = cut + data.draw(st.integers(0, 20))
    path.write_bytes(clean[:cut] + data.draw(st.binary(max_size=20)) + clean[end:])
    with contextlib.suppress(LSFError):
        mesh = meshes.load(path)
        assert np.isfinite(mesh.vertices).all() and mesh.triangles.max() < len(mesh.vertices)
        assert mesh.triangles.min() >= 0 and mesh.faces.max() < len(mesh.vertices)


TYPE = st.sampled_from([b"char", b"uchar", b"short", b"uint", b"float", b"double", b"string"])
PROPERTY = st.one_of(
    st.tuples(st.just(b"property"), TYPE, st.sampled_from([b"x", b"y", b"z", b"a"])),
    st.tuples(st.just(b"property list"), TYPE, TYPE, st.sampled_from([b"vertex_indices", b"vertex_index", b"a"])),
)
ROWS = st.one_of(st.integers(0, 4), st.integers(-(2**40), 2**70)).map(lambda n: b"%d" % n)
ELEMENT = st.tuples(st.just(b"element"), st.sampled_from([b"vertex", b"face", b"edge"]), ROWS)
LAYOUTS = [b"ascii", b"binary_little_endian", b"binary_big_endian", b"utf-8"]


@hypothesis.given(st.sampled_from(LAYOUTS), st.lists(st.one_of(ELEMENT, PROPERTY)), st.binary(max_size=200))
@hypothesis.settings(max_examples=300)
def test_a_ply_header_of_any_kind_is_an_error_or_a_mesh(tmp_path_factory, layout, lines, body):
    header = [b"ply", b"format " + layout + b" 1.0", *(b" ".join(line) for line in lines), b"end_header", b""]
    path = tmp_path_factory.getbasetemp() / "a.ply"
    path.write_bytes(b"\n".join(header) + body)
    with contextlib.suppress(LSFError):
        meshes.load(path)
