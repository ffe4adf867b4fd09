"""The mesh readers: every dialect gives the same cube, in the file's own vertex order."""

import contextlib

import numpy as np
import pytest

from server.errors import LSFError
from server.files import meshes

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
    fan = meshes.from_polygons(np.random.rand(6, 3), np.array([[5, 4, 3, 2, 1, 0], [0, 1, 2, -1, -1, -1]]))
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


def test_random_damage_to_a_ply_is_an_error_or_a_mesh(tmp_path):
    pick = np.random.default_rng(0)
    clean = write_ply(tmp_path / "a.ply", "binary_little_endian").read_bytes()
    for _ in range(300):
        data = bytearray(clean[: pick.integers(1, len(clean) + 1)])
        for position in pick.integers(0, len(data), 3):
            data[position] = pick.integers(256)
        (tmp_path / "b.ply").write_bytes(data)
        with contextlib.suppress(LSFError):
            meshes.load(tmp_path / "b.ply")
