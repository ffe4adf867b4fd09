"""Results of Generate All on disk: what is found again, what is not, and damaged files."""

import os
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from lsf_blender_addon.jobs import kept_results
from lsf_blender_addon.jobs.kept_results import KeptResults
from lsf_blender_addon.scene.snapshots import Line

LINE = Line("line", "Scene", "/a.wav", None, 25.0, 10, 100, 0.0, 4.0, 0.0, "id", 100.0, (1000, 5))
ARRAYS = {"vertices": np.eye(3, dtype=np.float32)}
RESULT = (
    {"channels": ["jawOpen"], "seconds": {"model": 0.5}},
    {"motion": np.ones((4, 1), np.float32), "basis": np.ones((1, 3, 3), np.float32)},
)


@pytest.fixture
def kept(tmp_path):
    return KeptResults(tmp_path / "results", "model 1")


def same(found, header, arrays) -> bool:
    return (
        found is not None
        and found[0] == header
        and found[1].keys() == arrays.keys()
        and all(np.array_equal(found[1][name], arrays[name]) for name in arrays)
    )


def test_a_result_is_found_again_and_the_basis_is_there_once(kept):
    assert kept.get("a") is None
    for key in "abc":
        kept.put(key, *RESULT)
        assert same(kept.get(key), *RESULT)
    assert len(list(kept._folder.glob("face-*.npz"))) == 1 and len(list(kept._folder.iterdir())) == 4


def test_the_key_tells_whatever_decides_a_result(kept):
    fields = {"settings": {"fps": 25.0}}
    first = kept.key(fields, ARRAYS, [LINE])
    assert kept.key(fields, ARRAYS, [replace(LINE, strip="other", scene="other", first_frame=99, id="new")]) == first
    others = [
        kept.key({"settings": {"fps": 24.0}}, ARRAYS, [LINE]),
        kept.key(fields, {"vertices": 2 * ARRAYS["vertices"]}, [LINE]),
        kept.key(fields, {"landmarks68": ARRAYS["vertices"]}, [LINE]),
        kept.key(fields, ARRAYS, [LINE, LINE]),
        KeptResults(kept._folder, "model 2").key(fields, ARRAYS, [LINE]),
        *(
            kept.key(fields, ARRAYS, [replace(LINE, **change)])
            for change in (
                {"path": "/b.wav"}, {"packed": b"1"}, {"packed": b"2"}, {"start": 1.0}, {"duration": 3.0}, {"t0": 0.1},
                {"file": (1000, 6)}, {"frames": 99},
            )
        ),
    ]  # fmt: skip
    assert len({first, *others}) == 1 + len(others)


def test_damaged_files_are_no_results(kept, tmp_path):
    kept.put("a", *RESULT)
    path = kept._folder / "a.npz"
    whole = path.read_bytes()
    for data in (b"", b"PK", whole[:-30], whole[:100] + bytes(50) + whole[150:], bytes(len(whole))):
        path.write_bytes(data)
        assert kept.get("a") is None
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.npy", bytes(1 << 20))
    assert kept.get("a") is None, "it unpacks to more than it is"
    np.savez(path, header=np.array(["x"], object), allow_pickle=True)
    assert kept.get("a") is None
    np.savez(path, header=np.frombuffer(b'{"basis": "../../a"}', np.uint8))
    assert kept.get("a") is None
    path.write_bytes(whole)
    assert same(kept.get("a"), *RESULT)
    next(kept._folder.glob("face-*")).unlink()
    assert kept.get("a") is None


def test_the_oldest_are_deleted(kept, monkeypatch):
    for number in range(6):
        kept.put(f"k{number}", {"number": number}, {"motion": np.zeros((1000, 1), np.float32)})
        os.utime(kept._folder / f"k{number}.npz", (number + 1e9, number + 1e9))
    monkeypatch.setattr(kept_results, "MAX_BYTES", 14_500)
    monkeypatch.setattr(kept_results, "MAX_DAYS", 1e6)
    kept.prune()
    assert sorted(path.stem for path in kept._folder.iterdir()) == ["k3", "k4", "k5"]
    monkeypatch.setattr(kept_results, "MAX_DAYS", 14.0)
    kept.prune()
    assert not list(kept._folder.iterdir())
    KeptResults(kept._folder / "none", "").prune()


def test_a_disk_that_cannot_be_written_costs_nothing_but_the_copy(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    KeptResults(tmp_path / "file", "").put("a", *RESULT)
